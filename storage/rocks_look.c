/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_look.c: one look at what another process has done, and the same lists made of it that it has itself: segments, head
 * blocks, fresh entries. Writes nothing. Knows the database through kv.h only.
 *
 *   1 catch up      the database as it is now. Then it is known which kind of look this is:
 *                     ADDS    nothing that the lists have was sealed: there may be new records
 *                     SEALS   some was: it leaves the head in the moment in which its segment comes
 *                     ANEW    another process has begun to write: what the lists have may never have been acked
 *   2 segments      those whose headers are what they were are kept; and a pin (kv.h): views read chunks through it, so that what goes
 *                   away meanwhile is still there for them
 *   3 names         slots of services, pinned traces, short links
 *   4 entries       records of the journal, which become blocks when there are many
 *   5 publish       under one lock, so that every view has each span once; the look has the old lists then, and frees them
 *   6 arrivals      which traces came is told when they can be read
 *
 *   ADDS:   journal  | sealed, perhaps deleted | 4 5 6 ... last_sequence | new |
 *                                                head blocks, fresh        fresh
 *
 *   SEALS:  journal  | sealed, perhaps deleted: 2 3 4 5 | 6 7 8 ... last_sequence | new |
 *           head                          [2 3 4] [5    |    6] [7 8] ...
 *                                         goes    made again    stays
 *                                                 of 6
 *
 *   ANEW: all of the journal that is not sealed is read, aside.
 *
 * All of it is of one state of the database: nothing but step 1 brings it up to date. */
#include "storage/rocks_follow.h"
#include "storage/rocks_pins.h"
#include "storage/rocks_short_links.h"

#include <stdlib.h>

enum look_kind { LOOK_ADDS, LOOK_SEALS, LOOK_ANEW };

struct segment_list {
    struct sp_segment **items;
    uint32_t count, cap;
};

/* What a look has found, until it is published; then what the lists had. */
struct look {
    enum look_kind kind;
    struct sp_totals totals;
    bool has_segments;
    struct segment_list segments;
    uint64_t segments_revision, chunks_revision;
    struct sp_kv *pin; /* NULL: the old one is as good */
    /* ANEW: all there is. SEALS: what takes the place of the head's blocks that are sealed, the first ones. */
    struct sp_rocks_queue fresh;
    struct sp_rocks_head head;
    uint32_t sealed_count;                  /* of the head's blocks */
    uint64_t told_sequence, unseen_appends; /* what will have been told */
};

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to follow the database");
}

static void look_fini(struct look *look)
{
    while (look->fresh.count > 0)
        sp_rocks_entry_unref(sp_rocks_queue_pop(&look->fresh));
    for (uint32_t i = 0; i < look->head.count; i++)
        sp_block_unref(look->head.items[i].shared);
    sp_vector_fini(&look->head);
    for (uint32_t i = 0; i < look->segments.count; i++)
        sp_segment_unref(look->segments.items[i]);
    sp_vector_fini(&look->segments);
    sp_kv_unpin(look->pin);
}

/* ---- 1: catch up ---- */

static enum sp_status catch_up(struct sp_rocks *rocks, struct look *look, struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = rocks->follower;
    struct sp_kv_followed followed;
    enum sp_status status = sp_kv_follow(rocks->dir.db, &rocks->kv, &followed, reterr);
    if (followed.reopened)
        follower->revisions_are_stale = true;
    if (followed.new_writer) /* records that were refused are gone; their numbers are given again */
        follower->head_is_stale = true;
    if (status == SP_OK)
        status = sp_rocks_totals_read(rocks, &look->totals, reterr);
    if (status != SP_OK)
        return status;
    if (look->totals.sealed_sequence < rocks->totals.sealed_sequence)
        follower->head_is_stale = true;
    if (follower->head_is_stale)
        look->kind = LOOK_ANEW;
    else if (look->totals.sealed_sequence > rocks->totals.sealed_sequence)
        look->kind = LOOK_SEALS;
    return SP_OK;
}

/* ---- 2: segments ---- */

