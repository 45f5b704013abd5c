/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters of the read API: what is taken, and what the refusals say. */
#include <stdio.h>

#include "tests/unit/query/world.h"

static const struct sp_parameter table[] = {
    {.name = "from", .type = SP_PARAMETER_TIME, .preset = 7},
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = 20,
     .number_min = 1,
     .number_max = 1000},
    {.name = "order", .type = SP_PARAMETER_CHOICE, .choices = "-start|start|-duration"},
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "exact", .type = SP_PARAMETER_SWITCH},
};

static struct sp_arena arena;
static struct sp_parameter_value values[SP_ARRAY_LEN(table)];
static struct sp_error error;

static void setup(void)
{
    sp_arena_init(&arena, 1 << 20);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
}

static enum sp_status parse(const char *query)
{
    error = (struct sp_error){0};
    return sp_parameters_parse(table, SP_ARRAY_LEN(table), sp_slice_cstr(query), T0, &arena, values,
                               &error);
}

START_TEST(parameters_that_are_not_given_have_their_presets)
{
    ck_assert_int_eq(parse(""), SP_OK);
    ck_assert_uint_eq(values[0].number, 7);
    ck_assert_uint_eq(values[1].number, 20);
    ck_assert(!values[3].set);
}
END_TEST

START_TEST(parameters_are_decoded_and_checked)
{
    ck_assert_int_eq(parse("q=%7B%20name+%3D+%22a%26b%22%7D&limit=3&order=-duration&from=now-1m"),
                     SP_OK);
    ck_assert(sp_slice_equal_cstr(values[3].text, "{ name = \"a&b\"}"));
    ck_assert_uint_eq(values[1].number, 3);
    ck_assert_uint_eq(values[2].number, 2);
    ck_assert_uint_eq(values[0].number, T0 - 60000 * MS);
}
END_TEST

START_TEST(parameters_take_a_plus_in_a_time_as_a_plus)
{
    ck_assert_int_eq(parse("from=2026-01-01T02:00:00+02:00"), SP_OK);
    ck_assert_uint_eq(values[0].number, T0);
    ck_assert_int_eq(parse("from=now+1m"), SP_OK);
    ck_assert_uint_eq(values[0].number, T0 + 60000 * MS);
}
END_TEST

START_TEST(parameters_that_are_switches_take_two_words_and_two_digits)
{
    static const struct {
        const char *query;
        uint64_t number;
    } rows[] = {
        {"exact=true", 1}, {"exact=1", 1}, {"exact=false", 0}, {"exact=0", 0}, {"exact=", 0}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        ck_assert_int_eq(parse(rows[i].query), SP_OK);
        ck_assert_uint_eq(values[4].number, rows[i].number);
    }
}
END_TEST

/* What reads spans must not take the place of what answers at once. */
START_TEST(parameters_that_read_spans_make_a_question_long)
{
    static const struct {
        const char *path, *query;
        bool is_short;
    } rows[] = {
        {"/v1/graph", "", true},
        {"/v1/graph", "format=dot&hops=2&links=false&exact=0", true},
        {"/v1/graph", "links=&exact=", true},
        {"/v1/graph", "format=json&links=true", false},
        {"/v1/graph", "links=1", false},
        {"/v1/graph", "exact=1&links=0", false},
        {"/v1/graph", "links=false&links=true", false},
        {"/v1/graph", "%6cinks=true", false},
        {"/v1/graph", "links=%74rue", false},
        {"/v1/latency", "q=0.5&buckets=true", true},
        {"/v1/latency", "exact=true", false},
        {"/v1/latency", "by=span.a", false},
        {"/v1/attributes", "key=name&scope=intrinsic", true},
        {"/v1/attributes", "q={}", false},
        {"/v1/search", "", false},
        {"/v1/metrics/query", "exact=0", false},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct sp_slice id;
        const struct sp_query_endpoint *endpoint =
            sp_query_route(SP_SLICE("GET"), sp_slice_cstr(rows[i].path), &id);
        bool is_short = sp_query_is_short(endpoint, sp_slice_cstr(rows[i].query));
        ck_assert_msg(is_short == rows[i].is_short, "%s?%s", rows[i].path, rows[i].query);
    }
}
END_TEST

START_TEST(parameters_that_are_empty_count_as_not_given)
{
    ck_assert_int_eq(parse("from=&limit=&order=&q="), SP_OK);
    ck_assert_uint_eq(values[0].number, 7);
    ck_assert_uint_eq(values[1].number, 20);
    ck_assert(!values[3].set);
}
END_TEST

