/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_cache.h: how often each value of a key is in a segment, for keys that were asked for lately: a segment never changes, and who
 * completes a query asks again with each letter. Internal to storage/. Knows no disks. Thread-safe. */
#pragma once

#include "storage/catalogue.h"

/* All it holds; of a key with values of more bytes it only knows that they are many. */
#define SP_VALUE_CACHE_BYTES     ((size_t)32 * 1024 * 1024)
#define SP_VALUE_CACHE_KEY_BYTES ((size_t)1024 * 1024)
#define SP_VALUE_CACHE_KEYS_MAX  4096u

struct sp_value_cache;

struct sp_value_cache *sp_value_cache_new(void);        /* NULL: no memory */
void sp_value_cache_free(struct sp_value_cache *cache); /* NULL is fine */

enum sp_value_cached {
    SP_VALUES_UNKNOWN,
    SP_VALUES_KNOWN,
    SP_VALUES_MANY, /* count them where they are */
};

/* Adds the values of a segment that begin with filter->prefix to a tally, if they are known. Errors of the tally. */
SP_MUST_USE enum sp_status sp_value_cache_read(struct sp_value_cache *cache, uint64_t segment_id,
                                               const struct sp_value_filter *filter,
                                               struct sp_tally *tally, enum sp_value_cached *ret,
                                               struct sp_error *reterr);

/* All values of a segment under filter's key and scopes, whatever its prefix; NULL: they are many. Without memory nothing is kept. */
void sp_value_cache_keep(struct sp_value_cache *cache, uint64_t segment_id,
                         const struct sp_value_filter *filter, const struct sp_tally *values);
