#!/usr/bin/env bash
# Opens pages of traces in a real browser, without a screen, and lets each check itself (sim/view/selftest.js): one of a run
# that fails, and one of 100,000 events, which should be there within 2 s and draw a frame within 50 ms.
#
#   tests/sim/view/run.sh LOCKSTEP_SIM SCRATCH_DIRECTORY
#
# 77: there is no browser.
set -uo pipefail
sim=$1
at=$2
chromium=$(command -v chromium || command -v chromium-browser) || { echo "chromium is not installed"; exit 77; }
rm -rf "$at" && mkdir -p "$at" || exit 1

fail() {
    echo "FAIL $*"
    exit 1
}

# What the page in file $1 says of itself.
selftest() {
    local profile=$at/profile page=$1
    rm -rf "$profile"
    timeout 120 "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --window-size=1500,950 --user-data-dir="$profile" \
        --virtual-time-budget=60000 --dump-dom "file://$page#selftest" 2>"$at/chromium.log" |
        sed -n 's/.*<pre id="selftest-result">\(.*\)<\/pre>.*/\1/p'
}

# check NAME TRACE: makes the page of a trace, and has it check itself. The result is in $said.
check() {
    local name=$1
    "$sim" view "$2" -o "$at/$name.html" || fail "$name: no page"
    said=$(selftest "$at/$name.html")
    [ -n "$said" ] || fail "$name: the browser says nothing: $(tail -n 3 "$at/chromium.log")"
    case $said in
        *'"failed":[]'*) ;;
        *) fail "$name: $said" ;;
    esac
    echo "ok   $name: $said"
}

# at_most NAME LIMIT: whether that is so of what was measured.
at_most() {
    local value
    value=$(sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" <<<"$said")
    awk -v value="$value" -v limit="$2" 'BEGIN { exit !(value != "" && value <= limit) }'
}

# A run that fails for certain: a node that is down until the end, and no time for it to come back.
printf 'scenario 1\nseed 5\nfaulty 4s\ncalm 1ms\nat 100ms edit 1 n1\nat 1s crash leader process down 500ms\nat 2s cut 3 | others for 1s\nat 2500ms edit 2 n1\nat 3900ms crash 2 power down 5s\n' >"$at/failing.scenario"
"$sim" --scenario "$at/failing.scenario" --trace "$at/failing.ndjson" >"$at/failing.log"
[ $? = 128 ] || fail "the run that shall fail: $(cat "$at/failing.log")"
check failing "$at/failing.ndjson"

"$sim" 7 --faulty 400 --trace "$at/large.ndjson" --trace-kinds all --trace-events 100000 >"$at/large.log" || fail "$(cat "$at/large.log")"
[ "$(wc -l <"$at/large.ndjson")" = 100001 ] || fail "the large trace has $(wc -l <"$at/large.ndjson") lines"
check large "$at/large.ndjson"
# How long it takes is told, and fails nothing: machines have other things to do.
at_most load_ms 2000 && at_most frame_ms 50 || echo "slow large: more than 2 s to load or 50 ms to draw"
