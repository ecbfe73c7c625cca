# Sourced by the scripts of the live example: where its things are, and how its nodes are started and stopped.
#
# What may be set from outside: LOCKSTEP_DEMO_DATA (a directory; default: data), LOCKSTEP_DEMO_RAFT_PORT and
# LOCKSTEP_DEMO_ADMIN_PORT (node N listens on this plus N; default: 8000 and 9000), LOCKSTEP_DEMO_PROGRAM (a lockstep that
# is built already; default: build/default/lockstep, which is built first).

top=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../..
top=$(readlink -f "$top")
data=${LOCKSTEP_DEMO_DATA:-$top/data}
lockstep=${LOCKSTEP_DEMO_PROGRAM:-$top/build/default/lockstep}
nodes=(1 2 3)

raft_port() { echo $((${LOCKSTEP_DEMO_RAFT_PORT:-8000} + $1)); }
admin_port() { echo $((${LOCKSTEP_DEMO_ADMIN_PORT:-9000} + $1)); }
node_dir() { echo "$data/node$1"; }
pid_file() { echo "$data/run/node$1.pid"; }
log_file() { echo "$data/run/node$1.log"; }

# Builds the program, and before that gets what building needs. Says so only where it takes time.
build_program() {
    [ -z "${LOCKSTEP_DEMO_PROGRAM:-}" ] || return 0
    # shellcheck source=tests/packages.sh
    source "$top/tests/packages.sh"
    ensure_packages "${lockstep_packages[@]}"
    [ -e "$top/build/default/build.ninja" ] || echo "Configuring and building (some minutes the first time) ..."
    (
        cd "$top"
        cmake --preset default &&
            cmake --build --preset default --target lockstep_main --parallel "${LOCKSTEP_JOBS:-2}"
    ) >"$data/run/build.log" 2>&1 || {
        tail -n 20 "$data/run/build.log" >&2
        echo "The build failed; its output is in $data/run/build.log" >&2
        return 1
    }
}

# The process that a node's pid file names, if it is one of ours: the program itself, serving that directory.
running_pid() {
    local pid
    pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] && [ -r "/proc/$pid/cmdline" ] || return 1
    local line
    line=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null)
    grep -qx -- "$(node_dir "$1")" <<<"$line" && grep -qx run <<<"$line" || return 1
    echo "$pid"
}

start_node() {
    local id=$1 other arguments
    mkdir -p "$(node_dir "$id")" "$data/run"
    arguments=(run --id "$id" --dir "$(node_dir "$id")"
        --listen "127.0.0.1:$(raft_port "$id")" --admin "127.0.0.1:$(admin_port "$id")")
    for other in "${nodes[@]}"; do
        [ "$other" = "$id" ] || arguments+=(--peer "$other=127.0.0.1:$(raft_port "$other")")
    done
    "$lockstep" "${arguments[@]}" "${@:2}" >>"$(log_file "$id")" 2>&1 &
    echo $! >"$(pid_file "$id")"
    disown $!   # so that no shell reports how it ends
}

# Stops a node of ours, if it runs, and waits until it is gone.
stop_node() {
    local pid signal=${2:-TERM}
    pid=$(running_pid "$1") || return 0
    kill "-$signal" "$pid" 2>/dev/null || return 0
    while is_alive "$pid"; do pause 0.05; done
    rm -f "$(pid_file "$1")"
}

# A process of the program that still has its ports. One that is killed keeps them until the last of its threads is gone,
# and a thread that waits for a disk goes when the disk has answered.
is_alive() {
    local name=${lockstep##*/} states
    [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "${name:0:15}" ] || return 1
    states=$(cat "/proc/$1/task/"*/status 2>/dev/null)   # fails where a thread has gone meanwhile: others may live
    grep -q '^State:[[:space:]]*[^ZX[:space:]]' <<<"$states"
}

# A field or counter of a node's status; empty where the node does not answer.
status_of() {
    "$lockstep" status --admin "127.0.0.1:$(admin_port "$1")" 2>/dev/null |
        awk -v key="$2" '$1 == key { print $2 } $1 == "counter" && $2 == key { print $3 }' || true
}

# The leader, as some node that is ready knows it; empty where there is none.
leader() {
    local id found
    for id in "${nodes[@]}"; do
        found=$(status_of "$id" leader)
        [ -n "$found" ] && [ "$found" != 0 ] && { echo "$found"; return; }
    done
}

pause() { read -rt "$1" <> <(:) || true; }

# wait_until SECONDS COMMAND...: polls until the command succeeds. Says what did not come.
wait_until() {
    local deadline=$((SECONDS + $1)) limit=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "not within $limit s: $*"; return 1; }
        pause 0.05
    done
}

all_ready() {
    local id
    for id in "${nodes[@]}"; do [ "$(status_of "$id" state)" = ready ] || return 1; done
    [ -n "$(leader)" ]
}
