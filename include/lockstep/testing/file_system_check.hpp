// What the checks of `file_system` share: a fresh fixture for each, expectations, little helpers. Not for users.
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
protected:
    using fs_type = typename Fixture::file_system;
    static_assert(file_system<fs_type>);
    using directory = typename fs_type::directory;
    using file = typename fs_type::file;

    template <class Check>
    void run(std::string name, Check check) {
        name_ = std::move(name);
        fixture_ = std::make_unique<Fixture>();
        {
            auto root = fs().open_directory(fixture_->root());
            if (expect(root.has_value(), "the root does not open")) {
                root_ = std::make_unique<directory>(std::move(*root));
                check();
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

    std::string name_;
    std::unique_ptr<Fixture> fixture_;
    std::unique_ptr<directory> root_;
    std::vector<std::string> failures_;
};

}  // namespace lockstep::testing
