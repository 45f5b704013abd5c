/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP JSON: whatever is let in comes back from both encoders; what comes in as protobuf (an input that is no JSON is tried
 * as that) comes back from JSON, but for unknown fields, which JSON cannot carry. */
#include "lib/wire/wire.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_BYTES ((size_t)256 * 1024 * 1024)

static struct sp_arena arena;

static void compare(const struct sp_batch *a, bool json, struct sp_slice bytes)
{
    struct sp_error error;
    const struct sp_batch *b = NULL;
    enum sp_status status =
        json ? sp_otlp_json_decode(&arena, bytes, sp_limits_default(), &b, &error)
             : sp_otlp_decode(&arena, bytes, sp_limits_default(), &b, &error);
    SP_ASSERT(status == SP_OK && b->rejected_count == 0 && b->span_count == a->span_count);
    for (size_t i = 0; i < a->span_count; i++) {
        SP_ASSERT(sp_span_equal(&a->spans[i], &b->spans[i]));
    }
}

/* NaNs come back as the one NaN that JSON has a name for, so a batch is compared from JSON on. */
static void round_trip(const struct sp_batch *batch, bool again)
{
    struct sp_buf out;
    struct sp_json_writer w;
    sp_buf_init(&out, ARENA_BYTES);
    const struct sp_span **spans = sp_arena_calloc(&arena, batch->span_count, sizeof(*spans));
    SP_ASSERT(spans);
    for (size_t i = 0; i < batch->span_count; i++) {
        spans[i] = &batch->spans[i];
    }
    sp_json_writer_init(&w, &out);
    sp_otlp_json_encode(spans, batch->span_count, &w);
    SP_ASSERT(out.error == SP_OK);
    if (again) {
        struct sp_error error;
        const struct sp_batch *from_json = NULL;
        SP_ASSERT(sp_otlp_json_decode(&arena, sp_buf_slice(&out), sp_limits_default(), &from_json,
                                      &error) == SP_OK);
        SP_ASSERT(from_json->span_count == batch->span_count && from_json->rejected_count == 0);
        round_trip(from_json, false);
    } else {
        compare(batch, true, sp_buf_slice(&out));
        sp_buf_reset(&out);
        SP_ASSERT(sp_otlp_encode(spans, batch->span_count, &out) == SP_OK);
        compare(batch, false, sp_buf_slice(&out));
    }
    sp_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_error error = {0};
    const struct sp_batch *batch = NULL;
    struct sp_slice in = sp_slice_make(data, size);
    sp_arena_init(&arena, ARENA_BYTES);
    if (sp_otlp_json_decode(&arena, in, sp_limits_default(), &batch, &error) == SP_OK) {
        round_trip(batch, false);
    } else {
        SP_ASSERT(batch == NULL && error.message[0] && sp_utf8_valid(sp_slice_cstr(error.message)));
        if (sp_otlp_decode(&arena, in, sp_limits_default(), &batch, &error) == SP_OK) {
            round_trip(batch, true);
        }
    }
    sp_arena_fini(&arena);
    return 0;
}
