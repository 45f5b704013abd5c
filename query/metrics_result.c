/* SPDX-License-Identifier: Apache-2.0
 *
 * query/metrics_result.c: sets become series of numbers, and these are compared, ranked and combined. A number that is not there is
 * NaN. Works in postfix order over the tree, so nothing recurses. */
#include <math.h>
#include <stdlib.h>

#include "query/answer.h"
#include "query/metrics.h"

static enum sp_status full(const struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr, "the series do not fit into the query's memory");
}

double sp_metrics_scale(const struct sp_traceql_node *field)
{
    return field && field->type == SP_TRACEQL_TYPE_DURATION ? 1e-9 : 1;
}

/* ---- sets to results ---- */

struct making {
    struct sp_arena *arena;
    const struct sp_metrics_part *part;
    const struct sp_metrics_options *options;
    struct sp_series_set *set;
    struct sp_result *result;
    uint32_t cap;
    bool failed;
};

static double *new_values(struct making *making)
{
    uint32_t count = making->options->moments.count;
    double *values = sp_arena_alloc(making->arena, count * sizeof(*values));
    for (uint32_t m = 0; m < count && values; m++)
        values[m] = NAN;
    return values;
}

/* A new series with these labels, and one more behind them. NULL: no memory. */
static struct sp_result_series *add_series(struct making *making, const struct sp_series *from,
                                           const struct sp_label *more)
{
    struct sp_result *result = making->result;
    if (result->count == making->cap) {
        uint32_t cap = making->cap > 0 ? 2 * making->cap : 16;
        struct sp_result_series *grown = sp_arena_grow(
            making->arena, result->series, making->cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown)
            return NULL;
        result->series = grown;
        making->cap = cap;
    }
    struct sp_result_series series = {
        .labels = from->labels, .values = new_values(making), .exemplars = from->exemplars};
    if (more) {
        uint32_t count = making->set->label_count;
        struct sp_label *labels = sp_arena_calloc(making->arena, count + 1, sizeof(*labels));
        if (!labels)
            return NULL;
        if (count > 0)
            memcpy(labels, from->labels, count * sizeof(*labels));
        labels[count] = *more;
        series.labels = labels;
    }
    if (!series.values)
        return NULL;
    result->series[result->count] = series;
    return &result->series[result->count++];
}

static double number_of(struct making *making, const struct sp_series *series, uint32_t moment)
{
    double scale = sp_metrics_scale(making->part->metric->left);
    const struct sp_number_sum *sum = series->sums ? &series->sums[moment] : NULL;
    if (sum && sum->count == 0)
        return NAN;
    const struct sp_moments *moments = &making->options->moments;
    switch (making->part->metric->metric) {
    case SP_TRACEQL_RATE:
        return (double)series->counts[moment] * 1e9 / (double)moments->step_ns;
    case SP_TRACEQL_COUNT_OVER_TIME:
        return (double)series->counts[moment];
    case SP_TRACEQL_MIN_OVER_TIME:
        return sum->min * scale;
    case SP_TRACEQL_MAX_OVER_TIME:
        return sum->max * scale;
    case SP_TRACEQL_AVG_OVER_TIME:
        return sp_number_sum_value(sum) / (double)sum->count * scale;
    case SP_TRACEQL_SUM_OVER_TIME:
        return sp_number_sum_value(sum) * scale;
    case SP_TRACEQL_HISTOGRAM_OVER_TIME:
    case SP_TRACEQL_QUANTILE_OVER_TIME:
    case SP_TRACEQL_METRIC_COMPARE:
        break;
    }
    return NAN;
}

static bool make_numbers(struct making *making, const struct sp_series *from)
{
    struct sp_result_series *series = add_series(making, from, NULL);
    for (uint32_t m = 0; m < making->options->moments.count && series; m++)
        series->values[m] = number_of(making, from, m);
    return series != NULL;
}

