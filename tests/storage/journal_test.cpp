#include <tests/catch.hpp>

#include <lockstep/storage/journal.hpp>
#include <tests/storage/storage_fixture.hpp>

#include <map>

using namespace lockstep;
using namespace lockstep::testing;
namespace format = lockstep::storage::journal_format;

namespace {

using journal = storage::journal<faulty_files>;

byte_buffer record(std::size_t n) {
    const std::string text(10 + n * 7 % 50, static_cast<char>('a' + n % 26));
    const byte_view bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}
std::vector<byte_buffer> numbers(std::size_t from, std::size_t to) {
    std::vector<byte_buffer> all;
    for (std::size_t n = from; n <= to; ++n) all.push_back(record(n));
    return all;
}

struct world {
    temporary_directory directory;
    os::posix_file_system base;
    std::unique_ptr<faulty_files> files;
    std::optional<journal> it;

    /// The process is gone and back.
    void start() {
        it.reset();
        files = std::make_unique<faulty_files>(base);
        it.emplace(*files, base.open_directory(directory.path()).value(), "journal", "state/journal");
    }
    storage::opened_journal reopen() {
        start();
        return it->open();
    }
    std::string path() const { return directory.path() + "/journal"; }
};

}  // namespace

TEST_CASE("what was appended to a journal is found again") {
    world w;
    auto found = w.reopen();
    CHECK_FALSE(found.error.code);
    CHECK(found.records.empty());
    REQUIRE(w.it->append(numbers(1, 3), true).has_value());
    REQUIRE(w.it->append({record(4)}, false).has_value());
    REQUIRE(w.it->append({}, true).has_value());
    REQUIRE(w.it->append({byte_buffer()}, true).has_value());
    CHECK(w.it->records() == 5);
    found = w.reopen();
    CHECK_FALSE(found.error.code);
    auto wanted = numbers(1, 4);
    wanted.emplace_back();
    CHECK(found.records == wanted);
    CHECK(found.torn_bytes == 0);
    CHECK(w.it->bytes() == std::filesystem::file_size(w.path()));
}

TEST_CASE("a journal syncs only when told to, and only what is new") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    const auto before = w.files->syncs();
    REQUIRE(w.it->append(numbers(1, 3), false).has_value());
    CHECK(w.files->syncs() == before);
    REQUIRE(w.it->append(numbers(4, 4), true).has_value());
    CHECK(w.files->syncs() == before + 1);
    REQUIRE(w.it->append({}, true).has_value());
    CHECK(w.files->syncs() == before + 1);
}

TEST_CASE("a rewrite leaves exactly its records, and appending goes on") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    REQUIRE(w.it->append(numbers(1, 50), true).has_value());
    const auto size = w.it->bytes();
    REQUIRE(w.it->rewrite(numbers(49, 50)).has_value());
    CHECK(w.it->bytes() < size);
    REQUIRE(w.it->append(numbers(51, 52), true).has_value());
    CHECK(w.reopen().records == numbers(49, 52));
}

TEST_CASE("a journal cut short anywhere keeps the records before the cut") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    REQUIRE(w.it->append(numbers(1, 5), true).has_value());
    const auto before = w.it->bytes();
    REQUIRE(w.it->append(numbers(6, 6), true).has_value());
    const std::string whole = slurp(w.path());
    for (std::size_t cut = before; cut < whole.size(); ++cut) {
        spit(w.path(), whole.substr(0, cut));
        auto found = w.reopen();
        REQUIRE_FALSE(found.error.code);
        CHECK(found.records == numbers(1, 5));
        CHECK(found.torn_bytes == cut - before);
        REQUIRE(w.it->append(numbers(6, 7), true).has_value());
        CHECK(w.reopen().records == numbers(1, 7));
    }
}

