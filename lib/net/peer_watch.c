/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/peer_watch.c: see peer_watch.h. */
#include "lib/net/peer_watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Of all interim replies the one that every client reads over. */
static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

bool sp_peer_is_gone(int fd, bool *may_ask)
{
    struct pollfd seen = {.fd = fd, .events = POLLRDHUP};
    if (poll(&seen, 1, 0) <= 0)
        return false;
    if (seen.revents & (POLLERR | POLLHUP | POLLNVAL))
        return true;
    if (!(seen.revents & POLLRDHUP) || !*may_ask)
        return false;
    ssize_t sent = send(fd, interim, sizeof(interim) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno != EAGAIN && errno != EINTR;
    *may_ask = false;
    if (sent == sizeof(interim) - 1)
        return false;
    /* Half an interim reply cannot be followed by a reply. */
    shutdown(fd, SHUT_RDWR);
    return true;
}
