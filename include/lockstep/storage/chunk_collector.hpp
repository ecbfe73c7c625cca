// The jobs of garbage collection: which chunks of a pack are live, and copying those of one that is mostly dead. What
// is done about it is the store's to decide. Blocking: on the lane of chunks.
#pragma once

#include <lockstep/storage/pack_writer.hpp>

#include <algorithm>
#include <memory>

namespace lockstep::storage {

/// Sorted; shared with the jobs.
using live_chunks = std::shared_ptr<const std::vector<content_hash>>;

struct examined_chunk {
    pack_entry entry;
    bool live = false;
};

struct examined_pack {
    std::vector<examined_chunk> chunks;
    storage_error error;
};

struct copied_chunks {
    chunks_written written;
    std::vector<pack_entry> damaged;   ///< not copied: they are not what their names say
};

/// Whether the records of a pack stand one behind the other, to its end. Read without an index, one that is damaged may look as if
/// it had never become durable.
inline bool is_whole(const pack_format::pack_index& pack, std::uint64_t file_bytes) {
    std::uint64_t at = pack_format::header_size;
    for (const pack_entry& entry : pack.entries) {
        if (entry.offset != at) return false;
        at += pack_format::record_size(entry.length);
    }
    return at == file_bytes;
}

template <file_system FileSystem>
examined_pack examine_pack(FileSystem& fs, pack_writer<FileSystem>& writer, std::uint32_t pack,
                           const live_chunks& live) {
    examined_pack result;
    auto contents = pack_reader<FileSystem>(fs, writer.dir()).read(pack);
    if (!contents) {
        result.error = {contents.error(), pack_format::pack_name(pack) + ": cannot read"};
        return result;
    }
    // What is not known of a pack may be wanted.
    if (contents->index.pack_bytes < contents->file_bytes || (!contents->indexed && !is_whole(contents->index, contents->file_bytes))) {
        const std::string name = pack_format::pack_name(pack);
        result.error = {make_error_code(errc::corrupt), name + ": damaged, and without its index"};
        return result;
    }
    result.chunks.reserve(contents->index.entries.size());
    for (const pack_entry& entry : contents->index.entries) {
        result.chunks.push_back({entry, std::binary_search(live->begin(), live->end(), entry.hash)});
    }
    return result;
}

/// Makes copies of these chunks durable in the active pack.
template <file_system FileSystem>
copied_chunks copy_chunks(FileSystem& fs, pack_writer<FileSystem>& writer, std::uint32_t pack,
                          const std::vector<pack_entry>& chunks) {
    copied_chunks result;
    const std::string name = pack_format::pack_name(pack);
    auto from = fs.open_file(writer.dir(), name, open_mode::read, 0);
    if (!from) {
        result.written.error = {from.error(), name + ": cannot open"};
        return result;
    }
    storage_error unread;
    for (const pack_entry& chunk : chunks) {
        byte_buffer bytes(chunk.length);
        const auto got = fs.read_at(*from, chunk.offset + pack_format::record_header_size, bytes);
        if (!got) {
            // It may be readable another time: the pack is kept.
            unread = {got.error(), name + ": cannot read"};
            break;
        }
        if (*got != bytes.size() || sha256(byte_view(bytes)) != chunk.hash) {
            result.damaged.push_back(chunk);
            continue;
        }
        if (!writer.add(chunk.hash, bytes)) break;
    }
    result.written = writer.take();
    if (!result.written.error.code) result.written.error = std::move(unread);
    return result;
}

}  // namespace lockstep::storage
