/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls between services: hand-made traces with the calls they must give, in any order of arrival; and edges, in any
 * order and grouping of calls. */
#include "tests/support/check_main.h"
#include "tests/unit/analysis/traces.h"

#include <stdio.h>

#define ARENA_BYTES ((size_t)64 << 20)
#define C           SP_KIND_CLIENT
#define S           SP_KIND_SERVER
#define P           SP_KIND_PRODUCER
#define Q           SP_KIND_CONSUMER
#define I           SP_KIND_INTERNAL

/* calls: sorted, one a line: "client>server type nodes[ error]", nodes: first letters of both node types. */
static const struct graph_case {
    const char *what;
    struct span_row rows[8];
    const char *calls;
} graph_cases[] = {
    {"client and server", {{1, 0, "shop", C, 0, 9}, {2, 1, "cart", S, 1, 8}}, "shop>cart  ss\n"},
    {"an error at either end makes the call fail",
     {{1, 0, "shop", C, 0, 9},
      {2, 1, "cart", S, 1, 8, SP_SPAN_STATUS_ERROR},
      {3, 2, "cart", C, 2, 3, SP_SPAN_STATUS_ERROR},
      {4, 3, "db", S, 2, 3}},
     "cart>db  ss error\nshop>cart  ss error\n"},
    {"a service that calls itself", {{1, 0, "a", C, 0, 9}, {2, 1, "a", S, 1, 8}}, "a>a  ss\n"},
    {"each retry under one client span is a call",
     {{1, 0, "a", C, 0, 9}, {2, 1, "b", S, 1, 2}, {3, 1, "b", S, 3, 4}},
     "a>b  ss\na>b  ss\n"},
    {"a root server is called by the user",
     {{1, 0, "shop", S, 0, 9}},
     "user>shop virtual_node cs\n"},
    {"a server whose parent is not here is not counted yet", {{2, 1, "cart", S, 1, 8}}, ""},
    {"a server under another service's span is called by that service",
     {{1, 0, "a", I, 0, 9}, {2, 1, "b", S, 1, 8}},
     "a>b  ss\n"},
    {"a server under its own service's span is no call",
     {{1, 0, "a", I, 0, 9}, {2, 1, "a", S, 1, 8}},
     ""},
    {"a client that nobody answered, with a name for the other end",
     {{1, 0, "a", C, 0, 9, 0, {{"server.address", "api.example"}, {"peer.service", "billing"}}}},
     "a>billing virtual_node se\n"},
    {"a client that nobody answered, with a URL",
     {{1, 0, "a", C, 0, 9, 0, {{"url.full", "https://u:p@api.example:8443/x?y=1@z"}}}},
     "a>api.example virtual_node se\n"},
    {"a client that nobody answered, without a name",
     {{1, 0, "a", C, 0, 9}},
     "a>unknown virtual_node se\n"},
    {"databases by name, by system, by peer",
     {{1, 0, "a", C, 0, 9, 0, {{"db.system", "postgresql"}, {"db.name", "orders"}}},
      {2, 0, "a", C, 0, 9, 0, {{"db.system.name", "redis"}, {"db.namespace", "0"}}},
      {3, 0, "a", C, 0, 9, SP_SPAN_STATUS_ERROR, {{"db.system", "mysql"}, {"server.address", "h"}}},
      {4, 0, "a", C, 0, 9, 0, {{"db.system", "mysql"}, {"peer.service", "main"}}}},
     "a>main database sd\na>mysql database sd error\na>orders database sd\na>redis database sd\n"},
    {"a database client that a server answered is a direct call",
     {{1, 0, "a", C, 0, 9, 0, {{"db.system", "mysql"}}}, {2, 1, "proxy", S, 1, 8}},
     "a>proxy  ss\n"},
    {"a client span that wraps another is one call",
     {{1, 0, "a", C, 0, 9, 0, {{"peer.service", "x"}}},
      {2, 1, "a", I, 0, 9},
      {3, 2, "a", C, 1, 8, 0, {{"peer.service", "y"}}}},
     "a>y virtual_node se\n"},
    {"producer and consumer by parent",
     {{1, 0, "a", P, 0, 2}, {2, 1, "b", Q, 5, 8}},
     "a>b messaging_system ss\n"},
    {"producer and consumer by link, both ways only once",
     {{1, 0, "a", P, 0, 2}, {2, 1, "b", Q, 5, 8, .links = {1, 1}}},
     "a>b messaging_system ss\n"},
    {"a batch: one consumer linked to two producers",
     {{1, 0, "a", P, 0, 2}, {2, 0, "c", P, 1, 2}, {3, 0, "b", Q, 5, 8, .links = {1, 2}}},
     "a>b messaging_system ss\nc>b messaging_system ss\n"},
    {"one producer, two consumers",
     {{1, 0, "a", P, 0, 2}, {2, 1, "b", Q, 5, 8}, {3, 1, "c", Q, 5, 8}},
     "a>b messaging_system ss\na>c messaging_system ss\n"},
    {"a producer nobody consumed from, and a consumer that starts a trace, meet at the broker",
     {{1, 0, "a", P, 0, 2, 0, {{"messaging.system", "kafka"}}},
      {2, 0, "b", Q, 5, 8, 0, {{"messaging.system", "kafka"}}}},
     "a>kafka virtual_node sm\nkafka>b virtual_node ms\n"},
    {"a broker is a node for each destination, so that it is seen who feeds whom",
     {{1, 0, "a", P, 0, 2, 0, {{"messaging.system", "kafka"}, {"messaging.destination.name", "x"}}},
      {2, 0, "c", P, 0, 2, 0, {{"messaging.system", "kafka"}, {"messaging.destination.name", "y"}}},
      {3, 0, "b", Q, 5, 8, 0, {{"messaging.system", "kafka"}, {"messaging.destination", "x"}}},
      {4, 0, "d", Q, 5, 8, 0, {{"messaging.destination.name", "y"}}}},
     "a>x (kafka) virtual_node sm\nc>y (kafka) virtual_node sm\nx (kafka)>b virtual_node ms\n"
     "y>d virtual_node ms\n"},
    {"a client that fetches messages calls the broker",
     {{1, 0, "a", C, 0, 2, 0, {{"messaging.system", "kafka"}, {"server.address", "10.0.0.1"}}}},
     "a>kafka virtual_node sm\n"},
    {"a consumer whose parent is not here is not counted yet", {{2, 1, "b", Q, 5, 8}}, ""},
    {"processing inside a consumer is no call",
     {{1, 0, "a", P, 0, 2}, {2, 1, "b", Q, 5, 8}, {3, 2, "b", Q, 6, 7}},
     "a>b messaging_system ss\n"},
    {"a span sent twice is counted once",
     {{1, 0, "a", C, 0, 9}, {2, 1, "b", S, 1, 8}, {2, 1, "b", S, 1, 8}, {1, 0, "a", C, 0, 9}},
     "a>b  ss\n"},
    {"the halves of a shared span are one call",
     {{1, 0, "a", C, 0, 9}, {1, 0, "b", S, 1, 8}, {2, 1, "b", C, 2, 3}, {2, 1, "c", S, 2, 3}},
     "a>b  ss\nb>c  ss\n"},
    {"as in the servicegraph connector's tests: two ends that never met",
     {{1, 0, "foo-server", C, 0, 1000},
      {2, 0, "bar-requester", S, 0, 1000, 0, {{"peer.service", "external-platform"}}}},
     "foo-server>unknown virtual_node se\nuser>bar-requester virtual_node cs\n"},
    {"as in the servicegraph connector's tests: two ends that met",
     {{1, 0, "foo-server", C, 0, 1000}, {2, 1, "bar-requester", S, 0, 1000}},
     "foo-server>bar-requester  ss\n"},
    {"internal spans alone make no call", {{1, 0, "a", I, 0, 9}, {2, 1, "b", I, 1, 8}}, ""},
};

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void calls_text(struct sp_arena *arena, const struct sp_batch *batch, char *out, size_t size)
{
    struct sp_trace trace;
    const struct sp_graph_call *calls;
    size_t count;
    ck_assert_int_eq(sp_trace_assemble(arena, batch, &trace), SP_OK);
    ck_assert_int_eq(sp_graph_calls(arena, &trace, &calls, &count), SP_OK);
    char lines[32][100];
    ck_assert_uint_le(count, SP_ARRAY_LEN(lines));
    for (size_t i = 0; i < count; i++)
        snprintf(lines[i], sizeof lines[i], "%.*s>%.*s %s %c%c%s\n",
                 SP_SLICE_PRINTF(calls[i].client), SP_SLICE_PRINTF(calls[i].server),
                 sp_connection_type_name(calls[i].type), sp_node_type_name(calls[i].client_type)[0],
                 sp_node_type_name(calls[i].server_type)[0], calls[i].error ? " error" : "");
    qsort(lines, count, sizeof lines[0], compare_lines);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s", lines[i]);
}

