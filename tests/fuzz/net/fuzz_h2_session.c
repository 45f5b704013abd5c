/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of a peer into the server's HTTP/2 session. The first byte says how they are cut, whether the preface comes for free
 * and how much time passes; handlers answer at once, later, or after the session's end. Whatever comes: every call that
 * was handed over can be replied to, and all memory comes back. */
#include "lib/net/h2_session.h"
#include "tests/fuzz/fuzz.h"

#define HELD_MAX     64
#define BUDGET_BYTES 100000
#define OUTPUT_MAX   ((size_t)16 << 20)

struct state {
    struct sp_exchange *held[HELD_MAX], *replies;
    size_t held_count;
    uint64_t now_ns;
};

static void reply(struct sp_exchange *exchange)
{
    struct sp_body body;
    sp_exchange_take_body(exchange, &body);
    SP_ASSERT(body.bytes.len <= body.budget_bytes);
    sp_exchange_reply_grpc(exchange, (int)(body.bytes.len % 3), sp_buf_slice(&body.bytes),
                           sp_buf_slice(&body.bytes), &body.bytes);
    sp_body_fini(&body);
}

static void on_head(void *cookie, struct sp_exchange *exchange)
{
    (void)cookie;
    if (sp_exchange_path(exchange).len % 5 == 4)
        sp_exchange_reply_grpc(exchange, 12, sp_exchange_path(exchange), SP_SLICE(""), NULL);
}

static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct state *state = cookie;
    if (sp_exchange_path(exchange).len % 2 == 0 && state->held_count < HELD_MAX)
        state->held[state->held_count++] = exchange;
    else
        reply(exchange);
}

static void on_replied(struct sp_exchange *exchange)
{
    struct state *state = exchange->transport_cookie;
    if (exchange->handed_over) {
        exchange->next = state->replies;
        state->replies = exchange;
    } else {
        exchange->replied = true;
        sp_exchange_release(exchange);
    }
}

static void ignore(void *cookie)
{
    (void)cookie;
}

static void send_replies(struct state *state)
{
    while (state->replies) {
        struct sp_exchange *exchange = state->replies;
        state->replies = exchange->next;
        sp_h2_exchange_send(exchange, state->now_ns);
    }
}

static void reply_to_held(struct state *state)
{
    while (state->held_count > 0)
        reply(state->held[--state->held_count]);
}

static void run(struct sp_h2_session *session, struct state *state, struct sp_slice in,
                size_t chunk, uint64_t step_ns)
{
    struct sp_buf out;
    sp_buf_init(&out, OUTPUT_MAX);
    for (size_t at = 0; at < in.len; at += chunk) {
        state->now_ns += step_ns;
        sp_h2_session_receive(session, sp_slice_sub(in, at, chunk), state->now_ns);
        send_replies(state);
        sp_h2_session_send(session, &out, OUTPUT_MAX - 1, state->now_ns);
        sp_h2_session_tick(session, state->now_ns);
        if (state->held_count > HELD_MAX / 2)
            reply_to_held(state);
        SP_ASSERT(out.error == SP_OK);
        sp_buf_reset(&out);
    }
    sp_h2_session_drain_announce(session);
    sp_h2_session_drain_finish(session);
    sp_h2_session_send(session, &out, OUTPUT_MAX - 1, state->now_ns);
    sp_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char opening[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static const struct sp_exchange_transport transport = {.replied = on_replied, .freed = ignore};
    static const size_t chunks[] = {1, 7, 100, SIZE_MAX / 2};
    if (size == 0)
        return 0;
    struct state state = {.held_count = 0};
    struct sp_budget budget;
    struct sp_server_counters counters = {0};
    struct sp_server_options options = {
        .handler = {.cookie = &state, .on_head = on_head, .on_request = on_request},
        .budget = &budget,
        .limits = sp_net_limits_default(),
    };
    sp_budget_init(&budget, BUDGET_BYTES);
    options.limits.body_bytes_max = BUDGET_BYTES / 2;
    options.limits.head_bytes_max = 2000;
    options.limits.stream_window_bytes = 70000;
    options.limits.connection_window_bytes = 90000;
    options.limits.frame_bytes_max = 16384;
    options.limits.control_frames_burst = 20;
    const struct sp_h2_environment environment = {&options, &counters, &transport, &state, ignore};
    struct sp_h2_session *session =
        sp_h2_session_new(&environment, SP_SLICE("peer"), &state, state.now_ns);
    if (!session)
        return 0;
    if (data[0] & 1)
        sp_h2_session_receive(session, sp_slice_make(opening, sizeof(opening) - 1), 0);
    run(session, &state, sp_slice_make(data + 1, size - 1), chunks[data[0] >> 1 & 3],
        (uint64_t)(data[0] >> 3) * 100000000);
    if (data[0] & 0x80)
        reply_to_held(&state);
    sp_h2_session_free(session);
    reply_to_held(&state);
    send_replies(&state);
    SP_ASSERT(sp_budget_used(&budget) == 0);
    SP_ASSERT(sp_counted(&counters.requests_open) == 0);
    return 0;
}
