/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/bench_wire.c: nanoseconds a span that lib/wire takes on the shop's recording. Prints a table; asserts nothing
 * about time. bench_wire [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/wire/wire.h"
#include "tests/support/recording.h"

enum job {
    DECODE_PROTOBUF,
    DECODE_JSON,
    ENCODE_PROTOBUF,
    ENCODE_JSON,
    COPY,
    GUNZIP,
    UNZSTD,
    JOB_COUNT,
};

static const char *const job_names[] = {
    [DECODE_PROTOBUF] = "decode protobuf",
    [DECODE_JSON] = "decode JSON",
    [ENCODE_PROTOBUF] = "encode protobuf",
    [ENCODE_JSON] = "encode JSON",
    [COPY] = "deep copy",
    [GUNZIP] = "decompress gzip",
    [UNZSTD] = "decompress zstd",
};

/* One request in every form, made once. */
struct forms {
    const struct sp_span **spans;
    size_t count;
    struct sp_buf protobuf, json, gzip, zstd;
};

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void prepare(struct sp_arena *arena, struct sp_slice body, struct forms *forms)
{
    const size_t max = (size_t)256 * 1024 * 1024;
    const struct sp_batch *batch = NULL;
    struct sp_error error;
    struct sp_json_writer w;
    SP_ASSERT(sp_otlp_decode(arena, body, sp_limits_default(), &batch, &error) == SP_OK);
    forms->count = batch->span_count;
    forms->spans = sp_arena_calloc(arena, batch->span_count, sizeof(*forms->spans));
    SP_ASSERT(forms->spans);
    for (size_t i = 0; i < batch->span_count; i++) {
        forms->spans[i] = &batch->spans[i];
    }
    sp_buf_init(&forms->protobuf, max);
    sp_buf_init(&forms->json, max);
    sp_buf_init(&forms->gzip, max);
    sp_buf_init(&forms->zstd, max);
    sp_buf_append_slice(&forms->protobuf, body);
    sp_json_writer_init(&w, &forms->json);
    sp_otlp_json_encode(forms->spans, forms->count, &w);
    SP_ASSERT(sp_compress(SP_ENCODING_GZIP, body, 6, &forms->gzip) == SP_OK &&
              sp_compress(SP_ENCODING_ZSTD, body, 3, &forms->zstd) == SP_OK);
}

static void run(enum job job, const struct forms *forms, struct sp_arena *arena, struct sp_buf *out)
{
    const struct sp_limits *limits = sp_limits_default();
    const struct sp_batch *batch = NULL;
    struct sp_error error;
    struct sp_json_writer w;
    enum sp_status status = SP_OK;
    sp_arena_reset(arena);
    sp_buf_reset(out);
    switch (job) {
    case DECODE_PROTOBUF:
        status = sp_otlp_decode(arena, sp_buf_slice(&forms->protobuf), limits, &batch, &error);
        break;
    case DECODE_JSON:
        status = sp_otlp_json_decode(arena, sp_buf_slice(&forms->json), limits, &batch, &error);
        break;
    case ENCODE_PROTOBUF:
        status = sp_otlp_encode(forms->spans, forms->count, out);
        break;
    case ENCODE_JSON:
        sp_json_writer_init(&w, out);
        sp_otlp_json_encode(forms->spans, forms->count, &w);
        break;
    case COPY:
        status = sp_batch_copy(arena, forms->spans, forms->count, &batch);
        break;
    case GUNZIP:
        status = sp_decompress(SP_ENCODING_GZIP, sp_buf_slice(&forms->gzip), out, &error);
        break;
    case UNZSTD:
        status = sp_decompress(SP_ENCODING_ZSTD, sp_buf_slice(&forms->zstd), out, &error);
        break;
    case JOB_COUNT:
        break;
    }
    SP_ASSERT(status == SP_OK);
}

int main(int argc, char **argv)
{
    char path[4096];
    struct sp_recording recording;
    long rounds = argc > 1 ? atol(argv[1]) : 100;
    snprintf(path, sizeof(path), "%s/otel-js-shop/pb.tar.gz", sp_test_data_dir());
    SP_ASSERT(sp_recording_open(&recording, path) == SP_OK);
    struct forms *forms = calloc(recording.count, sizeof(*forms));
    struct sp_arena memory, arena;
    struct sp_buf out;
    size_t count = 0, spans = 0, bytes = 0;
    SP_ASSERT(forms);
    sp_arena_init(&memory, (size_t)1024 * 1024 * 1024);
    sp_arena_init(&arena, (size_t)1024 * 1024 * 1024);
    sp_buf_init(&out, (size_t)256 * 1024 * 1024);
    for (size_t i = 0; i < recording.count; i++) {
        if (sp_slice_equal_cstr(recording.requests[i].signal, "traces")) {
            prepare(&memory, recording.requests[i].body, &forms[count]);
            spans += forms[count].count;
            bytes += forms[count++].protobuf.len;
        }
    }
    printf("%zu requests, %zu spans, %zu bytes a span; CPU time, best of 5\n", count, spans,
           bytes / spans);
    for (int job = 0; job < JOB_COUNT; job++) {
        uint64_t best = UINT64_MAX;
        for (int attempt = 0; attempt < 5; attempt++) {
            uint64_t begin = cpu_ns();
            for (long round = 0; round < rounds; round++) {
                for (size_t i = 0; i < count; i++) {
                    run((enum job)job, &forms[i], &arena, &out);
                }
            }
            uint64_t took = cpu_ns() - begin;
            best = took < best ? took : best;
        }
        printf("%-16s %7.1f ns a span\n", job_names[job],
               (double)best / (double)rounds / (double)spans);
    }
    return 0;
}
