/* SPDX-License-Identifier: Apache-2.0
 *
 * The text codecs: none reads past its input, and what each takes survives the way back. */
#include <math.h>
#include <string.h>

#include "lib/base/base.h"
#include "tests/fuzz/fuzz.h"

static void check_base64(struct sp_slice in)
{
    struct sp_buf bytes, text, again;
    sp_buf_init(&bytes, in.len + 4);
    sp_buf_init(&text, in.len * 2 + 8);
    sp_buf_init(&again, in.len + 4);
    if (sp_base64_decode(in, &bytes)) {
        sp_base64_encode(sp_buf_slice(&bytes), &text);
        SP_ASSERT(sp_base64_decode(sp_buf_slice(&text), &again));
        SP_ASSERT(sp_slice_equal(sp_buf_slice(&bytes), sp_buf_slice(&again)));
    }
    sp_buf_fini(&bytes);
    sp_buf_fini(&text);
    sp_buf_fini(&again);
}

static void check_numbers(struct sp_slice in)
{
    char text[64];
    double value, back;
    uint64_t ns, ns_back;
    struct sp_error error;
    if (sp_parse_double(in, &value)) {
        SP_ASSERT(isfinite(value));
        size_t len = sp_format_double(value, text);
        SP_ASSERT(sp_parse_double(sp_slice_make(text, len), &back));
        SP_ASSERT(memcmp(&value, &back, sizeof(value)) == 0);
    }
    if (sp_parse_time(in, 0, &ns, &error) == SP_OK) {
        size_t len = sp_format_time(ns, text);
        SP_ASSERT(sp_parse_time(sp_slice_make(text, len), 0, &ns_back, &error) == SP_OK);
        SP_ASSERT(ns == ns_back);
    } else {
        SP_ASSERT(sp_utf8_valid(sp_slice_cstr(error.message)));
    }
    if (sp_parse_duration_ns(in, &ns)) {
        size_t len = sp_format_duration(ns, text);
        SP_ASSERT(len > 0 && len < 32);
    }
    (void)sp_parse_bytes(in, &ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_slice in = sp_slice_make(data, size);
    size_t prefix = sp_utf8_valid_prefix(in);
    SP_ASSERT(prefix <= size && sp_utf8_valid(sp_slice_sub(in, 0, prefix)));
    check_base64(in);
    check_numbers(in);
    return 0;
}
