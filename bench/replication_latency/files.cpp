#include "files.hpp"

#include "arrivals.hpp"

#include <lockstep/base/random.hpp>

#include <boost/json/parse.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

namespace bench {
namespace {

using namespace std::chrono_literals;
using contents_type = std::map<std::string, lockstep::byte_buffer>;

constexpr std::size_t nodes_count = 3;
/// A file that has not arrived by then is asked after; and after the second, it is given up.
constexpr auto patience = 1s;
constexpr auto arrival_limit = 120s;

class file_cluster {
public:
    explicit file_cluster(const std::filesystem::path& directory) {
        const auto ports = free_ports(nodes_count);
        const auto address = [&](std::size_t node) { return "127.0.0.1:" + std::to_string(ports[node]); };
        for (std::size_t node = 0; node < nodes_count; ++node) {
            roots_.push_back(directory / std::to_string(node + 1));
            std::filesystem::create_directories(roots_.back());
            std::vector<std::string> arguments{"file", std::to_string(node + 1), roots_.back().string(),
                                               address(node)};
            for (std::size_t peer = 0; peer < nodes_count; ++peer)
                if (peer != node) arguments.push_back(std::to_string(peer + 1) + "=" + address(peer));
            nodes_.push_back(std::make_unique<child>(arguments));
        }
        for (auto& node : nodes_)
            if (const auto said = node->line(30s); said != "ready") throw failure("files: " + said);
        await_all();
    }

    const std::filesystem::path& root(std::size_t node) const { return roots_[node]; }

    boost::json::object status(std::size_t node) {
        nodes_[node]->tell("status");
        return boost::json::parse(nodes_[node]->line(30s)).as_object();
    }

    /// Everything that was written at `node` is on the disk of every node that answers.
    void barrier(std::size_t node) {
        nodes_[node]->tell("barrier");
        const auto said = boost::json::parse(nodes_[node]->line(70s)).as_object();
        if (!said.at("ok").as_bool()) throw failure("files: " + std::string(said.at("missing").as_string()));
    }

    /// Why this node does not replicate a file, in its own words; empty where it does not say so.
    std::string skipped(std::size_t node, const std::string& path) {
        const auto said = status(node);
        for (const auto& item : said.at("skipped").as_array())
            if (item.as_object().at("path").as_string() == path)
                return std::string(item.as_object().at("why").as_string());
        return {};
    }

private:
    /// Barriers count the nodes that answer: all three must be among them before anything is measured.
    void await_all() {
        const auto until = clock::now() + 60s;
        for (;;) {
            bool all = true;
            for (std::size_t node = 0; node < nodes_count; ++node) {
                barrier(node);
                const auto said = status(node);
                all = all && said.at("state").as_string() == "ready";
                for (const auto& peer : said.at("peers").as_array())
                    all = all && peer.as_object().at("connected").as_bool();
            }
            if (all) return;
            if (clock::now() > until) throw failure("files: the nodes are not ready");
        }
    }

    std::vector<std::filesystem::path> roots_;
    std::vector<std::unique_ptr<child>> nodes_;
};

/// Bytes that were never there before: nothing may be saved by having them already.
lockstep::byte_buffer fresh_bytes(std::size_t count, lockstep::random_generator& random) {
    lockstep::byte_buffer bytes(count);
    for (std::size_t at = 0; at < count; at += sizeof(std::uint64_t)) {
        const std::uint64_t word = random();
        std::memcpy(bytes.data() + at, &word, std::min(sizeof word, count - at));
    }
    return bytes;
}

/// As an editor would write it, without a sync.
void write_file(const std::filesystem::path& path, lockstep::byte_view bytes) {
    const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    bool good = fd >= 0;
    for (std::size_t at = 0; good && at < bytes.size();) {
        const auto done = ::write(fd, bytes.data() + at, bytes.size() - at);
        good = done > 0;
        if (good) at += static_cast<std::size_t>(done);
    }
    const int error = errno;
    if (fd >= 0) ::close(fd);
    if (!good) throw failure("cannot write " + path.string() + ": " + std::strerror(error));
}

class file_run {
public:
    file_run(file_cluster& cluster, const file_case& wanted, lockstep::random_generator& random)
        : cluster_(cluster), wanted_(wanted), random_(random), directory_(directory_name(wanted.name)) {
        std::filesystem::create_directory(cluster_.root(0) / directory_);
        cluster_.barrier(0);
        std::vector<std::filesystem::path> watched;
        for (std::size_t node = 0; node < nodes_count; ++node)
            watched.push_back(cluster_.root(node) / directory_);
        arrivals_.emplace(std::move(watched));
    }

