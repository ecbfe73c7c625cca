#pragma once

#include <lockstep/base/sha256.hpp>

#include <openssl/evp.h>

namespace lockstep {

LOCKSTEP_DECL sha256_hasher::sha256_hasher() : context_(EVP_MD_CTX_new()) {
    LOCKSTEP_ASSERT(context_ != nullptr);
    LOCKSTEP_ASSERT(EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) == 1);
}

LOCKSTEP_DECL sha256_hasher::~sha256_hasher() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

LOCKSTEP_DECL void sha256_hasher::update(byte_view bytes) {
    LOCKSTEP_ASSERT(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) == 1);
}

LOCKSTEP_DECL content_hash sha256_hasher::finish() {
    auto* context = static_cast<EVP_MD_CTX*>(context_);
    content_hash hash;
    LOCKSTEP_ASSERT(EVP_DigestFinal_ex(context, hash.bytes.data(), nullptr) == 1);
    LOCKSTEP_ASSERT(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
    return hash;
}

LOCKSTEP_DECL content_hash sha256(byte_view bytes) {
    sha256_hasher hasher;
    hasher.update(bytes);
    return hasher.finish();
}

}  // namespace lockstep
