/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_head.c: fresh entries, which are rows as they were decoded, become blocks of columns in memory. Knows no
 * database. */
#include "storage/rocks.h"
#include "storage/slots.h"

/* ---- sorting by trace ----
 * Requests come with a few spans of each of many traces: a table finds the traces, which are then sorted, and the spans are
 * put into their places in order. */

struct grouping {
    SP_VECTOR(struct group) groups;
    uint32_t *slots; /* number of a group, plus 1 */
    uint32_t slot_count;
    uint32_t *group_of; /* of each span */
    const struct sp_span **sorted;
};

struct group {
    uint64_t key; /* the first half of the id: nearly always enough to order them */
    const struct sp_trace_id *id;
    uint32_t number; /* before sorting */
    uint32_t count, next;
};

static int compare_groups(const void *a, const void *b)
{
    const struct group *one = a;
    const struct group *two = b;
    if (one->key != two->key)
        return one->key < two->key ? -1 : 1;
    return sp_trace_id_compare(one->id, two->id);
}

static bool add_to_group(struct grouping *grouping, const struct sp_span *span, uint64_t seed,
                         uint32_t *ret_group)
{
    uint32_t mask = grouping->slot_count - 1;
    struct sp_slice id = sp_slice_make(span->trace_id.bytes, sizeof(span->trace_id.bytes));
    for (uint32_t at = (uint32_t)sp_hash(seed, id) & mask;; at = (at + 1) & mask) {
        uint32_t number = grouping->slots[at];
        if (number == 0) {
            struct group group = {.key = sp_trace_id_half(&span->trace_id, 0),
                                  .id = &span->trace_id,
                                  .number = grouping->groups.count,
                                  .count = 1};
            grouping->slots[at] = group.number + 1;
            *ret_group = group.number;
            return sp_vector_push(&grouping->groups, group);
        }
        if (sp_trace_id_compare(grouping->groups.items[number - 1].id, &span->trace_id) == 0) {
            grouping->groups.items[number - 1].count++;
            *ret_group = number - 1;
            return true;
        }
    }
}

/* Puts the spans of all groups behind one another, groups in the order of their ids. */
static bool place(struct grouping *grouping, const struct sp_span *const *spans, size_t count)
{
    uint32_t *place_of = calloc((size_t)grouping->groups.count + 1, sizeof(*place_of));
    if (place_of == NULL)
        return false;
    if (grouping->groups.count > 1)
        qsort(grouping->groups.items, grouping->groups.count, sizeof(struct group), compare_groups);
    uint32_t next = 0;
    for (uint32_t g = 0; g < grouping->groups.count; g++) {
        place_of[grouping->groups.items[g].number] = next;
        next += grouping->groups.items[g].count;
    }
    for (size_t i = 0; i < count; i++)
        grouping->sorted[place_of[grouping->group_of[i]]++] = spans[i];
    free(place_of);
    return true;
}

/* sorted: room for count. Stable. */
static bool sort_by_trace(const struct sp_span *const *spans, size_t count,
                          const struct sp_span **sorted)
{
    struct grouping grouping = {.slot_count = 64, .sorted = sorted};
    while (grouping.slot_count < 2 * count)
        grouping.slot_count *= 2;
    grouping.slots = calloc(grouping.slot_count, sizeof(*grouping.slots));
    grouping.group_of = calloc(count + 1, sizeof(*grouping.group_of));
    bool fits = grouping.slots != NULL && grouping.group_of != NULL;
    uint64_t seed = sp_hash_seed();
    for (size_t i = 0; i < count && fits; i++)
        fits = add_to_group(&grouping, spans[i], seed, &grouping.group_of[i]);
    fits = fits && place(&grouping, spans, count);
    sp_vector_fini(&grouping.groups);
    free(grouping.slots);
    free(grouping.group_of);
    return fits;
}

/* ---- blocks ---- */

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to put spans into columns");
}

typedef SP_VECTOR(struct sp_block_shared *) block_list;

static enum sp_status push_block(struct sp_block_builder *builder, block_list *blocks,
                                 struct sp_error *reterr)
{
    struct sp_block block;
    struct sp_block_shared *shared;
    enum sp_status status = sp_block_builder_view(builder, &block, reterr);
    if (status == SP_OK)
        status = sp_block_share(&block, &shared, reterr);
    if (status == SP_OK && !sp_vector_push(blocks, shared)) {
        sp_block_unref(shared);
        status = no_memory(reterr);
    }
    sp_block_builder_reset(builder);
    return status;
}

