/* SPDX-License-Identifier: Apache-2.0
 *
 * query/rows.h: expressions on the rows of a sheet: which of them a filter takes, and which labels they have. What reads only what
 * templates and columns say is worked out once for each combination of these in the sheet, and not for each row; what reads
 * durations, row by row; what reads ids, events or links, on whole spans; what reads the trace around a span, on whole traces. The
 * answers are those of query/match.h. Knows no requests. */
#pragma once

#include "query/match.h"
#include "query/series.h"

/* The dearest thing that an expression reads. */
enum sp_rows_reads {
    SP_READS_COLUMNS,   /* templates, attributes of the span, its message */
    SP_READS_DURATIONS, /* its duration, too */
    SP_READS_SPANS,     /* its ids, events, links */
    SP_READS_TRACES,    /* its parent, its children, its root */
};

/* Keys of a question: SP_LIMIT beyond. */
#define SP_ROWS_KEYS_MAX 16

/* One question: borrowed, never changes. */
struct sp_rows_question {
    const struct sp_traceql_query *query;      /* that the nodes are of */
    const struct sp_traceql_node *condition;   /* of a filter; NULL: every span */
    const struct sp_traceql_node *const *keys; /* FIELDs: the labels */
    uint32_t key_count;
    const struct sp_traceql_node *value; /* FIELD: a number of each span; NULL: none */
};

/* What the whole question reads. */
enum sp_rows_reads sp_rows_question_reads(const struct sp_rows_question *question);

/* Conditions for the store that leave out no span the filter takes. *ret_all: those that satisfy them are exactly
 * those that the filter takes. Leaves the range alone. */
SP_MUST_USE enum sp_status sp_rows_conditions(const struct sp_hint_maker *maker,
                                              const struct sp_traceql_node *condition,
                                              struct sp_scan *scan, bool *ret_all);

struct sp_rows;

/* One reader: one thread at a time. condition_known: the rows that come are those that the filter takes. arena owns it, but for its
 * regular expressions and what it keeps of a sheet: sp_rows_free.    SP_INVALID_ARGUMENT  a pattern, with its offset.   SP_LIMIT, SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_rows_new(struct sp_arena *arena,
                                       const struct sp_rows_question *question,
                                       bool condition_known, size_t memory_bytes_max,
                                       struct sp_rows **ret, struct sp_error *reterr);
void sp_rows_free(struct sp_rows *rows); /* NULL is fine */

/* What is known of the rows of a sheet: bits as in struct sp_sheet, of those that the filter takes. Valid until the next one. */
struct sp_rows_taken {
    const uint64_t *bits; /* NULL: all */
    uint32_t count;
};

/* facts: of the trace whose spans, in this order, the sheet is of; NULL: it is a sheet of a store. stop: asked while one row takes long;
 * may be NULL. SP_LIMIT, SP_NO_MEMORY, errors of the sheet. */
SP_MUST_USE enum sp_status sp_rows_open(struct sp_rows *rows, struct sp_sheet *sheet,
                                        const struct sp_trace_facts *facts,
                                        const struct sp_stop *stop, struct sp_rows_taken *ret,
                                        struct sp_error *reterr);

/* *ret_is: all rows that were taken are of one series, *ret, which was made if it is new: the one column that is read has no value in this
 * sheet. Quick; false says nothing. */
SP_MUST_USE enum sp_status sp_rows_one_series(struct sp_rows *rows, struct sp_series_set *set,
                                              bool *ret_is, uint32_t *ret, struct sp_error *reterr);

/* The series of each row that was taken; made when it is new. */
SP_MUST_USE enum sp_status sp_rows_series(struct sp_rows *rows, struct sp_series_set *set,
                                          const uint32_t **ret, struct sp_error *reterr);

/* Of one key, a field of events or links: the series of all values that the row has, each once, and that of nil if it has none. Valid until
 * the next sp_rows_open. */
SP_MUST_USE enum sp_status sp_rows_each_series(struct sp_rows *rows, struct sp_series_set *set,
                                               uint32_t row, const uint32_t **ret,
                                               uint32_t *ret_count, struct sp_error *reterr);

enum sp_number_kind {
    SP_NUMBER_NONE, /* no such field, or it is no number */
    SP_NUMBER_INTEGER,
    SP_NUMBER_DURATION, /* integer: ns */
    SP_NUMBER_DOUBLE,   /* not NaN */
};

struct sp_row_number {
    enum sp_number_kind kind;
    union {
        __int128_t integer; /* of 64 bits, with a sign or without */
        double number;
    };
};

/* How many numbers one row that was taken may have: of a field of events or links as many as it has of these, of others 1. */
SP_MUST_USE enum sp_status sp_rows_number_count(struct sp_rows *rows, uint32_t row, uint32_t *ret,
                                                struct sp_error *reterr);

/* One of them. */
SP_MUST_USE enum sp_status sp_rows_number(struct sp_rows *rows, uint32_t row, uint32_t index,
                                          struct sp_row_number *ret, struct sp_error *reterr);

static inline bool sp_bits_have(const uint64_t *bits, uint32_t row)
{
    return bits == NULL || (bits[row / 64] >> (row % 64) & 1) != 0;
}
