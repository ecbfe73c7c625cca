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

#include <lockstep/testing/file_system_check.hpp>
#include <lockstep/testing/file_system_name_check.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::testing {

/// The checks that are about one file.
template <class Fixture>
class file_system_file_check : file_system_check<Fixture> {
    using base = file_system_check<Fixture>;
    using base::content, base::expect, base::fails, base::fixture_, base::fs, base::inode, base::make, base::names;
    using base::root, base::run, base::works;

public:
    std::vector<std::string> run() {
        run("bytes are read where they were written", [this] { read_and_write(); });
        run("the modes of opening", [this] { opening(); });
        run("resizing", [this] { resizing(); });
        run("an open file outlives its name", [this] { unlinked(); });
        run("modes are exactly as given", [this] { modes(); });
        run("times", [this] { times(); });
        run("what a status tells", [this] { statuses(); });
        run("locks", [this] { locks(); });
        run("writers", [this] { writers(); });
        run("what is neither file nor directory is not opened", [this] { others(); });
        run("syncing and space", [this] { syncing(); });
        return std::move(base::failures_);
    }

private:
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
        fails(fs().open_file(root(), "d", open_mode::create_new, 0644), errc::already_exists,
              "create_new over a directory");
        fails(fs().open_directory(fixture_->root() + "/nothing"), errc::not_found, "open_directory of nothing");
        fails(fs().open_directory(fixture_->root() + "/f"), errc::not_a_directory, "open_directory of a file");
        works(fs().open_directory(fixture_->root() + "/d"), "open_directory of a path");
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
        works(fs().set_mode(*d, 0), "set_mode of a directory that nobody may open then");
        works(fs().set_directory_mode_at(root(), "d", 0755), "set_directory_mode_at of such a directory");
        const auto open_again = fs().status_at(root(), "d");
        expect(open_again && open_again->mode == 0755, "set_directory_mode_at set something else");
        make(root(), "plain", "x");
        const auto refused = fs().set_directory_mode_at(root(), "plain", 0700);
        expect(!refused && refused.error() == errc::not_a_directory, "set_directory_mode_at took a file");
    }

    void times() {
        make(root(), "f", "x");
        auto f = fs().open_file(root(), "f", open_mode::read_write, 0);
        if (!works(f, "open")) return;
        for (const std::int64_t ns :
             {std::int64_t{1'600'000'000'123'456'789}, std::int64_t{0}, std::int64_t{-1'500'000'000}}) {
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
        expect(dir && dir->device == by_name->device && dir->inode != by_name->inode,
               "device or inode of the directory");
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
};

template <class Fixture>
std::vector<std::string> check_file_system() {
    auto failures = file_system_file_check<Fixture>().run();
    for (auto& failure : file_system_name_check<Fixture>().run()) failures.push_back(std::move(failure));
    return failures;
}

}  // namespace lockstep::testing
