/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_view.c: parts of a block are loaded when they are asked for. Knows neither disks nor engines. */
#include "storage/block_view.h"

static enum sp_status load(struct sp_block_view *view, enum sp_block_part part, uint32_t number,
                           struct sp_error *reterr)
{
    SP_ASSERT(view->load != NULL); /* a block in memory has all its parts */
    return view->load(view, part, number, reterr);
}

enum sp_status sp_block_view_traces(struct sp_block_view *view, struct sp_error *reterr)
{
    const struct sp_block *block = view->block;
    bool there = block->trace_count == 0 || (block->trace_ids != NULL && block->trace_rows != NULL);
    return there ? SP_OK : load(view, SP_PART_TRACES, 0, reterr);
}

enum sp_status sp_block_view_span_ids(struct sp_block_view *view, struct sp_error *reterr)
{
    const struct sp_block *block = view->block;
    bool there = block->tables[SP_BLOCK_SPANS].count == 0 || block->span_ids != NULL;
    return there ? SP_OK : load(view, SP_PART_SPAN_IDS, 0, reterr);
}

enum sp_status sp_block_view_starts(struct sp_block_view *view, struct sp_error *reterr)
{
    const struct sp_block *block = view->block;
    bool there = block->tables[SP_BLOCK_SPANS].count == 0 || block->starts != NULL;
    return there ? SP_OK : load(view, SP_PART_STARTS, 0, reterr);
}

enum sp_status sp_block_view_rows(struct sp_block_view *view, enum sp_block_table table,
                                  struct sp_error *reterr)
{
    const struct sp_block_rows *rows = &view->block->tables[table];
    bool there = rows->count == 0 || rows->templates != NULL;
    return there ? SP_OK : load(view, SP_PART_ROW_TEMPLATES, table, reterr);
}

enum sp_status sp_block_view_links(struct sp_block_view *view, struct sp_error *reterr)
{
    const struct sp_block *block = view->block;
    bool there = block->tables[SP_BLOCK_LINKS].count == 0 || block->link_trace_ids != NULL;
    return there ? SP_OK : load(view, SP_PART_LINKS, 0, reterr);
}

enum sp_status sp_block_view_dictionary(struct sp_block_view *view, uint32_t column,
                                        struct sp_error *reterr)
{
    const struct sp_column *values = &view->block->columns[column];
    bool there = values->count == 0 || values->dictionary != NULL;
    return there ? SP_OK : load(view, SP_PART_DICTIONARY, column, reterr);
}

enum sp_status sp_block_view_values(struct sp_block_view *view, uint32_t column,
                                    struct sp_error *reterr)
{
    const struct sp_column *values = &view->block->columns[column];
    bool there = values->count == 0 || values->kind == SP_VALUE_EMPTY || values->codes != NULL ||
                 values->numbers != NULL;
    return there ? SP_OK : load(view, SP_PART_VALUES, column, reterr);
}

static bool has_durations(const struct sp_block_view *view)
{
    return view->durations != NULL || (view->block->starts != NULL && view->block->ends != NULL);
}

/* Differences are durations unless the end lies before the start, which is where a start and its difference overflow. The
 * block's last start says that none does, as a rule; otherwise every start has to. */
static bool are_durations(const struct sp_block *block, const uint64_t *differences)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < block->tables[SP_BLOCK_SPANS].count; i++)
        largest = differences[i] > largest ? differences[i] : largest;
    return largest <= UINT64_MAX - block->start_max_unix_ns;
}

enum sp_status sp_block_view_durations(struct sp_block_view *view, struct sp_arena *arena,
                                       const uint64_t **ret, struct sp_error *reterr)
{
    const struct sp_block *block = view->block;
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    enum sp_status status = SP_OK;
    if (count > 0 && !has_durations(view))
        status = load(view, SP_PART_DURATIONS, 0, reterr);
    if (status == SP_OK && view->durations != NULL) {
        if (are_durations(block, view->durations)) {
            *ret = view->durations;
            return SP_OK;
        }
        status = sp_block_view_starts(view, reterr);
    }
    if (status != SP_OK)
        return status;
    uint64_t *durations = sp_arena_alloc(arena, count * sizeof(*durations));
    if (durations == NULL)
        return sp_arena_failed(arena, reterr, "a block does not fit into this query's memory");
    const uint64_t *starts = block->starts;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = view->durations != NULL ? starts[i] + view->durations[i] : block->ends[i];
        durations[i] = end > starts[i] ? end - starts[i] : 0;
    }
    *ret = durations;
    return SP_OK;
}

/* ---- ranges ---- */

enum sp_share sp_block_share_in_range(const struct sp_block *block, struct sp_time_range range)
{
    uint64_t first = block->start_min_unix_ns;
    uint64_t last = block->start_max_unix_ns;
    bool ends_before = range.to_unix_ns != UINT64_MAX && first >= range.to_unix_ns;
    if (block->tables[SP_BLOCK_SPANS].count == 0 || last < range.from_unix_ns || ends_before ||
        sp_time_range_is_empty(range))
        return SP_SHARE_NONE;
    bool all = sp_time_range_contains(range, first) && sp_time_range_contains(range, last);
    return all ? SP_SHARE_ALL : SP_SHARE_SOME;
}

enum sp_status sp_block_view_keep_range(struct sp_block_view *view, struct sp_time_range range,
                                        uint64_t *rows, struct sp_error *reterr)
{
    enum sp_status status = sp_block_view_starts(view, reterr);
    const uint64_t *starts = view->block->starts;
    uint32_t count = view->block->tables[SP_BLOCK_SPANS].count;
    uint64_t to_unix_ns = range.to_unix_ns;
    uint64_t last_unix_ns = to_unix_ns == UINT64_MAX ? UINT64_MAX : to_unix_ns - 1;
    for (uint32_t i = 0; i < count && status == SP_OK; i += 64) {
        uint8_t in_range[64] = {0};
        uint64_t word = 0;
        for (uint32_t j = 0; j < 64 && i + j < count; j++)
            in_range[j] = starts[i + j] >= range.from_unix_ns && starts[i + j] <= last_unix_ns;
        sp_bitmap_add_bytes(&word, in_range, 64);
        rows[i / 64] &= word;
    }
    return status;
}
