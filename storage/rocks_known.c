/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_known.c: which of many traces stored segments hold: a filter over many segments is asked first, then the segments' own,
 * then their blocks. Knows the database through kv.h only. */
#include "storage/rocks_known.h"
#include "storage/rocks_view.h"

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look for traces in stored segments");
}

/* ---- one segment ---- */

enum sp_status sp_rocks_holds(struct sp_block_reader *reader, const struct sp_segment *segment,
                              const struct sp_trace_id *id, bool *ret, struct sp_error *reterr)
{
    uint32_t first;
    uint32_t end;
    sp_segment_find(segment, id, sp_filter_hash(id), &first, &end);
    for (uint32_t b = first; b < end && !*ret; b++) {
        uint32_t row;
        enum sp_status status = SP_OK;
        if (reader->segment != segment || reader->block_number != b)
            status = sp_block_reader_traces(reader, segment, b, reterr);
        if (status == SP_CORRUPT) { /* old damage does not keep new spans from their place */
            reader->segment = NULL;
            continue;
        }
        if (status != SP_OK)
            return status;
        *ret = sp_block_find(&reader->block, id, &row) > 0;
    }
    return SP_OK;
}

enum sp_status sp_rocks_read_ids(struct sp_block_reader *reader, const struct sp_segment *segment,
                                 struct sp_rocks_ids *ret, struct sp_error *reterr)
{
    size_t cap = segment->trace_count + segment->block_count; /* some go on in the next block */
    *ret = (struct sp_rocks_ids){.items = calloc(cap + 1, sizeof(*ret->items))};
    if (ret->items == NULL)
        return no_memory(reterr);
    for (uint32_t b = 0; b < segment->block_count; b++) {
        const struct sp_block *block = &reader->block;
        enum sp_status status = sp_block_reader_traces(reader, segment, b, reterr);
        if (status == SP_CORRUPT) {
            ret->damaged_count++;
            continue;
        }
        if (status != SP_OK)
            return status;
        for (uint32_t t = 0; t < block->trace_count && ret->count < cap; t++) {
            size_t n = ret->count;
            if (n == 0 || sp_trace_id_compare(&ret->items[n - 1], &block->trace_ids[t]) != 0)
                ret->items[ret->count++] = block->trace_ids[t];
        }
    }
    reader->segment = NULL; /* it may have ended at a damaged block */
    return SP_OK;
}

/* ---- all segments ---- */

/* The ids ascend, so that each block of a segment is read once. */
static enum sp_status look_into(struct sp_block_reader *reader, const struct sp_segment *segment,
                                struct sp_known_question *question, const struct sp_trace_id *ids,
                                bool *seen, struct sp_error *reterr)
{
    size_t count;
    enum sp_status status = SP_OK;
    const uint32_t *numbers =
        sp_known_numbers(question, sp_rocks_sequences(segment), &segment->filter, &count);
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        uint32_t n = numbers[i];
        if (!seen[n])
            status = sp_rocks_holds(reader, segment, &ids[n], &seen[n], reterr);
    }
    return status;
}

enum sp_status sp_rocks_keep_known(const struct sp_rocks_view *view,
                                   struct sp_known_question *question, struct sp_trace_id *ids,
                                   size_t *id_count, struct sp_error *reterr)
{
    struct sp_block_reader reader;
    size_t kept = 0;
    bool *seen = calloc(*id_count + 1, sizeof(*seen));
    enum sp_status status =
        seen != NULL ? sp_block_reader_init(&reader, view->kv, reterr) : no_memory(reterr);
    if (status != SP_OK) {
        free(seen);
        return status;
    }
    for (uint32_t s = 0; s < view->part_count && status == SP_OK; s++) {
        if (view->parts[s].segment != NULL)
            status = look_into(&reader, view->parts[s].segment, question, ids, seen, reterr);
    }
    for (size_t i = 0; i < *id_count; i++) {
        if (seen[i])
            ids[kept++] = ids[i];
    }
    *id_count = kept;
    sp_block_reader_fini(&reader);
    free(seen);
    return status;
}