START_TEST(calls_of_a_known_trace_in_any_order_of_arrival)
{
    const struct graph_case *expected = &graph_cases[_i];
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    size_t count = 0;
    while (count < SP_ARRAY_LEN(expected->rows) && expected->rows[count].id != 0)
        count++;
    struct sp_batch batch = make_batch(&arena, expected->rows, count);
    for (int round = 0; round < 20; round++) {
        char text[3200];
        calls_text(&arena, &batch, text, sizeof text);
        ck_assert_msg(strcmp(text, expected->calls) == 0, "%s:\nexpected\n%sgot\n%s",
                      expected->what, expected->calls, text);
        random_state = (uint64_t)round;
        batch = shuffle(&arena, batch);
    }
    sp_arena_fini(&arena);
}
END_TEST

/* ---- names of brokers ---- */

struct name_case {
    struct {
        const char *key, *value; /* "true" and "false" are bools */
    } attributes[4];
    const char *name, *by_system;
};

static struct sp_span broker_span(struct sp_arena *arena, const struct name_case *from,
                                  int32_t kind)
{
    static const struct sp_resource resource = {.present = true};
    struct sp_attribute *items = sp_arena_calloc(arena, 4, sizeof(*items));
    uint32_t count = 0;
    for (; count < 4 && from->attributes[count].key; count++) {
        const char *value = from->attributes[count].value;
        items[count] =
            (struct sp_attribute){sp_slice_cstr(from->attributes[count].key),
                                  {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(value)}};
        if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
            items[count].value =
                (struct sp_value){.kind = SP_VALUE_BOOL, .boolean = value[0] == 't'};
    }
    return (struct sp_span){
        .kind = kind, .resource = &resource, .attributes = {.items = items, .count = count}};
}

