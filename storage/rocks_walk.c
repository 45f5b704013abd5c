/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_walk.c: parts gone through in step with ascending ids, so that each block is looked at once. Knows the database through
 * kv.h only. */
#include "storage/rocks_view.h"

/* Of the traces of a segment: when so large a part is asked for, most of its blocks are read anyway. */
#define DENSE_PART 16

enum sp_status sp_part_walk_init(struct sp_part_walk *walk, const struct sp_rocks_part *part,
                                 const struct sp_rocks_view *view, size_t id_count,
                                 struct sp_error *reterr)
{
    const struct sp_segment *segment = part->segment;
    *walk = (struct sp_part_walk){.dense = segment != NULL &&
                                           id_count >= segment->trace_count / DENSE_PART};
    return sp_part_cursor_init(&walk->cursor, part, view, reterr);
}

void sp_part_walk_fini(struct sp_part_walk *walk)
{
    sp_part_cursor_fini(&walk->cursor);
}

void sp_part_walk_find(struct sp_part_walk *walk, const struct sp_trace_id *id, uint64_t hash,
                       uint32_t *ret_first, uint32_t *ret_end)
{
    const struct sp_segment *segment = walk->cursor.part->segment;
    *ret_first = 0;
    *ret_end = 1;
    if (segment == NULL)
        return;
    if (!walk->dense) {
        sp_segment_find(segment, id, hash, ret_first, ret_end);
        return;
    }
    uint32_t block = walk->block;
    while (block < segment->block_count &&
           sp_trace_id_compare(&segment->blocks[block].last, id) < 0)
        block++;
    *ret_first = *ret_end = walk->block = block;
    while (*ret_end < segment->block_count &&
           sp_trace_id_compare(&segment->blocks[*ret_end].first, id) <= 0)
        ++*ret_end;
}

/* A step or two, mostly; otherwise by halves. */
static uint32_t find_rows(struct sp_part_walk *walk, const struct sp_trace_id *id,
                          uint32_t *ret_first)
{
    const struct sp_block *block = walk->cursor.block;
    uint32_t from = walk->trace;
    uint32_t to = from;
    for (uint32_t step = 1; to < block->trace_count; step *= 2) {
        if (sp_trace_id_compare(&block->trace_ids[to], id) >= 0)
            break;
        from = to + 1;
        to = step < block->trace_count - to ? to + step : block->trace_count;
    }
    from = sp_block_trace_at(block, id, from, to);
    walk->trace = from;
    if (from == block->trace_count || sp_trace_id_compare(&block->trace_ids[from], id) != 0)
        return 0;
    *ret_first = block->trace_rows[from];
    return block->trace_rows[from + 1] - block->trace_rows[from];
}

enum sp_status sp_part_walk_rows(struct sp_part_walk *walk, uint32_t block_number,
                                 const struct sp_trace_id *id, uint32_t *ret_first,
                                 uint32_t *ret_count, struct sp_error *reterr)
{
    struct sp_part_cursor *cursor = &walk->cursor;
    if (cursor->block == NULL || cursor->block_number != block_number) {
        walk->trace = 0;
        walk->entered++;
    }
    enum sp_status status = sp_part_cursor_open(cursor, block_number, reterr);
    if (status == SP_OK)
        status = sp_part_cursor_fixed(cursor, SP_CHUNK_TRACES, reterr);
    if (status == SP_OK)
        *ret_count = find_rows(walk, id, ret_first);
    return status;
}
