/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_merge.c: which segments are put together, and how: neighbours, block by block, into one new segment. Its chunks
 * are written as they come and mean nothing until the one batch that puts its header in the place of the old ones. Knows the
 * database through kv.h only. */
#include "storage/rocks_rollup.h"

#include <stdlib.h>
#include <sys/statvfs.h>

/* ---- the choice ---- */

static bool is_damaged(const struct sp_rocks *rocks, uint64_t id)
{
    for (uint32_t i = 0; i < rocks->damaged.count; i++) {
        if (rocks->damaged.items[i] == id)
            return true;
    }
    return false;
}

/* Spans and range of starts of neighbours. */
struct sum {
    uint64_t spans, min_unix_ns, max_unix_ns;
    uint64_t
        width_max_ns; /* that they may have together: a segment that is wider already may be merged */
};

static bool add_to_sum(struct sum *sum, const struct sp_segment *segment, uint64_t spans_max)
{
    uint64_t width_ns = segment->start_max_unix_ns - segment->start_min_unix_ns;
    sum->spans += segment->span_count;
    if (width_ns > sum->width_max_ns)
        sum->width_max_ns = width_ns;
    if (segment->start_min_unix_ns < sum->min_unix_ns)
        sum->min_unix_ns = segment->start_min_unix_ns;
    if (segment->start_max_unix_ns > sum->max_unix_ns)
        sum->max_unix_ns = segment->start_max_unix_ns;
    return sum->spans <= spans_max && sum->max_unix_ns - sum->min_unix_ns <= sum->width_max_ns;
}

/* A segment goes when all of it is old: so it must not reach over much more time than is kept anyway. */
static uint64_t window_ns(const struct sp_rocks *rocks)
{
    uint64_t part_ns = rocks->retention.age_ns / SP_ROCKS_MERGE_WINDOWS_KEPT;
    return part_ns > 0 && part_ns < SP_ROCKS_MERGE_WINDOW_NS ? part_ns : SP_ROCKS_MERGE_WINDOW_NS;
}

/* How many from first on are merged, when those with [low, high) spans are due; smaller ones between them go along. 0: none. */
static uint32_t group_at(const struct sp_rocks *rocks, uint32_t first, uint64_t low, uint64_t high)
{
    struct sum sum = {.min_unix_ns = UINT64_MAX, .width_max_ns = window_ns(rocks)};
    uint32_t of_tier = 0;
    for (uint32_t i = first; i < rocks->segments.count && i - first < SP_ROCKS_MERGE_INPUTS_MAX;
         i++) {
        const struct sp_segment *segment = rocks->segments.items[i];
        if (segment->span_count >= high || (i == first && segment->span_count < low) ||
            is_damaged(rocks, segment->id) ||
            /* Each names brokers in one way: those of before go with those of before. */
            segment->names != rocks->segments.items[first]->names ||
            !add_to_sum(&sum, segment, rocks->sizes.merge_spans_max))
            return 0;
        of_tier += segment->span_count >= low;
        if (of_tier >= rocks->sizes.merge_segments)
            return i - first + 1;
    }
    return 0;
}

/* The first group from first on in a tier. */
static uint32_t next_group(const struct sp_rocks *rocks, uint64_t low, uint64_t high,
                           uint32_t *first)
{
    uint32_t count = 0;
    while (*first < rocks->segments.count && (count = group_at(rocks, *first, low, high)) == 0)
        ++*first;
    return count;
}

uint32_t sp_rocks_merge_choose(const struct sp_rocks *rocks, uint32_t *ret_first)
{
    uint64_t low = 0;
    uint64_t high = rocks->sizes.merge_spans;
    while (low < rocks->sizes.merge_spans_max) {
        *ret_first = 0;
        uint32_t count = next_group(rocks, low, high, ret_first);
        if (count > 0)
            return count;
        low = high;
        high *= SP_ROCKS_MERGE_FACTOR;
    }
    return 0;
}

