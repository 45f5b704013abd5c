/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/test_no_memory.c: every endpoint when the system has no memory, at any allocation: 503 with Retry-After,
 * never 413, which would say that the question is at fault. */
#include "tests/support/alloc_fail.h"
#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    world_init(&world);
    sp_arena_init(&arena, SIZE_MAX);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

#define TRACE1 "/v1/traces/00000000000000000000000000000001"

static const char *const urls[] = {
    TRACE1,
    TRACE1 "?view=columns",
    TRACE1 "?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00%2B01:00",
    TRACE1 "?view=columns&skew=adjust",
    TRACE1 "/spans?rows=0-1",
    TRACE1 "?view=summary",
    TRACE1 "/percentiles?rows=0",
    TRACE1 "/match?q=%7Bname%3D%22add%22%7D",
    TRACE1 "/match?text=3",
    TRACE1 "/attributes",
    TRACE1 "/attributes?key=colour",
    "/v1/services",
    "/v1/operations",
    "/v1/attributes",
    "/v1/attributes?key=colour",
    "/v1/attributes?q=%7Bname%3D%22add%22%7D",
    "/v1/attributes?key=colour&q=%7Bname%3D%22add%22%7D",
    "/v1/attributes?key=colour&q=%7B%7D%3E%3E%7B%7D",
    "/v1/attributes?scope=intrinsic",
    "/v1/attributes?scope=intrinsic&key=rootName&q=%7Bname%3D%22add%22%7D",
    "/v1/attributes?scope=intrinsic&key=name",
    "/v1/attributes?scope=intrinsic&key=service",
    "/v1/attributes?scope=intrinsic&key=status",
    "/v1/latency",
    "/v1/compare?a=%7Bname%3D%22add%22%7D",
    "/v1/compare/traces?a=00000000000000000000000000000001&b=00000000000000000000000000000002",
    "/v1/critical-path",
    "/v1/critical-path?scope=span&by=service&q=%7Bname%3D%22add%22%7D",
    "/v1/graph",
    "/v1/graph?format=dot",
    "/v1/graph?step=1m&from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z",
    "/v1/graph?links=true",
    "/v1/graph/calls?server=cart",
    "/v1/graph/calls?server=cart&connectionType=messaging_link",
    "/v1/graph?links=1&step=1m&from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z",
    "/v1/graph?compareFrom=2026-01-01T00:00:00Z&compareTo=2026-01-01T00:02:00Z",
    "/v1/latency?by=service&step=1m&from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z",
    "/v1/latency?by=name,span.colour&exact=1",
    "/v1/latency?order=-0.99&buckets=true&compareFrom=2026-01-01T00:00:00Z&compareTo=now",
    "/v1/latency?order=-calls&limit=1&step=1m&from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z",
    "/v1/latency?by=name,rootName&step=1m&from=2026-01-01T00:00:00Z&to=2026-01-01T00:02:00Z",
    "/v1/metrics/query?q=%7B%7D%7Ccompare(%7Bname%3D%22add%22%7D)",
    "/v1/metrics/"
    "query?explain=true&q=%7BrootName%3D%22x%22%20%26%26%20.colour%3D~%22r.*%22%7D%7Crate()",
    "/v1/heatmap?explain=true&q=%7Bname%3D%22add%22%7D",
    "/v1/facets?explain=true&q=%7Bname%3D%22add%22%7D&keys=event:name",
    "/v1/"
    "latency?by=name,span.colour&order=-0.5&limit=1&step=1m&from=2026-01-01T00:00:00Z&to=2026-01-"
    "01T00:02:00Z",
    "/v1/search?explain=true&q=%7BrootName%3D~%22x.*%22%20%26%26%20.colour%3D~%22r.*%22%7D",
    "/v1/search?q=%7B%7D",
    "/v1/search?q=%7Bname%3D~%22G.*%22%20%26%26%20.colour%3D%22red%22%7D&limit=3",
    "/v1/search?q=%7BrootName%3D%22GET%5Cn%22%20%7C%7C%20parent.colour%21%3Dnil%7D",
};

static void add_traces(void)
{
    const struct sp_link to_another_trace = {.trace_id.bytes[15] = 1, .span_id.bytes[7] = 2};
    for (unsigned i = 1; i <= 20; i++) {
        struct sp_span spans[] = {
            make_span(&arena, i, 2 * i, 0, "web", "GET /", T0 + i * MS, 100 * MS),
            make_span(&arena, i, 2 * i + 1, 2 * i, "cart", "add", T0 + i * MS + 1, 30 * MS),
        };
        spans[0].kind = SP_KIND_CLIENT;
        spans[1].kind = i == 20 ? SP_KIND_CONSUMER : SP_KIND_SERVER;
        spans[1].links = i == 20 ? &to_another_trace : NULL;
        spans[1].link_count = i == 20;
        add_attribute(&arena, &spans[i % 2], "colour", text_value("red"));
        world_add(&world, spans, SP_ARRAY_LEN(spans));
    }
}

START_TEST(queries_without_memory_of_the_system_may_be_asked_again)
{
    add_traces();
    size_t allocations = 0;
    for (;; allocations += 1 + allocations / 50) {
        struct sp_query_call call = {.api = world.api, .begin_ns = world.monotonic_ns};
        struct sp_slice url = sp_slice_cstr(urls[_i]);
        size_t mark = sp_slice_find(url, '?');
        call.request.method = SP_SLICE("GET");
        call.request.path = sp_slice_sub(url, 0, mark);
        call.request.query = sp_slice_sub(url, mark + 1, SIZE_MAX);
        call.endpoint = sp_query_route(call.request.method, call.request.path, &call.path_id);
        alloc_fail_after(allocations);
        sp_query_call_run(&call);
        bool failed = alloc_fail_stop();
        ck_assert_msg(call.reply.status == 503 || (!failed && call.reply.status == 200),
                      "after %zu allocations: %d %.*s", allocations, call.reply.status,
                      (int)call.reply.body.len, (const char *)call.reply.body.ptr);
        sp_query_call_fini(&call);
        if (!failed)
            break;
    }
    ck_assert_uint_gt(allocations, 2);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("no_memory");
    TCase *test = tcase_create("query");
    tcase_add_checked_fixture(test, setup, teardown);
    tcase_set_timeout(test, 60);
    tcase_add_loop_test(test, queries_without_memory_of_the_system_may_be_asked_again, 0,
                        SP_ARRAY_LEN(urls));
    suite_add_tcase(suite, test);
    return suite;
}
