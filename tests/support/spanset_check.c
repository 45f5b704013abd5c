/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/spanset_check.c: see spanset_check.h. */
#include "tests/support/spanset_check.h"

#include <math.h>
#include <stdio.h>

void spanset_run(struct sp_arena *arena, const char *text, const struct sp_batch *batch,
                 struct spanset_run *run)
{
    const struct sp_traceql_query *query;
    struct sp_error error = {0};
    enum sp_status status = sp_traceql_parse(arena, sp_slice_cstr(text), &query, &error);
    if (status == SP_OK)
        status = sp_pipeline_compile(arena, query, NULL, 0, &run->pipeline, &error);
    if (status != SP_OK)
        fprintf(stderr, "# %s: at %zu: %s\n", text, (size_t)error.offset, error.message);
    SP_ASSERT(status == SP_OK);
    sp_trace_facts_make(batch, &run->facts);
    if (sp_pipeline_needs_tree(run->pipeline))
        status = sp_trace_facts_assemble(&run->facts, arena, &run->tree, &error);
    if (status == SP_OK)
        status = sp_pipeline_run(run->pipeline, &run->facts, arena, &run->list, &error);
    sp_pipeline_free(run->pipeline);
    if (status != SP_OK)
        fprintf(stderr, "# %s: %s\n", text, error.message);
    SP_ASSERT(status == SP_OK);
}

size_t spanset_index(const struct spanset_run *run, uint32_t row)
{
    const struct sp_span *span =
        run->facts.tree ? run->facts.tree->rows[row].span : &run->facts.batch->spans[row];
    return (size_t)(span - run->facts.batch->spans);
}

static const struct sp_spanset *set_with(const struct spanset_run *run, const bool *members,
                                         size_t count)
{
    for (uint32_t s = 0; s < run->list.count; s++) {
        const struct sp_spanset *set = &run->list.sets[s];
        size_t wanted = 0, found = 0;
        for (size_t i = 0; i < count; i++)
            wanted += members[i];
        for (uint32_t r = 0; r < set->count; r++)
            found += members[spanset_index(run, set->rows[r])];
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

static bool same_sets(const struct spanset_run *run, const struct spanset_found *expected,
                      size_t count)
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

/* Valgrind computes long double with the precision of double: there the oracle must not meet numbers at the edge of 64 bits. */
static bool holds_64_bits(void)
{
    volatile long double edge = (long double)INT64_MAX;
    return edge - 1 != edge;
}

bool spanset_check_seed(struct sp_arena *arena, uint64_t seed, bool *ret_found)
{
    static struct spanset_query query;
    static struct oracle_trace trace;
    struct sp_gen gen = {.state = seed};
    struct spanset_found expected;
    struct spanset_run run = {0};
    size_t span_count = 1 + (size_t)sp_gen_below(&gen, sp_gen_chance(&gen, 10) ? 80 : 16);
    const struct sp_batch *batch = spanset_trace(&gen, arena, span_count,
                                                 !holds_64_bits()          ? 0
                                                 : sp_gen_chance(&gen, 30) ? 20
                                                                           : 2);
    const struct sp_span *spans[ORACLE_SPANS_MAX];
    for (size_t i = 0; i < span_count; i++)
        spans[i] = &batch->spans[i];
    oracle_trace_init(&trace, spans, span_count);
    spanset_make(&gen, &query);
    spanset_evaluate(&query, &trace, &expected);
    spanset_run(arena, query.text, batch, &run);
    bool same = same_sets(&run, &expected, span_count);
    *ret_found = expected.count > 0;
    if (!same) {
        fprintf(stderr, "# seed %llu: %s\n# found %u sets, expected %zu\n",
                (unsigned long long)seed, query.text, run.list.count, expected.count);
        spanset_print_trace(&trace);
    }
    spanset_found_fini(&expected);
    sp_arena_reset(arena);
    return same;
}
