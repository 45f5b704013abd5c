/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/pack.c: values, attribute lists, resources and scopes as bytes, and back (storage/block.h). Nothing recurses.
 * Knows neither blocks nor disks. */
#include "storage/pack.h"

#define PRESENT 1

/* ---- numbers ---- */

void sp_pack_varint(uint64_t number, struct sp_buf *out)
{
    uint8_t bytes[10];
    size_t len = 0;
    do {
        bytes[len++] = (uint8_t)(number | 0x80);
        number >>= 7;
    } while (number != 0);
    bytes[len - 1] &= 0x7f;
    sp_buf_append(out, bytes, len);
}

bool sp_unpack_varint(struct sp_slice *in, uint64_t *ret)
{
    uint64_t number = 0;
    for (size_t i = 0; i < in->len && i < 10; i++) {
        if (i == 9 && in->ptr[i] > 1)
            return false;
        number |= (uint64_t)(in->ptr[i] & 0x7f) << (7 * i);
        if (in->ptr[i] < 0x80) {
            *in = sp_slice_sub(*in, i + 1, SIZE_MAX);
            *ret = number;
            return true;
        }
    }
    return false;
}

bool sp_unpack_text(struct sp_slice *in, struct sp_slice *ret)
{
    uint64_t len;
    if (!sp_unpack_varint(in, &len) || len > in->len)
        return false;
    *ret = sp_slice_sub(*in, 0, len);
    *in = sp_slice_sub(*in, len, SIZE_MAX);
    return true;
}

static bool unpack_u32(struct sp_slice *in, uint32_t *ret)
{
    uint64_t number;
    if (!sp_unpack_varint(in, &number) || number > UINT32_MAX)
        return false;
    *ret = (uint32_t)number;
    return true;
}

static bool unpack_byte(struct sp_slice *in, uint8_t *ret)
{
    if (in->len == 0)
        return false;
    *ret = in->ptr[0];
    *in = sp_slice_sub(*in, 1, SIZE_MAX);
    return true;
}

void sp_pack_text(struct sp_slice text, struct sp_buf *out)
{
    sp_pack_varint(text.len, out);
    sp_buf_append_slice(out, text);
}

/* ---- values ---- */

static void pack_scalar(const struct sp_value *value, struct sp_buf *out)
{
    switch (value->kind) {
    case SP_VALUE_EMPTY:
        break;
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        sp_pack_text(value->string, out);
        break;
    case SP_VALUE_BOOL:
        sp_buf_append_byte(out, value->boolean);
        break;
    case SP_VALUE_INT:
        sp_buf_append(out, &value->integer, sizeof(value->integer));
        break;
    case SP_VALUE_DOUBLE:
        sp_buf_append(out, &value->number, sizeof(value->number));
        break;
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        sp_pack_varint(value->count, out);
        break;
    }
}

void sp_value_pack(const struct sp_value *value, struct sp_buf *out)
{
    struct sp_value_walk walk;
    enum sp_walk_event event;
    sp_value_walk_init(&walk, value);
    while ((event = sp_value_walk_next(&walk)) != SP_WALK_END) {
        if (event == SP_WALK_LEAVE)
            continue;
        if (walk.entry != NULL)
            sp_pack_text(walk.entry->key, out);
        sp_buf_append_byte(out, (uint8_t)walk.value->kind);
        pack_scalar(walk.value, out);
    }
}

/* Room for the children of a container. Each takes a byte at least, so damaged counts cannot ask for much. */
static enum sp_status unpack_children(struct sp_slice in, struct sp_arena *arena,
                                      struct sp_value *value, void **ret)
{
    size_t size =
        value->kind == SP_VALUE_ARRAY ? sizeof(struct sp_value) : sizeof(struct sp_attribute);
    if (value->count > in.len)
        return SP_CORRUPT;
    *ret = sp_arena_calloc(arena, (size_t)value->count + 1, size);
    if (*ret == NULL)
        return SP_LIMIT;
    if (value->kind == SP_VALUE_ARRAY)
        value->items = *ret;
    else
        value->entries = *ret;
    return SP_OK;
}

static enum sp_status unpack_one(struct sp_slice *in, struct sp_arena *arena,
                                 struct sp_value *value, void **ret_children)
{
    uint8_t kind;
    uint8_t byte;
    if (!unpack_byte(in, &kind))
        return SP_CORRUPT;
    value->kind = (enum sp_value_kind)kind;
    switch (value->kind) {
    case SP_VALUE_EMPTY:
        return SP_OK;
    case SP_VALUE_STRING:
    case SP_VALUE_BYTES:
        return sp_unpack_text(in, &value->string) ? SP_OK : SP_CORRUPT;
    case SP_VALUE_BOOL:
        if (!unpack_byte(in, &byte) || byte > 1)
            return SP_CORRUPT;
        value->boolean = byte;
        return SP_OK;
    case SP_VALUE_INT:
    case SP_VALUE_DOUBLE:
        if (in->len < sizeof(value->integer))
            return SP_CORRUPT;
        memcpy(&value->integer, in->ptr, sizeof(value->integer));
        *in = sp_slice_sub(*in, sizeof(value->integer), SIZE_MAX);
        return SP_OK;
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        if (!unpack_u32(in, &value->count))
            return SP_CORRUPT;
        return unpack_children(*in, arena, value, ret_children);
    }
    return SP_CORRUPT;
}

