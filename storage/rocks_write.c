/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_write.c: appends, and the thread behind them: the committer makes them durable, many with one sync, and acks; between two such
 * groups it writes chunks for the threads behind, which are nicer.
 * What becomes of them then: rocks_sealer.c. Knows the database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>

/* The batch of a group of requests that takes no more memory is used for the next one. */
#define BATCH_KEPT_BYTES ((size_t)8 * 1024 * 1024)

/* ---- queues ---- */

void sp_rocks_queue_push(struct sp_rocks_queue *queue, struct sp_rocks_entry *entry)
{
    entry->next = NULL;
    if (queue->last != NULL)
        queue->last->next = entry;
    else
        queue->first = entry;
    queue->last = entry;
    queue->count++;
    queue->bytes += entry->bytes;
    queue->spans += entry->append->batch->span_count;
}

struct sp_rocks_entry *sp_rocks_queue_pop(struct sp_rocks_queue *queue)
{
    struct sp_rocks_entry *entry = queue->first;
    queue->first = entry->next;
    if (queue->first == NULL)
        queue->last = NULL;
    entry->next = NULL;
    queue->count--;
    queue->bytes -= entry->bytes;
    queue->spans -= entry->append->batch->span_count;
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
    if (rocks->follows) {
        refuse(append, SP_PERMISSION, "this process only reads: another one stores spans");
        return;
    }
    if (sp_rocks_check_open(rocks, &error) != SP_OK) {
        sp_append_finish(append, SP_UNAVAILABLE, &error);
        return;
    }
    struct sp_rocks_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        refuse(append, SP_NO_MEMORY, "no memory to take the request");
        return;
    }
    entry->append = append;
    entry->bytes = append_bytes(append);
    atomic_init(&entry->references, 1);

    pthread_mutex_lock(&rocks->lock);
    size_t backlog = rocks->waiting.bytes + rocks->in_commit_bytes + rocks->fresh.bytes +
                     sp_rocks_head_bytes(rocks, 0);
    bool draining = rocks->draining;
    bool full = backlog > 0 && (backlog > rocks->backlog_bytes_max ||
                                entry->bytes > rocks->backlog_bytes_max - backlog);
    if (!draining && !full)
        sp_rocks_queue_push(&rocks->waiting, entry);
    pthread_mutex_unlock(&rocks->lock);
    /* Behind the lock: who is woken up may get this thread's processor at once, and would wait for the lock until this thread has one
     * again. */
    if (!draining && !full)
        pthread_cond_signal(&rocks->committer_wakes);

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
           (rocks->fresh.count == 0 || rocks->columns_stuck) &&
           (rocks->head.count == 0 || rocks->sealer_stuck);
}

void sp_rocks_drain(struct sp_store *store)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    if (rocks->follows) /* it takes no appends */
        return;
    pthread_mutex_lock(&rocks->lock);
    rocks->draining = true;
    while (!atomic_load(&rocks->is_open) && !atomic_load(&rocks->open_failed))
        pthread_cond_wait(&rocks->somebody_idles, &rocks->lock);
    pthread_cond_signal(&rocks->columns_wakes);
    pthread_cond_signal(&rocks->sealer_wakes);
    pthread_cond_signal(&rocks->merger_wakes); /* it ends what it does */
    while (!is_idle(rocks) && !atomic_load(&rocks->open_failed))
        pthread_cond_wait(&rocks->somebody_idles, &rocks->lock);
    pthread_mutex_unlock(&rocks->lock);
}

/* ---- committer ---- */

/* The record's body as the journal keeps it: as received, or packed when it came plain and gains by it. Valid until the next. */
static void put_record(struct sp_rocks *rocks, struct sp_kv_batch *batch,
                       struct sp_rocks_entry *entry, struct sp_buf *head)
{
    const struct sp_append *append = entry->append;
    struct sp_slice body = sp_buf_slice(&append->body);
    bool packed = append->encoding == SP_BODY_IDENTITY && body.len >= SP_ROCKS_JOURNAL_PACKED_MIN &&
                  sp_layout_body_pack(body, &rocks->packed_body);
    if (packed)
        body = sp_buf_slice(&rocks->packed_body);
    entry->sequence = entry->append->number = rocks->next_sequence++;
    struct sp_layout_key key = sp_layout_journal_key(entry->sequence);
    sp_buf_reset(head);
    sp_layout_journal_head_write(append, packed, head);
    entry->journal_bytes = head->len + body.len;
    sp_kv_batch_put2(batch, rocks->kv, SP_KV_JOURNAL, sp_layout_key_slice(&key), sp_buf_slice(head),
                     body);
}

