// The write-ahead log over the simulated disk: whatever call it crashes at, and whatever the power takes, what it
// acknowledged and not dropped is there again, and what is there is what some prefix of its appends made.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/storage/wal.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

using log_type = storage::wal<sim_runtime, sim_file_system>;

/// What a log holds after some appends.
struct log_image {
    lockstep::term term;
    node_id voted_for;
    log_position base;                ///< what was dropped at most; the log may begin before
    std::vector<log_record> records;  ///< behind the base
    friend bool operator==(const log_image&, const log_image&) = default;

    log_index last() const { return base.index + records.size(); }

    void append(const log_batch& b) {
        term = b.term;
        voted_for = b.voted_for;
        if (b.records.empty()) return;
        records.resize(static_cast<std::size_t>(b.records.front().index - base.index - 1));
        records.insert(records.end(), b.records.begin(), b.records.end());
    }
    void reset(log_position at, lockstep::term t, node_id vote) {
        term = t;
        voted_for = vote;
        base = at;
        records.clear();
    }
    /// Returns whether `to` is in it, or before it.
    bool drop(const log_position& to) {
        if (to.index <= base.index) return to.index < base.index || to.term == base.term;
        if (to.index > last()) return false;
        if (records[static_cast<std::size_t>(to.index - base.index - 1)].term != to.term) return false;
        records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(to.index - base.index));
        base = to;
        return true;
    }
};

/// Survives the crashes: what may come back.
struct expectation {
    std::vector<log_image> images{log_image{}};  ///< after each append since the last recovery
    std::size_t acknowledged = 0;                ///< at least this one
    std::size_t recoveries = 0;
    std::size_t appends = 0;
    std::size_t drops = 0;
    std::size_t resets = 0;
    std::size_t shortened = 0;                   ///< recoveries of a log that did not begin at 1
    std::string wrong;
};

