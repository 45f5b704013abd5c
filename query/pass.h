/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pass.h: one pass over all spans that the stages of a query find: one filter that reads single spans is asked of the store's
 * sheets; what reads the trace around a span, and everything else but one filter, of whole traces. Whoever counts sees sheets in both
 * cases, on several threads if no other query wants them. */
#pragma once

#include "query/internal.h"
#include "query/rows.h"
#include "query/spanset.h"
#include "query/want.h"

#define SP_PASS_THREADS_MAX ((uint32_t)2) /* of one query */

struct sp_pass {
    struct sp_query_call *call;
    const struct sp_traceql_query *query;
    const struct sp_traceql_node *pipeline; /* of whose items the first so many find the spans */
    uint32_t stage_count;
    struct sp_time_range range;
    bool whole_spans; /* the visitor looks at more of spans than the query and its keys name */

    /* what follows from them: sp_pass_prepare */
    const struct sp_traceql_node
        *condition; /* of the one filter; NULL: { }, or the traces decide */
    bool of_traces;
    enum sp_rows_reads reads; /* what the filter and the keys read of spans, unless of_traces */
    bool needs_tree;          /* what is read of the rows needs the tree of their trace */
    /* The rows that come are those that are found: the condition has not to be looked at again. */
    bool condition_known;
    struct sp_scan scan;
    struct sp_query_want want; /* of_traces: what is read of their spans */
};

/* Who looks at rows; each is used by one thread at a time. facts: NULL, or of the trace whose spans the sheet has, in its order. */
struct sp_pass_visitor {
    enum sp_status (*visit)(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr);
    void *cookie;
};

/* The one filter that some stages are, or NULL. Brackets around it mean nothing. */
const struct sp_traceql_node *sp_pass_single_filter(const struct sp_traceql_node *pipeline,
                                                    uint32_t stage_count);

/* Fills in the rest of a pass whose call, query, pipeline, stage_count, range and whole_spans are set. keys: what is read of the rows besides; a
 * value may be among them. SP_LIMIT, SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_pass_prepare(struct sp_pass *pass,
                                           const struct sp_traceql_node *const *keys,
                                           uint32_t key_count, struct sp_error *reterr);

/* Memory that one visitor may take. */
size_t sp_pass_visitor_bytes(const struct sp_pass *pass);

/* Shows every span that is found and starts in the range once to one of the visitors, duplicates included, in no order. What is
 * read is added to *scanned. SP_INVALID_ARGUMENT  a pattern.   Errors of the store, the visitors, and what call->stop says. */
SP_MUST_USE enum sp_status sp_pass_run(const struct sp_pass *pass,
                                       const struct sp_pass_visitor *visitors,
                                       uint32_t visitor_count, struct sp_scanned *scanned,
                                       struct sp_error *reterr);