/* Entries it takes are linked through next, and belong to nobody else meanwhile. */
static enum sp_status write_group(struct sp_rocks *rocks, struct sp_rocks_queue *group,
                                  struct sp_error *reterr)
{
    /* Its memory stays for the next group: one that grows from nothing copies all bodies once more. */
    if (rocks->journal_batch == NULL)
        rocks->journal_batch = sp_kv_batch_new();
    struct sp_kv_batch *batch = rocks->journal_batch;
    struct sp_buf head;
    sp_buf_init(&head, SP_ROCKS_RECORD_BYTES_MAX);
    for (struct sp_rocks_entry *entry = group->first; entry != NULL && batch != NULL;
         entry = entry->next)
        put_record(rocks, batch, entry, &head);
    enum sp_status status = SP_OK;
    if (batch == NULL || head.error != SP_OK)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to write the journal");
    else
        status = sp_kv_write(rocks->kv, batch, rocks->durability == SP_DURABILITY_SYNC, reterr);
    if (status != SP_OK && status != SP_NO_MEMORY) {
        atomic_store(&rocks->kv_broken, true);
        status = reterr->status = SP_UNAVAILABLE; /* the sealer is going to repair it */
    }
    if (group->bytes > BATCH_KEPT_BYTES) {
        sp_kv_batch_free(batch);
        rocks->journal_batch = NULL;
    } else if (batch != NULL) {
        sp_kv_batch_clear(batch);
    }
    sp_buf_fini(&head);
    return status;
}

/* Within the gate. */
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
        sp_rocks_queue_push(&group, sp_rocks_queue_pop(&rocks->waiting));
    while (rocks->waiting.first != NULL &&
           group.bytes + rocks->waiting.first->bytes <= SP_ROCKS_COMMIT_BYTES_MAX);
    rocks->in_commit_count = group.count;
    rocks->in_commit_bytes = group.bytes;
    return group;
}

/* Under the lock: what was written becomes visible, before anybody is told. Returns the list to ack, each with a
 * reference, because the sealer may be done with an entry before its callback has returned. */
static struct sp_rocks_entry *publish(struct sp_rocks *rocks, struct sp_rocks_queue *group,
                                      bool written)
{
    struct sp_rocks_entry *first = group->first;
    for (struct sp_rocks_entry *entry = first; entry != NULL; entry = entry->next)
        entry->ack_next = entry->next;
    rocks->in_commit_bytes = 0;
    if (!written)
        return first;
    uint64_t now_ns = sp_rocks_monotonic_ns();
    bool was_empty = rocks->fresh.count == 0;
    rocks->append_count += group->count;
    rocks->commit_count++;
    while (group->first != NULL) {
        struct sp_rocks_entry *entry = sp_rocks_queue_pop(group);
        atomic_fetch_add(&entry->references, 1);
        entry->published_ns = now_ns;
        sp_rocks_queue_push(&rocks->fresh, entry);
    }
    /* Otherwise it knows already until when it waits. */
    if (was_empty || sp_rocks_queue_is_full(rocks, &rocks->fresh))
        pthread_cond_signal(&rocks->columns_wakes);
    return first;
}

