/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_upgrade.c: data that older versions wrote is read, checked, merged and gone on with. Their values are made from what
 * is written now. Only for the engine on disk. */
#include "storage/kv.h"
#include "storage/segment.h"
#include "tests/contract/check_report.h"
#include "tests/support/check_main.h"
#include "tests/support/rollup_old.h"

#include <stdio.h>

static struct sp_kv *open_database(const struct fixture *fixture)
{
    char path[FOLDER_BYTES];
    struct sp_kv *kv;
    snprintf(path, sizeof(path), "%s/db", fixture->data_dir);
    ck_assert_int_eq(sp_kv_open(path, false, &kv, NULL), SP_OK);
    return kv;
}

/* What one value was in older versions, appended to old; false: it has not changed. */
typedef bool make_old(struct sp_slice key, struct sp_slice value, struct sp_buf *old);

/* Every value of a family that has changed, as it was. Returns how many. */
static size_t rewrite(const struct fixture *fixture, enum sp_kv_family family, make_old *make)
{
    size_t count = 0;
    struct sp_kv *kv = open_database(fixture);
    struct sp_kv_batch *batch = sp_kv_batch_new();
    struct sp_kv_iterator *rows = sp_kv_iterator_new(kv, family);
    struct sp_buf old;
    sp_buf_init(&old, SIZE_MAX);
    for (sp_kv_iterator_seek(rows, SP_SLICE("")); sp_kv_iterator_valid(rows);
         sp_kv_iterator_next(rows)) {
        struct sp_slice key = sp_kv_iterator_key(rows);
        sp_buf_reset(&old);
        if (!make(key, sp_kv_iterator_value(rows), &old))
            continue;
        sp_kv_batch_put(batch, kv, family, key, sp_buf_slice(&old));
        count++;
    }
    sp_kv_iterator_free(rows);
    ck_assert_int_eq(sp_kv_write(kv, batch, true, NULL), SP_OK);
    sp_kv_batch_free(batch);
    sp_buf_fini(&old);
    sp_kv_close(kv);
    return count;
}

static bool counts_of_format_1(struct sp_slice key, struct sp_slice value, struct sp_buf *old)
{
    if (key.len != SP_ROLLUP_KEY_BYTES || key.ptr[8] != SP_SEGMENT_COUNTS)
        return false;
    sp_rollup_as_format_1(value, old);
    return true;
}

/* Both stores hold the same; the reference knows nothing of segments. */
static void append_both(struct fixture *fixtures, uint64_t seed)
{
    for (int i = 0; i < ENGINE_COUNT; i++)
        append_some(&fixtures[i], seed, 0);
}

static void fixtures_init(struct fixture *fixtures)
{
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_init(&fixtures[i], (enum engine)i);
    fixtures[ENGINE_ROCKSDB].options.sizes = without_merges();
    fixture_reopen(&fixtures[ENGINE_ROCKSDB]);
    for (uint64_t i = 0; i < SEGMENTS; i++)
        append_both(fixtures, 70 + i);
}

static void assert_same(const struct fixture *fixtures)
{
    assert_same_answers(fixtures[ENGINE_REFERENCE].store, fixtures[ENGINE_ROCKSDB].store,
                        SP_TIME_RANGE_ALL);
}

static uint64_t segment_count(const struct fixture *fixture)
{
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture->store, &stats, NULL), SP_OK);
    return stats.segment_count;
}

static void reopen_with_merges(struct fixture *fixture)
{
    fixture->options.sizes = small_sizes();
    fixture->options.sizes.merge_segments = SEGMENTS + 1;
    fixture_reopen(fixture);
    wait_for_merges(fixture->store);
}

static size_t count_exemplars(struct fixture *fixture)
{
    struct sp_latency_series *rows;
    size_t count, set = 0;
    ck_assert_int_eq(sp_store_latency(fixture->store, SP_SLICE(""), SP_SLICE(""), -1,
                                      SP_TIME_RANGE_ALL, NULL, &fixture->arena, &rows, &count,
                                      NULL),
                     SP_OK);
    for (size_t i = 0; i < count; i++)
        set += !sp_trace_id_is_zero(&rows[i].exemplars.slowest.trace_id);
    sp_latency_rows_fini(rows, count);
    return set;
}

/* Counts had no exemplars: nobody guesses any, until a merge, which reads the spans anyway, finds them. */
START_TEST(counts_without_exemplars_get_them_when_they_are_merged)
{
    struct fixture fixtures[ENGINE_COUNT];
    struct fixture *rocks = &fixtures[ENGINE_ROCKSDB];
    fixtures_init(fixtures);
    assert_same(fixtures);
    close_store(rocks);
    ck_assert_uint_eq(rewrite(rocks, SP_KV_CHUNKS, counts_of_format_1), SEGMENTS);
    assert_sound(rocks->data_dir);
    ck_assert_int_eq(sp_store_rocksdb_open(&rocks->options, &rocks->store, NULL), SP_OK);
    ck_assert_uint_eq(count_exemplars(rocks), 0);
    ck_assert_uint_gt(count_exemplars(&fixtures[ENGINE_REFERENCE]), 0);

    append_both(fixtures, 90); /* has some */
    ck_assert_uint_gt(count_exemplars(rocks), 0);
    fixture_reopen(rocks);
    ck_assert_uint_eq(segment_count(rocks), SEGMENTS + 1);
    reopen_with_merges(rocks);
    ck_assert_uint_eq(segment_count(rocks), 1);
    assert_same(fixtures);
    fixture_close_sound(rocks);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_fini(&fixtures[i]);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("upgrade");
    TCase *tests = tcase_create("upgrade");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, counts_without_exemplars_get_them_when_they_are_merged);
    suite_add_tcase(suite, tests);
    return suite;
}
