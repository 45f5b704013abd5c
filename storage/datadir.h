/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/datadir.h: the data directory around the database: who may use it, and which format it has. Internal to
 * storage/. Knows neither spans nor RocksDB.
 *
 *   DIR/FORMAT   "spoor data, format 2": written once, before anything else, and read before anything is touched
 *   DIR/LOCK     locked while the directory is open; holds the process id, for people
 *   DIR/db/      the database
 *   DIR/backups/ copies on their way out (storage/backup.h): not opened here, and not counted */
#pragma once

#include "lib/base/base.h"

#define SP_DATADIR_FORMAT 2

struct sp_datadir {
    char *root, *db; /* paths; heap */
    int lock_fd;
    bool db_is_new; /* db/ holds no data: a database may be made there */
};

/* Makes the directory if it is missing, and makes sure that a power loss leaves it where it is. Errors as sp_store_rocksdb_open. */
SP_MUST_USE enum sp_status sp_datadir_open(const char *path, struct sp_datadir *ret,
                                           struct sp_error *reterr);
/* The same without changing a byte, and for a directory that no process has open; until it is closed, none can open it.
 * SP_NOT_FOUND: there is none. */
SP_MUST_USE enum sp_status sp_datadir_open_read_only(const char *path, struct sp_datadir *ret,
                                                     struct sp_error *reterr);
/* The same beside a process that has it open, or not; nothing is locked. SP_UNAVAILABLE: there is no database in it yet. */
SP_MUST_USE enum sp_status sp_datadir_open_following(const char *path, struct sp_datadir *ret,
                                                     struct sp_error *reterr);
void sp_datadir_close(struct sp_datadir *dir); /* gives the lock back */

/* ---- for those who make or copy one ---- */

/* What a system call said; "cannot WHAT PATH: ...". */
enum sp_status sp_datadir_failed(int error, const char *what, const char *path,
                                 struct sp_error *reterr);
/* The entries of a folder are on the disk. */
SP_MUST_USE enum sp_status sp_datadir_sync(const char *path, struct sp_error *reterr);
/* Complete or absent; the caller syncs the folder. */
SP_MUST_USE enum sp_status sp_datadir_write_format(const char *root, struct sp_error *reterr);

/* The room that all files below take on the disk, as du counts it. Files that go away meanwhile count as 0. */
uint64_t sp_datadir_bytes(const struct sp_datadir *dir);
