/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/ids.c: ids that a query compares with: as they are stored, however they were written. */
#include <ctype.h>

#include "lib/traceql/build.h"

/* Hexadecimal digits of an id; 0: the field is none. */
static size_t id_digits(const struct sp_traceql_node *node)
{
    if (node->kind != SP_TRACEQL_FIELD)
        return 0;
    enum sp_traceql_intrinsic intrinsic = node->field.intrinsic;
    if (intrinsic == SP_TRACEQL_TRACE_ID || intrinsic == SP_TRACEQL_LINK_TRACE_ID)
        return SP_TRACE_ID_TEXT - 1;
    bool is_span = intrinsic == SP_TRACEQL_SPAN_ID || intrinsic == SP_TRACEQL_PARENT_ID ||
                   intrinsic == SP_TRACEQL_LINK_SPAN_ID;
    return is_span ? SP_SPAN_ID_TEXT - 1 : 0;
}

static bool is_hex(struct sp_slice text)
{
    bool good = text.len > 0;
    for (size_t i = 0; i < text.len && good; i++)
        good = isxdigit(text.ptr[i]) != 0;
    return good;
}

bool sp_traceql_complete_id(struct sp_traceql_builder *b, const struct sp_traceql_node *field,
                            struct sp_traceql_node *literal)
{
    size_t digits = id_digits(field);
    if (digits == 0 || literal->kind != SP_TRACEQL_LITERAL ||
        literal->value.type != SP_TRACEQL_TYPE_STRING)
        return true;
    struct sp_slice text = literal->value.string;
    if (text.len > digits || !is_hex(text))
        return true; /* no id is equal to it */
    uint8_t *whole = sp_arena_alloc(b->arena, digits);
    if (!whole)
        return sp_traceql_fail_memory(b) != NULL;
    memset(whole, '0', digits - text.len);
    for (size_t i = 0; i < text.len; i++)
        whole[digits - text.len + i] = (uint8_t)tolower(text.ptr[i]);
    literal->value.string = (struct sp_slice){whole, digits};
    return true;
}
