// The records of what is in step: what is written is read again, whatever is damaged is refused, and a journal of them
// says the same killed at any call, whole or shortened.
#include <tests/sync/disk_fixture.hpp>

#include <random>

using namespace lockstep;
using namespace sync_test;

namespace {

sync::local_record record(std::uint64_t n, const std::string& name, entry_id parent = root_entry) {
    sync::local_record r;
    r.id = id(n);
    r.where = {parent, name};
    r.type = folder::entry_type::file;
    r.mode = 0640;
    r.mtime_ns = -5;
    r.hash = sha256(as_bytes(name));
    r.size = 77;
    r.content_version = log_index(n);
    r.placement_version = log_index(n + 1);
    r.certain = false;
    r.disk = {file_type::regular, 0640, 77, 1, 1000 + n, 1, -5, 6, 7};
    return r;
}

sync::intent_record intent(const std::string& staged, std::uint64_t n) {
    sync::intent_record i;
    i.staged = staged;
    i.path = "d/f";
    i.built = {file_type::regular, 0640, 77, 1, 99, 1, -5, 6, 7};
    i.record = record(n, "f");
    return i;
}

/// Everything that a state says, comparable.
std::vector<byte_buffer> said(const sync::journal_state& state) { return sync::compact_journal(state); }

std::vector<byte_buffer> encoded(const std::vector<sync::journal_record>& records) {
    std::vector<byte_buffer> all;
    for (const auto& r : records) all.push_back(sync::encode_record(r));
    return all;
}

/// One of each kind, with all that is optional and without.
std::vector<sync::journal_record> samples() {
    auto parked = record(2, std::string("\xff\n name", 7));
    parked.parked = true;
    parked.type = folder::entry_type::symlink;
    auto full = intent("new-1-2", 3);
    full.removal = true;
    full.expected = record(4, "before");
    return {record(1, "a"), parked, sync::erased_record{id(5)}, intent("new-1-1", 3), full,
            sync::intent_done_record{"new-1-1"}, sync::loosened_record{"mode-1-0", "d", record(1, "d").disk}};
}

}  // namespace

TEST_CASE("each record is read as it was written") {
    for (const auto& r : samples()) {
        const auto bytes = sync::encode_record(r);
        const auto back = sync::decode_record(bytes);
        REQUIRE(back.has_value());
        CHECK(back->index() == r.index());
        CHECK(sync::encode_record(*back) == bytes);
    }
    const auto back = sync::decode_record(sync::encode_record(record(1, "a"))).value();
    CHECK(std::get<sync::local_record>(back) == record(1, "a"));
}

TEST_CASE("after a loss of power no content is certain any more") {
    sync::journal_state state;
    auto file = record(1, "a");
    auto link = record(2, "b");
    link.type = folder::entry_type::symlink;
    auto displaced = intent("new-1-1", 3);
    displaced.expected = record(4, "before");
    for (auto* r : {&file, &link, &*displaced.expected}) r->certain = true;
    state.synced.put(file);
    state.synced.put(link);
    state.intents.emplace(displaced.staged, displaced);
    sync::doubt_contents(state);
    file.certain = false;
    file.doubted = true;
    CHECK(*state.synced.find(file.id) == file);
    CHECK(*state.synced.find(link.id) == link);   // what a link leads to cannot be changed
    CHECK_FALSE(state.intents.at("new-1-1").expected->certain);
    CHECK(std::get<sync::local_record>(sync::decode_record(sync::encode_record(file)).value()) == file);
}

TEST_CASE("a record that was cut, has more behind it, or is of a newer format is refused") {
    for (const auto& r : samples()) {
        auto bytes = sync::encode_record(r);
        for (std::size_t length = 0; length < bytes.size(); ++length)
            CHECK_FALSE(sync::decode_record(byte_view(bytes).first(length)).has_value());
        bytes.push_back(std::byte{0});
        CHECK(sync::decode_record(bytes).error() == errc::corrupt);
        bytes.pop_back();
        bytes[0] = std::byte{2};
        CHECK(sync::decode_record(bytes).error() == errc::newer_format);
    }
    byte_buffer unknown = sync::encode_record(sync::erased_record{id(5)});
    unknown[1] = std::byte{99};
    CHECK(sync::decode_record(unknown).error() == errc::corrupt);
    CHECK(sync::replay_journal({unknown}).error() == errc::corrupt);
}

TEST_CASE("the last record of a thing counts, and what is done is forgotten") {
    auto moved = record(1, "b");
    auto in_its_place = record(2, "a");
    const auto state = sync::replay_journal(encoded({record(1, "a"), intent("new-1-1", 2), moved, in_its_place, record(3, "c"),
                                                     sync::erased_record{id(3)}, intent("new-1-2", 4),
                                                     sync::intent_done_record{"new-1-1"},
                                                     sync::loosened_record{"mode-1-0", "d", {}},
                                                     sync::loosened_record{"mode-1-1", "e", {}},
                                                     sync::intent_done_record{"mode-1-0"}}))
                           .value();
    CHECK(state.synced.size() == 2);
    CHECK(state.synced.resolve("b") == id(1));
    CHECK(state.synced.resolve("a") == id(2));
    CHECK(state.intents.size() == 1);
    CHECK(state.intents.contains("new-1-2"));
    CHECK(state.loosened.size() == 1);
}

