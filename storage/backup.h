/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/backup.h: the folders in which a data directory keeps copies of itself until they were taken elsewhere. Internal to
 * storage/. Knows neither spans nor RocksDB.
 *
 *   DIR/backups/NAME/db/      a database of its own, whose tables are links to files of DIR/db
 *   DIR/backups/NAME/FORMAT   written last: without it the backup was not finished
 *
 * A finished one is a data directory that nobody has open. */
#pragma once

#include "storage/datadir.h"
#include "storage/storage.h"

/* "20261122-220613-2": of the time at which it was made, and a number if it was not the only one in that second. */
#define SP_BACKUP_NAME_BYTES_MAX ((size_t)64)
bool sp_backup_name_is_valid(
    struct sp_slice name); /* letters, digits and '-' only: no way out of the folder */

/* Makes a folder with a new name; *ret_path is heap. SP_UNAVAILABLE: SP_BACKUPS_MAX stand there already. */
SP_MUST_USE enum sp_status sp_backup_begin(const struct sp_datadir *dir, uint64_t now_unix_ns,
                                           char **ret_path, struct sp_error *reterr);
/* Its database is there, and on the disk: so is all else when this returns. */
SP_MUST_USE enum sp_status sp_backup_end(const struct sp_datadir *dir, const char *path,
                                         struct sp_error *reterr);

/* What stands there, by name; the arena's memory. */
SP_MUST_USE enum sp_status sp_backup_list(const struct sp_datadir *dir, struct sp_arena *arena,
                                          const struct sp_backup **ret_rows, size_t *ret_count,
                                          struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_backup_remove(const struct sp_datadir *dir, struct sp_slice name,
                                            struct sp_error *reterr);
