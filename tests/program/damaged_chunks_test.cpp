// Chunks that rot on a node's disk: what they hold is fetched from the others, before anything of it is put in place.
#include <tests/program/cluster.hpp>

#include <random>

using namespace program_test;
namespace fs = std::filesystem;

namespace {

std::string random_content(std::size_t bytes) {
    std::mt19937_64 random(42);
    std::string text(bytes, '\0');
    for (auto& c : text) c = static_cast<char>(random());
    return text;
}

/// In every pack of a node, in each piece of so many bytes behind the first one, a byte becomes another.
void damage_packs(const fs::path& state, std::streamoff every) {
    int damaged = 0;
    for (const auto& file : fs::directory_iterator(state / "chunks")) {
        if (file.path().extension() == ".index") continue;
        std::fstream pack(file.path(), std::ios::in | std::ios::out | std::ios::binary);
        const auto end = static_cast<std::streamoff>(fs::file_size(file.path()));
        for (std::streamoff at = every; at < end; at += every, ++damaged) {
            pack.seekg(at);
            const int was = pack.get();
            pack.seekp(at);
            pack.put(static_cast<char>(was ^ 1));
        }
        REQUIRE(pack.flush());
    }
    REQUIRE(damaged > 10);
}

}  // namespace

TEST_CASE("a file is put together from what others have where the chunks here are damaged") {
    cluster nodes;
    nodes.start();
    const std::string content = random_content(3 << 20);
    nodes.write(1, "first", content);
    nodes.settle();
    damage_packs(nodes.dir[3] / ".lockstep", 200'000);
    nodes.write(1, "copy", content);   // no content is sent for it: node 3 has it, it believes
    nodes.settle();
    CHECK(text_of(nodes.dir[3] / "copy") == content);
    CHECK(text_of(nodes.dir[3] / "first") == content);
}

TEST_CASE("chunks that were damaged while a node was down are found and fetched when it starts") {
    cluster nodes;
    nodes.start();
    const std::string content = random_content(3 << 20);
    nodes.write(1, "first", content);
    nodes.settle();
    CHECK(nodes.node[3]->end(SIGTERM).code == 0);
    damage_packs(nodes.dir[3] / ".lockstep", 200'000);
    nodes.write(1, "copy", content);
    CHECK(nodes.barrier(1).code == 0);
    nodes.start(3);
    CHECK(within(seconds(20), [&] { return text_of(nodes.dir[3] / "copy") == content; }));
    nodes.settle();
}
