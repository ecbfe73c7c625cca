#!/usr/bin/env bash
# Runs three nodes with data and ports of its own (beside a running demo, if there is one) and puts them through
# what the README promises: one line a check, and a non-zero exit if any fails. Nothing it starts is left running;
# its data is removed unless a check failed. Names of checks as arguments run only those; --large runs the checks of
# the largest files too, which take minutes and need space.
set -uo pipefail
export LC_ALL=C
here=$(dirname "$(readlink -f "$0")")
: "${LOCKSTEP_DEMO_DATA:=$here/../../data/test}" "${LOCKSTEP_DEMO_RAFT_PORT:=8010}" "${LOCKSTEP_DEMO_ADMIN_PORT:=9010}"
mkdir -p "$LOCKSTEP_DEMO_DATA/run" || exit 1
LOCKSTEP_DEMO_DATA=$(readlink -f "$LOCKSTEP_DEMO_DATA")
source "$here/demo.sh"

n1=$(node_dir 1) n2=$(node_dir 2) n3=$(node_dir 3)
work=$data/run/work
election_ms_max=${LOCKSTEP_DEMO_ELECTION_MS:-2000}

# --- what the checks are made of -------------------------------------------------------------------------------------

fail() { echo "$*"; return 1; }
note() { echo "$*" | tee -a "$work/notes"; }   # shown though all is well
expect() { [ "$@" ] || fail "not so: $*"; }
barrier() { "$lockstep" barrier --admin "127.0.0.1:$(admin_port "$1")" --timeout "${2:-30s}"; }
is_ready() { [ "$(status_of "$1" state)" = ready ]; }
milliseconds() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }

# Everything that is replicated of a node's directory: types, modes, sizes, mtimes of files, link targets, contents.
manifest() {
    cd "$(node_dir "$1")"
    find . -mindepth 1 -path ./.lockstep -prune -o \
        \( -type f -printf 'f %m %s %T@ %p\0' -o -type l -printf 'l %p -> %l\0' -o -printf '%y %m %p\0' \) | sort -z
    find . -path ./.lockstep -prune -o -type f -print0 | sort -z | xargs -0r sha256sum -z
}

