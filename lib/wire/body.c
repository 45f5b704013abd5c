/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/body.c: a whole request body: its encoding by name, decompression, and both together with decoding. */
#include "lib/wire/codec.h"
#include "lib/wire/wire.h"

static const char *const encoding_names[] = {
    [SP_ENCODING_IDENTITY] = "identity",
    [SP_ENCODING_GZIP] = "gzip",
    [SP_ENCODING_ZSTD] = "zstd",
};

bool sp_encoding_parse(struct sp_slice name, enum sp_encoding *ret)
{
    if (name.len == 0) {
        *ret = SP_ENCODING_IDENTITY;
        return true;
    }
    for (size_t i = SP_ENCODING_IDENTITY; i < SP_ARRAY_LEN(encoding_names); i++) {
        if (sp_slice_equal_nocase(name, sp_slice_cstr(encoding_names[i]))) {
            *ret = (enum sp_encoding)i;
            return true;
        }
    }
    return false;
}

const char *sp_encoding_name(enum sp_encoding encoding)
{
    return encoding_names[encoding];
}

enum sp_status sp_decompress_no_room(const struct sp_buf *out, struct sp_error *reterr)
{
    if (out->account && out->account->error != SP_OK)
        return sp_error_set(reterr, out->error, "no room for the decompressed body");
    if (out->error == SP_LIMIT) {
        return sp_error_set(reterr, SP_LIMIT, "the body has more than %zu bytes when decompressed",
                            out->max);
    }
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the decompressed body");
}

enum sp_status sp_decompress(enum sp_encoding encoding, struct sp_slice in, struct sp_buf *out,
                             struct sp_error *reterr)
{
    enum sp_status status;
    switch (encoding) {
    case SP_ENCODING_IDENTITY:
        sp_buf_append_slice(out, in);
        return out->error == SP_OK ? SP_OK : sp_decompress_no_room(out, reterr);
    case SP_ENCODING_GZIP:
        return sp_gzip_decompress(in, out, reterr);
    case SP_ENCODING_ZSTD:
        status = sp_zstd_decompress(in, SP_ZSTD_WINDOW_LOG_MAX, out, reterr);
        return out->error == SP_OK ? status : sp_decompress_no_room(out, reterr);
    }
    return sp_error_set(reterr, SP_UNSUPPORTED, "unknown encoding %d", (int)encoding);
}

enum sp_status sp_compress(enum sp_encoding encoding, struct sp_slice in, int level,
                           struct sp_buf *out)
{
    switch (encoding) {
    case SP_ENCODING_IDENTITY:
        sp_buf_append_slice(out, in);
        return out->error;
    case SP_ENCODING_GZIP:
        return sp_gzip_compress(in, level, out);
    case SP_ENCODING_ZSTD:
        return sp_zstd_compress(in, level, out);
    }
    return SP_UNSUPPORTED;
}

enum sp_status sp_otlp_decode_body(struct sp_arena *arena, enum sp_wire_format format,
                                   enum sp_encoding encoding, struct sp_slice body,
                                   struct sp_buf *plain, const struct sp_limits *limits,
                                   const struct sp_batch **ret_batch, struct sp_error *reterr)
{
    struct sp_slice message = body;
    if (encoding != SP_ENCODING_IDENTITY) {
        size_t ceiling = plain->max;
        plain->max = ceiling < limits->body_bytes_max ? ceiling : limits->body_bytes_max;
        enum sp_status status = sp_decompress(encoding, body, plain, reterr);
        plain->max = ceiling;
        if (status != SP_OK)
            return status;
        message = sp_buf_slice(plain);
    }
    switch (format) {
    case SP_WIRE_PROTOBUF:
        return sp_otlp_decode(arena, message, limits, ret_batch, reterr);
    case SP_WIRE_JSON:
        return sp_otlp_json_decode(arena, message, limits, ret_batch, reterr);
    }
    return sp_error_set(reterr, SP_UNSUPPORTED, "unknown format %d", (int)format);
}
