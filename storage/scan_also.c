/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/scan_also.c: see storage/scan_also.h. A trace that has what is asked for in the block at hand is kept without a further question;
 * of the others filters know in which parts they may be, and values which blocks of these may have it. */
#include "storage/scan_also.h"
#include "storage/rocks_view.h"

#include <stdlib.h>

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to scan the store");
}

enum sp_status sp_scan_also_init(struct sp_scan_also *also, const struct sp_scan *scan,
                                 const struct sp_rocks_view *view, struct sp_value_reader *values,
                                 struct sp_error *reterr)
{
    SP_ASSERT(scan->also_count <= SP_SCAN_ALSO_MAX);
    *also = (struct sp_scan_also){.scan = scan, .view = view, .values = values};
    also->matches = calloc(scan->also_count + 1, sizeof(*also->matches));
    also->blocks = calloc(scan->also_count * view->part_count + 1, sizeof(*also->blocks));
    also->hashes = calloc(scan->trace_id_count + 1, sizeof(*also->hashes));
    if (also->matches == NULL || also->blocks == NULL || also->hashes == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < scan->trace_id_count; i++)
        also->hashes[i] = sp_filter_hash(&scan->trace_ids[i]);
    enum sp_status status = SP_OK;
    for (; also->match_count < scan->also_count && status == SP_OK; also->match_count++)
        status = sp_block_match_init(&also->matches[also->match_count],
                                     &scan->also[also->match_count], reterr);
    return status;
}

void sp_scan_also_fini(struct sp_scan_also *also)
{
    for (size_t i = 0; i < also->match_count; i++)
        sp_block_match_fini(&also->matches[i]);
    for (size_t i = 0; also->blocks != NULL && i < also->match_count * also->view->part_count; i++)
        free(also->blocks[i]);
    free(also->matches);
    free(also->blocks);
    free(also->hashes);
    *also = (struct sp_scan_also){0};
}

/* ---- ids ---- */

bool sp_scan_also_may_have_ids(const struct sp_scan_also *also, const struct sp_part_cursor *cursor,
                               uint32_t block_number)
{
    const struct sp_scan *scan = also->scan;
    const struct sp_segment_block info = sp_part_cursor_info(cursor, block_number);
    const struct sp_segment *segment = cursor->part->segment;
    for (size_t i = 0; i < scan->trace_id_count; i++) {
        const struct sp_trace_id *id = &scan->trace_ids[i];
        if (sp_trace_id_compare(id, &info.first) >= 0 && sp_trace_id_compare(id, &info.last) <= 0 &&
            (segment == NULL || sp_filter_has(&segment->filter, also->hashes[i])))
            return true;
    }
    return scan->trace_id_count == 0;
}

