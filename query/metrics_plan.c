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

enum sp_status sp_metrics_plan(const struct sp_traceql_query *query, struct sp_metrics_plan *ret,
                               struct sp_error *reterr)
{
    *ret = (struct sp_metrics_plan){.query = query};
    if (query->root->type != SP_TRACEQL_TYPE_SERIES)
        return sp_error_set_at(reterr, SP_INVALID_ARGUMENT, query->root->offset,
                               "expected a metric at the end of the query: { } | rate()");
    enum sp_status status = SP_OK;
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