static int compare_ids(const void *a, const void *b)
{
    const struct sp_segment *x = *(struct sp_segment *const *)a;
    const struct sp_segment *y = *(struct sp_segment *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Those that are in the list, by their ids; no references, because nobody else changes the list. */
static enum sp_status list_known(const struct sp_rocks *rocks, struct segment_list *known,
                                 struct sp_error *reterr)
{
    if (!sp_vector_reserve(known, rocks->segments.count))
        return no_memory(reterr);
    for (uint32_t i = 0; i < rocks->segments.count; i++)
        known->items[known->count++] = rocks->segments.items[i];
    if (known->count > 1)
        qsort(known->items, known->count, sizeof(struct sp_segment *), compare_ids);
    return SP_OK;
}

static struct sp_segment *find_known(const struct segment_list *known, uint64_t id,
                                     struct sp_slice header)
{
    const struct sp_segment wanted = {.id = id};
    const struct sp_segment *key = &wanted;
    struct sp_segment **found = known->count > 0 ? bsearch(&key, known->items, known->count,
                                                           sizeof(struct sp_segment *), compare_ids)
                                                 : NULL;
    return found != NULL && sp_segment_is_of_header(*found, id, header) ? *found : NULL;
}

/* A header is written again only when what it knows of older segments changes, because they are removed. */
static enum sp_status read_segment(struct sp_rocks_follower *follower, struct sp_kv_iterator *rows,
                                   const struct segment_list *known, struct segment_list *segments,
                                   struct sp_error *reterr)
{
    uint64_t id;
    enum sp_status status = SP_OK;
    if (!sp_segment_key_parse(sp_kv_iterator_key(rows), &id))
        return sp_error_set(reterr, SP_CORRUPT, "a key of the segments is damaged");
    struct sp_slice header = sp_kv_iterator_value(rows);
    struct sp_segment *segment = find_known(known, id, header);
    if (segment != NULL) {
        sp_segment_ref(segment);
    } else {
        status = sp_segment_read_header(id, header, &segment, reterr);
        follower->header_count++;
    }
    if (status == SP_OK && !sp_vector_push(segments, segment)) {
        sp_segment_unref(segment);
        status = no_memory(reterr);
    }
    return status;
}

static enum sp_status read_segments(const struct sp_rocks *rocks, struct look *look,
                                    struct sp_error *reterr)
{
    struct segment_list known = {.count = 0};
    struct sp_kv_iterator *rows = sp_kv_iterator_new(rocks->kv, SP_KV_SEGMENTS);
    enum sp_status status = rows != NULL ? list_known(rocks, &known, reterr) : no_memory(reterr);
    look->has_segments = true;
    if (rows != NULL)
        sp_kv_iterator_seek(rows, SP_SLICE(""));
    for (; status == SP_OK && sp_kv_iterator_valid(rows); sp_kv_iterator_next(rows))
        status = read_segment(rocks->follower, rows, &known, &look->segments, reterr);
    if (status == SP_OK)
        status = sp_kv_iterator_status(rows, reterr);
    sp_kv_iterator_free(rows);
    sp_vector_fini(&known);
    if (status == SP_OK)
        sp_rocks_sort_segments(look->segments.items, look->segments.count);
    return status;
}

/* Also a new pin when only chunks have changed: an old one keeps files that are deleted. */
static enum sp_status look_at_segments(const struct sp_rocks *rocks, struct look *look,
                                       struct sp_error *reterr)
{
    const struct sp_rocks_follower *follower = rocks->follower;
    enum sp_status status = SP_OK;
    look->segments_revision = sp_kv_revision(rocks->kv, SP_KV_SEGMENTS);
    look->chunks_revision = sp_kv_revision(rocks->kv, SP_KV_CHUNKS);
    bool changed = look->kind != LOOK_ADDS || follower->revisions_are_stale ||
                   look->segments_revision != follower->segments_revision;
    if (changed)
        status = read_segments(rocks, look, reterr);
    if (status == SP_OK && (changed || look->chunks_revision != follower->chunks_revision))
        status = sp_kv_pin(rocks->kv, SP_KV_CHUNKS, &look->pin, reterr);
    return status;
}

/* ---- 3: names ---- */

/* They stand in one family of the database. Slots are given when something is sealed; pins and links change without that. */
static enum sp_status look_at_names(struct sp_rocks *rocks, const struct look *look,
                                    struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = rocks->follower;
    uint64_t revision = sp_kv_revision(rocks->kv, SP_KV_META);
    bool changed = revision != follower->meta_revision || follower->revisions_are_stale;
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&rocks->lock);
    if (look->kind != LOOK_ADDS)
        status = sp_rocks_load_services(rocks, reterr);
    if (status == SP_OK && changed)
        status = sp_rocks_load_pins(rocks, reterr);
    if (status == SP_OK && changed)
        status = sp_rocks_load_short_links(rocks, reterr);
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK)
        follower->meta_revision = revision;
    return status;
}

