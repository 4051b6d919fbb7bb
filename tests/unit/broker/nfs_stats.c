/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_stats.c - what the kernel's NFS server tells of its exports (as Linux 6.1 prints it), by our numbers. */
#include "broker/nfs_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char description[] = "holdfast-nfs 1\nprovider kernel\nlisten 0.0.0.0 2049\nidentity x\n"
			    "export 7\nname docs\npath /srv/docs\nversions 15\nsecurity 1\nsquash root\nanon 65534 65534\nsync 1\nclient rw - *\n"
			    "export 9\nname a b\npath /srv/ab\nversions 15\nsecurity 1\nsquash root\nanon 65534 65534\nsync 1\nclient rw - *\n";

static const struct {
	const char *name, *text, *lines;
} cases[] = {
	{ "nothing", "", "" },
	{ "its head", "# Version 1.1\n# Path Client Start-time\n#\tStats\n", "" },
	{ "two clients of one export", "/k/root/docs\t10.0.0.0/8\t1\n\tfh_stale: 0\n\tio_read: 11\n\tio_write: 12\n/k/root/docs\t*\t1\n\tio_read: 5\n\tio_write: 0\n",
	  "io 7 11 - 0 -\nio 7 0 - 12 -\nio 7 5 - 0 -\nio 7 0 - 0 -\n" },
	{ "a name with a blank", "/k/root/a\\040b\t*\t1\n\tio_read: 3\n", "io 9 3 - 0 -\n" },
	{ "exports of somebody else", "/srv/docs\t*\t1\n\tio_read: 3\n/k/root/other\t*\t1\n\tio_read: 3\n/k/root\t*\t1\n\tio_read: 4\n", "" },
	{ "counters before any export", "\tio_read: 3\n", "" },
};

static void test_kernel(void **state)
{
	(void)state;
	struct nfs_spec s;
	char why[256] = "";
	assert_int_equal(nfs_spec_parse(description, &s, why, sizeof(why)), 0);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *out = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&out, &len), *from = tmpfile();
		assert_true(f && from);
		fputs(cases[i].text, from);
		rewind(from);
		nfs_kernel_io_read(from, f, &s, "/k/root/");
		fclose(f);
		fclose(from);
		if (strcmp(out, cases[i].lines) != 0)
			fail_msg("%s: %s", cases[i].name, out);
		free(out);
	}
	nfs_spec_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kernel) };
	return cmocka_run_group_tests_name("broker/nfs_stats", tests, NULL, NULL);
}
