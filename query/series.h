/* SPDX-License-Identifier: Apache-2.0
 *
 * query/series.h: what is counted of spans, by labels and moment. A set takes spans in any order, and two sets become one; then it is a
 * result: named series of numbers, sorted by their labels. Pure: knows no spans. One owner at a time; memory is the arena's, whose cap
 * bounds it. */
#pragma once

#include "query/numbers.h"

/* ---- labels: what a field of a span is, for grouping ---- */

enum sp_label_type {
    SP_LABEL_NIL, /* the span has no such field */
    SP_LABEL_STRING,
    SP_LABEL_BOOL,
    SP_LABEL_INT,
    SP_LABEL_FLOAT,
    SP_LABEL_DURATION,
    SP_LABEL_STATUS,
    SP_LABEL_KIND,
    SP_LABEL_OTHER, /* arrays, key-value lists, bytes, empty values: by their text */
};

struct sp_label {
    enum sp_label_type type;
    struct sp_slice text;
};

const char *sp_label_type_name(enum sp_label_type type);                  /* "nil", "string", ... */
int sp_label_compare(const struct sp_label *a, const struct sp_label *b); /* numbers by value */
int sp_labels_compare(const struct sp_label *a, const struct sp_label *b, size_t count);

/* ---- sets ---- */

enum sp_cell_kind {
    SP_CELL_COUNT,  /* how many spans */
    SP_CELL_SUM,    /* of numbers: count, sum, min, max */
    SP_CELL_SKETCH, /* of numbers: quantiles */
};

/* The slowest span of a moment; of equal ones that of the smallest trace id, then span id. */
struct sp_exemplar {
    bool set;
    uint8_t trace_id[16], span_id[8];
    uint64_t start_unix_ns, duration_ns;
};

/* One array has a cell for each moment; the others are NULL. */
struct sp_series {
    const struct sp_label *labels;
    uint64_t *counts;
    struct sp_number_sum *sums;
    struct sp_sketch *sketches;
    struct sp_exemplar *exemplars; /* NULL: not wanted */
};

/* More series than these are not held; what is shown of them has a lower limit. */
#define SP_SERIES_HELD_MAX ((uint32_t)100000)
/* Cells of all of them, whatever is in them. */
#define SP_SERIES_CELLS_MAX ((uint64_t)64 * 1024 * 1024)

struct sp_series_set {
    struct sp_arena *arena; /* borrowed */
    enum sp_cell_kind kind;
    bool exact; /* SKETCH: keeps the numbers themselves */
    bool with_exemplars;
    bool closed; /* no series is added any more: what has none is counted in the first */
    uint32_t label_count, moment_count;
    struct sp_series *series;
    uint32_t count, cap;
    uint32_t *slots; /* open addressing: series number + 1; 0 is free */
    uint32_t slot_count;
    uint64_t seed;
};

/* seed: random, because labels come from the network. */
void sp_series_set_init(struct sp_series_set *set, struct sp_arena *arena, enum sp_cell_kind kind,
                        uint32_t label_count, uint32_t moment_count, uint64_t seed);

/* The number of the series with these labels, made when it is new; their texts are copied then.
 * SP_LIMIT: SP_SERIES_HELD_MAX, SP_SERIES_CELLS_MAX, or the arena is full.   SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_series_find(struct sp_series_set *set, const struct sp_label *labels,
                                          uint32_t *ret, struct sp_error *reterr);

/* Adds what another set of the same shape has. Errors as above. */
SP_MUST_USE enum sp_status sp_series_merge(struct sp_series_set *into,
                                           const struct sp_series_set *from,
                                           struct sp_error *reterr);

/* Keeps the better of two. */
int sp_exemplar_compare(const struct sp_exemplar *a,
                        const struct sp_exemplar *b); /* the first first */
void sp_exemplar_offer(struct sp_exemplar *exemplar, const struct sp_exemplar *other);

/* For `return` behind an arena that is full. */
enum sp_status sp_series_full(const struct sp_series_set *set, struct sp_error *reterr);
