/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rollup.h: exact counts of many spans by minute of their start: of each (service, operation, kind) calls, errors,
 * durations and exemplars, of each attribute key the spans that carry it. Of a segment, written with it, and of the head. Edges of the
 * dependency graph: storage/edge_rollup.h. Internal to storage/. Knows neither engines nor disks.
 *
 *   block --add_block--> sp_rollup --encode--> bytes --open--> sp_rollup_reader --count--> sp_tally
 *                           ^  \__________________ count ______________________________________^
 *                           +-- merge, decode
 *
 * One owner at a time; a reader never changes, so any number of threads may read from it. */
#pragma once

#include "storage/block.h"
#include "storage/catalogue.h"
#include "storage/counts.h"
#include "storage/interner.h"

/* Rows of (minute, series) and of (minute, attribute key). A new row beyond these is SP_LIMIT. */
#define SP_ROLLUP_ROWS_MAX ((uint32_t)UINT32_MAX - 1)

struct sp_rollup_series {   /* the bytes of one are its key: no padding */
    uint32_t service, name; /* numbers of texts */
    int32_t kind;
};

struct sp_rollup_key {
    uint32_t text;
    int32_t number; /* sp_key_number */
};

struct sp_rollup_row {
    uint32_t minute, series;
    uint64_t calls, errors;
    uint64_t sum_ns, min_ns, max_ns; /* as in struct sp_histogram */
    struct sp_span_exemplars exemplars;
};

struct sp_rollup {
    uint32_t minutes_a_row; /* 0: one; otherwise the first of so many stands for all of them */
    bool
        lacks_exemplars; /* rows were added whose exemplars nobody knows: written before format 2 */
    struct sp_interner texts, series, keys;
    SP_VECTOR(struct sp_rollup_row) rows;
    struct sp_counts row_numbers; /* minute << 32 | series: number of the row */
    struct sp_counts cells; /* row * SP_ROLLUP_CELLS + (0: no duration, else 1 + bucket): spans */
    struct sp_counts key_spans; /* minute << 32 | key: spans */
};

#define SP_ROLLUP_CELLS (SP_HISTOGRAM_BUCKETS + 1)

void sp_rollup_init(struct sp_rollup *rollup);
void sp_rollup_fini(struct sp_rollup *rollup); /* NULL and a finished one are fine */

/* Adding. SP_NO_MEMORY, SP_LIMIT (SP_ROLLUP_ROWS_MAX), SP_CORRUPT (a block from disk): the rollup may have a part of it and must
 * be thrown away. */

