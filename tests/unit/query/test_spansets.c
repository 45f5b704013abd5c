/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of spans: thousands of random queries on random traces against brute force, and the rules of docs/traceql.md worked
 * out by hand. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/spanset_check.h"
#include "tests/unit/query/world.h"

static struct sp_arena arena;

static void setup(void)
{
    sp_arena_init(&arena, 256 << 20);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
}

/* Enough to find any fault that was made on purpose, in a second or two. */
#define SEEDS 10000

START_TEST(spansets_are_what_brute_force_finds)
{
    size_t found = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bool any;
        ck_assert_msg(spanset_check_seed(&arena, seed, &any), "seed %llu: see above",
                      (unsigned long long)seed);
        found += any;
    }
    /* Queries that find nothing show little. */
    ck_assert_uint_gt(found, SEEDS / 4);
}
END_TEST

/* ---- the rules, by hand ----
 *
 *     1 root                    5 orphan of 9     8 root, stored twice
 *     +- 2                      6 orphan of 9
 *     |  +- 3                   7 orphan of 10
 *     +- 4
 *
 *     21 and 22 are each other's parent: 21 started first, so it is cut off above and 22 hangs from it */

static const struct sp_batch *family(void)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "web", "b", T0 + 1 * MS, 10 * MS),
        make_span(&arena, 1, 3, 2, "web", "c", T0 + 2 * MS, 5 * MS),
        make_span(&arena, 1, 4, 1, "web", "d", T0 + 20 * MS, 20 * MS),
        make_span(&arena, 1, 5, 9, "web", "e", T0 + 30 * MS, 30 * MS),
        make_span(&arena, 1, 6, 9, "web", "f", T0 + 31 * MS, 30 * MS),
        make_span(&arena, 1, 7, 10, "web", "g", T0 + 32 * MS, 30 * MS),
        make_span(&arena, 1, 8, 0, "web", "h", T0 + 40 * MS, 40 * MS),
        make_span(&arena, 1, 8, 0, "web", "h", T0 + 40 * MS, 40 * MS),
        make_span(&arena, 1, 21, 22, "web", "i", T0 + 50 * MS, 40 * MS),
        make_span(&arena, 1, 22, 21, "web", "j", T0 + 51 * MS, 40 * MS),
    };
    add_attribute(&arena, &spans[1], "n", int_value(3));
    add_attribute(&arena, &spans[2], "n", double_value(0.5));
    add_attribute(&arena, &spans[3], "n", text_value("many"));
    add_attribute(&arena, &spans[4], "big", int_value(INT64_MAX));
    add_attribute(&arena, &spans[5], "big", int_value(INT64_MAX));
    struct sp_span *copy = sp_arena_alloc(&arena, sizeof(spans));
    struct sp_batch *batch = sp_arena_calloc(&arena, 1, sizeof(*batch));
    memcpy(copy, spans, sizeof(spans));
    batch->spans = copy;
    batch->span_count = SP_ARRAY_LEN(spans);
    return batch;
}

/* Names of the spans of each set, in the order of the batch, sets apart by blanks. */
static void show(const struct spanset_run *run, char *out, size_t out_bytes)
{
    size_t len = 0;
    for (uint32_t s = 0; s < run->list.count; s++) {
        bool members[64] = {false};
        for (uint32_t r = 0; r < run->list.sets[s].count; r++)
            members[spanset_index(run, run->list.sets[s].rows[r])] = true;
        if (s > 0)
            out[len++] = ' ';
        for (size_t i = 0; i < run->facts.batch->span_count; i++)
            if (members[i] && len + 2 < out_bytes)
                out[len++] = (char)run->facts.batch->spans[i].name.ptr[0];
    }
    out[len] = 0;
}

