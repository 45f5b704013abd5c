/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/path_sum.c: see lib/analysis/path_sum.h. Paths are kept apart by the bucket of their duration, so that a band of
 * ranks can be chosen when all are known:
 *
 *     bucket of the duration, node or edge  ->  cell: self, total, paths, exemplar
 *
 * A path is walked once, down the tree and over rows that are on it only; what stands above the present row is a stack. */
#include "lib/analysis/analysis.h"
#include "lib/analysis/names.h"

#include <math.h>
#include <stdlib.h>

#define NONE UINT32_MAX

/* Keys of names; no padding. */
struct node_key {
    uint32_t service, operation; /* numbers of texts */
};
struct edge_key {
    uint32_t client, server; /* entries */
};
struct cell_key {
    uint32_t bucket, entry;
};

/* A node or an edge, and what the path being added has of it. */
struct entry {
    bool is_edge;
    uint32_t node_or_edge; /* number of its key */
    uint32_t depth;        /* how often it stands on the stack */
    bool touched;
    uint64_t self_ns, total_ns; /* no more than the path's duration */
};

struct bucket {
    uint64_t path_count, duration_min_ns, duration_max_ns;
    __uint128_t duration_sum_ns;
};

struct sp_path_sum {
    enum sp_path_grain grain;
    struct sp_arena arena;
    struct sp_names texts, nodes, edges, entry_keys, cells;
    struct entry *entries; /* by number of entry_keys */
    uint32_t entry_cap;
    struct sp_path_share *shares; /* by number of cells */
    uint32_t share_cap;
    uint32_t *touched; /* entries of the path being added; room for all entries */
    uint32_t touched_count;
    struct bucket buckets[SP_HISTOGRAM_BUCKETS];
};

struct sp_path_sum *sp_path_sum_new(enum sp_path_grain grain, size_t bytes_max)
{
    struct sp_path_sum *sum = calloc(1, sizeof(*sum));
    if (!sum)
        return NULL;
    sum->grain = grain;
    sp_arena_init(&sum->arena, bytes_max);
    sum->texts.arena = sum->nodes.arena = sum->edges.arena = &sum->arena;
    sum->entry_keys.arena = sum->cells.arena = &sum->arena;
    return sum;
}

void sp_path_sum_free(struct sp_path_sum *sum)
{
    if (!sum)
        return;
    sp_arena_fini(&sum->arena);
    free(sum);
}

/* ---- entries ---- */

/* The entry of a node or edge, made when it is new. NONE: the arena is full. */
static uint32_t find_entry(struct sp_path_sum *sum, bool is_edge, uint32_t node_or_edge)
{
    uint32_t key[2] = {is_edge, node_or_edge};
    uint32_t before = sum->entry_keys.count;
    uint32_t number = sp_names_number(&sum->entry_keys, SP_NAMES_KEY(key));
    if (number == SP_NAMES_NONE || sum->entry_keys.count == before)
        return number;
    if (number == sum->entry_cap) {
        uint32_t cap = sum->entry_cap > 0 ? 2 * sum->entry_cap : 64;
        struct entry *grown = sp_arena_grow(&sum->arena, sum->entries,
                                            sum->entry_cap * sizeof(*grown), cap * sizeof(*grown));
        uint32_t *touched =
            grown != NULL ? sp_arena_calloc(&sum->arena, cap, sizeof(*touched)) : NULL;
        if (touched == NULL)
            return NONE;
        if (sum->touched_count > 0)
            memcpy(touched, sum->touched, sum->touched_count * sizeof(*touched));
        sum->entries = grown;
        sum->touched = touched;
        sum->entry_cap = cap;
    }
    sum->entries[number] = (struct entry){.is_edge = is_edge, .node_or_edge = node_or_edge};
    return number;
}

static uint32_t find_node(struct sp_path_sum *sum, struct sp_slice service,
                          struct sp_slice operation)
{
    struct node_key key = {sp_names_number(&sum->texts, service),
                           sp_names_number(&sum->texts, operation)};
    if (key.service == SP_NAMES_NONE || key.operation == SP_NAMES_NONE)
        return NONE;
    uint32_t node = sp_names_number(&sum->nodes, SP_NAMES_KEY(key));
    return node == SP_NAMES_NONE ? NONE : find_entry(sum, false, node);
}

static uint32_t find_edge(struct sp_path_sum *sum, uint32_t client, uint32_t server)
{
    struct edge_key key = {client, server};
    uint32_t edge = sp_names_number(&sum->edges, SP_NAMES_KEY(key));
    return edge == SP_NAMES_NONE ? NONE : find_entry(sum, true, edge);
}

static struct entry *touch(struct sp_path_sum *sum, uint32_t number)
{
    struct entry *entry = &sum->entries[number];
    if (!entry->touched)
        sum->touched[sum->touched_count++] = number;
    entry->touched = true;
    return entry;
}

