/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_page.c: hashes of a group of blocks become pages, and back. Knows no values. */
#include "storage/pack.h"
#include "storage/value_filter.h"

#include <endian.h>
#include <stdlib.h>

#define PAGE_VERSION   1
#define BLOCK_BITS     6
#define BLOCK_MASK     ((uint32_t)SP_VALUE_GROUP_BLOCKS - 1)
#define SEVERAL_BLOCKS SP_VALUE_GROUP_BLOCKS /* in place of a block's number: a set stands behind */
#define CHECKSUM_BYTES 8
#define PAGE_BYTES_MAX ((size_t)256 * 1024 * 1024)
/* Of a page that is read: what a group can hold. */
#define PAGE_COUNT_MAX (SP_VALUE_GROUP_ITEMS + SP_VALUE_BLOCK_ITEMS)

void sp_value_key(const struct sp_value_place *place, uint8_t out[SP_VALUE_KEY_BYTES])
{
    uint64_t id = htobe64(place->segment_id);
    uint32_t group = htobe32(place->group), page = htobe32(place->page);
    memcpy(out, &id, 8);
    out[8] = SP_VALUE_KEY_MARK;
    memcpy(out + 9, &group, 4);
    memcpy(out + 13, &page, 4);
}

/* A page in another's place is damage. */
static uint64_t seed_of(const struct sp_value_place *place)
{
    uint8_t key[SP_VALUE_KEY_BYTES];
    sp_value_key(place, key);
    return sp_checksum(sp_slice_make(key, sizeof(key)), 0);
}

/* ---- sorting ---- */

#define DIGIT_BITS 11
#define DIGITS     ((uint32_t)1 << DIGIT_BITS)

/* By digits, the lowest first: the lists are long and their numbers as good as random. */
static bool sort(struct sp_value_items *items, struct sp_value_list *list)
{
    uint32_t count = list->items.count;
    items->scratch.count = 0;
    if (!sp_vector_reserve(&items->scratch, count))
        return false;
    for (unsigned shift = 0; shift < 32; shift += DIGIT_BITS) {
        uint32_t places[DIGITS] = {0};
        const uint32_t *from = list->items.items;
        uint32_t *to = items->scratch.items;
        uint32_t sum = 0;
        for (uint32_t i = 0; i < count; i++)
            places[from[i] >> shift & (DIGITS - 1)]++;
        for (uint32_t d = 0; d < DIGITS; d++) {
            uint32_t here = places[d];
            places[d] = sum;
            sum += here;
        }
        for (uint32_t i = 0; i < count; i++)
            to[places[from[i] >> shift & (DIGITS - 1)]++] = from[i];
        uint32_t cap = list->items.cap;
        items->scratch.items = list->items.items;
        list->items.items = to;
        list->items.cap = items->scratch.cap;
        items->scratch.cap = cap;
    }
    return true;
}

/* ---- writing ---- */

struct writing {
    const struct sp_value_list *list; /* sorted */
    uint32_t at;                      /* the next item */
    SP_VECTOR(uint32_t) distances, blocks;
    SP_VECTOR(uint64_t) sets;
    struct sp_numbers_writer *numbers;
    struct sp_buf out;
    const struct sp_value_sink *sink;
};

/* The next hash below end and its blocks; false: there is none. */
static bool next_hash(struct writing *writing, uint64_t end, uint32_t *ret_hash, uint64_t *ret_set)
{
    const uint32_t *items = writing->list->items.items;
    uint32_t count = writing->list->items.count;
    uint64_t set = 0;
    if (writing->at == count || items[writing->at] >> BLOCK_BITS >= end)
        return false;
    uint32_t hash = items[writing->at] >> BLOCK_BITS;
    for (; writing->at < count && items[writing->at] >> BLOCK_BITS == hash; writing->at++)
        set |= (uint64_t)1 << (items[writing->at] & BLOCK_MASK);
    *ret_hash = hash;
    *ret_set = set;
    return true;
}

