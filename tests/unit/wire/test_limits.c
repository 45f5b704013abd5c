/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: every limit at its value and one above, in both formats; arenas from nothing upward; inputs made
 * to exhaust. */
#include "lib/wire/wire.h"
#include "tests/support/check_main.h"
#include "tests/support/proto_build.h"
#include "tests/support/span_gen.h"

static struct sp_arena arena;
static struct sp_buf out;
static struct sp_error error;
static const struct sp_batch *batch;

static void setup(void)
{
    sp_arena_init(&arena, (size_t)1024 * 1024 * 1024);
    sp_buf_init(&out, (size_t)512 * 1024 * 1024);
    batch = NULL;
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    sp_buf_fini(&out);
}

/* Writes spans in one of the formats into out. */
static void encode(bool json, const struct sp_span *const *spans, size_t count)
{
    sp_buf_reset(&out);
    if (json) {
        struct sp_json_writer w;
        sp_json_writer_init(&w, &out);
        sp_otlp_json_encode(spans, count, &w);
        ck_assert_int_eq(out.error, SP_OK);
    } else {
        ck_assert_int_eq(sp_otlp_encode(spans, count, &out), SP_OK);
    }
}

static enum sp_status decode(bool json, struct sp_arena *memory, const struct sp_limits *limits)
{
    batch = NULL;
    return json ? sp_otlp_json_decode(memory, sp_buf_slice(&out), limits, &batch, &error)
                : sp_otlp_decode(memory, sp_buf_slice(&out), limits, &batch, &error);
}

START_TEST(body_limit_is_exact)
{
    struct sp_gen_options options = {.span_count = 3};
    const struct sp_batch *a = sp_gen_batch(&arena, 1, &options);
    for (int json = 0; json < 2; json++) {
        encode(json, sp_batch_pointers(&arena, a), 3);
        struct sp_limits limits = *sp_limits_default();
        limits.body_bytes_max = out.len;
        ck_assert_int_eq(decode(json, &arena, &limits), SP_OK);
        limits.body_bytes_max = out.len - 1;
        ck_assert_int_eq(decode(json, &arena, &limits), SP_LIMIT);
        ck_assert_ptr_null(batch);
    }
}
END_TEST

START_TEST(span_limit_is_exact)
{
    struct sp_gen_options options = {.span_count = 10};
    const struct sp_batch *a = sp_gen_batch(&arena, 1, &options);
    for (int json = 0; json < 2; json++) {
        encode(json, sp_batch_pointers(&arena, a), 10);
        struct sp_limits limits = *sp_limits_default();
        limits.spans_max = 10;
        ck_assert_int_eq(decode(json, &arena, &limits), SP_OK);
        ck_assert_uint_eq(batch->span_count, 10);
        limits.spans_max = 9;
        ck_assert_int_eq(decode(json, &arena, &limits), SP_LIMIT);
    }
}
END_TEST

/* A span with the attributes given, with an empty resource and scope. */
static const struct sp_span *span_with(const struct sp_attribute *items, uint32_t count)
{
    static const struct sp_resource resource;
    static const struct sp_scope scope;
    struct sp_span *span = sp_arena_calloc(&arena, 1, sizeof(*span));
    span->trace_id.bytes[0] = span->span_id.bytes[0] = 1;
    span->resource = &resource;
    span->scope = &scope;
    span->attributes = (struct sp_attributes){items, count, 0};
    return span;
}

START_TEST(attribute_limit_counts_all_levels)
{
    struct sp_value items[3] = {{0}};
    struct sp_attribute inner[2] = {{{0}, {0}}};
    inner[1].value = (struct sp_value){.kind = SP_VALUE_ARRAY, .count = 3, .items = items};
    struct sp_attribute outer[2] = {{{0}, {0}}};
    outer[0].value = (struct sp_value){.kind = SP_VALUE_KVLIST, .count = 2, .entries = inner};
    const struct sp_span *span = span_with(outer, 2);
    for (int json = 0; json < 2; json++) {
        encode(json, &span, 1);
        struct sp_limits limits = *sp_limits_default();
        limits.attributes_max = 2 + 2 + 3;
        ck_assert_int_eq(decode(json, &arena, &limits), SP_OK);
        ck_assert(sp_span_equal(span, &batch->spans[0]));
        limits.attributes_max--;
        ck_assert_int_eq(decode(json, &arena, &limits), SP_LIMIT);
        limits.attributes_max = 1;
        ck_assert_int_eq(decode(json, &arena, &limits), SP_LIMIT);
    }
}
END_TEST