/* A label that is a number. */
static bool float_label(struct sp_arena *arena, double number, struct sp_label *ret)
{
    char text[32];
    ret->type = SP_LABEL_FLOAT;
    ret->text = SP_SLICE("Infinity"); /* the bucket of the greatest doubles */
    return isinf(number) ||
           sp_arena_copy(arena, sp_slice_make(text, sp_format_double(number, text)), &ret->text);
}

static bool make_quantiles(struct making *making, const struct sp_series *from)
{
    const struct sp_traceql_node *metric = making->part->metric;
    double scale = sp_metrics_scale(metric->left);
    for (uint32_t q = 0; q < metric->number_count; q++) {
        struct sp_label label;
        if (!float_label(making->arena, metric->numbers[q].number, &label))
            return false;
        struct sp_result_series *series = add_series(making, from, &label);
        if (!series)
            return false;
        for (uint32_t m = 0; m < making->options->moments.count; m++)
            series->values[m] =
                sp_sketch_quantile(&from->sketches[m], metric->numbers[q].number) * scale;
    }
    return true;
}

/* The power of two that a bucket of a sketch ends at: above it for positive numbers. */
static double bucket_end(int32_t key)
{
    if (key == 0)
        return 0;
    int32_t index = abs(key) - SP_SKETCH_OFFSET;
    int32_t power = index >= 0 ? index / 32 : -((31 - index) / 32);
    return key > 0 ? exp2(power + 1) : -exp2(power);
}

/* One series for each power of two that occurs in any moment. */
static bool make_buckets(struct making *making, const struct sp_series *from)
{
    double scale = sp_metrics_scale(making->part->metric->left);
    uint32_t first = making->result->count;
    for (uint32_t m = 0; m < making->options->moments.count; m++) {
        const struct sp_sketch *sketch = &from->sketches[m];
        for (uint32_t b = 0; b < sketch->bucket_count; b++) {
            struct sp_label label;
            if (!float_label(making->arena, bucket_end(sketch->buckets[b].key) * scale, &label))
                return false;
            struct sp_result_series *series = NULL;
            for (uint32_t i = first; i < making->result->count && !series; i++) {
                const struct sp_label *own =
                    &making->result->series[i].labels[making->set->label_count];
                if (sp_slice_equal(own->text, label.text))
                    series = &making->result->series[i];
            }
            if (!series) {
                series = add_series(making, from, &label);
                for (uint32_t i = 0; i < making->options->moments.count && series; i++)
                    series->values[i] = 0;
            }
            if (!series)
                return false;
            series->values[m] += (double)sketch->buckets[b].count;
        }
    }
    return true;
}

static bool make_series(struct making *making, const struct sp_series *from)
{
    for (uint32_t m = 0; m < making->options->moments.count && from->sketches; m++)
        if (!sp_sketch_close(&from->sketches[m], making->set->arena))
            return false;
    if (making->part->metric->metric == SP_TRACEQL_HISTOGRAM_OVER_TIME)
        return make_buckets(making, from);
    if (making->part->metric->metric == SP_TRACEQL_QUANTILE_OVER_TIME)
        return make_quantiles(making, from);
    return make_numbers(making, from);
}

static enum sp_status name_keys(struct making *making, struct sp_error *reterr)
{
    const struct sp_metrics_part *part = making->part;
    uint32_t count = part->question.key_count;
    const struct sp_slice *names;
    struct sp_slice *keys = sp_arena_calloc(making->arena, (size_t)count + 1, sizeof(*keys));
    if (!keys)
        return full(making->arena, reterr);
    enum sp_status status = sp_answer_key_names(part->question.keys, count, making->arena, &names);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "the names of the labels do not fit into memory");
    memcpy(keys, names, count * sizeof(*keys));
    if (part->metric->metric == SP_TRACEQL_QUANTILE_OVER_TIME)
        keys[count++] = SP_SLICE("p");
    if (part->metric->metric == SP_TRACEQL_HISTOGRAM_OVER_TIME)
        keys[count++] = SP_SLICE("__bucket");
    making->result->keys = keys;
    making->result->key_count = count;
    return SP_OK;
}

