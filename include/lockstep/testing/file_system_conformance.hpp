// What every `file_system` must do (docs/concepts/file_system.md), as checks to run on a model of your own.
//
// A Fixture is an empty directory, made anew for each check:
//     using file_system = …;
//     file_system& fs();
//     std::string root();                   the directory, as open_directory takes it
//     bool make_other(std::string name);    optional: puts a FIFO, device or socket there; false if it cannot
// check_file_system<Fixture>() returns what failed, a line each; nothing means that all is well.
// Durability is not checked: that takes a loss of power.
#pragma once

#include <lockstep/concepts/file_system.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::testing {

template <class Fixture>
class file_system_check {
    using fs_type = typename Fixture::file_system;
    static_assert(file_system<fs_type>);
    using directory = typename fs_type::directory;
    using file = typename fs_type::file;

public:
    std::vector<std::string> run() {
        run("bytes are read where they were written", [](auto& c) { c.read_and_write(); });
        run("the modes of opening", [](auto& c) { c.opening(); });
        run("names that are no names", [](auto& c) { c.bad_names(); });
        run("resizing", [](auto& c) { c.resizing(); });
        run("directories", [](auto& c) { c.directories(); });
        run("paths stay beneath their directory", [](auto& c) { c.paths(); });
        run("symbolic links are never followed", [](auto& c) { c.symlinks(); });
        run("removing", [](auto& c) { c.removing(); });
        run("renaming over what is there", [](auto& c) { c.rename_replace(); });
        run("renaming only where nothing is", [](auto& c) { c.rename_no_replace(); });
        run("exchanging", [](auto& c) { c.rename_exchange(); });
        run("renaming directories", [](auto& c) { c.rename_directories(); });
        run("an open file outlives its name", [](auto& c) { c.unlinked(); });
        run("modes are exactly as given", [](auto& c) { c.modes(); });
        run("times", [](auto& c) { c.times(); });
        run("what a status tells", [](auto& c) { c.statuses(); });
        run("locks", [](auto& c) { c.locks(); });
        run("writers", [](auto& c) { c.writers(); });
        run("what is neither file nor directory is not opened", [](auto& c) { c.others(); });
        run("syncing and space", [](auto& c) { c.syncing(); });
        return std::move(failures_);
    }

private:
    template <class Check>
    void run(std::string name, Check check) {
        name_ = std::move(name);
        fixture_ = std::make_unique<Fixture>();
        {
            auto root = fs().open_directory(fixture_->root());
            if (expect(root.has_value(), "the root does not open")) {
                root_ = std::make_unique<directory>(std::move(*root));
                check(*this);
            }
            root_ = nullptr;
        }
        fixture_ = nullptr;
    }

    fs_type& fs() { return fixture_->fs(); }
    directory& root() { return *root_; }

    bool expect(bool held, const std::string& what) {
        if (!held) failures_.push_back(name_ + ": " + what);
        return held;
    }
    template <class T>
    bool works(const result<T>& r, const std::string& what) {
        return expect(r.has_value(), what + " failed" + (r.has_value() ? "" : ": " + r.error().message()));
    }
    template <class T>
    void fails(const result<T>& r, errc why, const std::string& what) {
        const std::string wanted = make_error_code(why).message();
        if (r.has_value()) expect(false, what + " did not fail (" + wanted + ")");
        else expect(r.error() == why, what + ": \"" + r.error().message() + "\" and not \"" + wanted + "\"");
    }

    bool make(directory& dir, std::string_view name, std::string_view content, std::uint32_t mode = 0644) {
        auto f = fs().open_file(dir, name, open_mode::create_new, mode);
        if (!works(f, "making " + std::string(name))) return false;
        return works(fs().write_at(*f, 0, as_bytes(content)), "writing " + std::string(name));
    }
    std::string content(directory& dir, std::string_view name) {
        auto f = fs().open_file(dir, name, open_mode::read, 0);
        if (!works(f, "opening " + std::string(name))) return {};
        return content(*f);
    }
    std::string content(file& f) {
        byte_buffer bytes(4096);
        const auto n = fs().read_at(f, 0, bytes);
        if (!works(n, "reading")) return {};
        return std::string(as_text(byte_view(bytes).first(*n)));
    }
    std::uint64_t inode(directory& dir, std::string_view name) {
        const auto s = fs().status_at(dir, name);
        return works(s, "status of " + std::string(name)) ? s->inode : 0;
    }
    std::vector<std::string> names(directory& dir) {
        std::vector<std::string> all;
        const auto items = fs().list(dir);
        if (works(items, "listing")) {
            for (const auto& item : *items) all.push_back(item.name);
        }
        std::sort(all.begin(), all.end());
        return all;
    }

