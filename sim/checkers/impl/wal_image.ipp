#pragma once

#include <sim/checkers/wal_image.hpp>

#include <algorithm>

namespace lockstep::sim {

/// Anything but the segment that is followed may let the log go on in the next one: a segment, or a directory, whose names are
/// durable now.
LOCKSTEP_DECL void wal_image::synced(const disk_inode& inode) {
    using namespace storage::wal_format;
    if (&inode == segment_.get()) return take_batches();
    const bool segment = inode.content.size() >= header_size && as_text(byte_view(inode.content).first(magic.size())) == magic;
    if (segment || (inode.is_directory() && directory_.path().ends_with(inode.name))) follow();
}

LOCKSTEP_DECL void wal_image::follow() {
    do take_batches();
    while (next_segment());
}

LOCKSTEP_DECL void wal_image::take_batches() {
    if (!segment_) return;
    while (auto batch = next_batch()) persisted_(std::move(*batch));
}

/// Goes on to the next segment if the log does: its first batch has the next number. Before any, to the first one there is.
/// Segments in between stay empty where what comes next cannot be said in their version.
LOCKSTEP_DECL bool wal_image::next_segment() {
    namespace format = storage::wal_format;
    const inode_ptr directory = directory_.get();
    if (!directory) return false;
    std::uint64_t next = sequence_ + 1;
    if (sequence_ == 0) {
        const auto is_segment = [](const auto& entry) { return format::sequence_of(entry.first).has_value(); };
        const auto first = std::find_if(directory->entries.begin(), directory->entries.end(), is_segment);
        if (first == directory->entries.end()) return false;
        next = *format::sequence_of(first->first);
    }
    for (;; ++next) {
        const std::string name = format::segment_name(next);
        const auto found = directory->entries.find(name);
        if (found == directory->entries.end() || !disk_.is_durable_name(*directory, name)) return false;
        const byte_view bytes = found->second->synced_bytes();
        if (bytes.size() < format::header_size) return false;
        const auto header = format::decode_header(bytes.first(format::header_size));
        if (!header || header->sequence != next) return false;
        const std::uint64_t seed = format::segment_seed(*header);
        const auto batch = format::read_batch_header(bytes, format::header_size, seed);
        if (!batch) continue;
        if (number_ != 0 && batch->number != number_ + 1) return false;
        segment_ = found->second;
        sequence_ = next;
        seed_ = seed;
        offset_ = format::header_size;
        if (number_ == 0) number_ = batch->number - 1;
        return true;
    }
}

LOCKSTEP_DECL std::optional<durable_write> wal_image::next_batch() {
    namespace format = storage::wal_format;
    const byte_view bytes = segment_->synced_bytes();
    const auto batch = format::read_batch_header(bytes, offset_, seed_);
    if (!batch || batch->number != number_ + 1) return std::nullopt;
    durable_write w{batch->term, batch->voted_for, batch->first, {}, std::nullopt, false};
    w.entries.reserve(batch->count);
    std::uint64_t at = offset_ + format::batch_header_size;
    for (std::uint32_t i = 0; i < batch->count; ++i) {
        const auto record = format::read_record(bytes.subspan(std::min(static_cast<std::size_t>(at), bytes.size())), at, seed_);
        if (!record || record->index != batch->first + i) return std::nullopt;
        if (const auto base = format::read_base(*record)) {
            w.base = base->at;
            w.anew = base->anew;
        } else {
            w.entries.push_back(mark_of(record->term, record->kind, record->data));
        }
        at += format::record_size(record->data.size());
    }
    if (at != offset_ + format::batch_header_size + batch->body) return std::nullopt;
    offset_ = at;
    number_ = batch->number;
    return w;
}

}  // namespace lockstep::sim