static bool has_values(const struct sp_result_series *series, uint32_t moment_count)
{
    for (uint32_t m = 0; m < moment_count; m++)
        if (!isnan(series->values[m]))
            return true;
    return false;
}

static void drop_empty(struct sp_result *result)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < result->count; i++)
        if (has_values(&result->series[i], result->moment_count))
            result->series[kept++] = result->series[i];
    result->count = kept;
}

static int compare_series(const void *a, const void *b)
{
    const struct sp_result_series *x = a, *y = b;
    return sp_labels_compare(x->labels, y->labels, x->label_count);
}

static void sort_series(struct sp_result *result)
{
    for (uint32_t i = 0; i < result->count; i++)
        result->series[i].label_count = result->key_count;
    if (result->count > 0)
        qsort(result->series, result->count, sizeof(*result->series), compare_series);
}

enum sp_status sp_result_make(struct sp_arena *arena, const struct sp_metrics_part *part,
                              const struct sp_metrics_options *options, struct sp_series_set *set,
                              struct sp_result *ret, struct sp_error *reterr)
{
    struct sp_result result = {.moment_count = options->moments.count,
                               .is_sketch = set->kind == SP_CELL_SKETCH && !set->exact &&
                                            part->metric->metric == SP_TRACEQL_QUANTILE_OVER_TIME};
    struct making making = {
        .arena = arena, .part = part, .options = options, .set = set, .result = &result};
    enum sp_status status = SP_OK;
    uint32_t only;
    /* Without by() there is one series, of nothing, too. */
    if (set->label_count == 0 && set->kind == SP_CELL_COUNT)
        status = sp_series_find(set, NULL, &only, reterr);
    if (status == SP_OK)
        status = name_keys(&making, reterr);
    for (uint32_t i = 0; i < set->count && status == SP_OK; i++)
        if (!make_series(&making, &set->series[i]))
            status = full(arena, reterr);
    if (set->kind != SP_CELL_COUNT)
        drop_empty(&result); /* spans without a number */
    sort_series(&result);
    if (status == SP_OK)
        *ret = result;
    return status;
}

/* ---- what stands behind a metric ---- */

static double literal_number(const struct sp_traceql_node *literal)
{
    switch (literal->value.type) {
    case SP_TRACEQL_TYPE_INT:
        return (double)literal->value.integer;
    case SP_TRACEQL_TYPE_DURATION:
        return (double)literal->value.integer * 1e-9;
    case SP_TRACEQL_TYPE_FLOAT:
        return literal->value.number;
    case SP_TRACEQL_TYPE_ANY:
    case SP_TRACEQL_TYPE_STRING:
    case SP_TRACEQL_TYPE_BOOL:
    case SP_TRACEQL_TYPE_STATUS:
    case SP_TRACEQL_TYPE_KIND:
    case SP_TRACEQL_TYPE_SPAN:
    case SP_TRACEQL_TYPE_SPANSET:
    case SP_TRACEQL_TYPE_SERIES:
        break;
    }
    return NAN;
}

static bool holds(double value, enum sp_traceql_comparison comparison, double limit)
{
    switch (comparison) {
    case SP_TRACEQL_EQ:
    case SP_TRACEQL_MATCH:
        return value == limit;
    case SP_TRACEQL_NE:
    case SP_TRACEQL_NOT_MATCH:
        return value != limit;
    case SP_TRACEQL_LT:
        return value < limit;
    case SP_TRACEQL_LE:
        return value <= limit;
    case SP_TRACEQL_GT:
        return value > limit;
    case SP_TRACEQL_GE:
        return value >= limit;
    }
    return false;
}

static void apply_threshold(struct sp_result *result, const struct sp_traceql_node *node)
{
    double limit = literal_number(node->left);
    for (uint32_t i = 0; i < result->count; i++)
        for (uint32_t m = 0; m < result->moment_count; m++)
            if (!holds(result->series[i].values[m], node->comparison, limit))
                result->series[i].values[m] = NAN;
    drop_empty(result);
}

