/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/peer_watch.h: is the client that waits for an HTTP/1.1 reply still there? Knows sockets, and no library. */
#pragma once

#include <stdbool.h>

/* True when it is gone for certain. A client that closed its socket and one that only closed its sending side, and waits,
 * look the same: both have sent a FIN. The first answers the next bytes with a reset, so it is sent an interim reply, which a
 * client has to read over even if it did not ask (RFC 9110 15.2), and the next call sees the reset. *may_ask: allowed, and
 * not done yet; clients of HTTP/1.0 know no interim replies. Nothing else may be writing to the socket. */
bool sp_peer_is_gone(int fd, bool *may_ask);
