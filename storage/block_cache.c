/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_cache.c: a few blocks, the one that was used longest ago goes first. So few that they are looked through. */
#include "storage/block_cache.h"

#include <pthread.h>
#include <stdlib.h>

#define ENTRIES_MAX 64

struct cached {
    struct sp_block_shared *shared; /* one reference */
    uint64_t segment_id;
    uint32_t block_number;
    size_t bytes;
    uint64_t used; /* tick of the last use */
};

struct sp_block_cache {
    pthread_mutex_t lock;
    struct cached entries[ENTRIES_MAX];
    uint32_t count;
    size_t bytes;
    uint64_t tick;
};

struct sp_block_cache *sp_block_cache_new(void)
{
    struct sp_block_cache *cache = calloc(1, sizeof(*cache));
    if (cache != NULL)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void sp_block_cache_free(struct sp_block_cache *cache)
{
    if (cache == NULL)
        return;
    for (uint32_t i = 0; i < cache->count; i++)
        sp_block_unref(cache->entries[i].shared);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct sp_block_shared *find(struct sp_block_cache *cache, uint64_t segment_id,
                                    uint32_t block_number)
{
    struct sp_block_shared *found = NULL;
    pthread_mutex_lock(&cache->lock);
    for (uint32_t i = 0; i < cache->count && found == NULL; i++) {
        struct cached *entry = &cache->entries[i];
        if (entry->segment_id == segment_id && entry->block_number == block_number) {
            entry->used = ++cache->tick;
            found = sp_block_ref(entry->shared);
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

/* Under the lock. */
static void drop_oldest(struct sp_block_cache *cache)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < cache->count; i++) {
        if (cache->entries[i].used < cache->entries[oldest].used)
            oldest = i;
    }
    cache->bytes -= cache->entries[oldest].bytes;
    sp_block_unref(cache->entries[oldest].shared);
    cache->entries[oldest] = cache->entries[--cache->count];
}

/* Two threads may bring the same block: then it is there twice for a while. */
static void keep(struct sp_block_cache *cache, struct sp_block_shared *shared, uint64_t segment_id,
                 uint32_t block_number)
{
    size_t bytes = shared->arena.used_bytes;
    if (bytes > SP_BLOCK_CACHE_BYTES)
        return;
    pthread_mutex_lock(&cache->lock);
    while (cache->count == ENTRIES_MAX || cache->bytes > SP_BLOCK_CACHE_BYTES - bytes)
        drop_oldest(cache);
    cache->entries[cache->count++] = (struct cached){.shared = sp_block_ref(shared),
                                                     .segment_id = segment_id,
                                                     .block_number = block_number,
                                                     .bytes = bytes,
                                                     .used = ++cache->tick};
    cache->bytes += bytes;
    pthread_mutex_unlock(&cache->lock);
}

enum sp_status sp_block_cache_get(struct sp_block_cache *cache, struct sp_block_reader *reader,
                                  const struct sp_segment *segment, uint32_t block_number,
                                  struct sp_block_shared **ret, struct sp_error *reterr)
{
    *ret = find(cache, segment->id, block_number);
    if (*ret != NULL)
        return SP_OK;
    enum sp_status status = sp_block_reader_open(reader, segment, block_number, reterr);
    if (status == SP_OK)
        status = sp_block_reader_take(reader, ret, reterr);
    if (status == SP_OK)
        keep(cache, *ret, segment->id, block_number);
    return status;
}
