/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden tests of lib/wire: tests/golden/otlp/NAME.in.json, read and written again, is NAME.out.json byte for byte. The
 * outputs are also what the web UI is shown. And the vectors of another decoder, where they are. */
#include <stdio.h>

#include "lib/wire/wire.h"
#include "tests/support/check_main.h"
#include "tests/support/recording.h"

static struct sp_arena arena;

static void setup(void)
{
    sp_arena_init(&arena, (size_t)64 * 1024 * 1024);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
}

/* The file's content in the arena; NULL slice: there is none. */
static struct sp_slice file_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t room = (size_t)1024 * 1024;
    uint8_t *bytes = sp_arena_alloc(&arena, room);
    if (!file) {
        return (struct sp_slice){NULL, 0};
    }
    size_t len = fread(bytes, 1, room, file);
    fclose(file);
    return sp_slice_make(bytes, len);
}

static void golden(const char *name)
{
    char path[4096];
    struct sp_error error = {0};
    const struct sp_batch *batch = NULL;
    struct sp_buf out;
    struct sp_json_writer w;
    sp_buf_init(&out, 1000000);
    snprintf(path, sizeof(path), "%s/../golden/otlp/%s.in.json", sp_test_data_dir(), name);
    enum sp_status status =
        sp_otlp_json_decode(&arena, file_of(path), sp_limits_default(), &batch, &error);
    ck_assert_msg(status == SP_OK, "%s: %s", path, error.message);
    const struct sp_span **spans = sp_arena_calloc(&arena, batch->span_count, sizeof(*spans));
    for (size_t i = 0; i < batch->span_count; i++) {
        spans[i] = &batch->spans[i];
    }
    sp_json_writer_init(&w, &out);
    sp_otlp_json_encode(spans, batch->span_count, &w);
    sp_buf_append_byte(&out, '\n');
    snprintf(path, sizeof(path), "%s/../golden/otlp/%s.out.json", sp_test_data_dir(), name);
    ck_assert_msg(sp_slice_equal(sp_buf_slice(&out), file_of(path)), "%s should be: %.*s", path,
                  SP_SLICE_PRINTF(sp_buf_slice(&out)));
    sp_buf_fini(&out);
}

START_TEST(every_field_is_written_as_expected)
{
    golden("every-field");
}
END_TEST

START_TEST(every_value_is_written_as_expected)
{
    golden("values");
}
END_TEST

/* What that decoder refuses and the protobuf mapping allows: members that are absent have their default. The last one it
 * takes, although the enum stands there by its name. */
static const char *const taken[] = {"resourceSpans_missing",   "scopeSpans_missing",
                                    "spans_missing",           "event_missing_name",
                                    "link_missing_trace_id",   "link_trace_id_zero_length",
                                    "link_span_id_zero_length"};
static const char refused[] = "valid_with_event_and_link";

static void vector(struct sp_slice name, struct sp_slice input, bool expect_error)
{
    struct sp_error error = {0};
    const struct sp_batch *batch = NULL;
    for (size_t i = 0; i < SP_ARRAY_LEN(taken); i++) {
        expect_error &= !sp_slice_equal_cstr(name, taken[i]);
    }
    expect_error |= sp_slice_equal_cstr(name, refused);
    enum sp_status status = sp_otlp_json_decode(&arena, input, sp_limits_default(), &batch, &error);
    bool failed = status != SP_OK || batch->rejected_count > 0;
    ck_assert_msg(failed == expect_error, "%.*s: %s", SP_SLICE_PRINTF(name), error.message);
    ck_assert(status == SP_OK || status == SP_MALFORMED);
}

/* {"name": {"input": ..., "expected_error": ...}, ...} */
static size_t vectors(struct sp_slice text)
{
    struct sp_json_reader r;
    size_t count = 0;
    sp_json_reader_init(&r, text, &arena, 64);
    ck_assert_int_eq(sp_json_next(&r), SP_JSON_OBJECT_BEGIN);
    while (sp_json_next(&r) == SP_JSON_KEY) {
        struct sp_slice name = r.text, input = {NULL, 0};
        bool expect_error = false;
        ck_assert_int_eq(sp_json_next(&r), SP_JSON_OBJECT_BEGIN);
        while (sp_json_next(&r) == SP_JSON_KEY) {
            bool is_input = sp_slice_equal_cstr(r.text, "input");
            expect_error |= sp_slice_equal_cstr(r.text, "expected_error");
            size_t from = r.pos;
            ck_assert_int_eq(sp_json_skip(&r), SP_OK);
            if (is_input) {
                input = sp_slice_sub(text, from, r.pos - from);
            }
        }
        vector(name, input, expect_error);
        count++;
    }
    return count;
}

START_TEST(vectors_of_another_decoder_give_the_same_verdict)
{
    char path[4096];
    const char *dir = sp_shared_data_dir();
    snprintf(path, sizeof(path), "%s/otlp-json-cases/otlp_traces_cases.json", dir ? dir : "");
    struct sp_slice text = file_of(path);
    if (!text.ptr) {
        printf("# skipped: no otlp-json-cases beside the repository (SPOOR_SHARED_DATA)\n");
        return;
    }
    ck_assert_uint_eq(vectors(text), 38);
    snprintf(path, sizeof(path), "%s/otlp-json-cases/trace.json", dir);
    struct sp_error error = {0};
    const struct sp_batch *batch = NULL;
    ck_assert_int_eq(
        sp_otlp_json_decode(&arena, file_of(path), sp_limits_default(), &batch, &error), SP_OK);
    ck_assert_uint_gt(batch->span_count, 0);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("otlp_json");
    TCase *tc = tcase_create("otlp_json");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_field_is_written_as_expected);
    tcase_add_test(tc, every_value_is_written_as_expected);
    tcase_add_test(tc, vectors_of_another_decoder_give_the_same_verdict);
    suite_add_tcase(suite, tc);
    return suite;
}