static const struct {
    const char *query, *sets;
} rules[] = {
    /* && needs both sides and gives the spans of both; || either */
    {"{ name = \"a\" } && { name = \"c\" }", "ac"},
    {"{ name = \"a\" } && { name = \"z\" }", ""},
    {"{ name = \"a\" } || { name = \"z\" }", "a"},
    /* structural operators give the right side */
    {"{ name = \"a\" } > { }", "bd"},
    {"{ name = \"a\" } >> { }", "bcd"},
    {"{ name = \"c\" } < { }", "b"},
    {"{ name = \"c\" } << { }", "ab"},
    {"{ name = \"b\" } ~ { }", "d"},
    /* not: the right side that lacks it, also when the left is empty */
    {"{ name = \"a\" } !> { }", "acefghhij"},
    {"{ name = \"a\" } !>> { }", "aefghhij"},
    {"{ } !< { }", "cdefghhj"},
    {"{ name = \"c\" } !<< { }", "cdefghhij"},
    {"{ name = \"z\" } !> { name = \"b\" }", "b"},
    /* both sides of what is related */
    {"{ name = \"a\" } &>> { name =~ \"c|g\" }", "ac"},
    {"{ name =~ \"a|g\" } &>> { name = \"c\" }", "ac"},
    {"{ name = \"c\" } &<< { }", "abc"},
    {"{ } &~ { name = \"d\" }", "bd"},
    {"{ name = \"a\" } &> { name = \"z\" }", ""},
    {"{ name = \"a\" } || ({ name = \"a\" } &> { name = \"z\" })", "a"},
    /* orphans that name one parent are siblings although it is not there; of roots, other orphans, cycles and copies none is */
    {"{ name = \"e\" } ~ { }", "f"},
    {"{ name = \"g\" } ~ { }", ""},
    {"{ name = \"a\" } ~ { }", ""},
    {"{ name = \"h\" } ~ { }", ""},
    {"{ name = \"i\" } ~ { }", ""},
    {"{ } ~ { }", "bdef"},
    {"{ } !~ { }", "acghhij"},
    /* a cycle is cut above its first span */
    {"{ name = \"i\" } > { }", "j"},
    {"{ name = \"j\" } > { }", ""},
    {"{ name = \"i\" } << { }", ""},
    /* brackets and pipelines */
    {"({ } | count() > 1) >> { name = \"c\" }", "c"},
    {"({ } | by(name) | count() > 1) && { name = \"a\" }", "ahh"},
    {"{ name =~ \"a|b\" } | { name != \"a\" }", "b"},
    {"{ name =~ \"a|b|c\" } | { name = \"a\" } >> { }", "bc"},
    /* by, coalesce, select */
    {"{ name =~ \"h|i\" } | by(name)", "hh i"},
    {"{ name =~ \"h|i\" } | by(name) | coalesce()", "hhi"},
    {"{ name =~ \"a|b|c\" } | by(.n)", "a b c"}, /* nil, 3, 0.5: by type, then value */
    {"{ name =~ \"a|b|c\" } | by(.n > 1)", "ac b"},
    {"{ } | by(name) | count() = 2 | select(duration)", "hh"},
    {"({ } | by(name) | count() = 2)", "hh"},
    {"{ name =~ \"h|i\" } | by(name) | by(duration)", "hh i"},
    /* aggregates skip what has no number, and have no value when nothing has */
    {"{ name =~ \"a|b|c|d\" } | avg(.n) = 1.75", "abcd"},
    {"{ name =~ \"a|b|c|d\" } | sum(.n) = 3.5", "abcd"},
    {"{ name =~ \"a|b|c|d\" } | min(.n) = 0.5", "abcd"},
    {"{ name =~ \"a|b|c|d\" } | max(.n) = 3", "abcd"},
    {"{ name =~ \"a|d\" } | max(.n) > 0", ""},
    {"{ name =~ \"a|d\" } | max(.n) != 0", ""},
    {"{ name =~ \"e|f\" } | sum(.big) > 9223372036854775807", "ef"},
    {"{ name =~ \"b|c\" } | sum(duration) = 15ms", "bc"},
    /* arithmetic between scalars */
    {"{ name =~ \"a|b|c\" } | max(duration) - min(duration) = 95ms", "abc"},
    {"{ name =~ \"a|b|c\" } | count() / 2 = 1.5", "abc"},
    {"{ name =~ \"a|b|c\" } | -count() = -3", "abc"},
    {"{ name =~ \"a|b|c\" } | count() / 0 != 1", ""},
    /* the number of a bracket is of all that is left in it, also of nothing */
    {"{ name = \"a\" } | ({ } | count()) = 1", "a"},
    {"({ name = \"z\" } | count()) = 0", "abcdefghhij"},
    {"({ name = \"h\" } | count()) > ({ name = \"a\" } | count())", "abcdefghhij"},
    {"({ } | by(name) | count() + 1) = 12", "abcdefghhij"},
    /* absence, and absence within a time of the start */
    {"{ } without { name = \"c\" }", "cdefghhij"},
    {"{ name =~ \"a|b\" } without { name = \"c\" } within 1ms", "a"},
    {"{ name =~ \"a|b\" } without { name = \"c\" } within 2ms", ""},
    {"{ name =~ \"a|b\" } without { name = \"z\" } within 1h", "ab"},
    {"{ name = \"a\" } without { name = \"z\" } > { name = \"b\" }", "b"},
    /* repetition below one parent, stored or only named; copies count once */
    {"{ } repeated 2", ""},
    {"({ name =~ \"e|f\" } | by(name)) repeated 2", ""},
    /* without a filter in front: the whole trace */
    {"count() = 11", "abcdefghhij"},
    {"by(name) | count() > 1", "hh"},
};

