/* SPDX-License-Identifier: Apache-2.0
 *
 * Search, over the reference store: random queries on random traces against brute force, the orders, pages and their
 * cursors while data comes in, early stop, limits, and what is no search. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/net.h"
#include "tests/support/spanset_oracle.h"
#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    sp_arena_init(&arena, 256 << 20);
    world_init(&world);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

/* ---- asking ---- */

#define IDS_MAX 512

struct page {
    char ids[IDS_MAX][SP_TRACE_ID_TEXT];
    size_t count;
    char cursor[256]; /* "" when there is none */
    bool complete;
    unsigned long matched;
    char reason[32];
};

static void search_url(char *url, size_t bytes, const char *query, const char *more)
{
    struct sp_buf encoded;
    sp_buf_init(&encoded, 1 << 20);
    sp_percent_encode(sp_slice_cstr(query), &encoded);
    snprintf(url, bytes, "/v1/search?q=%.*s%s", SP_SLICE_PRINTF(sp_buf_slice(&encoded)), more);
    sp_buf_fini(&encoded);
}

static void search_page(const char *query, const char *more, struct page *page)
{
    static char url[64 * 1024];
    search_url(url, sizeof(url), query, more);
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call), member[128];
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    page->count = 0;
    for (const char *at = text; (at = strstr(at, "{\"traceId\":\"")) != NULL; at++) {
        ck_assert_uint_lt(page->count, IDS_MAX);
        json_member(at, "traceId", page->ids[page->count++], SP_TRACE_ID_TEXT);
    }
    const char *tail = strstr(text, "\"complete\":");
    json_member(tail, "complete", member, sizeof(member));
    page->complete = strcmp(member, "true") == 0;
    json_member(tail, "matchedTraces", member, sizeof(member));
    page->matched = strtoul(member, NULL, 10);
    json_member(tail, "cursor", page->cursor, sizeof(page->cursor));
    if (strcmp(page->cursor, "null") == 0)
        page->cursor[0] = 0;
    json_member(tail, "incompleteReason", page->reason, sizeof(page->reason));
    free(text);
    answer_fini(call);
}

/* All pages, one behind the other. */
static void search_all(const char *query, const char *more, unsigned limit, struct page *all)
{
    static struct page page;
    char parameters[512];
    all->count = 0;
    page.cursor[0] = 0;
    do {
        snprintf(parameters, sizeof(parameters), "%s&limit=%u&cursor=%s", more, limit, page.cursor);
        search_page(query, parameters, &page);
        ck_assert_uint_le(page.count, limit);
        memcpy(all->ids[all->count], page.ids[0], page.count * sizeof(page.ids[0]));
        all->count += page.count;
    } while (page.cursor[0]);
    all->matched = page.matched;
}

/* ---- brute force ---- */

struct expected {
    struct sp_trace_id id;
    uint64_t start, duration, spans, errors;
};

static const char *const orders[] = {"-start", "start", "-duration", "duration",
                                     "-spans", "spans", "-errors",   "errors"};
static unsigned expected_order; /* for qsort */

static int compare_expected(const void *a, const void *b)
{
    const struct expected *x = a, *y = b;
    const uint64_t xs[] = {x->start, x->duration, x->spans, x->errors};
    const uint64_t ys[] = {y->start, y->duration, y->spans, y->errors};
    uint64_t xv = xs[expected_order / 2], yv = ys[expected_order / 2];
    if (xv != yv)
        return (xv < yv) == (expected_order % 2 == 1) ? -1 : 1;
    return memcmp(x->id.bytes, y->id.bytes, sizeof(x->id.bytes));
}

static int compare_traces(const void *a, const void *b)
{
    const struct sp_span *const *x = a, *const *y = b;
    return memcmp((*x)->trace_id.bytes, (*y)->trace_id.bytes, SP_TRACE_ID_BYTES);
}

/* A whole query, or one { ... }, or neither: everything. */
struct question {
    const struct spanset_query *whole;
    const struct oracle_query *filter;
};

