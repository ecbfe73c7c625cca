// What every `byte_streams` must do (docs/concepts/byte_streams.md), as checks to run on a model of your own.
//
// A Fixture is two nodes on a network of their own, made anew for each check:
//     using streams = …;                         a byte_streams
//     streams& dialler();  streams& listener();
//     std::string address();                     where the listener can listen; nobody does yet
//     bool drive(predicate, duration most);      runs the loop until predicate() holds; false if not in time
// check_byte_streams<Fixture>() returns what failed, a line each; nothing means that all is well.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/concepts/byte_streams.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::testing {

template <class Fixture>
class byte_streams_check {
    using streams = typename Fixture::streams;
    using stream = typename streams::stream;
    using stream_ptr = std::shared_ptr<stream>;
    static_assert(byte_streams<streams>);

public:
    std::vector<std::string> run() {
        run("bytes arrive in order, both ways at once", [](auto& c) { c.exchange(); });
        run("a write of many buffers arrives whole", [](auto& c) { c.many_buffers(); });
        run("a write waits for the reader", [](auto& c) { c.back_pressure(); });
        run("nobody listens", [](auto& c) { c.refused(); });
        run("an address in use", [](auto& c) { c.address_in_use(); });
        run("stop_listening frees the address", [](auto& c) { c.stop_listening(); });
        run("a closed end is the end of the stream, after the bytes", [](auto& c) { c.end_of_stream(); });
        run("writing to an end that is gone fails", [](auto& c) { c.write_to_closed(); });
        run("closing drops what is pending", [](auto& c) { c.close_pending(false); });
        run("destroying drops what is pending", [](auto& c) { c.close_pending(true); });
        return std::move(failures_);
    }

private:
    static constexpr duration patience = std::chrono::seconds(20);
    static constexpr duration moment = std::chrono::milliseconds(50);

    template <class Check>
    void run(std::string name, Check check) {
        name_ = std::move(name);
        fixture_ = std::make_unique<Fixture>();
        check(*this);
        dialled_ = accepted_ = nullptr;
        fixture_ = nullptr;
    }

    bool expect(bool held, const char* what) {
        if (!held) failures_.push_back(name_ + ": " + what);
        return held;
    }
    template <class Predicate>
    bool wait(Predicate p) {
        return fixture_->drive(p, patience);
    }

    /// Connects the two nodes: dialled_ and accepted_.
    bool connect() {
        const std::string address = fixture_->address();
        const auto listening = fixture_->listener().listen(address, [this](stream_ptr s) { accepted_ = std::move(s); });
        if (!expect(listening.has_value(), "listen failed")) return false;
        bool inside = true;
        fixture_->dialler().connect(address, [&](result<stream_ptr> s) {
            expect(!inside, "connect() called back from inside the call");
            if (s) dialled_ = std::move(*s);
        });
        inside = false;
        return expect(wait([&] { return dialled_ && accepted_; }), "no connection");
    }

    static shared_bytes pattern(std::size_t count, unsigned seed) {
        byte_buffer bytes(count);
        for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>((i * 31 + i / 251 + seed) & 0xff);
        return shared_bytes(std::move(bytes));
    }

    struct reader {
        byte_buffer all;
        byte_buffer buffer = byte_buffer(7000);
        std::optional<error_code> ended;
        std::size_t until = 0;
    };
    /// Reads until `until` bytes came or an error.
    void read_on(const stream_ptr& s, std::shared_ptr<reader> r) {
        auto inside = std::make_shared<bool>(true);
        stream& from = *s;
        from.read(r->buffer, [this, weak = std::weak_ptr<stream>(s), r, inside](result<std::size_t> count) {
            expect(!*inside, "read() called back from inside the call");
            if (!count) {
                r->ended = count.error();
                return;
            }
            expect(*count > 0 && *count <= r->buffer.size(), "a read of an impossible size");
            r->all.insert(r->all.end(), r->buffer.begin(), r->buffer.begin() + static_cast<std::ptrdiff_t>(*count));
            if (const auto again = weak.lock(); again && r->all.size() < r->until) read_on(again, r);
        });
        *inside = false;
    }
    std::shared_ptr<reader> read_until(const stream_ptr& s, std::size_t bytes) {
        auto r = std::make_shared<reader>();
        r->until = bytes;
        read_on(s, r);
        return r;
    }

    std::shared_ptr<std::optional<error_code>> write(const stream_ptr& s, std::vector<shared_bytes> buffers) {
        auto outcome = std::make_shared<std::optional<error_code>>();
        auto inside = std::make_shared<bool>(true);
        s->write(std::move(buffers), [this, outcome, inside](error_code error) {
            expect(!*inside, "write() called back from inside the call");
            expect(!outcome->has_value(), "write() called back twice");
            *outcome = error;
        });
        *inside = false;
        return outcome;
    }
    static bool ok(const std::shared_ptr<std::optional<error_code>>& outcome) { return *outcome && !**outcome; }

