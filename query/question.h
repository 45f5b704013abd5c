/* SPDX-License-Identifier: Apache-2.0
 *
 * query/question.h: the query of a request: parsed, compiled, and what it asks of the store. */
#pragma once

#include "query/internal.h"
#include "query/spanset.h"

struct sp_question {
    const struct sp_traceql_query *query;
    struct sp_pipeline *pipeline; /* sp_pipeline_free */
    struct sp_scan scan;          /* its range is the caller's */
};

/* What a query finds among the traces of a range.
 *
 * parameter  that the text came in, for errors: "q".     text  of the request; "" stands for {}.
 *
 * SP_INVALID_ARGUMENT  not a query, or one that makes series: reterr->parameter and offset say where, and call what was
 *                      expected. *ret needs no sp_pipeline_free then.    SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_question_make(struct sp_query_call *call, const char *parameter,
                                            struct sp_slice text, struct sp_time_range range,
                                            struct sp_question *ret, struct sp_error *reterr);

/* with (most_recent = true) is taken: a search finds the newest of all traces anyway. SP_INVALID_ARGUMENT: another hint. */
SP_MUST_USE enum sp_status sp_question_check_hints(const struct sp_traceql_query *query,
                                                   struct sp_error *reterr);

/* For `return`: an error of the language in the shape that docs/api.md promises. title: of one that says that something is not
 * evaluated (SP_UNIMPLEMENTED, which becomes SP_INVALID_ARGUMENT); static. */
enum sp_status sp_question_error(struct sp_query_call *call, const char *parameter,
                                 const char *title, enum sp_status status, struct sp_error *reterr);
