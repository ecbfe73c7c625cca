// A replicated directory on the disk of a simulated machine, and what a node's lanes do with it, one call at a time: no
// loop, no cluster. Users edit it, also between two calls of the node's; calls crash, and the power fails.
#pragma once

#include <sim/machine/machine.hpp>

#include <lockstep/storage/journal.hpp>
#include <lockstep/sync/materialiser.hpp>
#include <lockstep/sync/recovery.hpp>
#include <lockstep/sync/scanner.hpp>
#include <lockstep/sync/set_aside.hpp>

#include <tests/catch.hpp>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sync_test {

using namespace lockstep;
using sim::crash_kind;
using files = sim::sim_file_system;

inline entry_id id(std::uint64_t n) { return {session_id{node_id(9), 1}, n}; }

inline std::string text_of(const shared_bytes& bytes) { return std::string(as_text(bytes.view())); }

class disk_world {
public:
    using journal_type = storage::journal<files>;

    explicit disk_world(std::uint64_t seed = 1)
        : w_(seed), cables_(w_), network_(w_, cables_), box_(w_, cables_, network_, nullptr, node_id(1)) {
        auto top = open("/");
        for (const char* name : {"r", "s"}) REQUIRE(disk().make_directory(top, name, 0700));
        disk().close(top);
        for (const char* path : {".lockstep", ".lockstep/staging", ".lockstep/marks"}) make_directory(path, 0700);
        write(".lockstep/marker", "m", 0600);
        box_.set_program([](sim::node_system&) { return std::make_shared<int>(0); });
        restart();
    }

    // --- as a user ---

    void make_directory(const std::string& path, std::uint32_t mode = 0755) {
        at(path, [&](auto dir, const std::string& name) { REQUIRE(disk().make_directory(dir, name, mode)); });
    }
    /// Opens, writes and closes: what stood there is another content of the same file.
    void write(const std::string& path, const std::string& text, std::uint32_t mode = 0644) {
        at(path, [&](auto dir, const std::string& name) {
            const auto fd = disk().open_file(user, dir, name, open_mode::create_or_open, mode).value();
            REQUIRE(disk().resize(fd, 0));
            REQUIRE(disk().write_at(fd, 0, as_bytes(text)));
            disk().close(fd);
        });
    }
    /// A descriptor that stays open for writing.
    sim::sim_disk::fd hold(const std::string& path) {
        sim::sim_disk::fd fd = 0;
        at(path, [&](auto dir, const std::string& name) {
            fd = disk().open_file(user, dir, name, open_mode::read_write, 0).value();
        });
        return fd;
    }
    void make_symlink(const std::string& path, const std::string& target) {
        at(path, [&](auto dir, const std::string& name) { REQUIRE(disk().make_symlink(dir, name, target)); });
    }
    void make_hard_link(const std::string& path, const std::string& other) {
        at(path, [&](auto from, const std::string& name) {
            at(other, [&](auto to, const std::string& new_name) {
                REQUIRE(disk().make_hard_link(from, name, to, new_name));
            });
        });
    }
    void remove(const std::string& path) {
        at(path, [&](auto dir, const std::string& name) {
            if (!disk().remove_file(dir, name)) REQUIRE(disk().remove_directory(dir, name));
        });
    }
    void rename(const std::string& path, const std::string& to_path, rename_mode how = rename_mode::replace) {
        at(path, [&](auto from, const std::string& name) {
            at(to_path, [&](auto to, const std::string& new_name) {
                REQUIRE(disk().rename(from, name, to, new_name, how));
            });
        });
    }
    void set_mode(const std::string& path, std::uint32_t mode) {
        at(path, [&](auto dir, const std::string& name) {
            auto fd = disk().open_file(user, dir, name, open_mode::read_write, 0);
            if (!fd) fd = disk().open_directory_at(user, dir, name);
            REQUIRE(disk().set_mode(fd.value(), mode));
            disk().close(fd.value());
        });
    }
    void set_mtime(const std::string& path, std::int64_t ns) {
        const auto fd = hold(path);
        REQUIRE(disk().set_mtime(fd, ns));
        disk().close(fd);
    }

    // --- what stands there ---

    /// Below the root, without the node's own: a path, and "type mode content".
    std::map<std::string, std::string> picture() {
        std::map<std::string, std::string> found;
        walk(disk().find("/r"), "", found);
        return found;
    }
    /// Names and contents of what stands in staging.
    std::map<std::string, std::string> staging() {
        std::map<std::string, std::string> found;
        for (const auto& [name, inode] : disk().find("/r/.lockstep/staging")->entries)
            found[name] = std::string(as_text(inode->content));
        return found;
    }
    file_status status(const std::string& path) {
        file_status found;
        at(path, [&](auto dir, const std::string& name) { found = disk().status_at(dir, name).value(); });
        return found;
    }
    /// Everything is written back.
    void make_durable() { sync_below("/r"); sync_below("/s"); sync_directory("/"); }

    // --- as a node ---

