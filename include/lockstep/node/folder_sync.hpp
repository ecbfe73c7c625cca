// Keeps the disk and the committed tree in step: schedules looking and writing, one piece of work at a time, and asks
// sync/edit_tracker what a difference means and folder/planner what to write. It knows no Raft.
#pragma once

#include <lockstep/base/errc.hpp>
#include <lockstep/concepts/observer.hpp>
#include <lockstep/concepts/policies.hpp>
#include <lockstep/folder/planner.hpp>
#include <lockstep/node/large_files.hpp>
#include <lockstep/node/options.hpp>
#include <lockstep/node/status.hpp>
#include <lockstep/node/unwritable.hpp>
#include <lockstep/sync/aside_shelf.hpp>
#include <lockstep/sync/backlog.hpp>
#include <lockstep/sync/edit_tracker.hpp>
#include <lockstep/sync/look_queue.hpp>
#include <lockstep/sync/materialiser.hpp>
#include <lockstep/sync/recovery.hpp>
#include <lockstep/sync/scanner.hpp>
#include <lockstep/sync/set_aside.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

struct folder_sync_hooks {
    unique_function<void(const folder::command&)> submit;
    /// A content that was committed at an index; nothing where it cannot be read now.
    unique_function<void(log_index, content::chunk_ref, unique_function<void(std::optional<shared_bytes>)>)> read_content;
    unique_function<void(report)> observe;
    unique_function<void(std::string)> fatal;
    unique_function<void()> progress;   ///< something happened that a barrier may wait for
};

/// On the loop of `rt`. `committed` is the tree that the log drives; the owner calls stale() for what changed in it.
template <runtime Runtime, file_system FileSystem, class Watcher, class Journal, class Exchange>
class folder_sync {
    using directory = typename FileSystem::directory;

public:
    folder_sync(Runtime& rt, FileSystem& fs, Watcher& watch, std::shared_ptr<Journal> journal, Exchange& exchange,
                sync::root_location root, const node_options& options, const folder::tree& committed,
                folder_sync_hooks hooks)
        : rt_(rt), fs_(fs), watcher_(watch), journal_(std::move(journal)), exchange_(exchange), root_(std::move(root)),
          options_(options), committed_(committed), hooks_(std::move(hooks)),
          tracker_(sync::tracker_options{options.settle, options.open_file_interval, std::chrono::milliseconds(60)}),
          nonce_(rt.random()),
          large_(rt, fs, exchange, root_, {options.piece_bytes, 4, options.cuts}, rt.random(), large_hooks()) {}
    folder_sync(const folder_sync&) = delete;
    folder_sync& operator=(const folder_sync&) = delete;
    ~folder_sync() { rt_.cancel(timer_); }

    /// Begins: everything is looked at once before anything is written.
    void start(session_id session, sync::recovered_disk recovered) {
        tracker_.start(session, std::move(recovered.state.synced));
        for (auto& item : recovered.displaced) aside_.add(std::move(item), 0, rt_.now());
        committed_.for_each([&](const folder::entry& e) { backlog_.add(e.id, log_index{1}); });
        tracker_.local().for_each([&](const sync::local_record& r) { backlog_.add(r.id, log_index{1}); });
        started_ = true;
        look_everywhere();
        turn();
    }

    /// What the watcher says.
    void hinted(const std::vector<hint>& hints) {
        for (const auto& h : hints) {
            if (h.what == hint::kind::everything) {
                ++rescans_;
                look({"", true, true, false}, generation_);
            } else if (h.what == hint::kind::directory) {
                if (!h.path.empty()) look({h.path, false, false, false}, generation_);
                look({h.path, true, false, false}, generation_);
            } else if (h.open_for_write) {
                queue_.add_at(rt_.now() + options_.open_file_interval,
                              {h.path, false, false, false, sync::open_file::between_writes}, generation_);
            } else {
                queue_.add_changed({h.path, false, false, false}, generation_);
            }
        }
        turn();
    }

    /// Entries whose committed state changed at `index`.
    void stale(const std::vector<entry_id>& entries, log_index index) {
        committed_index_ = index;
        for (entry_id id : entries) backlog_.add(id, index);
        turn();
    }

    /// A command of this session was decided.
    void decided(log_index index, const folder::command& command, const folder::outcome& outcome) {
        committed_index_ = index;
        tracker_.decided(index, command, outcome, committed_);
        collect(index);
        large_.go_on();
        turn();
    }

    /// The committed tree is another one, which holds everything up to `index`: entries that differ from before, and what
    /// this session proposed up to a sequence was decided in it.
    void installed(const std::vector<entry_id>& changed, log_index index, std::uint64_t decided_last) {
        committed_index_ = index;
        tracker_.decided_unseen(index, decided_last, committed_);
        for (entry_id id : changed) backlog_.add(id, index);
        collect(index);
        large_.go_on();
        turn();
    }

    /// What a collection of chunks must keep for edits that are not decided yet.
    void add_roots(std::vector<content_hash>& manifests, std::vector<content_hash>& chunks) const {
        for (const auto& [sequence, proposal] : tracker_.proposals())
            if (proposal.manifest != content_hash{}) manifests.push_back(proposal.manifest);
        large_.add_roots(chunks);
    }