static int compare_ids(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

static void keep_ids(const struct sp_scan_also *also, const struct sp_block *block,
                     struct sp_match_trace *traces, uint32_t *count)
{
    const struct sp_scan *scan = also->scan;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (bsearch(&block->trace_ids[traces[i].trace], scan->trace_ids, scan->trace_id_count,
                    sizeof(*scan->trace_ids), compare_ids) != NULL)
            traces[kept++] = traces[i];
    *count = kept;
}

/* ---- spans of other conditions ---- */

/* The blocks of a part that may have a span of one of scan->also. */
static enum sp_status blocks_of(struct sp_scan_also *also, size_t number, uint32_t part_number,
                                const uint64_t **ret, struct sp_error *reterr)
{
    uint64_t **blocks = &also->blocks[number * also->view->part_count + part_number];
    const struct sp_segment *segment = also->view->parts[part_number].segment;
    uint32_t count = segment != NULL ? segment->block_count : 1;
    enum sp_status status = SP_OK;
    *ret = *blocks;
    if (*blocks != NULL)
        return SP_OK;
    uint64_t *bits = calloc(sp_bitmap_words(count) + 1, sizeof(*bits));
    if (bits == NULL)
        return no_memory(reterr);
    if (segment == NULL || segment->group_count == 0)
        sp_bitmap_fill(bits, count);
    for (uint32_t g = 0; segment != NULL && g < segment->group_count && status == SP_OK; g++) {
        const struct sp_value_group *group = &segment->groups[g];
        uint64_t set = 0;
        status = sp_value_ask(also->values, segment, g, &also->scan->also[number], &set, reterr);
        for (uint32_t b = 0; b < group->block_count && status == SP_OK; b++) {
            uint32_t block = group->first_block + b;
            bits[block / 64] |= (set >> b % SP_VALUE_GROUP_BLOCKS & 1) << (block % 64);
        }
    }
    *blocks = bits;
    *ret = bits;
    return status;
}

/* May a trace be in another block than the cursor's, which may have such a span? */
static enum sp_status is_elsewhere(struct sp_scan_also *also, size_t number,
                                   const struct sp_part_cursor *cursor,
                                   const struct sp_trace_id *id, bool *ret, struct sp_error *reterr)
{
    uint64_t hash = sp_filter_hash(id);
    *ret = false;
    for (uint32_t p = 0; p < also->view->part_count; p++) {
        const struct sp_rocks_part *part = &also->view->parts[p];
        const uint64_t *blocks;
        uint32_t first = 0;
        uint32_t end = 1;
        if (part->segment != NULL)
            sp_segment_find(part->segment, id, hash, &first, &end);
        else if (part == cursor->part || sp_block_find(&part->memory->block, id, &first) == 0)
            continue;
        else
            first = 0;
        if (first == end)
            continue;
        enum sp_status status = blocks_of(also, number, p, &blocks, reterr);
        if (status != SP_OK)
            return status;
        for (uint32_t b = first; b < end; b++) {
            if ((part != cursor->part || b != cursor->block_number) && sp_bitmap_has(blocks, b)) {
                *ret = true;
                return SP_OK;
            }
        }
    }
    return SP_OK;
}

/* Leaves the traces that have such a span here, or may have one elsewhere. */
static enum sp_status keep_with(struct sp_scan_also *also, size_t number,
                                const struct sp_part_cursor *cursor, struct sp_block_view *view,
                                struct sp_match_trace *traces, uint32_t *count,
                                struct sp_match_trace *here, struct sp_error *reterr)
{
    struct sp_block_match *match = &also->matches[number];
    uint32_t here_count = 0;
    uint32_t kept = 0;
    enum sp_status status = sp_block_match_run(match, view, reterr);
    if (status == SP_OK && match->share == SP_SHARE_ALL)
        return SP_OK;
    if (status == SP_OK)
        status = sp_block_match_traces(match, view, here, &here_count, reterr);
    for (uint32_t i = 0, h = 0; i < *count && status == SP_OK; i++) {
        while (h < here_count && here[h].trace < traces[i].trace)
            h++;
        bool keep = h < here_count && here[h].trace == traces[i].trace;
        if (!keep)
            status = is_elsewhere(also, number, cursor, &view->block->trace_ids[traces[i].trace],
                                  &keep, reterr);
        if (keep)
            traces[kept++] = traces[i];
    }
    *count = kept;
    return status;
}

enum sp_status sp_scan_also_keep(struct sp_scan_also *also, const struct sp_part_cursor *cursor,
                                 struct sp_block_view *view, struct sp_match_trace *traces,
                                 uint32_t *count, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    if (also->scan->trace_id_count > 0)
        keep_ids(also, view->block, traces, count);
    if (also->match_count == 0 || *count == 0)
        return SP_OK;
    struct sp_match_trace *here = calloc((size_t)view->block->trace_count + 1, sizeof(*here));
    if (here == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < also->match_count && status == SP_OK; i++)
        status = keep_with(also, i, cursor, view, traces, count, here, reterr);
    free(here);
    return status;
}
