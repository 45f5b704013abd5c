/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_write.c: appends, and the two threads behind them: the committer makes them durable, many with one sync,
 * and acks; the applier turns them into rows. Knows the database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>
#include <time.h>

/* ---- queues ---- */

static void queue_push(struct sp_rocks_queue *queue, struct sp_rocks_entry *entry)
{
    entry->next = NULL;
    if (queue->last != NULL)
        queue->last->next = entry;
    else
        queue->first = entry;
    queue->last = entry;
    queue->count++;
    queue->bytes += entry->bytes;
}

static struct sp_rocks_entry *queue_pop(struct sp_rocks_queue *queue)
{
    struct sp_rocks_entry *entry = queue->first;
    queue->first = entry->next;
    if (queue->first == NULL)
        queue->last = NULL;
    entry->next = NULL;
    queue->count--;
    queue->bytes -= entry->bytes;
    return entry;
}

void sp_rocks_entry_unref(struct sp_rocks_entry *entry)
{
    if (atomic_fetch_sub(&entry->references, 1) != 1)
        return;
    sp_append_free(entry->append);
    free(entry);
}

/* ---- appends ---- */

/* What an append keeps in memory until it is applied. */
static size_t append_bytes(const struct sp_append *append)
{
    return sizeof(*append) + append->body.cap + append->plain.cap + append->arena.used_bytes;
}

static void refuse(struct sp_append *append, enum sp_status status, const char *why)
{
    struct sp_error error;
    sp_error_set(&error, status, "%s", why);
    sp_append_finish(append, status, &error);
}

void sp_rocks_append(struct sp_store *store, struct sp_append *append)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    struct sp_error error;
    uint64_t repeated_bytes;
    enum sp_status status =
        sp_rocks_repeated_bytes(&rocks->codec, append->batch, &repeated_bytes, &error);
    if (status != SP_OK) {
        sp_append_finish(append, status, &error);
        return;
    }
    struct sp_rocks_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        refuse(append, SP_NO_MEMORY, "no memory to take the request");
        return;
    }
    entry->append = append;
    entry->repeated_bytes = repeated_bytes;
    entry->bytes = append_bytes(append);
    atomic_init(&entry->references, 1);

    pthread_mutex_lock(&rocks->lock);
    size_t backlog = rocks->waiting.bytes + rocks->in_commit_bytes + rocks->head.bytes;
    bool draining = rocks->draining;
    bool full = backlog > 0 && (backlog > rocks->backlog_bytes_max ||
                                entry->bytes > rocks->backlog_bytes_max - backlog);
    if (!draining && !full) {
        queue_push(&rocks->waiting, entry);
        pthread_cond_signal(&rocks->committer_wakes);
    }
    pthread_mutex_unlock(&rocks->lock);

    if (draining || full) {
        free(entry);
        refuse(append, draining ? SP_UNAVAILABLE : SP_OVERLOADED,
               draining ? "the store is closing"
                        : "more spans are waiting to be stored than fit into memory");
    }
}

static bool is_idle(const struct sp_rocks *rocks)
{
    return rocks->waiting.count == 0 && rocks->in_commit_count == 0 &&
           (rocks->head.count == 0 || rocks->applier_stuck);
}

void sp_rocks_drain(struct sp_store *store)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    pthread_mutex_lock(&rocks->lock);
    rocks->draining = true;
    while (!is_idle(rocks))
        pthread_cond_wait(&rocks->somebody_idles, &rocks->lock);
    pthread_mutex_unlock(&rocks->lock);
}

/* ---- committer ---- */

/* Entries it takes are linked through next, and belong to nobody else meanwhile. */
static enum sp_status write_group(struct sp_rocks *rocks, struct sp_rocks_queue *group,
                                  struct sp_error *reterr)
{
    struct sp_kv_batch *batch = sp_kv_batch_new();
    struct sp_buf head;
    sp_buf_init(&head, SP_ROCKS_ROW_BYTES_MAX);
    for (struct sp_rocks_entry *entry = group->first; entry != NULL && batch != NULL;
         entry = entry->next) {
        entry->sequence = rocks->next_sequence++;
        struct sp_layout_key key = sp_layout_journal_key(entry->sequence);
        sp_buf_reset(&head);
        sp_layout_journal_head_write(entry->append, &head);
        sp_kv_batch_put2(batch, rocks->kv, SP_KV_JOURNAL, sp_layout_key_slice(&key),
                         sp_buf_slice(&head), sp_buf_slice(&entry->append->body));
    }
    enum sp_status status = SP_OK;
    if (batch == NULL || head.error != SP_OK)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to write the journal");
    else
        status = sp_kv_write(rocks->kv, batch, rocks->durability == SP_DURABILITY_SYNC, reterr);
    if (status != SP_OK && status != SP_NO_MEMORY) {
        atomic_store(&rocks->kv_broken, true);
        status = reterr->status = SP_UNAVAILABLE; /* the applier is going to repair it */
    }
    sp_kv_batch_free(batch);
    sp_buf_fini(&head);
    return status;
}

