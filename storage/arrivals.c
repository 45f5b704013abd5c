/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/arrivals.c: see storage/arrivals.h. Who commits holds the lock for as long as it takes to put the traces of one append
 * there, who reads for as long as it takes to copy the ring. */
#include "storage/arrivals.h"

#include "storage/idset.h"

#include <stdlib.h>

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to remember what comes in");
}

void sp_arrivals_log_init(struct sp_arrivals_log *log)
{
    *log = (struct sp_arrivals_log){0};
    pthread_mutex_init(&log->lock, NULL);
}

void sp_arrivals_log_fini(struct sp_arrivals_log *log)
{
    free(log->ids);
    pthread_mutex_destroy(&log->lock);
}

enum sp_status sp_arrivals_log_begin(struct sp_arrivals_log *log, struct sp_arrivals_cursor *ret,
                                     struct sp_error *reterr)
{
    pthread_mutex_lock(&log->lock);
    if (log->ids == NULL)
        log->ids = calloc(SP_ARRIVALS_MAX, sizeof(*log->ids));
    bool fits = log->ids != NULL;
    if (fits) {
        atomic_fetch_add(&log->readers, 1);
        *ret = (struct sp_arrivals_cursor){.traces = log->end, .appends = log->unseen_appends};
    }
    pthread_mutex_unlock(&log->lock);
    return fits ? SP_OK : no_memory(reterr);
}

void sp_arrivals_log_end(struct sp_arrivals_log *log)
{
    pthread_mutex_lock(&log->lock);
    SP_ASSERT(log->ids != NULL);
    if (atomic_fetch_sub(&log->readers, 1) == 1) {
        free(log->ids);
        log->ids = NULL;
    }
    pthread_mutex_unlock(&log->lock);
}

/* ---- putting ---- */

static void put(struct sp_arrivals_log *log, const struct sp_trace_id *id)
{
    log->ids[log->end++ % SP_ARRIVALS_MAX] = *id;
}

/* Did this append put it there before? No is not always true. first: its first place. */
static bool is_there(struct sp_arrivals_log *log, const struct sp_trace_id *id, uint64_t first)
{
    uint64_t bits;
    memcpy(&bits, id->bytes + sizeof(id->bytes) - sizeof(bits), sizeof(bits));
    uint64_t *recent = &log->recent[(bits * 0x9e3779b97f4a7c15ULL) >> 54];
    uint64_t place = *recent;
    if (place > first && sp_trace_id_compare(&log->ids[(place - 1) % SP_ARRIVALS_MAX], id) == 0)
        return true;
    *recent = log->end + 1;
    return false;
}

void sp_arrivals_log_add(struct sp_arrivals_log *log, const struct sp_batch *batch)
{
    _Static_assert(SP_ARRIVALS_RECENT == 1 << (64 - 54), "is_there shifts by it");
    pthread_mutex_lock(&log->lock);
    uint64_t first = log->end;
    for (size_t i = 0; i < batch->span_count && log->ids != NULL; i++) {
        const struct sp_trace_id *id = &batch->spans[i].trace_id;
        if ((i == 0 || sp_trace_id_compare(&batch->spans[i - 1].trace_id, id) != 0) &&
            !is_there(log, id, first))
            put(log, id);
    }
    pthread_mutex_unlock(&log->lock);
}

void sp_arrivals_log_add_unseen(struct sp_arrivals_log *log, uint64_t appends)
{
    pthread_mutex_lock(&log->lock);
    log->unseen_appends += appends;
    pthread_mutex_unlock(&log->lock);
}

void sp_arrivals_log_move(struct sp_arrivals_log *into, struct sp_arrivals_log *from)
{
    uint64_t kept_from = from->end > SP_ARRIVALS_MAX ? from->end - SP_ARRIVALS_MAX : 0;
    uint64_t at = from->moved > kept_from ? from->moved : kept_from;
    pthread_mutex_lock(&into->lock);
    /* What does not fit into the one ring would be overwritten in the other. */
    into->end += at - from->moved;
    for (; at < from->end && into->ids != NULL; at++)
        put(into, &from->ids[at % SP_ARRIVALS_MAX]);
    pthread_mutex_unlock(&into->lock);
    from->moved = from->end;
}

void sp_arrivals_log_forget(struct sp_arrivals_log *log)
{
    log->moved = log->end;
}

/* ---- reading ---- */

enum sp_status sp_arrivals_newest_first(struct sp_trace_id *ids, size_t count, size_t *ret_count,
                                        struct sp_error *reterr)
{
    struct sp_idset told = {0};
    size_t kept = 0;
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count / 2; i++) {
        struct sp_trace_id swapped = ids[i];
        ids[i] = ids[count - 1 - i];
        ids[count - 1 - i] = swapped;
    }
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        bool added = false;
        status = sp_idset_add(&told, &ids[i], &added);
        if (added)
            ids[kept++] = ids[i];
    }
    sp_idset_fini(&told);
    *ret_count = kept;
    return status == SP_OK ? SP_OK : no_memory(reterr);
}

/* The last count ids, the newest at the end. Under the lock. */
static void copy_last(const struct sp_arrivals_log *log, size_t count, struct sp_trace_id *out)
{
    size_t first = (size_t)((log->end - count) % SP_ARRIVALS_MAX);
    size_t piece = SP_ARRIVALS_MAX - first < count ? SP_ARRIVALS_MAX - first : count;
    memcpy(out, log->ids + first, piece * sizeof(*out));
    memcpy(out + piece, log->ids, (count - piece) * sizeof(*out));
}

enum sp_status sp_arrivals_log_read(struct sp_arrivals_log *log, struct sp_arrivals_cursor *cursor,
                                    struct sp_arena *arena, struct sp_arrivals *ret,
                                    struct sp_error *reterr)
{
    struct sp_arrivals arrivals = {0};
    struct sp_trace_id *ids = NULL;
    pthread_mutex_lock(&log->lock);
    struct sp_arrivals_cursor end = {.traces = log->end, .appends = log->unseen_appends};
    uint64_t came = end.traces - cursor->traces;
    size_t count = came < SP_ARRIVALS_MAX ? (size_t)came : SP_ARRIVALS_MAX;
    if (count > 0)
        ids = sp_arena_alloc(arena, count * sizeof(*ids));
    if (ids != NULL)
        copy_last(log, count, ids);
    pthread_mutex_unlock(&log->lock);
    if (count > 0 && ids == NULL)
        return sp_arena_failed(arena, reterr, "what came in does not fit into this query's memory");
    enum sp_status status = sp_arrivals_newest_first(ids, count, &arrivals.count, reterr);
    if (status != SP_OK)
        return status;
    arrivals.ids = ids;
    arrivals.skipped = came - count;
    arrivals.unseen_appends = end.appends - cursor->appends;
    *cursor = end;
    *ret = arrivals;
    return SP_OK;
}