/// The program: recovers, compares, then appends, drops and resets without waiting for each answer.
class log_user {
public:
    log_user(node_system& s, expectation& e)
        : s_(s), e_(e), random_(s.runtime.random()), log_(s.runtime, s.file_system, "/state", {65536, 30'000}) {
        log_.open([this](recovered_log found, storage_error error) {
            if (error.code == errc::halted) return;
            if (error.code == errc::io_error) return;   // this one failed in a sync: it ends
            if (error.code) return fail("recovery refused: " + error.code.message() + " " + error.detail);
            image_.term = found.term;
            image_.voted_for = found.voted_for;
            image_.base = found.base;
            found_ = std::move(found);
            read_on();
        });
    }

private:
    void fail(std::string what) {
        if (e_.wrong.empty()) e_.wrong = std::move(what);
    }

    void read_on() {
        const log_index next = image_.last() + 1;
        if (next > found_.last_index) return compare();
        log_.read(next, found_.last_index, 5000, [this](std::vector<log_record> records, storage_error error) {
            if (error.code == errc::halted) return;
            if (error.code || records.empty()) return fail("reading back failed: " + error.detail);
            image_.records.insert(image_.records.end(), records.begin(), records.end());
            read_on();
        });
    }

    void compare() {
        std::size_t fits = e_.images.size();
        for (std::size_t i = e_.acknowledged; i < e_.images.size() && fits == e_.images.size(); ++i) {
            // As much as both have: what was dropped may be there still, and the drop of a moment ago may be done.
            log_image had = e_.images[i], found = image_;
            if (found.drop(had.base) && had.drop(found.base) && had == found) fits = i;
        }
        if (fits == e_.images.size()) return fail("what was recovered is no prefix of the appends, or lacks an acknowledged one");
        if (image_.base.index > e_.images[fits].base.index && image_.base.index > dropped_before())
            return fail("more is gone than was dropped");
        for (const auto& run : found_.runs)
            if (image_.records.at(static_cast<std::size_t>(run.first - image_.base.index - 1)).term != run.term)
                return fail("a run lies");
        e_.shortened += image_.base.index.value != 0 ? 1 : 0;
        e_.images = {image_};
        e_.acknowledged = 0;
        ++e_.recoveries;
        append();
    }

    /// The furthest that anything was dropped since the last recovery.
    log_index dropped_before() const {
        log_index most;
        for (const auto& image : e_.images) most = std::max(most, image.base.index);
        return most;
    }

    /// Something that was answered.
    void drop() {
        const log_image& sure = e_.images[e_.acknowledged];
        if (e_.acknowledged + 1 != e_.images.size() || sure.records.empty()) return;
        const auto& last = sure.records[static_cast<std::size_t>(random_.below(sure.records.size()))];
        ++e_.drops;
        image_.drop({last.index, last.term});
        e_.images.push_back(image_);
        ++e_.acknowledged;
        log_.drop_prefix(image_.base);
    }
    void reset() {
        const auto t = image_.term + random_.below(2);
        image_.reset({image_.last() + random_.between(1, 9), t + 1}, t + 1, node_id(random_.below(4)));
        e_.images.push_back(image_);
        ++e_.resets;
        log_.reset(image_.base, image_.term, image_.voted_for, noted());
    }
    unique_function<void(storage_error)> noted() {
        return [this, number = e_.images.size() - 1](storage_error error) {
            if (error.code) return;
            if (number <= e_.acknowledged) return fail("answers out of order");
            e_.acknowledged = number;
        };
    }

    void append() {
        if (random_.one_in(4)) drop();
        if (random_.one_in(60)) reset();
        log_batch b;
        b.term = image_.term + random_.below(2);
        b.voted_for = node_id(random_.below(4));
        const std::uint64_t next = image_.last().value + 1;
        if (!random_.one_in(6)) {
            const std::uint64_t first = random_.one_in(10) ? random_.between(image_.base.index.value + 1, next) : next;
            const std::uint64_t count = random_.between(1, 4);
            for (std::uint64_t i = 0; i < count; ++i) {
                byte_buffer bytes(static_cast<std::size_t>(random_.below(random_.one_in(20) ? 20'000 : 600)));
                for (auto& x : bytes) x = static_cast<std::byte>(random_());
                b.records.push_back({log_index(first + i), b.term, static_cast<std::uint8_t>(random_.below(3)), shared_bytes(bytes)});
            }
        }
        image_.append(b);
        e_.images.push_back(image_);
        ++e_.appends;
        log_.append(std::move(b), noted());
        s_.runtime.schedule(s_.runtime.now() + duration(random_.below(600'000)), [this] { append(); });
    }

    node_system& s_;
    expectation& e_;
    random_generator random_;
    log_type log_;
    recovered_log found_;
    log_image image_;
};

std::string run(std::uint64_t seed, expectation& e, bool failing_syncs = false) {
    world w(seed);
    links cables(w);
    sim_network network(w, cables);
    machine box(w, cables, network, nullptr, node_id(1));
    auto root = box.disk().open_directory(sim_disk::user, "/").value();
    REQUIRE(box.disk().make_directory(root, "state", 0700));
    REQUIRE(box.disk().sync_directory(root));
    box.set_program([&e](node_system& s) { return std::make_shared<log_user>(s, e); });
    random_generator draw = w.fork("crashes");
    for (int life = 0; life < 12 && e.wrong.empty(); ++life) {
        while (!box.start()) w.step();
        const bool short_life = draw.one_in(2);
        const std::uint64_t call = draw.between(1, short_life ? 30 : 400);
        box.crash_at_call(call, draw.one_in(3) ? crash_kind::process : crash_kind::power);
        // A process that ends over a failed sync leaves a page cache that shows more than there is.
        const bool failing = failing_syncs && draw.one_in(3);
        box.fail_at_call(failing ? draw.between(1, 30) : 0, errc::io_error, [](fs_call c) { return c == fs_call::sync_file; });
        // Idle logs make no calls: the crash then comes by the clock.
        if (!w.run_until([&] { return !box.running() || !e.wrong.empty(); }, w.now() + 200ms))
            box.crash(failing ? crash_kind::process : crash_kind::power);
    }
    return e.wrong;
}

}  // namespace

TEST_CASE("an acknowledged append survives crashes at any call of a log that is compacted and reset") {
    std::size_t recoveries = 0, appends = 0, drops = 0, resets = 0, shortened = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        expectation e;
        INFO("seed " << seed);
        REQUIRE(run(seed, e) == "");
        recoveries += e.recoveries;
        appends += e.appends;
        drops += e.drops;
        resets += e.resets;
        shortened += e.shortened;
    }
    CAPTURE(drops, resets, shortened);
    CHECK(drops > 200);
    CHECK(resets > 50);
    CHECK(shortened > 100);
    CHECK(recoveries > 500);
    CHECK(appends > 5000);
}

TEST_CASE("an acknowledged append survives processes that end over a failed sync") {
    std::size_t recoveries = 0;
    for (std::uint64_t seed = 1000; seed < 1150; ++seed) {
        expectation e;
        INFO("seed " << seed);
        REQUIRE(run(seed, e, true) == "");
        recoveries += e.recoveries;
    }
    CHECK(recoveries > 500);
}
