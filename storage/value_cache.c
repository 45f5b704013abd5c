/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_cache.c: a table of lists, the one that was used longest ago goes first. */
#include "storage/value_cache.h"

#include <pthread.h>
#include <stdlib.h>

struct value_count {
    struct sp_slice text;
    int32_t number; /* as in the tally: the kind */
    uint64_t count;
};

struct cached {
    uint64_t segment_id;
    uint32_t scopes;
    struct sp_slice key;
    bool many;
    struct value_count *values;
    uint32_t value_count;
    struct sp_arena arena; /* of all above */
    uint64_t used;         /* tick of the last use */
};

struct sp_value_cache {
    pthread_mutex_t lock;
    struct cached *entries[SP_VALUE_CACHE_KEYS_MAX];
    uint32_t count;
    size_t bytes;
    uint64_t tick;
};

struct sp_value_cache *sp_value_cache_new(void)
{
    struct sp_value_cache *cache = calloc(1, sizeof(*cache));
    if (cache != NULL)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void entry_free(struct cached *entry)
{
    if (entry != NULL)
        sp_arena_fini(&entry->arena);
    free(entry);
}

void sp_value_cache_free(struct sp_value_cache *cache)
{
    if (cache == NULL)
        return;
    for (uint32_t i = 0; i < cache->count; i++)
        entry_free(cache->entries[i]);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Under the lock. So few that they are looked through: comparing ids costs less than a block. */
static struct cached *find(struct sp_value_cache *cache, uint64_t segment_id,
                           const struct sp_value_filter *filter)
{
    for (uint32_t i = 0; i < cache->count; i++) {
        struct cached *entry = cache->entries[i];
        if (entry->segment_id == segment_id && entry->scopes == filter->scopes &&
            sp_slice_equal(entry->key, filter->key))
            return entry;
    }
    return NULL;
}

enum sp_status sp_value_cache_read(struct sp_value_cache *cache, uint64_t segment_id,
                                   const struct sp_value_filter *filter, struct sp_tally *tally,
                                   enum sp_value_cached *ret, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&cache->lock);
    struct cached *entry = find(cache, segment_id, filter);
    *ret = entry == NULL ? SP_VALUES_UNKNOWN : entry->many ? SP_VALUES_MANY : SP_VALUES_KNOWN;
    if (entry != NULL)
        entry->used = ++cache->tick;
    for (uint32_t i = 0; entry != NULL && i < entry->value_count && status == SP_OK; i++) {
        struct sp_tally_row *row;
        if (!sp_slice_starts_with(entry->values[i].text, filter->prefix))
            continue;
        status = sp_tally_row(tally, entry->values[i].text, SP_SLICE(""), entry->values[i].number,
                              &row, reterr);
        if (status == SP_OK)
            row->count += entry->values[i].count;
    }
    pthread_mutex_unlock(&cache->lock);
    return status;
}

static bool entry_fill(struct cached *entry, const struct sp_value_filter *filter,
                       const struct sp_tally *values)
{
    if (!sp_arena_copy(&entry->arena, filter->key, &entry->key))
        return false;
    entry->many = values == NULL;
    if (values == NULL)
        return true;
    entry->values = sp_arena_calloc(&entry->arena, values->count + 1, sizeof(*entry->values));
    for (size_t i = 0; i < values->count && entry->values != NULL; i++) {
        const struct sp_tally_row *row = values->rows[i];
        struct value_count *value = &entry->values[entry->value_count++];
        *value = (struct value_count){.number = row->number, .count = row->count};
        if (!sp_arena_copy(&entry->arena, row->first, &value->text))
            return false;
    }
    return entry->values != NULL;
}

static struct cached *entry_new(uint64_t segment_id, const struct sp_value_filter *filter,
                                const struct sp_tally *values)
{
    struct cached *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    sp_arena_init(&entry->arena, 2 * SP_VALUE_CACHE_KEY_BYTES);
    entry->segment_id = segment_id;
    entry->scopes = filter->scopes;
    if (entry_fill(entry, filter, values))
        return entry;
    entry_free(entry);
    return NULL;
}

/* Under the lock. */
static void drop_oldest(struct sp_value_cache *cache)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < cache->count; i++) {
        if (cache->entries[i]->used < cache->entries[oldest]->used)
            oldest = i;
    }
    cache->bytes -= cache->entries[oldest]->arena.used_bytes;
    entry_free(cache->entries[oldest]);
    cache->entries[oldest] = cache->entries[--cache->count];
}

void sp_value_cache_keep(struct sp_value_cache *cache, uint64_t segment_id,
                         const struct sp_value_filter *filter, const struct sp_tally *values)
{
    struct cached *entry = entry_new(segment_id, filter, values);
    if (entry == NULL)
        return;
    pthread_mutex_lock(&cache->lock);
    if (find(cache, segment_id, filter) != NULL) { /* another thread was faster */
        entry_free(entry);
    } else {
        while (cache->count > 0 && (cache->count == SP_VALUE_CACHE_KEYS_MAX ||
                                    cache->bytes + entry->arena.used_bytes > SP_VALUE_CACHE_BYTES))
            drop_oldest(cache);
        entry->used = ++cache->tick;
        cache->bytes += entry->arena.used_bytes;
        cache->entries[cache->count++] = entry;
    }
    pthread_mutex_unlock(&cache->lock);
}
