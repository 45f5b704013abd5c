/* SPDX-License-Identifier: Apache-2.0
 *
 * collector/admit.c: one export request from its body to the store and back, the same for both transports. */
#include <stdio.h>
#include <stdlib.h>

#include "collector/internal.h"

void sp_collector_count_refused(struct sp_collector *collector, enum sp_status status)
{
    sp_counter_add(sp_status_retryable(status) ? &collector->counters.requests_refused_retryable
                                               : &collector->counters.requests_refused_permanent,
                   1);
    sp_counter_add(&collector->counters.refused_by_status[status], 1);
}

static void count_rejected(const struct sp_receipt *receipt)
{
    if (receipt->rejected_count == 0)
        return;
    sp_counter_add(&receipt->collector->counters.spans_rejected, receipt->rejected_count);
    for (int i = 0; i < SP_REJECTION_COUNT; i++)
        sp_counter_add(&receipt->collector->counters.rejected[i], receipt->rejected[i]);
}

/* The last step of every export: count, reply, forget. */
static void finish(struct sp_receipt *receipt, enum sp_status status, const struct sp_error *error)
{
    struct sp_collector *collector = receipt->collector;
    if (status == SP_OK) {
        sp_counter_add(&collector->counters.requests_acked, 1);
        sp_counter_add(&collector->counters.spans_acked, receipt->spans);
        count_rejected(receipt);
    } else {
        sp_collector_count_refused(collector, status);
    }
    receipt->reply(receipt, status, error);
    free(receipt);
}

/* Our operator must see it: the client only retries or gives up. One line stands for all since the one before. */
static void log_refusal(struct sp_collector *collector, enum sp_status status,
                        const struct sp_error *error)
{
    uint64_t now_ns = sp_clock_monotonic_ns(collector->options.clock);
    uint64_t next_ns = atomic_load(&collector->next_log_ns);
    atomic_fetch_add(&collector->unlogged_refusals, 1);
    if (now_ns < next_ns || !atomic_compare_exchange_strong(&collector->next_log_ns, &next_ns,
                                                            now_ns + SP_COLLECTOR_LOG_EVERY_NS))
        return;
    sp_log_event(collector->options.log, SP_LOG_WARN, "append_refused", NULL,
                 sp_log_cstr("status", sp_status_name(status)),
                 sp_log_cstr("error", error ? error->message : ""),
                 sp_log_u64("requests", atomic_exchange(&collector->unlogged_refusals, 0)));
}

static void on_stored(void *cookie, enum sp_status status, const struct sp_error *error)
{
    struct sp_receipt *receipt = cookie;
    atomic_fetch_sub_explicit(&receipt->collector->counters.requests_open, 1, memory_order_relaxed);
    if (status != SP_OK)
        log_refusal(receipt->collector, status, error);
    finish(receipt, status, error);
}

static enum sp_body_format body_format(enum sp_wire_format format)
{
    return format == SP_WIRE_JSON ? SP_BODY_OTLP_JSON : SP_BODY_OTLP_PROTOBUF;
}

static enum sp_body_encoding body_encoding(enum sp_encoding encoding)
{
    switch (encoding) {
    case SP_ENCODING_IDENTITY:
        return SP_BODY_IDENTITY;
    case SP_ENCODING_GZIP:
        return SP_BODY_GZIP;
    case SP_ENCODING_ZSTD:
        return SP_BODY_ZSTD;
    }
    SP_ASSERT(!"an encoding that sp_encoding_parse does not know");
}

/* The reply carries one sentence, so the byte offset goes into it. */
static void add_offset(struct sp_error *error)
{
    struct sp_error whole;
    if (error->offset == SP_ERROR_NO_OFFSET)
        return;
    sp_error_set_at(&whole, error->status, error->offset, "%s (at byte %llu)", error->message,
                    (unsigned long long)error->offset);
    *error = whole;
}

