/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv_pin.c: a state of a database that stays readable while the database goes on: iterators that were made in it.
 * And the end of a read of either. Knows RocksDB through kv_rocksdb.c only. */
#include "storage/kv_rocksdb.h"

#include <stdlib.h>

/* Reads of a pinned state that go on at the same time. */
#define PIN_LANES 4

/* An iterator keeps the state of the database that it was made in. Reads take turns. */
struct lane {
    pthread_mutex_t lock;
    struct sp_kv_iterator *iterator;
};

static void free_lanes(struct lane *lanes)
{
    for (int i = 0; i < PIN_LANES && lanes != NULL; i++) {
        pthread_mutex_destroy(&lanes[i].lock);
        sp_kv_iterator_free(lanes[i].iterator);
    }
    free(lanes);
}

enum sp_status sp_kv_pin(struct sp_kv *kv, enum sp_kv_family family, struct sp_kv **ret,
                         struct sp_error *reterr)
{
    struct sp_kv *pin = calloc(1, sizeof(*pin));
    struct lane *lanes = calloc(PIN_LANES, sizeof(*lanes));
    bool made = pin != NULL && lanes != NULL;
    for (int i = 0; i < PIN_LANES && lanes != NULL; i++) {
        pthread_mutex_init(&lanes[i].lock, NULL);
        lanes[i].iterator = sp_kv_iterator_new(kv, family);
        made = made && lanes[i].iterator != NULL;
    }
    if (!made) {
        free_lanes(lanes);
        free(pin);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the database");
    }
    pin->lanes = lanes;
    pin->pinned = kv;
    pin->pinned_family = family;
    atomic_init(&pin->references, 1);
    atomic_fetch_add(&kv->references, 1);
    *ret = pin;
    return SP_OK;
}

struct sp_kv *sp_kv_pin_ref(struct sp_kv *pin)
{
    atomic_fetch_add(&pin->references, 1);
    return pin;
}

void sp_kv_unpin(struct sp_kv *pin)
{
    if (pin == NULL || atomic_fetch_sub(&pin->references, 1) != 1)
        return;
    free_lanes(pin->lanes);
    sp_kv_close(pin->pinned);
    free(pin);
}

enum sp_status sp_kv_take_value(struct sp_buf *ret_value, const char *bytes, size_t len,
                                struct sp_error *reterr)
{
    sp_buf_append(ret_value, bytes, len);
    if (ret_value->error != SP_OK)
        sp_error_set(reterr, ret_value->error,
                     "a stored value of %zu bytes does not fit into memory", len);
    return ret_value->error;
}

enum sp_status sp_kv_pin_get(struct sp_kv *pin, struct sp_slice key, struct sp_buf *ret_value,
                             struct sp_error *reterr)
{
    struct lane *lane = &pin->lanes[atomic_fetch_add(&pin->next_lane, 1) % PIN_LANES];
    pthread_mutex_lock(&lane->lock);
    sp_kv_iterator_seek(lane->iterator, key);
    enum sp_status status = sp_kv_iterator_status(lane->iterator, reterr);
    if (status == SP_OK && (!sp_kv_iterator_valid(lane->iterator) ||
                            !sp_slice_equal(sp_kv_iterator_key(lane->iterator), key)))
        status = SP_NOT_FOUND;
    if (status == SP_OK && ret_value != NULL) {
        struct sp_slice value = sp_kv_iterator_value(lane->iterator);
        status = sp_kv_take_value(ret_value, (const char *)value.ptr, value.len, reterr);
    }
    pthread_mutex_unlock(&lane->lock);
    return status;
}
