#!/bin/sh
# Brings Debian's Chromium and Prometheus for the tests that need them, where that may be done; says what is missing
# otherwise. Nothing else is installed on the machine by anything in this repository.
missing=
command -v chromium >/dev/null 2>&1 || missing="chromium"
command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # The package would start a server of its own; the tests only need its programs.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d && made=yes
    fi
    # shellcheck disable=SC2086  # the list is words
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
        >/dev/null 2>&1 && installed=yes
    [ "${made:-}" = yes ] && rm -f /usr/sbin/policy-rc.d
    [ "${installed:-}" = yes ] && exit 0
fi
echo "Missing, so the tests that need them cannot run:$missing (Debian's packages of these names)." >&2
[ "${CI:-}" = true ] && exit 1
exit 0
