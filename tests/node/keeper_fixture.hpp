// A node's log, trees and directory round an exchange: what compaction, catching up and collections ask of their host.
#pragma once

#include <lockstep/node/catch_up.hpp>
#include <lockstep/node/collection.hpp>
#include <lockstep/node/compaction.hpp>

#include <tests/folder/origin.hpp>
#include <tests/node/exchange_fixture.hpp>

#include <filesystem>
#include <fstream>

namespace node_test {

class keeper {
public:
    using exchange_type = exchange_world::node::exchange_type;
    using store_type = exchange_world::node::store_type;
    using trees_type = tree_store<manual_runtime, exchange_type>;
    using contents_type = log_contents<keeper, manual_runtime, exchange_type>;
    using compaction_type = compaction<keeper, manual_runtime, exchange_type>;
    using catch_up_type = catch_up<keeper, manual_runtime, faulty_files, exchange_type>;
    using collection_type = collection<keeper, manual_runtime, exchange_type, store_type>;

    keeper(exchange_world& w, std::uint64_t number, compaction_options c = {}, collection_options k = {})
        : net(w), box(w[number]), trees(w.loop(), *box.exchange, cuts, 4096), contents(*this, w.loop(), *box.exchange, 1000),
          compact(*this, w.loop(), *box.exchange, trees, contents, c),
          catching(*this, w.loop(), *box.exchange, trees, contents), collect(*this, w.loop(), *box.exchange, *box.store, k) {
        std::filesystem::create_directories(directory.path() + "/.lockstep");
        std::ofstream(directory.path() + "/.lockstep/marker") << "m";
    }

    // --- what they ask of their host ---

    void read_log(log_index from, log_index to, std::size_t bytes_max, unique_function<void(std::vector<raft::entry>)> done) {
        std::vector<raft::entry> out;
        std::size_t bytes = 0;
        for (const auto& e : log) {
            if (log_is_broken || e.index < from || e.index > to || e.index <= base || (!out.empty() && bytes > bytes_max)) continue;
            out.push_back(e);
            bytes += e.data.size();
        }
        net.loop().post([out = std::move(out), done = std::move(done)]() mutable { done(std::move(out)); });
    }
    const tree_snapshot& newest_snapshot() const { return newest; }
    log_position applied() const { return {history.last, term(1)}; }
    const folder::tree& committed() const { return history.committed; }
    void keep_snapshot(tree_snapshot s, log_index drop_to, unique_function<void(bool)> done) {
        kept.push_back(drop_to);
        const bool works = snapshots_fail == 0;
        if (works) newest = std::move(s);
        else --snapshots_fail;
        net.loop().post([done = std::move(done), works]() mutable { done(works); });
    }
    void log_is_covered(log_index, log_index drop_to) {
        base = drop_to;
        ++covered;
    }
    void compaction_failed(std::string) { ++compactions_failed; }
    void send(node_id to, const snapshot_query& q) { asked.emplace_back(to, q.at); }
    std::shared_ptr<sync::local_source<faulty_files>> source(std::vector<sync::source_file> files) {
        return std::make_shared<sync::local_source<faulty_files>>(
            box.files, sync::root_location{directory.path(), "m"}, std::move(files), cuts, 4096);
    }
    log_index log_end() const { return history.last; }
    log_index log_durable() const { return history.last; }
    log_index log_base() const { return base; }
    void install(log_position at) { installed.push_back(at.index); }
    void install_failed(const raft::install_request& r) { failed.push_back(r.at.index); }
    void add_roots(content_roots& roots) {
        if (tree_is_root) roots.add(history.committed);
        roots.add_saved(newest);
        compact.under_way() ? roots.add(compact.saving()) : void();
        roots.add(catching.fetching());
        roots.manifests.insert(roots.manifests.end(), more_roots.begin(), more_roots.end());
    }
    void collected(const storage::collection_report&) { ++collections; }
    void content_failed(const storage_error&) { store_failed = true; }

    // --- for tests ---

    void commit(const folder::command& c) {
        history.add(c);
        log.push_back({history.last, term(1), raft::entry_kind::command, encode_command(c)});
        compact.applied(history.last, log.back().data.size());
    }
    void write(const std::string& path, std::string_view text) {
        if (log.empty()) commit(writer.open());
        commit(writer.create(history.committed, path, folder::entry_type::file, text));
    }
    void write_large(const std::string& path, const made_content& c) {
        if (log.empty()) commit(writer.open());
        folder::command large = writer.create(history.committed, path, folder::entry_type::file, {});
        byte_buffer whole;
        for (const auto& chunk : c.chunks) whole.insert(whole.end(), chunk.bytes.view().begin(), chunk.bytes.view().end());
        large.chunked = true;
        large.content = c.manifest;
        large.size = whole.size();
        large.hash = sha256(byte_view(whole));
        commit(large);
    }
    void on_disk(const std::string& path, std::string_view text) {
        std::ofstream(directory.path() + "/" + path, std::ios::binary) << text;
    }
    bool holds(std::string_view text) const { return box.store->holds(sha256(as_bytes(text))); }
    /// Makes a snapshot of all that is committed, with the contents in the store.
    tree_snapshot snapshot() {
        tree_snapshot out{applied(), {}, history.committed};
        std::vector<storage::named_chunk> inline_contents;
        for (const auto& e : log)
            if (const auto c = decode_command(e.data); c && !c->chunked && !c->content.empty())
                inline_contents.push_back({c->hash, c->content});
        REQUIRE(box.put(inline_contents));
        trees.write(history.committed, [&](std::optional<shared_bytes> m) { out.manifest = m.value(); });
        REQUIRE(net.settle());
        return out;
    }

    static constexpr content::chunking cuts{256, 1024, 4096};

    exchange_world& net;
    exchange_world::node& box;
    lockstep::testing::temporary_directory directory;
    folder::test::history history;
    folder::test::origin writer{7};
    std::vector<raft::entry> log;
    log_index base;
    tree_snapshot newest;
    bool log_is_broken = false;
    bool tree_is_root = true;
    int snapshots_fail = 0;
    std::vector<content_hash> more_roots;

    std::vector<log_index> kept;   ///< what was said to be droppable with each snapshot
    int covered = 0;
    int compactions_failed = 0;
    int collections = 0;
    bool store_failed = false;
    std::vector<std::pair<node_id, log_position>> asked;
    std::vector<log_index> installed;
    std::vector<log_index> failed;

    trees_type trees;
    contents_type contents;
    compaction_type compact;
    catch_up_type catching;
    collection_type collect;
};

}  // namespace node_test
