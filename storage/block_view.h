/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_view.h: a block whose parts come when they are asked for. Who reads one asks for a part before he looks at
 * it; a block in memory has them all, one on disk loads it. So a question costs what it looks at, and says it nowhere twice.
 * Internal to storage/. Knows neither disks nor engines. */
#pragma once

#include "storage/bitmap.h"
#include "storage/block.h"
#include "storage/storage.h"

/* What a block on disk can be without. The head (templates, names, resources, scopes, columns without values) is always there. */
enum sp_block_part {
    SP_PART_TRACES,        /* trace_ids, trace_rows */
    SP_PART_SPAN_IDS,      /* span_ids */
    SP_PART_STARTS,        /* starts */
    SP_PART_DURATIONS,     /* starts and ends, or the view's durations */
    SP_PART_ROW_TEMPLATES, /* of table number */
    SP_PART_LINKS,         /* link_trace_ids and link_span_ids */
    SP_PART_DICTIONARY,    /* of column number: its texts, without its codes */
    SP_PART_VALUES, /* of column number: all; a dictionary that was there keeps its numbers */
};

struct sp_block_head; /* storage/block_codec.h */

struct sp_block_view {
    const struct sp_block *block; /* what is not there is NULL */
    const struct sp_block_head
        *head; /* what is known of its columns without their values; NULL: nothing */
    /* end - start of each row modulo 2^64; NULL when it is not there, or starts and ends are */
    const uint64_t *durations;
    /* Makes a part be there, in *block or here. An error ends the reading and is handed on. NULL: all is there. */
    enum sp_status (*load)(struct sp_block_view *view, enum sp_block_part part, uint32_t number,
                           struct sp_error *reterr);
    void *cookie;
};

/* The parts as their reader wants them: loaded if they were not there. Nothing is loaded that has no content. */
SP_MUST_USE enum sp_status sp_block_view_traces(struct sp_block_view *view,
                                                struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_block_view_span_ids(struct sp_block_view *view,
                                                  struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_block_view_starts(struct sp_block_view *view,
                                                struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_block_view_rows(struct sp_block_view *view, enum sp_block_table table,
                                              struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_block_view_links(struct sp_block_view *view, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_block_view_dictionary(struct sp_block_view *view, uint32_t column,
                                                    struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_block_view_values(struct sp_block_view *view, uint32_t column,
                                                struct sp_error *reterr);

/* The duration of every row as sp_span_duration_ns; the view's memory or the arena's. SP_LIMIT: the arena is full. */
SP_MUST_USE enum sp_status sp_block_view_durations(struct sp_block_view *view,
                                                   struct sp_arena *arena, const uint64_t **ret,
                                                   struct sp_error *reterr);

/* How many of a block's rows start in a range, as far as the block's first and last start tell. */
enum sp_share sp_block_share_in_range(const struct sp_block *block, struct sp_time_range range);

/* Takes the rows out that do not start in range. */
SP_MUST_USE enum sp_status sp_block_view_keep_range(struct sp_block_view *view,
                                                    struct sp_time_range range, uint64_t *rows,
                                                    struct sp_error *reterr);
