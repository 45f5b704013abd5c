/* SPDX-License-Identifier: Apache-2.0
 *
 * query/metrics_compare.c: compare({ ... }): how the spans that a filter selects differ from the rest, in every attribute. Two passes: the
 * first counts all values of each key over the whole range and so finds the most frequent; the second counts these in each step.
 * Counting all of them in each step would take memory for every value of every id. */
#include <math.h>
#include <stdlib.h>

#include "query/answer.h"
#include "query/split.h"

#define TOP_PRESET 10

/* Labels of a series: what it is, the key, the value. */
enum { LABEL_TYPE, LABEL_KEY, LABEL_VALUE, LABELS };

/* The first two series of a set whose values are chosen. */
enum { SERIES_OTHERS, SERIES_NIL, SERIES_CHOSEN };

/* What is known of one key after the first pass. */
struct chosen {
    struct sp_series_set wanted;
    bool *shown[SP_SPLIT_SIDES]; /* for each series of wanted */
    bool cut;                    /* not all values are shown */
};

struct comparison {
    struct sp_query_call *call;
    struct sp_arena *arena; /* of the results */
    struct sp_split split;
    struct sp_rows_question selection;
    uint32_t top;
    struct chosen *keys;
    struct sp_result *result;
    uint32_t cap;
};

static enum sp_status full(const struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr,
                           "the values do not fit into the query's memory: take a narrower "
                           "filter, a shorter range or a longer step");
}

/* ---- what is asked ---- */

enum sp_status sp_metrics_check_compare(const struct sp_traceql_node *metric,
                                        struct sp_error *reterr)
{
    const struct sp_traceql_value *numbers = metric->numbers;
    if (metric->number_count > 0 &&
        (numbers[0].integer < 1 || numbers[0].integer > SP_METRICS_COMPARE_TOP_MAX))
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, metric->offset,
                               "expected from 1 to %u values of each attribute in compare(), "
                               "found %lld",
                               SP_METRICS_COMPARE_TOP_MAX, (long long)numbers[0].integer);
    bool window = metric->number_count == 3 && (numbers[1].integer != 0 || numbers[2].integer != 0);
    if (window && numbers[1].integer >= numbers[2].integer)
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, metric->offset,
                               "expected a start before the end in compare(), in nanoseconds");
    return SP_OK;
}

static void read_arguments(struct comparison *own, const struct sp_traceql_node *metric)
{
    const struct sp_traceql_value *numbers = metric->numbers;
    own->top = metric->number_count > 0 ? (uint32_t)numbers[0].integer : TOP_PRESET;
    own->split.selection_range = (struct sp_time_range){0, UINT64_MAX};
    if (metric->number_count == 3 && numbers[2].integer > 0)
        own->split.selection_range =
            (struct sp_time_range){(uint64_t)numbers[1].integer, (uint64_t)numbers[2].integer};
}

/* Prepares the pass for all keys, and for what the selection reads, which may be the trace around a span. */
static enum sp_status prepare(struct comparison *own, const struct sp_metrics_plan *plan,
                              const struct sp_metrics_part *part,
                              const struct sp_metrics_options *options, struct sp_error *reterr)
{
    struct sp_split *split = &own->split;
    const struct sp_traceql_node *condition = part->metric->left->left, **keys;
    bool all;
    own->selection = (struct sp_rows_question){.query = plan->query, .condition = condition};
    *split = (struct sp_split){.selection = &own->selection, .rows_max = UINT64_MAX};
    read_arguments(own, part->metric);
    split->pass =
        (struct sp_pass){.call = own->call,
                         .query = plan->query,
                         .pipeline = part->pipeline,
                         .stage_count = part->metric_stage,
                         .range = {options->moments.from_unix_ns, options->moments.to_unix_ns}};
    enum sp_status status = sp_split_find_keys(
        own->call, split->pass.range, SP_SCOPE_SPAN | SP_SCOPE_RESOURCE | SP_SCOPE_INSTRUMENTATION,
        SP_METRICS_COMPARE_KEYS_MAX, &keys, &split->key_count, &all, reterr);
    if (status != SP_OK)
        return status;
    if (!all)
        return sp_error_set_parameter(
            reterr, SP_LIMIT, "q",
            "the spans of this range have more than the limit of %u keys that compare() looks at: "
            "take a shorter range, or /v1/facets with keys=",
            SP_METRICS_COMPARE_KEYS_MAX);
    split->keys = keys;
    /* The fields of the selection stand in the tree between its first node and itself. */
    uint32_t first = condition ? sp_match_first_node(condition) : 0;
    uint32_t count = condition ? condition->index + 1 - first : 0, read = split->key_count;
    const struct sp_traceql_node **reads = sp_arena_calloc(
        &own->call->arena, (size_t)read + count + 1, sizeof(struct sp_traceql_node *));
    if (!reads)
        return full(&own->call->arena, reterr);
    memcpy(reads, keys, read * sizeof(struct sp_traceql_node *));
    for (uint32_t i = first; i < first + count; i++)
        if (plan->query->nodes[i]->kind == SP_TRACEQL_FIELD)
            reads[read++] = plan->query->nodes[i];
    return sp_pass_prepare(&split->pass, reads, read, reterr);
}

