/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/table.h: a table that fits a terminal: columns as wide as what is in them, as long as there is room; then those that may
 * shrink do. */
#pragma once

#include "cmd/answer.h"
#include "cmd/terminal.h"

#define SP_TABLE_COLUMNS_MAX 12

struct sp_table_column {
    const char *head;
    bool right;
    bool shrinks; /* cut with an ellipsis when there is no room; never below 8 columns */
};

struct sp_table {
    const struct sp_table_column *columns;
    uint32_t column_count;
    struct sp_slice *cells; /* row by row */
    const char **colours;   /* SGR of a row, or NULL */
    size_t row_count, row_cap;
    struct sp_arena *arena;
    bool failed; /* the arena is full */
};

void sp_table_init(struct sp_table *table, const struct sp_table_column *columns,
                   uint32_t column_count, struct sp_arena *arena);

/* A new row; its cells, all empty, are to be filled with what outlives the table. NULL: the arena is full, and printing will say so. */
struct sp_slice *sp_table_row(struct sp_table *table, const char *colour);

/* Cells, in the table's arena; "" when it is full. */
SP_PRINTF(2, 3) struct sp_slice sp_table_text(struct sp_table *table, const char *format, ...);
struct sp_slice sp_table_count(struct sp_table *table, uint64_t count);
struct sp_slice sp_table_duration(struct sp_table *table, uint64_t duration_ns);
struct sp_slice sp_table_percent(struct sp_table *table,
                                 double share); /* "4.31%", "<0.01%", "" for 0 */

/* A line of blocks of a list of numbers over time, in at most so many columns, from 0 to the greatest; null is none. */
struct sp_slice sp_table_line(struct sp_table *table, const struct sp_answer *list,
                              unsigned columns);
/* How many, for each of some lines beside columns that take others together: they share the terminal. */
#define SP_TABLE_LINE_COLUMNS 30u
unsigned sp_table_line_columns(const struct sp_terminal *terminal, unsigned others, unsigned lines);

/* False: the arena was full, or writing failed; stderr says which. */
bool sp_table_print(const struct sp_table *table, const struct sp_terminal *terminal);
