// cereal archives over contiguous memory: little-endian, fixed width, bounds checked before anything is allocated.
// For the bodies in codec/impl only; what they offer to others are functions that return a result.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/base/sha256.hpp>

#include <cereal/cereal.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace lockstep::codec {

/// Thrown by an input archive; never leaves the layer (see decode_all).
struct malformed {
    errc why = errc::corrupt;
};

/// Bounds that no honest message reaches.
inline constexpr std::size_t message_bytes_max = 64u << 20;  ///< of anything that is decoded
inline constexpr std::size_t entries_max = 1u << 16;         ///< of one append
inline constexpr std::size_t commands_max = 1u << 16;        ///< of one forwarded proposal
inline constexpr std::size_t members_max = 64;               ///< of a cluster
inline constexpr std::size_t chunks_max = 256;               ///< of one query
inline constexpr std::size_t text_bytes_max = 64u << 10;

class output_archive : public cereal::OutputArchive<output_archive, cereal::AllowEmptyClassElision> {
public:
    explicit output_archive(byte_buffer& to) : OutputArchive(this), to_(to) {}
    template <std::unsigned_integral T>
    void number(T value) { append_le(to_, value); }
    void raw(byte_view bytes) { to_.insert(to_.end(), bytes.begin(), bytes.end()); }

private:
    byte_buffer& to_;
};

class input_archive : public cereal::InputArchive<input_archive, cereal::AllowEmptyClassElision> {
public:
    explicit input_archive(shared_bytes from) : InputArchive(this), from_(std::move(from)) {}

    template <std::unsigned_integral T>
    T number() { return load_le<T>(take(sizeof(T)).data()); }
    byte_view take(std::size_t count) {
        if (count > left()) throw malformed{errc::truncated};
        const byte_view out = from_.view().subspan(at_, count);
        at_ += count;
        return out;
    }
    /// The same bytes, shared with what is being read: no copy.
    shared_bytes slice(std::size_t count) {
        take(count);
        return from_.slice(at_ - count, count);
    }
    /// A count of things of at least `bytes_each`: there must be room for them in what is left.
    std::size_t count(std::size_t most, std::size_t bytes_each) {
        const std::size_t n = number<std::uint32_t>();
        if (n > most) throw malformed{errc::too_large};
        if (bytes_each != 0 && n > left() / bytes_each) throw malformed{errc::truncated};
        return n;
    }
    std::size_t left() const noexcept { return from_.size() - at_; }

private:
    shared_bytes from_;
    std::size_t at_ = 0;
};

// Numbers

template <std::unsigned_integral T>
    requires(!std::is_same_v<T, bool>)
void save(output_archive& ar, const T& value) { ar.number(value); }
template <std::unsigned_integral T>
    requires(!std::is_same_v<T, bool>)
void load(input_archive& ar, T& value) { value = ar.number<T>(); }

inline void save(output_archive& ar, const bool& value) { ar.number(static_cast<std::uint8_t>(value)); }
inline void load(input_archive& ar, bool& value) {
    const auto byte = ar.number<std::uint8_t>();
    if (byte > 1) throw malformed{};
    value = byte == 1;
}

inline void save(output_archive& ar, const std::int64_t& value) { ar.number(static_cast<std::uint64_t>(value)); }
inline void load(input_archive& ar, std::int64_t& value) {
    value = static_cast<std::int64_t>(ar.number<std::uint64_t>());
}

/// An enumeration whose values are 0 … Last.
template <class Enum>
struct bounded_enum {
    Enum& value;
    Enum last;
};
template <class Enum>
void save(output_archive& ar, const bounded_enum<Enum>& e) { ar.number(static_cast<std::uint8_t>(e.value)); }
template <class Enum>
void load(input_archive& ar, bounded_enum<Enum>& e) {
    const auto byte = ar.number<std::uint8_t>();
    if (byte > static_cast<std::uint8_t>(e.last)) throw malformed{};
    e.value = static_cast<Enum>(byte);
}

}  // namespace lockstep::codec