/* ---- the first pass: which values are shown ---- */

struct candidate {
    const struct sp_series *series;
    uint64_t count;
};

/* The most frequent first; of equal ones the first by value. */
static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return sp_label_compare(x->series->labels, y->series->labels);
}

static uint32_t rank(const struct sp_split_key *key, enum sp_split_side side,
                     struct candidate *candidates)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < key->set.count; i++) {
        const struct sp_series *series = &key->set.series[i];
        if (series->labels[0].type != SP_LABEL_NIL && series->counts[side] > 0)
            candidates[count++] = (struct candidate){series, series->counts[side]};
    }
    if (count > 0)
        qsort(candidates, count, sizeof(*candidates), compare_candidates);
    return count;
}

/* Values that are many are all others. */
static enum sp_status begin_wanted(struct comparison *own, struct chosen *chosen, uint64_t seed,
                                   struct sp_error *reterr)
{
    static const struct sp_label others = {SP_LABEL_NIL, {(const uint8_t *)"others", 6}};
    static const struct sp_label nil = {0};
    uint32_t number;
    sp_series_set_init(&chosen->wanted, own->arena, SP_CELL_COUNT, 1, 1, seed);
    enum sp_status status = sp_series_find(&chosen->wanted, &others, &number, reterr);
    if (status == SP_OK)
        status = sp_series_find(&chosen->wanted, &nil, &number, reterr);
    for (int side = 0; side < SP_SPLIT_SIDES && status == SP_OK; side++) {
        chosen->shown[side] = sp_arena_calloc(
            own->arena, SERIES_CHOSEN + SP_SPLIT_SIDES * (size_t)own->top, sizeof(bool));
        if (!chosen->shown[side])
            status = full(own->arena, reterr);
    }
    return status;
}

static enum sp_status choose_values(struct comparison *own, const struct sp_split_key *key,
                                    struct chosen *chosen, struct candidate *candidates,
                                    uint64_t seed, struct sp_error *reterr)
{
    enum sp_status status = begin_wanted(own, chosen, seed, reterr);
    chosen->cut = key->overflows;
    for (int side = 0; side < SP_SPLIT_SIDES && status == SP_OK && !key->overflows; side++) {
        uint32_t count = rank(key, (enum sp_split_side)side, candidates);
        chosen->cut |= count > own->top;
        for (uint32_t i = 0; i < count && i < own->top && status == SP_OK; i++) {
            uint32_t number;
            status = sp_series_find(&chosen->wanted, candidates[i].series->labels, &number, reterr);
            if (status == SP_OK)
                chosen->shown[side][number] = true;
        }
    }
    return status;
}

static enum sp_status choose_all(struct comparison *own, struct sp_scanned *scanned,
                                 struct sp_error *reterr)
{
    struct sp_split_counter counted;
    uint32_t key_count = own->split.key_count;
    struct candidate *candidates =
        sp_arena_calloc(own->arena, SP_SPLIT_VALUES_MAX + 1, sizeof(*candidates));
    own->keys = sp_arena_calloc(own->arena, (size_t)key_count + 1, sizeof(*own->keys));
    if (!candidates || !own->keys)
        return full(own->arena, reterr);
    enum sp_status status =
        sp_split_count(&own->split, SP_PASS_THREADS_MAX, &counted, scanned, reterr);
    for (uint32_t i = 0; i < key_count && status == SP_OK; i++)
        status = choose_values(own, &counted.keys[i], &own->keys[i], candidates,
                               counted.keys[i].set.seed, reterr);
    sp_split_counter_fini(&counted);
    return status;
}

/* ---- the second pass: series ---- */

static double *new_values(struct comparison *own)
{
    return sp_arena_calloc(own->arena, (size_t)own->split.moments->count + 1, sizeof(double));
}

static void add_counts(const struct comparison *own, const struct sp_series *series,
                       enum sp_split_side side, double *values)
{
    for (uint32_t m = 0; m < own->split.moments->count; m++)
        values[m] += (double)series->counts[sp_split_cell(&own->split, side, m)];
}

static bool any(const struct comparison *own, const double *values)
{
    for (uint32_t m = 0; m < own->split.moments->count; m++)
        if (values[m] > 0)
            return true;
    return false;
}

