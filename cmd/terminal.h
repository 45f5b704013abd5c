/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/terminal.h: text in columns on a terminal. Names of spans come from outside: whatever could steer a terminal is
 * replaced before it gets there. */
#pragma once

#include <stdio.h>

#include "lib/base/base.h"

struct sp_terminal {
    FILE *out;
    unsigned columns; /* of the terminal, or COLUMNS, or 80 */
    bool is_wide;     /* neither of the first two is known: lines may be as long as they are */
    bool colours;     /* a terminal, and NO_COLOR is not set */
};

void sp_terminal_init(struct sp_terminal *terminal, FILE *out);

/* A time without zeros at the end of its fraction, or with milliseconds at most; out has 40 bytes. The length. */
size_t sp_terminal_time(uint64_t unix_ns, bool milliseconds, char *out);

/* Columns that text takes; control characters, marks of direction and bytes that are not UTF-8 take one. */
unsigned sp_terminal_width(struct sp_slice text);

/* Prints text in exactly width columns: cut with an ellipsis, or filled with spaces (in front when right is set). */
void sp_terminal_cell(const struct sp_terminal *terminal, struct sp_slice text, unsigned width,
                      bool right);

/* An SGR colour ("31"), or "0" to end it; nothing without colours. */
void sp_terminal_colour(const struct sp_terminal *terminal, const char *sgr);

/* Appends values as a line of blocks, eight heights from least to greatest, in at most width columns: a column has the greatest of
 * its values, and is empty where all are NaN. */
void sp_terminal_line(struct sp_buf *out, const double *values, size_t count, double least,
                      double greatest, unsigned width);