namespace lockstep {

// Base types, found by their namespace. One body serves both directions.

template <class Archive, class Tag>
void serialize(Archive& ar, strong_number<Tag>& n) { ar(n.value); }

template <class Tag>
void save(codec::output_archive& ar, const strong_uuid<Tag>& id) { ar.raw(std::as_bytes(std::span(id.bytes))); }
template <class Tag>
void load(codec::input_archive& ar, strong_uuid<Tag>& id) {
    const auto bytes = ar.take(id.bytes.size());
    std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
}

inline void save(codec::output_archive& ar, const content_hash& h) { ar.raw(std::as_bytes(std::span(h.bytes))); }
inline void load(codec::input_archive& ar, content_hash& h) {
    const auto bytes = ar.take(h.bytes.size());
    std::memcpy(h.bytes.data(), bytes.data(), bytes.size());
}

template <class Archive>
void serialize(Archive& ar, log_position& at) { ar(at.index, at.term); }
template <class Archive>
void serialize(Archive& ar, session_id& s) { ar(s.node, s.number); }
template <class Archive>
void serialize(Archive& ar, entry_id& e) { ar(e.session, e.sequence); }

inline void save(codec::output_archive& ar, const shared_bytes& bytes) {
    ar.number(static_cast<std::uint32_t>(bytes.size()));
    ar.raw(bytes.view());
}
inline void load(codec::input_archive& ar, shared_bytes& bytes) {
    bytes = ar.slice(ar.count(codec::message_bytes_max, 1));
}

}  // namespace lockstep

namespace lockstep::codec {

/// Short texts and sequences, by reference, so that the std types need no functions of cereal's (which allocate first).
struct text_field {
    std::string& value;
};
inline void save(output_archive& ar, const text_field& t) {
    ar.number(static_cast<std::uint32_t>(t.value.size()));
    ar.raw(as_bytes(t.value));
}
inline void load(input_archive& ar, text_field& t) {
    t.value = std::string(as_text(ar.take(ar.count(text_bytes_max, 1))));
}

/// A text for a person. A longer one is cut when it is written, since the reader would refuse the message as a whole.
struct note_field {
    std::string& value;
};
inline void save(output_archive& ar, const note_field& n) {
    const byte_view kept = as_bytes(n.value).first(std::min(n.value.size(), text_bytes_max));
    ar.number(static_cast<std::uint32_t>(kept.size()));
    ar.raw(kept);
}
inline void load(input_archive& ar, note_field& n) {
    text_field text{n.value};
    load(ar, text);
}

/// Bytes with a bound of their own, shared with what is being read.
struct bytes_field {
    shared_bytes& value;
    std::size_t most;
};
inline void save(output_archive& ar, const bytes_field& b) { ar(b.value); }
inline void load(input_archive& ar, bytes_field& b) { b.value = ar.slice(ar.count(b.most, 1)); }

template <class T>
struct sequence_field {
    std::vector<T>& value;
    std::size_t most;
    std::size_t bytes_each;  ///< the least that one takes
};
template <class T>
void save(output_archive& ar, const sequence_field<T>& s) {
    ar.number(static_cast<std::uint32_t>(s.value.size()));
    for (const T& item : s.value) ar(item);
}
template <class T>
void load(input_archive& ar, sequence_field<T>& s) {
    s.value.clear();
    s.value.resize(ar.count(s.most, s.bytes_each));
    for (T& item : s.value) ar(item);
}

/// Appends the encoding of `value` to `to`.
template <class T>
void encode_to(byte_buffer& to, const T& value) {
    output_archive ar(to);
    ar(value);
}

/// Decodes all of `bytes` as a T, after a version byte from 1 to `version`.
template <class T>
result<T> decode_all(const shared_bytes& bytes, std::uint8_t version) {
    if (bytes.size() > message_bytes_max) return make_error_code(errc::too_large);
    try {
        input_archive ar(bytes);
        const auto written = ar.number<std::uint8_t>();
        if (written > version) return make_error_code(errc::newer_format);
        if (written == 0) return make_error_code(errc::corrupt);
        T value{};
        ar(value);
        if (ar.left() != 0) return make_error_code(errc::corrupt);
        return value;
    } catch (const malformed& m) {
        return make_error_code(m.why);
    }
}

}  // namespace lockstep::codec
