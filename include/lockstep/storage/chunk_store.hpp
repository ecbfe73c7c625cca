// Chunks by their SHA-256, kept in packs. This is the store's face on the event loop: it groups what is put, and runs
// collections step by step. What it knows is in its chunk_catalog; work is done on the lane of chunks (pack_recovery,
// pack_writer, chunk_collector), reading on any (chunk_reader). Format and recovery: docs/formats/packs.md.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/storage/chunk_collector.hpp>
#include <lockstep/storage/chunk_reader.hpp>
#include <lockstep/storage/chunk_store_types.hpp>
#include <lockstep/storage/pack_recovery.hpp>

#include <deque>
#include <optional>
#include <set>
#include <span>

namespace lockstep::storage {

/// Keeps its files in <state_directory>/chunks/. Callbacks come on the loop, never from inside a call, and may destroy
/// the store or close it. Lifetime: runtime and file system outlive it and its jobs.
///
/// After a write or sync that failed, but for a full disk, all later calls fail with that error: the caller stops.
///
/// **Collection.** begin_collection(), then the caller finds out what is live, in its own time, then collect().
/// Whatever was put, found by has(), or located since begin_collection() is kept, as is what is being put then. So a
/// chunk is safe if it is rooted when its put is answered or when it is found.
template <runtime Runtime, file_system FileSystem>
class chunk_store {
public:
    using located = located_chunks;
    using reader = chunk_reader<FileSystem>;   ///< of what locate() found: in jobs
    using opened_handler = unique_function<void(chunk_store_report, storage_error)>;
    using put_handler = unique_function<void(storage_error)>;
    using collected_handler = unique_function<void(collection_report, storage_error)>;

    chunk_store(Runtime& rt, FileSystem& fs, std::string state_directory, chunk_store_options options = {})
        : rt_(rt), fs_(fs), state_directory_(std::move(state_directory)), options_(options) {
        LOCKSTEP_ASSERT(options_.pack_bytes >= 4096 && options_.pack_bytes <= pack_format::pack_bytes_max / 2);
    }
    chunk_store(const chunk_store&) = delete;
    chunk_store& operator=(const chunk_store&) = delete;

    /// Precondition: called once, before anything else. Damage is no error: what is damaged is not there.
    void open(opened_handler done) {
        LOCKSTEP_ASSERT(!asked_to_open_);
        asked_to_open_ = true;
        auto job = [&fs = fs_, state = state_directory_, bytes = options_.pack_bytes, salt = rt_.random()] {
            opened_files files;
            pack_recovery<FileSystem> recovery(fs, state, bytes, salt);
            files.error = recovery.run();
            files.found = std::move(recovery.found());
            files.writer = recovery.take_writer();
            return files;
        };
        offload(rt_, lane::chunks, std::move(job), guarded([this, done = std::move(done)](opened_files files) {
                    if (files.error.code) {
                        failed_ = files.error;
                        return done({}, std::move(files.error));
                    }
                    writer_ = std::move(files.writer);
                    catalog_ = std::move(files.found.catalog);
                    done(std::move(files.found.report), {});
                }));
    }

    /// Whether the chunk is durable here. Keeps it from a collection that has begun.
    bool has(const content_hash& hash) { return works() && catalog_.use(hash) != nullptr; }

    /// The same, for who only looks on: it keeps nothing from a collection.
    bool holds(const content_hash& hash) const { return works() && catalog_.knows(hash); }

    /// Makes chunks durable; those that are there already cost nothing. Success: all are durable. An error of a full
    /// disk loses nothing that was there; some of these may be there then. too_large, invalid_argument (an empty
    /// chunk): nothing was done. Precondition: open() has succeeded.
    void put(std::vector<named_chunk> chunks, put_handler done) {
        LOCKSTEP_ASSERT(closed_ || failed_.code || writer_ != nullptr);
        if (closed_ || failed_.code) return answer(std::move(done), stopped());
        std::size_t bytes = 0;
        for (const named_chunk& chunk : chunks) {
            bytes += chunk.bytes.size();
            if (chunk.bytes.empty()) return answer(std::move(done), {errc::invalid_argument, "an empty chunk"});
            if (chunk.bytes.size() > pack_format::chunk_bytes_max || bytes > options_.put_bytes_max) {
                return answer(std::move(done), {errc::too_large, "chunks of " + std::to_string(bytes) + " bytes"});
            }
            catalog_.use(chunk.hash);
        }
        queued_bytes_ += bytes;
        waiting_.push_back({std::move(chunks), bytes, std::move(done)});
        work();
    }

