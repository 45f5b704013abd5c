/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls one by one: exact latencies of the graph's edges, heatmaps of an edge and calls to look at, beside brute force over all traces. */
#include <stdio.h>
#include <stdlib.h>

#include "query/graph_answer.h"
#include "query/numbers.h"
#include "tests/support/span_gen.h"
#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    sp_arena_init(&arena, 512 << 20);
    world_init(&world);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

/* ---- brute force ---- */

#define CALLS_MAX 20000

struct calls {
    struct sp_graph_call items[CALLS_MAX];
    size_t count;
};

static int by_trace(const void *a, const void *b)
{
    const struct sp_span *x = a, *y = b;
    return sp_trace_id_compare(&x->trace_id, &y->trace_id);
}

static int by_edge(const void *a, const void *b)
{
    const struct sp_graph_call *x = a, *y = b;
    int order = sp_slice_compare(x->client, y->client);
    if (order == 0)
        order = sp_slice_compare(x->server, y->server);
    return order != 0 ? order : (x->type > y->type) - (x->type < y->type);
}

/* All calls in a range, those of one edge beside each other. */
static void find_calls(const struct sp_batch *batch, struct sp_time_range range,
                       struct calls *calls)
{
    struct sp_span *spans = sp_arena_alloc(&arena, batch->span_count * sizeof(*spans));
    memcpy(spans, batch->spans, batch->span_count * sizeof(*spans));
    qsort(spans, batch->span_count, sizeof(*spans), by_trace);
    calls->count = 0;
    for (size_t first = 0, end; first < batch->span_count; first = end) {
        struct sp_trace trace;
        const struct sp_graph_call *found;
        size_t count;
        end = first + 1;
        while (end < batch->span_count && by_trace(&spans[first], &spans[end]) == 0)
            end++;
        const struct sp_batch one = {.spans = &spans[first], .span_count = end - first};
        ck_assert_int_eq(sp_trace_assemble(&arena, &one, &trace), SP_OK);
        ck_assert_int_eq(sp_graph_calls(&arena, &trace, &found, &count), SP_OK);
        for (size_t i = 0; i < count; i++)
            if (sp_time_range_contains(range, found[i].time_unix_ns)) {
                ck_assert_uint_lt(calls->count, CALLS_MAX);
                calls->items[calls->count++] = found[i];
            }
    }
    qsort(calls->items, calls->count, sizeof(calls->items[0]), by_edge);
}

static const struct sp_span *end_of(const struct sp_graph_call *call, bool of_server)
{
    return of_server ? call->server_span : call->client_span;
}

/* ---- exact latencies ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void write_quantiles(const char *key, const uint64_t *sorted, size_t count,
                            const char *const *names, const double *qs, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (count == 0) {
        sp_json_null(w);
        return;
    }
    sp_json_object_begin(w);
    for (size_t i = 0; names[i]; i++) {
        size_t rank = (size_t)(qs[i] * (double)count + 0.999999999);
        sp_json_key(w, names[i]);
        sp_json_u64_string(w, sorted[rank > 0 ? rank - 1 : 0]);
    }
    sp_json_object_end(w);
}

/* As /v1/graph?exact=true&q=0,0.3,1 has to show an edge, up to its exemplar. */
static void describe_edge(const struct sp_graph_call *calls, size_t count, struct sp_buf *out)
{
    static const char *const preset[] = {"p50", "p90", "p95", "p99", NULL}, *const asked[] = {
                                                                                "0", "0.3", "1",
                                                                                NULL};
    static const double preset_qs[] = {0.5, 0.9, 0.95, 0.99}, asked_qs[] = {0, 0.3, 1};
    static uint64_t sorted[2][CALLS_MAX];
    size_t counts[2] = {0}, errors = 0;
    struct sp_json_writer w;
    for (size_t i = 0; i < count; i++) {
        errors += calls[i].error;
        for (int side = 0; side < 2; side++)
            if (end_of(&calls[i], side))
                sorted[side][counts[side]++] = sp_span_duration_ns(end_of(&calls[i], side));
    }
    for (int side = 0; side < 2; side++)
        qsort(sorted[side], counts[side], sizeof(uint64_t), by_number);
    sp_json_writer_init(&w, out);
    sp_json_object_begin(&w);
    sp_json_key(&w, "client");
    sp_json_string(&w, calls[0].client);
    sp_json_key(&w, "server");
    sp_json_string(&w, calls[0].server);
    sp_json_key(&w, "connectionType");
    sp_json_cstr(&w, sp_connection_type_name(calls[0].type));
    sp_json_key(&w, "calls");
    sp_json_u64_string(&w, count);
    sp_json_key(&w, "errors");
    sp_json_u64_string(&w, errors);
    write_quantiles("clientLatency", sorted[0], counts[0], preset, preset_qs, &w);
    write_quantiles("serverLatency", sorted[1], counts[1], preset, preset_qs, &w);
    write_quantiles("clientQuantiles", sorted[0], counts[0], asked, asked_qs, &w);
    write_quantiles("serverQuantiles", sorted[1], counts[1], asked, asked_qs, &w);
    sp_buf_append_byte(out, 0);
}

