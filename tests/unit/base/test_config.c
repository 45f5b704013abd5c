/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration: the order of its sources, each type's values, and what every mistake is told. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

static const struct sp_option options[] = {
    {.name = "config", .type = SP_OPTION_TEXT, .value_name = "FILE", .help = "Configuration file."},
    {.name = "data-dir",
     .type = SP_OPTION_TEXT,
     .default_text = "./spoor-data",
     .value_name = "DIR",
     .help = "Where everything is kept, a directory that is made when it is not there and that "
             "nothing else uses."},
    {.name = "otlp-grpc",
     .type = SP_OPTION_ADDRESS,
     .default_text = "127.0.0.1:4317",
     .value_name = "HOST:PORT",
     .help = "Address of OTLP over gRPC."},
    {.name = "otlp-http",
     .type = SP_OPTION_ADDRESS,
     .value_name = "HOST:PORT",
     .help = "Address of OTLP over HTTP."},
    {.name = "verbose", .type = SP_OPTION_BOOL, .default_text = "false", .help = "Say more."},
    {.name = "threads",
     .type = SP_OPTION_U64,
     .default_text = "2",
     .value_name = "COUNT",
     .help = "Threads.",
     .min = 1,
     .max = 64},
    {.name = "body-max",
     .type = SP_OPTION_BYTES,
     .default_text = "64MiB",
     .value_name = "BYTES",
     .help = "Body.",
     .min = 1024},
    {.name = "drain",
     .type = SP_OPTION_DURATION,
     .default_text = "5s",
     .value_name = "TIME",
     .help = "Drain.",
     .min = 1000000,
     .max = UINT64_C(60000000000)},
    {.name = "durability",
     .type = SP_OPTION_CHOICE,
     .default_text = "sync",
     .choices = "sync|os",
     .help = "When.",
     .value_name = "HOW"},
    {.name = "cors", .type = SP_OPTION_LIST, .value_name = "ORIGINS", .help = "Origins."},
};

static struct sp_arena arena;
static struct sp_config config;
static struct sp_error error;
static char file_path[] = "/tmp/spoor-config-XXXXXX";
static char config_flag[64];

