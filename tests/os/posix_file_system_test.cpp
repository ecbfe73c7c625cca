#include <tests/catch.hpp>

#include <lockstep/os/file_error.hpp>
#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/testing/faulty_file_system.hpp>
#include <lockstep/testing/file_system_conformance.hpp>
#include <tests/os/temporary_directory.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

using namespace lockstep;
using namespace lockstep::testing;

namespace {

template <os::path_resolution How>
class posix_fixture {
public:
    using file_system = os::posix_file_system;
    file_system& fs() { return fs_; }
    std::string root() const { return directory_.path(); }
    bool make_other(const std::string& name) { return ::mkfifo((root() + "/" + name).c_str(), 0666) == 0; }

private:
    temporary_directory directory_;
    file_system fs_{How};
};

struct world {
    temporary_directory directory;
    os::posix_file_system fs;
    os::posix_file_system::directory root = fs.open_directory(directory.path()).value();

    os::posix_file_system::file open(std::string_view name, open_mode how) {
        return fs.open_file(root, name, how, 0644).value();
    }
};

}  // namespace

TEST_CASE("the file system of Linux is a file_system") {
    for (const auto& failure : check_file_system<posix_fixture<os::path_resolution::kernel>>()) FAIL_CHECK(failure);
}

TEST_CASE("without openat2 it is a file_system too") {
    for (const auto& failure : check_file_system<posix_fixture<os::path_resolution::components>>()) FAIL_CHECK(failure);
}

TEST_CASE("the umask plays no part") {
    const mode_t old = ::umask(0077);
    world w;
    (void)w.fs.open_file(w.root, "f", open_mode::create_new, 0666);
    (void)w.fs.make_directory(w.root, "d", 0777);
    ::umask(old);
    CHECK(w.fs.status_at(w.root, "f")->mode == 0666);
    CHECK(w.fs.status_at(w.root, "d")->mode == 0777);
}

TEST_CASE("a socket is not opened as a file") {
    world w;
    const os::descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (w.directory.path() + "/s").c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(w.fs.open_file(w.root, "s", open_mode::read, 0).error() == errc::unsupported);
    CHECK(w.fs.open_file(w.root, "s", open_mode::read_write, 0).error() == errc::unsupported);
}

TEST_CASE("a shared mapping is a writer, after its descriptor is closed too") {
    world w;
    auto reader = [&] {
        auto writer = w.open("f", open_mode::create_new);
        REQUIRE(w.fs.resize(writer, 4096).has_value());
        return w.open("f", open_mode::read);
    }();
    const auto none = w.fs.has_writers(reader);
    if (!none) return;  // this process may not lease here
    CHECK_FALSE(*none);
    void* mapped = MAP_FAILED;
    {
        const auto writer = w.open("f", open_mode::read_write);
        mapped = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, writer.native_handle(), 0);
    }
    REQUIRE(mapped != MAP_FAILED);
    CHECK(w.fs.has_writers(reader).value());
    ::munmap(mapped, 4096);
    CHECK_FALSE(w.fs.has_writers(reader).value());
}

TEST_CASE("asking for writers leaves no lease behind, and needs a descriptor that only reads") {
    world w;
    auto writer = w.open("f", open_mode::create_new);
    CHECK(w.fs.has_writers(writer).error() == errc::unsupported);
    auto reader = w.open("f", open_mode::read);
    (void)w.fs.has_writers(reader);
    CHECK(::fcntl(reader.native_handle(), F_GETLEASE) == F_UNLCK);
}

TEST_CASE("too many open files is told as such, and costs nothing") {
    world w;
    (void)w.open("f", open_mode::create_new);
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    rlimit few = old;
    few.rlim_cur = 0;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    const auto opened = w.fs.open_file(w.root, "f", open_mode::read, 0);
    const auto made = w.fs.open_file(w.root, "g", open_mode::create_new, 0644);
    const auto listed = w.fs.list(w.root);
    const auto directory = w.fs.open_directory_at(w.root, "");
    ::setrlimit(RLIMIT_NOFILE, &old);
    CHECK(opened.error() == errc::too_many_open_files);
    CHECK(made.error() == errc::too_many_open_files);
    CHECK_FALSE(listed.has_value());
    CHECK(directory.error() == errc::too_many_open_files);
    CHECK(w.fs.status_at(w.root, "g").error() == errc::not_found);
    CHECK(w.fs.list(w.root)->size() == 1);
}

TEST_CASE("what an errno means") {
    using os::file_error;
    CHECK_FALSE(file_error(0));
    CHECK(file_error(ENOSPC) == errc::no_space);
    CHECK(file_error(EDQUOT) == errc::no_space);
    CHECK(file_error(EIO) == errc::io_error);
    CHECK(file_error(EMFILE) == errc::too_many_open_files);
    CHECK(file_error(ENFILE) == errc::too_many_open_files);
    CHECK(file_error(ELOOP) == errc::symlink_in_path);
    CHECK(file_error(EXDEV) == errc::cross_device);
    CHECK(file_error(EROFS) == errc::read_only);
    CHECK(file_error(EACCES) == errc::permission_denied);
    CHECK(file_error(EPERM) == errc::permission_denied);
    CHECK(file_error(ENOSYS) == errc::unsupported);
    CHECK(file_error(12345) == errc::other);
}

TEST_CASE("a device is not opened as a file") {
    os::posix_file_system fs;
    auto dev = fs.open_directory("/dev");
    REQUIRE(dev.has_value());
    CHECK(fs.open_file(*dev, "full", open_mode::read_write, 0).error() == errc::unsupported);
}

TEST_CASE("one handle's listing does not disturb another's, and many threads may use the file system") {
    world w;
    for (int i = 0; i < 300; ++i) (void)w.open("f" + std::to_string(i), open_mode::create_new);
    std::vector<std::thread> threads;
    std::vector<std::size_t> counts(4);
    for (auto& count : counts) {
        threads.emplace_back([&] {
            auto mine = w.fs.open_directory_at(w.root, "");
            for (int i = 0; i < 20 && mine; ++i) {
                const auto items = w.fs.list(*mine);
                if (items && items->size() == 300) ++count;
            }
        });
    }
    for (auto& t : threads) t.join();
    for (const auto count : counts) CHECK(count == 20);
}

TEST_CASE("the faulty file system is a file_system while nothing fails") {
    class fixture {
    public:
        using file_system = faulty_file_system<os::posix_file_system>;
        file_system& fs() { return fs_; }
        std::string root() const { return directory_.path(); }

    private:
        temporary_directory directory_;
        os::posix_file_system base_;
        file_system fs_{base_};
    };
    for (const auto& failure : check_file_system<fixture>()) FAIL_CHECK(failure);
}