static const struct sp_batch *add_random_spans(uint64_t seed, unsigned odd_percent)
{
    struct sp_gen_options options = {.span_count = 4000,
                                     .trace_count = 150,
                                     .trace_seed = seed,
                                     .odd_percent = odd_percent,
                                     .no_residue = true};
    const struct sp_batch *batch = sp_gen_batch(&arena, seed, &options);
    world_add(&world, batch->spans, batch->span_count);
    return batch;
}

START_TEST(exact_graph_has_every_duration)
{
    static struct calls calls;
    static char url[256];
    const struct sp_batch *batch = add_random_spans(50 + (uint64_t)_i, _i % 2 ? 10 : 0);
    /* not whole minutes */
    struct sp_time_range range = {T0 + 7 * MS, T0 + 1500 * 1000 * MS + 3};
    find_calls(batch, range, &calls);
    snprintf(url, sizeof(url), "/v1/graph?exact=true&q=0,0.3,1&from=%llu&to=%llu",
             (unsigned long long)range.from_unix_ns, (unsigned long long)range.to_unix_ns);
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s", text);
    answer_fini(call);
    size_t edges = 0, shown = 0;
    for (size_t first = 0, end; first < calls.count; first = end, edges++) {
        struct sp_buf expected;
        sp_buf_init(&expected, 1 << 20);
        for (end = first + 1;
             end < calls.count && by_edge(&calls.items[first], &calls.items[end]) == 0;)
            end++;
        describe_edge(&calls.items[first], end - first, &expected);
        ck_assert_msg(strstr(text, (const char *)expected.ptr) != NULL, "no %s in %s",
                      (const char *)expected.ptr, text);
        sp_buf_fini(&expected);
    }
    for (const char *at = text; (at = strstr(at, "\"connectionType\":")) != NULL; at++)
        shown++;
    ck_assert_uint_gt(edges, 5);
    ck_assert_uint_eq(shown, edges);
    ck_assert_ptr_nonnull(strstr(text, "\"relativeError\":0,\"scanned\":{\"segments\":"));
    free(text);
}
END_TEST

START_TEST(exact_graph_refuses_what_has_no_exact_latencies)
{
    static const char *const urls[] = {
        "/v1/graph?exact=true&format=dot", "/v1/graph?exact=true&format=csv",
        "/v1/graph?exact=true&step=1m&from=now-1h", "/v1/graph?exact=true&links=true",
        "/v1/graph?exact=true&compareFrom=0&compareTo=9"};
    for (size_t i = 0; i < SP_ARRAY_LEN(urls); i++)
        expect_answer(&world, urls[i], 400, "\"parameter\":\"exact\"");
    expect_answer(&world, "/v1/graph?exact=yes", 400, "must be true or false");
    expect_answer(&world, "/v1/graph?exact=true", 200, "\"edges\":[]");
    expect_answer(&world, "/v1/graph?exact=1&format=dot", 400, "\"parameter\":\"exact\"");
    expect_answer(&world, "/v1/graph?exact=1", 200, "\"relativeError\":0,\"scanned\"");
    expect_answer(&world, "/v1/graph?exact=0&format=dot", 200, "digraph");
}
END_TEST