/* A value of so many containers around an integer; arrays and kvlists in turn. */
static const struct sp_span *nested(uint32_t levels)
{
    struct sp_value *values = sp_arena_calloc(&arena, levels + 1, sizeof(*values));
    struct sp_attribute *entries = sp_arena_calloc(&arena, levels + 1, sizeof(*entries));
    values[0] = (struct sp_value){.kind = SP_VALUE_INT, .integer = 7};
    for (uint32_t i = 1; i <= levels; i++) {
        entries[i].key = SP_SLICE("key");
        entries[i].value = values[i - 1];
        values[i].count = 1;
        values[i].kind = i % 2 ? SP_VALUE_KVLIST : SP_VALUE_ARRAY;
        if (i % 2) {
            values[i].entries = &entries[i];
        } else {
            values[i].items = &values[i - 1];
        }
    }
    entries[0].value = values[levels];
    return span_with(entries, 1);
}

START_TEST(nesting_limit_is_exact)
{
    for (int json = 0; json < 2; json++) {
        struct sp_limits limits = *sp_limits_default();
        for (limits.nesting_max = 0; limits.nesting_max < 5; limits.nesting_max++) {
            const struct sp_span *span = nested(limits.nesting_max);
            encode(json, &span, 1);
            ck_assert_int_eq(decode(json, &arena, &limits), SP_OK);
            ck_assert(sp_span_equal(span, &batch->spans[0]));
            span = nested(limits.nesting_max + 1);
            encode(json, &span, 1);
            ck_assert_int_eq(decode(json, &arena, &limits), SP_LIMIT);
        }
    }
}
END_TEST

START_TEST(what_the_ceiling_of_nesting_lets_in_can_be_written)
{
    struct sp_limits limits = *sp_limits_default();
    limits.nesting_max = UINT32_MAX; /* taken as SP_NESTING_MAX */
    const struct sp_span *span = nested(SP_NESTING_MAX);
    for (int json = 0; json < 2; json++) {
        encode(json, &span, 1);
        ck_assert_int_eq(decode(json, &arena, &limits), SP_OK);
        ck_assert(sp_span_equal(span, &batch->spans[0]));
    }
}
END_TEST

START_TEST(ten_thousand_levels_of_nesting_are_refused)
{
    struct sp_buf levels[2];
    sp_buf_init(&levels[0], 1000000);
    sp_buf_init(&levels[1], 1000000);
    struct sp_buf *in = &levels[0], *around = &levels[1];
    for (int i = 0; i < 10000; i++) { /* AnyValue { array_value { values } } */
        pb_message(around, i % 2 ? 5 : 1, in);
        struct sp_buf *swap = in;
        in = around;
        around = swap;
    }
    pb_message(around, 2, in); /* KeyValue.value */
    pb_message(in, 1, around); /* Resource.attributes */
    pb_message(around, 1, in); /* ResourceSpans.resource */
    pb_message(&out, 1, around);
    ck_assert_int_eq(decode(false, &arena, sp_limits_default()), SP_LIMIT);
    sp_buf_fini(&levels[0]);
    sp_buf_fini(&levels[1]);

    sp_buf_reset(&out);
    sp_buf_append_cstr(&out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"value\":");
    for (int i = 0; i < 5000; i++) {
        sp_buf_append_cstr(&out, "{\"arrayValue\":{\"values\":[");
    }
    ck_assert_int_eq(decode(true, &arena, sp_limits_default()), SP_LIMIT);
    sp_buf_reset(&out);
    sp_buf_append_cstr(&out, "{\"unknown\":");
    for (int i = 0; i < 10000; i++) {
        sp_buf_append_cstr(&out, "[");
    }
    ck_assert_int_eq(decode(true, &arena, sp_limits_default()), SP_LIMIT);
}
END_TEST