TEST_CASE("damage in the middle of a journal is refused, naming file and offset") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    REQUIRE(w.it->append(numbers(1, 3), true).has_value());
    const auto from = w.it->bytes();
    REQUIRE(w.it->append(numbers(4, 4), true).has_value());
    const auto to = w.it->bytes();
    REQUIRE(w.it->append(numbers(5, 5), true).has_value());
    const std::string whole = slurp(w.path());
    for (std::size_t at = from; at < to; ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
        spit(w.path(), bytes);
        const auto found = w.reopen();
        REQUIRE(found.error.code == errc::corrupt);
        CHECK(found.records.empty());
        CHECK(found.error.detail.find("state/journal: at offset " + std::to_string(from) + ":") == 0);
        CHECK(slurp(w.path()) == bytes);
    }
}

TEST_CASE("of a damaged journal all whole records can still be read, and a new one takes its place") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    std::vector<std::uint64_t> ends;
    for (std::size_t n = 1; n <= 5; ++n) {
        REQUIRE(w.it->append(numbers(n, n), true).has_value());
        ends.push_back(w.it->bytes());
    }
    const std::string whole = slurp(w.path());
    for (std::size_t n = 1; n <= 4; ++n) {   // the fifth was never known to be synced: it would be cut
        std::string bytes = whole;
        bytes[ends[n - 1] - 8] = static_cast<char>(bytes[ends[n - 1] - 8] ^ 0x10);
        spit(w.path(), bytes);
        const auto found = w.reopen();
        REQUIRE(found.error.code == errc::corrupt);
        CHECK(found.damaged);
        auto left = numbers(1, 5);
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(n - 1));
        CHECK(w.it->salvage() == left);
        CHECK(slurp(w.path()) == bytes);
    }
    std::string bytes = whole;
    bytes[30] = static_cast<char>(bytes[30] ^ 1);   // its salt
    spit(w.path(), bytes);
    REQUIRE(w.reopen().error.code == errc::corrupt);
    CHECK(w.it->salvage().empty());
    REQUIRE(w.it->rewrite(numbers(7, 8)).has_value());
    REQUIRE(w.it->append(numbers(9, 9), true).has_value());
    CHECK(w.reopen().records == numbers(7, 9));
}

TEST_CASE("records that were never synced may reach the disk in any order") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    REQUIRE(w.it->append(numbers(1, 3), true).has_value());
    const auto at = w.it->bytes();
    REQUIRE(w.it->append(numbers(4, 4), false).has_value());
    REQUIRE(w.it->append(numbers(5, 5), false).has_value());
    std::string bytes = slurp(w.path());
    bytes[at + 40] = 0;
    spit(w.path(), bytes);
    auto found = w.reopen();
    CHECK_FALSE(found.error.code);
    CHECK(found.records == numbers(1, 3));
    CHECK(found.torn_bytes > 0);
}

TEST_CASE("a damaged header and a newer format of a journal are refused") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    const std::string whole = slurp(w.path());
    std::string bytes = whole;
    bytes[30] = static_cast<char>(bytes[30] ^ 1);
    spit(w.path(), bytes);
    CHECK(w.reopen().error.code == errc::corrupt);
    bytes = whole;
    bytes[16] = static_cast<char>(format::version + 1);
    const auto sum = checksum(as_bytes(std::string_view(bytes).substr(16)));
    for (std::size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<char>(sum >> (8 * i));
    spit(w.path(), bytes);
    CHECK(w.reopen().error.code == errc::newer_format);
    spit(w.path(), "");
    CHECK(w.reopen().error.code == errc::corrupt);
}

TEST_CASE("a full disk takes nothing from a journal, which works again when there is space") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    REQUIRE(w.it->append(numbers(1, 3), true).has_value());
    w.files->fail_at(w.files->calls() + 1, errc::no_space, 60);
    CHECK(w.it->append(numbers(4, 9), true).error() == errc::no_space);
    CHECK(w.it->bytes() == std::filesystem::file_size(w.path()));
    REQUIRE(w.it->append(numbers(5, 5), true).has_value());
    w.files->fail_at(w.files->calls() + 4, errc::no_space);
    CHECK(w.it->rewrite(numbers(1, 1)).error() == errc::no_space);
    REQUIRE(w.it->append(numbers(6, 6), true).has_value());
    auto wanted = numbers(1, 3);
    for (const auto& r : numbers(5, 6)) wanted.push_back(r);
    CHECK(w.reopen().records == wanted);
}