START_TEST(graph_says_in_a_header_how_many_edges_it_has)
{
    static const char *const formats[] = {"json", "dot", "graphml", "csv", "mermaid"};
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "web", "GET", T0, 8 * MS),
                              make_span(&arena, 1, 2, 1, "cart", "GET", T0, 2 * MS)};
    spans[0].kind = SP_KIND_CLIENT;
    spans[1].kind = SP_KIND_SERVER;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    for (size_t i = 0; i < SP_ARRAY_LEN(formats); i++) {
        static const char *const rest[] = {"", "&service=web&hops=0", "&service=nobody"};
        static const char *const edges[] = {"1", "0", "0"};
        for (size_t k = 0; k < SP_ARRAY_LEN(rest); k++) {
            char url[128];
            snprintf(url, sizeof(url), "/v1/graph?format=%s%s", formats[i], rest[k]);
            struct sp_query_call *call = ask(&world, url);
            ck_assert_int_eq(call->reply.status, 200);
            ck_assert_str_eq(answer_header(call, "spoor-graph-edges"), edges[k]);
            answer_fini(call);
        }
    }
}
END_TEST

/* ---- heatmaps ---- */

static void append_encoded(struct sp_slice text, char *url, size_t bytes)
{
    for (size_t i = 0; i < text.len; i++)
        snprintf(url + strlen(url), bytes - strlen(url), "%%%02x", text.ptr[i]);
}

/* Count and errors of all cells that a heatmap shows. */
static void sum_cells(const char *text, uint64_t *ret_count, uint64_t *ret_errors)
{
    const char *at = strstr(text, "\"cells\":[");
    *ret_count = *ret_errors = 0;
    ck_assert_ptr_nonnull(at);
    unsigned long long step, row, count, errors;
    int length;
    for (at += strlen("\"cells\":["); *at == '['; at += length + (at[length] == ',')) {
        ck_assert_int_eq(
            sscanf(at, "[%llu,%llu,%llu,%llu]%n", &step, &row, &count, &errors, &length), 4);
        *ret_count += count;
        *ret_errors += errors;
    }
}

static void check_heatmap(const struct sp_graph_call *calls, size_t count,
                          struct sp_time_range range, bool of_server, bool any_type)
{
    static const char *const types[] = {[SP_CONNECTION_DIRECT] = "direct",
                                        [SP_CONNECTION_MESSAGING] = "messaging_system",
                                        [SP_CONNECTION_DATABASE] = "database",
                                        [SP_CONNECTION_VIRTUAL] = "virtual_node"};
    char url[2048], expected[128];
    uint64_t want = 0, want_errors = 0, shown, shown_errors, longest = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sp_span *span = end_of(&calls[i], of_server);
        want += span != NULL;
        want_errors += span != NULL && calls[i].error;
        if (span && sp_span_duration_ns(span) > longest)
            longest = sp_span_duration_ns(span);
    }
    snprintf(url, sizeof(url), "/v1/heatmap?steps=1&rows=512&from=%llu&to=%llu%s%s&side=%s",
             (unsigned long long)range.from_unix_ns, (unsigned long long)range.to_unix_ns,
             any_type ? "" : "&connectionType=", any_type ? "" : types[calls[0].type],
             of_server ? "server" : "client");
    snprintf(url + strlen(url), sizeof(url) - strlen(url), "&client=");
    append_encoded(calls[0].client, url, sizeof(url));
    snprintf(url + strlen(url), sizeof(url) - strlen(url), "&server=");
    append_encoded(calls[0].server, url, sizeof(url));
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    sum_cells(text, &shown, &shown_errors);
    ck_assert_msg(shown == want && shown_errors == want_errors, "%s: %llu of %llu calls", url,
                  (unsigned long long)shown, (unsigned long long)want);
    snprintf(expected, sizeof(expected), "\"count\":\"%llu\",\"errors\":\"%llu\"",
             (unsigned long long)want, (unsigned long long)want_errors);
    ck_assert_msg(strstr(text, expected) != NULL, "%s: no %s in %s", url, expected, text);
    free(text);
    answer_fini(call);
}

