/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/graph_links.c: what one trace knows of messages that another trace sent, or took: who links to whom, and whom ids name.
 * Which spans these are, and why: docs/decisions/0109-links-across-traces.md. Knows no stores and no ranges. */
#include "lib/analysis/analysis.h"

#include <stdlib.h>

bool sp_graph_sends(const struct sp_span *span)
{
    return span->kind == SP_KIND_PRODUCER || span->kind == SP_KIND_CLIENT;
}

/* ---- links of consumers ---- */

static bool takes(const struct sp_trace_row *row)
{
    return row->span->kind == SP_KIND_CONSUMER && (row->flags & SP_ROW_DUPLICATE) == 0;
}

static int compare_links(const void *left, const void *right)
{
    const struct sp_graph_link *a = left, *b = right;
    int order = sp_trace_id_compare(&a->trace_id, &b->trace_id);
    return order != 0 ? order : sp_span_id_compare(&a->span_id, &b->span_id);
}

/* Those of one consumer, each once. Returns how many. */
static size_t add_links(const struct sp_span *consumer, struct sp_graph_link *links)
{
    size_t kept = 0;
    for (uint32_t i = 0; i < consumer->link_count; i++)
        links[i] = (struct sp_graph_link){.consumer = consumer,
                                          .trace_id = consumer->links[i].trace_id,
                                          .span_id = consumer->links[i].span_id};
    if (consumer->link_count > 1)
        qsort(links, consumer->link_count, sizeof *links, compare_links);
    for (uint32_t i = 0; i < consumer->link_count; i++)
        if (kept == 0 || compare_links(&links[kept - 1], &links[i]) != 0)
            links[kept++] = links[i];
    return kept;
}

enum sp_status sp_graph_links(struct sp_arena *arena, const struct sp_trace *trace,
                              struct sp_graph_link **ret, size_t *ret_count)
{
    size_t most = 0, count = 0;
    for (uint32_t row = 0; row < trace->row_count; row++)
        most += takes(&trace->rows[row]) ? trace->rows[row].span->link_count : 0;
    struct sp_graph_link *links = sp_arena_calloc(arena, most + 1, sizeof *links);
    if (!links)
        return arena->error;
    for (uint32_t row = 0; row < trace->row_count; row++)
        if (takes(&trace->rows[row]))
            count += add_links(trace->rows[row].span, links + count);
    *ret = links;
    *ret_count = count;
    return SP_OK;
}

/* ---- spans that links name ---- */

static size_t first_of(const struct sp_span_id *ids, size_t count, const struct sp_span_id *id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sp_span_id_compare(&ids[middle], id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of the rows with one id at most two are no duplicates: the halves of a call, one of which is a client. So the order of rows does not
 * matter. */
void sp_graph_link_targets(const struct sp_trace *trace, const struct sp_span_id *ids, size_t count,
                           const struct sp_span **ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = NULL;
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_span *span = trace->rows[row].span;
        if (trace->rows[row].flags & SP_ROW_DUPLICATE)
            continue;
        for (size_t i = first_of(ids, count, &span->span_id);
             i < count && sp_span_id_compare(&ids[i], &span->span_id) == 0; i++)
            if (!ret[i] || sp_graph_sends(span))
                ret[i] = span;
    }
}

struct sp_graph_call sp_graph_link_call(const struct sp_span *producer,
                                        const struct sp_span *consumer,
                                        struct sp_slice consumer_service)
{
    return (struct sp_graph_call){.client = sp_span_service(producer),
                                  .server = consumer_service,
                                  .type = SP_CONNECTION_LINK,
                                  .error = producer->status_code == SP_SPAN_STATUS_ERROR ||
                                           consumer->status_code == SP_SPAN_STATUS_ERROR,
                                  .client_span = producer,
                                  .server_span = consumer,
                                  .time_unix_ns = consumer->start_unix_ns};
}