static bool is_found(const struct question *question, const struct oracle_trace *trace,
                     uint64_t from, uint64_t to)
{
    struct spanset_found found = {0};
    bool any = false;
    if (question->whole)
        spanset_evaluate(question->whole, trace, &found);
    for (size_t i = 0; i < trace->count && !any; i++) {
        uint64_t start = trace->spans[i]->start_unix_ns;
        bool matched =
            !question->whole && (!question->filter || oracle_matches(question->filter, trace, i));
        for (size_t s = 0; s < found.count; s++)
            matched |= found.sets[s].members[i];
        any = matched && start >= from && (start < to || to == UINT64_MAX);
    }
    spanset_found_fini(&found);
    return any;
}

/* The traces with a span in [from, to) that matches, in order. spans are sorted by trace. */
static size_t brute_force(const struct sp_span **spans, size_t count,
                          const struct question *question, uint64_t from, uint64_t to,
                          struct expected *out)
{
    size_t found = 0;
    for (size_t i = 0, end; i < count; i = end) {
        struct expected trace = {.id = spans[i]->trace_id, .start = UINT64_MAX};
        uint64_t last = 0;
        for (end = i; end < count && compare_traces(&spans[i], &spans[end]) == 0; end++) {
            uint64_t start = spans[end]->start_unix_ns;
            uint64_t stop = spans[end]->end_unix_ns > start ? spans[end]->end_unix_ns : start;
            trace.start = start < trace.start ? start : trace.start;
            last = stop > last ? stop : last;
            trace.errors += spans[end]->status_code == 2;
        }
        trace.spans = end - i;
        trace.duration = last - trace.start;
        static struct oracle_trace around;
        oracle_trace_init(&around, spans + i, end - i);
        if (is_found(question, &around, from, to))
            out[found++] = trace;
    }
    qsort(out, found, sizeof(*out), compare_expected);
    return found;
}

static const struct sp_span **sorted_spans(const struct sp_batch *batch)
{
    const struct sp_span **spans =
        sp_arena_calloc(&arena, batch->span_count, sizeof(struct sp_span *));
    for (size_t i = 0; i < batch->span_count; i++)
        spans[i] = &batch->spans[i];
    qsort(spans, batch->span_count, sizeof(*spans), compare_traces);
    return spans;
}

static void expect_same(const struct page *found, const struct expected *expected, size_t count,
                        const char *what)
{
    ck_assert_msg(found->count == count, "%s: %zu traces, expected %zu", what, found->count, count);
    for (size_t i = 0; i < count; i++) {
        char id[SP_TRACE_ID_TEXT];
        sp_trace_id_format(&expected[i].id, id);
        ck_assert_msg(strcmp(found->ids[i], id) == 0, "%s: place %zu is %s, expected %s", what, i,
                      found->ids[i], id);
    }
}

#define ROUNDS         6
#define QUERIES        60
#define SPANS_A_ROUND  240
#define TRACES_A_ROUND 60

/* One random question over a random range, in a random order and pages of random size. */
static size_t compare_question(struct sp_gen *gen, const struct sp_span **spans, size_t span_count,
                               const struct question *question, const char *text)
{
    static struct page found;
    static struct expected expected[IDS_MAX];
    static char more[256], what[70 * 1024];
    uint64_t from = 0, to = UINT64_MAX;
    more[0] = 0;
    expected_order = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(orders));
    if (sp_gen_chance(gen, 40)) {
        from = T0 + sp_gen_below(gen, 3600) * 1000000000;
        to = from + sp_gen_below(gen, 1800) * 1000000000;
        snprintf(more, sizeof(more), "&from=%llu&to=%llu", (unsigned long long)from,
                 (unsigned long long)to);
    }
    snprintf(more + strlen(more), sizeof(more) - strlen(more), "&order=%s", orders[expected_order]);
    size_t count = brute_force(spans, span_count, question, from, to, expected);
    snprintf(what, sizeof(what), "%s%s", text, more);
    search_all(text, more, 1 + (unsigned)sp_gen_below(gen, 40), &found);
    expect_same(&found, expected, count, what);
    return count;
}

