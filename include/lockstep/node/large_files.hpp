// Large files of a node, a piece at a time and beside everything else: those that users wrote are cut into chunks and
// prepared before they are proposed; those that were committed are built in staging before they are put in place.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/content/manifest.hpp>
#include <lockstep/node/status.hpp>
#include <lockstep/sync/large_file.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

struct large_files_hooks {
    /// Whether what was read at a path differs from what is known to stand there.
    unique_function<bool(const sync::finding&)> is_news;
    /// A large file was read; if it is news, its manifest is in the finding and its chunks are where they have to be.
    /// Or it could not be read: then the finding says so. `staged`: of an edit that was taken aside. `known`: what was
    /// known to stand there when reading began.
    unique_function<void(sync::finding, std::uint64_t generation, const std::string& staged,
                         const std::optional<sync::local_record>& known)> found;
    /// It was asked for once more while it was read.
    /// `settled`: as the target was that asked.
    unique_function<void(const std::string& path, bool settled, std::uint64_t generation)> look_again;
    /// What stands in staging is whole now: built() gives it. Or it could not be built: why.
    unique_function<void(entry_id, error_code)> built;
    /// A sync of what is built at a path failed: what is durable is unknown.
    unique_function<void(const std::string& path, error_code)> sync_failed;
    unique_function<void()> progress;
    /// Whether what is read may be proposed now: else none more is begun, until go_on().
    unique_function<bool()> has_room;
};

struct large_files_options {
    std::size_t piece_bytes = 4 << 20;   ///< read, stored or written in one go
    std::size_t at_once = 4;             ///< of each kind; others wait
    content::chunking cuts;
};

/// `Exchange` is a content_exchange. On the loop of `rt`.
template <runtime Runtime, file_system FileSystem, class Exchange>
class large_files {
public:
    large_files(Runtime& rt, FileSystem& fs, Exchange& exchange, sync::root_location root, large_files_options options,
                std::uint64_t nonce, large_files_hooks hooks)
        : rt_(rt), fs_(fs), exchange_(exchange), root_(std::move(root)), options_(options), nonce_(nonce),
          hooks_(std::move(hooks)) {}
    large_files(const large_files&) = delete;
    large_files& operator=(const large_files&) = delete;

    // --- users' files ---

    /// Reads what was found. One that is being read already goes on, and is looked at again after that: what it became
    /// while it was read may be what was asked for.
    void read(sync::finding found, std::uint64_t generation, std::optional<sync::local_record> known, std::string staged = {}) {
        const key k{staged, found.path};
        if (const auto at = readings_.find(k); at != readings_.end()) {
            at->second.again = std::min(at->second.again.value_or(generation), generation);
            at->second.again_settled |= found.settled;
            return;
        }
        reading& r = readings_[k];
        r.entry = staged.empty() ? found.entry : root_entry;
        r.disk = found.disk;
        r.generation = generation;
        r.number = ++last_reading_;
        // Looked at once more as its stamps said nothing yet: it is the same, most likely.
        std::optional<content_hash> expected;
        if (staged.empty() && known && known->size == found.disk.size && sync::same_state(known->disk, found.disk))
            expected = known->hash;
        r.known = std::move(known);
        r.cutter = std::make_shared<sync::file_cutter<FileSystem>>(fs_, root_, std::move(found), staged, expected,
                                                                    options_.cuts, options_.piece_bytes);
        ++read_entries_[r.entry];
        waiting_readings_.push_back(k);
        start_readings();
    }
    /// There may be room now for what is read.
    void go_on() { start_readings(); }
    /// A user's file that is not safe anywhere yet: not to be replaced.
    bool is_read(entry_id entry) const {
        return entry != root_entry && read_entries_.contains(entry);
    }
    /// Whether f holds for what stands on the disk of one that is being read.
    template <class F>
    bool any_read(F f) const {
        return std::any_of(readings_.begin(), readings_.end(), [&](const auto& r) { return f(r.second.disk); });
    }
    std::optional<std::uint64_t> oldest_generation() const {
        std::optional<std::uint64_t> oldest;
        for (const auto& [k, r] : readings_) {
            oldest = std::min(oldest.value_or(r.generation), r.generation);
            if (r.again) oldest = std::min(*oldest, *r.again);
        }
        return oldest;
    }

