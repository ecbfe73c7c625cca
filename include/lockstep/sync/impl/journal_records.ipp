#pragma once

#include <lockstep/sync/journal_records.hpp>

#include <lockstep/base/byte_reader.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace lockstep::sync {
namespace detail {

inline constexpr std::uint8_t journal_version = 1;
enum class tag : std::uint8_t { record = 1, erased = 2, intent = 3, intent_done = 4, loosened = 5 };

inline void write(byte_buffer& to, entry_id id) {
    append_le(to, id.session.node.value);
    append_le(to, id.session.number);
    append_le(to, id.sequence);
}
inline entry_id read_entry_id(byte_reader& from) {
    entry_id id;
    id.session.node = node_id(from.number<std::uint64_t>());
    id.session.number = from.number<std::uint64_t>();
    id.sequence = from.number<std::uint64_t>();
    return id;
}

inline void write(byte_buffer& to, const file_status& s) {
    append_le(to, static_cast<std::uint8_t>(s.type));
    append_le(to, s.mode);
    for (std::uint64_t value : {s.size, s.device, s.inode, s.links}) append_le(to, value);
    for (std::int64_t value : {s.mtime_ns, s.ctime_ns, s.birth_ns}) append_le(to, static_cast<std::uint64_t>(value));
}
inline file_status read_status(byte_reader& from) {
    file_status s;
    const auto type = from.number<std::uint8_t>();
    if (type < 1 || type > 4) from.fail();
    s.type = static_cast<file_type>(type);
    s.mode = from.number<std::uint32_t>();
    for (std::uint64_t* value : {&s.size, &s.device, &s.inode, &s.links}) *value = from.number<std::uint64_t>();
    for (std::int64_t* value : {&s.mtime_ns, &s.ctime_ns, &s.birth_ns}) *value = from.signed_number();
    return s;
}

inline void write(byte_buffer& to, const local_record& r) {
    write(to, r.id);
    write(to, r.where.parent);
    append_text(to, r.where.name);
    append_le(to, static_cast<std::uint8_t>(r.type));
    append_le(to, r.mode);
    append_le(to, static_cast<std::uint64_t>(r.mtime_ns));
    append_bytes(to, std::as_bytes(std::span(r.hash.bytes)));
    append_le(to, r.size);
    append_le(to, r.content_version.value);
    append_le(to, r.placement_version.value);
    append_le(to, static_cast<std::uint8_t>((r.parked ? 1 : 0) | (r.certain ? 2 : 0) | (r.doubted ? 4 : 0)));
    write(to, r.disk);
}
inline local_record read_record(byte_reader& from) {
    local_record r;
    r.id = read_entry_id(from);
    r.where.parent = read_entry_id(from);
    r.where.name = from.text();
    const auto type = from.number<std::uint8_t>();
    if (type < 1 || type > 3) from.fail();
    r.type = static_cast<folder::entry_type>(type);
    r.mode = from.number<std::uint32_t>();
    r.mtime_ns = from.signed_number();
    const byte_view hash = from.bytes(r.hash.bytes.size());
    if (!from.failed()) std::memcpy(r.hash.bytes.data(), hash.data(), hash.size());
    r.size = from.number<std::uint64_t>();
    r.content_version = log_index(from.number<std::uint64_t>());
    r.placement_version = log_index(from.number<std::uint64_t>());
    const auto flags = from.number<std::uint8_t>();
    if (flags > 7) from.fail();
    r.parked = (flags & 1) != 0;
    r.certain = (flags & 2) != 0;
    r.doubted = (flags & 4) != 0;
    r.disk = read_status(from);
    return r;
}

inline void write(byte_buffer& to, const intent_record& i) {
    append_text(to, i.staged);
    append_text(to, i.path);
    append_le(to, static_cast<std::uint8_t>((i.removal ? 1 : 0) | (i.expected ? 2 : 0)));
    write(to, i.built);
    write(to, i.record);
    if (i.expected) write(to, *i.expected);
}
inline intent_record read_intent(byte_reader& from) {
    intent_record i;
    i.staged = from.text();
    i.path = from.text();
    const auto flags = from.number<std::uint8_t>();
    if (flags > 3) from.fail();
    i.removal = (flags & 1) != 0;
    i.built = read_status(from);
    i.record = read_record(from);
    if ((flags & 2) != 0) i.expected = read_record(from);
    return i;
}

inline loosened_record read_loosened(byte_reader& from) {
    loosened_record l;
    l.key = from.text();
    l.path = from.text();
    l.disk = read_status(from);
    return l;
}

struct record_writer {
    byte_buffer& to;
    void operator()(const local_record& r) const { head(tag::record); write(to, r); }
    void operator()(const erased_record& r) const { head(tag::erased); write(to, r.entry); }
    void operator()(const intent_record& r) const { head(tag::intent); write(to, r); }
    void operator()(const intent_done_record& r) const { head(tag::intent_done); append_text(to, r.staged); }
    void operator()(const loosened_record& r) const {
        head(tag::loosened);
        append_text(to, r.key);
        append_text(to, r.path);
        write(to, r.disk);
    }
    void head(tag t) const {
        append_le(to, journal_version);
        append_le(to, static_cast<std::uint8_t>(t));
    }
};

/// Later records win: what stood at a place before has moved on, as a record that follows will say.
inline void replay(journal_state& state, journal_record record) {
    if (auto* r = std::get_if<local_record>(&record)) {
        if (auto other = state.synced.child(r->where.parent, r->where.name); !r->parked && other && *other != r->id)
            state.synced.erase(*other);
        state.synced.put(*r);
    } else if (auto* e = std::get_if<erased_record>(&record)) {
        state.synced.erase(e->entry);
    } else if (auto* i = std::get_if<intent_record>(&record)) {
        state.intents[i->staged] = std::move(*i);
    } else if (auto* l = std::get_if<loosened_record>(&record)) {
        state.loosened[l->key] = std::move(*l);
    } else {
        const std::string& name = std::get<intent_done_record>(record).staged;
        state.intents.erase(name);
        state.loosened.erase(name);
    }
}

/// Which records of a journal replay() would not undo. It follows the rules of that, without the cost of a tree.
class surviving_records {
public:
    void add(std::size_t at, const journal_record& record) {
        if (const auto* r = std::get_if<local_record>(&record)) {
            erase(r->id);
            if (!r->parked) {
                if (const auto other = by_place_.find(r->where); other != by_place_.end()) erase(entry_id(other->second));
                by_place_[r->where] = r->id;
            }
            by_id_[r->id] = {at, r->where, r->parked};
        } else if (const auto* e = std::get_if<erased_record>(&record)) {
            erase(e->entry);
        } else if (const auto* i = std::get_if<intent_record>(&record)) {
            intents_[i->staged] = at;
        } else if (const auto* l = std::get_if<loosened_record>(&record)) {
            loosened_[l->key] = at;
        } else {
            intents_.erase(std::get<intent_done_record>(record).staged);
            loosened_.erase(std::get<intent_done_record>(record).staged);
        }
    }