/* ---- cells ---- */

static void settle_exemplar(struct sp_path_share *share, const struct sp_trace_id *trace,
                            uint64_t total_ns)
{
    bool better =
        sp_trace_id_is_zero(&share->exemplar) || total_ns > share->exemplar_ns ||
        (total_ns == share->exemplar_ns && sp_trace_id_compare(trace, &share->exemplar) < 0);
    if (!better)
        return;
    share->exemplar = *trace;
    share->exemplar_ns = total_ns;
}

static void add_share(struct sp_path_share *into, const struct sp_path_share *from)
{
    into->self_ns += from->self_ns;
    into->total_ns += from->total_ns;
    into->path_count += from->path_count;
    settle_exemplar(into, &from->exemplar, from->exemplar_ns);
}

static bool add_cell(struct sp_path_sum *sum, uint32_t bucket, uint32_t entry,
                     const struct sp_path_share *share)
{
    struct cell_key key = {bucket, entry};
    uint32_t before = sum->cells.count;
    uint32_t number = sp_names_number(&sum->cells, SP_NAMES_KEY(key));
    if (number == SP_NAMES_NONE)
        return false;
    if (number == sum->share_cap) {
        uint32_t cap = sum->share_cap > 0 ? 2 * sum->share_cap : 64;
        struct sp_path_share *grown = sp_arena_grow(
            &sum->arena, sum->shares, sum->share_cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown)
            return false;
        sum->shares = grown;
        sum->share_cap = cap;
    }
    if (sum->cells.count > before)
        sum->shares[number] = (struct sp_path_share){0};
    add_share(&sum->shares[number], share);
    return true;
}

static void add_bucket(struct bucket *into, const struct bucket *from)
{
    if (into->path_count == 0 || from->duration_min_ns < into->duration_min_ns)
        into->duration_min_ns = from->duration_min_ns;
    if (from->duration_max_ns > into->duration_max_ns)
        into->duration_max_ns = from->duration_max_ns;
    into->path_count += from->path_count;
    into->duration_sum_ns += from->duration_sum_ns;
}

/* ---- one path ---- */

struct place {
    uint32_t node, edge; /* entries; edge: the call that led into the node, or NONE */
};

struct walk {
    struct sp_path_sum *sum;
    const struct sp_trace *trace;
    uint32_t root;
    uint64_t *own, *below; /* by row behind root: time on the path, its own and with descendants */
    struct place *stack;
    uint32_t stack_count;
};

static bool prepare(struct walk *w, const struct sp_critical_path *path, struct sp_arena *scratch)
{
    const struct sp_trace_row *rows = w->trace->rows;
    uint32_t count = rows[w->root].subtree_size, depth_max = 0;
    w->own = sp_arena_calloc(scratch, count, sizeof(*w->own));
    w->below = sp_arena_calloc(scratch, count, sizeof(*w->below));
    if (!w->own || !w->below)
        return false;
    for (size_t i = 0; i < path->segment_count; i++) {
        const struct sp_path_segment *segment = &path->segments[i];
        uint32_t depth = rows[segment->row].depth - rows[w->root].depth;
        w->own[segment->row - w->root] += segment->end_unix_ns - segment->start_unix_ns;
        depth_max = depth > depth_max ? depth : depth_max;
    }
    for (uint32_t i = count; i-- > 0;) {
        w->below[i] += w->own[i];
        if (i > 0)
            w->below[rows[w->root + i].parent - w->root] += w->below[i];
    }
    w->stack = sp_arena_calloc(scratch, (size_t)depth_max + 1, sizeof(*w->stack));
    return w->stack != NULL;
}

static void leave_to(struct walk *w, uint32_t depth)
{
    while (w->stack_count > depth) {
        const struct place *place = &w->stack[--w->stack_count];
        w->sum->entries[place->node].depth--;
        if (place->edge != NONE)
            w->sum->entries[place->edge].depth--;
    }
}

/* Time below a row counts for an entry where the entry begins, and once however often it comes again below. */
static void enter(struct walk *w, uint32_t number, uint64_t own, uint64_t below)
{
    struct entry *entry = touch(w->sum, number);
    entry->self_ns += own;
    if (entry->depth++ == 0)
        entry->total_ns += below;
}

