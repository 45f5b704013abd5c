/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/traceql/print.c: a tree to its one normal form, and the comparison of trees. Walks with a path of fixed length: no
 * tree is deeper than SP_TRACEQL_DEPTH_MAX. */
#include "lib/traceql/tokens.h"

#include <math.h>

/* ---- values and names ---- */

void sp_traceql_print_string(struct sp_slice text, struct sp_buf *out)
{
    static const char names[] = "nrt\\\"", bytes[] = "\n\r\t\\\"";
    sp_buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        const char *named = byte ? strchr(bytes, byte) : NULL;
        size_t valid = byte >= 0x80
                           ? sp_utf8_valid_prefix(sp_slice_sub(text, i, 4)) /* a whole character? */
                           : 1;
        if (named)
            sp_buf_printf(out, "\\%c", names[named - bytes]);
        else if (byte < 0x20 || byte == 0x7f || valid == 0)
            sp_buf_printf(out, "\\x%02x", byte);
        else if (byte < 0x80)
            sp_buf_append_byte(out, byte);
        else {
            size_t len = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
            sp_buf_append(out, text.ptr + i, len);
            i += len - 1;
        }
    }
    sp_buf_append_byte(out, '"');
}

/* Letters, digits and what attribute names commonly hold; anything else is quoted. */
static bool is_plain_key(const struct sp_traceql_field *field)
{
    struct sp_slice key = field->key;
    if (key.len == 0)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        uint8_t byte = key.ptr[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool digit = byte >= '0' && byte <= '9';
        if (!letter && !digit && byte != '_' && byte != '.' && byte != '-')
            return false;
    }
    bool looks_like_number = key.ptr[0] >= '0' && key.ptr[0] <= '9';
    bool looks_like_scope = sp_slice_starts_with(key, SP_SLICE("span.")) ||
                            sp_slice_starts_with(key, SP_SLICE("resource."));
    return !looks_like_number && !(field->of_parent && looks_like_scope);
}

static void print_field(const struct sp_traceql_field *field, struct sp_buf *out)
{
    if (field->intrinsic != SP_TRACEQL_INTRINSIC_NONE) {
        sp_buf_append_cstr(out, sp_traceql_intrinsic_name(field->intrinsic));
        return;
    }
    const char *scope = sp_traceql_scope_name(field->scope);
    sp_buf_printf(out, "%s%s%s", field->of_parent ? "parent." : "", scope,
                  *scope || !field->of_parent ? "." : "");
    if (is_plain_key(field)) {
        sp_buf_append_slice(out, field->key);
        return;
    }
    sp_buf_append_byte(out, '"');
    for (size_t i = 0; i < field->key.len; i++) {
        uint8_t byte = field->key.ptr[i];
        if (byte == '"' || byte == '\\')
            sp_buf_append_byte(out, '\\');
        sp_buf_append_byte(out, byte);
    }
    sp_buf_append_byte(out, '"');
}

static void print_double(double number, struct sp_buf *out)
{
    char text[32];
    size_t len = sp_format_double(number, text);
    sp_buf_append(out, text, len);
    if (!memchr(text, '.', len) && !memchr(text, 'e', len) && !memchr(text, 'E', len))
        sp_buf_append_cstr(out, ".0");
}

/* In the largest unit that divides it: exact, and short for what people write. */
static void print_duration(int64_t duration_ns, struct sp_buf *out)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000},
                 {"ms", 1000000},      {"us", 1000},       {"ns", 1}};
    uint64_t size = duration_ns < 0 ? 0 - (uint64_t)duration_ns : (uint64_t)duration_ns;
    size_t unit = size == 0 ? 2 : 0;
    while (size % units[unit].ns != 0)
        unit++;
    sp_buf_printf(out, "%s%llu%s", duration_ns < 0 ? "-" : "",
                  (unsigned long long)(size / units[unit].ns), units[unit].name);
}

