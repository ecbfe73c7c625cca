// The write-ahead log over the simulated disk: whatever call it crashes at, and whatever the power takes, what it
// acknowledged is there again, and what is there is what some prefix of its appends made.
#include <tests/catch.hpp>

#include <sim/machine.hpp>

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
    std::vector<log_record> records;
    friend bool operator==(const log_image&, const log_image&) = default;

    void append(const log_batch& b) {
        term = b.term;
        voted_for = b.voted_for;
        if (b.records.empty()) return;
        records.resize(static_cast<std::size_t>(b.records.front().index.value - 1));
        records.insert(records.end(), b.records.begin(), b.records.end());
    }
};

/// Survives the crashes: what may come back.
struct expectation {
    std::vector<log_image> images{log_image{}};  ///< after each append since the last recovery
    std::size_t acknowledged = 0;                ///< at least this one
    std::size_t recoveries = 0;
    std::size_t appends = 0;
    std::string wrong;
};

/// The program: recovers, compares, then appends without waiting for each answer.
class log_user {
public:
    log_user(node_system& s, expectation& e)
        : s_(s), e_(e), random_(s.runtime.random()), log_(s.runtime, s.file_system, "/state", {65536, 30'000}) {
        log_.open([this](recovered_log found, storage_error error) {
            if (error.code == errc::halted) return;
            if (error.code) return fail("recovery refused: " + error.code.message() + " " + error.detail);
            image_.term = found.term;
            image_.voted_for = found.voted_for;
            found_ = std::move(found);
            read_on();
        });
    }

private:
    void fail(std::string what) {
        if (e_.wrong.empty()) e_.wrong = std::move(what);
    }

    void read_on() {
        const log_index next(image_.records.size() + 1);
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
        for (std::size_t i = e_.acknowledged; i < e_.images.size() && fits == e_.images.size(); ++i)
            if (e_.images[i] == image_) fits = i;
        if (fits == e_.images.size()) return fail("what was recovered is no prefix of the appends, or lacks an acknowledged one");
        for (const auto& run : found_.runs)
            if (image_.records.at(static_cast<std::size_t>(run.first.value - 1)).term != run.term) return fail("a run lies");
        e_.images = {image_};
        e_.acknowledged = 0;
        ++e_.recoveries;
        append();
    }

    void append() {
        log_batch b;
        b.term = image_.term + random_.below(2);
        b.voted_for = node_id(random_.below(4));
        const std::uint64_t size = image_.records.size();
        if (!random_.one_in(6)) {
            const std::uint64_t first = random_.one_in(10) ? random_.between(1, size + 1) : size + 1;
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
        log_.append(std::move(b), [this, number = e_.images.size() - 1](storage_error error) {
            if (error.code) return;
            if (number <= e_.acknowledged) return fail("answers out of order");
            e_.acknowledged = number;
        });
        s_.runtime.schedule(s_.runtime.now() + duration(random_.below(600'000)), [this] { append(); });
    }

    node_system& s_;
    expectation& e_;
    random_generator random_;
    log_type log_;
    recovered_log found_;
    log_image image_;
};

std::string run(std::uint64_t seed, expectation& e) {
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
        box.crash_at_call(draw.between(1, short_life ? 30 : 400), draw.one_in(3) ? crash_kind::process : crash_kind::power);
        // Idle logs make no calls: the crash then comes by the clock.
        if (!w.run_until([&] { return !box.running() || !e.wrong.empty(); }, w.now() + 200ms)) box.crash(crash_kind::power);
    }
    return e.wrong;
}

}  // namespace

TEST_CASE("an acknowledged append survives crashes at any call of the log") {
    std::size_t recoveries = 0, appends = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        expectation e;
        INFO("seed " << seed);
        REQUIRE(run(seed, e) == "");
        recoveries += e.recoveries;
        appends += e.appends;
    }
    CHECK(recoveries > 500);
    CHECK(appends > 5000);
}
