/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_edge_rollup.c: traces split over segments in any way add up to the graph of whole traces. */
#include "storage/edge_rollup.h"
#include "storage/rollup_format.h"
#include "tests/support/check_main.h"
#include "tests/support/recording.h"
#include "tests/support/span_gen.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENTS   5
#define TRACES_MAX 8
#define SPANS_MAX  40

/* ---- random traces ---- */

static const char *const services[] = {"web", "cart", "db", "queue", ""};
static const char *const attribute_keys[] = {"peer.service",
                                             "server.address",
                                             "db.system",
                                             "db.name",
                                             "url.full",
                                             "http.method",
                                             "messaging.system",
                                             "net.peer.name",
                                             "rpc.service",
                                             "http.host",
                                             "db.namespace",
                                             "messaging.destination.name",
                                             "messaging.destination.template",
                                             "messaging.destination.temporary"};
static const char *const attribute_values[] = {
    "cart", "redis", "0", "", "https://user@pay.example:8080/x", "queue", "orders", "nowhere"};

static struct sp_attributes random_attributes(struct sp_gen *gen, struct sp_arena *arena)
{
    uint32_t count = (uint32_t)sp_gen_below(gen, 4);
    struct sp_attribute *items = sp_arena_calloc(arena, count, sizeof(*items));
    for (uint32_t i = 0; i < count; i++) {
        items[i].key =
            sp_slice_cstr(attribute_keys[sp_gen_below(gen, SP_ARRAY_LEN(attribute_keys))]);
        items[i].value = (struct sp_value){
            .kind = SP_VALUE_STRING,
            .string =
                sp_slice_cstr(attribute_values[sp_gen_below(gen, SP_ARRAY_LEN(attribute_values))])};
        if (sp_gen_chance(gen, 10))
            items[i].value = (struct sp_value){.kind = SP_VALUE_INT, .integer = 7};
        else if (sp_gen_chance(gen, 20))
            items[i].value =
                (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = sp_gen_chance(gen, 50)};
    }
    return (struct sp_attributes){.items = items, .count = count};
}

static const struct sp_resource *random_resource(struct sp_gen *gen, struct sp_arena *arena)
{
    struct sp_resource *resource = sp_arena_calloc(arena, 1, sizeof(*resource));
    struct sp_attribute *name = sp_arena_calloc(arena, 2, sizeof(*name));
    *name = (struct sp_attribute){
        SP_SLICE("service.name"),
        {.kind = SP_VALUE_STRING,
         .string = sp_slice_cstr(services[sp_gen_below(gen, SP_ARRAY_LEN(services))])}};
    name[1] = (struct sp_attribute){
        SP_SLICE("host"), {.kind = SP_VALUE_INT, .integer = (int64_t)sp_gen_below(gen, 2)}};
    *resource = (struct sp_resource){.present = true, .attributes = {.items = name, .count = 2}};
    return resource;
}

static struct sp_span_id small_id(uint64_t number)
{
    return (struct sp_span_id){.bytes = {0, (uint8_t)(number * 77), [7] = (uint8_t)number}};
}