TEST_CASE("of a damaged journal only what was about to happen is relied on") {
    auto records = encoded({record(1, "a"), intent("new-1-1", 2), intent("new-1-2", 4), sync::intent_done_record{"new-1-1"},
                            sync::loosened_record{"mode-1-0", "d", {}}, record(3, "c")});
    records.insert(records.begin() + 2, byte_buffer(5));
    const auto state = sync::replay_damaged_journal(records);
    CHECK(state.damaged);
    CHECK(state.synced.size() == 0);
    CHECK(state.intents.size() == 1);
    CHECK(state.intents.contains("new-1-2"));
    CHECK(state.loosened.size() == 1);
    CHECK_FALSE(sync::replay_journal({}).value().damaged);
}

TEST_CASE("another entry recorded at a place means that the one before has left it") {
    const auto state = sync::replay_journal(encoded({record(1, "a"), record(2, "a")})).value();
    CHECK(state.synced.size() == 1);
    CHECK(state.synced.resolve("a") == id(2));
    auto parked = record(3, "a");
    parked.parked = true;
    const auto both = sync::replay_journal(encoded({record(1, "a"), parked})).value();
    CHECK(both.synced.size() == 2);
}

TEST_CASE("a shortened journal says the same, also shortened again") {
    std::vector<sync::journal_record> records = samples();
    for (std::uint64_t n = 10; n < 300; ++n) records.push_back(record(n % 40 + 10, "f" + std::to_string(n % 17)));
    const auto all = encoded(records);
    const auto shorter = sync::shorten_journal(all).value();
    CHECK(shorter.size() < all.size() / 4);
    CHECK(said(sync::replay_journal(shorter).value()) == said(sync::replay_journal(all).value()));
    CHECK(sync::shorten_journal(shorter).value() == shorter);
    CHECK(sync::shorten_journal({byte_buffer{std::byte{1}}}).error() == errc::corrupt);
}

TEST_CASE("whatever was recorded in whatever order, a shortened journal replays to the same") {
    std::mt19937 random(7);
    const auto any = [&](std::uint64_t bound) { return random() % bound + 1; };
    for (int round = 0; round < 300; ++round) {
        std::vector<sync::journal_record> records;
        for (auto left = any(60); left > 0; --left) {
            auto some = record(any(6), "f" + std::to_string(any(4)));
            some.parked = any(5) == 1;
            const std::string staged = "new-" + std::to_string(any(4)) + "-0";
            switch (any(6)) {
                case 1: records.push_back(sync::erased_record{id(any(6))}); break;
                case 2: records.push_back(intent(staged, any(6))); break;
                case 3: records.push_back(sync::intent_done_record{staged}); break;
                case 4: records.push_back(sync::loosened_record{staged, "d", {}}); break;
                default: records.push_back(some);
            }
        }
        const auto all = encoded(records);
        const auto shorter = sync::shorten_journal(all).value();
        CHECK(said(sync::replay_journal(shorter).value()) == said(sync::replay_journal(all).value()));
        CHECK(shorter.size() == said(sync::replay_journal(all).value()).size());
    }
}

TEST_CASE("killed at any call, a journal of records that is kept short says what was synced, or more of what was said") {
    // Batches as the materialiser writes them: intents, synced; then what came of them, not synced.
    struct progress {
        std::vector<std::vector<byte_buffer>> after{{}};   ///< what is said after each append
        std::size_t synced = 0;                            ///< at least so many of them
    };
    const auto run = [](disk_world& w, progress& p) {
        std::vector<byte_buffer> all;
        w.journal().compact_with({2048, sync::shorten_journal});
        for (std::uint64_t n = 1; n <= 12; ++n) {
            const std::string staged = "new-" + std::to_string(n) + "-0";
            for (const bool sync_it : {true, false}) {
                std::vector<byte_buffer> more;
                if (sync_it) more = encoded({intent(staged, n % 3 + 1)});
                else more = encoded({record(n % 3 + 1, "f" + std::to_string(n % 2)), sync::intent_done_record{staged}});
                all.insert(all.end(), more.begin(), more.end());
                p.after.push_back(said(sync::replay_journal(all).value()));
                // Cut within the two records: only the first of them.
                if (!sync_it) {
                    auto first = all;
                    first.pop_back();
                    p.after.insert(p.after.end() - 1, said(sync::replay_journal(first).value()));
                }
                if (!w.journal().append(more, sync_it)) return;
                if (sync_it) p.synced = p.after.size() - 1;
            }
        }
    };
    disk_world whole;
    progress all;
    const auto first = whole.box().calls();
    run(whole, all);
    const auto calls = whole.box().calls() - first;
    REQUIRE(whole.journal().records() < 30);
    for (const crash_kind how : {crash_kind::process, crash_kind::power}) {
        for (std::uint64_t n = 1; n <= calls; ++n) {
            for (std::uint64_t seed = 1; seed <= 4; ++seed) {
                INFO((how == crash_kind::power ? "power, call " : "process, call ") << n << ", seed " << seed);
                disk_world w(seed);
                w.make_durable();
                w.box().crash_at_call(n, how);
                progress p;
                run(w, p);
                REQUIRE_FALSE(w.box().running());
                w.wait(std::chrono::seconds(1));
                REQUIRE(w.box().start());
                disk_world::journal_type again(w.fs(), w.fs().open_directory("/s").value(), "synced", "synced");
                const auto opened = again.open();
                INFO(opened.error.detail);
                REQUIRE_FALSE(opened.error.code);
                const auto state = said(sync::replay_journal(opened.records).value());
                bool one_of_them = false;
                for (std::size_t i = p.synced; i < p.after.size(); ++i) one_of_them = one_of_them || state == p.after[i];
                CHECK(one_of_them);
            }
        }
    }
}