    /// Chunks that were here are damaged, of which files is not known. Others have those of an edit that was proposed, unless
    /// something befell them as well: then it can never be decided, nor what this session proposed after it.
    void content_damaged() {
        large_.damaged();
        for (const auto& [sequence, proposal] : tracker_.proposals()) {
            if (proposal.manifest == content_hash{}) continue;
            if (!doubtful_.try_emplace(sequence, doubt{rt_.now() + undecidable_after, {}}).second) continue;
            const auto wish = exchange_.ensure(proposal.manifest, no_node, guarded([this, s = sequence] { doubtful_.erase(s); }));
            if (const auto still = doubtful_.find(sequence); still != doubtful_.end()) still->second.wish = wish;
        }
        arm();
    }

    /// `done` once every change made on this disk before the call was looked at and, if it was one, decided.
    void flush(unique_function<void()> done) {
        watcher_.flush(guarded([this, done = std::move(done)](error_code) mutable {
            // One look at least: a root that was unmounted gives no event, and must not pass as one without changes.
            look({}, generation_);
            aside_.look_at_open_ones(rt_.now());
            hurry_ = generation_++;
            flushes_.emplace(*hurry_, std::move(done));
            turn();
        }));
    }

    /// The first committed index that is not on the disk yet; nothing where all is in step.
    std::optional<log_index> first_behind() const { return backlog_.first(); }
    /// A path that keeps this disk from being in step at `index` and needs a person; empty where there is none.
    std::string unwritable_at(log_index index) const {
        for (const auto& [id, trouble] : unwritable_.items())
            if (auto since = backlog_.since(id); since && *since <= index)
                return trouble.path + ": " + trouble.why.message();
        for (const auto& [id, path] : tracker_.blocked())
            if (auto since = backlog_.since(id); since && *since <= index) return in_the_way(path);
        // Or something that nobody knows stands where an entry belongs.
        for (const auto& [path, why] : tracker_.skipped())
            if (auto id = committed_.resolve(path))
                if (auto since = backlog_.since(*id); since && *since <= index) return in_the_way(path);
        return {};
    }

    void fill(node_status& status) const {
        status.hints = queue_.size();
        status.proposals = tracker_.proposals().size();
        status.to_write = backlog_.size();
        status.displaced = aside_.size();
        large_.fill(status);
        status.rescans = rescans_;
        status.files_read = files_read_;
        for (const auto& [path, why] : tracker_.skipped())
            if (!status.skipped.add(path, why)) break;
        for (const auto& [id, trouble] : unwritable_.items())
            if (!status.unwritable.add(trouble.path, trouble.why.message())) break;
        status.skipped.count = tracker_.skipped().size();
        status.unwritable.count = unwritable_.items().size();
    }

    const sync::edit_tracker& tracker() const noexcept { return tracker_; }
    bool root_missing() const noexcept { return root_missing_; }
    /// Why this disk takes nothing of what is committed; none where it does.
    error_code disk_trouble() const noexcept { return unwritable_.disk(); }
    /// Nothing is known to differ. (Fresh files may still wait for a second look.)
    bool idle() const {
        return started_ && !busy_ && queue_.idle() && backlog_.empty() && aside_.empty() &&
               tracker_.proposals().empty() && large_.idle();
    }
    void stop() { stopped_ = true; }

    /// What it waits for, for a person who wonders why it is not in step.
    std::string explain() const {
        std::string text = busy_ ? "at work" : "at rest";
        text += ", looks " + std::to_string(queue_.size()) + ", unwritable " + std::to_string(unwritable_.items().size()) +
                ", aside " + std::to_string(aside_.size());
        backlog_.for_each([&](entry_id id, log_index index) {
            const auto* wanted = committed_.find(id);
            const auto* local = tracker_.local().find(id);
            text += "; behind since " + std::to_string(index.value) + ": ";
            text += wanted ? "wanted at " + committed_.path_of(id).value_or("?") : "unwanted";
            if (!local) text += ", not here";
            else if (local->parked) text += ", here parked";
            else text += ", here at " + tracker_.local().path_of(id).value_or("? below " + local->where.name);
            if (tracker_.is_busy(id)) text += ", undecided";
        });
        return text;
    }

private:
    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    /// A proposal that lost chunks, as long as they are not here again.
    struct doubt {
        time_point until;   ///< it is waited for that
        typename Exchange::id wish;
    };
    enum class work : std::uint8_t { scan, write, aside };
    static constexpr duration undecidable_after = std::chrono::seconds(30);
    static constexpr std::size_t planned_max = 1024;   ///< entries looked at for one batch

    std::string in_the_way(const std::string& path) const {
        const auto why = tracker_.skipped().find(path);
        return path + ": what stands there cannot be replicated" +
               (why == tracker_.skipped().end() ? "" : ": " + why->second);
    }

    // --- scheduling -------------------------------------------------------------------------------------------------

    void look(sync::scan_target target, std::uint64_t generation) { queue_.add(std::move(target), generation); }

