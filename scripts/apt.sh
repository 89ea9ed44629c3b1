# Debian packages without their services. To be read by other scripts (`source`); it does nothing by itself.

say() { printf '\n== %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt-get with the word that no service may start (policy-rc.d, status 101); what stood there before comes back, also
# when the run is interrupted.
policy=/usr/sbin/policy-rc.d
policy_before=

forbid_services() {
    if [ -e "$policy" ]; then
        policy_before=$(mktemp)
        as_root cp -p "$policy" "$policy_before" || return 1
    fi
    trap allow_services EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
}

allow_services() {
    trap - EXIT
    if [ -n "$policy_before" ]; then as_root mv -f "$policy_before" "$policy"; else as_root rm -f "$policy"; fi
    policy_before=
}

# apt_install PACKAGE...
apt_install() {
    forbid_services || return 1
    local status=0
    { as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } ||
        status=$?
    allow_services
    return "$status"
}
