/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/http1_rules.h: what libmicrohttpd lets through and this server does not, because a proxy may read it differently
 * (RFC 9112 3 and 6). Pure; knows nothing of connections. */
#pragma once

#include "lib/net/exchange.h"

/* A whole head: one length, one host, field names without spaces. version is "HTTP/1.1". SP_MALFORMED: the connection must
 * be closed, for nobody knows where the next request begins. */
SP_MUST_USE enum sp_status sp_http1_check_head(const struct sp_exchange *exchange,
                                               const char *version, struct sp_error *reterr);

/* Ends the target behind its '?' in the library's own buffer. It would make a record of each parameter in the memory of the
 * connection, and 0.9.75 loses its way when that is used up by thousands of empty ones: it hangs or crashes. Nobody needs its
 * records, the exchange has the query string. The bytes are the library's read buffer, and it reads them as a string
 * after this callback; the parameter forgot that they are not const. */
void sp_http1_hide_parameters(const char *target, size_t len);

bool sp_http1_has_body(const struct sp_exchange *exchange);

/* A client that waits for "100 Continue" has not sent its body: the refusal can go at once. Every other is still sending,
 * and would be cut off before it reads the reply, so its body is read and thrown away first. */
bool sp_http1_body_follows(const struct sp_exchange *exchange);