/* The page of the hashes in [first, end). */
static bool collect(struct writing *writing, uint32_t first, uint64_t end)
{
    uint32_t before = first, hash;
    uint64_t set;
    writing->distances.count = writing->blocks.count = writing->sets.count = 0;
    while (next_hash(writing, end, &hash, &set)) {
        bool several = (set & (set - 1)) != 0;
        uint32_t block = several ? SEVERAL_BLOCKS : (uint32_t)__builtin_ctzll(set);
        if (!sp_vector_push(&writing->distances, hash - before) ||
            !sp_vector_push(&writing->blocks, block) ||
            (several && !sp_vector_push(&writing->sets, set)))
            return false;
        before = hash;
    }
    return true;
}

static enum sp_status write_page(struct writing *writing, const struct sp_value_place *place,
                                 uint32_t first, uint64_t end, struct sp_error *reterr)
{
    struct sp_buf *out = &writing->out;
    sp_buf_reset(out);
    if (!collect(writing, first, end))
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to write a segment's values");
    sp_buf_append_byte(out, PAGE_VERSION);
    sp_pack_varint(writing->distances.count, out);
    sp_numbers_write_32(writing->numbers, writing->distances.items, writing->distances.count, out);
    sp_numbers_write_32(writing->numbers, writing->blocks.items, writing->blocks.count, out);
    sp_numbers_write(writing->numbers, writing->sets.items, writing->sets.count, false, out);
    uint64_t checksum = htole64(sp_checksum(sp_buf_slice(out), seed_of(place)));
    sp_buf_append(out, &checksum, sizeof(checksum));
    if (out->error != SP_OK)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to write a segment's values");
    return writing->sink->take(writing->sink->cookie, place, sp_buf_slice(out), reterr);
}

static uint32_t count_different(const struct sp_value_list *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->items.count; i++)
        count +=
            i == 0 || list->items.items[i] >> BLOCK_BITS != list->items.items[i - 1] >> BLOCK_BITS;
    return count;
}

static enum sp_status write_pages(struct writing *writing, struct sp_value_items *items,
                                  struct sp_value_place *place, uint32_t *ret_page_bits,
                                  struct sp_error *reterr)
{
    if (!sort(items, &items->keys) || !sort(items, &items->values))
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to write a segment's values");
    const uint64_t all = (uint64_t)1 << SP_VALUE_HASH_BITS;
    uint32_t different = count_different(&items->values);
    unsigned bits = 0;
    while (bits < SP_VALUE_PAGE_BITS_MAX && different >> bits > SP_VALUE_PAGE_VALUES)
        bits++;
    *ret_page_bits = bits;
    writing->list = &items->keys;
    enum sp_status status = write_page(writing, place, 0, all, reterr);
    writing->list = &items->values;
    writing->at = 0;
    for (uint32_t page = 0; page < (uint32_t)1 << bits && status == SP_OK; page++) {
        uint32_t width = (uint32_t)1 << (SP_VALUE_HASH_BITS - bits);
        place->page = page + 1;
        status = write_page(writing, place, page * width, (uint64_t)(page + 1) * width, reterr);
    }
    return status;
}

enum sp_status sp_value_pages_write(struct sp_value_items *items, uint64_t segment_id,
                                    uint32_t group, struct sp_numbers_writer *writer,
                                    const struct sp_value_sink *sink, struct sp_value_group *ret,
                                    struct sp_error *reterr)
{
    struct sp_value_place place = {.segment_id = segment_id, .group = group};
    struct writing writing = {.numbers = writer, .sink = sink};
    uint32_t page_bits = 0;
    sp_buf_init(&writing.out, PAGE_BYTES_MAX);
    enum sp_status status = write_pages(&writing, items, &place, &page_bits, reterr);
    sp_vector_fini(&writing.distances);
    sp_vector_fini(&writing.blocks);
    sp_vector_fini(&writing.sets);
    sp_buf_fini(&writing.out);
    if (status == SP_OK)
        *ret = (struct sp_value_group){
            .block_count = items->block, .page_bits = page_bits, .open = items->open};
    return status;
}

/* ---- reading ---- */

static enum sp_status failed(const struct sp_value_place *place, enum sp_status status,
                             const char *what, struct sp_error *reterr)
{
    if (status == SP_LIMIT || status == SP_NO_MEMORY)
        return sp_error_set(reterr, status, "no memory to read a segment's values");
    return sp_error_set(reterr, status, "segment %llu, values of group %u, page %u: %s",
                        (unsigned long long)place->segment_id, place->group, place->page, what);
}

