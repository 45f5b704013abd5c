/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden tests of lib/wire: what real senders sent is read whole, and comes out of each encoder as it went in. Recordings
 * that do not stand in the repository are skipped with a line where they are missing. */
#include <stdio.h>

#include "lib/wire/wire.h"
#include "tests/support/check_main.h"
#include "tests/support/recording.h"

struct totals {
    size_t requests, spans, rejected, residues;
};

static bool has_residue(const struct sp_span *span)
{
    bool found = span->residue.len || span->status_residue.len || span->resource->residue.len ||
                 span->resource->group_residue.len || span->scope->residue.len ||
                 span->scope->group_residue.len;
    for (uint32_t i = 0; i < span->event_count; i++) {
        found |= span->events[i].residue.len > 0;
    }
    for (uint32_t i = 0; i < span->link_count; i++) {
        found |= span->links[i].residue.len > 0;
    }
    return found;
}

static const struct sp_batch *decode(struct sp_arena *arena, bool json, struct sp_slice in,
                                     const char *what)
{
    struct sp_error error = {0};
    const struct sp_batch *batch = NULL;
    enum sp_status status =
        json ? sp_otlp_json_decode(arena, in, sp_limits_default(), &batch, &error)
             : sp_otlp_decode(arena, in, sp_limits_default(), &batch, &error);
    ck_assert_msg(status == SP_OK, "%s: %s", what, error.message);
    return batch;
}

static void assert_equal(const struct sp_batch *a, const struct sp_batch *b, const char *what)
{
    ck_assert_uint_eq(a->span_count, b->span_count);
    for (size_t i = 0; i < a->span_count; i++) {
        ck_assert_msg(sp_span_equal(&a->spans[i], &b->spans[i]), "%s: span %zu differs", what, i);
    }
}

/* One request, through both formats and back. */
static void replay(const struct sp_recorded *request, struct totals *totals)
{
    struct sp_arena arena;
    struct sp_buf out;
    sp_arena_init(&arena, (size_t)512 * 1024 * 1024);
    sp_buf_init(&out, (size_t)256 * 1024 * 1024);
    bool json = request->body.len > 0 && request->body.ptr[0] == '{';
    const struct sp_batch *batch = decode(&arena, json, request->body, "as recorded");
    size_t residues = 0;
    for (size_t i = 0; i < batch->span_count; i++) {
        residues += has_residue(&batch->spans[i]);
    }
    const struct sp_span **pointers = sp_arena_calloc(&arena, batch->span_count, sizeof(*pointers));
    for (size_t i = 0; i < batch->span_count; i++) {
        pointers[i] = &batch->spans[i];
    }
    ck_assert_int_eq(sp_otlp_encode(pointers, batch->span_count, &out), SP_OK);
    assert_equal(batch, decode(&arena, false, sp_buf_slice(&out), "protobuf"), "protobuf");
    if (residues == 0) {
        struct sp_json_writer w;
        sp_buf_reset(&out);
        sp_json_writer_init(&w, &out);
        sp_otlp_json_encode(pointers, batch->span_count, &w);
        ck_assert_int_eq(out.error, SP_OK);
        assert_equal(batch, decode(&arena, true, sp_buf_slice(&out), "JSON"), "JSON");
    }
    totals->requests++;
    totals->spans += batch->span_count;
    totals->rejected += batch->rejected_count;
    totals->residues += residues;
    sp_arena_fini(&arena);
    sp_buf_fini(&out);
}

static struct totals replay_all(struct sp_recording *recording)
{
    struct totals totals = {0};
    for (size_t i = 0; i < recording->count; i++) {
        const struct sp_recorded *request = &recording->requests[i];
        if (sp_slice_equal_cstr(request->signal, "traces")) {
            replay(request, &totals);
        }
    }
    return totals;
}

static struct totals replay_ours(const char *name)
{
    char path[4096];
    struct sp_recording recording;
    snprintf(path, sizeof(path), "%s/%s", sp_test_data_dir(), name);
    ck_assert_int_eq(sp_recording_open(&recording, path), SP_OK);
    struct totals totals = replay_all(&recording);
    sp_recording_close(&recording);
    return totals;
}

