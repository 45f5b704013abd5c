/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/parents.h: the parents of the rows of a block as small numbers instead of ids. Internal to the block codec. Knows no
 * bytes on disk.
 *
 *   0        no parent (a zero id)
 *   1        an id that no row of the trace has: a raw id, in row order
 *   2 + n    the row at a distance from where it is expected, n = zigzag(row - expected): the first row of the trace that
 *            has the id. Expected is the last parent that was found in this trace, at first the row itself.
 *
 * Siblings come in a row, so most numbers are 2. Ids that occur twice, rows that are their own parents, and circles come back
 * as they were. */
#pragma once

#include "storage/block.h"
#include "storage/vector.h"

/* Scratch memory of the writer; zero-initialised is empty. */
struct sp_parents {
    SP_VECTOR(uint32_t) references;   /* of each row */
    SP_VECTOR(struct sp_span_id) raw; /* ids that the references do not give */
    SP_VECTOR(uint32_t) slots;        /* of the ids of a trace */
    uint64_t seed;                    /* of the slots: ids come from the network */
};
void sp_parents_init(struct sp_parents *parents);
void sp_parents_fini(struct sp_parents *parents);

/* Fills references and raw. False: no memory. Linear in the rows. */
SP_MUST_USE bool sp_parents_find(struct sp_parents *parents, const struct sp_block *block);

/* How many references are to raw ids. */
uint32_t sp_parents_count_raw(const uint32_t *references, uint32_t count);

/* The ids of the parents from references, raw, and from traces and span ids of the block. False: a reference leads out of
 * its trace. raw has as many ids as were counted. */
SP_MUST_USE bool sp_parents_restore(const struct sp_block *block, const uint32_t *references,
                                    const struct sp_span_id *raw, struct sp_span_id *ret);