static const struct sp_span **add_random_traces(int seed, size_t *ret_count)
{
    struct sp_gen_options options = {.span_count = SPANS_A_ROUND,
                                     .trace_count = TRACES_A_ROUND,
                                     .trace_seed = 1 + (uint64_t)seed,
                                     .odd_percent = seed % 2 ? 20 : 5,
                                     .no_residue = true};
    const struct sp_batch *batch = sp_gen_batch(&arena, 77 + (uint64_t)seed, &options);
    ck_assert_ptr_nonnull(batch);
    world_add(&world, batch->spans, batch->span_count);
    *ret_count = batch->span_count;
    return sorted_spans(batch);
}

START_TEST(search_finds_what_brute_force_finds)
{
    struct sp_gen gen = {.state = 1000 + (uint64_t)_i};
    size_t span_count, matches = 0;
    const struct sp_span **spans = add_random_traces(_i, &span_count);
    for (int round = 0; round < QUERIES; round++) {
        struct oracle_query query;
        oracle_make(&gen, &query);
        matches += compare_question(&gen, spans, span_count, &(struct question){.filter = &query},
                                    query.text);
    }
    ck_assert_uint_gt(matches, 0);
}
END_TEST

/* What the store may skip is decided by conditions on one span in range: here that is tested, too. */
START_TEST(search_of_spansets_finds_what_brute_force_finds)
{
    static struct spanset_query query;
    struct sp_gen gen = {.state = 2000 + (uint64_t)_i};
    size_t span_count, matches = 0;
    const struct sp_span **spans = add_random_traces(_i, &span_count);
    for (int round = 0; round < QUERIES; round++) {
        spanset_make(&gen, &query);
        matches += compare_question(&gen, spans, span_count, &(struct question){.whole = &query},
                                    query.text);
    }
    ck_assert_uint_gt(matches, 0);
}
END_TEST

START_TEST(search_for_everything_finds_every_trace)
{
    static struct page found;
    static struct expected expected[IDS_MAX];
    struct sp_gen_options options = sp_gen_options_everything(300);
    const struct sp_batch *batch = sp_gen_batch(&arena, 5, &options);
    world_add(&world, batch->spans, batch->span_count);
    const struct sp_span **spans = sorted_spans(batch);
    for (expected_order = 0; expected_order < SP_ARRAY_LEN(orders); expected_order++) {
        char more[64];
        snprintf(more, sizeof(more), "&order=%s", orders[expected_order]);
        size_t count =
            brute_force(spans, batch->span_count, &(struct question){0}, 0, UINT64_MAX, expected);
        search_all("{}", more, 7, &found);
        expect_same(&found, expected, count, orders[expected_order]);
        ck_assert_uint_eq(found.matched, count);
    }
}
END_TEST

/* ---- shapes ---- */

static void add_small_traces(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        struct sp_span span = make_span(&arena, i, i, 0, "web", "GET /", T0 + i * MS, MS);
        world_add(&world, &span, 1);
    }
}

START_TEST(search_shows_why_a_trace_matched)
{
    struct sp_span spans[26];
    spans[0] = make_span(&arena, 1, 1, 0, "web", "GET /", T0, 100 * MS);
    for (unsigned i = 1; i < SP_ARRAY_LEN(spans); i++)
        spans[i] = make_span(&arena, 1, 100 - i, 1, "cart", "step", T0 + i * MS, MS);
    spans[3].status_code = SP_SPAN_STATUS_ERROR;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    static const char *const parts[] = {
        "{\"traces\":[{\"traceId\":\"00000000000000000000000000000001\",\"rootServiceName\":"
        "\"web\","
        "\"rootTraceName\":\"GET /\",\"startTimeUnixNano\":\"1767225600000000000\","
        "\"durationNano\":\"100000000\",\"spanCount\":26,\"errorCount\":1,"
        "\"matchedSpanIds\":[\"0000000000000063\",",
        "\"0000000000000050\"],\"matchedSpanCount\":25,\"matchedSpans\":[{\"spanId\":"
        "\"0000000000000063\",\"serviceName\":\"cart\",\"name\":\"step\",\"kind\":\"server\","
        "\"status\":\"unset\",\"startTimeUnixNano\":\"1767225600001000000\","
        "\"durationNano\":\"1000000\"},",
        "\"status\":\"error\"",
        "\"services\":[{\"name\":\"cart\",\"spanCount\":25,\"errorCount\":1,\"slot\":1},"
        "{\"name\":\"web\",\"spanCount\":1,\"errorCount\":0,\"slot\":0}]",
        "\"complete\":true,\"incompleteReason\":null,\"cursor\":null,\"scanned\":{\"segments\":",
        "\"matchedTraces\":1,\"order\":\"-start\",\"tookMs\":0}",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++)
        expect_answer(&world, "/v1/search?q=%7Bname%3D%22step%22%7D", 200, parts[i]);
}
END_TEST

