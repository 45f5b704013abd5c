/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_calls.c: the calls of one trace, found on the columns of a block: what sp_trace_assemble and sp_graph_calls
 * (lib/analysis) find in its spans, without making them. The rules are theirs; tests compare the two on random traces. Rows are only
 * sorted when the order matters, which is when ids occur twice or parents form a cycle. */
#include "storage/edge_counter.h"

#include <stdlib.h>

#define NONE SP_ROW_NONE

static uint64_t id_number(const struct sp_span_id *id)
{
    uint64_t number;
    memcpy(&number, id->bytes, sizeof(number));
    return __builtin_bswap64(number); /* the order of numbers is that of the bytes */
}

static bool calls_out(int32_t kind)
{
    return kind == SP_KIND_CLIENT || kind == SP_KIND_PRODUCER;
}

static struct sp_edge_node *node_at(const struct sp_edge_counter *counter, uint32_t n)
{
    return &counter->nodes.items[n];
}

/* ---- nodes ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_twins(const struct sp_block *block, uint32_t a, uint32_t b)
{
    const uint32_t *templates = block->tables[SP_BLOCK_SPANS].templates;
    const struct sp_template *x = &block->templates[SP_BLOCK_SPANS][templates[a]];
    const struct sp_template *y = &block->templates[SP_BLOCK_SPANS][templates[b]];
    int order = compare_u64(block->ends[a], block->ends[b]);
    if (order == 0)
        order = (x->kind > y->kind) - (x->kind < y->kind);
    if (order == 0)
        order = (x->status_code > y->status_code) - (x->status_code < y->status_code);
    if (order == 0)
        order = sp_slice_compare(block->names->texts[x->name], block->names->texts[y->name]);
    if (order == 0) {
        struct sp_span left = {.resource = &block->resources[x->resource]};
        struct sp_span right = {.resource = &block->resources[y->resource]};
        order = sp_slice_compare(sp_span_service(&left), sp_span_service(&right));
    }
    return order != 0 ? order : compare_u64(a, b);
}

/* As sp_trace_assemble orders spans. */
static int compare_nodes(const void *left, const void *right, void *cookie)
{
    const struct sp_edge_node *a = left;
    const struct sp_edge_node *b = right;
    const struct sp_edge_counter *counter = cookie;
    int order = compare_u64(a->start_unix_ns, b->start_unix_ns);
    if (order == 0)
        order = compare_u64(a->id, b->id);
    return order != 0 ? order : compare_twins(counter->block, a->row, b->row);
}

static bool make_nodes(struct sp_edge_counter *counter, uint32_t trace)
{
    const struct sp_block *block = counter->block;
    const uint32_t *templates = block->tables[SP_BLOCK_SPANS].templates;
    uint32_t first = block->trace_rows[trace];
    uint32_t count = block->trace_rows[trace + 1] - first;
    uint32_t slot_count = 4;
    while (slot_count < 2 * count)
        slot_count *= 2;
    counter->nodes.count = counter->slots.count = 0;
    if (!sp_vector_reserve(&counter->nodes, count) ||
        !sp_vector_reserve(&counter->slots, slot_count))
        return false;
    counter->slot_mask = slot_count - 1;
    if (counter->seed == 0 && slot_count > SP_HASH_SMALL)
        counter->seed = sp_hash_seed();
    counter->nodes.count = count;
    counter->trace_id = &block->trace_ids[trace];
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_edge_template *template = &counter->templates.items[templates[first + i]];
        counter->nodes.items[i] =
            (struct sp_edge_node){.id = id_number(&block->span_ids[first + i]),
                                  .start_unix_ns = block->starts[first + i],
                                  .row = first + i,
                                  .service = template->service,
                                  .kind = template->kind,
                                  .is_error = template->error,
                                  .parent = NONE,
                                  .other = NONE};
    }
    return true;
}

/* ---- parents ---- */

static uint32_t *find_slot(const struct sp_edge_counter *counter, uint64_t id)
{
    uint32_t slot = (uint32_t)sp_hash_id(counter->seed, id) & counter->slot_mask;
    while (counter->slots.items[slot] != 0 &&
           node_at(counter, counter->slots.items[slot] - 1)->id != id)
        slot = (slot + 1) & counter->slot_mask;
    return &counter->slots.items[slot];
}

static uint32_t find_node(const struct sp_edge_counter *counter, uint64_t id)
{
    return *find_slot(counter, id) - 1; /* 0 - 1 is NONE */
}

/* False: an id occurs twice, and the nodes are not in order. */
static bool index_ids(struct sp_edge_counter *counter, bool is_ordered)
{
    memset(counter->slots.items, 0, ((size_t)counter->slot_mask + 1) * sizeof(uint32_t));
    for (uint32_t n = 0; n < counter->nodes.count; n++) {
        struct sp_edge_node *node = node_at(counter, n);
        uint32_t *slot = find_slot(counter, node->id);
        if (*slot == 0) {
            *slot = n + 1;
            continue;
        }
        if (!is_ordered)
            return false;
        struct sp_edge_node *first = node_at(counter, *slot - 1);
        bool are_halves = (first->kind == SP_KIND_CLIENT && node->kind == SP_KIND_SERVER) ||
                          (first->kind == SP_KIND_SERVER && node->kind == SP_KIND_CLIENT);
        if (first->other == NONE && are_halves)
            first->other = n;
        else
            node->is_duplicate = true;
    }
    return true;
}

