// The admin port of a node: HTTP/1.1 on the node's loop.
//
//   GET /status            200, the status as JSON
//   GET /healthz           200 while the node works and knows a leader, else 503, with the reason
//   POST /barrier          200 once all is in step; 504 with what is missing. Body or query: timeout_ms (30000)
// Anything else: 400, 404, 405, 413, 431, each with a JSON body {"error": …}.
#pragma once

#include <lockstep/base/result.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/base/unique_function.hpp>
#include <lockstep/http/status_json.hpp>
#include <lockstep/node/status.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep {

struct admin_hooks {
    unique_function<node_status()> status;
    unique_function<void(duration, unique_function<void(barrier_result)>)> barrier;
};

/// Everything on the loop of the io_context. Bounded: connections_max at a time, 64 KiB of request.
class admin_server {
public:
    static constexpr std::size_t connections_max = 256;
    static constexpr std::uint64_t timeout_ms_max = 24 * 3600 * 1000ull;

    admin_server(boost::asio::io_context& context, admin_hooks hooks)
        : shared_(std::make_shared<shared_state>(context, std::move(hooks))) {}
    admin_server(const admin_server&) = delete;
    admin_server& operator=(const admin_server&) = delete;
    ~admin_server() { stop(); }

    /// Errors: address_in_use, address_unavailable, host_not_found, permission_denied.
    result<> listen(const std::string& host, const std::string& port) {
        namespace ip = boost::asio::ip;
        boost::system::error_code error;
        ip::tcp::resolver resolver(shared_->context);
        const auto found = resolver.resolve(host, port, ip::tcp::resolver::passive, error);
        if (error || found.empty()) return make_error_code(errc::host_not_found);
        const ip::tcp::endpoint endpoint = *found.begin();
        auto& acceptor = shared_->acceptor;
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(ip::tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(ip::tcp::acceptor::max_listen_connections, error);
        if (!error) {
            shared_state::accept(shared_);
            return {};
        }
        if (error == boost::asio::error::address_in_use) return make_error_code(errc::address_in_use);
        if (error == boost::asio::error::access_denied) return make_error_code(errc::permission_denied);
        return make_error_code(errc::address_unavailable);
    }

    /// The port listened on, once listen() succeeded: for port 0, the one that the system chose.
    std::uint16_t port() const {
        boost::system::error_code ignored;
        return shared_->acceptor.local_endpoint(ignored).port();
    }

    void stop() {
        shared_->stopped = true;
        boost::system::error_code ignored;
        shared_->acceptor.close(ignored);
        shared_->retry.cancel();
    }

private:
    using request = boost::beast::http::request<boost::beast::http::string_body>;
    using response = boost::beast::http::response<boost::beast::http::string_body>;
    using http_status = boost::beast::http::status;

    struct session;

    struct shared_state {
        shared_state(boost::asio::io_context& c, admin_hooks h)
            : context(c), acceptor(c), retry(c), hooks(std::move(h)) {}

        static void accept(const std::shared_ptr<shared_state>& self) {
            self->acceptor.async_accept(
                [self](boost::system::error_code error, boost::asio::ip::tcp::socket socket) {
                    if (self->stopped) return;
                    if (error) {
                        // Out of descriptors, most likely: later, not at once again.
                        self->retry.expires_after(std::chrono::milliseconds(100));
                        self->retry.async_wait([self](boost::system::error_code cancelled) {
                            if (!cancelled && !self->stopped) accept(self);
                        });
                        return;
                    }
                    if (self->connections < connections_max)
                        std::make_shared<session>(std::move(socket), self)->read();
                    accept(self);
                });
        }

        boost::asio::io_context& context;
        boost::asio::ip::tcp::acceptor acceptor;
        boost::asio::steady_timer retry;
        admin_hooks hooks;
        std::size_t connections = 0;
        bool stopped = false;
    };

    struct session : std::enable_shared_from_this<session> {
        session(boost::asio::ip::tcp::socket socket, std::shared_ptr<shared_state> shared)
            : stream_(std::move(socket)), shared_(std::move(shared)) {
            ++shared_->connections;
        }
        ~session() { --shared_->connections; }

        void read() {
            parser_.emplace();
            parser_->body_limit(64 * 1024);
            stream_.expires_after(std::chrono::seconds(30));
            auto done = [self = this->shared_from_this()](boost::system::error_code error, std::size_t) {
                self->heard(error);
            };
            boost::beast::http::async_read(stream_, buffer_, *parser_, std::move(done));
        }

    private:
        void heard(boost::system::error_code error) {
            using wrong = boost::beast::http::error;
            if (!error) return answer(parser_->release());
            keep_alive_ = false;
            if (error == wrong::body_limit) return fail(http_status::payload_too_large, "the body is too large");
            if (error == wrong::header_limit || error == wrong::buffer_overflow)
                return fail(http_status::request_header_fields_too_large, "the header is too large");
            // Only what came and is not HTTP is answered; a connection that ended, broke or idled is just closed.
            if (error == wrong::end_of_stream || error == wrong::partial_message) return;
            if (error.category() == make_error_code(wrong::bad_method).category())
                return fail(http_status::bad_request, "not an HTTP request");
        }

        void answer(const request& asked) {
            namespace http = boost::beast::http;
            keep_alive_ = asked.keep_alive();
            header_only_ = asked.method() == http::verb::head;
            const std::string target(asked.target());
            const std::string path = target.substr(0, target.find('?'));
            if (shared_->stopped) return fail(http_status::service_unavailable, "stopping");
            if (path == "/status" || path == "/healthz") {
                if (asked.method() != http::verb::get && asked.method() != http::verb::head)
                    return fail(http_status::method_not_allowed, "use GET", "GET, HEAD");
                return path == "/status" ? say(http_status::ok, to_json(shared_->hooks.status())) : health();
            }
            if (path != "/barrier")
                return fail(http_status::not_found, "no such page: /status, /healthz, /barrier");
            if (asked.method() != http::verb::post)
                return fail(http_status::method_not_allowed, "use POST", "POST");
            barrier(target.size() > path.size() ? target.substr(path.size() + 1) : asked.body());
        }

        void health() {
            const node_status s = shared_->hooks.status();
            const bool good = s.leader != no_node && (s.state == "ready" || s.state == "following");
            const std::string why = s.waiting_for.empty() ? "no leader" : "waiting for " + s.waiting_for;
            if (good) return say(http_status::ok, R"({"ok":true})");
            fail(http_status::service_unavailable, why);
        }

        /// timeout_ms=N, or {"timeout_ms": N}, or nothing.
        static bool read_timeout(const std::string& text, std::uint64_t& ms) {
            static constexpr std::string_view key = "timeout_ms", around = " \t\r\n{}\"";
            if (text.find_first_not_of(around) == std::string::npos) return true;
            const auto name = text.find_first_not_of(around);
            if (text.compare(name, key.size(), key) != 0) return false;
            auto at = text.find_first_not_of(around, name + key.size());
            if (at == std::string::npos || (text[at] != '=' && text[at] != ':')) return false;
            at = text.find_first_not_of(around, at + 1);
            if (at == std::string::npos) return false;
            const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), ms);
            const auto rest = static_cast<std::size_t>(parsed.ptr - text.data());
            return parsed.ec == std::errc{} && ms <= timeout_ms_max &&
                   text.find_first_not_of(around, rest) == std::string::npos;
        }