    void read_and_write() {
        auto f = fs().open_file(root(), "f", open_mode::create_new, 0644);
        if (!works(f, "create_new")) return;
        byte_buffer out(4);
        const auto nothing = fs().read_at(*f, 0, out);
        expect(nothing && *nothing == 0, "a new file is not empty");
        works(fs().write_at(*f, 3, as_bytes("abc")), "writing behind the end");
        expect(content(*f) == std::string("\0\0\0abc", 6), "the gap is not zeros");
        works(fs().write_at(*f, 4, as_bytes("X")), "writing inside");
        const auto part = fs().read_at(*f, 3, out);
        expect(part && *part == 3 && as_text(byte_view(out).first(3)) == "aXc", "reading up to the end is not short");
        const auto behind = fs().read_at(*f, 100, out);
        expect(behind && *behind == 0, "reading behind the end is not empty");
        works(fs().write_at(*f, 6, {}), "writing nothing");
        const auto s = fs().status(*f);
        expect(s && s->size == 6, "the size is wrong");
        auto reader = fs().open_file(root(), "f", open_mode::read, 0);
        if (works(reader, "opening to read")) {
            expect(content(*reader) == content(*f), "another descriptor reads something else");
            expect(!fs().write_at(*reader, 0, as_bytes("no")), "a file opened to read was written");
        }
    }

    void opening() {
        fails(fs().open_file(root(), "f", open_mode::read, 0), errc::not_found, "read of nothing");
        fails(fs().open_file(root(), "f", open_mode::read_write, 0), errc::not_found, "read_write of nothing");
        works(fs().open_file(root(), "f", open_mode::create_or_open, 0644), "create_or_open of nothing");
        if (auto f = fs().open_file(root(), "f", open_mode::read_write, 0); works(f, "read_write")) {
            works(fs().write_at(*f, 0, as_bytes("kept")), "writing");
        }
        fails(fs().open_file(root(), "f", open_mode::create_new, 0644), errc::already_exists, "create_new over a file");
        if (auto f = fs().open_file(root(), "f", open_mode::create_or_open, 0600); works(f, "create_or_open")) {
            expect(content(*f) == "kept", "create_or_open changed the content");
            const auto s = fs().status(*f);
            expect(s && s->mode == 0644, "create_or_open changed the mode of what was there");
        }
        works(fs().make_directory(root(), "d", 0755), "make_directory");
        for (const auto how : {open_mode::read, open_mode::read_write, open_mode::create_or_open}) {
            fails(fs().open_file(root(), "d", how, 0644), errc::is_a_directory, "opening a directory as a file");
        }
        fails(fs().open_file(root(), "d", open_mode::create_new, 0644), errc::already_exists, "create_new over a directory");
        fails(fs().open_directory(fixture_->root() + "/nothing"), errc::not_found, "open_directory of nothing");
        fails(fs().open_directory(fixture_->root() + "/f"), errc::not_a_directory, "open_directory of a file");
        works(fs().open_directory(fixture_->root() + "/d"), "open_directory of a path");
    }

