/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics worked out by hand: what stands behind a metric, steps and their limits, hints, exemplars, errors. What random questions
 * say: test_metrics_oracle.c. */
#include <stdio.h>
#include <stdlib.h>

#include "query/metrics.h"
#include "query/pass_explain.h"
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

static void encode(const char *query, char *out, size_t bytes)
{
    struct sp_buf encoded;
    sp_buf_init(&encoded, 1 << 20);
    sp_percent_encode(sp_slice_cstr(query), &encoded);
    snprintf(out, bytes, "%.*s", SP_SLICE_PRINTF(sp_buf_slice(&encoded)));
    sp_buf_fini(&encoded);
}

/* The whole array "series" of the answer. */
static void expect_series(const char *query, const char *more, const char *series)
{
    static char url[64 * 1024], encoded[32 * 1024];
    encode(query, encoded, sizeof(encoded));
    snprintf(url, sizeof(url), "/v1/metrics/%s&q=%s", more, encoded);
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", query, text);
    char *end = strstr(text, ",\"from\"");
    ck_assert_ptr_nonnull(end);
    *end = 0;
    ck_assert_msg(strcmp(text + strlen("{\"series\":"), series) == 0, "%s: %s", query, text);
    free(text);
    answer_fini(call);
}

static void expect_problem(const char *query, const char *more, int status, const char *contains)
{
    static char url[64 * 1024], encoded[32 * 1024];
    encode(query, encoded, sizeof(encoded));
    snprintf(url, sizeof(url), "/v1/metrics/%s&q=%s", more, encoded);
    expect_answer(&world, url, status, contains);
}

#define S       (1000 * MS)
#define MINUTES "query_range?from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z&step=1m"
#define WHOLE   "query?from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z"
#define FIRST   "[\"1767225600000000000\","
#define SECOND  "[\"1767225660000000000\","
#define ONE(v)  "[{\"labels\":[],\"points\":[" v "]}]"
#define NAME(n)                                                                                    \
    "{\"labels\":[{\"key\":\"name\",\"value\":\"" n "\",\"type\":\"string\"}],\"points\":["

/* a: two in the first minute, one in the second. b: one in the first. c: three in the second. */
static void add_spans(void)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "web", "a", T0 + 59 * S, 300 * MS),
        make_span(&arena, 2, 3, 0, "web", "a", T0 + 60 * S, 700 * MS),
        make_span(&arena, 2, 4, 3, "db", "b", T0 + 1 * S, 50 * MS),
        make_span(&arena, 3, 5, 0, "db", "c", T0 + 61 * S, 10 * MS),
        make_span(&arena, 3, 6, 5, "db", "c", T0 + 62 * S, 20 * MS),
        make_span(&arena, 4, 7, 0, "db", "c", T0 + 119 * S, 30 * MS),
        make_span(&arena, 5, 8, 0, "late", "z", T0 + 120 * S, 1 * S), /* behind the range */
    };
    add_attribute(&arena, &spans[0], "bytes", int_value(7));
    add_attribute(&arena, &spans[1], "bytes", double_value(0.5));
    add_attribute(&arena, &spans[2], "bytes", text_value("many"));
    add_attribute(&arena, &spans[4], "bytes", int_value(-8));
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

START_TEST(counts_and_rates_are_of_each_step)
{
    add_spans();
    expect_series("{ name = \"a\" } | count_over_time()", MINUTES, ONE(FIRST "2]," SECOND "1]"));
    expect_series("{ name = \"a\" } | rate()", WHOLE, ONE(FIRST "0.025]"));
    expect_series("{ name = \"c\" } | rate()", MINUTES, ONE(FIRST "0]," SECOND "0.05]"));
    expect_series("{} | count_over_time() by (name)", MINUTES,
                  "[" NAME("a") FIRST "2]," SECOND "1]]}," NAME("b") FIRST
                  "1]," SECOND "0]]}," NAME("c") FIRST "0]," SECOND "3]]}]");
    expect_series("{ name = \"none\" } | rate()", MINUTES, ONE(FIRST "0]," SECOND "0]"));
    expect_series("{ name = \"none\" } | rate() by (name)", MINUTES, "[]");
}
END_TEST

