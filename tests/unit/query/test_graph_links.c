/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages along links into other traces: which links are calls, what becomes of the others, in each form of the answer; and random
 * traces on both engines, in any order of arrival, against brute force over all spans. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/fixture.h"
#include "tests/unit/query/world.h"

#define MINUTE (60000 * MS)

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

/* ---- spans ---- */

static struct sp_span span_of(unsigned trace, unsigned id, const char *service, int32_t kind,
                              uint64_t start_ms, uint64_t duration_ms)
{
    struct sp_span span =
        make_span(&arena, trace, id, 0, service, "message", T0 + start_ms * MS, duration_ms * MS);
    span.kind = kind;
    return span;
}

static void link_to(struct sp_span *span, unsigned trace, unsigned id)
{
    struct sp_link *links = sp_arena_calloc(&arena, span->link_count + 1, sizeof(*links));
    struct sp_span target = make_span(&arena, trace, id, 0, "", "", 0, 0);
    ck_assert_ptr_nonnull(links);
    if (span->link_count > 0)
        memcpy(links, span->links, span->link_count * sizeof(*links));
    links[span->link_count++] =
        (struct sp_link){.trace_id = target.trace_id, .span_id = target.span_id};
    span->links = links;
}

/* Two messages of a, taken by b in one go 10 minutes later; one of them failed on its way. */
static void add_batch_of_two(void)
{
    struct sp_span spans[] = {span_of(1, 1, "a", SP_KIND_PRODUCER, 0, 2),
                              span_of(2, 2, "a", SP_KIND_CLIENT, 1, 4),
                              span_of(3, 3, "b", SP_KIND_CONSUMER, 600000, 8)};
    spans[1].status_code = SP_SPAN_STATUS_ERROR;
    link_to(&spans[2], 1, 1);
    link_to(&spans[2], 2, 2);
    link_to(&spans[2], 1, 1);
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

/* ---- answers ---- */

static char *body_of(struct world *w, const char *url)
{
    struct sp_query_call *call = ask(w, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %d %s", url, call->reply.status, text);
    answer_fini(call);
    return text;
}

/* "seen resolved sameTrace notFound otherKind notLookedUp complete" */
static void expect_counts(struct world *w, const char *url, const char *want)
{
    static const char *const keys[] = {"seen",      "resolved",    "sameTrace", "notFound",
                                       "otherKind", "notLookedUp", "complete"};
    char got[256] = "";
    char *text = body_of(w, url);
    char *links = strstr(text, "\"links\":");
    ck_assert_msg(links != NULL, "%s: no counts of links in %s", url, text);
    for (size_t i = 0; i < SP_ARRAY_LEN(keys); i++) {
        char value[32];
        json_member(links, keys[i], value, sizeof(value));
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", value);
    }
    ck_assert_msg(strcmp(got, want) == 0, "%s: %s, not %s", url, got, want);
    free(text);
}

/* The lines of a CSV document that are of links, or those that are not, up to the column "from". */
static char *csv_lines(struct world *w, const char *range, bool of_links, const char *more)
{
    char url[256];
    struct sp_buf out;
    snprintf(url, sizeof(url), "/v1/graph?format=csv%s%s", range, more);
    char *text = body_of(w, url);
    struct sp_slice rest = sp_slice_cstr(text);
    sp_buf_init(&out, 16 << 20);
    for (bool first = true; rest.len > 0; first = false) {
        size_t end = sp_slice_find(rest, '\n');
        char line[1024];
        snprintf(line, sizeof(line), "%.*s", (int)end, (const char *)rest.ptr);
        rest = sp_slice_sub(rest, end + 1, rest.len);
        char *from = strstr(line, first ? ",from," : ",2026-01-01T");
        if (from)
            *from = 0;
        if (!first && (strstr(line, ",messaging_link,") != NULL) == of_links)
            sp_buf_printf(&out, "%s\n", line);
    }
    free(text);
    sp_buf_append_byte(&out, 0);
    ck_assert_int_eq(out.error, SP_OK);
    return (char *)out.ptr;
}

#define DAY "&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"

static void expect_edges(const char *range, const char *want)
{
    char *got = csv_lines(&world, range, true, "&links=true");
    ck_assert_msg(strcmp(got, want) == 0, "got:\n%swant:\n%s", got, want);
    free(got);
}

/* ---- what counts ---- */

START_TEST(links_of_a_batch_are_a_call_each)
{
    add_batch_of_two();
    char *got = csv_lines(&world, DAY, true, "&links=true");
    ck_assert_ptr_nonnull(strstr(got, "\"a\",\"b\",messaging_link,2,1,"));
    ck_assert_ptr_nonnull(strstr(got, ",00000000000000000000000000000003\n")); /* of the consumer */
    free(got);
    expect_counts(&world, "/v1/graph?links=true" DAY, "2 2 0 0 0 0 true");
    expect_answer(&world, "/v1/graph?links=true" DAY, 200,
                  "\"connectionType\":\"messaging_link\",\"calls\":\"2\",\"errors\":\"1\"");
}
END_TEST

START_TEST(calls_along_links_are_looked_at_by_their_consumer)
{
    add_batch_of_two();
    expect_answer(&world, "/v1/graph/calls?client=a&server=b&connectionType=messaging_link" DAY,
                  200,
                  "{\"failed\":[{\"traceId\":\"00000000000000000000000000000003\",\"spanId\":"
                  "\"0000000000000003\",\"timeUnixNano\":\"1767226200000000000\",\"durationNano\":"
                  "\"8000000\",\"error\":true}],\"slowest\":[{\"traceId\":"
                  "\"00000000000000000000000000000003\"");
    expect_answer(&world, "/v1/graph/calls?client=a&server=b" DAY, 200,
                  "\"failed\":[],\"slowest\":[]");
}
END_TEST

START_TEST(links_lie_in_the_minute_of_their_consumer)
{
    add_batch_of_two();
    expect_edges("&from=2026-01-01T00:00:00Z&to=2026-01-01T00:10:00Z", "");
    char *got = csv_lines(&world, "&from=2026-01-01T00:10:00Z&to=2026-01-01T00:11:00Z", true,
                          "&links=true");
    ck_assert_ptr_nonnull(strstr(got, "\"a\",\"b\",messaging_link,2,1,"));
    free(got);
}
END_TEST

START_TEST(links_that_are_no_messages_between_traces_are_counted_as_what_they_are)
{
    struct sp_span spans[] = {
        span_of(1, 1, "a", SP_KIND_PRODUCER, 0, 2), span_of(1, 2, "a", SP_KIND_INTERNAL, 0, 2),
        span_of(3, 3, "b", SP_KIND_CONSUMER, 0, 8), span_of(3, 4, "c", SP_KIND_PRODUCER, 0, 8),
        span_of(5, 5, "d", SP_KIND_SERVER, 0, 8),   span_of(5, 6, "d", SP_KIND_INTERNAL, 0, 8)};
    link_to(&spans[2], 1, 2); /* no kind that sends */
    link_to(&spans[2], 1, 9); /* the trace is stored, the span is not */
    link_to(&spans[2], 9, 9); /* neither is */
    link_to(&spans[2], 0, 0); /* ids of zeros */
    link_to(&spans[2], 3, 4); /* in its own trace */
    link_to(&spans[4], 1, 1); /* of no consumer */
    link_to(&spans[5], 1, 1);
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_edges(DAY, "");
    expect_counts(&world, "/v1/graph?links=true" DAY, "5 0 1 3 1 0 true");
}
END_TEST

START_TEST(links_name_the_half_of_a_shared_span_that_sends)
{
    struct sp_span spans[] = {
        span_of(1, 1, "proxy", SP_KIND_SERVER, 0, 2), span_of(1, 1, "a", SP_KIND_CLIENT, 0, 2),
        span_of(2, 2, "b", SP_KIND_CONSUMER, 0, 8), span_of(2, 2, "b", SP_KIND_CONSUMER, 0, 8)};
    link_to(&spans[2], 1, 1);
    link_to(&spans[3], 1, 1); /* sent twice */
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    char *got = csv_lines(&world, DAY, true, "&links=true");
    ck_assert_ptr_nonnull(strstr(got, "\"a\",\"b\",messaging_link,1,0,"));
    free(got);
}
END_TEST

/* ---- forms of the answer ---- */

START_TEST(links_leave_what_was_counted_before_as_it_is)
{
    add_batch_of_two();
    char *without = csv_lines(&world, DAY, false, "");
    char *with = csv_lines(&world, DAY, false, "&links=true");
    ck_assert_str_eq(with, without);
    free(with);
    free(without);
    without = csv_lines(&world, DAY, false, "&rows=nodes");
    with = csv_lines(&world, DAY, false, "&rows=nodes&links=true");
    ck_assert_str_eq(with, without);
    free(with);
    free(without);
    char *off = body_of(&world, "/v1/graph?links=false" DAY);
    char *unset = body_of(&world, "/v1/graph?links=" DAY);
    ck_assert_str_eq(off, unset);
    ck_assert_ptr_null(strstr(off, "links"));
    free(off);
    free(unset);
}
END_TEST

START_TEST(links_stand_in_every_format)
{
    add_batch_of_two();
    expect_answer(&world, "/v1/graph?links=1&format=dot" DAY, 200,
                  "    links_seen=\"2\"; links_resolved=\"2\"; links_same_trace=\"0\"; "
                  "links_not_found=\"0\"; links_other_kind=\"0\"; links_not_looked_up=\"0\"; "
                  "links_complete=\"true\";\n");
    expect_answer(&world, "/v1/graph?links=1&format=dot" DAY, 200, "style=dashed");
    expect_answer(&world, "/v1/graph?links=1&format=graphml" DAY, 200,
                  "<data key=\"connectionType\">messaging_link</data>");
    expect_answer(&world, "/v1/graph?links=1&format=graphml" DAY, 200,
                  "  <key id=\"links_seen\" for=\"graph\" attr.name=\"links.seen\" "
                  "attr.type=\"long\"/>\n");
    expect_answer(&world, "/v1/graph?links=1&format=graphml" DAY, 200,
                  "    <data key=\"links_resolved\">2</data>\n");
    expect_answer(&world, "/v1/graph?links=1&format=csv" DAY, 200,
                  ",focus,hops,links_seen,links_resolved,links_same_trace,links_not_found,"
                  "links_other_kind,links_not_looked_up,links_complete\r\n");
    expect_answer(&world, "/v1/graph?links=1&format=csv&rows=nodes" DAY, 200,
                  ",,2,2,0,0,0,0,true\r\n");
    expect_answer(&world, "/v1/graph?links=1&format=mermaid" DAY, 200,
                  "%% links_seen: 2\n%% links_resolved: 2\n");
    expect_answer(&world, "/v1/graph?links=1&q=0.5" DAY, 200, "\"clientQuantiles\":{\"0.5\":");
}
END_TEST

START_TEST(links_lead_to_the_surroundings_of_a_service)
{
    add_batch_of_two();
    expect_answer(&world, "/v1/graph?service=b&hops=1&links=true" DAY, 200,
                  "{\"client\":\"a\",\"server\":\"b\",\"connectionType\":\"messaging_link\"");
    expect_answer(&world, "/v1/graph?service=b&hops=1" DAY, 200, "\"nodes\":[{\"service\":\"b\",");
}
END_TEST

START_TEST(links_over_time_and_against_another_time)
{
    add_batch_of_two();
    struct sp_span late = span_of(4, 4, "b", SP_KIND_CONSUMER, 720000, 16);
    link_to(&late, 1, 1);
    link_to(&late, 7, 7);
    world_add(&world, &late, 1);
    const char *series = "/v1/graph?links=true&step=2m&from=2026-01-01T00:08:00Z"
                         "&to=2026-01-01T00:14:00Z";
    expect_answer(&world, series, 200,
                  "{\"client\":\"a\",\"server\":\"b\",\"connectionType\":\"messaging_link\","
                  "\"calls\":[\"0\",\"2\",\"1\"],\"errors\":[\"0\",\"1\",\"0\"]");
    expect_counts(&world, series, "4 3 0 1 0 0 true");
    const char *change = "/v1/graph?links=true&from=2026-01-01T00:12:00Z&to=2026-01-01T00:14:00Z"
                         "&compareFrom=2026-01-01T00:10:00Z&compareTo=2026-01-01T00:12:00Z";
    expect_counts(&world, change, "2 1 0 1 0 0 true");
    expect_answer(&world, change, 200, "\"compareLinks\":{\"seen\":\"2\",\"resolved\":\"2\",");
    expect_answer(&world, change, 200,
                  "\"connectionType\":\"messaging_link\",\"change\":\"same\",\"before\":{\"calls\":"
                  "\"2\",\"errors\":\"1\"");
    expect_answer(&world, "/v1/graph?links=yes", 400, "\"links\\\" must be true or false");
}
END_TEST

START_TEST(links_are_no_short_question)
{
    struct sp_slice id;
    const struct sp_query_endpoint *graph =
        sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/graph"), &id);
    ck_assert(sp_query_is_short(graph, SP_SLICE("")));
    ck_assert(sp_query_is_short(graph, SP_SLICE("from=now-1h&service=links")));
    ck_assert(!sp_query_is_short(graph, SP_SLICE("links=true")));
    ck_assert(!sp_query_is_short(graph, SP_SLICE("from=now-1h&links=1")));
    ck_assert(!sp_query_is_short(graph, SP_SLICE("from=now-1h&l%69nks=1")));
    graph = sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/search"), &id);
    ck_assert(!sp_query_is_short(graph, SP_SLICE("")));
}
END_TEST

/* ---- time ---- */

static uint64_t tick_ns;

static uint64_t ticking_ns(void *cookie)
{
    struct world *w = cookie;
    return w->monotonic_ns += tick_ns;
}

/* Wherever time is up: what was seen is accounted for, and the answer says that it is not all. */
START_TEST(links_out_of_time_are_counted_and_no_error)
{
    enum { TRACES = 200 };
    bool partial = false, complete = false;
    for (unsigned i = 1; i <= TRACES; i++) {
        struct sp_span spans[] = {span_of(i, 2 * i, "a", SP_KIND_PRODUCER, i, 2),
                                  span_of(1000 + i, 2 * i + 1, "b", SP_KIND_CONSUMER, i, 2)};
        link_to(&spans[1], i, 2 * i);
        world_add(&world, spans, 2);
    }
    world.clock.monotonic_ns = ticking_ns;
    for (uint64_t part = 60; !complete; part += part / 8) {
        uint64_t counts[6], sum = 0;
        static const char *const keys[] = {"seen",     "resolved",  "sameTrace",
                                           "notFound", "otherKind", "notLookedUp"};
        char value[32];
        tick_ns = SP_QUERY_TIME_NS / part;
        struct sp_query_call *call = ask(&world, "/v1/graph?links=true" DAY);
        char *text = answer_text(call);
        const char *links = strstr(text, "\"links\":");
        ck_assert_int_eq(call->reply.status, links ? 200 : 504);
        answer_fini(call);
        for (size_t i = 0; i < SP_ARRAY_LEN(keys) && links; i++) {
            json_member(links, keys[i], value, sizeof(value));
            ck_assert(sp_parse_u64(sp_slice_cstr(value), &counts[i]));
            sum += i > 0 ? counts[i] : 0;
        }
        if (!links) { /* the sums took all of it, as without links */
            free(text);
            continue;
        }
        ck_assert_uint_eq(counts[0], sum);
        ck_assert_uint_eq(counts[3], 0);
        json_member(links, "complete", value, sizeof(value));
        complete = strcmp(value, "true") == 0;
        ck_assert(!complete || counts[1] == TRACES);
        ck_assert_int_eq(strstr(links, "\"incompleteReason\":\"timeBudget\"") == NULL, complete);
        partial |= !complete && counts[1] > 0;
        free(text);
    }
    ck_assert(partial);
    world.monotonic_ns = 1;
    tick_ns = 0;
    expect_counts(&world, "/v1/graph?links=true" DAY, "200 200 0 0 0 0 true");
}
END_TEST

/* ---- brute force ---- */

#define TOLD_MAX 4096
#define EDGES    25

static struct sp_span told[TOLD_MAX]; /* everything that was sent, in order */
static size_t told_count;

struct expected {
    char client, server;
    uint64_t calls, errors, exemplar_duration;
    struct sp_histogram latency[2];
    struct sp_trace_id exemplar;
};

static bool is_sent_again(size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (memcmp(&told[i].trace_id, &told[at].trace_id, sizeof(told[i].trace_id)) == 0 &&
            memcmp(&told[i].span_id, &told[at].span_id, sizeof(told[i].span_id)) == 0 &&
            told[i].kind == told[at].kind)
            return true;
    return false;
}

/* The span a link names: a sender if there is one. */
static const struct sp_span *named(const struct sp_link *link)
{
    const struct sp_span *found = NULL;
    for (size_t i = 0; i < told_count; i++) {
        bool sends = told[i].kind == SP_KIND_PRODUCER || told[i].kind == SP_KIND_CLIENT;
        if (memcmp(&told[i].trace_id, &link->trace_id, sizeof(link->trace_id)) == 0 &&
            memcmp(&told[i].span_id, &link->span_id, sizeof(link->span_id)) == 0 &&
            (found == NULL || sends))
            found = &told[i];
        if (found == &told[i] && sends)
            break;
    }
    return found;
}

static uint64_t lasted(const struct sp_span *span)
{
    return span->end_unix_ns > span->start_unix_ns ? span->end_unix_ns - span->start_unix_ns : 0;
}

static void expect_call(struct expected *edges, const struct sp_span *from,
                        const struct sp_span *to)
{
    char client = (char)sp_span_service(from).ptr[0], server = (char)sp_span_service(to).ptr[0];
    struct expected *edge = &edges[(client - 'a') * 5 + server - 'a'];
    edge->client = client;
    edge->server = server;
    edge->calls++;
    edge->errors +=
        from->status_code == SP_SPAN_STATUS_ERROR || to->status_code == SP_SPAN_STATUS_ERROR;
    ck_assert_int_eq(sp_histogram_add(&edge->latency[0], lasted(from), 1), SP_OK);
    ck_assert_int_eq(sp_histogram_add(&edge->latency[1], lasted(to), 1), SP_OK);
    bool slower = edge->calls == 1 || lasted(to) > edge->exemplar_duration;
    if (slower || (lasted(to) == edge->exemplar_duration &&
                   memcmp(&to->trace_id, &edge->exemplar, sizeof(to->trace_id)) < 0)) {
        edge->exemplar = to->trace_id;
        edge->exemplar_duration = lasted(to);
    }
}

/* ret_counts: as expect_counts has them, but for the last. */
static void brute_force(uint64_t from_unix_ns, uint64_t to_unix_ns, struct expected *edges,
                        uint64_t counts[5])
{
    for (size_t c = 0; c < told_count; c++) {
        const struct sp_span *consumer = &told[c];
        if (consumer->kind != SP_KIND_CONSUMER || consumer->start_unix_ns < from_unix_ns ||
            consumer->start_unix_ns >= to_unix_ns || is_sent_again(c))
            continue;
        for (uint32_t l = 0; l < consumer->link_count; l++) {
            const struct sp_link *link = &consumer->links[l];
            bool again = false;
            for (uint32_t before = 0; before < l; before++)
                again |= memcmp(&consumer->links[before].trace_id, &link->trace_id, 16) == 0 &&
                         memcmp(&consumer->links[before].span_id, &link->span_id, 8) == 0;
            if (again)
                continue;
            const struct sp_span *target = named(link);
            bool same = memcmp(&link->trace_id, &consumer->trace_id, sizeof(link->trace_id)) == 0;
            bool sends =
                target && (target->kind == SP_KIND_PRODUCER || target->kind == SP_KIND_CLIENT);
            counts[0]++;
            counts[same ? 2 : sends ? 1 : target ? 4 : 3]++;
            if (!same && sends)
                expect_call(edges, target, consumer);
        }
    }
}

static void write_expected(struct expected *edges, struct sp_buf *out)
{
    static const double quantiles[] = {0.5, 0.9, 0.95, 0.99};
    for (size_t i = 0; i < EDGES; i++) {
        char id[SP_TRACE_ID_TEXT];
        if (edges[i].calls == 0)
            continue;
        sp_buf_printf(out, "\"%c\",\"%c\",messaging_link,%" PRIu64 ",%" PRIu64, edges[i].client,
                      edges[i].server, edges[i].calls, edges[i].errors);
        for (size_t side = 0; side < 2; side++) {
            sp_histogram_widen(&edges[i].latency[side]);
            for (size_t q = 0; q < SP_ARRAY_LEN(quantiles); q++)
                sp_buf_printf(out, ",%" PRIu64,
                              sp_histogram_quantile(&edges[i].latency[side], quantiles[q]));
            sp_histogram_fini(&edges[i].latency[side]);
        }
        sp_trace_id_format(&edges[i].exemplar, id);
        sp_buf_printf(out, ",%s\n", id);
    }
    sp_buf_append_byte(out, 0);
}

static void compare_range(struct world *w, unsigned from_minute, unsigned to_minute)
{
    struct expected edges[EDGES] = {0};
    uint64_t counts[5] = {0};
    char range[128], url[256], want[256];
    struct sp_buf out;
    snprintf(range, sizeof(range), "&from=2026-01-01T00:%02u:00Z&to=2026-01-01T00:%02u:00Z",
             from_minute, to_minute);
    sp_buf_init(&out, 1 << 20);
    brute_force(T0 + from_minute * MINUTE, T0 + to_minute * MINUTE, edges, counts);
    write_expected(edges, &out);
    char *got = csv_lines(w, range, true, "&links=true");
    ck_assert_msg(strcmp(got, (const char *)out.ptr) == 0, "%s: got\n%swant\n%s", range, got,
                  (const char *)out.ptr);
    free(got);
    sp_buf_fini(&out);
    snprintf(url, sizeof(url), "/v1/graph?links=true%s", range);
    snprintf(want, sizeof(want),
             "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " 0 true", counts[0],
             counts[1], counts[2], counts[3], counts[4]);
    expect_counts(w, url, want);
    char *with = csv_lines(w, range, false, "&links=true");
    char *without = csv_lines(w, range, false, "");
    ck_assert_str_eq(with, without);
    free(with);
    free(without);
}

/* ---- random histories ---- */

#define TRACES 30

static unsigned trace_of(unsigned id)
{
    return 1 + id * 2654435761u % TRACES;
}

/* Links lead to spans that came, that come later, that never come, of the own trace, and of another than the id is of. */
static struct sp_span random_span(struct sp_gen *gen, unsigned id)
{
    static const char *const services[] = {"a", "b", "c", "d", "e"};
    static const int32_t kinds[] = {SP_KIND_PRODUCER, SP_KIND_PRODUCER, SP_KIND_CLIENT,
                                    SP_KIND_SERVER,   SP_KIND_INTERNAL, SP_KIND_CONSUMER,
                                    SP_KIND_CONSUMER, SP_KIND_CONSUMER};
    struct sp_span span = span_of(trace_of(id), id, services[sp_gen_below(gen, 5)],
                                  kinds[sp_gen_below(gen, SP_ARRAY_LEN(kinds))],
                                  sp_gen_below(gen, 20 * 60000), sp_gen_below(gen, 50));
    span.status_present = true;
    if (sp_gen_chance(gen, 20))
        span.status_code = SP_SPAN_STATUS_ERROR;
    for (uint64_t links = sp_gen_below(gen, 5); links > 0; links--) {
        unsigned target = 1 + (unsigned)sp_gen_below(gen, id + 60);
        unsigned trace = sp_gen_chance(gen, 5) ? TRACES + 7 : trace_of(target);
        link_to(&span, trace, target);
        if (sp_gen_chance(gen, 10))
            link_to(&span, trace, target);
    }
    return span;
}

static const struct sp_batch *random_batch(struct sp_gen *gen, unsigned *next_id)
{
    size_t first = told_count, count = 1 + sp_gen_below(gen, 80);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_lt(told_count + 2, TOLD_MAX);
        bool again = told_count > 0 && sp_gen_chance(gen, 8);
        told[told_count] = again ? told[sp_gen_below(gen, told_count)] : random_span(gen, *next_id);
        *next_id += !again;
        told_count++;
        const struct sp_span *last = &told[told_count - 1];
        if (!again && last->kind == SP_KIND_CLIENT && sp_gen_chance(gen, 30)) {
            told[told_count] = *last;
            told[told_count].kind = SP_KIND_SERVER;
            told[told_count].resource = told[sp_gen_below(gen, told_count)].resource;
            told_count++;
        }
    }
    const struct sp_span **pointers =
        sp_arena_calloc(&arena, told_count - first, sizeof(const struct sp_span *));
    for (size_t i = first; i < told_count; i++)
        pointers[i - first] = &told[i];
    const struct sp_batch *batch;
    ck_assert_int_eq(sp_batch_copy(&arena, pointers, told_count - first, &batch), SP_OK);
    return batch;
}

#define HISTORIES 12
#define STEPS     14

START_TEST(links_are_what_brute_force_over_all_spans_finds)
{
    struct fixture fixture;
    struct world rocks;
    struct sp_gen gen = {.state = 77000 + (uint64_t)_i};
    unsigned next_id = 1;
    told_count = 0;
    fixture_make(&fixture, ENGINE_ROCKSDB, true);
    fixture.options.sizes = small_sizes();
    fixture_open(&fixture);
    rocks = world;
    if (_i % 2 == 1) /* links are looked up some dozens at a time */
        rocks.limits.memory_bytes_max = (size_t)256 * 1024;
    world_over(&rocks, fixture.store);
    for (unsigned step = 0; step < STEPS; step++) {
        const struct sp_batch *batch = random_batch(&gen, &next_id);
        world_add(&world, batch->spans, batch->span_count);
        append(&fixture, batch);
        if (sp_gen_chance(&gen, 30))
            wait_for_merges(fixture.store);
        if (sp_gen_chance(&gen, 20)) {
            sp_query_api_free(rocks.api);
            fixture_reopen(&fixture);
            world_over(&rocks, fixture.store);
        }
        unsigned from = (unsigned)sp_gen_below(&gen, 20);
        unsigned to = from + 1 + (unsigned)sp_gen_below(&gen, 20 - from);
        compare_range(&world, from, to);
        compare_range(&rocks, from, to);
        compare_range(&rocks, 0, 59);
    }
    sp_query_api_free(rocks.api);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query graph links");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, links_of_a_batch_are_a_call_each);
    tcase_add_test(tcase, calls_along_links_are_looked_at_by_their_consumer);
    tcase_add_test(tcase, links_lie_in_the_minute_of_their_consumer);
    tcase_add_test(tcase, links_that_are_no_messages_between_traces_are_counted_as_what_they_are);
    tcase_add_test(tcase, links_name_the_half_of_a_shared_span_that_sends);
    tcase_add_test(tcase, links_leave_what_was_counted_before_as_it_is);
    tcase_add_test(tcase, links_stand_in_every_format);
    tcase_add_test(tcase, links_lead_to_the_surroundings_of_a_service);
    tcase_add_test(tcase, links_over_time_and_against_another_time);
    tcase_add_test(tcase, links_are_no_short_question);
    tcase_add_test(tcase, links_out_of_time_are_counted_and_no_error);
    tcase_add_loop_test(tcase, links_are_what_brute_force_over_all_spans_finds, 0, HISTORIES);
    suite_add_tcase(suite, tcase);
    return suite;
}
