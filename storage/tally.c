/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/tally.c: counts by key. Rows live in the caller's arena, so that answers can point at their texts; only the
 * two index arrays are on the heap. */
#include "storage/tally.h"
#include "lib/base/base.h"

#include <stdlib.h>

#define FIRST_SLOTS 64

static uint64_t key_hash(const struct sp_tally *tally, struct sp_slice first,
                         struct sp_slice second, int32_t number)
{
    uint64_t hash = sp_hash(tally->seed, first);
    hash = sp_hash_mix(hash, sp_hash(~tally->seed, second));
    return sp_hash_mix(hash, (uint32_t)number);
}

void sp_tally_init(struct sp_tally *tally, struct sp_arena *arena)
{
    *tally = (struct sp_tally){.arena = arena, .seed = sp_hash_seed()};
}

void sp_tally_fini(struct sp_tally *tally)
{
    if (tally == NULL)
        return;
    for (size_t i = 0; i < tally->count; i++)
        sp_histogram_fini(&tally->rows[i]->latency);
    free(tally->rows);
    free(tally->slots);
    *tally = (struct sp_tally){0};
}

static bool grow_rows(struct sp_tally *tally)
{
    if (tally->count < tally->cap)
        return true;
    size_t cap = tally->cap > 0 ? tally->cap * 2 : FIRST_SLOTS / 2;
    struct sp_tally_row **rows = realloc(tally->rows, cap * sizeof(struct sp_tally_row *));
    if (rows == NULL)
        return false;
    tally->rows = rows;
    tally->cap = cap;
    return true;
}

/* Keeps the table at most half full. */
static bool grow_slots(struct sp_tally *tally)
{
    if (tally->count * 2 < tally->slot_count)
        return true;
    size_t slot_count = tally->slot_count > 0 ? tally->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = calloc(slot_count, sizeof(uint32_t));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < tally->count; i++) {
        const struct sp_tally_row *row = tally->rows[i];
        size_t at = key_hash(tally, row->first, row->second, row->number) & (slot_count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(tally->slots);
    tally->slots = slots;
    tally->slot_count = slot_count;
    return true;
}

enum sp_status sp_tally_row(struct sp_tally *tally, struct sp_slice first, struct sp_slice second,
                            int32_t number, struct sp_tally_row **ret, struct sp_error *reterr)
{
    if (!grow_slots(tally) || !grow_rows(tally))
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to count %zu keys", tally->count + 1);

    size_t at = key_hash(tally, first, second, number) & (tally->slot_count - 1);
    for (; tally->slots[at] != 0; at = (at + 1) & (tally->slot_count - 1)) {
        struct sp_tally_row *row = tally->rows[tally->slots[at] - 1];
        if (row->number == number && sp_slice_equal(row->first, first) &&
            sp_slice_equal(row->second, second)) {
            *ret = row;
            return SP_OK;
        }
    }

    struct sp_tally_row *row = NULL;
    if (tally->count < UINT32_MAX - 1)
        row = sp_arena_calloc(tally->arena, 1, sizeof(*row));
    if (row == NULL || !sp_arena_copy(tally->arena, first, &row->first) ||
        !sp_arena_copy(tally->arena, second, &row->second))
        return sp_arena_failed(
            tally->arena, reterr,
            "more distinct values than fit into this query's memory (%zu counted)", tally->count);
    row->number = number;
    row->index = (uint32_t)tally->count;
    tally->rows[tally->count++] = row;
    tally->slots[at] = (uint32_t)tally->count;
    *ret = row;
    return SP_OK;
}

enum sp_status sp_tally_exemplars(const struct sp_tally *tally, struct sp_tally_row *row,
                                  struct sp_error *reterr)
{
    if (row->exemplars == NULL)
        row->exemplars = sp_arena_calloc(tally->arena, 1, sizeof(*row->exemplars));
    return row->exemplars != NULL
               ? SP_OK
               : sp_arena_failed(tally->arena, reterr,
                                 "exemplars of %zu rows do not fit into this query's memory",
                                 tally->count);
}

int sp_tally_compare(const struct sp_tally_row *a, const struct sp_tally_row *b)
{
    int order = sp_slice_compare(a->first, b->first);
    if (order == 0)
        order = sp_slice_compare(a->second, b->second);
    if (order == 0)
        order = (a->number > b->number) - (a->number < b->number);
    return order;
}

struct sort_context {
    int (*compare)(const struct sp_tally_row *a, const struct sp_tally_row *b);
};

static int compare_pointers(const void *a, const void *b, void *cookie)
{
    const struct sort_context *context = cookie;
    return context->compare(*(const struct sp_tally_row *const *)a,
                            *(const struct sp_tally_row *const *)b);
}

void sp_tally_sort(struct sp_tally *tally,
                   int (*compare)(const struct sp_tally_row *a, const struct sp_tally_row *b))
{
    struct sort_context context = {compare};
    if (tally->count > 1)
        qsort_r(tally->rows, tally->count, sizeof(struct sp_tally_row *), compare_pointers,
                &context);
}