    /// In the order of the journal.
    std::vector<std::size_t> places() const {
        std::vector<std::size_t> all;
        for (const auto& [id, last] : by_id_) all.push_back(last.at);
        for (const auto& [name, at] : intents_) all.push_back(at);
        for (const auto& [key, at] : loosened_) all.push_back(at);
        std::sort(all.begin(), all.end());
        return all;
    }

private:
    struct standing {
        std::size_t at;
        folder::placement where;
        bool parked;
    };

    void erase(entry_id id) {
        const auto there = by_id_.find(id);
        if (there == by_id_.end()) return;
        if (!there->second.parked) by_place_.erase(there->second.where);
        by_id_.erase(there);
    }

    std::map<entry_id, standing> by_id_;
    std::map<folder::placement, entry_id> by_place_;
    std::map<std::string, std::size_t> intents_;
    std::map<std::string, std::size_t> loosened_;
};

}  // namespace detail

LOCKSTEP_DECL byte_buffer encode_record(const journal_record& record) {
    byte_buffer bytes;
    std::visit(detail::record_writer{bytes}, record);
    return bytes;
}

LOCKSTEP_DECL result<journal_record> decode_record(byte_view bytes) {
    byte_reader from(bytes);
    if (from.number<std::uint8_t>() > detail::journal_version) return make_error_code(errc::newer_format);
    journal_record record;
    switch (static_cast<detail::tag>(from.number<std::uint8_t>())) {
        case detail::tag::record: record = detail::read_record(from); break;
        case detail::tag::erased: record = erased_record{detail::read_entry_id(from)}; break;
        case detail::tag::intent: record = detail::read_intent(from); break;
        case detail::tag::intent_done: record = intent_done_record{from.text()}; break;
        case detail::tag::loosened: record = detail::read_loosened(from); break;
        default: from.fail();
    }
    if (from.failed()) return make_error_code(errc::corrupt);
    if (!from.finished()) return make_error_code(errc::corrupt);
    return record;
}

LOCKSTEP_DECL result<journal_state> replay_journal(const std::vector<byte_buffer>& records) {
    journal_state state;
    for (const auto& bytes : records) {
        auto record = decode_record(byte_view(bytes));
        if (!record) return record.error();
        detail::replay(state, std::move(*record));
    }
    return state;
}

LOCKSTEP_DECL journal_state replay_damaged_journal(const std::vector<byte_buffer>& records) {
    journal_state state;
    for (const auto& bytes : records)
        if (auto record = decode_record(byte_view(bytes))) detail::replay(state, std::move(*record));
    state.synced = {};
    state.damaged = true;
    return state;
}

LOCKSTEP_DECL void doubt_contents(journal_state& state) {
    std::vector<local_record> doubted;
    state.synced.for_each([&](const local_record& r) {
        if (r.type == folder::entry_type::file && !r.doubted) doubted.push_back(r);
    });
    const auto doubt = [](local_record& r) { r.certain = false, r.doubted = true; };
    for (local_record& record : doubted) {
        doubt(record);
        state.synced.put(record);
    }
    for (auto& [name, intent] : state.intents)
        if (intent.expected && intent.expected->type == folder::entry_type::file) doubt(*intent.expected);
}

LOCKSTEP_DECL std::vector<byte_buffer> compact_journal(const journal_state& state) {
    std::vector<byte_buffer> records;
    records.reserve(state.synced.size() + state.intents.size() + state.loosened.size());
    state.synced.for_each([&](const local_record& r) { records.push_back(encode_record(r)); });
    for (const auto& [name, intent] : state.intents) records.push_back(encode_record(intent));
    for (const auto& [key, loosened] : state.loosened) records.push_back(encode_record(loosened));
    return records;
}

LOCKSTEP_DECL result<std::vector<byte_buffer>> shorten_journal(const std::vector<byte_buffer>& records) {
    detail::surviving_records survivors;
    for (std::size_t at = 0; at < records.size(); ++at) {
        const auto record = decode_record(byte_view(records[at]));
        if (!record) return record.error();
        survivors.add(at, *record);
    }
    std::vector<byte_buffer> shorter;
    for (const std::size_t at : survivors.places()) shorter.push_back(records[at]);
    return shorter;
}

}  // namespace lockstep::sync
