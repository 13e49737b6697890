/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Atomic files: locks, temporary names, sweeping, and the rename.
 *
 * The order that makes it safe: contents, fsync of the file, rename, fsync of the
 * folder. A crash before the rename leaves the old file, after it the new one.
 *
 * A lock file may be removed by its holder only, and whoever gets a lock looks whether
 * the name still means the file that is locked (its holder may have removed it in
 * between); if not it tries again. So there is one holder for one name at any time.
 *
 * With the lock held, every temporary file of that target on this host is garbage.
 * Those of other targets are garbage if their process is dead. Those of other hosts are
 * left alone.
 */
#include "io/atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/file_copy.h"
#include "io/sys.h"

#define TEMP_SUFFIX ".clast-tmp"
#define LOCK_SUFFIX ".clast-lock"
#define NAME_ROOM   150 /* of a name of at most 255 bytes, beside host, pid, ... */
#define HOST_ROOM   64

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *text, ...)
{
    va_list args, again;
    va_start(args, text);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, text, args);
    char *s = n < 0 ? NULL : cl_alloc((size_t)n + 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, text, again);
    va_end(args);
    va_end(again);
    return s;
}

static clast_status fail_errno(const char *file, const char *what, int error,
                               cl_error *err)
{
    return cl_error_set(err, cl_status_from_errno(error), "%s: %s: %s", file, what,
                        strerror(error));
}

static clast_status no_memory(cl_error *err)
{
    return cl_error_set(err, CLAST_ENOMEM, "no memory for a file name");
}

/* --- names ----------------------------------------------------------------------- */

/* A host name without dots, so that a temporary name can be taken apart. */
static void host_name(char *host)
{
    struct utsname system;
    snprintf(host, HOST_ROOM, "%.*s", HOST_ROOM - 1,
             uname(&system) == 0 ? system.nodename : "localhost");
    for (char *p = host; *p; p++)
        if (*p == '.' || *p == '/')
            *p = '-';
}

