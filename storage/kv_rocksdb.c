/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv_rocksdb.c: storage/kv.h on RocksDB's C API: open, reads, following. RocksDB says errors as text;
 * here they become status codes. Knows no spans. */
#include "storage/kv_rocksdb.h"

#include <rocksdb/c.h>
#include <stdlib.h>
#include <unistd.h>

/* Memory of RocksDB: all memtables together, and blocks read. Reasons: docs/limits.md. */
#define MEMTABLES_BYTES   ((size_t)256 * 1024 * 1024)
#define BLOCK_CACHE_BYTES ((size_t)64 * 1024 * 1024)
#define WAL_BYTES_MAX     ((uint64_t)512 * 1024 * 1024)
#define OPEN_FILES_MAX    512

#define BLOOM_BITS_PER_KEY 10

/* RocksDB's number for "an incomplete record at the end of a log is a crash, anything else is damage": acked requests
 * are never dropped silently. */
#define RECOVERY_TOLERATE_TORN_TAIL 0

/* RocksDB's own log gets nothing after open: what matters comes back as an error, and writing a log file to a full disk
 * twice trips an assertion in Debian's build of 7.8.3, which would end the process. */
#define INFO_LOG_HEADERS_ONLY 5

/* How often the database is opened because its tables changed meanwhile. */
#define FOLLOW_TRIES 16

#define MIB ((size_t)1024 * 1024)

/* A flush that takes more than two minutes has failed. */
#define FLUSH_POLL_US   1000
#define FLUSH_POLLS_MAX 120000

/* How fast tables are written, by flushes and compactions: several times what the columns of half a million spans a second take, a
 * part of what a disk gives. And in what steps. */
#define TABLE_BYTES_PER_SECOND (192 * MIB)
#define TABLE_STEP_US          2000
#define TABLE_FAIRNESS         10 /* RocksDB's default: one compaction in ten goes before a flush */
#define TABLE_BYTES_PER_SYNC   (MIB / 4)

/* The size of logs from which on RocksDB itself writes memory to tables before a checkpoint, instead of copying the logs into it:
 * never, because two flushes that fail at the same time end the process. */
#define FLUSH_BEFORE_CHECKPOINT UINT64_MAX

struct family_options {
    const char *name;
    size_t block_bytes;
    int compression;
    size_t memtable_bytes;
    bool
        is_queue; /* filled at its end and emptied at its start: tables go as they are, none is ever written again */
};

/* The memtable of the journal holds all records that are not sealed, and those that came while a segment was written: a
 * record that is deleted before it leaves the memtable is never written to a table. */
static const struct family_options families[SP_KV_FAMILY_COUNT] = {
    [SP_KV_META] = {"default", 4096, rocksdb_lz4_compression, 4 * MIB, false},
    [SP_KV_JOURNAL] = {"journal", 65536, rocksdb_no_compression, 160 * MIB, true},
    [SP_KV_SEGMENTS] = {"segments", 65536, rocksdb_no_compression, 16 * MIB, false},
    [SP_KV_CHUNKS] = {"chunks", 16384, rocksdb_no_compression, 64 * MIB, false},
};

struct sp_kv_batch {
    rocksdb_writebatch_t *batch;
};

struct sp_kv_iterator {
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *iterator;
};

/* ---- errors ---- */

/* "IO error: No space left on device: While ..." and the like. Takes over text, RocksDB's memory. */
static enum sp_status error_from_text(char *text, struct sp_error *reterr)
{
    enum sp_status status = SP_IO;
    const char *rest = text;
    if (strstr(text, "No space left on device") != NULL || strstr(text, "Disk quota") != NULL)
        status = SP_UNAVAILABLE;
    else if (strstr(text, "ermission denied") != NULL || strstr(text, "Read-only file") != NULL)
        status = SP_PERMISSION;
    else if (strncmp(text, "Corruption", 10) == 0 || strncmp(text, "Invalid argument", 16) == 0 ||
             strstr(text, "No such file or directory") != NULL)
        status = SP_CORRUPT;
    const char *colon = strstr(text, ": ");
    if (colon != NULL && colon - text < 24)
        rest = colon + 2;
    sp_error_set(reterr, status, "%s: %s", sp_status_text(status), rest);
    rocksdb_free(text);
    return status;
}