static void print_value(const struct sp_traceql_value *value, struct sp_buf *out)
{
    switch (value->type) {
    case SP_TRACEQL_TYPE_STRING:
        sp_traceql_print_string(value->string, out);
        break;
    case SP_TRACEQL_TYPE_BOOL:
        sp_buf_append_cstr(out, value->boolean ? "true" : "false");
        break;
    case SP_TRACEQL_TYPE_INT:
        if (value->integer == INT64_MIN)
            sp_buf_append_cstr(out, "minInt");
        else
            sp_buf_printf(out, "%lld", (long long)value->integer);
        break;
    case SP_TRACEQL_TYPE_FLOAT:
        print_double(value->number, out);
        break;
    case SP_TRACEQL_TYPE_DURATION:
        print_duration(value->integer, out);
        break;
    case SP_TRACEQL_TYPE_STATUS:
        sp_buf_append_cstr(out, sp_span_status_name((int32_t)value->integer));
        break;
    case SP_TRACEQL_TYPE_KIND:
        sp_buf_append_cstr(out, sp_span_kind_name((int32_t)value->integer));
        break;
    case SP_TRACEQL_TYPE_ANY:
    case SP_TRACEQL_TYPE_SPAN:
    case SP_TRACEQL_TYPE_SPANSET:
    case SP_TRACEQL_TYPE_SERIES:
        break; /* no literal has these */
    }
}

/* ---- brackets ---- */

static bool is_negative(const struct sp_traceql_value *value)
{
    if (value->type == SP_TRACEQL_TYPE_FLOAT)
        return signbit(value->number);
    return (value->type == SP_TRACEQL_TYPE_INT || value->type == SP_TRACEQL_TYPE_DURATION) &&
           value->integer < 0;
}

static enum sp_traceql_precedence arithmetic_precedence(enum sp_traceql_arithmetic arithmetic)
{
    switch (arithmetic) {
    case SP_TRACEQL_ADD:
    case SP_TRACEQL_SUBTRACT:
        return SP_PRECEDENCE_ADD;
    case SP_TRACEQL_MULTIPLY:
    case SP_TRACEQL_DIVIDE:
    case SP_TRACEQL_MODULO:
        return SP_PRECEDENCE_MULTIPLY;
    case SP_TRACEQL_POWER:
        return SP_PRECEDENCE_POWER;
    }
    return SP_PRECEDENCE_ATOM;
}

static enum sp_traceql_precedence node_precedence(const struct sp_traceql_node *node)
{
    switch (node->kind) {
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
        return SP_PRECEDENCE_LOGIC;
    case SP_TRACEQL_RELATION:
        return node->relation == SP_TRACEQL_AND || node->relation == SP_TRACEQL_OR
                   ? SP_PRECEDENCE_LOGIC
                   : SP_PRECEDENCE_COMPARE;
    case SP_TRACEQL_COMPARE:
    case SP_TRACEQL_EXISTS:
    case SP_TRACEQL_NOT_EXISTS:
        return SP_PRECEDENCE_COMPARE;
    case SP_TRACEQL_ARITHMETIC:
        return arithmetic_precedence(node->arithmetic);
    case SP_TRACEQL_NOT:
    case SP_TRACEQL_NEGATE:
        return SP_PRECEDENCE_UNARY;
    case SP_TRACEQL_LITERAL:
        return is_negative(&node->value) ? SP_PRECEDENCE_UNARY : SP_PRECEDENCE_ATOM;
    case SP_TRACEQL_FIELD:
    case SP_TRACEQL_FILTER:
    case SP_TRACEQL_REPEATED:
    case SP_TRACEQL_PIPELINE:
    case SP_TRACEQL_GROUP:
    case SP_TRACEQL_COALESCE:
    case SP_TRACEQL_SELECT:
    case SP_TRACEQL_AGGREGATE:
    case SP_TRACEQL_METRIC:
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
    case SP_TRACEQL_THRESHOLD:
        return SP_PRECEDENCE_ATOM;
    }
    return SP_PRECEDENCE_ATOM;
}

