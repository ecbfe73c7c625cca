// Files that are cut and built a piece at a time.
#include <tests/sync/disk_fixture.hpp>

#include <lockstep/sync/large_file.hpp>

using namespace lockstep;
using namespace sync_test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t piece = 256 << 10;

struct large_world : disk_world {
    explicit large_world(std::size_t size = 1 << 20) : content(size, 'a') {
        random_generator next(size);
        for (char& c : content) c = static_cast<char>(next());
        write("f", content);
        wait(200ms);
    }
    sync::file_cutter<files> cutter(std::optional<content_hash> expected = {}, bool held = false) {
        sync::finding found;
        found.what = sync::finding::kind::large;
        found.path = "f";
        found.disk = status("f");
        found.held = held;
        return {fs(), root(), std::move(found), "", expected, content::chunking{}, piece};
    }
    /// Cuts to the end. What is between two pieces is done before piece `at`.
    sync::cut_progress cut(sync::file_cutter<files>& cutter, int at = -1, const std::function<void()>& between = {}) {
        sync::cut_progress last;
        for (pieces = 0; !last.done && !last.changed && !last.error; ++pieces) {
            if (pieces == at) between();
            last = cutter.next();
            for (const auto& chunk : last.chunks) cut_bytes += chunk.bytes.size();
        }
        return last;
    }
    content_hash hash() const { return sha256(as_bytes(content)); }

    std::string content;
    int pieces = 0;
    std::size_t cut_bytes = 0;
};

}  // namespace

TEST_CASE("a file is cut a piece at a time, and named as a whole") {
    large_world w;
    auto cutter = w.cutter();
    REQUIRE(w.cut(cutter).done);
    CHECK(w.pieces == 4);
    CHECK(w.cut_bytes == w.content.size());
    const auto found = cutter.take_found();
    CHECK(found.hash == w.hash());
    CHECK(found.size == w.content.size());
    CHECK(found.certain);
}

TEST_CASE("a file that holds what is expected is read once and not cut; another is cut from its beginning") {
    large_world w;
    auto same = w.cutter(w.hash());
    REQUIRE(w.cut(same).done);
    CHECK(same.as_expected());
    CHECK(w.pieces == 4);
    CHECK(w.cut_bytes == 0);
    const auto found = same.take_found();
    CHECK(found.hash == w.hash());
    CHECK(found.size == w.content.size());
    CHECK(found.certain);

    auto other = w.cutter(sha256(as_bytes("another")));
    REQUIRE(w.cut(other).done);
    CHECK_FALSE(other.as_expected());
    CHECK(w.pieces == 8);
    CHECK(w.cut_bytes == w.content.size());
    CHECK(other.take_found().hash == w.hash());
}

TEST_CASE("a file that is written while it is read is not taken for one moment of it, expected or not") {
    for (const bool expected : {false, true}) {
        large_world w;
        auto cutter = w.cutter(expected ? std::optional(w.hash()) : std::nullopt);
        const auto last = w.cut(cutter, 2, [&] {
            w.wait(100ms);
            auto changed = w.content;
            changed[0] = static_cast<char>(changed[0] + 1);
            w.write("f", changed);
        });
        CHECK(last.changed);
        CHECK_FALSE(last.done);
    }
}

TEST_CASE("a file whose stamps are of just now is read twice alike, as a write in the same tick of the clock shows in no stamp") {
    for (const bool expected : {false, true}) {
        for (const bool written : {false, true}) {
            large_world w;
            w.write("f", w.content);
            const auto before = w.status("f");
            auto cutter = w.cutter(expected ? std::optional(w.hash()) : std::nullopt);
            const auto last = w.cut(cutter, written ? 2 : -1, [&] {
                auto changed = w.content;
                changed.front() = static_cast<char>(changed.front() + 1);
                if (!expected) changed.back() = static_cast<char>(changed.back() + 1);   // half of it is what was there
                w.write("f", changed);
            });
            CHECK(sync::same_state(before, w.status("f")));
            CHECK(last.changed == written);
            CHECK(last.done != written);
            if (written) continue;
            CHECK(w.pieces == 8);
            const auto found = cutter.take_found();
            CHECK(found.hash == w.hash());
            CHECK_FALSE(found.certain);
        }
    }
}

