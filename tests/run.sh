#!/usr/bin/env bash
# Builds everything with g++ and runs every test. Works from a Debian 12 that has nothing installed;
# a second run builds only what changed. Ends with ctest's summary and has its exit status.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

# shellcheck source=tests/packages.sh
source tests/packages.sh
ensure_packages "${lockstep_packages[@]}"

# Data of other projects that some tests are held against, where it lies beside the checkout.
if [ -z "${LOCKSTEP_CONFORMANCE_DIR:-}" ] && [ -d ../shared/conformance ]; then
    LOCKSTEP_CONFORMANCE_DIR=$(readlink -f ../shared/conformance)
    export LOCKSTEP_CONFORMANCE_DIR
fi

cmake --preset default
cmake --build --preset default --parallel "${LOCKSTEP_JOBS:-2}"
exec ctest --preset default
