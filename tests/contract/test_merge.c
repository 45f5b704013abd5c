/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_merge.c: segments become fewer, and nobody can tell from the answers. Random histories with merges:
 * test_history.c; kills within them: test_crash.c. */
#include "storage/kv.h"
#include "storage/segment.h"
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENTS 12

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;
static const uint64_t hour_ns = 3600ULL * 1000000000;

/* ---- stores of a few segments ---- */

static void reopen_with(struct fixture *fixture, struct sp_store_sizes sizes)
{
    fixture->options.sizes = sizes;
    fixture_reopen(fixture);
}

/* As many segments as there are appends. */
static struct sp_store_sizes without_merges(void)
{
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_segments = 1000;
    return sizes;
}

/* A segment of its own. */
static void append_segment(struct fixture *fixture, const struct sp_batch *batch)
{
    append(fixture, batch);
    wait_for_merges(fixture->store);
}

struct content {
    const struct sp_batch *batches[SEGMENTS];
    struct span_list all;
};

/* Some traces that all segments have spans of. */
static void append_content(struct fixture *fixture, struct content *content)
{
    for (size_t i = 0; i < SEGMENTS; i++) {
        struct sp_gen_options options = sp_gen_options_everything(30);
        options.trace_seed = 5;
        options.trace_count = 9;
        options.no_residue = true;
        options.odd_percent = 0; /* times a minute apart, not years */
        options.window_ns = 60000000000ULL;
        content->batches[i] = sp_gen_batch(&fixture->arena, 70 + i, &options);
        append_segment(fixture, content->batches[i]);
    }
    content->all = span_list_make(&fixture->arena, content->batches, SEGMENTS);
}

static void assert_content(const struct fixture *fixture, const struct content *content)
{
    assert_all_traces(fixture->store, &content->all);
    struct sp_store_stats stats = stats_of(fixture->store);
    ck_assert_uint_eq(stats.span_count, content->all.count);
    ck_assert_uint_eq(stats.trace_count, 9);
}

/* ---- what is in the database ---- */

