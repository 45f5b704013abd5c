/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches for more than one span: what results show of sets of spans, what a range means for them, orders by
 * numbers made of them, and explanations. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/net.h"
#include "query/search_explain.h"
#include "tests/support/span_oracle.h"
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

static void add_shop_trace(void)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "GET /", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "cart", "load", T0 + 1 * MS, 10 * MS),
        make_span(&arena, 1, 3, 2, "db", "SELECT", T0 + 2 * MS, 3 * MS),
        make_span(&arena, 1, 4, 2, "db", "SELECT", T0 + 6 * MS, 5 * MS),
        make_span(&arena, 1, 5, 1, "db", "INSERT", T0 + 50 * MS, 40 * MS),
    };
    add_attribute(&arena, &spans[3], "rows", int_value(7));
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

static void expect_part(const char *query, const char *more, const char *part)
{
    char url[16 * 1024];
    struct sp_buf encoded;
    sp_buf_init(&encoded, 1 << 20);
    sp_percent_encode(sp_slice_cstr(query), &encoded);
    snprintf(url, sizeof(url), "/v1/search?q=%.*s%s", SP_SLICE_PRINTF(sp_buf_slice(&encoded)),
             more);
    sp_buf_fini(&encoded);
    expect_answer(&world, url, 200, part);
}

START_TEST(search_shows_sets_of_spans)
{
    add_shop_trace();
    expect_part(
        "{ service = \"db\" } | by(name) | count() > 1 | select(span.rows, parent.rows)", "",
        "\"spanSetCount\":1,\"spanSets\":[{\"matched\":2,\"attributes\":[{\"name\":\"by(name)\","
        "\"type\":\"string\",\"value\":{\"stringValue\":\"SELECT\"}},{\"name\":\"count()\","
        "\"type\":\"integer\",\"value\":{\"intValue\":\"2\"}}],\"spans\":[{\"spanId\":"
        "\"0000000000000003\",");
    expect_part("{ service = \"db\" } | select(span.rows)", "",
                "\"durationNano\":\"5000000\",\"attributes\":[{\"key\":\"span.rows\",\"value\":"
                "{\"intValue\":\"7\"}}]}");
    expect_part("{ } | avg(duration) > 1ms", "",
                "[{\"name\":\"avg(duration)\",\"type\":\"duration\",\"value\":{\"doubleValue\":");
    expect_part("{ } | by(span.rows)", "",
                "\"attributes\":[{\"name\":\"by(span.rows)\",\"type\":\"nil\",\"value\":null}]");
    expect_part("{ service = \"web\" } >> { name = \"SELECT\" }", "",
                "\"matchedSpanIds\":[\"0000000000000003\",\"0000000000000004\"],");
    expect_part("{ } with (most_recent = true)", "", "\"matchedSpanCount\":5,");
}
END_TEST

START_TEST(search_lists_as_many_spans_of_a_set_as_asked)
{
    add_shop_trace();
    expect_part("{ }", "&spss=0", "\"spanSets\":[{\"matched\":5,\"attributes\":[],\"spans\":[]}]");
    expect_part("{ }", "&spss=100", "\"spanId\":\"0000000000000005\"");
    expect_answer(&world, "/v1/search?spss=101", 400, "between 0 and 100");
}
END_TEST

START_TEST(search_looks_at_the_whole_trace_whatever_the_range)
{
    char late[128];
    add_shop_trace();
    /* From 40 ms on only the INSERT has started; what it is below started before. */
    snprintf(late, sizeof(late), "&from=%llu", (unsigned long long)(T0 + 40 * MS));
    expect_part("{ service = \"web\" } > { name = \"INSERT\" }", late, "\"matchedTraces\":1,");
    expect_part("{ name = \"GET /\" } > { duration > 1ms }", late, "\"matchedTraces\":1,");
    expect_part("{ name = \"GET /\" } && { duration > 30ms }", late, "\"matchedTraces\":1,");
    expect_part("{ service = \"db\" } | count() = 3", late, "\"matchedTraces\":1,");
    expect_part("{ service = \"db\" } | count() = 3", late, "\"spanSets\":[{\"matched\":1,");
    expect_part("{ service = \"web\" } >> { name = \"SELECT\" }", late, "\"matchedTraces\":0,");
}
END_TEST

