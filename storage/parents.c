/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/parents.c: parents as references to rows, and back. Knows no bytes on disk. */
#include "storage/parents.h"
#include "lib/base/base.h"

enum reference {
    REFERENCE_NONE = 0,
    REFERENCE_RAW = 1,
    REFERENCE_ROW = 2, /* and above */
};

/* A table of so many slots for a trace: at most half full. */
#define SLOTS_MIN 16

void sp_parents_init(struct sp_parents *parents)
{
    *parents = (struct sp_parents){.seed = sp_hash_seed()};
}

void sp_parents_fini(struct sp_parents *parents)
{
    sp_vector_fini(&parents->references);
    sp_vector_fini(&parents->raw);
    sp_vector_fini(&parents->slots);
}

static uint64_t id_bits(const struct sp_span_id *id)
{
    uint64_t bits;
    memcpy(&bits, id, sizeof(bits));
    return bits;
}

static uint32_t zigzag(uint32_t number)
{
    return number << 1 ^ (0 - (number >> 31));
}

static uint32_t unzigzag(uint32_t number)
{
    return number >> 1 ^ (0 - (number & 1));
}

/* The slot that holds the first row with the id, plus 1, or the free one where it belongs. */
static uint32_t *find_slot(const struct sp_parents *parents, uint32_t mask,
                           const struct sp_span_id *ids, uint64_t id)
{
    uint32_t at = (uint32_t)sp_hash_mix(parents->seed, id) & mask;
    while (parents->slots.items[at] != 0 && id_bits(&ids[parents->slots.items[at] - 1]) != id)
        at = (at + 1) & mask;
    return &parents->slots.items[at];
}

static bool find_in_trace(struct sp_parents *parents, const struct sp_block *block, uint32_t first,
                          uint32_t end)
{
    uint32_t slot_count = SLOTS_MIN;
    while (slot_count < 2 * (end - first))
        slot_count *= 2;
    parents->slots.count = 0;
    if (!sp_vector_reserve(&parents->slots, slot_count))
        return false;
    memset(parents->slots.items, 0, slot_count * sizeof(*parents->slots.items));
    uint32_t mask = slot_count - 1;
    for (uint32_t i = first; i < end; i++) {
        uint32_t *slot = find_slot(parents, mask, block->span_ids, id_bits(&block->span_ids[i]));
        if (*slot == 0)
            *slot = i + 1;
    }
    uint32_t expected = UINT32_MAX;
    for (uint32_t i = first; i < end; i++) {
        uint64_t id = id_bits(&block->parent_ids[i]);
        if (id == 0) {
            parents->references.items[i] = REFERENCE_NONE;
            continue;
        }
        uint32_t row = *find_slot(parents, mask, block->span_ids, id);
        if (row == 0) {
            parents->references.items[i] = REFERENCE_RAW;
            parents->raw.items[parents->raw.count++] = block->parent_ids[i];
            continue;
        }
        row--;
        if (expected == UINT32_MAX)
            expected = i;
        parents->references.items[i] = REFERENCE_ROW + zigzag(row - expected);
        expected = row;
    }
    return true;
}

bool sp_parents_find(struct sp_parents *parents, const struct sp_block *block)
{
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    parents->references.count = 0;
    parents->raw.count = 0;
    if (!sp_vector_reserve(&parents->references, count) || !sp_vector_reserve(&parents->raw, count))
        return false;
    parents->references.count = count;
    bool fits = true;
    for (uint32_t t = 0; t < block->trace_count && fits; t++)
        fits = find_in_trace(parents, block, block->trace_rows[t], block->trace_rows[t + 1]);
    return fits;
}

uint32_t sp_parents_count_raw(const uint32_t *references, uint32_t count)
{
    uint32_t raw = 0;
    for (uint32_t i = 0; i < count; i++)
        raw += references[i] == REFERENCE_RAW;
    return raw;
}

bool sp_parents_restore(const struct sp_block *block, const uint32_t *references,
                        const struct sp_span_id *raw, struct sp_span_id *ret)
{
    for (uint32_t t = 0; t < block->trace_count; t++) {
        uint32_t first = block->trace_rows[t], end = block->trace_rows[t + 1];
        uint32_t expected = UINT32_MAX;
        for (uint32_t i = first; i < end; i++) {
            if (references[i] == REFERENCE_NONE) {
                ret[i] = (struct sp_span_id){0};
            } else if (references[i] == REFERENCE_RAW) {
                ret[i] = *raw++;
            } else {
                if (expected == UINT32_MAX)
                    expected = i;
                expected += unzigzag(references[i] - REFERENCE_ROW);
                if (expected < first || expected >= end)
                    return false;
                ret[i] = block->span_ids[expected];
            }
        }
    }
    return true;
}