static struct sp_kv *open_database(struct fixture *fixture)
{
    char path[256];
    struct sp_kv *kv;
    struct sp_error error = {0};
    sp_store_close(fixture->store);
    fixture->store = NULL;
    snprintf(path, sizeof(path), "%s/db", fixture->data_dir);
    enum sp_status status = sp_kv_open(path, false, &kv, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return kv;
}

static void close_database(struct fixture *fixture, struct sp_kv *kv)
{
    sp_kv_close(kv);
    ck_assert_int_eq(sp_store_rocksdb_open(&fixture->options, &fixture->store, NULL), SP_OK);
}

static uint64_t id_in_key(struct sp_slice key)
{
    uint64_t id;
    ck_assert(sp_segment_key_parse(sp_slice_sub(key, 0, SP_SEGMENT_KEY_BYTES), &id));
    return id;
}

/* Distinct segments of a family's keys. */
static size_t count_ids(struct sp_kv *kv, enum sp_kv_family family)
{
    size_t count = 0;
    uint64_t before = 0;
    struct sp_kv_iterator *rows = sp_kv_iterator_new(kv, family);
    for (sp_kv_iterator_seek(rows, SP_SLICE("")); sp_kv_iterator_valid(rows);
         sp_kv_iterator_next(rows)) {
        uint64_t id = id_in_key(sp_kv_iterator_key(rows));
        count += id != before;
        before = id;
    }
    ck_assert_int_eq(sp_kv_iterator_status(rows, NULL), SP_OK);
    sp_kv_iterator_free(rows);
    return count;
}

/* ---- tests ---- */

/* Inputs are put together by the first halves of ids. Here these are the same, and the largest there are. */
START_TEST(traces_whose_ids_begin_alike_are_told_apart)
{
    enum { TRACES = 6 };
    struct fixture fixture;
    const struct sp_batch *batches[SEGMENTS];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_segments = 3;
    reopen_with(&fixture, sizes);
    for (size_t i = 0; i < SEGMENTS; i++) {
        struct sp_span spans[TRACES];
        for (size_t t = 0; t < TRACES; t++) {
            spans[t] = simple_span(TRACES - t, 1 + i, noon_unix_ns, 5, "shop", "buy");
            memset(spans[t].trace_id.bytes, t % 2 == 0 ? 0xff : 0x11, 8);
        }
        memset(spans[0].trace_id.bytes, 0xff, sizeof(spans[0].trace_id.bytes));
        batches[i] = batch_of(&fixture.arena, spans, TRACES);
        append_segment(&fixture, batches[i]);
    }
    struct span_list all = span_list_make(&fixture.arena, batches, SEGMENTS);
    ck_assert_uint_gt(stats_of(fixture.store).merge_count, 0);
    ck_assert_uint_eq(stats_of(fixture.store).trace_count, TRACES);
    assert_all_traces(fixture.store, &all);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(neighbours_become_one_segment_with_the_same_spans)
{
    struct fixture fixture;
    struct content content;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_with(&fixture, without_merges());
    append_content(&fixture, &content);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, SEGMENTS);
    assert_content(&fixture, &content);

    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_segments = 3; /* 12 of 30 spans, 4 of 90, 1 of 270 and one that is left */
    reopen_with(&fixture, sizes);
    wait_for_merges(fixture.store);
    struct sp_store_stats stats = stats_of(fixture.store);
    ck_assert_uint_eq(stats.segment_count, 2);
    ck_assert_uint_eq(stats.merge_count, 5);
    ck_assert_uint_eq(stats.merged_span_count, 12 * 30 + 3 * 90);
    ck_assert_uint_eq(stats.merge_failure_count, 0);
    assert_content(&fixture, &content);

    /* The old ones left nothing behind; and order does not depend on ids. */
    struct sp_kv *kv = open_database(&fixture);
    ck_assert_uint_eq(count_ids(kv, SP_KV_SEGMENTS), 2);
    ck_assert_uint_eq(count_ids(kv, SP_KV_CHUNKS), 2);
    close_database(&fixture, kv);
    assert_content(&fixture, &content);
    append_segment(&fixture, content.batches[0]);
    ck_assert_uint_eq(stats_of(fixture.store).trace_count, 9);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(merged_segments_are_not_larger_than_the_limit)
{
    struct fixture fixture;
    struct content content;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_spans_max = 100;
    reopen_with(&fixture, sizes);
    append_content(&fixture, &content);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, SEGMENTS / 3); /* of 90 spans */
    assert_content(&fixture, &content);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(segments_far_apart_in_time_are_not_merged)
{
    struct fixture fixture;
    struct sp_span span;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_with(&fixture, small_sizes());
    for (uint64_t i = 0; i < 4; i++) { /* two on one day, two on another */
        span = simple_span(i + 1, 1, noon_unix_ns + i / 2 * 30 * hour_ns + i * hour_ns, 5, "cart",
                           "x");
        append_segment(&fixture, batch_of(&fixture.arena, &span, 1));
    }
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 2);
    /* A clock that was wrong makes a segment that is as wide as it likes: it does not stand in the way for ever. */
    struct sp_span wide[2] = {simple_span(9, 1, 1, 5, "cart", "x"),
                              simple_span(9, 2, noon_unix_ns + 40 * hour_ns, 5, "cart", "x")};
    append_segment(&fixture, batch_of(&fixture.arena, wide, 2));
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 1);
    ck_assert_uint_eq(stats_of(fixture.store).span_count, 6);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(trace_of_many_blocks_keeps_its_order_in_a_merge)
{
    enum { SPANS = 20000, PARTS = 3 }; /* two blocks each */
    struct fixture fixture;
    const struct sp_batch *batches[PARTS];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_spans = sizes.merge_spans_max = 1000000;
    sizes.merge_segments = PARTS;
    reopen_with(&fixture, sizes);
    struct sp_span *spans = calloc(SPANS, sizeof(*spans));
    for (uint64_t p = 0; p < PARTS; p++) {
        for (uint64_t i = 0; i < SPANS; i++)
            spans[i] = simple_span(i % 1000 == 0 ? 100 + i : 7, p * SPANS + i + 1, noon_unix_ns + i,
                                   i, "cart", i % 2 ? "x" : "y");
        batches[p] = batch_of(&fixture.arena, spans, SPANS);
        append_segment(&fixture, batches[p]);
    }
    free(spans);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 1);
    struct span_list all = span_list_make(&fixture.arena, batches, PARTS);
    assert_all_traces(fixture.store, &all);
    ck_assert_uint_eq(stats_of(fixture.store).trace_count, 21);
    fixture_fini(&fixture);
}
END_TEST

/* ---- readers ---- */

struct slow_reader {
    struct fixture *fixture;
    const struct content *content;
    size_t visited;
};

/* While the scan holds its segments they are merged: they have to stay until it is done. */
static enum sp_visit visit_slowly(void *cookie, const struct sp_candidate *candidate)
{
    struct slow_reader *reader = cookie;
    (void)candidate;
    if (reader->visited++ == 0) {
        struct sp_store_stats stats;
        append(reader->fixture, reader->content->batches[0]);
        do {
            usleep(1000);
            stats = stats_of(reader->fixture->store);
        } while (stats.merge_count == 0);
        ck_assert_uint_gt(stats.dropped_segment_count, 0);
    }
    return SP_VISIT_CONTINUE;
}

START_TEST(reader_keeps_the_segments_it_reads)
{
    struct fixture fixture;
    struct content content;
    struct sp_scanned scanned;
    struct sp_error error = {0};
    fixture_init(&fixture, ENGINE_ROCKSDB);
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_segments = SEGMENTS + 1;
    reopen_with(&fixture, sizes);
    append_content(&fixture, &content);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, SEGMENTS);
    struct slow_reader reader = {&fixture, &content, 0};
    struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    enum sp_status status =
        sp_store_scan(fixture.store, &scan, NULL, visit_slowly, &reader, &scanned, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_uint_eq(reader.visited, 9);
    wait_for_merges(fixture.store); /* their room is given back now */
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 1);
    struct sp_kv *kv = open_database(&fixture);
    ck_assert_uint_eq(count_ids(kv, SP_KV_CHUNKS), 1);
    close_database(&fixture, kv);
    ck_assert_uint_eq(stats_of(fixture.store).trace_count, 9);
    fixture_fini(&fixture);
}
END_TEST

