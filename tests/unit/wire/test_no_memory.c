/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/wire: decoding when there is no memory: the system's, which is no fault of the request, and that of a
 * budget, which is charged before it is taken. */
#include "lib/wire/wire.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/span_gen.h"

static const struct {
    enum sp_wire_format format;
    enum sp_encoding encoding;
} bodies[] = {
    {SP_WIRE_PROTOBUF, SP_ENCODING_IDENTITY}, {SP_WIRE_PROTOBUF, SP_ENCODING_GZIP},
    {SP_WIRE_PROTOBUF, SP_ENCODING_ZSTD},     {SP_WIRE_JSON, SP_ENCODING_IDENTITY},
    {SP_WIRE_JSON, SP_ENCODING_GZIP},
};

static struct sp_arena gen_arena;
static struct sp_buf body;

/* The body of loop round i, with span_count spans. */
static void make_body(int i, size_t span_count)
{
    struct sp_gen_options options = sp_gen_options_everything(span_count);
    struct sp_buf text;
    sp_arena_init(&gen_arena, SIZE_MAX);
    sp_buf_init(&text, SIZE_MAX);
    sp_buf_init(&body, SIZE_MAX);
    const struct sp_batch *batch = sp_gen_batch(&gen_arena, 5, &options);
    const struct sp_span *const *spans = sp_batch_pointers(&gen_arena, batch);
    if (bodies[i].format == SP_WIRE_JSON) {
        struct sp_json_writer w;
        sp_json_writer_init(&w, &text);
        sp_otlp_json_encode(spans, batch->span_count, &w);
    } else {
        ck_assert_int_eq(sp_otlp_encode(spans, batch->span_count, &text), SP_OK);
    }
    ck_assert_int_eq(sp_compress(bodies[i].encoding, sp_buf_slice(&text), 1, &body), SP_OK);
    sp_buf_fini(&text);
}

static void drop_body(void)
{
    sp_buf_fini(&body);
    sp_arena_fini(&gen_arena);
}

/* Decodes the body while only so many allocations succeed. */
static enum sp_status decode(int i, size_t allocations, struct sp_account *account,
                             struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_buf plain;
    const struct sp_batch *batch = NULL;
    sp_arena_init(&arena, sp_limits_default()->arena_bytes_max);
    sp_buf_init(&plain, sp_limits_default()->body_bytes_max);
    arena.account = plain.account = account;
    alloc_fail_after(allocations);
    enum sp_status status =
        sp_otlp_decode_body(&arena, bodies[i].format, bodies[i].encoding, sp_buf_slice(&body),
                            &plain, sp_limits_default(), &batch, reterr);
    alloc_fail_stop();
    ck_assert((status == SP_OK) == (batch != NULL));
    sp_arena_fini(&arena);
    sp_buf_fini(&plain);
    return status;
}

START_TEST(decoding_without_memory_may_be_tried_again)
{
    make_body(_i, 300);
    size_t allocations = 0;
    for (;; allocations++) {
        struct sp_error error = {0};
        enum sp_status status = decode(_i, allocations, NULL, &error);
        if (status == SP_OK)
            break;
        ck_assert_msg(status == SP_NO_MEMORY, "after %zu allocations: %s: %s", allocations,
                      sp_status_name(status), error.message);
        ck_assert_int_eq(error.status, SP_NO_MEMORY);
        ck_assert(sp_status_retryable(status));
    }
    ck_assert_uint_gt(allocations, 2);
    drop_body();
}
END_TEST

/* Whatever the budget has left, decoding takes no more than that, and says whether it can ever succeed. */
START_TEST(decoding_takes_no_more_than_its_budget_has_left)
{
    struct sp_error error;
    make_body(_i, 2000);
    bool decoded = false;
    for (size_t left = 0; !decoded; left += 100000) {
        for (int shared = 0; shared < 2; shared++) {
            struct sp_budget budget;
            sp_budget_init(&budget, shared ? (size_t)1 << 30 : left);
            size_t others = budget.max_bytes - left;
            ck_assert(sp_budget_take(&budget, others));
            struct sp_account account = {.budget = &budget};
            enum sp_status status = decode(_i, SIZE_MAX, &account, &error);
            /* realloc may stand for what it keeps, twice in a row at most: a buffer doubles. */
            ck_assert_msg(alloc_fail_bytes() <= 2 * left + 65536, "%zu bytes of %zu",
                          alloc_fail_bytes(), left);
            decoded = status == SP_OK;
            if (!decoded)
                ck_assert_msg(status == (shared ? SP_OVERLOADED : SP_LIMIT), "%s: %s",
                              sp_status_name(status), error.message);
            ck_assert_int_eq(account.error, status);
            ck_assert_uint_eq(account.bytes, 0);
            ck_assert_uint_eq(sp_budget_used(&budget), others);
        }
    }
    drop_body();
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("no_memory");
    TCase *test = tcase_create("decode");
    tcase_set_timeout(test, 60);
    tcase_add_loop_test(test, decoding_without_memory_may_be_tried_again, 0, SP_ARRAY_LEN(bodies));
    tcase_add_loop_test(test, decoding_takes_no_more_than_its_budget_has_left, 0,
                        SP_ARRAY_LEN(bodies));
    suite_add_tcase(suite, test);
    return suite;
}