/* Long names are cut, and told apart by a hash (FNV-1a). */
static void short_name(const char *target, char *name)
{
    const char *base = strrchr(target, '/') + 1;
    uint32_t hash = 2166136261u;
    if (strlen(base) < NAME_ROOM) {
        strcpy(name, base);
        return;
    }
    for (const char *p = base; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    snprintf(name, NAME_ROOM, "%.100s~%08" PRIx32, base, hash);
}

static int folder_length(const char *target)
{
    const ptrdiff_t n = strrchr(target, '/') - target;
    return n > 0 ? (int)n : 0; /* 0 for the root, whose name is "" then */
}

char *cl_atomic_file_beside(const char *target, const char *suffix)
{
    char name[NAME_ROOM];
    short_name(target, name);
    return format("%.*s/.%s%s", folder_length(target), target, name, suffix);
}

static bool choose_names(cl_atomic_file *f)
{
    char host[HOST_ROOM], name[NAME_ROOM];
    uint64_t number;
    host_name(host);
    short_name(f->target, name);
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        number = (uint64_t)(uintptr_t)f;
    const int n = folder_length(f->target);
    f->temp = format("%.*s/.%s.%s.%ld.%016" PRIx64 TEMP_SUFFIX, n, f->target, name,
                     host, (long)getpid(), number);
    char *lock = cl_atomic_file_beside(f->target, LOCK_SUFFIX);
    if (!f->temp || !lock) {
        cl_free(lock);
        return false;
    }
    f->lock = lock;
    f->lock_fd = -1;
    return true;
}

static clast_status check_folder(const char *file, const char *target, cl_error *err)
{
    char *folder = format("%.*s/", folder_length(target), target);
    if (!folder)
        return no_memory(err);
    const int error = access(folder, W_OK | X_OK) == 0 ? 0 : errno;
    cl_free(folder);
    return error ? fail_errno(file, "its folder cannot be written to", error, err)
                 : CLAST_OK;
}

/* The folder of a file that does not exist yet, resolved, and the last component. */
static clast_status resolve_new(const char *file, char **target, cl_error *err)
{
    char real[PATH_MAX];
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    if (!*base || strlen(base) > NAME_MAX)
        return cl_error_set(err, CLAST_EVALUE, "%s is not the name of a file", file);
    char *folder = slash ? format("%.*s/", (int)(slash - file), file) : cl_strdup(".");
    if (!folder)
        return no_memory(err);
    const int error = realpath(folder, real) ? 0 : errno;
    cl_free(folder);
    if (error)
        return fail_errno(file, "its folder", error, err);
    *target = format("%s/%s", strcmp(real, "/") == 0 ? "" : real, base);
    return *target ? CLAST_OK : no_memory(err);
}

clast_status cl_atomic_file_resolve(const char *file, char **target, bool *exists,
                                    cl_error *err)
{
    char real[PATH_MAX];
    struct stat st;
    *target = NULL;
    *exists = realpath(file, real) != NULL;
    if (!*exists && errno != ENOENT)
        return fail_errno(file, "its path", errno, err);
    if (*exists && stat(real, &st) != 0)
        return fail_errno(file, "its path", errno, err);
    if (*exists && !S_ISREG(st.st_mode))
        return cl_error_set(err, CLAST_EVALUE, "%s is not a regular file", file);
    if (*exists && access(real, R_OK | W_OK) != 0)
        return fail_errno(file, "it may not be changed", errno, err);
    if (!*exists && lstat(file, &st) == 0)
        return cl_error_set(err, CLAST_ENOENT,
                            "%s is a symbolic link to a file that does not exist",
                            file);
    if (!*exists)
        CL_TRY(resolve_new(file, target, err));
    else if (!(*target = cl_strdup(real)))
        return no_memory(err);
    const clast_status status = check_folder(file, *target, err);
    if (status != CLAST_OK) {
        cl_free(*target);
        *target = NULL;
    }
    return status;
}

/* --- locks and sweeping ------------------------------------------------------------
 */

/* Whether the open file is still what the name stands for. */
static bool is_named(int fd, const char *name)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(name, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* A descriptor that holds the lock, or -1 with errno. */
static int take_lock(const char *name, int flags)
{
    for (;;) {
        const int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0666);
        if (fd < 0)
            return -1;
        const int error = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        /* File systems without locks: then only the rename protects. */
        const bool is_held = error == 0 || error == ENOSYS || error == EOPNOTSUPP;
        if (is_held && is_named(fd, name))
            return fd;
        close(fd);
        if (!is_held) {
            errno = error;
            return -1;
        }
    }
}

static void release_lock(cl_atomic_file *f)
{
    if (f->lock && f->lock_fd >= 0) {
        unlink(f->lock); /* before it is given back: see above */
        close(f->lock_fd);
    }
    cl_free(f->lock);
    f->lock = NULL;
}

static bool has_suffix(const char *name, const char *suffix)
{
    const size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0;
}

/* Cuts ".word" off the end; NULL where there is none. */
static char *cut_word(char *text)
{
    char *dot = strrchr(text, '.');
    if (!dot)
        return NULL;
    *dot = '\0';
    return dot + 1;
}

/* Whether a temporary file's name says that nobody will come back for it. `mine` is the
 * short name of the target whose lock is held. */
static bool is_garbage(const char *name, const char *mine)
{
    char text[NAME_MAX + 1], host[HOST_ROOM];
    snprintf(text, sizeof text, "%s", name);
    text[strlen(text) - strlen(TEMP_SUFFIX)] = '\0';
    const char *number = cut_word(text), *pid = cut_word(text), *on = cut_word(text);
    host_name(host);
    if (!number || !pid || !on || strcmp(on, host) != 0)
        return false;
    if (strcmp(text + 1, mine) == 0)
        return true;
    const long id = strtol(pid, NULL, 10);
    return id > 0 && kill((pid_t)id, 0) != 0 && errno == ESRCH;
}

static void remove_if_unlocked(const char *path)
{
    const int fd = take_lock(path, 0);
    if (fd < 0)
        return;
    unlink(path);
    close(fd);
}

static void sweep(const cl_atomic_file *f)
{
    char mine[NAME_ROOM];
    short_name(f->target, mine);
    const int n = folder_length(f->target);
    char *folder = format("%.*s/", n, f->target);
    DIR *dir = folder ? opendir(folder) : NULL;
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        const bool is_temp = e->d_name[0] == '.' && has_suffix(e->d_name, TEMP_SUFFIX);
        const bool is_lock = e->d_name[0] == '.' && has_suffix(e->d_name, LOCK_SUFFIX);
        if (!is_lock && !(is_temp && is_garbage(e->d_name, mine)))
            continue;
        char *path = format("%s%s", folder, e->d_name);
        if (path && is_lock)
            remove_if_unlocked(path);
        else if (path)
            unlink(path);
        cl_free(path);
    }
    if (dir)
        closedir(dir);
    cl_free(folder);
}