uint64_t sp_rocks_merge_debt(const struct sp_rocks *rocks)
{
    uint64_t debt = 0;
    uint64_t low = 0;
    uint64_t high = rocks->sizes.merge_spans;
    while (low < rocks->sizes.merge_spans_max) {
        uint32_t first = 0;
        uint32_t count;
        while ((count = next_group(rocks, low, high, &first)) > 0) {
            debt += count;
            first += count;
        }
        low = high;
        high *= SP_ROCKS_MERGE_FACTOR;
    }
    return debt;
}

/* ---- one merge ---- */

struct merge_input {
    struct sp_segment *segment;    /* one reference */
    struct sp_block_reader reader; /* of the present block */
    bool reader_made;
    uint32_t next_block;
};

struct merging {
    struct sp_rocks *rocks;
    struct merge_input *inputs; /* heap */
    uint32_t count;
    uint64_t id; /* of the new segment */
    struct sp_kv_batch *batch;
    struct sp_block_builder *builder;
    struct sp_segment_writer writer;
    struct sp_rocks_rollups rollups;
    uint64_t written_bytes; /* of its chunks, in the database */
    struct sp_segment *segment;
    const struct sp_segment *damaged; /* that could not be read */
};

/* A database that takes no more writes is waiting for a moment without readers; the store that drains, for this thread. */
static enum sp_status may_go_on(struct sp_rocks *rocks, struct sp_error *reterr)
{
    pthread_mutex_lock(&rocks->lock);
    bool ends = rocks->draining || rocks->stopping || atomic_load(&rocks->kv_broken);
    pthread_mutex_unlock(&rocks->lock);
    return ends ? sp_error_set(reterr, SP_UNAVAILABLE, "the merge has to wait") : SP_OK;
}

static enum sp_status wrote_batch(struct merging *merging, enum sp_status status)
{
    if (status != SP_OK)
        atomic_store(&merging->rocks->kv_broken, true);
    sp_kv_batch_clear(merging->batch);
    merging->written_bytes = merging->writer.segment != NULL ? merging->writer.segment->bytes : 0;
    return status;
}

static enum sp_status read_block(struct merging *merging, struct merge_input *input,
                                 struct sp_error *reterr)
{
    enum sp_status status =
        sp_block_reader_open(&input->reader, input->segment, input->next_block, reterr);
    if (status == SP_OK)
        status = sp_block_reader_all(&input->reader, reterr);
    if (status == SP_CORRUPT || status == SP_VERSION || status == SP_IO)
        merging->damaged = input->segment;
    input->next_block++;
    return status;
}

static enum sp_status add_rollups(struct merging *merging, const struct sp_segment *segment,
                                  struct sp_error *reterr)
{
    enum sp_status status =
        sp_rocks_rollups_add_segment(&merging->rollups, merging->rocks->kv, segment, reterr);
    if (status == SP_CORRUPT || status == SP_VERSION || status == SP_IO)
        merging->damaged = segment;
    return status;
}

static enum sp_status next_block(void *cookie, uint32_t number, const struct sp_block **ret,
                                 struct sp_error *reterr)
{
    struct merging *merging = cookie;
    struct merge_input *input = &merging->inputs[number];
    enum sp_status status = may_go_on(merging->rocks, reterr);
    *ret = NULL;
    if (status == SP_OK && input->next_block < input->segment->block_count) {
        status = read_block(merging, input, reterr);
        *ret = &input->reader.block;
    }
    return status;
}

static enum sp_status write_chunks(void *cookie, const struct sp_block *block,
                                   struct sp_error *reterr)
{
    struct merging *merging = cookie;
    (void)block;
    uint64_t bytes = merging->writer.segment->bytes - merging->written_bytes;
    if (bytes < SP_ROCKS_CHUNKS_BATCH_BYTES)
        return SP_OK;
    return wrote_batch(merging, sp_rocks_write_behind(merging->rocks, merging->batch, reterr));
}

/* Are the rows to be counted again? Counts without exemplars, of before they had some, are; then all of the new segment's have them. */
static struct sp_rollup *counts_to_make(struct merging *merging)
{
    struct sp_rollup *counts = &merging->rollups.counts;
    if (!counts->lacks_exemplars)
        return NULL;
    sp_rollup_fini(counts);
    sp_rollup_init(counts);
    return counts;
}

