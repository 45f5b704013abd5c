/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/short_links.h: the part of storage.h's contract, which includes it, that keeps long addresses of pages under short names. */
#pragma once

#include "lib/base/base.h"

struct sp_store;

/* Of one address: what a query string may have. */
#define SP_SHORT_LINK_BYTES_MAX ((size_t)64 * 1024)
/* All of them are in memory, too. */
#define SP_SHORT_LINKS_MAX       4096
#define SP_SHORT_LINKS_BYTES_MAX ((size_t)16 * 1024 * 1024)

struct sp_short_link {
    uint64_t id; /* made of the state: the same state has the same id, in every store */
    uint64_t made_unix_ns;
    size_t bytes; /* of the state: the page's parameters, as its address has them */
};

struct sp_short_links {
    struct sp_short_link *rows; /* by when they were made, then by id */
    size_t count, bytes;        /* bytes: of all states */
};

/* Keeps a state until it is removed: retention leaves it. Durable when it returns. A state that is kept already stays as it is.
 * SP_INVALID_ARGUMENT  it is empty.
 * SP_LIMIT             it is larger than SP_SHORT_LINK_BYTES_MAX, or there is no room for one more.
 * SP_PERMISSION        this process only reads.   SP_UNAVAILABLE, SP_NO_MEMORY, SP_IO. */
SP_MUST_USE enum sp_status sp_store_short_link_add(struct sp_store *store, struct sp_slice state,
                                                   uint64_t now_unix_ns, uint64_t *ret_id,
                                                   struct sp_error *reterr);
/* The state, in the arena's memory. A process that only reads knows links as of its last look.
 * SP_NOT_FOUND, SP_UNAVAILABLE, SP_NO_MEMORY or SP_LIMIT (of the arena). */
SP_MUST_USE enum sp_status sp_store_short_link(struct sp_store *store, uint64_t id,
                                               struct sp_arena *arena, struct sp_slice *ret_state,
                                               struct sp_error *reterr);
/* SP_NOT_FOUND: there is none.   Others as sp_store_short_link_add. */
SP_MUST_USE enum sp_status sp_store_short_link_remove(struct sp_store *store, uint64_t id,
                                                      struct sp_error *reterr);
/* The arena's memory. Errors as sp_store_short_link. */
SP_MUST_USE enum sp_status sp_store_short_links(struct sp_store *store, struct sp_arena *arena,
                                                struct sp_short_links *ret,
                                                struct sp_error *reterr);
