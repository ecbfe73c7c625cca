// What a user does next: as the seed says, or a scenario.
#pragma once

#include <sim/workload/log_writer.hpp>
#include <sim/workload/sim_user.hpp>

namespace lockstep::sim {

LOCKSTEP_DECL void sim_user::collect(const inode_ptr& directory, const std::string& path, bool directories,
                                     std::vector<std::string>& into) const {
    for (const auto& [name, inode] : directory->entries) {
        if (path.empty() && (name == ".lockstep" || name.starts_with(log_prefix))) continue;
        const std::string at = path.empty() ? name : path + "/" + name;
        if (inode->is_directory() == directories && inode->type != file_type::symlink) into.push_back(at);
        if (inode->is_directory()) collect(inode, at, directories, into);
    }
}

/// Something that is there; empty where nothing is.
LOCKSTEP_DECL std::string sim_user::some_path(bool directories) {
    std::vector<std::string> paths;
    if (const inode_ptr root = disk_.find(options_.root); root && root->is_directory()) collect(root, {}, directories, paths);
    return paths.empty() ? std::string() : paths[random_.below(paths.size())];
}

LOCKSTEP_DECL std::string sim_user::new_path() {
    const std::string above = random_.one_in(2) ? std::string() : some_path(true);
    const std::string name(1, static_cast<char>('a' + random_.below(options_.names)));
    const auto depth = static_cast<std::uint64_t>(std::count(above.begin(), above.end(), '/')) + 1;
    return above.empty() || depth >= options_.depth_max ? name : above + "/" + name;
}

LOCKSTEP_DECL std::string sim_user::signature() const {
    const std::string who = options_.author.empty() ? std::string() : options_.author + " ";
    return who + "node " + std::to_string(node_.value) + " edit " + std::to_string(edits_);
}

/// Never the same twice in a run: the author and the number of his edit stand in it.
LOCKSTEP_DECL shared_bytes sim_user::new_content() {
    std::string text = signature() + "\n";
    const std::uint64_t size = random_.one_in(8) ? 0 : random_.below(random_.one_in(4) ? options_.bytes_max : 200);
    const std::string line = text;
    while (text.size() < size) text += line;
    return shared_bytes::copy_of(text);
}

LOCKSTEP_DECL void sim_user::choose() {
    ++edits_;
    const bool synced = random_.one_in(options_.synced_one_in);
    slow_ = random_.one_in(options_.slow_one_in);
    const std::string file = some_path(false);
    const std::string directory = some_path(true);
    const std::uint64_t what = random_.below(100);
    // What is drawn is drawn before a call: compilers differ in the order of arguments.
    if (what < 25 || file.empty()) {
        const shared_bytes content = new_content();
        return write_file(new_path(), content, true, synced);
    }
    if (what < 40) {
        const shared_bytes content = new_content();
        return save_by_rename(random_.one_in(3) ? new_path() : file, content, synced);
    }
    if (what < 50) {
        const bool anew = random_.one_in(2);
        return write_file(file, new_content(), anew, synced);
    }
    if (what < 58 && options_.rewrites_one_in != 0 && random_.one_in(options_.rewrites_one_in)) return rewrite(file);
    if (what < 58) return append(file, new_content());
    if (what < 61) return truncate(file, random_.below(100));
    if (what < 67) return remove(file);
    if (what < 75 && options_.trees_one_in != 0 && random_.one_in(options_.trees_one_in)) return make_tree(new_path());
    if (what < 75) return make_directory(new_path());
    if (what < 85) return rename(file, new_path());
    if (what < 89 && !directory.empty()) return rename(directory, new_path());
    if (what < 91 && !directory.empty()) return remove_tree(directory);
    if (what < 94) {
        const std::string target = new_path();
        return make_symlink(new_path(), target);
    }
    if (what < 96 && !directory.empty() && random_.one_in(2)) {
        const std::string to = random_.one_in(2) ? new_path() : directory;
        if (to != directory) rename(directory, to);
        return set_directory_mode(to, random_.one_in(2) ? 0700 : 0755);
    }
    if (what < 97) return set_mode(file, random_.one_in(2) ? 0600 : 0755);
    if (what < 99 || !options_.hard_links) return touch(file);
    make_hard_link(file, new_path());
}

/// What a scenario says. The number of the edit stands first in what it writes: contents of some ten bytes differ.
LOCKSTEP_DECL void sim_user::obey(const planned_edit& edit) {
    ++edits_;
    slow_ = false;
    const auto& [verb, path, to, number, synced, held] = edit.what;
    std::string line = "n" + std::to_string(edit.number) + " of node " + std::to_string(node_.value) + "\n", text;
    if (edit_grammars[static_cast<std::size_t>(verb)].number == edit_number::bytes)
        while (text.size() < number) text += line;
    text.resize(std::min<std::size_t>(text.size(), number));
    const shared_bytes content = shared_bytes::copy_of(text);
    const std::uint32_t mode = static_cast<std::uint32_t>(number);
    switch (verb) {
    case edit_verb::any: return;
    case edit_verb::write: return write_file(path, content, true, synced);
    case edit_verb::overwrite: return write_file(path, content, false, synced);
    case edit_verb::save: return save_by_rename(path, content, synced);
    case edit_verb::append: return append(path, content);
    case edit_verb::truncate: return truncate(path, number);
    case edit_verb::rewrite: return rewrite(path);
    case edit_verb::remove: return remove(path);
    case edit_verb::remove_tree: return remove_tree(path);
    case edit_verb::mkdir: return make_directory(path);
    case edit_verb::move: return rename(path, to);
    case edit_verb::symlink: return make_symlink(path, to);
    case edit_verb::link: return make_hard_link(path, to);
    case edit_verb::chmod: {
        const inode_ptr there = disk_.find(options_.root + "/" + path);
        return there && there->is_directory() ? set_directory_mode(path, mode) : set_mode(path, mode);
    }
    case edit_verb::touch: return touch(path);
    }
}

/// Whatever stands there: what cannot be done with it fails, and is given up.
LOCKSTEP_DECL void sim_user::choose_race(const std::string& path) {
    ++edits_;
    slow_ = false;
    const bool synced = random_.one_in(options_.synced_one_in);
    const std::uint64_t what = random_.below(100);
    if (what < 25) {
        const bool anew = random_.one_in(2);
        return write_file(path, new_content(), anew, synced);
    }
    if (what < 45) return save_by_rename(path, new_content(), synced);
    if (what < 60) return append(path, new_content());
    if (what < 63) return truncate(path, random_.below(100));
    if (what < 72) return remove(path);
    if (what < 84) return rename(path, new_path());
    if (what < 88) return remove_tree(path);
    if (what < 92) return make_directory(path);
    if (what < 96) return touch(path);
    set_mode(path, random_.one_in(2) ? 0600 : 0755);
}

}  // namespace lockstep::sim
