/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/value_counts.h: how many traces of two samples carry each value of each attribute. Included by analysis.h. */
#pragma once

#include "lib/model/model.h"

struct sp_trace;
struct sp_names;

enum sp_value_scope {
    SP_VALUE_SCOPE_INTRINSIC, /* name, kind, status */
    SP_VALUE_SCOPE_SPAN,
    SP_VALUE_SCOPE_RESOURCE,
};

/* Beyond these nothing new is counted; what was seen before still is. */
#define SP_VALUE_COUNTS_KEYS_MAX       ((uint32_t)10 * 1000)
#define SP_VALUE_COUNTS_VALUES_MAX     ((uint32_t)1000 * 1000)
#define SP_VALUE_COUNTS_KEY_VALUES_MAX ((uint32_t)1000) /* of one key */
#define SP_VALUE_COUNTS_BYTES_MAX      ((size_t)256)    /* of one value as text */

struct sp_value_key {
    enum sp_value_scope scope;
    struct sp_slice key; /* memory of the counts */
    uint32_t value_count;
    bool is_cut; /* it has values that are not counted */
};

struct sp_value_count {
    uint32_t key; /* index into keys */
    enum sp_value_kind kind;
    struct sp_slice text;
    uint64_t trace_counts[2];
    struct sp_trace_id exemplars[2]; /* the first trace that has it; zero: none */
    uint64_t last_trace;             /* number of the last trace, so that each counts once */
};

struct sp_value_counts {
    struct sp_value_key *keys;
    uint32_t key_count, key_cap;
    struct sp_value_count *values;
    uint32_t value_count, value_cap;
    uint64_t trace_counts[2];
    /* occurrences that are not counted, spans times values */
    uint64_t left_out_long, left_out_many;
    struct sp_arena arena;
    struct sp_names *names; /* private */
    struct sp_buf text;
};

/* SP_NO_MEMORY, SP_LIMIT (of bytes_max). */
SP_MUST_USE enum sp_status sp_value_counts_init(struct sp_value_counts *counts, size_t bytes_max);
void sp_value_counts_fini(struct sp_value_counts *counts); /* NULL is fine */

/* Counts what the spans of a trace carry whose rows are set in of_row (NULL: all), for one side, 0 or 1.
 * SP_NO_MEMORY, SP_LIMIT: then the counts must be thrown away. */
SP_MUST_USE enum sp_status sp_value_counts_add(struct sp_value_counts *counts, int side,
                                               const struct sp_trace *trace, const bool *of_row);