/* Ids of the traces found, in order, without their zeros. */
static void expect_order(const char *query, const char *order, const char *ids)
{
    char url[1024], found[256] = "", id[SP_TRACE_ID_TEXT];
    snprintf(url, sizeof(url), "/v1/search?q=%s&order=%s", query, order);
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    for (const char *at = text; (at = strstr(at, "{\"traceId\":\"")) != NULL; at++) {
        json_member(at, "traceId", id, sizeof(id));
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", found[0] ? "," : "",
                 id + strspn(id, "0"));
    }
    ck_assert_msg(strcmp(found, ids) == 0, "%s: %s, expected %s", url, found, ids);
    free(text);
    answer_fini(call);
}

START_TEST(search_orders_by_any_number_made_of_spans)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", T0, 100 * MS),
        make_span(&arena, 2, 2, 0, "web", "a", T0, 50 * MS),
        make_span(&arena, 2, 3, 2, "db", "b", T0, 40 * MS),
        make_span(&arena, 3, 4, 0, "web", "a", T0, 70 * MS),
        make_span(&arena, 3, 5, 4, "db", "b", T0, 10 * MS),
        make_span(&arena, 3, 6, 4, "db", "c", T0, 20 * MS),
    };
    add_attribute(&arena, &spans[0], "n", double_value(-0.5));
    add_attribute(&arena, &spans[2], "n", int_value(-7));
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_order("{}", "-max(duration)", "1,3,2");
    expect_order("{}", "max(duration)", "2,3,1");
    expect_order("{}", "-count()", "3,2,1");
    expect_order("{}", "max(.n)", "2,1,3"); /* without a number: last, whichever the direction */
    expect_order("{}", "-max(.n)", "1,2,3");
    expect_order("{}", "-count()*2-sum(duration)/10ms", "3,2,1");
    /* of several sets the best counts */
    expect_order("{}|by(service)", "-min(duration)", "1,3,2");
    expect_order("{}|by(service)", "min(duration)", "3,2,1");
    /* of the spans that were found, not of the trace */
    expect_order("{service=%22db%22}", "-sum(duration)", "2,3");
    expect_answer(&world, "/v1/search?order=-count()&limit=1", 200,
                  "\"orderValue\":{\"intValue\":\"3\"}");
    expect_answer(&world, "/v1/search?order=-count()&limit=1", 200, "\"order\":\"-count()\"");
    static const char *const refused[] = {"name",      "-",          "count()%20%3E%201",
                                          "1",         "{}",         "count()%20|%20count()",
                                          "max(name)", "start,spans"};
    for (size_t i = 0; i < SP_ARRAY_LEN(refused); i++) {
        char url[256];
        snprintf(url, sizeof(url), "/v1/search?order=%s", refused[i]);
        expect_answer(&world, url, 400, "\"parameter\":\"order\"");
    }
}
END_TEST

