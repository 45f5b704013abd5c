/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_retain.c: which segments are removed, and how one is. It leaves the list like one that was merged: who reads it
 * goes on, and its room is given back later (rocks_merger.c). What later segments have counted on top of it changes in the same batch
 * (docs/decisions/0048-retention.md). Knows the database through kv.h only. */
#include "storage/rocks_known.h"
#include "storage/rocks_pins.h"
#include "storage/rocks_rollup.h"
#include "storage/rocks_view.h"

#include <stdlib.h>

/* ---- the choice ---- */

static bool is_old(const struct sp_segment *segment, uint64_t cutoff_unix_ns)
{
    return segment->start_max_unix_ns < cutoff_unix_ns ||
           segment->received_max_unix_ns < cutoff_unix_ns;
}

/* Under the lock. */
static uint64_t segment_bytes(const struct sp_rocks *rocks)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < rocks->segments.count; i++)
        bytes += rocks->segments.items[i]->bytes;
    return bytes;
}

uint64_t sp_rocks_garbage_bytes(const struct sp_rocks *rocks)
{
    uint64_t used = segment_bytes(rocks);
    uint64_t tables = sp_kv_table_bytes(rocks->kv, SP_KV_CHUNKS);
    for (uint32_t i = 0; i < rocks->dropped.count; i++) {
        if (rocks->dropped.items[i].segment != NULL)
            used += rocks->dropped.items[i].segment->bytes;
    }
    return tables > used ? tables - used : 0;
}

/* What the data directory takes besides tables of segments: what is on its way out of those is not counted, because removing more
 * would not make it faster. */
static uint64_t other_bytes(const struct sp_rocks *rocks)
{
    uint64_t all = sp_datadir_bytes(&rocks->dir);
    uint64_t tables = sp_kv_table_bytes(rocks->kv, SP_KV_CHUNKS);
    return all > tables ? all - tables : 0;
}

enum reason { REASON_NONE, REASON_AGE, REASON_SIZE };

/* Under the lock. Is it known to stay? */
static bool stays(const struct sp_rocks *rocks, const struct sp_segment *segment)
{
    for (uint32_t i = 0; i < rocks->pinned_segments.count; i++) {
        if (rocks->pinned_segments.items[i] == segment->id)
            return true;
    }
    return false;
}

/* Under the lock. The oldest one that may go, of which *ret_index is the number. */
static enum reason choose(const struct sp_rocks *rocks, const struct sp_retain *retain,
                          uint64_t other, uint32_t *ret_index)
{
    const struct sp_retention *keep = &retain->keep;
    uint64_t now = retain->now_unix_ns;
    for (uint32_t i = 0; i < rocks->segments.count && keep->age_ns > 0; i++) {
        *ret_index = i;
        if (now > keep->age_ns && is_old(rocks->segments.items[i], now - keep->age_ns) &&
            !stays(rocks, rocks->segments.items[i]))
            return REASON_AGE;
    }
    *ret_index = 0;
    while (*ret_index < rocks->segments.count && stays(rocks, rocks->segments.items[*ret_index]))
        ++*ret_index;
    if (*ret_index < rocks->segments.count && keep->disk_bytes > 0) {
        uint64_t room = keep->disk_bytes / SP_ROCKS_RETAIN_ROOM_PART;
        if (room > SP_ROCKS_RETAIN_ROOM_MAX)
            room = SP_ROCKS_RETAIN_ROOM_MAX;
        if (other + segment_bytes(rocks) > keep->disk_bytes - room)
            return REASON_SIZE;
    }
    return REASON_NONE;
}

/* ---- one removal ----
 *
 * Segments count only what is new: of a trace that an older one holds, a later one has counted its spans, but neither the trace nor calls that
 * were counted before. So when a segment goes, who counts its traces from now on is found in this order:
 *   1. older segments that hold them: those count them already, and nothing changes (look_at_older);
 *   2. of the later ones the first that holds each, where it becomes a new trace; and each that holds some counts their calls
 *      without what goes (look_at_later, put_change);
 *   3. the same of segments that were sealed meanwhile, with history_lock held, so that none comes any more; then the batch that
 *      takes the header out and puts the changed ones in (write_batch), and the list (publish).
 * Steps 1 and 2 take long and hold up nobody. */

