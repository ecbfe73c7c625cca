// What every `watcher` must do, as checks to run on a model of your own.
//
// A Fixture is a running watcher, made anew for each check, with "" and "d" (a directory, empty) added to it:
//     auto& watch();  auto& fs();                 a started watcher; the file_system that holds its tree
//     directory root();                           open, of the tree
//     const std::vector<hint>& hints();           all that were given so far
//     bool drive(predicate);                      runs the loop until predicate() holds; false if not in time
// check_watcher<Fixture>() returns what failed, a line each; nothing means that all is well.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/watcher.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace lockstep::testing {

/// Whether one of the hints from `from` on covers a change of the thing at `path`.
inline bool covered(const std::vector<hint>& hints, std::size_t from, const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? std::string{} : path.substr(0, slash);
    return std::any_of(hints.begin() + static_cast<std::ptrdiff_t>(from), hints.end(), [&](const hint& h) {
        return h.what == hint::kind::everything || (h.what == hint::kind::name && h.path == path) ||
               (h.what == hint::kind::directory && h.path == parent);
    });
}

template <class Fixture>
std::vector<std::string> check_watcher() {
    std::vector<std::string> failures;
    // Makes an edit, flushes, and looks whether each path was covered by then.
    const auto edited = [&](Fixture& f, const std::string& what, auto edit, const std::vector<std::string>& paths) {
        const std::size_t from = f.hints().size();
        if (!edit()) return failures.push_back(what + ": the edit itself failed");
        bool done = false, inside = true;
        f.watch().flush([&](error_code) {
            done = true;
            if (inside) failures.push_back(what + ": a callback from inside the call");
        });
        inside = false;
        if (!f.drive([&] { return done; })) return failures.push_back(what + ": the flush was not answered");
        for (const auto& path : paths)
            if (!covered(f.hints(), from, path))
                failures.push_back(what + ": no hint covers '" + path + "' before the flush");
    };
    {
        Fixture f;
        auto root = f.root();
        auto d = f.fs().open_directory_at(root, "d").value();
        const auto make = [&f](auto& dir, const char* name) {
            return bool(f.fs().open_file(dir, name, open_mode::create_new, 0644));
        };
        edited(f, "create", [&] { return make(root, "f"); }, {"f"});
        edited(f, "create below", [&] { return make(d, "f"); }, {"d/f"});
        edited(f, "write", [&] {
            auto file = f.fs().open_file(d, "f", open_mode::read_write, 0);
            return file && f.fs().write_at(*file, 0, byte_view{}) && f.fs().resize(*file, 3);
        }, {"d/f"});
        edited(f, "link", [&] { return bool(f.fs().make_symlink(root, "l", "nowhere")); }, {"l"});
        edited(f, "move", [&] { return bool(f.fs().rename(root, "f", d, "g", rename_mode::no_replace)); },
               {"f", "d/g"});
        edited(f, "remove", [&] { return bool(f.fs().remove_file(d, "g")); }, {"d/g"});
        edited(f, "rename of a directory",
               [&] { return bool(f.fs().rename(root, "d", root, "e", rename_mode::replace)); },
               {"d", "e"});
        f.watch().add("e", d);
        f.watch().remove("d");
        edited(f, "create in a renamed directory", [&] { return make(d, "h"); }, {"e/h"});
        edited(f, "several flushes", [&] { return make(d, "i") && make(root, "j"); }, {"e/i", "j"});
    }
    {
        Fixture f;
        auto root = f.root();
        f.watch().stop();
        const std::size_t given = f.hints().size();
        (void)f.fs().make_directory(root, "late", 0755);
        (void)f.drive([&] { return f.hints().size() > given; });
        if (f.hints().size() > given) failures.push_back("a hint after stop()");
    }
    return failures;
}

}  // namespace lockstep::testing