/* A few ids for many spans, so that parents, children, duplicates, shared ids and cycles meet. */
static struct sp_span random_span(struct sp_gen *gen, struct sp_arena *arena,
                                  struct sp_trace_id trace_id, uint64_t ids, uint64_t minutes)
{
    static const struct sp_scope scope = {0};
    static const uint64_t durations[] = {0, 1, 5, 5, 900, 1000000, 7000000000};
    struct sp_span span = {.trace_id = trace_id,
                           .span_id = small_id(1 + sp_gen_below(gen, ids)),
                           .kind = (int32_t)sp_gen_below(gen, 7),
                           .name = SP_SLICE("work"),
                           .resource = random_resource(gen, arena),
                           .scope = &scope};
    if (sp_gen_chance(gen, 80))
        span.parent_span_id = small_id(1 + sp_gen_below(gen, ids));
    span.start_unix_ns =
        600000000000 + sp_gen_below(gen, minutes) * 60000000000 + sp_gen_below(gen, 4) * 1000;
    span.end_unix_ns = span.start_unix_ns + durations[sp_gen_below(gen, SP_ARRAY_LEN(durations))];
    if (sp_gen_chance(gen, 5))
        span.end_unix_ns = span.start_unix_ns - 5;
    if (sp_gen_chance(gen, 25))
        span.status_code = SP_SPAN_STATUS_ERROR;
    if (sp_gen_chance(gen, 70))
        span.attributes = random_attributes(gen, arena);
    if (sp_gen_chance(gen, 30)) {
        uint32_t count = 1 + (uint32_t)sp_gen_below(gen, 3);
        struct sp_link *links = sp_arena_calloc(arena, count, sizeof(*links));
        for (uint32_t i = 0; i < count; i++) {
            links[i].trace_id = trace_id;
            links[i].trace_id.bytes[3] = sp_gen_chance(gen, 20);
            links[i].span_id = small_id(1 + sp_gen_below(gen, ids));
        }
        span.links = links;
        span.link_count = count;
    }
    return span;
}

/* ---- segments ---- */

struct traces {
    size_t count;
    struct sp_span spans[TRACES_MAX][SPANS_MAX]; /* in the order they were acked */
    uint32_t segment[TRACES_MAX][SPANS_MAX];     /* never descending */
    size_t span_counts[TRACES_MAX];
};

static void random_traces(struct sp_gen *gen, struct sp_arena *arena, struct traces *ret)
{
    uint64_t minutes = 1 + sp_gen_below(gen, 3);
    uint32_t segments = 1 + (uint32_t)sp_gen_below(gen, SEGMENTS);
    ret->count = 1 + sp_gen_below(gen, TRACES_MAX);
    for (size_t t = 0; t < ret->count; t++) {
        struct sp_trace_id id = {.bytes = {1, (uint8_t)t}};
        size_t count = 1 + sp_gen_below(gen, SPANS_MAX);
        uint64_t ids = 1 + sp_gen_below(gen, count + 3);
        ret->span_counts[t] = count;
        for (size_t i = 0; i < count; i++) {
            ret->spans[t][i] = random_span(gen, arena, id, ids, minutes);
            if (i > 0 && sp_gen_chance(gen, 10))
                ret->spans[t][i] = ret->spans[t][sp_gen_below(gen, i)];
        }
        for (size_t i = 0; i < count; i++)
            ret->segment[t][i] = (uint32_t)(i * segments / count);
        if (sp_gen_chance(gen, 50)) /* most spans in one segment, some late */
            for (size_t i = 0; i < count; i++)
                ret->segment[t][i] = i + 3 < count ? 0 : (uint32_t)(i + 3 - count) % SEGMENTS;
    }
}

/* The spans of a trace in one segment. */
static struct sp_batch part_of(const struct traces *traces, size_t t, uint32_t segment)
{
    size_t from = 0;
    size_t count = traces->span_counts[t];
    while (from < count && traces->segment[t][from] < segment)
        from++;
    size_t to = from;
    while (to < count && traces->segment[t][to] == segment)
        to++;
    return (struct sp_batch){.spans = &traces->spans[t][from], .span_count = to - from};
}