/* --- the file ----------------------------------------------------------------------
 */

static clast_status lock_target(cl_atomic_file *f, cl_error *err)
{
    if (!choose_names(f))
        return no_memory(err);
    f->lock_fd = take_lock(f->lock, O_CREAT);
    if (f->lock_fd >= 0)
        return CLAST_OK;
    if (errno == EWOULDBLOCK)
        return cl_error_set(err, CLAST_EACCESS,
                            "%s is being written by another run (which holds %s)",
                            f->file, f->lock);
    return fail_errno(f->file, "its lock cannot be made", errno, err);
}

/* `to` becomes what the target is, with or without its contents. */
static clast_status imitate(cl_atomic_file *f, int from, int to, bool copies,
                            cl_error *err)
{
    struct stat now;
    if (fstat(from, &now) != 0)
        return fail_errno(f->file, "reading failed", errno, err);
    const int error = copies ? cl_file_copy(from, to, f->is_canceled) : 0;
    if (error)
        return fail_errno(f->file, "copying it failed", error, err);
    /* Only root may give a file away; the copy is the writer's own then. */
    if (fchown(to, now.st_uid, now.st_gid) != 0)
        errno = 0;
    if (fchmod(to, now.st_mode & 07777) != 0)
        return fail_errno(f->file, "setting the copy's mode failed", errno, err);
    f->is_copy = copies;
    return CLAST_OK;
}