    // --- committed files ---

    struct wanted_file {
        entry_id entry;
        log_index version;
        content_hash manifest;
        content_hash hash;
        std::uint64_t size = 0;
        std::string path;
    };
    /// The name in staging of what was built for this version: the caller's from now on. Nothing: it is being built, and
    /// hooks.built tells when to ask again. What was begun for another version is dropped.
    std::optional<std::string> take(const wanted_file& wanted) {
        const auto at = buildings_.find(wanted.entry);
        if (at != buildings_.end() && at->second.what.version == wanted.version) {
            if (!at->second.whole) return std::nullopt;
            std::string name = at->second.builder->name();
            buildings_.erase(at);
            return name;
        }
        if (at != buildings_.end()) drop(at);
        building& b = buildings_[wanted.entry];
        b.what = wanted;
        b.number = ++last_building_;
        b.builder = new_builder(b);
        waiting_buildings_.push_back(wanted.entry);
        start_buildings();
        return std::nullopt;
    }
    /// It is not wanted any more, as far as it is not `version`.
    void forget(entry_id entry) {
        const auto at = buildings_.find(entry);
        if (at == buildings_.end()) return;
        drop(at);
        start_buildings();   // it may have been the last of those under way
    }

    /// Chunks that were here are damaged. What a user wrote may be nowhere else yet: a file that lost some is read once more,
    /// or those who are asked to have them would ask for ever.
    void damaged() {
        std::vector<key> lost;
        for (const auto& [k, r] : readings_)
            if (r.prepared_from != 0 && has_lost(r)) lost.push_back(k);
        for (const key& k : lost) {
            exchange_.stop_preparing(readings_.at(k).prepared_from);
            read_once_more(k);
        }
    }

    /// What has been read so far, and is not proposed yet.
    void add_roots(std::vector<content_hash>& chunks) const {
        for (const auto& [k, r] : readings_)
            for (const auto& chunk : r.chunks) chunks.push_back(chunk.hash);
    }

    bool idle() const noexcept { return readings_.empty() && buildings_.empty(); }

    void fill(node_status& status) const {
        for (const auto& [k, r] : readings_)
            status.transfers.push_back({k.second, r.prepared_from == 0 ? "reading" : "sending", r.disk.size, r.done_bytes});
        for (const auto& [entry, b] : buildings_)
            status.transfers.push_back({b.what.path, "writing", b.what.size, b.written});
    }

private:
    using key = std::pair<std::string, std::string>;   ///< name in staging, path

    struct reading {
        entry_id entry;   ///< that it is an edit of; the root: of none, or taken aside
        file_status disk;
        std::uint64_t generation = 0;
        std::optional<std::uint64_t> again;   ///< asked for while it was read: of that generation
        bool again_settled = false;
        std::optional<sync::local_record> known;
        std::shared_ptr<sync::file_cutter<FileSystem>> cutter;
        std::vector<content::chunk_ref> chunks;
        std::vector<content_hash> lists;   ///< pieces of the list of them, and the manifest
        std::uint64_t number = 0;
        bool cutting = false;              ///< a job has the cutter
        bool cut = false;                  ///< all of it
        std::size_t storing = 0;           ///< pieces
        std::uint64_t done_bytes = 0;
        std::uint64_t prepared_from = 0;   ///< the exchange's id, once it asks others
    };
    struct building {
        wanted_file what;
        std::uint64_t number = 0;
        std::shared_ptr<sync::file_builder<FileSystem>> builder;
        std::vector<content::chunk_ref> chunks;
        std::size_t next = 0;                ///< of the chunks: to be read
        std::vector<shared_bytes> ahead;     ///< read and not written yet: one piece at most
        bool reading = false;
        bool writing = false;
        bool begun = false;
        std::uint64_t written = 0;
        bool under_way = false;
        bool whole = false;
        bool mended = false;                                    ///< what it is made of was looked for anew
        std::optional<typename Exchange::id> mending;           ///< it is, now
    };

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    // --- reading ---

