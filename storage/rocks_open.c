/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_open.c: opens and closes the engine on disk. Knows the database through kv.h only. */
#include "storage/rocks_pins.h"
#include "storage/rocks_short_links.h"

#include <stdlib.h>

/* ---- what is stored ---- */

enum sp_status sp_rocks_totals_read(const struct sp_rocks *rocks, struct sp_totals *ret,
                                    struct sp_error *reterr)
{
    struct sp_buf value;
    sp_buf_init(&value, 4096);
    enum sp_status status = sp_kv_get(rocks->kv, SP_KV_META, SP_LAYOUT_TOTALS_KEY, &value, reterr);
    if (status == SP_NOT_FOUND) {
        *ret = (struct sp_totals){.next_segment = 1};
        status = SP_OK;
    } else if (status == SP_OK && !sp_layout_totals_read(sp_buf_slice(&value), ret)) {
        status = sp_error_set(reterr, SP_CORRUPT, "the totals of the database are damaged");
    }
    sp_buf_fini(&value);
    return status;
}

/* In the order of their slots, so that each gets its number again. What is known already and not stored yet stays behind
 * them. */
enum sp_status sp_rocks_load_services(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_kv_iterator *rows = sp_kv_iterator_new(rocks->kv, SP_KV_META);
    uint32_t slot;
    if (rows == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open the store");
    enum sp_status status = SP_OK;
    rocks->services_stored = 0;
    sp_kv_iterator_seek(rows, SP_SLICE("s"));
    while (sp_kv_iterator_valid(rows) && status == SP_OK &&
           sp_layout_slot_parse(sp_kv_iterator_key(rows), &slot)) {
        uint32_t number = sp_interner_add(&rocks->services, 0, sp_kv_iterator_value(rows));
        if (number == SP_INTERNER_NONE)
            status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to open the store");
        else if (number != slot || slot != rocks->services_stored)
            status = sp_error_set(reterr, SP_CORRUPT, "the colour slots of services are damaged");
        rocks->services_stored++;
        sp_kv_iterator_next(rows);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(rows, reterr);
    sp_kv_iterator_free(rows);
    return status;
}

static void drop_segments(struct sp_rocks *rocks)
{
    for (uint32_t i = 0; i < rocks->segments.count; i++)
        sp_segment_unref(rocks->segments.items[i]);
    rocks->segments.count = 0;
    for (uint32_t i = 0; i < rocks->dropped.count; i++)
        sp_segment_unref(rocks->dropped.items[i].segment);
    rocks->dropped.count = 0;
}

static int compare_sequences(const void *a, const void *b)
{
    const struct sp_segment *x = *(struct sp_segment *const *)a;
    const struct sp_segment *y = *(struct sp_segment *const *)b;
    return (x->first_sequence > y->first_sequence) - (x->first_sequence < y->first_sequence);
}

void sp_rocks_sort_segments(struct sp_segment **segments, size_t count)
{
    if (count > 1)
        qsort(segments, count, sizeof(struct sp_segment *), compare_sequences);
}

/* Headers come in the order of ids, which says nothing once segments were merged. The totals may be older than a merge. */
static void put_in_order(struct sp_rocks *rocks)
{
    for (uint32_t i = 0; i < rocks->segments.count; i++) {
        uint64_t id = rocks->segments.items[i]->id;
        if (id >= rocks->totals.next_segment)
            rocks->totals.next_segment = id + 1;
    }
    sp_rocks_sort_segments(rocks->segments.items, rocks->segments.count);
}

static enum sp_status load_segments(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_kv_iterator *rows = sp_kv_iterator_new(rocks->kv, SP_KV_SEGMENTS);
    if (rows == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to open the store");
    enum sp_status status = SP_OK;
    drop_segments(rocks);
    sp_kv_iterator_seek(rows, SP_SLICE(""));
    for (; sp_kv_iterator_valid(rows) && status == SP_OK; sp_kv_iterator_next(rows)) {
        uint64_t id;
        struct sp_segment *segment = NULL;
        if (!sp_segment_key_parse(sp_kv_iterator_key(rows), &id))
            status = sp_error_set(reterr, SP_CORRUPT, "a key of the segments is damaged");
        else
            status = sp_segment_read_header(id, sp_kv_iterator_value(rows), &segment, reterr);
        if (status == SP_OK && !sp_vector_push(&rocks->segments, segment)) {
            sp_segment_unref(segment);
            status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to open the store");
        }
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(rows, reterr);
    sp_kv_iterator_free(rows);
    put_in_order(rocks);
    return status;
}

enum sp_status sp_rocks_load(struct sp_rocks *rocks, struct sp_error *reterr)
{
    uint64_t next_segment = rocks->totals.next_segment; /* ids that were given stay given */
    enum sp_status status = sp_rocks_totals_read(rocks, &rocks->totals, reterr);
    if (rocks->totals.next_segment < next_segment)
        rocks->totals.next_segment = next_segment;
    if (status == SP_OK)
        status = sp_rocks_load_services(rocks, reterr);
    if (status == SP_OK)
        status = sp_rocks_load_pins(rocks, reterr);
    if (status == SP_OK)
        status = sp_rocks_load_short_links(rocks, reterr);
    if (status == SP_OK)
        status = load_segments(rocks, reterr);
    return status;
}

/* ---- open and close ---- */

static enum sp_status open_database(struct sp_rocks *rocks, struct sp_error *reterr)
{
    enum sp_status status = sp_kv_open(rocks->dir.db, rocks->dir.db_is_new, &rocks->kv, reterr);
    if (status == SP_OK)
        status = sp_block_builder_new(&rocks->builder, reterr);
    rocks->cache = sp_block_cache_new();
    rocks->value_cache = sp_value_cache_new();
    if (status == SP_OK && (rocks->cache == NULL || rocks->value_cache == NULL))
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory for a store");
    if (status == SP_OK)
        status = sp_rocks_load(rocks, reterr);
    if (status == SP_OK) {
        sp_rocks_drop_unnamed(rocks);
        rocks->next_sequence = rocks->totals.sealed_sequence + 1;
        status = sp_rocks_replay(rocks, reterr);
    }
    if (status == SP_OK)
        status = sp_rocks_start(rocks, reterr);
    return status;
}

static enum sp_status open_following(struct sp_rocks *rocks, struct sp_error *reterr)
{
    enum sp_status status = sp_block_builder_new(&rocks->builder, reterr);
    rocks->cache = sp_block_cache_new();
    rocks->value_cache = sp_value_cache_new();
    if (status == SP_OK && (rocks->cache == NULL || rocks->value_cache == NULL))
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory for a store");
    return status == SP_OK ? sp_rocks_follow(rocks, reterr) : status;
}

/* All but the directory, on whatever thread. From now on others may use it. */
static enum sp_status open_rest(struct sp_rocks *rocks, struct sp_error *reterr)
{
    enum sp_status status =
        rocks->follows ? open_following(rocks, reterr) : open_database(rocks, reterr);
    pthread_mutex_lock(&rocks->lock);
    atomic_store(status == SP_OK ? &rocks->is_open : &rocks->open_failed, true);
    pthread_cond_broadcast(&rocks->somebody_idles);
    pthread_mutex_unlock(&rocks->lock);
    return status;
}

static void *opener_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    struct sp_error error = {0};
    sp_thread_begin("spoor:open", 0);
    enum sp_status status = open_rest(rocks, &error);
    if (!atomic_load(&rocks->called_off))
        rocks->opened(rocks->opened_cookie, status, &error);
    return NULL;
}

static enum sp_status start_opener(struct sp_rocks *rocks, struct sp_error *reterr)
{
    int error = pthread_create(&rocks->opener, NULL, opener_main, rocks);
    rocks->opener_runs = error == 0;
    return error == 0
               ? SP_OK
               : sp_error_set(reterr, SP_NO_MEMORY, "cannot start a thread: %s", strerror(error));
}

enum sp_status sp_rocks_check_open(const struct sp_rocks *rocks, struct sp_error *reterr)
{
    if (atomic_load(&rocks->is_open))
        return SP_OK;
    if (atomic_load(&rocks->open_failed))
        return sp_error_set(reterr, SP_UNAVAILABLE, "the store could not be opened");
    struct sp_store_replay replay = sp_rocks_replay_stats(rocks);
    return sp_store_opening_error(&replay, reterr);
}

static void free_all(struct sp_rocks *rocks)
{
    while (rocks->fresh.count > 0) /* the sealer was stuck: the journal has them */
        sp_rocks_entry_unref(sp_rocks_queue_pop(&rocks->fresh));
    for (uint32_t i = 0; i < rocks->head.count; i++)
        sp_block_unref(rocks->head.items[i].shared);
    sp_vector_fini(&rocks->head);
    drop_segments(rocks);
    sp_vector_fini(&rocks->segments);
    sp_vector_fini(&rocks->dropped);
    sp_vector_fini(&rocks->damaged);
    sp_vector_fini(&rocks->pins);
    sp_vector_fini(&rocks->pinned_segments);
    sp_short_link_list_fini(&rocks->short_links);
    sp_known_fini(&rocks->known);
    sp_interner_fini(&rocks->services);
    sp_block_builder_free(rocks->builder);
    sp_block_cache_free(rocks->cache);
    sp_value_cache_free(rocks->value_cache);
    sp_buf_fini(&rocks->packed_body);
    sp_arrivals_log_fini(&rocks->arrivals);
    sp_kv_batch_free(rocks->journal_batch);
}

void sp_rocks_close(struct sp_rocks *rocks)
{
    struct sp_error error;
    atomic_store(&rocks->called_off, true);
    if (rocks->opener_runs)
        pthread_join(rocks->opener, NULL);
    sp_rocks_stop(rocks);
    /* A follower has no sealer, and changes kv until it is stopped. */
    if (rocks->sealer_runs && rocks->kv != NULL && !atomic_load(&rocks->kv_broken) &&
        sp_kv_flush(rocks->kv, &error) != SP_OK)
        sp_log_event(rocks->log, SP_LOG_WARN, "flush",
                     "the next start reads the log of the database",
                     sp_log_cstr("error", error.message));
    sp_rocks_unfollow(rocks);
    free_all(rocks);
    sp_kv_close(rocks->kv);
    sp_datadir_close(&rocks->dir);
    pthread_cond_destroy(&rocks->committer_wakes);
    pthread_cond_destroy(&rocks->columns_wakes);
    pthread_cond_destroy(&rocks->sealer_wakes);
    pthread_cond_destroy(&rocks->merger_wakes);
    pthread_cond_destroy(&rocks->somebody_idles);
    pthread_cond_destroy(&rocks->errand_done);
    pthread_mutex_destroy(&rocks->history_lock);
    pthread_mutex_destroy(&rocks->lock);
    pthread_mutex_destroy(&rocks->short_links_lock);
    pthread_mutex_destroy(&rocks->backup_lock);
    pthread_mutex_destroy(&rocks->kept_lock);
    sp_gate_fini(&rocks->gate);
    free(rocks);
}

static struct sp_store_sizes sizes_of(const struct sp_store_options *options)
{
    struct sp_store_sizes sizes = options->sizes;
    if (sizes.seal_spans == 0)
        sizes.seal_spans = SP_ROCKS_HEAD_SPANS;
    if (sizes.merge_spans == 0)
        sizes.merge_spans = SP_ROCKS_MERGE_SPANS_MIN;
    if (sizes.merge_spans_max == 0)
        sizes.merge_spans_max = SP_ROCKS_MERGE_SPANS_MAX;
    if (sizes.merge_segments == 0)
        sizes.merge_segments = SP_ROCKS_MERGE_SEGMENTS;
    if (sizes.retry_ns == 0)
        sizes.retry_ns = SP_ROCKS_RETRY_NS;
    if (sizes.read_wait_ns == 0)
        sizes.read_wait_ns = SP_ROCKS_READ_WAIT_NS;
    if (sizes.follow_ns == 0)
        sizes.follow_ns = SP_ROCKS_FOLLOW_NS;
    return sizes;
}

static enum sp_status open_store(const struct sp_store_options *options, bool follows,
                                 struct sp_store **ret, struct sp_error *reterr)
{
    struct sp_rocks *rocks = calloc(1, sizeof(*rocks));
    if (rocks == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a store");
    rocks->base.ops = &sp_rocks_ops;
    rocks->codec = options->codec;
    rocks->durability = options->durability;
    rocks->backlog_bytes_max = options->backlog_bytes_max;
    rocks->clock = options->clock;
    rocks->log = options->log;
    rocks->sizes = sizes_of(options);
    rocks->retention = options->retention;
    rocks->opened = options->opened;
    rocks->opened_cookie = options->opened_cookie;
    rocks->follows = follows;
    rocks->known_from = UINT64_MAX;
    sp_interner_init(&rocks->services);
    sp_arrivals_log_init(&rocks->arrivals);
    sp_buf_init(&rocks->packed_body, SP_ROCKS_RECORD_BYTES_MAX);
    rocks->dir.lock_fd = -1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&rocks->history_lock, NULL);
    pthread_mutex_init(&rocks->lock, NULL);
    pthread_mutex_init(&rocks->short_links_lock, NULL);
    pthread_mutex_init(&rocks->backup_lock, NULL);
    pthread_mutex_init(&rocks->kept_lock, NULL);
    sp_gate_init(&rocks->gate);
    pthread_cond_init(&rocks->committer_wakes, NULL);
    pthread_cond_init(&rocks->columns_wakes, &monotonic);
    pthread_cond_init(&rocks->sealer_wakes, &monotonic);
    pthread_cond_init(&rocks->merger_wakes, &monotonic);
    pthread_cond_init(&rocks->somebody_idles, NULL);
    pthread_cond_init(&rocks->errand_done, NULL);
    pthread_condattr_destroy(&monotonic);

    enum sp_status status = follows
                                ? sp_datadir_open_following(options->data_dir, &rocks->dir, reterr)
                                : sp_datadir_open(options->data_dir, &rocks->dir, reterr);
    if (status == SP_OK)
        status = options->opened != NULL ? start_opener(rocks, reterr) : open_rest(rocks, reterr);
    if (status == SP_OK)
        *ret = &rocks->base;
    else
        sp_rocks_close(rocks);
    return status;
}

enum sp_status sp_store_rocksdb_open(const struct sp_store_options *options, struct sp_store **ret,
                                     struct sp_error *reterr)
{
    return open_store(options, false, ret, reterr);
}

enum sp_status sp_store_rocksdb_follow(const struct sp_store_options *options,
                                       struct sp_store **ret, struct sp_error *reterr)
{
    return open_store(options, true, ret, reterr);
}
