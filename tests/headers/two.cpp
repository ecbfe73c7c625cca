// Every public header, in two translation units of one program, without LOCKSTEP_SEPARATE_COMPILATION:
// it links only if every body is inline, and both see one assertion handler.
#include "all_headers.hpp"

lockstep::content_hash hash_in_one(lockstep::byte_view bytes);

int main() {
    const lockstep::byte_view bytes = lockstep::as_bytes("lockstep");
    return hash_in_one(bytes) == lockstep::sha256(bytes) ? 0 : 1;
}