/* ---- 6: arrivals, which step 4 notes ---- */

/* Requests that were sealed since the last look are in no journal any more. When the head is made anew, all of the journal is told again:
 * another process may have given numbers again that what was refused had. */
static void begin_arrivals(const struct sp_rocks *rocks, struct look *look)
{
    uint64_t sealed_sequence = look->totals.sealed_sequence;
    look->told_sequence = rocks->follower->told_sequence;
    if (look->told_sequence < sealed_sequence)
        look->unseen_appends = sealed_sequence - look->told_sequence;
    if (look->told_sequence < sealed_sequence || look->kind == LOOK_ANEW)
        look->told_sequence = sealed_sequence;
}

/* Without memory for it, it counts as one that nobody has looked at. */
static void note_arrival(const struct sp_rocks *rocks, struct look *look,
                         const struct sp_rocks_entry *entry)
{
    struct sp_rocks_follower *follower = rocks->follower;
    struct sp_arrivals_cursor unused;
    if (entry->sequence <= look->told_sequence)
        return;
    look->told_sequence = entry->sequence;
    if (!sp_arrivals_log_is_read(&rocks->arrivals))
        return;
    if (!follower->arrived_begun)
        follower->arrived_begun = sp_arrivals_log_begin(&follower->arrived, &unused, NULL) == SP_OK;
    if (follower->arrived_begun)
        sp_arrivals_log_add(&follower->arrived, entry->append->batch);
    else
        look->unseen_appends++;
}

/* visible: what was noted is. */
static void end_arrivals(struct sp_rocks *rocks, const struct look *look, bool visible)
{
    struct sp_rocks_follower *follower = rocks->follower;
    if (visible) {
        follower->told_sequence = look->told_sequence;
        if (look->unseen_appends > 0)
            sp_arrivals_log_add_unseen(&rocks->arrivals, look->unseen_appends);
    }
    if (!follower->arrived_begun)
        return;
    if (visible)
        sp_arrivals_log_move(&rocks->arrivals, &follower->arrived);
    sp_arrivals_log_forget(&follower->arrived);
    if (!sp_arrivals_log_is_read(&rocks->arrivals)) {
        sp_arrivals_log_end(&follower->arrived);
        follower->arrived_begun = false;
    }
}

/* ---- 4: entries ---- */

static enum sp_status journal_from(const struct sp_rocks *rocks, uint64_t sequence,
                                   struct sp_kv_iterator **ret, struct sp_error *reterr)
{
    struct sp_layout_key key = sp_layout_journal_key(sequence);
    *ret = sp_kv_iterator_new(rocks->kv, SP_KV_JOURNAL);
    if (*ret == NULL)
        return no_memory(reterr);
    sp_kv_iterator_seek(*ret, sp_layout_key_slice(&key));
    return SP_OK;
}