/* The client half, if the node is the server half of a shared span. */
static uint32_t client_half(const struct sp_edge_counter *counter, uint32_t n)
{
    const struct sp_edge_node *node = node_at(counter, n);
    if (node->kind != SP_KIND_SERVER)
        return NONE;
    uint32_t first = find_node(counter, node->id);
    if (first == n)
        return node->other;
    return node_at(counter, first)->other == n ? first : NONE;
}

static void find_parents(struct sp_edge_counter *counter)
{
    for (uint32_t n = 0; n < counter->nodes.count; n++) {
        struct sp_edge_node *node = node_at(counter, n);
        uint64_t parent_id = id_number(&counter->block->parent_ids[node->row]);
        node->parent = client_half(counter, n);
        if (node->parent != NONE || parent_id == 0)
            continue;
        uint32_t parent = find_node(counter, parent_id);
        if (parent == NONE) {
            node->is_cut_off = true;
            continue;
        }
        const struct sp_edge_node *above = node_at(counter, parent);
        node->parent =
            above->other != NONE && above->kind == SP_KIND_CLIENT ? above->other : parent;
    }
}

/* False: there is one, and the nodes are not in order. */
static bool cut_cycles(struct sp_edge_counter *counter, bool is_ordered)
{
    for (uint32_t n = 0; n < counter->nodes.count; n++) {
        uint32_t at = n;
        while (at != NONE && node_at(counter, at)->mark == 0) {
            node_at(counter, at)->mark = n + 1;
            at = node_at(counter, at)->parent;
        }
        if (at == NONE || node_at(counter, at)->mark != n + 1)
            continue;
        if (!is_ordered)
            return false;
        uint32_t cut = at;
        for (uint32_t member = node_at(counter, at)->parent; member != at;
             member = node_at(counter, member)->parent)
            if (member < cut)
                cut = member;
        node_at(counter, cut)->parent = NONE;
        node_at(counter, cut)->is_cut_off = true;
    }
    return true;
}

/* ---- wrappers ---- */

static bool same_service(const struct sp_edge_counter *counter, uint32_t a, uint32_t b)
{
    return node_at(counter, a)->service == node_at(counter, b)->service;
}

/* Does a node work for whom its parent works for? */
static bool inherits(const struct sp_edge_counter *counter, uint32_t n)
{
    const struct sp_edge_node *node = node_at(counter, n);
    if (node->is_duplicate || node->parent == NONE || !same_service(counter, node->parent, n))
        return false;
    int32_t kind = node_at(counter, node->parent)->kind;
    return kind == SP_KIND_INTERNAL || kind == SP_KIND_UNSPECIFIED;
}

/* The calling span of its own service that a node works for: found at the top of a chain that is then marked, so that no
 * node is passed twice. mark is 0 where it is not known. */
static uint32_t outer_client(struct sp_edge_counter *counter, uint32_t n)
{
    uint32_t top = n;
    while (node_at(counter, top)->mark != 0 && inherits(counter, top))
        top = node_at(counter, top)->parent;
    struct sp_edge_node *end = node_at(counter, top);
    uint32_t outer = NONE;
    if (end->mark == 0)
        outer = end->outer_client;
    else if (!end->is_duplicate && end->parent != NONE && same_service(counter, end->parent, top) &&
             calls_out(node_at(counter, end->parent)->kind))
        outer = end->parent;
    for (uint32_t at = n;; at = node_at(counter, at)->parent) {
        node_at(counter, at)->outer_client = outer;
        node_at(counter, at)->mark = 0;
        if (at == top)
            return outer;
    }
}

static void find_wrappers(struct sp_edge_counter *counter)
{
    for (uint32_t n = 0; n < counter->nodes.count; n++) {
        if (!calls_out(node_at(counter, n)->kind) || node_at(counter, n)->is_duplicate)
            continue;
        uint32_t outer = outer_client(counter, n);
        if (outer != NONE)
            node_at(counter, outer)->is_matched = true;
    }
}

/* ---- calls ---- */

static uint64_t duration_at(const struct sp_block *block, uint32_t row)
{
    return block->ends[row] > block->starts[row] ? block->ends[row] - block->starts[row] : 0;
}

static bool add_call(struct sp_edge_counter *counter, uint32_t edge,
                     const struct sp_edge_node *client, const struct sp_edge_node *server)
{
    struct sp_edge_call call = {
        .edge = edge, .has_client = client != NULL, .has_server = server != NULL};
    if (edge == SP_INTERNER_NONE)
        return false;
    if (server != NULL) {
        call.minute = (uint32_t)(server->start_unix_ns / SP_ROLLUP_NS);
        call.server_ns = duration_at(counter->block, server->row);
        call.error |= server->is_error;
    }
    if (client != NULL) { /* decides the minute */
        call.minute = (uint32_t)(client->start_unix_ns / SP_ROLLUP_NS);
        call.client_ns = duration_at(counter->block, client->row);
        call.error |= client->is_error;
    }
    return sp_edge_rollup_call(counter->rollup, &call, counter->trace_id, SP_EDGE_ADD);
}

