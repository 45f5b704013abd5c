/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows_sheet.h: what the readers of rows share: the present sheet, and spans made of its columns. Private to query/rows*.c.
 *
 * Combinations of a template and of codes of columns are numbered, sheet by sheet ("tuples"); for each a span is made that has just
 * what the expressions read, and they are run on that. */
#pragma once

#include "query/match_operand.h"
#include "query/rows_reads.h"

struct sp_rows_program {
    struct sp_match *match;
    enum sp_rows_reads reads;
};

/* Numbers of combinations in the present sheet. */
struct sp_tuples {
    uint32_t count;
    uint32_t *of_row;    /* the tuple of each row that is meant */
    uint32_t *first_row; /* a row of each tuple */
};

struct sp_rows {
    const struct sp_rows_question *question;
    struct sp_rows_program *programs; /* all must be true */
    uint32_t program_count;
    enum sp_rows_reads filter_reads, keys_reads;
    struct sp_sheet_field filter_fields[SP_ROWS_COLUMNS_MAX], key_fields[SP_ROWS_COLUMNS_MAX];
    uint32_t filter_field_count, key_field_count;
    struct sp_buf scratch[SP_ROWS_KEYS_MAX]; /* of the labels of one row */
    struct sp_arena arena;                   /* of the present sheet */

    struct sp_sheet *sheet;
    const struct sp_trace_facts *facts; /* of the trace; NULL: a sheet of a store */
    const struct sp_stop *stop;
    const uint64_t *bits;
    const uint64_t *durations; /* NULL: not read yet */
    const struct sp_span *spans;
    struct sp_sheet_column value_column;
    bool has_value_column;
};

/* A span with what the columns say of a row. */
struct sp_made_span {
    struct sp_span span;
    struct sp_attribute attributes[SP_ROWS_COLUMNS_MAX];
    struct sp_batch batch;
    struct sp_trace_facts facts;
    struct sp_span_place place;
};

/* Memory of the present sheet, zeroed; at least one item. NULL: for `return sp_rows_full(rows, reterr)`. */
void *sp_rows_alloc(struct sp_rows *rows, size_t count, size_t size);
SP_MUST_USE enum sp_status sp_rows_full(struct sp_rows *rows, struct sp_error *reterr);

/* Numbers the combinations of templates and fields that the rows have. The columns go to columns, in the order of fields. */
SP_MUST_USE enum sp_status sp_rows_tuples(struct sp_rows *rows, const struct sp_sheet_field *fields,
                                          uint32_t field_count, struct sp_tuples *tuples,
                                          struct sp_sheet_column *columns, struct sp_error *reterr);

/* A span with what the columns say of a row; with its duration, if durations were read. */
SP_MUST_USE enum sp_status sp_rows_span(struct sp_rows *rows, uint32_t row,
                                        const struct sp_sheet_field *fields,
                                        const struct sp_sheet_column *columns, uint32_t field_count,
                                        struct sp_made_span *ret, struct sp_error *reterr);

/* The facts of the trace, or of whole spans that are not looked at as one. batch: room for what they point at. */
SP_MUST_USE enum sp_status sp_rows_facts(struct sp_rows *rows, struct sp_batch *batch,
                                         struct sp_trace_facts *ret, struct sp_error *reterr);
