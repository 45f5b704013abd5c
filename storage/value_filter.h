/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_filter.h: which values may occur in which blocks of a segment, by hashes: so that a search for a value that few
 * blocks have opens these, and not the head of each. Internal to storage/. docs/storage-format.md has every byte.
 *
 *   group    up to 64 neighbouring blocks of a segment; small enough to be collected in memory
 *   page 0   keys: of which level and key there are attributes at all, and arrays
 *   page 1.. values, by the upper bits of their hashes: a question reads one of them, of a kilobyte or two
 *
 *   page = { fingerprint -> the blocks of the group that have a value of this hash }, ascending
 *
 * Nothing that is there is missing. Of the values that are not there some are found: a hash has SP_VALUE_HASH_BITS bits. What
 * equals what is what sp_condition_holds_value says: 1 and 1.0 are one value, "1" is another. */
#pragma once

#include "storage/block.h"
#include "storage/numbers.h"
#include "storage/vector.h"

/* A set of blocks is a number of 64 bits. */
#define SP_VALUE_GROUP_BLOCKS ((uint32_t)64)
#define SP_VALUE_ALL_BLOCKS   UINT64_MAX
/* A group ends with the block that fills it; of one that has more for itself nothing is known. Four bytes each, twice. */
#define SP_VALUE_GROUP_ITEMS ((uint32_t)1 << 20)
#define SP_VALUE_BLOCK_ITEMS ((uint32_t)1 << 20)
/* What is kept of a hash: with 64 blocks of a million different values, one of 64 that are not there is found. On disk. */
#define SP_VALUE_HASH_BITS ((unsigned)26)
/* So many a page, on average; and so many bits say at most which page. */
#define SP_VALUE_PAGE_VALUES   ((uint32_t)1024)
#define SP_VALUE_PAGE_BITS_MAX ((unsigned)14)

/* ---- hashes ---- */

/* Fields that are no attributes. Numbers are on disk. */
enum sp_value_field {
    SP_VALUE_FIELD_SERVICE = 256,
    SP_VALUE_FIELD_NAME = 257,
    SP_VALUE_FIELD_KIND = 258,
    SP_VALUE_FIELD_STATUS = 259,
    SP_VALUE_FIELD_STATUS_MESSAGE = 260,
};

/* What is known of the attributes of one level and key, or of a level. Numbers are on disk. */
enum sp_value_mark {
    SP_VALUE_MARK_KEY = 0,    /* there are some */
    SP_VALUE_MARK_ARRAYS = 1, /* there are arrays among them: any value may be in one */
    SP_VALUE_MARK_MORE = 2,   /* of the key "": attributes that have no column */
};

/* Whose values: an attribute's. scope: one bit, as enum sp_attribute_scope. */
uint64_t sp_value_owner(uint32_t scope, struct sp_slice key);

/* False: no value equals this one (NaN), or it is not known by a hash (arrays, kvlists, empty ones). */
SP_MUST_USE bool sp_value_hash(uint64_t owner, const struct sp_value *value, uint32_t *ret);
uint32_t sp_value_mark_hash(uint64_t owner, enum sp_value_mark mark);

/* ---- collecting ---- */

/* Hashes, each with the number of its block in the group behind. */
struct sp_value_list {
    SP_VECTOR(uint32_t) items;
    uint32_t block_first;  /* of the present block */
    uint32_t recent[1024]; /* that were added lately, by their hash */
};

/* Values of the blocks of one group. One owner. */
struct sp_value_items {
    struct sp_value_list keys, values;
    SP_VECTOR(uint32_t) scratch;
    uint32_t block; /* the present one's number in the group */
    uint64_t open;  /* blocks of which nothing is known */
    bool is_too_large, has_no_memory;
};

void sp_value_items_init(struct sp_value_items *items);
void sp_value_items_fini(struct sp_value_items *items);
/* Empty again, for the next group. */
void sp_value_items_reset(struct sp_value_items *items);

/* The next block. It begins with what its templates, resources and scopes say, and its columns without their values; then come
 * columns with texts (each different one, or some of them several times) or with numbers (texts NULL). */
void sp_value_items_begin(struct sp_value_items *items, const struct sp_block *block);
void sp_value_items_column(struct sp_value_items *items, const struct sp_column *column,
                           const struct sp_slice *texts, uint32_t text_count);
/* False: no memory; then it can only be reset. */
SP_MUST_USE bool sp_value_items_end(struct sp_value_items *items);
/* Instead: of the next block nothing is known. */
void sp_value_items_pass(struct sp_value_items *items);

static inline bool sp_value_items_are_full(const struct sp_value_items *items)
{
    return items->block == SP_VALUE_GROUP_BLOCKS ||
           items->keys.items.count + items->values.items.count >= SP_VALUE_GROUP_ITEMS;
}

/* ---- pages ---- */

/* What the header of a segment says of a group. */
struct sp_value_group {
    uint32_t first_block, block_count;
    uint32_t page_bits; /* of a hash, that say which page: there are so many pages, and page 0 */
    uint64_t open;      /* blocks of which nothing is known */
};

static inline uint32_t sp_value_page_count(const struct sp_value_group *group)
{
    return ((uint32_t)1 << group->page_bits) + 1;
}

/* Where a page stands. */
struct sp_value_place {
    uint64_t segment_id;
    uint32_t group, page;
};

#define SP_VALUE_KEY_BYTES (8 + 1 + 4 + 4)
#define SP_VALUE_KEY_MARK  ((uint8_t)2) /* behind the segment's id, beside enum sp_segment_rollup */
void sp_value_key(const struct sp_value_place *place, uint8_t out[SP_VALUE_KEY_BYTES]);

struct sp_value_sink {
    enum sp_status (*take)(void *cookie, const struct sp_value_place *place, struct sp_slice bytes,
                           struct sp_error *reterr);
    void *cookie;
};

/* Hands out the pages of a group, and says what its header is but for first_block; the items can then only be reset. SP_NO_MEMORY;
 * what the sink answered. */
SP_MUST_USE enum sp_status sp_value_pages_write(struct sp_value_items *items, uint64_t segment_id,
                                                uint32_t group, struct sp_numbers_writer *writer,
                                                const struct sp_value_sink *sink,
                                                struct sp_value_group *ret,
                                                struct sp_error *reterr);

struct sp_value_page {
    uint32_t count;
    const uint32_t
        *fingerprints;      /* ascending: what is left of a hash behind the number of the page */
    const uint64_t *blocks; /* of each; none is 0 */
};

/* Is a page as it was written, by its checksum? */
bool sp_value_page_is_whole(const struct sp_value_place *place, struct sp_slice bytes);
/* The arena's memory. SP_CORRUPT, SP_VERSION: *reterr names the page; SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_value_page_read(struct sp_numbers_reader *reader,
                                              const struct sp_value_place *place,
                                              struct sp_slice bytes, struct sp_arena *arena,
                                              struct sp_value_page *ret, struct sp_error *reterr);

/* Which page of a group knows a hash that is a value's. */
static inline uint32_t sp_value_page_of(const struct sp_value_group *group, uint32_t hash)
{
    return (hash >> (SP_VALUE_HASH_BITS - group->page_bits)) + 1;
}

static inline uint32_t sp_value_fingerprint(const struct sp_value_group *group, uint32_t hash)
{
    return hash & (((uint32_t)1 << (SP_VALUE_HASH_BITS - group->page_bits)) - 1);
}

/* The blocks of the group that may have it; 0: none. In page 0 hashes are fingerprints. */
uint64_t sp_value_page_find(const struct sp_value_page *page, uint32_t fingerprint);
