/* SPDX-License-Identifier: BSD-3-Clause */
/* See describe_server.h. */
#include "describe_server.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int send_request(int to, request *r)
{
    descriptor_room room = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                                     .cmsg_level = SOL_SOCKET,
                                     .cmsg_type = SCM_RIGHTS}};
    struct iovec piece = {r, sizeof *r};
    const struct msghdr message = {.msg_iov = &piece,
                                   .msg_iovlen = 1,
                                   .msg_control = room.room,
                                   .msg_controllen = sizeof room.room};
    const int out = STDOUT_FILENO;
    memcpy(CMSG_DATA(&room.head), &out, sizeof out);
    return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *r ? 0 : -1;
}

/* As the other process did; until then standard output is open here, so that nobody
 * sees its end before. */
static _Noreturn void end(int status)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (WIFSIGNALED(status))
        kill(getpid(), WTERMSIG(status));
    _exit(WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    const struct sockaddr_un address = SERVER_ADDRESS;
    request r = {0};
    int status;
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    for (int i = 1; i < argc && i <= REQUEST_WORDS; i++)
        strncpy(r.word[i - 1], argv[i], REQUEST_ROOM - 1);
    if (argc != 1 + REQUEST_WORDS || fd < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        send_request(fd, &r) != 0)
        _exit(3);
    if (read(fd, &status, sizeof status) != (ssize_t)sizeof status)
        _exit(3);
    end(status);
}