START_TEST(search_of_an_empty_store_is_complete)
{
    expect_answer(&world, "/v1/search", 200,
                  "{\"traces\":[],\"complete\":true,\"incompleteReason\":null,\"cursor\":null,");
}
END_TEST

/* ---- pages ---- */

START_TEST(cursor_stays_valid_while_newer_traces_come_in)
{
    static struct page page, next;
    char more[512];
    add_small_traces(1, 30);
    search_page("{}", "&limit=10", &page);
    ck_assert_uint_eq(page.count, 10);
    ck_assert_str_ne(page.cursor, "");
    add_small_traces(31, 25); /* all of them newer: not on the pages behind the cursor */
    snprintf(more, sizeof(more), "&limit=100&cursor=%s", page.cursor);
    search_page("{}", more, &next);
    ck_assert_uint_eq(next.count, 20);
    ck_assert_str_eq(next.ids[0], "00000000000000000000000000000014");
    ck_assert_str_eq(next.ids[19], "00000000000000000000000000000001");
    ck_assert_str_eq(next.cursor, "");
}
END_TEST

START_TEST(cursor_keeps_the_range_of_its_first_page)
{
    static struct page page, next;
    char more[512];
    add_small_traces(1, 30);
    world.unix_ns = T0 + 3600000 * MS;
    search_page("{}", "&limit=10&from=now-1h", &page);
    world.unix_ns += 1800000 * MS; /* everything would have left the hour */
    snprintf(more, sizeof(more), "&limit=100&from=now-1h&cursor=%s", page.cursor);
    search_page("{}", more, &next);
    ck_assert_uint_eq(next.count, 20);
}
END_TEST

START_TEST(cursor_of_another_search_is_refused)
{
    static struct page page;
    static const char *const others[] = {"{ duration > 0 }", "{}&order=start", "{}&from=now-1h",
                                         "{}&to=now"};
    add_small_traces(1, 5);
    search_page("{}", "&limit=2", &page);
    for (size_t i = 0; i < SP_ARRAY_LEN(others); i++) {
        char url[512];
        snprintf(url, sizeof(url), "/v1/search?q=%s&cursor=%s", others[i], page.cursor);
        for (char *at = url; (at = strchr(at, ' ')) != NULL;)
            *at = '+';
        expect_answer(&world, url, 400, "belongs to a search with another q, from, to or order");
    }
    expect_answer(&world, "/v1/search?cursor=abc", 400, "\"parameter\":\"cursor\"");
}
END_TEST

START_TEST(search_stops_early_when_the_page_cannot_change)
{
    static struct page page;
    struct sp_query_limits limits = *sp_query_limits_default();
    limits.count_traces_max = 20;
    world_fini(&world);
    world_init_limits(&world, &limits);
    add_small_traces(1, 100);
    search_page("{}", "&limit=5", &page);
    ck_assert_uint_eq(page.count, 5);
    ck_assert_str_eq(page.ids[0], "00000000000000000000000000000064");
    ck_assert(!page.complete);
    ck_assert_str_eq(page.reason, "pageFull");
    ck_assert_uint_lt(page.matched, 100);
    ck_assert_str_ne(page.cursor, "");
    search_page("{}", "&limit=5&order=start", &page); /* has to look at all of them */
    ck_assert(page.complete);
    ck_assert_uint_eq(page.matched, 100);
    static struct page all;
    search_all("{}", "", 7, &all);
    ck_assert_uint_eq(all.count, 100);
}
END_TEST

