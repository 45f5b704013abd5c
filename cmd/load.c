/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/load.c: `spoor load`: sends recorded or generated requests to a server that takes OTLP, as fast as it acks them or
 * at a given rate, and says what the acks cost. One thread, many requests in flight. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/load_source.h"
#include "cmd/options.h"
#include "lib/analysis/analysis.h"
#include "lib/net/net.h"
#include "lib/wire/wire.h"

#define LOAD_REPLY_BYTES_MAX    ((size_t)4 * 1024 * 1024)
#define LOAD_REPLY_ARENA_BYTES  ((size_t)256 * 1024)
#define LOAD_URL_BYTES_MAX      512
#define LOAD_SAMPLES_MAX        1000
#define LOAD_ATTEMPTS_MAX       50
#define LOAD_BACKOFF_NS         ((uint64_t)100 * 1000 * 1000)
#define LOAD_REQUEST_TIMEOUT_MS 60000
#define LOAD_IN_FLIGHT_MAX      4096
#define NS_A_SECOND             ((uint64_t)1000 * 1000 * 1000)

static const struct sp_option options[] = {
    {.name = "protocol",
     .type = SP_OPTION_CHOICE,
     .default_text = "grpc",
     .value_name = "P",
     .choices = "grpc|http",
     .help = "OTLP/gRPC, or OTLP/HTTP with protobuf."},
    {.name = "target",
     .type = SP_OPTION_ADDRESS,
     .value_name = "HOST:PORT",
     .help = "Where to send; without it 127.0.0.1 and the protocol's usual port."},
    {.name = "spans",
     .type = SP_OPTION_U64,
     .default_text = "0",
     .value_name = "N",
     .help = "Spans to send at least; 0: everything once."},
    {.name = "rate",
     .type = SP_OPTION_U64,
     .default_text = "0",
     .value_name = "N",
     .help = "Spans a second; 0: as fast as the server acks."},
    {.name = "in-flight",
     .type = SP_OPTION_U64,
     .default_text = "16",
     .value_name = "N",
     .min = 1,
     .max = LOAD_IN_FLIGHT_MAX,
     .help = "Requests that wait for their ack at the same time."},
    {.name = "connections",
     .type = SP_OPTION_U64,
     .default_text = "2",
     .value_name = "N",
     .min = 1,
     .max = 256,
     .help = "Connections to the server."},
    {.name = "compression",
     .type = SP_OPTION_CHOICE,
     .default_text = "none",
     .value_name = "C",
     .choices = "none|gzip|zstd",
     .help = "Compression of the requests."},
    {.name = "as-recorded",
     .type = SP_OPTION_BOOL,
     .help = "Send ids and times as they are; otherwise every round gets new ids and ends now."},
    {.name = "seed",
     .type = SP_OPTION_U64,
     .default_text = "1",
     .value_name = "N",
     .help = "Of generated values and new ids."},
    {.name = "json", .type = SP_OPTION_BOOL, .help = "Print the result as JSON."},
};

struct load;

/* One request on its way. */
struct slot {
    struct load *load;
    struct sp_buf plain, packed;
    size_t span_count;
    struct sp_trace_id first_trace_id;
    uint64_t due_ns; /* monotonic: when it should be sent (again) */
    /* monotonic: when it was due for the first time; latency counts from here */
    uint64_t scheduled_ns;
    uint32_t attempts;
    enum { SLOT_FREE, SLOT_DUE, SLOT_SENT } state;
};

struct load {
    const struct sp_clock *clock;
    struct sp_client *client;
    struct sp_load_source source;
    char url[LOAD_URL_BYTES_MAX];
    bool grpc, as_recorded;
    bool
        server_lost; /* no reply to any of a request's attempts: what is in flight ends, nothing new begins */
    enum sp_encoding encoding;
    uint64_t seed, spans_wanted, rate;
    struct slot *slots;
    size_t slot_count;

    struct sp_load_variant variant; /* of the present round */
    uint64_t round;
    size_t next_item;
    uint64_t started_ns, ended_ns;

