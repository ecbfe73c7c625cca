// Random operations on the simulated file system and, beside it, on the real kernel: they must agree in errors, statuses,
// trees, modification times and the events that inotify gives, or the simulator proves nothing.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/os/file_error.hpp>
#include <lockstep/os/posix_file_system.hpp>

#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

constexpr std::int64_t untouched_ns = 1'000'000'000;

/// What users do and no node: another name for a file.
result<> make_hard_link(sim_disk&, os::posix_file_system::directory& from, const std::string& name, os::posix_file_system::directory& to,
                        const std::string& new_name) {
    if (::linkat(from.native_handle(), name.c_str(), to.native_handle(), new_name.c_str(), 0) == 0) return {};
    return os::file_error(errno);
}
result<> make_hard_link(sim_disk& disk, sim_file_system::directory& from, const std::string& name, sim_file_system::directory& to,
                        const std::string& new_name) {
    return disk.make_hard_link(from.native_handle(), name, to.native_handle(), new_name);
}

/// One file system under test; every answer becomes text.
template <class FileSystem>
class replayer {
public:
    /// `disk`: of the simulated one.
    replayer(FileSystem& fs, sim_disk& disk, const std::string& root) : fs_(fs), disk_(disk), root_(fs.open_directory(root).value()) {}

    /// What one operation answers. `draw` gives the same numbers to both sides.
    std::string operate(random_generator draw) {
        const auto what = draw.below(27);
        const std::string path = some_path(draw), to = some_path(draw);
        const std::size_t slot = draw.below(3);
        const auto at = draw.below(40);
        const auto how = static_cast<rename_mode>(draw.below(3));
        const auto mode = static_cast<std::uint32_t>(draw.below(2) ? 0640 : 0755);
        const std::string text(1 + draw.below(30), static_cast<char>('a' + draw.below(26)));
        auto dir = open_above(path);
        if (!dir) return "above: " + dir.error().message();
        const std::string name = last(path);
        switch (what) {
            case 0: case 1: return keep(files_[slot], fs_.open_file(*dir, name, open_mode::create_or_open, mode));
            case 2: return keep(files_[slot], fs_.open_file(*dir, name, open_mode::create_new, mode));
            case 3: return keep(files_[slot], fs_.open_file(*dir, name, open_mode::read, mode));
            case 4: return keep(files_[slot], fs_.open_file(*dir, name, open_mode::read_write, mode));
            case 5: case 6: return with(slot, [&](auto& f) { return say(fs_.write_at(f, at, as_bytes(text))); });
            case 7: return with(slot, [&](auto& f) { return say(fs_.resize(f, at)); });
            case 8: return with(slot, [&](auto& f) { return say(fs_.set_mode(f, mode)); });
            case 9: return with(slot, [&](auto& f) { return say(fs_.set_mtime(f, untouched_ns * 7)); });
            case 10: return with(slot, [&](auto& f) { return read(f); });
            case 11: return with(slot, [&](auto& f) { return say_status(fs_.status(f)); });
            case 12: return with(slot, [&](auto& f) {
                const auto writers = fs_.has_writers(f);
                return writers ? std::string(*writers ? "writers" : "none") : writers.error().message();
            });
            case 13: case 14: return say(fs_.make_directory(*dir, name, mode));
            case 15: return say(fs_.remove_directory(*dir, name));
            case 16: return say(fs_.remove_file(*dir, name));
            case 17: return say(fs_.make_symlink(*dir, name, draw.below(9) ? to : ""));
            case 18: {
                auto target = fs_.read_symlink(*dir, name);
                return target ? *target : target.error().message();
            }
            case 19: return say_status(fs_.status_at(*dir, name));
            case 20: files_[slot].reset(); return "closed";
            case 21: {
                auto opened = fs_.open_directory_at(root_, path);
                if (!opened) return opened.error().message();
                directories_[slot % 2].emplace(std::move(*opened));
                return "kept";
            }
            case 22: {
                if (!directories_[slot % 2]) return "none";
                auto& held = *directories_[slot % 2];
                const std::string said = say(fs_.make_directory(held, name, mode)) + say(fs_.set_mode(held, 0755));
                if (slot == 2) directories_[slot % 2].reset();
                return said;
            }
            default: {
                auto other = open_above(to);
                if (!other) return "other: " + other.error().message();
                const bool bad_name = last(path).size() > 200 || last(to).size() > 200 || last(path) == ".." || last(to) == "..";
                if (what > 24) return bad_name ? "no name" : say(make_hard_link(disk_, *dir, name, *other, last(to)));
                return say(fs_.rename(*dir, name, *other, last(to), how));
            }
        }
    }

    /// The tree as text: inodes by the order of their first name.
    std::string dump() {
        std::map<std::uint64_t, std::size_t> known;
        return dump(root_, "", known);
    }