/* ---- open and close ---- */

enum open_mode { OPEN, OPEN_OR_CREATE, OPEN_READ_ONLY, OPEN_READ_ONLY_DAMAGED, OPEN_FOLLOWING };

/* Tables are written and given to the disk in small steps, so that a sync of the log does not wait behind one (decision 0069). */
static void set_pace(rocksdb_options_t *options)
{
    rocksdb_ratelimiter_t *limiter =
        rocksdb_ratelimiter_create(TABLE_BYTES_PER_SECOND, TABLE_STEP_US, TABLE_FAIRNESS);
    rocksdb_options_set_ratelimiter(options, limiter);
    rocksdb_ratelimiter_destroy(limiter); /* the options have their own reference */
    rocksdb_options_set_bytes_per_sync(options, TABLE_BYTES_PER_SYNC);
}

static rocksdb_options_t *base_options(enum open_mode mode, struct sp_error *reterr)
{
    bool create = mode == OPEN_OR_CREATE;
    rocksdb_options_t *plain = rocksdb_options_create();
    rocksdb_options_t *options = rocksdb_options_create();
    char *error = NULL;
    /* Not in the C API. With the first, a log that a damaged MANIFEST has forgotten is an error instead of a loss. Without the
     * second, the log and the MANIFEST take room for what may come, as much as a memtable. The third: RocksDB does not try to get
     * over a failed write by itself, each second, which a close waits for; rocks_repair.c opens it again. */
    rocksdb_get_options_from_string(plain,
                                    "track_and_verify_wals_in_manifest=true;allow_fallocate=false;"
                                    "max_bgerror_resume_count=0;"
                                    "writable_file_max_buffer_size=262144",
                                    options, &error);
    rocksdb_options_destroy(plain);
    if (error != NULL) {
        rocksdb_options_destroy(options);
        error_from_text(error, reterr);
        return NULL;
    }
    rocksdb_options_set_create_if_missing(options, create);
    rocksdb_options_set_create_missing_column_families(options, create);
    rocksdb_options_set_paranoid_checks(options, mode != OPEN_READ_ONLY_DAMAGED);
    rocksdb_options_set_wal_recovery_mode(options, RECOVERY_TOLERATE_TORN_TAIL);
    rocksdb_options_set_max_total_wal_size(options, WAL_BYTES_MAX);
    rocksdb_options_set_db_write_buffer_size(options, MEMTABLES_BYTES);
    /* Who follows another process keeps all tables open, because that process may delete them. */
    rocksdb_options_set_max_open_files(options, mode == OPEN_FOLLOWING ? -1 : OPEN_FILES_MAX);
    rocksdb_options_set_max_background_jobs(options, 2);
    set_pace(options);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_info_log_level(options, INFO_LOG_HEADERS_ONLY);
    return options;
}

static rocksdb_options_t *family_options(const struct sp_kv *kv, rocksdb_options_t *base,
                                         const struct family_options *family)
{
    rocksdb_options_t *options = rocksdb_options_create_copy(base);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, kv->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_block_size(table, family->block_bytes);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY));
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_compression(options, family->compression);
    rocksdb_options_set_write_buffer_size(options, family->memtable_bytes);
    rocksdb_options_set_disable_auto_compactions(options, family->is_queue);
    return options;
}

static rocksdb_t *open_families(struct sp_kv *kv, const char *path, enum open_mode mode,
                                const rocksdb_options_t *base, char **reterror)
{
    const char *names[SP_KV_FAMILY_COUNT];
    const rocksdb_options_t *const *options = (const rocksdb_options_t *const *)kv->options;
    for (int i = 0; i < SP_KV_FAMILY_COUNT; i++)
        names[i] = families[i].name;
    if (mode == OPEN_READ_ONLY || mode == OPEN_READ_ONLY_DAMAGED)
        return rocksdb_open_for_read_only_column_families(base, path, SP_KV_FAMILY_COUNT, names,
                                                          options, kv->handles, 0, reterror);
    if (mode == OPEN_FOLLOWING) {
        char *own = sp_kv_files_folder_new(); /* NULL: RocksDB says why */
        rocksdb_t *db = rocksdb_open_as_secondary_column_families(
            base, path, own != NULL ? own : "", SP_KV_FAMILY_COUNT, names, options, kv->handles,
            reterror);
        sp_kv_files_folder_free(own);
        return db;
    }
    return rocksdb_open_column_families(base, path, SP_KV_FAMILY_COUNT, names, options, kv->handles,
                                        reterror);
}