/* R(S), from blocks of a few rows. */
static void count_segment(struct sp_gen *gen, const struct traces *traces, uint32_t segment,
                          struct sp_edge_rollup *rollup)
{
    struct sp_error error;
    struct sp_edge_counter *counter;
    struct sp_block_builder *builder;
    const struct sp_span *spans[TRACES_MAX * SPANS_MAX];
    size_t count = 0;
    for (size_t t = 0; t < traces->count; t++) {
        struct sp_batch part = part_of(traces, t, segment);
        for (size_t i = 0; i < part.span_count; i++)
            spans[count++] = &part.spans[i];
    }
    size_t rows_max = sp_gen_chance(gen, 50) ? 1 + sp_gen_below(gen, 60) : count + 1;
    ck_assert_int_eq(sp_edge_counter_new(rollup, SP_PEER_NAMES_BY_DESTINATION, &counter, &error),
                     SP_OK);
    ck_assert_int_eq(sp_block_builder_new(&builder, &error), SP_OK);
    for (size_t at = 0; at < count;) {
        size_t taken;
        struct sp_block block;
        ck_assert_int_eq(sp_block_builder_add_spans(builder, spans + at,
                                                    count - at < rows_max ? count - at : rows_max,
                                                    &taken, &error),
                         SP_OK);
        ck_assert_int_eq(sp_block_builder_view(builder, &block, &error), SP_OK);
        ck_assert_int_eq(sp_edge_counter_add(counter, &block, &error), SP_OK);
        sp_block_builder_reset(builder);
        at += taken;
    }
    ck_assert_int_eq(sp_edge_counter_finish(counter, &error), SP_OK);
    sp_edge_counter_free(counter);
    sp_block_builder_free(builder);
}

/* ---- graphs ---- */

static void put_histogram(const struct sp_histogram *h, struct sp_buf *out)
{
    sp_buf_printf(out, "; %llu %llu %llu %llu %llu:", (unsigned long long)h->count,
                  (unsigned long long)h->zero_count, (unsigned long long)h->sum_ns,
                  (unsigned long long)h->min_ns, (unsigned long long)h->max_ns);
    for (uint32_t b = 0; b < h->bucket_count; b++)
        sp_buf_printf(out, " %u:%llu", h->buckets[b].index,
                      (unsigned long long)h->buckets[b].count);
}

static void put_graph(struct sp_graph *graph, struct sp_buf *out)
{
    sp_graph_sort(graph);
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct sp_graph_edge *edge = &graph->edges[i];
        sp_buf_printf(out, "%.*s(%d)>%.*s(%d) %d calls %llu errors %llu",
                      SP_SLICE_PRINTF(edge->client), edge->client_type,
                      SP_SLICE_PRINTF(edge->server), edge->server_type, edge->type,
                      (unsigned long long)edge->calls, (unsigned long long)edge->errors);
        put_histogram(&edge->client_latency, out);
        put_histogram(&edge->server_latency, out);
        sp_buf_append_cstr(out, "\n");
    }
    ck_assert_int_eq(out->error, SP_OK);
}

/* The graph of whole traces; and, with an edge, whether its exemplar is there. */
static bool whole_graph(const struct traces *traces, struct sp_time_range range,
                        struct sp_graph *graph, const struct sp_graph_edge *edge)
{
    struct sp_arena arena;
    bool found = false;
    sp_arena_init(&arena, SIZE_MAX);
    range = sp_time_range_minutes(range);
    for (size_t t = 0; t < traces->count; t++) {
        struct sp_batch batch = {.spans = traces->spans[t], .span_count = traces->span_counts[t]};
        struct sp_trace trace;
        const struct sp_graph_call *calls;
        size_t count;
        ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_graph_calls(&arena, &trace, &calls, &count), SP_OK);
        for (size_t i = 0; i < count; i++) {
            if (!sp_time_range_contains(range, calls[i].time_unix_ns))
                continue;
            if (graph != NULL)
                ck_assert_int_eq(sp_graph_add(graph, &calls[i]), SP_OK);
            const struct sp_span *span =
                calls[i].client_span != NULL ? calls[i].client_span : calls[i].server_span;
            found |= edge != NULL && calls[i].type == edge->type &&
                     sp_slice_equal(calls[i].client, edge->client) &&
                     sp_slice_equal(calls[i].server, edge->server) &&
                     sp_span_duration_ns(span) == edge->exemplar_duration_ns &&
                     sp_trace_id_compare(&span->trace_id, &edge->exemplar) == 0;
        }
    }
    sp_arena_fini(&arena);
    return found;
}

static size_t exemplars_seen, exemplars_slowest, edges_seen;

