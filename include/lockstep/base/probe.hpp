// Probes: rare places in the library that tests have to get to. A simulator counts them, and says which were never
// reached: a fault, a workload or a time is missing then. Nothing depends on a probe; without a handler one is a load and
// a branch that is never taken.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace lockstep {

// What has to happen sometimes, by layer. The names are what reports show.
#define LOCKSTEP_PROBES(X)                                                                          \
    /* raft: elections */                                                                           \
    X(pre_vote_refused_leader_is_well)                                                              \
    X(vote_refused_log_is_behind)                                                                   \
    X(vote_refused_given_to_another)                                                                \
    X(vote_refused_promised)                                                                        \
    X(vote_request_ignored_leader_is_well)                                                          \
    X(election_lost)                                                                                \
    X(candidate_timed_out)                                                                          \
    X(own_vote_waited_for_disk)                                                                     \
    X(election_waited_for_disk)                                                                     \
    X(former_leader_told)                                                                           \
    X(leader_lost_its_quorum)                                                                       \
    X(leader_stopped_for_slow_disk)                                                                 \
    X(leader_deposed)                                                                               \
    X(elected_with_uncommitted_tail)                                                                \
    /* raft: log and commit */                                                                      \
    X(append_refused_logs_differ)                                                                   \
    X(append_present_already)                                                                       \
    X(append_below_base)                                                                            \
    X(tail_truncated)                                                                               \
    X(tail_truncated_while_written)                                                                 \
    X(entry_of_old_term_not_counted)                                                                \
    X(committed_before_own_disk_had_it)                                                             \
    X(apply_waited_for_own_disk)                                                                    \
    X(acknowledgement_waited_for_disk)                                                              \
    X(entries_read_back_for_peer)                                                                   \
    X(entries_read_back_to_apply)                                                                   \
    X(proposal_forwarded)                                                                           \
    X(proposal_reached_former_leader)                                                               \
    X(proposal_without_leader)                                                                      \
    X(repeated_command_not_taken)                                                                   \
    /* raft: reads */                                                                               \
    X(read_waited_for_own_term)                                                                     \
    X(read_forwarded)                                                                               \
    X(read_answered_by_lease)                                                                       \
    X(read_failed_leader_changed)                                                                   \
    X(read_timed_out)                                                                               \
    /* raft: snapshots */                                                                           \
    X(follower_left_behind_by_cut)                                                                  \
    X(snapshot_offered_already_held)                                                                \
    X(snapshot_offer_replaced)                                                                      \
    X(install_overtaken_by_log)                                                                     \
    X(log_begun_anew)                                                                               \
    X(start_with_snapshot_ahead_of_log)                                                             \
    /* folder */                                                                                    \
    X(edit_kept_beside)                                                                             \
    X(edit_beat_removal)                                                                            \
    X(removal_refused)                                                                              \
    X(move_refused_entry_moved_on)                                                                  \
    X(move_refused_below_itself)                                                                    \
    X(same_thing_merged)                                                                            \
    X(directories_merged_name_taken)                                                                \
    X(parents_made_anew)                                                                            \
    X(duplicate_command_dropped)                                                                    \
    X(gap_in_session)                                                                               \
    X(command_fenced)                                                                               \
    /* sync: looking */                                                                             \
    X(file_changed_while_read)                                                                      \
    X(open_file_read_between_writes)                                                                \
    X(open_file_taken_as_it_is)                                                                     \
    X(edit_waited_for_decision)                                                                     \
    X(moved_file_seen_before_gone)                                                                  \
    X(place_cleared_for_swap)                                                                       \
    X(large_file_changed_while_read)                                                                \
    X(open_file_grew_while_read)                                                                    \
    X(large_file_lost_its_chunks)                                                                   \
    /* sync: writing */                                                                             \
    X(edit_before_exchange)                                                                         \
    X(edit_between_exchange_and_look)                                                               \
    X(displaced_file_still_open)                                                                    \
    X(displaced_edit_proposed)                                                                      \
    X(step_held_after_failed_one)                                                                   \
    X(moved_thing_not_in_its_place)                                                                 \
    X(directory_not_empty_yet)                                                                      \
    X(entry_parked)                                                                                 \
    X(no_room_in_staging)                                                                           \
    /* sync: recovery */                                                                            \
    X(intent_never_began)                                                                           \
    X(intent_done_unrecorded)                                                                       \
    X(intent_left_an_edit)                                                                          \
    X(move_done_unrecorded)                                                                         \
    X(removed_elsewhere_while_down)                                                                 \
    X(replaced_while_unrecorded)                                                                    \
    X(staging_cleared)                                                                              \
    /* storage */                                                                                   \
    X(log_tail_torn)                                                                                \
    X(log_refused_as_corrupt)                                                                       \
    X(log_could_not_be_read)                                                                        \
    X(failed_sync_ended_log)                                                                        \
    X(damaged_chunk_forgotten)                                                                      \
    X(damaged_chunk_fetched_anew)                                                                   \
    X(journal_tail_torn)                                                                            \
    X(journal_begun_anew)                                                                           \
    X(chunk_store_full)                                                                             \
    X(chunk_store_has_room_again)                                                                   \
    /* transport */                                                                                 \
    X(damaged_frame_refused)                                                                        \
    /* watch */                                                                                     \
    X(event_queue_overflowed)                                                                       \
    X(kernel_gives_no_events)                                                                       \
    X(watch_ended_with_its_directory)                                                               \
    /* node: contents */                                                                            \
    X(append_waited_for_content)                                                                    \
    X(waiting_append_dropped_by_term)                                                               \
    X(waiting_content_covered)                                                                      \
    X(proposal_without_its_content)                                                                 \
    X(collection_given_up)                                                                          \
    X(collection_waited_for_disk)                                                                   \
    X(store_failed_in_collection)                                                                   \
    /* node */                                                                                      \
    X(election_while_change_undecided)                                                              \
    X(commands_said_again)                                                                          \
    X(snapshot_installed_while_append_waits)                                                        \
    X(newer_snapshot_wanted_meanwhile)                                                              \
    X(snapshot_gone_at_source)                                                                      \
    X(compaction_overtaken)                                                                         \
    X(own_edits_decided_in_snapshot)                                                                \
    X(start_waited_for_leader)