/* More brackets than the grammar needs where people would have to look the rule up. */
static bool needs_brackets(const struct sp_traceql_node *parent,
                           const struct sp_traceql_node *child)
{
    enum sp_traceql_precedence outer = node_precedence(parent), inner = node_precedence(child);
    switch (parent->kind) {
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
        return inner <= SP_PRECEDENCE_LOGIC;
    case SP_TRACEQL_RELATION:
        if (child == parent->left && child->kind == SP_TRACEQL_RELATION &&
            child->relation == parent->relation)
            return false;
        return child->kind == SP_TRACEQL_RELATION && inner <= outer;
    case SP_TRACEQL_COMPARE:
        return inner <= SP_PRECEDENCE_COMPARE;
    case SP_TRACEQL_ARITHMETIC:
        if (outer == SP_PRECEDENCE_POWER)
            return child == parent->left ? inner <= outer : inner < outer;
        return child == parent->left ? inner < outer : inner <= outer;
    case SP_TRACEQL_REPEATED:
        return child->kind == SP_TRACEQL_RELATION;
    case SP_TRACEQL_NOT:
    case SP_TRACEQL_NEGATE:
        return inner < SP_PRECEDENCE_ATOM;
    case SP_TRACEQL_LITERAL:
    case SP_TRACEQL_FIELD:
    case SP_TRACEQL_EXISTS:
    case SP_TRACEQL_NOT_EXISTS:
    case SP_TRACEQL_FILTER:
    case SP_TRACEQL_PIPELINE:
    case SP_TRACEQL_GROUP:
    case SP_TRACEQL_COALESCE:
    case SP_TRACEQL_SELECT:
    case SP_TRACEQL_AGGREGATE:
    case SP_TRACEQL_METRIC:
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
    case SP_TRACEQL_THRESHOLD:
        return false;
    }
    return false;
}

/* ---- a node is: text in front, children with text between them, text behind ---- */

static const struct sp_traceql_node *child_at(const struct sp_traceql_node *node, uint32_t index)
{
    if (node->left && index-- == 0)
        return node->left;
    if (node->right && index-- == 0)
        return node->right;
    return index < node->item_count ? node->items[index] : NULL;
}

/* "rate()" without its last bracket. */
static void print_call(const char *call, struct sp_buf *out)
{
    sp_buf_append(out, call, strlen(call) - 1);
}

static void print_numbers(const struct sp_traceql_node *metric, struct sp_buf *out)
{
    for (uint32_t i = 0; i < metric->number_count; i++) {
        sp_buf_append_cstr(out, ", ");
        print_value(&metric->numbers[i], out);
    }
}

static void print_front(const struct sp_traceql_node *node, struct sp_buf *out)
{
    switch (node->kind) {
    case SP_TRACEQL_LITERAL:
        print_value(&node->value, out);
        break;
    case SP_TRACEQL_FIELD:
        print_field(&node->field, out);
        break;
    case SP_TRACEQL_FILTER:
        sp_buf_append_cstr(out, "{ ");
        break;
    case SP_TRACEQL_NOT:
    case SP_TRACEQL_NEGATE:
    case SP_TRACEQL_COALESCE:
        sp_buf_append_cstr(out, sp_traceql_node_text(node));
        break;
    case SP_TRACEQL_THRESHOLD:
        sp_buf_printf(out, "%s ", sp_traceql_node_text(node));
        break;
    case SP_TRACEQL_GROUP:
    case SP_TRACEQL_SELECT:
    case SP_TRACEQL_AGGREGATE:
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
        print_call(sp_traceql_node_text(node), out);
        break;
    case SP_TRACEQL_METRIC:
        print_call(sp_traceql_node_text(node), out);
        if (!node->left && node->item_count > 0)
            sp_buf_append_cstr(out, ") by (");
        break;
    case SP_TRACEQL_EXISTS:
    case SP_TRACEQL_NOT_EXISTS:
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
    case SP_TRACEQL_COMPARE:
    case SP_TRACEQL_ARITHMETIC:
    case SP_TRACEQL_REPEATED:
    case SP_TRACEQL_RELATION:
    case SP_TRACEQL_PIPELINE:
        break;
    }
}

