#include <tests/catch.hpp>

#include <lockstep/storage/durable_file.hpp>
#include <tests/storage/storage_fixture.hpp>

using namespace lockstep;
using namespace lockstep::testing;

namespace {

struct world {
    temporary_directory directory;
    os::posix_file_system base;
    faulty_files files{base};
    os::posix_file_system::directory dir = base.open_directory(directory.path()).value();

    result<> replace(std::string_view text) { return storage::replace_file_durably(files, dir, "id", as_bytes(text)); }
    std::string read() {
        const auto bytes = storage::read_file(base, dir, "id");
        return bytes ? std::string(as_text(*bytes)) : "error: " + bytes.error().message();
    }
    std::string path() const { return directory.path() + "/id"; }
};

}  // namespace

TEST_CASE("a durable file is what it was last replaced by") {
    world w;
    CHECK(storage::read_file(w.files, w.dir, "id").error() == errc::not_found);
    REQUIRE(w.replace("first").has_value());
    CHECK(w.read() == "first");
    REQUIRE(w.replace("").has_value());
    CHECK(w.read().empty());
    REQUIRE(w.replace("third").has_value());
    CHECK(w.read() == "third");
    CHECK(w.base.list(w.dir)->size() == 1);
    CHECK(w.base.status_at(w.dir, "id")->mode == 0600);
    const std::string large(storage::durable_file_format::content_max, 'x');
    REQUIRE(w.replace(large).has_value());
    CHECK(w.read() == large);
    CHECK(w.replace(large + "x").error() == errc::too_large);
}

TEST_CASE("a durable file is synced before it has its name, and its directory after") {
    world w;
    REQUIRE(w.replace("one").has_value());
    CHECK(w.files.syncs() == 2);
    // The rename is the last call but one: until then the old content stands.
    const auto calls = w.files.calls();
    REQUIRE(w.replace("two").has_value());
    const auto each = w.files.calls() - calls;
    w.files.crash_at(w.files.calls() + each - 1);
    CHECK_FALSE(w.replace("three").has_value());
    CHECK(w.read() == "two");
}

TEST_CASE("any damage to a durable file is found") {
    world w;
    REQUIRE(w.replace("precious").has_value());
    const std::string whole = slurp(w.path());
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 2);
        spit(w.path(), bytes);
        CHECK(storage::read_file(w.files, w.dir, "id").error() == errc::corrupt);
        spit(w.path(), whole.substr(0, at));
        CHECK(storage::read_file(w.files, w.dir, "id").error() == errc::corrupt);
    }
    spit(w.path(), whole + "x");
    CHECK(storage::read_file(w.files, w.dir, "id").error() == errc::corrupt);
    std::string bytes = whole;
    bytes[16] = static_cast<char>(storage::durable_file_format::version + 1);
    const auto sum = checksum(as_bytes(std::string_view(bytes).substr(16)));
    for (std::size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<char>(sum >> (8 * i));
    spit(w.path(), bytes);
    CHECK(storage::read_file(w.files, w.dir, "id").error() == errc::newer_format);
}

TEST_CASE("killed or failing at any call, a durable file has the old content or the new") {
    for (const bool killed : {true, false}) {
        for (std::uint64_t n = 1;; ++n) {
            world w;
            REQUIRE(w.replace("old").has_value());
            const auto at = w.files.calls() + n;
            if (killed) w.files.crash_at(at, 7);
            else w.files.fail_at(at, errc::io_error);
            const auto replaced = w.replace("new");
            const std::string now = w.read();
            if (w.files.calls() < at) {
                CHECK(now == "new");
                break;
            }
            CHECK_FALSE(replaced.has_value());
            CHECK((now == "old" || now == "new"));
            REQUIRE(storage::replace_file_durably(w.base, w.dir, "id", as_bytes("next")).has_value());
            CHECK(w.read() == "next");
        }
    }
}
