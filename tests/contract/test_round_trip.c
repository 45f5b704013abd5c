/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_round_trip.c: what was acked comes back, all of it, field for field, in order; on both engines. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

#define BATCHES 12

/* Random batches with everything in them; traces shared by all, so that each is spread over many appends. */
static void make_batches(struct sp_arena *arena, uint64_t seed,
                         const struct sp_batch *ret_batches[BATCHES])
{
    for (size_t i = 0; i < BATCHES; i++) {
        struct sp_gen_options options = sp_gen_options_everything(40);
        options.trace_seed = seed;
        options.trace_count = 9;
        ret_batches[i] = sp_gen_batch(arena, seed * 100 + i, &options);
        ck_assert_ptr_nonnull(ret_batches[i]);
    }
}

START_TEST(store_gives_back_every_field_of_every_span)
{
    struct fixture fixture;
    const struct sp_batch *batches[BATCHES];
    fixture_init(&fixture, (enum engine)_i);
    make_batches(&fixture.arena, 1, batches);
    for (size_t i = 0; i < BATCHES; i++)
        append(&fixture, batches[i]);
    struct span_list all = span_list_make(&fixture.arena, batches, BATCHES);
    assert_all_traces(fixture.store, &all);
    sp_store_drain(fixture.store);
    assert_all_traces(fixture.store, &all);
    fixture_reopen(&fixture);
    assert_all_traces(fixture.store, &all);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_takes_every_format_and_encoding)
{
    static const struct {
        enum sp_body_format format;
        enum sp_body_encoding encoding;
    } bodies[] = {
        {SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY}, {SP_BODY_OTLP_PROTOBUF, SP_BODY_GZIP},
        {SP_BODY_OTLP_PROTOBUF, SP_BODY_ZSTD},     {SP_BODY_OTLP_JSON, SP_BODY_IDENTITY},
        {SP_BODY_OTLP_JSON, SP_BODY_GZIP},         {SP_BODY_OTLP_JSON, SP_BODY_ZSTD},
    };
    struct fixture fixture;
    const struct sp_batch *batches[SP_ARRAY_LEN(bodies)];
    fixture_init(&fixture, (enum engine)_i);
    for (size_t i = 0; i < SP_ARRAY_LEN(bodies); i++) {
        struct sp_gen_options options = {.span_count = 30, .trace_seed = 5, .trace_count = 4};
        batches[i] = sp_gen_batch(&fixture.arena, 70 + i, &options);
        ck_assert_int_eq(append_as(fixture.store, batches[i], bodies[i].format, bodies[i].encoding),
                         SP_OK);
    }
    struct span_list all = span_list_make(&fixture.arena, batches, SP_ARRAY_LEN(bodies));
    assert_all_traces(fixture.store, &all);
    fixture_reopen(&fixture);
    assert_all_traces(fixture.store, &all);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_keeps_duplicates_in_the_order_they_were_acked)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_gen_options options = {.span_count = 20, .trace_seed = 3, .trace_count = 2};
    const struct sp_batch *once = sp_gen_batch(&fixture.arena, 3, &options);
    const struct sp_batch *batches[] = {once, once, once};
    for (size_t i = 0; i < SP_ARRAY_LEN(batches); i++)
        append(&fixture, batches[i]);
    struct span_list all = span_list_make(&fixture.arena, batches, SP_ARRAY_LEN(batches));
    assert_all_traces(fixture.store, &all);
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
    ck_assert_uint_eq(stats.span_count, 60);
    ck_assert_uint_eq(stats.trace_count, 2);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_adds_late_spans_to_their_trace)
{
    const uint64_t hour_ns = 3600ULL * 1000000000;
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span spans[] = {
        simple_span(1, 1, 10 * hour_ns, 5, "cart", "GET /"),
        simple_span(2, 2, 10 * hour_ns, 5, "cart", "GET /"),
        simple_span(1, 3, 2 * hour_ns, 5, "cart", "late by hours"),
        simple_span(1, 4, 90 * hour_ns, 5, "cart", "early by days"),
    };
    const struct sp_batch *batches[SP_ARRAY_LEN(spans)];
    for (size_t i = 0; i < SP_ARRAY_LEN(spans); i++) {
        batches[i] = batch_of(&fixture.arena, &spans[i], 1);
        append(&fixture, batches[i]);
        fixture_reopen(&fixture);
    }
    struct span_list all = span_list_make(&fixture.arena, batches, SP_ARRAY_LEN(spans));
    assert_all_traces(fixture.store, &all);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_takes_times_at_both_ends_of_the_clock)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    const uint64_t year_2200_unix_ns = 7258118400ULL * 1000000000;
    const uint64_t starts[] = {0, 1, year_2200_unix_ns, UINT64_MAX - 1, UINT64_MAX};
    struct sp_span spans[SP_ARRAY_LEN(starts)];
    for (size_t i = 0; i < SP_ARRAY_LEN(starts); i++) {
        spans[i] = simple_span(i + 1, i + 1, starts[i], 0, "cart", "edge");
        spans[i].end_unix_ns = starts[SP_ARRAY_LEN(starts) - 1 - i]; /* some end before the start */
    }
    const struct sp_batch *batch = batch_of(&fixture.arena, spans, SP_ARRAY_LEN(starts));
    append(&fixture, batch);
    struct span_list all = span_list_make(&fixture.arena, &batch, 1);
    for (int round = 0; round < 2; round++) {
        assert_all_traces(fixture.store, &all);
        for (size_t i = 0; i < SP_ARRAY_LEN(starts); i++) {
            /* The range that holds this start alone. */
            struct sp_scan scan = {
                .range = {starts[i], starts[i] < UINT64_MAX ? starts[i] + 1 : UINT64_MAX}};
            struct candidate_list list = scan_all(fixture.store, &fixture.arena, &scan);
            bool found = false;
            for (size_t c = 0; c < list.count; c++)
                found |= sp_trace_id_compare(&list.items[c].trace_id, &spans[i].trace_id) == 0;
            ck_assert_msg(found, "start %zu is not in its range", i);
        }
        fixture_reopen(&fixture);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_acks_a_request_without_spans)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append(&fixture, &(struct sp_batch){0});
    fixture_reopen(&fixture);
    append(&fixture, &(struct sp_batch){0});
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
    ck_assert_uint_eq(stats.span_count, 0);
    ck_assert_uint_eq(stats.trace_count, 0);
    ck_assert_uint_eq(stats.oldest_unix_ns, 0);
    ck_assert_uint_eq(stats.newest_unix_ns, 0);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_says_not_found_for_a_trace_that_is_not_stored)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span spans[] = {simple_span(5, 1, 1000, 5, "cart", "GET /")};
    append(&fixture, batch_of(&fixture.arena, spans, 1));
    for (uint64_t absent = 4; absent <= 6; absent += 2) {
        struct sp_trace_id id = trace_id_of(absent);
        const struct sp_batch *batch = NULL;
        struct sp_error error = {0};
        ck_assert_int_eq(sp_store_trace_read(fixture.store, &id, &fixture.arena, &batch, &error),
                         SP_NOT_FOUND);
        ck_assert_ptr_null(batch);
        ck_assert_int_eq(error.status, SP_NOT_FOUND);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(trace_read_stops_at_the_cap_of_the_arena)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_gen_options options = sp_gen_options_everything(50);
    options.trace_count = 1;
    const struct sp_batch *made = sp_gen_batch(&fixture.arena, 9, &options);
    append(&fixture, made);
    sp_store_drain(fixture.store);
    bool refused = false;
    bool answered = false;
    for (size_t cap = 0; !answered; cap = cap * 2 + 512) {
        struct sp_arena arena;
        struct sp_error error = {0};
        const struct sp_batch *batch = NULL;
        sp_arena_init(&arena, cap);
        enum sp_status status =
            sp_store_trace_read(fixture.store, &made->spans[0].trace_id, &arena, &batch, &error);
        answered = status == SP_OK;
        refused |= status == SP_LIMIT && batch == NULL && error.message[0] != '\0';
        ck_assert(status == SP_OK || status == SP_LIMIT);
        sp_arena_fini(&arena);
    }
    ck_assert(refused);
    fixture_fini(&fixture);
}
END_TEST

