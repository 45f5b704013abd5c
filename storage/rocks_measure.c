/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_measure.c: how long traces are, and how many spans they have, out of three columns of their blocks: in step with their
 * ids. Knows the database through kv.h only. */
#include "storage/rocks_view.h"

#include <stdlib.h>

struct measuring {
    struct sp_part_walk *walks; /* one for each part */
    uint32_t count;
};

static enum sp_status measuring_init(struct measuring *measuring, const struct sp_rocks_view *view,
                                     size_t id_count, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    measuring->walks = calloc((size_t)view->part_count + 1, sizeof(*measuring->walks));
    if (measuring->walks == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        struct sp_part_walk *walk = &measuring->walks[i];
        status = sp_part_walk_init(walk, &view->parts[i], view, id_count, reterr);
        if (status == SP_OK && view->parts[i].segment != NULL)
            sp_block_reader_stream(&walk->cursor.reader);
        measuring->count = i + 1;
    }
    return status;
}

static void measuring_fini(struct measuring *measuring)
{
    for (uint32_t i = 0; i < measuring->count; i++)
        sp_part_walk_fini(&measuring->walks[i]);
    free(measuring->walks);
}

static enum sp_status measure_block(struct sp_part_walk *walk, uint32_t block_number,
                                    const struct sp_trace_id *id, struct sp_trace_measure *measure,
                                    struct sp_error *reterr)
{
    uint32_t first = 0;
    uint32_t count = 0;
    enum sp_status status = sp_part_walk_rows(walk, block_number, id, &first, &count, reterr);
    if (status != SP_OK || count == 0)
        return status;
    status = sp_part_cursor_fixed(&walk->cursor, SP_CHUNK_STARTS, reterr);
    if (status == SP_OK)
        status = sp_part_cursor_fixed(&walk->cursor, SP_CHUNK_ENDS, reterr);
    if (status != SP_OK)
        return status;
    const struct sp_block *block = walk->cursor.block;
    uint64_t start = measure->span_count > 0 ? measure->start_unix_ns : UINT64_MAX;
    uint64_t end = measure->end_unix_ns;
    for (uint32_t row = first; row < first + count; row++) {
        uint64_t row_end =
            block->ends[row] > block->starts[row] ? block->ends[row] : block->starts[row];
        start = block->starts[row] < start ? block->starts[row] : start;
        end = row_end > end ? row_end : end;
    }
    measure->start_unix_ns = start;
    measure->end_unix_ns = end;
    measure->span_count += count;
    return SP_OK;
}

static enum sp_status measure_trace(struct measuring *measuring, const struct sp_trace_id *id,
                                    struct sp_trace_measure *measure, struct sp_error *reterr)
{
    uint64_t hash = sp_filter_hash(id);
    enum sp_status status = SP_OK;
    *measure = (struct sp_trace_measure){0};
    for (uint32_t i = 0; i < measuring->count && status == SP_OK; i++) {
        uint32_t block;
        uint32_t end;
        sp_part_walk_find(&measuring->walks[i], id, hash, &block, &end);
        for (; block < end && status == SP_OK; block++)
            status = measure_block(&measuring->walks[i], block, id, measure, reterr);
    }
    return status;
}

enum sp_status sp_rocks_traces_measure(struct sp_store *store, const struct sp_trace_id *ids,
                                       size_t count, const struct sp_stop *stop,
                                       struct sp_trace_measure *ret, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct measuring measuring = {0};
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_view_flatten(&view, reterr);
    if (status == SP_OK)
        status = measuring_init(&measuring, &view, count, reterr);
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        if (i % SP_MEASURE_ASK_TRACES == 0)
            status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = measure_trace(&measuring, &ids[i], &ret[i], reterr);
    }
    measuring_fini(&measuring);
    sp_rocks_view_close(&view);
    return status;
}