/* A lock that prefers writers, who come once for many readers. */
static void init_log_lock(struct sp_kv *kv)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&kv->log_lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

static enum sp_status open_kv(const char *path, enum open_mode mode, struct sp_kv **ret,
                              struct sp_error *reterr)
{
    struct sp_kv *kv = calloc(1, sizeof(*kv));
    if (kv == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open the data directory");
    rocksdb_options_t *base = base_options(mode, reterr);
    if (base == NULL) {
        free(kv);
        return sp_error_set(reterr, SP_INTERNAL, "this RocksDB is too old");
    }
    atomic_init(&kv->references, 1);
    init_log_lock(kv);
    kv->cache = rocksdb_cache_create_lru(BLOCK_CACHE_BYTES);
    kv->write_synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(kv->write_synced, 1);
    kv->write_unsynced = rocksdb_writeoptions_create();
    for (int i = 0; i < SP_KV_FAMILY_COUNT; i++)
        kv->options[i] = family_options(kv, base, &families[i]);
    char *error = NULL;
    kv->db = open_families(kv, path, mode, base, &error);
    rocksdb_options_destroy(base);
    if (error != NULL) {
        kv->db = NULL;
        sp_kv_close(kv);
        return error_from_text(error, reterr);
    }
    kv->read_only = mode != OPEN && mode != OPEN_OR_CREATE;
    kv->leaving = kv->read_only ? NULL : sp_kv_leaving_start(path);
    *ret = kv;
    return SP_OK;
}

enum sp_status sp_kv_open(const char *path, bool create, struct sp_kv **ret,
                          struct sp_error *reterr)
{
    return open_kv(path, create ? OPEN_OR_CREATE : OPEN, ret, reterr);
}

enum sp_status sp_kv_open_read_only(const char *path, bool forgiving, struct sp_kv **ret,
                                    struct sp_error *reterr)
{
    return open_kv(path, forgiving ? OPEN_READ_ONLY_DAMAGED : OPEN_READ_ONLY, ret, reterr);
}

bool sp_kv_is_read_only(const struct sp_kv *kv)
{
    return kv->read_only;
}

void sp_kv_close(struct sp_kv *kv)
{
    if (kv == NULL || atomic_fetch_sub(&kv->references, 1) != 1)
        return;
    if (kv->db != NULL) {
        for (int i = 0; i < SP_KV_FAMILY_COUNT; i++)
            rocksdb_column_family_handle_destroy(kv->handles[i]);
        rocksdb_close(kv->db);
    }
    sp_kv_leaving_stop(kv->leaving);
    for (int i = 0; i < SP_KV_FAMILY_COUNT; i++)
        rocksdb_options_destroy(kv->options[i]);
    rocksdb_cache_destroy(kv->cache);
    rocksdb_writeoptions_destroy(kv->write_synced);
    rocksdb_writeoptions_destroy(kv->write_unsynced);
    pthread_rwlock_destroy(&kv->log_lock);
    free(kv);
}

/* ---- the log ---- */

/* With log_lock held for writing. Where a write to the log or its sync has failed, another sync ends the process in Debian's
 * RocksDB, which has its assertions; so does one that waited for the sync that failed. */
static enum sp_status sync_log(struct sp_kv *kv, struct sp_error *reterr)
{
    if (atomic_load(&kv->log_failed))
        return sp_error_set(reterr, SP_UNAVAILABLE, "an earlier write to the log failed");
    char *error = NULL;
    rocksdb_flush_wal(kv->db, 1, &error);
    atomic_store(&kv->log_failed, error != NULL);
    return error == NULL ? SP_OK : error_from_text(error, reterr);
}

/* One that could not begin a new log has closed what is in memory, and closing that again ends the process, too: so the log counts as
 * failed until the database is opened anew. */
static enum sp_status note_failed_flush(struct sp_kv *kv, char *error, struct sp_error *reterr)
{
    enum sp_status status = error == NULL ? SP_OK : error_from_text(error, reterr);
    if (status == SP_UNAVAILABLE || status == SP_IO) /* of the disk */
        atomic_store(&kv->log_failed, true);
    return status;
}

/* With log_lock held for writing: what is in memory is going to be written to tables, and a new log begins. RocksDB syncs the old
 * one in another thread, which finds nothing to do. */
static enum sp_status begin_flush(struct sp_kv *kv, struct sp_error *reterr)
{
    enum sp_status status = sync_log(kv, reterr);
    if (status != SP_OK)
        return status;
    sp_kv_leaving_keep_logs(kv->leaving);
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    char *error = NULL;
    rocksdb_flushoptions_set_wait(options, 0);
    for (int i = 0; i < SP_KV_FAMILY_COUNT && error == NULL; i++)
        rocksdb_flush_cf(kv->db, options, kv->handles[i], &error);
    rocksdb_flushoptions_destroy(options);
    return note_failed_flush(kv, error, reterr);
}

static uint64_t property(struct sp_kv *kv, int family, const char *name)
{
    uint64_t value = 0;
    rocksdb_property_int_cf(kv->db, kv->handles[family], name, &value);
    return value;
}

/* RocksDB's own waiting would begin another log. After an error no table is written any more; it is counted at the first family. */
static enum sp_status end_flush(struct sp_kv *kv, struct sp_error *reterr)
{
    uint64_t polls = 0;
    for (int i = 0; i < SP_KV_FAMILY_COUNT; i++) {
        while (property(kv, i, "rocksdb.num-immutable-mem-table") > 0) {
            if (property(kv, 0, "rocksdb.background-errors") > 0 || atomic_load(&kv->log_failed) ||
                ++polls > FLUSH_POLLS_MAX)
                return sp_error_set(reterr, SP_IO, "a table could not be written");
            usleep(FLUSH_POLL_US);
        }
    }
    return SP_OK;
}

enum sp_status sp_kv_flush(struct sp_kv *kv, struct sp_error *reterr)
{
    pthread_rwlock_wrlock(&kv->log_lock);
    enum sp_status status = begin_flush(kv, reterr);
    pthread_rwlock_unlock(&kv->log_lock);
    return status == SP_OK ? end_flush(kv, reterr) : status;
}

bool sp_kv_log_has_failed(const struct sp_kv *kv)
{
    return atomic_load(&kv->log_failed);
}

/* Between these two a batch is written. */
static void begin_write(struct sp_kv *kv)
{
    pthread_rwlock_rdlock(&kv->log_lock);
}

static enum sp_status end_write(struct sp_kv *kv, char *error, struct sp_error *reterr)
{
    if (error != NULL)
        atomic_store(&kv->log_failed, true);
    pthread_rwlock_unlock(&kv->log_lock);
    return error == NULL ? SP_OK : error_from_text(error, reterr);
}

enum sp_status sp_kv_sync(struct sp_kv *kv, struct sp_error *reterr)
{
    pthread_rwlock_wrlock(&kv->log_lock);
    enum sp_status status = sync_log(kv, reterr);
    pthread_rwlock_unlock(&kv->log_lock);
    return status;
}

enum sp_status sp_kv_checkpoint(struct sp_kv *kv, const char *path, struct sp_error *reterr)
{
    char *error = NULL;
    enum sp_status status =
        sp_kv_flush(kv, reterr); /* so that the logs that are copied are short */
    if (status != SP_OK)
        return status;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(kv->db, &error);
    if (error == NULL) {
        rocksdb_checkpoint_create(checkpoint, path, FLUSH_BEFORE_CHECKPOINT, &error);
        rocksdb_checkpoint_object_destroy(checkpoint);
    }
    return error == NULL ? SP_OK : error_from_text(error, reterr);
}

/* ---- batches ---- */

struct sp_kv_batch *sp_kv_batch_new(void)
{
    struct sp_kv_batch *batch = calloc(1, sizeof(*batch));
    if (batch != NULL)
        batch->batch = rocksdb_writebatch_create();
    return batch;
}

void sp_kv_batch_free(struct sp_kv_batch *batch)
{
    if (batch == NULL)
        return;
    rocksdb_writebatch_destroy(batch->batch);
    free(batch);
}

void sp_kv_batch_clear(struct sp_kv_batch *batch)
{
    rocksdb_writebatch_clear(batch->batch);
}

void sp_kv_batch_put(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                     struct sp_slice key, struct sp_slice value)
{
    rocksdb_writebatch_put_cf(batch->batch, kv->handles[family], (const char *)key.ptr, key.len,
                              (const char *)value.ptr, value.len);
}

void sp_kv_batch_put2(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                      struct sp_slice key, struct sp_slice head, struct sp_slice tail)
{
    const char *keys[] = {(const char *)key.ptr};
    const char *values[] = {(const char *)head.ptr, (const char *)tail.ptr};
    size_t value_lens[] = {head.len, tail.len};
    rocksdb_writebatch_putv_cf(batch->batch, kv->handles[family], 1, keys, &key.len, 2, values,
                               value_lens);
}

void sp_kv_batch_delete(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                        struct sp_slice key)
{
    rocksdb_writebatch_delete_cf(batch->batch, kv->handles[family], (const char *)key.ptr, key.len);
}

void sp_kv_batch_delete_range(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                              struct sp_slice from, struct sp_slice to)
{
    rocksdb_writebatch_delete_range_cf(batch->batch, kv->handles[family], (const char *)from.ptr,
                                       from.len, (const char *)to.ptr, to.len);
}

enum sp_status sp_kv_write(struct sp_kv *kv, struct sp_kv_batch *batch, bool sync,
                           struct sp_error *reterr)
{
    char *error = NULL;
    begin_write(kv);
    rocksdb_write(kv->db, sync ? kv->write_synced : kv->write_unsynced, batch->batch, &error);
    return end_write(kv, error, reterr);
}

enum sp_status sp_kv_drop_range(struct sp_kv *kv, enum sp_kv_family family, struct sp_slice from,
                                struct sp_slice to, struct sp_error *reterr)
{
    char *error = NULL;
    begin_write(kv);
    rocksdb_delete_file_in_range_cf(kv->db, kv->handles[family], (const char *)from.ptr, from.len,
                                    (const char *)to.ptr, to.len, &error);
    if (error == NULL)
        rocksdb_delete_range_cf(kv->db, kv->write_unsynced, kv->handles[family],
                                (const char *)from.ptr, from.len, (const char *)to.ptr, to.len,
                                &error);
    return end_write(kv, error, reterr);
}

/* ---- tables ---- */

/* Tables in the order of their numbers, which is that of their age. */
static bool next_table(const rocksdb_livefiles_t *files, const char *family, const char *after,
                       int *ret)
{
    int found = -1;
    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        const char *name = rocksdb_livefiles_name(files, i);
        if (strcmp(rocksdb_livefiles_column_family_name(files, i), family) == 0 &&
            strcmp(name, after) > 0 &&
            (found < 0 || strcmp(name, rocksdb_livefiles_name(files, found)) < 0))
            found = i;
    }
    *ret = found;
    return found >= 0;
}

