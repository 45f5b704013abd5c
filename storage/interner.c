/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/interner.c: an open-addressing table of numbers beside the texts. Knows no spans. */
#include "storage/interner.h"

#define FIRST_SLOTS 64u
/* Kept over a reset; a table that was once larger is given back. */
#define KEPT_SLOTS (64u * 1024)

void sp_interner_init(struct sp_interner *interner)
{
    sp_interner_init_shared(interner, NULL, sp_hash_seed());
}

void sp_interner_init_shared(struct sp_interner *interner, struct sp_arena *arena, uint64_t seed)
{
    *interner = (struct sp_interner){.shared_arena = arena, .seed = seed};
    sp_arena_init(&interner->own_arena, SIZE_MAX);
}

void sp_interner_fini(struct sp_interner *interner)
{
    free(interner->slots);
    sp_vector_fini(&interner->texts);
    sp_vector_fini(&interner->salts);
    sp_arena_fini(&interner->own_arena);
}

void sp_interner_reset(struct sp_interner *interner)
{
    if (interner->slot_count > KEPT_SLOTS) {
        free(interner->slots);
        interner->slots = NULL;
        interner->slot_count = 0;
    } else if (interner->slot_count > 0) {
        memset(interner->slots, 0, interner->slot_count * sizeof(*interner->slots));
    }
    interner->texts.count = interner->salts.count = 0;
    interner->used_count = 0;
    interner->bytes = 0;
    sp_arena_reset(&interner->own_arena);
}

static inline uint32_t hash_of(const struct sp_interner *interner, uint32_t salt,
                               struct sp_slice text)
{
    uint64_t hash = sp_hash(interner->seed + salt * 0x9e3779b97f4a7c15ULL, text);
    return (uint32_t)(hash >> 32);
}

static uint32_t salt_of(const struct sp_interner *interner, uint32_t number)
{
    return number < interner->salts.count ? interner->salts.items[number] : 0;
}

static bool set_salt(struct sp_interner *interner, uint32_t number, uint32_t salt)
{
    while (salt != 0 && interner->salts.count < number) {
        if (!sp_vector_push(&interner->salts, 0))
            return false;
    }
    return salt == 0 || sp_vector_push(&interner->salts, salt);
}

/* The slot of a text, or the free one where it belongs. Inlined: a call costs as much as a look into a small table. */
static inline __attribute__((always_inline)) struct sp_interner_slot *
probe(const struct sp_interner *interner, uint32_t hash, uint32_t salt, struct sp_slice text)
{
    uint32_t mask = interner->slot_count - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        struct sp_interner_slot *slot = &interner->slots[at];
        if (slot->number == 0)
            return slot;
        if (slot->hash == hash && salt_of(interner, slot->number - 1) == salt &&
            sp_hash_equal(interner->texts.items[slot->number - 1], text))
            return slot;
    }
}

static bool rehash(struct sp_interner *interner)
{
    uint32_t slot_count = interner->slot_count > 0 ? interner->slot_count * 2 : FIRST_SLOTS;
    struct sp_interner_slot *slots = sp_hash_slots(slot_count, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < interner->slot_count; i++) {
        if (interner->slots[i].number == 0)
            continue;
        uint32_t at = interner->slots[i].hash & (slot_count - 1);
        while (slots[at].number != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = interner->slots[i];
    }
    free(interner->slots);
    interner->slots = slots;
    interner->slot_count = slot_count;
    return true;
}

uint32_t sp_interner_find(const struct sp_interner *interner, uint32_t salt, struct sp_slice text)
{
    if (interner->slot_count == 0)
        return SP_INTERNER_NONE;
    return probe(interner, hash_of(interner, salt, text), salt, text)->number - 1;
}

uint32_t sp_interner_append(struct sp_interner *interner, struct sp_slice text)
{
    struct sp_arena *arena =
        interner->shared_arena != NULL ? interner->shared_arena : &interner->own_arena;
    uint8_t *copy = sp_arena_alloc(arena, text.len > 0 ? text.len : 1);
    if (copy == NULL || !sp_vector_reserve(&interner->texts, 1))
        return SP_INTERNER_NONE;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    interner->texts.items[interner->texts.count++] = sp_slice_make(copy, text.len);
    interner->bytes += text.len;
    return interner->texts.count - 1;
}

uint32_t sp_interner_add(struct sp_interner *interner, uint32_t salt, struct sp_slice text)
{
    if (interner->used_count >= interner->slot_count / 2 && !rehash(interner))
        return SP_INTERNER_NONE;
    uint32_t hash = hash_of(interner, salt, text);
    struct sp_interner_slot *slot = probe(interner, hash, salt, text);
    if (slot->number != 0)
        return slot->number - 1;
    uint32_t number = sp_interner_append(interner, text);
    if (number == SP_INTERNER_NONE || !set_salt(interner, number, salt))
        return SP_INTERNER_NONE;
    interner->used_count++;
    *slot = (struct sp_interner_slot){number + 1, hash};
    return number;
}