/* ---- what a crash leaves, and damage ---- */

START_TEST(chunks_without_a_header_go_at_the_next_start)
{
    struct fixture fixture;
    struct content content;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_with(&fixture, without_merges());
    append_content(&fixture, &content);
    struct sp_kv *kv = open_database(&fixture);
    struct sp_kv_batch *batch = sp_kv_batch_new();
    for (uint64_t id = 1; id < 100; id += 30) { /* 31 and more are of nobody */
        uint8_t key[SP_CHUNK_KEY_BYTES] = {0};
        sp_segment_key(id, key);
        sp_kv_batch_put(batch, kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)), SP_SLICE("x"));
    }
    ck_assert_int_eq(sp_kv_write(kv, batch, true, NULL), SP_OK);
    sp_kv_batch_free(batch);
    ck_assert_uint_eq(count_ids(kv, SP_KV_CHUNKS), SEGMENTS + 3);
    close_database(&fixture, kv);
    assert_content(&fixture, &content);
    kv = open_database(&fixture);
    ck_assert_uint_eq(count_ids(kv, SP_KV_CHUNKS), SEGMENTS);
    close_database(&fixture, kv);
    fixture_fini(&fixture);
}
END_TEST

/* Changes a byte in the last chunk of a segment, beneath the checksums of the database. */
static void damage_segment(struct sp_kv *kv, uint64_t id)
{
    uint8_t key[SP_CHUNK_KEY_BYTES];
    size_t key_len = 0;
    struct sp_buf value;
    sp_buf_init(&value, SIZE_MAX / 2);
    struct sp_kv_iterator *rows = sp_kv_iterator_new(kv, SP_KV_CHUNKS);
    for (sp_kv_iterator_seek(rows, SP_SLICE("")); sp_kv_iterator_valid(rows);
         sp_kv_iterator_next(rows)) {
        struct sp_slice row = sp_kv_iterator_key(rows);
        if (id_in_key(row) != id || row.len != sizeof(key))
            continue;
        memcpy(key, row.ptr, key_len = row.len);
        sp_buf_reset(&value);
        sp_buf_append_slice(&value, sp_kv_iterator_value(rows));
    }
    sp_kv_iterator_free(rows);
    ck_assert_uint_eq(key_len, sizeof(key));
    value.ptr[value.len - 1] ^= 1;
    struct sp_kv_batch *batch = sp_kv_batch_new();
    sp_kv_batch_put(batch, kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)), sp_buf_slice(&value));
    ck_assert_int_eq(sp_kv_write(kv, batch, true, NULL), SP_OK);
    sp_kv_batch_free(batch);
    sp_buf_fini(&value);
}

START_TEST(damaged_segment_stays_and_the_others_are_merged)
{
    struct fixture fixture;
    struct sp_error error;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_with(&fixture, without_merges());
    for (uint64_t i = 0; i < 7; i++) {
        struct sp_span span = simple_span(i + 1, 1, noon_unix_ns, 5, "cart", "x");
        append_segment(&fixture, batch_of(&fixture.arena, &span, 1));
    }
    struct sp_kv *kv = open_database(&fixture);
    damage_segment(kv, 4);
    fixture.options.sizes = small_sizes();
    fixture.options.sizes.merge_segments = 3;
    close_database(&fixture, kv);
    wait_for_merges(fixture.store);
    struct sp_store_stats stats = stats_of(fixture.store);
    ck_assert_uint_eq(stats.segment_count, 3); /* 1 to 3, the damaged one, 5 to 7 */
    ck_assert_uint_eq(stats.span_count, 7);
    for (uint64_t i = 0; i < 7; i++) {
        struct sp_trace_id id = trace_id_of(i + 1);
        const struct sp_batch *batch;
        ck_assert_int_eq(sp_store_trace_read(fixture.store, &id, &fixture.arena, &batch, &error),
                         i == 3 ? SP_CORRUPT : SP_OK);
    }
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("merge");
    TCase *tcase = tcase_create("rocksdb");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, traces_whose_ids_begin_alike_are_told_apart);
    tcase_add_test(tcase, neighbours_become_one_segment_with_the_same_spans);
    tcase_add_test(tcase, merged_segments_are_not_larger_than_the_limit);
    tcase_add_test(tcase, segments_far_apart_in_time_are_not_merged);
    tcase_add_test(tcase, trace_of_many_blocks_keeps_its_order_in_a_merge);
    tcase_add_test(tcase, reader_keeps_the_segments_it_reads);
    tcase_add_test(tcase, chunks_without_a_header_go_at_the_next_start);
    tcase_add_test(tcase, damaged_segment_stays_and_the_others_are_merged);
    suite_add_tcase(suite, tcase);
    return suite;
}
