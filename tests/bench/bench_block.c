/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/bench_block.c: what blocks of spans cost: nanoseconds a span to build, encode and decode, bytes a span by kind of
 * chunk and by column. Prints tables; asserts that what comes back is what went in, and nothing about time.
 * bench_block [-c] [COPIES [RECORDING]]: COPIES of the recording with other ids and times; -c: one line a column. RECORDING is
 * a file of tests/support/recording.h, at first the shop, or "synthetic": what `spoor load` makes. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/load_source.h"
#include "lib/wire/wire.h"
#include "tests/support/chunks.h"
#include "tests/support/recording.h"

#define BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)
#define ATTEMPTS  7

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- spans ---- */

struct corpus {
    const struct sp_span **spans; /* sorted as blocks want them */
    size_t count, cap, wire_bytes;
    struct sp_arena arena;
};

static void *must(void *ptr)
{
    SP_ASSERT(ptr != NULL);
    return ptr;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static void mask_id(uint8_t *id, size_t len, uint64_t copy)
{
    uint64_t bits[2] = {mix(copy), mix(copy + 1000)};
    for (size_t i = 0; i < len; i++)
        id[i] ^= ((const uint8_t *)bits)[i];
}

/* Another run of the same system: other ids, and later. */
static struct sp_span *copy_of(struct sp_arena *arena, const struct sp_span *span, uint64_t copy)
{
    struct sp_span *made = must(sp_arena_alloc(arena, sizeof(*made)));
    *made = *span;
    if (copy == 0)
        return made;
    mask_id(made->trace_id.bytes, sizeof(made->trace_id), copy);
    mask_id(made->span_id.bytes, sizeof(made->span_id), copy);
    if (!sp_span_id_is_zero(&made->parent_span_id))
        mask_id(made->parent_span_id.bytes, sizeof(made->parent_span_id), copy);
    uint64_t later = copy * 20 * 1000000000ULL;
    made->start_unix_ns += later;
    made->end_unix_ns += later;
    struct sp_event *events = must(sp_arena_calloc(arena, span->event_count + 1, sizeof(*events)));
    for (uint32_t i = 0; i < span->event_count; i++) {
        events[i] = span->events[i];
        events[i].time_unix_ns += later;
    }
    made->events = events;
    return made;
}

static void add_batch(struct corpus *corpus, const struct sp_batch *batch, uint64_t copies)
{
    size_t need = corpus->count + batch->span_count * copies;
    if (need > corpus->cap) {
        corpus->cap = need * 2;
        corpus->spans = must(realloc(corpus->spans, corpus->cap * sizeof(*corpus->spans)));
    }
    for (uint64_t copy = 0; copy < copies; copy++) {
        for (size_t i = 0; i < batch->span_count; i++)
            corpus->spans[corpus->count++] = copy_of(&corpus->arena, &batch->spans[i], copy);
    }
}

static int compare_traces(const void *a, const void *b)
{
    const struct sp_span *one = *(const struct sp_span *const *)a,
                         *two = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&one->trace_id, &two->trace_id);
    return order != 0 ? order : (one > two) - (one < two); /* spans of a copy lie in their order */
}

/* Takes the place of the one in cmd/: the generator hands its requests to us. */
enum sp_status sp_load_source_add(struct sp_load_source *source, struct sp_buf *request,
                                  struct sp_error *reterr)
{
    (void)reterr;
    struct sp_recording *recording = (struct sp_recording *)(void *)source;
    recording->requests =
        must(realloc(recording->requests, (recording->count + 1) * sizeof(*recording->requests)));
    struct sp_recorded *added = &recording->requests[recording->count++];
    *added = (struct sp_recorded){.signal = SP_SLICE("traces")};
    SP_ASSERT(sp_arena_copy(&recording->arena, sp_buf_slice(request), &added->body));
    return SP_OK;
}

static void recording_open(struct sp_recording *recording, const char *path)
{
    struct sp_error error;
    if (strcmp(path, "synthetic") == 0) {
        *recording = (struct sp_recording){0};
        sp_arena_init(&recording->arena, BYTES_MAX);
        SP_ASSERT(sp_load_source_generate((struct sp_load_source *)(void *)recording, 1, &error) ==
                  SP_OK);
    } else {
        SP_ASSERT(sp_recording_open(recording, path) == SP_OK);
    }
}