/* value: NULL for a series of all values. Series of nothing are dropped. */
static enum sp_status add_series(struct comparison *own, struct sp_slice type, struct sp_slice key,
                                 const struct sp_label *value, double *values,
                                 struct sp_error *reterr)
{
    struct sp_result *result = own->result;
    if (!any(own, values))
        return SP_OK;
    if (result->count == own->cap) {
        uint32_t cap = own->cap > 0 ? 2 * own->cap : 64;
        struct sp_result_series *grown = sp_arena_grow(
            own->arena, result->series, own->cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown)
            return full(own->arena, reterr);
        result->series = grown;
        own->cap = cap;
    }
    struct sp_label *labels = sp_arena_calloc(own->arena, LABELS, sizeof(*labels));
    if (!labels)
        return full(own->arena, reterr);
    labels[LABEL_TYPE] = (struct sp_label){SP_LABEL_STRING, type};
    labels[LABEL_KEY] = (struct sp_label){SP_LABEL_STRING, key};
    if (value && (!sp_arena_copy(own->arena, value->text, &labels[LABEL_VALUE].text)))
        return full(own->arena, reterr);
    labels[LABEL_VALUE].type = value ? value->type : SP_LABEL_NIL;
    result->series[result->count++] =
        (struct sp_result_series){.labels = labels, .label_count = LABELS, .values = values};
    return SP_OK;
}

/* The series of one side of a key: its values, and the sum of all; what is not shown is added to *others. */
static enum sp_status add_side(struct comparison *own, const struct sp_split_key *key,
                               const struct chosen *chosen, struct sp_slice name,
                               enum sp_split_side side, double *others, struct sp_error *reterr)
{
    const struct sp_slice types[] = {SP_SLICE("baseline"), SP_SLICE("selection")};
    const struct sp_slice totals[] = {SP_SLICE("baseline_total"), SP_SLICE("selection_total")};
    double *total = new_values(own);
    enum sp_status status = total ? SP_OK : full(own->arena, reterr);
    for (uint32_t i = 0; i < key->set.count && status == SP_OK; i++) {
        const struct sp_series *series = &key->set.series[i];
        if (i == SERIES_NIL)
            continue;
        add_counts(own, series, side, total);
        if (!chosen->shown[side][i]) {
            add_counts(own, series, side, others);
            continue;
        }
        double *values = new_values(own);
        if (!values)
            return full(own->arena, reterr);
        add_counts(own, series, side, values);
        status = add_series(own, types[side], name, series->labels, values, reterr);
    }
    if (status == SP_OK)
        status = add_series(own, totals[side], name, NULL, total, reterr);
    return status;
}

static enum sp_status add_key(struct comparison *own, const struct sp_split_key *key, uint32_t i,
                              struct sp_error *reterr)
{
    const struct sp_slice *name;
    double *others = new_values(own);
    if (!others)
        return full(own->arena, reterr);
    enum sp_status status = sp_answer_key_names(&own->split.keys[i], 1, own->arena, &name);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "the name of a key does not fit into memory");
    for (int side = 0; side < SP_SPLIT_SIDES && status == SP_OK; side++)
        status = add_side(own, key, &own->keys[i], *name, (enum sp_split_side)side, others, reterr);
    if (status == SP_OK && own->keys[i].cut)
        status = add_series(own, SP_SLICE(SP_METRICS_TOO_MANY_VALUES), *name, NULL, others, reterr);
    return status;
}

static int compare_series(const void *a, const void *b)
{
    const struct sp_result_series *x = a, *y = b;
    return sp_labels_compare(x->labels, y->labels, LABELS);
}

enum sp_status sp_metrics_compare(struct sp_query_call *call, const struct sp_metrics_plan *plan,
                                  const struct sp_metrics_part *part,
                                  const struct sp_metrics_options *options, struct sp_arena *arena,
                                  struct sp_result *ret, struct sp_scanned *scanned,
                                  struct sp_error *reterr)
{
    const struct sp_slice names[] = {SP_SLICE("__meta_type"), SP_SLICE("key"), SP_SLICE("value")};
    struct sp_slice *keys = sp_arena_calloc(arena, LABELS, sizeof(*keys));
    if (!keys)
        return full(arena, reterr);
    memcpy(keys, names, sizeof(names));
    struct sp_result result = {.keys = keys,
                               .key_count = LABELS,
                               .moment_count = options->moments.count,
                               .is_comparison = true};
    struct comparison own = {.call = call, .arena = arena, .result = &result};
    struct sp_split_counter counted;
    enum sp_status status = prepare(&own, plan, part, options, reterr);
    if (status == SP_OK)
        status = choose_all(&own, scanned, reterr);
    if (status != SP_OK)
        return status;
    struct sp_series_set *wanted =
        sp_arena_calloc(arena, (size_t)own.split.key_count + 1, sizeof(*wanted));
    if (!wanted)
        return full(arena, reterr);
    for (uint32_t i = 0; i < own.split.key_count; i++)
        wanted[i] = own.keys[i].wanted;
    own.split.wanted = wanted;
    own.split.moments = &options->moments;
    status = sp_split_count(&own.split, SP_PASS_THREADS_MAX, &counted, scanned, reterr);
    for (uint32_t i = 0; i < own.split.key_count && status == SP_OK; i++)
        status = add_key(&own, &counted.keys[i], i, reterr);
    sp_split_counter_fini(&counted);
    if (result.count > 0)
        qsort(result.series, result.count, sizeof(*result.series), compare_series);
    if (status == SP_OK)
        *ret = result;
    return status;
}
