/* SPDX-License-Identifier: Apache-2.0
 *
 * Any set of spans: 8 bytes each of the input are id, parent, kind, status, start, length, link and service of a span. The
 * tree holds every span once, critical paths fill their spans, every call has its two ends, clocks and sums lose nothing. */
#include "lib/analysis/analysis.h"
#include "tests/fuzz/fuzz.h"

#define BYTES_A_SPAN 8
#define SPANS_MAX    4096

static struct sp_resource resources[3];
static struct sp_attribute names[3];
static const struct sp_scope scope;

static void make_resources(void)
{
    static const char *const services[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        names[i].key = SP_SLICE("service.name");
        names[i].value =
            (struct sp_value){.kind = SP_VALUE_STRING, .string = sp_slice_cstr(services[i])};
        resources[i].attributes = (struct sp_attributes){.items = &names[i], .count = 1};
    }
}

static void make_span(const uint8_t *in, struct sp_span *span, struct sp_link *link)
{
    *link = (struct sp_link){.trace_id = {{1}}, .span_id = {{in[6]}}};
    *span = (struct sp_span){
        .trace_id = {{1}},
        .span_id = {{in[0], 1}}, /* never zero */
        .parent_span_id = {{in[1], in[1] != 0}},
        .kind = in[2] % 8,
        .status_code = in[3] % 4,
        .start_unix_ns = in[4],
        .end_unix_ns = in[4] + (uint64_t)in[5] - (in[5] > 250 ? 255 : 0),
        .links = link,
        .link_count = in[6] % 2,
        .resource = &resources[in[7] % 3],
        .scope = &scope,
    };
    if (span->end_unix_ns > UINT32_MAX) /* below zero: as late as a time can be */
        span->end_unix_ns = UINT64_MAX;
    link->span_id.bytes[1] = 1;
}

static void check_tree(const struct sp_trace *trace)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < trace->row_count; i++) {
        const struct sp_trace_row *row = &trace->rows[i];
        SP_ASSERT(row->subtree_size >= 1 && row->subtree_size <= trace->row_count - i);
        SP_ASSERT(row->self_ns <= row->duration_ns);
        SP_ASSERT((row->first_child == SP_ROW_NONE) == (row->subtree_size == 1));
        SP_ASSERT(row->first_child == SP_ROW_NONE || row->first_child == i + 1);
        SP_ASSERT(row->next_sibling == SP_ROW_NONE || row->next_sibling == i + row->subtree_size);
        if (row->parent == SP_ROW_NONE) {
            top++;
            SP_ASSERT(row->depth == 0);
            continue;
        }
        const struct sp_trace_row *parent = &trace->rows[row->parent];
        SP_ASSERT(row->parent < i && i < row->parent + parent->subtree_size);
        SP_ASSERT(row->depth == parent->depth + 1);
    }
    SP_ASSERT(top == trace->root_count + trace->orphan_count + trace->cycle_count);
}

static void check_path(const struct sp_trace *trace, const struct sp_critical_path *path)
{
    if (path->segment_count == 0) {
        SP_ASSERT(path->note);
        return;
    }
    uint64_t reached = trace->rows[0].span->start_unix_ns;
    for (size_t i = 0; i < path->segment_count; i++) {
        const struct sp_path_segment *segment = &path->segments[i];
        SP_ASSERT(segment->start_unix_ns == reached && segment->end_unix_ns > reached);
        SP_ASSERT(trace->rows[segment->row].flags & SP_ROW_CRITICAL);
        reached = segment->end_unix_ns;
    }
    SP_ASSERT(reached == trace->rows[0].span->start_unix_ns + trace->rows[0].duration_ns);
}

static void check_calls(const struct sp_graph_call *calls, size_t count)
{
    struct sp_graph graph;
    uint64_t sum = 0;
    sp_graph_init(&graph);
    for (size_t i = 0; i < count; i++) {
        SP_ASSERT(calls[i].client.len > 0 && calls[i].server.len > 0);
        SP_ASSERT(calls[i].client_span || calls[i].server_span);
        SP_ASSERT(sp_graph_add(&graph, &calls[i]) == SP_OK);
    }
    for (size_t i = 0; i < graph.edge_count; i++)
        sum += graph.edges[i].calls;
    SP_ASSERT(sum == count);
    sp_graph_fini(&graph);
}