TEST_CASE("a failed sync ends a journal") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    w.files->fail_at(w.files->calls() + 2, errc::io_error);
    CHECK(w.it->append(numbers(1, 1), true).error() == errc::io_error);
    CHECK(w.it->append(numbers(2, 2), true).error() == errc::io_error);
    CHECK(w.it->rewrite({}).error() == errc::io_error);
}

TEST_CASE("of the calls that open a journal only the one that reads it leaves it damaged where it fails") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    REQUIRE(w.it->append(numbers(1, 3), true).has_value());
    std::uint64_t failed = 0;
    int damaged = 0;
    for (;; ++failed) {
        w.start();
        w.files->fail_at(failed + 1, errc::io_error);
        const auto found = w.it->open();
        if (!found.error.code) break;
        CHECK(found.error.code == errc::io_error);
        CHECK(found.damaged == (found.error.detail == "state/journal: cannot read"));
        damaged += found.damaged;
    }
    CHECK(failed >= 6);
    CHECK(damaged == 1);
    CHECK(w.reopen().records == numbers(1, 3));
}

TEST_CASE("killed before any file-system call, a journal has all that was synced, and rewrites are whole or absent") {
    struct progress {
        std::vector<byte_buffer> synced;
        std::vector<byte_buffer> attempted;   ///< in full, if more than `synced`
        std::vector<byte_buffer> rewritten;   ///< in doubt
        bool rewriting = false;
    };
    const auto script = [](world& w, progress& p) {
        if (w.it->open().error.code) return;
        for (std::size_t n = 1; n <= 9; ++n) {
            p.attempted = p.synced;
            p.attempted.push_back(record(n));
            p.attempted.push_back(record(n + 100));
            if (!w.it->append({record(n), record(n + 100)}, true)) return;
            p.synced = p.attempted;
            if (n % 3 != 0) continue;
            p.rewritten = {record(n), record(n + 1)};
            p.rewriting = true;
            if (!w.it->rewrite(p.rewritten)) return;
            p.synced = p.attempted = p.rewritten;
            p.rewriting = false;
        }
    };
    world whole;
    whole.start();
    progress all;
    script(whole, all);
    const auto calls = whole.files->calls();
    REQUIRE(calls > 40);
    for (std::uint64_t n = 1; n <= calls; ++n) {
        for (const std::size_t torn : {std::size_t{0}, std::size_t{10}, std::size_t{60}, std::size_t{100}}) {
            world w;
            w.start();
            w.files->crash_at(n, torn);
            progress p;
            script(w, p);
            if (n % 3 == 0) {
                w.start();
                w.files->crash_at(n % 8 + 1, torn);
                (void)w.it->open();
            }
            const auto found = w.reopen();
            INFO("call " << n << ", torn " << torn << ": " << found.error.detail);
            REQUIRE_FALSE(found.error.code);
            if (p.rewriting && found.records == p.rewritten) continue;
            REQUIRE(found.records.size() >= p.synced.size());
            REQUIRE(found.records.size() <= std::max(p.synced.size(), p.attempted.size()));
            for (std::size_t i = 0; i < found.records.size(); ++i) REQUIRE(found.records[i] == p.attempted[i]);
        }
    }
}

namespace {

/// Records that say "this key has this value": the last one counts. Data: a byte for the key, then the value.
byte_buffer set_key(std::size_t key, std::size_t value) {
    byte_buffer bytes = record(value);
    bytes.insert(bytes.begin(), static_cast<std::byte>(key));
    return bytes;
}

using values = std::map<std::byte, byte_buffer>;

values said(const std::vector<byte_buffer>& records) {
    values all;
    for (const auto& r : records) all[r.at(0)] = r;
    return all;
}

storage::journal_compaction above(std::uint64_t bytes_min) {
    return {bytes_min, [](const std::vector<byte_buffer>& records) -> result<std::vector<byte_buffer>> {
                std::vector<byte_buffer> shortest;
                for (const auto& [key, r] : said(records)) shortest.push_back(r);
                return shortest;
            }};
}

}  // namespace

