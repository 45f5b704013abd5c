/* SPDX-License-Identifier: Apache-2.0
 *
 * Queries on whole traces against brute force, for as long as one likes: each input is a seed, made of all its bytes. */
#include "tests/fuzz/fuzz.h"
#include "tests/support/spanset_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_arena arena;
    bool found;
    sp_arena_init(&arena, (size_t)256 << 20);
    bool same = spanset_check_seed(&arena, sp_checksum(sp_slice_make(data, size), 0), &found);
    SP_ASSERT(same);
    sp_arena_fini(&arena);
    return 0;
}
