/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clast-describe for campaigns: loading libhdf5 and all that it is linked with takes
 * three quarters of a helper's time. The server has loaded it, and forks for each
 * request a process that runs the helper's own main(), limits, filter and all; the
 * client is what is started in the helper's place, a few pages without libraries. It
 * hands its words and its standard output over and ends as that process does, by the
 * same signal or code. They meet at a socket in the current folder; the server writes a
 * byte to its standard output when it takes requests there.
 */
#ifndef CL_TESTS_DESCRIBE_SERVER_H
#define CL_TESTS_DESCRIBE_SERVER_H

#include <sys/socket.h>
#include <sys/un.h>

enum { REQUEST_WORDS = 3, REQUEST_ROOM = 256 };

typedef struct {
    char word[REQUEST_WORDS][REQUEST_ROOM];
} request;

/* Room for one descriptor in a message. */
typedef union {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
} descriptor_room;

#define SERVER_ADDRESS ((struct sockaddr_un){AF_UNIX, "describe.socket"})

#endif