/* With kv_lock held for reading. */
static enum sp_status write_journal(struct sp_rocks *rocks, struct sp_rocks_queue *group,
                                    struct sp_error *reterr)
{
    enum sp_status status = SP_UNAVAILABLE;
    if (atomic_load(&rocks->kv_broken))
        sp_error_set(reterr, status,
                     "the last write to the disk failed; waiting until it takes "
                     "writes again");
    else
        status = write_group(rocks, group, reterr);
    return status;
}

/* Takes a group out of waiting, under the lock. */
static struct sp_rocks_queue take_group(struct sp_rocks *rocks)
{
    struct sp_rocks_queue group = {0};
    do
        queue_push(&group, queue_pop(&rocks->waiting));
    while (rocks->waiting.first != NULL &&
           group.bytes + rocks->waiting.first->bytes <= SP_ROCKS_COMMIT_BYTES_MAX);
    rocks->in_commit_count = group.count;
    rocks->in_commit_bytes = group.bytes;
    return group;
}

/* Under the lock: what was written becomes visible, before anybody is told. Returns the list to ack, each with a
 * reference, because the applier may be done with an entry before its callback has returned. */
static struct sp_rocks_entry *publish(struct sp_rocks *rocks, struct sp_rocks_queue *group,
                                      bool written)
{
    struct sp_rocks_entry *first = group->first;
    for (struct sp_rocks_entry *entry = first; entry != NULL; entry = entry->next)
        entry->ack_next = entry->next;
    rocks->in_commit_bytes = 0;
    if (!written)
        return first;
    rocks->append_count += group->count;
    rocks->commit_count++;
    while (group->first != NULL) {
        struct sp_rocks_entry *entry = queue_pop(group);
        atomic_fetch_add(&entry->references, 1);
        queue_push(&rocks->head, entry);
    }
    pthread_cond_signal(&rocks->applier_wakes);
    return first;
}

static void ack(struct sp_rocks_entry *first, enum sp_status status, const struct sp_error *error)
{
    while (first != NULL) {
        struct sp_rocks_entry *entry = first;
        first = entry->ack_next;
        if (entry->append->done != NULL)
            entry->append->done(entry->append->cookie, status, error);
        sp_rocks_entry_unref(entry);
    }
}

static void *committer_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    pthread_mutex_lock(&rocks->lock);
    for (;;) {
        while (rocks->waiting.count == 0 && !rocks->stopping)
            pthread_cond_wait(&rocks->committer_wakes, &rocks->lock);
        if (rocks->waiting.count == 0)
            break;
        struct sp_rocks_queue group = take_group(rocks);
        size_t count = group.count;
        pthread_mutex_unlock(&rocks->lock);

        /* Until what was written stands in the head: a repair drops the records that are not there. */
        pthread_rwlock_rdlock(&rocks->kv_lock);
        struct sp_error error = {0};
        enum sp_status status = write_journal(rocks, &group, &error);
        if (status != SP_OK)
            sp_log_event(rocks->log, SP_LOG_ERROR, "journal_write", "requests were not stored",
                         sp_log_cstr("error", error.message), sp_log_u64("requests", count));

        pthread_mutex_lock(&rocks->lock);
        struct sp_rocks_entry *to_ack = publish(rocks, &group, status == SP_OK);
        pthread_mutex_unlock(&rocks->lock);
        pthread_rwlock_unlock(&rocks->kv_lock);
        ack(to_ack, status, &error);

        pthread_mutex_lock(&rocks->lock);
        if (status != SP_OK)
            pthread_cond_signal(&rocks->applier_wakes); /* it repairs */
        rocks->in_commit_count = 0;
        pthread_cond_broadcast(&rocks->somebody_idles);
    }
    pthread_mutex_unlock(&rocks->lock);
    return NULL;
}

/* ---- applier ---- */

#define APPLY_ENTRIES_MAX 1024

/* Under the lock: the oldest entries of the head. They stay there until their rows are written. */
static size_t peek_head(const struct sp_rocks *rocks, struct sp_rocks_entry **ret_entries)
{
    size_t count = 0;
    uint64_t bytes = 0;
    for (struct sp_rocks_entry *entry = rocks->head.first;
         entry != NULL && count < APPLY_ENTRIES_MAX; entry = entry->next) {
        bytes += entry->bytes + entry->repeated_bytes;
        if (count > 0 && bytes > SP_ROCKS_APPLY_BYTES_MAX)
            break;
        ret_entries[count++] = entry;
    }
    return count;
}

