/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_short_links.h: links of the engine on disk, for who opens it and answers. Internal to storage/. */
#pragma once

#include "storage/rocks.h"

/* What the database has, for what was known; those that are damaged are left out. Under the lock, or before threads run. SP_IO,
 * SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_rocks_load_short_links(struct sp_rocks *rocks,
                                                     struct sp_error *reterr);

/* The operations of struct sp_store_ops. */
enum sp_status sp_rocks_short_link_add(struct sp_store *store, struct sp_slice state,
                                       uint64_t now_unix_ns, uint64_t *ret_id,
                                       struct sp_error *reterr);
enum sp_status sp_rocks_short_link(struct sp_store *store, uint64_t id, struct sp_arena *arena,
                                   struct sp_slice *ret_state, struct sp_error *reterr);
enum sp_status sp_rocks_short_link_remove(struct sp_store *store, uint64_t id,
                                          struct sp_error *reterr);
enum sp_status sp_rocks_short_links(struct sp_store *store, struct sp_arena *arena,
                                    struct sp_short_links *ret, struct sp_error *reterr);
