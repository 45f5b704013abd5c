/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_follow.c: the engine beside the process that writes: a thread looks again and again at what that process has done,
 * and makes the same lists of it: segments, head blocks, fresh entries. Writes nothing. Knows the database through kv.h only.
 *
 *   journal: | sealed, perhaps deleted | 4 5 6 ... last_sequence | new |
 *                                        head blocks, fresh        fresh
 *
 * A look that finds nothing sealed only adds entries. One that does takes what is sealed out of the head when it puts the segments into
 * their list, under one lock: so every view has each span once. A block that was made of records on both sides of that border is made again
 * of those that are left. Only after another process has begun to write is the head made anew, aside. Segments whose headers are what they
 * were are kept. Views read segments through a pin of the database (kv.h), so that what goes away meanwhile is still there for them. */
#include "storage/rocks_pins.h"
#include "storage/rocks_short_links.h"

#include <stdlib.h>
#include <time.h>

/* Opening is tried again so often, so much later: tables that were listed may be gone by the time they are opened. */
#define OPEN_TRIES   10
#define OPEN_WAIT_NS 50000000ULL
/* After so many looks in a row that failed, there is more time between them. */
#define FAILURES_QUICK 5
#define FAILURE_WAIT   10

struct sp_rocks_follower {
    pthread_t thread;
    bool runs;
    /* The thread's. */
    uint64_t last_sequence; /* of the journal records that are in the lists */
    uint64_t segments_revision, chunks_revision, meta_revision;
    bool revisions_are_stale; /* of another kv */
    bool head_is_stale;       /* the head has to be made anew */
    uint32_t failures_in_row;
    /* What a look has found of arrivals, until it is visible; and the newest request that was told, or that nobody can be told of. */
    struct sp_arrivals_log arrived;
    bool arrived_begun;
    uint64_t told_sequence;
    /* Under the lock. */
    uint64_t caught_up_ns, count, failure_count;
    _Atomic uint64_t header_count, record_count, anew_count;
};

struct segment_list {
    struct sp_segment **items;
    uint32_t count, cap;
};

/* What one look has found, until it is published. */
struct look {
    bool anew;  /* fresh and head take the place of the old ones */
    bool seals; /* head, and the old one from kept_first on, do; fresh ones that are sealed go */
    uint32_t kept_first;
    struct sp_totals totals;
    struct sp_rocks_queue fresh;
    struct sp_rocks_head head;
    bool has_segments;
    struct segment_list segments;
    struct sp_kv *pin;                      /* NULL: the old one is as good */
    uint64_t told_sequence, unseen_appends; /* what will have been told when it is published */
    uint64_t segments_revision, chunks_revision;
};

#define NS_PER_SECOND 1000000000ULL

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to follow the database");
}

/* ---- segments ---- */

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
    bool changed = follower->revisions_are_stale || look->anew || look->seals ||
                   look->segments_revision != follower->segments_revision;
    if (changed)
        status = read_segments(rocks, look, reterr);
    if (status == SP_OK && (changed || look->chunks_revision != follower->chunks_revision))
        status = sp_kv_pin(rocks->kv, SP_KV_CHUNKS, &look->pin, reterr);
    return status;
}

/* ---- the journal ---- */

/* Up to this number; *ret is NULL behind it. */
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
    entry->published_ns = monotonic_ns();
    *ret = entry;
    return SP_OK;
}

/* ---- arrivals ---- */

/* Requests that were sealed since the last look are in no journal any more. When the head is made anew, all of the journal is told again:
 * another process may have given numbers again that what was refused had. */
