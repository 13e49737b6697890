/* SPDX-License-Identifier: BSD-3-Clause */
/* Drafts: the old file or the new one, one writer, nothing left behind. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check_main.h"
#include "hdf5_files.h"
#include "io/publish.h"

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

static cl_draft begin(const char *name)
{
    cl_draft draft;
    cl_error err = {0};
    const clast_status status = cl_draft_begin(&draft, name, &err);
    ck_assert_msg(status == CLAST_OK, "%s", err.text);
    return draft;
}

static void publish(cl_draft *draft)
{
    cl_error err = {0};
    ck_assert_int_eq(cl_draft_settle(draft, true, &err), CLAST_OK);
    ck_assert_msg(cl_draft_publish(draft, true, &err) == CLAST_OK, "%s", err.text);
}

START_TEST(new_file)
{
    const uint64_t live = cl_alloc_live();
    cl_draft draft = begin("a");
    ck_assert(!draft.existed);
    write_file(draft.temp, "new");
    ck_assert_int_ne(access("a", F_OK), 0);
    publish(&draft);
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
    cl_draft draft = begin("link");
    ck_assert(draft.existed);
    ck_assert_int_eq(cl_draft_copy(&draft, NULL), CLAST_OK);
    check_file(draft.temp, "old");
    write_file(draft.temp, "new");
    check_file("a", "old");
    publish(&draft);
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
    cl_draft draft = begin("a");
    ck_assert_int_eq(cl_draft_empty(&draft, NULL), CLAST_OK);
    ck_assert_int_eq(stat(draft.temp, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
    check_file(draft.temp, "");
    check_file("a", "old");
    publish(&draft);
    check_file("a", "");
    ck_assert_int_eq(files_count(), 1);
}
END_TEST

START_TEST(abort_and_one_writer)
{
    write_file("a", "old");
    cl_error err = {0};
    cl_draft second, first = begin("a");
    ck_assert_int_eq(cl_draft_begin(&second, "./a", &err), CLAST_EACCESS);
    cl_draft other = begin("b");
    cl_draft_abort(&other);
    cl_draft_abort(&first);
    ck_assert_int_eq(files_count(), 1);
    check_file("a", "old");
    first = begin("a");
    cl_draft_abort(&first);
    cl_draft_abort(&first);
}
END_TEST

START_TEST(target_changed_meanwhile)
{
    cl_error err = {0};
    write_file("a", "old");
    cl_draft draft = begin("a");
    write_file("a", "somebody else's");
    ck_assert_int_eq(cl_draft_publish(&draft, false, &err), CLAST_EIO);
    cl_draft_abort(&draft);
    check_file("a", "somebody else's");
    draft = begin("b");
    write_file(draft.temp, "ours");
    write_file("b", "theirs");
    err = (cl_error){0};
    ck_assert_int_eq(cl_draft_publish(&draft, false, &err), CLAST_EIO);
    cl_draft_abort(&draft);
    check_file("b", "theirs");
    ck_assert_int_eq(files_count(), 2);
}
END_TEST

/* A process that dies with drafts leaves four names, and the next draft in the folder
 * removes them, of whichever target. */
START_TEST(sweep_after_death)
{
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        cl_draft a, b;
        if (cl_draft_begin(&a, "a", NULL) != CLAST_OK ||
            cl_draft_begin(&b, "b.dots.h5", NULL) != CLAST_OK)
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
    write_file("innocent.clast-tmp", "no draft");
    cl_draft draft = begin("a");
    write_file(draft.temp, "new");
    publish(&draft);
    check_file("a", "new");
    ck_assert_int_eq(files_count(), 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("publish");
    TCase *t = tcase_create("drafts");
    tcase_add_checked_fixture(t, files_begin, files_end);
    tcase_add_test(t, new_file);
    tcase_add_test(t, copy_of_an_old_file);
    tcase_add_test(t, empty_in_place_of_an_old_file);
    tcase_add_test(t, abort_and_one_writer);
    tcase_add_test(t, target_changed_meanwhile);
    tcase_add_test(t, sweep_after_death);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *(*const suites[])(void) = {suite};
    return cl_check_main(suites, 1);
}