static void corpus_open(struct corpus *corpus, const struct sp_recording *recording,
                        uint64_t copies)
{
    for (size_t i = 0; i < recording->count; i++) {
        const struct sp_recorded *request = &recording->requests[i];
        const struct sp_batch *batch;
        struct sp_error error;
        if (!sp_slice_equal_cstr(request->signal, "traces"))
            continue;
        bool json = request->body.len > 0 && request->body.ptr[0] == '{';
        enum sp_status status = json ? sp_otlp_json_decode(&corpus->arena, request->body,
                                                           sp_limits_default(), &batch, &error)
                                     : sp_otlp_decode(&corpus->arena, request->body,
                                                      sp_limits_default(), &batch, &error);
        SP_ASSERT(status == SP_OK);
        add_batch(corpus, batch, copies);
        corpus->wire_bytes += request->body.len * copies;
    }
    qsort(corpus->spans, corpus->count, sizeof(*corpus->spans), compare_traces);
}

/* ---- sizes ---- */

static const char *const kinds[] = {
    "head",
    "traces",
    "span ids",
    "parent ids",
    "starts",
    "ends",
    "templates of spans",
    "templates of events",
    "templates of links",
    "event times",
    "link ids",
};

struct sizes {
    size_t fixed[SP_CHUNK_FIXED_COUNT], columns[SP_BLOCK_TABLE_COUNT];
    size_t chunks, all;
};

static void add_sizes(struct sizes *sizes, const struct sp_test_chunks *chunks,
                      const struct sp_block *block)
{
    for (size_t i = 0; i < chunks->count; i++) {
        const struct sp_test_chunk *chunk = &chunks->items[i];
        sizes->chunks++;
        sizes->all += chunk->len;
        if (chunk->number < SP_CHUNK_FIXED_COUNT)
            sizes->fixed[chunk->number] += chunk->len;
        else
            sizes->columns[block->columns[chunk->number - SP_CHUNK_FIRST_COLUMN].table] +=
                chunk->len;
    }
}

static void print_sizes(const struct sizes *sizes, double spans)
{
    static const char *const tables[] = {"columns of spans", "columns of events",
                                         "columns of links"};
    for (int i = 0; i < SP_CHUNK_FIXED_COUNT; i++)
        printf("  %-20s %8.3f\n", kinds[i], (double)sizes->fixed[i] / spans);
    for (int t = 0; t < SP_BLOCK_TABLE_COUNT; t++)
        printf("  %-20s %8.3f\n", tables[t], (double)sizes->columns[t] / spans);
    printf("  %-20s %8.3f   (%zu chunks)\n", "all", (double)sizes->all / spans, sizes->chunks);
}

static void print_columns(const struct sp_block_head *head, const struct sp_test_chunks *chunks)
{
    for (size_t i = 0; i < chunks->count; i++) {
        const struct sp_test_chunk *chunk = &chunks->items[i];
        if (chunk->number < SP_CHUNK_FIRST_COLUMN)
            continue;
        const struct sp_column *column =
            &head->block.columns[chunk->number - SP_CHUNK_FIRST_COLUMN];
        printf("  table %d role %d %-7s %-32.*s %6u values %6u distinct %7zu bytes\n",
               column->table, column->role, sp_value_kind_name(column->kind),
               SP_SLICE_PRINTF(column->key), column->count,
               head->columns[chunk->number - SP_CHUNK_FIRST_COLUMN].distinct, chunk->len);
    }
}

/* ---- one block ---- */

struct bench {
    struct sp_block_builder *builder;
    struct sp_block_encoder *encoder;
    struct sp_block_decoder *decoder;
    struct sp_test_chunks chunks;
    struct sp_arena arena;
    struct sizes sizes;
    uint64_t build_ns, encode_ns, decode_ns, head_ns;
    size_t blocks;
    bool with_columns;
};

static void encode(struct bench *bench, const struct sp_block *block)
{
    struct sp_error error;
    const struct sp_chunk_sink sink = sp_test_chunks_sink(&bench->chunks);
    sp_test_chunks_reset(&bench->chunks);
    SP_ASSERT(sp_block_encode(bench->encoder, block, &sink, &error) == SP_OK);
}

static void verify(struct bench *bench, const struct sp_block *block,
                   const struct sp_span *const *spans)
{
    struct sp_error error;
    uint32_t count = block->tables[SP_BLOCK_SPANS].count;
    struct sp_span *back = must(sp_arena_calloc(&bench->arena, count, sizeof(*back)));
    SP_ASSERT(sp_block_spans(block, 0, count, false, &bench->arena, back, &error) == SP_OK);
    for (uint32_t i = 0; i < count; i++)
        SP_ASSERT(sp_span_equal(&back[i], spans[i]));
}

