// What users wrote, for the checkers: each content that was closed, and whether somebody who had it before him replaced,
// changed or deleted it since. A content that nobody gave up must be somewhere at the end.
#pragma once

#include <sim/world.hpp>

#include <lockstep/base/sha256.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace lockstep::sim {

class edit_history {
public:
    struct closed_content {
        node_id node;
        std::string path;        ///< where it was closed first
        time_point at{};
        std::uint64_t bytes = 0;
        bool synced = false;     ///< the user synced the file and the directories above it
        bool given_up = false;   ///< a user had it and replaced, changed or deleted it
        bool maybe_lost = false; ///< the power went before anybody is known to have synced it
        bool committed = false;  ///< it is in the log: no loss of power excuses its loss, unless
        bool move_lost = false;  ///< the power took a move of it
    };

    static std::uint64_t key(const content_hash& hash) noexcept { return checksum(std::as_bytes(std::span(hash.bytes))); }
    static std::uint64_t key(byte_view content) { return key(sha256(content)); }

    /// A user closed a file that he wrote. Contents are told apart by their bytes: the empty one is not kept.
    void closed(node_id node, const std::string& path, byte_view content, time_point at, bool synced) {
        if (content.empty()) return;
        const std::uint64_t k = key(content);
        auto [item, first] = contents_.try_emplace(k);
        closed_content& c = item->second;
        if (first) c = {node, path, at, content.size(), synced, given_up_.contains(k), false};
        else c.synced = c.synced || synced;
    }
    /// A user did away with a file of this content, in full knowledge. Maybe before its author, slow to close, did.
    void given_up(byte_view content) {
        const std::uint64_t k = key(content);
        given_up_.insert(k);
        const auto found = contents_.find(k);
        if (found != contents_.end()) found->second.given_up = true;
    }
    /// A file has this content now, by a user's hand or by what a loss of power left of it. Also where it is closed only later.
    void stood(byte_view content) { stood_.insert(key(content)); }
    bool has_stood(const content_hash& hash) const { return stood_.contains(key(hash)); }
    /// A user took the last name of a file away: what is still written to it is for nobody.
    void unlinked(node_id node, std::uint64_t serial) { unlinked_.insert({node, serial}); }
    bool is_unlinked(node_id node, std::uint64_t serial) const { return unlinked_.contains({node, serial}); }
    void synced(byte_view content) {
        const auto found = contents_.find(key(content));
        if (found != contents_.end()) found->second.synced = true;
    }
    /// It is to be gone from where its node had put it aside, with all that the node keeps. It is lost, maybe, but for the log.
    void may_be_lost(byte_view content) {
        const auto found = contents_.find(key(content));
        if (found != contents_.end()) found->second.maybe_lost = true;
    }
    void committed(const content_hash& hash) {
        const auto found = contents_.find(key(hash));
        if (found != contents_.end()) found->second.committed = true;
    }
    /// A user moved it, and it is not durable where it is now. Before his node sees it there, the cluster may hear that it left, or
    /// what he put in its old place as an edit of it.
    void moved(node_id node, byte_view content, const std::string& from) { moves_[node][key(content)].insert(from); }
    /// `standing`: what each file of his holds after the loss, by path. What stands nowhere, or where it was moved away from, the
    /// power took.
    void power_lost(node_id node, const std::map<std::string, std::uint64_t>& standing) {
        for (auto& [k, c] : contents_)
            if (c.node == node && !c.synced) c.maybe_lost = true;
        for (const auto& [k, left] : moves_[node]) {
            const auto elsewhere = [&](const auto& file) { return file.second == k && !left.contains(file.first); };
            const auto found = contents_.find(k);
            if (found != contents_.end() && std::ranges::none_of(standing, elsewhere)) found->second.move_lost = true;
        }
        moves_.erase(node);
    }

    const std::map<std::uint64_t, closed_content>& contents() const noexcept { return contents_; }
    const closed_content* find(byte_view content) const {
        const auto found = contents_.find(key(content));
        return found == contents_.end() ? nullptr : &found->second;
    }

private:
    std::map<std::uint64_t, closed_content> contents_;
    std::map<node_id, std::map<std::uint64_t, std::set<std::string>>> moves_;   ///< from where, by content, since the power went last
    std::set<std::uint64_t> given_up_;
    std::set<std::uint64_t> stood_;
    std::set<std::pair<node_id, std::uint64_t>> unlinked_;
};

}  // namespace lockstep::sim
