#pragma once

#include <lockstep/base/sha256.hpp>

#include <openssl/evp.h>

namespace lockstep {
namespace detail {

/// Looked up once and never given back: the look-up by name costs more than the hash of a small content.
inline const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    LOCKSTEP_ASSERT(algorithm != nullptr);
    return algorithm;
}

}  // namespace detail

LOCKSTEP_DECL sha256_hasher::sha256_hasher() : context_(EVP_MD_CTX_new()) { LOCKSTEP_ASSERT(context_ != nullptr); }

LOCKSTEP_DECL sha256_hasher::~sha256_hasher() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

LOCKSTEP_DECL void sha256_hasher::start() {
    if (std::exchange(started_, true)) return;
    LOCKSTEP_ASSERT(EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), detail::sha256_algorithm(), nullptr) == 1);
}

LOCKSTEP_DECL void sha256_hasher::update(byte_view bytes) {
    start();
    LOCKSTEP_ASSERT(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) == 1);
}

LOCKSTEP_DECL content_hash sha256_hasher::finish() {
    start();
    started_ = false;
    content_hash hash;
    LOCKSTEP_ASSERT(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), hash.bytes.data(), nullptr) == 1);
    return hash;
}

LOCKSTEP_DECL content_hash sha256(byte_view bytes) {
    // A hasher for each thread, as small contents are the many: making one costs as much as their hash.
    static thread_local sha256_hasher hasher;
    hasher.update(bytes);
    return hasher.finish();
}

}  // namespace lockstep
