/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/world.h: a reference store with an api over it, spans to put in, and questions asked without a
 * socket. */
#pragma once

#include "query/internal.h"
#include "tests/support/check_main.h"

struct world {
    struct sp_store *store;
    struct sp_query_api *api;
    uint64_t unix_ns, monotonic_ns; /* what its clock says */
    struct sp_clock clock;
    struct sp_query_limits limits;
};

/* 2026-01-01T00:00:00Z */
#define T0 1767225600000000000ull
#define MS 1000000ull

void world_init(struct world *world);
void world_init_limits(struct world *world, const struct sp_query_limits *limits);
void world_fini(struct world *world);
/* An api over another store, which outlives it: for a copy of a world. It ends with sp_query_api_free. */
void world_over(struct world *world, struct sp_store *store);

/* Appends spans and waits until they are acked. */
void world_add(struct world *world, const struct sp_span *spans, size_t count);

/* A span; ids are small numbers, parent 0 is none. service is a static string; the resource is the arena's. */
struct sp_span make_span(struct sp_arena *arena, unsigned trace, unsigned id, unsigned parent,
                         const char *service, const char *name, uint64_t start_unix_ns,
                         uint64_t duration_ns);

struct sp_value text_value(const char *text);
struct sp_value int_value(int64_t number);
struct sp_value double_value(double number);
struct sp_value bool_value(bool value);

/* Adds an attribute; at most 8 a span. */
void add_attribute(struct sp_arena *arena, struct sp_span *span, const char *key,
                   struct sp_value value);

/* Asks "/path?query" with GET. The reply stays valid until answer_fini. */
struct sp_query_call *ask(struct world *world, const char *url);
struct sp_query_call *ask_with(struct world *world, const char *method, const char *url,
                               const char *accept, const char *accept_encoding,
                               const char *if_none_match);
void answer_fini(struct sp_query_call *call);

/* The body as a string of the caller: free it. */
char *answer_text(const struct sp_query_call *call);
const char *answer_header(const struct sp_query_call *call, const char *name);

/* Asks, demands the status, and says whether the body contains text. */
void expect_answer(struct world *world, const char *url, int status, const char *contains);

/* The value behind "key": in a JSON text, as it stands there, without quotes; "" when there is none. */
void json_member(const char *json, const char *key, char *out, size_t out_bytes);

/* Appends what by() shows of a text, and of an attribute's value, as brute force has it: "type=text|"; NULL is nil. */
void label_append_text(char *labels, size_t bytes, const char *type, struct sp_slice text);
void label_append_value(char *labels, size_t bytes, const struct sp_value *value);
