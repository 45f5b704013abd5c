/* SPDX-License-Identifier: Apache-2.0
 *
 * query/calls.h: a pass over all calls of the dependency graph, one by one, as lib/analysis finds them in whole traces: for what sums by
 * minute do not have. Dear: every trace of the range is read. */
#pragma once

#include "query/answer.h"

/* Whose calls: "" for any. */
struct sp_calls_edge {
    struct sp_slice client, server;
};

/* Each is used by one thread at a time. The call is valid during the visit. */
struct sp_calls_visitor {
    enum sp_status (*visit)(void *cookie, const struct sp_graph_call *call,
                            struct sp_error *reterr);
    void *cookie;
};

/* A pass over the traces that may have such calls, to be run by sp_calls_run. SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_calls_prepare(struct sp_query_call *call, struct sp_time_range range,
                                            const struct sp_calls_edge *edge, struct sp_pass *ret,
                                            struct sp_error *reterr);

/* Shows every call of the edge whose time lies in the range of the pass once to one of the visitors, SP_PASS_THREADS_MAX of them, in no order.
 * Errors of sp_pass_run. */
SP_MUST_USE enum sp_status sp_calls_run(const struct sp_pass *pass,
                                        const struct sp_calls_edge *edge,
                                        const struct sp_calls_visitor *visitors,
                                        struct sp_scanned *scanned, struct sp_error *reterr);
