/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kept.h: what questions have worked out about something that never changes, kept with it for the next one. Internal to
 * storage/. Knows nothing of what it is; who uses it has a lock for it. */
#pragma once

#include "lib/base/base.h"

struct sp_kept {
    struct sp_buf bytes; /* heap */
    uint64_t
        key; /* of what it was worked out from besides; another one: it does not hold any more */
    bool is_set;
};

static inline bool sp_kept_holds(const struct sp_kept *kept, uint64_t key)
{
    return kept->is_set && kept->key == key;
}

/* Takes the bytes over. */
static inline void sp_kept_set(struct sp_kept *kept, struct sp_buf *bytes, uint64_t key)
{
    sp_buf_fini(&kept->bytes);
    sp_buf_move(&kept->bytes, bytes);
    kept->key = key;
    kept->is_set = true;
}

static inline void sp_kept_fini(struct sp_kept *kept)
{
    sp_buf_fini(&kept->bytes);
    kept->is_set = false;
}
