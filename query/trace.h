/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace.h: what the answers about one trace share: reading it, its tree, numbers of rows. */
#pragma once

#include "query/internal.h"
#include "query/trace_columns.h"

#define SP_TRACE_ANSWER_ROWS_MAX 200              /* rows that one request may name */
#define SP_MATCH_TEXT_BYTES_MAX  256              /* of a text that values are looked through for */
#define SP_TRACE_KEYS_MAX        ((uint32_t)4096) /* attribute keys that an answer lists */

/* The spans of the trace that the path names, as far as they start in from and to (the first two parameters).
 * SP_INVALID_ARGUMENT: not an id.  SP_NOT_FOUND: no such span.  SP_LIMIT: it does not fit into the query's memory. */
SP_MUST_USE enum sp_status sp_query_trace_read(struct sp_query_call *call,
                                               struct sp_trace_id *ret_id,
                                               const struct sp_batch **ret_batch,
                                               struct sp_error *reterr);

/* The tree on the clocks that the spans came with, or on that of the reference; *ret_clocks is about the spans as they came.
 * SP_LIMIT as above; SP_DEADLINE, SP_CANCELLED. */
SP_MUST_USE enum sp_status sp_query_trace_assemble(struct sp_query_call *call,
                                                   const struct sp_batch *batch, bool adjust,
                                                   struct sp_trace *ret,
                                                   struct sp_trace_clocks *ret_clocks,
                                                   struct sp_error *reterr);

/* "0,5-9" to row numbers, in the order asked for. SP_INVALID_ARGUMENT: anything else, and more than the limit. */
SP_MUST_USE enum sp_status sp_query_trace_rows(struct sp_slice text,
                                               uint32_t rows[SP_TRACE_ANSWER_ROWS_MAX],
                                               size_t *ret_count, struct sp_error *reterr);
/* The same, and every one is a row of the trace. */
SP_MUST_USE enum sp_status sp_query_trace_rows_of(const struct sp_trace *trace,
                                                  const uint32_t *rows, size_t count,
                                                  struct sp_error *reterr);

/* For `return`: the trace is larger than the query's memory. */
enum sp_status sp_query_trace_too_large(const struct sp_query_call *call, struct sp_error *reterr);