    void bad_names() {
        make(root(), "f", "");
        using namespace std::string_view_literals;
        for (const auto name : {""sv, "."sv, ".."sv, "a/b"sv, "/"sv, "a\0b"sv}) {
            const std::string what = "the name \"" + std::string(name) + "\"";
            fails(fs().open_file(root(), name, open_mode::create_new, 0644), errc::invalid_argument, what + " of a file");
            fails(fs().make_directory(root(), name, 0755), errc::invalid_argument, what + " of a directory");
            fails(fs().make_symlink(root(), name, "t"), errc::invalid_argument, what + " of a link");
            fails(fs().status_at(root(), name), errc::invalid_argument, "the status of " + what);
            fails(fs().remove_file(root(), name), errc::invalid_argument, "removing " + what);
            fails(fs().rename(root(), "f", root(), name, rename_mode::replace), errc::invalid_argument, "renaming to " + what);
        }
        const std::string longest(255, 'n');
        make(root(), longest, "x");
        expect(content(root(), longest) == "x", "a name of 255 bytes");
        fails(fs().open_file(root(), longest + "n", open_mode::create_new, 0644), errc::name_too_long, "256 bytes");
        const std::string odd = "\x01 \xff\n\"\\*";
        make(root(), odd, "odd");
        expect(content(root(), odd) == "odd", "a name of odd bytes");
        expect(names(root()) == std::vector<std::string>{odd, "f", longest}, "names are not listed as they are");
    }

    void resizing() {
        auto f = fs().open_file(root(), "f", open_mode::create_new, 0644);
        if (!works(f, "create_new")) return;
        works(fs().write_at(*f, 0, as_bytes("abcdef")), "writing");
        works(fs().resize(*f, 2), "shrinking");
        expect(content(*f) == "ab", "shrunk wrongly");
        works(fs().resize(*f, 4), "growing");
        expect(content(*f) == std::string("ab\0\0", 4), "what was cut came back");
    }

    void directories() {
        expect(names(root()).empty(), "the root is not empty");
        works(fs().make_directory(root(), "d", 0755), "make_directory");
        fails(fs().make_directory(root(), "d", 0755), errc::already_exists, "making it again");
        make(root(), "f", "x");
        fails(fs().make_directory(root(), "f", 0755), errc::already_exists, "making it over a file");
        works(fs().make_symlink(root(), "l", "f"), "make_symlink");
        auto d = fs().open_directory_at(root(), "d");
        if (!works(d, "open_directory_at")) return;
        make(*d, "inner", "y");
        const auto items = fs().list(root());
        if (!works(items, "list") || !expect(items->size() == 3, "not three items")) return;
        for (const auto& item : *items) {
            const file_type wanted = item.name == "d"   ? file_type::directory
                                     : item.name == "f" ? file_type::regular
                                                        : file_type::symlink;
            expect(item.type == wanted, "a wrong type is listed");
            expect(item.inode == inode(root(), item.name), "a wrong inode is listed");
        }
        expect(names(*d) == std::vector<std::string>{"inner"}, "another listing inside");
        expect(names(*d) == std::vector<std::string>{"inner"}, "another listing the second time");
        auto self = fs().open_directory_at(*d, "");
        expect(self && names(*self) == std::vector<std::string>{"inner"}, "the empty path is not the directory itself");
        const auto s = fs().status(*d);
        expect(s && s->type == file_type::directory && s->inode == inode(root(), "d"), "status of an open directory");
        // A handle is the directory, not its name.
        works(fs().rename(root(), "d", root(), "e", rename_mode::replace), "renaming it");
        expect(content(*d, "inner") == "y", "an open directory does not follow its renaming");
    }

    void paths() {
        works(fs().make_directory(root(), "a", 0755), "make_directory");
        auto a = fs().open_directory_at(root(), "a");
        if (!works(a, "open a")) return;
        works(fs().make_directory(*a, "b", 0755), "make_directory inside");
        make(*a, "f", "x");
        works(fs().open_directory_at(root(), "a/b"), "a path of two");
        fails(fs().open_directory_at(root(), "a/nothing"), errc::not_found, "nothing there");
        fails(fs().open_directory_at(root(), "nothing/b"), errc::not_found, "nothing on the way");
        fails(fs().open_directory_at(root(), "a/f"), errc::not_a_directory, "a file at the end");
        fails(fs().open_directory_at(root(), "a/f/b"), errc::not_a_directory, "a file on the way");
        for (const std::string_view path : {"..", ".", "a/..", "a/./b", "/a", "a/", "a//b", "/"}) {
            fails(fs().open_directory_at(root(), path), errc::invalid_argument, "the path " + std::string(path));
        }
        // Longer than what system calls take.
        const std::string name(200, 'p');
        std::string path;
        auto at = fs().open_directory_at(root(), "");
        for (int i = 0; i < 30 && at; ++i) {
            works(fs().make_directory(*at, name, 0755), "make_directory, deep");
            at = fs().open_directory_at(*at, name);
            path += (i == 0 ? "" : "/") + name;
        }
        if (!works(at, "opening, deep")) return;
        make(*at, "deep", "down");
        auto again = fs().open_directory_at(root(), path);
        if (works(again, "a path of 6000 bytes")) expect(content(*again, "deep") == "down", "another directory");
    }