START_TEST(numbers_are_those_of_spans_that_have_one)
{
    add_spans();
    expect_series("{} | sum_over_time(span.bytes)", WHOLE, ONE(FIRST "-0.5]"));
    expect_series("{} | min_over_time(span.bytes)", MINUTES, ONE(FIRST "0.5]," SECOND "-8]"));
    expect_series("{} | max_over_time(span.bytes)", WHOLE, ONE(FIRST "7]"));
    expect_series("{} | avg_over_time(span.bytes)", MINUTES, ONE(FIRST "3.75]," SECOND "-8]"));
    expect_series("{ name = \"b\" } | sum_over_time(span.bytes)", WHOLE, "[]");
    expect_series("{} | max_over_time(duration) by (service)", WHOLE,
                  "[{\"labels\":[{\"key\":\"service\",\"value\":\"db\",\"type\":\"string\"}],"
                  "\"points\":[" FIRST "0.05]]},"
                  "{\"labels\":[{\"key\":\"service\",\"value\":\"web\",\"type\":\"string\"}],"
                  "\"points\":[" FIRST "0.7000000000000001]]}]");
    expect_series("{ name = \"a\" } | quantile_over_time(duration, 0.5, 1)", WHOLE "&exact=true",
                  "[{\"labels\":[{\"key\":\"p\",\"value\":\"0.5\",\"type\":\"float\"}],"
                  "\"points\":[" FIRST "0.30000000000000004]]},"
                  "{\"labels\":[{\"key\":\"p\",\"value\":\"1\",\"type\":\"float\"}],"
                  "\"points\":[" FIRST "0.7000000000000001]]}]");
    expect_series("{} | histogram_over_time(span.bytes)", WHOLE,
                  "[{\"labels\":[{\"key\":\"__bucket\",\"value\":\"-8\",\"type\":\"float\"}],"
                  "\"points\":[" FIRST "1]]},"
                  "{\"labels\":[{\"key\":\"__bucket\",\"value\":\"1\",\"type\":\"float\"}],"
                  "\"points\":[" FIRST "1]]},"
                  "{\"labels\":[{\"key\":\"__bucket\",\"value\":\"8\",\"type\":\"float\"}],"
                  "\"points\":[" FIRST "1]]}]");
}
END_TEST

/* A span with events of sizes 1, 2 and none, and one with a link of weight 2.5; a span without either. */
static void add_events_and_links(void)
{
    static struct sp_event events[3];
    static struct sp_link links[2];
    static struct sp_attribute sizes[2], weight;
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "web", "a", T0, 100 * MS),
                              make_span(&arena, 2, 2, 0, "db", "b", T0 + 60 * S, 300 * MS),
                              make_span(&arena, 3, 3, 0, "db", "b", T0 + 60 * S, 900 * MS)};
    for (int i = 0; i < 3; i++)
        events[i] = (struct sp_event){.name = SP_SLICE("e"), .time_unix_ns = T0 + i * 10 * MS};
    for (int i = 0; i < 2; i++) {
        sizes[i] = (struct sp_attribute){.key = SP_SLICE("size"), .value = int_value(i + 1)};
        events[i].attributes = (struct sp_attributes){.items = &sizes[i], .count = 1};
    }
    weight = (struct sp_attribute){.key = SP_SLICE("weight"), .value = double_value(2.5)};
    links[0].trace_id = links[1].trace_id = spans[0].trace_id;
    links[0].span_id = links[1].span_id = spans[0].span_id;
    links[1].attributes = (struct sp_attributes){.items = &weight, .count = 1};
    spans[0].events = events;
    spans[0].event_count = 3;
    spans[1].links = links;
    spans[1].link_count = 2;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