    void start_readings() {
        while (readings_.size() - waiting_readings_.size() < options_.at_once && !waiting_readings_.empty() && hooks_.has_room()) {
            const key k = std::move(waiting_readings_.front());
            waiting_readings_.pop_front();
            read_on(k);
        }
    }

    reading* still(const key& k, std::uint64_t number) {
        const auto at = readings_.find(k);
        return at != readings_.end() && at->second.number == number ? &at->second : nullptr;
    }

    void read_on(const key& k) {
        reading& r = readings_.at(k);
        r.cutting = true;
        offload(rt_, lane::reads, [cutter = r.cutter] { return cutter->next(); },
                guarded([this, k, number = r.number](sync::cut_progress cut) {
                    if (still(k, number)) was_cut(k, std::move(cut));
                }));
    }

    /// The next piece is cut while one is stored.
    void was_cut(const key& k, sync::cut_progress cut) {
        reading& r = readings_.at(k);
        r.cutting = false;
        r.cut = cut.done;
        if (cut.changed) return give_up(k, sync::finding::kind::unsettled);
        if (cut.error) return cut.error == errc::halted ? void() : give_up(k, sync::finding::kind::unreadable);
        r.done_bytes = r.cutter->bytes_read();
        for (const auto& chunk : cut.chunks)
            r.chunks.push_back({chunk.hash, static_cast<std::uint32_t>(chunk.bytes.size())});
        if (!cut.chunks.empty()) {
            ++r.storing;
            store(k, std::move(cut.chunks), [this, k] { was_stored(k); });
        }
        go_on_reading(k);
        hooks_.progress();
    }

    void was_stored(const key& k) {
        --readings_.at(k).storing;
        go_on_reading(k);
    }

    void go_on_reading(const key& k) {
        const reading& r = readings_.at(k);
        if (r.cut && r.storing == 0) was_read(k);
        else if (!r.cut && !r.cutting && r.storing < 2) read_on(k);
    }

    void was_read(const key& k) {
        reading& r = readings_.at(k);
        sync::finding found = r.cutter->take_found();
        const bool seen_before = r.cutter->as_expected() || (k.first.empty() && !hooks_.is_news(found));
        if (seen_before) return finish(k, std::move(found));
        auto built = content::build_manifest(r.chunks);
        if (!built) return give_up(k, sync::finding::kind::unreadable);
        found.chunked = true;
        found.content = shared_bytes(content::encode(built->what));
        std::vector<content::named_chunk> lists;
        for (auto& piece : built->pieces) lists.push_back({piece.ref.hash, shared_bytes(std::move(piece.bytes))});
        lists.push_back({sha256(found.content.view()), found.content});
        for (const auto& list : lists) r.lists.push_back(list.hash);
        store(k, std::move(lists), [this, k, found = std::move(found)]() mutable {
            if (has_lost(readings_.at(k))) return read_once_more(k);
            const shared_bytes manifest = found.content;
            readings_.at(k).prepared_from = exchange_.prepare(
                manifest, guarded([this, k, found = std::move(found)]() mutable { finish(k, std::move(found)); }));
        });
        hooks_.progress();
    }

    /// `then` comes while the reading goes on only. What waits for room does so while its file is there: a person makes
    /// room by removing one, and what is held open here would keep its room.
    void store(const key& k, std::vector<content::named_chunk> chunks, unique_function<void()> then) {
        const std::uint64_t number = readings_.at(k).number;
        exchange_.store(std::move(chunks),
                        guarded([this, k, number, then = std::move(then)]() mutable {
                            if (still(k, number)) then();
                        }),
                        [this, k, number, alive = std::weak_ptr<int>(alive_)] {
                            if (alive.expired() || !still(k, number)) return false;
                            look_whether_there(k);
                            return true;
                        });
    }