static void begin_arrivals(const struct sp_rocks *rocks, struct look *look)
{
    uint64_t sealed_sequence = look->totals.sealed_sequence;
    look->told_sequence = rocks->follower->told_sequence;
    if (look->told_sequence < sealed_sequence)
        look->unseen_appends = sealed_sequence - look->told_sequence;
    if (look->told_sequence < sealed_sequence || look->anew)
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

static enum sp_status read_record(struct sp_rocks *rocks, struct look *look,
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

/* Entries are few at a time, however long the journal is. */
static enum sp_status look_at_journal(struct sp_rocks *rocks, struct look *look,
                                      struct sp_error *reterr)
{
    struct sp_rocks_queue *fresh = look->anew ? &look->fresh : &rocks->fresh;
    struct sp_rocks_head *head = look->anew ? &look->head : &rocks->head;
    struct sp_kv_iterator *records = sp_kv_iterator_new(rocks->kv, SP_KV_JOURNAL);
    enum sp_status status = records != NULL ? SP_OK : no_memory(reterr);
    if (look->anew)
        rocks->follower->last_sequence = look->totals.sealed_sequence;
    if (records != NULL) {
        struct sp_layout_key key = sp_layout_journal_key(rocks->follower->last_sequence + 1);
        sp_kv_iterator_seek(records, sp_layout_key_slice(&key));
    }
    for (; status == SP_OK && sp_kv_iterator_valid(records); sp_kv_iterator_next(records)) {
        status = read_record(rocks, look, records, fresh, reterr);
        while (status == SP_OK && sp_rocks_queue_is_full(rocks, fresh))
            status = sp_rocks_make_blocks_of(rocks, fresh, head, reterr);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(records, reterr);
    sp_kv_iterator_free(records);
    return status;
}

/* ---- what is sealed leaves the head ---- */

/* Records above first_sequence, up to last_sequence, as blocks behind those that the look has. */
static enum sp_status make_again(struct sp_rocks *rocks, struct look *look, uint64_t first_sequence,
                                 uint64_t last_sequence, struct sp_error *reterr)
{
    struct sp_kv_iterator *records = sp_kv_iterator_new(rocks->kv, SP_KV_JOURNAL);
    enum sp_status status = records != NULL ? SP_OK : no_memory(reterr);
    struct sp_rocks_entry *entry = NULL;
    if (records != NULL) {
        struct sp_layout_key key = sp_layout_journal_key(first_sequence + 1);
        sp_kv_iterator_seek(records, sp_layout_key_slice(&key));
    }
    while (status == SP_OK && sp_kv_iterator_valid(records)) {
        status = decode_record(rocks, records, last_sequence, &entry, reterr);
        if (status != SP_OK || entry == NULL)
            break;
        sp_rocks_queue_push(&look->fresh, entry);
        sp_kv_iterator_next(records);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(records, reterr);
    sp_kv_iterator_free(records);
    while (status == SP_OK && look->fresh.count > 0)
        status = sp_rocks_make_blocks_of(rocks, &look->fresh, &look->head, reterr);
    return status;
}

/* Which blocks of the head are left, and in the place of those that hold some records that are sealed, and some that are not, others.
 * Nobody else changes the head. */
static enum sp_status split_head(struct sp_rocks *rocks, struct look *look, struct sp_error *reterr)
{
    const struct sp_rocks_head *head = &rocks->head;
    uint64_t sealed_sequence = look->totals.sealed_sequence;
    uint32_t kept = 0;
    enum sp_status status = SP_OK;
    while (kept < head->count && head->items[kept].first_sequence <= sealed_sequence)
        kept++;
    if (kept > 0 && head->items[kept - 1].last_sequence > sealed_sequence)
        status =
            make_again(rocks, look, sealed_sequence, head->items[kept - 1].last_sequence, reterr);
    if (status == SP_OK && !sp_vector_reserve(&look->head, head->count - kept))
        status = no_memory(reterr);
    look->kept_first = kept;
    return status;
}

/* Under the lock. The look has what was sealed, then. */
static void take_sealed_out(struct sp_rocks *rocks, struct look *look)
{
    struct sp_rocks_head old = rocks->head;
    for (uint32_t i = look->kept_first; i < old.count; i++)
        look->head.items[look->head.count++] = old.items[i];
    old.count = look->kept_first;
    rocks->head = look->head;
    look->head = old;
    while (rocks->fresh.first != NULL &&
           rocks->fresh.first->sequence <= look->totals.sealed_sequence)
        sp_rocks_queue_push(&look->fresh, sp_rocks_queue_pop(&rocks->fresh));
    rocks->totals = look->totals;
}

/* ---- one look ---- */

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

/* From now on views have what was found; the look has what they had. */
static void publish(struct sp_rocks *rocks, struct look *look)
{
    struct sp_rocks_follower *follower = rocks->follower;
    pthread_mutex_lock(&rocks->lock);
    if (look->anew) {
        struct sp_rocks_queue fresh = rocks->fresh;
        struct sp_rocks_head head = rocks->head;
        rocks->fresh = look->fresh;
        rocks->head = look->head;
        look->fresh = fresh;
        look->head = head;
        rocks->totals = look->totals;
    }
    if (look->seals)
        take_sealed_out(rocks, look);
    if (look->has_segments) {
        struct segment_list segments = {rocks->segments.items, rocks->segments.count,
                                        rocks->segments.cap};
        rocks->segments.items = look->segments.items;
        rocks->segments.count = look->segments.count;
        rocks->segments.cap = look->segments.cap;
        look->segments = segments;
    }
    if (look->pin != NULL) {
        struct sp_kv *pin = rocks->pin;
        rocks->pin = look->pin;
        look->pin = pin;
    }
    pthread_mutex_unlock(&rocks->lock);
    if (look->seals && follower->last_sequence < look->totals.sealed_sequence)
        follower->last_sequence = look->totals.sealed_sequence;
    follower->anew_count += look->anew;
    follower->segments_revision = look->segments_revision;
    follower->chunks_revision = look->chunks_revision;
    follower->head_is_stale = follower->revisions_are_stale = false;
}

static enum sp_status look_at_services(struct sp_rocks *rocks, struct sp_error *reterr)
{
    pthread_mutex_lock(&rocks->lock);
    enum sp_status status = sp_rocks_load_services(rocks, reterr);
    pthread_mutex_unlock(&rocks->lock);
    return status;
}

/* They are in the family of the slots, but change without a seal. */
static enum sp_status look_at_pins_and_links(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = rocks->follower;
    uint64_t revision = sp_kv_revision(rocks->kv, SP_KV_META);
    if (revision == follower->meta_revision && !follower->revisions_are_stale)
        return SP_OK;
    pthread_mutex_lock(&rocks->lock);
    enum sp_status status = sp_rocks_load_pins(rocks, reterr);
    if (status == SP_OK)
        status = sp_rocks_load_short_links(rocks, reterr);
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK)
        follower->meta_revision = revision;
    return status;
}

/* The segments and the head are of one state of the database: nothing else brings it up to date. */
static enum sp_status look_again(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = rocks->follower;
    struct look look = {.anew = false};
    struct sp_kv_followed followed;
    enum sp_status status = sp_kv_follow(rocks->dir.db, &rocks->kv, &followed, reterr);
    if (followed.reopened)
        follower->revisions_are_stale = true;
    if (followed.new_writer) /* records that were refused are gone; their numbers are given again */
        follower->head_is_stale = true;
    if (status == SP_OK)
        status = sp_rocks_totals_read(rocks, &look.totals, reterr);
    if (status == SP_OK && look.totals.sealed_sequence < rocks->totals.sealed_sequence)
        follower->head_is_stale = true;
    look.anew = follower->head_is_stale;
    look.seals = !look.anew && look.totals.sealed_sequence > rocks->totals.sealed_sequence;
    if (status == SP_OK)
        status = look_at_segments(rocks, &look, reterr);
    if (status == SP_OK && (look.anew || look.seals))
        status = look_at_services(rocks, reterr);
    if (status == SP_OK)
        status = look_at_pins_and_links(rocks, reterr);
    if (status == SP_OK)
        begin_arrivals(rocks, &look);
    bool began = status == SP_OK;
    if (status == SP_OK)
        status =
            look.seals ? split_head(rocks, &look, reterr) : look_at_journal(rocks, &look, reterr);
    bool found = status == SP_OK;
    if (found)
        publish(rocks, &look);
    if (found &&
        look.seals) /* not before: records between the old head and the new ones may be sealed by now */
        status = look_at_journal(rocks, &look, reterr);
    /* Otherwise what was read stands beside the lists, and is read again. */
    bool visible = found || !(look.anew || look.seals);
    if (began)
        end_arrivals(rocks, &look, visible);
    look_fini(&look);
    return status;
}

/* What was refused may have given slots that are others now. */
static void forget_services(struct sp_rocks *rocks)
{
    rocks->follower->head_is_stale = true;
    pthread_mutex_lock(&rocks->lock);
    sp_interner_fini(&rocks->services);
    sp_interner_init(&rocks->services);
    pthread_mutex_unlock(&rocks->lock);
}

/* Counts and logs what comes of it. */
static enum sp_status follow(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = rocks->follower;
    struct sp_error error = {.status = SP_OK};
    uint64_t begun_ns = monotonic_ns();
    if (follower->failures_in_row > 1)
        forget_services(rocks);
    enum sp_status status = look_again(rocks, &error);
    pthread_mutex_lock(&rocks->lock);
    bool tells = rocks->log != NULL && !rocks->stopping && follower->runs;
    follower->count += status == SP_OK;
    follower->failure_count += status != SP_OK;
    if (status == SP_OK)
        follower->caught_up_ns = begun_ns;
    pthread_mutex_unlock(&rocks->lock);
    if (status != SP_OK && follower->failures_in_row == 1 && tells) /* once is nothing */
        sp_log_event(rocks->log, SP_LOG_WARN, "follow", "what is newer is not seen for now",
                     sp_log_cstr("error", error.message));
    if (status == SP_OK && follower->failures_in_row > 1 && tells)
        sp_log_event(rocks->log, SP_LOG_INFO, "follow", "what is newer is seen again");
    follower->failures_in_row = status == SP_OK ? 0 : follower->failures_in_row + 1;
    if (status != SP_OK && reterr != NULL)
        *reterr = error;
    return status;
}

/* ---- the thread ---- */

/* Under the lock. */
static void wait_ns(struct sp_rocks *rocks, uint64_t ns)
{
    uint64_t until_ns = monotonic_ns() + ns;
    struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SECOND),
                             .tv_nsec = (long)(until_ns % NS_PER_SECOND)};
    while (!rocks->stopping && monotonic_ns() < until_ns)
        pthread_cond_timedwait(&rocks->sealer_wakes, &rocks->lock, &until);
}

/* As the sealer of the other process does. An error changes nothing, and the next look tries again. */
static void make_due_blocks(struct sp_rocks *rocks)
{
    struct sp_error error;
    pthread_mutex_lock(&rocks->lock);
    const struct sp_rocks_entry *first = rocks->fresh.first;
    bool due = first != NULL && monotonic_ns() >= first->published_ns + SP_ROCKS_FRESH_AGE_NS;
    pthread_mutex_unlock(&rocks->lock);
    if (due && sp_rocks_make_blocks(rocks, &error) != SP_OK)
        sp_log_event(rocks->log, SP_LOG_WARN, "follow", "requests stay rows for now",
                     sp_log_cstr("error", error.message));
}

static void *follower_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    struct sp_rocks_follower *follower = rocks->follower;
    sp_thread_begin("spoor:follow", 0);
    pthread_mutex_lock(&rocks->lock);
    while (!rocks->stopping) {
        wait_ns(rocks, follower->failures_in_row < FAILURES_QUICK
                           ? rocks->sizes.follow_ns
                           : FAILURE_WAIT * rocks->sizes.follow_ns);
        if (rocks->stopping)
            break;
        pthread_mutex_unlock(&rocks->lock);
        if (follow(rocks, NULL) == SP_OK)
            make_due_blocks(rocks);
        pthread_mutex_lock(&rocks->lock);
    }
    pthread_mutex_unlock(&rocks->lock);
    return NULL;
}