START_TEST(search_stops_early_after_enough_spans)
{
    static struct page page;
    struct sp_query_limits limits = *sp_query_limits_default();
    limits.count_spans_max = 30;
    world_fini(&world);
    world_init_limits(&world, &limits);
    add_small_traces(1, 300);
    search_page("{}", "&limit=5", &page);
    ck_assert_uint_eq(page.count, 5);
    ck_assert_str_eq(page.reason, "pageFull");
    ck_assert_uint_eq(page.matched, 200); /* a batch of 16, and one more that reaches 30 */
}
END_TEST

/* ---- limits ---- */

/* A clock that moves on by a second whenever it is read. */
static uint64_t hurrying_ns(void *cookie)
{
    struct world *w = cookie;
    return w->monotonic_ns += 1000 * MS;
}

static uint64_t hurry_ns;

static uint64_t slow_machine_ns(void *cookie)
{
    struct world *w = cookie;
    return w->monotonic_ns += hurry_ns;
}

START_TEST(search_out_of_time_says_that_it_is_partial)
{
    static struct page page;
    add_small_traces(1, 100);
    world.clock.monotonic_ns = hurrying_ns;
    search_page("{}", "&limit=1000", &page);
    ck_assert(!page.complete);
    ck_assert_str_eq(page.reason, "timeBudget");
    ck_assert_uint_gt(page.count, 0);
    ck_assert_uint_lt(page.count, 100);
    ck_assert_str_ne(page.cursor, "");
}
END_TEST

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Whatever the order and the size of pages, whoever goes on has seen every trace once in the end. */
START_TEST(search_out_of_time_goes_on_where_it_was)
{
    static struct page all, page;
    static const unsigned limits[] = {1, 3, 7, 40};
    unsigned limit = limits[_i % SP_ARRAY_LEN(limits)];
    size_t span_count, pages = 0, out_of_time = 0;
    char more[1024];
    (void)add_random_traces(_i, &span_count);
    snprintf(more, sizeof(more), "&limit=1000&order=%s", orders[(size_t)_i % SP_ARRAY_LEN(orders)]);
    search_page("{ kind != server }", more, &all);
    page.cursor[0] = 0;
    static struct page found;
    found.count = 0;
    do {
        snprintf(more, sizeof(more), "&limit=%u&order=%s&cursor=%s", limit,
                 orders[(size_t)_i % SP_ARRAY_LEN(orders)], page.cursor);
        /* The first pages run out of time at once, later ones a little later. */
        hurry_ns = pages % 5 == 4 ? 0 : (500 + 100 * (pages % 7)) * MS;
        world.clock.monotonic_ns = slow_machine_ns;
        search_page("{ kind != server }", more, &page);
        ck_assert_uint_le(page.count, limit);
        memcpy(found.ids[found.count], page.ids[0], page.count * sizeof(page.ids[0]));
        found.count += page.count;
        out_of_time += strcmp(page.reason, "timeBudget") == 0;
        ck_assert_uint_lt(++pages, 1000);
    } while (page.cursor[0]);
    qsort(found.ids, found.count, sizeof(found.ids[0]), compare_texts);
    qsort(all.ids, all.count, sizeof(all.ids[0]), compare_texts);
    ck_assert_uint_eq(found.count, all.count);
    ck_assert_int_eq(memcmp(found.ids, all.ids, all.count * sizeof(all.ids[0])), 0);
    ck_assert_uint_gt(out_of_time, 0);
}
END_TEST

/* One span alone may take long: every pair of its events is compared. The clock runs only while it is looked at. */
START_TEST(search_out_of_time_within_one_span_ends)
{
    enum { EVENTS = 2000 };
    static struct page page;
    static struct sp_event events[EVENTS];
    static struct sp_attribute names[EVENTS][2];
    for (int i = 0; i < EVENTS; i++) {
        names[i][0] = (struct sp_attribute){.key = SP_SLICE("a"), .value = int_value(i)};
        names[i][1] = (struct sp_attribute){.key = SP_SLICE("b"), .value = int_value(-1 - i)};
        events[i].attributes = (struct sp_attributes){.items = names[i], .count = 2};
    }
    struct sp_span span = make_span(&arena, 1, 1, 0, "cart", "GET", T0, MS);
    span.events = events;
    span.event_count = EVENTS;
    world_add(&world, &span, 1);
    search_page("{ event.a = event.b }", "", &page);
    ck_assert(page.complete);
    ck_assert_uint_eq(page.count, 0);
    world.clock.monotonic_ns = hurrying_ns;
    search_page("{ event.a = event.b }", "", &page);
    ck_assert(!page.complete);
    ck_assert_str_eq(page.reason, "timeBudget");
}
END_TEST

