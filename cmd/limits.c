/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/limits.c: the limits in force of everything but the read API, which knows its own, for /v1/system. Options stand in
 * cmd/options.c, reasons and tests in docs/limits.md. */
#include "cmd/settings.h"
#include "lib/net/net.h"
#include "lib/wire/wire.h"
#include "storage/storage.h"

#define LIMITS_MAX 40

#define MS_NS ((uint64_t)1000 * 1000)

struct list {
    struct sp_limit_shown rows[LIMITS_MAX];
    size_t count;
};

static void add(struct list *list, const char *part, const char *name, const char *unit,
                const char *from, uint64_t value)
{
    SP_ASSERT(list->count < LIMITS_MAX);
    list->rows[list->count++] = (struct sp_limit_shown){part, name, unit, from, value};
}

static void add_receiving(struct list *list, const struct sp_limits *limits)
{
    static const char part[] = "Receiving";
    add(list, part, "one request, unpacked", "bytes", "--max-body", limits->body_bytes_max);
    add(list, part, "spans of a request", "", "SP_LIMIT_SPANS", limits->spans_max);
    add(list, part, "attributes of a request", "", "SP_LIMIT_ATTRIBUTES", limits->attributes_max);
    add(list, part, "memory of a decoded request", "bytes", "SP_LIMIT_ARENA_BYTES",
        limits->arena_bytes_max);
    add(list, part, "levels of nested values", "", "SP_LIMIT_NESTING", limits->nesting_max);
    add(list, part, "window of a zstd body", "bytes", "SP_ZSTD_WINDOW_LOG_MAX",
        (uint64_t)1 << SP_ZSTD_WINDOW_LOG_MAX);
}

/* is_collector: HTTP/2 is spoken to those who send spans only. */
static void add_connections(struct list *list, const struct sp_config *config, bool is_collector)
{
    static const char part[] = "Connections";
    struct sp_net_limits net = sp_net_limits_default();
    if (is_collector)
        add(list, part, "bodies on their way, all connections", "bytes", "--memory",
            sp_config_get(config, "memory")->number);
    add(list, part, "answers that wait, all connections", "bytes", "--reply-memory",
        sp_config_get(config, "reply-memory")->number);
    add(list, part, "connections of a listener", "", "connections_max", net.connections_max);
    add(list, part, "head of a request", "bytes", "head_bytes_max", net.head_bytes_max);
    add(list, part, "body read to be refused", "bytes", "refused_body_bytes_max",
        net.refused_body_bytes_max);
    add(list, part, "time for a head", "ns", "head_timeout_ms", net.head_timeout_ms * MS_NS);
    add(list, part, "time for a body", "ns", "body_timeout_ms", net.body_timeout_ms * MS_NS);
    add(list, part, "time to take an answer", "ns", "write_timeout_ms",
        net.write_timeout_ms * MS_NS);
    add(list, part, "taken of an answer in that time when memory is short", "bytes",
        "write_bytes_min", net.write_bytes_min);
    add(list, part, "time without a request", "ns", "idle_timeout_ms", net.idle_timeout_ms * MS_NS);
    if (!is_collector)
        return;
    add(list, part, "gRPC: open requests of a connection", "", "streams_max", net.streams_max);
    add(list, part, "gRPC: window of a request", "bytes", "stream_window_bytes",
        net.stream_window_bytes);
    add(list, part, "gRPC: window of a connection", "bytes", "connection_window_bytes",
        net.connection_window_bytes);
    add(list, part, "gRPC: one frame", "bytes", "frame_bytes_max", net.frame_bytes_max);
    add(list, part, "gRPC: a body waits for memory", "ns", "budget_wait_ms",
        net.budget_wait_ms * MS_NS);
    add(list, part, "gRPC: control frames at once", "", "control_frames_burst",
        net.control_frames_burst);
    add(list, part, "gRPC: control frames a second", "", "control_frames_per_second",
        net.control_frames_per_second);
}

static void add_keeping(struct list *list, const struct sp_config *config, bool is_collector)
{
    static const char part[] = "Keeping";
    if (is_collector) {
        add(list, part, "acked and not yet sealed", "bytes", "--backlog",
            sp_config_get(config, "backlog")->number);
        add(list, part, "age of spans", "ns", "--retention",
            sp_config_get(config, "retention")->number);
        add(list, part, "stored", "bytes", "--retention-size",
            sp_config_get(config, "retention-size")->number);
    }
    add(list, part, "traces that a scan collects", "", "SP_SCAN_TRACES_MAX", SP_SCAN_TRACES_MAX);
    add(list, part, "backups of a directory", "", "SP_BACKUPS_MAX", SP_BACKUPS_MAX);
    add(list, part, "pinned traces", "", "SP_PINS_MAX", SP_PINS_MAX);
    add(list, part, "short links", "", "SP_SHORT_LINKS_MAX", SP_SHORT_LINKS_MAX);
    add(list, part, "short links, all", "bytes", "SP_SHORT_LINKS_BYTES_MAX",
        SP_SHORT_LINKS_BYTES_MAX);
    add(list, part, "short links, each", "bytes", "SP_SHORT_LINK_BYTES_MAX",
        SP_SHORT_LINK_BYTES_MAX);
}

const struct sp_limit_shown *sp_serve_limits(const struct sp_config *config,
                                             const struct sp_limits *limits, bool is_collector,
                                             size_t *ret_count)
{
    static struct list list;
    list.count = 0;
    if (is_collector)
        add_receiving(&list, limits);
    add_connections(&list, config, is_collector);
    add_keeping(&list, config, is_collector);
    *ret_count = list.count;
    return list.rows;
}