    /// Makes all modification times the same, to see which ones the next operation touches.
    void mark_times(const typename FileSystem::directory& at) {
        for (const auto& item : sorted(at)) {
            if (item.type == file_type::directory) mark_times(fs_.open_directory_at(at, item.name).value());
            REQUIRE(fs_.set_symlink_mtime(at, item.name, untouched_ns));
        }
    }
    const typename FileSystem::directory& root() const { return root_; }

private:
    static std::string some_path(random_generator& draw) {
        std::string path(1, static_cast<char>('a' + draw.below(4)));
        for (auto more = draw.below(3); more > 0; --more) {
            path += '/';
            path += static_cast<char>('a' + draw.below(4));
        }
        if (draw.one_in(60)) path += draw.one_in(2) ? "/.." : "/" + std::string(256, 'x');
        return path;
    }
    static std::string last(const std::string& path) { return path.substr(path.rfind('/') + 1); }
    auto open_above(const std::string& path) {
        const auto slash = path.rfind('/');
        return fs_.open_directory_at(root_, slash == path.npos ? "" : path.substr(0, slash));
    }
    static std::string say(const result<>& r) { return r ? "ok" : r.error().message(); }

    template <class Handle>
    static std::string keep(std::optional<Handle>& slot, result<Handle> opened) {
        if (!opened) return opened.error().message();
        slot.emplace(std::move(*opened));
        return "opened";
    }
    template <class F>
    std::string with(std::size_t slot, F f) {
        return files_[slot] ? f(*files_[slot]) : "no file";
    }
    std::string read(typename FileSystem::file& f) {
        std::array<std::byte, 64> out{};
        const auto got = fs_.read_at(f, 0, out);
        return got ? std::string(as_text(out).substr(0, *got)) : got.error().message();
    }
    static std::string say_status(const result<file_status>& r) {
        if (!r) return r.error().message();
        const file_status& s = *r;
        std::string text = std::to_string(static_cast<int>(s.type)) + " mode " + std::to_string(s.mode);
        if (s.type != file_type::directory) text += " size " + std::to_string(s.size) + " links " + std::to_string(s.links);
        if (s.mtime_ns <= untouched_ns * 7) text += " mtime " + std::to_string(s.mtime_ns);
        return text;
    }
    auto sorted(const typename FileSystem::directory& at) {
        auto items = fs_.list(at).value();
        std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        return items;
    }
    std::string dump(const typename FileSystem::directory& at, const std::string& path,
                     std::map<std::uint64_t, std::size_t>& known) {
        std::string text;
        for (const auto& item : sorted(at)) {
            const auto status = fs_.status_at(at, item.name);
            const auto number = known.emplace(item.inode, known.size()).first->second;
            REQUIRE(status->inode == item.inode);
            REQUIRE(status->type == item.type);
            text += path + "/" + item.name + " #" + std::to_string(number) + " " + say_status(status);
            if (item.type == file_type::regular) {
                auto file = fs_.open_file(at, item.name, open_mode::read, 0);
                text += " " + read(*file);
            }
            text += "\n";
            if (item.type == file_type::directory)
                text += dump(fs_.open_directory_at(at, item.name).value(), path + "/" + item.name, known);
        }
        return text;
    }

    FileSystem& fs_;
    sim_disk& disk_;
    typename FileSystem::directory root_;
    std::array<std::optional<typename FileSystem::file>, 3> files_;
    std::array<std::optional<typename FileSystem::directory>, 2> directories_;
};

struct temporary_directory {
    temporary_directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "lockstep-replay-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::string path;
};

/// A simulated machine without a program, for its file system alone.
struct simulated {
    explicit simulated(std::uint64_t seed) : w(seed), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1), large()) {
        box.set_program([](node_system&) { return std::make_shared<int>(0); });
        REQUIRE(box.start());
    }
    static machine_options large() {
        machine_options options;
        options.kernel_events.queue_max = options.kernel_events.read_max = 100'000;
        return options;
    }
    world w;
    links cables;
    sim_network network;
    machine box;
};

/// What inotify says of directories, with the watches in the order in which they were added.
class real_events {
public:
    real_events() : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) { REQUIRE(fd_ >= 0); }
    ~real_events() { ::close(fd_); }
    real_events(const real_events&) = delete;
    real_events& operator=(const real_events&) = delete;

    watch_id add(const os::posix_file_system::directory& dir) {
        const std::string path = "/proc/self/fd/" + std::to_string(dir.native_handle());
        const int wd = ::inotify_add_watch(fd_, path.c_str(),
                                           IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
                                               IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF);
        REQUIRE(wd > 0);
        return wd;
    }
    std::vector<kernel_event> read() {
        std::vector<kernel_event> events;
        alignas(inotify_event) std::array<char, 65536> buffer;
        for (ssize_t n = 0; (n = ::read(fd_, buffer.data(), buffer.size())) > 0;) {
            for (ssize_t at = 0; at < n;) {
                inotify_event e;
                std::memcpy(&e, buffer.data() + at, sizeof e);
                const char* name = buffer.data() + at + sizeof e;
                events.push_back({e.wd, kind_of(e.mask), (e.mask & IN_ISDIR) != 0, e.cookie, e.len ? name : ""});
                at += static_cast<ssize_t>(sizeof e + e.len);
            }
        }
        return events;
    }