START_TEST(search_out_of_time_with_a_final_page_is_not_partial)
{
    static struct page page;
    add_small_traces(1, 100);
    world.clock.monotonic_ns = hurrying_ns;
    search_page("{}", "&limit=5", &page);
    ck_assert_str_eq(page.reason, "pageFull");
    ck_assert_uint_eq(page.count, 5);
    ck_assert_str_ne(page.cursor, "");
}
END_TEST

START_TEST(search_without_memory_says_so)
{
    add_small_traces(1, 3);
    bool succeeded = false;
    for (size_t cap = 0; cap < 1 << 20 && !succeeded; cap += cap < 8192 ? 512 : 8192) {
        world.api->limits.memory_bytes_max = cap;
        struct sp_query_call *call = ask(&world, "/v1/search?q=%7Bname%3D~%22G.*%22%7D");
        ck_assert_msg(call->reply.status == 200 || call->reply.status == 413, "at %zu: %d", cap,
                      call->reply.status);
        succeeded = call->reply.status == 200;
        answer_fini(call);
    }
    ck_assert(succeeded);
}
END_TEST

/* ---- errors ---- */

static const struct refused {
    const char *query, *says;
} refused[] = {
    {"{ name = }", "\"parameter\":\"q\""},
    {"{ name = ", "\"offset\":"},
    {"{ name = \"a\" ", "\"parameter\":\"q\""},
    {"{ name =~ \"(\" }", "\"parameter\":\"q\""},
    {"{} | count()", "expected a comparison"},
    {"{} | rate()", "\"title\":\"Not a search\""},
    {"{} | by(service) | rate()", "\"offset\":19"},
    {"{} with (speed = true)", "\"offset\":9"},
    {"{} with (most_recent = 1)", "expected most_recent = true"},
};

START_TEST(search_refuses_what_is_no_query_or_makes_series)
{
    char url[512];
    search_url(url, sizeof(url), refused[_i].query, "");
    expect_answer(&world, url, 400, refused[_i].says);
    expect_answer(&world, url, 400, "\"offset\":");
}
END_TEST

START_TEST(search_refuses_bad_parameters)
{
    expect_answer(&world, "/v1/search?limit=0", 400, "\"parameter\":\"limit\"");
    expect_answer(&world, "/v1/search?limit=1001", 400, "\"parameter\":\"limit\"");
    expect_answer(&world, "/v1/search?order=name", 400, "\"parameter\":\"order\"");
    expect_answer(&world, "/v1/search?query=x", 400, "\"parameter\":\"query\"");
}
END_TEST

/* ---- places in the tree ---- */