START_TEST(heatmap_of_an_edge_has_every_call)
{
    static struct calls calls;
    const struct sp_batch *batch = add_random_spans(70 + (uint64_t)_i, 0);
    struct sp_time_range range = {T0 + 7 * MS, T0 + 1500 * 1000 * MS + 3};
    find_calls(batch, range, &calls);
    size_t edges = 0;
    for (size_t first = 0, end; first < calls.count && edges < 60; first = end, edges++) {
        end = first + 1;
        while (end < calls.count && by_edge(&calls.items[first], &calls.items[end]) == 0)
            end++;
        if (calls.items[first].client.len == 0 || calls.items[first].server.len == 0)
            continue; /* a parameter without a value is none */
        check_heatmap(&calls.items[first], end - first, range, false, false);
        check_heatmap(&calls.items[first], end - first, range, true, false);
        bool alone = (end == calls.count ||
                      !sp_slice_equal(calls.items[end].server, calls.items[first].server) ||
                      !sp_slice_equal(calls.items[end].client, calls.items[first].client)) &&
                     (first == 0 ||
                      !sp_slice_equal(calls.items[first - 1].server, calls.items[first].server) ||
                      !sp_slice_equal(calls.items[first - 1].client, calls.items[first].client));
        if (alone)
            check_heatmap(&calls.items[first], end - first, range, false, true);
    }
    ck_assert_uint_gt(edges, 5);
}
END_TEST

/* Step and row of each call, and the sum over both types of an edge. */
START_TEST(calls_of_an_edge_stand_where_they_began)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "GET", T0, 8 * MS),
        make_span(&arena, 1, 2, 1, "cart", "GET", T0 + 600 * MS, 2 * MS),
        make_span(&arena, 2, 3, 0, "web", "GET", T0 + 900 * MS, 8 * MS),
        make_span(&arena, 2, 4, 3, "cart", "GET", T0 + 901 * MS, 5 * MS),
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(spans); i++)
        spans[i].kind = i % 2 ? SP_KIND_SERVER : SP_KIND_CLIENT;
    spans[3].status_code = SP_SPAN_STATUS_ERROR;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    char url[256];
    snprintf(url, sizeof(url),
             "/v1/heatmap?steps=2&rows=2&client=web&server=cart&from=%llu&to=%llu", T0,
             T0 + 1000 * MS);
    expect_answer(&world, url, 200, "\"cells\":[[0,0,1,0],[1,0,1,1]]");
    strncat(url, "&side=server", sizeof(url) - strlen(url) - 1);
    expect_answer(&world, url, 200, "\"cells\":[[0,0,1,0],[1,1,1,1]]");
    strncat(url, "&connectionType=database", sizeof(url) - strlen(url) - 1);
    expect_answer(&world, url, 200, "\"cells\":[]");
}
END_TEST

START_TEST(heatmap_of_an_edge_needs_both_ends_and_no_query)
{
    expect_answer(&world, "/v1/heatmap?client=a", 400, "\"parameter\":\"server\"");
    expect_answer(&world, "/v1/heatmap?server=a", 400, "\"parameter\":\"client\"");
    expect_answer(&world, "/v1/heatmap?server=a&client=b&q=%7B%7D", 400, "\"parameter\":\"q\"");
    expect_answer(&world, "/v1/heatmap?q=%7B%7D&side=server", 400, "\"parameter\":\"side\"");
    expect_answer(&world, "/v1/heatmap?connectionType=direct", 400,
                  "\"parameter\":\"connectionType\"");
    expect_answer(&world, "/v1/heatmap?server=a&client=b", 200, "\"cells\":[]");
}
END_TEST

/* ---- some calls to look at ---- */

enum { FAILED, SLOWEST, NEWEST };

static uint64_t value_of(const struct sp_graph_call *call, int list)
{
    return list == NEWEST ? call->time_unix_ns : sp_span_duration_ns(sp_graph_call_span(call));
}