START_TEST(each_event_and_link_has_its_number)
{
    add_events_and_links();
    expect_series("{} | sum_over_time(event.size)", WHOLE, ONE(FIRST "3]"));
    expect_series("{} | avg_over_time(event.size)", WHOLE, ONE(FIRST "1.5]"));
    expect_series("{} | max_over_time(link.weight)", MINUTES, ONE(SECOND "2.5]"));
    expect_series("{} | quantile_over_time(event:timeSinceStart, 0.5)", WHOLE "&exact=true",
                  "[{\"labels\":[{\"key\":\"p\",\"value\":\"0.5\",\"type\":\"float\"}],"
                  "\"points\":[" FIRST "0.01]]}]");
    expect_series("{} | max_over_time(event:timeSinceStart) by (name)", WHOLE,
                  "[" NAME("a") FIRST "0.02]]}]");
    /* An exemplar is a span that has a number, not one that is slower and has none. */
    expect_series("{} | sum_over_time(event.size)", WHOLE "&exemplars=true",
                  "[{\"labels\":[],\"points\":[" FIRST "3]],\"exemplars\":[{\"traceId\":"
                  "\"00000000000000000000000000000001\",\"spanId\":\"0000000000000001\","
                  "\"timeUnixNano\":\"1767225600000000000\",\"durationNano\":\"100000000\"}]}]");
    expect_series("{} | sum_over_time(event.absent)", WHOLE, "[]");
}
END_TEST

START_TEST(second_stages_keep_points_and_rank_series)
{
    add_spans();
    expect_series("{} | count_over_time() by (name) | topk(1)", MINUTES,
                  "[" NAME("a") FIRST "2]]}," NAME("c") SECOND "3]]}]");
    /* of equal ones the first by its labels */
    expect_series("{} | count_over_time() by (name) | bottomk(1)", MINUTES,
                  "[" NAME("b") SECOND "0]]}," NAME("c") FIRST "0]]}]");
    expect_series("{} | count_over_time() by (name) > 1", MINUTES,
                  "[" NAME("a") FIRST "2]]}," NAME("c") SECOND "3]]}]");
    expect_series("{} | max_over_time(duration) by (name) >= 50ms", MINUTES,
                  "[" NAME("a") FIRST "0.30000000000000004]," SECOND
                                      "0.7000000000000001]]}," NAME("b") FIRST "0.05]]}]");
}
END_TEST

START_TEST(metrics_of_the_same_labels_meet)
{
    add_spans();
    expect_series("({ service = \"db\" } | count_over_time() by (name)) / "
                  "({} | count_over_time() by (name))",
                  MINUTES, "[" NAME("b") FIRST "1]]}," NAME("c") SECOND "1]]}]");
    expect_series("({} | count_over_time() by (name)) / ({} | count_over_time())", WHOLE,
                  "[" NAME("a") FIRST "0.42857142857142855]]}," NAME("b") FIRST
                  "0.14285714285714285]]}," NAME("c") FIRST "0.42857142857142855]]}]");
    expect_series("100 * ({ name = \"a\" } | rate())", WHOLE, ONE(FIRST "2.5]"));
    expect_series("({ name = \"a\" } | rate()) / ({ name = \"none\" } | rate())", WHOLE, "[]");
    expect_problem("({} | rate() by (name)) / ({} | rate() by (service))", WHOLE, 400,
                   "expected the same by() on both sides");
}
END_TEST

START_TEST(spans_of_spansets_are_counted_in_whole_traces)
{
    add_spans();
    expect_series("{ service = \"web\" } > { service = \"db\" } | count_over_time() by (name)",
                  WHOLE, "[" NAME("b") FIRST "1]]}]");
    /* in two sets after by(), and counted once */
    expect_series("{ name = \"c\" } || { service = \"db\" } | by(name) | count_over_time()", WHOLE,
                  ONE(FIRST "4]"));
    expect_series("{ parent.service.name != nil || name = \"b\" } | count_over_time() by "
                  "(trace:rootName)",
                  WHOLE,
                  "[{\"labels\":[{\"key\":\"trace:rootName\",\"value\":\"a\",\"type\":\"string\"}],"
                  "\"points\":[" FIRST "2]]},"
                  "{\"labels\":[{\"key\":\"trace:rootName\",\"value\":\"c\",\"type\":\"string\"}],"
                  "\"points\":[" FIRST "1]]}]");
}
END_TEST

