/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency.h: what the two ways to an answer of /v1/latency share: rollups of the store (latency.c), and a pass over all spans
 * (latency_scan.c), which any field can be asked of, and exact quantiles. */
#pragma once

#include "query/change.h"
#include "query/quantiles.h"
#include "query/steps.h"

/* Rows of the table in query/routes.c, behind from and to. */
enum sp_latency_parameter {
    SP_LATENCY_SERVICE = 2,
    SP_LATENCY_OPERATION,
    SP_LATENCY_KIND,
    SP_LATENCY_QUANTILES,
    SP_LATENCY_STEP,
    SP_LATENCY_BY,
    SP_LATENCY_EXACT,
    SP_LATENCY_ORDER,
    SP_LATENCY_LIMIT,
    SP_LATENCY_OFFSET,
    SP_LATENCY_CONTAINS,
    SP_LATENCY_BUCKETS,
    SP_LATENCY_COMPARE_FROM,
    SP_LATENCY_COMPARE_TO
};

#define SP_LATENCY_KIND_ANY 6 /* behind OTLP's numbers */

/* Reasons and tests: docs/limits.md. */
#define SP_LATENCY_KEYS_MAX   8u
#define SP_LATENCY_SERIES_MAX 10000u
#define SP_LATENCY_PAGE_MAX   10000u

/* What rows are sorted by; equal ones by service, operation, kind. */
enum sp_latency_order {
    SP_LATENCY_BY_NAME,
    SP_LATENCY_BY_CALLS,
    SP_LATENCY_BY_ERRORS,
    SP_LATENCY_BY_ERROR_SHARE,
    SP_LATENCY_BY_DURATION, /* all calls added up */
    SP_LATENCY_BY_CHANGE,   /* of that, against the other range */
    SP_LATENCY_BY_QUANTILE
};

/* Which of the rows are shown. */
struct sp_latency_page {
    enum sp_latency_order order;
    double quantile; /* BY_QUANTILE */
    bool is_descending;
    bool is_asked; /* not all rows, by name */
    uint64_t limit, offset;
    struct sp_slice
        contains; /* a part of the operation's name, of the service's when operations are one, or of a value of "by" */
};

struct sp_latency_question {
    struct sp_query_quantile quantiles[SP_QUERY_QUANTILES_MAX];
    size_t quantile_count;
    struct sp_time_range range;
    bool is_series;
    struct sp_query_steps steps; /* of a series */
    bool by_service;             /* all operations of a service and kind are one */
    bool exact;
    struct sp_slice by; /* fields; "" for those that the rollups have */
    struct sp_latency_page page;
    bool with_buckets;
    bool is_comparison;
    struct sp_time_range before; /* of a comparison: whole minutes */
};

/* ---- rows of rollups (latency_rows.c) ---- */

/* Rows of one part of time, sorted by service, operation, kind. */
struct sp_latency_part {
    struct sp_latency_series *rows;
    size_t count;
};

struct sp_latency_row {
    const struct sp_latency_series *key; /* names it */
    const struct sp_latency_series
        *sides[2];           /* before, now; one without calls where there is none */
    struct sp_change change; /* of a comparison */
    double sorted_by;        /* NaN: comes last */
};

int sp_latency_compare_keys(const struct sp_latency_series *a, const struct sp_latency_series *b);

/* Reads order, limit, offset and contains.   SP_INVALID_ARGUMENT: order. */
SP_MUST_USE enum sp_status sp_latency_page_parse(const struct sp_query_call *call,
                                                 const struct sp_latency_question *question,
                                                 struct sp_latency_page *ret,
                                                 struct sp_error *reterr);

/* The rows of the page, in its order, memory of arena; *ret_all: how many there are with those of other pages. before: NULL without a
 * comparison. SP_LIMIT, SP_NO_MEMORY: the arena. */
SP_MUST_USE enum sp_status
sp_latency_rows(struct sp_arena *arena, const struct sp_latency_question *question,
                const struct sp_latency_part *before, const struct sp_latency_part *now,
                struct sp_latency_row **ret_rows, size_t *ret_count, size_t *ret_all);

/* Members of a row: the slowest span, and the slowest with an error; null where nothing is known of one. */
void sp_latency_write_exemplars(const struct sp_span_exemplars *exemplars,
                                struct sp_json_writer *w);

/* Answers by a pass over all spans. SP_INVALID_ARGUMENT: by.   SP_LIMIT: too many rows, or memory. Errors of the store. */
SP_MUST_USE enum sp_status sp_latency_scan(struct sp_query_call *call,
                                           const struct sp_latency_question *question,
                                           struct sp_error *reterr);
