/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_merger.c: the thread that merges segments when there is nothing better to do, and gives back the room of old ones
 * when nobody reads them any more. Knows the database through kv.h only. */
#include "storage/rocks_known.h"

#include <stdlib.h>
#include <time.h>

/* ---- room of segments that are gone ---- */

/* A key no chunk of a lower id is behind. */
static struct sp_slice chunks_from(uint64_t id, uint8_t key[SP_SEGMENT_KEY_BYTES])
{
    sp_segment_key(id, key);
    return sp_slice_make(key, SP_SEGMENT_KEY_BYTES);
}

static enum sp_status drop_chunks(struct sp_rocks *rocks, uint64_t id, struct sp_error *reterr)
{
    uint8_t from[SP_SEGMENT_KEY_BYTES];
    uint8_t to[SP_SEGMENT_KEY_BYTES];
    enum sp_status status = sp_kv_drop_range(rocks->kv, SP_KV_CHUNKS, chunks_from(id, from),
                                             chunks_from(id + 1, to), reterr);
    if (status != SP_OK)
        atomic_store(&rocks->kv_broken, true);
    return status;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* From the first chunk of one id to that of the next. */
static enum sp_status drop_unnamed(struct sp_rocks *rocks, const uint64_t *ids, uint32_t id_count,
                                   struct sp_kv_iterator *chunks, struct sp_error *reterr)
{
    uint8_t key[SP_SEGMENT_KEY_BYTES];
    enum sp_status status = SP_OK;
    sp_kv_iterator_seek(chunks, SP_SLICE(""));
    while (status == SP_OK && sp_kv_iterator_valid(chunks)) {
        uint64_t id;
        if (!sp_segment_key_parse(sp_slice_sub(sp_kv_iterator_key(chunks), 0, SP_SEGMENT_KEY_BYTES),
                                  &id))
            return sp_error_set(reterr, SP_CORRUPT, "a key of the chunks is damaged");
        if (bsearch(&id, ids, id_count, sizeof(*ids), compare_ids) == NULL)
            status = drop_chunks(rocks, id, reterr);
        if (id == UINT64_MAX)
            break;
        sp_kv_iterator_seek(chunks, chunks_from(id + 1, key));
    }
    return status == SP_OK ? sp_kv_iterator_status(chunks, reterr) : status;
}

void sp_rocks_drop_unnamed(struct sp_rocks *rocks)
{
    struct sp_error error = {.status = SP_OK};
    struct sp_kv_iterator *chunks = sp_kv_iterator_new(rocks->kv, SP_KV_CHUNKS);
    uint64_t *ids = calloc((size_t)rocks->segments.count + 1, sizeof(*ids));
    enum sp_status status =
        chunks == NULL || ids == NULL
            ? sp_error_set(&error, SP_NO_MEMORY, "no memory to look for unfinished segments")
            : SP_OK;
    if (status == SP_OK) {
        for (uint32_t i = 0; i < rocks->segments.count; i++)
            ids[i] = rocks->segments.items[i]->id;
        qsort(ids, rocks->segments.count, sizeof(*ids), compare_ids);
        status = drop_unnamed(rocks, ids, rocks->segments.count, chunks, &error);
    }
    sp_kv_iterator_free(chunks);
    free(ids);
    if (status != SP_OK) /* nothing that is named is missing: the next start tries again */
        sp_log_event(rocks->log, SP_LOG_WARN, "unfinished_segments",
                     "the room of unfinished segments is not given back yet",
                     sp_log_cstr("error", error.message));
}

/* Under the lock: takes one out that nobody reads. References come from lists of the store, which do not have it any more: so
 * the last one stays the last one. */
static bool take_dropped(struct sp_rocks *rocks, struct sp_rocks_dropped *ret)
{
    for (uint32_t i = 0; i < rocks->dropped.count; i++) {
        struct sp_rocks_dropped dropped = rocks->dropped.items[i];
        if (dropped.segment != NULL && atomic_load(&dropped.segment->references) > 1)
            continue;
        rocks->dropped.items[i] = rocks->dropped.items[--rocks->dropped.count];
        *ret = dropped;
        return true;
    }
    return false;
}

/* Files go at once, whatever becomes of the log: so the log has to be on disk first, where it says who took their place. */
static enum sp_status drop(struct sp_rocks *rocks, const struct sp_rocks_dropped *dropped,
                           struct sp_error *reterr)
{
    enum sp_status status = sp_kv_sync(rocks->kv, reterr);
    if (status != SP_OK)
        atomic_store(&rocks->kv_broken, true);
    else
        status = drop_chunks(rocks, dropped->id, reterr);
    if (rocks->freed_last == 0 || dropped->id < rocks->freed_first)
        rocks->freed_first = dropped->id;
    if (dropped->id > rocks->freed_last)
        rocks->freed_last = dropped->id;
    return status;
}

/* Under the lock. Tables that other segments are in, too, could not go: is it time to write them again? */
static bool has_garbage(const struct sp_rocks *rocks)
{
    if (rocks->freed_last == 0)
        return false;
    uint64_t garbage = sp_rocks_garbage_bytes(rocks);
    uint64_t limit = sp_kv_table_bytes(rocks->kv, SP_KV_CHUNKS) / SP_ROCKS_GARBAGE_PART;
    uint64_t size = rocks->retention.disk_bytes;
    if (limit < SP_ROCKS_GARBAGE_BYTES)
        limit = SP_ROCKS_GARBAGE_BYTES;
    return garbage > limit ||
           (size > 0 && garbage > SP_ROCKS_GARBAGE_BYTES && sp_datadir_bytes(&rocks->dir) > size);
}

static void collect_garbage(struct sp_rocks *rocks)
{
    uint8_t from[SP_SEGMENT_KEY_BYTES];
    uint8_t to[SP_SEGMENT_KEY_BYTES];
    sp_kv_compact(rocks->kv, SP_KV_CHUNKS, chunks_from(rocks->freed_first, from),
                  chunks_from(rocks->freed_last + 1, to));
    rocks->freed_last = 0;
}

/* ---- the thread ---- */

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/* Under the lock. */
static void end_request(struct sp_rocks *rocks, enum sp_status status, const struct sp_error *error)
{
    rocks->retain_request->status = status;
    rocks->retain_request->error = *error;
    rocks->retain_request->done = true;
    rocks->retain_request = NULL;
    pthread_cond_broadcast(&rocks->somebody_idles);
}

/* Under the lock. When it cannot be served now, who waits for it is told: a disk may be full for days. */
static void refuse_request(struct sp_rocks *rocks)
{
    struct sp_error error = {0};
    if (rocks->draining)
        sp_error_set(&error, SP_UNAVAILABLE, "the store is closing");
    else if (atomic_load(&rocks->kv_broken))
        sp_error_set(&error, SP_UNAVAILABLE, "the database does not take writes now");
    if (error.status != SP_OK)
        end_request(rocks, error.status, &error);
}

/* Under the lock, which it gives up meanwhile. What somebody waits for, or what the options say. */
static enum sp_status retain(struct sp_rocks *rocks, bool *ret_removed, struct sp_error *reterr)
{
    struct sp_rocks_retain_request *request = rocks->retain_request;
    struct sp_retain own = {.keep = rocks->retention,
                            .now_unix_ns = sp_clock_unix_ns(rocks->clock)};
    enum sp_status status =
        sp_rocks_retain_one(rocks, request != NULL ? request->retain : &own, ret_removed, reterr);
    if (request != NULL && !*ret_removed)
        end_request(rocks, status, reterr);
    return status;
}

/* Under the lock, which it gives up meanwhile; within the gate. *ret_idle: there was nothing to do. */
static enum sp_status do_work(struct sp_rocks *rocks, bool *ret_idle, struct sp_error *reterr)
{
    struct sp_rocks_dropped dropped;
    uint32_t first;
    bool removed;
    *ret_idle = false;
    if (take_dropped(rocks, &dropped)) {
        pthread_mutex_unlock(&rocks->lock);
        enum sp_status status = drop(rocks, &dropped, reterr);
        sp_segment_unref(dropped.segment); /* if it was not dropped, a start will do it */
        pthread_mutex_lock(&rocks->lock);
        return status;
    }
    enum sp_status status = retain(rocks, &removed, reterr);
    if (status != SP_OK || removed)
        return status;
    uint32_t count = sp_rocks_merge_choose(rocks, &first);
    if (count > 0)
        return sp_rocks_merge(rocks, first, count, reterr);
    status = sp_rocks_learn(rocks, ret_idle, reterr);
    if (status != SP_OK || !*ret_idle)
        return status;
    *ret_idle = !has_garbage(rocks);
    if (!*ret_idle) {
        pthread_mutex_unlock(&rocks->lock);
        collect_garbage(rocks);
        pthread_mutex_lock(&rocks->lock);
    }
    return SP_OK;
}

/* Under the lock. The database is held for one piece of work, which ends early when it has to be repaired. */
static enum sp_status step(struct sp_rocks *rocks, bool *ret_idle, struct sp_error *reterr)
{
    struct sp_gate_pass pass;
    pthread_mutex_unlock(&rocks->lock);
    sp_gate_enter_always(&rocks->gate, &pass);
    pthread_mutex_lock(&rocks->lock);
    enum sp_status status = SP_OK;
    *ret_idle = true;
    if (!rocks->draining && !rocks->stopping && !atomic_load(&rocks->kv_broken) &&
        rocks->kv != NULL)
        status = do_work(rocks, ret_idle, reterr);
    sp_gate_leave(&rocks->gate, &pass);
    return status;
}

/* Under the lock. Until there may be something to do. What is dropped waits for readers, who tell nobody when they leave. */
static void wait_for_work(struct sp_rocks *rocks)
{
    bool retains = rocks->retention.age_ns > 0 || rocks->retention.disk_bytes > 0;
    if (!rocks->draining && rocks->dropped.count > 0)
        sp_rocks_wait(rocks, &rocks->merger_wakes, sp_rocks_monotonic_ns() + SP_ROCKS_DROP_WAIT_NS);
    else if (!rocks->draining && retains)
        sp_rocks_wait(rocks, &rocks->merger_wakes, sp_rocks_monotonic_ns() + SP_ROCKS_RETAIN_NS);
    else
        pthread_cond_wait(&rocks->merger_wakes, &rocks->lock);
}

/* Under the lock. Waits; not cut short by the seals that come meanwhile. */
static void note_failure(struct sp_rocks *rocks, uint64_t retry_ns, const struct sp_error *error)
{
    rocks->merge_failure_count++;
    if (retry_ns == rocks->sizes.retry_ns) /* the first of a row */
        sp_log_event(rocks->log, SP_LOG_WARN, "merge", "segments stay as they are for now",
                     sp_log_cstr("error", error->message));
    if (atomic_load(&rocks->kv_broken))
        pthread_cond_signal(&rocks->sealer_wakes); /* it repairs */
    uint64_t until_ns = sp_rocks_monotonic_ns() + retry_ns;
    while (!rocks->draining && !rocks->stopping && sp_rocks_monotonic_ns() < until_ns)
        sp_rocks_wait(rocks, &rocks->merger_wakes, until_ns);
}

static void *merger_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    sp_thread_begin("spoor:merge", SP_ROCKS_MERGE_NICE);
    uint64_t retry_ns = rocks->sizes.retry_ns;
    pthread_mutex_lock(&rocks->lock);
    while (!rocks->stopping) {
        struct sp_error error = {0};
        bool idle;
        bool failed = step(rocks, &idle, &error) != SP_OK;
        rocks->merge_cpu_ns = thread_cpu_ns();
        if (rocks->retain_request != NULL)
            refuse_request(rocks);
        if (rocks->stopping) /* the signal has gone by */
            break;
        if (failed && !rocks->draining) {
            note_failure(rocks, retry_ns, &error);
            retry_ns = retry_ns < SP_ROCKS_RETRY_NS_MAX / 2 ? 2 * retry_ns : SP_ROCKS_RETRY_NS_MAX;
        } else if (failed || idle) {
            wait_for_work(rocks);
        } else {
            retry_ns = rocks->sizes.retry_ns;
        }
    }
    pthread_mutex_unlock(&rocks->lock);
    return NULL;
}

int sp_rocks_merger_start(struct sp_rocks *rocks)
{
    int error = pthread_create(&rocks->merger, NULL, merger_main, rocks);
    rocks->merger_runs = error == 0;
    return error;
}