START_TEST(exemplars_are_the_slowest_spans)
{
    add_spans();
    expect_series("{ name = \"a\" } | rate()", WHOLE "&exemplars=true",
                  "[{\"labels\":[],\"points\":[" FIRST "0.025]],\"exemplars\":[{\"traceId\":"
                  "\"00000000000000000000000000000002\",\"spanId\":\"0000000000000003\","
                  "\"timeUnixNano\":\"1767225660000000000\","
                  "\"durationNano\":\"700000000\"}]}]");
    expect_series("{ name = \"a\" } | rate() with (exemplars = true)", MINUTES,
                  "[{\"labels\":[],\"points\":[" FIRST "0.03333333333333333]," SECOND
                  "0.016666666666666666]],\"exemplars\":[{\"traceId\":"
                  "\"00000000000000000000000000000001\",\"spanId\":\"0000000000000002\","
                  "\"timeUnixNano\":\"1767225659000000000\","
                  "\"durationNano\":\"300000000\"},{\"traceId\":"
                  "\"00000000000000000000000000000002\",\"spanId\":\"0000000000000003\","
                  "\"timeUnixNano\":\"1767225660000000000\","
                  "\"durationNano\":\"700000000\"}]}]");
}
END_TEST

#define EXEMPLAR(trace, span, start, duration)                                                     \
    "{\"traceId\":\"0000000000000000000000000000000" trace "\",\"spanId\":\"000000000000000" span  \
    "\",\"timeUnixNano\":\"17672256" start "000000000\",\"durationNano\":\"" duration "000000\"}"

/* Of so many as are asked for the slowest, in the order of time; of points that are not shown none. */
START_TEST(exemplars_can_be_fewer)
{
    add_spans();
    const char *points = "[{\"labels\":[],\"points\":[" FIRST "2]," SECOND "1]]";
    char series[1024];
    snprintf(series, sizeof(series), "%s,\"exemplars\":[%s]}]", points,
             EXEMPLAR("2", "3", "60", "700"));
    expect_series("{ name = \"a\" } | count_over_time() with (exemplars = 1)", MINUTES, series);
    snprintf(series, sizeof(series), "%s,\"exemplars\":[%s,%s]}]", points,
             EXEMPLAR("1", "2", "59", "300"), EXEMPLAR("2", "3", "60", "700"));
    expect_series("{ name = \"a\" } | count_over_time() with (exemplars = 2)", MINUTES, series);
    expect_series("{ name = \"a\" } | count_over_time() with (exemplars = 9000000000)", MINUTES,
                  series);
    snprintf(series, sizeof(series), "%s}]", points);
    expect_series("{ name = \"a\" } | count_over_time() with (exemplars = 0)",
                  MINUTES "&exemplars=1", series);
    snprintf(series, sizeof(series),
             "[{\"labels\":[],\"points\":[" FIRST "2]],\"exemplars\":[%s]}]",
             EXEMPLAR("1", "2", "59", "300"));
    expect_series("{ name = \"a\" } | count_over_time() > 1 with (exemplars = 1)", MINUTES, series);
}
END_TEST

/* A hint says what it can, once; the byte is that of its name. */
START_TEST(hints_are_checked)
{
    static const struct {
        const char *hints, *says;
    } wrong[] = {
        {"exact = \"yes\"", "expected exact = true or exact = false"},
        {"exact = 1", "expected exact = true or exact = false"},
        {"exact = 1s", "expected exact = true or exact = false"},
        {"exemplars = -1", "expected exemplars = true"},
        {"exemplars = 0.5", "expected exemplars = true"},
        {"exemplars = ok", "expected exemplars = true"},
        {"sample = 1.5", "a share between 0 and 1"},
        {"sample = 2", "a share between 0 and 1"},
        {"sample = \"x\"", "a share between 0 and 1"},
        {"span_sample = true", "a share between 0 and 1"},
        {"trace_sample = -0.5", "a share between 0 and 1"},
        {"most_recent = 1", "expected most_recent = true or most_recent = false"},
        {"extrapolate = 0", "expected extrapolate = false"},
        {"extrapolate = true", "there is no extrapolation"},
        {"job_size = 5", "expected one of the hints exact, exemplars, sample, span_sample"},
    };
    static const char *const right[] = {"exact = true, exemplars = 5, sample = 0.1",
                                        "sample = true, span_sample = 0.05, trace_sample = 1",
                                        "most_recent = true, extrapolate = false"};
    char query[256];
    add_spans();
    for (size_t i = 0; i < SP_ARRAY_LEN(wrong); i++) {
        snprintf(query, sizeof(query), "{} | rate() with (%s)", wrong[i].hints);
        expect_problem(query, WHOLE, 400, wrong[i].says);
        expect_problem(query, WHOLE, 400, "\"offset\":18");
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(right); i++) {
        snprintf(query, sizeof(query), "{} | rate() with (%s)", right[i]);
        expect_problem(query, WHOLE, 200, "\"series\"");
    }
    expect_problem("{} | rate() with (exact = true, exact = false)", WHOLE, 400,
                   "expected each hint once: exact stands here already");
    expect_problem("{} | rate() with (exact = true) with (exact = false)", WHOLE, 400,
                   "expected each hint once: exact stands here already");
}
END_TEST