/* Block numbers become sets. */
static enum sp_status read_sets(struct sp_numbers_reader *reader, struct sp_slice *in,
                                const uint32_t *numbers, uint32_t count, struct sp_arena *arena,
                                uint64_t *sets)
{
    uint32_t several_count = 0, next = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] > SEVERAL_BLOCKS)
            return SP_CORRUPT;
        several_count += numbers[i] == SEVERAL_BLOCKS;
    }
    uint64_t *several = sp_arena_alloc(arena, several_count * sizeof(*several));
    if (several == NULL)
        return SP_LIMIT;
    enum sp_status status = sp_numbers_read(reader, in, several, several_count);
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        sets[i] = numbers[i] == SEVERAL_BLOCKS ? several[next++] : (uint64_t)1 << numbers[i];
        if (sets[i] == 0)
            status = SP_CORRUPT;
    }
    return status;
}

static enum sp_status read_content(struct sp_numbers_reader *reader, struct sp_slice in,
                                   struct sp_arena *arena, struct sp_value_page *ret)
{
    uint64_t count;
    if (!sp_unpack_varint(&in, &count) || count > PAGE_COUNT_MAX || !sp_bytes_plausible(in, count))
        return SP_CORRUPT;
    ret->count = (uint32_t)count;
    uint32_t *fingerprints = sp_arena_alloc(arena, count * sizeof(*fingerprints));
    uint32_t *numbers = sp_arena_alloc(arena, count * sizeof(*numbers));
    uint64_t *sets = sp_arena_alloc(arena, count * sizeof(*sets));
    if (fingerprints == NULL || numbers == NULL || sets == NULL)
        return SP_LIMIT;
    enum sp_status status = sp_numbers_read_32(reader, &in, fingerprints, ret->count);
    if (status == SP_OK)
        status = sp_numbers_read_32(reader, &in, numbers, ret->count);
    if (status == SP_OK)
        status = read_sets(reader, &in, numbers, ret->count, arena, sets);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ret->count && status == SP_OK; i++) {
        sum += fingerprints[i];
        if ((i > 0 && fingerprints[i] == 0) || sum >> SP_VALUE_HASH_BITS != 0)
            status = SP_CORRUPT;
        fingerprints[i] = (uint32_t)sum;
    }
    ret->fingerprints = fingerprints;
    ret->blocks = sets;
    return status == SP_OK && in.len > 0 ? SP_CORRUPT : status;
}

bool sp_value_page_is_whole(const struct sp_value_place *place, struct sp_slice bytes)
{
    uint64_t checksum;
    if (bytes.len <= CHECKSUM_BYTES)
        return false;
    struct sp_slice content = sp_slice_sub(bytes, 0, bytes.len - CHECKSUM_BYTES);
    memcpy(&checksum, content.ptr + content.len, sizeof(checksum));
    return le64toh(checksum) == sp_checksum(content, seed_of(place));
}

enum sp_status sp_value_page_read(struct sp_numbers_reader *reader,
                                  const struct sp_value_place *place, struct sp_slice bytes,
                                  struct sp_arena *arena, struct sp_value_page *ret,
                                  struct sp_error *reterr)
{
    struct sp_value_page page;
    if (bytes.len <= CHECKSUM_BYTES)
        return failed(place, SP_CORRUPT, "it is cut off", reterr);
    struct sp_slice content = sp_slice_sub(bytes, 0, bytes.len - CHECKSUM_BYTES);
    if (!sp_value_page_is_whole(place, bytes))
        return failed(place, SP_CORRUPT, "its checksum is wrong", reterr);
    if (content.ptr[0] != PAGE_VERSION)
        return failed(place, SP_VERSION, "its version is not known", reterr);
    enum sp_status status = read_content(reader, sp_slice_sub(content, 1, SIZE_MAX), arena, &page);
    if (status != SP_OK)
        return failed(place, status, "its content is not what was written", reterr);
    *ret = page;
    return SP_OK;
}

uint64_t sp_value_page_find(const struct sp_value_page *page, uint32_t fingerprint)
{
    uint32_t from = 0;
    uint32_t to = page->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (page->fingerprints[middle] < fingerprint)
            from = middle + 1;
        else
            to = middle;
    }
    return from < page->count && page->fingerprints[from] == fingerprint ? page->blocks[from] : 0;
}
