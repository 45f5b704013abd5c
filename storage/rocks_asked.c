/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_asked.c: whole traces that are asked for, in the order of their ids, which is the order of the rows in every part: with
 * everything, copied out of shared blocks, or with no more than is wanted, out of blocks of which only that is loaded. Knows
 * the database through kv.h only. */
#include "storage/block_trim.h"
#include "storage/rocks.h"

/* One part on the way from its first block to its last. */
struct asked_part {
    struct sp_part_cursor cursor;
    struct sp_block_trim trim;
    bool dense;     /* many of its traces are asked for: its filter would tell little */
    uint32_t block; /* dense: none before it holds a trace that is still to come */
    bool trimmed;   /* is trim at the cursor's block? */
    uint32_t trace; /* of that block: so many are behind us */
};

/* Of the traces of a segment: when so large a part is asked for, most of its blocks are read anyway. */
#define DENSE_PART 16

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
        const struct sp_segment *segment = view->parts[i].segment;
        part->dense = segment != NULL && id_count >= segment->trace_count / DENSE_PART;
        sp_block_trim_init(&part->trim, want);
        status = sp_part_cursor_init(&part->cursor, &view->parts[i], view, reterr);
        if (status == SP_OK && want != NULL && segment != NULL)
            sp_block_reader_stream(&part->cursor.reader);
        asked->count = i + 1;
    }
    return status;
}

static void asked_fini(struct asked *asked)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        sp_block_trim_fini(&asked->parts[i].trim);
        sp_part_cursor_fini(&asked->parts[i].cursor);
    }
    free(asked->parts);
}

/* ---- with what is wanted ---- */

/* Loads what the spans of the cursor's block need. */
static enum sp_status open_trimmed(struct asked_part *part, struct sp_error *reterr)
{
    static const enum sp_chunk fixed[] = {SP_CHUNK_SPAN_IDS, SP_CHUNK_PARENT_IDS, SP_CHUNK_STARTS,
                                          SP_CHUNK_ENDS, SP_CHUNK_SPAN_TEMPLATES};
    struct sp_part_cursor *cursor = &part->cursor;
    enum sp_status status = SP_OK;
    part->trimmed = false;
    for (size_t i = 0; i < SP_ARRAY_LEN(fixed) && status == SP_OK; i++)
        status = sp_part_cursor_fixed(cursor, fixed[i], reterr);
    for (uint32_t c = 0; c < cursor->block->column_count && status == SP_OK; c++)
        if (sp_block_trim_needs(&part->trim, &cursor->block->columns[c]))
            status = sp_part_cursor_column(cursor, c, reterr);
    if (status == SP_OK)
        status = sp_block_trim_open(&part->trim, cursor->block, reterr);
    part->trimmed = status == SP_OK;
    return status;
}

/* The rows of a trace in a block, behind those of the traces before. A step or two, mostly; otherwise by halves. */
static uint32_t find_rows(struct asked_part *part, const struct sp_trace_id *id,
                          uint32_t *ret_first)
{
    const struct sp_block *block = part->cursor.block;
    uint32_t from = part->trace;
    uint32_t to = from;
    for (uint32_t step = 1; to < block->trace_count; step *= 2) {
        if (sp_trace_id_compare(&block->trace_ids[to], id) >= 0)
            break;
        from = to + 1;
        to = step < block->trace_count - to ? to + step : block->trace_count;
    }
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (sp_trace_id_compare(&block->trace_ids[middle], id) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    part->trace = from;
    if (from == block->trace_count || sp_trace_id_compare(&block->trace_ids[from], id) != 0)
        return 0;
    *ret_first = block->trace_rows[from];
    return block->trace_rows[from + 1] - block->trace_rows[from];
}

/* Adds the rows of a trace in one block. */
static enum sp_status collect_block(struct asked_part *part, uint32_t block_number,
                                    const struct sp_trace_id *id, struct sp_rocks_spans *collected,
                                    struct sp_error *reterr)
{
    struct sp_part_cursor *cursor = &part->cursor;
    uint32_t first;
    if (cursor->block == NULL || cursor->block_number != block_number)
        part->trace = 0, part->trimmed = false;
    enum sp_status status = sp_part_cursor_open(cursor, block_number, reterr);
    if (status == SP_OK)
        status = sp_part_cursor_fixed(cursor, SP_CHUNK_TRACES, reterr);
    uint32_t count = status == SP_OK ? find_rows(part, id, &first) : 0;
    if (count == 0)
        return status;
    if (!part->trimmed)
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

/* The blocks [*ret_first, *ret_end) of a segment that may hold a trace behind those before. */
static void find_blocks(struct asked_part *part, const struct sp_trace_id *id, uint64_t hash,
                        uint32_t *ret_first, uint32_t *ret_end)
{
    const struct sp_segment *segment = part->cursor.part->segment;
    *ret_first = *ret_end = 0;
    if (!part->dense) {
        sp_segment_find(segment, id, hash, ret_first, ret_end);
        return;
    }
    uint32_t block = part->block;
    while (block < segment->block_count &&
           sp_trace_id_compare(&segment->blocks[block].last, id) < 0)
        block++;
    *ret_first = *ret_end = part->block = block;
    while (*ret_end < segment->block_count &&
           sp_trace_id_compare(&segment->blocks[*ret_end].first, id) <= 0)
        ++*ret_end;
}

static enum sp_status collect_trimmed(struct asked_part *part, const struct sp_trace_id *id,
                                      uint64_t hash, struct sp_rocks_spans *collected,
                                      struct sp_error *reterr)
{
    uint32_t block = 0;
    uint32_t end = 1;
    enum sp_status status = SP_OK;
    if (part->cursor.part->segment != NULL)
        find_blocks(part, id, hash, &block, &end);
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
            status = sp_part_cursor_collect(&part->cursor, id, hash, &collected, reterr);
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
