/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check_segment.c: one segment: all its blocks, and whether the header says what they are together. Knows the database
 * through kv.h only. */
#include "storage/check.h"
#include "storage/slots.h"

#include <stdio.h>

/* What the blocks are together. */
struct found {
    struct sp_rollup counts;
    struct sp_edge_rollup calls;
    struct sp_edge_counter *counter;
    struct sp_check_values values;
    uint64_t span_count, trace_count;
    uint64_t start_min_unix_ns, start_max_unix_ns;
    uint64_t filtered_count; /* traces that the filter does not know */
    struct sp_trace_id first_filtered;
    struct sp_trace_id last_trace; /* of the block before */
};

static void compare(struct sp_check *check, const struct sp_check_segment *segment,
                    const char *what, uint64_t said, uint64_t is)
{
    const struct sp_check_place place = {segment->segment, SP_ROW_NONE, "header", SP_CHECK_ALL};
    if (said != is)
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "%s: %llu is stored, and %llu was found", what, (unsigned long long)said,
                       (unsigned long long)is);
}

static void add_traces(struct sp_check *check, const struct sp_check_segment *segment,
                       uint32_t number, const struct sp_block *block, struct found *found)
{
    const struct sp_check_place place = {segment->segment, number, "", SP_CHECK_ALL};
    int order =
        found->trace_count > 0 ? sp_trace_id_compare(&found->last_trace, &block->trace_ids[0]) : -1;
    if (order > 0)
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "its first trace belongs before the last one of the block before");
    for (uint32_t t = 0; t < block->trace_count; t++) {
        if (t == 0 && order == 0) /* goes on */
            continue;
        found->trace_count++;
        if (!sp_filter_has(&segment->segment->filter, sp_filter_hash(&block->trace_ids[t]))) {
            if (found->filtered_count++ == 0)
                found->first_filtered = block->trace_ids[t];
        }
    }
    found->last_trace = block->trace_ids[block->trace_count - 1];
}

static enum sp_status add_block(struct sp_check *check, const struct sp_check_segment *segment,
                                uint32_t number, const struct sp_block *block, struct found *found,
                                struct sp_error *reterr)
{
    enum sp_status status = sp_rollup_add_block(&found->counts, block, reterr);
    if (status == SP_OK)
        status = sp_edge_counter_add(found->counter, block, reterr);
    if (status != SP_OK)
        return status;
    add_traces(check, segment, number, block, found);
    found->span_count += block->tables[SP_BLOCK_SPANS].count;
    if (block->start_min_unix_ns < found->start_min_unix_ns)
        found->start_min_unix_ns = block->start_min_unix_ns;
    if (block->start_max_unix_ns > found->start_max_unix_ns)
        found->start_max_unix_ns = block->start_max_unix_ns;
    return SP_OK;
}

/* Of the header what can be known when all blocks were read. */
static void check_header(struct sp_check *check, const struct sp_check_segment *segment,
                         uint64_t bytes, const struct found *found)
{
    const struct sp_segment *said = segment->segment;
    compare(check, segment, "spans", said->span_count, found->span_count);
    compare(check, segment, "traces", said->trace_count, found->trace_count);
    if (!found->values.is_damaged)
        compare(check, segment, "bytes of chunks", said->bytes, bytes);
    compare(check, segment, "first start", said->start_min_unix_ns, found->start_min_unix_ns);
    compare(check, segment, "last start", said->start_max_unix_ns, found->start_max_unix_ns);
    if (said->links.new_trace_count > said->trace_count)
        compare(check, segment, "new traces", said->links.new_trace_count, said->trace_count);
    if (found->filtered_count > 0) {
        const struct sp_check_place place = {said, SP_ROW_NONE, "trace filter", SP_CHECK_ALL};
        char id[SP_TRACE_ID_TEXT];
        sp_trace_id_format(&found->first_filtered, id);
        sp_check_found(check, SP_FINDING_DISAGREEMENT, &place,
                       "it does not know %llu of the segment's traces, the first is %s",
                       (unsigned long long)found->filtered_count, id);
    }
}

/* Every service of a stored span has a colour slot, but for those that came when there were no more. */
static void check_services(struct sp_check *check, const struct sp_check_segment *segment,
                           const struct sp_rollup *counts)
{
    const struct sp_check_place place = {segment->segment, SP_ROW_NONE, "services", 0};
    if (check->services.texts.count >= SP_SLOTS_MAX)
        return;
    for (uint32_t i = 0; i < counts->series.texts.count; i++) {
        struct sp_slice name = sp_rollup_text(counts, sp_rollup_series_at(counts, i)->service);
        if (sp_interner_find(&check->services, 0, name) != SP_INTERNER_NONE || !sp_slot_fits(name))
            continue;
        sp_check_found(check, SP_FINDING_MISSING, &place, "the service \"%.*s\" has no colour slot",
                       SP_SLICE_PRINTF(name));
        return; /* with the slots gone it would be every one */
    }
}

static enum sp_status check_blocks(struct sp_check *check, struct sp_check_segment *segment,
                                   struct found *found, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t b = 0; b < segment->segment->block_count && status == SP_OK; b++) {
        const struct sp_block *block;
        status = sp_check_block(check, segment, b, &block, reterr);
        if (status == SP_OK)
            status = sp_check_values_add(check, segment, &found->values, b, block, reterr);
        if (status == SP_OK && block != NULL)
            status = add_block(check, segment, b, block, found, reterr);
        sp_check_progress(check, "blocks", ++check->blocks_done, check->blocks_all);
    }
    return status;
}

static enum sp_status check_found(struct sp_check *check, struct sp_check_segment *segment,
                                  struct found *found, struct sp_error *reterr)
{
    uint64_t bytes = check->summary->bytes;
    enum sp_status status = check_blocks(check, segment, found, reterr);
    if (status == SP_OK)
        status = sp_edge_counter_finish(found->counter, reterr);
    if (status != SP_OK)
        return status;
    check->summary->span_count += found->span_count;
    check->summary->trace_count += found->trace_count;
    check_services(check, segment, &found->counts);
    if (!segment->is_damaged)
        check_header(check, segment, check->summary->bytes - bytes, found);
    status = sp_check_counts(check, segment, &found->counts, reterr);
    return status == SP_OK ? sp_check_segment_calls(check, segment, &found->calls, reterr) : status;
}

enum sp_status sp_check_segment(struct sp_check *check, struct sp_check_segment *segment,
                                struct sp_error *reterr)
{
    struct found found = {.start_min_unix_ns = UINT64_MAX};
    sp_rollup_init(&found.counts);
    sp_edge_rollup_init(&found.calls);
    enum sp_status status =
        sp_edge_counter_new(&found.calls, segment->segment->names, &found.counter, reterr);
    if (status == SP_OK)
        status = sp_check_values_init(&found.values, reterr);
    if (status == SP_OK)
        status = check_found(check, segment, &found, reterr);
    check->summary->segment_count++;
    sp_edge_counter_free(found.counter);
    sp_check_values_fini(&found.values);
    sp_edge_rollup_fini(&found.calls);
    sp_rollup_fini(&found.counts);
    return status;
}
