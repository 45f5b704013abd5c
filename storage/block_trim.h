/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_trim.h: spans of a block with no more than what somebody looks at (struct sp_span_want), for who reads very many
 * traces in the order of their ids. What rows of one template share is made once a block; of the rest only the columns
 * that are wanted are walked along, front to back. Nothing is copied: spans point into the block. Internal to storage/. Knows neither disks
 * nor engines. */
#pragma once

#include "storage/block.h"
#include "storage/storage.h"

struct sp_block_trim {
    const struct sp_span_want *want; /* borrowed */
    /* of the present block */
    const struct sp_block *block;
    struct sp_arena arena;         /* of all below */
    struct sp_span *templates;     /* what each template says of its rows */
    struct sp_trimmed_row *wanted; /* and which columns of its rows are wanted */
    uint32_t *positions;           /* of each column: its next value */
    uint32_t *
        first_links; /* of each value of the column of link counts; one more. NULL: not wanted, or there are none */
    uint32_t next_row; /* that the positions are of */
    bool walks;        /* is there a column that is wanted? */
};

void sp_block_trim_init(struct sp_block_trim *trim, const struct sp_span_want *want);
void sp_block_trim_fini(struct sp_block_trim *trim);

/* Have the rows of a block to be read with the values of this column? */
bool sp_block_trim_needs(const struct sp_block_trim *trim, const struct sp_column *column);

/* Begins with a block that outlives the use of its spans: traces, ids, starts, ends, the templates of its rows and the columns that are
 * needed are there. SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_block_trim_open(struct sp_block_trim *trim,
                                              const struct sp_block *block,
                                              struct sp_error *reterr);

/* Spans of rows [first, first + count), which are not before those of the last call and of one trace. arena: for lists.
 * SP_LIMIT: of the arena.   SP_CORRUPT: a packed value is not one. */
SP_MUST_USE enum sp_status sp_block_trim_spans(struct sp_block_trim *trim,
                                               const struct sp_trace_id *trace_id, uint32_t first,
                                               uint32_t count, struct sp_arena *arena,
                                               struct sp_span *spans, struct sp_error *reterr);
