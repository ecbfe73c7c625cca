// A `file_system` over another one whose calls fail, or cease, when the test says so. Syncs are counted but not made:
// what it models is a process that dies, or a disk that answers with errors, not a loss of power.
#pragma once

#include <lockstep/concepts/file_system.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lockstep::testing {

template <file_system Base>
class faulty_file_system {
public:
    using directory = typename Base::directory;
    using file = typename Base::file;
    using lock = typename Base::lock;

    explicit faulty_file_system(Base& base) : base_(base) {}
    faulty_file_system(const faulty_file_system&) = delete;
    faulty_file_system& operator=(const faulty_file_system&) = delete;

    // --- for tests ---

    /// Calls made so far, of any kind.
    std::uint64_t calls() const noexcept { return calls_; }
    std::uint64_t writes() const noexcept { return writes_; }
    std::uint64_t syncs() const noexcept { return syncs_; }

    /// Call number `n` (calls() + 1 is the next) and all later ones answer `halted` and change nothing; if that call is
    /// a write, its first `torn` bytes get written.
    void crash_at(std::uint64_t n, std::size_t torn = 0) noexcept {
        crash_at_ = n;
        torn_ = torn;
    }
    bool crashed() const noexcept { return calls_ >= crash_at_; }

    /// Call number `n` answers `error` and does nothing, but for the first `torn` bytes of a write.
    void fail_at(std::uint64_t n, error_code error, std::size_t torn = 0) noexcept {
        fail_at_ = n;
        error_ = error;
        torn_ = torn;
    }
    /// Every write and resize answers `error` from now on; none: they work again.
    void fail_writes(error_code error) noexcept { write_error_ = error; }
    /// The same of every sync.
    void fail_syncs(error_code error) noexcept { sync_error_ = error; }

    // --- the concept ---

    result<directory> open_directory(const std::string& path) {
        return call([&] { return base_.open_directory(path); });
    }
    result<directory> open_directory_at(directory& dir, std::string_view path) {
        return call([&] { return base_.open_directory_at(dir, path); });
    }
    result<std::vector<directory_item>> list(directory& dir) { return call([&] { return base_.list(dir); }); }
    result<file_status> status(directory& dir) { return call([&] { return base_.status(dir); }); }
    result<file_status> status_at(directory& dir, std::string_view name) {
        return call([&] { return base_.status_at(dir, name); });
    }
    result<> make_directory(directory& dir, std::string_view name, std::uint32_t mode) {
        return call([&] { return base_.make_directory(dir, name, mode); });
    }
    result<> remove_directory(directory& dir, std::string_view name) {
        return call([&] { return base_.remove_directory(dir, name); });
    }
    result<> remove_file(directory& dir, std::string_view name) {
        return call([&] { return base_.remove_file(dir, name); });
    }
    result<> make_symlink(directory& dir, std::string_view name, std::string_view target) {
        return call([&] { return base_.make_symlink(dir, name, target); });
    }
    result<std::string> read_symlink(directory& dir, std::string_view name) {
        return call([&] { return base_.read_symlink(dir, name); });
    }
    result<> rename(directory& from, std::string_view name, directory& to, std::string_view new_name, rename_mode how) {
        return call([&] { return base_.rename(from, name, to, new_name, how); });
    }
    result<> sync_directory(directory&) { return call([&] { return synced(); }); }
    result<> set_mode(directory& dir, std::uint32_t mode) { return call([&] { return base_.set_mode(dir, mode); }); }
    result<> set_directory_mode_at(directory& dir, std::string_view name, std::uint32_t mode) {
        return call([&] { return base_.set_directory_mode_at(dir, name, mode); });
    }
    result<> set_mtime(directory& dir, std::int64_t ns) { return call([&] { return base_.set_mtime(dir, ns); }); }
    result<> set_symlink_mtime(directory& dir, std::string_view name, std::int64_t ns) {
        return call([&] { return base_.set_symlink_mtime(dir, name, ns); });
    }
    result<std::uint64_t> available_bytes(directory& dir) { return call([&] { return base_.available_bytes(dir); }); }
    std::string boot_id() { return base_.boot_id(); }
    std::int64_t clock_ns() { return base_.clock_ns(); }
    result<lock> lock_file(directory& dir, std::string_view name) {
        return call([&] { return base_.lock_file(dir, name); });
    }

    result<file> open_file(directory& dir, std::string_view name, open_mode how, std::uint32_t mode) {
        return call([&] { return base_.open_file(dir, name, how, mode); });
    }
    result<file_status> status(file& f) { return call([&] { return base_.status(f); }); }
    result<std::size_t> read_at(file& f, std::uint64_t at, std::span<std::byte> out) {
        return call([&] { return base_.read_at(f, at, out); });
    }
    result<> write_at(file& f, std::uint64_t at, byte_view in) {
        ++writes_;
        const bool fails = calls_ + 1 == crash_at_ || calls_ + 1 == fail_at_;
        if (fails && torn_ != 0) (void)base_.write_at(f, at, in.first(std::min(torn_, in.size())));
        return call([&] { return write_error_ ? result<>(write_error_) : base_.write_at(f, at, in); });
    }
    result<> resize(file& f, std::uint64_t size) {
        return call([&] { return write_error_ ? result<>(write_error_) : base_.resize(f, size); });
    }
    result<> sync_data(file&) { return call([&] { return synced(); }); }
    result<> sync_file(file&) { return call([&] { return synced(); }); }
    result<> set_mode(file& f, std::uint32_t mode) { return call([&] { return base_.set_mode(f, mode); }); }
    result<> set_mtime(file& f, std::int64_t ns) { return call([&] { return base_.set_mtime(f, ns); }); }
    result<bool> has_writers(file& f) { return call([&] { return base_.has_writers(f); }); }

private:
    result<> synced() {
        ++syncs_;
        return sync_error_ ? result<>(sync_error_) : result<>();
    }

    template <class F>
    auto call(F f) -> std::invoke_result_t<F&> {
        using answer = std::invoke_result_t<F&>;
        ++calls_;
        if (calls_ >= crash_at_) return answer(boost::system::in_place_error, make_error_code(errc::halted));
        if (calls_ == fail_at_) return answer(boost::system::in_place_error, error_);
        return f();
    }

    Base& base_;
    std::uint64_t calls_ = 0;
    std::uint64_t writes_ = 0;
    std::uint64_t syncs_ = 0;
    std::uint64_t crash_at_ = std::numeric_limits<std::uint64_t>::max();
    std::size_t torn_ = 0;
    std::uint64_t fail_at_ = 0;
    error_code error_;
    error_code write_error_;
    error_code sync_error_;
};

}  // namespace lockstep::testing
