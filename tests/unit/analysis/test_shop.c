/* SPDX-License-Identifier: Apache-2.0
 *
 * The recorded shop (tests/data): 13,208 spans of eight real services. The edges below were worked out by a second,
 * independent implementation of docs/decisions/0027-service-graph.md in another language. */
#include "lib/analysis/analysis.h"
#include "lib/wire/wire.h"
#include "tests/support/check_main.h"
#include "tests/support/recording.h"

#include <stdio.h>
#include <stdlib.h>

static const char expected_edges[] = "cart > redis database 490 3\n"
                                     "catalog > redis database 226 0\n"
                                     "catalog > reviews  761 32\n"
                                     "checkout > 127.0.0.1 virtual_node 1 1\n"
                                     "checkout > cart  197 0\n"
                                     "checkout > inventory  144 0\n"
                                     "checkout > notifier messaging_system 49 0\n"
                                     "checkout > payment  74 21\n"
                                     "checkout > redis database 54 0\n"
                                     "gateway > 127.0.0.1 virtual_node 2 2\n"
                                     "gateway > cart  170 0\n"
                                     "gateway > catalog  216 12\n"
                                     "gateway > checkout  145 92\n"
                                     "gateway > gateway  152 0\n"
                                     "inventory > redis database 92 0\n"
                                     "loadgen > gateway  100 23\n"
                                     "notifier > redis database 122 0\n"
                                     "orders (redis) > notifier virtual_node 2 0\n"
                                     "user > gateway virtual_node 384 77\n";

struct shop {
    struct sp_recording recording;
    struct sp_arena arena;
    struct sp_span *spans; /* sorted by trace id; the order of arrival inside a trace */
    size_t count;
};

static int compare_traces(const void *left, const void *right)
{
    const struct sp_span *a = left, *b = right;
    return sp_trace_id_compare(&a->trace_id, &b->trace_id);
}

static void open_shop(struct shop *shop)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/otel-js-shop/json.tar.gz", sp_test_data_dir());
    ck_assert_int_eq(sp_recording_open(&shop->recording, path), SP_OK);
    sp_arena_init(&shop->arena, (size_t)512 << 20);
    shop->count = 0;
    shop->spans = malloc(20000 * sizeof *shop->spans);
    ck_assert_ptr_nonnull(shop->spans);
    for (size_t i = 0; i < shop->recording.count; i++) {
        const struct sp_recorded *request = &shop->recording.requests[i];
        if (!sp_slice_equal_cstr(request->signal, "traces"))
            continue;
        struct sp_error error = {0};
        const struct sp_batch *batch = NULL;
        ck_assert_int_eq(
            sp_otlp_json_decode(&shop->arena, request->body, sp_limits_default(), &batch, &error),
            SP_OK);
        ck_assert_uint_le(shop->count + batch->span_count, 20000);
        memcpy(shop->spans + shop->count, batch->spans, batch->span_count * sizeof *shop->spans);
        shop->count += batch->span_count;
    }
    qsort(shop->spans, shop->count, sizeof *shop->spans, compare_traces);
}

static void close_shop(struct shop *shop)
{
    free(shop->spans);
    sp_arena_fini(&shop->arena);
    sp_recording_close(&shop->recording);
}

/* The trace that begins at a place; the place behind it is returned. */
static size_t next_trace(const struct shop *shop, size_t from, struct sp_batch *ret)
{
    size_t to = from;
    while (to < shop->count && compare_traces(&shop->spans[from], &shop->spans[to]) == 0)
        to++;
    *ret = (struct sp_batch){.spans = shop->spans + from, .span_count = to - from};
    return to;
}

