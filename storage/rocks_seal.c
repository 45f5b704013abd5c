/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_seal.c: head blocks become a segment: their rows are put together by trace, encoded, and written in one batch
 * with what else changes. The first step knows nothing of other segments, so that several can take it side by side; the second, which
 * asks what older ones hold, is taken in the order of the head. Knows the database through kv.h only. */
#include "storage/rocks_known.h"
#include "storage/rocks_rollup.h"
#include "storage/rocks_seals.h"
#include "storage/rocks_view.h"

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to seal a segment");
}

/* Neighbours in the head that were made together: sorted by trace from the first block to the last. */
struct run {
    uint32_t next, end; /* blocks */
};

struct sp_rocks_sealing {
    struct sp_rocks *rocks;
    struct sp_kv_batch *batch;
    struct sp_block_builder *builder;
    struct sp_segment_writer writer;
    uint64_t written_bytes; /* of its chunks, in the database */
    struct sp_rocks_rollups rollups;
    struct sp_rocks_head_block *blocks; /* heap; a copy, because the list may move */
    uint32_t count, services_stored;
    struct run *runs; /* heap */
    uint32_t run_count;
    SP_VECTOR(struct sp_trace_id) ids; /* of its traces, each once, ascending */
    struct sp_known_question question; /* about all of them */
    struct sp_totals totals;
    uint64_t id;
    struct sp_segment *segment;
    bool committed;
};

/* ---- rows of the head ---- */

/* runs: room for one of each block. */
static void find_runs(struct sp_rocks_sealing *sealing)
{
    for (uint32_t i = 0; i < sealing->count; i++) {
        if (i == 0 || sealing->blocks[i].first_sequence != sealing->blocks[i - 1].first_sequence)
            sealing->runs[sealing->run_count++] = (struct run){.next = i};
        sealing->runs[sealing->run_count - 1].end = i + 1;
    }
}

static enum sp_status next_head_block(void *cookie, uint32_t input, const struct sp_block **ret,
                                      struct sp_error *reterr)
{
    struct sp_rocks_sealing *sealing = cookie;
    struct run *run = &sealing->runs[input];
    (void)reterr;
    *ret = run->next < run->end ? &sealing->blocks[run->next++].shared->block : NULL;
    return SP_OK;
}

static enum sp_status wrote_batch(struct sp_rocks_sealing *sealing, enum sp_status status)
{
    if (status != SP_OK)
        atomic_store(&sealing->rocks->kv_broken, true);
    sp_kv_batch_clear(sealing->batch);
    return status;
}

/* A trace that goes on from the block before is there already. */
static bool add_ids(struct sp_rocks_sealing *sealing, const struct sp_block *block)
{
    uint32_t known =
        sealing->ids.count > 0 &&
        sp_trace_id_compare(&sealing->ids.items[sealing->ids.count - 1], &block->trace_ids[0]) == 0;
    if (!sp_vector_reserve(&sealing->ids, block->trace_count))
        return false;
    memcpy(sealing->ids.items + sealing->ids.count, block->trace_ids + known,
           (block->trace_count - known) * sizeof(*block->trace_ids));
    sealing->ids.count += block->trace_count - known;
    return true;
}

static enum sp_status added_block(void *cookie, const struct sp_block *block,
                                  struct sp_error *reterr)
{
    struct sp_rocks_sealing *sealing = cookie;
    uint64_t bytes = sealing->writer.segment->bytes;
    enum sp_status status = sp_rocks_check_not_called_off(sealing->rocks, reterr);
    if (status != SP_OK)
        return status;
    if (!add_ids(sealing, block))
        return no_memory(reterr);
    if (bytes - sealing->written_bytes < SP_ROCKS_CHUNKS_BATCH_BYTES)
        return SP_OK;
    sealing->written_bytes = bytes;
    return wrote_batch(sealing, sp_rocks_write_behind(sealing->rocks, sealing->batch, reterr));
}

static enum sp_status mix_head(struct sp_rocks_sealing *sealing, struct sp_error *reterr)
{
    const struct sp_rocks_mix mix = {.input_count = sealing->run_count,
                                     .next = next_head_block,
                                     .added = added_block,
                                     .cookie = sealing,
                                     .builder = sealing->builder,
                                     .writer = &sealing->writer,
                                     .rollups = &sealing->rollups};
    return sp_rocks_mix(&mix, reterr);
}