TEST_CASE("a journal that is used for long stays within its bound, and says what it said") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    w.it->compact_with(above(4096));
    std::uint64_t longest = 0;
    for (std::size_t n = 0; n < 2000; ++n) {
        REQUIRE(w.it->append({set_key(n % 7, n)}, n % 3 == 0).has_value());
        longest = std::max(longest, w.it->bytes());
        REQUIRE(w.it->bytes() == std::filesystem::file_size(w.path()));
    }
    CHECK(longest <= 4096);
    CHECK(longest > 3072);
    values wanted;
    for (std::size_t n = 1993; n < 2000; ++n) wanted[static_cast<std::byte>(n % 7)] = set_key(n % 7, n);
    const auto found = w.reopen();
    CHECK_FALSE(found.error.code);
    CHECK(said(found.records) == wanted);
}

TEST_CASE("a journal that says much is not rewritten before half of it is out of date") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    w.it->compact_with(above(512));
    for (std::size_t n = 0; n < 200; ++n) REQUIRE(w.it->append({set_key(n, n)}, false).has_value());
    CHECK(w.it->records() == 200);
    const auto live = w.it->bytes();
    std::uint64_t before = 0;
    do {
        before = w.it->bytes();
        REQUIRE(w.it->append({set_key(0, 0)}, false).has_value());
        REQUIRE(w.it->bytes() < 3 * live);
    } while (w.it->bytes() > before);
    CHECK(w.it->records() == 200);
    CHECK(w.it->bytes() == live);
    CHECK(before > 2 * live - 256);
}

TEST_CASE("a journal that cannot be made shorter now takes records all the same") {
    world w;
    REQUIRE_FALSE(w.reopen().error.code);
    REQUIRE(w.it->append({set_key(1, 0)}, true).has_value());
    w.it->compact_with(above(256));
    values wanted = said({set_key(1, 0)});
    // Each kind of failure in turn: reading back, or making the new file on a full disk.
    for (std::size_t n = 1; n <= 60; ++n) {
        w.files->fail_at(w.files->calls() + 3 + n % 5, errc::no_space);
        REQUIRE(w.it->append({set_key(1, n)}, true).has_value());
        wanted = said({set_key(1, n)});
    }
    CHECK(said(w.reopen().records) == wanted);
    w.it->compact_with({64, [](const auto&) -> result<std::vector<byte_buffer>> { return make_error_code(errc::corrupt); }});
    const auto records = w.it->records();
    REQUIRE(w.it->append(numbers(1, 20), true).has_value());
    CHECK(w.it->records() == records + 20);
}

TEST_CASE("killed before any call while it is kept short, a journal says all that was synced") {
    // What is said after each append; at least `synced` of them must be found.
    const auto script = [](world& w, std::vector<values>& after, std::size_t& synced) {
        after = {values{}};
        synced = 0;
        if (w.it->open().error.code) return;
        w.it->compact_with(above(512));
        for (std::size_t n = 1; n <= 30; ++n) {
            values next = after.back();
            const byte_buffer r = set_key(n % 3, n);
            next[r[0]] = r;
            after.push_back(std::move(next));
            if (!w.it->append({r}, n % 2 == 0)) return;
            if (n % 2 == 0) synced = n;
        }
    };
    world whole;
    whole.start();
    std::vector<values> after;
    std::size_t synced = 0;
    script(whole, after, synced);
    REQUIRE(synced == 30);
    REQUIRE(whole.it->records() < 20);
    const auto calls = whole.files->calls();
    for (std::uint64_t n = 1; n <= calls; ++n) {
        for (const std::size_t torn : {std::size_t{0}, std::size_t{50}}) {
            world w;
            w.start();
            w.files->crash_at(n, torn);
            script(w, after, synced);
            const auto found = w.reopen();
            INFO("call " << n << ", torn " << torn << ": " << found.error.detail);
            REQUIRE_FALSE(found.error.code);
            bool one_of_them = false;
            for (std::size_t i = synced; i < after.size(); ++i) one_of_them = one_of_them || said(found.records) == after[i];
            REQUIRE(one_of_them);
            const auto items = w.base.list(w.base.open_directory(w.directory.path()).value());
            REQUIRE(items.value().size() == 1);
        }
    }
}