/* One series in one moment. */
struct rank {
    double value; /* the smaller comes first */
    uint32_t series;
};

static int compare_ranks(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->series > y->series) - (x->series < y->series); /* sorted by labels */
}

/* Keeps, moment by moment, the points of the series that are greatest, or least. */
static enum sp_status apply_rank(struct sp_arena *arena, struct sp_result *result,
                                 const struct sp_traceql_node *node, struct sp_error *reterr)
{
    struct rank *ranks = sp_arena_alloc(arena, ((size_t)result->count + 1) * sizeof(*ranks));
    if (!ranks)
        return full(arena, reterr);
    for (uint32_t m = 0; m < result->moment_count; m++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < result->count; i++) {
            double value = result->series[i].values[m];
            if (!isnan(value))
                ranks[count++] = (struct rank){node->kind == SP_TRACEQL_TOPK ? -value : value, i};
        }
        if (count <= node->limit)
            continue;
        qsort(ranks, count, sizeof(*ranks), compare_ranks);
        for (uint32_t i = (uint32_t)node->limit; i < count; i++)
            result->series[ranks[i].series].values[m] = NAN;
    }
    drop_empty(result);
    return SP_OK;
}

static enum sp_status apply_stage(struct sp_arena *arena, struct sp_result *result,
                                  const struct sp_traceql_node *node, struct sp_error *reterr)
{
    if (node->kind == SP_TRACEQL_THRESHOLD)
        apply_threshold(result, node);
    else if (node->kind == SP_TRACEQL_TOPK || node->kind == SP_TRACEQL_BOTTOMK)
        return apply_rank(arena, result, node, reterr);
    return SP_OK;
}

/* ---- arithmetic ---- */

static double apply_operator(double a, enum sp_traceql_arithmetic operation, double b)
{
    double result = NAN;
    switch (operation) {
    case SP_TRACEQL_ADD:
        result = a + b;
        break;
    case SP_TRACEQL_SUBTRACT:
        result = a - b;
        break;
    case SP_TRACEQL_MULTIPLY:
        result = a * b;
        break;
    case SP_TRACEQL_DIVIDE:
        result = b == 0 ? NAN : a / b;
        break;
    case SP_TRACEQL_MODULO:
        result = b == 0 ? NAN : fmod(a, b);
        break;
    case SP_TRACEQL_POWER:
        result = pow(a, b);
        break;
    }
    return result;
}

/* A number as a result: one series without labels. */
static bool literal_result(struct sp_arena *arena, const struct sp_traceql_node *literal,
                           uint32_t moment_count, struct sp_result *ret)
{
    struct sp_result_series *series = sp_arena_calloc(arena, 1, sizeof(*series));
    double *values = sp_arena_alloc(arena, moment_count * sizeof(*values));
    if (!series || !values)
        return false;
    for (uint32_t m = 0; m < moment_count; m++)
        values[m] = literal_number(literal);
    series->values = values;
    *ret = (struct sp_result){.series = series, .count = 1, .moment_count = moment_count};
    return true;
}

static bool same_keys(const struct sp_result *a, const struct sp_result *b)
{
    bool same = a->key_count == b->key_count;
    for (uint32_t i = 0; i < a->key_count && same; i++)
        same = sp_slice_equal(a->keys[i], b->keys[i]);
    return same;
}

/* The series of b that belongs to one of a; NULL: none. Both are sorted. */
static const struct sp_result_series *partner(const struct sp_result *b,
                                              const struct sp_result_series *series)
{
    if (b->key_count == 0)
        return b->count > 0 ? &b->series[0] : NULL;
    return bsearch(series, b->series, b->count, sizeof(*b->series), compare_series);
}