/* Offsets lie within their bounds' reach, moved spans keep their durations, and nothing is lost. */
static void check_skew(struct sp_arena *arena, struct sp_trace *trace)
{
    struct sp_skew skew;
    struct sp_batch moved;
    uint32_t spans = 0;
    SP_ASSERT(sp_skew_find(arena, trace, &skew) == SP_OK);
    SP_ASSERT(sp_skew_adjust(arena, trace, &skew, &moved) == SP_OK);
    SP_ASSERT(moved.span_count == trace->row_count);
    for (uint32_t i = 0; i < skew.clock_count; i++) {
        spans += skew.clocks[i].span_count;
        SP_ASSERT(skew.clocks[i].offset_ns == 0 || skew.clocks[i].via != SP_CLOCK_NONE);
    }
    SP_ASSERT(spans == trace->row_count);
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_span *span = trace->rows[row].span;
        bool is_skewed = trace->rows[row].flags & SP_ROW_SKEWED;
        SP_ASSERT(is_skewed == (skew.clocks[skew.clock_of_row[row]].offset_ns != 0));
        SP_ASSERT(is_skewed || moved.spans[row].start_unix_ns == span->start_unix_ns);
    }
}

/* The path of every span fills it, and sums of paths are their durations. */
static void check_paths(struct sp_arena *arena, struct sp_trace *trace)
{
    struct sp_path_sum *sum = sp_path_sum_new(SP_PATH_BY_OPERATION, (size_t)64 << 20);
    struct sp_path_band band;
    struct sp_path_row *rows;
    size_t count;
    uint64_t self = 0;
    SP_ASSERT(sum);
    for (uint32_t row = 0; row < trace->row_count && row < 64; row++) {
        struct sp_critical_path path;
        SP_ASSERT(sp_critical_path_of(arena, trace, row, &path) == SP_OK);
        if (path.segment_count > 0)
            SP_ASSERT(sp_path_sum_add(sum, trace, row, &path, arena) == SP_OK);
    }
    sp_path_sum_band(sum, -1, &band);
    SP_ASSERT(sp_path_sum_rows(sum, &band, 1, arena, &rows, &count) == SP_OK);
    for (size_t i = 0; i < count; i++)
        self += rows[i].is_edge ? 0 : rows[i].shares[0].self_ns;
    SP_ASSERT(self == band.duration_sum_ns);
    sp_path_sum_free(sum);
}

/* Each span that was not sent before stands in one node. */
static void check_call_tree(struct sp_arena *arena, const struct sp_trace *trace)
{
    struct sp_call_tree tree;
    uint64_t calls = 0;
    SP_ASSERT(sp_call_tree_init(&tree, true, (size_t)64 << 20) == SP_OK);
    SP_ASSERT(sp_call_tree_add(&tree, 0, trace, arena) == SP_OK);
    for (uint32_t i = 0; i < tree.node_count; i++)
        calls += tree.nodes[i].sides[0].call_count;
    SP_ASSERT(calls + tree.duplicate_count + tree.left_out_calls == trace->row_count);
    sp_call_tree_fini(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = size / BYTES_A_SPAN;
    if (count > SPANS_MAX)
        return 0;
    struct sp_arena arena;
    sp_arena_init(&arena, (size_t)64 << 20);
    struct sp_span *spans = sp_arena_calloc(&arena, count, sizeof *spans);
    struct sp_link *links = sp_arena_calloc(&arena, count, sizeof *links);
    SP_ASSERT(spans && links);
    make_resources();
    for (size_t i = 0; i < count; i++)
        make_span(data + i * BYTES_A_SPAN, &spans[i], &links[i]);
    struct sp_batch batch = {.spans = spans, .span_count = count};
    struct sp_trace trace;
    struct sp_critical_path path;
    const struct sp_graph_call *calls = NULL;
    size_t call_count = 0;
    SP_ASSERT(sp_trace_assemble(&arena, &batch, &trace) == SP_OK);
    SP_ASSERT(trace.row_count == count);
    check_tree(&trace);
    SP_ASSERT(sp_critical_path(&arena, &trace, &path) == SP_OK);
    check_path(&trace, &path);
    SP_ASSERT(sp_graph_calls(&arena, &trace, &calls, &call_count) == SP_OK);
    check_calls(calls, call_count);
    check_skew(&arena, &trace);
    check_paths(&arena, &trace);
    check_call_tree(&arena, &trace);
    sp_arena_fini(&arena);
    return 0;
}
