/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_explain.h: how a search went about it, and how many spans each of its clauses lets through alone: why nothing was
 * found, if nothing was. Private to the search. */
#pragma once

#include "query/question.h"

#define SP_EXPLAIN_CLAUSES_MAX ((uint32_t)32) /* that are counted */

/* Counts the clauses of the question, in half of the time that the call has left, and writes "explain". Errors: those of
 * sp_store_survey but SP_DEADLINE, SP_LIMIT and SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_search_explain(struct sp_query_call *call,
                                             const struct sp_question *question,
                                             struct sp_json_writer *w, struct sp_error *reterr);