    uint64_t requests, spans_sent, spans_acked, spans_rejected, requests_failed, retries,
        body_bytes;
    struct sp_histogram ack_latency;
    struct sp_trace_id samples[LOAD_SAMPLES_MAX];
    size_t sample_count;
    struct sp_error first_failure;
};

/* ---- what to send ---- */

static uint64_t mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* New ids and times for the next pass over the source. */
static void begin_round(struct load *load)
{
    load->next_item = 0;
    load->variant = (struct sp_load_variant){.shift_ns = 0};
    if (load->as_recorded)
        return;
    uint64_t state = load->seed * 0x100000001b3U + load->round++;
    uint64_t words[3] = {mix(&state), mix(&state), mix(&state)};
    memcpy(load->variant.trace_mask, words, SP_TRACE_ID_BYTES);
    memcpy(load->variant.span_mask, &words[2], SP_SPAN_ID_BYTES);
    load->variant.shift_ns =
        (int64_t)(sp_clock_unix_ns(load->clock) - load->source.start_max_unix_ns);
}

static bool is_all_sent(const struct load *load)
{
    if (load->server_lost)
        return true;
    if (load->spans_wanted == 0)
        return load->next_item == load->source.count;
    return load->spans_sent >= load->spans_wanted;
}

static enum sp_status fill_slot(struct load *load, struct slot *slot, uint64_t now_ns)
{
    if (load->next_item == load->source.count)
        begin_round(load);
    const struct sp_load_template *item = &load->source.items[load->next_item++];
    enum sp_status status = sp_load_template_write(item, &load->variant, &slot->plain);
    if (status == SP_OK && load->encoding != SP_ENCODING_IDENTITY) {
        sp_buf_reset(&slot->packed);
        status = sp_compress(load->encoding, sp_buf_slice(&slot->plain), 1, &slot->packed);
    }
    slot->span_count = item->span_count;
    slot->first_trace_id = sp_load_variant_trace_id(&load->variant, &item->first_trace_id);
    slot->due_ns = now_ns;
    if (load->rate > 0) /* open loop: a late server does not slow the schedule */
        slot->due_ns =
            load->started_ns + (uint64_t)((double)load->spans_sent * 1e9 / (double)load->rate);
    slot->scheduled_ns = slot->due_ns;
    slot->attempts = 0;
    slot->state = SLOT_DUE;
    load->requests++;
    load->spans_sent += item->span_count;
    return status;
}

static struct sp_slice slot_body(const struct slot *slot)
{
    bool packed = slot->load->encoding != SP_ENCODING_IDENTITY;
    return sp_buf_slice(packed ? &slot->packed : &slot->plain);
}

/* ---- replies ---- */

static void count_acked(struct load *load, struct slot *slot, const struct sp_client_reply *reply)
{
    struct sp_arena arena;
    struct sp_slice reason;
    uint64_t rejected = 0;
    sp_arena_init(&arena, LOAD_REPLY_ARENA_BYTES);
    if (sp_export_response_decode(&arena, reply->body, &rejected, &reason, NULL) != SP_OK)
        rejected = 0; /* an OTLP server that answers success with another body has still acked */
    sp_arena_fini(&arena);
    load->spans_rejected += rejected;
    load->spans_acked +=
        slot->span_count - (rejected < slot->span_count ? rejected : slot->span_count);
    load->body_bytes += slot_body(slot).len;
    uint64_t ended_ns = reply->started_ns + reply->elapsed_ns;
    uint64_t from_ns = load->rate > 0 ? slot->scheduled_ns : reply->started_ns;
    if (sp_histogram_add(&load->ack_latency, ended_ns > from_ns ? ended_ns - from_ns : 0, 1) !=
        SP_OK)
        load->requests_failed++;
    uint64_t index = load->sample_count < LOAD_SAMPLES_MAX ? load->sample_count++
                                                           : load->requests % LOAD_SAMPLES_MAX;
    load->samples[index] = slot->first_trace_id;
}

static void count_failed(struct load *load, const struct sp_client_reply *reply)
{
    if (load->requests_failed++ > 0)
        return;
    if (reply->status != SP_OK)
        load->first_failure = reply->error;
    else if (reply->grpc_status >= 0)
        sp_error_set(&load->first_failure, SP_IO, "gRPC status %d: %.*s", reply->grpc_status,
                     SP_SLICE_PRINTF(reply->grpc_message));
    else
        sp_error_set(&load->first_failure, SP_IO, "HTTP status %d", reply->http_status);
}