    void symlinks() {
        works(fs().make_directory(root(), "d", 0755), "make_directory");
        make(root(), "f", "x");
        const std::string far = "../somewhere/else/" + std::string(1000, 'x');
        works(fs().make_symlink(root(), "to_d", "d"), "make_symlink");
        works(fs().make_symlink(root(), "to_f", "f"), "make_symlink");
        works(fs().make_symlink(root(), "to_nothing", far), "make_symlink to nothing");
        works(fs().make_symlink(root(), "up", ".."), "make_symlink upwards");
        fails(fs().make_symlink(root(), "f", "d"), errc::already_exists, "a link over a file");
        fails(fs().make_symlink(root(), "to_f", "d"), errc::already_exists, "a link over a link");
        const auto target = fs().read_symlink(root(), "to_nothing");
        expect(target && *target == far, "read_symlink gives another target");
        fails(fs().read_symlink(root(), "f"), errc::invalid_argument, "read_symlink of a file");
        fails(fs().read_symlink(root(), "nothing"), errc::not_found, "read_symlink of nothing");
        for (const auto how : {open_mode::read, open_mode::read_write, open_mode::create_or_open}) {
            fails(fs().open_file(root(), "to_f", how, 0644), errc::symlink_in_path, "opening a link to a file");
            fails(fs().open_file(root(), "to_nothing", how, 0644), errc::symlink_in_path, "opening a link to nothing");
        }
        fails(fs().open_file(root(), "to_nothing", open_mode::create_new, 0644), errc::already_exists, "create_new over a link");
        for (const std::string_view path : {"to_d", "up", "to_d/x", "up/x", "d/../to_d"}) {
            const auto opened = fs().open_directory_at(root(), path);
            const errc why = path.find("..") == path.npos ? errc::symlink_in_path : errc::invalid_argument;
            fails(opened, why, "the path " + std::string(path));
        }
        works(fs().open_directory(fixture_->root() + "/to_d"), "open_directory through a final link");
        const auto s = fs().status_at(root(), "to_nothing");
        expect(s && s->type == file_type::symlink && s->size == far.size(), "the status of a link is not its own");
        works(fs().set_symlink_mtime(root(), "to_nothing", 1'234'567'890'123'456'789), "set_symlink_mtime");
        const auto later = fs().status_at(root(), "to_nothing");
        expect(later && later->mtime_ns == 1'234'567'890'123'456'789, "set_symlink_mtime set something else");
        works(fs().remove_file(root(), "to_d"), "removing a link");
        works(fs().status_at(root(), "d"), "what a removed link pointed to");
    }

    void removing() {
        works(fs().make_directory(root(), "d", 0755), "make_directory");
        make(root(), "f", "x");
        fails(fs().remove_file(root(), "nothing"), errc::not_found, "remove_file of nothing");
        fails(fs().remove_directory(root(), "nothing"), errc::not_found, "remove_directory of nothing");
        fails(fs().remove_file(root(), "d"), errc::is_a_directory, "remove_file of a directory");
        fails(fs().remove_directory(root(), "f"), errc::not_a_directory, "remove_directory of a file");
        if (auto d = fs().open_directory_at(root(), "d"); works(d, "open d")) make(*d, "inner", "x");
        fails(fs().remove_directory(root(), "d"), errc::not_empty, "remove_directory of a full one");
        if (auto d = fs().open_directory_at(root(), "d"); works(d, "open d")) works(fs().remove_file(*d, "inner"), "remove inner");
        works(fs().remove_directory(root(), "d"), "remove_directory");
        works(fs().remove_file(root(), "f"), "remove_file");
        expect(names(root()).empty(), "something is left");
    }

