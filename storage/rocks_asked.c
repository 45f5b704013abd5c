/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_asked.c: whole traces that are asked for, in the order of their ids, which is the order of the rows in every part: with
 * everything, copied out of shared blocks, or with no more than is wanted, out of blocks of which only that is loaded. Knows
 * the database through kv.h only. */
#include "storage/block_trim.h"
#include "storage/rocks_view.h"

/* One part on the way from its first block to its last. */
struct asked_part {
    struct sp_part_walk walk;
    struct sp_block_trim trim;
    uint32_t trimmed; /* walk.entered when trim was opened: is it at the block at hand? */
};

struct asked {
    const struct sp_traces_reader *reader;
    struct asked_part *parts;
    uint32_t count;
};

static enum sp_status asked_init(struct asked *asked, const struct sp_rocks_view *view,
                                 size_t id_count, struct sp_error *reterr)
{
    const struct sp_span_want *want = asked->reader->want;
    enum sp_status status = SP_OK;
    asked->parts = calloc((size_t)view->part_count + 1, sizeof(*asked->parts));
    if (asked->parts == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        struct asked_part *part = &asked->parts[i];
        sp_block_trim_init(&part->trim, want);
        status = sp_part_walk_init(&part->walk, &view->parts[i], view, id_count, reterr);
        if (status == SP_OK && want != NULL && view->parts[i].segment != NULL)
            sp_block_reader_stream(&part->walk.cursor.reader);
        asked->count = i + 1;
    }
    return status;
}

static void asked_fini(struct asked *asked)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        sp_block_trim_fini(&asked->parts[i].trim);
        sp_part_walk_fini(&asked->parts[i].walk);
    }
    free(asked->parts);
}

/* ---- with what is wanted ---- */

/* Loads what the spans of the cursor's block need. */
static enum sp_status open_trimmed(struct asked_part *part, struct sp_error *reterr)
{
    static const enum sp_chunk fixed[] = {SP_CHUNK_SPAN_IDS, SP_CHUNK_PARENT_IDS, SP_CHUNK_STARTS,
                                          SP_CHUNK_ENDS, SP_CHUNK_SPAN_TEMPLATES};
    struct sp_part_cursor *cursor = &part->walk.cursor;
    enum sp_status status = SP_OK;
    part->trimmed = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(fixed) && status == SP_OK; i++)
        status = sp_part_cursor_fixed(cursor, fixed[i], reterr);
    if (status == SP_OK && part->trim.want->links &&
        cursor->block->tables[SP_BLOCK_LINKS].count > 0)
        status = sp_part_cursor_fixed(cursor, SP_CHUNK_LINK_IDS, reterr);
    for (uint32_t c = 0; c < cursor->block->column_count && status == SP_OK; c++)
        if (sp_block_trim_needs(&part->trim, &cursor->block->columns[c]))
            status = sp_part_cursor_column(cursor, c, reterr);
    if (status == SP_OK)
        status = sp_block_trim_open(&part->trim, cursor->block, reterr);
    part->trimmed = status == SP_OK ? part->walk.entered : 0;
    return status;
}

/* Adds the rows of a trace in one block. */
static enum sp_status collect_block(struct asked_part *part, uint32_t block_number,
                                    const struct sp_trace_id *id, struct sp_rocks_spans *collected,
                                    struct sp_error *reterr)
{
    uint32_t first = 0;
    uint32_t count = 0;
    enum sp_status status =
        sp_part_walk_rows(&part->walk, block_number, id, &first, &count, reterr);
    if (status != SP_OK || count == 0)
        return status;
    if (part->trimmed != part->walk.entered)
        status = open_trimmed(part, reterr);
    if (status == SP_OK)
        status = sp_rocks_spans_reserve(collected, count, reterr);
    if (status == SP_OK)
        status = sp_block_trim_spans(&part->trim, id, first, count, collected->arena,
                                     collected->spans + collected->count, reterr);
    collected->count += status == SP_OK ? count : 0;
    return status;
}

/* The same, copied: the next block takes the place of this one. */
static enum sp_status copy_block(struct asked_part *part, uint32_t block_number,
                                 const struct sp_trace_id *id, struct sp_rocks_spans *collected,
                                 struct sp_error *reterr)
{
    struct sp_rocks_spans own = {.arena = collected->arena};
    const struct sp_batch *copy;
    enum sp_status status = collect_block(part, block_number, id, &own, reterr);
    if (status != SP_OK || own.count == 0)
        return status;
    const struct sp_span **spans =
        sp_arena_calloc(own.arena, own.count, sizeof(const struct sp_span *));
    for (size_t i = 0; i < own.count && spans != NULL; i++)
        spans[i] = &own.spans[i];
    if (spans == NULL || sp_batch_copy(own.arena, spans, own.count, &copy) != SP_OK)
        return sp_arena_failed(own.arena, reterr,
                               "the trace does not fit into this query's memory");
    return sp_rocks_spans_add(collected, copy->spans, copy->span_count, reterr);
}

static enum sp_status collect_trimmed(struct asked_part *part, const struct sp_trace_id *id,
                                      uint64_t hash, struct sp_rocks_spans *collected,
                                      struct sp_error *reterr)
{
    uint32_t block;
    uint32_t end;
    enum sp_status status = SP_OK;
    sp_part_walk_find(&part->walk, id, hash, &block, &end);
    for (; block < end && status == SP_OK; block++) {
        if (block + 1 < end)
            status = copy_block(part, block, id, collected, reterr);
        else
            status = collect_block(part, block, id, collected, reterr);
    }
    return status;
}

/* ---- one trace after the other ---- */

static enum sp_status read_trace(struct asked *asked, const struct sp_trace_id *id,
                                 struct sp_batch *ret, struct sp_error *reterr)
{
    struct sp_rocks_spans collected = {.arena = asked->reader->arena};
    uint64_t hash = sp_filter_hash(id);
    enum sp_status status = SP_OK;
    sp_arena_reset(collected.arena);
    for (uint32_t i = 0; i < asked->count && status == SP_OK; i++) {
        struct asked_part *part = &asked->parts[i];
        if (asked->reader->want != NULL)
            status = collect_trimmed(part, id, hash, &collected, reterr);
        else
            status = sp_part_cursor_collect(&part->walk.cursor, id, hash, &collected, reterr);
    }
    *ret = (struct sp_batch){.spans = collected.spans, .span_count = collected.count};
    return status;
}

static enum sp_status read_all(struct asked *asked, const struct sp_trace_id *ids, size_t count,
                               struct sp_error *reterr)
{
    const struct sp_traces_reader *reader = asked->reader;
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        struct sp_batch trace;
        status = sp_stop_ask(reader->stop, reterr);
        if (status == SP_OK)
            status = read_trace(asked, &ids[i], &trace, reterr);
        if (status == SP_OK && trace.span_count > 0)
            status = reader->visit(reader->cookie, &ids[i], &trace, reterr);
    }
    return status;
}

enum sp_status sp_rocks_traces_read(struct sp_store *store, const struct sp_trace_id *ids,
                                    size_t count, const struct sp_traces_reader *reader,
                                    struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct asked asked = {.reader = reader};
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_view_flatten(&view, reterr);
    if (status == SP_OK) {
        status = asked_init(&asked, &view, count, reterr);
        if (status == SP_OK)
            status = read_all(&asked, ids, count, reterr);
        asked_fini(&asked);
    }
    sp_rocks_view_close(&view);
    return status;
}
