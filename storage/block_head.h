/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_head.h: the content of a block's head, not yet compressed, and back. Internal to the block codec. */
#pragma once

#include "storage/block_codec.h"
#include "storage/interner.h"

/* The names that templates use: numbers in the block's dictionary to numbers in the list written, and that list. */
struct sp_head_names {
    const uint32_t *numbers;
    const struct sp_slice *texts;
    uint32_t count;
};

/* shapes is scratch: empty. SP_NO_MEMORY sticks in out. */
void sp_block_head_write(const struct sp_block_head *head, const struct sp_head_names *names,
                         struct sp_interner *shapes, struct sp_buf *out);

/* Texts point into plain, which is the arena's. SP_CORRUPT, SP_LIMIT. */
SP_MUST_USE enum sp_status sp_block_head_read(struct sp_slice plain, struct sp_arena *arena,
                                              struct sp_block_head *ret);
/* Only what stands before the texts: numbers of rows and traces, and ranges. SP_CORRUPT */
SP_MUST_USE enum sp_status sp_block_head_read_counts(struct sp_slice plain,
                                                     struct sp_block_head *ret);
