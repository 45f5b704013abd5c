/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_pins.h: pinned traces of the engine on disk, for who opens it, removes segments and answers. Internal to storage/. */
#pragma once

#include "storage/rocks.h"

/* What the database has, for what was known. Under the lock, or before threads run. */
SP_MUST_USE enum sp_status sp_rocks_load_pins(struct sp_rocks *rocks, struct sp_error *reterr);

/* Does a segment hold a trace that is pinned? It stays so while history_lock is held. Within the gate, and without the lock. What is
 * damaged is passed over. SP_IO, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_rocks_is_pinned(struct sp_rocks *rocks,
                                              const struct sp_segment *segment, bool *ret,
                                              struct sp_error *reterr);

/* The operations of struct sp_store_ops. */
enum sp_status sp_rocks_pin(struct sp_store *store, const struct sp_trace_id *id,
                            uint64_t now_unix_ns, struct sp_error *reterr);
enum sp_status sp_rocks_unpin(struct sp_store *store, const struct sp_trace_id *id,
                              struct sp_error *reterr);
enum sp_status sp_rocks_pins(struct sp_store *store, struct sp_arena *arena, struct sp_pins *ret,
                             struct sp_error *reterr);