static bool add_row(struct walk *w, uint32_t row)
{
    const struct sp_trace_row *here = &w->trace->rows[row];
    uint32_t depth = here->depth - w->trace->rows[w->root].depth;
    leave_to(w, depth);
    bool by_operation = w->sum->grain == SP_PATH_BY_OPERATION;
    struct place place = {find_node(w->sum, sp_span_service(here->span),
                                    by_operation ? here->span->name : SP_SLICE("")),
                          NONE};
    if (place.node == NONE)
        return false;
    if (depth > 0) {
        const struct place *above = &w->stack[depth - 1];
        place.edge = above->edge;
        if (above->node != place.node) {
            place.edge = find_edge(w->sum, above->node, place.node);
            if (place.edge == NONE)
                return false;
        }
    }
    uint64_t own = w->own[row - w->root], below = w->below[row - w->root];
    enter(w, place.node, own, below);
    if (place.edge != NONE)
        enter(w, place.edge, own, below);
    w->stack[w->stack_count++] = place;
    return true;
}

/* Moves what the path has of each entry into the cells. */
static bool take(struct sp_path_sum *sum, uint32_t bucket, const struct sp_trace_id *trace)
{
    bool room = true;
    for (uint32_t i = 0; i < sum->touched_count; i++) {
        struct entry *entry = &sum->entries[sum->touched[i]];
        struct sp_path_share share = {.self_ns = entry->self_ns,
                                      .total_ns = entry->total_ns,
                                      .path_count = 1,
                                      .exemplar = *trace,
                                      .exemplar_ns = entry->total_ns};
        room = room && add_cell(sum, bucket, sum->touched[i], &share);
        entry->self_ns = entry->total_ns = 0;
        entry->touched = false;
    }
    sum->touched_count = 0;
    return room;
}

enum sp_status sp_path_sum_add(struct sp_path_sum *sum, const struct sp_trace *trace, uint32_t root,
                               const struct sp_critical_path *path, struct sp_arena *scratch)
{
    struct walk w = {.sum = sum, .trace = trace, .root = root};
    const struct sp_trace_row *top = &trace->rows[root];
    SP_ASSERT(path->segment_count > 0 && top->duration_ns > 0);
    if (!prepare(&w, path, scratch))
        return scratch->error;
    for (uint32_t row = root; row < root + top->subtree_size;) {
        if (w.below[row - root] == 0) { /* nor is anything below it on the path */
            row += trace->rows[row].subtree_size;
            continue;
        }
        if (!add_row(&w, row++))
            return sum->arena.error;
    }
    leave_to(&w, 0);
    uint16_t bucket = sp_histogram_index(top->duration_ns);
    const struct bucket one = {1, top->duration_ns, top->duration_ns, top->duration_ns};
    add_bucket(&sum->buckets[bucket], &one);
    return take(sum, bucket, &top->span->trace_id) ? SP_OK : sum->arena.error;
}

/* ---- many ---- */

static const struct node_key *node_at(const struct sp_path_sum *sum, uint32_t entry)
{
    return (const struct node_key *)(const void *)sum->nodes.items[sum->entries[entry].node_or_edge]
        .ptr;
}

static const struct edge_key *edge_at(const struct sp_path_sum *sum, uint32_t entry)
{
    return (const struct edge_key *)(const void *)sum->edges.items[sum->entries[entry].node_or_edge]
        .ptr;
}

static uint32_t copy_node(struct sp_path_sum *into, const struct sp_path_sum *from, uint32_t entry)
{
    const struct node_key *key = node_at(from, entry);
    return find_node(into, from->texts.items[key->service], from->texts.items[key->operation]);
}

static uint32_t copy_entry(struct sp_path_sum *into, const struct sp_path_sum *from, uint32_t entry)
{
    if (!from->entries[entry].is_edge)
        return copy_node(into, from, entry);
    uint32_t client = copy_node(into, from, edge_at(from, entry)->client);
    uint32_t server = copy_node(into, from, edge_at(from, entry)->server);
    return client == NONE || server == NONE ? NONE : find_edge(into, client, server);
}

enum sp_status sp_path_sum_merge(struct sp_path_sum *into, const struct sp_path_sum *from)
{
    SP_ASSERT(into->grain == from->grain);
    for (uint32_t i = 0; i < from->cells.count; i++) {
        const struct cell_key *key =
            (const struct cell_key *)(const void *)from->cells.items[i].ptr;
        uint32_t entry = copy_entry(into, from, key->entry);
        if (entry == NONE || !add_cell(into, key->bucket, entry, &from->shares[i]))
            return into->arena.error;
    }
    for (size_t i = 0; i < SP_HISTOGRAM_BUCKETS; i++)
        if (from->buckets[i].path_count > 0)
            add_bucket(&into->buckets[i], &from->buckets[i]);
    return SP_OK;
}

/* ---- bands ---- */

#define BAND_HALF_WIDTH 0.05