    /// Where these chunks are, for a chunk_reader. Keeps them from a collection that has begun.
    located_chunks locate(std::span<const content_hash> hashes) {
        return {state_directory_, works() ? catalog_.locate(hashes) : chunk_catalog().locate(hashes)};
    }

    /// A reader found item i damaged: it is not there any more, unless it has been put again meanwhile.
    void forget(const located_chunks& where, std::size_t i) {
        const auto& item = where.items.at(i);
        if (item.pack) damaged_ += sometimes(probe::damaged_chunk_forgotten, catalog_.erase({item.hash, item.place}));
    }

    /// From now on, until the end of the collection, what is used is kept. Again, before collect(): no effect. False:
    /// not begun, as one is under way, or the store has stopped.
    bool begin_collection() {
        if (!works() || collection_) return false;
        catalog_.begin_collection();
        const auto keep = [this](const auto& calls) {
            for (const put_call& call : calls)
                for (const named_chunk& chunk : call.chunks) catalog_.use(chunk.hash);
        };
        keep(waiting_);
        keep(writing_);
        return true;
    }

    /// Removes packs without a live chunk; copies the live ones out of packs that are mostly dead. `live` is sorted; to
    /// it comes what was used since begin_collection(), which this calls if nobody did. One at a time: busy otherwise.
    /// A full disk, or a pack that cannot be read, ends nothing: that pack is kept, and the first such error told. A
    /// pack of which somebody still reads is removed at a later put or collection.
    void collect(std::vector<content_hash> live, collected_handler done) {
        LOCKSTEP_ASSERT(closed_ || failed_.code || writer_ != nullptr);
        storage_error refused;
        if (closed_ || failed_.code) refused = stopped();
        else if (collection_) refused = {errc::busy, "a collection is under way"};
        if (refused.code) {
            rt_.post(guarded([done = std::move(done), refused] { done({}, refused); }));
            return;
        }
        begin_collection();
        collection_.emplace();
        collection_->live = std::make_shared<const std::vector<content_hash>>(std::move(live));
        collection_->done = std::move(done);
        work();
    }

    /// False: all calls fail, and it says that it has nothing.
    bool works() const noexcept { return !closed_ && !failed_.code; }
    chunk_store_status status() const {
        return {catalog_.bytes(), catalog_.chunk_bytes(), catalog_.size(), catalog_.packs(), queued_bytes_, damaged_};
    }
    std::uint64_t bytes() const noexcept { return catalog_.bytes(); }

    /// Lets go of the files once the job at work is done. What was not answered is not answered any more.
    void close() {
        closed_ = true;
        alive_ = std::make_shared<int>(0);
        waiting_.clear();
        writing_.clear();
        collection_.reset();
        writer_.reset();
    }

private:
    using pack_writer_type = pack_writer<FileSystem>;

    struct opened_files {
        recovered_chunks found;
        std::shared_ptr<pack_writer_type> writer;
        storage_error error;
    };
    struct put_call {
        std::vector<named_chunk> chunks;   ///< kept until all of them are there
        std::size_t bytes = 0;
        put_handler done;
    };
    struct collection {
        live_chunks live;
        collected_handler done;
        std::size_t next = 0;                    ///< of the candidates: the one at hand
        std::optional<examined_pack> examined;   ///< the pack at hand
        collection_report report;
        storage_error error;
    };

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }
    storage_error stopped() const { return failed_.code ? failed_ : storage_error{errc::halted, {}}; }
    void answer(put_handler done, storage_error error) {
        rt_.post(guarded([done = std::move(done), error = std::move(error)] { done(error); }));
    }