/* ---- traces that older segments do not hold ---- */

/* The traces of the blocks that segments hold change in them, too. The view has the segments, and the blocks behind them. */
static enum sp_status correct_known(const struct sp_rocks_view *view, uint32_t block_count,
                                    const struct sp_trace_id *ids, size_t id_count,
                                    struct sp_rocks_rollups *rollups, struct sp_error *reterr)
{
    size_t left_out;
    SP_ASSERT(view->part_count >= block_count);
    enum sp_status status = sp_rocks_correct(view, view->part_count - block_count, ids, id_count,
                                             &rollups->edges, &left_out, reterr);
    if (status == SP_OK && left_out > 0)
        sp_log_event(view->rocks->log, SP_LOG_WARN, "graph",
                     "traces that are too large or damaged count in parts in the dependency graph",
                     sp_log_u64("traces", left_out));
    return status;
}

/* How many of its traces no older segment holds. The blocks are the first of the head. */
static enum sp_status new_traces(struct sp_rocks_sealing *sealing, uint64_t *ret,
                                 struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_trace_id *ids = sealing->ids.items;
    size_t known_count = sealing->ids.count;
    enum sp_status status = sp_rocks_view_open_at_once(sealing->rocks, &view, reterr);
    if (status != SP_OK)
        return status;
    sp_rocks_view_keep(&view, sealing->count); /* not the blocks behind them */
    if (!sp_known_ask(&sealing->rocks->known, ids, known_count, &sealing->question))
        status = no_memory(reterr);
    if (status == SP_OK)
        status = sp_rocks_keep_known(&view, &sealing->question, ids, &known_count, reterr);
    if (status == SP_OK && known_count > 0)
        status = correct_known(&view, sealing->count, ids, known_count, &sealing->rollups, reterr);
    sp_rocks_view_close(&view);
    *ret = sealing->ids.count - known_count;
    return status;
}

/* ---- the batch ---- */

/* Slots that were given since the last segment. */
static uint32_t put_services(struct sp_rocks *rocks, struct sp_kv_batch *batch)
{
    pthread_mutex_lock(&rocks->lock);
    uint32_t count = rocks->services.texts.count;
    for (uint32_t i = rocks->services_stored; i < count; i++) {
        struct sp_layout_key key = sp_layout_slot_key(i);
        sp_kv_batch_put(batch, rocks->kv, SP_KV_META, sp_layout_key_slice(&key),
                        rocks->services.texts.items[i]);
    }
    pthread_mutex_unlock(&rocks->lock);
    return count;
}

enum sp_status sp_rocks_put_totals(const struct sp_rocks *rocks, struct sp_kv_batch *batch,
                                   const struct sp_totals *totals, struct sp_error *reterr)
{
    struct sp_buf value;
    sp_buf_init(&value, 4096);
    sp_layout_totals_write(totals, &value);
    enum sp_status status = value.error == SP_OK ? SP_OK : no_memory(reterr);
    if (status == SP_OK)
        sp_kv_batch_put(batch, rocks->kv, SP_KV_META, SP_LAYOUT_TOTALS_KEY, sp_buf_slice(&value));
    sp_buf_fini(&value);
    return status;
}

static struct sp_segment_origin origin_of(const struct sp_rocks_sealing *sealing)
{
    struct sp_segment_origin origin = {.first_sequence = sealing->blocks[0].first_sequence,
                                       .last_sequence =
                                           sealing->blocks[sealing->count - 1].last_sequence,
                                       .names = SP_PEER_NAMES_BY_DESTINATION};
    for (uint32_t i = 0; i < sealing->count; i++) {
        if (sealing->blocks[i].received_max_unix_ns > origin.received_max_unix_ns)
            origin.received_max_unix_ns = sealing->blocks[i].received_max_unix_ns;
    }
    return origin;
}

