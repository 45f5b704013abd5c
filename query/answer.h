/* SPDX-License-Identifier: Apache-2.0
 *
 * query/answer.h: what answers over all spans have in common: bounds of a range, labels, what was read. */
#pragma once

#include "query/pass.h"
#include "query/series.h"

/* Replaces the open ends of a range by the first and the last stored start. */
SP_MUST_USE enum sp_status sp_answer_bounds(const struct sp_query_call *call,
                                            struct sp_time_range *range, struct sp_error *reterr);
/* "value" and "type" of a label, into an open object. */
void sp_answer_label(const struct sp_label *label, struct sp_json_writer *w);
/* "scanned" and "tookMs". */
void sp_answer_scanned(struct sp_query_call *call, const struct sp_scanned *scanned,
                       struct sp_json_writer *w);
/* For tables whose keys come from the network: nobody outside knows it. */
uint64_t sp_answer_seed(const struct sp_query_call *call);

/* The pass that a query parameter asks for, which must find spans: call, query, pipeline, stage_count and range are set, the range by from and to
 * and what is stored. SP_INVALID_ARGUMENT: not a query, or it makes series. */
SP_MUST_USE enum sp_status sp_answer_pass(struct sp_query_call *call, const char *parameter,
                                          struct sp_slice text, struct sp_pass *ret,
                                          struct sp_error *reterr);