static bool is_acked(const struct load *load, const struct sp_client_reply *reply)
{
    return reply->status == SP_OK && reply->http_status == 200 &&
           (!load->grpc || reply->grpc_status == 0);
}

/* The codes that OTLP tells clients to try again; RESOURCE_EXHAUSTED would need its RetryInfo, which Spoor never sends. */
static bool is_retryable(const struct load *load, const struct sp_client_reply *reply)
{
    if (reply->status != SP_OK)
        return sp_status_retryable(reply->status);
    if (load->grpc && reply->grpc_status >= 0)
        return reply->grpc_status == 1 || reply->grpc_status == 4 || reply->grpc_status == 10 ||
               reply->grpc_status == 11 || reply->grpc_status == 14 || reply->grpc_status == 15;
    return reply->http_status == 429 || (reply->http_status >= 502 && reply->http_status <= 504);
}

static void on_reply(void *cookie, const struct sp_client_reply *reply)
{
    struct slot *slot = cookie;
    struct load *load = slot->load;
    slot->state = SLOT_FREE;
    load->ended_ns = reply->started_ns + reply->elapsed_ns;
    if (is_acked(load, reply)) {
        count_acked(load, slot, reply);
    } else if (is_retryable(load, reply) && ++slot->attempts < LOAD_ATTEMPTS_MAX) {
        uint64_t wait_ns = reply->retry_after_ms * 1000 * 1000;
        slot->due_ns =
            sp_clock_monotonic_ns(load->clock) + (wait_ns > 0 ? wait_ns : LOAD_BACKOFF_NS);
        slot->state = SLOT_DUE;
        load->retries++;
    } else {
        count_failed(load, reply);
        load->server_lost |= reply->status != SP_OK;
    }
}

/* ---- the loop ---- */

static enum sp_status send_slot(struct load *load, struct slot *slot, struct sp_error *reterr)
{
    struct sp_header headers[2];
    size_t count = 0;
    bool packed = load->encoding != SP_ENCODING_IDENTITY;
    if (!load->grpc)
        headers[count++] =
            (struct sp_header){SP_SLICE("content-type"), SP_SLICE("application/x-protobuf")};
    if (packed)
        headers[count++] = (struct sp_header){load->grpc ? SP_SLICE("grpc-encoding")
                                                         : SP_SLICE("content-encoding"),
                                              sp_slice_cstr(sp_encoding_name(load->encoding))};
    struct sp_client_request request = {
        .method = "POST",
        .url = load->url,
        .headers = headers,
        .header_count = count,
        .body = slot_body(slot),
        .grpc = load->grpc,
        .grpc_compressed = load->grpc && packed,
        .timeout_ms = LOAD_REQUEST_TIMEOUT_MS,
        .on_reply = on_reply,
        .cookie = slot,
    };
    slot->state = SLOT_SENT;
    return sp_client_submit(load->client, &request, reterr);
}

/* Sends what is due; *ret_wait_ns: until the next is. */
static enum sp_status send_due(struct load *load, uint64_t *ret_wait_ns, bool *ret_busy,
                               struct sp_error *reterr)
{
    uint64_t now_ns = sp_clock_monotonic_ns(load->clock);
    enum sp_status status = SP_OK;
    *ret_wait_ns = NS_A_SECOND;
    *ret_busy = false;
    for (size_t i = 0; i < load->slot_count && status == SP_OK; i++) {
        struct slot *slot = &load->slots[i];
        if (slot->state == SLOT_FREE && !is_all_sent(load))
            status = fill_slot(load, slot, now_ns);
        if (status == SP_OK && slot->state == SLOT_DUE && slot->due_ns <= now_ns)
            status = send_slot(load, slot, reterr);
        else if (slot->state == SLOT_DUE && slot->due_ns - now_ns < *ret_wait_ns)
            *ret_wait_ns = slot->due_ns - now_ns;
        *ret_busy |= slot->state != SLOT_FREE;
    }
    return status;
}