static uint64_t decode(struct bench *bench, struct sp_block *ret, struct sp_block_head *ret_head)
{
    struct sp_error error;
    const struct sp_chunk_source source = sp_test_chunks_source(&bench->chunks);
    sp_arena_reset(&bench->arena);
    uint64_t begin = cpu_ns();
    SP_ASSERT(sp_block_decode(bench->decoder, &source, &bench->arena, ret, ret_head, &error) ==
              SP_OK);
    return cpu_ns() - begin;
}

static uint64_t decode_head(struct bench *bench)
{
    struct sp_error error;
    struct sp_block_head head;
    const struct sp_test_chunk *chunk = sp_test_chunks_find(&bench->chunks, SP_CHUNK_HEAD);
    sp_arena_reset(&bench->arena);
    uint64_t begin = cpu_ns();
    SP_ASSERT(sp_block_decode_head(bench->decoder, sp_slice_make(chunk->ptr, chunk->len),
                                   &bench->arena, &head, &error) == SP_OK);
    return cpu_ns() - begin;
}

/* Returns how many spans went into it. */
static size_t one_block(struct bench *bench, const struct sp_span *const *spans, size_t count)
{
    uint64_t build = UINT64_MAX, encoding = UINT64_MAX, decoding = UINT64_MAX, heading = UINT64_MAX;
    struct sp_block block, back;
    struct sp_block_head head;
    struct sp_error error;
    size_t taken = 0;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        sp_block_builder_reset(bench->builder);
        uint64_t begin = cpu_ns();
        SP_ASSERT(sp_block_builder_add_spans(bench->builder, spans, count, &taken, &error) ==
                      SP_OK &&
                  sp_block_builder_view(bench->builder, &block, &error) == SP_OK);
        uint64_t built = cpu_ns();
        encode(bench, &block);
        uint64_t encoded = cpu_ns();
        uint64_t decoded = decode(bench, &back, &head);
        if (attempt == 0) {
            verify(bench, &back, spans);
            add_sizes(&bench->sizes, &bench->chunks, &block);
            if (bench->with_columns)
                print_columns(&head, &bench->chunks);
        }
        uint64_t headed = decode_head(bench);
        build = built - begin < build ? built - begin : build;
        encoding = encoded - built < encoding ? encoded - built : encoding;
        decoding = decoded < decoding ? decoded : decoding;
        heading = headed < heading ? headed : heading;
    }
    bench->build_ns += build;
    bench->encode_ns += encoding;
    bench->decode_ns += decoding;
    bench->head_ns += heading;
    bench->blocks++;
    return taken;
}

int main(int argc, char **argv)
{
    char path[4096];
    struct sp_recording recording;
    struct corpus corpus = {0};
    struct bench bench = {0};
    struct sp_error error;
    bench.with_columns = argc > 1 && strcmp(argv[1], "-c") == 0;
    argv += bench.with_columns;
    argc -= bench.with_columns;
    uint64_t copies = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    snprintf(path, sizeof(path), "%s/otel-js-shop/pb.tar.gz", sp_test_data_dir());
    recording_open(&recording, argc > 2 ? argv[2] : path);
    sp_arena_init(&corpus.arena, BYTES_MAX);
    corpus_open(&corpus, &recording, copies);
    sp_arena_init(&bench.arena, BYTES_MAX);
    SP_ASSERT(sp_block_builder_new(&bench.builder, &error) == SP_OK &&
              sp_block_encoder_new(&bench.encoder, &error) == SP_OK &&
              sp_block_decoder_new(&bench.decoder, &error) == SP_OK);
    for (size_t at = 0; at < corpus.count;)
        at += one_block(&bench, corpus.spans + at, corpus.count - at);
    double spans = (double)corpus.count;
    printf("%zu spans, %.0f bytes a span on the wire, %zu blocks; CPU time, best of %d\n",
           corpus.count, (double)corpus.wire_bytes / spans, bench.blocks, ATTEMPTS);
    printf("build %.1f, encode %.1f, decode all %.1f ns a span; head %.1f us a block\n",
           (double)bench.build_ns / spans, (double)bench.encode_ns / spans,
           (double)bench.decode_ns / spans, (double)bench.head_ns / 1000 / (double)bench.blocks);
    printf("bytes a span:\n");
    print_sizes(&bench.sizes, spans);
    return 0;
}