static enum sp_status build(struct sp_block_builder *builder, const struct sp_span *const *spans,
                            size_t count, block_list *blocks, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    sp_block_builder_reset(builder);
    for (size_t done = 0; done < count && status == SP_OK;) {
        size_t taken;
        status = sp_block_builder_add_spans(builder, spans + done, count - done, &taken, reterr);
        if (status != SP_OK)
            break;
        done += taken;
        if (done == count || sp_block_builder_is_full(builder))
            status = push_block(builder, blocks, reterr);
    }
    return status;
}

enum sp_status sp_rocks_entries_to_blocks(struct sp_block_builder *builder,
                                          struct sp_rocks_entry *const *entries, size_t count,
                                          struct sp_block_shared ***ret, uint32_t *ret_count,
                                          struct sp_error *reterr)
{
    size_t span_count = 0;
    for (size_t e = 0; e < count; e++)
        span_count += entries[e]->append->batch->span_count;
    const struct sp_span **spans = calloc(span_count + 1, sizeof(struct sp_span *));
    const struct sp_span **sorted = calloc(span_count + 1, sizeof(struct sp_span *));
    block_list blocks = {0};
    enum sp_status status = SP_OK;
    size_t at = 0;
    for (size_t e = 0; e < count && spans != NULL; e++) {
        const struct sp_batch *batch = entries[e]->append->batch;
        for (size_t i = 0; i < batch->span_count; i++)
            spans[at++] = &batch->spans[i];
    }
    if (spans == NULL || sorted == NULL || !sort_by_trace(spans, span_count, sorted))
        status = no_memory(reterr);
    else
        status = build(builder, sorted, span_count, &blocks, reterr);
    free(spans);
    free(sorted);
    if (status != SP_OK) {
        for (uint32_t i = 0; i < blocks.count; i++)
            sp_block_unref(blocks.items[i]);
        sp_vector_fini(&blocks);
        return status;
    }
    *ret = blocks.items;
    *ret_count = blocks.count;
    return SP_OK;
}

/* ---- services ---- */

/* Each service of the entries that may have a slot once, in the order in which they came. */
static bool find_services(struct sp_rocks_entry *const *entries, size_t count,
                          struct sp_interner *services)
{
    const struct sp_resource *before = NULL;
    for (size_t e = 0; e < count; e++) {
        const struct sp_batch *batch = entries[e]->append->batch;
        for (size_t i = 0; i < batch->span_count; i++) {
            if (batch->spans[i].resource == before)
                continue;
            before = batch->spans[i].resource;
            struct sp_slice service = sp_span_service(&batch->spans[i]);
            if (sp_slot_fits(service) && sp_interner_add(services, 0, service) == SP_INTERNER_NONE)
                return false;
        }
    }
    return true;
}

bool sp_rocks_name_services(struct sp_rocks *rocks, struct sp_rocks_entry *const *entries,
                            size_t count)
{
    struct sp_interner services;
    sp_interner_init(&services);
    bool fits = find_services(entries, count, &services);
    pthread_mutex_lock(&rocks->lock);
    for (uint32_t i = 0; i < services.texts.count && fits; i++) {
        if (rocks->services.texts.count >= SP_SLOTS_MAX)
            break;
        fits = sp_interner_add(&rocks->services, 0, services.texts.items[i]) != SP_INTERNER_NONE;
    }
    pthread_mutex_unlock(&rocks->lock);
    sp_interner_fini(&services);
    return fits;
}

/* ---- the head ---- */

size_t sp_rocks_head_bytes(const struct sp_rocks *rocks, uint32_t first)
{
    size_t bytes = 0;
    for (uint32_t i = first; i < rocks->head.count; i++)
        bytes += rocks->head.items[i].bytes;
    return bytes;
}