static enum sp_status send_all(struct load *load, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    uint64_t wait_ns;
    bool busy = true;
    load->started_ns = load->ended_ns = sp_clock_monotonic_ns(load->clock);
    begin_round(load);
    while (status == SP_OK && busy) {
        status = send_due(load, &wait_ns, &busy, reterr);
        if (status == SP_OK && busy)
            status = sp_client_run(load->client, wait_ns, reterr);
    }
    return status;
}

/* ---- result ---- */

static double load_seconds(const struct load *load)
{
    return (double)(load->ended_ns - load->started_ns) / 1e9;
}

static void print_json(const struct load *load)
{
    static const double ranks[] = {0.5, 0.9, 0.99, 1.0};
    static const char *const names[] = {"p50", "p90", "p99", "max"};
    struct sp_buf out;
    struct sp_json_writer w;
    sp_buf_init(&out, LOAD_REPLY_BYTES_MAX);
    sp_json_writer_init(&w, &out);
    sp_json_object_begin(&w);
    sp_json_key(&w, "requests");
    sp_json_u64(&w, load->requests);
    sp_json_key(&w, "requestsFailed");
    sp_json_u64(&w, load->requests_failed);
    sp_json_key(&w, "retries");
    sp_json_u64(&w, load->retries);
    sp_json_key(&w, "spansAcked");
    sp_json_u64(&w, load->spans_acked);
    sp_json_key(&w, "spansRejected");
    sp_json_u64(&w, load->spans_rejected);
    sp_json_key(&w, "bodyBytes");
    sp_json_u64(&w, load->body_bytes);
    sp_json_key(&w, "seconds");
    sp_json_double(&w, load_seconds(load));
    sp_json_key(&w, "ackNanos");
    sp_json_object_begin(&w);
    for (size_t i = 0; i < SP_ARRAY_LEN(ranks); i++) {
        sp_json_key(&w, names[i]);
        sp_json_u64(&w, sp_histogram_quantile(&load->ack_latency, ranks[i]));
    }
    sp_json_object_end(&w);
    sp_json_key(&w, "sampleTraceIds");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < load->sample_count; i++)
        sp_json_hex(&w, sp_slice_make(load->samples[i].bytes, SP_TRACE_ID_BYTES));
    sp_json_array_end(&w);
    sp_json_object_end(&w);
    printf("%.*s\n", SP_SLICE_PRINTF(sp_buf_slice(&out)));
    sp_buf_fini(&out);
}

static void print_text(const struct load *load)
{
    char p50[32], p99[32];
    double seconds = load_seconds(load);
    size_t p50_len = sp_format_duration(sp_histogram_quantile(&load->ack_latency, 0.5), p50);
    size_t p99_len = sp_format_duration(sp_histogram_quantile(&load->ack_latency, 0.99), p99);
    printf("%llu spans acked in %llu requests, %.1f MB, %.2f s: %.0f spans/s; ack p50 %.*s, p99 "
           "%.*s\n",
           (unsigned long long)load->spans_acked,
           (unsigned long long)(load->requests - load->requests_failed),
           (double)load->body_bytes / 1e6, seconds,
           seconds > 0 ? (double)load->spans_acked / seconds : 0.0, (int)p50_len, p50, (int)p99_len,
           p99);
    if (load->spans_rejected > 0)
        printf("%llu spans were rejected by the server\n",
               (unsigned long long)load->spans_rejected);
    if (load->retries > 0)
        printf("%llu times the server asked to try again\n", (unsigned long long)load->retries);
    if (load->sample_count > 0) {
        char id[SP_TRACE_ID_TEXT];
        sp_trace_id_format(&load->samples[load->sample_count - 1], id);
        printf("one of the traces: %s\n", id);
    }
}

/* ---- set-up ---- */

static enum sp_status make_source(struct load *load, const struct sp_config *config,
                                  struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    if (config->positional_count == 0)
        return sp_load_source_generate(&load->source, load->seed, reterr);
    for (size_t i = 0; i < config->positional_count && status == SP_OK; i++)
        status =
            sp_load_source_read(&load->source, (const char *)config->positional[i].ptr, reterr);
    return status;
}