enum class probe : std::uint16_t {
#define LOCKSTEP_PROBE_ENUM(name) name,
    LOCKSTEP_PROBES(LOCKSTEP_PROBE_ENUM)
#undef LOCKSTEP_PROBE_ENUM
};

inline constexpr std::string_view probe_names[] = {
#define LOCKSTEP_PROBE_NAME(name) #name,
    LOCKSTEP_PROBES(LOCKSTEP_PROBE_NAME)
#undef LOCKSTEP_PROBE_NAME
};
#undef LOCKSTEP_PROBES

inline constexpr std::size_t probe_count = std::size(probe_names);

constexpr std::string_view to_string(probe p) noexcept { return probe_names[static_cast<std::size_t>(p)]; }

/// Called where a probe is reached, on whichever thread that is; must not call back into the library.
using probe_handler = void (*)(probe) noexcept;

namespace detail {
inline std::atomic<probe_handler> current_probe_handler{nullptr};
}

/// Replaces the handler (there is none by default) and returns the old one.
inline probe_handler set_probe_handler(probe_handler handler) noexcept {
    return detail::current_probe_handler.exchange(handler, std::memory_order_acq_rel);
}

/// This place was reached.
inline void sometimes(probe p) noexcept {
    if (const auto handler = detail::current_probe_handler.load(std::memory_order_relaxed)) [[unlikely]] handler(p);
}
/// Likewise, if it was for the sake of `condition`, which it returns.
inline bool sometimes(probe p, bool condition) noexcept {
    if (condition) sometimes(p);
    return condition;
}

}  // namespace lockstep
