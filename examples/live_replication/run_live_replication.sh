#!/usr/bin/env bash
# Starts three nodes on data/node1 … node3, says where to edit, and shows how they stand until Ctrl-C.
set -euo pipefail
source "$(dirname "$(readlink -f "$0")")/demo.sh"

mkdir -p "$data/run"
for id in "${nodes[@]}"; do
    if running_pid "$id" >/dev/null; then
        echo "Node $id runs already (pid $(running_pid "$id")). This stops it, and removes its data:" >&2
        echo "    examples/live_replication/cleanup_replication.sh" >&2
        exit 1
    fi
done
build_program

stop_all() {
    trap - EXIT INT TERM
    echo
    echo "Stopping the three nodes ..."
    for id in "${nodes[@]}"; do stop_node "$id"; done
}
trap stop_all EXIT
trap 'exit 0' INT TERM

for id in "${nodes[@]}"; do
    : >"$(log_file "$id")"
    start_node "$id"
done
if ! wait_until 30 all_ready >&2; then
    echo "The nodes did not become ready. What they say:" >&2
    for id in "${nodes[@]}"; do tail -n 3 "$(log_file "$id")" | sed "s/^/  node $id: /" >&2; done
    exit 1
fi

cat <<TEXT
Three nodes keep these directories identical. Edit any of them, and see:
  $(node_dir 1)
  $(node_dir 2)
  $(node_dir 3)
For example:  echo hello > $(node_dir 1)/hello.txt; cat $(node_dir 3)/hello.txt
Each answers on its admin port:  curl http://127.0.0.1:$(admin_port 1)/status
Their logs are in $data/run. Ctrl-C stops the three nodes.

TEXT

show_status() {
    local line="leader: node $(leader)" id
    for id in "${nodes[@]}"; do
        if running_pid "$id" >/dev/null; then
            line+=" | node $id: $(status_of "$id" files) files,"
            line+=" synced $(status_of "$id" synced)/$(status_of "$id" commit)"
        else
            line+=" | node $id: stopped"
        fi
    done
    if [ -t 1 ]; then printf '\r\033[K%s' "$line"
    elif [ "$line" != "${last:-}" ]; then echo "$line"; fi
    last=$line
}
while :; do
    show_status
    pause 1
done