    files& fs() { return box_.system()->file_system; }
    sim::machine& box() { return box_; }
    sim::sim_disk& disk() { return box_.disk(); }
    journal_type& journal() { return *journal_; }
    const sync::root_location& root() const { return root_; }
    void wait(duration time) { w_.run_until(w_.now() + time); }
    /// The wall clock is set, and with it the stamps of files.
    void step_clock(std::int64_t ns) { box_.step_clock(ns); }

    /// The process is gone (if it was not) and a new one began, which has opened the journal.
    sync::recovered_disk restart() {
        journal_.reset();
        if (box_.running()) box_.crash(crash_kind::process);
        w_.run_until(w_.now() + std::chrono::seconds(1));
        REQUIRE(box_.start());
        journal_.emplace(fs(), fs().open_directory("/s").value(), "synced", "synced");
        const auto opened = journal_->open();
        REQUIRE_FALSE(opened.error.code);
        return sync::disk_recovery<files>(fs(), root_, sync::replay_journal(opened.records).value()).run();
    }

    sync::disk_result materialise(std::vector<sync::disk_action> actions) {
        return sync::materialiser<files, journal_type>(fs(), *journal_, {root_, std::move(actions), ++nonce_}).run();
    }
    sync::scan_result<files::directory> scan(const sync::local_tree& local, std::vector<sync::scan_target> targets,
                                             const std::function<void(sync::scan_request&)>& change = {}) {
        sync::scan_request request;
        request.root = root_;
        request.local = local;
        request.targets = std::move(targets);
        request.inline_max = 1 << 20;
        if (change) change(request);
        return sync::scanner<files>(fs(), std::move(request)).run();
    }
    /// All differences, looked for as the node does: directories that were found are looked into.
    std::vector<sync::finding> scan_all(const sync::local_tree& local, bool settled = true) {
        std::vector<sync::finding> all;
        std::vector<sync::scan_target> next{{"", true, true, settled}};
        for (int round = 0; round < 50 && !next.empty(); ++round) {
            auto result = scan(local, std::exchange(next, {}));
            REQUIRE_FALSE(result.root_error);
            for (auto& f : result.findings) all.push_back(std::move(f));
            for (const auto& d : result.directories) next.push_back({d.path, true, true, settled});
            for (auto& t : result.rest) next.push_back(std::move(t));
        }
        return all;
    }
    /// The record of what stands at a path now, as a look that can trust its times would make it.
    sync::local_record record_at(const std::string& path, std::uint64_t n, entry_id parent = root_entry) {
        sync::local_record r;
        r.id = id(n);
        r.where = {parent, sync::split_path(path).name};
        r.disk = status(path);
        r.type = sync::entry_type_of(r.disk.type);
        r.mode = r.type == folder::entry_type::symlink ? 0 : r.disk.mode;
        r.mtime_ns = r.type == folder::entry_type::file ? r.disk.mtime_ns : 0;
        r.content_version = r.placement_version = log_index(n);
        if (r.type == folder::entry_type::directory) return r;
        const auto inode = disk().find("/r/" + path);
        r.hash = sha256(inode->content);
        r.size = inode->content.size();
        return r;
    }

private:
    static constexpr std::uint64_t user = sim::sim_disk::user;

    sim::sim_disk::fd open(const std::string& path) { return disk().open_directory(user, path).value(); }

    template <class F>
    void at(const std::string& path, F f) {
        const sync::split_path split(path);
        const auto dir = open(split.parent.empty() ? "/r" : "/r/" + split.parent);
        f(dir, split.name);
        disk().close(dir);
    }

    void walk(const sim::inode_ptr& dir, const std::string& prefix, std::map<std::string, std::string>& found) {
        for (const auto& [name, inode] : dir->entries) {
            if (prefix.empty() && name == sync::control_directory) continue;
            const char* type = inode->is_directory() ? "directory" : inode->type == file_type::symlink ? "link" : "file";
            char mode[8];
            std::snprintf(mode, sizeof mode, "%04o", inode->type == file_type::symlink ? 0 : inode->mode);
            found[prefix + name] = std::string(type) + " " + mode + " " + std::string(as_text(inode->content));
            if (inode->is_directory()) walk(inode, prefix + name + "/", found);
        }
    }

    void sync_directory(const std::string& path) {
        const auto dir = open(path);
        REQUIRE(disk().sync_directory(dir));
        disk().close(dir);
    }
    void sync_below(const std::string& path) {
        const auto dir = open(path);
        for (const auto& item : disk().list(dir).value()) {
            if (item.type == file_type::directory) sync_below(path + "/" + item.name);
            if (item.type != file_type::regular) continue;
            const auto fd = disk().open_file(user, dir, item.name, open_mode::read_write, 0).value();
            REQUIRE(disk().sync(fd, true));
            disk().close(fd);
        }
        REQUIRE(disk().sync(dir, true));
        REQUIRE(disk().sync_directory(dir));
        disk().close(dir);
    }

    sim::world w_;
    sim::links cables_;
    sim::sim_network network_;
    sim::machine box_;
    sync::root_location root_{"/r", "m"};
    std::optional<journal_type> journal_;
    std::uint64_t nonce_ = 0;
};

}  // namespace sync_test
