/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text: the parser takes it or says where it is wrong; what it takes prints to a text that gives the same tree. */
#include "lib/traceql/traceql.h"
#include "tests/fuzz/fuzz.h"

static void check_error(const struct sp_error *error, size_t size)
{
    SP_ASSERT(error->message[0] != '\0');
    SP_ASSERT(error->status == SP_LIMIT || error->offset <= size);
    SP_ASSERT(sp_utf8_valid(sp_slice_cstr(error->message)));
}

static void check_nodes(const struct sp_traceql_query *query, size_t size)
{
    for (uint32_t i = 0; i < query->node_count; i++) {
        const struct sp_traceql_node *node = query->nodes[i];
        SP_ASSERT(node->index == i && node->offset <= size);
        SP_ASSERT(!node->left || node->left->index < i);
        SP_ASSERT(!node->right || node->right->index < i);
        for (uint32_t item = 0; item < node->item_count; item++)
            SP_ASSERT(node->items[item]->index < i);
    }
    SP_ASSERT(query->nodes[query->node_count - 1] == query->root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_arena arena;
    struct sp_buf text;
    struct sp_error error = {0};
    const struct sp_traceql_query *query, *again;
    sp_arena_init(&arena, (size_t)64 << 20);
    sp_buf_init(&text, (size_t)8 << 20);
    if (sp_traceql_parse(&arena, sp_slice_make(data, size), &query, &error) != SP_OK) {
        check_error(&error, size);
    } else {
        check_nodes(query, size);
        sp_traceql_print(query, &text);
        SP_ASSERT(text.error == SP_OK);
        /* The normal form may be longer than a query may be. */
        if (text.len <= SP_TRACEQL_QUERY_BYTES_MAX) {
            enum sp_status status = sp_traceql_parse(&arena, sp_buf_slice(&text), &again, &error);
            SP_ASSERT(status == SP_OK);
            SP_ASSERT(sp_traceql_equal(query, again));
        }
    }
    sp_buf_fini(&text);
    sp_arena_fini(&arena);
    return 0;
}
