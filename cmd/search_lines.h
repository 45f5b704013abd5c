/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_lines.h: a search that is answered line by line: progress on a terminal while it runs, and the lines put together. */
#pragma once

#include <stdio.h>

#include "cmd/ask.h"

#define SP_SEARCH_LINES_MEDIA_TYPE "application/x-ndjson"

/* What to do with lines while they come. */
struct sp_search_lines {
    FILE *copy;     /* gets every line as it is; NULL: nobody */
    FILE *progress; /* gets how far the search is, over and over in one line; NULL: nobody */
    size_t seen;    /* bytes of the answer that were looked at */
    bool is_shown;  /* there is a line of progress to be wiped */
};

/* The next whole line without its end; false: there is none. */
bool sp_search_lines_next(struct sp_slice *rest, struct sp_slice *ret);
/* The JSON of the trace that a line holds; false: it holds something else. */
bool sp_search_lines_trace(struct sp_slice line, struct sp_slice *ret);
/* What a line of /v1/live says was left out; false: it is another line. */
struct sp_search_left_out {
    uint64_t traces, requests;
};
bool sp_search_lines_live(struct sp_slice line, struct sp_search_left_out *ret);

/* For struct sp_ask: cookie is a struct sp_search_lines. */
void sp_search_lines_take(void *cookie, struct sp_slice received);
/* Wipes the progress. */
void sp_search_lines_end(struct sp_search_lines *lines);

/* Puts {"traces":[...],...} together in *ret, which is new, as a whole answer has it; lines that are one already are copied. False: the last
 * line is a problem, whose document *ret has, or there is no last line, and *ret is empty. Errors stick in *ret. */
bool sp_search_lines_join(struct sp_slice lines, struct sp_buf *ret);
