/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pass_explain.h: what an answer that counts spans says of itself with explain=true: the query as it was understood, the passes that
 * were made for it, what each had to read and what that took, and how many spans each clause lets through alone. */
#pragma once

#include "query/pass.h"

/* Two for each metric of a query. Reasons and tests: docs/limits.md. */
#define SP_PASS_NOTES_MAX ((uint32_t)32)

struct sp_pass_notes {
    struct sp_pass_noted {
        struct sp_pass pass; /* its scan is the call's memory */
        struct sp_scanned scanned;
        uint64_t took_ns;
    } items[SP_PASS_NOTES_MAX];
    uint32_t count, left_out;
};

/* From now on the passes of the call are noted, if its parameter of that number asks for it. SP_LIMIT, SP_NO_MEMORY: the call's memory. */
SP_MUST_USE enum sp_status sp_pass_notes_begin(struct sp_query_call *call, size_t parameter,
                                               struct sp_error *reterr);

/* Notes a pass that has run. */
void sp_pass_note(const struct sp_pass *pass, const struct sp_scanned *scanned, uint64_t took_ns);

/* Writes "explain", if it is asked for. Errors as sp_explain_clauses. */
SP_MUST_USE enum sp_status sp_pass_explain(struct sp_query_call *call,
                                           const struct sp_traceql_query *query,
                                           struct sp_time_range range, struct sp_json_writer *w,
                                           struct sp_error *reterr);
