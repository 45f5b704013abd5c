/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_links_write.c: what became of links, as each format of a graph has room for it. All of it is numbers and our own words. */
#include <inttypes.h>
#include <stddef.h>

#include "query/answer.h"
#include "query/graph_links.h"

static const struct {
    const char *json, *name;
    size_t offset;
} counts[] = {
    {"seen", "links_seen", offsetof(struct sp_graph_links, seen)},
    {"resolved", "links_resolved", offsetof(struct sp_graph_links, resolved)},
    {"sameTrace", "links_same_trace", offsetof(struct sp_graph_links, same_trace)},
    {"notFound", "links_not_found", offsetof(struct sp_graph_links, not_found)},
    {"otherKind", "links_other_kind", offsetof(struct sp_graph_links, other_kind)},
    {"notLookedUp", "links_not_looked_up", offsetof(struct sp_graph_links, not_looked_up)},
};

static const char complete_name[] = "links_complete";

static uint64_t count_of(const struct sp_graph_links *links, size_t i)
{
    uint64_t count;
    memcpy(&count, (const uint8_t *)links + counts[i].offset, sizeof(count));
    return count;
}

static const char *complete_text(const struct sp_graph_links *links)
{
    return links->complete ? "true" : "false";
}

void sp_graph_links_json(struct sp_json_writer *w, const char *key,
                         const struct sp_graph_links *links)
{
    if (!links)
        return;
    sp_json_key(w, key);
    sp_json_object_begin(w);
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++) {
        sp_json_key(w, counts[i].json);
        sp_json_u64_string(w, count_of(links, i));
    }
    sp_json_key(w, "complete");
    sp_json_bool(w, links->complete);
    sp_json_key(w, "incompleteReason");
    if (links->complete)
        sp_json_null(w);
    else
        sp_json_cstr(w, "timeBudget");
    sp_answer_json_scanned(w, &links->scanned, links->trace_count);
    sp_json_object_end(w);
}

void sp_graph_links_dot(const struct sp_graph_links *links, struct sp_buf *out)
{
    if (!links)
        return;
    sp_buf_append_cstr(out, "    ");
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++)
        sp_buf_printf(out, "%s=\"%" PRIu64 "\"; ", counts[i].name, count_of(links, i));
    sp_buf_printf(out, "%s=\"%s\";\n", complete_name, complete_text(links));
}

void sp_graph_links_graphml_keys(const struct sp_graph_links *links, struct sp_buf *out)
{
    if (!links)
        return;
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++)
        sp_buf_printf(
            out, "  <key id=\"%s\" for=\"graph\" attr.name=\"links.%s\" attr.type=\"long\"/>\n",
            counts[i].name, counts[i].json);
    sp_buf_printf(out,
                  "  <key id=\"%s\" for=\"graph\" attr.name=\"links.complete\" "
                  "attr.type=\"boolean\"/>\n",
                  complete_name);
}

void sp_graph_links_graphml(const struct sp_graph_links *links, struct sp_buf *out)
{
    if (!links)
        return;
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++)
        sp_buf_printf(out, "    <data key=\"%s\">%" PRIu64 "</data>\n", counts[i].name,
                      count_of(links, i));
    sp_buf_printf(out, "    <data key=\"%s\">%s</data>\n", complete_name, complete_text(links));
}

void sp_graph_links_csv_names(const struct sp_graph_links *links, struct sp_buf *out)
{
    if (!links)
        return;
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++)
        sp_buf_printf(out, ",%s", counts[i].name);
    sp_buf_printf(out, ",%s", complete_name);
}

void sp_graph_links_csv(const struct sp_graph_links *links, struct sp_buf *out)
{
    if (!links)
        return;
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++)
        sp_buf_printf(out, ",%" PRIu64, count_of(links, i));
    sp_buf_printf(out, ",%s", complete_text(links));
}

void sp_graph_links_mermaid(const struct sp_graph_links *links, struct sp_buf *out)
{
    if (!links)
        return;
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++)
        sp_buf_printf(out, "%%%% %s: %" PRIu64 "\n", counts[i].name, count_of(links, i));
    sp_buf_printf(out, "%%%% %s: %s\n", complete_name, complete_text(links));
}
