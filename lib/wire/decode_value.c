/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/decode_value.c: KeyValue, AnyValue, ArrayValue and KeyValueList. Values nest without bound, so nothing here
 * calls itself: a container found on the way is put on a list and decoded when its parent's array stands.
 *
 * Spec: common/v1/common.proto. In an AnyValue the last member wins; unknown fields of these messages (references into
 * dictionaries of profiles, today) are dropped. */
#include "lib/wire/decoder.h"

enum { KNOWN_KEY_VALUE = 0x6, KNOWN_ANY_VALUE = 0xfe, KNOWN_LIST = 0x2 };

static bool later(struct sp_decoder *d, struct sp_value *target, enum sp_value_kind kind,
                  struct sp_slice bytes, uint32_t depth)
{
    if (depth > d->nesting_max) {
        return sp_decoder_fail(d, SP_LIMIT, bytes.ptr, "values are nested in more than %u levels",
                               d->nesting_max);
    }
    struct sp_pending *p = d->unused;
    if (p) {
        d->unused = p->next;
    } else {
        p = sp_arena_alloc(d->arena, sizeof(*p));
        if (!p)
            return sp_decoder_no_memory(d);
    }
    *p = (struct sp_pending){d->pending, target, bytes, kind, depth};
    d->pending = p;
    return true;
}

/* depth: that a container found here has. */
static bool any_value(struct sp_decoder *d, enum sp_level level, struct sp_slice bytes,
                      uint32_t depth, struct sp_value *ret)
{
    *ret = (struct sp_value){.kind = SP_VALUE_EMPTY};
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        struct sp_value before = *ret;
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            sp_decoder_check_text(d, level, f.bytes, "a string value");
            *ret = (struct sp_value){.kind = SP_VALUE_STRING, .string = f.bytes};
            break;
        case SP_TAG(2, SP_WIRE_VARINT):
            *ret = (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = f.number != 0};
            break;
        case SP_TAG(3, SP_WIRE_VARINT):
            *ret = (struct sp_value){.kind = SP_VALUE_INT, .integer = (int64_t)f.number};
            break;
        case SP_TAG(4, SP_WIRE_I64):
            *ret = (struct sp_value){.kind = SP_VALUE_DOUBLE};
            memcpy(&ret->number, &f.number, sizeof(ret->number));
            break;
        case SP_TAG(5, SP_WIRE_LEN):
            *ret = (struct sp_value){.kind = SP_VALUE_ARRAY, .string = f.bytes};
            break;
        case SP_TAG(6, SP_WIRE_LEN):
            *ret = (struct sp_value){.kind = SP_VALUE_KVLIST, .string = f.bytes};
            break;
        case SP_TAG(7, SP_WIRE_LEN):
            *ret = (struct sp_value){.kind = SP_VALUE_BYTES, .string = f.bytes};
            break;
        default:
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_ANY_VALUE, NULL))
                return false;
            continue;
        }
        /* A container that is replaced is decoded all the same: its framing counts. */
        if (SP_UNLIKELY(before.kind >= SP_VALUE_ARRAY) &&
            !later(d, &d->sink, before.kind, before.string, depth))
            return false;
    }
    return SP_LIKELY(ret->kind < SP_VALUE_ARRAY) || later(d, ret, ret->kind, ret->string, depth);
}

static bool key_value_fields(struct sp_decoder *d, enum sp_level level, struct sp_slice bytes,
                             uint32_t depth, struct sp_attribute *ret)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    struct sp_joined value = {0};
    ret->key = (struct sp_slice){NULL, 0};
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        switch (f.tag) {
        case SP_TAG(1, SP_WIRE_LEN):
            sp_decoder_check_text(d, level, f.bytes, "a key");
            ret->key = f.bytes;
            break;
        case SP_TAG(2, SP_WIRE_LEN):
            if (!sp_joined_add(d, &value, f.bytes))
                return false;
            break;
        default:
            if (!sp_decoder_unknown(d, f, scan.at, KNOWN_KEY_VALUE, NULL))
                return false;
        }
    }
    return any_value(d, level, value.bytes, depth, &ret->value);
}

/* Nearly every attribute is a short key and a short value: 0a LEN key 12 LEN value, and most values are a string: 0a LEN
 * string. Both are recognised here without a loop; everything else goes the general way. */
