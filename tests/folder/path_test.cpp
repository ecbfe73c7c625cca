#include <lockstep/folder/path.hpp>

#include <tests/catch.hpp>

using namespace lockstep::folder;
using namespace std::string_literals;

TEST_CASE("a name is any bytes but a slash, a NUL, the two dots and nothing") {
    REQUIRE(valid_name("a"));
    REQUIRE(valid_name("..."));
    REQUIRE(valid_name(" \n\t\\"));
    REQUIRE(valid_name("\xff\xfe"));
    REQUIRE(valid_name(reserved_name));
    REQUIRE_FALSE(valid_name(""));
    REQUIRE_FALSE(valid_name("."));
    REQUIRE_FALSE(valid_name(".."));
    REQUIRE_FALSE(valid_name("a/b"));
    REQUIRE_FALSE(valid_name("a\0b"s));
}

TEST_CASE("a name has at most 255 bytes") {
    REQUIRE(valid_name(std::string(255, 'x')));
    REQUIRE_FALSE(valid_name(std::string(256, 'x')));
}

TEST_CASE("a path is valid names joined by single slashes") {
    REQUIRE(valid_path("a"));
    REQUIRE(valid_path("a/b/c"));
    for (const char* bad : {"", "/", "/a", "a/", "a//b", "a/./b", "../a", "a/.."}) {
        INFO(bad);
        REQUIRE_FALSE(valid_path(bad));
    }
    REQUIRE_FALSE(valid_path("a/"s + std::string(256, 'x')));
}

TEST_CASE("a path is bounded in depth and in bytes") {
    std::string deep = "d";
    while (depth_of(deep) < depth_max) deep += "/d";
    REQUIRE(valid_path(deep));
    REQUIRE_FALSE(valid_path(deep + "/d"));
    std::string longest;
    while (longest.size() + 201 < path_bytes_max) longest = join(longest, std::string(200, 'x'));
    longest += "/" + std::string(path_bytes_max - longest.size() - 1, 'y');
    REQUIRE(longest.size() == path_bytes_max);
    REQUIRE(valid_path(longest));
    REQUIRE_FALSE(valid_path(longest + "z"));
}

TEST_CASE("only the top-level .lockstep is reserved") {
    REQUIRE_FALSE(valid_path(".lockstep"));
    REQUIRE_FALSE(valid_path(".lockstep/x"));
    REQUIRE(valid_path(".lockstepp"));
    REQUIRE(valid_path("a/.lockstep"));
}

TEST_CASE("paths are split and joined") {
    REQUIRE(split_last("a/b/c") == std::pair<std::string_view, std::string_view>("a/b", "c"));
    REQUIRE(split_last("a") == std::pair<std::string_view, std::string_view>("", "a"));
    REQUIRE(split_first("a/b/c") == std::pair<std::string_view, std::string_view>("a", "b/c"));
    REQUIRE(split_first("a") == std::pair<std::string_view, std::string_view>("a", ""));
    REQUIRE(join("", "a") == "a");
    REQUIRE(join("a/b", "c") == "a/b/c");
    REQUIRE(join("a", "") == "a");
    REQUIRE(depth_of("") == 0);
    REQUIRE(depth_of("a/b") == 2);
}
