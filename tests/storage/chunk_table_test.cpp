#include <tests/catch.hpp>

#include <lockstep/storage/chunk_table.hpp>

#include <map>

using namespace lockstep;
using namespace lockstep::storage;

namespace {

content_hash name(std::uint64_t number) { return sha256(as_bytes(std::to_string(number))); }

}  // namespace

TEST_CASE("a table of chunks says what a map would, through growth and removals") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        random_generator next(seed);
        chunk_table table(seed);
        std::map<content_hash, chunk_place> model;
        const std::uint64_t names = 50 + next.below(400);
        for (int i = 0; i < 3000; ++i) {
            const content_hash hash = name(next.below(names));
            if (next.one_in(3)) {
                table.erase(hash);
                model.erase(hash);
            } else {
                const chunk_place place{static_cast<std::uint32_t>(next.below(9)), static_cast<std::uint32_t>(i), 1};
                table.set(hash, place);
                model[hash] = place;
            }
            CHECK(table.size() == model.size());
        }
        std::size_t wrong = 0;
        for (std::uint64_t i = 0; i < names; ++i) {
            const auto* found = table.find(name(i));
            const auto expected = model.find(name(i));
            if (expected == model.end()) wrong += found != nullptr;
            else wrong += found == nullptr || *found != expected->second;
        }
        CHECK(wrong == 0);
    }
}
