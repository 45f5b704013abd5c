/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/bench_rollup.c: what counting a segment costs: the shop's recording, again and again with other trace ids and later
 * times, in blocks of 16,384 rows. Prints one line a figure. Run by hand. */
#include "storage/edge_rollup.h"
#include "storage/rollup.h"
#include "tests/support/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REPETITIONS 80
#define BLOCKS_MAX  128

static uint64_t now_ns(void)
{
    struct timespec now; /* of this process: other programs do not count */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void must(enum sp_status status, const char *what)
{
    if (status == SP_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, sp_status_name(status));
    exit(EXIT_FAILURE);
}

static struct sp_span *spans;
static size_t span_count;

static int compare_spans(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

static void load(struct sp_arena *arena)
{
    static struct sp_recording recording;
    char path[4096];
    snprintf(path, sizeof(path), "%s/otel-js-shop/pb.tar.gz", sp_test_data_dir());
    must(sp_recording_open(&recording, path), path);
    for (size_t r = 0; r < recording.count; r++) {
        const struct sp_batch *batch;
        struct sp_error error;
        if (!sp_slice_equal_cstr(recording.requests[r].signal, "traces") ||
            sp_otlp_decode(arena, recording.requests[r].body, sp_limits_default(), &batch,
                           &error) != SP_OK)
            continue;
        spans = realloc(spans, (span_count + batch->span_count) * sizeof(*spans));
        memcpy(spans + span_count, batch->spans, batch->span_count * sizeof(*spans));
        span_count += batch->span_count;
    }
}

/* All repetitions, sorted by trace, as shared blocks. */
static size_t make_blocks(struct sp_block_shared **blocks)
{
    struct sp_error error;
    size_t total = span_count * REPETITIONS;
    struct sp_span *all = malloc(total * sizeof(*all));
    const struct sp_span **sorted = malloc(total * sizeof(*sorted));
    for (size_t i = 0; i < total; i++) {
        uint64_t repetition = i / span_count;
        all[i] = spans[i % span_count];
        for (int b = 0; b < 8; b++)
            all[i].trace_id.bytes[b] ^= (uint8_t)(repetition * 0x9e3779b97f4a7c15ULL >> (8 * b));
        all[i].start_unix_ns += repetition * 2000000000;
        all[i].end_unix_ns += repetition * 2000000000;
        sorted[i] = &all[i];
    }
    qsort(sorted, total, sizeof(*sorted), compare_spans);
    struct sp_block_builder *builder;
    size_t count = 0;
    must(sp_block_builder_new(&builder, &error), "builder");
    for (size_t at = 0; at < total;) {
        struct sp_block block;
        size_t taken;
        must(sp_block_builder_add_spans(builder, sorted + at, total - at, &taken, &error), "add");
        must(sp_block_builder_view(builder, &block, &error), "view");
        must(sp_block_share(&block, &blocks[count++], &error), "share");
        sp_block_builder_reset(builder);
        at += taken;
    }
    sp_block_builder_free(builder);
    free(all);
    free(sorted);
    return count;
}

static void measure_rollup(struct sp_block_shared *const *blocks, size_t count, size_t total)
{
    struct sp_error error;
    struct sp_rollup rollup;
    struct sp_buf bytes;
    sp_rollup_init(&rollup);
    sp_buf_init(&bytes, SIZE_MAX);
    uint64_t start = now_ns();
    for (size_t i = 0; i < count; i++)
        must(sp_rollup_add_block(&rollup, &blocks[i]->block, &error), "add");
    printf("rollup add           %7.1f ns a span, %u rows, %zu cells\n",
           (double)(now_ns() - start) / (double)total, rollup.rows.count, rollup.cells.used);
    start = now_ns();
    must(sp_rollup_encode(&rollup, &bytes, &error), "encode");
    printf("rollup encode        %7.1f ns a span, %.3f bytes a span\n",
           (double)(now_ns() - start) / (double)total, (double)bytes.len / (double)total);
    struct sp_arena arena;
    struct sp_rollup_reader reader;
    struct sp_tally tally;
    sp_arena_init(&arena, SIZE_MAX);
    sp_tally_init(&tally, &arena);
    start = now_ns();
    must(sp_rollup_open(sp_buf_slice(&bytes), &arena, &reader, &error), "open");
    uint64_t opened = now_ns();
    must(sp_rollup_read_operations(&reader, SP_TIME_RANGE_ALL,
                                   &(struct sp_operation_filter){.kind = SP_KIND_ANY}, true, &tally,
                                   &error),
         "read");
    printf("rollup open / read   %7.1f / %.1f us\n", (double)(opened - start) / 1e3,
           (double)(now_ns() - opened) / 1e3);
    sp_tally_fini(&tally);
    sp_arena_fini(&arena);
    sp_buf_fini(&bytes);
    sp_rollup_fini(&rollup);
}

/* Traces from blocks through spans, with each block read once. */
static void measure_assembly(struct sp_block_shared *const *blocks, size_t count, size_t total)
{
    struct sp_error error;
    struct sp_arena arena, trace_arena;
    struct sp_graph graph;
    struct sp_span *read = malloc(SP_BLOCK_ROWS_MAX * sizeof(*read));
    uint64_t reading = 0, assembling = 0, adding = 0;
    sp_arena_init(&arena, SIZE_MAX);
    sp_arena_init(&trace_arena, SIZE_MAX);
    sp_graph_init(&graph);
    for (size_t b = 0; b < count; b++) {
        const struct sp_block *block = &blocks[b]->block;
        uint64_t start = now_ns();
        sp_arena_reset(&arena);
        must(sp_block_spans(block, 0, block->tables[SP_BLOCK_SPANS].count, false, &arena, read,
                            &error),
             "spans");
        reading += now_ns() - start;
        for (uint32_t t = 0; t < block->trace_count; t++) {
            struct sp_batch batch = {.spans = read + block->trace_rows[t],
                                     .span_count = block->trace_rows[t + 1] - block->trace_rows[t]};
            struct sp_trace trace;
            const struct sp_graph_call *calls;
            size_t call_count;
            start = now_ns();
            sp_arena_reset(&trace_arena);
            must(sp_trace_assemble(&trace_arena, &batch, &trace), "assemble");
            must(sp_graph_calls(&trace_arena, &trace, &calls, &call_count), "calls");
            uint64_t found = now_ns();
            for (size_t i = 0; i < call_count; i++)
                must(sp_graph_add(&graph, &calls[i]), "graph");
            assembling += found - start;
            adding += now_ns() - found;
        }
    }
    printf("spans of blocks      %7.1f ns a span\n", (double)reading / (double)total);
    printf("assemble and calls   %7.1f ns a span\n", (double)assembling / (double)total);
    printf("calls into a graph   %7.1f ns a span\n", (double)adding / (double)total);
    sp_graph_fini(&graph);
    sp_arena_fini(&arena);
    sp_arena_fini(&trace_arena);
    free(read);
}

static void measure_edges(struct sp_block_shared *const *blocks, size_t count, size_t total)
{
    struct sp_error error;
    struct sp_edge_rollup rollup, answer;
    struct sp_edge_counter *counter;
    struct sp_graph graph;
    struct sp_buf bytes;
    sp_edge_rollup_init(&rollup);
    sp_edge_rollup_init_answer(&answer);
    sp_graph_init(&graph);
    sp_buf_init(&bytes, SIZE_MAX);
    uint64_t start = now_ns();
    must(sp_edge_counter_new(&rollup, SP_PEER_NAMES_BY_DESTINATION, &counter, &error), "counter");
    for (size_t i = 0; i < count; i++)
        must(sp_edge_counter_add(counter, &blocks[i]->block, &error), "add");
    must(sp_edge_counter_finish(counter, &error), "finish");
    sp_edge_counter_free(counter);
    printf("edges of blocks      %7.1f ns a span, %u rows, %zu cells\n",
           (double)(now_ns() - start) / (double)total, rollup.rows.count, rollup.cells.used);
    start = now_ns();
    must(sp_edge_rollup_encode(&rollup, &bytes, &error), "encode");
    printf("edges encode         %7.1f ns a span, %.3f bytes a span\n",
           (double)(now_ns() - start) / (double)total, (double)bytes.len / (double)total);
    start = now_ns();
    must(sp_edge_rollup_read(sp_buf_slice(&bytes), SP_TIME_RANGE_ALL, &answer, &error), "read");
    must(sp_edge_rollup_graph(&answer, &graph, &error), "graph");
    printf("edges read           %7.1f us, %zu edges\n", (double)(now_ns() - start) / 1e3,
           graph.edge_count);
    sp_graph_fini(&graph);
    sp_buf_fini(&bytes);
    sp_edge_rollup_fini(&rollup);
    sp_edge_rollup_fini(&answer);
}

int main(void)
{
    static struct sp_block_shared *blocks[BLOCKS_MAX];
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    load(&arena);
    size_t count = make_blocks(blocks);
    size_t total = span_count * REPETITIONS;
    printf("%zu spans in %zu blocks\n", total, count);
    measure_rollup(blocks, count, total);
    measure_edges(blocks, count, total);
    measure_assembly(blocks, count, total);
    for (size_t i = 0; i < count; i++)
        sp_block_unref(blocks[i]);
    free(spans);
    sp_arena_fini(&arena);
    return EXIT_SUCCESS;
}
