/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches that are answered line by line: whatever the query, the order, the page and the room for lines, the traces and the
 * last line say what the whole answer says; lines of progress; failures behind the first byte; clients that go. */
#include <stdio.h>
#include <stdlib.h>

#include "query/search_stream.h"
#include "tests/contract/fixture.h"
#include "tests/support/spanset_oracle.h"
#include "tests/unit/query/sink.h"

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

/* Asks for lines. cancelled may be NULL. All lines, those of the end included, go to sink->sent. */
static int ask_lines(struct world *w, const char *url, const char *accept, struct sink *sink,
                     bool (*cancelled)(void *cookie), void *cookie)
{
    struct sp_query_call call = {.api = w->api, .begin_ns = w->monotonic_ns};
    struct sp_slice whole = sp_slice_cstr(url);
    size_t mark = sp_slice_find(whole, '?');
    call.request.method = SP_SLICE("GET");
    call.request.path = sp_slice_sub(whole, 0, mark);
    call.request.query = sp_slice_sub(whole, mark + 1, whole.len);
    call.request.accept = sp_slice_cstr(accept);
    call.request.cancelled = cancelled;
    call.request.cookie = cookie;
    call.request.stream = &sink->stream;
    call.endpoint = sp_query_route(call.request.method, call.request.path, &call.path_id);
    sp_query_call_run(&call);
    ck_assert_int_eq(call.streaming, sink->begun == 1);
    int status = call.reply.status;
    sp_buf_append_slice(&sink->sent, sp_buf_slice(&call.reply.body));
    sp_query_call_fini(&call);
    return status;
}

/* The text behind prefix of each line that begins so and ends in suffix, with a comma between two. */
static char *collect(const struct sink *sink, const char *prefix, const char *between)
{
    struct sp_buf out;
    sp_buf_init(&out, 64 << 20);
    struct sp_slice rest = sp_buf_slice(&sink->sent);
    while (rest.len > 0) {
        size_t end = sp_slice_find(rest, '\n');
        struct sp_slice line = sp_slice_sub(rest, 0, end);
        ck_assert_uint_lt(end, rest.len); /* every line ends */
        if (sp_slice_starts_with(line, sp_slice_cstr(prefix))) {
            if (out.len > 0)
                sp_buf_append_cstr(&out, between);
            sp_buf_append_slice(&out,
                                sp_slice_sub(line, strlen(prefix), line.len - 1 - strlen(prefix)));
        }
        rest = sp_slice_sub(rest, end + 1, rest.len);
    }
    sp_buf_append_byte(&out, 0);
    ck_assert_int_eq(out.error, SP_OK);
    return (char *)out.ptr;
}

/* Without the member that says how long it took. */
static void forget_time(char *text)
{
    char *at = strstr(text, "\"tookMs\":");
    ck_assert_ptr_nonnull(at);
    at += strlen("\"tookMs\":");
    char *end = at + strspn(at, "0123456789");
    memmove(at, end, strlen(end) + 1);
}

static void expect_lines_as_whole(struct world *w, const char *url, size_t room)
{
    struct sink sink;
    struct sp_query_call *call = ask(w, url);
    char *whole = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, whole);
    sink_init(&sink, room);
    ck_assert_int_eq(ask_lines(w, url, "application/x-ndjson", &sink, NULL, NULL), 200);
    ck_assert_str_eq(sink.type, "application/x-ndjson");
    char *traces = collect(&sink, "{\"trace\":", ","), *done = collect(&sink, "{\"done\":{", "|");
    size_t bytes = strlen(traces) + strlen(done) + 64;
    char *made = malloc(bytes);
    ck_assert_ptr_nonnull(made);
    snprintf(made, bytes, "{\"traces\":[%s],%s", traces, done);
    forget_time(made);
    forget_time(whole);
    size_t same = 0;
    while (made[same] == whole[same] && whole[same] != 0)
        same++;
    ck_assert_msg(strcmp(made, whole) == 0, "%.500s: byte %zu: %.200s, not %.200s", url, same,
                  made + same, whole + same);
    free(made);
    free(traces);
    free(done);
    free(whole);
    sink_fini(&sink);
    answer_fini(call);
}