    void rename_replace() {
        make(root(), "a", "a");
        make(root(), "b", "b");
        const auto moved = inode(root(), "a");
        works(fs().rename(root(), "a", root(), "b", rename_mode::replace), "over a file");
        expect(content(root(), "b") == "a" && inode(root(), "b") == moved, "another file has the name");
        expect(names(root()) == std::vector<std::string>{"b"}, "the old name is still there");
        fails(fs().rename(root(), "a", root(), "c", rename_mode::replace), errc::not_found, "renaming nothing");
        works(fs().rename(root(), "b", root(), "b", rename_mode::replace), "to itself");
        works(fs().make_directory(root(), "d", 0755), "make_directory");
        fails(fs().rename(root(), "b", root(), "d", rename_mode::replace), errc::is_a_directory, "a file over a directory");
        fails(fs().rename(root(), "d", root(), "b", rename_mode::replace), errc::not_a_directory, "a directory over a file");
        auto d = fs().open_directory_at(root(), "d");
        if (!works(d, "open d")) return;
        works(fs().rename(root(), "b", *d, "inner", rename_mode::replace), "into a directory");
        expect(content(*d, "inner") == "a", "it is not there");
        works(fs().make_symlink(root(), "l", "x"), "make_symlink");
        works(fs().rename(*d, "inner", root(), "l", rename_mode::replace), "over a link");
        expect(content(root(), "l") == "a", "the link is still there");
    }

    void rename_no_replace() {
        make(root(), "a", "a");
        make(root(), "b", "b");
        const auto mode = rename_mode::no_replace;
        fails(fs().rename(root(), "a", root(), "b", mode), errc::already_exists, "over a file");
        expect(content(root(), "a") == "a" && content(root(), "b") == "b", "it changed something all the same");
        works(fs().rename(root(), "a", root(), "c", mode), "where nothing is");
        expect(content(root(), "c") == "a", "it is not there");
        fails(fs().rename(root(), "a", root(), "d", mode), errc::not_found, "renaming nothing");
        works(fs().make_symlink(root(), "l", "nothing"), "make_symlink");
        fails(fs().rename(root(), "b", root(), "l", mode), errc::already_exists, "over a link to nothing");
    }

    void rename_exchange() {
        make(root(), "a", "a");
        make(root(), "b", "b");
        const auto mode = rename_mode::exchange;
        const auto was_a = inode(root(), "a");
        works(fs().rename(root(), "a", root(), "b", mode), "two files");
        expect(content(root(), "a") == "b" && content(root(), "b") == "a", "they did not change places");
        expect(inode(root(), "b") == was_a, "the inode did not move");
        fails(fs().rename(root(), "a", root(), "nothing", mode), errc::not_found, "with nothing");
        fails(fs().rename(root(), "nothing", root(), "a", mode), errc::not_found, "nothing with a file");
        works(fs().make_directory(root(), "d", 0755), "make_directory");
        auto d = fs().open_directory_at(root(), "d");
        if (!works(d, "open d")) return;
        make(*d, "inner", "i");
        works(fs().rename(root(), "a", root(), "d", mode), "a file with a directory");
        expect(content(root(), "d") == "b", "the file is not where the directory was");
        auto moved = fs().open_directory_at(root(), "a");
        if (works(moved, "the directory where the file was")) expect(content(*moved, "inner") == "i", "another directory");
        works(fs().rename(root(), "b", *d, "inner", mode), "across directories");
        expect(content(*d, "inner") == "a" && content(root(), "b") == "i", "they did not change places across directories");
        fails(fs().rename(root(), "a", *d, "inner", mode), errc::invalid_argument, "a directory with its own child");
    }

