/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/value_counts.c: see lib/analysis/value_counts.h. A trace counts once for a value, however many of its spans carry
 * it: spans of one trace are no independent observations, and tests of chance are about those. */
#include "lib/analysis/analysis.h"
#include "lib/analysis/names.h"

enum { NAMES_TEXTS, NAMES_KEYS, NAMES_VALUES, NAMES_COUNT };

/* Keys of names; no padding. */
struct key_key {
    uint32_t scope, key;
};
struct value_key {
    uint32_t key, text, kind;
};

enum sp_status sp_value_counts_init(struct sp_value_counts *counts, size_t bytes_max)
{
    *counts = (struct sp_value_counts){0};
    sp_arena_init(&counts->arena, bytes_max);
    sp_buf_init(&counts->text, SP_VALUE_COUNTS_BYTES_MAX);
    counts->names = sp_arena_calloc(&counts->arena, NAMES_COUNT, sizeof(*counts->names));
    if (!counts->names)
        return counts->arena.error;
    for (int i = 0; i < NAMES_COUNT; i++)
        counts->names[i].arena = &counts->arena;
    return SP_OK;
}

void sp_value_counts_fini(struct sp_value_counts *counts)
{
    if (!counts)
        return;
    sp_buf_fini(&counts->text);
    sp_arena_fini(&counts->arena);
    *counts = (struct sp_value_counts){0};
}

/* ---- keys and values ---- */

#define LEFT_OUT UINT32_MAX

static bool add_key(struct sp_value_counts *counts, enum sp_value_scope scope, uint32_t text)
{
    if (counts->key_count == counts->key_cap) {
        uint32_t cap = counts->key_cap > 0 ? 2 * counts->key_cap : 64;
        struct sp_value_key *grown = sp_arena_grow(
            &counts->arena, counts->keys, counts->key_cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown)
            return false;
        counts->keys = grown;
        counts->key_cap = cap;
    }
    counts->keys[counts->key_count++] =
        (struct sp_value_key){.scope = scope, .key = counts->names[NAMES_TEXTS].items[text]};
    return true;
}

/* LEFT_OUT: there are too many. False: no memory. */
static bool find_key(struct sp_value_counts *counts, enum sp_value_scope scope, struct sp_slice key,
                     uint32_t *ret)
{
    struct key_key packed = {scope, sp_names_find(&counts->names[NAMES_TEXTS], key)};
    struct sp_names *keys = &counts->names[NAMES_KEYS];
    *ret = packed.key == SP_NAMES_NONE ? SP_NAMES_NONE : sp_names_find(keys, SP_NAMES_KEY(packed));
    if (*ret != SP_NAMES_NONE || counts->key_count == SP_VALUE_COUNTS_KEYS_MAX)
        return true;
    packed.key = sp_names_number(&counts->names[NAMES_TEXTS], key);
    if (packed.key == SP_NAMES_NONE || !add_key(counts, scope, packed.key))
        return false;
    *ret = sp_names_number(keys, SP_NAMES_KEY(packed));
    return *ret != SP_NAMES_NONE;
}

static bool add_value(struct sp_value_counts *counts, const struct value_key *key)
{
    if (counts->value_count == counts->value_cap) {
        uint32_t cap = counts->value_cap > 0 ? 2 * counts->value_cap : 256;
        struct sp_value_count *grown =
            sp_arena_grow(&counts->arena, counts->values, counts->value_cap * sizeof(*grown),
                          cap * sizeof(*grown));
        if (!grown)
            return false;
        counts->values = grown;
        counts->value_cap = cap;
    }
    counts->values[counts->value_count++] =
        (struct sp_value_count){.key = key->key,
                                .kind = (enum sp_value_kind)key->kind,
                                .text = counts->names[NAMES_TEXTS].items[key->text]};
    return true;
}

