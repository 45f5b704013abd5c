/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/tally.h: counts by key, where a key is two texts and a number: (service, operation, kind), (attribute key, -,
 * scope and kind), (value, -, kind), (client, server, connection type). Internal to storage/. Knows neither engines nor
 * disks. One owner at a time. */
#pragma once

#include "lib/analysis/analysis.h"

struct sp_tally_row {
    struct sp_slice first, second; /* the arena's memory */
    int32_t number;
    uint32_t index; /* order of first appearance, from 0 */
    uint64_t count, errors;
    uint64_t mark; /* the last thing counted here: who counts once for each span sets it */
    struct sp_histogram latency;         /* empty unless the counter fills it */
    struct sp_span_exemplars *exemplars; /* the arena's; NULL unless the counter wants them */
};

/* An open-addressing table of row numbers beside the rows. The hash is seeded for each tally, because keys come from
 * the network. */
struct sp_tally {
    struct sp_arena *arena;     /* borrowed: rows and their texts; its cap bounds the tally */
    struct sp_tally_row **rows; /* heap; in order of first appearance until sorted */
    size_t count, cap;
    uint32_t *slots;   /* heap; row number + 1, 0 is free */
    size_t slot_count; /* a power of two, or 0 */
    uint64_t seed;
};

void sp_tally_init(struct sp_tally *tally, struct sp_arena *arena);
void sp_tally_fini(struct sp_tally *tally); /* frees the histograms that are still there, too */

/* The row of a key, made with zero counts when it is new. The texts are copied.
 * SP_LIMIT  the arena is full, or more than UINT32_MAX - 1 rows.   SP_NO_MEMORY. Then nothing has changed. */
SP_MUST_USE enum sp_status sp_tally_row(struct sp_tally *tally, struct sp_slice first,
                                        struct sp_slice second, int32_t number,
                                        struct sp_tally_row **ret, struct sp_error *reterr);

/* Makes room for the exemplars of a row. SP_LIMIT, SP_NO_MEMORY: the arena. */
SP_MUST_USE enum sp_status sp_tally_exemplars(const struct sp_tally *tally,
                                              struct sp_tally_row *row, struct sp_error *reterr);

/* Counts so many more, once for each mark. */
static inline void sp_tally_count(struct sp_tally_row *row, uint64_t mark, uint64_t more)
{
    row->count += row->mark != mark ? more : 0;
    row->mark = mark;
}

/* Sorts rows; nothing may be looked up afterwards. */
void sp_tally_sort(struct sp_tally *tally,
                   int (*compare)(const struct sp_tally_row *a, const struct sp_tally_row *b));

/* By first, second, number. */
int sp_tally_compare(const struct sp_tally_row *a, const struct sp_tally_row *b);