static void assert_graph(const struct traces *traces, struct sp_time_range range,
                         const struct sp_edge_rollup *answer)
{
    struct sp_graph want, got;
    struct sp_buf want_text, got_text;
    struct sp_error error = {0};
    sp_graph_init(&want);
    sp_graph_init(&got);
    sp_buf_init(&want_text, SIZE_MAX);
    sp_buf_init(&got_text, SIZE_MAX);
    whole_graph(traces, range, &want, NULL);
    enum sp_status status = sp_edge_rollup_graph(answer, &got, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    put_graph(&want, &want_text);
    put_graph(&got, &got_text);
    ck_assert_msg(sp_slice_equal(sp_buf_slice(&want_text), sp_buf_slice(&got_text)),
                  "expected\n%.*sgot\n%.*s", SP_SLICE_PRINTF(sp_buf_slice(&want_text)),
                  SP_SLICE_PRINTF(sp_buf_slice(&got_text)));
    for (size_t i = 0; i < got.edge_count; i++) {
        const struct sp_graph_edge *edge = &got.edges[i];
        edges_seen++;
        if (sp_trace_id_is_zero(&edge->exemplar))
            continue;
        exemplars_seen++;
        exemplars_slowest += edge->exemplar_duration_ns == want.edges[i].exemplar_duration_ns;
        ck_assert(edge->exemplar_duration_ns <= want.edges[i].exemplar_duration_ns);
        ck_assert_msg(whole_graph(traces, range, NULL, edge), "the exemplar has no such call");
    }
    sp_graph_fini(&want);
    sp_graph_fini(&got);
    sp_buf_fini(&want_text);
    sp_buf_fini(&got_text);
}

static struct sp_time_range random_range(struct sp_gen *gen)
{
    if (sp_gen_chance(gen, 50))
        return SP_TIME_RANGE_ALL;
    uint64_t from = 540000000000 + sp_gen_below(gen, 240000000000);
    return (struct sp_time_range){from, from + sp_gen_below(gen, 120000000000)};
}

START_TEST(segments_and_corrections_add_up_to_the_graph_of_whole_traces)
{
    enum { ROUNDS = 60 };
    static struct traces traces;
    struct sp_error error;
    exemplars_seen = exemplars_slowest = edges_seen = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct sp_gen random = {(uint64_t)_i * ROUNDS + round};
        struct sp_arena arena;
        struct sp_edge_rollup rollups[SEGMENTS + 1], answer;
        sp_arena_init(&arena, SIZE_MAX);
        random_traces(&random, &arena, &traces);
        for (uint32_t s = 0; s <= SEGMENTS; s++)
            sp_edge_rollup_init(&rollups[s]);
        for (uint32_t s = 0; s < SEGMENTS; s++)
            count_segment(&random, &traces, s, &rollups[s]);
        for (size_t t = 0; t < traces.count; t++) {
            struct sp_batch parts[SEGMENTS];
            for (uint32_t s = 0; s < SEGMENTS; s++)
                parts[s] = part_of(&traces, t, s);
            /* Corrected once, or while it grows, each time anew. */
            for (size_t known = sp_gen_chance(&random, 50) ? 2 : SEGMENTS; known <= SEGMENTS;
                 known++) {
                ck_assert_int_eq(
                    sp_edge_rollup_correct(&rollups[SEGMENTS], parts, known, SP_EDGE_ADD, &error),
                    SP_OK);
                if (known < SEGMENTS)
                    ck_assert_int_eq(sp_edge_rollup_correct(&rollups[SEGMENTS], parts, known,
                                                            SP_EDGE_TAKE, &error),
                                     SP_OK);
            }
        }
        for (int i = 0; i < 4; i++) {
            struct sp_time_range range = random_range(&random);
            uint32_t first = (uint32_t)sp_gen_below(&random, SEGMENTS + 1);
            sp_edge_rollup_init_answer(&answer);
            for (uint32_t s = 0; s <= SEGMENTS; s++) {
                const struct sp_edge_rollup *rollup = &rollups[(s + first) % (SEGMENTS + 1)];
                if (sp_gen_chance(&random, 50)) {
                    ck_assert_int_eq(sp_edge_rollup_merge(&answer, rollup, range, &error), SP_OK);
                    continue;
                }
                struct sp_buf bytes;
                sp_buf_init(&bytes, SIZE_MAX);
                ck_assert_int_eq(sp_edge_rollup_encode(rollup, &bytes, &error), SP_OK);
                ck_assert_int_eq(sp_edge_rollup_read(sp_buf_slice(&bytes), range, &answer, &error),
                                 SP_OK);
                sp_buf_fini(&bytes);
            }
            assert_graph(&traces, range, &answer);
            sp_edge_rollup_fini(&answer);
        }
        for (uint32_t s = 0; s <= SEGMENTS; s++)
            sp_edge_rollup_fini(&rollups[s]);
        sp_arena_fini(&arena);
    }
    /* They may be missing, but not often: a store that never knew one would pass otherwise. */
    ck_assert_uint_gt(exemplars_seen * 10, edges_seen * 9);
    ck_assert_uint_gt(exemplars_slowest * 10, exemplars_seen * 9);
}
END_TEST