    /// The root is watched anew each time: it may be another inode than before.
    void look_everywhere() {
        if (auto opened = sync::open_root(fs_, root_)) watcher_.add("", opened->root);
        look({"", true, true, false}, generation_);
    }

    /// Decides what to do next. Looking and writing take turns and never run together: what a look compares with must
    /// not change under it.
    void turn() {
        if (busy_ || !started_ || stopped_) return;
        if (next_doubtful() <= rt_.now() && give_up_doubtful()) return;
        queue_.pass_by(rt_.now(), options_.rescan_interval);
        queue_.turn(rt_.now(), hurry_);
        finish_flushes();
        // In turns: while somebody edits all the time, the others of these go on too.
        for (int tried = 0; tried < 3; ++tried) {
            last_work_ = last_work_ == work::aside ? work::scan : static_cast<work>(static_cast<int>(last_work_) + 1);
            if (begin(last_work_)) return;
        }
        if (can_scan()) return scan();
        if (queue_.idle() && !looked_once_ && !root_missing_) {
            looked_once_ = true;
            return turn();
        }
        finish_flushes();
        arm();
    }

    /// False: there is nothing of that kind to do.
    bool begin(work kind) {
        if (root_missing_) return false;
        switch (kind) {
            case work::scan: return can_scan() && (scan(), true);
            case work::write: return looked_once_ && write();
            case work::aside: return room_for_proposals() != 0 && look_aside();
        }
        return false;
    }

    /// Not for a little room: most of what is found would be looked at again.
    bool can_scan() const {
        return !queue_.idle() && !root_missing_ && room_for_proposals() >= std::max<std::size_t>(1, options_.proposals_max / 4);
    }

    /// How many of what is found may be proposed now.
    std::size_t room_for_proposals() const {
        const std::size_t undecided = tracker_.proposals().size();
        if (undecided >= options_.proposals_max || tracker_.proposal_bytes() >= options_.proposal_bytes_max) return 0;
        return options_.proposals_max - undecided;
    }

    void arm() {
        // While the root is away, all that is due waits for it: woken for something else, it would be due again at once.
        // And so for room: what is decided makes some, and brings the next turn.
        const time_point aside_at = room_for_proposals() != 0 ? aside_.next_due() : never;
        const time_point at = root_missing_ ? root_retry_at_
                                            : std::min({queue_.next_due(), aside_at, retry_at_, write_again_at_, next_doubtful()});
        rt_.cancel(timer_);
        timer_ = 0;
        if (at == never) return;
        timer_ = rt_.schedule(at, guarded([this] {
            timer_ = 0;
            const time_point now = rt_.now();
            if (retry_at_ <= now) {
                retry_at_ = never;
                plan_deferred();
            }
            if (write_again_at_ <= now) {
                write_again_at_ = never;
                for (const auto& [id, trouble] : unwritable_.items()) backlog_.add(id, committed_index_);
            }
            if (root_retry_at_ <= now) {
                root_retry_at_ = never;
                root_missing_ = false;
                look_everywhere();
            }
            turn();
        }));
    }

    time_point next_doubtful() const {
        time_point next = never;
        for (const auto& [sequence, at] : doubtful_) next = std::min(next, at.until);
        return next;
    }

    /// A new session finds whatever is on the disk, and proposes that. False: all that is due was decided.
    bool give_up_doubtful() {
        std::erase_if(doubtful_, [this](const auto& d) {
            if (tracker_.proposals().contains(d.first)) return false;
            exchange_.cancel(d.second.wish);
            return true;
        });
        for (const auto& [sequence, at] : doubtful_) {
            if (at.until > rt_.now()) continue;
            stopped_ = true;
            hooks_.fatal("an edit of " + tracker_.proposals().at(sequence).command.path + " is still undecided, long after its content was " +
                         "found damaged in the chunk store (" + make_error_code(errc::corrupt).message() + "), and nobody has another: this " +
                         "node stops, and started again it proposes what stands there");
            return true;
        }
        return false;
    }

    /// Takes what the tracker has to say after it was told something.
    /// True: something was proposed.
    bool collect(log_index index) {
        const auto commands = tracker_.take_commands();
        for (const auto& command : commands) hooks_.submit(command);
        for (auto& again : tracker_.take_looks()) {
            if (again.after == duration{}) {
                look(std::move(again.target), again.generation);
                continue;
            }
            // What is missed is believed to be gone when there was time to be told where else it is.
            if (again.target.settled) again.after += watcher_.counters().told_within;
            queue_.add_at(rt_.now() + again.after, std::move(again.target), again.generation);
        }
        for (entry_id id : tracker_.take_stale()) {
            backlog_.add(id, index);
            plan_deferred();
        }
        for (entry_id id : tracker_.take_unconfirmed()) {
            unconfirmed_.insert(id);
            backlog_.add(id, index);
        }
        for (const auto& staged : tracker_.take_released()) aside_.release(staged, rt_.now());
        for (const auto& staged : tracker_.take_refused()) keep_aside(staged, never);
        return !commands.empty();
    }

