#!/usr/bin/env bash
# Plants known bugs, one at a time, in a copy of the headers, and lets the simulator hunt them: each must be found
# within 400 seeds, by a checker or an assertion. Green that cannot turn red is worthless.
#
#   tests/plants/run.sh BUILD_DIRECTORY COMPILER [FLAG...]
#
# One line a plant; exits with the number of plants that were not caught.
set -uo pipefail
top=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
build=$(readlink -f "$1")
compiler=$2
shift 2
flags=(-std=c++20 "$@" -DLOCKSTEP_SEPARATE_COMPILATION -DBOOST_ASIO_SEPARATE_COMPILATION -DBOOST_BEAST_SEPARATE_COMPILATION)
libraries=("$build/sim/liblockstep_sim_program.a" "$build/sim/liblockstep_sim_compiled.a" "$build/liblockstep_compiled.a" "$build/liblockstep_boost.a")
ccache=$(command -v ccache || true)

# Compiles the one translation unit that has the simulated node, with the bug in it. What was planted before is kept.
plant() {
    local name=$1 at=$build/plants/$1
    rm -rf "$at/tree" && mkdir -p "$at/tree" && cp -r "$top/include" "$top/sim" "$at/tree" || return 1
    (cd "$at/tree" && patch -p1 -s --fuzz=0 <"$top/tests/plants/$name.patch") || return 1
    # Paths relative to the tree, so that a compiler cache knows it again.
    (cd "$at/tree" && $ccache "$compiler" "${flags[@]}" -Iinclude -I. -c sim/simulation.cpp -o ../simulation.o) || return 1
    "$compiler" "${flags[@]}" "$at/simulation.o" "$build/sim/CMakeFiles/lockstep-sim.dir/main.cpp.o" "${libraries[@]}" \
        -lcrypto -lpthread -o "$at/lockstep-sim"
}

hunt() {
    local name=$1 at=$build/plants/$1 status
    if ! plant "$name" >"$at.log" 2>&1; then
        echo "FAIL $name: could not be planted: $(head -n 1 "$at.log")"
        return 1
    fi
    "$at/lockstep-sim" --seeds 0..399 >>"$at.log" 2>&1
    status=$?
    # 127: an assertion of the library. 129: a checker. A run that merely hangs has not been understood.
    if [ "$status" = 127 ] || [ "$status" = 129 ]; then
        echo "ok   $name: $(grep -m 1 -E '^seed [0-9]+: (crash|correctness)' "$at.log" | cut -c 1-160)"
        return 0
    fi
    echo "FAIL $name: not caught in seeds 0..399 (exit $status)"
    return 1
}

mkdir -p "$build/plants"
missed=0
running=0
for file in "$top"/tests/plants/*.patch; do
    hunt "$(basename "$file" .patch)" &
    running=$((running + 1))
    if [ "$running" -ge 2 ]; then
        wait -n || missed=$((missed + 1))
        running=$((running - 1))
    fi
done
while [ "$running" -gt 0 ]; do
    wait -n || missed=$((missed + 1))
    running=$((running - 1))
done
exit "$missed"
