/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/idset.h: a set of trace ids: which traces a scan has visited. Internal to storage/. */
#pragma once

#include "lib/model/model.h"

/* Open addressing; the zero id, which no trace has, marks a free place. Zero-initialised is the empty set. */
struct sp_idset {
    struct sp_trace_id *slots; /* heap */
    size_t slot_count, count;
    uint64_t seed; /* of the hash: ids come from the network */
};

void sp_idset_fini(struct sp_idset *set);

/* *ret_added: it was not there before. SP_NO_MEMORY: nothing has changed. */
SP_MUST_USE enum sp_status sp_idset_add(struct sp_idset *set, const struct sp_trace_id *id,
                                        bool *ret_added);