    void plan_deferred() { backlog_.ready_all(); }

    void finish_flushes() {
        if (flushes_.empty()) return;
        auto oldest = queue_.oldest_generation();
        if (oldest && *oldest <= flushes_.begin()->first) return;   // whatever else there is, that is waited for
        const auto take = [&](std::optional<std::uint64_t> g) {
            if (g) oldest = std::min(oldest.value_or(*g), *g);
        };
        take(tracker_.oldest_generation());
        if (!looked_once_) take(0);
        take(aside_.oldest_generation());
        take(large_.oldest_generation());
        while (!flushes_.empty() && (!oldest || flushes_.begin()->first < *oldest)) {
            auto node = flushes_.extract(flushes_.begin());
            node.mapped()();
        }
        if (flushes_.empty()) hurry_.reset();
    }

    void root_trouble(error_code why) {
        busy_ = false;
        if (why == errc::halted) return;
        if (!std::exchange(told_missing_, true))
            hooks_.observe({report::level::error, root_.native_path + ": the directory or its marker is gone (" +
                                                      why.message() + "): nothing is read or written until it is back"});
        root_missing_ = true;
        root_retry_at_ = rt_.now() + options_.retry_after;
        arm();
        hooks_.progress();
    }

    // --- looking ----------------------------------------------------------------------------------------------------

    void scan() {
        // Most looks find nothing new; what there is no room for is looked at again.
        const std::size_t names_max = std::clamp<std::size_t>(room_for_proposals(), 64, 512);
        auto batch = queue_.take(names_max);
        const bool passing = batch.generation == sync::look_queue::in_passing;
        // No barrier waits for the pass, but for what it finds each one does that may have asked for that.
        if (passing) batch.generation = flushes_.empty() ? generation_ : flushes_.begin()->first;
        for (auto target : batch.targets) {
            target.deep = target.deep && !passing;   // what is below is looked at later: until then it stays in the way
            tracker_.forget_skipped(target);
        }
        sync::scan_request request;
        request.root = root_;
        request.local = tracker_.local();
        request.targets = std::move(batch.targets);
        request.inline_max = options_.inline_max;
        request.names_max = names_max;
        busy_ = true;
        auto targets = request.targets;
        offload(rt_, lane::scan,
                [&fs = fs_, request = std::move(request)]() mutable { return sync::scanner<FileSystem>(fs, std::move(request)).run(); },
                guarded([this, passing, generation = batch.generation,
                         targets = std::move(targets)](sync::scan_result<directory> result) mutable {
                    scanned(std::move(result), std::move(targets), generation, passing);
                }));
    }

    void scanned(sync::scan_result<directory> result, std::vector<sync::scan_target> targets, std::uint64_t generation,
                 bool passing) {
        const std::uint64_t on_the_way = passing ? sync::look_queue::in_passing : generation;
        if (result.root_error) {
            for (auto& target : targets) look(std::move(target), on_the_way);
            return root_trouble(result.root_error);
        }
        if (std::exchange(told_missing_, false))
            hooks_.observe({report::level::info, root_.native_path + ": the directory is back"});
        // Watched before it is listed: what is made in between shows in either.
        for (auto& found : result.directories) {
            watcher_.add(found.path, *found.handle);
            look({found.path, true, true, false, passing ? sync::open_file::between_writes : sync::open_file::wait},
                 found.fresh ? generation : on_the_way);
        }
        for (auto& target : result.rest) look(std::move(target), on_the_way);
        files_read_ += result.files_read;
        bool learned = false;
        for (auto& found : result.findings) {
            if (found.what == sync::finding::kind::large) {
                const auto known = known_at(found.path);
                large_.read(std::move(found), generation, known);
                ++files_read_;
                continue;
            }
            if (found.what == sync::finding::kind::vanished && goes_on_in_large(found.entry)) {
                queue_.add_at(rt_.now() + options_.settle, {found.path, false, false, true}, generation);
                continue;
            }
            if (room_for_proposals() == 0) {
                look({found.path, false, false, found.settled}, generation);
                continue;
            }
            learned = is_learned(found) || learned;
            tracker_.find(found, generation);
        }
        tracker_.looked();
        // What is only suspected so far is no reason to plan again.
        if (collect(committed_index_) || learned) plan_deferred();
        record_settled();
        busy_ = false;
        turn();
        hooks_.progress();
    }

    /// It is known now in another state. Told the same again, a step that failed would fail again, and ask for another look.
    bool is_learned(const sync::finding& found) const {
        const auto* known = tracker_.local().find(found.entry);
        return found.what == sync::finding::kind::refreshed && known && !sync::same_state(known->disk, found.disk);
    }