/* Behind a number that arithmetic makes is no one span. */
START_TEST(arithmetic_has_no_exemplars)
{
    add_spans();
    expect_series("({ name = \"a\" } | count_over_time()) * 2", WHOLE "&exemplars=true",
                  "[{\"labels\":[],\"points\":[" FIRST "6]],\"exemplars\":[]}]");
    expect_series("({ name = \"a\" } | count_over_time()) / ({ } | count_over_time())",
                  WHOLE "&exemplars=true",
                  "[{\"labels\":[],\"points\":[" FIRST "0.42857142857142855]],\"exemplars\":[]}]");
}
END_TEST

START_TEST(steps_have_a_limit_and_fit_the_range)
{
    add_spans();
    expect_problem("{} | rate()", "query_range?from=0000000001&to=2026-01-01T00:00:00Z&step=1s",
                   400, "more than the limit of 11000");
    expect_problem("{} | rate()", "query_range?step=0", 400, "\\\"step\\\" must be a duration");
    expect_problem("{} | rate()", "query_range?step=fast", 400, "\\\"step\\\" must be a duration");
    expect_problem("{} | rate()", "query_range?step=1.001", 200, "\"stepNano\":\"1001000000\"");
    /* what is stored are 120 seconds, and fewer than so many points: 1 s; of an hour: 30 s */
    expect_problem("{} | rate()", "query_range?exact=false", 200, "\"stepNano\":\"1000000000\"");
    expect_problem("{} | rate()", "query_range?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z",
                   200, "\"stepNano\":\"30000000000\"");
    /* whole steps */
    expect_problem("{} | rate()",
                   "query_range?from=2026-01-01T00:00:30Z&to=2026-01-01T00:01:30Z&step=60", 200,
                   "\"from\":\"1767225600000000000\",\"to\":\"1767225720000000000\"");
    expect_problem("{} | rate()", "query_range?from=now&to=now&step=60", 200, "\"points\":[]");
}
END_TEST

/* 2^64 - 1 is a multiple of 1, 3 and 5, so that a step can begin with it. */
START_TEST(last_nanosecond_of_all_has_a_step)
{
    const struct sp_span last = make_span(&arena, 1, 1, 0, "web", "last", UINT64_MAX, 0);
    const struct sp_span before =
        make_span(&arena, 1, 2, 0, "web", "before", UINT64_MAX - 1, 2 * MS);
    const struct sp_span spans[] = {before, last};
    static const char end[] = "query_range?from=18446744073709551615&step=1ns";
    world_add(&world, spans, 2);
    expect_series("{} | count_over_time()", end,
                  "[{\"labels\":[],\"points\":[[\"18446744073709551615\",1]]}]");
    expect_series("{} | max_over_time(duration)", end,
                  "[{\"labels\":[],\"points\":[[\"18446744073709551615\",0]]}]");
    expect_series("{} | count_over_time()", "query_range?from=18446744073709551614&step=1ns",
                  "[{\"labels\":[],\"points\":[[\"18446744073709551614\",1],"
                  "[\"18446744073709551615\",1]]}]");
    expect_problem("{} | compare({ name = \"last\" })",
                   "query_range?from=18446744073709551614&step=1ns", 200,
                   "\"points\":[[\"18446744073709551614\",0],[\"18446744073709551615\",1]]");
}
END_TEST