static void expect_name(const struct sp_span *span, enum sp_peer_names names, const char *want)
{
    struct sp_graph_name room;
    struct sp_graph_call call = sp_graph_half_call(span, names, &room);
    struct sp_slice got = span->kind == SP_KIND_CONSUMER ? call.client : call.server;
    ck_assert_msg(sp_slice_equal_cstr(got, want), "%.*s, not %s", SP_SLICE_PRINTF(got), want);
}

#define SYSTEM                                                                                     \
    {                                                                                              \
        "messaging.system", "rabbitmq"                                                             \
    }
#define NAME "messaging.destination.name"

START_TEST(brokers_are_named_by_destination_and_those_that_nobody_else_uses_together)
{
    static const struct name_case cases[] = {
        {{SYSTEM, {NAME, "jobs"}}, "jobs (rabbitmq)", "rabbitmq"},
        {{SYSTEM, {"messaging.destination", "jobs"}}, "jobs (rabbitmq)", "rabbitmq"},
        {{SYSTEM}, "rabbitmq", "rabbitmq"},
        {{{NAME, "jobs"}}, "jobs", "jobs"},
        {{{"server.address", "mq.example"}}, "mq.example", "mq.example"},
        {{{"other", "jobs"}}, "unknown", "unknown"},
        {{SYSTEM, {NAME, "jobs"}, {"peer.service", "bus"}}, "bus", "bus"},
        {{SYSTEM, {NAME, "users.17"}, {"messaging.destination.template", "users.{id}"}},
         "users.{id} (rabbitmq)",
         "rabbitmq"},
        {{SYSTEM, {NAME, "r-17"}, {"messaging.destination.temporary", "true"}},
         "(temporary) (rabbitmq)",
         "rabbitmq"},
        {{SYSTEM, {"messaging.destination.anonymous", "true"}},
         "(temporary) (rabbitmq)",
         "rabbitmq"},
        {{SYSTEM, {NAME, "r"}, {"messaging.temp_destination", "true"}},
         "(temporary) (rabbitmq)",
         "rabbitmq"},
        {{SYSTEM, {NAME, "r"}, {"messaging.destination.temporary", "false"}},
         "r (rabbitmq)",
         "rabbitmq"},
        {{SYSTEM, {NAME, "amq.gen-Xa81"}}, "(temporary) (rabbitmq)", "rabbitmq"},
        {{SYSTEM, {NAME, "amq.rabbitmq.reply-to.g2"}}, "(temporary) (rabbitmq)", "rabbitmq"},
        {{{NAME, "_INBOX.a.b"}}, "(temporary)", "_INBOX.a.b"},
    };
    static const int32_t kinds[] = {P, Q};
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++)
        for (size_t k = 0; k < SP_ARRAY_LEN(kinds); k++) {
            struct sp_span span = broker_span(&arena, &cases[i], kinds[k]);
            expect_name(&span, SP_PEER_NAMES_BY_DESTINATION, cases[i].name);
            expect_name(&span, SP_PEER_NAMES_BY_SYSTEM, cases[i].by_system);
            /* Names of before stay, whatever the rule is now. */
            ck_assert_int_eq(sp_graph_keep_names(&span, 1, SP_PEER_NAMES_BY_DESTINATION, &arena),
                             SP_OK);
            expect_name(&span, SP_PEER_NAMES_BY_DESTINATION, cases[i].name);
            ck_assert_int_eq(sp_graph_keep_names(&span, 1, SP_PEER_NAMES_BY_SYSTEM, &arena), SP_OK);
            expect_name(&span, SP_PEER_NAMES_BY_DESTINATION, cases[i].by_system);
            expect_name(&span, SP_PEER_NAMES_BY_SYSTEM, cases[i].by_system);
        }
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(long_names_of_brokers_are_cut_between_characters)
{
    enum { LEN = SP_GRAPH_DESTINATION_BYTES_MAX + 1 };
    char name[LEN + 1], system[SP_GRAPH_SYSTEM_BYTES_MAX + 2], want[LEN + 100];
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    memset(name, 'x', LEN);
    name[LEN] = '\0';
    memset(system, 's', sizeof(system));
    system[sizeof(system) - 1] = '\0';
    memcpy(name + LEN - 3, "\xe2\x82\xac", 3); /* the last byte is one too many */
    struct name_case both = {.attributes = {{"messaging.system", system}, {NAME, name}}};
    struct sp_span span = broker_span(&arena, &both, P);
    snprintf(want, sizeof(want), "%.*s\xe2\x80\xa6 (%.*s\xe2\x80\xa6)", LEN - 3, name,
             SP_GRAPH_SYSTEM_BYTES_MAX, system);
    expect_name(&span, SP_PEER_NAMES_BY_DESTINATION, want);
    struct name_case fits = {.attributes = {{NAME, name + 1}}};
    span = broker_span(&arena, &fits, Q);
    expect_name(&span, SP_PEER_NAMES_BY_DESTINATION, name + 1);
    sp_arena_fini(&arena);
}
END_TEST

