/* SPDX-License-Identifier: Apache-2.0
 *
 * query/split.h: the spans that a pass finds, split in two by a selection, and counted by the values of keys. /v1/facets and compare()
 * are made of it. Counts are exact: of spans that have a value, so that of events and links, which may have several, a span counts once for
 * each of its values. */
#pragma once

#include "query/metrics.h"
#include "query/pass.h"

/* Keys that are looked at, and different values of one that are counted. Reasons and tests: docs/limits.md. */
#define SP_SPLIT_VALUES_MAX 10000u

enum sp_split_side { SP_SPLIT_REST, SP_SPLIT_SELECTED, SP_SPLIT_SIDES };

/* What is asked, for all threads. */
struct sp_split {
    struct sp_pass pass;                       /* prepared */
    const struct sp_traceql_node *const *keys; /* FIELDs */
    uint32_t key_count;
    const struct sp_rows_question *selection; /* NULL: nothing is selected */
    struct sp_time_range selection_range;     /* of starts; only with a selection */
    const struct sp_moments *moments;         /* NULL: one */
    uint64_t rows_max;                        /* of a sample; UINT64_MAX: all */
    /* NULL, or for each key the values that are counted, which stand in the set in this order: all others are counted as the first. */
    const struct sp_series_set *wanted;
};

/* One key, of one thread or of all together. */
struct sp_split_key {
    struct sp_rows_question question;
    struct sp_rows *rows;
    struct sp_series_set set; /* one label: the value. Cells: sp_split_cell */
    bool overflows;           /* has more than SP_SPLIT_VALUES_MAX values: is not counted on */
};

struct sp_split_counter {
    const struct sp_split *split;
    struct sp_arena arena;
    struct sp_rows_question question;
    struct sp_rows *filter, *selection;
    struct sp_split_key *keys;
    uint64_t totals[SP_SPLIT_SIDES]; /* spans */
    uint64_t rows;
    bool enough; /* the sample is full */
};

/* Where the count of one side in a moment stands in a series. */
static inline uint32_t sp_split_cell(const struct sp_split *split, enum sp_split_side side,
                                     uint32_t moment)
{
    return (uint32_t)side * (split->moments ? split->moments->count : 1) + moment;
}

/* Counts with so many threads into *all, which the caller finishes in any case. Errors as sp_pass_run. */
SP_MUST_USE enum sp_status sp_split_count(const struct sp_split *split, uint32_t threads,
                                          struct sp_split_counter *all, struct sp_scanned *scanned,
                                          struct sp_error *reterr);
void sp_split_counter_fini(struct sp_split_counter *counter);

/* Keys that the spans of a range have: the intrinsics that are worth counting, then attributes of spans and resources (and with
 * scopes = SP_SCOPE_INSTRUMENTATION, too, of scopes), the most frequent first, each once. *ret_count is at most keys_max;
 * *ret_all: there are no more. Memory of the call. */
SP_MUST_USE enum sp_status
sp_split_find_keys(struct sp_query_call *call, struct sp_time_range range, uint32_t scopes,
                   uint32_t keys_max, const struct sp_traceql_node ***ret_keys, uint32_t *ret_count,
                   bool *ret_all, struct sp_error *reterr);