/* Ranks of a band, 1 to count. */
static void find_ranks(double q, uint64_t count, uint64_t *ret_first, uint64_t *ret_last)
{
    q = q > 1 ? 1 : q;
    double width = q < 1 - q ? q : 1 - q;
    width = width < BAND_HALF_WIDTH ? width : BAND_HALF_WIDTH;
    double first = (q - width) * (double)count, last = (q + width) * (double)count;
    /* a rank is in when its middle is; what is a hair off because of binary fractions does not count */
    *ret_first = (uint64_t)(first + 0.5 - 1e-9) + 1;
    *ret_last = (uint64_t)(last + 0.5 + 1e-9);
    if (*ret_last > count)
        *ret_last = count;
    if (*ret_first <= *ret_last)
        return;
    /* none is: the rank of the quantile itself */
    double rank = ceil(q * (double)count - 1e-9);
    *ret_first = *ret_last = rank < 1 ? 1 : (uint64_t)rank;
}

void sp_path_sum_band(const struct sp_path_sum *sum, double q, struct sp_path_band *ret)
{
    uint64_t count = 0, seen = 0, first = 1, last;
    for (size_t i = 0; i < SP_HISTOGRAM_BUCKETS; i++)
        count += sum->buckets[i].path_count;
    last = count;
    if (q >= 0)
        find_ranks(q, count, &first, &last);
    *ret = (struct sp_path_band){.q = q, .first_bucket = 1, .last_bucket = 0};
    struct bucket all = {0};
    for (size_t i = 0; i < SP_HISTOGRAM_BUCKETS && seen < last; i++) {
        const struct bucket *bucket = &sum->buckets[i];
        if (bucket->path_count == 0)
            continue;
        seen += bucket->path_count;
        if (seen < first)
            continue;
        if (all.path_count == 0)
            ret->first_bucket = (uint16_t)i;
        ret->last_bucket = (uint16_t)i;
        add_bucket(&all, bucket);
    }
    ret->path_count = all.path_count;
    ret->duration_sum_ns = all.duration_sum_ns;
    ret->duration_min_ns = all.duration_min_ns;
    ret->duration_max_ns = all.duration_max_ns;
}

/* ---- rows ---- */

static int compare_text(struct sp_slice a, struct sp_slice b, int order)
{
    return order != 0 ? order : sp_slice_compare(a, b);
}

static int compare_rows(const void *left, const void *right, void *cookie)
{
    const struct sp_path_row *a = left, *b = right;
    size_t last = *(const size_t *)cookie - 1;
    int order = (int)a->is_edge - (int)b->is_edge;
    if (order == 0)
        order = (a->shares[last].total_ns < b->shares[last].total_ns) -
                (a->shares[last].total_ns > b->shares[last].total_ns);
    order = compare_text(a->service, b->service, order);
    order = compare_text(a->operation, b->operation, order);
    order = compare_text(a->client_service, b->client_service, order);
    return compare_text(a->client_operation, b->client_operation, order);
}

static void name_row(const struct sp_path_sum *sum, uint32_t entry, struct sp_path_row *row)
{
    row->is_edge = sum->entries[entry].is_edge;
    uint32_t server = entry;
    if (row->is_edge) {
        const struct node_key *client = node_at(sum, edge_at(sum, entry)->client);
        row->client_service = sum->texts.items[client->service];
        row->client_operation = sum->texts.items[client->operation];
        server = edge_at(sum, entry)->server;
    }
    row->service = sum->texts.items[node_at(sum, server)->service];
    row->operation = sum->texts.items[node_at(sum, server)->operation];
}

enum sp_status sp_path_sum_rows(const struct sp_path_sum *sum, const struct sp_path_band *bands,
                                size_t band_count, struct sp_arena *arena,
                                struct sp_path_row **ret_rows, size_t *ret_count)
{
    SP_ASSERT(band_count > 0);
    uint32_t count = sum->entry_keys.count;
    struct sp_path_row *rows = sp_arena_calloc(arena, count, sizeof(*rows));
    struct sp_path_share *shares =
        sp_arena_calloc(arena, (size_t)count * band_count, sizeof(*shares));
    if (!rows || !shares)
        return arena->error;
    for (uint32_t i = 0; i < sum->cells.count; i++) {
        const struct cell_key *key = (const struct cell_key *)(const void *)sum->cells.items[i].ptr;
        for (size_t b = 0; b < band_count; b++)
            if (key->bucket >= bands[b].first_bucket && key->bucket <= bands[b].last_bucket)
                add_share(&shares[key->entry * band_count + b], &sum->shares[i]);
    }
    size_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool any = false;
        for (size_t b = 0; b < band_count; b++)
            any |= shares[i * band_count + b].path_count > 0;
        if (!any)
            continue;
        rows[kept].shares = &shares[i * band_count];
        name_row(sum, i, &rows[kept++]);
    }
    if (kept > 0)
        qsort_r(rows, kept, sizeof(*rows), compare_rows, &band_count);
    *ret_rows = rows;
    *ret_count = kept;
    return SP_OK;
}
