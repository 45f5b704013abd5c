/* SPDX-License-Identifier: Apache-2.0
 *
 * The five formats of the graph: exact text for a small graph, hostile names in each, and the surroundings of a service. */
#include "query/graph.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/check_main.h"

static struct sp_arena arena;
static struct sp_buf out;

static void setup(void)
{
    sp_arena_init(&arena, 1 << 20);
    sp_buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    sp_buf_fini(&out);
}

static struct sp_graph_edge make_edge(const char *client, const char *server, uint64_t calls,
                                      uint64_t errors)
{
    return (struct sp_graph_edge){
        .client = sp_slice_cstr(client),
        .server = sp_slice_cstr(server),
        .calls = calls,
        .errors = errors,
    };
}

static struct sp_graph_view view_of(const struct sp_graph_edge *edges, size_t count,
                                    const char *focus, uint64_t hops)
{
    struct sp_graph_view view;
    ck_assert_int_eq(sp_graph_view_make(&arena, edges, count, NULL, 0,
                                        (struct sp_time_range){60000000000, UINT64_MAX},
                                        sp_slice_cstr(focus), hops, &view),
                     SP_OK);
    return view;
}

static const char *text(void)
{
    sp_buf_append_byte(&out, 0);
    ck_assert_int_eq(out.error, SP_OK);
    return (const char *)out.ptr;
}

/* web -> cart (10 calls, 1 error, 2 ms each), web -> "db" (a database) */
static void small_graph(struct sp_graph_edge edges[2])
{
    edges[0] = make_edge("web", "cart", 10, 1);
    ck_assert_int_eq(sp_histogram_add(&edges[0].client_latency, 2000000, 10), SP_OK);
    edges[0].exemplar.bytes[15] = 0xab;
    edges[1] = make_edge("web", "db", 1, 0);
    edges[1].type = SP_CONNECTION_DATABASE;
    edges[1].server_type = SP_NODE_DATABASE;
}

START_TEST(graph_as_json)
{
    struct sp_graph_edge edges[2];
    small_graph(edges);
    struct sp_graph_view view = view_of(edges, 2, "", 0);
    sp_graph_write_json(&view, &out);
    ck_assert_str_eq(
        text(),
        "{\"nodes\":[{\"service\":\"cart\",\"type\":\"service\",\"slot\":0,\"calls\":\"10\","
        "\"errors\":\"1\"},{\"service\":\"db\",\"type\":\"database\",\"slot\":0,\"calls\":\"1\","
        "\"errors\":\"0\"},{\"service\":\"web\",\"type\":\"service\",\"slot\":0,\"calls\":\"0\","
        "\"errors\":\"0\"}],\"edges\":[{\"client\":\"web\",\"server\":\"cart\","
        "\"connectionType\":\"\",\"calls\":\"10\",\"errors\":\"1\",\"clientLatency\":{\"p50\":"
        "\"2000000\",\"p90\":\"2000000\",\"p95\":\"2000000\",\"p99\":\"2000000\"},"
        "\"serverLatency\":null,\"exemplarTraceId\":\"000000000000000000000000000000ab\"},"
        "{\"client\":\"web\",\"server\":\"db\",\"connectionType\":\"database\",\"calls\":\"1\","
        "\"errors\":\"0\",\"clientLatency\":null,\"serverLatency\":null,\"exemplarTraceId\":null}"
        "],\"from\":\"60000000000\",\"to\":null,\"service\":null,\"hops\":null,\"relativeError\":0."
        "011}");
    sp_histogram_fini(&edges[0].client_latency);
}
END_TEST

