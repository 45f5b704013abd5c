/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_aging.c: random histories in which time goes on and segments that hold parts of traces are removed; the
 * reference loses the same appends, and both must answer the same. A history that fails is printed. */
#include "tests/contract/fixture.h"
#include "tests/contract/record.h"
#include "tests/support/check_main.h"

#include <stdio.h>
#include <stdlib.h>

#define AGING_TRACES 6
#define AGING_IDS    9
#define AGING_SEEDS  25
#define AGING_STEPS  10

struct history {
    struct fixture stores[ENGINE_COUNT];
    struct sp_gen gen;
    uint64_t minute; /* in which spans begin */
};

static const uint64_t second_ns = 1000000000;

static void do_compare(struct history *history, struct sp_time_range range)
{
    record_note("compare answers from %llu to %llu\n", (unsigned long long)range.from_unix_ns,
                (unsigned long long)range.to_unix_ns);
    assert_same_answers(history->stores[ENGINE_REFERENCE].store,
                        history->stores[ENGINE_ROCKSDB].store, range);
}

/* What the engine on disk chose to remove goes from the reference, too. */
static void remove_from_reference(void *cookie, uint64_t first, uint64_t last, uint64_t span_count)
{
    struct history *history = cookie;
    struct sp_store *reference = history->stores[ENGINE_REFERENCE].store;
    struct sp_store_stats before;
    struct sp_store_stats after;
    record_note("  removed appends %llu to %llu, %llu spans\n", (unsigned long long)first,
                (unsigned long long)last, (unsigned long long)span_count);
    ck_assert_int_eq(sp_store_stats(reference, &before, NULL), SP_OK);
    sp_store_reference_remove(reference, first, last);
    ck_assert_int_eq(sp_store_stats(reference, &after, NULL), SP_OK);
    ck_assert_uint_eq(before.span_count - after.span_count, span_count);
}