START_TEST(series_have_a_limit_that_topk_gets_below)
{
    enum { NAMES = 1100 };
    static struct sp_span spans[NAMES];
    static char names[NAMES][16];
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof(names[i]), "n%04u", i);
        spans[i] = make_span(&arena, i + 1, i + 1, 0, "web", names[i], T0 + i, i);
    }
    world_add(&world, spans, NAMES);
    expect_problem("{} | rate() by (name)", WHOLE, 413,
                   "the query makes 1100 series, more than the limit of 1000");
    expect_series("{} | max_over_time(duration) by (name) | topk(1)", WHOLE,
                  "[" NAME("n1099") FIRST "0.000001099]]}]");
}
END_TEST

START_TEST(series_that_are_held_have_a_limit)
{
    struct sp_series_set set;
    struct sp_error error;
    struct sp_label label = {.type = SP_LABEL_INT};
    uint32_t number;
    sp_series_set_init(&set, &arena, SP_CELL_COUNT, 1, 1, 1);
    for (uint32_t i = 0; i < SP_SERIES_HELD_MAX; i++) {
        char text[16];
        label.text = sp_slice_make(text, (size_t)snprintf(text, sizeof(text), "%u", i));
        ck_assert_int_eq(sp_series_find(&set, &label, &number, &error), SP_OK);
        ck_assert_uint_eq(number, i);
    }
    label.text = SP_SLICE("one more");
    ck_assert_int_eq(sp_series_find(&set, &label, &number, &error), SP_LIMIT);
    ck_assert_ptr_nonnull(strstr(error.message, "more than the limit of 100000 series"));
    sp_series_set_init(&set, &arena, SP_CELL_COUNT, 1, (uint32_t)SP_SERIES_CELLS_MAX, 1);
    set.arena = &arena;
    struct sp_arena small;
    sp_arena_init(&small, 1 << 20);
    set.arena = &small;
    ck_assert_int_eq(sp_series_find(&set, &label, &number, &error), SP_LIMIT);
    sp_series_set_init(&set, &small, SP_CELL_COUNT, 1, (uint32_t)SP_SERIES_CELLS_MAX + 1, 1);
    ck_assert_int_eq(sp_series_find(&set, &label, &number, &error), SP_LIMIT);
    ck_assert_ptr_nonnull(strstr(error.message, "points"));
    sp_arena_fini(&small);
}
END_TEST

START_TEST(parts_and_keys_have_limits)
{
    static char query[8192];
    char *at = query + sprintf(query, "({} | rate())");
    for (unsigned i = 1; i <= SP_METRICS_PARTS_MAX; i++)
        at += sprintf(at, " + ({} | rate())");
    expect_problem(query, WHOLE, 413, "more than the limit of 16 metrics");
    at = query + sprintf(query, "{} | rate() by (name");
    for (unsigned i = 1; i <= SP_ROWS_KEYS_MAX; i++)
        at += sprintf(at, ", span.k%u", i);
    sprintf(at, ")");
    expect_problem(query, WHOLE, 413, "by() has 17 keys, more than the limit of 16");
}
END_TEST

START_TEST(what_makes_no_series_is_refused)
{
    expect_problem("{}", WHOLE, 400, "expected a metric at the end of the query");
    expect_problem("{} | count() > 1", WHOLE, 400, "expected a metric at the end of the query");
    expect_problem("{} | rate(", WHOLE, 400, "\"parameter\":\"q\"");
    expect_problem("{} | rate() with (fast = true)", WHOLE, 400, "expected one of the hints");
    expect_problem("{ name =~ \"(\" } | rate()", WHOLE, 400, "\"offset\"");
}
END_TEST