/* What depends on the other segments, and the writing. With history_lock held. */
static enum sp_status write_segment(struct sp_rocks_sealing *sealing, struct sp_error *reterr)
{
    struct sp_rocks *rocks = sealing->rocks;
    struct sp_segment_origin origin = origin_of(sealing);
    enum sp_status status = new_traces(sealing, &origin.new_trace_count, reterr);
    if (status == SP_OK)
        status = sp_segment_writer_finish(&sealing->writer, &origin, &sealing->segment, reterr);
    if (status == SP_OK)
        status = sp_rocks_rollups_put_edges(&sealing->rollups, rocks->kv, sealing->batch,
                                            sealing->id, reterr);
    sealing->services_stored = put_services(rocks, sealing->batch);
    pthread_mutex_lock(&rocks->lock);
    sealing->totals = rocks->totals;
    pthread_mutex_unlock(&rocks->lock);
    sealing->totals.sealed_sequence = origin.last_sequence;
    if (status == SP_OK)
        status = sp_rocks_put_totals(rocks, sealing->batch, &sealing->totals, reterr);
    if (status == SP_OK) {
        struct sp_layout_key from = sp_layout_journal_key(0);
        struct sp_layout_key to = sp_layout_journal_key(origin.last_sequence + 1);
        sp_kv_batch_delete_range(sealing->batch, rocks->kv, SP_KV_JOURNAL,
                                 sp_layout_key_slice(&from), sp_layout_key_slice(&to));
        status = wrote_batch(sealing, sp_kv_write(rocks->kv, sealing->batch, false, reterr));
    }
    return status;
}

/* From now on views have the segment instead of its blocks. */
static void publish(struct sp_rocks_sealing *sealing)
{
    struct sp_rocks *rocks = sealing->rocks;
    pthread_mutex_lock(&rocks->lock);
    SP_ASSERT(rocks->head.items[0].shared == sealing->blocks[0].shared);
    rocks->segments.items[rocks->segments.count++] = sealing->segment;
    sealing->segment = NULL;
    rocks->head.count -= sealing->count;
    memmove(rocks->head.items, rocks->head.items + sealing->count,
            rocks->head.count * sizeof(*rocks->head.items));
    rocks->head_taken -= sealing->count;
    rocks->totals.sealed_sequence = sealing->totals.sealed_sequence;
    rocks->services_stored = sealing->services_stored;
    rocks->seal_count++;
    pthread_cond_signal(&rocks->merger_wakes);
    pthread_mutex_unlock(&rocks->lock);
    sealing->committed = true;
}

/* So that it cannot fail for want of room once it is written. A merge never makes the list longer. */
static bool reserve_place(struct sp_rocks *rocks)
{
    pthread_mutex_lock(&rocks->lock);
    bool fits = sp_vector_reserve(&rocks->segments, 1);
    pthread_mutex_unlock(&rocks->lock);
    return fits;
}

/* The log, and perhaps tables, still have the journal records that are deleted now. Once what is in memory is on the disk, they go. */
static enum sp_status free_journal(struct sp_rocks *rocks, uint64_t sealed_sequence,
                                   struct sp_error *reterr)
{
    struct sp_layout_key first_left = sp_layout_journal_key(sealed_sequence + 1);
    enum sp_status status = sp_kv_flush(rocks->kv, reterr);
    if (status == SP_OK)
        sp_kv_drop_before(rocks->kv, SP_KV_JOURNAL, sp_layout_key_slice(&first_left));
    else
        atomic_store(&rocks->kv_broken, true);
    return status;
}

/* Of a segment that never was: the blocks stay where they are, and chunks go. A merge that runs now counts on its own room in that list;
 * without memory, the next start finds them. */
static void give_back(struct sp_rocks_sealing *sealing)
{
    struct sp_rocks *rocks = sealing->rocks;
    pthread_mutex_lock(&rocks->lock);
    rocks->head_taken -= sealing->count;
    if (sealing->written_bytes > 0 &&
        sp_vector_reserve(&rocks->dropped, SP_ROCKS_MERGE_INPUTS_MAX + 2))
        rocks->dropped.items[rocks->dropped.count++] = (struct sp_rocks_dropped){.id = sealing->id};
    pthread_cond_signal(&rocks->merger_wakes);
    pthread_mutex_unlock(&rocks->lock);
}

/* ---- the steps ---- */