static enum sp_status mix_segments(struct merging *merging, struct sp_error *reterr)
{
    struct sp_rocks_mix mix = {.input_count = merging->count,
                               .next = next_block,
                               .added = write_chunks,
                               .cookie = merging,
                               .builder = merging->builder,
                               .writer = &merging->writer};
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < merging->count && status == SP_OK; i++) {
        status = sp_block_reader_init(&merging->inputs[i].reader, merging->rocks->kv, reterr);
        merging->inputs[i].reader_made = status == SP_OK;
        if (status == SP_OK)
            status = add_rollups(merging, merging->inputs[i].segment, reterr);
    }
    if (status != SP_OK)
        return status;
    mix.counts = counts_to_make(merging);
    return sp_rocks_mix(&mix, reterr);
}

/* The header of the new segment for those of the old ones. */
static enum sp_status write_header(struct merging *merging, struct sp_error *reterr)
{
    struct sp_segment_origin origin = {
        .first_sequence = merging->inputs[0].segment->first_sequence,
        .last_sequence = merging->inputs[merging->count - 1].segment->last_sequence,
        .names = merging->inputs[0].segment->names};
    for (uint32_t i = 0; i < merging->count; i++) {
        const struct sp_segment *input = merging->inputs[i].segment;
        /* What an input has new, no older one holds. Only this thread changes links. */
        origin.new_trace_count += input->links.new_trace_count;
        if (input->received_max_unix_ns > origin.received_max_unix_ns)
            origin.received_max_unix_ns = input->received_max_unix_ns;
    }
    enum sp_status status =
        sp_segment_writer_finish(&merging->writer, &origin, &merging->segment, reterr);
    if (status == SP_OK)
        status = sp_rocks_rollups_put_counts(&merging->rollups, merging->rocks->kv, merging->batch,
                                             merging->id, reterr);
    if (status == SP_OK)
        status = sp_rocks_rollups_put_edges(&merging->rollups, merging->rocks->kv, merging->batch,
                                            merging->id, reterr);
    if (status != SP_OK)
        return status;
    for (uint32_t i = 0; i < merging->count; i++) {
        uint8_t key[SP_SEGMENT_KEY_BYTES];
        sp_segment_key(merging->inputs[i].segment->id, key);
        sp_kv_batch_delete(merging->batch, merging->rocks->kv, SP_KV_SEGMENTS,
                           sp_slice_make(key, sizeof(key)));
    }
    return wrote_batch(merging, sp_kv_write(merging->rocks->kv, merging->batch, false, reterr));
}

/* Under the lock: from now on views have the new segment. The list's references of the old ones go to those that are dropped,
 * where there is room for them. */
static void publish(struct sp_rocks *rocks, struct merging *merging)
{
    uint32_t first = 0;
    while (rocks->segments.items[first] != merging->inputs[0].segment) {
        first++;
        SP_ASSERT(first < rocks->segments.count);
    }
    for (uint32_t i = 0; i < merging->count; i++) {
        struct sp_segment *old = rocks->segments.items[first + i];
        SP_ASSERT(old == merging->inputs[i].segment); /* nobody else takes segments out */
        rocks->dropped.items[rocks->dropped.count++] =
            (struct sp_rocks_dropped){.id = old->id, .segment = old};
    }
    rocks->segments.items[first] = merging->segment;
    rocks->segments.count -= merging->count - 1;
    memmove(rocks->segments.items + first + 1, rocks->segments.items + first + merging->count,
            (rocks->segments.count - first - 1) * sizeof(struct sp_segment *));
    rocks->merge_count++;
    rocks->merged_span_count += merging->segment->span_count;
    merging->segment = NULL;
}

/* A failed write stops all others until the database was opened again: so a merge does not fill the disk. Its bytes stand in the
 * log and in tables for a while, beside the old ones. */
