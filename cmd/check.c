/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/check.c: `spoor check`: says what in a data directory is damaged. It knows how findings look, not how they are found. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cmd/options.h"
#include "collector/collector.h"
#include "storage/storage.h"

#define CHECK_LINE_BYTES_MAX ((size_t)64 * 1024)

/* Unlike other sub-commands: "not found" is the good answer here. */
enum { EXIT_CLEAN = 0, EXIT_DAMAGED = 1, EXIT_NOT_CHECKED = 2 };

static const struct sp_option options[] = {
    {.name = "json",
     .type = SP_OPTION_BOOL,
     .help = "Print a JSON object a line: one for each finding, then the summary."},
};

struct output {
    bool json;
    bool progress; /* stderr is a terminal */
    bool progress_shown;
    struct sp_buf line; /* JSON */
};

/* ---- findings ---- */

static void clear_progress(struct output *output)
{
    if (output->progress_shown)
        fputs("\r\033[K", stderr);
    output->progress_shown = false;
}

static void print_line(struct output *output)
{
    sp_buf_append_byte(&output->line, '\n');
    if (output->line.error == SP_OK)
        fwrite(output->line.ptr, 1, output->line.len, stdout);
    sp_buf_reset(&output->line);
}

static void write_id(struct sp_json_writer *w, const char *key, const struct sp_trace_id *id)
{
    sp_json_key(w, key);
    sp_json_hex(w, sp_slice_make(id->bytes, sizeof(id->bytes)));
}

static void write_finding(struct output *output, const struct sp_finding *finding)
{
    struct sp_json_writer w;
    sp_json_writer_init(&w, &output->line);
    sp_json_object_begin(&w);
    sp_json_key(&w, "kind");
    sp_json_cstr(&w, sp_finding_kind_name(finding->kind));
    sp_json_key(&w, "damage");
    sp_json_bool(&w, sp_finding_is_damage(finding->kind));
    sp_json_key(&w, "place");
    sp_json_cstr(&w, finding->place);
    sp_json_key(&w, "detail");
    sp_json_cstr(&w, finding->detail);
    if (finding->has_segment) {
        sp_json_key(&w, "segment");
        sp_json_u64_string(&w, finding->segment);
    }
    if (finding->has_block) {
        sp_json_key(&w, "block");
        sp_json_u64(&w, finding->block);
    }
    if (finding->has_spans) {
        sp_json_key(&w, "spanCount");
        sp_json_u64_string(&w, finding->span_count);
    }
    if (finding->has_traces) {
        write_id(&w, "firstTraceId", &finding->first_trace_id);
        write_id(&w, "lastTraceId", &finding->last_trace_id);
    }
    if (finding->has_times) {
        sp_json_key(&w, "startMinUnixNano");
        sp_json_u64_string(&w, finding->start_min_unix_ns);
        sp_json_key(&w, "startMaxUnixNano");
        sp_json_u64_string(&w, finding->start_max_unix_ns);
    }
    sp_json_object_end(&w);
    print_line(output);
}

static void print_time(uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / 1000000000);
    struct tm parts;
    char text[64];
    if (gmtime_r(&seconds, &parts) != NULL &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) > 0)
        printf("%s.%09" PRIu64 "Z", text, unix_ns % 1000000000);
    else
        printf("%" PRIu64, unix_ns);
}

static void print_finding(const struct sp_finding *finding)
{
    char first[SP_TRACE_ID_TEXT];
    char last[SP_TRACE_ID_TEXT];
    printf("%s: %s: %s\n", sp_finding_kind_name(finding->kind), finding->place, finding->detail);
    if (!sp_finding_is_damage(finding->kind))
        return;
    if (finding->has_spans)
        printf("  concerns %" PRIu64 " spans\n", finding->span_count);
    if (finding->has_traces) {
        sp_trace_id_format(&finding->first_trace_id, first);
        sp_trace_id_format(&finding->last_trace_id, last);
        printf("  of traces %s to %s\n", first, last);
    }
    if (finding->has_times) {
        fputs("  that start from ", stdout);
        print_time(finding->start_min_unix_ns);
        fputs(" to ", stdout);
        print_time(finding->start_max_unix_ns);
        putchar('\n');
    }
}

static void on_found(void *cookie, const struct sp_finding *finding)
{
    struct output *output = cookie;
    clear_progress(output);
    if (output->json)
        write_finding(output, finding);
    else
        print_finding(finding);
}

