#!/bin/sh
# Brings Debian's Chromium and Prometheus for the tests that need them, where that may be done, and builds Kustomize where Go is,
# into the user's cache folder; says what is missing otherwise. Nothing else is installed on the machine by anything in this
# repository.
bin="${TOCSIN_CACHE:-$HOME/.cache/tocsin}/bin"
kustomize=5.4.3
if [ ! -x "$bin/kustomize-$kustomize" ]; then
    if command -v go >/dev/null 2>&1 && made=$(mktemp -d); then
        # Into a folder of its own first: a build that is cut off leaves nothing that looks like a program.
        GOBIN="$made" go install "sigs.k8s.io/kustomize/kustomize/v5@v$kustomize" >/dev/null 2>&1 &&
            mkdir -p "$bin" && mv "$made/kustomize" "$bin/kustomize-$kustomize"
        rm -rf "$made"
    fi
    if [ ! -x "$bin/kustomize-$kustomize" ]; then
        echo "Missing, so the tests that need it cannot run: Kustomize $kustomize (Go builds it)." >&2
        without=yes
    fi
fi
made=
missing=
command -v chromium >/dev/null 2>&1 || missing="chromium"
command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
[ "${without:-}" = yes ] && [ "${CI:-}" = true ] && exit 1
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