static bool is_better(const struct sp_graph_call *a, const struct sp_graph_call *b, int list)
{
    const struct sp_span *x = sp_graph_call_span(a), *y = sp_graph_call_span(b);
    if (value_of(a, list) != value_of(b, list))
        return value_of(a, list) > value_of(b, list);
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order < 0 : sp_span_id_compare(&x->span_id, &y->span_id) < 0;
}

/* The best max calls of a list as the answer shows them: of each trace its best one. */
static void describe_list(const struct sp_graph_call *calls, size_t count, int list, size_t max,
                          struct sp_json_writer *w)
{
    static struct sp_trace_id shown[CALLS_MAX];
    for (size_t n = 0; n < max; n++) {
        const struct sp_graph_call *best = NULL;
        for (size_t i = 0; i < count; i++) {
            bool seen = list == FAILED && !calls[i].error;
            for (size_t k = 0; k < n && !seen; k++)
                seen =
                    sp_trace_id_compare(&shown[k], &sp_graph_call_span(&calls[i])->trace_id) == 0;
            if (!seen && (!best || is_better(&calls[i], best, list)))
                best = &calls[i];
        }
        if (!best)
            return;
        const struct sp_span *span = sp_graph_call_span(best);
        shown[n] = span->trace_id;
        sp_json_object_begin(w);
        sp_json_key(w, "traceId");
        sp_json_hex(w, sp_slice_make(span->trace_id.bytes, SP_TRACE_ID_BYTES));
        sp_json_key(w, "spanId");
        sp_json_hex(w, sp_slice_make(span->span_id.bytes, SP_SPAN_ID_BYTES));
        sp_json_key(w, "timeUnixNano");
        sp_json_u64_string(w, best->time_unix_ns);
        sp_json_key(w, "durationNano");
        sp_json_u64_string(w, sp_span_duration_ns(span));
        sp_json_key(w, "error");
        sp_json_bool(w, best->error);
        sp_json_object_end(w);
    }
}

static void expect_examples(const struct sp_graph_call *calls, size_t count, const char *url,
                            size_t max)
{
    static const char *const names[] = {"failed", "slowest", "newest"};
    struct sp_json_writer w;
    struct sp_buf expected;
    sp_buf_init(&expected, 1 << 20);
    sp_json_writer_init(&w, &expected);
    sp_json_object_begin(&w);
    for (int list = FAILED; list <= NEWEST; list++) {
        sp_json_key(&w, names[list]);
        sp_json_array_begin(&w);
        describe_list(calls, count, list, max, &w);
        sp_json_array_end(&w);
    }
    sp_json_key(&w, "complete");
    sp_json_bool(&w, true);
    sp_buf_append_byte(&expected, 0);
    expect_answer(&world, url, 200, (const char *)expected.ptr);
    sp_buf_fini(&expected);
}

START_TEST(calls_of_an_edge_are_the_failed_the_slowest_and_the_newest)
{
    static const char *const types[] = {[SP_CONNECTION_DIRECT] = "direct",
                                        [SP_CONNECTION_MESSAGING] = "messaging_system",
                                        [SP_CONNECTION_DATABASE] = "database",
                                        [SP_CONNECTION_VIRTUAL] = "virtual_node"};
    static struct calls calls;
    static char url[8192];
    const struct sp_batch *batch = add_random_spans(80 + (uint64_t)_i, _i % 2 ? 10 : 0);
    struct sp_time_range range = {T0 / SP_ROLLUP_NS * SP_ROLLUP_NS,
                                  (T0 / SP_ROLLUP_NS + 20) * SP_ROLLUP_NS};
    find_calls(batch, range, &calls);
    size_t edges = 0;
    for (size_t first = 0, end; first < calls.count; first = end, edges++) {
        const struct sp_graph_call *call = &calls.items[first];
        for (end = first + 1; end < calls.count && by_edge(call, &calls.items[end]) == 0;)
            end++;
        /* an empty name asks for any; and there are addresses of thousands of bytes */
        if (call->client.len == 0 || call->server.len == 0 || call->server.len > 1000)
            continue;
        snprintf(
            url, sizeof(url),
            "/v1/graph/calls?limit=4&traces=100000&from=%llu&to=%llu&connectionType=%s&client=",
            (unsigned long long)range.from_unix_ns, (unsigned long long)range.to_unix_ns,
            types[call->type]);
        append_encoded(call->client, url, sizeof(url));
        snprintf(url + strlen(url), sizeof(url) - strlen(url), "&server=");
        append_encoded(call->server, url, sizeof(url));
        expect_examples(call, end - first, url, 4);
    }
    ck_assert_uint_gt(edges, 5);
}
END_TEST