START_TEST(a_million_attributes_are_read)
{
    const uint32_t count = 1000000;
    struct sp_attribute *items = sp_arena_calloc(&arena, count, sizeof(*items));
    for (uint32_t i = 0; i < count; i++) {
        items[i].value = (struct sp_value){.kind = SP_VALUE_INT, .integer = i};
    }
    const struct sp_span *span = span_with(items, count);
    for (int json = 0; json < 2; json++) {
        encode(json, &span, 1);
        ck_assert_int_eq(decode(json, &arena, sp_limits_default()), SP_OK);
        ck_assert_uint_eq(batch->spans[0].attributes.count, count);
        ck_assert(sp_span_equal(span, &batch->spans[0]));
    }
}
END_TEST

START_TEST(a_small_arena_is_a_limit_never_a_crash)
{
    struct sp_gen_options options = sp_gen_options_everything(12);
    options.no_residue = true;
    const struct sp_batch *a = sp_gen_batch(&arena, 3, &options);
    for (int json = 0; json < 2; json++) {
        encode(json, sp_batch_pointers(&arena, a), a->span_count);
        enum sp_status status = SP_LIMIT;
        for (size_t cap = 0; status != SP_OK; cap += 256) {
            ck_assert_uint_lt(cap, 10000000);
            struct sp_arena small;
            sp_arena_init(&small, cap);
            status = decode(json, &small, sp_limits_default());
            ck_assert(status == SP_OK ? batch != NULL : (status == SP_LIMIT && batch == NULL));
            sp_arena_fini(&small);
        }
    }
}
END_TEST

START_TEST(unknown_fields_between_known_ones_cost_memory_of_their_own_size)
{
    struct sp_buf span;
    sp_buf_init(&span, (size_t)64 * 1024 * 1024);
    pb_bytes(&span, 1, SP_SLICE("0123456789abcdef"));
    pb_bytes(&span, 2, SP_SLICE("01234567"));
    for (int i = 0; i < 1000000; i++) { /* never two unknown ones side by side */
        pb_number(&span, 6, 1);
        pb_number(&span, 99, 1);
    }
    struct sp_buf scope, group;
    sp_buf_init(&scope, span.max);
    sp_buf_init(&group, span.max);
    pb_message(&scope, 2, &span);
    pb_message(&group, 2, &scope);
    pb_message(&out, 1, &group);
    struct sp_arena small;
    sp_arena_init(&small, (size_t)32 * 1024 * 1024);
    ck_assert_int_eq(decode(false, &small, sp_limits_default()), SP_OK);
    ck_assert_uint_eq(batch->spans[0].residue.len, 3000000);
    sp_arena_fini(&small);
    sp_buf_fini(&span);
    sp_buf_fini(&scope);
    sp_buf_fini(&group);
}
END_TEST

START_TEST(encoders_stop_at_the_ceiling_of_their_buffer)
{
    struct sp_gen_options options = sp_gen_options_everything(10);
    const struct sp_batch *a = sp_gen_batch(&arena, 5, &options);
    const struct sp_span *const *spans = sp_batch_pointers(&arena, a);
    encode(false, spans, a->span_count);
    for (size_t max = 0; max < out.len; max += 7) {
        struct sp_buf small;
        sp_buf_init(&small, max);
        ck_assert_int_eq(sp_otlp_encode(spans, a->span_count, &small), SP_LIMIT);
        sp_buf_reset(&small);
        struct sp_json_writer w;
        sp_json_writer_init(&w, &small);
        sp_otlp_json_encode(spans, a->span_count, &w);
        ck_assert_int_eq(small.error, SP_LIMIT);
        sp_buf_fini(&small);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *tc = tcase_create("limits");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, body_limit_is_exact);
    tcase_add_test(tc, span_limit_is_exact);
    tcase_add_test(tc, attribute_limit_counts_all_levels);
    tcase_add_test(tc, nesting_limit_is_exact);
    tcase_add_test(tc, what_the_ceiling_of_nesting_lets_in_can_be_written);
    tcase_add_test(tc, ten_thousand_levels_of_nesting_are_refused);
    tcase_add_test(tc, a_million_attributes_are_read);
    tcase_add_test(tc, a_small_arena_is_a_limit_never_a_crash);
    tcase_add_test(tc, unknown_fields_between_known_ones_cost_memory_of_their_own_size);
    tcase_add_test(tc, encoders_stop_at_the_ceiling_of_their_buffer);
    suite_add_tcase(suite, tc);
    return suite;
}