static inline bool key_value(struct sp_decoder *d, enum sp_level level, struct sp_slice bytes,
                             uint32_t depth, struct sp_attribute *ret)
{
    const uint8_t *p = bytes.ptr;
    size_t key_len = bytes.len > 2 ? p[1] : 0;
    if (key_len >= 0x80 || bytes.len < 2 + key_len + 4 || p[0] != SP_TAG(1, SP_WIRE_LEN))
        return key_value_fields(d, level, bytes, depth, ret);
    const uint8_t *v = p + 2 + key_len;
    size_t rest = bytes.len - 2 - key_len;
    if (v[0] != SP_TAG(2, SP_WIRE_LEN) || v[1] >= 0x80 || v[1] != rest - 2)
        return key_value_fields(d, level, bytes, depth, ret);
    ret->key = sp_slice_make(p + 2, key_len);
    if (v[2] != SP_TAG(1, SP_WIRE_LEN) || v[3] >= 0x80 || v[3] != rest - 4) {
        sp_decoder_check_text(d, level, ret->key, "a key");
        return any_value(d, level, sp_slice_make(v + 2, rest - 2), depth, &ret->value);
    }
    ret->value.kind = SP_VALUE_STRING;
    ret->value.count = 0;
    ret->value.string = sp_slice_make(v + 4, rest - 4);
    if (SP_UNLIKELY(!sp_text_is_ascii(bytes))) { /* what is between the two texts is below 0x80 */
        sp_decoder_check_text(d, level, ret->key, "a key");
        sp_decoder_check_text(d, level, ret->value.string, "a string value");
    }
    return true;
}

/* ArrayValue and KeyValueList have one field: values, number 1. */
static bool list_count(struct sp_decoder *d, struct sp_slice bytes, size_t *ret)
{
    struct sp_scan scan = sp_scan_make(bytes);
    struct sp_field f;
    *ret = 0;
    while (scan.at < scan.end) {
        NEXT_FIELD(d, &scan, &f);
        if (f.tag == SP_TAG(1, SP_WIRE_LEN))
            *ret += 1;
        else if (!sp_decoder_unknown(d, f, scan.at, KNOWN_LIST, NULL))
            return false;
    }
    if (*ret > d->attributes_left) {
        return sp_decoder_fail(d, SP_LIMIT, bytes.ptr, "more than %zu attributes in one request",
                               d->limits->attributes_max);
    }
    d->attributes_left -= *ret;
    return true;
}

static bool container(struct sp_decoder *d, enum sp_level level, const struct sp_pending *p)
{
    size_t count = 0, done = 0;
    if (!list_count(d, p->bytes, &count))
        return false;
    bool array = p->kind == SP_VALUE_ARRAY;
    struct sp_value *items = NULL;
    struct sp_attribute *entries = NULL;
    if (array)
        items = sp_arena_calloc(d->arena, count, sizeof(*items));
    else
        entries = sp_arena_calloc(d->arena, count, sizeof(*entries));
    if (!items && !entries)
        return sp_decoder_no_memory(d);
    struct sp_scan scan = sp_scan_make(p->bytes);
    struct sp_field f;
    while (done < count && !sp_scan_field(&scan, &f)) { /* list_count found every field sound */
        if (f.tag != SP_TAG(1, SP_WIRE_LEN))
            continue;
        if (array ? !any_value(d, level, f.bytes, p->depth + 1, &items[done])
                  : !key_value(d, level, f.bytes, p->depth + 1, &entries[done]))
            return false;
        done++;
    }
    *p->target = (struct sp_value){.kind = p->kind, .count = (uint32_t)count};
    if (array)
        p->target->items = items;
    else
        p->target->entries = entries;
    return true;
}

static bool containers(struct sp_decoder *d, enum sp_level level)
{
    while (d->pending) {
        struct sp_pending *p = d->pending, copy = *p;
        d->pending = p->next;
        p->next = d->unused;
        d->unused = p;
        if (!container(d, level, &copy))
            return false;
    }
    return true;
}

bool sp_decode_attributes(struct sp_decoder *d, enum sp_level level, size_t from, uint32_t number,
                          uint32_t count, struct sp_attributes *ret)
{
    ret->items = NULL;
    ret->count = count;
    if (count == 0)
        return true;
    struct sp_attribute *items = sp_arena_alloc(d->arena, count * sizeof(*items));
    if (!items)
        return sp_decoder_no_memory(d);
    size_t done = 0;
    for (size_t i = from; done < count; i++)
        if (d->children[i].number == number &&
            !key_value(d, level, d->children[i].bytes, 1, &items[done++]))
            return false;
    ret->items = items;
    return containers(d, level);
}
