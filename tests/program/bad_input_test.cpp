// What a user may get wrong: one clear line, a failure, and nothing lost or half started.
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>

#include <tests/program/process.hpp>

using namespace program_test;
namespace fs = std::filesystem;

namespace {

/// A right command line for `dir`, but for what is replaced.
arguments run_with(const std::string& dir, const std::string& option = {}, const std::string& value = {}) {
    arguments all{"run", "--id", "1", "--dir", dir, "--listen", free_address(), "--admin", free_address()};
    for (std::size_t i = 1; i < all.size(); i += 2)
        if (all[i] == option) return all[i + 1] = value, all;
    if (!option.empty()) all.insert(all.end(), {option, value});
    return all;
}

/// A small durable file as a later version would write it: the byte at `at` grows, and the checksum is right.
std::string of_newer_version(const std::string& bytes, std::size_t at) {
    lockstep::byte_buffer file(lockstep::as_bytes(bytes).begin(), lockstep::as_bytes(bytes).end());
    file.at(at) = static_cast<std::byte>(std::to_integer<int>(file.at(at)) + 1);
    lockstep::store_le(file.data() + 8, lockstep::checksum(lockstep::byte_view(file).subspan(16)));
    return std::string(lockstep::as_text(file));
}

}  // namespace

TEST_CASE("an unknown option is named first, whatever else is missing or wrong") {
    scratch s;
    check_refused(run(s, {"run", "--frobnicate"}), {"--frobnicate"});
    check_refused(run(s, {"run", "--id", "1", "--frobnicate=3", "--listen"}), {"unknown", "--frobnicate"});
    check_refused(run(s, {"run", "--id", "one", "--frobnicate"}), {"unknown", "--frobnicate"});
    check_refused(run(s, {"run", "--listen", "nonsense", "-x"}), {"unknown", "-x"});
    check_refused(run(s, {"status", "--frobnicate"}), {"--frobnicate"});
    check_refused(run(s, {"barrier", "--admin", "127.0.0.1:1", "stray"}), {"stray"});
    check_refused(run(s, {"frobnicate"}), {"frobnicate"});
    check_refused(run(s, {"--frobnicate", "run"}), {"--frobnicate"});
}

TEST_CASE("what is required is asked for by name") {
    scratch s;
    const auto dir = s.make("d");
    check_refused(run(s, {}), {"run", "status", "barrier"});
    check_refused(run(s, {"run"}), {"--id"});
    check_refused(run(s, {"run", "--id", "1"}), {"--dir"});
    check_refused(run(s, {"run", "--id", "1", "--dir", dir}), {"--listen"});
    check_refused(run(s, {"run", "--id", "1", "--dir", dir, "--listen", "127.0.0.1:1"}), {"--admin"});
    check_refused(run(s, {"run", "--id"}), {"--id"});
    check_refused(run(s, {"status"}), {"--admin"});
    check_refused(run(s, {"barrier"}), {"--admin"});
}