    /// What was written within the clock's grain of a look, and a later look found as it was: without a record of that each
    /// start would hash it again. Not synced: if it is lost, only that happens. Nothing is being written now, and what is
    /// later comes behind it on the lane.
    void record_settled() {
        std::vector<byte_buffer> records;
        for (entry_id id : tracker_.take_settled()) {
            const auto* record = tracker_.local().find(id);
            const bool still = record && !record->parked && record->certain;
            if (still && !tracker_.is_busy(id) && !unconfirmed_.contains(id)) records.push_back(sync::encode_record(*record));
        }
        if (records.empty()) return;
        offload(rt_, lane::files, [journal = journal_, records = std::move(records)] { return journal->append(records, false); },
                guarded([this](result<> written) {
                    if (written || written.error() == errc::no_space || written.error() == errc::halted) return;
                    hooks_.fatal("writing the journal failed, this node stops (" + written.error().message() + ")");
                }));
    }

    // --- writing ----------------------------------------------------------------------------------------------------

    /// Plans and begins a batch; false where there was nothing to do on the disk.
    bool write() {
        // Each round takes some that are in step already out of the backlog.
        for (auto rounds = backlog_.size() / planned_max + 2; rounds > 0 && backlog_.has_ready(); --rounds)
            if (write_some()) return true;
        return false;
    }

    bool write_some() {
        const std::vector<entry_id> look_at = backlog_.take(planned_max);
        bool anew = false;
        for (entry_id id : look_at) anew = tracker_.go_on_as(id, committed_) || anew;
        if (anew) collect(committed_index_);
        std::set<entry_id> todo(look_at.begin(), look_at.end());
        auto plan = folder::make_plan(committed_, tracker_.local(), look_at,
                                      [this](entry_id id) { return tracker_.is_busy(id) || large_.is_read(id); },
                                      folder::plan_limits{options_.batch_actions_max, options_.batch_bytes_max});
        for (entry_id id : plan.deferred) {
            backlog_.rest(id);
            todo.erase(id);
            if (tracker_.is_contested(id)) look_at_rivals(id);
        }
        for (entry_id id : plan.rest) {
            backlog_.add(id, committed_index_);
            todo.erase(id);
        }
        auto actions = translate(plan.actions);
        for (const auto& action : actions) {
            todo.erase(action.entry);
            backlog_.add(action.entry, committed_index_);   // looked at once more when it is done
        }
        for (entry_id id : todo) confirm_or_forget(id, actions);
        if (backlog_.has_resting()) retry_at_ = std::min(retry_at_, rt_.now() + options_.retry_after);
        if (actions.empty()) {
            if (auto over = unwritable_.settle()) hooks_.observe(std::move(*over));   // it is not wanted any more
            hooks_.progress();
            return false;
        }
        busy_ = true;
        auto batch = std::make_shared<std::vector<sync::disk_action>>(std::move(actions));
        gather(batch, 0);
        return true;
    }

    /// Two entries are believed to be one inode: where neither was moved in the cluster, one is not there any more.
    void look_at_rivals(entry_id id) {
        const auto* record = tracker_.local().find(id);
        for (const auto* claims : {record, tracker_.local().rival(*record)})
            if (auto path = tracker_.local().path_of(claims->id)) look({*path, false, false, false}, generation_);
    }

    /// In step with the committed tree. If a user's edit made it so, that is recorded; else it is done with.
    void confirm_or_forget(entry_id id, std::vector<sync::disk_action>& actions) {
        const auto* local = tracker_.local().find(id);
        const auto* entry = committed_.find(id);
        const auto path = local ? tracker_.local().path_of(id) : std::nullopt;
        const bool unconfirmed = unconfirmed_.erase(id) > 0;
        if (unconfirmed && !local && !entry) {
            sync::disk_action removed;
            removed.what = sync::disk_action::kind::forget;
            removed.entry = id;
            actions.push_back(std::move(removed));
            backlog_.add(id, committed_index_);
            return;
        }
        if (!unconfirmed || !path || !entry || local->parked) {
            backlog_.done(id);
            unwritable_.erase(id);
            missed_.erase(id);
            large_.forget(id);
            return;
        }
        sync::disk_action action;
        action.what = sync::disk_action::kind::confirm;
        action.entry = id;
        action.path = *path;
        action.record = *local;
        action.record.content_version = entry->content_version;
        action.record.placement_version = entry->placement_version;
        actions.push_back(std::move(action));
        backlog_.add(id, committed_index_);
    }

    std::vector<sync::disk_action> translate(const std::vector<folder::action>& planned) {
        using kind = sync::disk_action::kind;
        using planned_kind = folder::action::kind;
        static constexpr kind kinds[] = {kind::make_directory, kind::write,          kind::move,       kind::park,
                                         kind::set_attributes, kind::remove_file, kind::remove_directory};
        std::vector<sync::disk_action> actions;
        std::map<entry_id, sync::local_record> latest;   // as the steps before left them
        for (const auto& step : planned) {
            const auto before = latest.find(step.entry);
            const sync::local_record* local = before != latest.end() ? &before->second : tracker_.local().find(step.entry);
            sync::local_record record = local ? *local : sync::local_record{};
            static_cast<folder::local_entry&>(record) = step.result;
            if (step.what == planned_kind::write_content) record.doubted = false;
            if (step.what == planned_kind::adopt) {
                // The disk has it already, only the versions are new: recorded like a decided edit.
                tracker_.placed(record);
                unconfirmed_.insert(step.entry);
                backlog_.add(step.entry, committed_index_);
            } else {
                sync::disk_action action;
                action.what = kinds[static_cast<std::size_t>(step.what)];
                action.entry = step.entry;
                action.path = step.path;
                action.to_path = step.to_path;
                if (local) action.expected = *local;
                action.record = record;
                action.sync_content = unconfirmed_.contains(step.entry);
                actions.push_back(std::move(action));
            }
            latest[step.entry] = std::move(record);
        }
        return actions;
    }

