/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_change.c: see rocks_change.h. Knows the database through kv.h only. */
#include "storage/rocks_change.h"

enum sp_status sp_rocks_change_begin(struct sp_rocks *rocks, pthread_mutex_t *alone,
                                     struct sp_rocks_change *change, struct sp_error *reterr)
{
    if (rocks->follows)
        return sp_error_set(reterr, SP_PERMISSION,
                            "this process only reads: ask the one that stores spans");
    enum sp_status status = sp_rocks_check_open(rocks, reterr);
    if (status == SP_OK)
        status = sp_rocks_enter(rocks, &change->pass, reterr);
    if (status != SP_OK)
        return status;
    if (rocks->kv != NULL && !atomic_load(&rocks->kv_broken)) {
        change->alone = alone;
        pthread_mutex_lock(alone);
        return SP_OK;
    }
    sp_gate_leave(&rocks->gate, &change->pass);
    return sp_error_set(reterr, SP_UNAVAILABLE, "the database does not take writes now");
}

void sp_rocks_change_end(struct sp_rocks *rocks, struct sp_rocks_change *change)
{
    pthread_mutex_unlock(change->alone);
    sp_gate_leave(&rocks->gate, &change->pass);
}

static enum sp_status write_and_sync(struct sp_rocks *rocks, struct sp_kv_batch *batch,
                                     struct sp_error *reterr)
{
    enum sp_status status = sp_rocks_write_behind(rocks, batch, reterr);
    if (status == SP_OK && rocks->durability == SP_DURABILITY_SYNC)
        status = sp_kv_sync(rocks->kv, reterr);
    if (status != SP_OK) {
        atomic_store(&rocks->kv_broken, true);
        pthread_mutex_lock(&rocks->lock);
        pthread_cond_signal(&rocks->sealer_wakes); /* it repairs */
        pthread_mutex_unlock(&rocks->lock);
    }
    return status;
}

enum sp_status sp_rocks_change_write(struct sp_rocks *rocks, struct sp_slice key,
                                     const struct sp_buf *value, struct sp_error *reterr)
{
    struct sp_kv_batch *batch = sp_kv_batch_new();
    if (batch == NULL || (value != NULL && value->error != SP_OK)) {
        sp_kv_batch_free(batch);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to write a change");
    }
    if (value != NULL)
        sp_kv_batch_put(batch, rocks->kv, SP_KV_META, key, sp_buf_slice(value));
    else
        sp_kv_batch_delete(batch, rocks->kv, SP_KV_META, key);
    enum sp_status status = write_and_sync(rocks, batch, reterr);
    sp_kv_batch_free(batch);
    return status;
}
