/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of spans: thousands of random queries on random traces against brute force, and the rules of docs/traceql.md worked
 * out by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/spanset.h"
#include "tests/support/spanset_oracle.h"
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

/* ---- running ---- */

struct run {
    struct sp_pipeline *pipeline;
    struct sp_trace_facts facts;
    struct sp_trace tree;
    struct sp_spanset_list list;
};

static void run_query(const char *text, const struct sp_batch *batch, struct run *run)
{
    const struct sp_traceql_query *query;
    struct sp_error error = {0};
    enum sp_status status = sp_traceql_parse(&arena, sp_slice_cstr(text), &query, &error);
    ck_assert_msg(status == SP_OK, "%s: at %zu: %s", text, (size_t)error.offset, error.message);
    status = sp_pipeline_compile(&arena, query, NULL, 0, &run->pipeline, &error);
    ck_assert_msg(status == SP_OK, "%s: %s", text, error.message);
    sp_trace_facts_make(batch, &run->facts);
    if (sp_pipeline_needs_tree(run->pipeline))
        ck_assert_int_eq(sp_trace_facts_assemble(&run->facts, &arena, &run->tree, &error), SP_OK);
    status = sp_pipeline_run(run->pipeline, &run->facts, &arena, &run->list, &error);
    ck_assert_msg(status == SP_OK, "%s: %s", text, error.message);
    sp_pipeline_free(run->pipeline);
}

/* Index in the batch of a row. */
static size_t index_of(const struct run *run, uint32_t row)
{
    const struct sp_span *span =
        run->facts.tree ? run->facts.tree->rows[row].span : &run->facts.batch->spans[row];
    return (size_t)(span - run->facts.batch->spans);
}

/* ---- against brute force ---- */

static const struct sp_spanset *set_with(const struct run *run, const bool *members, size_t count)
{
    for (uint32_t s = 0; s < run->list.count; s++) {
        const struct sp_spanset *set = &run->list.sets[s];
        size_t wanted = 0, found = 0;
        for (size_t i = 0; i < count; i++)
            wanted += members[i];
        for (uint32_t r = 0; r < set->count; r++)
            found += members[index_of(run, set->rows[r])];
        if (found == wanted && set->count == wanted)
            return set;
    }
    return NULL;
}

static bool same_number(const struct sp_spanset_value *value, const struct spanset_scalar *scalar)
{
    if (scalar->nil || value->value.kind == SP_VALUE_EMPTY)
        return scalar->nil && value->value.kind == SP_VALUE_EMPTY;
    bool is_integer = value->value.kind == SP_VALUE_INT;
    long double number = is_integer ? (long double)value->value.integer : value->value.number;
    if (is_integer)
        return scalar->is_integer && number == scalar->number;
    /* The order in which doubles are added is nobody's promise. */
    return number == scalar->number || !isfinite((double)number) || fabsl(number) > 1e300L ||
           fabsl(number - scalar->number) <= 1e-9L * fabsl(scalar->number) + 1e-3L;
}

static bool same_values(const struct sp_spanset *set, const struct spanset_set *expected)
{
    int noted = expected->noted_count, groups = expected->group_count;
    for (const struct sp_spanset_value *v = set->values; v; v = v->earlier) {
        if (v->node->kind == SP_TRACEQL_GROUP)
            groups--;
        else if (noted == 0 || !same_number(v, &expected->noted[--noted]))
            return false;
    }
    return groups == 0 && noted == 0;
}

static bool same_sets(const struct run *run, const struct spanset_found *expected, size_t count)
{
    if (run->list.count != expected->count)
        return false;
    for (size_t s = 0; s < expected->count; s++) {
        const struct sp_spanset *set = set_with(run, expected->sets[s].members, count);
        if (!set || !same_values(set, &expected->sets[s]))
            return false;
    }
    return true;
}

/* One seed: a trace and a query. False: they disagree. */
static bool check_seed(uint64_t seed, bool print, bool *ret_found)
{
    static struct spanset_query query;
    static struct oracle_trace trace;
    struct sp_gen gen = {.state = seed};
    struct spanset_found expected;
    struct run run = {0};
    size_t span_count = 1 + (size_t)sp_gen_below(&gen, sp_gen_chance(&gen, 10) ? 80 : 16);
    const struct sp_batch *batch =
        spanset_trace(&gen, &arena, span_count, sp_gen_chance(&gen, 30) ? 20 : 2);
    const struct sp_span *spans[ORACLE_SPANS_MAX];
    for (size_t i = 0; i < span_count; i++)
        spans[i] = &batch->spans[i];
    oracle_trace_init(&trace, spans, span_count);
    spanset_make(&gen, &query);
    spanset_evaluate(&query, &trace, &expected);
    run_query(query.text, batch, &run);
    bool same = same_sets(&run, &expected, span_count);
    *ret_found = expected.count > 0;
    if (!same && print) {
        fprintf(stderr, "# seed %llu: %s\n# found %u sets, expected %zu\n",
                (unsigned long long)seed, query.text, run.list.count, expected.count);
        spanset_print_trace(&trace);
    }
    spanset_found_fini(&expected);
    sp_arena_reset(&arena);
    return same;
}

/* Enough to find any fault that was made on purpose, in a second or two. */
#define SEEDS 10000

START_TEST(spansets_are_what_brute_force_finds)
{
    size_t found = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bool any;
        ck_assert_msg(check_seed(seed, true, &any), "seed %llu: see above",
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
static void show(const struct run *run, char *out, size_t out_bytes)
{
    size_t len = 0;
    for (uint32_t s = 0; s < run->list.count; s++) {
        bool members[64] = {false};
        for (uint32_t r = 0; r < run->list.sets[s].count; r++)
            members[index_of(run, run->list.sets[s].rows[r])] = true;
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
    /* without a filter in front: the whole trace */
    {"count() = 11", "abcdefghhij"},
    {"by(name) | count() > 1", "hh"},
};

START_TEST(spansets_follow_the_rules)
{
    struct run run = {0};
    char sets[256];
    run_query(rules[_i].query, family(), &run);
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
    tcase_add_test(tcase, spansets_without_memory_say_so);
    tcase_add_test(tcase, spansets_end_when_they_are_stopped);
    suite_add_tcase(suite, tcase);
    return suite;
}