static enum sp_status has_room(const struct merging *merging, struct sp_error *reterr)
{
    struct statvfs info;
    uint64_t bytes = SP_ROCKS_REOPEN_BYTES_MIN;
    for (uint32_t i = 0; i < merging->count; i++)
        bytes += 2 * merging->inputs[i].segment->bytes;
    if (statvfs(merging->rocks->dir.db, &info) == 0 &&
        (uint64_t)info.f_bavail * info.f_frsize < bytes)
        return sp_error_set(reterr, SP_UNAVAILABLE, "the disk has no room to merge segments");
    return SP_OK;
}

static enum sp_status merge(struct merging *merging, struct sp_error *reterr)
{
    struct sp_rocks *rocks = merging->rocks;
    enum sp_status status = has_room(merging, reterr);
    if (status == SP_OK)
        status = sp_block_builder_new(&merging->builder, reterr);
    if (status != SP_OK)
        return status;
    merging->batch = sp_kv_batch_new();
    if (merging->batch == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to merge segments");
    status =
        sp_segment_writer_init(&merging->writer, rocks->kv, merging->batch, merging->id, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_rollups_init(&merging->rollups, reterr);
    if (status == SP_OK)
        status = mix_segments(merging, reterr);
    if (status == SP_OK)
        status = write_header(merging, reterr);
    sp_rocks_rollups_fini(&merging->rollups);
    if (status == SP_OK) {
        pthread_mutex_lock(&rocks->lock);
        publish(rocks, merging);
        pthread_mutex_unlock(&rocks->lock);
    }
    sp_segment_writer_fini(&merging->writer);
    return status;
}

/* Under the lock: what the merge needs so that it cannot fail once its header is written. */
static bool prepare(struct sp_rocks *rocks, uint32_t first, struct merging *merging)
{
    merging->inputs = calloc(merging->count, sizeof(*merging->inputs));
    if (merging->inputs == NULL || !sp_vector_reserve(&rocks->dropped, merging->count + 1) ||
        !sp_vector_reserve(&rocks->damaged, 1))
        return false;
    for (uint32_t i = 0; i < merging->count; i++)
        merging->inputs[i].segment = sp_segment_ref(rocks->segments.items[first + i]);
    merging->id = sp_rocks_new_segment_id(rocks);
    return true;
}

/* Under the lock: chunks of a segment that never was go, and what is damaged is left alone. */
static void note_failure(struct sp_rocks *rocks, struct merging *merging,
                         const struct sp_error *error)
{
    if (merging->written_bytes > 0)
        rocks->dropped.items[rocks->dropped.count++] = (struct sp_rocks_dropped){.id = merging->id};
    if (merging->damaged == NULL)
        return;
    rocks->damaged.items[rocks->damaged.count++] = merging->damaged->id;
    sp_log_event(rocks->log, SP_LOG_ERROR, "merge",
                 "a damaged segment stays as it is, and so does what is beside it",
                 sp_log_u64("segment", merging->damaged->id), sp_log_cstr("error", error->message));
}

enum sp_status sp_rocks_merge(struct sp_rocks *rocks, uint32_t first, uint32_t count,
                              struct sp_error *reterr)
{
    struct merging merging = {.rocks = rocks, .count = count};
    struct sp_error error = {0};
    bool prepared = prepare(rocks, first, &merging);
    pthread_mutex_unlock(&rocks->lock);
    enum sp_status status = prepared
                                ? merge(&merging, &error)
                                : sp_error_set(&error, SP_NO_MEMORY, "no memory to merge segments");
    for (uint32_t i = 0; i < count && merging.inputs != NULL; i++) {
        if (merging.inputs[i].reader_made)
            sp_block_reader_fini(&merging.inputs[i].reader);
    }
    sp_block_builder_free(merging.builder);
    sp_kv_batch_free(merging.batch);
    pthread_mutex_lock(&rocks->lock);
    if (status != SP_OK && prepared)
        note_failure(rocks, &merging, &error);
    if (merging.damaged != NULL) /* dealt with */
        status = SP_OK;
    for (uint32_t i = 0; i < count && merging.inputs != NULL; i++)
        sp_segment_unref(merging.inputs[i].segment);
    sp_segment_unref(merging.segment);
    free(merging.inputs);
    if (reterr != NULL)
        *reterr = error;
    return status;
}
