/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_sets.h: sets of spans and explanations below a table of traces. Private to `spoor search`. */
#pragma once

#include "cmd/terminal.h"

/* A line for each set of "spanSets", if there are several or something is said of one. sets: the JSON array as it came.
 * False: it is not what this version understands. */
bool sp_search_print_sets(const struct sp_terminal *terminal, struct sp_slice sets,
                          struct sp_arena *arena);

/* What each clause lets through: "explain". */
bool sp_search_print_explanation(const struct sp_terminal *terminal, struct sp_slice explain,
                                 struct sp_arena *arena);
