/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_rows.h: one trace that a search found: read from the answer, and printed as a row of a table. */
#pragma once

#include "cmd/terminal.h"

#define SP_SEARCH_DEPTH_MAX 128 /* values of select() nest */

struct sp_search_row {
    struct sp_slice trace_id, service, name;
    uint64_t start_unix_ns, duration_ns, span_count, error_count;
    struct sp_slice sets; /* the JSON of "spanSets" */
};

/* The value that comes next, as it stands there. False: it is no JSON. */
bool sp_search_take_raw(struct sp_json_reader *r, struct sp_slice *ret);
/* One trace; the reader stands behind its '{'. What is not known is skipped. False: it is no JSON. */
bool sp_search_read_row(struct sp_json_reader *r, struct sp_search_row *row);

void sp_search_print_head(const struct sp_terminal *t);
void sp_search_print_row(const struct sp_terminal *t, const struct sp_search_row *row);