START_TEST(graph_as_dot)
{
    struct sp_graph_edge edges[2];
    small_graph(edges);
    struct sp_graph_view view = view_of(edges, 2, "web", 1);
    sp_graph_write_dot(&view, &out);
    ck_assert_str_eq(
        text(),
        "digraph spoor {\n    rankdir=LR;\n    node [fontname=\"sans-serif\"];\n"
        "    edge [fontname=\"sans-serif\"];\n"
        "    from=\"1970-01-01T00:01:00Z\"; to=\"\"; service=\"web\"; hops=\"1\";\n"
        "    n0 [label=\"cart\", shape=box, style=rounded];\n"
        "    n1 [label=\"db\", shape=cylinder];\n"
        "    n2 [label=\"web\", shape=box, style=rounded];\n"
        "    n2 -> n0 [label=\"10 calls, 10% errors, p95 2ms\", style=solid, color=\"#b3261e\"];\n"
        "    n2 -> n1 [label=\"1 call\", style=solid];\n}\n");
    sp_histogram_fini(&edges[0].client_latency);
}
END_TEST

START_TEST(graph_as_csv)
{
    struct sp_graph_edge edges[2];
    small_graph(edges);
    struct sp_graph_view view = view_of(edges, 2, "", 0);
    sp_graph_write_csv(&view, &out);
    const char *csv = text();
    ck_assert_ptr_nonnull(strstr(csv, "\r\n\"web\",\"cart\",,10,1,2000000,2000000,2000000,2000000,"
                                      ",,,,000000000000000000000000000000ab,"
                                      "1970-01-01T00:01:00Z,,\"\",\r\n"));
    sp_histogram_fini(&edges[0].client_latency);
}
END_TEST

START_TEST(graph_as_mermaid)
{
    struct sp_graph_edge edges[2];
    small_graph(edges);
    struct sp_graph_view view = view_of(edges, 2, "", 0);
    sp_graph_write_mermaid(&view, &out);
    ck_assert_str_eq(text(), "flowchart LR\n%% from: 1970-01-01T00:01:00Z\n%% to: \n%% focus: \n"
                             "    n0(\"cart\")\n    n1[(\"db\")]\n    n2(\"web\")\n"
                             "    n2 -->|\"10 calls, 10#37; errors, p95 2ms\"| n0\n"
                             "    n2 -->|\"1 call\"| n1\n");
    sp_histogram_fini(&edges[0].client_latency);
}
END_TEST

START_TEST(graph_as_graphml)
{
    struct sp_graph_edge edges[2];
    small_graph(edges);
    struct sp_graph_view view = view_of(edges, 2, "", 0);
    sp_graph_write_graphml(&view, &out);
    const char *xml = text();
    ck_assert_ptr_nonnull(strstr(xml, "<node id=\"n1\"><data key=\"service\">db</data>"
                                      "<data key=\"type\">database</data>"));
    ck_assert_ptr_nonnull(
        strstr(xml, "<edge id=\"e0\" source=\"n2\" target=\"n0\">"
                    "<data key=\"connectionType\"></data><data key=\"calls\">10</data>"));
    sp_histogram_fini(&edges[0].client_latency);
}
END_TEST

#define HOSTILE "=a\"b\\n<c>&'\x01\n|]#;"