/* What becomes of a later segment. */
struct later_change {
    bool *holds;                   /* heap; of each id, while it is looked at */
    size_t count;                  /* of those that it holds */
    bool is_put;                   /* it gets other links */
    struct sp_segment_links links; /* then */
};

struct removing {
    struct sp_rocks *rocks;
    struct sp_segment *segment;        /* that goes; one reference */
    struct sp_rocks_ids ids;           /* of it */
    struct sp_known_question question; /* about them */
    bool *counted; /* heap; of each: another segment has it among its new ones */
    struct sp_block_reader reader;
    struct sp_kv_batch *batch;
    struct sp_rocks_view view;
    uint32_t index;                         /* of the segment in view */
    SP_VECTOR(struct later_change) changes; /* of each segment behind it */
    size_t left_out;
    bool is_pinned; /* a trace of it was, meanwhile: it stays */
};

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to remove a segment");
}

/* What is known of all segments that are there now. */
static enum sp_status ask(struct removing *removing, struct sp_error *reterr)
{
    pthread_mutex_lock(&removing->rocks->history_lock);
    bool fits = sp_known_ask(&removing->rocks->known, removing->ids.items, removing->ids.count,
                             &removing->question);
    pthread_mutex_unlock(&removing->rocks->history_lock);
    return fits ? SP_OK : no_memory(reterr);
}

/* Numbers of those ids that a segment may hold, until the next one is asked. */
static const uint32_t *numbers_for(struct removing *removing, const struct sp_segment *segment,
                                   size_t *ret_count)
{
    return sp_known_numbers(&removing->question, sp_rocks_sequences(segment), &segment->filter,
                            ret_count);
}

/* Traces that older segments hold stay with those. */
static enum sp_status look_at_older(struct removing *removing, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t s = 0; s < removing->index; s++) {
        const struct sp_segment *segment = removing->view.parts[s].segment;
        size_t count;
        const uint32_t *numbers = numbers_for(removing, segment, &count);
        for (size_t i = 0; i < count && status == SP_OK; i++) {
            uint32_t n = numbers[i];
            if (!removing->counted[n])
                status = sp_rocks_holds(&removing->reader, segment, &removing->ids.items[n],
                                        &removing->counted[n], reterr);
        }
    }
    return status;
}

static enum sp_status look_at(struct removing *removing, const struct sp_rocks_part *part,
                              struct later_change *change, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    size_t count;
    const uint32_t *numbers = numbers_for(removing, part->segment, &count);
    change->links = part->links;
    change->holds = calloc(removing->ids.count + 1, sizeof(*change->holds));
    if (change->holds == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        uint32_t n = numbers[i];
        status = sp_rocks_holds(&removing->reader, part->segment, &removing->ids.items[n],
                                &change->holds[n], reterr);
        if (!change->holds[n])
            continue;
        change->count++;
        change->links.new_trace_count += !removing->counted[n];
        removing->counted[n] = true;
    }
    return status;
}

/* From nothing: what the segment that goes had, or what this one has counted, cannot be read. *ret_done: unless its own traces, or older
 * spans of them, cannot be read either. */
static enum sp_status recount(struct removing *removing, uint32_t later,
                              struct later_change *change, struct sp_edge_rollup *edges,
                              bool *ret_done, struct sp_error *reterr)
{
    struct sp_rocks_ids ids;
    uint64_t new_count;
    *ret_done = false;
    enum sp_status status =
        sp_rocks_read_ids(&removing->reader, removing->view.parts[later].segment, &ids, reterr);
    if (status == SP_OK && ids.damaged_count == 0) {
        status = sp_rocks_recount(&removing->view, removing->index, later, ids.items, ids.count,
                                  edges, &new_count, reterr);
        *ret_done = status == SP_OK;
        if (*ret_done)
            change->links.new_trace_count = new_count;
        if (status == SP_CORRUPT || status == SP_LIMIT)
            status = SP_OK;
    }
    free(ids.items);
    return status;
}