static int compare_spans(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

/* Spans of a recording by trace, in the order in which they came. The arena's memory. */
static size_t recorded_spans(struct sp_arena *arena, struct sp_recording *recording,
                             const struct sp_span ***ret)
{
    char path[4096];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/otel-js-shop/pb.tar.gz", sp_test_data_dir());
    ck_assert_int_eq(sp_recording_open(recording, path), SP_OK);
    struct sp_span *spans = sp_arena_calloc(arena, 20000, sizeof(*spans));
    const struct sp_span **sorted = sp_arena_calloc(arena, 20000, sizeof(*sorted));
    for (size_t r = 0; r < recording->count; r++) {
        const struct sp_batch *batch;
        struct sp_error error;
        if (!sp_slice_equal_cstr(recording->requests[r].signal, "traces"))
            continue;
        ck_assert_int_eq(
            sp_otlp_decode(arena, recording->requests[r].body, sp_limits_default(), &batch, &error),
            SP_OK);
        ck_assert_uint_le(count + batch->span_count, 20000);
        for (size_t i = 0; i < batch->span_count; i++, count++) {
            spans[count] = batch->spans[i];
            sorted[count] = &spans[count];
        }
    }
    qsort(sorted, count, sizeof(*sorted), compare_spans);
    *ret = sorted;
    return count;
}

/* The same spans, found on columns and as assembled traces. */
START_TEST(recorded_shop_has_the_calls_of_its_traces)
{
    struct sp_arena arena;
    struct sp_recording recording;
    struct sp_error error;
    const struct sp_span **spans;
    struct sp_edge_rollup blocks, traces;
    struct sp_edge_counter *counter;
    struct sp_block_builder *builder;
    struct sp_graph graphs[2];
    struct sp_buf texts[2];
    sp_arena_init(&arena, SIZE_MAX);
    size_t count = recorded_spans(&arena, &recording, &spans);
    sp_edge_rollup_init(&blocks);
    sp_edge_rollup_init(&traces);
    ck_assert_int_eq(sp_edge_counter_new(&blocks, SP_PEER_NAMES_BY_DESTINATION, &counter, &error),
                     SP_OK);
    ck_assert_int_eq(sp_block_builder_new(&builder, &error), SP_OK);
    for (size_t at = 0, taken; at < count; at += taken) {
        struct sp_block block;
        ck_assert_int_eq(sp_block_builder_add_spans(builder, spans + at,
                                                    count - at < 4000 ? count - at : 4000, &taken,
                                                    &error),
                         SP_OK);
        ck_assert_int_eq(sp_block_builder_view(builder, &block, &error), SP_OK);
        ck_assert_int_eq(sp_edge_counter_add(counter, &block, &error), SP_OK);
        sp_block_builder_reset(builder);
    }
    ck_assert_int_eq(sp_edge_counter_finish(counter, &error), SP_OK);
    for (size_t from = 0, to; from < count; from = to) {
        struct sp_span trace[2000];
        for (to = from;
             to < count && sp_trace_id_compare(&spans[from]->trace_id, &spans[to]->trace_id) == 0;
             to++) {
            ck_assert_uint_lt(to - from, SP_ARRAY_LEN(trace));
            trace[to - from] = *spans[to];
        }
        struct sp_batch batch = {.spans = trace, .span_count = to - from};
        ck_assert_int_eq(sp_edge_rollup_add_trace(&traces, &batch, SP_EDGE_ADD, &error), SP_OK);
    }
    const struct sp_edge_rollup *rollups[2] = {&blocks, &traces};
    for (size_t i = 0; i < 2; i++) {
        sp_graph_init(&graphs[i]);
        sp_buf_init(&texts[i], SIZE_MAX);
        ck_assert_int_eq(sp_edge_rollup_graph(rollups[i], &graphs[i], &error), SP_OK);
        put_graph(&graphs[i], &texts[i]);
    }
    ck_assert_uint_gt(graphs[0].edge_count, 10);
    ck_assert(sp_slice_equal(sp_buf_slice(&texts[0]), sp_buf_slice(&texts[1])));
    for (size_t i = 0; i < graphs[0].edge_count; i++)
        ck_assert(sp_trace_id_compare(&graphs[0].edges[i].exemplar, &graphs[1].edges[i].exemplar) ==
                  0);
    for (size_t i = 0; i < 2; i++) {
        sp_graph_fini(&graphs[i]);
        sp_buf_fini(&texts[i]);
    }
    sp_edge_counter_free(counter);
    sp_block_builder_free(builder);
    sp_edge_rollup_fini(&blocks);
    sp_edge_rollup_fini(&traces);
    sp_recording_close(&recording);
    sp_arena_fini(&arena);
}
END_TEST

/* One trace more than is kept, all of them taken out again, fastest first and slowest first. */
START_TEST(exemplar_is_a_call_that_was_not_taken_out)
{
    enum { CALLS = 40 };
    static const struct sp_scope scope = {0};
    struct sp_error error;
    struct sp_arena arena;
    struct sp_gen random = {3};
    sp_arena_init(&arena, SIZE_MAX);
    const struct sp_resource *resource = random_resource(&random, &arena);
    for (int descending = 0; descending < 2; descending++) {
        struct sp_edge_rollup rollup;
        sp_edge_rollup_init(&rollup);
        struct sp_span spans[CALLS];
        for (size_t i = 0; i < CALLS; i++) {
            spans[i] = (struct sp_span){.trace_id = {.bytes = {1, (uint8_t)i}},
                                        .span_id = {.bytes = {1}},
                                        .kind = SP_KIND_SERVER,
                                        .end_unix_ns = 100 + i,
                                        .resource = resource,
                                        .scope = &scope};
            struct sp_batch batch = {.spans = &spans[i], .span_count = 1};
            ck_assert_int_eq(sp_edge_rollup_add_trace(&rollup, &batch, SP_EDGE_ADD, &error), SP_OK);
        }
        for (size_t i = 0; i < CALLS; i++) {
            struct sp_graph graph;
            sp_graph_init(&graph);
            ck_assert_int_eq(sp_edge_rollup_graph(&rollup, &graph, &error), SP_OK);
            ck_assert_uint_eq(graph.edge_count, 1);
            ck_assert_uint_eq(graph.edges[0].calls, CALLS - i);
            ck_assert_uint_eq(graph.edges[0].server_latency.count, CALLS - i);
            uint64_t slowest = graph.edges[0].exemplar_duration_ns;
            if (descending == 0 && i < CALLS - SP_EDGE_ADDED_MAX)
                ck_assert_uint_eq(slowest, 100 + CALLS - 1);
            if (descending == 1)
                ck_assert_uint_eq(slowest, i < SP_EDGE_ADDED_MAX ? 100 + CALLS - 1 - i : 0);
            sp_graph_fini(&graph);
            struct sp_batch batch = {.spans = &spans[descending ? CALLS - 1 - i : i],
                                     .span_count = 1};
            ck_assert_int_eq(sp_edge_rollup_add_trace(&rollup, &batch, SP_EDGE_TAKE, &error),
                             SP_OK);
        }
        struct sp_graph graph;
        sp_graph_init(&graph);
        ck_assert_int_eq(sp_edge_rollup_graph(&rollup, &graph, &error), SP_OK);
        ck_assert_uint_eq(graph.edge_count, 0);
        sp_graph_fini(&graph);
        struct sp_batch one = {.spans = &spans[0], .span_count = 1};
        ck_assert_int_eq(sp_edge_rollup_add_trace(&rollup, &one, SP_EDGE_TAKE, &error), SP_OK);
        sp_graph_init(&graph);
        ck_assert_int_eq(sp_edge_rollup_graph(&rollup, &graph, &error), SP_CORRUPT);
        sp_graph_fini(&graph);
        sp_edge_rollup_fini(&rollup);
    }
    sp_arena_fini(&arena);
}
END_TEST

static void sign(uint8_t *bytes, size_t len)
{
    uint64_t checksum = sp_checksum(
        sp_slice_make(bytes + SP_CHECKSUM_BYTES, len - SP_CHECKSUM_BYTES), SP_ROLLUP_CHECKSUM_SEED);
    for (size_t i = 0; i < SP_CHECKSUM_BYTES; i++)
        bytes[i] = (uint8_t)(checksum >> (8 * i));
}

START_TEST(damaged_edges_are_told_and_do_no_harm)
{
    static struct traces traces;
    struct sp_error error;
    struct sp_arena arena;
    struct sp_gen random = {11};
    struct sp_edge_rollup rollup;
    struct sp_buf bytes;
    sp_arena_init(&arena, SIZE_MAX);
    sp_edge_rollup_init(&rollup);
    sp_buf_init(&bytes, SIZE_MAX);
    random_traces(&random, &arena, &traces);
    for (size_t t = 0; t < traces.count; t++) {
        struct sp_batch parts[] = {part_of(&traces, t, 0), part_of(&traces, t, 1)};
        ck_assert_int_eq(sp_edge_rollup_correct(&rollup, parts, 2, SP_EDGE_ADD, &error), SP_OK);
        ck_assert_int_eq(sp_edge_rollup_add_trace(&rollup, &parts[0], SP_EDGE_ADD, &error), SP_OK);
    }
    ck_assert_int_eq(sp_edge_rollup_encode(&rollup, &bytes, &error), SP_OK);
    sp_edge_rollup_fini(&rollup);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t *damaged = malloc(bytes.len);
        memcpy(damaged, bytes.ptr, bytes.len);
        damaged[i] ^= (uint8_t)(1 << i % 8);
        for (int kind = 0; kind < 4; kind++) {
            size_t len = kind % 2 == 0 ? bytes.len : i;
            sp_edge_rollup_init_answer(&rollup);
            if (kind >= 2 && len > SP_CHECKSUM_BYTES)
                sign(damaged, len); /* as somebody would write it who means harm */
            enum sp_status status = sp_edge_rollup_read(sp_slice_make(damaged, len),
                                                        SP_TIME_RANGE_ALL, &rollup, &error);
            ck_assert(status == SP_CORRUPT || (kind >= 2 && status == SP_OK));
            struct sp_graph graph;
            sp_graph_init(&graph);
            status = sp_edge_rollup_graph(&rollup, &graph, &error);
            ck_assert(status == SP_CORRUPT || status == SP_OK);
            sp_graph_fini(&graph);
            sp_edge_rollup_fini(&rollup);
        }
        free(damaged);
    }
    sp_buf_fini(&bytes);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("edge_rollup");
    TCase *tests = tcase_create("edge_rollup");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, segments_and_corrections_add_up_to_the_graph_of_whole_traces, 0, 16);
    tcase_add_test(tests, recorded_shop_has_the_calls_of_its_traces);
    tcase_add_test(tests, exemplar_is_a_call_that_was_not_taken_out);
    tcase_add_test(tests, damaged_edges_are_told_and_do_no_harm);
    suite_add_tcase(suite, tests);
    return suite;
}
