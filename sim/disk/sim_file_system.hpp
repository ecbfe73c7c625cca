// The `file_system` of one incarnation of a simulated node, over its machine's disk. Before each call the world may act:
// run a user's edit, or crash the node; from then on every call answers errc::halted and changes nothing.
#pragma once

#include <sim/disk/disk_damage.hpp>
#include <sim/disk/sim_disk.hpp>

namespace lockstep::sim {

enum class fs_call : std::uint8_t {
    open_directory, open_directory_at, list, status, make_directory, remove_directory, remove_file, make_symlink,
    read_symlink, rename, sync_directory, set_attributes, lock_file, open_file, read, write, resize, sync_file,
};

inline bool is_any(fs_call) noexcept { return true; }
inline bool is_write(fs_call c) noexcept { return c == fs_call::write; }
inline bool is_sync(fs_call c) noexcept { return c == fs_call::sync_directory || c == fs_call::sync_file; }
inline bool changes(fs_call c) noexcept {
    switch (c) {
        case fs_call::open_directory: case fs_call::open_directory_at: case fs_call::list: case fs_call::status:
        case fs_call::read_symlink: case fs_call::read: return false;
        default: return true;
    }
}

/// What may happen at a call. Returns the error that the call shall give instead of being made, or none.
using call_hook = unique_function<error_code(fs_call)>;

class sim_file_system {
    /// A descriptor of this incarnation's.
    class handle {
    public:
        handle(handle&& other) noexcept : disk_(other.disk_), who_(std::move(other.who_)), fd_(std::exchange(other.fd_, 0)) {}
        handle& operator=(handle&& other) noexcept {
            if (this == &other) return *this;
            close();
            disk_ = other.disk_;
            who_ = std::move(other.who_);
            fd_ = std::exchange(other.fd_, 0);
            return *this;
        }
        ~handle() { close(); }
        sim_disk::fd native_handle() const noexcept { return fd_; }

    protected:
        friend class sim_file_system;
        friend class sim_kernel_events;
        handle(sim_disk& disk, life who, sim_disk::fd f) : disk_(&disk), who_(std::move(who)), fd_(f) {}
        void close() noexcept {
            if (fd_ != 0 && who_->alive) {
                const auto acting = disk_->act_as(who_->number);
                disk_->close(fd_);
            }
            fd_ = 0;
        }
        sim_disk* disk_;
        life who_;
        sim_disk::fd fd_;
    };

public:
    struct directory : handle { using handle::handle; };
    struct file : handle { using handle::handle; };
    struct lock : handle { using handle::handle; };

    /// `damage`: what the disk does to what the node keeps; null: nothing.
    sim_file_system(world& w, sim_disk& disk, life who, call_hook& hook, disk_damage* damage = nullptr)
        : world_(w), disk_(disk), who_(std::move(who)), hook_(hook), damage_(damage) {}
    sim_file_system(const sim_file_system&) = delete;
    sim_file_system& operator=(const sim_file_system&) = delete;

    /// The last name in a directory that the program named: what it is at work on.
    const std::pair<sim_disk::fd, std::string>& at_hand() const noexcept { return at_hand_; }

    result<directory> open_directory(const std::string& path) {
        return opened<directory>(fs_call::open_directory, path, [&] { return disk_.open_directory(owner(), path); });
    }
    result<directory> open_directory_at(const directory& d, std::string_view path) {
        return opened<directory>(fs_call::open_directory_at, path,
                                 [&] { return disk_.open_directory_at(owner(), d.fd_, path); });
    }
    result<file> open_file(const directory& d, std::string_view name, open_mode om, std::uint32_t mode) {
        at_hand_ = {d.fd_, std::string(name)};
        return opened<file>(fs_call::open_file, name, [&] { return disk_.open_file(owner(), d.fd_, name, om, mode); });
    }
    result<lock> lock_file(const directory& d, std::string_view name) {
        return opened<lock>(fs_call::lock_file, name, [&] { return disk_.lock_file(owner(), d.fd_, name); });
    }

