/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_cursor.c: segments and blocks in memory, read the same way. Knows the database through kv.h only. */
#include "storage/rocks_view.h"

enum sp_status sp_part_cursor_init(struct sp_part_cursor *cursor, const struct sp_rocks_part *part,
                                   const struct sp_rocks_view *view, struct sp_error *reterr)
{
    *cursor = (struct sp_part_cursor){.part = part, .cache = view->rocks->cache, .block_count = 1};
    if (part->memory != NULL)
        return SP_OK;
    cursor->block_count = part->segment->block_count;
    return sp_block_reader_init(&cursor->reader, view->kv, reterr);
}

void sp_part_cursor_fini(struct sp_part_cursor *cursor)
{
    if (cursor->part != NULL && cursor->part->segment != NULL)
        sp_block_reader_fini(&cursor->reader);
    *cursor = (struct sp_part_cursor){0};
}

struct sp_segment_block sp_part_cursor_info(const struct sp_part_cursor *cursor,
                                            uint32_t block_number)
{
    if (cursor->part->segment != NULL)
        return cursor->part->segment->blocks[block_number];
    const struct sp_block *block = &cursor->part->memory->block;
    return (struct sp_segment_block){.first = block->trace_ids[0],
                                     .last = block->trace_ids[block->trace_count - 1],
                                     .rows = block->tables[SP_BLOCK_SPANS].count,
                                     .start_min_unix_ns = block->start_min_unix_ns,
                                     .start_max_unix_ns = block->start_max_unix_ns};
}

enum sp_status sp_part_cursor_open(struct sp_part_cursor *cursor, uint32_t block_number,
                                   struct sp_error *reterr)
{
    if (cursor->block != NULL && cursor->block_number == block_number)
        return SP_OK;
    cursor->block = NULL;
    cursor->block_number = block_number;
    if (cursor->part->memory != NULL) {
        cursor->block = &cursor->part->memory->block;
        return SP_OK;
    }
    enum sp_status status =
        sp_block_reader_open(&cursor->reader, cursor->part->segment, block_number, reterr);
    if (status == SP_OK)
        cursor->block = &cursor->reader.block;
    return status;
}

enum sp_status sp_part_cursor_fixed(struct sp_part_cursor *cursor, enum sp_chunk which,
                                    struct sp_error *reterr)
{
    return cursor->part->memory != NULL ? SP_OK
                                        : sp_block_reader_fixed(&cursor->reader, which, reterr);
}

enum sp_status sp_part_cursor_column(struct sp_part_cursor *cursor, uint32_t column,
                                     struct sp_error *reterr)
{
    return cursor->part->memory != NULL ? SP_OK
                                        : sp_block_reader_column(&cursor->reader, column, reterr);
}

enum sp_status sp_part_cursor_all(struct sp_part_cursor *cursor, struct sp_error *reterr)
{
    return cursor->part->memory != NULL ? SP_OK : sp_block_reader_all(&cursor->reader, reterr);
}

void sp_part_cursor_view(struct sp_part_cursor *cursor, struct sp_block_view *ret)
{
    if (cursor->part->memory != NULL)
        *ret = (struct sp_block_view){.block = cursor->block};
    else
        sp_block_reader_view(&cursor->reader, ret);
}

enum sp_status sp_part_cursor_find(struct sp_part_cursor *cursor, uint32_t block_number,
                                   const struct sp_trace_id *id, uint32_t *ret_first,
                                   uint32_t *ret_count, struct sp_error *reterr)
{
    enum sp_status status = sp_part_cursor_open(cursor, block_number, reterr);
    if (status == SP_OK)
        status = sp_part_cursor_fixed(cursor, SP_CHUNK_TRACES, reterr);
    if (status == SP_OK)
        *ret_count = sp_block_find(cursor->block, id, ret_first);
    return status;
}

/* ---- spans of a trace ---- */

