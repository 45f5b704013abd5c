/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_repair.c: the database again after a write has failed, which nearly always means a disk that was full.
 * RocksDB stops at such an error, so it is closed and opened. Knows the database through kv.h only. */
#include "storage/rocks.h"

#include <sys/statvfs.h>

static bool has_room(const struct sp_rocks *rocks)
{
    struct statvfs info;
    return statvfs(rocks->dir.db, &info) == 0 &&
           (uint64_t)info.f_bavail * info.f_frsize >= SP_ROCKS_REOPEN_BYTES_MIN;
}

/* Is it in the head: acked, and not applied? */
static bool is_acked(struct sp_rocks *rocks, uint64_t sequence)
{
    bool found = false;
    pthread_mutex_lock(&rocks->lock);
    for (const struct sp_rocks_entry *entry = rocks->head.first; entry != NULL && !found;
         entry = entry->next)
        found = entry->sequence == sequence;
    pthread_mutex_unlock(&rocks->lock);
    return found;
}

/* A request whose write failed was refused, but its record may have reached the log all the same. Its sender tries again,
 * so it has to go. */
static enum sp_status drop_refused(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_kv_iterator *records = sp_kv_iterator_new(rocks->kv, NULL, SP_KV_JOURNAL);
    struct sp_kv_batch *batch = sp_kv_batch_new();
    enum sp_status status = SP_OK;
    if (records == NULL || batch == NULL)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to open the database again");
    if (status == SP_OK) {
        sp_kv_iterator_seek(records, SP_SLICE(""));
        for (; sp_kv_iterator_valid(records); sp_kv_iterator_next(records)) {
            uint64_t sequence;
            struct sp_slice key = sp_kv_iterator_key(records);
            if (sp_layout_journal_parse(key, &sequence) && !is_acked(rocks, sequence))
                sp_kv_batch_delete_once(batch, rocks->kv, SP_KV_JOURNAL, key);
        }
        status = sp_kv_iterator_status(records, reterr);
    }
    sp_kv_iterator_free(records);
    if (status == SP_OK)
        status = sp_kv_write(rocks->kv, batch, true, reterr);
    sp_kv_batch_free(batch);
    return status;
}

/* With kv_lock held for writing. */
static enum sp_status open_again(struct sp_rocks *rocks, struct sp_error *reterr)
{
    sp_kv_close(rocks->kv);
    rocks->kv = NULL;
    enum sp_status status = sp_kv_open(rocks->dir.db, false, &rocks->kv, reterr);
    if (status == SP_OK)
        status = sp_rocks_read_totals(rocks, reterr);
    if (status == SP_OK)
        status = drop_refused(rocks, reterr);
    return status;
}

enum sp_status sp_rocks_repair(struct sp_rocks *rocks, struct sp_error *reterr)
{
    if (!has_room(rocks))
        return sp_error_set(reterr, SP_UNAVAILABLE, "the disk of %s is full", rocks->dir.root);
    if (pthread_rwlock_trywrlock(&rocks->kv_lock) != 0)
        return sp_error_set(reterr, SP_BUSY, "readers are using the database");
    enum sp_status status = open_again(rocks, reterr);
    if (status == SP_OK)
        atomic_store(&rocks->kv_broken, false);
    pthread_rwlock_unlock(&rocks->kv_lock);
    if (status == SP_OK)
        sp_log_event(rocks->log, SP_LOG_INFO, "repaired", "the database takes writes again");
    return status;
}
