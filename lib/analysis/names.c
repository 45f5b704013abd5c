/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/names.c: see lib/analysis/names.h. */
#include "lib/analysis/names.h"

/* The slot of a key: with its number, or empty. */
static uint32_t find_slot(const struct sp_names *names, struct sp_slice key)
{
    uint32_t at = (uint32_t)sp_hash(names->seed, key) & (names->slot_cap - 1);
    while (names->slots[at] != 0 && !sp_slice_equal(names->items[names->slots[at] - 1], key))
        at = (at + 1) & (names->slot_cap - 1);
    return at;
}

static bool make_room(struct sp_names *names)
{
    if (names->count < names->cap)
        return true;
    if (names->cap > UINT32_MAX / 8)
        return false;
    uint32_t cap = names->cap > 0 ? 2 * names->cap : 16;
    struct sp_slice *items = sp_arena_grow(names->arena, names->items, names->cap * sizeof(*items),
                                           cap * sizeof(*items));
    uint32_t *slots = items != NULL ? sp_arena_calloc(names->arena, cap, 2 * sizeof(*slots)) : NULL;
    if (slots == NULL)
        return false;
    names->items = items;
    names->cap = cap;
    names->slots = slots;
    names->slot_cap = 2 * cap;
    if (names->seed == 0 && names->slot_cap > SP_HASH_SMALL)
        names->seed = sp_hash_seed();
    for (uint32_t i = 0; i < names->count; i++)
        slots[find_slot(names, items[i])] = i + 1;
    return true;
}

uint32_t sp_names_find(const struct sp_names *names, struct sp_slice key)
{
    if (names->slot_cap == 0)
        return SP_NAMES_NONE;
    return names->slots[find_slot(names, key)] - 1; /* 0 - 1 is SP_NAMES_NONE */
}

uint32_t sp_names_number(struct sp_names *names, struct sp_slice key)
{
    uint32_t number = sp_names_find(names, key);
    if (number != SP_NAMES_NONE)
        return number;
    struct sp_slice copy;
    if (!make_room(names) || !sp_arena_copy(names->arena, key, &copy))
        return SP_NAMES_NONE;
    number = names->count++;
    names->items[number] = copy;
    names->slots[find_slot(names, key)] = number + 1;
    return number;
}
