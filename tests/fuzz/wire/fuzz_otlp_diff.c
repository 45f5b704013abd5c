/* SPDX-License-Identifier: Apache-2.0
 *
 * Our scanner and protobuf-c agree on every input: what it means, and whether it means anything. What the scanner let in
 * comes back from our encoder. */
#include "lib/wire/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/oracle.h"

#define ARENA_BYTES ((size_t)256 * 1024 * 1024)

static void round_trip(struct sp_slice in)
{
    struct sp_arena arena;
    struct sp_buf out;
    struct sp_error error;
    const struct sp_batch *a = NULL, *b = NULL;
    sp_arena_init(&arena, ARENA_BYTES);
    sp_buf_init(&out, ARENA_BYTES);
    if (sp_otlp_decode(&arena, in, sp_limits_default(), &a, &error) == SP_OK) {
        const struct sp_span **spans = sp_arena_calloc(&arena, a->span_count, sizeof(*spans));
        SP_ASSERT(spans);
        for (size_t i = 0; i < a->span_count; i++) {
            spans[i] = &a->spans[i];
        }
        SP_ASSERT(sp_otlp_encode(spans, a->span_count, &out) == SP_OK);
        enum sp_status status =
            sp_otlp_decode(&arena, sp_buf_slice(&out), sp_limits_default(), &b, &error);
        SP_ASSERT(status == SP_OK && b->rejected_count == 0 && b->span_count == a->span_count);
        for (size_t i = 0; i < a->span_count; i++) {
            SP_ASSERT(sp_span_equal(&a->spans[i], &b->spans[i]));
        }
    }
    sp_arena_fini(&arena);
    sp_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sp_oracle_check(sp_slice_make(data, size));
    round_trip(sp_slice_make(data, size));
    return 0;
}