    void exchange() {
        if (!connect()) return;
        const shared_bytes there = pattern(300'000, 1), back = pattern(200'000, 2);
        const auto a = read_until(accepted_, there.size()), b = read_until(dialled_, back.size());
        const auto wa = write(dialled_, {there}), wb = write(accepted_, {back});
        expect(wait([&] { return a->all.size() >= there.size() && b->all.size() >= back.size() && *wa && *wb; }),
               "the bytes did not arrive");
        expect(ok(wa) && ok(wb), "a write failed");
        expect(equal(a->all, there.view()) && equal(b->all, back.view()), "other bytes arrived");
    }

    void many_buffers() {
        if (!connect()) return;
        std::vector<shared_bytes> buffers;
        byte_buffer whole;
        for (unsigned i = 0; i < 300; ++i) {
            buffers.push_back(pattern(i * 7 % 900, i));
            whole.insert(whole.end(), buffers.back().view().begin(), buffers.back().view().end());
        }
        const auto r = read_until(accepted_, whole.size());
        const auto w = write(dialled_, std::move(buffers));
        expect(wait([&] { return r->all.size() >= whole.size() && *w; }), "the bytes did not arrive");
        expect(ok(w) && equal(r->all, whole), "other bytes arrived");
    }

    void back_pressure() {
        if (!connect()) return;
        const shared_bytes much = pattern(32u << 20, 3);
        const auto w = write(dialled_, {much});
        fixture_->drive([&] { return w->has_value(); }, moment);
        expect(!w->has_value(), "32 MiB were written although nobody reads");
        const auto r = read_until(accepted_, much.size());
        expect(wait([&] { return r->all.size() >= much.size() && *w; }), "the bytes did not arrive");
        expect(ok(w) && equal(r->all, much.view()), "other bytes arrived");
    }

    std::optional<error_code> try_connect(const std::string& address) {
        std::optional<error_code> outcome;
        fixture_->dialler().connect(address, [&](result<stream_ptr> s) { outcome = s ? error_code() : s.error(); });
        expect(wait([&] { return outcome.has_value(); }), "connect() never called back");
        return outcome;
    }

    void refused() { expect(try_connect(fixture_->address()) == errc::connection_refused, "not connection_refused"); }

    void address_in_use() {
        const std::string address = fixture_->address();
        if (!expect(fixture_->listener().listen(address, [](stream_ptr) {}).has_value(), "listen failed")) return;
        const auto second = fixture_->dialler().listen(address, [](stream_ptr) {});
        expect(!second && second.error() == errc::address_in_use, "not address_in_use");
    }

    void stop_listening() {
        const std::string address = fixture_->address();
        if (!expect(fixture_->listener().listen(address, [](stream_ptr) {}).has_value(), "listen failed")) return;
        fixture_->listener().stop_listening();
        expect(try_connect(address) == errc::connection_refused, "not connection_refused after stop_listening()");
        expect(fixture_->listener().listen(address, [](stream_ptr) {}).has_value(), "cannot listen again");
        expect(try_connect(address) == error_code(), "cannot connect again");
    }

    void end_of_stream() {
        if (!connect()) return;
        const shared_bytes last = pattern(5000, 4);
        const auto w = write(dialled_, {last});
        if (!expect(wait([&] { return w->has_value(); }), "the write did not end")) return;
        dialled_->close();
        const auto r = read_until(accepted_, last.size() + 1);
        expect(wait([&] { return r->ended.has_value(); }), "the stream did not end");
        expect(equal(r->all, last.view()), "other bytes arrived before the end");
        expect(r->ended == errc::end_of_stream, "not end_of_stream");
    }

    void write_to_closed() {
        if (!connect()) return;
        accepted_ = nullptr;
        // The first writes may succeed: nobody knows yet.
        for (int i = 0; i < 100; ++i) {
            const auto w = write(dialled_, {pattern(100'000, 5)});
            if (!expect(wait([&] { return w->has_value(); }), "a write hangs")) return;
            if (!ok(w)) {
                expect(**w == errc::connection_lost, "not connection_lost");
                return;
            }
            fixture_->drive([] { return false; }, std::chrono::milliseconds(1));
        }
        expect(false, "writes to nobody go on succeeding");
    }

    void close_pending(bool destroy) {
        if (!connect()) return;
        bool closed = false, called = false;
        auto buffer = std::make_unique<byte_buffer>(100);
        dialled_->read(*buffer, [&](result<std::size_t> count) {
            called = true;
            expect(closed && !count && count.error() == errc::cancelled, "something else than cancelled");
        });
        dialled_->write({pattern(32u << 20, 6)}, [&](error_code error) {
            expect(closed && error == errc::cancelled, "a write ended otherwise than cancelled");
        });
        fixture_->drive([&] { return called; }, moment);
        // The bytes are on their way when the stream is closed: the buffer, freed then, must not be written to.
        const auto w = write(accepted_, {pattern(50, 7)});
        closed = true;
        if (destroy) dialled_ = nullptr;
        else dialled_->close();
        buffer = nullptr;
        fixture_->drive([&] { return false; }, moment);
    }

    std::string name_;
    std::vector<std::string> failures_;
    std::unique_ptr<Fixture> fixture_;
    stream_ptr dialled_;
    stream_ptr accepted_;
};

/// Runs every check; what failed.
template <class Fixture>
std::vector<std::string> check_byte_streams() {
    return byte_streams_check<Fixture>().run();
}

}  // namespace lockstep::testing
