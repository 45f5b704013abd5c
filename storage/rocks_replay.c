/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_replay.c: puts in place what a crash has left in the journal, with all cores. Knows the database through kv.h only.
 *
 *   journal -- read --> parcels -- crew --> rows -- in order --> groups -- crew --> blocks -- in order --> head
 *              copied             decode    of entries                    build                              |
 *                                                                                        if it will not fit: seals, side by side
 *                                                                                                            | crew: prepare
 *                                                                                                         in order
 *                                                                                                            | crew: commit
 *                                                                                                         segments
 *
 * One thread, the caller's, reads, puts things into order and decides; the crew does the work. What is on the way has a bound, and so
 * has the head: nothing is read while they are reached. */
#include "storage/rocks_seals.h"

#include <sched.h>
#include <stdlib.h>

/* Threads, at most: more are not fed by the one that reads. One more than there are cores, because who commits a seal waits for the disk. */
#define THREADS_MAX 16
/* Seals on the way, at most: the head's memory is theirs and that of blocks that come meanwhile, and small seals make small segments. */
#define SEALS_MAX 3
/* Records that are decoded by one thread at a time. */
#define PARCEL_ENTRIES_MAX 64
#define PARCEL_BYTES       ((size_t)256 * 1024)
/* Of the memory for all, so large a part is kept for what is on the way; the head has the rest. */
#define ON_THE_WAY_PART 8
/* A record takes so many times its bytes once it is decoded, until the first ones were. */
#define EXPANSION_FIRST 32

struct parcel {
    struct sp_crew_job job;
    struct parcel *next;
    const struct sp_store_codec *codec;
    struct sp_rocks_entry *entries[PARCEL_ENTRIES_MAX];
    size_t count, journal_bytes;
    enum sp_status status;
    struct sp_error error;
};

struct group {
    struct sp_crew_job job;
    struct group *next;
    struct sp_rocks_entry **entries; /* heap */
    size_t count, bytes, journal_bytes;
    struct sp_block_shared **blocks; /* heap; NULL: not built, or the head's now */
    uint32_t block_count;
    enum sp_status status;
    struct sp_error error;
};

struct replay {
    struct sp_rocks *rocks;
    struct sp_crew *crew;
    struct sp_kv_iterator *records;
    bool is_read; /* up to the end */
    struct {
        struct parcel *first, *last;
    } parcels; /* that are decoded, in order */
    struct sp_rocks_queue fresh;
    struct {
        struct group *first, *last;
    } groups; /* that are built, in order */
    struct sp_rocks_seals seals;
    size_t parcel_bytes, group_bytes; /* of those lists: of the journal; of memory */
    size_t on_the_way_min, head_max;
    /* Sums of all so far: what is to be expected of the rest. */
    uint64_t taken_bytes, decoded_bytes; /* of the journal, of memory */
    uint64_t placed_bytes, block_bytes;  /* the same, of blocks in the head */
    uint64_t begun_ns, told_ns;
};

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to replay the journal");
}

static void tell(const struct replay *replay, const char *event, const char *what, uint64_t now_ns)
{
    const struct sp_rocks_progress *progress = &replay->rocks->progress;
    sp_log_event(replay->rocks->log, SP_LOG_INFO, event, what,
                 sp_log_u64("requests", progress->requests),
                 sp_log_u64("requests_all", progress->requests_all),
                 sp_log_u64("spans", progress->spans), sp_log_u64("journal_bytes", progress->bytes),
                 sp_log_u64("journal_bytes_all", progress->bytes_all),
                 sp_log_u64("ms", (now_ns - replay->begun_ns) / 1000000));
}

static void tell_now_and_then(struct replay *replay)
{
    uint64_t now_ns = sp_rocks_monotonic_ns();
    if (now_ns - replay->told_ns < SP_ROCKS_REPLAY_TELL_NS)
        return;
    tell(replay, "journal_replay", "requests are read from the journal", now_ns);
    replay->told_ns = now_ns;
}

/* ---- records ---- */

