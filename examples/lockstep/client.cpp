// The client side of the admin interface: status and barrier.
#include "commands.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstdio>

namespace program {
namespace {

namespace http = boost::beast::http;
namespace asio = boost::asio;
using error_code = boost::system::error_code;
using clock = std::chrono::steady_clock;

struct answer {
    error_code error;
    unsigned status = 0;
    std::string body;
};

/// One request on one connection, within a time.
answer ask(const address& admin, http::verb verb, const std::string& target, clock::duration limit) {
    asio::io_context context;
    boost::beast::tcp_stream stream(context);
    asio::ip::tcp::resolver resolver(context);
    answer out;
    const auto found = resolver.resolve(admin.host, admin.port, out.error);
    if (out.error) return out;
    http::request<http::empty_body> request{verb, target, 11};
    request.set(http::field::host, admin.text());
    request.prepare_payload();
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> response;
    stream.expires_after(limit);
    stream.async_connect(found, [&](error_code connected, const auto&) {
        if (connected) return void(out.error = connected);
        http::async_write(stream, request, [&](error_code written, std::size_t) {
            if (written) return void(out.error = written);
            http::async_read(stream, buffer, response, [&](error_code read, std::size_t) {
                out.error = read;
                out.status = response.result_int();
                out.body = response.body();
            });
        });
    });
    context.run();
    return out;
}

std::string text_of(const boost::json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    if (!value) return "?";
    return value->is_string() ? std::string(value->get_string()) : boost::json::serialize(*value);
}

/// The paths that a status names, and how many more there are.
void print_paths(const boost::json::object& status, const char* title) {
    const auto* list = status.if_contains(title);
    if (!list || !list->is_array()) return;
    for (const auto& item : list->get_array())
        std::printf("%-12s %s: %s\n", title, text_of(item.as_object(), "path").c_str(),
                    text_of(item.as_object(), "why").c_str());
    const auto named = list->get_array().size();
    const auto* all = status.at("counters").as_object().if_contains(title + std::string("_files"));
    const auto count = all && all->is_number() ? all->to_number<std::uint64_t>() : 0;
    if (count > named) std::printf("%-12s and %s more\n", title, std::to_string(count - named).c_str());
}

void print_transfers(const boost::json::object& status) {
    const auto* list = status.if_contains("transfers");
    if (!list || !list->is_array()) return;
    for (const auto& item : list->get_array()) {
        const auto& one = item.as_object();
        std::printf("%-12s %s: %s, %s of %s bytes\n", "transfer", text_of(one, "path").c_str(),
                    text_of(one, "what").c_str(), text_of(one, "done").c_str(), text_of(one, "bytes").c_str());
    }
}

void print_table(const boost::json::object& status) {
    for (const char* key : {"id", "role", "state", "waiting_for", "term", "leader", "commit", "applied", "synced",
                            "files", "bytes", "log_bytes", "chunk_bytes", "tree_bytes", "fetching_bytes"})
        if (text_of(status, key) != "") std::printf("%-12s %s\n", key, text_of(status, key).c_str());
    for (const auto& value : status.at("peers").as_array()) {
        const auto& peer = value.as_object();
        std::printf(
            "%-12s %s %s%s match %s\n", "peer", text_of(peer, "id").c_str(), text_of(peer, "address").c_str(),
            peer.at("connected").as_bool() ? " connected" : " not connected", text_of(peer, "match").c_str());
    }
    for (const char* group : {"queue_depths", "counters"})
        for (const auto& item : status.at(group).as_object())
            std::printf("%-12s %s %s\n", group == std::string("counters") ? "counter" : "queue",
                        std::string(item.key()).c_str(), boost::json::serialize(item.value()).c_str());
    print_transfers(status);
    print_paths(status, "skipped");
    print_paths(status, "unwritable");
}

}  // namespace

int print_status(const address& admin, bool json) {
    const answer got = ask(admin, http::verb::get, "/status", std::chrono::seconds(5));
    if (got.error) return complain("--admin " + admin.text() + ": " + got.error.message());
    if (got.status != 200)
        return complain("--admin " + admin.text() + ": unexpected answer " + std::to_string(got.status));
    if (json) {
        std::printf("%s\n", got.body.c_str());
        return 0;
    }
    error_code error;
    const auto status = boost::json::parse(got.body, error);
    if (error || !status.is_object()) return complain("--admin " + admin.text() + ": not a lockstep node");
    print_table(status.get_object());
    return 0;
}

int wait_for_barrier(const address& admin, std::chrono::milliseconds timeout) {
    const auto deadline = clock::now() + timeout;
    std::string missing = "the node did not answer";
    asio::io_context context;
    do {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
        const auto wait = std::max(left, std::chrono::milliseconds(0));
        const answer got = ask(admin, http::verb::post, "/barrier?timeout_ms=" + std::to_string(wait.count()),
                               wait + std::chrono::seconds(1));
        if (!got.error && got.status == 200) return 0;
        if (got.error) {
            missing = admin.text() + ": " + got.error.message();
        } else {
            error_code error;
            const auto body = boost::json::parse(got.body, error);
            if (!error && body.is_object() && body.get_object().contains("missing"))
                missing = text_of(body.get_object(), "missing");
            if (got.status == 504 && missing.find("cannot write") != std::string::npos) break;
            if (got.status == 400 || got.status == 404)
                return complain("--admin " + admin.text() + ": unexpected answer " + std::to_string(got.status));
        }
        asio::steady_timer pause(context,
                                 std::min<clock::duration>(std::chrono::milliseconds(100),
                                                           std::max<clock::duration>(deadline - clock::now(), {})));
        pause.wait();
    } while (clock::now() < deadline);
    return complain("barrier: " + missing);
}

}  // namespace program
