/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_upgrade.c: data that older versions wrote is read, checked, merged and gone on with. Their values are made from what
 * is written now. Only for the engine on disk. */
#include "storage/kv.h"
#include "storage/segment_layout.h"
#include "tests/contract/check_report.h"
#include "tests/support/check_main.h"
#include "tests/support/old_formats.h"

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

/* ---- names of brokers ---- */

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;
static const uint64_t hour_ns = 3600ULL * 1000000000;

static bool calls_by_system(struct sp_slice key, struct sp_slice value, struct sp_buf *old)
{
    if ((key.len != SP_ROLLUP_KEY_BYTES && key.len != SP_ROLLUP_VERSIONED_KEY_BYTES) ||
        key.ptr[8] != SP_SEGMENT_EDGES)
        return false;
    sp_edges_named_by_system(value, old);
    return true;
}

static bool header_5(struct sp_slice key, struct sp_slice value, struct sp_buf *old)
{
    uint64_t id;
    ck_assert(sp_segment_key_parse(key, &id));
    sp_header_as_version(SP_SEGMENT_VERSION_NO_NAMES, id, value, old);
    return true;
}

enum half { PRODUCER, CONSUMER };

/* A request that sends a message; or the work on one, as a trace of its own where it has no parent. */
static void append_half(struct fixture *fixture, enum half half, uint64_t trace, bool has_parent,
                        uint64_t at_unix_ns)
{
    const struct sp_attribute items[] = {
        {SP_SLICE("messaging.system"), {.kind = SP_VALUE_STRING, .string = SP_SLICE("kafka")}},
        {SP_SLICE("messaging.destination.name"),
         {.kind = SP_VALUE_STRING, .string = SP_SLICE("jobs")}}};
    struct sp_span spans[2] = {simple_span(trace, 1, at_unix_ns, 50, "web", "request"),
                               simple_span(trace, 2, at_unix_ns + 1, 7, "web", "send")};
    spans[0].kind = SP_KIND_SERVER;
    spans[1].kind = SP_KIND_PRODUCER;
    spans[1].parent_span_id = spans[0].span_id;
    if (half == CONSUMER) {
        struct sp_span_id parent = spans[1].span_id;
        spans[1] = simple_span(trace, 3, at_unix_ns + 9, 20, "worker", "work");
        spans[1].kind = SP_KIND_CONSUMER;
        if (has_parent)
            spans[1].parent_span_id = parent;
    }
    spans[1].attributes = (struct sp_attributes){.items = items, .count = 2};
    append(fixture, half == CONSUMER ? batch_of(&fixture->arena, spans + 1, 1)
                                     : batch_of(&fixture->arena, spans, 2));
}

/* "client>server calls, ..." in order. */
static void expect_graph(struct fixture *fixture, const char *want)
{
    struct sp_graph_edge *edges;
    struct sp_error error = {0};
    size_t count, len = 0;
    char text[512] = "";
    enum sp_status status = sp_store_graph(fixture->store, SP_TIME_RANGE_ALL, NULL, &fixture->arena,
                                           &edges, &count, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    for (size_t i = 0; i < count; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s>%.*s %llu", i > 0 ? ", " : "",
                             SP_SLICE_PRINTF(edges[i].client), SP_SLICE_PRINTF(edges[i].server),
                             (unsigned long long)edges[i].calls);
    sp_graph_edges_fini(edges, count);
    ck_assert_str_eq(text, want);
}

/* Two segments as older versions wrote them. */
static void make_old_messages(struct fixture *rocks)
{
    fixture_init(rocks, ENGINE_ROCKSDB);
    rocks->options.sizes = without_merges();
    fixture_reopen(rocks);
    append_half(rocks, PRODUCER, 1, false, noon_unix_ns);
    append_half(rocks, CONSUMER, 2, false, noon_unix_ns);
    append_half(rocks, PRODUCER, 3, false, noon_unix_ns);
    append_half(rocks, PRODUCER, 4, false, noon_unix_ns);
    append_half(rocks, PRODUCER, 5, false, noon_unix_ns);
    wait_for_merges(rocks->store);
    fixture_reopen(rocks);
    append_half(rocks, CONSUMER, 5, true, noon_unix_ns);
    fixture_close_sound(rocks);
    size_t segments = rewrite(rocks, SP_KV_SEGMENTS, header_5);
    ck_assert_uint_ge(segments, 2);
    ck_assert_uint_eq(rewrite(rocks, SP_KV_CHUNKS, calls_by_system), segments);
    assert_sound(rocks->data_dir);
    ck_assert_int_eq(sp_store_rocksdb_open(&rocks->options, &rocks->store, NULL), SP_OK);
}

/* Calls are taken out under the names under which they were counted: late ends of old messages, in memory, sealed, merged, and when the
 * old ones go. */
START_TEST(brokers_keep_the_names_that_they_were_counted_under)
{
    struct fixture rocks;
    make_old_messages(&rocks);
    expect_graph(&rocks, "kafka>worker 1, user>web 4, web>kafka 3, web>worker 1");
    append_half(&rocks, CONSUMER, 3, true, noon_unix_ns + 10 * hour_ns);
    expect_graph(&rocks, "kafka>worker 1, user>web 4, web>kafka 2, web>worker 2");
    append_half(&rocks, PRODUCER, 6, false, noon_unix_ns + 10 * hour_ns);
    append_half(&rocks, CONSUMER, 7, false, noon_unix_ns + 10 * hour_ns);
    static const char now[] = "jobs (kafka)>worker 1, kafka>worker 1, user>web 5, "
                              "web>jobs (kafka) 1, web>kafka 2, web>worker 2";
    expect_graph(&rocks, now);
    wait_for_merges(rocks.store);
    expect_graph(&rocks, now);
    fixture_close_sound(&rocks);

    rocks.options.sizes = small_sizes();
    rocks.options.sizes.merge_segments = 2;
    ck_assert_int_eq(sp_store_rocksdb_open(&rocks.options, &rocks.store, NULL), SP_OK);
    append_half(&rocks, CONSUMER, 4, true, noon_unix_ns + 10 * hour_ns);
    wait_for_merges(rocks.store);
    expect_graph(&rocks, "jobs (kafka)>worker 1, kafka>worker 1, user>web 5, "
                         "web>jobs (kafka) 1, web>kafka 1, web>worker 3");
    ck_assert_uint_ge(segment_count(&rocks), 2); /* old and new names are not mixed */
    fixture_close_sound(&rocks);
    ck_assert_int_eq(sp_store_rocksdb_open(&rocks.options, &rocks.store, NULL), SP_OK);

    struct sp_retain retain = {.keep = {.age_ns = 5 * hour_ns},
                               .now_unix_ns = noon_unix_ns + 11 * hour_ns};
    ck_assert_int_eq(sp_store_retain(rocks.store, &retain, NULL), SP_OK);
    /* Ends whose beginnings are gone are no calls. */
    expect_graph(&rocks, "jobs (kafka)>worker 1, user>web 1, web>jobs (kafka) 1");
    fixture_close_sound(&rocks);
    fixture_fini(&rocks);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("upgrade");
    TCase *tests = tcase_create("upgrade");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, counts_without_exemplars_get_them_when_they_are_merged);
    tcase_add_test(tests, brokers_keep_the_names_that_they_were_counted_under);
    suite_add_tcase(suite, tests);
    return suite;
}
