#pragma once

#include <lockstep/http/status_json.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <string_view>

namespace lockstep {
namespace detail {

/// Names are bytes, JSON is UTF-8: bytes that are not are shown as \xNN.
inline std::string json_text(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size();) {
        const auto lead = static_cast<unsigned char>(bytes[i]);
        const std::size_t length = lead < 0x80                   ? 1
                                   : lead >= 0xc2 && lead < 0xe0 ? 2
                                   : lead >= 0xe0 && lead < 0xf0 ? 3
                                   : lead >= 0xf0 && lead < 0xf5 ? 4
                                                                 : 0;
        bool good = length != 0 && i + length <= bytes.size();
        for (std::size_t k = 1; good && k < length; ++k)
            good = (static_cast<unsigned char>(bytes[i + k]) & 0xc0) == 0x80;
        if (good && length == 3) {
            const auto next = static_cast<unsigned char>(bytes[i + 1]);
            good = !(lead == 0xe0 && next < 0xa0) && !(lead == 0xed && next >= 0xa0);
        }
        if (good && length == 4) {
            const auto next = static_cast<unsigned char>(bytes[i + 1]);
            good = !(lead == 0xf0 && next < 0x90) && !(lead == 0xf4 && next >= 0x90);
        }
        if (good) {
            text.append(bytes.substr(i, length));
            i += length;
        } else {
            text += "\\x";
            text += digits[lead >> 4];
            text += digits[lead & 15];
            ++i;
        }
    }
    return text;
}

inline boost::json::array to_json_array(const named_paths& paths) {
    boost::json::array out;
    for (const auto& skipped : paths.first)
        out.push_back(boost::json::object{{"path", json_text(skipped.path)}, {"why", json_text(skipped.why)}});
    return out;
}

}  // namespace detail

LOCKSTEP_DECL std::string to_json(const node_status& s) {
    boost::json::array peers;
    for (const auto& peer : s.peers)
        peers.push_back(boost::json::object{{"id", peer.id.value},
                                            {"address", peer.address},
                                            {"connected", peer.connected},
                                            {"counts", peer.counts},
                                            {"match", peer.match.value},
                                            {"queued_bytes", peer.queued_bytes}});
    boost::json::array transfers;
    for (const auto& t : s.transfers)
        transfers.push_back(boost::json::object{
            {"path", detail::json_text(t.path)}, {"what", t.what}, {"bytes", t.bytes}, {"done", t.done}});
    boost::json::object out{
        {"id", s.id.value},
        {"role", s.role},
        {"state", s.state},
        {"waiting_for", s.waiting_for},
        {"term", s.term.value},
        {"leader", s.leader.value},
        {"commit", s.commit.value},
        {"applied", s.applied.value},
        {"synced", s.synced.value},
        {"files", s.files},
        {"bytes", s.bytes},
        {"log_bytes", s.log_bytes},
        {"snapshot", s.snapshot.value},
        {"chunk_bytes", s.chunk_bytes},
        {"tree_bytes", s.tree_bytes},
        {"fetching_bytes", s.fetching},
        {"watches", s.watches},
        {"polling", s.polling},
        {"peers", std::move(peers)},
        {"queue_depths",
         boost::json::object{
             {"hints", s.hints}, {"proposals", s.proposals}, {"to_write", s.to_write}, {"displaced", s.displaced}}},
        {"counters", boost::json::object{{"bytes_sent", s.bytes_sent},
                                         {"bytes_received", s.bytes_received},
                                         {"malformed_frames", s.malformed_frames},
                                         {"commands", s.commands},
                                         {"conflicts", s.conflicts},
                                         {"rescans", s.rescans},
                                         {"files_read", s.files_read},
                                         {"compactions", s.compactions},
                                         {"installs", s.installs},
                                         {"collections", s.collections},
                                         {"overflows", s.overflows},
                                         {"skipped_files", s.skipped.count},
                                         {"unwritable_files", s.unwritable.count}}},
        {"transfers", std::move(transfers)},
        {"skipped", detail::to_json_array(s.skipped)},
        {"unwritable", detail::to_json_array(s.unwritable)},
    };
    return boost::json::serialize(out);
}

LOCKSTEP_DECL std::string to_json(const barrier_result& result) {
    return boost::json::serialize(
        boost::json::object{{"ok", result.ok}, {"missing", detail::json_text(result.missing)}});
}

}  // namespace lockstep