/* Decodes into the append, whose memory is charged as it grows. The body's own budget moved with the body. */
static enum sp_status decode(struct sp_collector *collector, struct sp_append *append,
                             enum sp_wire_format format, enum sp_encoding encoding,
                             struct sp_error *error)
{
    enum sp_status status =
        sp_otlp_decode_body(&append->arena, format, encoding, sp_buf_slice(&append->body),
                            &append->plain, collector->options.limits, &append->batch, error);
    if (status == SP_OK)
        return SP_OK;
    size_t budget_bytes = append->account.budget->max_bytes;
    if (status == SP_LIMIT && append->account.error == SP_LIMIT)
        return sp_error_set(error, SP_LIMIT,
                            "decoded, the request takes more than the memory for all requests in "
                            "flight (%zu bytes); send smaller batches",
                            budget_bytes);
    if (status == SP_OVERLOADED)
        return sp_error_set(error, SP_OVERLOADED,
                            "the memory for requests in flight (%zu bytes) is in use, try again",
                            budget_bytes);
    add_offset(error);
    return status;
}

/* A request with nothing to keep: empty, or every span refused. */
static bool nothing_to_keep(const struct sp_append *append)
{
    return append->batch->span_count == 0;
}

static struct sp_append *take_append(struct sp_collector *collector, struct sp_exchange *exchange,
                                     enum sp_wire_format format, enum sp_encoding encoding)
{
    const struct sp_limits *limits = collector->options.limits;
    struct sp_append *append =
        sp_append_new(limits->body_bytes_max, limits->body_bytes_max, limits->arena_bytes_max);
    if (!append)
        return NULL;
    struct sp_body body;
    sp_exchange_take_body(exchange, &body);
    SP_ASSERT(body.budget == NULL || body.budget == collector->options.budget);
    sp_buf_move(&append->body, &body.bytes);
    append->account =
        (struct sp_account){.budget = collector->options.budget, .bytes = body.budget_bytes};
    append->format = body_format(format);
    append->encoding = body_encoding(encoding);
    append->received_unix_ns = sp_clock_unix_ns(collector->options.clock);
    return append;
}

void sp_collector_admit(struct sp_collector *collector, struct sp_exchange *exchange,
                        enum sp_wire_format format, enum sp_encoding encoding,
                        void (*reply)(const struct sp_receipt *receipt, enum sp_status status,
                                      const struct sp_error *error))
{
    struct sp_error error;
    struct sp_receipt local = {
        .collector = collector, .exchange = exchange, .format = format, .reply = reply};
    struct sp_receipt *receipt = malloc(sizeof(*receipt));
    struct sp_append *append = receipt ? take_append(collector, exchange, format, encoding) : NULL;
    if (!append) {
        free(receipt);
        sp_collector_count_refused(collector, SP_NO_MEMORY);
        reply(&local, sp_error_set(&error, SP_NO_MEMORY, "no memory for this request, try again"),
              &error);
        return;
    }
    *receipt = local;
    sp_counter_add(&collector->counters.body_bytes, append->body.len);
    enum sp_status status;
    if (atomic_load_explicit(&collector->draining, memory_order_relaxed))
        status = sp_error_set(&error, SP_UNAVAILABLE, "the server is shutting down, try again");
    else
        status = decode(collector, append, format, encoding, &error);
    if (status != SP_OK) {
        sp_append_free(append);
        finish(receipt, status, &error);
        return;
    }
    receipt->spans = append->batch->span_count;
    receipt->rejected_count = append->batch->rejected_count;
    memcpy(receipt->rejected, append->batch->rejected, sizeof(receipt->rejected));
    snprintf(receipt->reason, sizeof(receipt->reason), "%.*s",
             SP_SLICE_PRINTF(append->batch->rejected_reason));
    receipt->reason[sp_utf8_valid_prefix(sp_slice_cstr(receipt->reason))] =
        '\0'; /* never cut inside a character */
    if (nothing_to_keep(append)) {
        sp_append_free(append);
        finish(receipt, SP_OK, NULL);
        return;
    }
    append->done = on_stored;
    append->cookie = receipt;
    sp_counter_add(&collector->counters.requests_open, 1);
    sp_store_append(collector->options.store, append);
}