/* In front of a child that is not the first. */
static void print_between(const struct sp_traceql_node *node, uint32_t index, struct sp_buf *out)
{
    if (node->kind == SP_TRACEQL_SELECT) {
        sp_buf_append_cstr(out, ", ");
    } else if (node->kind == SP_TRACEQL_METRIC) {
        bool first_field = node->left && index == 1;
        if (first_field)
            print_numbers(node, out);
        sp_buf_append_cstr(out, first_field ? ") by (" : ", ");
    } else if (node->kind == SP_TRACEQL_PIPELINE) {
        bool threshold = node->items[index]->kind == SP_TRACEQL_THRESHOLD;
        sp_buf_append_cstr(out, threshold ? " " : " | ");
    } else {
        sp_buf_printf(out, " %s ", sp_traceql_node_text(node));
    }
}

static void print_back(const struct sp_traceql_node *node, struct sp_buf *out)
{
    switch (node->kind) {
    case SP_TRACEQL_EXISTS:
    case SP_TRACEQL_NOT_EXISTS:
        sp_buf_printf(out, " %s", sp_traceql_node_text(node));
        break;
    case SP_TRACEQL_FILTER:
        sp_buf_append_cstr(out, node->left ? " }" : "}");
        break;
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
        sp_buf_printf(out, "%llu)", (unsigned long long)node->limit);
        break;
    case SP_TRACEQL_REPEATED:
        sp_buf_printf(out, " repeated %llu", (unsigned long long)node->limit);
        break;
    case SP_TRACEQL_RELATION:
        if (sp_traceql_has_time(node)) {
            sp_buf_append_cstr(out, " within ");
            print_value(&node->value, out);
        }
        break;
    case SP_TRACEQL_METRIC:
        if (node->item_count == 0)
            print_numbers(node, out);
        sp_buf_append_cstr(out, ")");
        break;
    case SP_TRACEQL_GROUP:
    case SP_TRACEQL_SELECT:
    case SP_TRACEQL_AGGREGATE:
        sp_buf_append_cstr(out, ")");
        break;
    case SP_TRACEQL_LITERAL:
    case SP_TRACEQL_FIELD:
    case SP_TRACEQL_NOT:
    case SP_TRACEQL_NEGATE:
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
    case SP_TRACEQL_COMPARE:
    case SP_TRACEQL_ARITHMETIC:
    case SP_TRACEQL_PIPELINE:
    case SP_TRACEQL_COALESCE:
    case SP_TRACEQL_THRESHOLD:
        break;
    }
}

struct print_step {
    const struct sp_traceql_node *node;
    uint32_t next_child;
    bool brackets;
};

void sp_traceql_print_node(const struct sp_traceql_node *root, struct sp_buf *out)
{
    struct print_step path[SP_TRACEQL_DEPTH_MAX];
    uint32_t depth = 1;
    path[0] = (struct print_step){.node = root};
    print_front(root, out);
    while (depth > 0) {
        struct print_step *step = &path[depth - 1];
        const struct sp_traceql_node *child = child_at(step->node, step->next_child);
        if (!child) {
            print_back(step->node, out);
            if (step->brackets)
                sp_buf_append_byte(out, ')');
            depth--;
            continue;
        }
        if (step->next_child > 0)
            print_between(step->node, step->next_child, out);
        step->next_child++;
        bool brackets = child->kind == SP_TRACEQL_PIPELINE || needs_brackets(step->node, child);
        if (brackets)
            sp_buf_append_byte(out, '(');
        SP_ASSERT(depth < SP_TRACEQL_DEPTH_MAX);
        path[depth++] = (struct print_step){.node = child, .brackets = brackets};
        print_front(child, out);
    }
}

