// What every `log_storage` must do (docs/concepts/log_storage.md), as checks to run on a model of your own.
//
// A Fixture is an empty log, made anew for each check:
//     using storage = …;                a log_storage
//     storage& log();                   not opened yet
//     void reopen();                    the process is gone and back: log() is a new object over the same disk
//     bool drive(predicate);            runs the loop until predicate() holds; false if it never will
// check_log_storage<Fixture>() returns what failed, a line each; nothing means that all is well.
#pragma once

#include <lockstep/base/random.hpp>
#include <lockstep/concepts/log_storage.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::testing {

template <class Fixture>
class log_storage_check {
    static_assert(log_storage<typename Fixture::storage>);

public:
    std::vector<std::string> run() {
        run("a new log is empty", [](auto& c) { c.empty(); });
        run("what was appended is read back", [](auto& c) { c.round_trip(); });
        run("appends are answered in order, and never inside the call", [](auto& c) { c.order(); });
        run("reading stops at the bound, but gives one record at least", [](auto& c) { c.bounded_reads(); });
        run("reading outside the log says so", [](auto& c) { c.reads_outside(); });
        run("a batch replaces what stood at its first index and behind", [](auto& c) { c.truncation(); });
        run("term and vote change without records", [](auto& c) { c.hard_state(); });
        run("any bytes and sizes survive", [](auto& c) { c.odd_records(); });
        run("many appends at once survive in order", [](auto& c) { c.many(); });
        run("what was dropped may be gone, and nothing behind it is", [](auto& c) { c.dropping(); });
        run("what was dropped frees its space in the end", [](auto& c) { c.freed(); });
        run("a reset leaves nothing but where the log begins", [](auto& c) { c.reset_log(); });
        run("closing drops the answers", [](auto& c) { c.closing(); });
        run("a random history is what is found again", [](auto& c) { c.random_history(); });
        return std::move(failures_);
    }

private:
    /// What the log should hold.
    struct model {
        lockstep::term term;
        node_id voted_for;
        log_position base;                ///< the storage's own may be anything up to here
        std::vector<log_record> records;  ///< behind the base
        std::vector<log_position> past;   ///< positions that may still be the storage's base