/* Who listens is told of what is visible, before the senders are. */
static void tell_arrivals(struct sp_rocks *rocks, const struct sp_rocks_entry *first)
{
    for (; first != NULL && sp_arrivals_log_is_read(&rocks->arrivals); first = first->ack_next)
        sp_arrivals_log_add(&rocks->arrivals, first->append->batch);
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

/* Under the lock, which it leaves meanwhile. */
static void commit_group(struct sp_rocks *rocks)
{
    struct sp_rocks_queue group = take_group(rocks);
    size_t count = group.count;
    pthread_mutex_unlock(&rocks->lock);

    /* Until what was written stands in the head: a repair drops the records that are not there. Always: who is within may be waiting
     * for an errand. */
    struct sp_gate_pass pass;
    sp_gate_enter_always(&rocks->gate, &pass);
    struct sp_error error = {0};
    enum sp_status status = write_journal(rocks, &group, &error);
    if (status != SP_OK)
        sp_log_event(rocks->log, SP_LOG_ERROR, "journal_write", "requests were not stored",
                     sp_log_cstr("error", error.message), sp_log_u64("requests", count));

    pthread_mutex_lock(&rocks->lock);
    struct sp_rocks_entry *to_ack = publish(rocks, &group, status == SP_OK);
    pthread_mutex_unlock(&rocks->lock);
    sp_gate_leave(&rocks->gate, &pass);
    if (status == SP_OK)
        tell_arrivals(rocks, to_ack);
    ack(to_ack, status, &error);

    pthread_mutex_lock(&rocks->lock);
    if (status != SP_OK)
        pthread_cond_signal(&rocks->sealer_wakes); /* it repairs */
    rocks->in_commit_count = 0;
    pthread_cond_broadcast(&rocks->somebody_idles);
}

/* Under the lock, which it leaves meanwhile. Who waits for it is within the gate, and stays there until it is done. */
static void do_errand(struct sp_rocks *rocks)
{
    struct sp_rocks_errand *errand = rocks->errands;
    rocks->errands = errand->next;
    pthread_mutex_unlock(&rocks->lock);
    errand->status = sp_kv_write(rocks->kv, errand->batch, false, &errand->error);
    pthread_mutex_lock(&rocks->lock);
    errand->done = true;
    pthread_cond_broadcast(&rocks->errand_done);
}

enum sp_status sp_rocks_write_behind(struct sp_rocks *rocks, struct sp_kv_batch *batch,
                                     struct sp_error *reterr)
{
    struct sp_rocks_errand errand = {.batch = batch};
    pthread_mutex_lock(&rocks->lock);
    if (!rocks->takes_errands) { /* while a start reads the journal, and at the end */
        pthread_mutex_unlock(&rocks->lock);
        return sp_kv_write(rocks->kv, batch, false, reterr);
    }
    errand.next = rocks->errands;
    rocks->errands = &errand; // cppcheck-suppress autoVariables ; taken out before this returns
    pthread_cond_signal(&rocks->committer_wakes);
    while (!errand.done)
        pthread_cond_wait(&rocks->errand_done, &rocks->lock);
    pthread_mutex_unlock(&rocks->lock);
    if (errand.status != SP_OK && reterr != NULL)
        *reterr = errand.error;
    return errand.status;
}

static void *committer_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    sp_thread_begin("spoor:commit", 0);
    pthread_mutex_lock(&rocks->lock);
    rocks->takes_errands = true;
    for (;;) {
        while (rocks->waiting.count == 0 && rocks->errands == NULL && !rocks->stopping)
            pthread_cond_wait(&rocks->committer_wakes, &rocks->lock);
        if (rocks->waiting.count == 0 && rocks->errands == NULL)
            break;
        if (rocks->waiting.count > 0)
            commit_group(rocks);
        if (rocks->errands != NULL)
            do_errand(rocks);
    }
    rocks->takes_errands = false;
    pthread_mutex_unlock(&rocks->lock);
    return NULL;
}

/* ---- start and stop ---- */

enum sp_status sp_rocks_start(struct sp_rocks *rocks, struct sp_error *reterr)
{
    int error = pthread_create(&rocks->committer, NULL, committer_main, rocks);
    rocks->committer_runs = error == 0;
    if (error == 0)
        error = sp_rocks_sealer_start(rocks);
    if (error == 0)
        error = sp_rocks_merger_start(rocks);
    if (error == 0)
        return SP_OK;
    return sp_error_set(reterr, SP_NO_MEMORY, "cannot start the threads of the store: %s",
                        strerror(error));
}

void sp_rocks_stop(struct sp_rocks *rocks)
{
    if (rocks->sealer_runs)
        sp_rocks_drain(&rocks->base);
    pthread_mutex_lock(&rocks->lock);
    rocks->stopping = true;
    pthread_cond_broadcast(&rocks->committer_wakes);
    pthread_cond_broadcast(&rocks->columns_wakes);
    pthread_cond_broadcast(&rocks->sealer_wakes);
    pthread_cond_broadcast(&rocks->merger_wakes);
    pthread_mutex_unlock(&rocks->lock);
    if (rocks->merger_runs)
        pthread_join(rocks->merger, NULL);
    if (rocks->committer_runs)
        pthread_join(rocks->committer, NULL);
    if (rocks->columns_runs)
        pthread_join(rocks->columns, NULL);
    if (rocks->sealer_runs)
        pthread_join(rocks->sealer, NULL);
}
