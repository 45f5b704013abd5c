/* SPDX-License-Identifier: Apache-2.0
 *
 * query/answer.h: what answers over all spans have in common: bounds of a range, labels, what was read. */
#pragma once

#include "query/pass.h"
#include "query/series.h"

/* Replaces the open ends of a range by the first and the last stored start; the end of one that begins behind that by now. An end that
 * was asked for stays where it is. One that is not empty, and shorter than SP_ANSWER_BOUNDS_NS_MIN then becomes as long, at its open end: a single span is one a second, not
 * a thousand million. */
#define SP_ANSWER_BOUNDS_NS_MIN UINT64_C(1000000000)
SP_MUST_USE enum sp_status sp_answer_bounds(const struct sp_query_call *call,
                                            struct sp_time_range *range, struct sp_error *reterr);
/* Writes a text that was made for the answer, and frees it. Without memory for it the answer fails. */
void sp_answer_write_text(struct sp_buf *text, struct sp_json_writer *w);

/* "value" and "type" of a label, into an open object. */
void sp_answer_label(const struct sp_label *label, struct sp_json_writer *w);
/* "scanned", with traces that the caller counts. */
void sp_answer_json_scanned(struct sp_json_writer *w, const struct sp_scanned *scanned,
                            uint64_t traces);
/* The same, and "tookMs". */
void sp_answer_scanned(struct sp_query_call *call, const struct sp_scanned *scanned,
                       struct sp_json_writer *w);
/* For tables whose keys come from the network: nobody outside knows it. */
uint64_t sp_answer_seed(const struct sp_query_call *call);

/* The pass that a query parameter asks for, which must find spans: call, query, pipeline, stage_count and range are set, the range by from and to
 * and what is stored. SP_INVALID_ARGUMENT: not a query, or it makes series. */
SP_MUST_USE enum sp_status sp_answer_pass(struct sp_query_call *call, const char *parameter,
                                          struct sp_slice text, struct sp_pass *ret,
                                          struct sp_error *reterr);

/* A parameter that is a list of fields, "name,span.http.route". SP_INVALID_ARGUMENT, SP_LIMIT */
SP_MUST_USE enum sp_status sp_answer_fields(struct sp_query_call *call, const char *parameter,
                                            struct sp_slice text, uint32_t max,
                                            const struct sp_traceql_node *const **ret_fields,
                                            uint32_t *ret_count, struct sp_error *reterr);
/* Fields as they are written. SP_LIMIT, SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_answer_key_names(const struct sp_traceql_node *const *keys,
                                               uint32_t count, struct sp_arena *arena,
                                               const struct sp_slice **ret);