private:
    static event_kind kind_of(std::uint32_t mask) {
        const std::pair<std::uint32_t, event_kind> kinds[] = {
            {IN_CREATE, event_kind::created}, {IN_MODIFY, event_kind::modified}, {IN_CLOSE_WRITE, event_kind::closed_write},
            {IN_ATTRIB, event_kind::attributes}, {IN_MOVED_FROM, event_kind::moved_from}, {IN_MOVED_TO, event_kind::moved_to},
            {IN_DELETE, event_kind::removed}, {IN_DELETE_SELF, event_kind::self_removed}, {IN_MOVE_SELF, event_kind::self_moved},
            {IN_IGNORED, event_kind::ignored}};
        for (const auto& [bit, kind] : kinds)
            if (mask & bit) return kind;
        return event_kind::overflow;
    }
    int fd_;
};

/// Events as text; cookies and watches by their order, and "is a directory" only where a name has it.
template <class Numbers>
std::string say(const std::vector<kernel_event>& events, Numbers& numbers) {
    std::string text;
    std::map<std::uint32_t, std::size_t> cookies;
    for (const auto& e : events) {
        text += "watch " + std::to_string(numbers.at(e.watch)) + " kind " + std::to_string(static_cast<int>(e.kind));
        if (e.cookie) text += " cookie " + std::to_string(cookies.emplace(e.cookie, cookies.size()).first->second);
        if (!e.name.empty()) text += (e.is_directory ? " directory " : " ") + e.name;
        text += "\n";
    }
    return text;
}

/// Watches all directories below, in order of name; those watched already keep their number.
template <class FileSystem, class Events>
void watch_all(FileSystem& fs, Events& events, const typename FileSystem::directory& at, std::map<watch_id, std::size_t>& numbers) {
    numbers.emplace(events.add(at), numbers.size());
    auto items = fs.list(at).value();
    std::sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const auto& item : items)
        if (item.type == file_type::directory) watch_all(fs, events, fs.open_directory_at(at, item.name).value(), numbers);
}

struct sim_events {
    sim_kernel_events& events;
    watch_id add(const sim_file_system::directory& dir) { return events.add(dir).value(); }
};

}  // namespace

TEST_CASE("random operations give the same answers and the same tree as on the real kernel") {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        temporary_directory where;
        simulated machine(seed);
        os::posix_file_system real_fs;
        replayer real(real_fs, machine.box.disk(), where.path);
        replayer sim(machine.box.system()->file_system, machine.box.disk(), "/");
        random_generator draw(seed);
        for (int i = 0; i < 200; ++i) {
            const auto operation = draw.fork();
            const std::string expected = real.operate(operation);
            const std::string got = sim.operate(operation);
            INFO("seed " << seed << ", operation " << i);
            REQUIRE(got == expected);
            REQUIRE(sim.dump() == real.dump());
            machine.w.run_until(machine.w.now() + std::chrono::milliseconds(10));
        }
    }
}

TEST_CASE("operations touch the same modification times as on the real kernel") {
    for (std::uint64_t seed = 100; seed < 115; ++seed) {
        temporary_directory where;
        simulated machine(seed);
        os::posix_file_system real_fs;
        replayer real(real_fs, machine.box.disk(), where.path);
        replayer sim(machine.box.system()->file_system, machine.box.disk(), "/");
        random_generator draw(seed);
        for (int i = 0; i < 120; ++i) {
            real.mark_times(real.root());
            sim.mark_times(sim.root());
            const auto operation = draw.fork();
            const std::string expected = real.operate(operation);
            INFO("seed " << seed << ", operation " << i);
            REQUIRE(sim.operate(operation) == expected);
            REQUIRE(sim.dump() == real.dump());
        }
    }
}

TEST_CASE("random operations give the same events as inotify") {
    for (std::uint64_t seed = 200; seed < 230; ++seed) {
        temporary_directory where;
        simulated machine(seed);
        os::posix_file_system real_fs;
        sim_file_system& sim_fs = machine.box.system()->file_system;
        replayer real(real_fs, machine.box.disk(), where.path);
        replayer sim(sim_fs, machine.box.disk(), "/");
        real_events kernel;
        sim_events simulated_kernel{machine.box.system()->kernel_events};
        REQUIRE(simulated_kernel.events.start([] {}));
        std::map<watch_id, std::size_t> real_numbers, sim_numbers;
        random_generator draw(seed);
        for (int i = 0; i < 150; ++i) {
            watch_all(real_fs, kernel, real.root(), real_numbers);
            watch_all(sim_fs, simulated_kernel, sim.root(), sim_numbers);
            const auto operation = draw.fork();
            const std::string expected = real.operate(operation);
            INFO("seed " << seed << ", operation " << i << ": " << expected);
            REQUIRE(sim.operate(operation) == expected);
            REQUIRE(say(simulated_kernel.events.read(), sim_numbers) == say(kernel.read(), real_numbers));
        }
    }
}