    result<std::vector<directory_item>> list(const directory& d) {
        return call(fs_call::list, {}, [&] { return disk_.list(d.fd_); });
    }
    result<file_status> status(const directory& d) { return call(fs_call::status, {}, [&] { return disk_.status(d.fd_); }); }
    result<file_status> status(const file& f) { return call(fs_call::status, {}, [&] { return disk_.status(f.fd_); }); }
    result<file_status> status_at(const directory& d, std::string_view name) {
        return call_at(fs_call::status, d, name, [&] { return disk_.status_at(d.fd_, name); });
    }
    result<> make_directory(const directory& d, std::string_view name, std::uint32_t mode) {
        return call_at(fs_call::make_directory, d, name, [&] { return disk_.make_directory(d.fd_, name, mode); });
    }
    result<> remove_directory(const directory& d, std::string_view name) {
        return call_at(fs_call::remove_directory, d, name, [&] { return disk_.remove_directory(d.fd_, name); });
    }
    result<> remove_file(const directory& d, std::string_view name) {
        return call_at(fs_call::remove_file, d, name, [&] { return disk_.remove_file(d.fd_, name); });
    }
    result<> make_symlink(const directory& d, std::string_view name, std::string_view target) {
        return call_at(fs_call::make_symlink, d, name, [&] { return disk_.make_symlink(d.fd_, name, target); });
    }
    result<std::string> read_symlink(const directory& d, std::string_view name) {
        return call_at(fs_call::read_symlink, d, name, [&] { return disk_.read_symlink(d.fd_, name); });
    }
    result<> rename(const directory& from, std::string_view name, const directory& to, std::string_view new_name,
                    rename_mode how) {
        return call_at(fs_call::rename, to, new_name, [&]() -> result<> {
            if (disk_.denies(from.fd_)) return make_error_code(errc::permission_denied);
            return disk_.rename(from.fd_, name, to.fd_, new_name, how);
        });
    }
    result<> sync_directory(const directory& d) {
        return call(fs_call::sync_directory, {}, [&] { return disk_.sync_directory(d.fd_); });
    }
    result<> set_mode(const directory& d, std::uint32_t mode) { return set_mode_of(d, mode); }
    result<> set_mode(const file& f, std::uint32_t mode) { return set_mode_of(f, mode); }
    result<> set_directory_mode_at(const directory& d, std::string_view name, std::uint32_t mode) {
        return call_at(fs_call::set_attributes, d, name, [&]() -> result<> {
            const auto found = disk_.status_at(d.fd_, name);
            if (!found) return found.error();
            if (found->type != file_type::directory) return make_error_code(errc::not_a_directory);
            const auto fd = disk_.open_directory_at(owner(), d.fd_, name);
            if (!fd) return fd.error();
            const auto set = disk_.set_mode(*fd, mode);
            disk_.close(*fd);
            return set;
        });
    }
    result<> set_mtime(const directory& d, std::int64_t ns) { return set_mtime_of(d, ns); }
    result<> set_mtime(const file& f, std::int64_t ns) { return set_mtime_of(f, ns); }
    result<> set_symlink_mtime(const directory& d, std::string_view name, std::int64_t ns) {
        return call_at(fs_call::set_attributes, d, name, [&] { return disk_.set_mtime_at(d.fd_, name, ns); });
    }
    result<std::uint64_t> available_bytes(const directory&) {
        return call(fs_call::status, {}, [&] { return result<std::uint64_t>(disk_.available_bytes()); });
    }
    std::string boot_id() const { return std::to_string(disk_.power_losses()); }
    std::int64_t clock_ns() const { return disk_.clock_ns(); }

    result<std::size_t> read_at(const file& f, std::uint64_t at, std::span<std::byte> out) {
        return call(fs_call::read, {}, [&] {
            const auto got = disk_.read_at(f.fd_, at, out);
            if (got && damage_) damage_->was_read(disk_.inode_of(f.fd_), at, out.first(*got));
            return got;
        });
    }
    result<> write_at(file& f, std::uint64_t at, byte_view in) {
        if (world_tracing(in)) world_.trace(trace_kind::fs_call, who_->node, checksum(in, at));
        return call(fs_call::write, {}, [&] {
            const auto stays = damage_ ? damage_->leads_astray(disk_.inode_of(f.fd_), at, in) : std::nullopt;
            const auto written = disk_.write_at(f.fd_, at, in);
            if (written && stays) disk_.inode_of(f.fd_)->alter(at, *stays);
            return written;
        });
    }
    result<> resize(file& f, std::uint64_t size) {
        return call(fs_call::resize, {}, [&] { return disk_.resize(f.fd_, size); });
    }
    result<> sync_data(file& f) { return sync_of(f, false); }
    result<> sync_file(file& f) { return sync_of(f, true); }
    result<bool> has_writers(const file& f) {
        return call(fs_call::status, {}, [&] { return disk_.has_writers(f.fd_); });
    }

private:
    std::uint64_t owner() const noexcept { return who_->number; }
    /// Preallocation is big and zero: its bytes tell nothing.
    static bool world_tracing(byte_view in) noexcept { return in.size() <= (std::size_t{1} << 16); }

    /// The one way in: the world acts first, then the call happens if this incarnation still lives.
    error_code enter(fs_call c, std::string_view name) {
        if (!who_->alive) return make_error_code(errc::halted);
        world_.trace(trace_kind::fs_call, who_->node, checksum(as_bytes(name), static_cast<std::uint64_t>(c)));
        const error_code instead = hook_ ? hook_(c) : error_code{};
        return who_->alive ? instead : make_error_code(errc::halted);
    }

    template <class F>
    auto call(fs_call c, std::string_view name, F f) -> std::invoke_result_t<F&> {
        if (const error_code stop = enter(c, name)) return {boost::system::in_place_error, stop};
        const auto acting = disk_.act_as(owner());
        return f();
    }

    /// Of a name in a directory.
    template <class F>
    auto call_at(fs_call c, const directory& d, std::string_view name, F f) -> std::invoke_result_t<F&> {
        at_hand_ = {d.fd_, std::string(name)};
        return call(c, name, [&]() -> std::invoke_result_t<F&> {
            if (disk_.denies(d.fd_)) return make_error_code(errc::permission_denied);
            return f();
        });
    }

    template <class Handle, class F>
    result<Handle> opened(fs_call c, std::string_view name, F f) {
        auto fd = call(c, name, std::move(f));
        if (!fd) return fd.error();
        return Handle(disk_, who_, *fd);
    }

    result<> set_mode_of(const handle& h, std::uint32_t mode) {
        return call(fs_call::set_attributes, {}, [&] { return disk_.set_mode(h.fd_, mode); });
    }
    result<> set_mtime_of(const handle& h, std::int64_t ns) {
        return call(fs_call::set_attributes, {}, [&] { return disk_.set_mtime(h.fd_, ns); });
    }

    result<> sync_of(file& f, bool attributes) {
        if (const error_code stop = enter(fs_call::sync_file, {})) {
            if (who_->alive && stop == errc::io_error) return disk_.sync_failing(f.fd_);
            return stop;
        }
        return disk_.sync(f.fd_, attributes);
    }

    world& world_;
    sim_disk& disk_;
    life who_;
    call_hook& hook_;
    std::pair<sim_disk::fd, std::string> at_hand_;
    disk_damage* damage_;
};

static_assert(file_system<sim_file_system>);

}  // namespace lockstep::sim