    /// What a job of the writer did, in any case.
    void take(const chunks_written& written) {
        for (const pack_size& pack : written.packs) {
            catalog_.grow(pack);
            catalog_.set_active(pack.pack);
        }
        if (written.final) failed_ = written.error;
    }

    /// One job at a time. Puts and the collection take turns.
    void work() {
        if (busy_ || !works()) return;
        const bool puts = !waiting_.empty();
        const bool background = collection_.has_value() || catalog_.removable() != 0;
        if (puts && !(background && collects_next_)) write_group();
        else if (background) collect_step();
        collects_next_ = puts && !collects_next_;
    }

    void write_group() {
        busy_ = true;
        std::size_t bytes = 0;
        while (!waiting_.empty() && (writing_.empty() || bytes + waiting_.front().bytes <= options_.group_bytes_max)) {
            bytes += waiting_.front().bytes;
            writing_.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        std::vector<named_chunk> wanted;
        std::set<content_hash> names;
        for (const put_call& call : writing_)
            for (const named_chunk& chunk : call.chunks)
                if (catalog_.use(chunk.hash) == nullptr && names.insert(chunk.hash).second) wanted.push_back(chunk);
        if (wanted.empty()) return rt_.post(guarded([this] { written({}); }));
        auto job = [store = writer_, wanted = std::move(wanted)] {
            for (const named_chunk& chunk : wanted)
                if (!store->add(chunk.hash, chunk.bytes.view())) break;
            return store->take();
        };
        offload(rt_, lane::chunks, std::move(job),
                guarded([this](chunks_written result) { written(std::move(result)); }));
    }

    void written(chunks_written result) {
        busy_ = false;
        for (const placed_chunk& chunk : result.durable) catalog_.set(chunk);
        take(result);
        std::vector<std::pair<put_handler, storage_error>> answers;
        std::deque<put_call> again;
        auto group = std::exchange(writing_, {});
        for (put_call& call : group) {
            bool all = true;
            for (const named_chunk& chunk : call.chunks) all = all && catalog_.knows(chunk.hash);
            if (!all && !result.error.code) {
                // One that was there has been found damaged since: now it is written.
                again.push_back(std::move(call));
                continue;
            }
            queued_bytes_ -= call.bytes;
            answers.emplace_back(std::move(call.done), all ? storage_error{} : result.error);
        }
        waiting_.insert(waiting_.begin(), std::move_iterator(again.begin()), std::move_iterator(again.end()));
        finish(std::move(answers));
    }

    /// Goes on, or ends everything; then answers, which may end this object.
    void finish(std::vector<std::pair<put_handler, storage_error>> answers) {
        collected_handler collected;
        if (failed_.code) {
            for (put_call& call : waiting_) answers.emplace_back(std::move(call.done), failed_);
            waiting_.clear();
            if (collection_) collected = std::move(collection_->done);
            collection_.reset();
        } else {
            work();
        }
        const std::weak_ptr<int> alive = alive_;
        for (auto& [done, error] : answers) {
            done(error);
            if (alive.expired()) return;
        }
        if (collected) collected({}, failed_);
    }

    // --- collection ---

    void collect_step() {
        if (const std::uint32_t unread = catalog_.removable()) return remove(unread);
        collection& c = *collection_;
        if (c.next == catalog_.candidates().size()) return end_collection();
        const std::uint32_t pack = catalog_.candidates()[c.next];
        if (!c.examined) return examine(pack);
        std::vector<pack_entry> kept = survivors(pack);
        std::uint64_t bytes = 0;
        for (const pack_entry& entry : kept) bytes += pack_format::record_size(entry.length);
        if (bytes * 2 >= catalog_.bytes_of(pack)) {
            c.report.live_bytes += bytes;
            return next_pack();
        }
        if (!kept.empty()) return copy(pack, std::move(kept));
        drop(pack);
        next_pack();
    }

    /// Of the pack at hand, the chunks that only it has and that are wanted.
    std::vector<pack_entry> survivors(std::uint32_t pack) const {
        std::vector<pack_entry> kept;
        for (const auto& [entry, live] : collection_->examined->chunks) {
            const bool wanted = live || catalog_.was_used(entry.hash);
            if (wanted && catalog_.is_at(entry.hash, pack, entry.offset)) kept.push_back(entry);
        }
        return kept;
    }

    /// In one step with the look at what is used, nothing of the pack is found any more; then it can go.
    void drop(std::uint32_t pack) {
        for (const auto& [entry, live] : collection_->examined->chunks) {
            catalog_.erase({entry.hash, {pack, entry.offset, entry.length}});
        }
        collection_->report.dropped_bytes += catalog_.doom(pack);
        ++collection_->report.packs_removed;
    }

    void next_pack() {
        ++collection_->next;
        collection_->examined.reset();
        work();
    }

    /// This pack is left as it is.
    void skip_pack(storage_error error) {
        if (!collection_->error.code) collection_->error = std::move(error);
        next_pack();
    }

    void examine(std::uint32_t pack) {
        busy_ = true;
        auto job = [&fs = fs_, store = writer_, pack, live = collection_->live] {
            return examine_pack(fs, *store, pack, live);
        };
        offload(rt_, lane::chunks, std::move(job), guarded([this](examined_pack result) {
                    busy_ = false;
                    if (result.error.code) return skip_pack(std::move(result.error));
                    collection_->examined = std::move(result);
                    work();
                }));
    }

    /// Then the pack is looked at again: what was used meanwhile has to be copied too.
    void copy(std::uint32_t pack, std::vector<pack_entry> chunks) {
        busy_ = true;
        auto job = [&fs = fs_, store = writer_, pack, chunks = std::move(chunks)] {
            return copy_chunks(fs, *store, pack, chunks);
        };
        offload(rt_, lane::chunks, std::move(job), guarded([this, pack](copied_chunks result) {
                    busy_ = false;
                    take(result.written);
                    for (const placed_chunk& chunk : result.written.durable) moved(pack, chunk);
                    for (const pack_entry& chunk : result.damaged) {
                        if (!sometimes(probe::damaged_chunk_forgotten, catalog_.erase({chunk.hash, {pack, chunk.offset, chunk.length}}))) continue;
                        ++damaged_;
                        if (collection_) ++collection_->report.chunks_damaged;
                    }
                    if (failed_.code) return finish({});
                    if (result.written.error.code) return skip_pack(std::move(result.written.error));
                    work();
                }));
    }

    void moved(std::uint32_t from, const placed_chunk& chunk) {
        if (!catalog_.move(chunk, from)) return;
        ++collection_->report.chunks_copied;
        collection_->report.live_bytes += pack_format::record_size(chunk.place.length);
    }

    void remove(std::uint32_t pack) {
        busy_ = true;
        auto job = [store = writer_, pack] { return store->remove(pack); };
        offload(rt_, lane::chunks, std::move(job), guarded([this, pack](chunks_written result) {
                    busy_ = false;
                    take(result);
                    catalog_.removed(pack, !result.error.code);
                    if (collection_ && !collection_->error.code) collection_->error = result.error;
                    finish({});
                }));
    }

    void end_collection() {
        catalog_.end_collection();
        collection c = std::move(*collection_);
        collection_.reset();
        c.report.live_bytes += catalog_.active_bytes();
        rt_.post(guarded([c = std::make_shared<collection>(std::move(c))] { c->done(c->report, c->error); }));
        work();
    }

    Runtime& rt_;
    FileSystem& fs_;
    std::string state_directory_;
    chunk_store_options options_;
    std::shared_ptr<pack_writer_type> writer_;   ///< used by jobs of the lane of chunks only
    chunk_catalog catalog_;
    std::uint64_t damaged_ = 0;
    std::size_t queued_bytes_ = 0;
    std::deque<put_call> waiting_;
    std::deque<put_call> writing_;
    std::optional<collection> collection_;
    storage_error failed_;
    bool asked_to_open_ = false;
    bool busy_ = false;
    bool collects_next_ = false;
    bool closed_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep::storage
