/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency_scan.h: what a pass over all spans counts for /v1/latency (latency_scan.c), and what is made of it (latency_page.c). */
#pragma once

#include "query/answer.h"
#include "query/latency.h"
#include "query/metrics.h"

/* Durations of one row in one step. */
struct sp_latency_durations {
    struct sp_sketch sketch;
    uint64_t *values; /* exact ones; the sketch is empty then */
    size_t count, cap;
};

/* What is asked, for all threads. */
struct sp_latency_scan {
    struct sp_query_call *call;
    const struct sp_latency_question *question;
    struct sp_pass pass;
    const struct sp_traceql_node *const *keys; /* FIELDs */
    uint32_t key_count;
    struct sp_moments moments;
};

/* One thread's. Of a series cell m counts the calls of step m, the next as many cells its errors, and the last its durations, added up
 * modulo 2^64 as histograms do. */
struct sp_latency_counter {
    const struct sp_latency_scan *scan;
    struct sp_arena arena;
    struct sp_rows_question question;
    struct sp_rows *rows;
    struct sp_series_set set;
    struct sp_latency_durations *durations; /* of series s in step m: s * steps + m */
    struct sp_span_exemplars *exemplars;    /* of each series; NULL: over time nobody sees them */
    uint32_t room;                          /* series that have durations */
};

enum {
    SP_LATENCY_CALLS,
    SP_LATENCY_ERRORS,
    SP_LATENCY_DURATIONS,
    SP_LATENCY_CELLS
}; /* blocks of cells, one a step each */

/* The arena is full, and what to do about it. */
enum sp_status sp_latency_full(const struct sp_arena *arena, struct sp_error *reterr);

/* Adds one duration; false: the arena is full. */
SP_MUST_USE bool sp_latency_add(struct sp_latency_durations *durations, uint64_t ns, bool exact,
                                struct sp_arena *arena);

/* Makes durations ready for quantiles: values ascend; false: the arena is full. */
SP_MUST_USE bool sp_latency_close(struct sp_latency_durations *durations, struct sp_arena *arena);

/* Adds durations, whose sketch is closed; false: the arena is full. */
SP_MUST_USE bool sp_latency_merge(struct sp_latency_durations *into,
                                  const struct sp_latency_durations *from, struct sp_arena *arena);

/* Writes the page that is asked for. SP_LIMIT, SP_NO_MEMORY: the counter's memory, or the call's. */
SP_MUST_USE enum sp_status sp_latency_write(struct sp_latency_counter *all,
                                            const struct sp_scanned *scanned,
                                            struct sp_error *reterr);