    /// Finds the bytes of each write: they were committed a moment ago, or are read back from the log.
    void gather(std::shared_ptr<std::vector<sync::disk_action>> batch, std::size_t at) {
        while (at < batch->size()) {
            auto& action = (*batch)[at];
            const auto* wanted = committed_.find(action.entry);
            const bool chunked = wanted && !wanted->manifest.empty();
            if (action.what != sync::disk_action::kind::write || (chunked && take_built(action, *wanted))) {
                ++at;
                continue;
            }
            if (chunked) {
                backlog_.hold(action.entry);
                batch->erase(batch->begin() + static_cast<std::ptrdiff_t>(at));
                continue;
            }
            const content::chunk_ref content{action.record.hash, static_cast<std::uint32_t>(action.record.size)};
            return hooks_.read_content(action.record.content_version, content, guarded([this, batch, at](std::optional<shared_bytes> bytes) {
                if (bytes) {
                    (*batch)[at].content = std::move(*bytes);
                    return gather(batch, at + 1);
                }
                // Not to be had now: later. What depends on it in this batch will find that out and be planned again.
                rest((*batch)[at]);
                batch->erase(batch->begin() + static_cast<std::ptrdiff_t>(at));
                gather(batch, at);
            }));
        }
        materialise(std::move(*batch));
    }

    /// What a large file is to hold is built apart; until then its entry waits.
    bool take_built(sync::disk_action& action, const folder::entry& wanted) {
        const std::string path = action.path;
        auto name = large_.take({wanted.id, wanted.content_version, wanted.manifest, wanted.hash, wanted.size, path});
        if (!name) return false;
        action.built = std::move(*name);
        return true;
    }

    void materialise(std::vector<sync::disk_action> actions) {
        if (actions.empty()) {
            busy_ = false;
            return turn();
        }
        sync::disk_request request{root_, std::move(actions), nonce_++};
        auto copy = std::make_shared<std::vector<sync::disk_action>>();
        for (const auto& action : request.actions) {
            copy->push_back(action);
            copy->back().content = {};
        }
        offload(rt_, lane::files,
                [&fs = fs_, journal = journal_, request = std::move(request)]() mutable {
                    return sync::materialiser<FileSystem, Journal>(fs, *journal, std::move(request)).run();
                },
                guarded([this, copy](sync::disk_result result) { materialised(*copy, std::move(result)); }));
    }

    void materialised(const std::vector<sync::disk_action>& actions, sync::disk_result result) {
        if (result.fatal) {
            if (result.fatal != errc::halted)
                hooks_.fatal("writing to " + root_.native_path + " failed, this node stops (" + result.detail + ": " +
                             result.fatal.message() + ")");
            return;
        }
        if (result.root_error) {
            // Nothing was done: what is to be confirmed is not recorded without that.
            for (const auto& action : actions)
                if (action.what == sync::disk_action::kind::confirm) unconfirmed_.insert(action.entry);
            return root_trouble(result.root_error);
        }
        using status = sync::disk_outcome::status;
        for (std::size_t i = 0; i < actions.size(); ++i) {
            const auto& outcome = result.outcomes[i];
            if (outcome.what != status::failed) unwritable_.erase(actions[i].entry);
            const bool confirm = actions[i].what == sync::disk_action::kind::confirm;
            if (outcome.what == status::done) settle(actions[i], outcome);
            else if (outcome.what == status::held) rest(actions[i]);
            else if (outcome.what == status::retry && confirm) wait_for_news(actions[i]);
            else if (outcome.what == status::retry) look_closer(actions[i], outcome.lost);
            else trouble(actions[i], outcome.error);
        }
        if (auto over = unwritable_.settle()) hooks_.observe(std::move(*over));
        forget_lost();
        busy_ = false;
        turn();
        hooks_.progress();
    }

    void settle(const sync::disk_action& action, const sync::disk_outcome& outcome) {
        using kind = sync::disk_action::kind;
        const std::string& path = action.to_path.empty() ? action.path : action.to_path;
        if (outcome.returned) {
            tracker_.placed(outcome.record);
            look({outcome.record.where.name, false, true, false}, generation_);
            return plan_deferred();
        }
        if (action.what == kind::remove_file || action.what == kind::remove_directory) tracker_.removed(action.entry);
        else if (action.what == kind::confirm) missed_.erase(action.entry), tracker_.recorded(action.entry);
        else if (action.what != kind::forget) tracker_.placed(outcome.record);
        if (action.what == kind::make_directory || action.what == kind::move) watch_again(action, path);
        if (outcome.look_again) look({path, false, false, false}, generation_);
        else if (!outcome.record.certain && action.what != kind::park && !path.empty())
            queue_.add_at(rt_.now() + std::chrono::milliseconds(60), {path, false, false, false}, generation_);
        if (outcome.displaced) aside_.add(*outcome.displaced, generation_, rt_.now());
        // What was written last may be old already: all up to it is there, and no barrier need wait for what came after.
        const auto* wanted = committed_.find(action.entry);
        if (action.what == kind::write && wanted && wanted->where == outcome.record.where)
            backlog_.reached(action.entry, outcome.record.content_version);
        plan_deferred();
    }

