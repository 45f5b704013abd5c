/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/json_value.c: KeyValue, AnyValue, ArrayValue and KeyValueList in JSON. Values nest without bound, so the open
 * messages stand on a stack of our own, one frame each:
 *
 *   KVLIST [ --> ENTRY { key, value --> VALUE { arrayValue --> LIST { values --> ARRAY [ --> VALUE {
 *                                             { kvlistValue -> LIST { values --> KVLIST [ --> ENTRY {
 *
 * "attributes" of a span is a KVLIST at the bottom of the stack. In a VALUE the last member wins. */
#include "lib/wire/json_decoder.h"

enum frame_kind { FRAME_KVLIST, FRAME_ENTRY, FRAME_VALUE, FRAME_LIST, FRAME_ARRAY };

struct frame {
    enum frame_kind kind;
    enum sp_value_kind list; /* LIST: ARRAY or KVLIST */
    uint32_t depth;          /* LISTs from the bottom to here */
    size_t base;             /* KVLIST, ARRAY: where its items begin in the growing array */
    struct sp_slice key;     /* ENTRY */
    struct sp_value value;   /* ENTRY, VALUE: so far; LIST: its content; KVLIST, ARRAY: when done */
};

static struct frame *top(struct sp_json_decoder *d)
{
    return (struct frame *)(void *)(d->frames.ptr + d->frames.len - sizeof(struct frame));
}

static bool push(struct sp_json_decoder *d, enum frame_kind kind, enum sp_value_kind list)
{
    struct frame frame = {.kind = kind, .list = list, .value = {.kind = SP_VALUE_EMPTY}};
    frame.depth = (d->frames.len > 0 ? top(d)->depth : 0) + (kind == FRAME_LIST);
    frame.base = kind == FRAME_KVLIST ? d->attributes.len : d->values.len;
    return sp_json_decoder_append(d, &d->frames, &frame, sizeof(frame));
}

static struct frame pop(struct sp_json_decoder *d)
{
    struct frame frame = *top(d);
    d->frames.len -= sizeof(frame);
    return frame;
}

static bool push_counted(struct sp_json_decoder *d, enum frame_kind kind)
{
    if (d->attributes_left == 0) {
        return sp_json_decoder_limit(d, "more than %zu attributes in one request",
                                     d->limits->attributes_max);
    }
    d->attributes_left--;
    return push(d, kind, SP_VALUE_EMPTY);
}

static bool push_list(struct sp_json_decoder *d, enum sp_value_kind list)
{
    bool object;
    if (!sp_json_decoder_object(d, &object))
        return false;
    if (!object)
        return true;
    if (top(d)->depth >= d->nesting_max)
        return sp_json_decoder_limit(d, "values are nested in more than %u levels", d->nesting_max);
    return push(d, FRAME_LIST, list);
}

static bool double_field(struct sp_json_decoder *d, struct sp_value *ret)
{
    static const struct {
        const char *name;
        double number;
    } names[] = {
        {"NaN", __builtin_nan("")}, {"Infinity", __builtin_inf()}, {"-Infinity", -__builtin_inf()}};
    enum sp_json_event event = sp_json_next(&d->r);
    double number;
    if (event == SP_JSON_NULL)
        return true;
    bool ok =
        (event == SP_JSON_NUMBER || event == SP_JSON_STRING) && sp_parse_double(d->r.text, &number);
    for (size_t i = 0; !ok && event == SP_JSON_STRING && i < SP_ARRAY_LEN(names); i++) {
        ok = sp_slice_equal_cstr(d->r.text, names[i].name);
        number = names[i].number;
    }
    if (!ok)
        return sp_json_decoder_expected(d, "a number");
    *ret = (struct sp_value){.kind = SP_VALUE_DOUBLE, .number = number};
    return true;
}

static bool bytes_field(struct sp_json_decoder *d, struct sp_value *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    if (event == SP_JSON_NULL)
        return true;
    sp_buf_reset(&d->scratch);
    bool is_base64 = event == SP_JSON_STRING && sp_base64_decode(d->r.text, &d->scratch);
    if (d->scratch.error != SP_OK)
        return sp_json_decoder_no_memory(d, d->scratch.error);
    if (!is_base64)
        return sp_json_decoder_expected(d, "a string in base64");
    void *bytes;
    size_t len = d->scratch.len;
    if (!sp_json_decoder_keep(d, &d->scratch, 0, &bytes))
        return false;
    *ret = (struct sp_value){.kind = SP_VALUE_BYTES, .string = sp_slice_make(bytes, len)};
    return true;
}

static bool bool_field(struct sp_json_decoder *d, struct sp_value *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    if (event == SP_JSON_NULL)
        return true;
    if (event != SP_JSON_TRUE && event != SP_JSON_FALSE)
        return sp_json_decoder_expected(d, "true or false");
    *ret = (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = event == SP_JSON_TRUE};
    return true;
}

static bool string_field(struct sp_json_decoder *d, struct sp_value *ret)
{
    enum sp_json_event event = sp_json_next(&d->r);
    if (event == SP_JSON_NULL)
        return true;
    if (event != SP_JSON_STRING)
        return sp_json_decoder_expected(d, "a string");
    *ret = (struct sp_value){.kind = SP_VALUE_STRING, .string = d->r.text};
    return true;
}

static bool int_field(struct sp_json_decoder *d, struct sp_value *ret)
{
    int64_t number = 0;
    bool present;
    if (!sp_json_decoder_i64(d, &number, &present))
        return false;
    if (present)
        *ret = (struct sp_value){.kind = SP_VALUE_INT, .integer = number};
    return true;
}

/* Inside an AnyValue: its next member, or its end, which hands the value to the frame below. */
static bool value_step(struct sp_json_decoder *d)
{
    static const char *const names[] = {"stringValue", "intValue",    "boolValue", "doubleValue",
                                        "arrayValue",  "kvlistValue", "bytesValue"};
    int field;
    if (!sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field))
        return false;
    switch (field) {
    case 0:
        return string_field(d, &top(d)->value);
    case 1:
        return int_field(d, &top(d)->value);
    case 2:
        return bool_field(d, &top(d)->value);
    case 3:
        return double_field(d, &top(d)->value);
    case 4:
        return push_list(d, SP_VALUE_ARRAY);
    case 5:
        return push_list(d, SP_VALUE_KVLIST);
    case 6:
        return bytes_field(d, &top(d)->value);
    default:
        break;
    }
    struct frame done = pop(d);
    if (top(d)->kind == FRAME_ARRAY)
        return sp_json_decoder_append(d, &d->values, &done.value, sizeof(done.value));
    top(d)->value = done.value; /* of an ENTRY */
    return true;
}

/* Inside a KeyValue. */
static bool entry_step(struct sp_json_decoder *d)
{
    static const char *const names[] = {"key", "value"};
    int field;
    bool object;
    if (!sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field))
        return false;
    if (field == 0)
        return sp_json_decoder_text(d, &top(d)->key);
    if (field == 1) {
        return sp_json_decoder_object(d, &object) &&
               (!object || push(d, FRAME_VALUE, SP_VALUE_EMPTY));
    }
    struct frame done = pop(d);
    struct sp_attribute attribute = {done.key, done.value};
    return sp_json_decoder_append(d, &d->attributes, &attribute, sizeof(attribute));
}

/* Inside an ArrayValue or KeyValueList, whose only field is values. */
static bool list_step(struct sp_json_decoder *d)
{
    static const char *const names[] = {"values"};
    int field;
    bool array;
    if (!sp_json_decoder_key(d, names, SP_ARRAY_LEN(names), &field))
        return false;
    if (field == 0) {
        bool entries = top(d)->list == SP_VALUE_KVLIST;
        return sp_json_decoder_array(d, &array) &&
               (!array || push(d, entries ? FRAME_KVLIST : FRAME_ARRAY, SP_VALUE_EMPTY));
    }
    struct frame done = pop(d);
    done.value.kind = done.list; /* also without values */
    top(d)->value = done.value;
    return true;
}

/* Inside the array of values of one of them. The end at the bottom of the stack stays there for the caller. */
static bool array_step(struct sp_json_decoder *d, bool entries, bool *ret_bottom)
{
    bool more;
    if (!sp_json_decoder_element(d, &more))
        return false;
    if (more)
        return push_counted(d, entries ? FRAME_ENTRY : FRAME_VALUE);
    struct frame done = pop(d);
    struct sp_buf *array = entries ? &d->attributes : &d->values;
    size_t size = entries ? sizeof(struct sp_attribute) : sizeof(struct sp_value);
    struct sp_value value = {.kind = entries ? SP_VALUE_KVLIST : SP_VALUE_ARRAY,
                             .count = (uint32_t)((array->len - done.base) / size)};
    void *items;
    if (!sp_json_decoder_keep(d, array, done.base, &items))
        return false;
    if (entries)
        value.entries = items;
    else
        value.items = items;
    *ret_bottom = d->frames.len == 0;
    if (*ret_bottom) {
        done.value = value;
        return sp_json_decoder_append(d, &d->frames, &done, sizeof(done));
    }
    top(d)->value = value;
    return true;
}

bool sp_json_decode_attributes(struct sp_json_decoder *d, struct sp_attributes *ret)
{
    bool array, bottom = false;
    if (!sp_json_decoder_array(d, &array))
        return false;
    if (!array)
        return true;
    if (!push(d, FRAME_KVLIST, SP_VALUE_EMPTY))
        return false;
    for (uint32_t i = 0; i < ret->count; i++) /* "attributes" stood here before: it goes on */
        if (!sp_json_decoder_append(d, &d->attributes, &ret->items[i], sizeof(ret->items[i])))
            return false;
    while (!bottom) {
        bool ok = false;
        switch (top(d)->kind) {
        case FRAME_KVLIST:
            ok = array_step(d, true, &bottom);
            break;
        case FRAME_ARRAY:
            ok = array_step(d, false, &bottom);
            break;
        case FRAME_ENTRY:
            ok = entry_step(d);
            break;
        case FRAME_VALUE:
            ok = value_step(d);
            break;
        case FRAME_LIST:
            ok = list_step(d);
            break;
        }
        if (!ok)
            return false;
    }
    struct sp_value done = pop(d).value;
    ret->items = done.entries;
    ret->count = done.count;
    return true;
}
