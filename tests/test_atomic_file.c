/* SPDX-License-Identifier: BSD-3-Clause */
/* Atomic files: the old file or the new one, one writer, nothing left behind. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "disk_faults.h"
#include "hdf5_files.h"
#include "io/atomic_file.h"

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void check_file(const char *name, const char *wanted)
{
    char text[100] = "";
    FILE *f = fopen(name, "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    ck_assert_str_eq(text, wanted);
}

static cl_atomic_file begin(const char *name)
{
    cl_atomic_file file;
    cl_error err = {0};
    const clast_status status = cl_atomic_file_begin(&file, name, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    return file;
}

static void publish(cl_atomic_file *file)
{
    cl_error err = {0};
    ck_assert_int_eq(cl_atomic_file_sync(file, true, &err), CLAST_OK);
    ck_assert_msg(cl_atomic_file_publish(file, true, &err) == CLAST_OK, "%s", err.text);
}

START_TEST(new_file)
{
    const uint64_t live = cl_alloc_live();
    cl_atomic_file file = begin("a");
    ck_assert(!file.existed);
    write_file(file.temp, "new");
    ck_assert_int_ne(access("a", F_OK), 0);
    publish(&file);
    check_file("a", "new");
    ck_assert_int_eq(files_count(), 1);
    ck_assert_uint_eq(cl_alloc_live(), live);
}
END_TEST

START_TEST(copy_of_an_old_file)
{
    write_file("a", "old");
    ck_assert_int_eq(symlink("a", "link"), 0);
    ck_assert_int_eq(chmod("a", 0640), 0);
    cl_atomic_file file = begin("link");
    ck_assert(file.existed);
    ck_assert_int_eq(cl_atomic_file_copy(&file, NULL), CLAST_OK);
    check_file(file.temp, "old");
    write_file(file.temp, "new");
    check_file("a", "old");
    publish(&file);
    check_file("a", "new");
    struct stat st;
    ck_assert_int_eq(lstat("link", &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat("a", &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    ck_assert_int_eq(files_count(), 2);
}
END_TEST

START_TEST(empty_in_place_of_an_old_file)
{
    struct stat st;
    write_file("a", "old");
    ck_assert_int_eq(chmod("a", 0640), 0);
    cl_atomic_file file = begin("a");
    ck_assert_int_eq(cl_atomic_file_empty(&file, NULL), CLAST_OK);
    ck_assert_int_eq(stat(file.temp, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    check_file(file.temp, "");
    check_file("a", "old");
    publish(&file);
    check_file("a", "");
    ck_assert_int_eq(files_count(), 1);
}
END_TEST

START_TEST(abort_and_one_writer)
{
    write_file("a", "old");
    cl_error err = {0};
    cl_atomic_file second, first = begin("a");
    ck_assert_int_eq(cl_atomic_file_begin(&second, "./a", &err), CLAST_EACCESS);
    cl_atomic_file other = begin("b");
    cl_atomic_file_abort(&other);
    cl_atomic_file_abort(&first);
    ck_assert_int_eq(files_count(), 1);
    check_file("a", "old");
    first = begin("a");
    cl_atomic_file_abort(&first);
    cl_atomic_file_abort(&first);
}
END_TEST

START_TEST(target_changed_meanwhile)
{
    cl_error err = {0};
    write_file("a", "old");
    cl_atomic_file file = begin("a");
    write_file("a", "somebody else's");
    ck_assert_int_eq(cl_atomic_file_publish(&file, false, &err), CLAST_EIO);
    cl_atomic_file_abort(&file);
    check_file("a", "somebody else's");
    file = begin("b");
    write_file(file.temp, "ours");
    write_file("b", "theirs");
    err = (cl_error){0};
    ck_assert_int_eq(cl_atomic_file_publish(&file, false, &err), CLAST_EIO);
    cl_atomic_file_abort(&file);
    check_file("b", "theirs");
    ck_assert_int_eq(files_count(), 2);
}
END_TEST

/* A file that is mounted where it is cannot be replaced: that is said, and it stays. */
START_TEST(target_is_a_mount_point)
{
    static const int errors[] = {EBUSY, EXDEV, EDQUOT};
    static const clast_status statuses[] = {CLAST_EIO, CLAST_EIO, CLAST_ENOSPACE};
    cl_error err = {0};
    write_file("a", "old");
    cl_atomic_file file = begin("a");
    ck_assert_int_eq(cl_atomic_file_empty(&file, NULL), CLAST_OK);
    write_file(file.temp, "new");
    disk_fail_rename("a", errors[_i]);
    ck_assert_int_eq(cl_atomic_file_publish(&file, true, &err), statuses[_i]);
    disk_mend();
    ck_assert_msg(strstr(err.text, "a: renaming the finished file failed: ") &&
                      strstr(err.text, strerror(errors[_i])),
                  "%s", err.text);
    ck_assert((strstr(err.text, "it is a mount point") != NULL) == (_i < 2));
    cl_atomic_file_abort(&file);
    check_file("a", "old");
    ck_assert_int_eq(files_count(), 1);
    file = begin("a"); /* the lock is free */
    ck_assert_int_eq(cl_atomic_file_in_place(&file, NULL), CLAST_OK);
    ck_assert_int_eq(cl_atomic_file_publish(&file, true, NULL), CLAST_OK);
}
END_TEST

/* A process that dies with two of them leaves four names, and the next one in the
 * folder removes them, of whichever target. */
START_TEST(sweep_after_death)
{
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        cl_atomic_file a, b;
        if (cl_atomic_file_begin(&a, "a", NULL) != CLAST_OK ||
            cl_atomic_file_begin(&b, "b.dots.h5", NULL) != CLAST_OK)
            _exit(1);
        write_file(a.temp, "half");
        write_file(b.temp, "half");
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_eq(files_count(), 4);
    write_file(".a.other-host.1.00.clast-tmp", "not ours to remove");
    write_file("innocent.clast-tmp", "not ours");
    cl_atomic_file file = begin("a");
    write_file(file.temp, "new");
    publish(&file);
    check_file("a", "new");
    ck_assert_int_eq(files_count(), 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("atomic_file");
    TCase *t = tcase_create("atomic files");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_test(t, new_file);
    tcase_add_test(t, copy_of_an_old_file);
    tcase_add_test(t, empty_in_place_of_an_old_file);
    tcase_add_test(t, abort_and_one_writer);
    tcase_add_test(t, target_changed_meanwhile);
    tcase_add_loop_test(t, target_is_a_mount_point, 0, 3);
    tcase_add_test(t, sweep_after_death);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
