# What scripts that try seeds have in common: how many, and of which commit.

seeds() {
    seeds=100000
    case ${1:-} in
        --seeds) seeds=$2 ;;
        "") ;;
        *) echo "usage: $0 [--seeds N]" >&2; exit 2 ;;
    esac
    local commit
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    [ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit and changes"
    echo "commit $commit, seeds ${SEED:-0 to $((seeds - 1))}"
}