/* A resource stands once for all its spans in the answer, however they are kept: in memory it fits, span by span it would
 * not. */
START_TEST(trace_read_shares_a_resource_among_its_spans)
{
    enum { SPANS = 500, NAME_BYTES = 64 * 1024, ARENA_BYTES = 8 * 1024 * 1024 };
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    char *name = calloc(1, NAME_BYTES + 1);
    memset(name, 'n', NAME_BYTES);
    struct sp_span *spans = calloc(SPANS, sizeof(*spans));
    struct sp_span first = simple_span(7, 1, 1767268800000000000ULL, 5, name, "x");
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = simple_span(7, i + 1, 1767268800000000000ULL + i, 5, "", "x");
        spans[i].resource = first.resource;
        spans[i].scope = first.scope;
    }
    append(&fixture, batch_of(&fixture.arena, spans, SPANS));
    for (int stage = 0; stage < 2; stage++) { /* as a rule from the head, then from its rows */
        struct sp_arena arena;
        struct sp_error error = {0};
        const struct sp_batch *batch = NULL;
        sp_arena_init(&arena, ARENA_BYTES);
        ck_assert_msg(sp_store_trace_read(fixture.store, &first.trace_id, &arena, &batch, &error) ==
                          SP_OK,
                      "%s", error.message);
        ck_assert_uint_eq(batch->span_count, SPANS);
        ck_assert_ptr_eq(batch->spans[0].resource, batch->spans[SPANS - 1].resource);
        sp_arena_fini(&arena);
        sp_store_drain(fixture.store);
    }
    free(spans);
    free(name);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("round_trip");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, store_gives_back_every_field_of_every_span, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, store_takes_every_format_and_encoding, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, store_keeps_duplicates_in_the_order_they_were_acked, 0,
                        ENGINE_COUNT);
    tcase_add_loop_test(tcase, store_adds_late_spans_to_their_trace, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, store_takes_times_at_both_ends_of_the_clock, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, store_acks_a_request_without_spans, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, store_says_not_found_for_a_trace_that_is_not_stored, 0,
                        ENGINE_COUNT);
    tcase_add_loop_test(tcase, trace_read_stops_at_the_cap_of_the_arena, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, trace_read_shares_a_resource_among_its_spans, 0, ENGINE_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}
