/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_open.c: opens and closes the engine on disk, and applies what a crash has left in the journal. Knows the
 * database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>

/* ---- replay ---- */

/* An append as it was when it came, from its journal record. */
static enum sp_status entry_from_record(struct sp_rocks *rocks, uint64_t sequence,
                                        struct sp_slice value, struct sp_rocks_entry **ret,
                                        struct sp_error *reterr)
{
    struct sp_journal_record record;
    struct sp_error error = {0};
    if (!sp_layout_journal_read(value, &record))
        return sp_error_set(reterr, SP_CORRUPT, "journal record %llu is damaged",
                            (unsigned long long)sequence);
    /* Not today's limits: what was let in under larger ones was acked. */
    struct sp_append *append =
        sp_append_new(SP_ROCKS_ROW_BYTES_MAX, SP_ROCKS_ROW_BYTES_MAX, SIZE_MAX);
    struct sp_rocks_entry *entry = calloc(1, sizeof(*entry));
    enum sp_status status = SP_OK;
    if (append != NULL)
        sp_buf_append_slice(&append->body, record.body);
    if (append == NULL || entry == NULL || append->body.error != SP_OK)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to replay the journal");
    if (status == SP_OK) {
        status = rocks->codec.decode(rocks->codec.cookie, record.format, record.encoding,
                                     sp_buf_slice(&append->body), &append->plain, &append->arena,
                                     &append->batch, &error);
        if (status != SP_OK)
            sp_error_set(reterr, status == SP_NO_MEMORY ? status : SP_CORRUPT,
                         "journal record %llu cannot be read: %s", (unsigned long long)sequence,
                         error.message);
        status = status == SP_OK || status == SP_NO_MEMORY ? status : SP_CORRUPT;
    }
    if (status != SP_OK) {
        sp_append_free(append);
        free(entry);
        return status;
    }
    *entry = (struct sp_rocks_entry){.append = append, .sequence = sequence};
    atomic_init(&entry->references, 1);
    *ret = entry;
    return SP_OK;
}

/* One by one: a backlog of any length fits. */
static enum sp_status replay(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_kv_iterator *records = sp_kv_iterator_new(rocks->kv, NULL, SP_KV_JOURNAL);
    if (records == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to replay the journal");
    uint64_t request_count = 0;
    uint64_t span_count = 0;
    enum sp_status status = SP_OK;
    sp_kv_iterator_seek(records, SP_SLICE(""));
    for (; sp_kv_iterator_valid(records) && status == SP_OK; sp_kv_iterator_next(records)) {
        uint64_t sequence;
        struct sp_rocks_entry *entry;
        if (!sp_layout_journal_parse(sp_kv_iterator_key(records), &sequence)) {
            status = sp_error_set(reterr, SP_CORRUPT, "a key of the journal is damaged");
            break;
        }
        status = entry_from_record(rocks, sequence, sp_kv_iterator_value(records), &entry, reterr);
        if (status != SP_OK)
            break;
        status = sp_rocks_apply(rocks, &entry, 1, reterr);
        request_count++;
        span_count += entry->append->batch->span_count;
        sp_rocks_entry_unref(entry);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(records, reterr);
    sp_kv_iterator_free(records);
    if (request_count > 0)
        sp_log_event(rocks->log, SP_LOG_INFO, "journal_replayed",
                     "requests that were acked before the last stop are in place",
                     sp_log_u64("requests", request_count), sp_log_u64("spans", span_count));
    return status;
}

/* ---- open and close ---- */

enum sp_status sp_rocks_read_totals(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_buf value;
    sp_buf_init(&value, 4096);
    enum sp_status status =
        sp_kv_get(rocks->kv, NULL, SP_KV_META, SP_LAYOUT_TOTALS_KEY, &value, reterr);
    if (status == SP_NOT_FOUND)
        status = SP_OK;
    else if (status == SP_OK && !sp_layout_totals_read(sp_buf_slice(&value), &rocks->totals))
        status = sp_error_set(reterr, SP_CORRUPT, "the totals of the database are damaged");
    sp_buf_fini(&value);
    return status;
}

static enum sp_status open_all(struct sp_rocks *rocks, const struct sp_store_options *options,
                               struct sp_error *reterr)
{
    enum sp_status status = sp_datadir_open(options->data_dir, &rocks->dir, reterr);
    if (status == SP_OK)
        status = sp_kv_open(rocks->dir.db, rocks->dir.db_is_new, &rocks->kv, reterr);
    if (status == SP_OK)
        status = sp_rocks_read_totals(rocks, reterr);
    if (status == SP_OK)
        status = replay(rocks, reterr);
    if (status == SP_OK) {
        rocks->next_sequence = rocks->totals.applied_sequence + 1;
        status = sp_rocks_start(rocks, reterr);
    }
    return status;
}

void sp_rocks_close(struct sp_rocks *rocks)
{
    struct sp_error error;
    sp_rocks_stop(rocks);
    if (rocks->kv != NULL && rocks->applier_runs && !atomic_load(&rocks->kv_broken) &&
        sp_kv_flush(rocks->kv, &error) != SP_OK)
        sp_log_event(rocks->log, SP_LOG_WARN, "flush",
                     "the next start reads the log of the database",
                     sp_log_cstr("error", error.message));
    sp_kv_close(rocks->kv);
    sp_datadir_close(&rocks->dir);
    pthread_cond_destroy(&rocks->committer_wakes);
    pthread_cond_destroy(&rocks->applier_wakes);
    pthread_cond_destroy(&rocks->somebody_idles);
    pthread_mutex_destroy(&rocks->lock);
    pthread_rwlock_destroy(&rocks->kv_lock);
    free(rocks);
}

enum sp_status sp_store_rocksdb_open(const struct sp_store_options *options, struct sp_store **ret,
                                     struct sp_error *reterr)
{
    struct sp_rocks *rocks = calloc(1, sizeof(*rocks));
    if (rocks == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a store");
    rocks->base.ops = &sp_rocks_ops;
    rocks->codec = options->codec;
    rocks->durability = options->durability;
    rocks->backlog_bytes_max = options->backlog_bytes_max;
    rocks->log = options->log;
    rocks->dir.lock_fd = -1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&rocks->lock, NULL);
    pthread_rwlock_init(&rocks->kv_lock, NULL); /* prefers readers, which glibc documents */
    pthread_cond_init(&rocks->committer_wakes, NULL);
    pthread_cond_init(&rocks->applier_wakes, &monotonic);
    pthread_cond_init(&rocks->somebody_idles, NULL);
    pthread_condattr_destroy(&monotonic);

    enum sp_status status = open_all(rocks, options, reterr);
    if (status == SP_OK)
        *ret = &rocks->base;
    else
        sp_rocks_close(rocks);
    return status;
}