/* Names of all kinds, also such as lie in one another, and empty ones. */
static void add_names(struct sp_span *span, struct sp_gen *gen)
{
    static const char *const keys[] = {"peer.service",
                                       "server.address",
                                       "url.full",
                                       "http.url",
                                       "rpc.service",
                                       "db.namespace",
                                       "db.name",
                                       "db.system.name",
                                       "db.system",
                                       "messaging.system",
                                       "messaging.destination.name",
                                       "messaging.destination.template",
                                       "messaging.destination"};
    static const char *const texts[] = {"orders", "a.b", "", "7", "kafka", "unknown"};
    static const char *const own[] = {"orders", "", "", "7", "orders (kafka)", "7 (a.b)"};
    static const char *const urls[] = {"http://orders/x",
                                       "http://u@a.b:80?y=http://orders",
                                       "orders",
                                       "http://",
                                       "https://[::1]:8/x",
                                       "http://axb#a.b"};
    unsigned first = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(keys));
    for (unsigned i = 0; i < SP_ARRAY_LEN(keys); i++) {
        const char *key = keys[(first + i) % SP_ARRAY_LEN(keys)];
        const char *const *values = strstr(key, "ur") ? urls : strstr(key, "peer") ? own : texts;
        if (sp_gen_below(gen, 3) == 0 && span->attributes.count < 8)
            add_attribute(&arena, span, key, text_value(values[sp_gen_below(gen, 6)]));
    }
}

enum { SHAPE_SPANS = 3 };

/* A small trace: calls that are answered, by whom else or by itself, calls that are not, and such as are around another one. */
static size_t make_shape(struct sp_span *spans, unsigned trace, struct sp_gen *gen)
{
    static const char kinds[] = "?ISCPM"; /* internal, server, client, producer, consumer */
    static const char *const shapes[][2] = {{"C", "w"},     {"P", "w"},     {"M", "w"},
                                            {"SS", "wc"},   {"CSC", "wcc"}, {"CIC", "www"},
                                            {"PMC", "wcc"}, {"CS", "ww"}};
    const char *const *shape = shapes[sp_gen_below(gen, SP_ARRAY_LEN(shapes))];
    unsigned count = 0;
    for (; shape[0][count]; count++) {
        spans[count] = make_span(&arena, trace, count + 1, count,
                                 shape[1][count] == 'w' ? "web" : "cart", "x", T0 + trace * MS, MS);
        spans[count].kind = (int32_t)(strchr(kinds, shape[0][count]) - kinds);
        add_names(&spans[count], gen);
    }
    return count;
}

/* The text of "query" in an answer, its escapes undone; false: null. */
static bool query_of(const char *answer, char *out)
{
    const char *at = strstr(answer, "\"query\":");
    ck_assert_ptr_nonnull(at);
    at += strlen("\"query\":");
    if (*at++ != '"')
        return false;
    for (; *at != '"'; at++)
        *out++ = *at == '\\' ? *++at : *at;
    *out = 0;
    return true;
}