START_TEST(shop_in_protobuf_comes_back_equal)
{
    struct totals totals = replay_ours("otel-js-shop/pb.tar.gz");
    ck_assert_uint_eq(totals.requests, 101);
    ck_assert_uint_eq(totals.spans, 13114);
    ck_assert_uint_eq(totals.rejected, 0);
    ck_assert_uint_eq(totals.residues, 0);
}
END_TEST

START_TEST(shop_in_json_comes_back_equal)
{
    struct totals totals = replay_ours("otel-js-shop/json.tar.gz");
    ck_assert_uint_eq(totals.requests, 110);
    ck_assert_uint_eq(totals.spans, 13208);
    ck_assert_uint_eq(totals.rejected, 0);
}
END_TEST

START_TEST(requests_for_other_signals_hold_no_spans_or_are_refused)
{
    char path[4096];
    struct sp_recording recording;
    snprintf(path, sizeof(path), "%s/otel-js-shop/pb.tar.gz", sp_test_data_dir());
    ck_assert_int_eq(sp_recording_open(&recording, path), SP_OK);
    size_t others = 0;
    for (size_t i = 0; i < recording.count; i++) {
        if (sp_slice_equal_cstr(recording.requests[i].signal, "traces")) {
            continue;
        }
        struct sp_arena arena;
        sp_arena_init(&arena, (size_t)64 * 1024 * 1024);
        struct sp_error error = {0};
        const struct sp_batch *batch = NULL;
        enum sp_status status =
            sp_otlp_decode(&arena, recording.requests[i].body, sp_limits_default(), &batch, &error);
        ck_assert(status == SP_MALFORMED || batch->span_count == 0);
        others++;
        sp_arena_fini(&arena);
    }
    ck_assert_uint_eq(others, 87);
    sp_recording_close(&recording);
}
END_TEST

START_TEST(recordings_of_others_come_back_equal)
{
    static const struct {
        const char *name;
        size_t spans; /* 0: not stated */
    } others[] = {
        {"replay-otlp/trainticket-2023-01-30.grpcframes.zst", 179170},
        {"replay-otlp/istio-ecommerce-205span.grpcframes.zst", 205},
        {"replay-otlp/smartthings-1041span.grpcframes.zst", 1041},
        {"replay-otlp/dsb-socialnetwork.grpcframes.zst", 0},
        {"replay-otlp/zipkin-mixed.grpcframes.zst", 0},
        {"otel-demo/otel-demo-capture.jsonl.zst", 547},
    };
    const char *dir = sp_shared_data_dir();
    if (!dir) {
        printf("# skipped: no recordings beside the repository (SPOOR_SHARED_DATA)\n");
    }
    for (size_t i = 0; dir && i < SP_ARRAY_LEN(others); i++) {
        char path[4096];
        struct sp_recording recording;
        snprintf(path, sizeof(path), "%s/%s", dir, others[i].name);
        if (sp_recording_open(&recording, path) != SP_OK) {
            printf("# skipped: no %s\n", others[i].name);
            continue;
        }
        struct totals totals = replay_all(&recording);
        printf("# %s: %zu requests, %zu spans, %zu rejected, %zu with residue\n", others[i].name,
               totals.requests, totals.spans, totals.rejected, totals.residues);
        ck_assert_uint_gt(totals.spans, 0);
        ck_assert(others[i].spans == 0 || totals.spans == others[i].spans);
        sp_recording_close(&recording);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("recordings");
    TCase *tc = tcase_create("recordings");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, shop_in_protobuf_comes_back_equal);
    tcase_add_test(tc, shop_in_json_comes_back_equal);
    tcase_add_test(tc, requests_for_other_signals_hold_no_spans_or_are_refused);
    tcase_add_test(tc, recordings_of_others_come_back_equal);
    suite_add_tcase(suite, tc);
    return suite;
}
