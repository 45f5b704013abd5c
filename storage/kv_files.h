/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv_files.h: what the names of a database's files say of the process that writes it, and a folder for what RocksDB wants
 * to write when it only reads. Internal to storage/kv_rocksdb.c. Calls no RocksDB. */
#pragma once

#include "lib/base/base.h"

#define SP_KV_CURRENT_BYTES_MAX ((size_t)63)

/* Which tables and logs the database consists of is written to the end of a file, the MANIFEST, before any of them goes away. Equal
 * states: nothing was written there meanwhile. */
struct sp_kv_files_state {
    char current[SP_KV_CURRENT_BYTES_MAX +
                 1]; /* its name: another one whenever the database was opened for writing */
    uint64_t manifest_bytes;
};

SP_MUST_USE enum sp_status sp_kv_files_state(const char *folder, struct sp_kv_files_state *ret,
                                             struct sp_error *reterr);

static inline bool sp_kv_files_state_equal(const struct sp_kv_files_state *a,
                                           const struct sp_kv_files_state *b)
{
    return strcmp(a->current, b->current) == 0 && a->manifest_bytes == b->manifest_bytes;
}

/* A new folder below $TMPDIR; heap. NULL: it could not be made. free also removes it, and the files in it. */
char *sp_kv_files_folder_new(void);
void sp_kv_files_folder_free(char *folder); /* NULL is fine */