/* ---- what is known of them ---- */

/* With history_lock held. */
static void note_known(struct sp_rocks *rocks)
{
    pthread_mutex_lock(&rocks->lock);
    rocks->known_from =
        rocks->known.parts.count > 0 ? rocks->known.parts.items[0].sequences.first : UINT64_MAX;
    pthread_mutex_unlock(&rocks->lock);
}

void sp_rocks_know(struct sp_rocks *rocks, struct sp_sequences segment,
                   const struct sp_known_question *question)
{
    pthread_mutex_lock(&rocks->lock);
    uint64_t oldest = rocks->segments.items[0]->first_sequence;
    pthread_mutex_unlock(&rocks->lock);
    sp_known_forget(&rocks->known, oldest);
    if (!sp_known_add(&rocks->known, segment, question->hashes, question->count))
        sp_known_fini(&rocks->known);
    note_known(rocks);
}

/* The newest segment that is not known: the neighbour of those that are. NULL: none. Under the lock. */
static struct sp_segment *next_unknown(const struct sp_rocks *rocks)
{
    uint32_t i = rocks->segments.count;
    while (i > 0 && rocks->segments.items[i - 1]->first_sequence >= rocks->known_from)
        i--;
    return i > 0 ? rocks->segments.items[i - 1] : NULL;
}

/* Hashes of a segment's traces: heap, to be freed after an error, too. */
static enum sp_status read_hashes(struct sp_rocks *rocks, const struct sp_segment *segment,
                                  uint64_t **ret, size_t *ret_count, struct sp_error *reterr)
{
    struct sp_block_reader reader;
    struct sp_rocks_ids ids = {0};
    enum sp_status status = sp_block_reader_init(&reader, rocks->kv, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_read_ids(&reader, segment, &ids, reterr);
    if (status == SP_OK && ids.damaged_count > 0)
        status = sp_error_set(reterr, SP_CORRUPT, "blocks are damaged");
    *ret = status == SP_OK ? calloc(ids.count + 1, sizeof(**ret)) : NULL;
    *ret_count = ids.count;
    if (status == SP_OK && *ret == NULL)
        status = no_memory(reterr);
    for (size_t i = 0; i < ids.count && status == SP_OK; i++)
        (*ret)[i] = sp_filter_hash(&ids.items[i]);
    free(ids.items);
    sp_block_reader_fini(&reader);
    return status;
}

/* Unless a seal had no memory, and has forgotten all meanwhile. */
static enum sp_status add_learnt(struct sp_rocks *rocks, const struct sp_segment *segment,
                                 const uint64_t *hashes, size_t count, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&rocks->history_lock);
    pthread_mutex_lock(&rocks->lock);
    bool is_next = next_unknown(rocks) == segment;
    pthread_mutex_unlock(&rocks->lock);
    if (is_next && !sp_known_add(&rocks->known, sp_rocks_sequences(segment), hashes, count))
        status = no_memory(reterr);
    note_known(rocks);
    pthread_mutex_unlock(&rocks->history_lock);
    return status;
}

enum sp_status sp_rocks_learn(struct sp_rocks *rocks, bool *ret_done, struct sp_error *reterr)
{
    uint64_t *hashes = NULL;
    size_t count = 0;
    struct sp_segment *segment = next_unknown(rocks);
    *ret_done = segment == NULL || segment->id == rocks->not_learnt;
    if (*ret_done)
        return SP_OK;
    sp_segment_ref(segment);
    pthread_mutex_unlock(&rocks->lock);
    enum sp_status status = read_hashes(rocks, segment, &hashes, &count, reterr);
    if (status == SP_OK)
        status = add_learnt(rocks, segment, hashes, count, reterr);
    free(hashes);
    pthread_mutex_lock(&rocks->lock);
    if (status == SP_CORRUPT || status == SP_VERSION) { /* reads say so */
        rocks->not_learnt = segment->id;
        status = SP_OK;
    }
    sp_segment_unref(segment);
    return status;
}