    /// A directory that was made or moved here is watched under its path by a look below it.
    void watch_again(const sync::disk_action& action, const std::string& path) {
        if (action.record.type == folder::entry_type::directory) look({path, false, true, false}, generation_);
    }

    /// The disk is not as believed. A look tells how; until then the entry rests. Nobody can look at what is, or was, in
    /// a parked directory: it is made anew, and whatever became of it is found as something new.
    void look_closer(const sync::disk_action& action, bool lost) {
        for (const auto& path : {action.path, action.to_path})
            if (!path.empty()) look({path, false, false, false}, generation_);
        if (action.what == sync::disk_action::kind::remove_directory) look({action.path, true, false, false}, generation_);
        rest(action);
        if (lost) lost_.push_back(action.entry);
    }

    /// At the end of a batch, when it is known what is parked.
    void forget_lost() {
        for (entry_id id : std::exchange(lost_, {}))
            if (!tracker_.local().path_of(id)) tracker_.removed(id);
        collect(committed_index_);
    }

    /// What a user wrote left its place before it was durable. The watcher tells where to, if only later (when it polls). A
    /// look at the old place alone would come first, and take it for removed: its content, then nowhere in the cluster,
    /// could be lost with the power before it is found at the new place. So that look comes only where there is no news.
    void wait_for_news(const sync::disk_action& action) {
        const time_point since = missed_.try_emplace(action.entry, rt_.now()).first->second;
        if (rt_.now() - since > 3 * options_.retry_after) return look_closer(action, false);
        rest(action);
    }

    void trouble(const sync::disk_action& action, error_code why) {
        if (why == errc::halted) return;
        if (action.what == sync::disk_action::kind::confirm) unconfirmed_.insert(action.entry);
        cannot_write(action.entry, action.to_path.empty() ? action.path : action.to_path, why);
    }

    void cannot_write(entry_id entry, const std::string& path, error_code why) {
        if (auto said = unwritable_.add(entry, path, why)) hooks_.observe(std::move(*said));
        backlog_.hold(entry);
        if (write_again_at_ == never) write_again_at_ = rt_.now() + unwritable_.next_pause() * options_.retry_after;
    }

    void rest(const sync::disk_action& action) {
        if (action.what == sync::disk_action::kind::confirm) unconfirmed_.insert(action.entry);
        backlog_.rest(action.entry);
        retry_at_ = std::min(retry_at_, rt_.now() + options_.retry_after);
    }

    // --- edits that were taken aside --------------------------------------------------------------------------------

    /// Looks at what exchanges brought out and was not as expected: proposed once nobody can write to it any more,
    /// deleted once what it holds is safe.
    bool look_aside() {
        const sync::aside_item* due = aside_.due(rt_.now());
        if (!due) return false;
        busy_ = true;
        const bool safe = due->safe;
        offload(rt_, lane::files,
                [&fs = fs_, journal = journal_, root = root_, item = due->item, safe, most = options_.inline_max] {
                    return sync::examine_aside(fs, *journal, root, item, safe, most);
                },
                guarded([this, staged = due->item.staged](sync::aside_result result) { looked_aside(staged, std::move(result)); }));
        return true;
    }

    void looked_aside(const std::string& staged, sync::aside_result result) {
        using state = sync::aside_result::state;
        if (result.root_error) return root_trouble(result.root_error);
        sync::aside_item& aside = *aside_.find(staged);
        aside.open = result.what == state::open;
        aside.look_at = rt_.now() + options_.retry_after;
        if (result.what == state::gone) {
            aside_.erase(staged);
        } else if (result.what == state::edited) {
            aside.proposed = tracker_.find_displaced(aside.item, std::move(result.found), aside.generation);
            collect(committed_index_);
        } else if (result.what == state::large) {
            aside.proposed = true;
            large_.read(std::move(result.found), aside.generation, {}, staged);
        } else if (result.what == state::stuck) {
            keep_aside(staged, aside.look_at);
        }
        busy_ = false;
        turn();
        hooks_.progress();
    }

    // --- large files ------------------------------------------------------------------------------------------------

