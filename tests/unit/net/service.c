/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/service.c: see service.h. */
#include "tests/unit/net/service.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define WAITING_MAX 4096

struct waiting {
    struct sp_exchange *exchange;
    struct sp_body body;
    enum { LATER, HOLD, NEVER } kind;
};

struct service {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting waiting[WAITING_MAX];
    size_t waiting_count;
    atomic_size_t requests;
    bool draining, stopping;
};

static bool ends_with(struct sp_slice s, const char *end)
{
    struct sp_slice e = sp_slice_cstr(end);
    return s.len >= e.len && sp_slice_equal(sp_slice_sub(s, s.len - e.len, e.len), e);
}

static void reply(struct sp_exchange *exchange, struct sp_buf *body)
{
    struct sp_header headers[] = {{SP_SLICE("content-type"), SP_SLICE("application/octet-stream")}};
    if (sp_exchange_is_grpc(exchange))
        sp_exchange_reply_grpc(exchange, 0, sp_slice_make(NULL, 0), sp_slice_make(NULL, 0), body);
    else
        sp_exchange_reply(exchange, 200, headers, 1, body);
}

static void on_head(void *cookie, struct sp_exchange *exchange)
{
    (void)cookie;
    if (!ends_with(sp_exchange_path(exchange), "Head"))
        return;
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    if (sp_exchange_is_grpc(exchange)) {
        sp_exchange_reply_grpc(exchange, 12, SP_SLICE("no such method: 100% \xc3\xa4"),
                               SP_SLICE("\x08\x0c"), NULL);
        return;
    }
    (void)sp_error_set(&error, SP_NOT_FOUND, "nothing is here");
    sp_exchange_reply_problem(exchange, 0, &error);
}

static void park(struct service *service, struct sp_exchange *exchange, int kind)
{
    pthread_mutex_lock(&service->lock);
    if (service->waiting_count == WAITING_MAX)
        abort();
    struct waiting *w = &service->waiting[service->waiting_count++];
    w->exchange = exchange;
    w->kind = kind;
    sp_exchange_take_body(exchange, &w->body);
    pthread_cond_broadcast(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

static void reply_big(struct sp_exchange *exchange)
{
    struct sp_slice text;
    uint64_t bytes = 0;
    struct sp_buf body;
    sp_buf_init(&body, (size_t)1 << 30);
    if (sp_exchange_header(exchange, "x-bytes", &text) && sp_parse_u64(text, &bytes)) {
        uint8_t *room = sp_buf_reserve(&body, (size_t)bytes);
        if (!room)
            abort();
        memset(room, 'x', (size_t)bytes);
        body.len = (size_t)bytes;
    }
    reply(exchange, &body);
    sp_buf_fini(&body);
}

static void reply_query(struct sp_exchange *exchange)
{
    struct sp_buf body;
    sp_buf_init(&body, (size_t)1 << 20);
    sp_buf_append_slice(&body, sp_exchange_query(exchange));
    reply(exchange, &body);
    sp_buf_fini(&body);
}

static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct service *service = cookie;
    struct sp_slice path = sp_exchange_path(exchange);
    service->requests++;
    if (ends_with(path, "Later")) {
        park(service, exchange, LATER);
    } else if (ends_with(path, "Hold")) {
        park(service, exchange, HOLD);
    } else if (ends_with(path, "Never")) {
        park(service, exchange, NEVER);
    } else if (ends_with(path, "Null")) {
        reply(exchange, NULL);
    } else if (ends_with(path, "Big")) {
        reply_big(exchange);
    } else if (ends_with(path, "Query")) {
        reply_query(exchange);
    } else {
        struct sp_body body;
        sp_exchange_take_body(exchange, &body);
        reply(exchange, &body.bytes);
        sp_body_fini(&body);
    }
}

static bool due(const struct service *service, const struct waiting *w)
{
    return w->kind == LATER || service->stopping || (w->kind == HOLD && service->draining);
}

static void *run_replies(void *cookie)
{
    struct service *service = cookie;
    pthread_mutex_lock(&service->lock);
    while (!service->stopping || service->waiting_count > 0) {
        size_t i = 0;
        while (i < service->waiting_count && !due(service, &service->waiting[i]))
            i++;
        if (i == service->waiting_count) {
            pthread_cond_wait(&service->changed, &service->lock);
            continue;
        }
        struct waiting w = service->waiting[i];
        service->waiting[i] = service->waiting[--service->waiting_count];
        pthread_mutex_unlock(&service->lock);
        usleep(1000);
        reply(w.exchange, &w.body.bytes);
        sp_body_fini(&w.body);
        pthread_mutex_lock(&service->lock);
    }
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

static void set_flag(struct service *service, bool *flag)
{
    pthread_mutex_lock(&service->lock);
    *flag = true;
    pthread_cond_broadcast(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

struct service *service_new(void)
{
    struct service *service = calloc(1, sizeof(*service));
    if (!service)
        abort();
    pthread_mutex_init(&service->lock, NULL);
    pthread_cond_init(&service->changed, NULL);
    if (pthread_create(&service->thread, NULL, run_replies, service) != 0)
        abort();
    return service;
}

struct sp_handler service_handler(struct service *service)
{
    return (struct sp_handler){.cookie = service, .on_head = on_head, .on_request = on_request};
}

void service_drain(struct service *service)
{
    set_flag(service, &service->draining);
}

size_t service_requests(struct service *service)
{
    return service->requests;
}

size_t service_waiting(struct service *service)
{
    pthread_mutex_lock(&service->lock);
    size_t count = service->waiting_count;
    pthread_mutex_unlock(&service->lock);
    return count;
}

size_t service_cancelled(struct service *service)
{
    size_t count = 0;
    pthread_mutex_lock(&service->lock);
    for (size_t i = 0; i < service->waiting_count; i++)
        count += sp_exchange_cancelled(service->waiting[i].exchange);
    pthread_mutex_unlock(&service->lock);
    return count;
}

void service_free(struct service *service)
{
    set_flag(service, &service->stopping);
    pthread_join(service->thread, NULL);
    pthread_cond_destroy(&service->changed);
    pthread_mutex_destroy(&service->lock);
    free(service);
}