static void add_trace(struct sp_graph *graph, struct sp_arena *arena, const struct sp_batch *batch)
{
    struct sp_trace trace;
    const struct sp_graph_call *calls;
    size_t count;
    ck_assert_int_eq(sp_trace_assemble(arena, batch, &trace), SP_OK);
    ck_assert_int_eq(sp_graph_calls(arena, &trace, &calls, &count), SP_OK);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(sp_graph_add(graph, &calls[i]), SP_OK);
}

static void assert_same_histogram(const struct sp_histogram *a, const struct sp_histogram *b)
{
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->sum_ns, b->sum_ns);
    ck_assert_uint_eq(a->bucket_count, b->bucket_count);
    for (uint32_t i = 0; i < a->bucket_count; i++) {
        ck_assert_uint_eq(a->buckets[i].index, b->buckets[i].index);
        ck_assert_uint_eq(a->buckets[i].count, b->buckets[i].count);
    }
}

static void assert_same_graph(const struct sp_graph *a, const struct sp_graph *b)
{
    ck_assert_uint_eq(a->edge_count, b->edge_count);
    for (size_t i = 0; i < a->edge_count; i++) {
        const struct sp_graph_edge *left = &a->edges[i], *right = &b->edges[i];
        ck_assert(sp_slice_equal(left->client, right->client));
        ck_assert(sp_slice_equal(left->server, right->server));
        ck_assert_int_eq(left->type, right->type);
        ck_assert_int_eq(left->client_type, right->client_type);
        ck_assert_int_eq(left->server_type, right->server_type);
        ck_assert_uint_eq(left->calls, right->calls);
        ck_assert_uint_eq(left->errors, right->errors);
        ck_assert_uint_eq(left->exemplar_duration_ns, right->exemplar_duration_ns);
        ck_assert_int_eq(sp_trace_id_compare(&left->exemplar, &right->exemplar), 0);
        assert_same_histogram(&left->client_latency, &right->client_latency);
        assert_same_histogram(&left->server_latency, &right->server_latency);
    }
}