/* ---- the same as whole answers ---- */

static const char *const orders[] = {"-start", "-start", "-start",   "start",        "-duration",
                                     "-spans", "errors", "-count()", "max(duration)"};

/* One random question: over everything or a range, some of them to their last page. */
static void compare_question(struct world *w, struct sp_gen *gen, const char *query)
{
    static char url[72 * 1024];
    struct sp_buf encoded;
    sp_buf_init(&encoded, 1 << 20);
    sp_percent_encode(sp_slice_cstr(query), &encoded);
    char more[256] = "";
    if (sp_gen_chance(gen, 40)) {
        uint64_t from = T0 + sp_gen_below(gen, 3600) * 1000000000;
        snprintf(more, sizeof(more), "&from=%llu&to=%llu", (unsigned long long)from,
                 (unsigned long long)(from + sp_gen_below(gen, 1800) * 1000000000));
    }
    const char *order = orders[sp_gen_below(gen, SP_ARRAY_LEN(orders))];
    unsigned limit = 1 + (unsigned)sp_gen_below(gen, 40);
    char cursor[256] = "";
    for (int page = 0; page < 4 && (page == 0 || cursor[0]); page++) {
        snprintf(url, sizeof(url), "/v1/search?q=%.*s&limit=%u&order=%s%s&cursor=%s",
                 SP_SLICE_PRINTF(sp_buf_slice(&encoded)), limit, order, more, cursor);
        size_t room = sp_gen_chance(gen, 50) ? SIZE_MAX : (size_t)sp_gen_below(gen, 20);
        expect_lines_as_whole(w, url, room);
        struct sp_query_call *call = ask(w, url);
        char *text = answer_text(call);
        json_member(strstr(text, "\"complete\":"), "cursor", cursor, sizeof(cursor));
        if (strcmp(cursor, "null") == 0)
            cursor[0] = 0;
        free(text);
        answer_fini(call);
    }
    sp_buf_fini(&encoded);
}

START_TEST(lines_of_random_searches_say_what_the_whole_answer_says)
{
    struct sp_gen_options options = {.span_count = 240,
                                     .trace_count = 60,
                                     .trace_seed = 9 + (uint64_t)_i,
                                     .odd_percent = _i % 2 ? 20 : 5,
                                     .no_residue = true};
    const struct sp_batch *batch = sp_gen_batch(&arena, 177 + (uint64_t)_i, &options);
    ck_assert_ptr_nonnull(batch);
    world_add(&world, batch->spans, batch->span_count);
    static struct spanset_query query;
    struct sp_gen gen = {.state = 31 + (uint64_t)_i};
    compare_question(&world, &gen, "");
    for (int q = 0; q < 30; q++) {
        spanset_make(&gen, &query);
        compare_question(&world, &gen, query.text);
    }
}
END_TEST

/* ---- early ---- */

static void add_small_traces(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        struct sp_span span = make_span(&arena, i, i, 0, "cart", "GET", T0 + i * MS, MS);
        world_add(&world, &span, 1);
    }
}

/* Newest first, what cannot change any more goes at once; in another order, the last candidate may be the best. */
START_TEST(results_go_early_in_the_order_of_the_scan_only)
{
    struct sink sink;
    add_small_traces(1, 300);
    sink_init(&sink, SIZE_MAX);
    ask_lines(&world, "/v1/search?limit=300", "application/x-ndjson", &sink, NULL, NULL);
    ck_assert_uint_gt(sink.line_count, 100);
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":{"), 300);
    sink_fini(&sink);
    sink_init(&sink, SIZE_MAX);
    ask_lines(&world, "/v1/search?limit=300&order=-duration", "application/x-ndjson", &sink, NULL,
              NULL);
    ck_assert_uint_eq(sink.line_count, 0);
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":{"), 300);
    sink_fini(&sink);
}
END_TEST

