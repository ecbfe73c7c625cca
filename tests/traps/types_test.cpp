// A name that becomes something else: a file, a directory with children, a link, in all six ways.
#include <tests/traps/three_nodes.hpp>

using namespace traps_test;

namespace {

const std::vector<std::string> types{"file", "directory", "link"};

void make(const fs::path& path, const std::string& type, const std::string& mark) {
    if (type == "file") {
        write(path, "file " + mark);
    } else if (type == "link") {
        fs::create_symlink("to-" + mark, path);
    } else {
        fs::create_directories(path / "below");
        write(path / "child", "child " + mark);
        write(path / "below" / "deep", "deep " + mark);
    }
}

bool is(const fs::path& path, const std::string& type) {
    const auto status = fs::symlink_status(path);
    return type == "file"   ? fs::is_regular_file(status)
           : type == "link" ? fs::is_symlink(status)
                            : fs::is_directory(status);
}

std::set<std::string> contents(const fs::path& root) {
    std::set<std::string> out;
    for (const auto& item : fs::recursive_directory_iterator(root))
        if (item.is_regular_file() && !item.is_symlink()) out.insert(text_of(item.path()));
    return out;
}

/// All six swaps, under one name each.
void each_swap(
    const std::function<void(const std::string& name, const std::string& from, const std::string& to)>& f) {
    for (const auto& from : types)
        for (const auto& to : types)
            if (from != to) f(from + "-to-" + to, from, to);
}

}  // namespace

TEST_CASE("row 16: all six swaps of types arrive, at once and one by one") {
    three_nodes nodes;
    each_swap(
        [&](const auto& name, const auto& from, const auto&) { make(nodes.dir(1) / name, from, name); });
    nodes.settle();
    each_swap([&](const auto& name, const auto&, const auto& to) {
        fs::remove_all(nodes.dir(2) / name);
        make(nodes.dir(2) / name, to, "new " + name);
    });
    const auto mine = tree_of(nodes.dir(2));
    nodes.settle();
    CHECK(difference(mine, tree_of(nodes.dir(3))) == "");
    CHECK(nodes.number(1, "conflicts") == 0);
    // By renaming something of the other type over it, one after the other.
    each_swap([&](const auto& name, const auto& from, const auto&) {
        make(nodes.dir(1) / ".new", from, "back " + name);
        fs::remove_all(nodes.dir(1) / name);
        fs::rename(nodes.dir(1) / ".new", nodes.dir(1) / name);
        nodes.settle();
        for (int id : {2, 3}) CHECK(is(nodes.dir(id) / name, from));
    });
    CHECK(nodes.number(1, "conflicts") == 0);
}

TEST_CASE("row 16: a swap of types while a peer edits what is swapped loses neither") {
    three_nodes nodes;
    const fs::path removed = nodes.outside();
    for (int round = 0; round < 3; ++round) {
        const std::string mark = std::to_string(round);
        each_swap([&](const auto& name, const auto& from, const auto&) {
            make(nodes.dir(1) / (name + mark), from, name + mark);
        });
        nodes.settle();
        child swapper([&] {
            each_swap([&](const auto& name, const auto&, const auto& to) {
                // Moved out, not deleted: where the peer's edit was here already, this user removed it, and that shows.
                // Where the peer's edit came back before the swap was done, there is none.
                const fs::path path = nodes.dir(1) / (name + mark), made = removed / ("new " + name + mark);
                fs::rename(path, removed / (name + mark));
                make(made, to, "new " + name + mark);
                const int swapped = ::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE);
                if (swapped != 0 && errno != EEXIST) throw std::runtime_error("cannot put " + made.string());
            });
            return true;
        });
        std::set<std::string> closed;
        each_swap([&](const auto& name, const auto& from, const auto&) {
            const std::string text = "peer's " + name + mark;
            const auto path = nodes.dir(2) / (name + mark) / "";
            // Where the swap was here first there is no such file or directory to edit.
            const int fd = from == "directory"
                               ? ::open((path / "child").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC)
                           : from == "file" ? ::open((nodes.dir(2) / (name + mark)).c_str(),
                                                     O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC)
                                            : -1;
            if (fd < 0) return;
            if (::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()))
                closed.insert(text);
            ::close(fd);
        });
        CHECK(swapper.wait());
        nodes.settle();
        auto kept = contents(nodes.dir(3));
        kept.merge(contents(removed));
        for (const auto& text : closed) {
            INFO("round " << round);
            CHECK((kept.count(text) ? "" : text) == "");
        }
    }
}

TEST_CASE("row 16: a swap of types with a crash midway is finished after it") {
    three_nodes nodes;
    for (const int crashing : {1, 2}) {
        const std::string mark = std::to_string(crashing);
        each_swap([&](const auto& name, const auto& from, const auto&) {
            make(nodes.dir(1) / (name + mark), from, name + mark);
        });
        nodes.settle();
        int swapped = 0;
        each_swap([&](const auto& name, const auto&, const auto& to) {
            fs::remove_all(nodes.dir(1) / (name + mark));
            // Killed between the removal and what comes in its place: at the origin, or where it is being
            // written.
            if (++swapped == 4) nodes.end(crashing, SIGKILL);
            make(nodes.dir(1) / (name + mark), to, "new " + name + mark);
        });
        const auto mine = tree_of(nodes.dir(1));
        nodes.start(crashing);
        REQUIRE(within(seconds(20), [&] { return nodes.is(crashing, "state", "ready"); }));
        nodes.settle();
        CHECK(difference(mine, tree_of(nodes.dir(1))) == "");
    }
}