    void look_whether_there(const key& k) {
        const reading& waits = readings_.at(k);
        offload(rt_, lane::reads,
                [&fs = fs_, root = root_, k, disk = waits.disk] { return sync::still_there(fs, root, k.second, k.first, disk); },
                guarded([this, k, number = waits.number](bool there) {
                    const reading* const r = still(k, number);
                    if (there || !r || r->cutting || r->prepared_from != 0) return;
                    give_up(k, sync::finding::kind::unsettled);
                }));
    }

    void finish(const key& k, sync::finding found) {
        const reading r = std::move(readings_.at(k));
        readings_.erase(k);
        if (--read_entries_.at(r.entry) == 0) read_entries_.erase(r.entry);
        if (r.again && k.first.empty()) hooks_.look_again(k.second, r.again_settled, *r.again);
        hooks_.found(std::move(found), r.generation, k.first, r.known);
        start_readings();
    }

    bool has_lost(const reading& r) const {
        const auto gone = [this](const content_hash& hash) { return !exchange_.has(hash); };
        return std::ranges::any_of(r.lists, gone) || std::ranges::any_of(r.chunks, gone, &content::chunk_ref::hash);
    }
    void read_once_more(const key& k) {
        sometimes(probe::large_file_lost_its_chunks);
        give_up(k, sync::finding::kind::unsettled);
    }

    void give_up(const key& k, sync::finding::kind why) {
        sync::finding found = readings_.at(k).cutter->take_found();
        found.path = k.second;   // it may have been taken before
        found.what = why;
        finish(k, std::move(found));
    }

    // --- building ---

    using building_at = typename std::map<entry_id, building>::iterator;

    void start_buildings() {
        while (active_buildings_ < options_.at_once && !waiting_buildings_.empty()) {
            const entry_id entry = waiting_buildings_.front();
            waiting_buildings_.pop_front();
            const auto at = buildings_.find(entry);
            if (at == buildings_.end() || at->second.under_way || at->second.whole || at->second.mending) continue;
            at->second.under_way = true;
            ++active_buildings_;
            const std::uint64_t number = at->second.number;
            exchange_.list_chunks(at->second.what.manifest,
                                  guarded([this, entry, number](std::optional<std::vector<content::chunk_ref>> chunks) {
                                      building* const b = still(entry, number);
                                      if (!b) return;
                                      if (!chunks) return not_built(entry, make_error_code(errc::not_found));
                                      b->chunks = std::move(*chunks);
                                      build_on(entry, number);
                                  }));
        }
    }

    building* still(entry_id entry, std::uint64_t number) {
        const auto at = buildings_.find(entry);
        return at != buildings_.end() && at->second.number == number ? &at->second : nullptr;
    }

    /// The next piece is read while one is written.
    void build_on(entry_id entry, std::uint64_t number) {
        building& b = *still(entry, number);
        if (!b.writing && !b.ahead.empty()) write(b, std::exchange(b.ahead, {}));
        if (!b.reading && b.ahead.empty() && b.next < b.chunks.size()) return read_ahead(b);
        if (b.reading || b.writing || !b.ahead.empty()) return;
        if (!b.begun) return write(b, {});   // an empty one is made all the same
        was_built(entry, number);
    }

    void read_ahead(building& b) {
        std::vector<content_hash> piece;
        std::size_t bytes = 0;
        for (; b.next < b.chunks.size() && (piece.empty() || bytes + b.chunks[b.next].bytes <= options_.piece_bytes); ++b.next) {
            piece.push_back(b.chunks[b.next].hash);
            bytes += b.chunks[b.next].bytes;
        }
        b.reading = true;
        const auto read = [this, entry = b.what.entry, number = b.number](std::vector<std::optional<shared_bytes>> chunks) {
            building* const at = still(entry, number);
            if (!at) return;
            at->reading = false;
            for (auto& chunk : chunks) {
                if (!chunk) return not_built(entry, make_error_code(errc::corrupt));
                at->ahead.push_back(std::move(*chunk));
            }
            build_on(entry, number);
        };
        exchange_.read_chunks(std::move(piece), guarded(read));
    }