enum sp_status sp_rocks_check_not_called_off(const struct sp_rocks *rocks, struct sp_error *reterr)
{
    return !atomic_load(&rocks->is_open) && atomic_load(&rocks->called_off)
               ? sp_error_set(reterr, SP_UNAVAILABLE, "the store is closing")
               : SP_OK;
}

/* The next record that is not sealed, or none. */
static enum sp_status find_record(struct replay *replay, uint64_t *ret_sequence, bool *ret_found,
                                  struct sp_error *reterr)
{
    *ret_found = false;
    if (!sp_kv_iterator_valid(replay->records))
        return sp_kv_iterator_status(replay->records, reterr);
    if (!sp_layout_journal_parse(sp_kv_iterator_key(replay->records), ret_sequence))
        return sp_error_set(reterr, SP_CORRUPT, "a key of the journal is damaged");
    *ret_found = true;
    return SP_OK;
}

static void seek_unsealed(struct replay *replay)
{
    struct sp_layout_key first = sp_layout_journal_key(replay->rocks->totals.sealed_sequence + 1);
    sp_kv_iterator_seek(replay->records, sp_layout_key_slice(&first));
}

/* How much there is to do. A tenth of a second for a full journal, and it is in the system's memory then. */
static enum sp_status count_records(struct replay *replay, struct sp_error *reterr)
{
    struct sp_rocks_progress *progress = &replay->rocks->progress;
    uint64_t sequence;
    uint64_t requests = 0;
    uint64_t bytes = 0;
    bool found;
    enum sp_status status;
    seek_unsealed(replay);
    while ((status = find_record(replay, &sequence, &found, reterr)) == SP_OK && found) {
        requests++;
        bytes += sp_kv_iterator_value(replay->records).len;
        replay->rocks->next_sequence = sequence + 1;
        status = sp_rocks_check_not_called_off(replay->rocks, reterr);
        if (status != SP_OK)
            break;
        sp_kv_iterator_next(replay->records);
    }
    progress->bytes_all = bytes;
    progress->requests_all = requests;
    seek_unsealed(replay);
    return status;
}

/* ---- decoding ---- */

static void run_parcel(struct sp_crew_job *job, void *tool)
{
    struct parcel *parcel = (struct parcel *)(void *)job;
    (void)tool;
    for (size_t i = 0; i < parcel->count && parcel->status == SP_OK; i++)
        parcel->status = sp_rocks_entry_decode(parcel->codec, parcel->entries[i], &parcel->error);
}

static void free_parcel(struct parcel *parcel, size_t first_entry)
{
    for (size_t i = first_entry; i < parcel->count; i++)
        sp_rocks_entry_unref(parcel->entries[i]);
    free(parcel);
}

static enum sp_status fill_parcel(struct replay *replay, struct parcel *parcel,
                                  struct sp_error *reterr)
{
    uint64_t sequence;
    bool found;
    enum sp_status status = SP_OK;
    while (parcel->count < PARCEL_ENTRIES_MAX && parcel->journal_bytes < PARCEL_BYTES) {
        struct sp_rocks_entry *entry;
        status = find_record(replay, &sequence, &found, reterr);
        if (status != SP_OK || !found)
            break;
        status =
            sp_rocks_entry_take(sequence, sp_kv_iterator_value(replay->records), &entry, reterr);
        if (status != SP_OK)
            break;
        entry->published_ns = replay->begun_ns;
        parcel->entries[parcel->count++] = entry;
        parcel->journal_bytes += entry->journal_bytes;
        sp_kv_iterator_next(replay->records);
    }
    replay->is_read = !sp_kv_iterator_valid(replay->records);
    if (status == SP_OK && replay->is_read)
        status = sp_kv_iterator_status(replay->records, reterr);
    return status;
}

