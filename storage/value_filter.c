/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_filter.c: the values of blocks become hashes. What it leaves out, and what is one value, has to agree with
 * storage/condition.c. Knows neither pages nor engines. */
#include "storage/value_filter.h"
#include "storage/storage.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>

#define BLOCK_BITS 6
/* Numbers of a column that are remembered to be passed over when they come again. A power of two. */
#define RECENT_NUMBERS 512

/* ---- hashes ---- */

static uint32_t upper_bits(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - SP_VALUE_HASH_BITS));
}

uint64_t sp_value_owner(uint32_t scope, struct sp_slice key)
{
    return sp_checksum(key, scope);
}

uint32_t sp_value_mark_hash(uint64_t owner, enum sp_value_mark mark)
{
    const uint8_t byte = (uint8_t)mark;
    return upper_bits(sp_checksum(sp_slice_make(&byte, 1), owner));
}

static uint32_t hash_bytes(uint64_t owner, enum sp_value_kind kind, struct sp_slice bytes)
{
    return upper_bits(sp_checksum(bytes, owner + (uint64_t)kind));
}

static uint32_t hash_bits(uint64_t owner, enum sp_value_kind kind, uint64_t bits)
{
    bits = htole64(bits);
    return hash_bytes(owner, kind, sp_slice_make(&bits, sizeof(bits)));
}

/* A double that is a whole number is the same value as that integer. */
static bool hash_double(uint64_t owner, double number, uint32_t *ret)
{
    uint64_t bits;
    if (isnan(number))
        return false;
    memcpy(&bits, &number, sizeof(bits));
    if (number >= -9223372036854775808.0 && number < 9223372036854775808.0 &&
        (double)(int64_t)number == number)
        *ret = hash_bits(owner, SP_VALUE_INT, (uint64_t)(int64_t)number);
    else
        *ret = hash_bits(owner, SP_VALUE_DOUBLE, bits);
    return true;
}

bool sp_value_hash(uint64_t owner, const struct sp_value *value, uint32_t *ret)
{
    switch (value->kind) {
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        *ret = hash_bytes(owner, value->kind, value->string);
        return true;
    case SP_VALUE_BOOL:
        *ret = hash_bits(owner, SP_VALUE_BOOL, value->boolean);
        return true;
    case SP_VALUE_INT:
        *ret = hash_bits(owner, SP_VALUE_INT, (uint64_t)value->integer);
        return true;
    case SP_VALUE_DOUBLE:
        return hash_double(owner, value->number, ret);
    case SP_VALUE_EMPTY:
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        break;
    }
    return false;
}

/* ---- items ---- */

void sp_value_items_init(struct sp_value_items *items)
{
    *items = (struct sp_value_items){0};
    sp_value_items_reset(items);
}

void sp_value_items_fini(struct sp_value_items *items)
{
    sp_vector_fini(&items->keys.items);
    sp_vector_fini(&items->values.items);
    sp_vector_fini(&items->scratch);
}

static void list_reset(struct sp_value_list *list)
{
    list->items.count = 0;
    /* Nothing that could be looked for in its place. */
    memset(list->recent, 0, sizeof(list->recent));
    list->recent[0] = (uint32_t)1 << BLOCK_BITS;
}

void sp_value_items_reset(struct sp_value_items *items)
{
    list_reset(&items->keys);
    list_reset(&items->values);
    items->block = 0;
    items->open = 0;
    items->is_too_large = items->has_no_memory = false;
}

static void add_item(struct sp_value_items *items, struct sp_value_list *list, uint32_t hash)
{
    uint32_t item = hash << BLOCK_BITS | items->block;
    uint32_t *recent = &list->recent[hash % SP_ARRAY_LEN(list->recent)];
    if (*recent == item)
        return;
    *recent = item;
    if (list->items.count - list->block_first >= SP_VALUE_BLOCK_ITEMS)
        items->is_too_large = true;
    else if (!sp_vector_push(&list->items, item))
        items->has_no_memory = true;
}

static void add_hash(struct sp_value_items *items, uint32_t hash)
{
    add_item(items, &items->values, hash);
}

static void add_mark(struct sp_value_items *items, uint64_t owner, enum sp_value_mark mark)
{
    add_item(items, &items->keys, sp_value_mark_hash(owner, mark));
}

static void add_value(struct sp_value_items *items, uint64_t owner, const struct sp_value *value)
{
    uint32_t hash;
    if (sp_value_hash(owner, value, &hash))
        add_hash(items, hash);
}

static void add_text(struct sp_value_items *items, uint64_t owner, struct sp_slice text)
{
    add_hash(items, hash_bytes(owner, SP_VALUE_STRING, text));
}

/* ---- blocks ---- */

static void add_attributes(struct sp_value_items *items, uint32_t scope,
                           const struct sp_attributes *attributes)
{
    for (uint32_t i = 0; i < attributes->count; i++) {
        const struct sp_attribute *item = &attributes->items[i];
        uint64_t owner = sp_value_owner(scope, item->key);
        add_mark(items, owner, SP_VALUE_MARK_KEY);
        if (item->value.kind == SP_VALUE_ARRAY)
            add_mark(items, owner, SP_VALUE_MARK_ARRAYS);
        add_value(items, owner, &item->value);
    }
}

