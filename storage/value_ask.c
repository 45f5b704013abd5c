/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_ask.c: a condition becomes hashes, and these sets of blocks. What it takes for impossible must be what
 * sp_condition_holds_value finds in no value. Knows the database through kv.h only. */
#include "storage/value_ask.h"

enum sp_status sp_value_reader_init(struct sp_value_reader *reader, struct sp_kv *kv,
                                    struct sp_error *reterr)
{
    *reader = (struct sp_value_reader){.kv = kv, .zstd = sp_zstd_unpacker_new()};
    if (reader->zstd == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read a segment's values");
    reader->numbers.zstd = reader->zstd;
    sp_buf_init(&reader->page, SIZE_MAX / 2);
    sp_arena_init(&reader->arena, SIZE_MAX);
    return SP_OK;
}

void sp_value_reader_fini(struct sp_value_reader *reader)
{
    if (reader->zstd == NULL)
        return;
    sp_zstd_unpacker_free(reader->zstd);
    sp_numbers_reader_fini(&reader->numbers);
    sp_buf_fini(&reader->page);
    sp_arena_fini(&reader->arena);
    *reader = (struct sp_value_reader){0};
}

/* One group of one segment. */
struct asking {
    struct sp_value_reader *reader;
    const struct sp_segment *segment;
    uint32_t number;
    const struct sp_value_group *group;
    struct sp_value_page keys;
    struct sp_error *reterr;
};

static enum sp_status read_page(struct asking *asking, uint32_t page, struct sp_value_page *ret)
{
    struct sp_value_reader *reader = asking->reader;
    const struct sp_value_place place = {
        .segment_id = asking->segment->id, .group = asking->number, .page = page};
    uint8_t key[SP_VALUE_KEY_BYTES];
    sp_value_key(&place, key);
    sp_buf_reset(&reader->page);
    enum sp_status status = sp_kv_get(reader->kv, SP_KV_CHUNKS, sp_slice_make(key, sizeof(key)),
                                      &reader->page, asking->reterr);
    reader->bytes += reader->page.len;
    return status == SP_OK
               ? sp_value_page_read(&reader->numbers, &place, sp_buf_slice(&reader->page),
                                    &reader->arena, ret, asking->reterr)
               : status;
}

static enum sp_status find_value(struct asking *asking, uint32_t hash, uint64_t *ret)
{
    struct sp_value_page page = {0};
    enum sp_status status = read_page(asking, sp_value_page_of(asking->group, hash), &page);
    *ret = sp_value_page_find(&page, sp_value_fingerprint(asking->group, hash));
    return status;
}

static uint64_t find_mark(const struct asking *asking, uint64_t owner, enum sp_value_mark mark)
{
    return sp_value_page_find(&asking->keys, sp_value_mark_hash(owner, mark));
}

/* ---- conditions ---- */

static enum sp_status ask_attribute(struct asking *asking, const struct sp_condition *condition,
                                    uint32_t scope, uint64_t *ret)
{
    uint64_t owner = sp_value_owner(scope, condition->key);
    uint64_t blocks = find_mark(asking, owner, SP_VALUE_MARK_KEY);
    enum sp_status status = SP_OK;
    uint32_t hash;
    if (blocks != 0 && condition->operation == SP_OP_EQ &&
        sp_value_hash(owner, &condition->value, &hash)) {
        uint64_t with_value;
        status = find_value(asking, hash, &with_value);
        blocks &= with_value | find_mark(asking, owner, SP_VALUE_MARK_ARRAYS);
    }
    *ret |= blocks | find_mark(asking, sp_value_owner(scope, SP_SLICE("")), SP_VALUE_MARK_MORE);
    return status;
}

static enum sp_status ask_field(struct asking *asking, const struct sp_condition *condition,
                                enum sp_value_field field, uint64_t *ret)
{
    uint32_t hash;
    *ret = SP_VALUE_ALL_BLOCKS;
    if (condition->operation != SP_OP_EQ || !sp_value_hash(field, &condition->value, &hash))
        return SP_OK;
    return find_value(asking, hash, ret);
}

static enum sp_status ask(struct asking *asking, const struct sp_condition *condition,
                          uint64_t *ret)
{
    enum sp_status status = SP_OK;
    *ret = 0;
    switch (condition->field) {
    case SP_FIELD_SERVICE:
        return ask_field(asking, condition, SP_VALUE_FIELD_SERVICE, ret);
    case SP_FIELD_NAME:
        return ask_field(asking, condition, SP_VALUE_FIELD_NAME, ret);
    case SP_FIELD_KIND:
        return ask_field(asking, condition, SP_VALUE_FIELD_KIND, ret);
    case SP_FIELD_STATUS:
        return ask_field(asking, condition, SP_VALUE_FIELD_STATUS, ret);
    case SP_FIELD_STATUS_MESSAGE:
        return ask_field(asking, condition, SP_VALUE_FIELD_STATUS_MESSAGE, ret);
    case SP_FIELD_DURATION:
    case SP_FIELD_LINKS:
    case SP_FIELD_EVENT_NAME:
    case SP_FIELD_SCOPE_NAME:
        break;
    case SP_FIELD_ATTRIBUTE:
        for (uint32_t scope = SP_SCOPE_SPAN; scope <= SP_SCOPE_LINK && status == SP_OK; scope <<= 1)
            if (condition->scopes & scope)
                status = ask_attribute(asking, condition, scope, ret);
        return status;
    }
    *ret = SP_VALUE_ALL_BLOCKS;
    return SP_OK;
}

static enum sp_status ask_all(struct asking *asking, const struct sp_scan *scan, uint64_t *ret)
{
    uint64_t together = scan->match_any ? 0 : SP_VALUE_ALL_BLOCKS;
    enum sp_status status = read_page(asking, 0, &asking->keys);
    for (size_t i = 0; i < scan->condition_count && status == SP_OK; i++) {
        uint64_t blocks;
        status = ask(asking, &scan->conditions[i], &blocks);
        together = scan->match_any ? together | blocks : together & blocks;
        if (together == 0 && !scan->match_any)
            break;
    }
    *ret = together | asking->group->open;
    return status;
}

enum sp_status sp_value_ask(struct sp_value_reader *reader, const struct sp_segment *segment,
                            uint32_t group, const struct sp_scan *scan, uint64_t *ret,
                            struct sp_error *reterr)
{
    struct asking asking = {.reader = reader,
                            .segment = segment,
                            .number = group,
                            .group = &segment->groups[group],
                            .reterr = reterr};
    *ret = SP_VALUE_ALL_BLOCKS;
    if (scan->condition_count == 0)
        return SP_OK;
    sp_arena_reset(&reader->arena);
    enum sp_status status = ask_all(&asking, scan, ret);
    if (status == SP_CORRUPT || status == SP_VERSION || status == SP_NOT_FOUND) {
        *ret = SP_VALUE_ALL_BLOCKS;
        return SP_OK;
    }
    return status;
}