identical() {
    local id first= readers=()
    [ $# -gt 0 ] || set -- 1 2 3
    for id in "$@"; do
        (manifest "$id") >"$work/manifest.$id" &
        readers+=($!)
    done
    wait "${readers[@]}"   # alone it would wait for nodes that were started here, too
    for id in "$@"; do
        first=${first:-$id}
        cmp -s "$work/manifest.$first" "$work/manifest.$id" && continue
        echo "node $id differs from node $first:"
        diff <(tr '\0' '\n' <"$work/manifest.$first") <(tr '\0' '\n' <"$work/manifest.$id") | head -n 10
        return 1
    done
}

# Brings everything written on the given nodes everywhere, and compares.
settled() {
    local id
    for id in "$@"; do barrier "$id" "${patience:-30s}"; done
    identical
}

bytes_sent() {
    local id sum=0 sent
    for id in "${nodes[@]}"; do
        sent=$(status_of "$id" bytes_sent)
        sum=$((sum + ${sent:-0}))   # none: it is not running
    done
    echo "$sum"
}

no_conflicts() {
    local found
    found=$(find "$n1" "$n2" "$n3" -path '*/.lockstep' -prune -o -name '*.conflict-n*' -print)
    [ -z "$found" ] || fail "conflict copies: $found"
}

# follower [NOT]: a node that does not lead, other than NOT.
follower() {
    local id lead
    lead=$(leader)
    for id in "${nodes[@]}"; do [ "$id" = "$lead" ] || [ "$id" = "${1:-}" ] || { echo "$id"; return; }; done
}

# --- the checks ------------------------------------------------------------------------------------------------------

seed_create_append_second_file() {
    echo one >"$n1/seed.txt"
    settled 1
    expect "$(cat "$n3/seed.txt")" = one
    echo two >>"$n1/seed.txt"
    settled 1
    expect "$(cat "$n2/seed.txt")" = $'one\ntwo'
    echo second >"$n1/second.txt"
    settled 1
    expect "$(cat "$n3/second.txt")" = second
}

binary_empty_and_3_MiB_files() {
    head -c 65536 /dev/urandom >"$n1/binary"
    : >"$n1/empty"
    head -c 3145728 /dev/urandom >"$n1/three_mib"
    settled 1
    expect -f "$n3/empty"
    expect "$(stat -c %s "$n3/three_mib")" = 3145728
}

odd_names() {
    local long name
    long=$(printf 'x%.0s' {1..255})
    mkdir "$n2/odd"
    for name in $'new\nline' $'not\xffutf\xfe8' "$long" -leading ' two  spaces ' '*?[a]' '"quoted"' $'tab\t' \
        '\back' .hidden ...; do
        printf '%s' "$name" >"$n2/odd/$name"
    done
    mkdir "$n2/odd/"$'directory\n\xff'
    echo inside >"$n2/odd/"$'directory\n\xff'/"$long"
    settled 2
    for name in $'new\nline' $'not\xffutf\xfe8' "$long" -leading ' two  spaces '; do
        expect "$(cat "$n3/odd/$name")" = "$name"
    done
}

a_thousand_files_of_4_KiB() {
    mkdir "$n1/many"
    head -c 4096000 /dev/urandom | split -b 4096 -a 4 - "$n1/many/file-"
    settled 1
    expect "$(find "$n3/many" -type f -size 4096c | wc -l)" = 1000
}

empty_directories_and_links() {
    mkdir -p "$n3/tree/a/b/c/d" "$n3/tree/empty/deeper"
    ln -s a/b "$n3/tree/to_directory"
    ln -s nowhere/at/all "$n3/tree/dangling"
    ln -s / "$n3/tree/to_root"
    ln -s to_itself "$n3/tree/to_itself"
    echo leaf >"$n3/tree/a/b/c/leaf"
    settled 3
    expect -d "$n1/tree/empty/deeper"
    expect "$(readlink "$n1/tree/to_root")" = /
    expect -L "$n2/tree/to_itself"
}

deletes() {
    mkdir -p "$n1/doomed/below/deeper"
    touch "$n1/doomed/x" "$n1/doomed/below/y" "$n1/doomed.txt"
    settled 1
    rm -r "$n2/doomed" "$n2/doomed.txt"
    settled 2
    expect ! -e "$n1/doomed"
    expect ! -e "$n3/doomed.txt"
}

renames_send_no_content() {
    local before after
    mkdir -p "$n1/moving/sub"
    head -c 2000000 /dev/urandom >"$n1/moving/large"
    head -c 1000000 /dev/urandom >"$n1/moving/sub/also"
    head -c 1000000 /dev/urandom >"$n1/alone"
    settled 1
    before=$(bytes_sent)
    mv "$n1/alone" "$n1/moved_alone"
    mv "$n1/moving" "$n1/moved"
    settled 1
    mv "$n2/moved/sub" "$n2/sub_moved_out"
    settled 2
    after=$(bytes_sent)
    expect -f "$n3/moved/large"
    expect -f "$n3/sub_moved_out/also"
    expect -f "$n2/moved_alone"
    expect ! -e "$n3/moving"
    [ $((after - before)) -lt 200000 ] || fail "$((after - before)) bytes were sent for renames"
}

edits_on_each_node() {
    local id
    for id in 1 2 3; do echo "from $id" >"$(node_dir "$id")/from_$id"; done
    settled 1 2 3
    for id in 1 2 3; do echo "more from $id" >>"$(node_dir "$id")/from_$((id % 3 + 1))"; done
    settled 1 2 3
    expect "$(cat "$n1/from_1")" = $'from 1\nmore from 3'
    expect "$(cat "$n1/from_2")" = $'from 2\nmore from 1'
    no_conflicts
}

# A node that is stopped in its tracks cannot learn of the other's edit: both edits are of the same version.
two_edits_at_once_both_survive() {
    local held other pid
    echo base >"$n1/both.txt"
    settled 1
    held=$(follower)
    other=$(follower "$held")
    pid=$(running_pid "$held")
    kill -STOP "$pid"
    echo "written on the one" >"$(node_dir "$other")/both.txt"
    barrier "$other" || { kill -CONT "$pid"; return 1; }
    echo "written on the other" >"$(node_dir "$held")/both.txt"
    kill -CONT "$pid"
    settled "$held" "$other"
    cat "$n1"/both*.txt | sort >"$work/both"
    diff "$work/both" <(printf 'written on the one\nwritten on the other\n')
    rm "$n1"/both*.txt
    settled 1
}

saving_twice_in_a_row_makes_no_conflict() {
    local i
    for i in {1..60}; do
        echo "draft $i" >"$n2/notes.txt"
        echo "save $i" >"$n2/notes.txt"
        [ $((i % 10)) -ne 0 ] || barrier 2
    done
    for i in {1..60}; do
        echo "save $i" >"$n2/.editor.tmp" && mv "$n2/.editor.tmp" "$n2/edited.txt"
        echo "again $i" >"$n2/.editor.tmp" && mv "$n2/.editor.tmp" "$n2/edited.txt"
        [ $((i % 10)) -ne 0 ] || barrier 2
    done
    settled 2
    no_conflicts
    expect "$(cat "$n1/notes.txt")" = "save 60"
    expect "$(cat "$n3/edited.txt")" = "again 60"
}

# Every version is 400 lines of its own number; the reader stops when it has seen the last one.
a_reader_never_sees_a_file_missing_or_partial() {
    local reader
    perl -e 'print "0\n" x 400' >"$n1/replaced"
    settled 1
    perl -e '
        my ($path, $give_up, %seen, $reads) = ($ARGV[0], time + 60);
        while (time < $give_up) {
            open(my $f, "<", $path) or do { print "missing: $!\n"; exit 1 };
            my @lines = <$f>;
            close $f;
            $reads++;
            if (@lines != 400 || grep { $_ ne $lines[0] } @lines) { printf "partial: %d lines\n", scalar @lines; exit 1 }
            $seen{$lines[0]} = 1;
            if ($lines[0] == 1000) { printf "%d reads, %d versions\n", $reads, scalar keys %seen; exit 0 }
        }
        print "the last version never came\n";
        exit 1' "$n3/replaced" >"$work/reader" 2>&1 &
    reader=$!
    perl -e '
        for my $i (1 .. 1000) {
            open(my $f, ">", "$ARGV[0].new") or die;
            print $f "$i\n" x 400;
            close $f or die;
            rename("$ARGV[0].new", $ARGV[0]) or die;
            select(undef, undef, undef, 0.002);
        }' "$n1/replaced"
    wait "$reader" || fail "$(cat "$work/reader")"
    settled 1
    no_conflicts
}

editing_while_the_leader_is_killed() {
    local lead id began took writer
    lead=$(leader)
    id=$(follower)
    mkdir "$(node_dir "$id")/through"
    settled "$id"
    perl -e '
        for my $i (1 .. 300) {
            open(my $f, ">", "$ARGV[0]/$i") or die;
            print $f $i;
            close $f or die;
            select(undef, undef, undef, 0.01);
        }' "$(node_dir "$id")/through" &
    writer=$!
    wait_until 5 test -e "$(node_dir "$lead")/through/20"
    began=$(milliseconds)
    stop_node "$lead" KILL
    wait_until 10 other_leader_than "$lead"
    took=$(($(milliseconds) - began))
    wait "$writer"
    echo after >"$(node_dir "$id")/after_the_kill"
    barrier "$id"
    echo "$lead" >"$work/killed"
    identical "$id" "$((6 - lead - id))"
    expect "$(find "$(node_dir "$((6 - lead - id))")/through" -type f | wc -l)" = 300
    [ "$took" -le "$election_ms_max" ] || fail "a new leader took $took ms"
}
other_leader_than() {
    local id found
    for id in "${nodes[@]}"; do
        [ "$id" != "$1" ] || continue
        found=$(status_of "$id" role)
        [ "$found" != leader ] || return 0
    done
    return 1
}

restart_of_the_killed_node() {
    local killed
    killed=$(cat "$work/killed")
    start_node "$killed"
    wait_until 20 is_ready "$killed"
    settled "$killed" 1
    expect -e "$(node_dir "$killed")/after_the_kill"
}

edits_made_while_a_node_was_down() {
    mkdir "$n1/down"
    echo old >"$n1/down/changed_there"
    echo old >"$n1/down/changed_here"
    echo old >"$n1/down/removed_there"
    echo old >"$n1/down/renamed_there"
    settled 1
    stop_node 3
    echo new >"$n3/down/changed_there"
    echo added >"$n3/down/added_there"
    rm "$n3/down/removed_there"
    mv "$n3/down/renamed_there" "$n3/down/new_name"
    echo new >"$n1/down/changed_here"
    barrier 1
    start_node 3
    wait_until 20 is_ready 3
    settled 3 1
    expect "$(cat "$n1/down/changed_there")" = new
    expect "$(cat "$n3/down/changed_here")" = new
    expect "$(cat "$n2/down/added_there")" = added
    expect ! -e "$n2/down/removed_there"
    expect -e "$n1/down/new_name"
    no_conflicts
}

edits_made_while_there_was_no_majority() {
    stop_node 2
    stop_node 3
    echo alone >"$n1/no_majority"
    if barrier 1 300ms 2>/dev/null; then fail "a barrier without a majority"; fi
    start_node 2
    start_node 3
    wait_until 20 all_ready
    settled 1
    expect "$(cat "$n3/no_majority")" = alone
}

a_root_that_vanishes_deletes_nothing() {
    local files
    files=$(find "$n1" -path "$n1/.lockstep" -prune -o -type f -print | wc -l)
    mv "$n2" "$n2.away"
    wait_until 20 root_is_missing 2 || { mv "$n2.away" "$n2"; fail "status does not say that the root is missing"; }
    grep -q ' error: .*gone' "$(log_file 2)" || { mv "$n2.away" "$n2"; fail "no error in the log"; }
    echo meanwhile >"$n1/meanwhile"
    wait_until 10 test -e "$n3/meanwhile" || { mv "$n2.away" "$n2"; fail "the others do not go on"; }
    [ "$(find "$n3" -path "$n3/.lockstep" -prune -o -type f -print | wc -l)" = $((files + 1)) ] ||
        { mv "$n2.away" "$n2"; fail "files were deleted elsewhere"; }
    mv "$n2.away" "$n2"
    wait_until 20 is_ready 2
    settled 1 2
    [ "$(cat "$n2/meanwhile")" = meanwhile ]
    echo back >"$n2/back"
    settled 2
}
root_is_missing() { [ "$(status_of "$1" state)" = root_missing ]; }

an_idle_cluster_stays_still() {
    local before i
    barrier 1
    before=$(status_of 1 commit)
    for i in {1..10}; do pause 1; done
    [ "$(status_of 1 commit)" = "$before" ] || fail "the commit index went from $before to $(status_of 1 commit)"
}

cp_and_tar_into_the_directory() {
    cp -r "$top/include" "$n1/copied"
    tar -C "$top" -cf "$work/archive.tar" docs examples tests
    mkdir "$n2/unpacked"
    tar -C "$n2/unpacked" -xf "$work/archive.tar"
    settled 1 2
    diff -r "$top/include" "$n3/copied"
    diff -r "$top/docs" "$n1/unpacked/docs"
}

git_clone_and_fsck_on_another_node() {
    local git=(git -c user.name=demo -c user.email=demo@localhost -c init.defaultBranch=main -c core.autocrlf=false) i
    rm -rf "$work/source"
    "${git[@]}" init -q "$work/source"
    for i in 1 2 3; do
        cp -r "$top/include/lockstep/base" "$work/source/base$i"
        "${git[@]}" -C "$work/source" add .
        "${git[@]}" -C "$work/source" commit -q -m "commit $i"
    done
    "${git[@]}" clone -q "$work/source" "$n1/clone"
    settled 1
    git -C "$n3/clone" fsck --strict --full 2>&1
    [ -z "$(git -C "$n3/clone" status --porcelain)" ] || fail "the clone on node 3 is not clean"
    echo more >"$n3/clone/more"
    git -C "$n3/clone" add more
    "${git[@]}" -C "$n3/clone" commit -q -m more
    settled 3
    git -C "$n2/clone" fsck --strict --full 2>&1
    expect "$(git -C "$n2/clone" rev-parse HEAD)" = "$(git -C "$n3/clone" rev-parse HEAD)"
}

permissions_and_times() {
    mkdir -p "$n1/modes/private" "$n1/modes/read_only/sub"
    local mode
    for mode in 400 444 600 640 644 700 755 777; do
        echo "$mode" >"$n1/modes/$mode"
        chmod "$mode" "$n1/modes/$mode"
    done
    echo inside >"$n1/modes/read_only/inside"
    touch -d '2001-02-03 04:05:06.123456789' "$n1/modes/644" "$n1/modes/400"
    touch -d '1969-12-31 23:59:58.5 UTC' "$n1/modes/600"
    chmod 700 "$n1/modes/private"
    chmod 555 "$n1/modes/read_only"
    (umask 0; mkdir "$n1/modes/open"; echo open >"$n1/modes/open/file")
    settled 1
    expect "$(stat -c %a "$n3/modes/read_only")" = 555
    expect "$(stat -c %a "$n3/modes/open/file")" = 666
    expect "$(stat -c %y "$n2/modes/644")" = "$(stat -c %y "$n1/modes/644")"
    echo set-id >"$n1/modes/set_id"
    chmod 4755 "$n1/modes/set_id"
    barrier 1
    [ "$(stat -c %a "$n2/modes/set_id")" = 755 ] || fail "a set-id bit was replicated"
    rm "$n1/modes/set_id"
    chmod 755 "$n2/modes/read_only"
    settled 1 2
}

chmod_and_touch_send_no_content() {
    local before sent after
    head -c 3000000 /dev/urandom >"$n1/heavy"
    chmod 600 "$n1/heavy"
    settled 1
    before=$(status_of 1 commit)
    sent=$(bytes_sent)
    chmod 640 "$n1/heavy"
    settled 1
    touch -d '2002-02-02 02:02:02' "$n1/heavy"
    settled 1
    expect "$(stat -c '%a %Y' "$n3/heavy")" = "$(stat -c '%a %Y' "$n1/heavy")"
    after=$(status_of 1 commit)
    [ $((after - before)) -le 2 ] || fail "$((after - before)) entries for a chmod and a touch"
    [ $(($(bytes_sent) - sent)) -lt 200000 ] || fail "the content was sent again"
}

what_is_not_replicated_is_named() {
    mkfifo "$n1/a_fifo"
    barrier 1
    expect ! -e "$n2/a_fifo"
    [ "$(status_of 1 skipped_files)" = 1 ] || fail "skipped_files is $(status_of 1 skipped_files)"
    grep -q '^skipped .*a_fifo:' <<<"$("$lockstep" status --admin "127.0.0.1:$(admin_port 1)")"
    rm "$n1/a_fifo"
    settled 1
    [ "$(status_of 1 skipped_files)" = 0 ] || fail "skipped_files stays at $(status_of 1 skipped_files)"
}

a_renamed_directory_of_a_thousand_files_is_one_command() {
    local commands sent
    mkdir "$n1/before"
    head -c 4096000 /dev/urandom | split -b 4096 -a 4 - "$n1/before/file-"
    settled 1
    commands=$(status_of 1 commands)
    sent=$(bytes_sent)
    mv "$n1/before" "$n1/after"
    settled 1
    expect "$(find "$n3/after" -type f -size 4096c | wc -l)" = 1000
    expect ! -e "$n3/before"
    expect $(($(status_of 1 commands) - commands)) = 1
    sent=$(($(bytes_sent) - sent))
    [ "$sent" -lt 200000 ] || fail "$sent bytes were sent for a rename"
    rm -r "$n2/after"
    settled 2
}

# A node is away while so much is written that the log of the others is cut past what it has.
a_node_away_is_caught_up_by_a_snapshot() {
    local id before sent
    for id in "${nodes[@]}"; do stop_node "$id" && start_node "$id" --log-size 1M; done
    wait_until 30 all_ready
    mkdir "$n1/kept"
    head -c 40960000 /dev/urandom | split -b 40960 -a 4 - "$n1/kept/file-"
    random_file "$n1/kept/large" $((32 * MiB))
    settled 1
    stop_node 3
    before=$(status_of 1 compactions)
    mkdir "$n1/new"
    head -c 8192000 /dev/urandom | split -b 8192 -a 4 - "$n1/new/file-"
    rm "$n1/kept/file-aaaa"
    cp "$n1/kept/large" "$n1/new/copy"
    mv "$n1/kept" "$n1/moved"
    barrier 1
    identical 1 2
    wait_until 30 log_was_cut_since 1 "$before" || fail "the log was not cut: $before compactions"
    echo edited while away >"$n3/moved while away"
    sent=$(bytes_sent)
    start_node 3 --log-size 1M
    wait_until 30 is_ready 3
    settled 1 3
    expect "$(status_of 3 installs)" = 1
    expect "$(cat "$n1/moved while away")" = "edited while away"
    sent=$(($(bytes_sent) - sent))
    [ "$sent" -lt $((16 * MiB)) ] || fail "$sent bytes were sent, of 8 MiB that are new"
    note "$sent bytes were sent for 8 MiB that are new beside 72 MiB that it had"
    for id in "${nodes[@]}"; do stop_node "$id" && start_node "$id"; done
    wait_until 30 all_ready
    rm -r "$n1/new" "$n1/moved" "$n1/moved while away"
    settled 1
}
log_was_cut_since() { [ "$(status_of "$1" compactions)" -gt "$2" ]; }

# --- large files -----------------------------------------------------------------------------------------------------

MiB=1048576

# Other nodes fetch no more than the chunks that an edit touches: of two edits of 64 KiB that is at most the edit, two
# chunks beside it, and a piece of the list of chunks, each at most 256 KiB; to two nodes. And some talk.
edit_bound=$((2 * 2 * (65536 + 3 * 262144) + MiB))

# random_file PATH SIZE: appears under its name when it is whole, as a download does.
random_file() {
    head -c "$2" /dev/urandom >"$work/random"
    mv "$work/random" "$1"
}

# A large file on node 1; then an append and an edit in the middle of it there, and a copy of it on node 2.
large_file_sends_what_changed() {
    local size=$1 patience=$2 sent first edits copy
    sent=$(bytes_sent)
    random_file "$n1/large" "$size"
    settled 1
    expect "$(stat -c %s "$n3/large")" = "$size"
    first=$(($(bytes_sent) - sent))
    sent=$(bytes_sent)
    perl -e '
        open(my $random, "<", "/dev/urandom") or die;
        sysread($random, my $bytes, 131072) == 131072 or die;
        open(my $f, "+<", $ARGV[0]) or die;
        seek($f, $ARGV[1] / 2 + 12345, 0) or die;
        print $f substr($bytes, 0, 65536);
        seek($f, 0, 2) or die;
        print $f substr($bytes, 65536);
        close $f or die;' "$n1/large" "$size"
    settled 1
    expect "$(stat -c %s "$n3/large")" = "$((size + 65536))"
    edits=$(($(bytes_sent) - sent))
    sent=$(bytes_sent)
    cp "$n2/large" "$n2/copy of large"
    settled 2
    expect "$(stat -c %s "$n1/copy of large")" = "$((size + 65536))"
    copy=$(($(bytes_sent) - sent))
    [ "$first" -lt $((2 * size + 2 * size / 20)) ] || fail "$first bytes were sent for $size new ones to two nodes"
    [ "$edits" -lt "$edit_bound" ] || fail "$edits bytes were sent for two edits of 64 KiB"
    [ "$copy" -lt "$MiB" ] || fail "$copy bytes were sent for a copy"
    little_memory
    rm "$n2/large" "$n2/copy of large"
    settled 2
    note "bytes sent: $first new, $edits for two edits of 64 KiB, $copy for a copy"
}
a_256_MiB_file_sends_what_changed() { large_file_sends_what_changed $((256 * MiB)) 60s; }
a_2_GiB_file_sends_what_changed() { large_file_sends_what_changed $((2048 * MiB)) 300s; }

# The most that any node ever had in memory, mappings included.
memory_max_kb=$((256 * 1024))
little_memory() {
    local id pid peak now
    for id in "${nodes[@]}"; do
        pid=$(running_pid "$id")
        peak=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status")
        now=$(awk '$1 == "Rss:" { print $2 }' "/proc/$pid/smaps_rollup")
        [ "$peak" -lt "$memory_max_kb" ] || fail "node $id had $peak kB in memory"
        [ "$now" -lt "$memory_max_kb" ] || fail "node $id has $now kB in memory"
        note "node $id: at most $((peak / 1024)) MiB in memory, now $((now / 1024)) MiB"
    done
}

a_4_GiB_file_passes_in_little_memory() {
    local patience=600s
    random_file "$n1/larger" $((4096 * MiB))
    settled 1
    expect "$(stat -c %s "$n2/larger")" = $((4096 * MiB))
    little_memory
    rm "$n2/larger"
    settled 2
}

# small_edits NAME SECONDS [UNTIL]: writes small files on node 1 until all files UNTIL are there, or 40 of them; prints
# for each, in microseconds, how long it took to node 3, and at the end how long all took.
small_edits() {
    perl -MTime::HiRes=time,usleep -e '
        my ($from, $to, $name, $give_up, @until) = @ARGV;
        my ($began, $i) = (time, 0);
        for (; @until ? grep({ !-e } @until) : $i < 40; $i++) {
            my $written = time;
            open(my $f, ">", "$from/$name $i") or die;
            print $f $i;
            close $f or die;
            until (-s "$to/$name $i") {
                if (time > $began + $give_up) { print STDERR "$name $i did not arrive\n"; exit 1 }
                usleep(200);
            }
            printf "%d\n", (time - $written) * 1e6;
            usleep(20000);
        }
        printf STDERR "%d\n", (time - $began) * 1e6;' "$n1" "$n3" "$@"
}

# What a large transfer costs small edits is a share of the disk and of the processor, not the time of the transfer: all
# of them arrive, each in less than a quarter of that time, and half of them in less than a twentieth.
small_edits_flow_during_a_large_transfer() {
    local patience=60s quiet during slowest took count
    small_edits quiet 60 >"$work/quiet" 2>/dev/null || fail "small edits stop"
    random_file "$work/larger" $((512 * MiB))
    settled 1
    mv "$work/larger" "$n1/larger"
    small_edits during 60 "$n2/larger" "$n3/larger" >"$work/during" 2>"$work/took" || fail "$(cat "$work/took")"
    took=$(cat "$work/took")
    count=$(wc -l <"$work/during")
    quiet=$(sort -n "$work/quiet" | sed -n 20p)
    during=$(sort -n "$work/during" | sed -n "$(((count + 1) / 2))p")
    slowest=$(sort -n "$work/during" | tail -n 1)
    note "half of the small edits in $quiet us alone, in $during us during the transfer of $took us; the slowest $slowest us"
    [ "$slowest" -lt $((took / 4)) ] || fail "one of $count took $slowest us of $took us"
    [ "$during" -lt $((took / 20)) ] || fail "half of $count took more than $during us of $took us"
    settled 1
    rm "$n1/larger" "$n1/quiet "* "$n1/during "*
    settled 1
}

# Each node in turn is killed when it has sent or fetched a part of a large file of node 1, and goes on where it was: what
# each node receives is about the file, and a part that was on its way then.
kill_each_node_during_a_large_transfer() {
    local patience=120s size=$((256 * MiB)) victim id received
    for victim in 1 2 3; do
        local -A before=()
        settled 1
        for id in 2 3; do before[$id]=$(status_of "$id" bytes_received); done
        random_file "$n1/interrupted" "$size"
        id=$((victim == 1 ? 2 : victim))
        wait_until 60 is_fetching "$id" "$((size / 8))" || fail "nothing was fetched"
        [ "$victim" = 1 ] || before[$id]=$((before[$id] - $(status_of "$id" bytes_received)))
        stop_node "$victim" KILL
        [ ! -e "$n3/interrupted" ] || fail "it was there before node $victim was killed"
        start_node "$victim"
        wait_until 30 is_ready "$victim"
        settled 1
        for id in 2 3; do
            received=$(($(status_of "$id" bytes_received) - before[$id]))
            note "node $victim was killed: node $id received $received bytes"
            [ "$received" -gt $((size / 4 * 3)) ] || fail "too little to be true"
            [ "$received" -lt $((size + size / 4)) ] || fail "much was fetched twice"
        done
        rm "$n1/interrupted"
        settled 1
    done
}
# is_fetching NODE BYTES: it has fetched at least so many bytes and lacks some.
is_fetching() {
    local status
    status=$("$lockstep" status --admin "127.0.0.1:$(admin_port "$1")") || return 1
    missing=$(awk '$1 == "fetching_bytes" { print $2 }' <<<"$status")
    [ "$missing" -gt 0 ] && [ "$missing" -lt $((size - $2)) ]
}

# --- running them ----------------------------------------------------------------------------------------------------

checks=(
    seed_create_append_second_file binary_empty_and_3_MiB_files odd_names a_thousand_files_of_4_KiB
    empty_directories_and_links deletes renames_send_no_content edits_on_each_node two_edits_at_once_both_survive
    saving_twice_in_a_row_makes_no_conflict a_reader_never_sees_a_file_missing_or_partial permissions_and_times
    chmod_and_touch_send_no_content what_is_not_replicated_is_named cp_and_tar_into_the_directory
    git_clone_and_fsck_on_another_node an_idle_cluster_stays_still editing_while_the_leader_is_killed
    restart_of_the_killed_node edits_made_while_a_node_was_down edits_made_while_there_was_no_majority
    a_root_that_vanishes_deletes_nothing a_renamed_directory_of_a_thousand_files_is_one_command
    a_node_away_is_caught_up_by_a_snapshot a_256_MiB_file_sends_what_changed small_edits_flow_during_a_large_transfer
    kill_each_node_during_a_large_transfer
)
large_checks=(a_2_GiB_file_sends_what_changed a_4_GiB_file_passes_in_little_memory)
# What a check needs on the disk, in GiB: the tree, its chunks and what is built beside it, of three nodes.
declare -A space_needed=([a_2_GiB_file_sends_what_changed]=28 [a_4_GiB_file_passes_in_little_memory]=40)
[ "${1:-}" != --large ] || { shift; checks+=("${large_checks[@]}"); }
[ $# -eq 0 ] || checks=("$@")

stop_all() {
    trap - EXIT
    trap '' INT TERM
    local id pid
    for id in "${nodes[@]}"; do
        ! pid=$(running_pid "$id") || kill -CONT "$pid" 2>/dev/null
        stop_node "$id"
    done
}

# Only what a run of this script left there.
remove_data() {
    chmod -R u+rwX "$n1" "$n2" "$n3" 2>/dev/null
    rm -rf -- "$n1" "$n2" "$n3" "$n2.away" "$data/run"
    rmdir -- "$data" 2>/dev/null
}

# Each node's state and what it said last.
how_the_nodes_are() {
    local id
    for id in "${nodes[@]}"; do
        echo "       node $id: $(status_of "$id" state)"
        tail -n 3 "$(log_file "$id")" | sed "s/^/       node $id: /"
    done
}

# In a shell of its own that ends at the first command that fails; what it says is shown only then.
run_check() {
    local began=$SECONDS output code space
    space=$(($(df --output=avail -B 1M "$data" | tail -n 1) / 1024))
    if [ "$space" -lt "${space_needed[$1]:-0}" ]; then
        echo "skip ${1//_/ }: it needs ${space_needed[$1]} GiB of disk, and $space are free"
        skipped=$((skipped + 1))
        return
    fi
    rm -f "$work/notes"
    output=$(set -e; "$1" 2>&1)
    code=$?
    if [ "$code" = 0 ]; then
        echo "ok   ${1//_/ } ($((SECONDS - began)) s)"
        [ ! -e "$work/notes" ] || sed 's/^/       /' "$work/notes"
    else
        echo "FAIL ${1//_/ } ($((SECONDS - began)) s)"
        printf '%s\n' "$output" | sed 's/^/       /' | head -n 20
        how_the_nodes_are
        failed=$((failed + 1))
        # What follows begins from nodes that run.
        for id in "${nodes[@]}"; do running_pid "$id" >/dev/null || start_node "$id"; done
    fi
}

for id in "${nodes[@]}"; do
    ! running_pid "$id" >/dev/null || { echo "a run of this test in $data is under way" >&2; exit 1; }
done
remove_data
mkdir -p "$data/run"
source "$top/tests/packages.sh"
ensure_packages git tar diffutils findutils perl-base || exit 1
build_program || exit 1
mkdir -p "$work"
trap stop_all EXIT
trap 'exit 130' INT TERM

failed=0 skipped=0
for id in "${nodes[@]}"; do start_node "$id"; done
if ! wait_until 30 all_ready; then
    echo "FAIL three nodes start and elect a leader"
    how_the_nodes_are
    exit 1
fi
echo "ok   three nodes start and elect a leader"
for one in "${checks[@]}"; do run_check "$one"; done
stop_all
if [ "$failed" = 0 ]; then
    remove_data
    [ "$skipped" = 0 ] || echo "$skipped checks were skipped"
    echo "all $((${#checks[@]} - skipped)) checks passed"
else
    echo "$failed of ${#checks[@]} checks failed; the data and the nodes' logs are in $data"
    exit 1
fi
