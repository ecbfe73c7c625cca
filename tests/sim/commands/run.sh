#!/usr/bin/env bash
# What lockstep-sim says of bad usage, and what it leaves alone: its exit code, one clear line, the files beside it.
#
#   tests/sim/commands/run.sh LOCKSTEP_SIM SCRATCH_DIRECTORY
set -uo pipefail
sim=$1
at=$2
rm -rf "$at" && mkdir -p "$at" && cd "$at" || exit 1
failed=0

fail() {
    head -n 3 <<<"FAIL $*" | cut -c 1-300
    failed=1
}

# refused LINE ARGUMENT...: exits with 1, and says this one line after its name, and nothing else.
refused() {
    local line=$1 said code
    shift
    said=$(timeout 60 "$sim" "$@" 2>&1)
    code=$?
    [ "$code" = 1 ] && [ "$said" = "lockstep-sim: $line" ] || fail "$*: $code, $said"
}

# exits CODE ARGUMENT...: what it says is in $said, of both streams.
exits() {
    local code=$1 got
    shift
    said=$(timeout 300 "$sim" "$@" 2>&1)
    got=$?
    [ "$got" = "$code" ] || fail "$*: $got instead of $code: $said"
}

# says TEXT: of the last exits.
says() {
    case $said in
        *"$1"*) ;;
        *) fail "no \"$1\" in: $said" ;;
    esac
}

printf 'scenario 1\nseed 5\nfaulty 1s\ncalm 30s\nat 100ms edit 1 n1\n' >small.scenario

# What is read is never written, by whatever name it goes.
cp small.scenario kept
ln small.scenario linked.scenario
for name in small.scenario ./small.scenario linked.scenario ../"${PWD##*/}"/small.scenario; do
    refused "$name: is read, and cannot be written too" --scenario small.scenario --trace "$name"
    refused "$name: is read, and cannot be written too" --scenario small.scenario --save "$name"
    refused "$name: is read, and cannot be written too" --seeds 1..1 --scenarios small.scenario --trace "$name"
done
refused "new.scenario: cannot be the trace as well" 1 --save new.scenario --trace ./new.scenario
refused "new.scenario: cannot be the trace as well" 1 --save new.scenario --trace "$PWD/new.scenario"
[ ! -e new.scenario ] || fail "new.scenario is there"
printf 'scenario 1\nseed 5\nfaulty 4s\ncalm 1ms\nat 100ms edit 1 n1\nat 3900ms crash 2 power down 5s\n' >seed-5.scenario
cp seed-5.scenario failing
exits 128 --scenario seed-5.scenario --shrink --shrink-runs 5
says "lockstep-sim --scenario seed-5.small.scenario"
exits 128 --seeds 1..1 --faulty 1 --scenarios seed-5.small.scenario seed-5.scenario --shrink --shrink-runs 5
says "lockstep-sim --scenario seed-5.small.small.scenario"
cmp -s seed-5.scenario failing || fail "seed-5.scenario is not what it was"
cmp -s small.scenario kept || fail "small.scenario is not what it was"

# A directory is called one.
refused "$at: is a directory" --scenario "$at"
refused "$at: is a directory" view "$at" -o page.html
refused "$at: is a directory" check-history "$at"

# What was asked for and could not be written is a failure, but what the run failed by comes first.
exits 1 --scenario small.scenario --trace /dev/full
says "lockstep-sim: /dev/full: cannot be written"
exits 1 --scenario small.scenario --save /dev/full
exits 128 --scenario seed-5.scenario --trace /dev/full
says "lockstep-sim: /dev/full: cannot be written"

# Runs that were not begun are told.
exits 0 --seeds 0..40 --faulty 1 --time-limit 0s
says "stopped by the time limit: 0 of 41 runs"
exits 0 --seeds 0..40 --swarm-seeds 0..9 --scenarios small.scenario --faulty 1 --shard 0/2 --time-limit 0s --json
says '"wanted":27,"runs":0,'
exits 0 --seeds 0..1 --faulty 1 --time-limit 100s
[[ $said != *"time limit"* ]] || fail "stopped, after all runs: $said"
exits 0 --seeds 0..40 --faulty 1 --time-limit 0s --shard 40/18446744073709551615
says "stopped by the time limit: 0 of 1 runs"
exits 0 --seeds 0..40 --faulty 1 --shard 41/42
[[ $said != *"time limit"* ]] || fail "stopped, with no run to begin: $said"
exits 128 --seeds 1..1 --faulty 1 --scenarios seed-5.scenario small.scenario --json
says '"wanted":3,"runs":2,"failed":1,'