        log_index last() const { return base.index + records.size(); }
        log_position at(log_index i) const {
            return i == base.index ? base : log_position{i, records[static_cast<std::size_t>(i - base.index - 1)].term};
        }
        void drop(log_index to) {
            const log_position begin = at(to);
            past.push_back(base);
            records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(to - base.index));
            base = begin;
        }
        void reset(log_position to, lockstep::term t, node_id vote) {
            term = t;
            voted_for = vote;
            base = to;
            records.clear();
            past.clear();
        }
        void take(const log_batch& batch) {
            term = batch.term;
            voted_for = batch.voted_for;
            if (batch.records.empty()) return;
            records.resize(static_cast<std::size_t>(batch.records.front().index - base.index - 1));
            records.insert(records.end(), batch.records.begin(), batch.records.end());
        }
        std::vector<log_run> runs() const {
            std::vector<log_run> all;
            for (const auto& r : records) {
                if (all.empty() || all.back().term != r.term) all.push_back({r.index, r.term});
            }
            return all;
        }
    };
    struct answer {
        std::vector<log_record> records;
        storage_error error;
    };

    template <class Check>
    void run(std::string name, Check check) {
        name_ = std::move(name);
        model_ = {};
        fixture_ = std::make_unique<Fixture>();
        check(*this);
        fixture_ = nullptr;
    }

    bool expect(bool held, const std::string& what) {
        if (!held) failures_.push_back(name_ + ": " + what);
        return held;
    }
    auto& log() { return fixture_->log(); }

    static log_record record(std::uint64_t index, std::uint64_t term, std::string_view data = "data") {
        return {log_index(index), lockstep::term(term), static_cast<std::uint8_t>(index % 3),
                shared_bytes::copy_of(data)};
    }
    static log_batch batch(std::uint64_t term, std::vector<log_record> records) {
        return {lockstep::term(term), node_id(term % 4), std::move(records)};
    }

    std::optional<recovered_log> open() {
        auto found = std::make_shared<std::optional<recovered_log>>();
        auto error = std::make_shared<storage_error>();
        auto answered = std::make_shared<bool>(false);
        log().open([=](recovered_log recovered, storage_error failed) {
            *found = std::move(recovered);
            *error = std::move(failed);
            *answered = true;
        });
        if (!expect(!*answered, "open answered inside the call")) return {};
        if (!expect(fixture_->drive([&] { return *answered; }), "open was never answered")) return {};
        if (!expect(!error->code, "open failed: " + error->code.message() + ", " + error->detail)) return {};
        return std::move(*found);
    }

    bool append(log_batch b) {
        model_.take(b);
        auto error = std::make_shared<std::optional<storage_error>>();
        log().append(std::move(b), [=](storage_error e) { *error = std::move(e); });
        if (!expect(!error->has_value(), "append answered inside the call")) return false;
        if (!expect(fixture_->drive([&] { return error->has_value(); }), "append was never answered")) return false;
        return expect(!(*error)->code, "append failed: " + (*error)->code.message() + ", " + (*error)->detail);
    }

    bool reset(log_position at, std::uint64_t term) {
        model_.reset(at, lockstep::term(term), node_id(term % 4));
        auto error = std::make_shared<std::optional<storage_error>>();
        log().reset(at, lockstep::term(term), node_id(term % 4), [=](storage_error e) { *error = std::move(e); });
        if (!expect(!error->has_value(), "reset answered inside the call")) return false;
        if (!expect(fixture_->drive([&] { return error->has_value(); }), "reset was never answered")) return false;
        return expect(!(*error)->code, "reset failed: " + (*error)->code.message() + ", " + (*error)->detail);
    }

    void drop(std::uint64_t to) {
        model_.drop(log_index(to));
        log().drop_prefix(model_.base);
    }

    answer read(std::uint64_t from, std::uint64_t to, std::size_t bytes_max) {
        auto got = std::make_shared<std::optional<answer>>();
        log().read(log_index(from), log_index(to), bytes_max,
                   [=](std::vector<log_record> records, storage_error error) {
                       *got = answer{std::move(records), std::move(error)};
                   });
        expect(!got->has_value(), "read answered inside the call");
        if (!expect(fixture_->drive([&] { return got->has_value(); }), "read was never answered")) return {};
        return std::move(**got);
    }

    /// The whole log, in as many reads as it takes, is the model's.
    void compare() {
        std::vector<log_record> all;
        while (all.size() < model_.records.size()) {
            const answer part = read(model_.base.index.value + all.size() + 1, model_.last().value, 100'000);
            if (!expect(!part.error.code, "read failed: " + part.error.code.message() + ", " + part.error.detail))
                return;
            if (!expect(!part.records.empty(), "a read gave nothing")) return;
            all.insert(all.end(), part.records.begin(), part.records.end());
        }
        expect(all == model_.records, "the log is not what was appended");
    }

    void reopen_and_compare() {
        fixture_->reopen();
        const auto found = open();
        if (!found) return;
        expect(found->term == model_.term && found->voted_for == model_.voted_for,
               "another term or vote after reopening");
        expect(found->last_index == model_.last(), "another last index after reopening");
        const bool known = found->base == model_.base ||
                           std::find(model_.past.begin(), model_.past.end(), found->base) != model_.past.end();
        expect(known, "the log begins where nothing was dropped");
        auto runs = found->runs;
        expect(runs.empty() || runs.front().first == found->base.index + 1, "the runs do not begin behind the base");
        while (runs.size() > 1 && runs[1].first <= model_.base.index + 1) runs.erase(runs.begin());
        if (model_.records.empty()) runs.clear();
        else if (!runs.empty()) runs.front().first = std::max(runs.front().first, model_.base.index + 1);
        expect(runs == model_.runs(), "other runs of terms after reopening");
        compare();
    }

    void empty() {
        const auto found = open();
        if (!found) return;
        expect(found->last_index.value == 0 && found->runs.empty(), "there are records");
        expect(found->term.value == 0 && found->voted_for == no_node, "there is a term or a vote");
        reopen_and_compare();
    }

    void round_trip() {
        if (!open() || !append(batch(3, {record(1, 1, "one"), record(2, 3, "two"), record(3, 3, "")}))) return;
        compare();
        const answer middle = read(2, 2, 1000);
        expect(middle.records.size() == 1 && middle.records.front() == model_.records[1], "one record by its index");
        reopen_and_compare();
    }

    void order() {
        if (!open()) return;
        std::vector<std::uint64_t> answered;
        for (std::uint64_t i = 1; i <= 20; ++i) {
            log_batch b = batch(1, {record(i, 1)});
            model_.take(b);
            log().append(std::move(b), [&, i](storage_error e) {
                if (!e.code) answered.push_back(i);
            });
        }
        expect(answered.empty(), "an append answered inside the call");
        expect(fixture_->drive([&] { return answered.size() == 20; }), "not all appends were answered with success");
        expect(std::is_sorted(answered.begin(), answered.end()), "answered out of order");
        reopen_and_compare();
    }

    void bounded_reads() {
        const std::string kilobyte(1000, 'x');
        if (!open()) return;
        if (!append(batch(1, {record(1, 1, kilobyte), record(2, 1, kilobyte), record(3, 1, kilobyte)}))) return;
        const answer some = read(1, 3, 1500);
        expect(!some.records.empty() && some.records.size() < 3, "the bound was not kept, or nothing was given");
        const answer one = read(2, 3, 0);
        expect(one.records.size() == 1 && one.records.front() == model_.records[1],
               "not one record under a bound of 0");
        const answer all = read(1, 3, 1'000'000);
        expect(!all.records.empty() && all.records.front() == model_.records[0], "not from the first on");
    }

    void reads_outside() {
        if (!open() || !append(batch(1, {record(1, 1), record(2, 1)}))) return;
        const answer behind = read(3, 9, 1000);
        expect(behind.records.empty() && behind.error.code == errc::not_found, "not not_found behind the end");
        const answer zero = read(0, 0, 1000);
        expect(zero.records.empty() && zero.error.code == errc::not_found, "not not_found at index 0");
        const answer beyond = read(2, 9, 1000);
        expect(beyond.records.size() == 1 && !beyond.error.code, "a range that goes beyond the end is not cut there");
    }

    void truncation() {
        if (!open()) return;
        if (!append(batch(1, {record(1, 1), record(2, 1), record(3, 1), record(4, 1)}))) return;
        if (!append(batch(2, {record(3, 2, "new")}))) return;
        expect(read(4, 4, 100).error.code == errc::not_found, "what was truncated is still there");
        compare();
        reopen_and_compare();
        if (!append(batch(3, {record(1, 3, "all new")}))) return;
        compare();
        reopen_and_compare();
    }

    void hard_state() {
        if (!open() || !append(batch(5, {})) || !append(batch(5, {record(1, 5)})) || !append(batch(7, {}))) return;
        reopen_and_compare();
    }

    void odd_records() {
        if (!open()) return;
        std::string bytes(256, '\0');
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i);
        const std::string large(300'000, '\7');
        if (!append(batch(1, {record(1, 1, ""), record(2, 1, bytes), record(3, 1, large), record(4, 1, "x")}))) return;
        compare();
        reopen_and_compare();
    }

    void many() {
        if (!open()) return;
        std::size_t answered = 0;
        const std::string data(700, 'm');
        for (std::uint64_t i = 1; i <= 1000; ++i) {
            log_batch b = batch(1 + i / 300, {record(i, 1 + i / 300, data)});
            model_.take(b);
            log().append(std::move(b), [&](storage_error e) { answered += e.code ? 0 : 1; });
        }
        if (!expect(fixture_->drive([&] { return answered == 1000; }), "not all were answered with success")) return;
        compare();
        expect(log().bytes() >= 700'000, "bytes() is less than what is stored");
        reopen_and_compare();
    }

    void dropping() {
        if (!open()) return;
        std::vector<log_record> some;
        for (std::uint64_t i = 1; i <= 9; ++i) some.push_back(record(i, 1 + i / 4, std::string(9000, 'x')));
        for (const auto& r : some) {
            if (!append(batch(3, {r}))) return;
        }
        drop(4);
        compare();
        const answer gone = read(4, 4, 100);
        expect(gone.error.code == errc::not_found || (gone.records.size() == 1 && gone.records[0] == some[3]),
               "what was dropped is neither there nor not found");
        if (!append(batch(4, {record(8, 4, "in place of two")}))) return;
        reopen_and_compare();
        drop(8);  // all of it
        if (!append(batch(4, {record(9, 4, "behind all")}))) return;
        reopen_and_compare();
        drop(9);
        log().drop_prefix(model_.base);
        reopen_and_compare();
        if (!append(batch(5, {record(10, 5)}))) return;
        reopen_and_compare();
    }

    void freed() {
        if (!open()) return;
        for (std::uint64_t i = 1; i <= 200; ++i) {
            if (!append(batch(1, {record(i, 1, std::string(9000, 'x'))}))) return;
            if (i % 10 == 0) drop(i - 5);
        }
        fixture_->drive([&] { return log().bytes() < 900'000; });
        expect(log().bytes() < 900'000, "bytes() says that what was dropped is all still there");
        compare();
        reopen_and_compare();
        expect(log().bytes() < 900'000, "what was dropped is all back after reopening");
    }

    void reset_log() {
        if (!open()) return;
        if (!append(batch(2, {record(1, 1), record(2, 2, std::string(70'000, 'x')), record(3, 2)}))) return;
        if (!reset({log_index(40), lockstep::term(5)}, 6)) return;
        expect(read(2, 2, 100).error.code == errc::not_found, "what was there before a reset is still there");
        reopen_and_compare();
        // In one go with what is before and behind.
        if (!append(batch(6, {record(41, 6)}))) return;
        std::size_t answered = 0;
        const auto count = [&](storage_error e) { answered += e.code ? 0 : 1; };
        model_.take(batch(6, {record(42, 6)}));
        log().append(batch(6, {record(42, 6)}), count);
        model_.reset({log_index(42), lockstep::term(7)}, lockstep::term(8), node_id(1));
        log().reset(model_.base, lockstep::term(8), node_id(1), count);
        model_.take(batch(8, {record(43, 8), record(44, 8)}));
        log().append(batch(8, {record(43, 8), record(44, 8)}), count);
        if (!expect(fixture_->drive([&] { return answered == 3; }), "not all were answered with success")) return;
        compare();
        reopen_and_compare();
        drop(43);
        if (!reset({log_index(50), lockstep::term(8)}, 8)) return;
        reopen_and_compare();
        if (!append(batch(8, {record(51, 8)}))) return;
        reopen_and_compare();
    }

    void closing() {
        if (!open() || !append(batch(1, {record(1, 1)}))) return;
        bool answered = false;
        log().append(batch(1, {record(2, 1)}), [&](storage_error) { answered = true; });
        log().close();
        fixture_->drive([&] { return answered; });
        expect(!answered, "an append was answered after close");
    }

    void random_history() {
        if (!open()) return;
        random_generator random(7);
        std::uint64_t term = 1;
        for (int round = 0; round < 4; ++round) {
            for (int i = 0; i < 40; ++i) {
                const std::uint64_t last = model_.last().value;
                const std::uint64_t kept = model_.records.size();
                std::uint64_t first = last + 1;
                if (kept > 0 && random() % 5 == 0) first = 1 + last - random() % std::min<std::uint64_t>(kept, 6);
                if (first <= last || random() % 4 == 0) ++term;
                std::vector<log_record> records;
                const std::uint64_t count = random() % 5;
                for (std::uint64_t n = 0; n < count; ++n) {
                    const std::string data(static_cast<std::size_t>(random() % 9000), static_cast<char>('a' + n));
                    records.push_back(record(first + n, term, data));
                }
                if (!append(batch(term, std::move(records)))) return;
                if (random() % 6 == 0) drop(model_.base.index.value + random() % (model_.records.size() + 1));
                if (random() % 30 != 0) continue;
                if (!reset({model_.last() + random() % 9 + 1, lockstep::term(term)}, term)) return;
            }
            compare();
            reopen_and_compare();
        }
    }

    std::string name_;
    model model_;
    std::unique_ptr<Fixture> fixture_;
    std::vector<std::string> failures_;
};

template <class Fixture>
std::vector<std::string> check_log_storage() {
    return log_storage_check<Fixture>().run();
}

}  // namespace lockstep::testing
