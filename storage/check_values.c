/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check_values.c: what is stored of the values of a segment's blocks, against the blocks themselves. Knows the database
 * through kv.h only. */
#include "storage/check.h"

#include <stdio.h>
#include <stdlib.h>

/* A group that is being compared. */
struct comparing {
    struct sp_check *check;
    struct sp_check_segment *segment;
    const struct sp_value_group *group;
    struct sp_numbers_reader *reader;
    uint64_t differing_count; /* pages */
    uint32_t first_differing;
};

static struct sp_check_place place_of(const struct sp_check_segment *segment, char name[64],
                                      uint32_t group)
{
    snprintf(name, 64, "values of group %u", group);
    return (struct sp_check_place){segment->segment, SP_ROW_NONE, name, 0};
}

/* A stored page; the arena's memory. *ret_is_there is false when it cannot be read, which was reported if report. */
static enum sp_status read_page(struct sp_check *check, struct sp_check_segment *segment,
                                struct sp_numbers_reader *reader,
                                const struct sp_value_place *where, bool report,
                                struct sp_value_page *ret, bool *ret_is_there,
                                struct sp_error *reterr)
{
    uint8_t key[SP_VALUE_KEY_BYTES];
    struct sp_error error = {0};
    char name[64], page[96];
    struct sp_check_place place = place_of(segment, name, where->group);
    snprintf(page, sizeof(page), "%s, page %u", name, where->page);
    place.part = page;
    sp_value_key(where, key);
    sp_buf_reset(&check->chunk);
    enum sp_status status =
        sp_kv_get(check->kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)), &check->chunk, &error);
    bool is_stored = status == SP_OK;
    if (status == SP_OK && report) {
        segment->value_count++;
        check->summary->bytes += check->chunk.len;
    }
    if (status == SP_OK)
        status = sp_value_page_read(reader, where, sp_buf_slice(&check->chunk),
                                    &check->values_arena, ret, &error);
    *ret_is_there = status == SP_OK;
    if (status == SP_OK)
        return SP_OK;
    if (!sp_check_is_damage(status)) {
        if (reterr != NULL)
            *reterr = error;
        return status;
    }
    if (report && status == SP_NOT_FOUND)
        sp_check_found(check, SP_FINDING_MISSING, &place, "it is not there");
    else if (report)
        sp_check_found(check,
                       is_stored && !sp_value_page_is_whole(where, sp_buf_slice(&check->chunk))
                           ? SP_FINDING_CHECKSUM
                           : sp_check_kind_of(&error),
                       &place, "%s", error.message);
    return SP_OK;
}

/* Takes a page as it would be written now. */
static enum sp_status compare_page(void *cookie, const struct sp_value_place *place,
                                   struct sp_slice bytes, struct sp_error *reterr)
{
    struct comparing *comparing = cookie;
    struct sp_check *check = comparing->check;
    struct sp_value_page made;
    struct sp_value_page stored = {0};
    bool is_there = false;
    sp_arena_reset(&check->values_arena);
    enum sp_status status =
        sp_value_page_read(comparing->reader, place, bytes, &check->values_arena, &made, reterr);
    if (status == SP_OK && place->page < sp_value_page_count(comparing->group))
        status = read_page(check, comparing->segment, comparing->reader, place, false, &stored,
                           &is_there, reterr);
    if (status != SP_OK)
        return status;
    bool same = is_there && made.count == stored.count &&
                memcmp(made.fingerprints, stored.fingerprints,
                       made.count * sizeof(*made.fingerprints)) == 0 &&
                memcmp(made.blocks, stored.blocks, made.count * sizeof(*made.blocks)) == 0;
    if (!same && comparing->differing_count++ == 0)
        comparing->first_differing = place->page;
    return SP_OK;
}