START_TEST(graph_of_the_shop_has_the_edges_of_an_independent_count)
{
    struct shop shop;
    struct sp_graph graph;
    char text[4096] = "";
    open_shop(&shop);
    sp_graph_init(&graph);
    struct sp_batch batch;
    for (size_t at = 0; at < shop.count;) {
        struct sp_trace trace;
        const struct sp_graph_call *calls;
        size_t count;
        at = next_trace(&shop, at, &batch);
        ck_assert_int_eq(sp_trace_assemble(&shop.arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_graph_calls(&shop.arena, &trace, &calls, &count), SP_OK);
        for (size_t i = 0; i < count; i++)
            ck_assert_int_eq(sp_graph_add(&graph, &calls[i]), SP_OK);
    }
    sp_graph_sort(&graph);
    for (size_t i = 0; i < graph.edge_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s > %.*s %s %lu %lu\n",
                 SP_SLICE_PRINTF(graph.edges[i].client), SP_SLICE_PRINTF(graph.edges[i].server),
                 sp_connection_type_name(graph.edges[i].type), (unsigned long)graph.edges[i].calls,
                 (unsigned long)graph.edges[i].errors);
    ck_assert_str_eq(text, expected_edges);
    sp_graph_fini(&graph);
    close_shop(&shop);
}
END_TEST

START_TEST(critical_paths_of_the_shop_fill_their_roots)
{
    struct shop shop;
    open_shop(&shop);
    struct sp_batch batch;
    size_t traces = 0, paths = 0;
    for (size_t at = 0; at < shop.count; traces++) {
        struct sp_trace trace;
        struct sp_critical_path path;
        at = next_trace(&shop, at, &batch);
        ck_assert_int_eq(sp_trace_assemble(&shop.arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_critical_path(&shop.arena, &trace, &path), SP_OK);
        ck_assert(path.segment_count > 0 || path.note);
        if (path.segment_count == 0)
            continue;
        paths++;
        const struct sp_span *root = trace.rows[0].span;
        uint64_t reached = root->start_unix_ns;
        for (size_t i = 0; i < path.segment_count; i++) {
            const struct sp_path_segment *segment = &path.segments[i];
            const struct sp_span *span = trace.rows[segment->row].span;
            ck_assert_uint_eq(segment->start_unix_ns, reached);
            ck_assert_uint_ge(segment->start_unix_ns, span->start_unix_ns);
            ck_assert_uint_le(segment->end_unix_ns, span->end_unix_ns);
            reached = segment->end_unix_ns;
        }
        ck_assert_uint_eq(reached, root->end_unix_ns);
    }
    ck_assert_uint_gt(traces, 700);
    ck_assert_uint_gt(paths, traces * 9 / 10);
    close_shop(&shop);
}
END_TEST

/* Without its host a service has a clock of its own. */
static void forget_hosts(struct shop *shop)
{
    for (size_t i = 0; i < shop->count; i++) {
        const struct sp_attributes *attributes = &shop->spans[i].resource->attributes;
        for (uint32_t k = 0; k < attributes->count; k++)
            if (sp_slice_starts_with(attributes->items[k].key, SP_SLICE("host.")))
                ((struct sp_attribute *)(uintptr_t)&attributes->items[k])->key = SP_SLICE("x");
    }
}

/* One machine ran all services; many of them finish a little after they have answered. */
START_TEST(clocks_of_the_shop_are_not_said_to_differ)
{
    struct shop shop;
    open_shop(&shop);
    struct sp_batch batch;
    size_t skewed = 0, clocks = 0;
    forget_hosts(&shop);
    for (size_t at = 0; at < shop.count;) {
        struct sp_trace trace;
        struct sp_skew skew;
        at = next_trace(&shop, at, &batch);
        ck_assert_int_eq(sp_trace_assemble(&shop.arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_skew_find(&shop.arena, &trace, &skew), SP_OK);
        skewed += skew.skewed_count > 0;
        clocks = skew.clock_count > clocks ? skew.clock_count : clocks;
    }
    ck_assert_uint_eq(skewed, 0);
    ck_assert_uint_gt(clocks, 5);
    close_shop(&shop);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_shop");
    TCase *tcase = tcase_create("shop");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, graph_of_the_shop_has_the_edges_of_an_independent_count);
    tcase_add_test(tcase, critical_paths_of_the_shop_fill_their_roots);
    tcase_add_test(tcase, clocks_of_the_shop_are_not_said_to_differ);
    suite_add_tcase(suite, tcase);
    return suite;
}