static enum sp_status unpack_value(struct sp_slice *in, struct sp_arena *arena,
                                   struct sp_value *ret)
{
    struct level {
        void *children;
        uint32_t next, count;
        bool of_entries;
    } stack[SP_NESTING_MAX + 1];
    uint32_t depth = 0;
    void *children = NULL;
    enum sp_status status = unpack_one(in, arena, ret, &children);
    if (status == SP_OK && children != NULL)
        stack[depth++] = (struct level){children, 0, ret->count, ret->kind == SP_VALUE_KVLIST};
    while (status == SP_OK && depth > 0) {
        struct level *level = &stack[depth - 1];
        if (level->next == level->count) {
            depth--;
            continue;
        }
        struct sp_value *value;
        if (level->of_entries) {
            struct sp_attribute *entry = (struct sp_attribute *)level->children + level->next++;
            value = &entry->value;
            if (!sp_unpack_text(in, &entry->key))
                return SP_CORRUPT;
        } else {
            value = (struct sp_value *)level->children + level->next++;
        }
        children = NULL;
        status = unpack_one(in, arena, value, &children);
        if (status == SP_OK && children != NULL) {
            if (depth > SP_NESTING_MAX)
                return SP_CORRUPT;
            stack[depth++] =
                (struct level){children, 0, value->count, value->kind == SP_VALUE_KVLIST};
        }
    }
    return status;
}

enum sp_status sp_value_unpack(struct sp_slice packed, struct sp_arena *arena, struct sp_value *ret)
{
    struct sp_value value = {0};
    enum sp_status status = unpack_value(&packed, arena, &value);
    if (status == SP_OK && packed.len > 0)
        status = SP_CORRUPT;
    if (status == SP_OK)
        *ret = value;
    return status;
}

/* ---- lists of attributes ---- */

void sp_attributes_pack(const struct sp_attributes *list, uint32_t from, struct sp_buf *out)
{
    sp_pack_varint(list->count - from, out);
    for (uint32_t i = from; i < list->count; i++) {
        sp_pack_text(list->items[i].key, out);
        sp_value_pack(&list->items[i].value, out);
    }
}

static enum sp_status unpack_attributes(struct sp_slice *in, struct sp_arena *arena,
                                        const struct sp_attribute **ret_items, uint32_t *ret_count)
{
    uint32_t count;
    if (!unpack_u32(in, &count) || count > in->len)
        return SP_CORRUPT;
    struct sp_attribute *items = sp_arena_calloc(arena, (size_t)count + 1, sizeof(*items));
    if (items == NULL)
        return SP_LIMIT;
    for (uint32_t i = 0; i < count; i++) {
        if (!sp_unpack_text(in, &items[i].key))
            return SP_CORRUPT;
        enum sp_status status = unpack_value(in, arena, &items[i].value);
        if (status != SP_OK)
            return status;
    }
    *ret_items = items;
    *ret_count = count;
    return SP_OK;
}

enum sp_status sp_attributes_unpack(struct sp_slice packed, struct sp_arena *arena,
                                    const struct sp_attribute **ret_items, uint32_t *ret_count)
{
    enum sp_status status = unpack_attributes(&packed, arena, ret_items, ret_count);
    return status == SP_OK && packed.len > 0 ? SP_CORRUPT : status;
}

/* ---- resources and scopes ---- */

void sp_resource_pack(const struct sp_resource *resource, struct sp_buf *out)
{
    sp_buf_append_byte(out, resource->present ? PRESENT : 0);
    sp_pack_varint(resource->attributes.dropped, out);
    sp_pack_text(resource->schema_url, out);
    sp_pack_text(resource->residue, out);
    sp_pack_text(resource->group_residue, out);
    sp_attributes_pack(&resource->attributes, 0, out);
}

enum sp_status sp_resource_unpack(struct sp_slice packed, struct sp_arena *arena,
                                  struct sp_resource *ret)
{
    struct sp_resource resource = {0};
    uint8_t bits;
    if (!unpack_byte(&packed, &bits) || bits > PRESENT ||
        !unpack_u32(&packed, &resource.attributes.dropped) ||
        !sp_unpack_text(&packed, &resource.schema_url) ||
        !sp_unpack_text(&packed, &resource.residue) ||
        !sp_unpack_text(&packed, &resource.group_residue))
        return SP_CORRUPT;
    resource.present = bits & PRESENT;
    enum sp_status status =
        sp_attributes_unpack(packed, arena, &resource.attributes.items, &resource.attributes.count);
    if (status == SP_OK)
        *ret = resource;
    return status;
}

void sp_scope_pack(const struct sp_scope *scope, struct sp_buf *out)
{
    sp_buf_append_byte(out, scope->present ? PRESENT : 0);
    sp_pack_varint(scope->attributes.dropped, out);
    sp_pack_text(scope->name, out);
    sp_pack_text(scope->version, out);
    sp_pack_text(scope->schema_url, out);
    sp_pack_text(scope->residue, out);
    sp_pack_text(scope->group_residue, out);
    sp_attributes_pack(&scope->attributes, 0, out);
}

enum sp_status sp_scope_unpack(struct sp_slice packed, struct sp_arena *arena, struct sp_scope *ret)
{
    struct sp_scope scope = {0};
    uint8_t bits;
    if (!unpack_byte(&packed, &bits) || bits > PRESENT ||
        !unpack_u32(&packed, &scope.attributes.dropped) || !sp_unpack_text(&packed, &scope.name) ||
        !sp_unpack_text(&packed, &scope.version) || !sp_unpack_text(&packed, &scope.schema_url) ||
        !sp_unpack_text(&packed, &scope.residue) || !sp_unpack_text(&packed, &scope.group_residue))
        return SP_CORRUPT;
    scope.present = bits & PRESENT;
    enum sp_status status =
        sp_attributes_unpack(packed, arena, &scope.attributes.items, &scope.attributes.count);
    if (status == SP_OK)
        *ret = scope;
    return status;
}