static bool add_pair(struct sp_edge_counter *counter, uint32_t caller, uint32_t callee,
                     enum sp_connection_type type)
{
    struct sp_edge_node *client = node_at(counter, caller);
    const struct sp_edge_node *server = node_at(counter, callee);
    struct sp_edge_key key = {.client = client->service,
                              .server = server->service,
                              .client_type = SP_NODE_SERVICE,
                              .server_type = SP_NODE_SERVICE,
                              .type = type};
    client->is_matched = true;
    return add_call(counter,
                    sp_interner_add(&counter->rollup->edges, 0, sp_slice_make(&key, sizeof(key))),
                    calls_out(client->kind) ? client : NULL, server);
}

static bool add_half(struct sp_edge_counter *counter, uint32_t n)
{
    const struct sp_edge_node *node = node_at(counter, n);
    bool is_client;
    uint32_t edge = sp_edge_counter_half_edge(counter, node->row, &is_client);
    return add_call(counter, edge, is_client ? node : NULL, is_client ? NULL : node);
}

static bool add_server_call(struct sp_edge_counter *counter, uint32_t n)
{
    const struct sp_edge_node *node = node_at(counter, n);
    if (node->parent == NONE)
        return node->is_cut_off || add_half(counter, n);
    int32_t kind = node_at(counter, node->parent)->kind;
    if (calls_out(kind))
        return add_pair(counter, node->parent, n,
                        kind == SP_KIND_PRODUCER ? SP_CONNECTION_MESSAGING : SP_CONNECTION_DIRECT);
    return same_service(counter, node->parent, n) ||
           add_pair(counter, node->parent, n, SP_CONNECTION_DIRECT);
}

/* Which node a link of this trace means, if that calls out. */
static uint32_t find_linked(const struct sp_edge_counter *counter, uint32_t link)
{
    const struct sp_block *block = counter->block;
    if (sp_trace_id_compare(&block->link_trace_ids[link], counter->trace_id) != 0)
        return NONE;
    uint32_t first = find_node(counter, id_number(&block->link_span_ids[link]));
    if (first == NONE || calls_out(node_at(counter, first)->kind))
        return first;
    uint32_t other = node_at(counter, first)->other;
    return other != NONE && calls_out(node_at(counter, other)->kind) ? other : NONE;
}

static bool pair_consumer(struct sp_edge_counter *counter, uint32_t producer, uint32_t consumer,
                          bool *found)
{
    if (producer == NONE || node_at(counter, producer)->linked == consumer + 1)
        return true;
    node_at(counter, producer)->linked = consumer + 1;
    *found = true;
    return add_pair(counter, producer, consumer, SP_CONNECTION_MESSAGING);
}

static bool add_consumer_calls(struct sp_edge_counter *counter, uint32_t n)
{
    const struct sp_edge_node *node = node_at(counter, n);
    bool found = false;
    if (node->parent != NONE &&
        (calls_out(node_at(counter, node->parent)->kind) ||
         !same_service(counter, node->parent, n)) &&
        !pair_consumer(counter, node->parent, n, &found))
        return false;
    if (counter->first_links.count > 0) {
        uint32_t end = counter->first_links.items[node->row + 1];
        for (uint32_t link = counter->first_links.items[node->row]; link < end; link++)
            if (!pair_consumer(counter, find_linked(counter, link), n, &found))
                return false;
    }
    return found || !sp_span_id_is_zero(&counter->block->parent_ids[node->row]) ||
           add_half(counter, n);
}

bool sp_edge_counter_trace(struct sp_edge_counter *counter, uint32_t trace)
{
    bool is_ordered = false;
    if (!make_nodes(counter, trace))
        return false;
    for (;;) {
        if (index_ids(counter, is_ordered)) {
            find_parents(counter);
            if (cut_cycles(counter, is_ordered))
                break;
        }
        if (!make_nodes(counter, trace))
            return false;
        qsort_r(counter->nodes.items, counter->nodes.count, sizeof(*counter->nodes.items),
                compare_nodes, counter);
        is_ordered = true;
    }
    find_wrappers(counter);
    bool fits = true;
    for (uint32_t n = 0; n < counter->nodes.count && fits; n++) {
        const struct sp_edge_node *node = node_at(counter, n);
        if (node->is_duplicate)
            continue;
        if (node->kind == SP_KIND_SERVER)
            fits = add_server_call(counter, n);
        else if (node->kind == SP_KIND_CONSUMER)
            fits = add_consumer_calls(counter, n);
    }
    for (uint32_t n = 0; n < counter->nodes.count && fits; n++) {
        const struct sp_edge_node *node = node_at(counter, n);
        if (calls_out(node->kind) && !node->is_duplicate && !node->is_matched)
            fits = add_half(counter, n);
    }
    return fits;
}