/* The entry of the record at hand; *ret is NULL behind last_sequence. */
static enum sp_status decode_record(struct sp_rocks *rocks, struct sp_kv_iterator *records,
                                    uint64_t last_sequence, struct sp_rocks_entry **ret,
                                    struct sp_error *reterr)
{
    uint64_t sequence;
    struct sp_rocks_entry *entry;
    *ret = NULL;
    if (!sp_layout_journal_parse(sp_kv_iterator_key(records), &sequence))
        return sp_error_set(reterr, SP_CORRUPT, "a key of the journal is damaged");
    if (sequence > last_sequence)
        return SP_OK;
    rocks->follower->record_count++;
    enum sp_status status =
        sp_rocks_entry_take(sequence, sp_kv_iterator_value(records), &entry, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_entry_decode(&rocks->codec, entry, reterr);
    if (status != SP_OK) {
        sp_rocks_entry_unref(entry);
        return status;
    }
    entry->published_ns = sp_rocks_monotonic_ns();
    *ret = entry;
    return SP_OK;
}

/* The next record, behind the entries that there are. */
static enum sp_status add_record(struct sp_rocks *rocks, struct look *look,
                                 struct sp_kv_iterator *records, struct sp_rocks_queue *fresh,
                                 struct sp_error *reterr)
{
    struct sp_rocks_entry *entry;
    enum sp_status status = decode_record(rocks, records, UINT64_MAX, &entry, reterr);
    if (status != SP_OK)
        return status;
    note_arrival(rocks, look, entry);
    pthread_mutex_lock(&rocks->lock);
    sp_rocks_queue_push(fresh, entry);
    bool ends = rocks->stopping || atomic_load(&rocks->called_off);
    pthread_mutex_unlock(&rocks->lock);
    rocks->follower->last_sequence = entry->sequence;
    return ends ? sp_error_set(reterr, SP_UNAVAILABLE, "the store is closing") : SP_OK;
}

/* All that the lists do not have: ANEW aside, otherwise straight into them. Entries are few at a time, however long the journal is. */
static enum sp_status add_records(struct sp_rocks *rocks, struct look *look,
                                  struct sp_error *reterr)
{
    bool aside = look->kind == LOOK_ANEW;
    struct sp_rocks_queue *fresh = aside ? &look->fresh : &rocks->fresh;
    struct sp_rocks_head *head = aside ? &look->head : &rocks->head;
    struct sp_kv_iterator *records;
    if (aside)
        rocks->follower->last_sequence = look->totals.sealed_sequence;
    enum sp_status status =
        journal_from(rocks, rocks->follower->last_sequence + 1, &records, reterr);
    for (; status == SP_OK && sp_kv_iterator_valid(records); sp_kv_iterator_next(records)) {
        status = add_record(rocks, look, records, fresh, reterr);
        while (status == SP_OK && sp_rocks_queue_is_full(rocks, fresh))
            status = sp_rocks_make_blocks_of(rocks, fresh, head, reterr);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(records, reterr);
    sp_kv_iterator_free(records);
    return status;
}

/* SEALS: the part of a block that is not sealed, records up to last_sequence, as blocks of the look. */
static enum sp_status make_again(struct sp_rocks *rocks, struct look *look, uint64_t last_sequence,
                                 struct sp_error *reterr)
{
    struct sp_kv_iterator *records;
    enum sp_status status = journal_from(rocks, look->totals.sealed_sequence + 1, &records, reterr);
    for (; status == SP_OK && sp_kv_iterator_valid(records); sp_kv_iterator_next(records)) {
        struct sp_rocks_entry *entry;
        status = decode_record(rocks, records, last_sequence, &entry, reterr);
        if (status != SP_OK || entry == NULL)
            break;
        sp_rocks_queue_push(&look->fresh, entry);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(records, reterr);
    sp_kv_iterator_free(records);
    while (status == SP_OK && look->fresh.count > 0)
        status = sp_rocks_make_blocks_of(rocks, &look->fresh, &look->head, reterr);
    return status;
}

/* SEALS: which blocks go, and what comes in the place of the one over the border; with room for those that stay. Nobody else changes
 * the head. */
static enum sp_status split_head(struct sp_rocks *rocks, struct look *look, struct sp_error *reterr)
{
    const struct sp_rocks_head *head = &rocks->head;
    uint64_t sealed_sequence = look->totals.sealed_sequence;
    uint32_t count = 0;
    enum sp_status status = SP_OK;
    while (count < head->count && head->items[count].first_sequence <= sealed_sequence)
        count++;
    if (count > 0 && head->items[count - 1].last_sequence > sealed_sequence)
        status = make_again(rocks, look, head->items[count - 1].last_sequence, reterr);
    if (status == SP_OK && !sp_vector_reserve(&look->head, head->count - count))
        status = no_memory(reterr);
    look->sealed_count = count;
    return status;
}

/* ---- 5: publish; all but the last under the lock ---- */

#define SWAP(a, b)                                                                                 \
    do {                                                                                           \
        __typeof__(a) swapped = (a);                                                               \
        (a) = (b);                                                                                 \
        (b) = swapped;                                                                             \
    } while (0)

/* ANEW: the look has all that there was. */
static void swap_entries(struct sp_rocks *rocks, struct look *look)
{
    SWAP(rocks->fresh, look->fresh);
    SWAP(rocks->head, look->head);
}

/* SEALS: the look has what is sealed. */
static void take_sealed_out(struct sp_rocks *rocks, struct look *look)
{
    for (uint32_t i = look->sealed_count; i < rocks->head.count; i++)
        look->head.items[look->head.count++] = rocks->head.items[i];
    rocks->head.count = look->sealed_count;
    SWAP(rocks->head, look->head);
    while (rocks->fresh.first != NULL &&
           rocks->fresh.first->sequence <= look->totals.sealed_sequence)
        sp_rocks_queue_push(&look->fresh, sp_rocks_queue_pop(&rocks->fresh));
}

static void swap_segments(struct sp_rocks *rocks, struct look *look)
{
    SWAP(rocks->segments.items, look->segments.items);
    SWAP(rocks->segments.count, look->segments.count);
    SWAP(rocks->segments.cap, look->segments.cap);
}

static void publish(struct sp_rocks *rocks, struct look *look)
{
    struct sp_rocks_follower *follower = rocks->follower;
    uint64_t sealed_sequence = look->totals.sealed_sequence;
    pthread_mutex_lock(&rocks->lock);
    switch (look->kind) {
    case LOOK_ADDS:
        break;
    case LOOK_SEALS:
        take_sealed_out(rocks, look);
        rocks->totals = look->totals;
        break;
    case LOOK_ANEW:
        swap_entries(rocks, look);
        rocks->totals = look->totals;
        break;
    }
    if (look->has_segments)
        swap_segments(rocks, look);
    if (look->pin != NULL)
        SWAP(rocks->pin, look->pin);
    pthread_mutex_unlock(&rocks->lock);
    if (look->kind == LOOK_SEALS && follower->last_sequence < sealed_sequence)
        follower->last_sequence = sealed_sequence;
    follower->anew_count += look->kind == LOOK_ANEW;
    follower->segments_revision = look->segments_revision;
    follower->chunks_revision = look->chunks_revision;
    follower->head_is_stale = follower->revisions_are_stale = false;
}

/* ---- the look ---- */

/* Steps 4 to 6. */
static enum sp_status finish(struct sp_rocks *rocks, struct look *look, struct sp_error *reterr)
{
    bool can_be_read = look->kind == LOOK_ADDS; /* is in the lists at once, whatever comes */
    begin_arrivals(rocks, look);
    enum sp_status status = look->kind == LOOK_SEALS ? split_head(rocks, look, reterr)
                                                     : add_records(rocks, look, reterr);
    if (status == SP_OK) {
        publish(rocks, look);
        can_be_read = true;
        /* Not before: records between the old head and the new ones may be sealed by now. */
        if (look->kind == LOOK_SEALS)
            status = add_records(rocks, look, reterr);
    }
    end_arrivals(rocks, look, can_be_read);
    return status;
}

enum sp_status sp_rocks_look(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct look look = {.kind = LOOK_ADDS};
    enum sp_status status = catch_up(rocks, &look, reterr);
    if (status == SP_OK)
        status = look_at_segments(rocks, &look, reterr);
    if (status == SP_OK)
        status = look_at_names(rocks, &look, reterr);
    if (status == SP_OK)
        status = finish(rocks, &look, reterr);
    look_fini(&look);
    return status;
}