void sp_kv_drop_before(struct sp_kv *kv, enum sp_kv_family family, struct sp_slice to)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(kv->db);
    const char *last = "";
    int i;
    while (next_table(files, families[family].name, last, &i)) {
        size_t len;
        const char *largest = rocksdb_livefiles_largestkey(files, i, &len);
        if (sp_slice_compare(sp_slice_make(largest, len), to) >= 0)
            break; /* a younger one may hold what deletes keys of this one */
        last = rocksdb_livefiles_name(files, i);
        rocksdb_delete_file(kv->db, last);
    }
    rocksdb_livefiles_destroy(files);
}

uint64_t sp_kv_table_bytes(const struct sp_kv *kv, enum sp_kv_family family)
{
    uint64_t bytes = 0;
    if (rocksdb_property_int_cf(kv->db, kv->handles[family], "rocksdb.total-sst-files-size",
                                &bytes) != 0)
        return 0;
    return bytes;
}

void sp_kv_compact(struct sp_kv *kv, enum sp_kv_family family, struct sp_slice from,
                   struct sp_slice to)
{
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0);
    rocksdb_compact_range_cf_opt(kv->db, kv->handles[family], options, (const char *)from.ptr,
                                 from.len, (const char *)to.ptr, to.len);
    rocksdb_compactoptions_destroy(options);
}

