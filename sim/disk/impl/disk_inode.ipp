#pragma once

#include <sim/disk/disk_inode.hpp>

#include <algorithm>

namespace lockstep::sim {
namespace detail {

inline void put(byte_buffer& to, std::uint64_t at, byte_view bytes) {
    const std::size_t end = static_cast<std::size_t>(at) + bytes.size();
    if (to.size() < end) to.resize(end);
    std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(at));
}

inline void redo(byte_buffer& image, const disk_inode::change& c) {
    if (c.resize) image.resize(static_cast<std::size_t>(c.at));
    else put(image, c.at, c.bytes);
}

inline void undo(byte_buffer& image, const disk_inode::change& c) {
    image.resize(static_cast<std::size_t>(c.old_size));
    if (!c.old_bytes.empty()) put(image, c.at, c.old_bytes);
}

/// Each sector on its own; what is not written of an extension reads as zeros.
inline void redo_torn(byte_buffer& image, const disk_inode::change& c, random_generator& random) {
    if (c.resize) return;
    std::uint64_t at = c.at;
    const std::uint64_t end = c.at + c.bytes.size();
    while (at < end) {
        const std::uint64_t next = std::min(end, (at / sector_bytes + 1) * sector_bytes);
        const auto part = byte_view(c.bytes).subspan(static_cast<std::size_t>(at - c.at), static_cast<std::size_t>(next - at));
        if (random.one_in(2)) put(image, at, part);
        at = next;
    }
}

/// Lost, kept or torn, by a mood for the whole file: all lost and all kept are as likely as a mixture.
inline void redo_some(byte_buffer& image, const std::deque<disk_inode::change>& changes, random_generator& random,
                      unsynced_counts& counts) {
    const std::uint64_t mood = random.below(3);
    for (const auto& c : changes) {
        const std::uint64_t fate = mood == 0 ? 0 : mood == 1 ? 1 : random.below(3);
        ++(fate == 0 ? counts.lost : fate == 1 ? counts.kept : counts.torn);
        if (fate == 1) redo(image, c);
        else if (fate == 2) redo_torn(image, c, random);
        else if (!c.resize && c.at + c.bytes.size() > image.size() && random.one_in(4))
            image.resize(static_cast<std::size_t>(c.at) + c.bytes.size());  // only the size came to the disk
    }
}

}  // namespace detail

LOCKSTEP_DECL void disk_inode::set_size(std::uint64_t size) {
    pool->used_bytes += size;
    pool->used_bytes -= content.size();
    content.resize(static_cast<std::size_t>(size));
}

LOCKSTEP_DECL void disk_inode::note(change c) {
    unsynced.push_back(std::move(c));
    if (unsynced.size() <= unsynced_changes_max) return;
    if (durable) detail::redo(*durable, unsynced.front());
    unsynced.pop_front();
}

LOCKSTEP_DECL void disk_inode::write(std::uint64_t at, byte_view bytes) {
    change c;
    c.at = at;
    c.bytes.assign(bytes.begin(), bytes.end());
    c.old_size = content.size();
    if (at < content.size()) {
        const auto from = content.begin() + static_cast<std::ptrdiff_t>(at);
        const auto count = std::min<std::uint64_t>(bytes.size(), content.size() - at);
        c.old_bytes.assign(from, from + static_cast<std::ptrdiff_t>(count));
    }
    if (at + bytes.size() > content.size()) set_size(at + bytes.size());
    detail::put(content, at, bytes);
    if (!unreadable.empty() && !bytes.empty())
        unreadable.erase(unreadable.lower_bound(at / sector_bytes), unreadable.upper_bound((at + bytes.size() - 1) / sector_bytes));
    if (!altered.empty()) altered.erase(altered.lower_bound(at), altered.lower_bound(at + bytes.size()));
    note(std::move(c));
}

LOCKSTEP_DECL void disk_inode::resize(std::uint64_t size) {
    change c;
    c.resize = true;
    c.at = size;
    c.old_size = content.size();
    if (size < content.size()) c.old_bytes.assign(content.begin() + static_cast<std::ptrdiff_t>(size), content.end());
    set_size(size);
    unreadable.erase(unreadable.lower_bound((size + sector_bytes - 1) / sector_bytes), unreadable.end());
    altered.erase(altered.lower_bound(size), altered.end());
    note(std::move(c));
}

LOCKSTEP_DECL void disk_inode::sync(bool attributes) {
    if (durable)
        for (const auto& c : unsynced) detail::redo(*durable, c);
    unsynced.clear();
    if (!attributes) return;
    durable_mode = mode;
    durable_mtime_ns = mtime_ns;
}

LOCKSTEP_DECL byte_buffer disk_inode::durable_content() {
    if (durable) return std::move(*durable);
    byte_buffer image = content;
    for (auto c = unsynced.rbegin(); c != unsynced.rend(); ++c) detail::undo(image, *c);
    return image;
}

LOCKSTEP_DECL void disk_inode::sync_failed(random_generator& random, unsynced_counts& counts) {
    byte_buffer image = durable_content();
    detail::redo_some(image, unsynced, random, counts);
    unsynced.clear();
    durable = std::move(image);
}

LOCKSTEP_DECL void disk_inode::lose_power(random_generator& random, unsynced_counts& counts) {
    if (!unsynced.empty() || durable) {
        byte_buffer image = durable_content();
        detail::redo_some(image, unsynced, random, counts);
        if (image != content) before_loss = content;
        set_size(image.size());
        content = std::move(image);
    }
    unsynced.clear();
    durable.reset();
    if (random.one_in(2)) mode = durable_mode;
    if (random.one_in(2)) mtime_ns = durable_mtime_ns;
    durable_mode = mode;
    durable_mtime_ns = mtime_ns;
    open = writers = 0;
    locked = told_gone = false;
}

}  // namespace lockstep::sim
