/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_values.c: a search for a value opens the segments that have it, and no search misses one: in segments that were
 * sealed, merged, or written before segments knew their values. On the engine on disk, beside the reference. */
#include "storage/kv.h"
#include "storage/pack.h"
#include "storage/segment.h"
#include "storage/segment_layout.h"
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"
#include "tests/support/condition_gen.h"
#include "tests/support/old_formats.h"

#include <stdio.h>

#define SEGMENTS ((uint32_t)6)

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

static struct sp_store_sizes without_merges(void)
{
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_segments = 1000;
    return sizes;
}

static enum sp_visit visit(void *cookie, const struct sp_candidate *candidate)
{
    (void)candidate;
    ++*(uint32_t *)cookie;
    return SP_VISIT_CONTINUE;
}

static struct sp_condition order_is(const char *text)
{
    return (struct sp_condition){.field = SP_FIELD_ATTRIBUTE,
                                 .scopes = SP_SCOPE_SPAN,
                                 .key = SP_SLICE("order.id"),
                                 .operation = SP_OP_EQ,
                                 .value = {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(text)}};
}

/* What a scan with one condition reads and finds. */
static struct sp_scanned scan_for(struct sp_store *store, struct sp_condition condition,
                                  uint32_t *ret_traces)
{
    struct sp_scanned scanned = {0};
    const struct sp_scan scan = {
        .range = SP_TIME_RANGE_ALL, .conditions = &condition, .condition_count = 1};
    *ret_traces = 0;
    ck_assert_int_eq(sp_store_scan(store, &scan, NULL, visit, ret_traces, &scanned, NULL), SP_OK);
    return scanned;
}

/* Segments of ten traces each; order.id is "order-SEGMENT-TRACE". */
static void append_orders(struct fixture *fixture)
{
    for (uint32_t s = 0; s < SEGMENTS; s++) {
        struct sp_span spans[10];
        struct sp_attribute orders[10];
        char texts[10][32];
        for (uint32_t i = 0; i < 10; i++) {
            snprintf(texts[i], sizeof(texts[i]), "order-%u-%u", s, i);
            orders[i] = (struct sp_attribute){
                SP_SLICE("order.id"), {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(texts[i])}};
            spans[i] = simple_span(100 * s + i + 1, i + 1, noon_unix_ns, 10, "shop", "order");
            spans[i].attributes = (struct sp_attributes){.items = &orders[i], .count = 1};
        }
        append(fixture, batch_of(&fixture->arena, spans, 10));
        wait_for_merges(fixture->store);
    }
}