/* Takes the traces that are known to go along out of what was counted. Edges that are damaged stay so. */
static enum sp_status uncount(struct removing *removing, uint32_t later,
                              const struct sp_trace_id *ids, const struct later_change *change,
                              struct sp_edge_rollup *edges, bool *ret_done, struct sp_error *reterr)
{
    const struct sp_rocks_part *part = &removing->view.parts[later];
    size_t left_out = 0;
    enum sp_status status =
        sp_rocks_edges_read(removing->rocks->kv, part->segment, part->links.edges_version,
                            SP_TIME_RANGE_ALL, edges, reterr);
    *ret_done = status != SP_CORRUPT;
    if (status == SP_CORRUPT) {
        removing->left_out += change->count;
        return SP_OK;
    }
    if (status == SP_OK)
        status = sp_rocks_uncount(&removing->view, removing->index, later, ids, change->count,
                                  edges, &left_out, reterr);
    removing->left_out += left_out;
    return status;
}

static enum sp_status put_edges(struct removing *removing, uint32_t later,
                                const struct sp_trace_id *ids, struct later_change *change,
                                struct sp_error *reterr)
{
    struct sp_edge_rollup edges;
    bool done = false;
    enum sp_status status = SP_OK;
    sp_edge_rollup_init(&edges);
    if (removing->ids.damaged_count > 0)
        status = recount(removing, later, change, &edges, &done, reterr);
    if (status == SP_OK && !done) {
        sp_edge_rollup_fini(&edges);
        sp_edge_rollup_init(&edges);
        removing->left_out += removing->ids.damaged_count;
        status = uncount(removing, later, ids, change, &edges, &done, reterr);
    }
    if (status == SP_OK && done)
        status = sp_rocks_edges_put(removing->rocks->kv, removing->batch,
                                    removing->view.parts[later].segment->id,
                                    ++change->links.edges_version, &edges, reterr);
    sp_edge_rollup_fini(&edges);
    return status;
}

/* The new edges and the new header of a later segment. */
static enum sp_status put_change(struct removing *removing, uint32_t later,
                                 struct later_change *change, struct sp_error *reterr)
{
    size_t id_count = 0;
    struct sp_trace_id *ids = calloc(change->count + 1, sizeof(*ids));
    if (ids == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < removing->ids.count; i++) {
        if (change->holds[i])
            ids[id_count++] = removing->ids.items[i];
    }
    enum sp_status status = put_edges(removing, later, ids, change, reterr);
    if (status == SP_OK)
        status = sp_segment_put_header(removing->view.parts[later].segment, &change->links,
                                       removing->rocks->kv, removing->batch, reterr);
    free(ids);
    return status;
}

/* The newest state, in which the segment has another number. */
static enum sp_status renew_view(struct removing *removing, struct sp_error *reterr)
{
    if (removing->view.rocks != NULL)
        sp_rocks_view_close(&removing->view);
    enum sp_status status = sp_rocks_view_open(removing->rocks, &removing->view, reterr);
    if (status != SP_OK)
        return status;
    removing->index = 0;
    while (removing->view.parts[removing->index].segment != removing->segment) {
        removing->index++;
        SP_ASSERT(removing->index < removing->view.part_count); /* nobody else takes segments out */
    }
    return SP_OK;
}

/* Looks at the segments that were not there the last time. */
static enum sp_status look_at_later(struct removing *removing, struct sp_error *reterr)
{
    const struct sp_rocks_part *parts = removing->view.parts;
    enum sp_status status = SP_OK;
    uint32_t next = removing->index + 1 + removing->changes.count;
    for (; next < removing->view.part_count && parts[next].segment != NULL && status == SP_OK;
         next++) {
        if (!sp_vector_push(&removing->changes, (struct later_change){0}))
            return no_memory(reterr);
        struct later_change *change = &removing->changes.items[removing->changes.count - 1];
        status = look_at(removing, &parts[next], change, reterr);
        change->is_put = change->count > 0 || removing->ids.damaged_count > 0;
        if (status == SP_OK && change->is_put)
            status = put_change(removing, next, change, reterr);
        free(change->holds);
        change->holds = NULL;
    }
    return status;
}