START_TEST(metrics_within_little_memory_say_so)
{
    struct sp_query_limits limits = *sp_query_limits_default();
    limits.memory_bytes_max = 256 * 1024;
    world_fini(&world);
    world_init_limits(&world, &limits);
    add_spans();
    expect_problem("{} | quantile_over_time(duration, 0.5) by (name)",
                   "query_range?from=2026-01-01T00:00:00Z&to=2026-01-01T03:00:00Z&step=1s", 413,
                   "memory");
}
END_TEST

/* From the first nanosecond of 1970 to the last that 64 bits have: nobody gave the step that has to fit it. */
START_TEST(all_of_time_has_steps_of_its_own)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", 0, UINT64_MAX),
        make_span(&arena, 1, 2, 1, "web", "b", UINT64_MAX, 0),
    };
    world_add(&world, spans, 2);
    const char *all = "\"stepNano\":\"153014400000000000\""; /* 253 weeks */
    expect_problem("{} | rate()", "query_range?exact=false", 200, all);
    expect_series("{} | max_over_time(duration)", "query_range?exact=false",
                  "[{\"labels\":[],\"points\":[[\"0\",18446744073.709553],"
                  "[\"18361728000000000000\",0]]}]");
    expect_problem("{} | rate()", "query_range?from=1970-01-01T00:00:00Z&to=1972-01-01T00:00:00Z",
                   200, "\"stepNano\":\"604800000000000\"");
    expect_problem("{} | rate()", "query_range?from=1970-01-01T00:00:00Z&to=1973-01-01T00:00:00Z",
                   200, "\"stepNano\":\"1209600000000000\"");
}
END_TEST

/* A range that begins behind all spans holds none of them, and ends now, or where it begins. */
START_TEST(ranges_behind_all_spans_are_those_that_were_asked_for)
{
    add_spans();
    world.unix_ns = T0 + 600 * S;
    expect_series("{} | count_over_time()", "query_range?from=2026-01-01T00:08:00Z&step=1m",
                  ONE("[\"1767226080000000000\",0],[\"1767226140000000000\",0]"));
    expect_series("{} | count_over_time()", "query?from=2026-01-01T00:02:01Z",
                  ONE("[\"1767225721000000000\",0]"));
    expect_series("{} | count_over_time()", "query_range?from=2030-01-01T00:00:00Z&step=1m",
                  ONE(""));
    expect_problem("{} | count_over_time()", "query_range?from=2030-01-01T00:00:00Z&step=1m", 200,
                   "\"from\":\"1893456000000000000\",\"to\":\"1893456000000000000\"");
    expect_series("{} | count_over_time()", "query_range?to=2025-01-01T00:00:00Z&step=1m", ONE(""));
    expect_answer(&world, "/v1/heatmap?from=2026-01-01T00:08:00Z", 200,
                  "\"from\":\"1767226080000000000\",\"to\":\"1767226200000000000\"");
}
END_TEST

/* A duration takes all 64 bits, whichever way it is read. */
START_TEST(longest_durations_are_whole_in_metrics)
{
    static const char *const queries[] = {
        "{} | max_over_time(duration)",
        "{} | sum_over_time(duration)",
        "{} > {} | max_over_time(duration)", /* on whole traces */
        "{} | max_over_time(duration) with (exemplars = true)",
        "{} | quantile_over_time(duration, 1) with (exact = true)",
    };
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", 0, 0),
        make_span(&arena, 1, 2, 1, "web", "b", 0, UINT64_MAX),
    };
    world_add(&world, spans, 2);
    for (size_t i = 0; i < SP_ARRAY_LEN(queries); i++)
        expect_problem(queries[i], "query?exact=false", 200, "[\"0\",18446744073.70955");
}
END_TEST

