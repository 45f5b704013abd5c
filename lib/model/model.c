/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/model/model.c: ids, names and look-ups: the small questions one asks a span. No allocation. */
#include "lib/model/model.h"

const struct sp_limits *sp_limits_default(void)
{
    static const struct sp_limits limits = {
        .body_bytes_max = SP_LIMIT_BODY_BYTES,
        .spans_max = SP_LIMIT_SPANS,
        .attributes_max = SP_LIMIT_ATTRIBUTES,
        .arena_bytes_max = SP_LIMIT_ARENA_BYTES,
        .nesting_max = SP_LIMIT_NESTING,
    };
    return &limits;
}

static const struct {
    const char *name, *advice;
} rejections[] = {
#define SP_REJECTION(name, advice) {#name, advice},
    SP_REJECTIONS(SP_REJECTION)
#undef SP_REJECTION
};

const char *sp_rejection_name(enum sp_rejection rejection)
{
    return rejections[rejection].name;
}

const char *sp_rejection_advice(enum sp_rejection rejection)
{
    return rejections[rejection].advice;
}

bool sp_span_id_is_zero(const struct sp_span_id *id)
{
    static const struct sp_span_id zero;
    return memcmp(id, &zero, sizeof(zero)) == 0;
}

int sp_span_id_compare(const struct sp_span_id *a, const struct sp_span_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool sp_trace_id_parse(struct sp_slice text, struct sp_trace_id *ret)
{
    struct sp_trace_id id = {{0}};
    size_t bytes = text.len == 2 * SP_TRACE_ID_BYTES ? SP_TRACE_ID_BYTES : SP_TRACE_ID_BYTES / 2;
    if (!sp_hex_decode(text, id.bytes + sizeof(id.bytes) - bytes, bytes) ||
        sp_trace_id_is_zero(&id)) {
        return false;
    }
    *ret = id;
    return true;
}

bool sp_span_id_parse(struct sp_slice text, struct sp_span_id *ret)
{
    struct sp_span_id id = {{0}};
    if (!sp_hex_decode(text, id.bytes, sizeof(id.bytes)) || sp_span_id_is_zero(&id)) {
        return false;
    }
    *ret = id;
    return true;
}

void sp_trace_id_format(const struct sp_trace_id *id, char out[SP_TRACE_ID_TEXT])
{
    sp_hex_encode(sp_slice_make(id->bytes, sizeof(id->bytes)), out);
    out[SP_TRACE_ID_TEXT - 1] = '\0';
}

void sp_span_id_format(const struct sp_span_id *id, char out[SP_SPAN_ID_TEXT])
{
    sp_hex_encode(sp_slice_make(id->bytes, sizeof(id->bytes)), out);
    out[SP_SPAN_ID_TEXT - 1] = '\0';
}

uint64_t sp_span_duration_ns(const struct sp_span *span)
{
    return span->end_unix_ns < span->start_unix_ns ? 0 : span->end_unix_ns - span->start_unix_ns;
}

const struct sp_value *sp_attributes_find(const struct sp_attributes *attributes,
                                          struct sp_slice key)
{
    for (uint32_t i = 0; i < attributes->count; i++) {
        if (sp_slice_equal(attributes->items[i].key, key)) {
            return &attributes->items[i].value;
        }
    }
    return NULL;
}

struct sp_slice sp_span_service(const struct sp_span *span)
{
    const struct sp_value *value =
        sp_attributes_find(&span->resource->attributes, SP_SLICE("service.name"));
    if (value && value->kind == SP_VALUE_STRING && value->string.len > 0) {
        return value->string;
    }
    return SP_SLICE("unknown_service");
}

static const char *const kind_names[] = {
    [SP_KIND_UNSPECIFIED] = "unspecified", [SP_KIND_INTERNAL] = "internal",
    [SP_KIND_SERVER] = "server",           [SP_KIND_CLIENT] = "client",
    [SP_KIND_PRODUCER] = "producer",       [SP_KIND_CONSUMER] = "consumer",
};

const char *sp_span_kind_name(int32_t kind)
{
    bool known = kind >= 0 && kind < (int32_t)SP_ARRAY_LEN(kind_names);
    return kind_names[known ? kind : SP_KIND_UNSPECIFIED];
}

bool sp_span_kind_parse(struct sp_slice name, int32_t *ret)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(kind_names); i++) {
        if (sp_slice_equal_cstr(name, kind_names[i])) {
            *ret = (int32_t)i;
            return true;
        }
    }
    return false;
}

const char *sp_span_status_name(int32_t status_code)
{
    static const char *const names[] = {
        [SP_SPAN_STATUS_UNSET] = "unset",
        [SP_SPAN_STATUS_OK] = "ok",
        [SP_SPAN_STATUS_ERROR] = "error",
    };
    bool known = status_code >= 0 && status_code < (int32_t)SP_ARRAY_LEN(names);
    return names[known ? status_code : SP_SPAN_STATUS_UNSET];
}

const char *sp_value_kind_name(enum sp_value_kind kind)
{
    static const char *const names[] = {
        [SP_VALUE_EMPTY] = "empty", [SP_VALUE_STRING] = "string", [SP_VALUE_BOOL] = "bool",
        [SP_VALUE_INT] = "int",     [SP_VALUE_DOUBLE] = "double", [SP_VALUE_BYTES] = "bytes",
        [SP_VALUE_ARRAY] = "array", [SP_VALUE_KVLIST] = "kvlist",
    };
    return names[kind];
}