START_TEST(results_without_room_go_at_the_end)
{
    struct sink sink;
    add_small_traces(1, 300);
    sink_init(&sink, 3);
    ask_lines(&world, "/v1/search?limit=300", "application/x-ndjson", &sink, NULL, NULL);
    ck_assert_uint_eq(sink.line_count, 3);
    ck_assert_uint_gt(sink.refused, 0);
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":{"), 300);
    sink_fini(&sink);
}
END_TEST

/* ---- progress ---- */

static uint64_t tick_ns;

static uint64_t ticking_ns(void *cookie)
{
    struct world *w = cookie;
    return w->monotonic_ns += tick_ns;
}

START_TEST(progress_is_told_at_most_ten_times_a_second)
{
    struct sink sink;
    add_small_traces(1, 300);
    world.clock.monotonic_ns = ticking_ns;
    tick_ns = 3 * MS;
    sink_init(&sink, SIZE_MAX);
    uint64_t before = world.monotonic_ns;
    ask_lines(&world, "/v1/search?limit=10&order=-duration", "application/x-ndjson", &sink, NULL,
              NULL);
    uint64_t took = world.monotonic_ns - before;
    size_t lines = sink_count(&sink, "{\"progress\":{");
    ck_assert_uint_gt(lines, 5);
    ck_assert_uint_le(lines, took / SP_SEARCH_PROGRESS_NS);
    char *progress = collect(&sink, "{\"progress\":", "\n");
    char member[64];
    const char *last = strrchr(progress, '\n') + 1;
    json_member(last, "matchedTraces", member, sizeof(member));
    ck_assert_int_gt(atoi(member), 100);
    json_member(last, "traces", member, sizeof(member));
    ck_assert_int_gt(atoi(member), 100);
    json_member(last, "knownTraces", member, sizeof(member));
    ck_assert_str_eq(member, "300");
    json_member(last, "totalRows", member, sizeof(member));
    ck_assert_str_eq(member, "300");
    free(progress);
    sink_fini(&sink);
}
END_TEST

/* A consumer of a trace of its own for each of so many messages. */
static void add_links(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct sp_span spans[] = {
            make_span(&arena, 2 * i + 1, 1, 0, "a", "send", T0 + i * MS, 2 * MS),
            make_span(&arena, 2 * i + 2, 2, 0, "b", "take", T0 + i * MS, 3 * MS)};
        struct sp_link *link = sp_arena_calloc(&arena, 1, sizeof(*link));
        *link = (struct sp_link){.trace_id = spans[0].trace_id, .span_id = spans[0].span_id};
        spans[0].kind = SP_KIND_PRODUCER;
        spans[1].kind = SP_KIND_CONSUMER;
        spans[1].links = link;
        spans[1].link_count = 1;
        world_add(&world, spans, SP_ARRAY_LEN(spans));
    }
}