TEST_CASE("a file that is held open for writing is read twice alike, expected or not") {
    for (const bool expected : {false, true}) {
        large_world w;
        auto cutter = w.cutter(expected ? std::optional(w.hash()) : std::nullopt, true);
        REQUIRE(w.cut(cutter).done);
        CHECK(w.pieces == 8);
        CHECK_FALSE(cutter.take_found().certain);
    }
}

TEST_CASE("an open file that grows while it is read is read to its end, whatever became of its beginning") {
    for (const bool expected : {false, true}) {
        large_world w;
        const auto old = w.content;
        auto cutter = w.cutter(expected ? std::optional(w.hash()) : std::nullopt, true);
        const auto writer = w.hold("f");
        REQUIRE(w.cut(cutter, 2, [&] {
            w.content.replace(w.content.size() - 4, 4, "over");   // the old beginning alone with this never was the file
            w.content += "and more";
            w.write("f", w.content);
        }).done);
        CHECK_FALSE(cutter.as_expected());
        const auto found = cutter.take_found();
        CHECK(found.hash == w.hash());
        CHECK(found.size == w.content.size());
        CHECK(found.disk.size == w.content.size());
        w.disk().close(writer);
    }
}

TEST_CASE("an open file that became shorter while it was read is left for another look") {
    large_world w;
    auto cutter = w.cutter({}, true);
    const auto writer = w.hold("f");
    CHECK(w.cut(cutter, 4, [&] { w.write("f", w.content.substr(1)); }).changed);
    w.disk().close(writer);
}

TEST_CASE("a file that somebody has opened for writing since it was found is left for another look") {
    large_world w;
    auto cutter = w.cutter();
    const auto writer = w.hold("f");
    const auto last = w.cut(cutter);
    CHECK(last.changed);
    CHECK_FALSE(last.done);
    w.disk().close(writer);
}

TEST_CASE("a time in the future is as good as any: a file that has it is not read again and again") {
    large_world w;
    w.set_mtime("f", w.fs().clock_ns() + 3'600'000'000'000);
    auto early = w.cutter();
    REQUIRE(w.cut(early).done);
    CHECK_FALSE(early.take_found().certain);
    w.wait(200ms);
    auto late = w.cutter();
    REQUIRE(w.cut(late).done);
    CHECK(late.take_found().certain);
}

TEST_CASE("a file that was built survives a power failure once its last piece is written") {
    large_world w(40 << 20);
    w.make_durable();
    sync::file_builder<files> builder(w.fs(), w.root(), "large-1", w.content.size());
    const shared_bytes all = shared_bytes::copy_of(w.content);
    constexpr std::size_t step = 4 << 20;
    for (std::size_t at = 0; at < all.size(); at += step)
        REQUIRE(builder.append({all.slice(at, step)}, at + step == all.size()));
    CHECK(builder.finish() == w.hash());
    {
        auto staging = w.fs().open_directory("/r/.lockstep/staging").value();
        REQUIRE(w.fs().sync_directory(staging));
    }
    w.box().crash(crash_kind::power);
    CHECK(w.staging().at("large-1") == w.content);
}

TEST_CASE("a file for which there is no room is not begun, and leaves to others what there is") {
    large_world w;
    sync::file_builder<files> builder(w.fs(), w.root(), "large-1", w.content.size());
    const shared_bytes all = shared_bytes::copy_of(w.content);
    const std::uint64_t used = (std::uint64_t{1} << 32) - w.disk().available_bytes();
    w.disk().set_capacity(used + w.content.size() - 1);
    CHECK(builder.append({all.slice(0, piece)}, false).error() == errc::no_space);
    CHECK_FALSE(builder.sync_failed());
    CHECK(w.staging().empty());
    w.disk().set_capacity(used + w.content.size());
    CHECK(builder.append({all}, true));
    CHECK(builder.finish() == w.hash());
}

TEST_CASE("a file that was found is there yet until it is removed, replaced or cut short") {
    large_world w;
    const auto found = w.status("f");
    const auto there = [&] { return sync::still_there(w.fs(), w.root(), "f", "", found); };
    CHECK(there());
    CHECK_FALSE(sync::still_there(w.fs(), w.root(), "g", "", found));
    CHECK_FALSE(sync::still_there(w.fs(), w.root(), "f", "f", found));
    w.write("f", w.content + "more");
    CHECK(there());
    SECTION("cut short") { w.write("f", "short"); }
    SECTION("replaced") {
        w.remove("f");
        w.write("f", w.content);
    }
    SECTION("removed") { w.remove("f"); }
    CHECK_FALSE(there());
}