static void setup(void)
{
    sp_arena_init(&arena, 1 << 20);
    int fd = mkstemp(file_path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    snprintf(config_flag, sizeof(config_flag), "--config=%s", file_path);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    unlink(file_path);
    strcpy(file_path, "/tmp/spoor-config-XXXXXX");
}

static void write_file(const void *content, size_t len)
{
    FILE *file = fopen(file_path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(content, 1, len, file), len);
    fclose(file);
}

#define ARGS(...) ((const char *[]){"spoor", __VA_ARGS__, NULL})
#define ENV(...)  ((const char *[]){__VA_ARGS__, NULL})

/* argv and environ are char *const * by tradition, although nobody writes to them. */
static char *const *tradition(const char **strings)
{
    void *untyped = strings;
    return untyped;
}

static enum sp_status load(const char **argv, const char **env)
{
    int argc = 0;
    while (argv[argc]) {
        argc++;
    }
    return sp_config_load(&arena, options, SP_ARRAY_LEN(options), argc, tradition(argv),
                          tradition(env), &config, &error);
}

static enum sp_status load_file(const char *content)
{
    write_file(content, strlen(content));
    return load(ARGS(config_flag), NULL);
}

static const struct sp_option_value *get(const char *name)
{
    return sp_config_get(&config, name);
}

static bool text_is(const char *name, const char *text)
{
    return sp_slice_equal_cstr(get(name)->text, text);
}

START_TEST(config_gives_defaults)
{
    ck_assert_int_eq(load(ARGS(NULL), NULL), SP_OK);
    ck_assert(text_is("data-dir", "./spoor-data"));
    ck_assert_str_eq(get("data-dir")->origin, "default");
    ck_assert_str_eq((const char *)get("otlp-grpc")->host.ptr, "127.0.0.1");
    ck_assert_uint_eq(get("otlp-grpc")->port, 4317);
    ck_assert(!get("otlp-http")->set);
    ck_assert(!get("verbose")->flag);
    ck_assert_uint_eq(get("body-max")->number, 64 << 20);
    ck_assert_uint_eq(get("drain")->number, UINT64_C(5000000000));
    ck_assert_uint_eq(get("durability")->number, 0);
    ck_assert(!get("cors")->set);
}
END_TEST

START_TEST(config_precedence_is_flag_environment_file_default)
{
    write_file("data-dir: /file\n", 16);
    ck_assert_int_eq(load(ARGS(config_flag), ENV("SPOOR_DATA_DIR=/env")), SP_OK);
    ck_assert(text_is("data-dir", "/env"));
    ck_assert_str_eq(get("data-dir")->origin, "environment");
    ck_assert_int_eq(load(ARGS(config_flag, "--data-dir", "/flag"), ENV("SPOOR_DATA_DIR=/env")),
                     SP_OK);
    ck_assert(text_is("data-dir", "/flag"));
    ck_assert_str_eq(get("data-dir")->origin, "flag");
    ck_assert_int_eq(load(ARGS(config_flag), ENV("OTHER=1", "SPOOR_DATA_DIRX=/env")), SP_OK);
    ck_assert(text_is("data-dir", "/file"));
    ck_assert_str_eq(get("data-dir")->origin, "file");
    ck_assert_int_eq(load(ARGS(config_flag), ENV("SPOOR_DATA_DIR=")),
                     SP_OK); /* empty counts as unset */
    ck_assert(text_is("data-dir", "/file"));
    char variable[80];
    snprintf(variable, sizeof(variable), "SPOOR_CONFIG=%s", file_path);
    ck_assert_int_eq(load(ARGS(NULL), ENV(variable)), SP_OK);
    ck_assert(text_is("data-dir", "/file"));
}
END_TEST

START_TEST(config_checks_values_that_are_overridden)
{
    write_file("threads: many\n", 14);
    ck_assert_int_eq(load(ARGS(config_flag, "--threads=3"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(load(ARGS("--threads=3"), ENV("SPOOR_THREADS=0")), SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.message, "SPOOR_THREADS: '0' is not between 1 and 64");
}
END_TEST

START_TEST(config_reads_flags_in_every_form)
{
    ck_assert_int_eq(load(ARGS("serve", "--threads=3", "--verbose", "--data-dir", "-x", "-",
                               "--cors=a, b,c", "--", "--not-a-flag"),
                          NULL),
                     SP_OK);
    ck_assert_uint_eq(get("threads")->number, 3);
    ck_assert(get("verbose")->flag);
    ck_assert(text_is("data-dir", "-x"));
    ck_assert_uint_eq(get("cors")->item_count, 3);
    ck_assert_str_eq((const char *)get("cors")->items[1].ptr, "b");
    ck_assert_uint_eq(config.positional_count, 3);
    ck_assert(sp_slice_equal_cstr(config.positional[0], "serve"));
    ck_assert(sp_slice_equal_cstr(config.positional[1], "-"));
    ck_assert(sp_slice_equal_cstr(config.positional[2], "--not-a-flag"));
    ck_assert_int_eq(
        load(ARGS("--threads", "3", "--threads", "4", "--data-dir=", "--verbose=off"), NULL),
        SP_OK);
    ck_assert_uint_eq(get("threads")->number, 4);
    ck_assert(get("data-dir")->set && get("data-dir")->text.len == 0);
    ck_assert(!get("verbose")->flag);
}
END_TEST

START_TEST(config_names_the_flag_that_was_meant)
{
    ck_assert_int_eq(load(ARGS("--otlp-grcp=x"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.message, "unknown flag --otlp-grcp, did you mean --otlp-grpc?");
    ck_assert_str_eq(error.parameter, "otlp-grcp");
    ck_assert_int_eq(load(ARGS("--datadir=x"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "did you mean --data-dir?"));
    ck_assert_int_eq(load(ARGS("--zzz"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.message, "unknown flag --zzz; --help lists the flags");
    ck_assert_int_eq(load(ARGS("--"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                               "aaaaaaaaaaaaaaaaa"),
                          NULL),
                     SP_INVALID_ARGUMENT);
    ck_assert_int_eq(load(ARGS("-v"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(load(ARGS("--=x"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(load(ARGS("--threads"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.message, "--threads needs a value: --threads COUNT");
    ck_assert_int_eq(load(ARGS("--threads", "--verbose"), NULL), SP_INVALID_ARGUMENT);
}
END_TEST

START_TEST(config_help_wins_over_mistakes)
{
    ck_assert_int_eq(load(ARGS("--zzz", "--help"), NULL), SP_OK);
    ck_assert(config.help);
    ck_assert_int_eq(load(ARGS("-h"), NULL), SP_OK);
    ck_assert(config.help);
    ck_assert_int_eq(load(ARGS("--", "--help"), NULL), SP_OK);
    ck_assert(!config.help);
}
END_TEST

START_TEST(config_reads_yaml_flat_and_nested)
{
    ck_assert_int_eq(
        load_file("# a comment\n"
                  "data-dir: /var/lib/spoor\n"
                  "otlp:\n  grpc: '[::1]:0'\n  http: \"localhost:80\"\n"
                  "verbose: yes\nthreads: 8\nbody-max: 1MiB\ndrain: 1m\ndurability: os\n"
                  "cors:\n  - https://a.example\n  - 'with, comma'\n"),
        SP_OK);
    ck_assert(text_is("data-dir", "/var/lib/spoor"));
    ck_assert_str_eq((const char *)get("otlp-grpc")->host.ptr, "::1");
    ck_assert_uint_eq(get("otlp-grpc")->port, 0);
    ck_assert(sp_slice_equal_cstr(get("otlp-http")->host, "localhost"));
    ck_assert(get("verbose")->flag);
    ck_assert_uint_eq(get("threads")->number, 8);
    ck_assert_uint_eq(get("body-max")->number, 1 << 20);
    ck_assert_uint_eq(get("drain")->number, UINT64_C(60000000000));
    ck_assert_uint_eq(get("durability")->number, 1);
    ck_assert_uint_eq(get("cors")->item_count, 2);
    ck_assert_str_eq((const char *)get("cors")->items[1].ptr, "with, comma");
    ck_assert(text_is("cors", "https://a.example,with, comma"));
    ck_assert_int_eq(load_file("{otlp-grpc: \"h:1\", data: {dir: x}, cors: [], body: {max: 2048}}"),
                     SP_OK);
    ck_assert(text_is("data-dir", "x"));
    ck_assert(get("cors")->set && get("cors")->item_count == 0);
    ck_assert_int_eq(load_file("cors: a,b\n"), SP_OK);
    ck_assert_uint_eq(get("cors")->item_count, 2);
}
END_TEST

START_TEST(config_takes_an_empty_file)
{
    static const char *const empty[] = {"",        "\n", "# only a comment\n", "---\n",
                                        "--- ~\n", "{}", "\xef\xbb\xbf"};
    for (size_t i = 0; i < SP_ARRAY_LEN(empty); i++) {
        ck_assert_msg(load_file(empty[i]) == SP_OK, "%s: %s", empty[i], error.message);
        ck_assert(text_is("data-dir", "./spoor-data"));
    }
}
END_TEST

START_TEST(config_says_file_and_line_of_every_mistake)
{
    static const struct {
        const char *content;
        int line;
        const char *message;
    } rows[] = {
        {"data-dir: a\notlp:\n  grcp: x\n", 3,
         "unknown key 'otlp-grcp', did you mean 'otlp-grpc'?"},
        {"otlp_grpc: x\n", 1, "unknown key 'otlp_grpc', did you mean 'otlp-grpc'?"},
        {"\nzzz:\n  a: b\n", 2, "unknown key 'zzz'"},
        {"a\\0b: 1\n", 1, "unknown key 'a\\0b'"},
        {"threads: 0\n", 1, "threads: '0' is not between 1 and 64"},
        {"threads: -1\n", 1, "threads: '-1' is not a whole number"},
        {"threads: 1.5\n", 1, "threads: '1.5' is not a whole number"},
        {"threads: 99999999999999999999\n", 1, "is not a whole number"},
        {"body-max: 1KiB\n\nbody-max: 1kB\n", 3, "'body-max' is given twice"},
        {"body-max: 10\n", 1, "body-max: '10' is not at least 1024"},
        {"body-max: lots\n", 1, "body-max: 'lots' is not a size such as 64MiB, 500kB or 1024"},
        {"drain: 2h\n", 1, "drain: '2h' is not between 1ms and 1m"},
        {"drain: 5\n", 1, "drain: '5' is not a duration such as 250ms, 5s or 1h30m"},
        {"verbose: maybe\n", 1, "verbose: 'maybe' is not true or false"},
        {"durability: never\n", 1, "durability: 'never' is not one of sync|os"},
        {"otlp-grpc: 4317\n", 1, "otlp-grpc: '4317' is not HOST:PORT"},
        {"data-dir:\nthreads: 2\n", 1, "'data-dir' has no value"},
        {"data-dir: ~\n", 1, "'data-dir' has no value"},
        {"otlp: x\n", 1, "'otlp' is a group of keys, not a value"},
        {"threads: {a: 1}\n", 1, "'threads' is a value, not a group of keys"},
        {"threads: [1]\n", 1, "'threads' takes one value, not a list"},
        {"\ncors:\n - a\n - ''\n", 3, "cors: item 2 of the list is empty"},
        {"cors:\n - [a]\n", 2, "a list inside a list"},
        {"cors:\n - a: b\n", 2, "the items of 'cors' are texts, not groups of keys"},
        {"- a\n", 1, "expected keys and values, not a list"},
        {"just text\n", 1, "expected keys and values"},
        {"? [a]\n: b\n", 1, "a key must be a plain name"},
        {"? {a: b}\n: c\n", 1, "a key must be a plain name"},
        {"data-dir: &x a\n", 1, "anchors and aliases are not supported"},
        {"cors: &x [a]\n", 1, "anchors and aliases are not supported"},
        {"otlp: &x {grpc: \"a:1\"}\n", 1, "anchors and aliases are not supported"},
        {"data-dir: *x\n", 1, "anchors and aliases are not supported"},
        {"data-dir: a\n---\ndata-dir: b\n", 2, "a second document"},
        {"config: other.yaml\n", 1, "a configuration file cannot name another one"},
        {"data-dir: \"a\\0b\"\n", 1, "is not a text without zero bytes"},
        {"cors: [\"a\\0b\"]\n", 1, "is not a text without zero bytes"},
        {"data-dir: a\n  b: c: d\n", 2, "not valid YAML: "},
        {"data-dir: \"open\n", 2, "not valid YAML: "},
        {"a: b\n\tc: d\n", 1, "unknown key 'a'"},
        {"data-dir: a\n\xff\n", 1, "not valid YAML: "},
        {"threads: @\n", 1, "not valid YAML: "},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        char place[100];
        ck_assert_msg(load_file(rows[i].content) == SP_INVALID_ARGUMENT, "%s", rows[i].content);
        snprintf(place, sizeof(place), "%s:%d: ", file_path, rows[i].line);
        ck_assert_msg(strncmp(error.message, place, strlen(place)) == 0, "%s: %s", rows[i].content,
                      error.message);
        ck_assert_msg(strstr(error.message, rows[i].message) != NULL, "%s: %s", rows[i].content,
                      error.message);
    }
    ck_assert_int_eq(load_file("otlp:\n  grcp: x\n"), SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.parameter, "otlp-grcp");
}
END_TEST

START_TEST(config_file_that_cannot_be_read_is_named)
{
    ck_assert_int_eq(load(ARGS("--config=/nonexistent/spoor.yaml"), NULL), SP_NOT_FOUND);
    ck_assert_str_eq(error.message, "/nonexistent/spoor.yaml: No such file or directory");
    ck_assert_str_eq(error.parameter, "config");
    ck_assert_int_eq(load(ARGS("--config=/"), NULL), SP_IO);
    ck_assert_int_eq(load(ARGS("--config=/dev/null/x"), NULL), SP_NOT_FOUND);
    ck_assert_int_eq(chmod(file_path, 0), 0);
    if (geteuid() != 0) { /* root may read everything */
        ck_assert_int_eq(load(ARGS(config_flag), NULL), SP_PERMISSION);
    }
}
END_TEST

START_TEST(config_file_has_a_largest_size)
{
    char *content = malloc(SP_CONFIG_FILE_BYTES_MAX + 1);
    memset(content, '#', SP_CONFIG_FILE_BYTES_MAX + 1);
    write_file(content, SP_CONFIG_FILE_BYTES_MAX);
    ck_assert_int_eq(load(ARGS(config_flag), NULL), SP_OK);
    write_file(content, SP_CONFIG_FILE_BYTES_MAX + 1);
    ck_assert_int_eq(load(ARGS(config_flag), NULL), SP_LIMIT);
    memset(content, '[',
           SP_CONFIG_FILE_BYTES_MAX); /* as deep as it gets: refused at the first bracket */
    write_file(content, SP_CONFIG_FILE_BYTES_MAX);
    ck_assert_int_eq(load(ARGS(config_flag), NULL), SP_INVALID_ARGUMENT);
    free(content);
}
END_TEST

START_TEST(config_nesting_has_a_limit)
{
    static const struct sp_option deep[] = {
        {.name = "config", .type = SP_OPTION_TEXT, .help = "File."},
        {.name = "a-a-a-a-a-a-a-a", .type = SP_OPTION_TEXT, .help = "Eight parts."},
        {.name = "a-a-a-a-a-a-a-a-a", .type = SP_OPTION_TEXT, .help = "Nine parts."},
    };
    const char *good = "{a: {a: {a: {a: {a: {a: {a: {a: x}}}}}}}}";
    const char *bad = "{a: {a: {a: {a: {a: {a: {a: {a: {a: x}}}}}}}}}";
    write_file(good, strlen(good));
    ck_assert_int_eq(
        sp_config_load(&arena, deep, 3, 2, tradition(ARGS(config_flag)), NULL, &config, &error),
        SP_OK);
    ck_assert(text_is("a-a-a-a-a-a-a-a", "x"));
    write_file(bad, strlen(bad));
    ck_assert_int_eq(
        sp_config_load(&arena, deep, 3, 2, tradition(ARGS(config_flag)), NULL, &config, &error),
        SP_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "nested deeper than 8 levels"));
}
END_TEST

START_TEST(config_addresses)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {{"127.0.0.1:4317", "127.0.0.1", 4317},
                {"localhost:0", "localhost", 0},
                {"[::]:65535", "::", 65535},
                {"[::1]:0", "::1", 0},
                {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
                {"[2001:db8::ffff:1.2.3.4]:80", "2001:db8::ffff:1.2.3.4", 80},
                {"my_host-1.example.org:80", "my_host-1.example.org", 80}};
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        char flag[100];
        snprintf(flag, sizeof(flag), "--otlp-grpc=%s", good[i].text);
        ck_assert_msg(load(ARGS(flag), NULL) == SP_OK, "%s", good[i].text);
        ck_assert_str_eq((const char *)get("otlp-grpc")->host.ptr, good[i].host);
        ck_assert_uint_eq(get("otlp-grpc")->port, good[i].port);
    }
    static const char *const bad[] = {
        "",           ":",       "4317",     ":4317",         "host",       "host:",
        "host:65536", "host:-1", "host:1x",  "::1:4317",      "[::1]",      "[::1]4317",
        "[::1:4317",  "[]:1",    "[host]:1", "[1.2.3.4]:1",   "ho st:1",    "http://host:1",
        "[::1%]:1",   "[::g]:1", "host:+1",  "h\xc3\xb6st:1", "[::1%a b]:1"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        char flag[100];
        snprintf(flag, sizeof(flag), "--otlp-grpc=%s", bad[i]);
        ck_assert_msg(load(ARGS(flag), NULL) == SP_INVALID_ARGUMENT, "%s", bad[i]);
        ck_assert_str_eq(error.parameter, "otlp-grpc");
    }
    char flag[400] = "--otlp-grpc=";
    memset(flag + 12, 'a', 254);
    strcpy(flag + 12 + 254, ":1");
    ck_assert_int_eq(load(ARGS(flag), NULL), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(load(ARGS(flag), NULL), SP_INVALID_ARGUMENT);
    strcpy(flag + 12 + 253, ":1");
    ck_assert_int_eq(load(ARGS(flag), NULL), SP_OK);
}
END_TEST

START_TEST(config_lists_have_a_largest_length)
{
    for (size_t count = SP_OPTION_LIST_MAX; count <= SP_OPTION_LIST_MAX + 1; count++) {
        char flag[SP_OPTION_LIST_MAX * 2 + 20] = "--cors=a",
                                           yaml[SP_OPTION_LIST_MAX * 4 + 20] = "cors:\n- a\n";
        for (size_t i = 1; i < count; i++) {
            strcat(flag, ",a");
            strcat(yaml, "- a\n");
        }
        enum sp_status expected = count > SP_OPTION_LIST_MAX ? SP_INVALID_ARGUMENT : SP_OK;
        ck_assert_int_eq(load(ARGS(flag), NULL), expected);
        ck_assert(expected != SP_OK || get("cors")->item_count == count);
        ck_assert_int_eq(load_file(yaml), expected);
        ck_assert(expected != SP_OK || get("cors")->item_count == count);
    }
    ck_assert_int_eq(load(ARGS("--cors=a,,b"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(load(ARGS("--cors=a,"), NULL), SP_INVALID_ARGUMENT);
    ck_assert_int_eq(load(ARGS("--cors="), NULL), SP_OK);
    ck_assert_uint_eq(get("cors")->item_count, 0);
}
END_TEST

START_TEST(config_fails_cleanly_at_every_cap_until_one_is_enough)
{
    write_file("cors:\n - a\n - b\notlp:\n  grpc: h:1\ndata-dir: x\n", 46);
    size_t cap = 0;
    for (enum sp_status status = SP_LIMIT; status != SP_OK; cap += 8) {
        struct sp_arena small;
        sp_arena_init(&small, cap);
        char *const *argv = tradition(ARGS(config_flag, "--cors=a,b,c", "serve"));
        status =
            sp_config_load(&small, options, SP_ARRAY_LEN(options), 4, argv, NULL, &config, &error);
        ck_assert(status == SP_OK || status == SP_LIMIT);
        sp_arena_fini(&small);
    }
    ck_assert_uint_gt(cap, 1000);
    ck_assert_uint_lt(cap, 10000);
}
END_TEST

START_TEST(config_help_names_all_and_fits_the_terminal)
{
    struct sp_buf out;
    sp_buf_init(&out, 1 << 20);
    sp_config_help(options, SP_ARRAY_LEN(options), &out);
    ck_assert_int_eq(out.error, SP_OK);
    sp_buf_append_byte(&out, 0);
    const char *text = (const char *)out.ptr;
    ck_assert_ptr_nonnull(
        strstr(text, "  --otlp-grpc HOST:PORT\n        Address of OTLP over gRPC. [default: "
                     "127.0.0.1:4317; SPOOR_OTLP_GRPC]\n"));
    ck_assert_ptr_nonnull(strstr(text, "  --verbose\n"));
    ck_assert_ptr_nonnull(strstr(text, "One of sync|os. [default: sync; SPOOR_DURABILITY]"));
    ck_assert_ptr_nonnull(strstr(text, "[SPOOR_CONFIG]"));
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        ck_assert_int_le(strchr(line, '\n') - line, 80);
        ck_assert_int_eq(line[0], ' ');
    }
    sp_buf_fini(&out);
}
END_TEST

START_TEST(config_asserts_an_unknown_name_in_our_code)
{
    ck_assert_int_eq(load(ARGS(NULL), NULL), SP_OK);
    (void)get("no-such-option");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, config_gives_defaults);
    tcase_add_test(tests, config_precedence_is_flag_environment_file_default);
    tcase_add_test(tests, config_checks_values_that_are_overridden);
    tcase_add_test(tests, config_reads_flags_in_every_form);
    tcase_add_test(tests, config_names_the_flag_that_was_meant);
    tcase_add_test(tests, config_help_wins_over_mistakes);
    tcase_add_test(tests, config_reads_yaml_flat_and_nested);
    tcase_add_test(tests, config_takes_an_empty_file);
    tcase_add_test(tests, config_says_file_and_line_of_every_mistake);
    tcase_add_test(tests, config_file_that_cannot_be_read_is_named);
    tcase_add_test(tests, config_file_has_a_largest_size);
    tcase_add_test(tests, config_nesting_has_a_limit);
    tcase_add_test(tests, config_addresses);
    tcase_add_test(tests, config_lists_have_a_largest_length);
    tcase_add_test(tests, config_fails_cleanly_at_every_cap_until_one_is_enough);
    tcase_add_test(tests, config_help_names_all_and_fits_the_terminal);
    suite_add_tcase(suite, tests);
    const char *fork_mode = getenv("CK_FORK");
    if (!fork_mode || strcmp(fork_mode, "no") != 0) { /* what aborts needs a process of its own */
        TCase *misuse = tcase_create("misuse");
        tcase_add_checked_fixture(misuse, setup, teardown);
        tcase_add_test_raise_signal(misuse, config_asserts_an_unknown_name_in_our_code, SIGABRT);
        suite_add_tcase(suite, misuse);
    }
    return suite;
}