static void do_retain(struct history *history, uint64_t now_unix_ns)
{
    struct sp_error error = {0};
    struct sp_retain retain = {.keep = {.age_ns = 1},
                               .now_unix_ns = now_unix_ns,
                               .removed = remove_from_reference,
                               .cookie = history};
    record_note("remove what is older than %llu\n", (unsigned long long)now_unix_ns);
    enum sp_status status = sp_store_retain(history->stores[ENGINE_ROCKSDB].store, &retain, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

static struct sp_span tangled_span(struct sp_gen *gen, uint64_t minute)
{
    static const char *const services[] = {"web", "cart", "orders", "queue"};
    static const char *const names[] = {"call", "serve"};
    uint64_t start = 1767225600ULL * second_ns + (minute + sp_gen_below(gen, 4)) * 60 * second_ns +
                     sp_gen_below(gen, 3) * second_ns;
    struct sp_span span = simple_span(
        1 + sp_gen_below(gen, AGING_TRACES), 1 + sp_gen_below(gen, AGING_IDS), start,
        sp_gen_below(gen, 5) * 1000, services[sp_gen_below(gen, SP_ARRAY_LEN(services))],
        names[sp_gen_below(gen, SP_ARRAY_LEN(names))]);
    span.kind = (int32_t)sp_gen_below(gen, 6);
    /* Parents that come later, or never; ids that are there twice, as client and server or by mistake. */
    if (sp_gen_chance(gen, 80))
        span.parent_span_id =
            simple_span(1, 1 + sp_gen_below(gen, AGING_IDS), 0, 0, "", "").span_id;
    if (sp_gen_chance(gen, 20)) {
        span.status_present = true;
        span.status_code = SP_SPAN_STATUS_ERROR;
    }
    return span;
}

/* What comes is the same as before with some chance: a sender that tries again. */
static void append_tangled(struct history *history, struct sp_span *spans, size_t count)
{
    struct sp_arena *arena = &history->stores[0].arena;
    if (sp_gen_chance(&history->gen, 80)) {
        for (size_t i = 0; i < count; i++)
            spans[i] = tangled_span(&history->gen, history->minute);
    }
    const struct sp_batch *batch = batch_of(arena, spans, count);
    record_note("append %zu tangled spans\n", count);
    for (int i = 0; i < ENGINE_COUNT; i++)
        append(&history->stores[i], batch);
}

/* Time goes on, and segments that hold parts of traces go. */
static void run_aging(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    struct sp_span spans[8];
    record_begin();
    record_note("aging, seed %llu\n", (unsigned long long)seed);
    history->gen.state = seed;
    for (size_t i = 0; i < SP_ARRAY_LEN(spans); i++)
        spans[i] = tangled_span(&history->gen, 0);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_init(&history->stores[i], (enum engine)i);
    struct fixture *fixture = &history->stores[ENGINE_ROCKSDB];
    fixture->options.sizes = small_sizes();
    fixture->options.sizes.merge_segments = seed % 3 == 0 ? 2 : 1000;
    fixture_reopen(fixture);
    for (int step = 0; step < AGING_STEPS; step++) {
        history->minute += sp_gen_below(&history->gen, 3);
        for (uint64_t i = sp_gen_below(&history->gen, 3); i < 3; i++)
            append_tangled(history, spans, 1 + sp_gen_below(&history->gen, SP_ARRAY_LEN(spans)));
        if (sp_gen_chance(&history->gen, 70)) /* otherwise some are sealed while others go */
            wait_for_merges(fixture->store);
        uint64_t from = (1767225600ULL + 60 * history->minute) * second_ns;
        do_retain(history, from + sp_gen_below(&history->gen, 3) * 60 * second_ns);
        do_compare(history, SP_TIME_RANGE_ALL);
        if (sp_gen_chance(&history->gen, 25)) {
            record_note("restart\n");
            fixture_reopen(fixture);
            do_compare(history, SP_TIME_RANGE_ALL);
        }
        do_compare(history, (struct sp_time_range){from, from + 90 * second_ns});
    }
    wait_for_merges(fixture->store);
    do_compare(history, SP_TIME_RANGE_ALL);
    fixture_close_sound(fixture);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_fini(&history->stores[i]);
    free(history);
    record_end();
}

START_TEST(traces_whose_segments_were_removed_count_as_what_is_left)
{
    record_print();
    run_aging((uint64_t)_i + 1);
}
END_TEST

/* ---- what a removal tells ---- */

struct told {
    size_t count;
    uint64_t first, last, spans; /* of the last one */
};

static void note_told(void *cookie, uint64_t first, uint64_t last, uint64_t span_count)
{
    struct told *told = cookie;
    *told = (struct told){told->count + 1, first, last, span_count};
}

/* Asserts that it is one removal. */
static void expect_removed(struct fixture *fixture, uint64_t cutoff_unix_ns, uint64_t first,
                           uint64_t last, uint64_t spans)
{
    struct told told = {0};
    struct sp_error error = {0};
    struct sp_retain retain = {.keep = {.age_ns = 1},
                               .now_unix_ns = cutoff_unix_ns + 1,
                               .removed = note_told,
                               .cookie = &told};
    enum sp_status status = sp_store_retain(fixture->store, &retain, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_uint_eq(told.count, 1);
    ck_assert_uint_eq(told.first, first);
    ck_assert_uint_eq(told.last, last);
    ck_assert_uint_eq(told.spans, spans);
}

/* The second of three segments is older than the others: it goes alone, and what is left on both sides of it becomes one. */
START_TEST(segments_beside_one_that_went_are_merged_and_go_without_it)
{
    static const uint64_t starts_s[] = {1767268860, 1767268800, 1767268861};
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture.options.sizes.merge_segments = 1000;
    fixture_reopen(&fixture);
    for (uint64_t i = 0; i < SP_ARRAY_LEN(starts_s); i++) {
        struct sp_span spans[3];
        for (uint64_t n = 0; n <= i; n++)
            spans[n] = simple_span(1 + i, 1 + n, starts_s[i] * second_ns, 5, "cart", "x");
        append(&fixture, batch_of(&fixture.arena, spans, 1 + i));
        wait_for_merges(fixture.store);
    }
    expect_removed(&fixture, starts_s[0] * second_ns, 2, 2, 2);
    fixture.options.sizes.merge_segments = 2;
    fixture_reopen(&fixture);
    wait_for_merges(fixture.store);
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
    ck_assert_uint_eq(stats.segment_count, 1);
    ck_assert_uint_eq(stats.span_count, 4);
    expect_removed(&fixture, starts_s[2] * second_ns + 1, 1, 3, 4); /* not the two of the second */
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    record_init();
    Suite *suite = suite_create("aging");
    TCase *tcase = tcase_create("reference and rocksdb");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, NULL, record_print);
    tcase_add_loop_test(tcase, traces_whose_segments_were_removed_count_as_what_is_left, 0,
                        AGING_SEEDS);
    tcase_add_test(tcase, segments_beside_one_that_went_are_merged_and_go_without_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
