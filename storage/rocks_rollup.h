/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_rollup.h: what is known of segments by minute, and by hour: how it is made, stored and counted. Internal to
 * storage/rocks_*.c. */
#pragma once

#include "storage/rocks.h"

/* ---- rocks_rollup.c: what is known of a segment by minute ---- */

/* Stays where it is: the counter points into it. */
struct sp_rocks_rollups {
    struct sp_rollup counts;
    struct sp_edge_rollup edges;
    struct sp_edge_counter *counter; /* of the blocks that are added */
};

SP_MUST_USE enum sp_status sp_rocks_rollups_init(struct sp_rocks_rollups *rollups,
                                                 struct sp_error *reterr);
void sp_rocks_rollups_fini(struct sp_rocks_rollups *rollups);

/* The next block of the new segment, in order: when one is sealed. */
SP_MUST_USE enum sp_status sp_rocks_rollups_add_block(struct sp_rocks_rollups *rollups,
                                                      const struct sp_block *block,
                                                      struct sp_error *reterr);
/* All that is known of a stored segment: when several are merged, in any order. SP_CORRUPT names it. */
SP_MUST_USE enum sp_status sp_rocks_rollups_add_segment(struct sp_rocks_rollups *rollups,
                                                        struct sp_kv *kv,
                                                        const struct sp_segment *segment,
                                                        struct sp_error *reterr);
/* What does not depend on other segments, into a batch that is written before the header, or with it. */
SP_MUST_USE enum sp_status sp_rocks_rollups_put_counts(const struct sp_rocks_rollups *rollups,
                                                       struct sp_kv *kv, struct sp_kv_batch *batch,
                                                       uint64_t segment_id,
                                                       struct sp_error *reterr);
/* The rest, into the batch that writes the header of the segment. */
SP_MUST_USE enum sp_status sp_rocks_rollups_put_edges(struct sp_rocks_rollups *rollups,
                                                      struct sp_kv *kv, struct sp_kv_batch *batch,
                                                      uint64_t segment_id, struct sp_error *reterr);

/* The stored counts of a segment. */
struct sp_rocks_counts {
    struct sp_buf bytes;
    struct sp_arena arena;
    struct sp_rollup_reader reader;
};

SP_MUST_USE enum sp_status sp_rocks_counts_open(struct sp_rocks_counts *counts, struct sp_kv *kv,
                                                const struct sp_segment *segment,
                                                struct sp_error *reterr);
void sp_rocks_counts_fini(
    struct sp_rocks_counts *counts); /* of one that could not be opened, too */

/* Adds the calls that a segment knows in the minutes of range. */
SP_MUST_USE enum sp_status sp_rocks_edges_read(struct sp_kv *kv, const struct sp_segment *segment,
                                               uint32_t version, struct sp_time_range range,
                                               struct sp_edge_rollup *into,
                                               struct sp_error *reterr);

/* ---- rocks_hours.c: the same for long ranges ---- */

struct sp_rocks_view;
struct sp_rocks_part;

/* Adds the calls that a segment of the view knows in range, widened to whole minutes. */
SP_MUST_USE enum sp_status sp_rocks_edges_count(const struct sp_rocks_view *view,
                                                const struct sp_rocks_part *part,
                                                struct sp_time_range range,
                                                struct sp_edge_rollup *into,
                                                struct sp_error *reterr);

/* Who reads counts: called for each part of a range, with the counts that know it by minute, or by hour. */
struct sp_rocks_counts_reader {
    enum sp_status (*read)(void *cookie, const struct sp_rollup_reader *reader,
                           struct sp_time_range range, struct sp_error *reterr);
    void *cookie;
};
/* range: whole minutes. */
SP_MUST_USE enum sp_status sp_rocks_counts_count(const struct sp_rocks_view *view,
                                                 struct sp_segment *segment,
                                                 struct sp_time_range range,
                                                 const struct sp_rocks_counts_reader *to,
                                                 struct sp_error *reterr);

SP_MUST_USE enum sp_status sp_rocks_edges_put(struct sp_kv *kv, struct sp_kv_batch *batch,
                                              uint64_t segment_id, uint32_t version,
                                              const struct sp_edge_rollup *edges,
                                              struct sp_error *reterr);