/* Not cut short by the appends that come meanwhile: they would make it spin. */
static void wait_before_retry(struct sp_rocks *rocks, uint64_t retry_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + retry_ns;
    until.tv_sec += (time_t)(ns / SP_LAYOUT_NS_PER_SECOND);
    until.tv_nsec = (long)(ns % SP_LAYOUT_NS_PER_SECOND);
    while (!rocks->stopping &&
           pthread_cond_timedwait(&rocks->applier_wakes, &rocks->lock, &until) == 0)
        continue;
}

struct sp_rocks_entry *sp_rocks_head_take_applied(struct sp_rocks *rocks)
{
    struct sp_rocks_queue taken = {0};
    while (rocks->head.first != NULL &&
           rocks->head.first->sequence <= rocks->totals.applied_sequence)
        queue_push(&taken, queue_pop(&rocks->head));
    return taken.first;
}

/* Applies some of the head, or repairs the database first. */
static enum sp_status apply_some(struct sp_rocks *rocks, struct sp_rocks_entry *const *entries,
                                 size_t count, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    if (atomic_load(&rocks->kv_broken))
        status = sp_rocks_repair(rocks, reterr);
    else if (count > 0)
        status = sp_rocks_apply(rocks, entries, count, reterr);
    return status;
}

static void *applier_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    struct sp_rocks_entry *entries[APPLY_ENTRIES_MAX];
    uint64_t retry_ns = SP_ROCKS_RETRY_NS;
    pthread_mutex_lock(&rocks->lock);
    for (;;) {
        while (rocks->head.count == 0 && !rocks->stopping && !atomic_load(&rocks->kv_broken))
            pthread_cond_wait(&rocks->applier_wakes, &rocks->lock);
        if (rocks->stopping && (rocks->head.count == 0 || rocks->applier_stuck))
            break;
        size_t count = peek_head(rocks, entries);
        pthread_mutex_unlock(&rocks->lock);

        struct sp_error error = {0};
        bool done = apply_some(rocks, entries, count, &error) == SP_OK;

        pthread_mutex_lock(&rocks->lock);
        struct sp_rocks_entry *applied = done ? sp_rocks_head_take_applied(rocks) : NULL;
        if (!done && !rocks->applier_stuck)
            sp_log_event(rocks->log, SP_LOG_ERROR, "apply",
                         "requests that were acked stay in the journal for now",
                         sp_log_cstr("error", error.message));
        if (done && rocks->applier_stuck)
            sp_log_event(rocks->log, SP_LOG_INFO, "apply", "requests are applied again");
        rocks->applier_stuck = !done;
        rocks->apply_failure_count += !done;
        pthread_cond_broadcast(&rocks->somebody_idles);
        if (done || atomic_load(&rocks->kv_broken))
            retry_ns = SP_ROCKS_RETRY_NS;
        if (!done)
            wait_before_retry(rocks, retry_ns);
        retry_ns = retry_ns < SP_ROCKS_RETRY_NS_MAX / 2 ? 2 * retry_ns : SP_ROCKS_RETRY_NS_MAX;
        if (done)
            retry_ns = SP_ROCKS_RETRY_NS;
        pthread_mutex_unlock(&rocks->lock);
        while (applied != NULL) {
            struct sp_rocks_entry *entry = applied;
            applied = entry->next;
            sp_rocks_entry_unref(entry);
        }
        pthread_mutex_lock(&rocks->lock);
    }
    pthread_mutex_unlock(&rocks->lock);
    return NULL;
}

/* ---- start and stop ---- */

enum sp_status sp_rocks_start(struct sp_rocks *rocks, struct sp_error *reterr)
{
    int error = pthread_create(&rocks->committer, NULL, committer_main, rocks);
    rocks->committer_runs = error == 0;
    if (error == 0) {
        error = pthread_create(&rocks->applier, NULL, applier_main, rocks);
        rocks->applier_runs = error == 0;
    }
    if (error == 0)
        return SP_OK;
    return sp_error_set(reterr, SP_NO_MEMORY, "cannot start the threads of the store: %s",
                        strerror(error));
}

void sp_rocks_stop(struct sp_rocks *rocks)
{
    if (rocks->applier_runs)
        sp_rocks_drain(&rocks->base);
    pthread_mutex_lock(&rocks->lock);
    rocks->stopping = true;
    pthread_cond_broadcast(&rocks->committer_wakes);
    pthread_cond_broadcast(&rocks->applier_wakes);
    pthread_mutex_unlock(&rocks->lock);
    if (rocks->committer_runs)
        pthread_join(rocks->committer, NULL);
    if (rocks->applier_runs)
        pthread_join(rocks->applier, NULL);
    while (rocks->head.count > 0) /* the applier was stuck: the journal has them */
        sp_rocks_entry_unref(queue_pop(&rocks->head));
}