    void write(building& b, std::vector<shared_bytes> chunks) {
        b.writing = b.begun = true;
        std::size_t bytes = 0;
        for (const auto& chunk : chunks) bytes += chunk.size();
        const bool last = b.next == b.chunks.size();   // this piece was the one ahead
        offload(rt_, lane::large,
                [builder = b.builder, chunks = std::move(chunks), last] { return builder->append(chunks, last); },
                guarded([this, entry = b.what.entry, number = b.number, bytes](result<> written) {
                    building* const at = still(entry, number);
                    if (!at) return;
                    if (at->builder->sync_failed()) return hooks_.sync_failed(at->what.path, written.error());
                    if (!written) return not_built(entry, written.error());
                    at->writing = false;
                    at->written += bytes;
                    hooks_.progress();
                    build_on(entry, number);
                }));
    }

    void was_built(entry_id entry, std::uint64_t number) {
        building& b = *still(entry, number);
        if (b.builder->finish() != b.what.hash) return not_built(entry, make_error_code(errc::corrupt));
        end_turn(b);
        b.whole = true;
        hooks_.built(entry, {});
        start_buildings();
    }

    void not_built(entry_id entry, error_code why) {
        const auto at = buildings_.find(entry);
        if ((why == errc::corrupt || why == errc::not_found) && !at->second.mended) {
            mend(at->second);
        } else {
            drop(at);
            if (why != errc::halted) hooks_.built(entry, why);
        }
        start_buildings();
    }

    /// Something that it is made of is damaged here: it is fetched from others, and building begins again.
    void mend(building& b) {
        end_turn(b);
        remove(b);
        building anew;
        anew.what = std::move(b.what);
        anew.number = ++last_building_;
        anew.builder = new_builder(anew);
        anew.mended = true;
        b = std::move(anew);
        const entry_id entry = b.what.entry;
        b.mending = exchange_.ensure(b.what.manifest, no_node, guarded([this, entry, number = b.number] {
            rt_.post(guarded([this, entry, number] {   // it may be told before this is kept
                building* const at = still(entry, number);
                if (!at) return;
                at->mending.reset();
                waiting_buildings_.push_back(entry);
                start_buildings();
            }));
        }));
    }

    std::shared_ptr<sync::file_builder<FileSystem>> new_builder(const building& b) {
        std::string name = std::string(sync::staged_prefix) + "large-" + std::to_string(nonce_) + "-" + std::to_string(b.number);
        return std::make_shared<sync::file_builder<FileSystem>>(fs_, root_, std::move(name), b.what.size);
    }
    void end_turn(building& b) {
        if (std::exchange(b.under_way, false)) --active_buildings_;
    }
    /// The file goes once whatever is being written to it is.
    void remove(building& b) {
        offload(rt_, lane::large, [builder = b.builder] { return builder->remove(), 0; }, [](int) {});
    }
    void drop(building_at at) {
        if (at->second.mending) exchange_.cancel(*at->second.mending);
        end_turn(at->second);
        remove(at->second);
        buildings_.erase(at);
    }

    Runtime& rt_;
    FileSystem& fs_;
    Exchange& exchange_;
    sync::root_location root_;
    large_files_options options_;
    std::uint64_t nonce_;
    large_files_hooks hooks_;
    std::map<key, reading> readings_;
    std::deque<key> waiting_readings_;
    std::map<entry_id, std::size_t> read_entries_;   ///< how many are being read
    std::map<entry_id, building> buildings_;
    std::deque<entry_id> waiting_buildings_;
    std::size_t active_buildings_ = 0;
    std::uint64_t last_reading_ = 0;
    std::uint64_t last_building_ = 0;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