static enum sp_status read_parcel(struct replay *replay, struct sp_error *reterr)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    if (parcel == NULL)
        return no_memory(reterr);
    parcel->job.run = run_parcel;
    parcel->codec = &replay->rocks->codec;
    enum sp_status status = fill_parcel(replay, parcel, reterr);
    if (status != SP_OK || parcel->count == 0) {
        free_parcel(parcel, 0);
        return status;
    }
    if (replay->parcels.last != NULL)
        replay->parcels.last->next = parcel;
    else
        replay->parcels.first = parcel;
    replay->parcels.last = parcel;
    replay->parcel_bytes += parcel->journal_bytes;
    sp_crew_submit(replay->crew, &parcel->job, false);
    return SP_OK;
}

static struct parcel *pop_parcel(struct replay *replay)
{
    struct parcel *parcel = replay->parcels.first;
    replay->parcels.first = parcel->next;
    if (parcel->next == NULL)
        replay->parcels.last = NULL;
    replay->parcel_bytes -= parcel->journal_bytes;
    return parcel;
}

/* Rows in the order of the journal. */
static enum sp_status take_rows(struct replay *replay, struct sp_error *reterr)
{
    struct sp_rocks_progress *progress = &replay->rocks->progress;
    while (replay->parcels.first != NULL &&
           sp_crew_is_done(replay->crew, &replay->parcels.first->job)) {
        struct parcel *parcel = pop_parcel(replay);
        if (parcel->status != SP_OK) {
            enum sp_status status = parcel->status;
            if (reterr != NULL)
                *reterr = parcel->error;
            free_parcel(parcel, 0);
            return status;
        }
        for (size_t i = 0; i < parcel->count; i++) {
            struct sp_rocks_entry *entry = parcel->entries[i];
            sp_rocks_queue_push(&replay->fresh, entry);
            replay->decoded_bytes += entry->bytes;
            progress->spans += entry->append->batch->span_count;
        }
        progress->requests += parcel->count;
        progress->bytes += parcel->journal_bytes;
        replay->taken_bytes += parcel->journal_bytes;
        free_parcel(parcel, parcel->count);
    }
    return SP_OK;
}

/* ---- blocks ---- */

static void run_group(struct sp_crew_job *job, void *tool)
{
    struct group *group = (struct group *)(void *)job;
    group->status = sp_rocks_entries_to_blocks(tool, group->entries, group->count, &group->blocks,
                                               &group->block_count, &group->error);
}

static void free_group(struct group *group)
{
    for (uint32_t i = 0; i < group->block_count && group->blocks != NULL; i++)
        sp_block_unref(group->blocks[i]);
    for (size_t i = 0; i < group->count; i++)
        sp_rocks_entry_unref(group->entries[i]);
    free(group->blocks);
    free(group->entries);
    free(group);
}

static enum sp_status make_group(struct replay *replay, struct sp_error *reterr)
{
    struct sp_rocks_entry *entries[SP_ROCKS_GROUP_ENTRIES_MAX];
    size_t count = sp_rocks_queue_peek(&replay->fresh, entries);
    struct group *group = calloc(1, sizeof(*group));
    struct sp_rocks_entry **kept = calloc(count, sizeof(struct sp_rocks_entry *));
    if (group == NULL || kept == NULL) {
        free(group);
        free(kept);
        return no_memory(reterr);
    }
    *group = (struct group){.job.run = run_group, .entries = kept, .count = count};
    for (size_t i = 0; i < count; i++) {
        kept[i] = sp_rocks_queue_pop(&replay->fresh);
        group->bytes += kept[i]->bytes;
        group->journal_bytes += kept[i]->journal_bytes;
    }
    if (replay->groups.last != NULL)
        replay->groups.last->next = group;
    else
        replay->groups.first = group;
    replay->groups.last = group;
    replay->group_bytes += group->bytes;
    sp_crew_submit(replay->crew, &group->job, true); /* it makes room */
    return SP_OK;
}

static enum sp_status make_groups(struct replay *replay, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    while (status == SP_OK && replay->fresh.count > 0 &&
           (sp_rocks_queue_is_full(replay->rocks, &replay->fresh) ||
            replay->fresh.bytes >= replay->on_the_way_min / 2 ||
            (replay->is_read && replay->parcels.first == NULL)))
        status = make_group(replay, reterr);
    return status;
}

