/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/checksum.c: XXH3 by xxHash. The only file that knows that library. */
#include <xxhash.h>

#include "lib/base/checksum.h"

uint64_t sp_checksum(struct sp_slice bytes, uint64_t seed)
{
    static const uint8_t nothing;
    return XXH3_64bits_withSeed(bytes.len ? bytes.ptr : &nothing, bytes.len, seed);
}