/* ---- reads ---- */

static rocksdb_readoptions_t *read_options(void)
{
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(options, 1);
    return options;
}

enum sp_status sp_kv_get(struct sp_kv *kv, enum sp_kv_family family, struct sp_slice key,
                         struct sp_buf *ret_value, struct sp_error *reterr)
{
    if (kv->pinned != NULL) {
        SP_ASSERT(family == kv->pinned_family);
        return sp_kv_pin_get(kv, key, ret_value, reterr);
    }
    rocksdb_readoptions_t *options = read_options();
    char *error = NULL;
    rocksdb_pinnableslice_t *value = rocksdb_get_pinned_cf(kv->db, options, kv->handles[family],
                                                           (const char *)key.ptr, key.len, &error);
    rocksdb_readoptions_destroy(options);
    if (error != NULL)
        return error_from_text(error, reterr);
    if (value == NULL)
        return SP_NOT_FOUND;
    enum sp_status status = SP_OK;
    if (ret_value != NULL) {
        size_t len;
        const char *bytes = rocksdb_pinnableslice_value(value, &len);
        status = sp_kv_take_value(ret_value, bytes, len, reterr);
    }
    rocksdb_pinnableslice_destroy(value);
    return status;
}

static struct sp_kv_iterator *new_iterator(struct sp_kv *kv, enum sp_kv_family family,
                                           bool undeleted)
{
    struct sp_kv_iterator *iterator = calloc(1, sizeof(*iterator));
    if (iterator == NULL)
        return NULL;
    iterator->options = read_options();
    rocksdb_readoptions_set_ignore_range_deletions(iterator->options, undeleted);
    iterator->iterator = rocksdb_create_iterator_cf(kv->db, iterator->options, kv->handles[family]);
    return iterator;
}