static enum sp_status write_batch(struct removing *removing, struct sp_error *reterr)
{
    struct sp_rocks *rocks = removing->rocks;
    uint8_t key[SP_SEGMENT_KEY_BYTES];
    sp_segment_key(removing->segment->id, key);
    sp_kv_batch_delete(removing->batch, rocks->kv, SP_KV_SEGMENTS, sp_slice_make(key, sizeof(key)));
    /* The ids of headers say which were given, and the highest may be this one's. */
    pthread_mutex_lock(&rocks->lock);
    struct sp_totals totals = rocks->totals;
    bool fits = sp_vector_reserve(&rocks->dropped, 1);
    pthread_mutex_unlock(&rocks->lock);
    enum sp_status status =
        fits ? sp_rocks_put_totals(rocks, removing->batch, &totals, reterr) : no_memory(reterr);
    if (status != SP_OK)
        return status;
    status = sp_kv_write(rocks->kv, removing->batch, false, reterr);
    if (status != SP_OK)
        atomic_store(&rocks->kv_broken, true);
    return status;
}

static void count_removed(struct sp_store_removed *removed, const struct sp_segment *segment)
{
    removed->segments++;
    removed->spans += segment->span_count;
}

/* From now on views do not have the segment, and know the others by what was written. */
static void publish(struct removing *removing, enum reason reason)
{
    struct sp_rocks *rocks = removing->rocks;
    struct sp_segment *segment = removing->segment;
    pthread_mutex_lock(&rocks->lock);
    SP_ASSERT(rocks->segments.items[removing->index] == segment);
    rocks->segments.count--;
    memmove(rocks->segments.items + removing->index, rocks->segments.items + removing->index + 1,
            (rocks->segments.count - removing->index) * sizeof(struct sp_segment *));
    for (uint32_t i = 0; i < removing->changes.count; i++) {
        if (removing->changes.items[i].is_put)
            rocks->segments.items[removing->index + i]->links = removing->changes.items[i].links;
    }
    rocks->dropped.items[rocks->dropped.count++] =
        (struct sp_rocks_dropped){.id = segment->id, .segment = segment}; /* the list's reference */
    count_removed(reason == REASON_AGE ? &rocks->removed_by_age : &rocks->removed_by_size, segment);
    pthread_mutex_unlock(&rocks->lock);
}

/* What takes long is done first; what came meanwhile, and the rest, while nothing is sealed. */
static enum sp_status remove_segment(struct removing *removing, enum reason reason,
                                     struct sp_error *reterr)
{
    enum sp_status status =
        sp_rocks_read_ids(&removing->reader, removing->segment, &removing->ids, reterr);
    removing->counted = calloc(removing->ids.count + 1, sizeof(*removing->counted));
    if (status == SP_OK && removing->counted == NULL)
        status = no_memory(reterr);
    if (status == SP_OK)
        status = ask(removing, reterr);
    if (status == SP_OK)
        status = renew_view(removing, reterr);
    if (status == SP_OK)
        status = look_at_older(removing, reterr);
    if (status == SP_OK)
        status = look_at_later(removing, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&removing->rocks->history_lock);
    status = renew_view(removing, reterr);
    if (status == SP_OK)
        status = look_at_later(removing, reterr);
    if (status == SP_OK)
        status =
            sp_rocks_is_pinned(removing->rocks, removing->segment, &removing->is_pinned, reterr);
    if (status == SP_OK && !removing->is_pinned)
        status = write_batch(removing, reterr);
    if (status == SP_OK && !removing->is_pinned)
        publish(removing, reason);
    pthread_mutex_unlock(&removing->rocks->history_lock);
    return status;
}

static void log_removal(const struct removing *removing, enum reason reason)
{
    const struct sp_log *log = removing->rocks->log;
    const struct sp_segment *segment = removing->segment;
    sp_log_event(log, SP_LOG_INFO, "retention", "the oldest spans were removed",
                 sp_log_cstr("reason", reason == REASON_AGE ? "age" : "size"),
                 sp_log_u64("segment", segment->id), sp_log_u64("spans", segment->span_count),
                 sp_log_u64("bytes", segment->bytes),
                 sp_log_u64("newest_unix_ns", segment->start_max_unix_ns));
    if (removing->left_out > 0)
        sp_log_event(log, SP_LOG_WARN, "graph",
                     "traces of removed spans are too large or damaged, and may count wrong in the "
                     "dependency graph",
                     sp_log_u64("segment", segment->id), sp_log_u64("places", removing->left_out));
}