static const struct refused {
    const char *query, *parameter, *says;
} refused[] = {
    {"limt=3", "limt", "allowed are: from, limit, order, q, exact"},
    {"limit=3&limit=4", "limit", "more than once"},
    {"limit=0", "limit", "between 1 and 1000"},
    {"limit=1001", "limit", "between 1 and 1000"},
    {"limit=-1", "limit", "between 1 and 1000"},
    {"limit=99999999999999999999", "limit", "between 1 and 1000"},
    {"order=up", "order", "-start|start|-duration"},
    {"order=star", "order", "-start|start|-duration"},
    {"exact=yes", "exact", "must be true or false (or 1 or 0)"},
    {"exact=TRUE", "exact", "must be true or false (or 1 or 0)"},
    {"exact=2", "exact", "must be true or false (or 1 or 0)"},
    {"from=yesterday", "from", "not a time"},
    {"q=%zz", "q", ""},
    {"q=%ff", "q", ""},
    {"%ff=1", "", ""},
};

START_TEST(parameters_are_refused_with_name_and_what_is_allowed)
{
    const struct refused *row = &refused[_i];
    ck_assert_int_eq(parse(row->query), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(error.status, SP_INVALID_ARGUMENT);
    if (row->parameter[0])
        ck_assert_str_eq(error.parameter, row->parameter);
    ck_assert_msg(strstr(error.message, row->says) != NULL, "%s: %s", row->query, error.message);
    ck_assert(sp_utf8_valid(sp_slice_cstr(error.message)));
}
END_TEST

START_TEST(parameters_longer_than_the_limit_are_refused)
{
    static char query[SP_QUERY_STRING_BYTES_MAX + 2];
    memset(query, 'a', sizeof(query) - 1);
    memcpy(query, "q=", 2);
    ck_assert_int_eq(parse(query), SP_LIMIT);
    query[sizeof(query) - 2] = 0;
    ck_assert_int_eq(parse(query), SP_OK);
}
END_TEST

START_TEST(parameters_report_a_full_arena)
{
    struct sp_arena small;
    for (size_t cap = 0; cap < 4096; cap += 256) {
        sp_arena_init(&small, cap);
        enum sp_status status = sp_parameters_parse(
            table, SP_ARRAY_LEN(table), SP_SLICE("q=%20x&from=now"), T0, &small, values, &error);
        ck_assert(status == SP_OK || status == SP_LIMIT);
        sp_arena_fini(&small);
    }
}
END_TEST

START_TEST(etags_match_by_name_star_and_weakly)
{
    ck_assert(sp_etag_matches(SP_SLICE("\"a\""), "\"a\""));
    ck_assert(sp_etag_matches(SP_SLICE("\"b\", W/\"a\""), "\"a\""));
    ck_assert(sp_etag_matches(SP_SLICE("*"), "\"a\""));
    ck_assert(!sp_etag_matches(SP_SLICE("\"ab\""), "\"a\""));
    ck_assert(!sp_etag_matches(SP_SLICE(""), "\"a\""));
}
END_TEST

START_TEST(routes_take_one_segment_as_an_id)
{
    struct sp_slice id;
    ck_assert_ptr_nonnull(sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/traces/abc"), &id));
    ck_assert(sp_slice_equal_cstr(id, "abc"));
    const struct sp_query_endpoint *spans =
        sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/traces/abc/spans"), &id);
    ck_assert_ptr_nonnull(spans);
    ck_assert_str_eq(spans->path, "/v1/traces/{id}/spans");
    ck_assert(sp_slice_equal_cstr(id, "abc"));
    ck_assert_ptr_null(sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/traces/"), &id));
    ck_assert_ptr_null(sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/traces"), &id));
    ck_assert_ptr_null(sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/traces/a/b"), &id));
    ck_assert_ptr_null(sp_query_route(SP_SLICE("GET"), SP_SLICE("/v1/services/"), &id));
    ck_assert_ptr_null(sp_query_route(SP_SLICE("GET"), SP_SLICE(""), &id));
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query parameters");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, parameters_that_are_not_given_have_their_presets);
    tcase_add_test(tcase, parameters_are_decoded_and_checked);
    tcase_add_test(tcase, parameters_take_a_plus_in_a_time_as_a_plus);
    tcase_add_test(tcase, parameters_that_are_switches_take_two_words_and_two_digits);
    tcase_add_test(tcase, parameters_that_read_spans_make_a_question_long);
    tcase_add_test(tcase, parameters_that_are_empty_count_as_not_given);
    tcase_add_loop_test(tcase, parameters_are_refused_with_name_and_what_is_allowed, 0,
                        SP_ARRAY_LEN(refused));
    tcase_add_test(tcase, parameters_longer_than_the_limit_are_refused);
    tcase_add_test(tcase, parameters_report_a_full_arena);
    tcase_add_test(tcase, etags_match_by_name_star_and_weakly);
    tcase_add_test(tcase, routes_take_one_segment_as_an_id);
    suite_add_tcase(suite, tcase);
    return suite;
}
