/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_hours.c: questions about many hours, which the engine on disk answers from sums that it keeps: equal to the
 * reference whether a sum was there before or not, when late spans come, segments are merged, sealed and removed. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

static const uint64_t begin_unix_ns = 1767225600ULL * 1000000000; /* a whole hour */
static const uint64_t hour_ns = 3600ULL * 1000000000;
static const uint64_t minute_ns = 60ULL * 1000000000;

/* Two stores with the same content. */
struct pair {
    struct fixture disk, reference;
};

static void pair_init(struct pair *pair, uint32_t merge_segments)
{
    fixture_init(&pair->reference, ENGINE_REFERENCE);
    fixture_init(&pair->disk, ENGINE_ROCKSDB);
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_segments = merge_segments;
    pair->disk.options.sizes = sizes;
    fixture_reopen(&pair->disk);
}

static void pair_fini(struct pair *pair)
{
    fixture_fini(&pair->disk);
    fixture_fini(&pair->reference);
}

/* Spans of seven hours; of some traces all appends have spans. */
static void append_both(struct pair *pair, uint64_t seed)
{
    struct sp_gen_options options = sp_gen_options_everything(60);
    options.trace_seed = seed % 3;
    options.trace_count = 12;
    options.no_residue = true;
    options.odd_percent = 0;
    options.start_unix_ns = begin_unix_ns;
    options.window_ns = 7 * hour_ns;
    append(&pair->disk, sp_gen_batch(&pair->disk.arena, seed, &options));
    append(&pair->reference, sp_gen_batch(&pair->reference.arena, seed, &options));
}

/* Ranges with whole hours and what is cut at either end, with one or both ends open, and without a whole hour. */
static void compare(struct pair *pair)
{
    const struct sp_time_range ranges[] = {
        SP_TIME_RANGE_ALL,
        {begin_unix_ns, begin_unix_ns + 7 * hour_ns},
        {begin_unix_ns + 17 * minute_ns, begin_unix_ns + 5 * hour_ns + 31 * minute_ns},
        {begin_unix_ns + hour_ns - 1, begin_unix_ns + 4 * hour_ns + 1},
        {begin_unix_ns + 59 * minute_ns, UINT64_MAX},
        {0, begin_unix_ns + 3 * hour_ns + minute_ns},
        {begin_unix_ns + 2 * hour_ns, begin_unix_ns + 3 * hour_ns},
        {begin_unix_ns + 61 * minute_ns, begin_unix_ns + 62 * minute_ns},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(ranges); i++)
        assert_same_answers(pair->reference.store, pair->disk.store, ranges[i]);
}

START_TEST(long_ranges_agree_while_segments_come_and_are_merged)
{
    struct pair pair;
    pair_init(&pair, 3);
    for (uint64_t i = 0; i < 9; i++) {
        append_both(&pair, 10 * (uint64_t)_i + i);
        if (i % 3 == 1)
            wait_for_merges(pair.disk.store);
        if (i % 3 == 0)
            compare(&pair);
    }
    wait_for_merges(pair.disk.store);
    compare(&pair);
    compare(&pair); /* everything that is kept is there now */
    fixture_reopen(&pair.disk);
    compare(&pair);
    pair_fini(&pair);
}
END_TEST

/* The head: nothing is sealed, blocks come one by one, and the same traces go on. */
START_TEST(the_graph_of_spans_in_memory_grows_as_the_reference_does)
{
    struct pair pair;
    pair_init(&pair, 1000);
    pair.disk.options.sizes = (struct sp_store_sizes){.seal_spans = 1000000};
    fixture_reopen(&pair.disk);
    for (uint64_t i = 0; i < 8; i++) {
        append_both(&pair, 100 * ((uint64_t)_i + 1) + i);
        assert_same_answers(pair.reference.store, pair.disk.store, SP_TIME_RANGE_ALL);
        assert_same_answers(
            pair.reference.store, pair.disk.store,
            (struct sp_time_range){begin_unix_ns + 5 * minute_ns, begin_unix_ns + 4 * hour_ns});
    }
    pair_fini(&pair);
}
END_TEST

static void removed(void *cookie, uint64_t first_append, uint64_t last_append, uint64_t span_count)
{
    (void)span_count;
    sp_store_reference_remove(cookie, first_append, last_append);
}

/* What was kept on top of a segment does not hold when that is removed. */
START_TEST(long_ranges_agree_when_segments_are_removed)
{
    struct pair pair;
    pair_init(&pair, 1000);
    for (uint64_t i = 0; i < 6; i++)
        append_both(&pair, 1000 + 10 * (uint64_t)_i + i);
    wait_for_merges(pair.disk.store);
    pair.disk.options.sizes.seal_spans = 1000000;
    fixture_reopen(&pair.disk);
    append_both(&pair, 1000 + 10 * (uint64_t)_i + 6); /* stays in memory */
    compare(&pair);
    struct sp_error error = {0};
    struct sp_retain retain = {.keep = {.age_ns = 1},
                               .now_unix_ns = begin_unix_ns + 1000 * hour_ns,
                               .removed = removed,
                               .cookie = pair.reference.store};
    ck_assert_msg(sp_store_retain(pair.disk.store, &retain, &error) == SP_OK, "%s", error.message);
    compare(&pair);
    pair_fini(&pair);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("contract_hours");
    TCase *tcase = tcase_create("hours");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, long_ranges_agree_while_segments_come_and_are_merged, 0, 3);
    tcase_add_loop_test(tcase, the_graph_of_spans_in_memory_grows_as_the_reference_does, 0, 3);
    tcase_add_loop_test(tcase, long_ranges_agree_when_segments_are_removed, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
