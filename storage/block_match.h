/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_match.h: which rows of a block a scan is about: exactly those whose spans start in its range and
 * sp_scan_matches. Internal to storage/. Knows neither disks nor engines.
 *
 * A condition is decided as early as possible: by what resources and columns the block has, by what is known of a column's
 * values, by its texts, once for each template, and only then row by row, the cheapest condition first. What an earlier step
 * has decided is not loaded. */
#pragma once

#include "storage/block_view.h"
#include "storage/storage.h"
#include "storage/value_set.h"

/* One scan, one block after the other, one thread at a time. */
struct sp_block_match {
    const struct sp_scan *scan; /* borrowed */
    struct sp_value_set *sets;  /* one for each condition */
    struct sp_arena arena;      /* of one block */
    struct sp_arena unpacked;   /* of one packed value */

    /* the answer of the last block, valid until the next */
    enum sp_share share;  /* of its rows */
    const uint64_t *rows; /* SOME: those, as storage/bitmap.h */
};

/* SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_block_match_init(struct sp_block_match *match,
                                               const struct sp_scan *scan, struct sp_error *reterr);
void sp_block_match_fini(struct sp_block_match *match);

/* Sets match->share and rows. SP_NO_MEMORY; SP_CORRUPT: a packed value is not one; and errors of loading. */
SP_MUST_USE enum sp_status sp_block_match_run(struct sp_block_match *match,
                                              struct sp_block_view *view, struct sp_error *reterr);

struct sp_match_trace {
    uint32_t trace;                /* number in the block */
    uint64_t newest_start_unix_ns; /* of its rows here that match */
};

/* The traces with a row that matched in the last run, ascending; ret has room for all of the block's. */
SP_MUST_USE enum sp_status sp_block_match_traces(const struct sp_block_match *match,
                                                 struct sp_block_view *view,
                                                 struct sp_match_trace *ret, uint32_t *ret_count,
                                                 struct sp_error *reterr);
