# shellcheck shell=bash
# The long forms of tests that measure. To be read by other scripts (`source`); it does nothing by itself.
#
# The program is the one that `cargo build --release` makes, or that of $CARRACK_BIN.

release_program() {
    [ -z "${CARRACK_BIN:-}" ] || return 0
    cargo build --locked --release --quiet --package carrack-cli
    local target
    target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    export CARRACK_BIN=$target/release/carrack
}

# Prints which commit stands here.
commit() {
    local commit
    commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    [ -z "$(git status --porcelain -- . ':!docs/security/figures.md' 2>/dev/null)" ] || commit="$commit and changes"
    echo "$commit"
}

# Says which commit is measured, with which settings: begin SETTINGS...
begin() {
    # The last folder of a program of cargo is its profile.
    echo "commit $(commit), the $(basename "$(dirname "$CARRACK_BIN")") program, $*"
}

# Runs a test alone and prints its figures; all that it said is kept in target/figures/TEST.log: long_form TEST
long_form() {
    local status=0 began=$SECONDS log=target/figures/$1.log
    mkdir -p target/figures
    cargo test --locked --quiet --workspace --test all "$1::" -- --test-threads 1 --nocapture >"$log" 2>&1 || status=$?
    grep -o 'figure: .*' "$log" || true
    # Without the servers' logs.
    [ "$status" = 0 ] || grep -v '^{"time"' "$log" | tail -n 100 >&2
    echo "$1: $((SECONDS - began)) s, exit status $status"
    return "$status"
}

# The value behind an option of the command line: given OPTION OTHERWISE ARGUMENTS...
given() {
    local option=$1 value=$2
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
            "$option") value=${2:?$option needs a value}; shift 2 ;;
            *) echo "no such argument: $1; there is $option" >&2; return 2 ;;
        esac
    done
    echo "$value"
}