/* Which passes were made, what they read, and what each clause lets through alone. */
START_TEST(metrics_explain_themselves)
{
    add_spans();
    expect_problem("{ name = \"a\" } | rate()", WHOLE, 200, "\"tookMs\":0}");
    expect_problem(
        "{ name = \"a\" && .x = 1 } | rate() by (service)", WHOLE "&explain=true", 200,
        "\"explain\":{\"query\":\"{ name = \\\"a\\\" && .x = 1 } | rate() by (service)\","
        "\"passes\":[{\"stages\":[\"{ name = \\\"a\\\" && .x = 1 }\"],\"reads\":\"columns\","
        "\"hints\":{\"match\":\"all\",\"conditions\":[\"name = a\",\"x = "
        "1\"],\"also\":[],\"traceIds\":[]},"
        "\"decidedByHints\":false,\"scanned\":{\"segments\":0,\"rows\":\"7\",\"bytes\":\"0\","
        "\"traces\":\"0\"},\"tookMs\":0}],\"passesLeftOut\":0,\"clauses\":[{\"clause\":"
        "\"name = \\\"a\\\"\",\"offset\":7,\"spans\":\"3\",\"traces\":\"2\",\"complete\":true},"
        "{\"clause\":\".x = "
        "1\",\"offset\":19,\"spans\":\"0\",\"traces\":\"0\",\"complete\":true},");
    /* whole traces, and a pass for each metric */
    expect_problem("({ } > { name = \"a\" } | rate()) / ({ duration > 1ms } | rate())",
                   WHOLE "&explain=true", 200, "\"reads\":\"traces\"");
    expect_problem("({ } > { name = \"a\" } | rate()) / ({ duration > 1ms } | rate())",
                   WHOLE "&explain=true", 200, "\"reads\":\"durations\"");
    expect_problem("{ } | compare({ name = \"a\" })", WHOLE "&explain=true", 200,
                   "{\"clause\":\"name = \\\"a\\\"\",");
    expect_problem("{ } | rate()", WHOLE "&explain=2", 400, "\"parameter\":\"explain\"");
}
END_TEST

START_TEST(explanations_list_so_many_passes)
{
    char query[4096];
    char *at = query;
    for (uint32_t i = 0; i < SP_METRICS_PARTS_MAX; i++)
        at += sprintf(at, "%s({ } | rate())", i > 0 ? " + " : "");
    add_spans();
    expect_problem(query, WHOLE "&explain=true", 200, "\"passesLeftOut\":0,");
    struct sp_query_call *call = ask(&world, "/v1/healthz");
    struct sp_pass pass = {.call = call};
    struct sp_scanned scanned = {0};
    call->passes = sp_arena_calloc(&arena, 1, sizeof(*call->passes));
    for (uint32_t i = 0; i < SP_PASS_NOTES_MAX + 2; i++)
        sp_pass_note(&pass, &scanned, 0);
    ck_assert_uint_eq(call->passes->count, SP_PASS_NOTES_MAX);
    ck_assert_uint_eq(call->passes->left_out, 2);
    answer_fini(call);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("by hand");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, counts_and_rates_are_of_each_step);
    tcase_add_test(tcase, numbers_are_those_of_spans_that_have_one);
    tcase_add_test(tcase, each_event_and_link_has_its_number);
    tcase_add_test(tcase, second_stages_keep_points_and_rank_series);
    tcase_add_test(tcase, metrics_of_the_same_labels_meet);
    tcase_add_test(tcase, spans_of_spansets_are_counted_in_whole_traces);
    tcase_add_test(tcase, exemplars_are_the_slowest_spans);
    tcase_add_test(tcase, exemplars_can_be_fewer);
    tcase_add_test(tcase, hints_are_checked);
    tcase_add_test(tcase, arithmetic_has_no_exemplars);
    tcase_add_test(tcase, steps_have_a_limit_and_fit_the_range);
    tcase_add_test(tcase, last_nanosecond_of_all_has_a_step);
    tcase_add_test(tcase, metrics_explain_themselves);
    tcase_add_test(tcase, explanations_list_so_many_passes);
    tcase_add_test(tcase, all_of_time_has_steps_of_its_own);
    tcase_add_test(tcase, ranges_behind_all_spans_are_those_that_were_asked_for);
    tcase_add_test(tcase, longest_durations_are_whole_in_metrics);
    tcase_add_test(tcase, series_have_a_limit_that_topk_gets_below);
    tcase_add_test(tcase, series_that_are_held_have_a_limit);
    tcase_add_test(tcase, parts_and_keys_have_limits);
    tcase_add_test(tcase, what_makes_no_series_is_refused);
    tcase_add_test(tcase, metrics_within_little_memory_say_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