START_TEST(spansets_find_repeated_siblings)
{
    struct spanset_run run = {0};
    char sets[256];
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "web", "q", T0 + 1 * MS, 1 * MS),
        make_span(&arena, 1, 3, 1, "web", "q", T0 + 2 * MS, 1 * MS),
        make_span(&arena, 1, 3, 1, "web", "q", T0 + 2 * MS, 1 * MS),
        make_span(&arena, 1, 4, 1, "cart", "q", T0 + 3 * MS, 1 * MS),
        make_span(&arena, 1, 5, 9, "web", "o", T0 + 4 * MS, 1 * MS),
        make_span(&arena, 1, 6, 9, "web", "o", T0 + 5 * MS, 1 * MS),
    };
    struct sp_batch batch = {.spans = spans, .span_count = SP_ARRAY_LEN(spans)};
    spanset_run(&arena, "{ } repeated 2 | by(name)", &batch, &run);
    show(&run, sets, sizeof(sets));
    ck_assert_str_eq(sets, "oo qqq");
    spanset_run(&arena, "{ } repeated 3", &batch, &run);
    ck_assert_uint_eq(run.list.count, 0);
    spanset_run(&arena, "{ name = \"a\" } > { } repeated 2", &batch, &run);
    show(&run, sets, sizeof(sets));
    ck_assert_str_eq(sets, "qqq");
}
END_TEST

START_TEST(spansets_follow_the_rules)
{
    struct spanset_run run = {0};
    char sets[256];
    spanset_run(&arena, rules[_i].query, family(), &run);
    show(&run, sets, sizeof(sets));
    ck_assert_msg(strcmp(sets, rules[_i].sets) == 0, "%s: \"%s\", expected \"%s\"", rules[_i].query,
                  sets, rules[_i].sets);
}
END_TEST

/* ---- memory and time ---- */

START_TEST(spansets_without_memory_say_so)
{
    const struct sp_traceql_query *query;
    struct sp_pipeline *pipeline;
    struct sp_trace_facts facts;
    struct sp_trace tree;
    struct sp_error error = {0};
    ck_assert_int_eq(sp_traceql_parse(&arena,
                                      SP_SLICE("({ } ~ { }) &>> { } | by(name) | coalesce()"
                                               " | max(duration) > 0"),
                                      &query, &error),
                     SP_OK);
    ck_assert_int_eq(sp_pipeline_compile(&arena, query, NULL, 0, &pipeline, &error), SP_OK);
    sp_trace_facts_make(family(), &facts);
    ck_assert_int_eq(sp_trace_facts_assemble(&facts, &arena, &tree, &error), SP_OK);
    size_t refused = 0;
    enum sp_status status = SP_LIMIT;
    for (size_t cap = 0; status != SP_OK; cap += 512) {
        struct sp_arena small;
        struct sp_spanset_list list;
        sp_arena_init(&small, cap);
        status = sp_pipeline_run(pipeline, &facts, &small, &list, &error);
        ck_assert(status == SP_OK || status == SP_LIMIT);
        refused += status == SP_LIMIT;
        sp_arena_fini(&small);
        ck_assert_uint_lt(cap, 1 << 20);
    }
    ck_assert_uint_gt(refused, 0);
    sp_pipeline_free(pipeline);
}
END_TEST

static enum sp_status stop_at_once(void *cookie, struct sp_error *reterr)
{
    (void)cookie;
    return sp_error_set(reterr, SP_CANCELLED, "enough");
}

START_TEST(spansets_end_when_they_are_stopped)
{
    const struct sp_traceql_query *query;
    struct sp_pipeline *pipeline;
    struct sp_trace_facts facts;
    struct sp_trace tree;
    struct sp_spanset_list list;
    struct sp_error error = {0};
    struct sp_stop stop = {.ask = stop_at_once};
    ck_assert_int_eq(sp_traceql_parse(&arena, SP_SLICE("{ } >> { }"), &query, &error), SP_OK);
    ck_assert_int_eq(sp_pipeline_compile(&arena, query, NULL, 0, &pipeline, &error), SP_OK);
    sp_trace_facts_make(family(), &facts);
    facts.stop = &stop;
    ck_assert_int_eq(sp_trace_facts_assemble(&facts, &arena, &tree, &error), SP_OK);
    ck_assert_int_eq(sp_pipeline_run(pipeline, &facts, &arena, &list, &error), SP_CANCELLED);
    sp_pipeline_free(pipeline);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query spansets");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, spansets_are_what_brute_force_finds);
    tcase_add_loop_test(tcase, spansets_follow_the_rules, 0, SP_ARRAY_LEN(rules));
    tcase_add_test(tcase, spansets_find_repeated_siblings);
    tcase_add_test(tcase, spansets_without_memory_say_so);
    tcase_add_test(tcase, spansets_end_when_they_are_stopped);
    suite_add_tcase(suite, tcase);
    return suite;
}
