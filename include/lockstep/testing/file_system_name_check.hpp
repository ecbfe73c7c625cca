// The checks of `file_system` that are about names: directories, paths, links, renaming. Run by check_file_system.
#pragma once

#include <lockstep/testing/file_system_check.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::testing {

template <class Fixture>
class file_system_name_check : file_system_check<Fixture> {
    using base = file_system_check<Fixture>;
    using base::content, base::expect, base::fails, base::fixture_, base::fs, base::inode, base::make, base::names;
    using base::root, base::run, base::works;

public:
    std::vector<std::string> run() {
        run("directories", [this] { directories(); });
        run("names that are no names", [this] { bad_names(); });
        run("paths stay beneath their directory", [this] { paths(); });
        run("symbolic links are never followed", [this] { symlinks(); });
        run("removing", [this] { removing(); });
        run("renaming over what is there", [this] { rename_replace(); });
        run("renaming only where nothing is", [this] { rename_no_replace(); });
        run("exchanging", [this] { rename_exchange(); });
        run("renaming directories", [this] { rename_directories(); });
        return std::move(base::failures_);
    }

private:
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

    void bad_names() {
        make(root(), "f", "");
        using namespace std::string_view_literals;
        for (const auto name : {""sv, "."sv, ".."sv, "a/b"sv, "/"sv, "a\0b"sv}) {
            const std::string what = "the name \"" + std::string(name) + "\"";
            fails(fs().open_file(root(), name, open_mode::create_new, 0644), errc::invalid_argument,
                  what + " of a file");
            fails(fs().make_directory(root(), name, 0755), errc::invalid_argument, what + " of a directory");
            fails(fs().make_symlink(root(), name, "t"), errc::invalid_argument, what + " of a link");
            fails(fs().status_at(root(), name), errc::invalid_argument, "the status of " + what);
            fails(fs().remove_file(root(), name), errc::invalid_argument, "removing " + what);
            fails(fs().rename(root(), "f", root(), name, rename_mode::replace), errc::invalid_argument,
                  "renaming to " + what);
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
        fails(fs().open_file(root(), "to_nothing", open_mode::create_new, 0644), errc::already_exists,
              "create_new over a link");
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
        if (auto d = fs().open_directory_at(root(), "d"); works(d, "open d"))
            works(fs().remove_file(*d, "inner"), "remove inner");
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
        fails(fs().rename(root(), "b", root(), "d", rename_mode::replace), errc::is_a_directory,
              "a file over a directory");
        fails(fs().rename(root(), "d", root(), "b", rename_mode::replace), errc::not_a_directory,
              "a directory over a file");
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
        if (works(moved, "the directory where the file was"))
            expect(content(*moved, "inner") == "i", "another directory");
        works(fs().rename(root(), "b", *d, "inner", mode), "across directories");
        expect(content(*d, "inner") == "a" && content(root(), "b") == "i",
               "they did not change places across directories");
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
        fails(fs().rename(root(), "a", *inner, "x", rename_mode::replace), errc::invalid_argument,
              "into its own subtree");
        fails(fs().rename(root(), "a", *inner, "x", rename_mode::no_replace), errc::invalid_argument,
              "into its own subtree, no_replace");
        works(fs().rename(root(), "a", root(), "b", rename_mode::replace), "over an empty directory");
        expect(inode(root(), "b") == moved && names(root()) == std::vector<std::string>{"b"}, "another directory");
        works(fs().open_directory_at(root(), "b/inner"), "what was in it");
    }
};

}  // namespace lockstep::testing