/* Series of the same labels meet; one without labels meets all of the other side. */
static enum sp_status combine(struct sp_arena *arena, const struct sp_traceql_node *node,
                              const struct sp_result *left, const struct sp_result *right,
                              struct sp_result *ret, struct sp_error *reterr)
{
    bool swapped = left->key_count == 0 && right->key_count > 0;
    const struct sp_result *a = swapped ? right : left, *b = swapped ? left : right;
    *ret = (struct sp_result){.keys = a->keys,
                              .key_count = a->key_count,
                              .moment_count = a->moment_count,
                              .is_sketch = a->is_sketch || b->is_sketch};
    if (b->key_count > 0 && !same_keys(a, b))
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, node->offset,
                               "expected the same by() on both sides, or none on one of them");
    ret->series = sp_arena_calloc(arena, (size_t)a->count + 1, sizeof(*ret->series));
    if (!ret->series)
        return full(arena, reterr);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct sp_result_series *other = partner(b, &a->series[i]);
        double *values = sp_arena_alloc(arena, a->moment_count * sizeof(*values));
        if (!values)
            return full(arena, reterr);
        for (uint32_t m = 0; m < a->moment_count && other; m++) {
            double x = a->series[i].values[m], y = other->values[m];
            values[m] = swapped ? apply_operator(y, node->arithmetic, x)
                                : apply_operator(x, node->arithmetic, y);
        }
        struct sp_result_series series = a->series[i];
        series.values = values;
        series.exemplars = NULL;
        if (other)
            ret->series[ret->count++] = series;
    }
    drop_empty(ret);
    return SP_OK;
}

/* ---- all ---- */

static const struct sp_metrics_part *part_of(const struct sp_metrics_plan *plan,
                                             const struct sp_traceql_node *pipeline,
                                             uint32_t *ret_number)
{
    for (uint32_t i = 0; i < plan->part_count; i++) {
        if (plan->parts[i].pipeline == pipeline) {
            *ret_number = i;
            return &plan->parts[i];
        }
    }
    return NULL;
}

static enum sp_status combine_node(struct sp_arena *arena, const struct sp_metrics_plan *plan,
                                   const struct sp_traceql_node *node,
                                   const struct sp_result *of_parts, struct sp_result *results,
                                   struct sp_error *reterr)
{
    struct sp_result *own = &results[node->index];
    uint32_t number, moment_count = of_parts[0].moment_count;
    if (node->kind == SP_TRACEQL_LITERAL)
        return literal_result(arena, node, moment_count, own) ? SP_OK : full(arena, reterr);
    if (node->kind == SP_TRACEQL_ARITHMETIC && node->type == SP_TRACEQL_TYPE_SERIES)
        return combine(arena, node, &results[node->left->index], &results[node->right->index], own,
                       reterr);
    if (node->kind != SP_TRACEQL_PIPELINE || node->type != SP_TRACEQL_TYPE_SERIES)
        return SP_OK;
    const struct sp_metrics_part *part = part_of(plan, node, &number);
    *own = part ? of_parts[number] : results[node->items[0]->index];
    enum sp_status status = SP_OK;
    for (uint32_t s = part ? part->metric_stage + 1 : 1; s < node->item_count && status == SP_OK;
         s++)
        status = apply_stage(arena, own, node->items[s], reterr);
    return status;
}

enum sp_status sp_result_combine(struct sp_arena *arena, const struct sp_metrics_plan *plan,
                                 struct sp_result *results, struct sp_result *ret,
                                 struct sp_error *reterr)
{
    const struct sp_traceql_query *query = plan->query;
    struct sp_result *of_nodes = sp_arena_calloc(arena, query->node_count, sizeof(*of_nodes));
    enum sp_status status = of_nodes ? SP_OK : full(arena, reterr);
    for (uint32_t i = 0; i < query->node_count && status == SP_OK; i++)
        status = combine_node(arena, plan, query->nodes[i], results, of_nodes, reterr);
    if (status == SP_OK)
        *ret = of_nodes[query->root->index];
    return status;
}
