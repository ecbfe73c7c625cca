#include <lockstep/base/sha256.hpp>

#include <tests/catch.hpp>

#include <string>

using lockstep::as_bytes;
using lockstep::sha256;

TEST_CASE("a content hash is the published SHA-256", "[base]") {
    CHECK(sha256({}).to_string() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256(as_bytes("abc")).to_string() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("bytes given in pieces hash like the whole, whatever the pieces", "[base]") {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += static_cast<char>(i);
    const auto whole = sha256(as_bytes(text));
    for (std::size_t piece : {1u, 63u, 64u, 65u, 999u}) {
        lockstep::sha256_hasher hasher;
        for (std::size_t at = 0; at < text.size(); at += piece)
            hasher.update(as_bytes(std::string_view(text).substr(at, piece)));
        CHECK(hasher.finish() == whole);
    }
}

TEST_CASE("a hasher starts anew after finish", "[base]") {
    lockstep::sha256_hasher hasher;
    hasher.update(as_bytes("something else"));
    hasher.finish();
    hasher.update(as_bytes("abc"));
    CHECK(hasher.finish() == sha256(as_bytes("abc")));
}

TEST_CASE("only the default content hash is empty", "[base]") {
    CHECK(lockstep::content_hash{}.empty());
    CHECK_FALSE(sha256({}).empty());
}
