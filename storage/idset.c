/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/idset.c: a set of trace ids. */
#include "storage/idset.h"

#include "lib/base/base.h"

#include <stdlib.h>

#define FIRST_SLOTS 256

void sp_idset_fini(struct sp_idset *set)
{
    free(set->slots);
    *set = (struct sp_idset){0};
}

/* The place of an id, or the free place where it would stand. */
static size_t find(const struct sp_trace_id *slots, size_t slot_count, uint64_t seed,
                   const struct sp_trace_id *id)
{
    size_t at = sp_hash(seed, sp_slice_make(id->bytes, sizeof(id->bytes))) & (slot_count - 1);
    while (!sp_trace_id_is_zero(&slots[at]) && sp_trace_id_compare(&slots[at], id) != 0)
        at = (at + 1) & (slot_count - 1);
    return at;
}

static enum sp_status grow(struct sp_idset *set)
{
    size_t slot_count = set->slot_count > 0 ? set->slot_count * 2 : FIRST_SLOTS;
    struct sp_trace_id *slots = calloc(slot_count, sizeof(*slots));
    if (slots == NULL)
        return SP_NO_MEMORY;
    if (set->slot_count == 0)
        set->seed = sp_hash_seed();
    for (size_t i = 0; i < set->slot_count; i++) {
        if (!sp_trace_id_is_zero(&set->slots[i]))
            slots[find(slots, slot_count, set->seed, &set->slots[i])] = set->slots[i];
    }
    free(set->slots);
    set->slots = slots;
    set->slot_count = slot_count;
    return SP_OK;
}

enum sp_status sp_idset_add(struct sp_idset *set, const struct sp_trace_id *id, bool *ret_added)
{
    SP_ASSERT(!sp_trace_id_is_zero(id));
    if (set->count * 2 >= set->slot_count) {
        enum sp_status status = grow(set);
        if (status != SP_OK)
            return status;
    }
    size_t at = find(set->slots, set->slot_count, set->seed, id);
    *ret_added = sp_trace_id_is_zero(&set->slots[at]);
    if (*ret_added) {
        set->slots[at] = *id;
        set->count++;
    }
    return SP_OK;
}