    large_files_hooks large_hooks() {
        large_files_hooks hooks;
        hooks.is_news = [this](const sync::finding& found) {
            const auto known = known_at(found.path);
            return !known || known->hash != found.hash || known->size != found.size;
        };
        hooks.found = [this](sync::finding found, std::uint64_t generation, const std::string& staged,
                             const std::optional<sync::local_record>& known) {
            if (staged.empty()) found_large(std::move(found), generation, known);
            else found_large_aside(std::move(found), staged);
        };
        hooks.look_again = [this](const std::string& path, bool settled, std::uint64_t generation) {
            look({path, false, false, settled}, generation);
        };
        hooks.built = [this](entry_id entry, error_code error) {
            if (error) cannot_write(entry, committed_.path_of(entry).value_or(""), error);
            else backlog_.add(entry, committed_index_);
            turn();
        };
        hooks.sync_failed = [this](const std::string& path, error_code error) {
            hooks_.fatal("writing to " + root_.native_path + " failed, this node stops (" + path + ": " + error.message() + ")");
        };
        hooks.progress = [this] { hooks_.progress(); };
        hooks.has_room = [this] { return room_for_proposals() != 0; };
        return hooks;
    }

    /// It is gone from its place, or a directory with it, and is being read at another, over something else: that edit
    /// comes before its removal. Else what it holds would be nowhere in the cluster in between.
    bool goes_on_in_large(entry_id gone) const {
        return large_.any_read([&](const file_status& disk) {
            const auto* known = tracker_.local().find_inode(disk);
            while (known && known->id != gone) known = tracker_.local().find(known->where.parent);
            return known != nullptr;
        });
    }

    std::optional<sync::local_record> known_at(const std::string& path) const {
        const auto id = tracker_.local().resolve(path);
        const auto* known = id ? tracker_.local().find(*id) : nullptr;
        return known ? std::optional(*known) : std::nullopt;
    }

    /// As if a look had read it now. That took a while: what became of it since, one more look tells. Where something else
    /// is known to stand there by now, what was read is older than that, and must not be taken for an edit of it.
    void found_large(sync::finding found, std::uint64_t generation, const std::optional<sync::local_record>& before) {
        using kind = sync::finding::kind;
        const auto known = known_at(found.path);
        if (known != before) {
            look({found.path, false, false, false}, generation);
            return turn();
        }
        found.entry = known ? known->id : root_entry;
        if (found.what == kind::large) sync::compare_content(found, known ? &*known : nullptr);
        const bool learned = is_learned(found);
        tracker_.find(found, generation);
        // Where the tracker did not take it, it said itself when to look again: reading it until then tells nothing new.
        const auto now_known = known_at(found.path);
        if (now_known && sync::same_state(now_known->disk, found.disk)) {
            // Not at once where its times cannot be trusted yet: it would be read again, and again.
            if (found.certain) look({found.path, false, false, false}, generation);
            else queue_.add_at(rt_.now() + std::chrono::milliseconds(60), {found.path, false, false, false}, generation_);
        }
        tracker_.looked();
        if (collect(committed_index_) || learned) plan_deferred();
        turn();
        hooks_.progress();
    }

    void found_large_aside(sync::finding found, const std::string& staged) {
        sync::aside_item* const aside = aside_.find(staged);
        if (!aside) return;
        const bool read = found.what == sync::finding::kind::large;
        aside->proposed = read && tracker_.find_displaced(aside->item, std::move(found), aside->generation);
        aside->look_at = rt_.now() + options_.retry_after;
        collect(committed_index_);
        turn();
        hooks_.progress();
    }

    /// It stays where it is, for a person to see to; no barrier waits for that.
    void keep_aside(const std::string& staged, time_point look_at) {
        if (!aside_.keep(staged, look_at)) return;
        hooks_.observe({report::level::error, aside_.find(staged)->item.path + ": an edit of it is kept in .lockstep/staging/" +
                                                  staged + ": it cannot be replicated"});
    }

    Runtime& rt_;
    FileSystem& fs_;
    Watcher& watcher_;
    std::shared_ptr<Journal> journal_;
    Exchange& exchange_;
    sync::root_location root_;
    const node_options& options_;
    const folder::tree& committed_;
    folder_sync_hooks hooks_;
    sync::edit_tracker tracker_;
    sync::look_queue queue_;

    sync::backlog backlog_;
    std::set<entry_id> unconfirmed_;
    std::map<entry_id, time_point> missed_;    // of those: not at their places, and since when
    std::vector<entry_id> lost_;
    unwritable_paths unwritable_;
    sync::aside_shelf aside_;
    std::multimap<std::uint64_t, unique_function<void()>> flushes_;   // by the generation that they wait for
    std::map<std::uint64_t, doubt> doubtful_;   // by sequence

    log_index committed_index_{1};
    std::uint64_t generation_ = 1;
    std::optional<std::uint64_t> hurry_;
    std::uint64_t nonce_;
    std::uint64_t rescans_ = 0;
    std::uint64_t files_read_ = 0;
    timer_id timer_ = 0;
    time_point retry_at_ = never;
    time_point write_again_at_ = never;
    time_point root_retry_at_ = never;
    bool started_ = false;
    bool stopped_ = false;
    bool busy_ = false;             // a piece of work is under way
    work last_work_ = work::aside;
    bool looked_once_ = false;      // everything was looked at since the start
    bool root_missing_ = false;
    bool told_missing_ = false;     // a person was told, and not yet that it is back
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    large_files<Runtime, FileSystem, Exchange> large_;
};

}  // namespace lockstep