static bool has_status_message(const struct sp_block *block, const struct sp_template *template)
{
    for (uint32_t i = 0; i < template->column_count; i++) {
        if (block->columns[template->columns[i]].role == SP_ROLE_STATUS_MESSAGE)
            return true;
    }
    return false;
}

static void add_templates(struct sp_value_items *items, const struct sp_block *block)
{
    bool all_have_messages = true;
    for (uint32_t t = 0; t < block->template_counts[SP_BLOCK_SPANS]; t++) {
        const struct sp_template *template = &block->templates[SP_BLOCK_SPANS][t];
        add_text(items, SP_VALUE_FIELD_NAME, block->names->texts[template->name]);
        add_hash(items,
                 hash_bits(SP_VALUE_FIELD_KIND, SP_VALUE_INT, (uint64_t)(int64_t) template->kind));
        add_hash(items, hash_bits(SP_VALUE_FIELD_STATUS, SP_VALUE_INT,
                                  (uint64_t)(int64_t) template->status_code));
        all_have_messages = all_have_messages && has_status_message(block, template);
    }
    if (!all_have_messages) /* a span without one has an empty one */
        add_text(items, SP_VALUE_FIELD_STATUS_MESSAGE, SP_SLICE(""));
}

static uint32_t scope_of(enum sp_block_table table)
{
    static const uint32_t scopes[SP_BLOCK_TABLE_COUNT] = {
        [SP_BLOCK_SPANS] = SP_SCOPE_SPAN,
        [SP_BLOCK_EVENTS] = SP_SCOPE_EVENT,
        [SP_BLOCK_LINKS] = SP_SCOPE_LINK,
    };
    return scopes[table];
}

void sp_value_items_begin(struct sp_value_items *items, const struct sp_block *block)
{
    SP_ASSERT(items->block < SP_VALUE_GROUP_BLOCKS);
    items->keys.block_first = items->keys.items.count;
    items->values.block_first = items->values.items.count;
    items->is_too_large = false;
    for (uint32_t i = 0; i < block->resource_count; i++) {
        const struct sp_resource *resource = &block->resources[i];
        add_attributes(items, SP_SCOPE_RESOURCE, &resource->attributes);
        add_text(items, SP_VALUE_FIELD_SERVICE,
                 sp_span_service(&(struct sp_span){.resource = resource}));
    }
    for (uint32_t i = 0; i < block->scope_count; i++)
        add_attributes(items, SP_SCOPE_INSTRUMENTATION, &block->scopes[i].attributes);
    add_templates(items, block);
    for (uint32_t i = 0; i < block->column_count; i++) {
        const struct sp_column *column = &block->columns[i];
        uint64_t owner = sp_value_owner(scope_of(column->table), column->key);
        if (column->role == SP_ROLE_MORE_ATTRIBUTES)
            add_mark(items, owner, SP_VALUE_MARK_MORE);
        if (column->role != SP_ROLE_ATTRIBUTE)
            continue;
        add_mark(items, owner, SP_VALUE_MARK_KEY);
        if (column->kind == SP_VALUE_ARRAY)
            add_mark(items, owner, SP_VALUE_MARK_ARRAYS);
    }
}

/* Numbers repeat, most of them at once, and hashing one costs more than to see that. */
static void add_numbers(struct sp_value_items *items, const struct sp_column *column,
                        uint64_t owner)
{
    uint64_t recent[RECENT_NUMBERS];
    bool used[RECENT_NUMBERS] = {false};
    for (uint32_t i = 0; i < column->count; i++) {
        uint64_t bits = column->numbers[i];
        size_t place = (size_t)((bits * 0x9e3779b97f4a7c15ULL) >> 32) % RECENT_NUMBERS;
        struct sp_value value = {.kind = column->kind};
        if (used[place] && recent[place] == bits)
            continue;
        used[place] = true;
        recent[place] = bits;
        if (column->kind == SP_VALUE_BOOL)
            value.boolean = bits != 0;
        else
            memcpy(&value.integer, &bits, sizeof(bits));
        add_value(items, owner, &value);
    }
}

void sp_value_items_column(struct sp_value_items *items, const struct sp_column *column,
                           const struct sp_slice *texts, uint32_t text_count)
{
    uint64_t owner;
    if (column->role == SP_ROLE_STATUS_MESSAGE)
        owner = SP_VALUE_FIELD_STATUS_MESSAGE;
    else if (column->role == SP_ROLE_ATTRIBUTE)
        owner = sp_value_owner(scope_of(column->table), column->key);
    else
        return;
    if (texts == NULL && column->numbers != NULL)
        add_numbers(items, column, owner);
    if (texts != NULL && (column->kind == SP_VALUE_STRING || column->kind == SP_VALUE_BYTES)) {
        for (uint32_t i = 0; i < text_count; i++)
            add_hash(items, hash_bytes(owner, column->kind, texts[i]));
    }
}

bool sp_value_items_end(struct sp_value_items *items)
{
    if (items->is_too_large) {
        items->keys.items.count = items->keys.block_first;
        items->values.items.count = items->values.block_first;
        items->open |= (uint64_t)1 << items->block;
    }
    items->block++;
    return !items->has_no_memory;
}

void sp_value_items_pass(struct sp_value_items *items)
{
    items->open |= (uint64_t)1 << items->block++;
}