START_TEST(query_of_an_edge_finds_its_calls)
{
    enum { TRACES = 800 };
    static struct sp_span spans[TRACES * SHAPE_SPANS];
    static struct calls calls;
    static char url[65536], query[16384], expected[64];
    struct sp_gen gen = {5 + (uint64_t)_i};
    struct sp_batch batch = {.spans = spans};
    for (unsigned t = 1; t <= TRACES; t++)
        batch.span_count += make_shape(&spans[batch.span_count], t, &gen);
    world_add(&world, spans, batch.span_count);
    find_calls(&batch, SP_TIME_RANGE_ALL, &calls);
    size_t edges = 0, ways = 0;
    for (size_t first = 0, end; first < calls.count; first = end, edges++) {
        const struct sp_graph_call *call = &calls.items[first];
        for (end = first + 1; end < calls.count && by_edge(call, &calls.items[end]) == 0;)
            end++;
        snprintf(url, sizeof(url), "/v1/graph/calls?traces=100000&connectionType=%s&client=",
                 call->type == SP_CONNECTION_DIRECT ? "direct"
                                                    : sp_connection_type_name(call->type));
        append_encoded(call->client, url, sizeof(url));
        snprintf(url + strlen(url), sizeof(url) - strlen(url), "&server=");
        append_encoded(call->server, url, sizeof(url));
        struct sp_query_call *reply = ask(&world, url);
        char *text = answer_text(reply);
        ck_assert_msg(query_of(text, query), "%s: %s", url, text);
        free(text);
        answer_fini(reply);
        snprintf(query + strlen(query), sizeof(query) - strlen(query), " | count_over_time()");
        snprintf(url, sizeof(url), "/v1/metrics/query?q=");
        append_encoded(sp_slice_cstr(query), url, sizeof(url));
        snprintf(expected, sizeof(expected), ",%zu]]", end - first);
        reply = ask(&world, url);
        text = answer_text(reply);
        ck_assert_msg(strstr(text, expected), "%.*s -> %.*s: %s, not %s: %s",
                      SP_SLICE_PRINTF(call->client), SP_SLICE_PRINTF(call->server), query, expected,
                      text);
        free(text);
        answer_fini(reply);
        ways |= sp_graph_way_of(call);
    }
    ck_assert_uint_gt(edges, 25);
    ck_assert_uint_eq(ways, 0xff & ~(unsigned)SP_GRAPH_WAY_LINK);
}
END_TEST

START_TEST(query_of_an_edge_is_none_where_a_name_stands_for_many)
{
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "web", "x", T0, MS)};
    spans[0].kind = SP_KIND_PRODUCER;
    add_attribute(&arena, &spans[0], "messaging.system", text_value("nats"));
    add_attribute(&arena, &spans[0], "messaging.destination.name", text_value("_INBOX.7"));
    world_add(&world, spans, 1);
    expect_answer(&world, "/v1/graph/calls?client=web&server=(temporary)%20(nats)", 200,
                  "\"query\":null");
    expect_answer(&world, "/v1/graph/calls?client=web", 200, "\"query\":null");
}
END_TEST

/* Of a node: whoever calls it, or whomever it calls. */
START_TEST(calls_of_a_node_are_those_of_all_its_edges)
{
    static struct calls calls, of_node;
    static char url[8192];
    const struct sp_batch *batch = add_random_spans(90, 0);
    find_calls(batch, (struct sp_time_range){0, UINT64_MAX}, &calls);
    for (int of_server = 0; of_server < 2; of_server++)
        for (size_t i = 0; i < calls.count; i += 97) {
            struct sp_slice name = of_server ? calls.items[i].server : calls.items[i].client;
            of_node.count = 0;
            if (name.len == 0 || name.len > 1000)
                continue;
            for (size_t k = 0; k < calls.count; k++)
                if (sp_slice_equal(name, of_server ? calls.items[k].server : calls.items[k].client))
                    of_node.items[of_node.count++] = calls.items[k];
            snprintf(url, sizeof(url),
                     "/v1/graph/calls?traces=100000&%s=", of_server ? "server" : "client");
            append_encoded(name, url, sizeof(url));
            expect_examples(of_node.items, of_node.count, url, 10);
        }
}
END_TEST

/* The two spans of a call that is a trace of its own. */
static void make_call(struct sp_span *pair, uint64_t trace, const char *client, const char *server,
                      uint64_t start, uint64_t duration)
{
    pair[0] = make_span(&arena, trace, 1, 0, client, "GET", start, duration);
    pair[1] = make_span(&arena, trace, 2, 1, server, "GET", start, MS);
    pair[0].kind = SP_KIND_CLIENT;
    pair[1].kind = SP_KIND_SERVER;
}