START_TEST(graph_is_the_same_for_any_order_and_grouping)
{
    enum { TRACES = 12 };
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    for (uint64_t seed = 0; seed < 60; seed++) {
        random_state = seed;
        sp_arena_reset(&arena);
        struct sp_graph all, parts[3], merged;
        sp_graph_init(&all);
        sp_graph_init(&merged);
        for (int i = 0; i < 3; i++)
            sp_graph_init(&parts[i]);
        for (int i = 0; i < TRACES; i++) {
            struct sp_batch batch = random_trace(&arena, 25, true);
            add_trace(&all, &arena, &batch);
            batch = shuffle(&arena, batch);
            add_trace(&parts[random_below(3)], &arena, &batch);
        }
        for (int i = 2; i >= 0; i--) {
            ck_assert_int_eq(sp_graph_merge(&merged, parts[i].edges, parts[i].edge_count), SP_OK);
            sp_graph_fini(&parts[i]);
        }
        sp_graph_sort(&all);
        sp_graph_sort(&merged);
        assert_same_graph(&all, &merged);
        for (size_t i = 1; i < all.edge_count; i++) {
            int order = sp_slice_compare(all.edges[i - 1].client, all.edges[i].client);
            if (order == 0)
                order = sp_slice_compare(all.edges[i - 1].server, all.edges[i].server);
            ck_assert(order < 0 || (order == 0 && all.edges[i - 1].type < all.edges[i].type));
        }
        sp_graph_fini(&all);
        sp_graph_fini(&merged);
    }
    sp_arena_fini(&arena);
}
END_TEST

/* As many as clients that make up names can send: a sorted array took minutes of moving edges. */
START_TEST(graph_of_a_hundred_thousand_names_adds_up_and_goes_on_after_sorting)
{
    enum { NAMES = 100000 };
    static char names[NAMES][12];
    struct sp_graph graph;
    sp_graph_init(&graph);
    struct sp_span span = {.trace_id = {{1}}, .start_unix_ns = 1, .end_unix_ns = 2};
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < NAMES; i++) {
            snprintf(names[i], sizeof names[i], "s%u", i * 7919 % NAMES);
            struct sp_graph_call call = {.client = SP_SLICE("front"),
                                         .server = sp_slice_cstr(names[i]),
                                         .server_span = &span};
            ck_assert_int_eq(sp_graph_add(&graph, &call), SP_OK);
        }
        sp_graph_sort(&graph);
    }
    ck_assert_uint_eq(graph.edge_count, NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        ck_assert_uint_eq(graph.edges[i].calls, 2);
        ck_assert(i == 0 || sp_slice_compare(graph.edges[i - 1].server, graph.edges[i].server) < 0);
    }
    sp_graph_fini(&graph);
}
END_TEST

START_TEST(graph_edges_carry_latencies_errors_and_the_slowest_trace)
{
    static const struct span_row rows[] = {
        {1, 0, "a", C, 0, 900},
        {2, 1, "b", S, 100, 800},
        {3, 0, "a", C, 0, 500, SP_SPAN_STATUS_ERROR},
        {4, 3, "b", S, 100, 200},
    };
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_batch batch = make_batch(&arena, rows, SP_ARRAY_LEN(rows));
    struct sp_graph graph;
    sp_graph_init(&graph);
    add_trace(&graph, &arena, &batch);
    struct sp_graph_edge *edges;
    size_t count;
    ck_assert_int_eq(sp_graph_take(&graph, &arena, &edges, &count), SP_OK);
    ck_assert_uint_eq(graph.edge_count, 0);
    sp_graph_fini(&graph);
    ck_assert_uint_eq(count, 1);
    ck_assert(sp_slice_equal_cstr(edges[0].client, "a"));
    ck_assert_uint_eq(edges[0].calls, 2);
    ck_assert_uint_eq(edges[0].errors, 1);
    /* The limits of the buckets that hold 500 and 900: exact ones could not be taken back. */
    ck_assert_uint_eq(edges[0].client_latency.min_ns, 491);
    ck_assert_uint_eq(edges[0].client_latency.max_ns, 918);
    ck_assert_uint_eq(edges[0].server_latency.sum_ns, 800);
    ck_assert_uint_eq(edges[0].exemplar_duration_ns, 900);
    ck_assert_uint_eq(edges[0].exemplar.bytes[0], 1);
    sp_histogram_fini(&edges[0].client_latency);
    sp_histogram_fini(&edges[0].server_latency);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_graph");
    TCase *tcase = tcase_create("graph");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, calls_of_a_known_trace_in_any_order_of_arrival, 0,
                        (int)SP_ARRAY_LEN(graph_cases));
    tcase_add_test(tcase,
                   brokers_are_named_by_destination_and_those_that_nobody_else_uses_together);
    tcase_add_test(tcase, long_names_of_brokers_are_cut_between_characters);
    tcase_add_test(tcase, graph_is_the_same_for_any_order_and_grouping);
    tcase_add_test(tcase, graph_of_a_hundred_thousand_names_adds_up_and_goes_on_after_sorting);
    tcase_add_test(tcase, graph_edges_carry_latencies_errors_and_the_slowest_trace);
    suite_add_tcase(suite, tcase);
    return suite;
}
