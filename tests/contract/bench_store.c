/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/bench_store.c: what the store on disk costs, without a network: the shop's recording, again and again with
 * other trace ids and later times, appended with 64 requests under way. Prints one line a figure. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"
#include "tests/support/recording.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define REPETITIONS 16
#define IN_FLIGHT   64
#define READS       2000

static double seconds_since(uint64_t start_ns)
{
    return (double)(sp_clock_monotonic_ns(sp_clock_system()) - start_ns) / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- input, made before anything is measured ---- */

struct input {
    struct sp_append **appends;
    size_t count, cap, spans, bytes;
    struct sp_trace_id ids[4096];
    size_t id_count;
};

static void add_request(struct input *input, struct sp_slice body, uint64_t repetition)
{
    struct sp_arena arena;
    const struct sp_batch *batch;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    if (sp_otlp_decode(&arena, body, sp_limits_default(), &batch, &error) != SP_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(EXIT_FAILURE);
    }
    struct sp_span *spans = sp_arena_calloc(&arena, batch->span_count, sizeof(*spans));
    for (size_t i = 0; i < batch->span_count; i++) {
        spans[i] = batch->spans[i];
        for (int b = 0; b < 8; b++)
            spans[i].trace_id.bytes[b] ^= (uint8_t)(repetition * 0x9e3779b97f4a7c15ULL >> (8 * b));
        spans[i].start_unix_ns += repetition * 60 * 1000000000ULL;
        spans[i].end_unix_ns += repetition * 60 * 1000000000ULL;
        if (input->id_count < SP_ARRAY_LEN(input->ids) && i == 0)
            input->ids[input->id_count++] = spans[i].trace_id;
    }
    if (input->count == input->cap) {
        input->cap = input->cap > 0 ? input->cap * 2 : 256;
        input->appends = realloc(input->appends, input->cap * sizeof(*input->appends));
    }
    struct sp_append *made = make_append(batch_of(&arena, spans, batch->span_count),
                                         SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
    input->appends[input->count++] = made;
    input->spans += batch->span_count;
    input->bytes += made->body.len;
    sp_arena_fini(&arena);
}

/* ---- appends ---- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t in_flight, failed;
};

static void gate_done(void *cookie, enum sp_status status, const struct sp_error *error)
{
    struct gate *gate = cookie;
    (void)error;
    pthread_mutex_lock(&gate->lock);
    gate->in_flight--;
    gate->failed += status != SP_OK;
    pthread_cond_signal(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_wait(struct gate *gate, size_t below)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->in_flight >= below)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void measure_appends(struct fixture *fixture, struct input *input)
{
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    double cpu = cpu_seconds();
    uint64_t start = sp_clock_monotonic_ns(sp_clock_system());
    for (size_t i = 0; i < input->count; i++) {
        gate_wait(&gate, IN_FLIGHT);
        input->appends[i]->done = gate_done;
        input->appends[i]->cookie = &gate;
        pthread_mutex_lock(&gate.lock);
        gate.in_flight++;
        pthread_mutex_unlock(&gate.lock);
        sp_store_append(fixture->store, input->appends[i]);
    }
    gate_wait(&gate, 1);
    double acked = seconds_since(start);
    sp_store_drain(fixture->store);
    double applied = seconds_since(start);
    fixture_reopen(fixture);
    struct sp_store_stats stats;
    if (sp_store_stats(fixture->store, &stats, NULL) != SP_OK || gate.failed > 0)
        exit(EXIT_FAILURE);
    printf("spans                     %zu (%zu bytes each as received)\n", input->spans,
           input->bytes / input->spans);
    printf("acked spans a second      %.0f\n", (double)input->spans / acked);
    printf("applied spans a second    %.0f\n", (double)input->spans / applied);
    printf("CPU us a span             %.2f\n", (cpu_seconds() - cpu) * 1e6 / (double)input->spans);
    printf("bytes on disk a span      %.1f\n", (double)stats.disk_bytes / (double)input->spans);
}

/* ---- reads ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure_reads(struct fixture *fixture, const struct input *input)
{
    static double seconds[READS];
    for (size_t i = 0; i < READS; i++) {
        struct sp_arena arena;
        const struct sp_batch *batch;
        sp_arena_init(&arena, SIZE_MAX);
        uint64_t start = sp_clock_monotonic_ns(sp_clock_system());
        if (sp_store_trace_read(fixture->store, &input->ids[i * 7919 % input->id_count], &arena,
                                &batch, NULL) != SP_OK)
            exit(EXIT_FAILURE);
        seconds[i] = seconds_since(start);
        sp_arena_fini(&arena);
    }
    qsort(seconds, READS, sizeof(seconds[0]), compare_doubles);
    printf("trace by id p50, p99      %.0f us, %.0f us\n", seconds[READS / 2] * 1e6,
           seconds[READS * 99 / 100] * 1e6);
}

static void measure_answers(struct fixture *fixture)
{
    const struct sp_service_row *services;
    const struct sp_key_row *keys;
    struct sp_latency_series *series;
    struct sp_graph_edge *edges;
    size_t count;
    bool complete;
    uint64_t start = sp_clock_monotonic_ns(sp_clock_system());
    if (sp_store_services(fixture->store, SP_TIME_RANGE_ALL, NULL, &fixture->arena, &services,
                          &count, NULL) != SP_OK)
        exit(EXIT_FAILURE);
    printf("services                  %.1f ms\n", seconds_since(start) * 1e3);
    start = sp_clock_monotonic_ns(sp_clock_system());
    if (sp_store_attribute_keys(fixture->store, 31, SP_SLICE(""), SP_TIME_RANGE_ALL, NULL, 1000,
                                &fixture->arena, &keys, &count, &complete, NULL) != SP_OK)
        exit(EXIT_FAILURE);
    printf("attribute keys            %.1f ms\n", seconds_since(start) * 1e3);
    start = sp_clock_monotonic_ns(sp_clock_system());
    if (sp_store_latency(fixture->store, SP_SLICE(""), SP_SLICE(""), -1, SP_TIME_RANGE_ALL, NULL,
                         &fixture->arena, &series, &count, NULL) != SP_OK)
        exit(EXIT_FAILURE);
    sp_latency_rows_fini(series, count);
    printf("latency                   %.1f ms\n", seconds_since(start) * 1e3);
    start = sp_clock_monotonic_ns(sp_clock_system());
    if (sp_store_graph(fixture->store, SP_TIME_RANGE_ALL, NULL, &fixture->arena, &edges, &count,
                       NULL) != SP_OK)
        exit(EXIT_FAILURE);
    sp_graph_edges_fini(edges, count);
    printf("graph of every trace      %.1f ms\n", seconds_since(start) * 1e3);
}

static int measure(void)
{
    static struct input input;
    struct fixture fixture;
    struct sp_recording recording;
    char path[4096];
    snprintf(path, sizeof(path), "%s/otel-js-shop/pb.tar.gz", sp_test_data_dir());
    if (sp_recording_open(&recording, path) != SP_OK)
        return EXIT_FAILURE;
    for (uint64_t repetition = 0; repetition < REPETITIONS; repetition++) {
        for (size_t i = 0; i < recording.count; i++) {
            if (sp_slice_equal_cstr(recording.requests[i].signal, "traces"))
                add_request(&input, recording.requests[i].body, repetition);
        }
    }
    sp_recording_close(&recording);
    fixture_init(&fixture, ENGINE_ROCKSDB);
    sp_store_close(fixture.store);
    fixture.options.durability = SP_DURABILITY_SYNC;
    fixture.options.backlog_bytes_max =
        SIZE_MAX / 2; /* what an overload costs is another question */
    if (sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL) != SP_OK)
        return EXIT_FAILURE;
    measure_appends(&fixture, &input);
    measure_reads(&fixture, &input);
    measure_answers(&fixture);
    fixture_fini(&fixture);
    free(input.appends);
    return EXIT_SUCCESS;
}

START_TEST(measure_the_store)
{
    ck_assert_int_eq(measure(), EXIT_SUCCESS);
}
END_TEST

/* A suite only because the fixture asserts as tests do. */
Suite *sp_test_suite(void)
{
    return role_suite(measure_the_store);
}