START_TEST(graph_with_links_tells_how_far_it_is_and_is_the_same_graph)
{
    static const char url[] = "/v1/graph?links=true";
    struct sink sink;
    add_links(300);
    struct sp_query_call *call = ask(&world, url);
    char *whole = answer_text(call);
    answer_fini(call);
    world.clock.monotonic_ns = ticking_ns;
    tick_ns = 3 * MS;
    sink_init(&sink, SIZE_MAX);
    uint64_t before = world.monotonic_ns;
    ask_lines(&world, url, "application/x-ndjson", &sink, NULL, NULL);
    uint64_t took = world.monotonic_ns - before;
    size_t lines = sink_count(&sink, "{\"progress\":{");
    ck_assert_uint_gt(lines, 5);
    ck_assert_uint_le(lines, took / SP_SEARCH_PROGRESS_NS);
    char *progress = collect(&sink, "{\"progress\":", "\n");
    char *graph = collect(&sink, "{\"graph\":", "\n");
    char member[64];
    const char *last = strrchr(progress, '\n') + 1;
    json_member(last, "traces", member, sizeof(member));
    ck_assert_int_gt(atoi(member), 500);
    json_member(last, "knownTraces", member, sizeof(member));
    ck_assert_str_eq(member, "600");
    json_member(last, "passedRows", member, sizeof(member));
    ck_assert_str_eq(member, "600");
    ck_assert_str_eq(graph, whole);
    free(graph);
    free(progress);
    sink_fini(&sink);
    /* What is not asked for in lines, or has no links to look up, or is no JSON, comes whole. */
    static const char *const others[][2] = {
        {"/v1/graph?links=true", "application/json"},
        {"/v1/graph", "application/x-ndjson"},
        {"/v1/graph?links=1&format=csv", "application/x-ndjson"}};
    for (size_t i = 0; i < SP_ARRAY_LEN(others); i++) {
        sink_init(&sink, SIZE_MAX);
        ck_assert_int_eq(ask_lines(&world, others[i][0], others[i][1], &sink, NULL, NULL), 200);
        ck_assert_uint_eq(sink.begun, 0);
        sink_fini(&sink);
    }
    free(whole);
}
END_TEST

/* ---- failures ---- */

START_TEST(what_is_refused_at_once_is_a_problem_document_with_its_status)
{
    struct sink sink;
    sink_init(&sink, SIZE_MAX);
    ck_assert_int_eq(
        ask_lines(&world, "/v1/search?q=%7B", "application/x-ndjson", &sink, NULL, NULL), 400);
    ck_assert_uint_eq(sink.begun, 0);
    ck_assert_uint_eq(sink_count(&sink, "{\"type\":"), 1);
    sink_fini(&sink);
    sink_init(&sink, SIZE_MAX);
    sink.is_full = true;
    ck_assert_int_eq(ask_lines(&world, "/v1/search", "application/x-ndjson", &sink, NULL, NULL),
                     503);
    ck_assert_uint_eq(sink_count(&sink, "{\"type\":"), 1);
    sink_fini(&sink);
}
END_TEST

START_TEST(lines_come_only_to_who_prefers_them)
{
    static const struct {
        const char *accept;
        size_t begun;
    } cases[] = {
        {"", 0},
        {"*/*", 0},
        {"application/json", 0},
        {"application/x-ndjson", 1},
        {"application/x-ndjson, application/json;q=0.5", 1},
        {"application/x-ndjson;q=0.5, application/json", 0},
        {"text/html", 0},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sink sink;
        sink_init(&sink, SIZE_MAX);
        ck_assert_int_eq(ask_lines(&world, "/v1/search", cases[i].accept, &sink, NULL, NULL), 200);
        ck_assert_msg(sink.begun == cases[i].begun, "Accept: %s", cases[i].accept);
        sink_fini(&sink);
    }
}
END_TEST

struct leaving {
    int looks, until;
};

static bool leaves(void *cookie)
{
    struct leaving *leaving = cookie;
    return leaving->looks++ >= leaving->until;
}

/* Wherever a client goes, the search ends there, and what it had sent is followed by one line that says why. */
START_TEST(search_ends_wherever_its_client_goes)
{
    add_small_traces(1, 300);
    bool gone = true;
    for (int until = 1; gone; until += 7) {
        struct leaving leaving = {.until = until};
        struct sink sink;
        sink_init(&sink, SIZE_MAX);
        int status = ask_lines(&world, "/v1/search?limit=300", "application/x-ndjson", &sink,
                               leaves, &leaving);
        gone = status != 200;
        if (gone) {
            ck_assert_int_eq(status, 503);
            ck_assert_int_eq(leaving.looks, until + 1); /* it does not ask again */
            ck_assert_uint_eq(sink_count(&sink, "{\"problem\":{\"type\":\"about:blank\""), 1);
            ck_assert_uint_eq(sink_count(&sink, "{\"done\":"), 0);
        }
        sink_fini(&sink);
    }
}
END_TEST