    void rename_directories() {
        for (const std::string_view name : {"a", "b"}) works(fs().make_directory(root(), name, 0755), "make_directory");
        auto a = fs().open_directory_at(root(), "a");
        if (!works(a, "open a")) return;
        works(fs().make_directory(*a, "inner", 0755), "make_directory inside");
        const auto moved = inode(root(), "a");
        fails(fs().rename(root(), "b", root(), "a", rename_mode::replace), errc::not_empty, "over a full directory");
        auto inner = fs().open_directory_at(root(), "a/inner");
        if (!works(inner, "open a/inner")) return;
        fails(fs().rename(root(), "a", *inner, "x", rename_mode::replace), errc::invalid_argument, "into its own subtree");
        fails(fs().rename(root(), "a", *inner, "x", rename_mode::no_replace), errc::invalid_argument,
              "into its own subtree, no_replace");
        works(fs().rename(root(), "a", root(), "b", rename_mode::replace), "over an empty directory");
        expect(inode(root(), "b") == moved && names(root()) == std::vector<std::string>{"b"}, "another directory");
        works(fs().open_directory_at(root(), "b/inner"), "what was in it");
    }

    void unlinked() {
        auto f = fs().open_file(root(), "f", open_mode::create_new, 0644);
        if (!works(f, "create_new")) return;
        works(fs().write_at(*f, 0, as_bytes("still")), "writing");
        works(fs().remove_file(root(), "f"), "remove_file");
        expect(content(*f) == "still", "its content is gone");
        works(fs().write_at(*f, 5, as_bytes(" here")), "writing without a name");
        expect(content(*f) == "still here", "what was written is gone");
        const auto s = fs().status(*f);
        expect(s && s->links == 0, "it still has a link");
        make(root(), "f", "new");
        expect(content(*f) == "still here" && content(root(), "f") == "new", "the new file is mixed up with it");
    }

    void modes() {
        for (const std::uint32_t mode : {0777u, 0666u, 0600u, 0444u, 0000u}) {
            const std::string name = "m" + std::to_string(mode);
            auto f = fs().open_file(root(), name, open_mode::create_new, mode);
            const auto s = fs().status_at(root(), name);
            expect(f && s && s->mode == mode, "a file made with mode " + std::to_string(mode));
            works(fs().make_directory(root(), "d" + name, mode), "make_directory");
            const auto d = fs().status_at(root(), "d" + name);
            expect(d && d->mode == mode, "a directory made with mode " + std::to_string(mode));
            if (!f) continue;
            works(fs().write_at(*f, 0, as_bytes("x")), "writing a new file, whatever its mode");
            works(fs().set_mode(*f, 0751), "set_mode");
            const auto later = fs().status(*f);
            expect(later && later->mode == 0751, "set_mode set something else");
        }
        works(fs().make_directory(root(), "d", 0755), "make_directory");
        auto d = fs().open_directory_at(root(), "d");
        if (!works(d, "open d")) return;
        works(fs().set_mode(*d, 0500), "set_mode of a directory");
        const auto s = fs().status_at(root(), "d");
        expect(s && s->mode == 0500, "set_mode of a directory set something else");
        works(fs().set_mode(*d, 0755), "set_mode back");
    }