static enum sp_status compare_group(struct comparing *comparing, struct sp_check_values *values,
                                    uint32_t number, struct sp_error *reterr)
{
    struct sp_zstd_packer *zstd = sp_zstd_packer_new();
    struct sp_numbers_writer writer = {.zstd = zstd};
    const struct sp_value_sink sink = {.take = compare_page, .cookie = comparing};
    struct sp_value_group made;
    char name[64];
    const struct sp_check_place place = place_of(comparing->segment, name, number);
    enum sp_status status =
        zstd != NULL ? sp_value_pages_write(values->items, comparing->segment->segment->id, number,
                                            &writer, &sink, &made, reterr)
                     : sp_error_set(reterr, SP_NO_MEMORY, "no memory to check a segment's values");
    if (status == SP_OK &&
        (comparing->differing_count > 0 || made.page_bits != comparing->group->page_bits))
        sp_check_found(comparing->check, SP_FINDING_DISAGREEMENT, &place,
                       "%llu pages do not say what its blocks hold, the first is %u",
                       (unsigned long long)comparing->differing_count, comparing->first_differing);
    sp_numbers_writer_fini(&writer);
    sp_zstd_packer_free(zstd);
    return status;
}

/* All blocks of a group were added. */
static enum sp_status end_group(struct sp_check *check, struct sp_check_segment *segment,
                                struct sp_check_values *values, struct sp_error *reterr)
{
    uint32_t number = values->group++;
    const struct sp_value_group *group = &segment->segment->groups[number];
    struct sp_zstd_unpacker *zstd = sp_zstd_unpacker_new();
    struct sp_numbers_reader reader = {.zstd = zstd};
    struct comparing comparing = {
        .check = check, .segment = segment, .group = group, .reader = &reader};
    enum sp_status status =
        zstd != NULL ? SP_OK
                     : sp_error_set(reterr, SP_NO_MEMORY, "no memory to check a segment's values");
    bool all_there = true;
    for (uint32_t page = 0; page < sp_value_page_count(group) && status == SP_OK; page++) {
        const struct sp_value_place where = {segment->segment->id, number, page};
        struct sp_value_page stored;
        bool is_there;
        sp_arena_reset(&check->values_arena);
        status = read_page(check, segment, &reader, &where, true, &stored, &is_there, reterr);
        all_there = all_there && status == SP_OK && is_there;
    }
    values->is_damaged |= !all_there;
    if (status == SP_OK && all_there && values->is_whole && values->items->open == group->open)
        status = compare_group(&comparing, values, number, reterr);
    sp_value_items_reset(values->items);
    values->is_whole = true;
    sp_numbers_reader_fini(&reader);
    sp_zstd_unpacker_free(zstd);
    return status;
}

enum sp_status sp_check_values_init(struct sp_check_values *values, struct sp_error *reterr)
{
    *values = (struct sp_check_values){.items = malloc(sizeof(*values->items)), .is_whole = true};
    if (values->items == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check a segment's values");
    sp_value_items_init(values->items);
    return SP_OK;
}

void sp_check_values_fini(struct sp_check_values *values)
{
    if (values->items != NULL)
        sp_value_items_fini(values->items);
    free(values->items);
}

enum sp_status sp_check_values_add(struct sp_check *check, struct sp_check_segment *segment,
                                   struct sp_check_values *values, uint32_t number,
                                   const struct sp_block *block, struct sp_error *reterr)
{
    if (segment->segment->group_count == 0)
        return SP_OK;
    const struct sp_value_group *group = &segment->segment->groups[values->group];
    struct sp_value_items *items = values->items;
    values->is_whole = values->is_whole && block != NULL;
    if (block == NULL || (group->open >> items->block & 1) != 0) {
        sp_value_items_pass(items);
    } else {
        sp_value_items_begin(items, block);
        for (uint32_t c = 0; c < block->column_count; c++) {
            const struct sp_column *column = &block->columns[c];
            const struct sp_dictionary *dictionary = column->dictionary;
            sp_value_items_column(items, column, dictionary != NULL ? dictionary->texts : NULL,
                                  dictionary != NULL ? dictionary->count : 0);
        }
        if (!sp_value_items_end(items))
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to check a segment's values");
    }
    return number + 1 == group->first_block + group->block_count
               ? end_group(check, segment, values, reterr)
               : SP_OK;
}
