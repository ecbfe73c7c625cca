#!/usr/bin/env bash
# Stops the demo's own three nodes, and removes the demo's own data.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/demo.sh"

for id in "${nodes[@]}"; do
    if pid=$(running_pid "$id"); then
        echo "stopping node $id (pid $pid)"
        stop_node "$id"
    elif [ -e "$(pid_file "$id")" ]; then
        echo "node $id is not running: its pid file names nothing of ours"
    fi
done
for id in "${nodes[@]}"; do
    if [ -d "$(node_dir "$id")" ]; then
        echo "removing $(node_dir "$id")"
        rm -rf -- "$(node_dir "$id")"
    fi
done
rm -rf -- "$data/run"
rmdir -- "$data" 2>/dev/null || true
