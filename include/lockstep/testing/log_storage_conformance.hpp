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
        run("closing drops the answers", [](auto& c) { c.closing(); });
        run("a random history is what is found again", [](auto& c) { c.random_history(); });
        return std::move(failures_);
    }

private:
    /// What the log should hold.
    struct model {
        lockstep::term term;
        node_id voted_for;
        std::vector<log_record> records;

        void take(const log_batch& batch) {
            term = batch.term;
            voted_for = batch.voted_for;
            if (batch.records.empty()) return;
            records.resize(static_cast<std::size_t>(batch.records.front().index.value - 1));
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
            const answer part = read(all.size() + 1, model_.records.size(), 100'000);
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
        expect(found->last_index.value == model_.records.size(), "another last index after reopening");
        expect(found->runs == model_.runs(), "other runs of terms after reopening");
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
                const std::uint64_t last = model_.records.size();
                std::uint64_t first = last + 1;
                if (last > 0 && random() % 5 == 0) first = 1 + last - random() % std::min<std::uint64_t>(last, 6);
                if (first <= last || random() % 4 == 0) ++term;
                std::vector<log_record> records;
                const std::uint64_t count = random() % 5;
                for (std::uint64_t n = 0; n < count; ++n) {
                    const std::string data(static_cast<std::size_t>(random() % 9000), static_cast<char>('a' + n));
                    records.push_back(record(first + n, term, data));
                }
                if (!append(batch(term, std::move(records)))) return;
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