static struct group *pop_group(struct replay *replay)
{
    struct group *group = replay->groups.first;
    replay->groups.first = group->next;
    if (group->next == NULL)
        replay->groups.last = NULL;
    replay->group_bytes -= group->bytes;
    return group;
}

static enum sp_status place_group(struct replay *replay, struct group *group,
                                  struct sp_error *reterr)
{
    struct sp_rocks *rocks = replay->rocks;
    if (group->status != SP_OK) {
        if (reterr != NULL)
            *reterr = group->error;
        return group->status;
    }
    for (uint32_t i = 0; i < group->block_count; i++)
        replay->block_bytes += sp_arena_filled_bytes(&group->blocks[i]->arena);
    enum sp_status status =
        sp_rocks_name_services(rocks, group->entries, group->count) ? SP_OK : no_memory(reterr);
    pthread_mutex_lock(&rocks->lock);
    if (status == SP_OK)
        status = sp_rocks_head_push(&rocks->head, group->entries, group->count, group->blocks,
                                    group->block_count, reterr);
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK)
        group->block_count = 0;
    replay->placed_bytes += group->journal_bytes;
    return status;
}

/* Blocks in the order of the journal. */
static enum sp_status place_blocks(struct replay *replay, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    while (status == SP_OK && replay->groups.first != NULL &&
           sp_crew_is_done(replay->crew, &replay->groups.first->job)) {
        struct group *group = pop_group(replay);
        status = place_group(replay, group, reterr);
        free_group(group);
    }
    return status;
}

/* ---- the head ---- */

struct head_now {
    size_t bytes;      /* of all its blocks */
    size_t free_bytes; /* of those that no seal has */
    bool is_full;      /* those are due to be sealed */
};

static struct head_now look_at_head(const struct replay *replay)
{
    struct sp_rocks *rocks = replay->rocks;
    pthread_mutex_lock(&rocks->lock);
    struct head_now head = {.bytes = sp_rocks_head_bytes(rocks, 0),
                            .free_bytes = sp_rocks_head_bytes(rocks, rocks->head_taken),
                            .is_full = sp_rocks_head_is_full(rocks)};
    pthread_mutex_unlock(&rocks->lock);
    return head;
}

/* A head that will hold all is left to the sealer, which has time. Of a larger one, as much is sealed as does not fit. */
static bool is_to_be_sealed(const struct replay *replay)
{
    struct head_now head = look_at_head(replay);
    uint64_t left_bytes = replay->rocks->progress.bytes_all - replay->placed_bytes;
    if (left_bytes == 0 || head.free_bytes == 0 || replay->seals.count == replay->seals.count_max)
        return false;
    double expected = (double)head.free_bytes + (double)left_bytes * (double)replay->block_bytes /
                                                    (double)replay->placed_bytes;
    return head.free_bytes >= replay->head_max ||
           (head.is_full && expected > (double)replay->head_max);
}

static enum sp_status seal_if_needed(struct replay *replay, struct sp_error *reterr)
{
    enum sp_status status = sp_rocks_seals_go_on(&replay->seals, reterr);
    if (status == SP_OK && is_to_be_sealed(replay))
        status = sp_rocks_seals_begin(&replay->seals, reterr);
    return status;
}

/* ---- all of it ---- */

static bool has_room(const struct replay *replay)
{
    size_t head_bytes = look_at_head(replay).bytes;
    size_t decoded = replay->fresh.bytes + replay->group_bytes;
    double expansion = replay->taken_bytes > 0
                           ? (double)replay->decoded_bytes / (double)replay->taken_bytes
                           : EXPANSION_FIRST;
    if (decoded + replay->parcel_bytes == 0) /* one at a time always has */
        return head_bytes == 0 || head_bytes < replay->head_max;
    return (double)head_bytes + (double)decoded + expansion * (double)replay->parcel_bytes <
           (double)(replay->head_max + replay->on_the_way_min);
}