bool sp_rocks_head_is_full(const struct sp_rocks *rocks)
{
    uint64_t spans = 0;
    uint64_t journal_bytes = 0;
    size_t bytes = sp_rocks_head_bytes(rocks, rocks->head_taken);
    for (uint32_t i = rocks->head_taken; i < rocks->head.count; i++) {
        spans += rocks->head.items[i].shared->block.tables[SP_BLOCK_SPANS].count;
        journal_bytes += rocks->head.items[i].journal_bytes;
    }
    return spans >= rocks->sizes.seal_spans || journal_bytes >= SP_ROCKS_HEAD_JOURNAL_BYTES ||
           bytes >= SP_ROCKS_HEAD_BYTES || bytes >= rocks->backlog_bytes_max / 2;
}

size_t sp_rocks_queue_peek(const struct sp_rocks_queue *fresh,
                           struct sp_rocks_entry *ret[SP_ROCKS_GROUP_ENTRIES_MAX])
{
    size_t count = 0;
    size_t spans = 0;
    size_t bytes = 0;
    for (struct sp_rocks_entry *entry = fresh->first;
         entry != NULL && count < SP_ROCKS_GROUP_ENTRIES_MAX; entry = entry->next) {
        spans += entry->append->batch->span_count;
        bytes += entry->bytes;
        if (count > 0 && (spans > SP_ROCKS_FRESH_SPANS || bytes > SP_ROCKS_FRESH_BYTES))
            break;
        ret[count++] = entry;
    }
    return count;
}

enum sp_status sp_rocks_head_push(struct sp_rocks_head *head, struct sp_rocks_entry *const *entries,
                                  size_t count, struct sp_block_shared **blocks,
                                  uint32_t block_count, struct sp_error *reterr)
{
    uint64_t received_max_unix_ns = 0;
    size_t journal_bytes = 0;
    if (!sp_vector_reserve(head, block_count))
        return no_memory(reterr);
    for (size_t i = 0; i < count; i++) {
        journal_bytes += entries[i]->journal_bytes;
        if (entries[i]->append->received_unix_ns > received_max_unix_ns)
            received_max_unix_ns = entries[i]->append->received_unix_ns;
    }
    for (uint32_t i = 0; i < block_count; i++)
        head->items[head->count++] =
            (struct sp_rocks_head_block){.shared = blocks[i],
                                         .first_sequence = entries[0]->sequence,
                                         .last_sequence = entries[count - 1]->sequence,
                                         .bytes = sp_arena_filled_bytes(&blocks[i]->arena),
                                         .journal_bytes = i == 0 ? journal_bytes : 0,
                                         .published_ns = entries[0]->published_ns,
                                         .received_max_unix_ns = received_max_unix_ns};
    return SP_OK;
}

enum sp_status sp_rocks_make_blocks(struct sp_rocks *rocks, struct sp_error *reterr)
{
    return sp_rocks_make_blocks_of(rocks, &rocks->fresh, &rocks->head, reterr);
}

enum sp_status sp_rocks_make_blocks_of(struct sp_rocks *rocks, struct sp_rocks_queue *fresh,
                                       struct sp_rocks_head *head, struct sp_error *reterr)
{
    struct sp_rocks_entry *entries[SP_ROCKS_GROUP_ENTRIES_MAX];
    struct sp_block_shared **blocks;
    uint32_t block_count;
    pthread_mutex_lock(&rocks->lock);
    size_t count = sp_rocks_queue_peek(fresh, entries);
    pthread_mutex_unlock(&rocks->lock);
    if (count == 0)
        return SP_OK;
    enum sp_status status =
        sp_rocks_entries_to_blocks(rocks->builder, entries, count, &blocks, &block_count, reterr);
    if (status != SP_OK)
        return status;
    if (!sp_rocks_name_services(rocks, entries, count))
        status = no_memory(reterr);
    pthread_mutex_lock(&rocks->lock);
    if (status == SP_OK)
        status = sp_rocks_head_push(head, entries, count, blocks, block_count, reterr);
    for (size_t i = 0; i < count && status == SP_OK; i++)
        entries[i] = sp_rocks_queue_pop(fresh);
    pthread_mutex_unlock(&rocks->lock);
    for (uint32_t i = 0; i < block_count && status != SP_OK; i++)
        sp_block_unref(blocks[i]);
    free(blocks);
    for (size_t i = 0; i < count && status == SP_OK; i++)
        sp_rocks_entry_unref(entries[i]);
    return status;
}
