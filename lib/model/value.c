/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/model/value.c: values: the walk over nested ones, and their text. No recursion. */
#include "lib/model/model.h"

static bool value_is_container(const struct sp_value *value)
{
    return value->kind == SP_VALUE_ARRAY || value->kind == SP_VALUE_KVLIST;
}

void sp_value_walk_init(struct sp_value_walk *walk, const struct sp_value *root)
{
    walk->value = root;
    walk->entry = NULL;
    walk->done = false;
    walk->depth = 0;
}

/* Makes value the current one, and enters it if it is a container. */
static enum sp_walk_event walk_arrive(struct sp_value_walk *walk, const struct sp_value *value,
                                      const struct sp_attribute *entry)
{
    walk->value = value;
    walk->entry = entry;
    if (!value_is_container(value)) {
        return SP_WALK_SCALAR;
    }
    SP_ASSERT(walk->depth < SP_NESTING_MAX);
    walk->stack[walk->depth].container = value;
    walk->stack[walk->depth].entry = entry;
    walk->stack[walk->depth].next = 0;
    walk->depth++;
    return SP_WALK_ENTER;
}

enum sp_walk_event sp_value_walk_next(struct sp_value_walk *walk)
{
    if (walk->depth == 0) {
        if (walk->done) {
            return SP_WALK_END;
        }
        walk->done = true; /* the root was not visited yet: depth is 0 again only behind it */
        return walk_arrive(walk, walk->value, NULL);
    }
    const struct sp_value *container = walk->stack[walk->depth - 1].container;
    uint32_t next = walk->stack[walk->depth - 1].next;
    if (next == container->count) {
        walk->depth--;
        walk->value = container;
        walk->entry = walk->stack[walk->depth].entry;
        return SP_WALK_LEAVE;
    }
    walk->stack[walk->depth - 1].next = next + 1;
    if (container->kind == SP_VALUE_ARRAY) {
        return walk_arrive(walk, &container->items[next], NULL);
    }
    return walk_arrive(walk, &container->entries[next].value, &container->entries[next]);
}

static void text_scalar(struct sp_json_writer *w, const struct sp_value *value)
{
    switch (value->kind) {
    case SP_VALUE_STRING:
        sp_json_string(w, value->string);
        break;
    case SP_VALUE_BOOL:
        sp_json_bool(w, value->boolean);
        break;
    case SP_VALUE_INT:
        sp_json_i64(w, value->integer);
        break;
    case SP_VALUE_DOUBLE:
        sp_json_double(w, value->number);
        break;
    case SP_VALUE_BYTES:
        sp_json_base64(w, value->string);
        break;
    case SP_VALUE_EMPTY:
    case SP_VALUE_ARRAY: /* containers do not come here */
    case SP_VALUE_KVLIST:
        sp_json_null(w);
        break;
    }
}

/* Numbers and booleans are the same in text and in JSON; only what JSON quotes differs. */
static void text_json(const struct sp_value *value, struct sp_buf *out)
{
    struct sp_json_writer w;
    sp_json_writer_init(&w, out);
    struct sp_value_walk walk;
    sp_value_walk_init(&walk, value);
    for (enum sp_walk_event event; (event = sp_value_walk_next(&walk)) != SP_WALK_END;) {
        if (walk.entry && event != SP_WALK_LEAVE) {
            sp_json_key_slice(&w, walk.entry->key);
        }
        bool array = walk.value->kind == SP_VALUE_ARRAY;
        if (event == SP_WALK_SCALAR) {
            text_scalar(&w, walk.value);
        } else if (event == SP_WALK_ENTER) {
            array ? sp_json_array_begin(&w) : sp_json_object_begin(&w);
        } else {
            array ? sp_json_array_end(&w) : sp_json_object_end(&w);
        }
    }
}

static void text_double(double number, struct sp_buf *out)
{
    if (number != number) {
        sp_buf_append_cstr(out, "NaN");
    } else if (number - number != 0) {
        sp_buf_append_cstr(out, number > 0 ? "Infinity" : "-Infinity");
    } else {
        char text[32];
        sp_buf_append(out, text, sp_format_double(number, text));
    }
}

void sp_value_text(const struct sp_value *value, struct sp_buf *out)
{
    switch (value->kind) {
    case SP_VALUE_EMPTY:
        break;
    case SP_VALUE_STRING:
        sp_buf_append_slice(out, value->string);
        break;
    case SP_VALUE_BYTES:
        sp_base64_encode(value->string, out);
        break;
    case SP_VALUE_DOUBLE:
        text_double(value->number, out);
        break;
    case SP_VALUE_BOOL:
    case SP_VALUE_INT:
    case SP_VALUE_ARRAY:
    case SP_VALUE_KVLIST:
        text_json(value, out);
        break;
    }
}
