// A few registers of numbers that are written, added to and read: the service of the runs that are about consensus alone.
// An addition that is done twice, or a write that is lost, shows in what is read from then on.
#pragma once

#include <lockstep/base/byte_reader.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/random.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace lockstep::sim {

struct registers {
    static constexpr std::uint64_t count = 5;
    enum class verb : std::uint8_t { get, put, add };
    struct input {
        verb what = verb::get;
        std::uint64_t key = 0;
        std::uint64_t number = 0;   ///< to be put or added
    };
    /// What is in the register then.
    using output = std::uint64_t;

    class machine {
    public:
        void apply(log_index at, const shared_bytes& command) {
            byte_reader reader(command.view());
            const auto what = static_cast<verb>(reader.number<std::uint8_t>());
            const auto key = reader.number<std::uint64_t>();
            const auto number = reader.number<std::uint64_t>();
            if (reader.failed() || key >= count || what == verb::get || what > verb::add) return;
            values_[key] = what == verb::put ? number : values_[key] + number;
            gave_.emplace_back(at, values_[key]);
            if (gave_.size() > gave_max) gave_.pop_front();
        }
        std::uint64_t digest() const {
            std::uint64_t sum = 0;
            for (const std::uint64_t v : values_) sum = mix64(sum ^ v);
            return sum;
        }
        std::uint64_t value(std::uint64_t key) const { return values_.at(key); }
        /// What a command came to; nothing: it is too long ago.
        std::optional<std::uint64_t> gave(log_index at) const {
            for (auto g = gave_.rbegin(); g != gave_.rend() && g->first >= at; ++g)
                if (g->first == at) return g->second;
            return std::nullopt;
        }

    private:
        static constexpr std::size_t gave_max = 1024;
        std::array<std::uint64_t, count> values_{};
        std::deque<std::pair<log_index, std::uint64_t>> gave_;
    };

    // --- as a service ---
    static input draw(random_generator& random) {
        const auto what = static_cast<verb>(random.below(3));
        return {what, random.below(count), 1 + random.below(1'000'000)};
    }
    static std::optional<shared_bytes> command(const input& in) {
        if (in.what == verb::get) return std::nullopt;
        byte_buffer bytes;
        append_le(bytes, static_cast<std::uint8_t>(in.what));
        append_le(bytes, in.key);
        append_le(bytes, in.number);
        return shared_bytes(std::move(bytes));
    }
    static std::optional<output> answer(const machine& m, const input& in, log_index at) {
        return in.what == verb::get ? m.value(in.key) : m.gave(at);
    }
    static std::string text(const input& in, const output* out) {
        static constexpr std::array names{"get", "put", "add"};
        std::string said = std::string(names.at(static_cast<std::size_t>(in.what))) + " register " + std::to_string(in.key);
        if (in.what != verb::get) said += " " + std::to_string(in.number);
        return said + " -> " + (out ? std::to_string(*out) : "?");
    }

    // --- as a model, of one register ---
    using state = std::uint64_t;
    static state initial() { return 0; }
    static std::optional<state> step(const state& s, const input& in, const output* out) {
        const state next = in.what == verb::get ? s : in.what == verb::put ? in.number : s + in.number;
        if (out && *out != next) return std::nullopt;
        return next;
    }
    static std::uint64_t part(const input& in) { return in.key; }
    static std::uint64_t digest(const state& s, std::uint64_t seed) { return mix64(s ^ seed); }
};

}  // namespace lockstep::sim