    void times() {
        make(root(), "f", "x");
        auto f = fs().open_file(root(), "f", open_mode::read_write, 0);
        if (!works(f, "open")) return;
        for (const std::int64_t ns : {std::int64_t{1'600'000'000'123'456'789}, std::int64_t{0}, std::int64_t{-1'500'000'000}}) {
            works(fs().set_mtime(*f, ns), "set_mtime");
            const auto s = fs().status(*f);
            expect(s && s->mtime_ns == ns, "set_mtime set something else");
        }
        // Changes of the attributes show in ctime, changes of the content in mtime too.
        const auto before = fs().clock_ns();
        works(fs().write_at(*f, 0, as_bytes("y")), "writing");
        const auto after = fs().status(*f);
        expect(after && after->mtime_ns >= before && after->ctime_ns >= before, "writing did not touch the times");
        works(fs().set_mtime(*f, 77), "set_mtime");
        const auto set = fs().status(*f);
        expect(set && set->ctime_ns >= before, "set_mtime hid the change");
        auto d = fs().open_directory_at(root(), "");
        if (!works(d, "open")) return;
        works(fs().set_mtime(*d, 42), "set_mtime of a directory");
        expect(fs().status(*d) && fs().status(*d)->mtime_ns == 42, "set_mtime of a directory set something else");
        make(root(), "g", "x");
        expect(fs().status(*d) && fs().status(*d)->mtime_ns >= before, "a new name did not touch its directory");
    }

    void statuses() {
        const auto before = fs().clock_ns();
        make(root(), "f", "four");
        const auto by_name = fs().status_at(root(), "f");
        auto f = fs().open_file(root(), "f", open_mode::read, 0);
        if (!works(by_name, "status_at") || !works(f, "open")) return;
        const auto by_file = fs().status(*f);
        expect(by_file && *by_file == *by_name, "status and status_at disagree");
        expect(by_name->type == file_type::regular && by_name->size == 4 && by_name->links == 1, "type, size or links");
        expect(by_name->inode != 0, "no inode");
        expect(by_name->birth_ns == 0 || by_name->birth_ns >= before, "born before it was made");
        const auto dir = fs().status(root());
        expect(dir && dir->device == by_name->device && dir->inode != by_name->inode, "device or inode of the directory");
        fails(fs().status_at(root(), "nothing"), errc::not_found, "status of nothing");
        make(root(), "g", "");
        expect(inode(root(), "g") != by_name->inode, "two files of one inode");
    }

    void locks() {
        {
            auto lock = fs().lock_file(root(), "lock");
            if (!works(lock, "lock_file")) return;
            fails(fs().lock_file(root(), "lock"), errc::busy, "locking what is locked");
            works(fs().lock_file(root(), "other"), "another lock");
        }
        works(fs().lock_file(root(), "lock"), "locking again what was freed");
    }

    void writers() {
        make(root(), "f", "x");
        auto reader = fs().open_file(root(), "f", open_mode::read, 0);
        if (!works(reader, "open")) return;
        const auto none = fs().has_writers(*reader);
        if (!none) return fails(none, errc::unsupported, "has_writers");
        expect(!*none, "a writer where there is none");
        {
            auto writer = fs().open_file(root(), "f", open_mode::read_write, 0);
            if (!works(writer, "open to write")) return;
            const auto one = fs().has_writers(*reader);
            expect(one && *one, "a writer was not seen");
            works(fs().remove_file(root(), "f"), "remove_file");
            const auto still = fs().has_writers(*reader);
            expect(still && *still, "a writer of a removed file was not seen");
        }
        const auto gone = fs().has_writers(*reader);
        expect(gone && !*gone, "a writer that closed is still seen");
    }

    void others() {
        if constexpr (requires { { fixture_->make_other(std::string()) } -> std::same_as<bool>; }) {
            if (!fixture_->make_other("other")) return;
            for (const auto how : {open_mode::read, open_mode::read_write, open_mode::create_or_open}) {
                fails(fs().open_file(root(), "other", how, 0644), errc::unsupported, "opening it");
            }
            const auto s = fs().status_at(root(), "other");
            expect(s && s->type == file_type::other, "its status");
            const auto items = fs().list(root());
            expect(items && items->size() == 1 && items->front().type == file_type::other, "its type in a listing");
        }
    }

    void syncing() {
        make(root(), "f", "x");
        auto f = fs().open_file(root(), "f", open_mode::read_write, 0);
        if (!works(f, "open")) return;
        works(fs().sync_data(*f), "sync_data");
        works(fs().sync_file(*f), "sync_file");
        works(fs().sync_directory(root()), "sync_directory");
        const auto space = fs().available_bytes(root());
        expect(space && *space > 0, "no space at all");
    }

    std::string name_;
    std::unique_ptr<Fixture> fixture_;
    std::unique_ptr<directory> root_;
    std::vector<std::string> failures_;
};

template <class Fixture>
std::vector<std::string> check_file_system() {
    return file_system_check<Fixture>().run();
}

}  // namespace lockstep::testing