# All probes that were not reached.
exits 128 --scenarios small.scenario --seeds 1..1 --faulty 1 --all-probes
never=$(sed -n 's/^probes: .* reached; never: //p' <<<"$said")
[ -n "$never" ] || fail "nothing is not reached"
says "these runs never got to: $never"

# Seeds are numbers of 64 bits.
exits 0 18446744073709551615 --faulty 1
says "seed 18446744073709551615: passed"
exits 0 --seeds 18446744073709551614..18446744073709551615 --faulty 1
says "2 runs, 0 failed"
for seed in 18446744073709551616 99999999999999999999999 1x 0x1 1.5; do
    refused "seed $seed: want a number of at most 64 bits" "$seed"
done
refused "--seeds 5..18446744073709551616: want A..B" --seeds 5..18446744073709551616
refused "--seeds 0..18446744073709551615: too many" --seeds 0..18446744073709551615
refused "--swarm-seeds 0..18446744073709551615: too many" --seeds 0..1 --swarm-seeds 0..18446744073709551615

# Options without effect.
for runs in 0 -1 99999999999999999999999; do
    refused "--shrink-runs: want 1 to 1000000000" 1 --shrink --shrink-runs=$runs
done
refused "--shrink-runs: of --shrink, and there is none" 1 --shrink-runs 100
refused "--trace-events: want 1 to 1000000000" 1 --trace new.ndjson --trace-events=-1
refused "--verbose: of one run" --verbose --seeds 0..2
refused "--verbose: of one run" --verbose 3 --time-limit 5s
refused "--states: want at least 1, and less than 2^32" explore --states 0
refused "--states: want at least 1, and less than 2^32" explore --states=-1
refused "--memory: want 1 to 1048576" explore --memory 0
refused "--memory: want 1 to 1048576" explore --memory=-1
refused "--overtakes: with --unordered they are not counted" explore --unordered --overtakes 1
exits 0 explore --terms 1 --entries 0 --crashes 0 --drops 0 --unordered --memory 64 --states 100000 --quiet

# A page, a log and a diagram: all that were asked for, or none.
exits 0 --scenario small.scenario --trace small.ndjson
cp small.ndjson kept
for name in small.ndjson ./small.ndjson; do
    refused "$name: is the trace itself" view small.ndjson -o page.html --shiviz "$name"
done
refused "./same: cannot be written twice" view small.ndjson --shiviz same --mermaid ./same
refused "same: cannot be written twice" view small.ndjson -o "$PWD/same" --mermaid same
refused "nowhere/log: cannot be written" view small.ndjson -o page.html --shiviz nowhere/log
refused ".: cannot be written" view small.ndjson -o page.html --mermaid .
refused "--from 4s --to 3s: it would end before it begins" view small.ndjson -o page.html --mermaid diagram --from 4s --to 3s
refused "--from 4: want a time, as 12.5s" view small.ndjson --mermaid diagram --from 4
refused "--from: is empty" view small.ndjson --mermaid diagram --from ""
refused "--page: is empty" view small.ndjson --mermaid diagram -o ""
for lines in 0 -1; do
    refused "--lines: want 1 to 1000000000" view small.ndjson --mermaid diagram --lines=$lines
done
refused "--from, --to, --lines: of the diagram, and there is no --mermaid" view small.ndjson -o page.html --lines 5
for name in page.html same diagram; do
    [ ! -e "$name" ] || fail "$name is there"
done
cmp -s small.ndjson kept || fail "small.ndjson is not what it was"
exits 0 view small.ndjson -o page.html --shiviz log --mermaid diagram --from 1s --to 1s --lines 1
[ -s page.html ] && [ -s log ] && [ -s diagram ] || fail "not all of three"

# A trace that is broken is told with its line.
sed '3s/"t":[0-9]*/"t":-1/' small.ndjson >broken.ndjson
refused "broken.ndjson: line 3: a time before the run" view broken.ndjson -o broken.html
sed '3s/"lane":"[a-z0-9]*"/"lane":"banana"/' small.ndjson >broken.ndjson
refused 'broken.ndjson: line 3: no lane is called "banana"' view broken.ndjson -o broken.html
[ ! -e broken.html ] || fail "broken.html is there"

[ "$failed" = 0 ] && echo "ok"
exit "$failed"