static bool is_finished(const struct replay *replay)
{
    return replay->is_read && replay->parcels.first == NULL && replay->fresh.count == 0 &&
           replay->groups.first == NULL && replay->seals.first == NULL;
}

/* Takes what is done, then hands out what can be. */
static enum sp_status step(struct replay *replay, struct sp_error *reterr)
{
    enum sp_status status = sp_rocks_check_not_called_off(replay->rocks, reterr);
    if (status == SP_OK)
        status = place_blocks(replay, reterr);
    if (status == SP_OK)
        status = take_rows(replay, reterr);
    if (status == SP_OK)
        status = make_groups(replay, reterr);
    if (status == SP_OK)
        status = seal_if_needed(replay, reterr);
    while (status == SP_OK && !replay->is_read && has_room(replay))
        status = read_parcel(replay, reterr);
    return status;
}

static enum sp_status run_all(struct replay *replay, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    while (status == SP_OK) {
        uint64_t done_count = sp_crew_done_count(replay->crew);
        status = step(replay, reterr);
        tell_now_and_then(replay);
        if (status != SP_OK || is_finished(replay))
            break;
        sp_crew_wait(replay->crew, done_count);
    }
    return status;
}

static uint32_t thread_count(void)
{
    cpu_set_t cores;
    int count = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
    return count < 1 ? 2 : count >= THREADS_MAX ? THREADS_MAX : (uint32_t)count + 1;
}

static enum sp_status run_with_crew(struct replay *replay, struct sp_error *reterr)
{
    void *builders[THREADS_MAX] = {NULL};
    uint32_t count = thread_count();
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        struct sp_block_builder *builder = NULL;
        status = sp_block_builder_new(&builder, reterr);
        builders[i] = builder;
    }
    if (status == SP_OK)
        status = sp_crew_new(builders, count, &replay->crew, reterr);
    replay->seals =
        (struct sp_rocks_seals){.rocks = replay->rocks,
                                .crew = replay->crew,
                                .count_max = count - 1 < SEALS_MAX ? count - 1 : SEALS_MAX};
    if (status == SP_OK)
        status = run_all(replay, reterr);
    sp_crew_free(replay->crew);
    sp_rocks_seals_fini(&replay->seals);
    while (replay->parcels.first != NULL)
        free_parcel(pop_parcel(replay), 0);
    while (replay->groups.first != NULL)
        free_group(pop_group(replay));
    for (uint32_t i = 0; i < count; i++)
        sp_block_builder_free(builders[i]);
    return status;
}

struct sp_store_replay sp_rocks_replay_stats(const struct sp_rocks *rocks)
{
    const struct sp_rocks_progress *progress = &rocks->progress;
    return (struct sp_store_replay){.requests = progress->requests,
                                    .spans = progress->spans,
                                    .bytes = progress->bytes,
                                    .requests_all = progress->requests_all,
                                    .bytes_all = progress->bytes_all};
}

enum sp_status sp_rocks_replay(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct replay replay = {.rocks = rocks,
                            .records = sp_kv_iterator_new(rocks->kv, SP_KV_JOURNAL),
                            .begun_ns = sp_rocks_monotonic_ns()};
    if (replay.records == NULL)
        return no_memory(reterr);
    replay.told_ns = replay.begun_ns;
    replay.on_the_way_min = rocks->backlog_bytes_max / ON_THE_WAY_PART;
    replay.head_max = rocks->backlog_bytes_max - replay.on_the_way_min;
    enum sp_status status = count_records(&replay, reterr);
    if (status == SP_OK && rocks->progress.requests_all > 0)
        status = run_with_crew(&replay, reterr);
    while (replay.fresh.count > 0)
        sp_rocks_entry_unref(sp_rocks_queue_pop(&replay.fresh));
    sp_kv_iterator_free(replay.records);
    if (status == SP_OK && rocks->progress.requests > 0)
        tell(&replay, "journal_replayed",
             "requests that were acked before the last stop are in place", sp_rocks_monotonic_ns());
    return status;
}