enum sp_status sp_rocks_follow(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL)
        return no_memory(reterr);
    sp_arrivals_log_init(&follower->arrived);
    rocks->follower = follower;
    enum sp_status status = follow(rocks, reterr);
    for (int tries = 1; status != SP_OK && status != SP_NO_MEMORY && tries < OPEN_TRIES; tries++) {
        pthread_mutex_lock(&rocks->lock);
        wait_ns(rocks, OPEN_WAIT_NS);
        pthread_mutex_unlock(&rocks->lock);
        status = follow(rocks, reterr);
    }
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&rocks->lock);
    int error = pthread_create(&follower->thread, NULL, follower_main, rocks);
    follower->runs = error == 0;
    uint32_t segment_count = rocks->segments.count;
    pthread_mutex_unlock(&rocks->lock);
    if (error != 0)
        return sp_error_set(reterr, SP_NO_MEMORY, "cannot start the threads of the store: %s",
                            strerror(error));
    sp_log_event(rocks->log, SP_LOG_INFO, "following",
                 "reads what another process writes to the data directory",
                 sp_log_u64("segments", segment_count));
    return SP_OK;
}

void sp_rocks_unfollow(struct sp_rocks *rocks)
{
    if (rocks->follower == NULL)
        return;
    if (rocks->follower->runs)
        pthread_join(rocks->follower->thread, NULL);
    sp_kv_unpin(rocks->pin);
    rocks->pin = NULL;
    sp_arrivals_log_fini(&rocks->follower->arrived);
    free(rocks->follower);
    rocks->follower = NULL;
}

void sp_rocks_follow_stats(const struct sp_rocks *rocks, struct sp_store_stats *stats)
{
    const struct sp_rocks_follower *follower = rocks->follower;
    if (follower == NULL)
        return;
    stats->follows = true;
    stats->catch_up_age_ns = monotonic_ns() - follower->caught_up_ns;
    stats->catch_up_count = follower->count;
    stats->catch_up_failure_count = follower->failure_count;
    stats->catch_up_header_count = follower->header_count;
    stats->catch_up_record_count = follower->record_count;
    stats->catch_up_anew_count = follower->anew_count;
}