/* Under the lock: a copy of that part of the list. The blocks stay the head's until it is committed. */
static enum sp_status take_head(struct sp_rocks_sealing *sealing, struct sp_error *reterr)
{
    struct sp_rocks *rocks = sealing->rocks;
    SP_ASSERT(rocks->head_taken < rocks->head.count);
    uint32_t count = rocks->head.count - rocks->head_taken;
    sealing->blocks = calloc((size_t)count + 1, sizeof(*sealing->blocks));
    sealing->runs = calloc((size_t)count + 1, sizeof(*sealing->runs));
    if (sealing->blocks == NULL || sealing->runs == NULL)
        return no_memory(reterr);
    memcpy(sealing->blocks, rocks->head.items + rocks->head_taken,
           count * sizeof(*sealing->blocks));
    sealing->count = count;
    rocks->head_taken += count;
    sealing->id = sp_rocks_new_segment_id(rocks);
    find_runs(sealing);
    return SP_OK;
}

enum sp_status sp_rocks_sealing_new(struct sp_rocks *rocks, struct sp_rocks_sealing **ret,
                                    struct sp_error *reterr)
{
    struct sp_rocks_sealing *sealing = calloc(1, sizeof(*sealing));
    if (sealing == NULL)
        return no_memory(reterr);
    sealing->rocks = rocks;
    pthread_mutex_lock(&rocks->lock);
    enum sp_status status = take_head(sealing, reterr);
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK)
        *ret = sealing;
    else
        sp_rocks_sealing_free(sealing);
    return status;
}

enum sp_status sp_rocks_sealing_prepare(struct sp_rocks_sealing *sealing, struct sp_error *reterr)
{
    struct sp_rocks *rocks = sealing->rocks;
    enum sp_status status = sp_block_builder_new(&sealing->builder, reterr);
    sealing->batch = sp_kv_batch_new();
    if (status == SP_OK && sealing->batch == NULL)
        status = no_memory(reterr);
    if (status == SP_OK)
        status = sp_segment_writer_init(&sealing->writer, rocks->kv, sealing->batch, sealing->id,
                                        reterr);
    if (status == SP_OK)
        status = sp_rocks_rollups_init(&sealing->rollups, reterr);
    if (status == SP_OK)
        status = mix_head(sealing, reterr);
    if (status == SP_OK)
        status = sp_rocks_rollups_put_counts(&sealing->rollups, rocks->kv, sealing->batch,
                                             sealing->id, reterr);
    sp_block_builder_free(sealing->builder);
    sealing->builder = NULL;
    return status;
}

enum sp_status sp_rocks_sealing_commit(struct sp_rocks_sealing *sealing, struct sp_error *reterr)
{
    struct sp_rocks *rocks = sealing->rocks;
    if (!reserve_place(rocks))
        return no_memory(reterr);
    pthread_mutex_lock(&rocks->history_lock);
    enum sp_status status = write_segment(sealing, reterr);
    if (status == SP_OK) {
        publish(sealing);
        sp_rocks_know(rocks,
                      (struct sp_sequences){sealing->blocks[0].first_sequence,
                                            sealing->totals.sealed_sequence},
                      &sealing->question);
    }
    pthread_mutex_unlock(&rocks->history_lock);
    if (status != SP_OK)
        return status;
    for (uint32_t i = 0; i < sealing->count; i++)
        sp_block_unref(sealing->blocks[i].shared);
    return free_journal(rocks, sealing->totals.sealed_sequence, reterr);
}

void sp_rocks_sealing_free(struct sp_rocks_sealing *sealing)
{
    if (sealing == NULL)
        return;
    if (!sealing->committed)
        give_back(sealing);
    sp_rocks_rollups_fini(&sealing->rollups);
    sp_segment_writer_fini(&sealing->writer);
    sp_block_builder_free(sealing->builder);
    sp_segment_unref(sealing->segment);
    sp_kv_batch_free(sealing->batch);
    sp_known_question_fini(&sealing->question);
    sp_vector_fini(&sealing->ids);
    free(sealing->runs);
    free(sealing->blocks);
    free(sealing);
}

enum sp_status sp_rocks_seal(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_sealing *sealing;
    enum sp_status status = sp_rocks_sealing_new(rocks, &sealing, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_sealing_prepare(sealing, reterr);
    if (status == SP_OK)
        status = sp_rocks_sealing_commit(sealing, reterr);
    sp_rocks_sealing_free(sealing);
    return status;
}