struct sp_kv_iterator *sp_kv_iterator_new(struct sp_kv *kv, enum sp_kv_family family)
{
    if (kv->lanes != NULL)
        return NULL;
    return new_iterator(kv, family, false);
}

struct sp_kv_iterator *sp_kv_iterator_new_undeleted(struct sp_kv *kv, enum sp_kv_family family)
{
    return new_iterator(kv, family, true);
}

void sp_kv_iterator_free(struct sp_kv_iterator *iterator)
{
    if (iterator == NULL)
        return;
    rocksdb_iter_destroy(iterator->iterator);
    rocksdb_readoptions_destroy(iterator->options);
    free(iterator);
}

void sp_kv_iterator_seek(struct sp_kv_iterator *iterator, struct sp_slice key)
{
    rocksdb_iter_seek(iterator->iterator, (const char *)key.ptr, key.len);
}

void sp_kv_iterator_next(struct sp_kv_iterator *iterator)
{
    rocksdb_iter_next(iterator->iterator);
}

bool sp_kv_iterator_valid(const struct sp_kv_iterator *iterator)
{
    return rocksdb_iter_valid(iterator->iterator);
}

struct sp_slice sp_kv_iterator_key(const struct sp_kv_iterator *iterator)
{
    size_t len;
    const char *bytes = rocksdb_iter_key(iterator->iterator, &len);
    return sp_slice_make(bytes, len);
}

struct sp_slice sp_kv_iterator_value(const struct sp_kv_iterator *iterator)
{
    size_t len;
    const char *bytes = rocksdb_iter_value(iterator->iterator, &len);
    return sp_slice_make(bytes, len);
}