void sp_traceql_print(const struct sp_traceql_query *query, struct sp_buf *out)
{
    sp_traceql_print_node(query->root, out);
    for (uint32_t i = 0; i < query->hint_count; i++) {
        sp_buf_append_cstr(out, i == 0 ? " with (" : ", ");
        sp_buf_append_slice(out, query->hints[i].name);
        sp_buf_append_cstr(out, " = ");
        print_value(&query->hints[i].value, out);
    }
    if (query->hint_count > 0)
        sp_buf_append_byte(out, ')');
}

/* ---- equality ---- */

static bool value_equal(const struct sp_traceql_value *a, const struct sp_traceql_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == SP_TRACEQL_TYPE_STRING)
        return sp_slice_equal(a->string, b->string);
    if (a->type == SP_TRACEQL_TYPE_BOOL)
        return a->boolean == b->boolean;
    if (a->type == SP_TRACEQL_TYPE_FLOAT)
        return a->number == b->number && signbit(a->number) == signbit(b->number);
    return a->integer == b->integer;
}

static bool numbers_equal(const struct sp_traceql_node *a, const struct sp_traceql_node *b)
{
    if (a->number_count != b->number_count)
        return false;
    for (uint32_t i = 0; i < a->number_count; i++)
        if (!value_equal(&a->numbers[i], &b->numbers[i]))
            return false;
    return true;
}

static bool field_equal(const struct sp_traceql_field *a, const struct sp_traceql_field *b)
{
    return a->intrinsic == b->intrinsic && a->scope == b->scope && a->of_parent == b->of_parent &&
           sp_slice_equal(a->key, b->key);
}

/* Without the children. */
static bool node_equal(const struct sp_traceql_node *a, const struct sp_traceql_node *b)
{
    if (a->kind != b->kind || a->type != b->type || a->item_count != b->item_count ||
        !a->left != !b->left || !a->right != !b->right)
        return false;
    switch (a->kind) {
    case SP_TRACEQL_LITERAL:
        return value_equal(&a->value, &b->value);
    case SP_TRACEQL_FIELD:
        return field_equal(&a->field, &b->field);
    case SP_TRACEQL_COMPARE:
    case SP_TRACEQL_THRESHOLD:
        return a->comparison == b->comparison;
    case SP_TRACEQL_ARITHMETIC:
        return a->arithmetic == b->arithmetic;
    case SP_TRACEQL_RELATION:
        return a->relation == b->relation && sp_traceql_has_time(a) == sp_traceql_has_time(b) &&
               (!sp_traceql_has_time(a) || value_equal(&a->value, &b->value));
    case SP_TRACEQL_AGGREGATE:
        return a->aggregate == b->aggregate;
    case SP_TRACEQL_METRIC:
        return a->metric == b->metric && numbers_equal(a, b);
    case SP_TRACEQL_REPEATED:
    case SP_TRACEQL_TOPK:
    case SP_TRACEQL_BOTTOMK:
        return a->limit == b->limit;
    case SP_TRACEQL_NOT:
    case SP_TRACEQL_NEGATE:
    case SP_TRACEQL_EXISTS:
    case SP_TRACEQL_NOT_EXISTS:
    case SP_TRACEQL_ALL:
    case SP_TRACEQL_ANY:
    case SP_TRACEQL_FILTER:
    case SP_TRACEQL_PIPELINE:
    case SP_TRACEQL_GROUP:
    case SP_TRACEQL_COALESCE:
    case SP_TRACEQL_SELECT:
        return true;
    }
    return false;
}

/* Both lists hold children before parents, so equal nodes with equal shapes in the same order are equal trees. */
bool sp_traceql_equal(const struct sp_traceql_query *a, const struct sp_traceql_query *b)
{
    if (a->node_count != b->node_count || a->hint_count != b->hint_count)
        return false;
    for (uint32_t i = 0; i < a->node_count; i++)
        if (!node_equal(a->nodes[i], b->nodes[i]))
            return false;
    for (uint32_t i = 0; i < a->hint_count; i++)
        if (!sp_slice_equal(a->hints[i].name, b->hints[i].name) ||
            !value_equal(&a->hints[i].value, &b->hints[i].value))
            return false;
    return true;
}