    /// The nodes take turns at being the one that is written to. False: there will be no times.
    bool sample(int number, case_result& result) {
        const std::size_t origin = static_cast<std::size_t>(number) % nodes_count;
        contents_type contents;
        for (std::size_t k = 0; k < wanted_.files; ++k)
            contents.emplace(std::to_string(number) + "-" + std::to_string(k),
                             fresh_bytes(wanted_.bytes, random_));
        arrivals_->expect(origin, contents);
        std::optional<clock::time_point> closed;
        for (const auto& [name, bytes] : contents) {
            write_file(cluster_.root(origin) / directory_ / name, bytes);
            if (!closed) closed = clock::now();
        }
        const auto until = clock::now() + arrival_limit;
        std::optional<clock::time_point> arrived;
        while (!(arrived = arrivals_->wait(patience))) {
            result.why = cluster_.skipped(origin, directory_ + "/" + contents.begin()->first);
            result.outcome = result.why.empty() ? "did not arrive" : case_result::not_yet_text;
            if (result.why.empty() && clock::now() < until) continue;
            if (result.why.empty()) result.why = arrivals_->missing();
            clear(origin, contents);
            return false;
        }
        result.outcome = case_result::measured_text;
        result.why.clear();
        times_.add(microseconds(*arrived - *closed));
        if (wanted_.bytes >= removed_from) clear(origin, contents);
        cluster_.barrier(origin);
        return true;
    }

    samples& times() noexcept { return times_; }

private:
    static std::string directory_name(std::string name) { return name.substr(name.find('/') + 1); }

    void clear(std::size_t origin, const contents_type& contents) {
        for (const auto& file : contents)
            std::filesystem::remove(cluster_.root(origin) / directory_ / file.first);
    }

    file_cluster& cluster_;
    const file_case& wanted_;
    lockstep::random_generator& random_;
    std::string directory_;
    std::optional<arrivals> arrivals_;
    samples times_;
};

}  // namespace

std::vector<file_case> file_cases(bool quick) {
    constexpr std::size_t kib = 1024, mib = 1024 * 1024;
    if (quick)
        return {{"file/1KiB", 1, kib, 6, 1},
                {"file/64KiB", 1, 64 * kib, 3, 1},
                {"file/16MiB", 1, 16 * mib, 1, 1},
                {"file/100x4KiB", 100, 4 * kib, 1, 1}};
    return {{"file/1KiB", 1, kib, 300, 2},
            {"file/64KiB", 1, 64 * kib, 150, 2},
            {"file/16MiB", 1, 16 * mib, 9, 2},
            {"file/1000x4KiB", 1000, 4 * kib, 6, 2},
            {"file/256MiB", 1, 256 * mib, 3, 2}};
}

std::vector<case_result> measure_files(const std::vector<file_case>& cases,
                                       const std::filesystem::path& directory, floor_probe& probe) {
    std::vector<case_result> results;
    file_cluster cluster(directory);
    lockstep::random_generator random(static_cast<std::uint64_t>(clock::now().time_since_epoch().count()));
    for (const auto& wanted : cases) {
        case_result r;
        r.name = wanted.name;
        r.files = wanted.files;
        r.bytes_each = wanted.bytes;
        floor_samples floor;
        file_run run(cluster, wanted, random);
        for (int i = 0; i < wanted.times; ++i) {
            if (i % wanted.floor_every == 0) {
                probe.durable_message(floor, wanted.bytes * wanted.files, 1);
                probe.three_copies(floor, wanted.bytes, wanted.files, 1);
            }
            if (!run.sample(i, r)) break;
        }
        r.times = summarise(run.times());
        if (r.measured()) {
            r.per_second = static_cast<double>(wanted.files * run.times().count()) * 1e6 / run.times().sum();
            r.bytes_per_second = r.per_second * static_cast<double>(wanted.bytes);
        }
        r.floor = floor.medians();
        results.push_back(std::move(r));
    }
    return results;
}

}  // namespace bench