enum sp_status sp_kv_iterator_status(const struct sp_kv_iterator *iterator, struct sp_error *reterr)
{
    char *error = NULL;
    rocksdb_iter_get_error(iterator->iterator, &error);
    return error == NULL ? SP_OK : error_from_text(error, reterr);
}

/* ---- following ---- */

static enum sp_status open_following(const char *path, struct sp_kv **kv, struct sp_error *reterr)
{
    struct sp_kv *opened = NULL;
    enum sp_status status = open_kv(path, OPEN_FOLLOWING, &opened, reterr);
    if (opened == NULL)
        return status;
    if (*kv != NULL)
        opened->files = (*kv)->files;
    sp_kv_close(*kv);
    *kv = opened;
    return SP_OK;
}

/* One try. *ret_done: what it has is one state of the database. */
static enum sp_status follow(const char *path, struct sp_kv **kv, struct sp_kv_followed *ret,
                             bool *ret_done, struct sp_error *reterr)
{
    struct sp_kv_files_state before;
    struct sp_kv_files_state after;
    char *error = NULL;
    enum sp_status status = sp_kv_files_state(path, &before, reterr);
    if (status != SP_OK)
        return status;
    if (*kv == NULL || !(*kv)->is_one_state || !sp_kv_files_state_equal(&(*kv)->files, &before)) {
        status = open_following(path, kv, reterr);
        ret->reopened = status == SP_OK;
    } else {
        (*kv)->is_one_state = false;
        rocksdb_try_catch_up_with_primary((*kv)->db, &error);
        status = error == NULL ? SP_OK : error_from_text(error, reterr);
    }
    if (status == SP_OK)
        status = sp_kv_files_state(path, &after, reterr);
    *ret_done = status == SP_OK && sp_kv_files_state_equal(&before, &after);
    if (*ret_done) {
        ret->new_writer = strcmp(before.current, (*kv)->files.current) != 0;
        (*kv)->files = before;
        (*kv)->is_one_state = true;
    }
    return status;
}

/* RocksDB reads which tables there are, opens them, and then reads the logs; what has gone away meanwhile it goes without: then it
 * has an older state, or a mixture. Nor does it drop what it read from a log that has gone since, which brings back what was deleted
 * in the part of the log that it did not see. So it only goes on reading the logs as long as the tables are the same; otherwise
 * it begins anew, until nothing changes meanwhile. */
enum sp_status sp_kv_follow(const char *path, struct sp_kv **kv, struct sp_kv_followed *ret,
                            struct sp_error *reterr)
{
    struct sp_kv_followed followed = {.reopened = false};
    bool done = false;
    enum sp_status status = SP_OK;
    for (int tries = 0; tries < FOLLOW_TRIES && status == SP_OK && !done; tries++)
        status = follow(path, kv, &followed, &done, reterr);
    *ret = followed;
    return status != SP_OK || done
               ? status
               : sp_error_set(reterr, SP_UNAVAILABLE, "the tables of the database change too fast");
}

uint64_t sp_kv_revision(struct sp_kv *kv, enum sp_kv_family family)
{
    uint64_t tables = 0;
    uint64_t entries = 0;
    rocksdb_property_int_cf(kv->db, kv->handles[family], "rocksdb.current-super-version-number",
                            &tables);
    rocksdb_property_int_cf(kv->db, kv->handles[family], "rocksdb.num-entries-active-mem-table",
                            &entries);
    return tables << 32 ^ entries;
}

/* ---- files ---- */

enum sp_status sp_kv_each_file(struct sp_kv *kv,
                               enum sp_status (*visit)(void *cookie, const char *name,
                                                       uint64_t bytes, struct sp_error *reterr),
                               void *cookie, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    const rocksdb_livefiles_t *files = rocksdb_livefiles(kv->db);
    for (int i = 0; i < rocksdb_livefiles_count(files) && status == SP_OK; i++)
        status = visit(cookie, rocksdb_livefiles_name(files, i), rocksdb_livefiles_size(files, i),
                       reterr);
    rocksdb_livefiles_destroy(files);
    return status;
}
