#!/bin/sh
# Brings Debian's Chromium for the browser tests where that may be done; says what is missing otherwise.
command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 \
        && exit 0
fi
echo "Chromium is missing, so the browser tests cannot run: install the package chromium." >&2
[ "${CI:-}" = true ] && exit 1
exit 0
