/* SPDX-License-Identifier: Apache-2.0
 *
 * Compressed bodies: the first byte chooses the encoding. No input passes the ceiling, in bytes written or in memory held,
 * and every refusal has its words. */
#include "lib/wire/wire.h"
#include "tests/fuzz/fuzz.h"

#define CEILING ((size_t)256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum sp_encoding encoding = data[0] & 1 ? SP_ENCODING_GZIP : SP_ENCODING_ZSTD;
    struct sp_error error = {0};
    struct sp_buf out;
    sp_buf_init(&out, CEILING);
    enum sp_status status =
        sp_decompress(encoding, sp_slice_make(data + 1, size - 1), &out, &error);
    SP_ASSERT(out.cap <= CEILING && out.len <= CEILING);
    SP_ASSERT(status == SP_OK ? out.error == SP_OK : error.message[0] != 0);
    SP_ASSERT(status == SP_OK || status == SP_MALFORMED || status == SP_LIMIT);
    sp_buf_fini(&out);
    return 0;
}