static clast_status make_temp(cl_atomic_file *f, bool copies, cl_error *err)
{
    const int from = open(f->target, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return fail_errno(f->file, "opening failed", errno, err);
    const int to = open(f->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0) {
        const int error = errno;
        close(from);
        return fail_errno(f->file, "a file beside it cannot be made", error, err);
    }
    const clast_status status = imitate(f, from, to, copies, err);
    close(from);
    close(to);
    return status;
}

clast_status cl_atomic_file_copy(cl_atomic_file *file, cl_error *err)
{
    return make_temp(file, true, err);
}

clast_status cl_atomic_file_empty(cl_atomic_file *file, cl_error *err)
{
    return make_temp(file, false, err);
}

clast_status cl_atomic_file_in_place(cl_atomic_file *file, cl_error *err)
{
    char *temp = cl_strdup(file->target);
    if (!temp)
        return no_memory(err);
    cl_free(file->temp);
    file->temp = temp;
    file->in_place = file->is_copy = true;
    return CLAST_OK;
}

static clast_status begin(cl_atomic_file *f, const char *path, bool is_locked,
                          cl_error *err)
{
    f->file = cl_strdup(path);
    if (!f->file)
        return no_memory(err);
    CL_TRY(cl_atomic_file_resolve(path, &f->target, &f->existed, err));
    if (is_locked) {
        CL_TRY(lock_target(f, err));
        sweep(f);
    }
    if (f->existed && stat(f->target, &f->before) != 0)
        return fail_errno(f->file, "reading failed", errno, err);
    return CLAST_OK;
}

static clast_status begin_or_abort(cl_atomic_file *file, const char *path,
                                   bool is_locked, cl_error *err)
{
    *file = (cl_atomic_file){.lock_fd = -1};
    const clast_status status = begin(file, path, is_locked, err);
    if (status != CLAST_OK)
        cl_atomic_file_abort(file);
    return status;
}

clast_status cl_atomic_file_begin(cl_atomic_file *file, const char *path, cl_error *err)
{
    return begin_or_abort(file, path, true, err);
}

clast_status cl_atomic_file_look(cl_atomic_file *file, const char *path, cl_error *err)
{
    return begin_or_abort(file, path, false, err);
}

clast_status cl_atomic_file_rename(cl_atomic_file *f, char *name, bool is_there,
                                   cl_error *err)
{
    const int error = is_there ? 0 : cl_sys_rename(f->temp, name);
    if (error) {
        cl_free(name);
        return fail_errno(f->file, "renaming its temporary file failed", error, err);
    }
    cl_free(f->temp);
    f->temp = name;
    return CLAST_OK;
}

static void release(cl_atomic_file *f)
{
    release_lock(f);
    cl_free(f->temp);
    cl_free(f->target);
    cl_free(f->file);
    *f = (cl_atomic_file){.lock_fd = -1};
}

void cl_atomic_file_abort(cl_atomic_file *file)
{
    if (file->temp && !file->in_place)
        unlink(file->temp);
    release(file);
}

void cl_atomic_file_leave(cl_atomic_file *file)
{
    release(file);
}

static clast_status sync_path(const cl_atomic_file *f, const char *path, int flags,
                              const char *what, cl_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return fail_errno(f->file, what, errno, err);
    const int error = cl_sys_sync(fd);
    close(fd);
    return error ? fail_errno(f->file, what, error, err) : CLAST_OK;
}

clast_status cl_atomic_file_sync(cl_atomic_file *f, bool is_synced, cl_error *err)
{
    return is_synced ? sync_path(f, f->temp, 0, "fsync failed", err) : CLAST_OK;
}

bool cl_atomic_file_is_as_before(const cl_atomic_file *f)
{
    struct stat now;
    const struct stat *b = &f->before;
    if (lstat(f->target, &now) != 0)
        return !f->existed && errno == ENOENT;
    return f->existed && now.st_dev == b->st_dev && now.st_ino == b->st_ino &&
           now.st_size == b->st_size && now.st_mtim.tv_sec == b->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

clast_status cl_atomic_file_sync_folder(const cl_atomic_file *f, const char *what,
                                        cl_error *err)
{
    char *folder = format("%.*s/", folder_length(f->target), f->target);
    if (!folder)
        return no_memory(err);
    const clast_status status = sync_path(f, folder, O_DIRECTORY, what, err);
    cl_free(folder);
    return status;
}

clast_status cl_atomic_file_publish(cl_atomic_file *f, bool is_synced, cl_error *err)
{
    if (f->in_place) {
        release(f);
        return CLAST_OK;
    }
    if (!cl_atomic_file_is_as_before(f))
        return cl_error_set(
            err, CLAST_EIO,
            "%s was changed by somebody else during the run; it is left "
            "as it is and the results are dropped",
            f->file);
    const int error = cl_sys_rename(f->temp, f->target);
    if (error == EBUSY || error == EXDEV)
        return cl_error_set(err, CLAST_EIO,
                            "%s: renaming the finished file failed: %s: it is a mount "
                            "point, as files of containers are, and no other file can "
                            "take its place; the option in_place changes it as it is",
                            f->file, strerror(error));
    if (error)
        return fail_errno(f->file, "renaming the finished file failed", error, err);
    const clast_status status =
        is_synced ? cl_atomic_file_sync_folder(
                        f, "it is in place, but fsync of its folder failed", err)
                  : CLAST_OK;
    release(f);
    return status;
}
