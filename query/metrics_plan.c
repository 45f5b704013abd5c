/* SPDX-License-Identifier: Apache-2.0
 *
 * query/metrics_plan.c: the metrics that a query is made of, and what each reads. */
#include "query/metrics.h"
#include "query/pass.h"

static enum sp_status check_metric(const struct sp_traceql_node *metric, struct sp_error *reterr)
{
    if (metric->metric == SP_TRACEQL_METRIC_COMPARE)
        return sp_metrics_check_compare(metric, reterr);
    if (metric->item_count > SP_ROWS_KEYS_MAX)
        return sp_error_set_at(reterr, SP_LIMIT, metric->offset,
                               "by() has %u keys, more than the limit of %u", metric->item_count,
                               SP_ROWS_KEYS_MAX);
    return SP_OK;
}

static enum sp_status add_part(struct sp_metrics_plan *plan, const struct sp_traceql_node *pipeline,
                               uint32_t metric_stage, struct sp_error *reterr)
{
    const struct sp_traceql_node *metric = pipeline->items[metric_stage];
    const struct sp_traceql_node *filter = sp_pass_single_filter(pipeline, metric_stage);
    enum sp_status status = check_metric(metric, reterr);
    if (status != SP_OK)
        return status;
    if (plan->part_count == SP_METRICS_PARTS_MAX)
        return sp_error_set_at(reterr, SP_LIMIT, metric->offset,
                               "the query has more than the limit of %u metrics",
                               SP_METRICS_PARTS_MAX);
    plan->parts[plan->part_count++] = (struct sp_metrics_part){
        .pipeline = pipeline,
        .metric = metric,
        .metric_stage = metric_stage,
        .question = {.query = plan->query,
                     .condition = filter ? filter->left : NULL,
                     .keys = metric->items,
                     .key_count = metric->item_count,
                     .value = metric->metric == SP_TRACEQL_METRIC_COMPARE ? NULL : metric->left},
    };
    return SP_OK;
}

/* Hints of Tempo that ask for less than everything are taken, and mean nothing here: every answer is of all spans. */
static enum sp_status check_hints(const struct sp_traceql_query *query, struct sp_error *reterr)
{
    static const char *const known[] = {"exemplars",    "exact",       "sample",     "span_sample",
                                        "trace_sample", "most_recent", "extrapolate"};
    for (uint32_t i = 0; i < query->hint_count; i++) {
        bool found = false;
        for (size_t k = 0; k < SP_ARRAY_LEN(known); k++)
            found |= sp_slice_equal_cstr(query->hints[i].name, known[k]);
        const struct sp_traceql_value *value = &query->hints[i].value;
        bool extrapolates = sp_slice_equal_cstr(query->hints[i].name, "extrapolate") &&
                            (value->type != SP_TRACEQL_TYPE_BOOL || value->boolean);
        if (extrapolates) /* another number than the one that is asked for would be a wrong answer */
            return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, query->hints[i].offset,
                                   "metrics are of the spans that are stored: there is no "
                                   "extrapolation to those that were sampled away before");
        if (!found)
            return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, query->hints[i].offset,
                                   "expected one of the hints exact, exemplars, sample, "
                                   "span_sample, trace_sample, most_recent, extrapolate");
    }
    return SP_OK;
}

enum sp_status sp_metrics_plan(const struct sp_traceql_query *query, struct sp_metrics_plan *ret,
                               struct sp_error *reterr)
{
    *ret = (struct sp_metrics_plan){.query = query};
    if (query->root->type != SP_TRACEQL_TYPE_SERIES)
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, query->root->offset,
                               "expected a metric at the end of the query: { } | rate()");
    enum sp_status status = check_hints(query, reterr);
    for (uint32_t i = 0; i < query->node_count && status == SP_OK; i++) {
        const struct sp_traceql_node *node = query->nodes[i];
        if (node->kind != SP_TRACEQL_PIPELINE)
            continue;
        for (uint32_t s = 0; s < node->item_count && status == SP_OK; s++)
            if (node->items[s]->kind == SP_TRACEQL_METRIC)
                status = add_part(ret, node, s, reterr);
    }
    return status;
}
