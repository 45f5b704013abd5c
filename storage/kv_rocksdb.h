/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv_rocksdb.h: the inside of a database, for kv_rocksdb.c and for kv_pin.c (states that stay). RocksDB's
 * types are only named here, so that they leak nowhere. Internal to these. */
#pragma once

#include <pthread.h>

#include "storage/kv.h"
#include "storage/kv_files.h"
#include "storage/kv_leaving.h"

struct sp_kv {
    struct rocksdb_t *db;
    struct rocksdb_options_t *options[SP_KV_FAMILY_COUNT];
    struct rocksdb_column_family_handle_t *handles[SP_KV_FAMILY_COUNT];
    struct rocksdb_cache_t *cache;
    struct rocksdb_writeoptions_t *write_synced, *write_unsynced;
    bool read_only;
    /* Held for reading by writes, for writing by syncs and while a log begins. */
    pthread_rwlock_t log_lock;
    _Atomic bool log_failed;     /* a write to the log, its sync, or a flush that needs a new one */
    _Atomic uint32_t references; /* its own, and one of each pin */
    struct sp_kv_leaving *leaving; /* NULL: logs go at once */
    /* of one that follows */
    struct sp_kv_files_state files; /* as they were the last time */
    bool is_one_state;
    /* of a pin */
    struct sp_kv *pinned;
    enum sp_kv_family pinned_family;
    struct lane *lanes; /* heap */
    _Atomic uint32_t next_lane;
};

/* The end of a read (kv_pin.c). SP_NO_MEMORY, SP_LIMIT: of ret_value. */
enum sp_status sp_kv_take_value(struct sp_buf *ret_value, const char *bytes, size_t len,
                                struct sp_error *reterr);
/* sp_kv_get of a pin. */
enum sp_status sp_kv_pin_get(struct sp_kv *pin, struct sp_slice key, struct sp_buf *ret_value,
                             struct sp_error *reterr);