TEST_CASE("values that make no sense are refused, with the option and the value") {
    scratch s;
    const auto dir = s.make("d");
    for (const char* bad : {"nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                            "127.0.0.1:80x", "300.1.1.1:80", "127.1:80", ":80", "[::1:80", "::1:80", "host name:80", ""}) {
        INFO(bad);
        check_refused(run(s, run_with(dir, "--listen", bad)), {"--listen", bad});
        check_refused(run(s, run_with(dir, "--admin", bad)), {"--admin", bad});
        check_refused(run(s, run_with(dir, "--peer", std::string("2=") + bad)), {"--peer", bad});
        check_refused(run(s, {"status", "--admin", bad}), {"--admin", bad});
    }
    for (const char* bad : {"2", "=127.0.0.1:1", "x=127.0.0.1:1", "0=127.0.0.1:1", "1=127.0.0.1:1",
                            "99999999999999999999=127.0.0.1:1"})
        check_refused(run(s, run_with(dir, "--peer", bad)), {"--peer", bad});
    for (const char* bad : {"0", "-1", "one", "1.5"}) check_refused(run(s, run_with(dir, "--id", bad)), {"--id"});
    check_refused(run(s, run_with(dir, "--watcher", "eyes")), {"--watcher", "eyes", "inotify"});
    for (const char* option : {"--inline-max", "--log-size"})
        for (const char* bad : {"many", "-1", "1.5M", "1T", "1MB", "99999999999999999999", "18446744073709551615K", ""})
            check_refused(run(s, run_with(dir, option, bad)), {option, bad});
    check_refused(run(s, run_with(dir, "--inline-max", "257K")), {"--inline-max", "at most 262144"});
    check_refused(run(s, run_with(dir, "--log-size", "1023K")), {"--log-size", "at least 1048576"});
    check_refused(run(s, run_with(dir, "--log-level", "loud")), {"--log-level", "loud"});
    for (const char* bad : {"soon", "-1s", "5x", "1e9h"})
        check_refused(run(s, {"barrier", "--admin", "127.0.0.1:1", "--timeout", bad}), {"--timeout", bad});
    CHECK(fs::is_empty(dir));
}

TEST_CASE("a member is named once, and a cluster has at most nine") {
    scratch s;
    const auto dir = s.make("d");
    auto twice = run_with(dir, "--peer", "2=127.0.0.1:5001");
    twice.insert(twice.end(), {"--peer", "2=127.0.0.1:5002"});
    check_refused(run(s, twice), {"2", "twice"});
    check_refused(run(s, run_with(dir, "--peer", "1=127.0.0.1:5001")), {"--peer 1=127.0.0.1:5001", "own --id"});
    auto same = run_with(dir, "--peer", "2=127.0.0.1:5001");
    same.insert(same.end(), {"--peer", "3=127.0.0.1:5001"});
    check_refused(run(s, same), {"--peer 3=127.0.0.1:5001", "another --peer"});
    auto own = run_with(dir, "--listen", "127.0.0.1:5001");
    own.insert(own.end(), {"--peer", "2=127.0.0.1:5001"});
    check_refused(run(s, own), {"--peer 2=127.0.0.1:5001", "own --listen"});
    auto many = run_with(dir);
    for (int id = 2; id <= 10; ++id)
        many.insert(many.end(), {"--peer", std::to_string(id) + "=127.0.0.1:" + std::to_string(5000 + id)});
    check_refused(run(s, many), {"at most 9"});
}

TEST_CASE("anything but loopback is refused without --insecure") {
    scratch s;
    const auto dir = s.make("d");
    for (const char* open :
         {"0.0.0.0:8001", "192.0.2.1:8001", "[::]:8001", "example.org:8001", "127.example.org:8001"}) {
        check_refused(run(s, run_with(dir, "--listen", open)), {"--listen", open, "--insecure"});
        check_refused(run(s, run_with(dir, "--admin", open)), {"--admin", open, "--insecure"});
        check_refused(run(s, run_with(dir, "--peer", std::string("2=") + open)), {"--peer 2=", open, "--insecure"});
    }
    auto allowed = run_with(dir, "--listen", "192.0.2.1:8001");
    allowed.push_back("--insecure");
    check_refused(run(s, allowed), {"--listen", "192.0.2.1:8001", "no such address on this machine"});
    auto unknown = run_with(dir, "--listen", "no.such.host.invalid:8001");
    unknown.push_back("--insecure");
    check_refused(run(s, unknown), {"--listen", "no.such.host.invalid:8001", "host not found"});
}

TEST_CASE("a port in use is named with its option") {
    scratch s;
    const auto dir = s.make("d");
    taken_port taken;
    check_refused(run(s, run_with(dir, "--admin", taken.address())),
                  {"--admin", std::to_string(taken.number), "in use"});
    check_refused(run(s, run_with(dir, "--listen", taken.address())),
                  {"--listen", std::to_string(taken.number), "in use"});
    CHECK(fs::is_empty(dir));
    single works(s, dir);
    CHECK(works.barrier().code == 0);
}

TEST_CASE("a directory that is missing, a file or unreadable is refused") {
    scratch s;
    const auto missing = (s.path / "missing").string();
    check_refused(run(s, run_with(missing)), {"--dir", missing, "not found"});
    CHECK(!fs::exists(missing));
    const auto file = (s.path / "file").string();
    std::ofstream(file) << "content";
    check_refused(run(s, run_with(file)), {"--dir", file, "not a directory"});
    CHECK(text_of(file) == "content");
}

TEST_CASE("a directory or state that may not be read or written is refused") {
    // Nothing is closed to root: then it is somebody else who tries.
    arguments as_user;
    if (::geteuid() == 0) {
        as_user = {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"};
        const std::string can = "setpriv --reuid 65534 --regid 65534 --clear-groups test -x '" LOCKSTEP_PROGRAM "'";
        if (std::system((can + " 2>/dev/null").c_str()) != 0) {
            WARN("not run: the program cannot be run as another user here");
            return;
        }
    }
    scratch s;
    ::chmod(s.path.c_str(), 0755);
    const auto make = [&](const char* name) {
        const auto path = s.make(name);
        if (!as_user.empty()) REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
        return path;
    };
    const auto closed = make("closed"), open = make("open");
    for (const unsigned mode : {0u, 0500u}) {
        ::chmod(closed.c_str(), mode);
        check_refused(process(s, run_with(closed), as_user).wait(), {"--dir", closed, "permission denied"});
        check_refused(process(s, run_with(open, "--state", closed), as_user).wait(),
                      {"--state", closed, "permission denied"});
    }
    ::chmod(closed.c_str(), 0700);
    CHECK(fs::is_empty(closed));
}

TEST_CASE("without inotify instances it says which limit, and polls; where inotify was asked for it is refused") {
    const std::string limit = "echo 0 >/proc/sys/user/max_inotify_instances";
    if (std::system(("unshare --user --map-root-user sh -c '" + limit + "' 2>/dev/null").c_str()) != 0) {
        WARN("not run: a user namespace with a limit of its own cannot be made here");
        return;
    }
    const arguments limited{"unshare", "--user", "--map-root-user", "sh", "-c", limit + " && exec \"$@\"", "sh"};
    scratch s;
    const auto dir = s.make("d");
    check_refused(process(s, run_with(dir, "--watcher", "inotify"), limited).wait(),
                  {"--watcher inotify", dir, "limit of inotify instances reached"});
    const auto admin = free_address();
    process node(s, run_with(dir, "--admin", admin), limited);
    std::ofstream(fs::path(dir) / "file") << "x";
    CHECK(run(s, {"barrier", "--admin", admin, "--timeout", "20s"}).code == 0);
    CHECK(run(s, {"status", "--admin", admin, "--json"}).out.find("\"files\":1,") != std::string::npos);
    const auto said = node.end(SIGTERM).out;
    INFO(said);
    CHECK(said.find("polling every second (raise fs.inotify.max_user_instances)") != std::string::npos);
}

TEST_CASE("a state directory that cannot be one is refused") {
    scratch s;
    const auto dir = s.make("d");
    const auto file = (s.path / "file").string();
    std::ofstream(file) << "content";
    check_refused(run(s, run_with(dir, "--state", file)), {"--state", file, "not a directory"});
    const auto deep = (s.path / "no" / "such" / "place").string();
    check_refused(run(s, run_with(dir, "--state", deep)), {"--state", deep, "not found"});
    check_refused(run(s, run_with(dir, "--state", "")), {"--state", "empty"});
}

TEST_CASE("a state directory inside the replicated one is refused, by whatever name") {
    scratch s;
    const auto dir = s.make("d");
    s.make("d/below");
    const auto below = s.make("d/below/deep");
    fs::create_directory_symlink(below, s.path / "link");
    fs::create_directory_symlink(dir, s.path / "other");
    for (const std::string& state : {dir, dir + "/new", below, (s.path / "link").string(), (s.path / "other" / "below").string(),
                                     below + "/../../../d", dir + "/.lockstep"}) {
        INFO(state);
        check_refused(run(s, run_with(dir, "--state", state)), {"--state " + state, "inside --dir"});
    }
    CHECK(fs::is_empty(below));
    single beside(s, s.make("d2"), {"--state", s.make("d2-state")});   // a name that begins alike
    CHECK(beside.barrier().code == 0);
}

TEST_CASE("the state of another node, cluster or format is refused and left as it is") {
    scratch s;
    const auto dir = s.make("d");
    {
        single first(s, dir);
        REQUIRE(first.barrier().code == 0);
        CHECK(first.node.end(SIGTERM).code == 0);
    }
    const auto identity = fs::path(dir) / ".lockstep" / "identity";
    const auto before = text_of(identity);
    check_refused(run(s, run_with(dir, "--id", "2")), {"belongs to node 1"});
    check_refused(run(s, run_with(dir, "--peer", "2=127.0.0.1:5002")),
                  {"--peer", "a cluster of nodes 1 2", dir, "belongs to a cluster of node 1"});
    CHECK(text_of(identity) == before);

    for (const std::size_t version_at : {16u, 24u}) {  // of the file's format, and of what it holds
        const auto newer = of_newer_version(before, version_at);
        std::ofstream(identity, std::ios::binary) << newer;
        check_refused(run(s, run_with(dir)), {"identity", "newer version"});
        CHECK(text_of(identity) == newer);
    }
    std::ofstream(identity, std::ios::binary) << before.substr(0, before.size() / 2);
    check_refused(run(s, run_with(dir)), {"identity"});

    fs::remove(identity);
    check_refused(run(s, run_with(dir)), {"identity is missing"});
    CHECK(!fs::exists(identity));

    std::ofstream(identity, std::ios::binary) << before;
    // Without its log it would vote against its own votes, and lack what it acknowledged.
    const auto log = fs::path(dir) / ".lockstep" / "wal", aside = s.path / "wal";
    fs::rename(log, aside);
    check_refused(run(s, run_with(dir)), {"the log in", "is gone"});
    check_refused(run(s, run_with(dir)), {"the log in", "is gone"});
    fs::remove_all(log);
    fs::rename(aside, log);
    single again(s, dir);
    CHECK(again.barrier().code == 0);
}

TEST_CASE("a second process on the same state or directory is refused, and the first goes on") {
    scratch s;
    const auto dir = s.make("d");
    const auto state = (s.path / "state").string();
    single first(s, dir, {"--state", state});
    REQUIRE(first.barrier().code == 0);
    check_refused(run(s, run_with(dir, "--state", state)), {state, "in use by another process"});
    check_refused(run(s, run_with(s.make("other"), "--state", state)), {state, "in use by another process"});
    check_refused(run(s, run_with(dir, "--state", (s.path / "state2").string())),
                  {dir, "in use by another process"});
    check_refused(run(s, run_with(dir)), {"in use by another process"});
    CHECK(first.barrier().code == 0);
}

TEST_CASE("asking where nobody answers fails with one line, and a barrier within its time") {
    scratch s;
    const auto nobody = free_address();
    check_refused(run(s, {"status", "--admin", nobody}), {nobody});
    check_refused(run(s, {"barrier", "--admin", nobody, "--timeout", "200ms"}), {nobody});
    taken_port silent;  // accepts, and never says anything
    check_refused(run(s, {"barrier", "--admin", silent.address(), "--timeout", "200ms"}), {silent.address()});
}