static void on_progress(void *cookie, const char *what, uint64_t done, uint64_t all)
{
    struct output *output = cookie;
    if (!output->progress || (done != all && done % 16 != 0))
        return;
    fprintf(stderr, "\r\033[K%s: %" PRIu64 " of %" PRIu64, what, done, all);
    fflush(stderr);
    output->progress_shown = true;
}

/* ---- the summary ---- */

static uint64_t damage_count(const struct sp_check_summary *summary)
{
    uint64_t count = 0;
    for (int kind = 0; kind < SP_FINDING_KIND_COUNT; kind++)
        if (sp_finding_is_damage((enum sp_finding_kind)kind))
            count += summary->findings[kind];
    return count;
}

static void write_summary(struct output *output, const struct sp_check_summary *summary)
{
    const struct {
        const char *key;
        uint64_t count;
    } counts[] = {
        {"segments", summary->segment_count},
        {"blocks", summary->block_count},
        {"chunks", summary->chunk_count},
        {"spans", summary->span_count},
        {"journalRecords", summary->journal_record_count},
        {"journalSpans", summary->journal_span_count},
        {"files", summary->file_count},
        {"bytes", summary->bytes},
    };
    struct sp_json_writer w;
    sp_json_writer_init(&w, &output->line);
    sp_json_object_begin(&w);
    sp_json_key(&w, "clean");
    sp_json_bool(&w, damage_count(summary) == 0);
    sp_json_key(&w, "findings");
    sp_json_object_begin(&w);
    for (int kind = 0; kind < SP_FINDING_KIND_COUNT; kind++) {
        sp_json_key(&w, sp_finding_kind_name((enum sp_finding_kind)kind));
        sp_json_u64_string(&w, summary->findings[kind]);
    }
    sp_json_object_end(&w);
    for (size_t i = 0; i < SP_ARRAY_LEN(counts); i++) {
        sp_json_key(&w, counts[i].key);
        sp_json_u64_string(&w, counts[i].count);
    }
    sp_json_object_end(&w);
    print_line(output);
}

static void print_summary(const struct sp_check_summary *summary)
{
    const char *between = ": ";
    printf("read %" PRIu64 " segments with %" PRIu64 " blocks, %" PRIu64 " chunks and %" PRIu64
           " spans; %" PRIu64 " journal records with %" PRIu64 " spans; %" PRIu64 " files; %" PRIu64
           " bytes\n",
           summary->segment_count, summary->block_count, summary->chunk_count, summary->span_count,
           summary->journal_record_count, summary->journal_span_count, summary->file_count,
           summary->bytes);
    printf(damage_count(summary) == 0 ? "no damage" : "%" PRIu64 " times damage",
           damage_count(summary));
    for (int kind = 0; kind < SP_FINDING_KIND_COUNT; kind++) {
        if (summary->findings[kind] == 0)
            continue;
        printf("%s%" PRIu64 " %s", between, summary->findings[kind],
               sp_finding_kind_name((enum sp_finding_kind)kind));
        between = ", ";
    }
    putchar('\n');
}

static int run(const struct sp_config *config)
{
    struct output output = {.json = sp_config_get(config, "json")->flag,
                            .progress = isatty(STDERR_FILENO)};
    struct sp_check_summary summary;
    struct sp_error error = {0};
    const struct sp_check_options check = {
        .data_dir = (const char *)config->positional[0].ptr,
        .codec = sp_collector_codec(&sp_replay_limits),
        .found = on_found,
        .progress = on_progress,
        .cookie = &output,
    };
    sp_buf_init(&output.line, CHECK_LINE_BYTES_MAX);
    enum sp_status status = sp_store_check(&check, &summary, &error);
    clear_progress(&output);
    if (status == SP_OK && output.json)
        write_summary(&output, &summary);
    else if (status == SP_OK)
        print_summary(&summary);
    sp_buf_fini(&output.line);
    if (status != SP_OK) {
        fprintf(stderr, "spoor check: %s\n", error.message);
        return EXIT_NOT_CHECKED;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("spoor check: cannot write");
        return EXIT_NOT_CHECKED;
    }
    return damage_count(&summary) == 0 ? EXIT_CLEAN : EXIT_DAMAGED;
}

int sp_cmd_check(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "check",
        .arguments = "DIR",
        .summary =
            "Reads all of a data directory that no server uses, changes nothing, and says what is "
            "damaged and which\nspans that concerns. Exit code: 0 no damage, 1 damage, 2 it could "
            "not "
            "be checked.",
        .options = options,
        .option_count = SP_ARRAY_LEN(options),
        .arguments_min = 1,
        .arguments_max = 1,
    };
    return sp_cmd_run(&command, argc, argv, run);
}
