/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_explain.h: how a search went about it, and how many spans each of its clauses lets through alone: why nothing was
 * found, if nothing was. The parts of it that other explanations have, too, stand here. */
#pragma once

#include "query/question.h"

#define SP_EXPLAIN_CLAUSES_MAX ((uint32_t)32) /* that are counted */

/* A part of a query in its normal form. */
void sp_explain_text(const struct sp_traceql_node *node, struct sp_json_writer *w);

/* "hints": the conditions that the store looks for. */
void sp_explain_hints(const struct sp_scan *scan, struct sp_json_writer *w);

/* Counts the clauses of all filters of a query, in half of the time that the call has left, and writes "clauses", "clausesLeftOut" and
 * "countMs". Errors: those of sp_store_survey but SP_DEADLINE, SP_LIMIT and SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_explain_clauses(struct sp_query_call *call,
                                              const struct sp_traceql_query *query,
                                              struct sp_time_range range, struct sp_json_writer *w,
                                              struct sp_error *reterr);

/* Writes "explain" of a search. Errors as above. */
SP_MUST_USE enum sp_status sp_search_explain(struct sp_query_call *call,
                                             const struct sp_question *question,
                                             struct sp_json_writer *w, struct sp_error *reterr);