START_TEST(search_reads_parents_and_positions)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "root", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "web", "left", T0 + 1 * MS, 10 * MS),
        make_span(&arena, 1, 3, 1, "web", "right", T0 + 20 * MS, 10 * MS),
        make_span(&arena, 1, 4, 3, "web", "leaf", T0 + 21 * MS, 5 * MS),
        make_span(&arena, 1, 5, 9, "web", "orphan", T0 + 30 * MS, 5 * MS),
    };
    add_attribute(&arena, &spans[2], "team", text_value("green"));
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    static const struct {
        const char *query, *names; /* of the matched spans, in order of start */
    } rows[] = {
        {"{ parent.team = \"green\" }", "leaf"},
        {"{ nestedSetParent < 0 }", "root"},
        {"{ nestedSetParent = 0 }", "orphan"},
        {"{ span:childCount > 1 }", "root"},
        {"{ parent = nil }", "root,orphan"},
        {"{ nestedSetLeft = 5 }", "leaf"},
        {"{ nestedSetRight = 8 }", "root"},
        {"{ span:parentID = nil }", "root"},
        {"{ span:id = \"0000000000000004\" }", "leaf"},
        {"{ span:id = \"4\" }", "leaf"},
        {"{ duration * 2 > 150ms }", "root"},
        {"{ duration > 5ms && duration < traceDuration / 2 }", "left,right"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        char url[512], names[256] = "", name[64];
        search_url(url, sizeof(url), rows[i].query, "");
        struct sp_query_call *call = ask(&world, url);
        char *text = answer_text(call);
        ck_assert_msg(call->reply.status == 200, "%s: %s", rows[i].query, text);
        const char *at = strstr(text, "\"matchedSpans\":");
        const char *end = strstr(text, "\"services\":");
        while (at && (at = strstr(at, "{\"spanId\"")) != NULL && at < end) {
            json_member(at, "name", name, sizeof(name));
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
                     names[0] ? "," : "", name);
            at++;
        }
        ck_assert_msg(strcmp(names, rows[i].names) == 0, "%s: %s, expected %s", rows[i].query,
                      names, rows[i].names);
        free(text);
        answer_fini(call);
    }
}
END_TEST

/* More than 292 years before or behind the start counts as 292. */
START_TEST(events_far_from_their_span_stay_on_their_side)
{
    struct sp_event late = {.name = SP_SLICE("late"), .time_unix_ns = UINT64_MAX};
    struct sp_event early = {.name = SP_SLICE("early"), .time_unix_ns = 1};
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "web", "first", 1, MS),
                              make_span(&arena, 2, 1, 0, "web", "last", UINT64_MAX, 0)};
    static const struct {
        const char *query, *contains;
    } rows[] = {
        {"{ event:timeSinceStart > 1h }", "00000000000000000000000000000001"},
        {"{ event:timeSinceStart < -1h }", "00000000000000000000000000000002"},
        {"{ event:timeSinceStart = maxInt }", "00000000000000000000000000000001"},
        {"{ event:timeSinceStart = minInt }", "00000000000000000000000000000002"},
    };
    spans[0].events = &late;
    spans[1].events = &early;
    spans[0].event_count = spans[1].event_count = 1;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        char url[512];
        search_url(url, sizeof(url), rows[i].query, "");
        expect_answer(&world, url, 200, rows[i].contains);
        expect_answer(&world, url, 200, "\"matchedTraces\":1,");
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query search");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, search_finds_what_brute_force_finds, 0, ROUNDS);
    tcase_add_loop_test(tcase, search_of_spansets_finds_what_brute_force_finds, 0, ROUNDS);
    tcase_add_test(tcase, search_for_everything_finds_every_trace);
    tcase_add_test(tcase, search_shows_why_a_trace_matched);
    tcase_add_test(tcase, search_of_an_empty_store_is_complete);
    tcase_add_test(tcase, cursor_stays_valid_while_newer_traces_come_in);
    tcase_add_test(tcase, cursor_keeps_the_range_of_its_first_page);
    tcase_add_test(tcase, cursor_of_another_search_is_refused);
    tcase_add_test(tcase, search_stops_early_when_the_page_cannot_change);
    tcase_add_test(tcase, search_stops_early_after_enough_spans);
    tcase_add_test(tcase, search_out_of_time_says_that_it_is_partial);
    tcase_add_loop_test(tcase, search_out_of_time_goes_on_where_it_was, 0, 16);
    tcase_add_test(tcase, search_out_of_time_within_one_span_ends);
    tcase_add_test(tcase, search_out_of_time_with_a_final_page_is_not_partial);
    tcase_add_test(tcase, search_without_memory_says_so);
    tcase_add_loop_test(tcase, search_refuses_what_is_no_query_or_makes_series, 0,
                        SP_ARRAY_LEN(refused));
    tcase_add_test(tcase, search_refuses_bad_parameters);
    tcase_add_test(tcase, search_reads_parents_and_positions);
    tcase_add_test(tcase, events_far_from_their_span_stay_on_their_side);
    suite_add_tcase(suite, tcase);
    return suite;
}