START_TEST(search_explains_itself_and_counts_each_clause)
{
    add_shop_trace();
    struct sp_span other = make_span(&arena, 2, 9, 0, "db", "INSERT", T0, MS);
    world_add(&world, &other, 1);
    const char *query = "{ service = \"db\" && duration > 45ms } >> { name =~ \"S.*\" }";
    static const char *const parts[] = {
        "\"traces\":[],",
        "\"explain\":{\"query\":\"{ service = \\\"db\\\" && duration > 45ms } >> { name =~ "
        "\\\"S.*\\\" }\",",
        "\"hints\":{\"match\":\"all\",\"conditions\":[\"service = db\",\"duration > 45000000\"],"
        "\"also\":[{\"match\":\"all\",\"conditions\":[\"name =~ S.*\"]}],\"traceIds\":[]},",
        "\"steps\":[{\"step\":\"{ service = ",
        "{\"clause\":\"service = "
        "\\\"db\\\"\",\"offset\":10,\"spans\":\"4\",\"traces\":\"2\",\"complete\":"
        "true},{\"clause\":\"duration > "
        "45ms\",\"offset\":29,\"spans\":\"1\",\"traces\":\"1\",\"complete\":"
        "true},{\"clause\":\"service = \\\"db\\\" && duration > "
        "45ms\",\"offset\":17,\"spans\":\"0\","
        "\"traces\":\"0\",\"complete\":true},{\"clause\":\"name =~ "
        "\\\"S.*\\\"\",\"offset\":48,\"spans\":\"2\","
        "\"traces\":\"1\",\"complete\":true}]",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++)
        expect_part(query, "&explain=true", parts[i]);
    expect_part("{ name =~ \"S.*\" && .n !~ \"a|b\" }", "&explain=true",
                "\"hints\":{\"match\":\"all\",\"conditions\":[\"name =~ S.*\",\"n !~ "
                "a|b\"],\"also\":[]");
    /* of the trace around a span whole traces tell */
    expect_part("{ rootName = \"nope\" && service = \"db\" }", "&explain=true",
                "\"clauses\":[{\"clause\":\"trace:rootName = "
                "\\\"nope\\\"\",\"offset\":11,\"spans\":\"0\",\"traces\":"
                "\"0\",\"complete\":true},{\"clause\":\"service = "
                "\\\"db\\\"\",\"offset\":31,\"spans\":\"4\","
                "\"traces\":\"2\",\"complete\":true},");
    expect_part("{ rootName = \"INSERT\" && childCount = 0 }", "&explain=true",
                "\"spans\":\"1\",\"traces\":\"1\",\"complete\":true}]");
    expect_part(
        "{ service = \"db\" } | count() > 2", "&explain=true",
        "{\"step\":\"{ service = \\\"db\\\" }\",\"offset\":0,\"runs\":\"2\",\"spansIn\":\"6\","
        "\"spansOut\":\"4\"},{\"step\":\"count() > "
        "2\",\"offset\":29,\"runs\":\"2\",\"spansIn\":\"4\","
        "\"spansOut\":\"3\"}]");
    expect_answer(&world, "/v1/search?explain=maybe", 400, "\"parameter\":\"explain\"");
}
END_TEST

/* Both sides of an operator have to be in the trace, only the result in the range. */
START_TEST(traces_are_chosen_by_both_sides_of_an_operator)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "GET /", T0 - 1000 * MS, 5000 * MS),
        make_span(&arena, 1, 2, 1, "db", "SELECT", T0 + MS, MS),
        make_span(&arena, 2, 3, 0, "web", "GET /", T0, 5 * MS),
        make_span(&arena, 2, 4, 3, "db", "SELECT", T0 + MS, MS),
    };
    static const char *const range = "&from=2026-01-01T00:00:00Z&explain=true";
    spans[0].status_code = SP_SPAN_STATUS_ERROR;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_part("{ status = error } >> { }", range,
                "\"hints\":{\"match\":\"all\",\"conditions\":[],\"also\":[{\"match\":\"all\","
                "\"conditions\":[\"status = 2\"]}],\"traceIds\":[]}");
    expect_part("{ status = error } >> { }", range, "\"traces\":\"1\"},\"matchedTraces\":1,");
    expect_part("{ status = error } && { name = \"SELECT\" }", range,
                "\"traces\":\"1\"},\"matchedTraces\":1,");
    /* what is excluded, or only one of two, need not be there */
    expect_part("{ status = error } !>> { }", range, "\"traces\":\"2\"},\"matchedTraces\":1,");
    expect_part("{ name = \"SELECT\" } without { status = error }", range,
                "\"traces\":\"2\"},\"matchedTraces\":2,");
    expect_part("{ status = error } || { }", range, "\"traces\":\"2\"},\"matchedTraces\":2,");
}
END_TEST

