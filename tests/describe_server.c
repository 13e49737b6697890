/* SPDX-License-Identifier: BSD-3-Clause */
/* See describe_server.h. `describe_main` is the main() of src/helper/reader.c. One
 * request after the other; it ends with the process that started it. */
#include "describe_server.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hdf5.h>

enum { SECONDS = 10, PROCESSOR_SECONDS = 1 };

int describe_main(int argc, char **argv);

static int take_request(int from, request *r)
{
    descriptor_room room;
    struct iovec piece = {r, sizeof *r};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = room.room,
                             .msg_controllen = sizeof room.room};
    int out = -1;
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) == (ssize_t)sizeof *r &&
        message.msg_controllen == sizeof room.room)
        memcpy(&out, CMSG_DATA(&room.head), sizeof out);
    return out;
}

static _Noreturn void describe(request *r, int out)
{
    char name[] = "clast-describe";
    char *argv[] = {name, r->word[0], r->word[1], r->word[2], NULL};
    /* Honest files take a hundredth of it; hostile ones may take all that they get. */
    const struct rlimit processor = {PROCESSOR_SECONDS, PROCESSOR_SECONDS + 1};
    setrlimit(RLIMIT_CPU, &processor);
    alarm(SECONDS);
    if (dup2(out, STDOUT_FILENO) < 0)
        _exit(3);
    closefrom(STDERR_FILENO + 1);
    _exit(describe_main(1 + REQUEST_WORDS, argv));
}

static void answer(int client)
{
    request r;
    int status = 0;
    const int out = take_request(client, &r);
    const pid_t pid = out < 0 ? -1 : fork();
    if (pid == 0)
        describe(&r, out);
    if (out >= 0)
        close(out);
    if (pid > 0 && waitpid(pid, &status, 0) == pid)
        send(client, &status, sizeof status, MSG_NOSIGNAL);
}

int main(void)
{
    const struct sockaddr_un address = SERVER_ADDRESS;
    const int server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || H5open() < 0 || server < 0 ||
        bind(server, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server, 4) != 0 || write(STDOUT_FILENO, "", 1) != 1)
        return 3;
    for (int client; (client = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        answer(client);
        close(client);
    }
    return 3;
}