static void make_url(struct load *load, const struct sp_config *config)
{
    const struct sp_option_value *target = sp_config_get(config, "target");
    const char *usual = load->grpc ? "127.0.0.1:4317" : "127.0.0.1:4318";
    const char *path =
        load->grpc ? "/opentelemetry.proto.collector.trace.v1.TraceService/Export" : "/v1/traces";
    snprintf(load->url, sizeof(load->url), "http://%s%s",
             target->set ? (const char *)target->text.ptr : usual, path);
}

static enum sp_status make_slots(struct load *load, size_t count, struct sp_error *reterr)
{
    load->slots = calloc(count, sizeof(*load->slots));
    if (!load->slots)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for %zu requests in flight", count);
    load->slot_count = count;
    for (size_t i = 0; i < count; i++) {
        load->slots[i].load = load;
        sp_buf_init(&load->slots[i].plain, SP_LOAD_FILE_BYTES_MAX);
        sp_buf_init(&load->slots[i].packed, SP_LOAD_FILE_BYTES_MAX);
    }
    return SP_OK;
}

static enum sp_status start(struct load *load, const struct sp_config *config,
                            struct sp_error *reterr)
{
    load->clock = sp_clock_system();
    load->grpc = sp_config_get(config, "protocol")->number == 0;
    load->encoding =
        (enum sp_encoding)(sp_config_get(config, "compression")->number + SP_ENCODING_IDENTITY);
    load->as_recorded = sp_config_get(config, "as-recorded")->flag;
    load->seed = sp_config_get(config, "seed")->number;
    load->spans_wanted = sp_config_get(config, "spans")->number;
    load->rate = sp_config_get(config, "rate")->number;
    make_url(load, config);
    struct sp_client_options client = {
        .in_flight_max = (uint32_t)sp_config_get(config, "in-flight")->number,
        .connections_max = (uint32_t)sp_config_get(config, "connections")->number,
        .reply_bytes_max = LOAD_REPLY_BYTES_MAX,
        .clock = load->clock,
    };
    enum sp_status status = make_source(load, config, reterr);
    if (status == SP_OK && load->spans_wanted > 0 && load->source.span_count == 0)
        status = sp_error_set(reterr, SP_INVALID_ARGUMENT, "the recordings hold no spans");
    if (status == SP_OK)
        status = make_slots(load, client.in_flight_max, reterr);
    if (status == SP_OK)
        status = sp_client_new(&client, &load->client, reterr);
    return status;
}

static int run(const struct sp_config *config)
{
    struct sp_error error;
    struct load *load = calloc(1, sizeof(*load));
    if (!load) {
        fputs("spoor load: no memory\n", stderr);
        return SP_EXIT_FAILURE;
    }
    enum sp_status status = start(load, config, &error);
    if (status == SP_OK)
        status = send_all(load, &error);
    if (status != SP_OK) {
        fprintf(stderr, "spoor load: %s\n", error.message);
    } else {
        sp_config_get(config, "json")->flag ? print_json(load) : print_text(load);
        if (load->requests_failed > 0)
            fprintf(stderr, "spoor load: %llu requests failed; the first: %s\n",
                    (unsigned long long)load->requests_failed, load->first_failure.message);
    }
    int code = status == SP_OK && load->requests_failed == 0 ? SP_EXIT_OK : SP_EXIT_FAILURE;
    sp_client_free(load->client);
    for (size_t i = 0; i < load->slot_count; i++) {
        sp_buf_fini(&load->slots[i].plain);
        sp_buf_fini(&load->slots[i].packed);
    }
    free(load->slots);
    sp_load_source_fini(&load->source);
    sp_histogram_fini(&load->ack_latency);
    free(load);
    return code;
}

int sp_cmd_load(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "load",
        .arguments = "[FILE or DIRECTORY...]",
        .summary = "Sends recorded requests (a directory of *.pb files, or files of gRPC frames), "
                   "or generated ones.",
        .options = options,
        .option_count = SP_ARRAY_LEN(options),
        .arguments_max = SIZE_MAX,
    };
    return sp_cmd_run(&command, argc, argv, run);
}