/* The store says which traces have a link to another, an event or a scope of a name: no other is looked at. */
START_TEST(traces_are_chosen_by_links_events_and_scopes)
{
    static const struct {
        const char *query, *condition, *looked_at;
    } rows[] = {
        {"{ link:traceID = \"3\" }", "link:traceID = 00000000000000000000000000000003",
         "\"traces\":\"1\"},\"matchedTraces\":1,"},
        {"{ \"00000000000000000000000000000003\" = link:traceID }",
         "link:traceID = 00000000000000000000000000000003",
         "\"traces\":\"1\"},\"matchedTraces\":1,"},
        {"{ link:traceID = \"4\" }", "link:traceID = 00000000000000000000000000000004",
         "\"traces\":\"0\"},\"matchedTraces\":0,"},
        {"{ link:traceID != \"3\" }", "link:traceID exists",
         "\"traces\":\"2\"},\"matchedTraces\":1,"},
        {"{ link:traceID = \"no id\" }", "link:traceID exists",
         "\"traces\":\"2\"},\"matchedTraces\":0,"},
        {"{ link:spanID != nil }", "link:traceID exists", "\"traces\":\"2\"},\"matchedTraces\":2,"},
        {"{ link:spanID =~ \".*7\" }", "link:traceID exists",
         "\"traces\":\"2\"},\"matchedTraces\":1,"},
        {"{ event:name = \"exception\" }", "event:name = exception",
         "\"traces\":\"1\"},\"matchedTraces\":1,"},
        {"{ event:name =~ \"ex.*\" }", "event:name =~ ex.*",
         "\"traces\":\"1\"},\"matchedTraces\":1,"},
        {"{ event:timeSinceStart >= 3ms }", "event:name exists",
         "\"traces\":\"2\"},\"matchedTraces\":1,"},
        {"{ instrumentation:name = \"http\" }", "instrumentation:name = http",
         "\"traces\":\"1\"},\"matchedTraces\":1,"},
    };
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "a", "x", T0, MS), make_span(&arena, 2, 2, 0, "a", "x", T0, MS),
        make_span(&arena, 3, 3, 0, "a", "x", T0, MS), make_span(&arena, 4, 4, 0, "a", "x", T0, MS)};
    struct sp_link links[2] = {{.trace_id = spans[2].trace_id, .span_id = {.bytes = {[7] = 7}}},
                               {.trace_id = spans[0].trace_id}};
    const struct sp_event events[] = {{.name = SP_SLICE("exception"), .time_unix_ns = T0 + 3 * MS},
                                      {.name = SP_SLICE("log"), .time_unix_ns = T0 + 2 * MS}};
    const struct sp_scope scope = {.name = SP_SLICE("http")};
    for (uint32_t i = 0; i < 2; i++) {
        spans[i].links = &links[i];
        spans[i].link_count = 1;
        spans[2 + i].events = &events[i];
        spans[2 + i].event_count = 1;
    }
    spans[3].scope = &scope;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        char hints[256];
        snprintf(hints, sizeof(hints), "\"conditions\":[\"%s\"]", rows[i].condition);
        expect_part(rows[i].query, "&explain=true", hints);
        expect_part(rows[i].query, "", rows[i].looked_at);
    }
    expect_part("{ link:traceID = nil }", "&explain=true", "\"conditions\":[],");
    expect_part("{ } > { parent.link.a = 1 }", "&explain=true", "\"conditions\":[],");
}
END_TEST

START_TEST(of_named_traces_no_other_is_looked_at)
{
    static const char id[] = "00000000000000000000000000000001";
    char query[256];
    add_shop_trace();
    struct sp_span others[] = {make_span(&arena, 2, 9, 0, "db", "INSERT", T0, MS),
                               make_span(&arena, 3, 9, 0, "db", "INSERT", T0, MS)};
    world_add(&world, others, SP_ARRAY_LEN(others));
    snprintf(query, sizeof(query), "{ trace:id = \"%s\" }", id);
    expect_part(query, "&explain=true", "\"traceIds\":[\"00000000000000000000000000000001\"]}");
    expect_part(query, "", "\"traces\":\"1\"},\"matchedTraces\":1,");
    snprintf(query, sizeof(query), "{ } >> { \"%s\" = trace:id && kind = server }", id);
    expect_part(query, "", "\"traces\":\"1\"},");
    snprintf(query, sizeof(query), "{ trace:id = \"2\" || trace:id = \"%s\" } | count() > 0", id);
    expect_part(query, "", "\"traces\":\"2\"},\"matchedTraces\":2,");
    snprintf(query, sizeof(query), "{ trace:id = \"%s\" || kind = server }", id);
    expect_part(query, "", "\"traces\":\"3\"},\"matchedTraces\":3,");
    snprintf(query, sizeof(query), "{ trace:id != \"%s\" }", id);
    expect_part(query, "", "\"traces\":\"3\"},\"matchedTraces\":2,");
    snprintf(query, sizeof(query), "{ trace:id = \"%s\" } || { trace:id = \"3\" }", id);
    expect_part(query, "", "\"matchedTraces\":2,");
}
END_TEST