/* An hour of calls, the first of which was the slowest: it is shown although it is far behind the newest trace, the only one that is looked for. */
START_TEST(slowest_call_is_of_the_whole_range)
{
    struct sp_span spans[120];
    for (unsigned i = 0; i < 60; i++)
        make_call(&spans[2 * i], i + 1, "web", "cart", T0 + i * 60000 * MS, (i ? 8 : 900) * MS);
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_answer(&world, "/v1/graph/calls?client=web&server=cart&traces=1", 200,
                  "\"slowest\":[{\"traceId\":\"00000000000000000000000000000001\",\"spanId\":"
                  "\"0000000000000001\"");
    expect_answer(&world, "/v1/graph/calls?client=web&server=cart&traces=1", 200,
                  "\"newest\":[{\"traceId\":\"0000000000000000000000000000003c\"");
    expect_answer(&world, "/v1/graph/calls?client=web&server=cart&traces=1", 200,
                  "\"complete\":false,\"incompleteReason\":\"traces\"");
    expect_answer(&world, "/v1/graph/calls?client=web&server=cart&traces=60", 200,
                  "\"complete\":true,\"incompleteReason\":null");
}
END_TEST

/* More callers than are told apart: all traces of the range are looked at. */
START_TEST(calls_of_a_node_with_many_callers)
{
    static char names[70][8];
    struct sp_span spans[140];
    for (unsigned i = 0; i < 70; i++) {
        snprintf(names[i], sizeof(names[i]), "web%u", i);
        make_call(&spans[2 * i], i + 1, names[i], "hub", T0 + i * MS, (i + 2) * MS);
    }
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_answer(&world, "/v1/graph/calls?server=hub&limit=1", 200,
                  "\"newest\":[{\"traceId\":\"00000000000000000000000000000046\"");
    expect_answer(&world, "/v1/graph/calls?server=hub&limit=1", 200,
                  "\"complete\":true,\"incompleteReason\":null");
    expect_answer(&world, "/v1/graph/calls?server=hub&traces=69", 200,
                  "\"complete\":false,\"incompleteReason\":\"traces\"");
}
END_TEST

START_TEST(calls_to_look_at_are_of_an_edge_or_of_a_node)
{
    expect_answer(&world, "/v1/graph/calls", 400, "\"parameter\":\"server\"");
    expect_answer(&world, "/v1/graph/calls?client=a&limit=0", 400, "\"parameter\":\"limit\"");
    expect_answer(&world, "/v1/graph/calls?client=a&connectionType=x", 400,
                  "\"parameter\":\"connectionType\"");
    expect_answer(&world, "/v1/graph/calls?client=a&server=b", 200,
                  "{\"failed\":[],\"slowest\":[],\"newest\":[],\"complete\":true");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query_calls");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, exact_graph_has_every_duration, 0, 6);
    tcase_add_test(tcase, exact_graph_refuses_what_has_no_exact_latencies);
    tcase_add_test(tcase, graph_says_in_a_header_how_many_edges_it_has);
    tcase_add_loop_test(tcase, heatmap_of_an_edge_has_every_call, 0, 4);
    tcase_add_test(tcase, calls_of_an_edge_stand_where_they_began);
    tcase_add_loop_test(tcase, calls_of_an_edge_are_the_failed_the_slowest_and_the_newest, 0, 4);
    tcase_add_loop_test(tcase, query_of_an_edge_finds_its_calls, 0, 2);
    tcase_add_test(tcase, query_of_an_edge_is_none_where_a_name_stands_for_many);
    tcase_add_test(tcase, calls_of_a_node_are_those_of_all_its_edges);
    tcase_add_test(tcase, slowest_call_is_of_the_whole_range);
    tcase_add_test(tcase, calls_of_a_node_with_many_callers);
    tcase_add_test(tcase, calls_to_look_at_are_of_an_edge_or_of_a_node);
    tcase_add_test(tcase, heatmap_of_an_edge_needs_both_ends_and_no_query);
    suite_add_tcase(suite, tcase);
    return suite;
}
