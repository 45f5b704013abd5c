/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/explain.h: what --explain shows of a question that counts spans. */
#pragma once

#include "cmd/table.h"

#define SP_EXPLAIN_OPTION                                                                          \
    {                                                                                              \
        .name = "explain", .type = SP_OPTION_BOOL,                                                 \
        .help = "Also shows what was read, and how many spans each clause finds by itself."        \
    }

/* Prints two tables of the "explain" of an answer: its passes over spans, and its clauses. False: it could not be written, or memory is
 * out, and stderr says so. */
bool sp_explain_print(const struct sp_answer *explain, const struct sp_terminal *terminal,
                      struct sp_arena *arena);
