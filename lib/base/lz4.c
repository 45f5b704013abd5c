/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/lz4.c: LZ4 blocks, the only file that knows the library. Declared in compress.h. */
#include <lz4.h>

#include "lib/base/compress.h"

size_t sp_lz4_pack(struct sp_slice in, int acceleration, uint8_t *out, size_t room)
{
    if (in.len > LZ4_MAX_INPUT_SIZE)
        return 0;
    int room_max = room < LZ4_MAX_INPUT_SIZE ? (int)room : LZ4_MAX_INPUT_SIZE;
    int len =
        LZ4_compress_fast((const char *)in.ptr, (char *)out, (int)in.len, room_max, acceleration);
    return len > 0 ? (size_t)len : 0;
}

bool sp_lz4_unpack(struct sp_slice in, uint8_t *out, size_t len)
{
    if (in.len > LZ4_MAX_INPUT_SIZE || len > LZ4_MAX_INPUT_SIZE)
        return false;
    int unpacked = LZ4_decompress_safe((const char *)in.ptr, (char *)out, (int)in.len, (int)len);
    return unpacked >= 0 && (size_t)unpacked == len;
}
