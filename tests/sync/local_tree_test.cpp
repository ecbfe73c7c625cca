#include <lockstep/sync/local_tree.hpp>

#include <lockstep/base/random.hpp>

#include <tests/catch.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using namespace lockstep;
using namespace lockstep::sync;

namespace {

entry_id id_of(std::uint64_t n) { return {{node_id(1), 1}, n}; }

local_record record_of(std::uint64_t n, const std::string& name, std::uint64_t inode) {
    local_record r;
    r.id = id_of(n);
    r.where = {root_entry, name};
    r.disk.inode = inode;
    return r;
}

}  // namespace

TEST_CASE("a record that is put again is found by its new place and inode alone", "[sync]") {
    local_tree tree;
    local_record r = record_of(1, "a", 10);
    tree.put(r);
    r.size = 5;
    tree.put(r);
    CHECK(tree.find(r.id)->size == 5);
    CHECK(tree.child(root_entry, "a") == r.id);
    r.where.name = "b";
    tree.put(r);
    CHECK_FALSE(tree.child(root_entry, "a"));
    CHECK(tree.child(root_entry, "b") == r.id);
    const file_status before = r.disk;
    r.disk.inode = 11;
    tree.put(r);
    CHECK(tree.find_inode(before) == nullptr);
    CHECK(tree.find_inode(r.disk) == tree.find(r.id));
    r.parked = true;
    tree.put(r);
    CHECK_FALSE(tree.child(root_entry, "b"));
    tree.put(record_of(2, "b", 12));  // the place is free
    tree.put(*tree.find(r.id));       // what is there already, by a reference into the tree
    CHECK(tree.find(r.id)->parked);
    CHECK(tree.size() == 2);
}

TEST_CASE("of several entries that are believed to be one inode the one that it is as it was recorded is found", "[sync]") {
    local_tree tree;
    for (std::uint64_t n = 1; n <= 3; ++n) {
        local_record r = record_of(n, std::string(1, static_cast<char>('a' + n)), 10);
        r.disk.size = n;
        tree.put(r);
    }
    file_status here = tree.find(id_of(2))->disk;
    CHECK(tree.find_inode(here)->id == id_of(2));
    here.size = 7;
    CHECK(tree.find_inode(here)->id == id_of(1));
}

TEST_CASE("a tree that was changed step by step is as one that is made at once", "[sync]") {
    random_generator random(3);
    local_tree tree;
    std::map<std::uint64_t, local_record> model;
    const auto place_free = [&](const local_record& r) {
        return std::none_of(model.begin(), model.end(), [&](const auto& item) {
            return item.second.id != r.id && !item.second.parked && item.second.where == r.where;
        });
    };
    for (int i = 0; i < 5000; ++i) {
        const std::uint64_t n = 1 + random.below(40);
        if (random.one_in(4)) {
            tree.erase(id_of(n));
            model.erase(n);
            continue;
        }
        local_record r = record_of(n, std::string(1, static_cast<char>('a' + random.below(26))), 1 + random.below(50));
        if (const auto known = model.find(n); known != model.end() && random.one_in(2)) r = known->second;
        r.size = random.below(100);
        r.parked = random.one_in(5);
        if (!r.parked && !place_free(r)) continue;
        tree.put(r);
        model[n] = r;
    }
    REQUIRE(tree.size() == model.size());
    std::size_t placed = 0;
    for (const auto& [n, r] : model) {
        REQUIRE(tree.find(r.id));
        CHECK(*tree.find(r.id) == r);
        const local_record* same = tree.find_inode(r.disk);
        REQUIRE(same);
        CHECK(same->disk.inode == r.disk.inode);
        if (r.parked) continue;
        ++placed;
        CHECK(tree.child(root_entry, r.where.name) == r.id);
    }
    CHECK(tree.children(root_entry).size() == placed);
}

TEST_CASE("what damaged records say to be below itself has no path") {
    constexpr entry_id a{{node_id(1), 1}, 1}, b{{node_id(1), 1}, 2};
    sync::local_tree tree;
    for (const auto& [id, in] : {std::pair(a, b), std::pair(b, a)}) {
        sync::local_record record;
        record.id = id;
        record.where = {in, "d"};
        record.type = folder::entry_type::directory;
        tree.put(record);
    }
    CHECK_FALSE(tree.path_of(a));
    CHECK_FALSE(tree.is_rooted(b));
}
