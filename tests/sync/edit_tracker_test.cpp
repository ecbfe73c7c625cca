#include <lockstep/sync/edit_tracker.hpp>

#include <tests/catch.hpp>

using namespace lockstep;

namespace {

const entry_id known{session_id{node_id(1), 1}, 1};

sync::edit_tracker tracker_with_a_file() {
    sync::local_record record;
    record.id = known;
    record.where = {root_entry, "f"};
    record.type = folder::entry_type::file;
    sync::local_tree local;
    local.put(record);
    sync::edit_tracker tracker;
    tracker.start(session_id{node_id(1), 2}, local);
    return tracker;
}

sync::finding unreadable() {
    sync::finding found;
    found.what = sync::finding::kind::unreadable;
    found.path = "f";
    found.entry = known;
    return found;
}

}  // namespace

TEST_CASE("what could not be read is let go once a look finds nothing in the way") {
    for (const sync::scan_target& look :
         {sync::scan_target{"f", false, false, false}, sync::scan_target{"", true, false, false},
          sync::scan_target{"", true, true, false}}) {
        auto tracker = tracker_with_a_file();
        tracker.find(unreadable(), 1);
        CHECK(tracker.is_busy(known));
        CHECK(tracker.skipped().contains("f"));

        tracker.forget_skipped(look);
        tracker.find(unreadable(), 2);
        tracker.looked();
        CHECK(tracker.is_busy(known));
        CHECK(tracker.take_stale().empty());

        tracker.forget_skipped(look);
        tracker.looked();
        CHECK(!tracker.is_busy(known));
        CHECK(tracker.skipped().empty());
        CHECK(tracker.take_stale() == std::set<entry_id>{known});
    }
}

TEST_CASE("what cannot be read is looked at again, by and by") {
    auto tracker = tracker_with_a_file();
    tracker.find(unreadable(), 7);
    const auto looks = tracker.take_looks();
    REQUIRE(looks.size() == 1);
    CHECK(looks[0].target.path == "f");
    CHECK(looks[0].after >= std::chrono::seconds(5));
    CHECK(looks[0].generation > 7);   // a barrier does not wait for it
}