START_TEST(graph_escapes_hostile_names_in_every_format)
{
    struct sp_graph_edge edge = make_edge(HOSTILE, HOSTILE, 1, 0);
    struct sp_graph_view view = view_of(&edge, 1, "", 0);
    static const struct {
        void (*write)(const struct sp_graph_view *view, struct sp_buf *out);
        const char *expected;
    } formats[] = {
        {sp_graph_write_json, "\"=a\\\"b\\\\n<c>&'\\u0001\\n|]#;\""},
        {sp_graph_write_dot, "\"=a\\\"b\\\\n<c>&'  |]#;\""},
        {sp_graph_write_graphml, ">=a&quot;b\\n&lt;c&gt;&amp;'\xEF\xBF\xBD&#10;|]#;<"},
        {sp_graph_write_csv, "\"'=a\"\"b\\n<c>&'\x01\n|]#;\","},
        {sp_graph_write_mermaid, "(\"=a#34;b#92;n#60;c#62;#38;'  #124;#93;#35;#59;\")"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(formats); i++) {
        sp_buf_reset(&out);
        formats[i].write(&view, &out);
        const char *found = text();
        ck_assert_msg(strstr(found, formats[i].expected) != NULL, "format %zu: %s", i, found);
    }
}
END_TEST

START_TEST(graph_of_nothing_is_a_whole_document)
{
    struct sp_graph_view view = view_of(NULL, 0, "", 0);
    sp_graph_write_dot(&view, &out);
    sp_graph_write_graphml(&view, &out);
    sp_graph_write_json(&view, &out);
    ck_assert_ptr_nonnull(strstr(text(), "\"nodes\":[],\"edges\":[]"));
}
END_TEST

/* a -> b -> c -> d, x -> c */
static size_t count_nodes(const char *focus, uint64_t hops, size_t *ret_edges)
{
    struct sp_graph_edge edges[] = {make_edge("a", "b", 1, 0), make_edge("b", "c", 1, 0),
                                    make_edge("c", "d", 1, 0), make_edge("x", "c", 1, 0)};
    struct sp_graph_view view = view_of(edges, SP_ARRAY_LEN(edges), focus, hops);
    *ret_edges = view.edge_count;
    return view.node_count;
}

START_TEST(graph_keeps_what_is_within_hops_in_either_direction)
{
    size_t edges;
    ck_assert_uint_eq(count_nodes("", 0, &edges), 5);
    ck_assert_uint_eq(edges, 4);
    ck_assert_uint_eq(count_nodes("c", 0, &edges), 1);
    ck_assert_uint_eq(edges, 0);
    ck_assert_uint_eq(count_nodes("c", 1, &edges), 4);
    ck_assert_uint_eq(edges, 3);
    ck_assert_uint_eq(count_nodes("d", 2, &edges), 4);
    ck_assert_uint_eq(count_nodes("a", 64, &edges), 5);
    ck_assert_uint_eq(count_nodes("nobody", 3, &edges), 0);
}
END_TEST

START_TEST(graph_shows_services_that_call_nobody)
{
    const struct sp_service_row services[] = {{.name = SP_SLICE("alone"), .slot = 31}};
    struct sp_graph_view view;
    ck_assert_int_eq(sp_graph_view_make(&arena, NULL, 0, services, 1,
                                        (struct sp_time_range){0, UINT64_MAX}, SP_SLICE(""), 0,
                                        &view),
                     SP_OK);
    ck_assert_uint_eq(view.node_count, 1);
    ck_assert_uint_eq(view.nodes[0].slot, 1);
}
END_TEST

START_TEST(graph_reports_a_full_arena)
{
    struct sp_graph_edge edge = make_edge("a", "b", 1, 0);
    struct sp_arena none;
    struct sp_graph_view view;
    sp_arena_init(&none, 0);
    ck_assert_int_eq(sp_graph_view_make(&none, &edge, 1, NULL, 0,
                                        (struct sp_time_range){0, UINT64_MAX}, SP_SLICE(""), 0,
                                        &view),
                     SP_LIMIT);
    sp_arena_fini(&none);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query graph");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, graph_as_json);
    tcase_add_test(tcase, graph_as_dot);
    tcase_add_test(tcase, graph_as_csv);
    tcase_add_test(tcase, graph_as_mermaid);
    tcase_add_test(tcase, graph_as_graphml);
    tcase_add_test(tcase, graph_escapes_hostile_names_in_every_format);
    tcase_add_test(tcase, graph_of_nothing_is_a_whole_document);
    tcase_add_test(tcase, graph_keeps_what_is_within_hops_in_either_direction);
    tcase_add_test(tcase, graph_shows_services_that_call_nobody);
    tcase_add_test(tcase, graph_reports_a_full_arena);
    suite_add_tcase(suite, tcase);
    return suite;
}
