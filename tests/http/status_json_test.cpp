#include <lockstep/http/status_json.hpp>

#include <tests/catch.hpp>

#include <boost/json/parse.hpp>

#include <string>

using namespace lockstep;

namespace {

std::string shown(const std::string& path) {
    node_status status;
    status.skipped.add(path, "too large");
    const auto parsed = boost::json::parse(to_json(status));
    return std::string(parsed.at("skipped").at(0).at("path").as_string());
}

}  // namespace

TEST_CASE("the words of a status are keys of its JSON") {
    const auto status = boost::json::parse(to_json(node_status{})).as_object();
    for (const char* key :
         {"id", "role", "state", "waiting_for", "term", "leader", "commit", "applied", "synced", "files", "bytes",
          "log_bytes", "chunk_bytes", "tree_bytes", "watches", "polling", "peers", "queue_depths", "counters", "skipped", "unwritable"}) {
        INFO(key);
        CHECK(status.contains(key));
    }
    for (const char* key :
         {"bytes_sent", "bytes_received", "malformed_frames", "commands", "conflicts", "rescans", "files_read", "overflows",
          "skipped_files", "unwritable_files"}) {
        INFO(key);
        CHECK(status.at("counters").as_object().contains(key));
    }
}

TEST_CASE("numbers of 64 bits arrive whole") {
    node_status status;
    status.commit = log_index(0xffffffffffffffffull);
    CHECK(boost::json::parse(to_json(status)).at("commit").as_uint64() == 0xffffffffffffffffull);
}

TEST_CASE("names that are UTF-8 are shown as they are") {
    for (const std::string name : {"plain",
                                   "Gr\xc3\xbc\xc3\x9f"
                                   "e",
                                   "\xe2\x82\xac", "\xf0\x9f\x98\x80", "new\nline", "\"quoted\"", "back\\slash"})
        CHECK(shown(name) == name);
}

TEST_CASE("bytes that are not UTF-8 are shown as hexadecimal") {
    CHECK(shown("a\xff"
                "b") == "a\\xffb");
    CHECK(shown("\xc3") == "\\xc3");
    CHECK(shown("\xc0\xaf") == "\\xc0\\xaf");
    CHECK(shown("\xed\xa0\x80") == "\\xed\\xa0\\x80");
    CHECK(shown("\xf5\x80\x80\x80") == "\\xf5\\x80\\x80\\x80");
    CHECK(shown("\xe2\x82") == "\\xe2\\x82");
    CHECK(shown("\xe0\x80\x80x") == "\\xe0\\x80\\x80x");
    CHECK(shown("\xf0\x80\x80\x80") == "\\xf0\\x80\\x80\\x80");
}

TEST_CASE("of paths that are not replicated the first are named, and all are counted") {
    node_status status;
    for (int i = 0; i < 100'000; ++i) {
        status.skipped.add("too/large/" + std::to_string(i), "larger than inline_max");
        status.unwritable.add("unwritable/" + std::to_string(i), "no space left on device");
    }
    const auto text = to_json(status);
    CHECK(text.size() < 64 * 1024);
    const auto parsed = boost::json::parse(text);
    CHECK(parsed.at("skipped").as_array().size() == named_paths::named_max);
    CHECK(parsed.at("unwritable").as_array().size() == named_paths::named_max);
    CHECK(parsed.at("skipped").at(99).at("path") == "too/large/99");
    CHECK(parsed.at("counters").at("skipped_files") == 100'000);
    CHECK(parsed.at("counters").at("unwritable_files") == 100'000);
}

TEST_CASE("a barrier's result says what is missing") {
    CHECK(to_json(barrier_result{true, {}}) == R"({"ok":true,"missing":""})");
    CHECK(to_json(barrier_result{false, "node 2 cannot write a\xff"}) ==
          R"({"ok":false,"missing":"node 2 cannot write a\\xff"})");
}