enum sp_status sp_rocks_spans_reserve(struct sp_rocks_spans *collected, size_t count,
                                      struct sp_error *reterr)
{
    if (count <= collected->cap - collected->count)
        return SP_OK;
    size_t wanted = collected->count + count;
    size_t cap = collected->cap * 2 > wanted ? collected->cap * 2 : wanted;
    struct sp_span *grown =
        sp_arena_grow(collected->arena, collected->spans,
                      collected->cap * sizeof(*collected->spans), cap * sizeof(*grown));
    if (grown == NULL)
        return sp_arena_failed(collected->arena, reterr,
                               "the trace does not fit into this query's memory");
    collected->spans = grown;
    collected->cap = cap;
    return SP_OK;
}

enum sp_status sp_rocks_spans_add(struct sp_rocks_spans *collected, const struct sp_span *spans,
                                  size_t count, struct sp_error *reterr)
{
    enum sp_status status = sp_rocks_spans_reserve(collected, count, reterr);
    if (status == SP_OK && count > 0) {
        memcpy(collected->spans + collected->count, spans, count * sizeof(*spans));
        collected->count += count;
    }
    return status;
}

static enum sp_status add_rows(const struct sp_block *block, uint32_t first, uint32_t count,
                               struct sp_rocks_spans *collected, struct sp_error *reterr)
{
    enum sp_status status = sp_rocks_spans_reserve(collected, count, reterr);
    if (status == SP_OK && count > 0)
        status = sp_block_spans(block, first, count, true, collected->arena,
                                collected->spans + collected->count, reterr);
    collected->count += status == SP_OK ? count : 0;
    return status;
}

static enum sp_status collect_block(struct sp_part_cursor *cursor, uint32_t block_number,
                                    const struct sp_trace_id *id, struct sp_rocks_spans *collected,
                                    struct sp_error *reterr)
{
    uint32_t first = 0;
    enum sp_status status = SP_OK;
    struct sp_block_shared *shared = cursor->part->memory;
    cursor->block = NULL; /* the reader is going to be at another one */
    if (shared != NULL)
        sp_block_ref(shared);
    else
        status = sp_block_cache_get(cursor->cache, &cursor->reader, cursor->part->segment,
                                    block_number, &shared, reterr);
    if (status != SP_OK)
        return status;
    uint32_t count = sp_block_find(&shared->block, id, &first);
    status = add_rows(&shared->block, first, count, collected, reterr);
    sp_block_unref(shared);
    return status;
}

enum sp_status sp_part_cursor_collect(struct sp_part_cursor *cursor, const struct sp_trace_id *id,
                                      uint64_t hash, struct sp_rocks_spans *collected,
                                      struct sp_error *reterr)
{
    uint32_t first = 0;
    uint32_t end = 1;
    if (cursor->part->segment != NULL)
        sp_segment_find(cursor->part->segment, id, hash, &first, &end);
    enum sp_status status = SP_OK;
    for (uint32_t b = first; b < end && status == SP_OK; b++)
        status = collect_block(cursor, b, id, collected, reterr);
    return status;
}

enum sp_status sp_part_cursor_collect_one(struct sp_part_cursor *cursor,
                                          const struct sp_trace_id *id, uint64_t hash,
                                          struct sp_rocks_spans *collected, struct sp_error *reterr)
{
    uint32_t first = 0;
    uint32_t end = 1;
    bool in_memory = cursor->part->segment == NULL;
    if (!in_memory) {
        sp_segment_find(cursor->part->segment, id, hash, &first, &end);
        sp_block_reader_stream(&cursor->reader);
    }
    enum sp_status status = SP_OK;
    for (uint32_t b = first; b < end && status == SP_OK; b++) {
        uint32_t row;
        uint32_t count = 0;
        status = sp_part_cursor_find(cursor, b, id, &row, &count, reterr);
        if (status == SP_OK && count > 0 && !in_memory)
            status = sp_block_reader_rows(&cursor->reader, row, count, reterr);
        if (status == SP_OK && count > 0)
            status = add_rows(cursor->block, row, count, collected, reterr);
    }
    return status;
}