START_TEST(segments_without_the_value_are_not_opened)
{
    struct fixture fixture;
    uint32_t traces;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = without_merges();
    fixture_reopen(&fixture);
    append_orders(&fixture);
    struct sp_scanned scanned = scan_for(fixture.store, order_is("order-4-2"), &traces);
    ck_assert_uint_eq(traces, 1);
    ck_assert_uint_eq(scanned.segments, 1);
    ck_assert_uint_eq(scanned.rows, 10);
    scanned = scan_for(fixture.store, order_is("order-99"), &traces);
    ck_assert_uint_eq(traces, 0);
    ck_assert_uint_eq(scanned.segments, 0);
    ck_assert_uint_eq(scanned.rows, 0);
    ck_assert_uint_gt(scanned.bytes, 0); /* what it looked at instead */
    struct sp_condition condition = order_is("");
    condition.operation = SP_OP_EXISTS;
    scanned = scan_for(fixture.store, condition, &traces);
    ck_assert_uint_eq(traces, 10 * SEGMENTS);
    ck_assert_uint_eq(scanned.segments, SEGMENTS);
    condition.key = SP_SLICE("order");
    scanned = scan_for(fixture.store, condition, &traces);
    ck_assert_uint_eq(scanned.segments, 0);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(merged_segments_know_their_values)
{
    struct fixture fixture;
    uint32_t traces;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture_reopen(&fixture);
    append_orders(&fixture);
    struct sp_scanned scanned = scan_for(fixture.store, order_is("order-0-9"), &traces);
    ck_assert_uint_eq(traces, 1);
    ck_assert_uint_eq(scanned.segments, 1);
    scanned = scan_for(fixture.store, order_is("order-99"), &traces);
    ck_assert_uint_eq(scanned.segments, 0);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

/* ---- segments of before ---- */

/* The headers as version 4 had them, and no pages. */
static void forget_values(const char *data_dir)
{
    char path[256];
    struct sp_kv *kv;
    struct sp_kv_batch *batch = sp_kv_batch_new();
    snprintf(path, sizeof(path), "%s/db", data_dir);
    ck_assert_int_eq(sp_kv_open(path, false, &kv, NULL), SP_OK);
    struct sp_kv_iterator *headers = sp_kv_iterator_new(kv, SP_KV_SEGMENTS);
    for (sp_kv_iterator_seek(headers, SP_SLICE("")); sp_kv_iterator_valid(headers);
         sp_kv_iterator_next(headers)) {
        struct sp_slice value = sp_kv_iterator_value(headers);
        struct sp_buf header;
        uint64_t id;
        ck_assert(sp_segment_key_parse(sp_kv_iterator_key(headers), &id));
        sp_buf_init(&header, 1024 * 1024);
        sp_header_as_version(SP_SEGMENT_VERSION_NO_VALUES, id, value, &header);
        sp_kv_batch_put(batch, kv, SP_KV_SEGMENTS, sp_kv_iterator_key(headers),
                        sp_buf_slice(&header));
        sp_buf_fini(&header);
    }
    sp_kv_iterator_free(headers);
    struct sp_kv_iterator *chunks = sp_kv_iterator_new(kv, SP_KV_CHUNKS);
    uint32_t pages = 0;
    for (sp_kv_iterator_seek(chunks, SP_SLICE("")); sp_kv_iterator_valid(chunks);
         sp_kv_iterator_next(chunks)) {
        if (sp_kv_iterator_key(chunks).len == SP_VALUE_KEY_BYTES) {
            sp_kv_batch_delete(batch, kv, SP_KV_CHUNKS, sp_kv_iterator_key(chunks));
            pages++;
        }
    }
    ck_assert_uint_eq(pages, 2 * SEGMENTS);
    sp_kv_iterator_free(chunks);
    ck_assert_int_eq(sp_kv_write(kv, batch, true, NULL), SP_OK);
    sp_kv_batch_free(batch);
    sp_kv_close(kv);
}

START_TEST(segments_that_do_not_know_their_values_are_searched)
{
    struct fixture fixture;
    uint32_t traces;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = without_merges();
    fixture_reopen(&fixture);
    append_orders(&fixture);
    sp_store_close(fixture.store);
    forget_values(fixture.data_dir);
    fixture_open(&fixture);
    struct sp_scanned scanned = scan_for(fixture.store, order_is("order-4-2"), &traces);
    ck_assert_uint_eq(traces, 1);
    ck_assert_uint_eq(scanned.segments, SEGMENTS);
    fixture.options.sizes = small_sizes(); /* a merge gets to know them */
    fixture_reopen(&fixture);
    wait_for_merges(fixture.store);
    scanned = scan_for(fixture.store, order_is("order-99"), &traces);
    ck_assert_uint_eq(scanned.segments, 0);
    scanned = scan_for(fixture.store, order_is("order-3-3"), &traces);
    ck_assert_uint_eq(traces, 1);
    fixture_fini(&fixture);
}
END_TEST

/* What the scan asks of whole traces leaves out those whose spans cannot have it, wherever they are. */
START_TEST(traces_without_a_span_of_other_conditions_are_left_out)
{
    struct fixture fixture;
    struct sp_arena arena;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = without_merges();
    fixture_reopen(&fixture);
    append_orders(&fixture);
    sp_arena_init(&arena, SIZE_MAX);
    const struct sp_condition wanted = order_is("order-4-2"), absent = order_is("order-99");
    struct sp_scan also = {.range = SP_TIME_RANGE_ALL, .conditions = &wanted, .condition_count = 1};
    struct sp_scan scan = {.range = SP_TIME_RANGE_ALL, .also = &also, .also_count = 1};
    struct candidate_list found = scan_all(fixture.store, &arena, &scan);
    ck_assert_uint_eq(found.count, 1);
    const struct sp_trace_id id = found.items[0].trace_id;
    also.conditions = &absent;
    found = scan_all(fixture.store, &arena, &scan);
    ck_assert_uint_eq(found.count, 0);
    scan = (struct sp_scan){.range = SP_TIME_RANGE_ALL, .trace_ids = &id, .trace_id_count = 1};
    struct sp_scanned scanned;
    uint32_t count = 0;
    found = scan_all(fixture.store, &arena, &scan);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_int_eq(sp_store_scan(fixture.store, &scan, NULL, visit, &count, &scanned, NULL),
                     SP_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(scanned.segments, 1);
    sp_arena_fini(&arena);
    fixture_fini(&fixture);
}
END_TEST

/* ---- beside the reference ---- */

static bool lists(const struct candidate_list *list, const struct sp_trace_id *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (sp_trace_id_compare(&list->items[i].trace_id, id) == 0)
            return true;
    }
    return false;
}

static void assert_finds_all(struct fixture *fixture, struct sp_store *reference,
                             const struct span_list *all, uint64_t seed)
{
    struct sp_gen gen = {.state = seed};
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    for (int round = 0; round < 250; round++) {
        struct sp_condition conditions[4];
        struct sp_trace_id ids[2];
        for (size_t i = 0; i < SP_ARRAY_LEN(conditions); i++)
            conditions[i] = sp_gen_condition(&gen, all->spans, (uint32_t)all->count);
        for (size_t i = 0; i < SP_ARRAY_LEN(ids); i++)
            ids[i] = all->spans[sp_gen_below(&gen, all->count)]->trace_id;
        bool several = sp_trace_id_compare(&ids[0], &ids[1]) < 0;
        const struct sp_scan also[2] = {
            {SP_TIME_RANGE_ALL, .conditions = conditions + 2, .condition_count = 1},
            {SP_TIME_RANGE_ALL, .conditions = conditions + 1, .condition_count = 3,
             .match_any = sp_gen_chance(&gen, 50)}};
        struct sp_scan scan = {.range = SP_TIME_RANGE_ALL,
                               .conditions = conditions,
                               .condition_count = sp_gen_below(&gen, 3),
                               .match_any = sp_gen_chance(&gen, 50),
                               .also = also,
                               .also_count = sp_gen_below(&gen, 3),
                               .trace_ids = ids,
                               .trace_id_count = sp_gen_chance(&gen, 20) ? 1 + several : 0};
        if (sp_gen_chance(&gen, 40))
            scan.range.from_unix_ns = all->spans[sp_gen_below(&gen, all->count)]->start_unix_ns;
        struct candidate_list want = scan_all(reference, &arena, &scan);
        struct candidate_list got = scan_all(fixture->store, &arena, &scan);
        for (size_t i = 0; i < want.count; i++)
            ck_assert_msg(lists(&got, &want.items[i].trace_id), "seed %llu, round %d",
                          (unsigned long long)seed, round);
        for (size_t i = 0; i < got.count && scan.trace_id_count > 0; i++)
            ck_assert_int_eq(scan.trace_id_count == 2 &&
                                     sp_trace_id_compare(&got.items[i].trace_id, &ids[1]) == 0
                                 ? 0
                                 : sp_trace_id_compare(&got.items[i].trace_id, &ids[0]),
                             0);
        sp_arena_reset(&arena);
    }
    sp_arena_fini(&arena);
}

START_TEST(no_search_misses_a_trace)
{
    const uint64_t seed = 40 + (uint64_t)_i;
    const struct sp_batch *batches[10];
    struct fixture fixture, reference;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture_init(&reference, ENGINE_REFERENCE);
    fixture.options.sizes = _i % 2 == 0 ? small_sizes() : without_merges();
    fixture_reopen(&fixture);
    for (size_t i = 0; i < SP_ARRAY_LEN(batches); i++) {
        struct sp_gen_options options = sp_gen_options_everything(25);
        options.trace_seed = seed;
        options.trace_count = 20;
        batches[i] = sp_gen_batch(&fixture.arena, seed * 100 + i, &options);
        append(&fixture, batches[i]);
        append(&reference, batches[i]);
        if (i % 3 == 0)
            wait_for_merges(fixture.store);
    }
    struct span_list all = span_list_make(&fixture.arena, batches, SP_ARRAY_LEN(batches));
    assert_finds_all(&fixture, reference.store, &all, seed);
    fixture_reopen(&fixture); /* all of it in segments */
    wait_for_merges(fixture.store);
    assert_finds_all(&fixture, reference.store, &all, seed + 1000);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
    fixture_fini(&reference);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("values");
    TCase *tests = tcase_create("values");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, segments_without_the_value_are_not_opened);
    tcase_add_test(tests, merged_segments_know_their_values);
    tcase_add_test(tests, segments_that_do_not_know_their_values_are_searched);
    tcase_add_test(tests, traces_without_a_span_of_other_conditions_are_left_out);
    tcase_add_loop_test(tests, no_search_misses_a_trace, 0, 4);
    suite_add_tcase(suite, tests);
    return suite;
}
