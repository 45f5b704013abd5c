/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/scan_also.h: what a scan asks of whole traces: that they are among some, and that they have, whenever it starts, a span that satisfies
 * other conditions as well. Of the traces of a block those are left out of which the store knows that they have none, in that block and
 * wherever else they may be. Internal to storage/. */
#pragma once

#include "storage/block_match.h"
#include "storage/rocks_view.h"
#include "storage/value_ask.h"

struct sp_scan_also {
    const struct sp_scan *scan;
    const struct sp_rocks_view *view;
    struct sp_value_reader *values;
    struct sp_block_match *matches; /* heap; one for each of scan->also */
    size_t match_count;
    /* heap; of each of scan->also, of each part: bits of the blocks that may have such a span; NULL: not asked yet */
    uint64_t **blocks;
    uint64_t *hashes; /* heap; of scan->trace_ids */
};

/* Borrows all it is given. SP_NO_MEMORY: to be given back all the same. */
SP_MUST_USE enum sp_status sp_scan_also_init(struct sp_scan_also *also, const struct sp_scan *scan,
                                             const struct sp_rocks_view *view,
                                             struct sp_value_reader *values,
                                             struct sp_error *reterr);
void sp_scan_also_fini(struct sp_scan_also *also); /* of a zeroed one, too */

/* May a block have one of the traces that are asked for? */
bool sp_scan_also_may_have_ids(const struct sp_scan_also *also, const struct sp_part_cursor *cursor,
                               uint32_t block_number);

/* Leaves those of the traces found in the cursor's block that may be candidates. */
SP_MUST_USE enum sp_status sp_scan_also_keep(struct sp_scan_also *also,
                                             const struct sp_part_cursor *cursor,
                                             struct sp_block_view *view,
                                             struct sp_match_trace *traces, uint32_t *count,
                                             struct sp_error *reterr);