/* As find_key. */
static bool find_value(struct sp_value_counts *counts, uint32_t key, enum sp_value_kind kind,
                       struct sp_slice text, uint32_t *ret)
{
    struct sp_names *texts = &counts->names[NAMES_TEXTS], *values = &counts->names[NAMES_VALUES];
    struct value_key packed = {key, sp_names_find(texts, text), kind};
    *ret =
        packed.text == SP_NAMES_NONE ? SP_NAMES_NONE : sp_names_find(values, SP_NAMES_KEY(packed));
    if (*ret != SP_NAMES_NONE)
        return true;
    if (counts->keys[key].value_count == SP_VALUE_COUNTS_KEY_VALUES_MAX ||
        counts->value_count == SP_VALUE_COUNTS_VALUES_MAX) {
        counts->keys[key].is_cut = true;
        return true;
    }
    packed.text = sp_names_number(texts, text);
    if (packed.text == SP_NAMES_NONE || !add_value(counts, &packed))
        return false;
    counts->keys[key].value_count++;
    *ret = sp_names_number(values, SP_NAMES_KEY(packed));
    return *ret != SP_NAMES_NONE;
}

/* ---- one trace ---- */

struct counting {
    struct sp_value_counts *counts;
    int side;
    const struct sp_trace_id *trace_id;
    uint64_t trace; /* its number, from 1 on */
};

static bool count_text(struct counting *c, enum sp_value_scope scope, struct sp_slice key,
                       enum sp_value_kind kind, struct sp_slice text)
{
    struct sp_value_counts *counts = c->counts;
    uint32_t key_number, number = LEFT_OUT;
    if (text.len > SP_VALUE_COUNTS_BYTES_MAX || key.len > SP_VALUE_COUNTS_BYTES_MAX) {
        counts->left_out_long++;
        return true;
    }
    if (!find_key(counts, scope, key, &key_number) ||
        (key_number != LEFT_OUT && !find_value(counts, key_number, kind, text, &number)))
        return false;
    if (number == LEFT_OUT) {
        counts->left_out_many++;
        return true;
    }
    struct sp_value_count *value = &counts->values[number];
    if (value->last_trace == c->trace)
        return true;
    value->last_trace = c->trace;
    if (value->trace_counts[c->side]++ == 0)
        value->exemplars[c->side] = *c->trace_id;
    return true;
}

static bool count_attributes(struct counting *c, enum sp_value_scope scope,
                             const struct sp_attributes *attributes)
{
    struct sp_buf *text = &c->counts->text;
    for (uint32_t i = 0; i < attributes->count; i++) {
        const struct sp_attribute *attribute = &attributes->items[i];
        struct sp_slice value = attribute->value.string;
        if (attribute->value.kind != SP_VALUE_STRING) {
            sp_buf_reset(text);
            sp_value_text(&attribute->value, text);
            if (text->error == SP_NO_MEMORY)
                return false;
            value = sp_buf_slice(text);
            if (text->error != SP_OK) { /* longer than a value may be */
                c->counts->left_out_long++;
                continue;
            }
        }
        if (!count_text(c, scope, attribute->key, attribute->value.kind, value))
            return false;
    }
    return true;
}

static bool count_span(struct counting *c, const struct sp_span *span)
{
    const struct {
        const char *key;
        struct sp_slice text;
    } intrinsics[] = {
        {"name", span->name},
        {"kind", sp_slice_cstr(sp_span_kind_name(span->kind))},
        {"status", sp_slice_cstr(sp_span_status_name(span->status_code))},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics); i++)
        if (!count_text(c, SP_VALUE_SCOPE_INTRINSIC, sp_slice_cstr(intrinsics[i].key),
                        SP_VALUE_STRING, intrinsics[i].text))
            return false;
    return count_attributes(c, SP_VALUE_SCOPE_SPAN, &span->attributes);
}

enum sp_status sp_value_counts_add(struct sp_value_counts *counts, int side,
                                   const struct sp_trace *trace, const bool *of_row)
{
    struct counting c = {.counts = counts, .side = side};
    const struct sp_resource *last = NULL;
    c.trace = ++counts->trace_counts[side] + counts->trace_counts[1 - side];
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_span *span = trace->rows[row].span;
        if (of_row != NULL && !of_row[row])
            continue;
        c.trace_id = &span->trace_id;
        bool room = count_span(&c, span);
        if (room && span->resource != last)
            room = count_attributes(&c, SP_VALUE_SCOPE_RESOURCE, &span->resource->attributes);
        if (!room)
            return counts->arena.error != SP_OK ? counts->arena.error : SP_NO_MEMORY;
        last = span->resource;
    }
    return SP_OK;
}
