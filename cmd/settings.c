/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/settings.c: see cmd/settings.h. */
#include "cmd/settings.h"

#include <string.h>

#define SETTINGS_MAX 64

/* Versions come from the build: most of these libraries have no way to ask them. */
const struct sp_library sp_libraries[] = {
    {"RocksDB", SPOOR_ROCKSDB_VERSION, "Apache-2.0 or GPL-2.0"},
    {"libmicrohttpd", SPOOR_MICROHTTPD_VERSION, "LGPL-2.1-or-later"},
    {"nghttp2", SPOOR_NGHTTP2_VERSION, "MIT"},
    {"libcurl", SPOOR_CURL_VERSION, "curl"},
    {"protobuf-c", SPOOR_PROTOBUF_C_VERSION, "BSD-2-Clause"},
    {"Zstandard", SPOOR_ZSTD_VERSION, "BSD-3-Clause or GPL-2.0"},
    {"LZ4", SPOOR_LZ4_VERSION, "BSD-2-Clause"},
    {"libdeflate", SPOOR_DEFLATE_VERSION, "MIT"},
    {"PCRE2", SPOOR_PCRE2_VERSION, "BSD-3-Clause"},
    {"xxHash", SPOOR_XXHASH_VERSION, "BSD-2-Clause"},
    {"libyaml", SPOOR_YAML_VERSION, "MIT"},
};
const size_t sp_library_count = SP_ARRAY_LEN(sp_libraries);

bool sp_setting_is_secret(const char *name)
{
    static const char *const parts[] = {"secret", "password", "token", "credential", "-key"};
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

const struct sp_setting *sp_serve_settings(const struct sp_config *config, size_t *ret_count)
{
    static struct sp_setting settings[SETTINGS_MAX];
    SP_ASSERT(config->option_count <= SETTINGS_MAX);
    for (size_t i = 0; i < config->option_count; i++) {
        const struct sp_option_value *value = &config->values[i];
        bool is_secret = sp_setting_is_secret(config->options[i].name);
        settings[i] = (struct sp_setting){
            .name = config->options[i].name,
            .value = value->set && !is_secret ? value->text : (struct sp_slice){0},
            .origin = value->origin ? value->origin : "default",
            .is_masked = is_secret && value->set,
        };
    }
    *ret_count = config->option_count;
    return settings;
}