static enum sp_status remove_chosen(struct sp_rocks *rocks, const struct sp_retain *retain,
                                    struct sp_segment *segment, enum reason reason,
                                    bool *ret_pinned, struct sp_error *reterr)
{
    struct removing removing = {.rocks = rocks, .segment = segment, .batch = sp_kv_batch_new()};
    if (removing.batch == NULL)
        return no_memory(reterr);
    enum sp_status status = sp_block_reader_init(&removing.reader, rocks->kv, reterr);
    if (status == SP_OK) {
        status = remove_segment(&removing, reason, reterr);
        sp_block_reader_fini(&removing.reader);
    }
    *ret_pinned = removing.is_pinned;
    if (status == SP_OK && !removing.is_pinned) {
        log_removal(&removing, reason);
        if (retain->removed != NULL)
            retain->removed(retain->cookie, segment->first_sequence, segment->last_sequence,
                            segment->span_count);
    }
    if (removing.view.rocks != NULL)
        sp_rocks_view_close(&removing.view);
    sp_vector_fini(&removing.changes);
    sp_kv_batch_free(removing.batch);
    sp_known_question_fini(&removing.question);
    free(removing.ids.items);
    free(removing.counted);
    return status;
}

/* Under the lock, which it gives up meanwhile. Removes a segment, unless a trace of it is pinned: then it is known to stay. */
static enum sp_status remove_or_keep(struct sp_rocks *rocks, const struct sp_retain *retain,
                                     uint32_t index, enum reason reason, bool *ret_pinned,
                                     struct sp_error *reterr)
{
    struct sp_segment *segment = sp_segment_ref(rocks->segments.items[index]);
    uint64_t unpin_count = rocks->unpin_count;
    pthread_mutex_unlock(&rocks->lock);
    enum sp_status status = sp_rocks_is_pinned(rocks, segment, ret_pinned, reterr);
    if (status == SP_OK && !*ret_pinned)
        status = remove_chosen(rocks, retain, segment, reason, ret_pinned, reterr);
    pthread_mutex_lock(&rocks->lock);
    if (status == SP_OK && *ret_pinned && rocks->unpin_count == unpin_count &&
        !sp_vector_push(&rocks->pinned_segments, segment->id))
        status = no_memory(reterr);
    sp_segment_unref(segment);
    return status;
}

enum sp_status sp_rocks_retain_one(struct sp_rocks *rocks, const struct sp_retain *retain,
                                   bool *ret_removed, struct sp_error *reterr)
{
    uint32_t index;
    bool is_pinned = true;
    enum reason reason;
    enum sp_status status = SP_OK;
    *ret_removed = false;
    uint64_t other = 0;
    if (retain->keep.disk_bytes > 0) { /* it takes a while */
        pthread_mutex_unlock(&rocks->lock);
        other = other_bytes(rocks);
        pthread_mutex_lock(&rocks->lock);
    }
    while (status == SP_OK && is_pinned &&
           (reason = choose(rocks, retain, other, &index)) != REASON_NONE)
        status = remove_or_keep(rocks, retain, index, reason, &is_pinned, reterr);
    *ret_removed = status == SP_OK && !is_pinned;
    return status;
}

/* ---- on demand ---- */

enum sp_status sp_rocks_retain(struct sp_store *store, const struct sp_retain *retain,
                               struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    struct sp_rocks_retain_request request = {.retain = retain};
    if (rocks->follows)
        return sp_error_set(reterr, SP_PERMISSION,
                            "this process only reads: another one stores spans");
    enum sp_status status = sp_rocks_check_open(rocks, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&rocks->lock);
    while (rocks->retain_request != NULL && !rocks->draining)
        pthread_cond_wait(&rocks->somebody_idles, &rocks->lock);
    if (rocks->draining) {
        pthread_mutex_unlock(&rocks->lock);
        return sp_error_set(reterr, SP_UNAVAILABLE, "the store is closing");
    }
    rocks->retain_request = &request;
    pthread_cond_signal(&rocks->merger_wakes);
    while (!request.done)
        pthread_cond_wait(&rocks->somebody_idles, &rocks->lock);
    pthread_mutex_unlock(&rocks->lock);
    if (request.status != SP_OK && reterr != NULL)
        *reterr = request.error;
    return request.status;
}
