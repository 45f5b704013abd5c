/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_change.h: what people change by hand (pins, links) is written and synced before they are answered. Internal to storage/. */
#pragma once

#include "storage/rocks.h"

struct sp_rocks_change {
    struct sp_gate_pass pass;
    pthread_mutex_t *alone; /* of changes of this kind, one at a time */
};

/* Behind a SP_OK the database takes writes, and this thread is within the gate, with the lock alone, until the end.
 * SP_PERMISSION: this process only reads.   SP_UNAVAILABLE. */
SP_MUST_USE enum sp_status sp_rocks_change_begin(struct sp_rocks *rocks, pthread_mutex_t *alone,
                                                 struct sp_rocks_change *change,
                                                 struct sp_error *reterr);
void sp_rocks_change_end(struct sp_rocks *rocks, struct sp_rocks_change *change);

/* Within a change. Durable when it returns; after an error nobody knows, and the sealer repairs. NULL for value: deletes. */
SP_MUST_USE enum sp_status sp_rocks_change_write(struct sp_rocks *rocks, struct sp_slice key,
                                                 const struct sp_buf *value,
                                                 struct sp_error *reterr);