/* Clauses of random queries, counted by surveys and in whole traces, are what brute force counts. */
START_TEST(clauses_are_counted_as_brute_force_counts_them)
{
    static struct oracle_trace traces[64];
    struct sp_gen gen = {.state = 500 + (uint64_t)_i};
    struct sp_gen_options options = {
        .span_count = 200, .trace_count = 40, .odd_percent = 10, .no_residue = true};
    const struct sp_batch *batch = sp_gen_batch(&arena, 90 + (uint64_t)_i, &options);
    world_add(&world, batch->spans, batch->span_count);
    const struct sp_span *spans[200];
    size_t trace_count = 0, used = 0;
    for (size_t i = 0; i < batch->span_count; i++) { /* traces in the order they appear */
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = sp_trace_id_compare(&batch->spans[i].trace_id, &batch->spans[j].trace_id) == 0;
        size_t first = used;
        for (size_t j = i; j < batch->span_count && !seen; j++)
            if (sp_trace_id_compare(&batch->spans[i].trace_id, &batch->spans[j].trace_id) == 0)
                spans[used++] = &batch->spans[j];
        if (!seen)
            oracle_trace_init(&traces[trace_count++], &spans[first], used - first);
    }
    for (int round = 0; round < 40; round++) {
        struct oracle_query query;
        char counts[128];
        size_t span_hits = 0, trace_hits = 0;
        oracle_make_depth(&gen, &query, round % 3);
        for (size_t t = 0; t < trace_count; t++) {
            size_t hits = 0;
            for (size_t i = 0; i < traces[t].count; i++)
                hits += oracle_matches(&query, &traces[t], i);
            span_hits += hits;
            trace_hits += hits > 0;
        }
        snprintf(counts, sizeof(counts), "\"spans\":\"%zu\",\"traces\":\"%zu\",\"complete\":true}]",
                 span_hits, trace_hits);
        expect_part(query.text, "&limit=1&explain=true", counts);
    }
}
END_TEST

START_TEST(explanations_count_so_many_clauses)
{
    char query[2048];
    char *at = query + sprintf(query, "{ name = \"a\"");
    for (unsigned i = 2; i < SP_EXPLAIN_CLAUSES_MAX; i++)
        at += sprintf(at, " && .a != %u", i);
    sprintf(at, " }");
    /* So many less one, and all of them together. */
    expect_part(query, "&explain=true", "\"clausesLeftOut\":0,");
    sprintf(at, " && .b = 7 && .c = 7 }");
    expect_part(query, "&explain=true", "\"clausesLeftOut\":2,");
    expect_part(query, "&explain=true", "{\"clause\":\".b = 7\",");
    expect_part(query, "&explain=true", "\"complete\":true}],\"clausesLeftOut\":2,");
}
END_TEST

START_TEST(explanations_remember_so_many_traces)
{
    struct sp_query_limits limits = *sp_query_limits_default();
    limits.explain_traces_max = 3;
    struct sp_span spans[4];
    for (unsigned i = 0; i < SP_ARRAY_LEN(spans); i++)
        spans[i] = make_span(&arena, i + 1, i + 1, 0, "web", i < 3 ? "few" : "more", T0 + i, 9);
    world_fini(&world);
    world_init_limits(&world, &limits);
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_part("{ name = \"few\" }", "&explain=true",
                "\"spans\":\"3\",\"traces\":\"3\",\"complete\":true}");
    expect_part("{ service = \"web\" }", "&explain=true",
                "\"spans\":\"4\",\"traces\":\"3\",\"complete\":false}");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query search sets");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, search_shows_sets_of_spans);
    tcase_add_test(tcase, search_lists_as_many_spans_of_a_set_as_asked);
    tcase_add_test(tcase, search_looks_at_the_whole_trace_whatever_the_range);
    tcase_add_test(tcase, search_orders_by_any_number_made_of_spans);
    tcase_add_test(tcase, traces_are_chosen_by_both_sides_of_an_operator);
    tcase_add_test(tcase, traces_are_chosen_by_links_events_and_scopes);
    tcase_add_test(tcase, of_named_traces_no_other_is_looked_at);
    tcase_add_test(tcase, search_explains_itself_and_counts_each_clause);
    tcase_add_test(tcase, explanations_count_so_many_clauses);
    tcase_add_test(tcase, explanations_remember_so_many_traces);
    tcase_add_loop_test(tcase, clauses_are_counted_as_brute_force_counts_them, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
