/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_backup.c: copies of the store while it is in use. Knows the database through kv.h only. */
#include "storage/backup.h"
#include "storage/rocks.h"

#include <stdio.h>
#include <stdlib.h>

/* All that was acked is in the database: a request is written before it is acked. */
static enum sp_status copy_database(struct sp_rocks *rocks, const char *folder,
                                    struct sp_error *reterr)
{
    char *path;
    if (asprintf(&path, "%s/db", folder) < 0)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a backup");
    struct sp_gate_pass pass;
    enum sp_status status = sp_rocks_enter(rocks, &pass, reterr);
    if (status != SP_OK) {
        free(path);
        return status;
    }
    if (rocks->kv != NULL && !atomic_load(&rocks->kv_broken) && !sp_kv_is_read_only(rocks->kv))
        status = sp_kv_checkpoint(rocks->kv, path, reterr);
    else
        status = sp_error_set(reterr, SP_UNAVAILABLE, "the database does not take writes now");
    bool is_broken = status != SP_OK && rocks->kv != NULL && sp_kv_log_has_failed(rocks->kv);
    if (is_broken)
        atomic_store(&rocks->kv_broken, true);
    sp_gate_leave(&rocks->gate, &pass);
    if (is_broken) { /* the sealer repairs it now, not when it seals the next time */
        pthread_mutex_lock(&rocks->lock);
        pthread_cond_signal(&rocks->sealer_wakes);
        pthread_mutex_unlock(&rocks->lock);
    }
    free(path);
    return status;
}

static struct sp_slice name_in(const char *path)
{
    return sp_slice_cstr(strrchr(path, '/') + 1);
}

static enum sp_status find(const struct sp_datadir *dir, struct sp_slice name,
                           struct sp_arena *arena, struct sp_backup *ret, struct sp_error *reterr)
{
    const struct sp_backup *rows;
    size_t count;
    enum sp_status status = sp_backup_list(dir, arena, &rows, &count, reterr);
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        if (sp_slice_equal(rows[i].name, name)) {
            *ret = rows[i];
            return SP_OK;
        }
    }
    return status != SP_OK
               ? status
               : sp_error_set(reterr, SP_UNAVAILABLE, "the backup was removed meanwhile");
}

static enum sp_status may_write(const struct sp_rocks *rocks, struct sp_error *reterr)
{
    return !rocks->follows ? sp_rocks_check_open(rocks, reterr)
                           : sp_error_set(reterr, SP_PERMISSION,
                                          "this process only reads: ask the one that stores spans");
}

enum sp_status sp_rocks_backup_make(struct sp_store *store, struct sp_arena *arena,
                                    struct sp_backup *ret, struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    char *path = NULL;
    enum sp_status status = may_write(rocks, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&rocks->backup_lock);
    status = sp_backup_begin(&rocks->dir, sp_clock_unix_ns(rocks->clock), &path, reterr);
    if (status == SP_OK) {
        status = copy_database(rocks, path, reterr);
        if (status == SP_OK)
            status = sp_backup_end(&rocks->dir, path, reterr);
        if (status == SP_OK)
            status = find(&rocks->dir, name_in(path), arena, ret, reterr);
        if (status != SP_OK && sp_backup_remove(&rocks->dir, name_in(path), NULL) != SP_OK)
            sp_log_event(rocks->log, SP_LOG_WARN, "backup", "an unfinished backup stays",
                         sp_log_cstr("path", path));
        free(path);
    }
    pthread_mutex_unlock(&rocks->backup_lock);
    return status;
}

enum sp_status sp_rocks_backup_list(struct sp_store *store, struct sp_arena *arena,
                                    const struct sp_backup **ret_rows, size_t *ret_count,
                                    struct sp_error *reterr)
{
    return sp_backup_list(&sp_rocks_of(store)->dir, arena, ret_rows, ret_count, reterr);
}

enum sp_status sp_rocks_backup_remove(struct sp_store *store, struct sp_slice name,
                                      struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    enum sp_status status = may_write(rocks, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&rocks->backup_lock); /* not the one that is being made */
    status = sp_backup_remove(&rocks->dir, name, reterr);
    pthread_mutex_unlock(&rocks->backup_lock);
    return status;
}
