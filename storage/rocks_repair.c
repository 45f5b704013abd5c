/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_repair.c: the database again after a write has failed, which nearly always means a disk that was full.
 * RocksDB stops at such an error, so it is closed and opened, when nobody uses it: docs/decisions/0151-a-turn-for-the-repair.md. Knows the
 * database through kv.h only. */
#include "storage/rocks.h"

#include <sys/statvfs.h>

static bool has_room(const struct sp_rocks *rocks)
{
    struct statvfs info;
    return statvfs(rocks->dir.db, &info) == 0 &&
           (uint64_t)info.f_bavail * info.f_frsize >= SP_ROCKS_REOPEN_BYTES_MIN;
}

/* The newest request that was acked: what has a higher sequence was refused. */
static uint64_t last_acked(struct sp_rocks *rocks)
{
    pthread_mutex_lock(&rocks->lock);
    uint64_t sequence = rocks->totals.sealed_sequence;
    if (rocks->head.count > 0)
        sequence = rocks->head.items[rocks->head.count - 1].last_sequence;
    if (rocks->fresh.last != NULL)
        sequence = rocks->fresh.last->sequence;
    pthread_mutex_unlock(&rocks->lock);
    return sequence;
}

/* A request whose write failed was refused, but its record may have reached the log all the same. Its sender tries again,
 * so it has to go. */
static enum sp_status drop_refused(struct sp_rocks *rocks, uint64_t acked, struct sp_error *reterr)
{
    struct sp_kv_iterator *records = sp_kv_iterator_new(rocks->kv, SP_KV_JOURNAL);
    struct sp_kv_batch *batch = sp_kv_batch_new();
    enum sp_status status = SP_OK;
    if (records == NULL || batch == NULL)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to open the database again");
    if (status == SP_OK) {
        sp_kv_iterator_seek(records, SP_SLICE(""));
        for (; sp_kv_iterator_valid(records); sp_kv_iterator_next(records)) {
            uint64_t sequence;
            struct sp_slice key = sp_kv_iterator_key(records);
            if (sp_layout_journal_parse(key, &sequence) && sequence > acked)
                sp_kv_batch_delete(batch, rocks->kv, SP_KV_JOURNAL, key);
        }
        status = sp_kv_iterator_status(records, reterr);
    }
    sp_kv_iterator_free(records);
    if (status == SP_OK)
        status = sp_kv_write(rocks->kv, batch, true, reterr);
    sp_kv_batch_free(batch);
    return status;
}

/* A segment whose batch was refused may have reached the log all the same: then its blocks leave the head. */
static void drop_sealed(struct sp_rocks *rocks)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rocks->head.count; i++) {
        struct sp_rocks_head_block block = rocks->head.items[i];
        if (block.last_sequence <= rocks->totals.sealed_sequence)
            sp_block_unref(block.shared);
        else
            rocks->head.items[kept++] = block;
    }
    rocks->head.count = kept;
}

/* Alone within the gate: so there are no views. */
static enum sp_status open_again(struct sp_rocks *rocks, struct sp_error *reterr)
{
    uint64_t acked = last_acked(rocks);
    sp_kv_close(rocks->kv);
    rocks->kv = NULL;
    enum sp_status status = sp_kv_open(rocks->dir.db, false, &rocks->kv, reterr);
    if (status != SP_OK)
        return status;
    status = drop_refused(rocks, acked, reterr);
    if (status == SP_OK) {
        pthread_mutex_lock(&rocks->lock);
        status = sp_rocks_load(rocks, reterr);
        if (status == SP_OK)
            drop_sealed(rocks);
        pthread_mutex_unlock(&rocks->lock);
        if (status == SP_OK)
            sp_rocks_drop_unnamed(rocks);
    }
    if (status != SP_OK) {
        sp_kv_close(rocks->kv);
        rocks->kv = NULL;
    }
    return status;
}

/* Nobody but this thread changes kv. */
static bool is_for_reads(const struct sp_rocks *rocks)
{
    return rocks->kv != NULL && sp_kv_is_read_only(rocks->kv);
}

/* Alone within the gate. Reads go on without a database that takes writes: one that has failed is not kept, because RocksDB goes on with it in
 * threads of its own, which Debian's assertions end together with the process (docs/decisions/0054-faults.md). */
static void open_for_reads(struct sp_rocks *rocks)
{
    struct sp_error error;
    if (is_for_reads(rocks))
        return;
    sp_kv_close(rocks->kv);
    rocks->kv = NULL;
    if (sp_kv_open_read_only(rocks->dir.db, false, &rocks->kv, &error) != SP_OK)
        sp_log_event(rocks->log, SP_LOG_ERROR, "repair", "the database cannot be read for now",
                     sp_log_cstr("error", error.message));
}

enum sp_status sp_rocks_repair(struct sp_rocks *rocks, struct sp_error *reterr)
{
    bool fits = has_room(rocks);
    enum sp_status status = SP_OK;
    if (!fits)
        status = sp_error_set(reterr, SP_UNAVAILABLE, "the disk of %s is full", rocks->dir.root);
    if (!fits && is_for_reads(rocks)) {
        /* Nobody is held up in vain: an earlier try may have shut it, when there was room. */
        sp_gate_open(&rocks->gate);
        return status;
    }
    if (!sp_gate_shut(&rocks->gate, SP_ROCKS_REPAIR_WAIT_NS))
        return sp_error_set(reterr, SP_BUSY, "readers are using the database");
    if (fits)
        status = open_again(rocks, reterr);
    if (status == SP_OK)
        atomic_store(&rocks->kv_broken, false);
    else
        open_for_reads(rocks);
    sp_gate_open(&rocks->gate);
    if (status == SP_OK) {
        sp_log_event(rocks->log, SP_LOG_INFO, "repaired", "the database takes writes again");
        pthread_mutex_lock(&rocks->lock);
        pthread_cond_signal(&rocks->merger_wakes); /* it has found nothing to do in a broken one */
        pthread_mutex_unlock(&rocks->lock);
    }
    return status;
}