/* All rows of a block. */
SP_MUST_USE enum sp_status sp_rollup_add_block(struct sp_rollup *rollup,
                                               const struct sp_block *block,
                                               struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_rollup_merge(struct sp_rollup *into, const struct sp_rollup *from,
                                           struct sp_error *reterr);
/* What sp_rollup_encode made. */
SP_MUST_USE enum sp_status sp_rollup_decode(struct sp_slice bytes, struct sp_rollup *into,
                                            struct sp_error *reterr);

/* Appends to out: equal rollups give equal bytes. SP_NO_MEMORY, or what out says. */
SP_MUST_USE enum sp_status sp_rollup_encode(const struct sp_rollup *rollup, struct sp_buf *out,
                                            struct sp_error *reterr);

/* ---- reading ---- */

/* The full minutes within a range: what rollups know of it. What lies before and behind has to be counted from spans. */
static inline struct sp_time_range sp_time_range_full_minutes(struct sp_time_range range)
{
    uint64_t first = range.from_unix_ns / SP_ROLLUP_NS + (range.from_unix_ns % SP_ROLLUP_NS != 0);
    uint64_t last = UINT64_MAX / SP_ROLLUP_NS; /* cut by the end of time, and full */
    bool is_open = range.to_unix_ns == UINT64_MAX;
    uint64_t end = is_open ? last + 1 : range.to_unix_ns / SP_ROLLUP_NS;
    if (first >= end)
        return (struct sp_time_range){0, 0};
    return (struct sp_time_range){first * SP_ROLLUP_NS, is_open ? UINT64_MAX : end * SP_ROLLUP_NS};
}

/* An encoded rollup with its tables taken apart: texts, series, keys and the index of minutes. */
struct sp_rollup_reader {
    const struct sp_slice *texts;
    const struct sp_rollup_series *series; /* ascending by texts and kind */
    const struct sp_rollup_key *keys;
    uint32_t text_count, series_count, key_count, minute_count;
    bool has_exemplars;
    const struct sp_rollup_minute {
        uint32_t minute, row_count, key_count;
        struct sp_slice rows, keys, histograms;
    } * minutes; /* ascending */
};

/* The reader is the arena's memory and points into bytes. SP_LIMIT, SP_NO_MEMORY: of the arena.
 * SP_CORRUPT: the bytes are not what an encode made. */
SP_MUST_USE enum sp_status sp_rollup_open(struct sp_slice bytes, struct sp_arena *arena,
                                          struct sp_rollup_reader *ret, struct sp_error *reterr);

/* Add the full minutes of a range to a tally, keyed as by sp_count_operation and sp_count_keys. Errors are those of
 * sp_tally_row, and SP_CORRUPT. Histograms and exemplars are only looked at with_latency. */
SP_MUST_USE enum sp_status sp_rollup_read_operations(const struct sp_rollup_reader *reader,
                                                     struct sp_time_range range,
                                                     const struct sp_operation_filter *filter,
                                                     bool with_latency, struct sp_tally *tally,
                                                     struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_rollup_read_keys(const struct sp_rollup_reader *reader,
                                               struct sp_time_range range, uint32_t scopes,
                                               struct sp_slice prefix, struct sp_tally *tally,
                                               struct sp_error *reterr);
/* The same of one that is not encoded: the head's. Looks at all its rows. */
SP_MUST_USE enum sp_status sp_rollup_count_operations(const struct sp_rollup *rollup,
                                                      struct sp_time_range range,
                                                      const struct sp_operation_filter *filter,
                                                      bool with_latency, struct sp_tally *tally,
                                                      struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_rollup_count_keys(const struct sp_rollup *rollup,
                                                struct sp_time_range range, uint32_t scopes,
                                                struct sp_slice prefix, struct sp_tally *tally,
                                                struct sp_error *reterr);

/* ---- for the files of the rollup ---- */

/* The minute that a minute counts for. */
static inline uint32_t sp_rollup_minute_of(uint32_t minutes_a_row, uint32_t minute)
{
    return minutes_a_row > 1 ? minute - minute % minutes_a_row : minute;
}

/* Numbers, made when new. SP_INTERNER_NONE: no memory. */
uint32_t sp_rollup_series_number(struct sp_rollup *rollup, struct sp_slice service,
                                 struct sp_slice name, int32_t kind);
uint32_t sp_rollup_key_number(struct sp_rollup *rollup, struct sp_slice key, int32_t number);
/* The row of a minute and series, made when new. UINT32_MAX: no memory, or too many. */
uint32_t sp_rollup_row_number(struct sp_rollup *rollup, uint32_t minute, uint32_t series);
enum sp_status sp_rollup_failed(struct sp_error *reterr); /* SP_NO_MEMORY */

static inline const struct sp_rollup_series *sp_rollup_series_at(const struct sp_rollup *rollup,
                                                                 uint32_t number)
{
    return (const struct sp_rollup_series *)(const void *)rollup->series.texts.items[number].ptr;
}

static inline const struct sp_rollup_key *sp_rollup_key_at(const struct sp_rollup *rollup,
                                                           uint32_t number)
{
    return (const struct sp_rollup_key *)(const void *)rollup->keys.texts.items[number].ptr;
}

static inline struct sp_slice sp_rollup_text(const struct sp_rollup *rollup, uint32_t number)
{
    return rollup->texts.texts.items[number];
}

/* Adds the values of a row's histogram that are known as sums. */
static inline void sp_rollup_row_add(struct sp_rollup_row *row, uint64_t calls, uint64_t errors,
                                     uint64_t sum_ns, uint64_t min_ns, uint64_t max_ns)
{
    if (calls == 0)
        return;
    row->min_ns = row->calls == 0 || min_ns < row->min_ns ? min_ns : row->min_ns;
    row->max_ns = max_ns > row->max_ns ? max_ns : row->max_ns;
    row->calls += calls;
    row->errors += errors;
    row->sum_ns += sum_ns;
}