        void barrier(const std::string& parameters) {
            std::uint64_t ms = 30000;
            if (!read_timeout(parameters, ms))
                return fail(http_status::bad_request, "timeout_ms is a number of milliseconds");
            stream_.expires_never();
            shared_->hooks.barrier(
                std::chrono::milliseconds(ms), [self = this->shared_from_this()](const barrier_result& result) {
                    self->say(result.ok ? http_status::ok : http_status::gateway_timeout, to_json(result));
                });
        }

        void fail(http_status status, const std::string& why, const char* allow = nullptr) {
            barrier_result text{false, why};
            std::string body = to_json(text);
            body = "{\"error\":" + body.substr(body.find("\"missing\":") + 10);
            say(status, std::move(body), allow);
        }

        void say(http_status status, std::string body, const char* allow = nullptr) {
            namespace http = boost::beast::http;
            response_ = response(status, 11);
            response_.set(http::field::server, "lockstep");
            response_.set(http::field::content_type, "application/json");
            if (allow) response_.set(http::field::allow, allow);
            response_.keep_alive(keep_alive_);
            response_.body() = std::move(body);
            response_.prepare_payload();
            if (header_only_) response_.body().clear();
            stream_.expires_after(std::chrono::seconds(30));
            http::async_write(stream_, response_,
                              [self = this->shared_from_this()](boost::system::error_code error, std::size_t) {
                                  if (!error && self->keep_alive_) return self->read();
                                  boost::system::error_code ignored;
                                  self->stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send,
                                                                  ignored);
                              });
        }

        boost::beast::tcp_stream stream_;
        std::shared_ptr<shared_state> shared_;
        boost::beast::flat_buffer buffer_{128 * 1024};
        std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
        response response_;
        bool keep_alive_ = false;
        bool header_only_ = false;
    };

    std::shared_ptr<shared_state> shared_;
};

}  // namespace lockstep