/* ---- the scan for candidates ---- */

/* A store in which no span matches: nothing but the scan takes time. */
static void init_sealed(struct fixture *fixture)
{
    fixture_init(fixture, ENGINE_ROCKSDB);
    for (uint64_t b = 0; b < 4; b++) {
        static struct sp_span spans[20000];
        for (uint64_t i = 0; i < SP_ARRAY_LEN(spans); i++)
            spans[i] = simple_span(1 + b * 20000 + i, 1 + i, T0 + i * 1000, 50, "web", "call");
        append(fixture, batch_of(&fixture->arena, spans, SP_ARRAY_LEN(spans)));
    }
    sp_store_drain(fixture->store);
}

START_TEST(scan_for_candidates_asks_whether_the_client_is_gone_and_what_the_time_is)
{
    static const char url[] = "/v1/search?q=%7Bduration%3E1h%7D";
    struct fixture fixture;
    init_sealed(&fixture);
    struct world own = {.unix_ns = T0, .monotonic_ns = 1, .store = fixture.store};
    own.clock = world.clock;
    own.clock.cookie = &own;
    own.clock.monotonic_ns = ticking_ns;
    own.limits = *sp_query_limits_default();
    struct sp_query_options options = {
        .store = own.store, .limits = &own.limits, .clock = &own.clock, .version = "1"};
    ck_assert_int_eq(sp_query_api_new(&options, &own.api, NULL), SP_OK);
    struct sink sink;
    tick_ns = 0;
    sink_init(&sink, SIZE_MAX);
    struct leaving counting = {.until = 1000000};
    ck_assert_int_eq(ask_lines(&own, url, "application/x-ndjson", &sink, leaves, &counting), 200);
    ck_assert_uint_eq(sink_count(&sink, "\"complete\":true"), 1);
    ck_assert_int_gt(counting.looks, 4); /* one and more for each block */
    sink_fini(&sink);
    /* It goes at each of these places. */
    for (int until = 0; until < counting.looks; until++) {
        struct leaving leaving = {.until = until};
        sink_init(&sink, SIZE_MAX);
        ck_assert_int_eq(ask_lines(&own, url, "", &sink, leaves, &leaving), 503);
        ck_assert_int_eq(leaving.looks, until + 1);
        sink_fini(&sink);
    }
    /* The time is up while candidates are looked for: a marked answer, and progress before it. */
    tick_ns = SP_QUERY_TIME_NS / 8;
    sink_init(&sink, SIZE_MAX);
    ck_assert_int_eq(ask_lines(&own, url, "application/x-ndjson", &sink, NULL, NULL), 200);
    ck_assert_uint_eq(sink_count(&sink, "\"incompleteReason\":\"timeBudget\""), 1);
    ck_assert_uint_ge(sink_count(&sink, "{\"progress\":"), 1);
    ck_assert_uint_ge(sink_count(&sink, "\"totalRows\":\"80000\""), 1);
    sink_fini(&sink);
    sp_query_api_free(own.api);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("search_stream");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, lines_of_random_searches_say_what_the_whole_answer_says, 0, 6);
    tcase_add_test(tcase, results_go_early_in_the_order_of_the_scan_only);
    tcase_add_test(tcase, results_without_room_go_at_the_end);
    tcase_add_test(tcase, graph_with_links_tells_how_far_it_is_and_is_the_same_graph);
    tcase_add_test(tcase, progress_is_told_at_most_ten_times_a_second);
    tcase_add_test(tcase, what_is_refused_at_once_is_a_problem_document_with_its_status);
    tcase_add_test(tcase, lines_come_only_to_who_prefers_them);
    tcase_add_test(tcase, search_ends_wherever_its_client_goes);
    tcase_add_test(tcase, scan_for_candidates_asks_whether_the_client_is_gone_and_what_the_time_is);
    suite_add_tcase(suite, tcase);
    return suite;
}
