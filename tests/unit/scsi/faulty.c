/* SPDX-License-Identifier: GPL-3.0-or-later */
/* faulty.c - a disk that breaks: medium errors with their place, a backend that goes away and returns, a
 * slow one under task management from two nexuses.  On the fault plugin over ram. */
#include "rig.h"

#include <sys/mount.h>

static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx a, b;
static uint8_t in[1 << 20], out[1 << 20];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("fault:ram", 64 << 20, 512);
	unit = unit_on(volume);
	map = map_of(unit, 0, false);
	nx_open(&a, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_open(&b, rig.reactor[1], "iqn.2026-11.test:b,i,0x00023d000002", 1, map);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&a);
	nx_close(&b);
	scsi_lun_map_unref(map);
	scsi_unit_unref(unit);
	scsi_stop();
	rig_close(volume);
	rig_stop(&rig);
	return 0;
}

static void option(const char *name, const char *value)
{
	assert_int_equal(volume_set_option(volume, name, value), 0);
}

static void medium_errors(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		size_t out_len;
		unsigned sense;
		uint32_t info;
	} cases[] = {
		{ "READ, first block bad", { 0x28, [4] = 3, 0xe8, [8] = 8 }, 0, 0x031100, 1000 },
		{ "READ, one block", { 0x28, [4] = 3, 0xe8, [8] = 1 }, 0, 0x031100, 1000 },
		{ "READ, somewhere in it", { 0x28, [4] = 3, 0x84, [7] = 1, 0 }, 0, 0x031100, 1000 },
		{ "READ, last block bad", { 0x28, [4] = 3, 0xe0, [8] = 9 }, 0, 0x031100, 1000 },
		{ "READ, much", { 0x88, [13] = 0, [12] = 0x40 }, 0, 0x031100, 1000 },
		{ "READ beside it", { 0x28, [4] = 3, 0xea, [8] = 8 }, 0, 0, 0 },
		{ "WRITE", { 0x2a, [4] = 3, 0xe8, [8] = 2 }, 1024, 0x030c00, 1000 },
		{ "VERIFY", { 0x2f, [4] = 3, 0xe8, [8] = 1 }, 0, 0x031100, 1000 },
		{ "WRITE AND VERIFY", { 0x2e, [4] = 3, 0xe8, [8] = 1 }, 512, 0x030c00, 1000 },
		{ "COMPARE AND WRITE", { 0x89, [8] = 3, 0xe8, [13] = 1 }, 1024, 0x030c00, 1000 },
	};
	(void)state;
	option("bad_offset", "512000");
	option("bad_length", "1024");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .out = out, .out_len = cases[i].out_len, .in = in, .in_room = sizeof(in) };
		memcpy(c.cdb, cases[i].cdb, 16);
		cmd_do(&a, 0, &c);
		if (cmd_sense(&c) != cases[i].sense)
			print_error("%s: %06x\n", cases[i].what, cmd_sense(&c));
		assert_int_equal(cmd_sense(&c), cases[i].sense);
		if (cases[i].sense) {
			assert_int_equal(c.sense[0], 0xf0);
			if (get32(c.sense + 3) != cases[i].info)
				print_error("%s\n", cases[i].what);
			assert_int_equal(get32(c.sense + 3), cases[i].info);
			assert_int_equal(c.in_len, 0);
		}
	}
	option("bad_length", "0");
	struct cmd again = { CDB(0x28, [4] = 3, 0xe8, [8] = 8) };
	assert_int_equal(cmd_do(&a, 0, &again), SCSI_GOOD);
}

static void goes_away(void **state)
{
	(void)state;
	memset(out, 0x5a, 4096);
	struct cmd w = { CDB(0x2a, 0x08, [8] = 8), .out = out, .out_len = 4096 };
	assert_int_equal(cmd_do(&a, 0, &w), SCSI_GOOD);
	option("trigger", "power_cut");
	unsigned sense = 0;
	for (unsigned i = 0; i < 3; i++) {
		struct cmd r = { CDB(0x28, [8] = 8) };
		cmd_do(&a, 0, &r);
		sense = cmd_sense(&r);
	}
	assert_int_equal(sense, 0x020400);
	struct cmd tur = { CDB(0) }, inq = { CDB(0x12, [4] = 96) }, luns = { CDB(0xa0, [9] = 64) };
	cmd_do(&b, 0, &tur);
	assert_int_equal(cmd_sense(&tur), 0x020400);             /* not ready, never gone */
	assert_int_equal(cmd_do(&b, 0, &inq), SCSI_GOOD);
	assert_int_equal(cmd_do(&b, 0, &luns), SCSI_GOOD);
	assert_int_equal(volume_reopen(volume), 0);
	struct cmd t2 = { CDB(0) };
	nx_calm(&b, 0);
	assert_int_equal(cmd_do(&b, 0, &t2), SCSI_GOOD);
}

/* Random delays, two nexuses, resets and aborts all the time: each command ends once, each function is
 * answered, and after an answer nothing of what it aborted is still running. */
static void storm(void **state)
{
	enum { DEPTH = 24, ROUNDS = 25 };
	static struct cmd c[2][DEPTH];
	struct nx *x[2] = { &a, &b };
	unsigned aborted = 0, good = 0, attention = 0;
	(void)state;
	option("delay_random_ms", "3");
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < DEPTH; i++)
			for (unsigned n = 0; n < 2; n++) {
				struct cmd *k = &c[n][i];
				memset(k, 0, sizeof(*k));
				k->cdb[0] = (uint8_t[]){ 0x28, 0x2a, 0x89, 0x2e }[i % 4];
				k->cdb[k->cdb[0] == 0x89 ? 9 : 5] = (uint8_t)i;
				k->cdb[k->cdb[0] == 0x89 ? 13 : 8] = 1;
				k->out = out;
				k->out_len = 1024;
				k->t.attribute = i % 7 == 3 ? SCSI_ORDERED : SCSI_SIMPLE;
				cmd_send(x[n], 0, k);
			}
		struct mgmt m[4];
		mgmt_send(x[0], 0, SCSI_ABORT_TASK, c[0][round % DEPTH].t.tag, &m[0]);
		mgmt_send(x[1], 0, round & 1 ? SCSI_LUN_RESET : SCSI_ABORT_TASK_SET, 0, &m[1]);
		mgmt_send(x[0], 0, round & 2 ? SCSI_TARGET_RESET : SCSI_QUERY_TASK_SET, 0, &m[2]);
		mgmt_send(x[1], 0, SCSI_CLEAR_TASK_SET, 0, &m[3]);
		for (unsigned i = 0; i < 4; i++)
			(void)mgmt_wait(&m[i]);
		for (unsigned i = 0; i < DEPTH; i++)
			for (unsigned n = 0; n < 2; n++) {
				if (n == 1)      /* all of these were before the reset or the abort */
					assert_true(cmd_is_over(&c[n][i], 0));
				cmd_wait(&c[n][i]);
				aborted += c[n][i].aborted;
				good += !c[n][i].aborted && c[n][i].status == SCSI_GOOD;
				attention += c[n][i].refused;
			}
		nx_calm(&a, 0);
		nx_calm(&b, 0);
	}
	assert_true(aborted > 0 && good > 0);
	option("delay_random_ms", "0");
}

static void read_only_volume(void **state)
{
	(void)state;
	struct volume_spec s = { .name = "v", .uuid = "0b5a3c1e-7d2f-4e0a-9c6b-1f2e3d4c5b6b", .plugin = "fault:ram",
				 .size_bytes = 1 << 20, .block_bytes = 512, .read_only = true };
	struct volume *v;
	assert_int_equal(volume_open(&s, &v), 0);
	struct scsi_unit *u = unit_on(v);
	struct scsi_lun_map *m = map_of(u, 0, false);
	struct nx x;
	nx_open(&x, rig.reactor[0], "iqn.2026-11.test:ro,i,0x00023d000009", 1, m);
	nx_calm(&x, 0);
	struct cmd w = { CDB(0x2a, [8] = 1), .out = out, .out_len = 512 };
	cmd_do(&x, 0, &w);
	assert_int_equal(cmd_sense(&w), 0x072700);               /* a read-only volume */
	struct cmd ms = { CDB(0x1a, 8, 0x3f, [4] = 4), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&x, 0, &ms), SCSI_GOOD);
	assert_int_equal(in[2] & 0x80, 0x80);
	nx_close(&x);
	scsi_lun_map_unref(m);
	scsi_unit_unref(u);
	rig_close(v);
}

/* A pool that is full: the WRITE that needs room fails as ESXi expects, what is there stays readable and
 * can be overwritten, and UNMAP makes room again. */
static void full_pool(void **state)
{
	char dir[] = "/tmp/hf-full-XXXXXX", why[256] = "";
	(void)state;
	assert_non_null(mkdtemp(dir));
	if (mount("tmpfs", dir, "tmpfs", 0, "size=4m")) {
		rmdir(dir);
		print_message("# needs the right to mount a small file system\n");
		skip();
	}
	struct volume_spec s = { .name = "full", .uuid = "0b5a3c1e-7d2f-4e0a-9c6b-1f2e3d4c5b6c", .plugin = "file",
				 .pool_path = dir, .size_bytes = 64 << 20, .block_bytes = 512 };
	struct volume *v;
	int made = volume_create_backing(&s, why, sizeof(why));
	if (made)
		print_error("%s\n", why);
	assert_int_equal(made, 0);
	assert_int_equal(volume_open(&s, &v), 0);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	struct scsi_unit *u = unit_on(v);
	struct scsi_lun_map *m = map_of(u, 0, false);
	struct nx x;
	nx_open(&x, rig.reactor[0], "iqn.2026-11.test:full,i,0x00023d000009", 1, m);
	nx_calm(&x, 0);
	memset(out, 0x3c, sizeof(out));
	unsigned sense = 0;
	for (unsigned i = 0; i < 8 && !sense; i++) {
		struct cmd w = { CDB(0x2a, [4] = (uint8_t)(i * 8), [7] = 8), .out = out, .out_len = sizeof(out) };
		cmd_do(&x, 0, &w);
		sense = cmd_sense(&w);
	}
	assert_int_equal(sense, 0x072707);
	nx_calm(&x, 0);                  /* it may also have been told of the soft limit */
	struct cmd over = { CDB(0x2a, 0x08, [8] = 8), .out = out, .out_len = 4096 }, tur = { CDB(0) },
		   rd = { CDB(0x28, [8] = 8), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&x, 0, &over), SCSI_GOOD);
	assert_int_equal(cmd_do(&x, 0, &rd), SCSI_GOOD);
	assert_memory_equal(in, out, 4096);
	assert_int_equal(cmd_do(&x, 0, &tur), SCSI_GOOD);        /* never off line for that */
	memset(out + 512, 0x3d, 512);
	struct cmd caw = { CDB(0x89, [13] = 1), .out = out, .out_len = 1024 };   /* a lock of VMFS, where there is a block already */
	assert_int_equal(cmd_do(&x, 0, &caw), SCSI_GOOD);
	memset(out + 512, 0x3c, 512);
	uint8_t list[24] = { 0, 22, 0, 16 };
	put32(list + 16, 4096);
	struct cmd un = { CDB(0x42, [8] = 24), .out = list, .out_len = 24 };
	assert_int_equal(cmd_do(&x, 0, &un), SCSI_GOOD);
	struct cmd w2 = { CDB(0x2a, [4] = 64, [7] = 1), .out = out, .out_len = 131072 };
	assert_int_equal(cmd_do(&x, 0, &w2), SCSI_GOOD);
	nx_close(&x);
	scsi_lun_map_unref(m);
	scsi_unit_unref(u);
	rig_close(v);
	assert_int_equal(volume_destroy_backing(&s, why, sizeof(why)), 0);
	assert_int_equal(umount(dir), 0);
	rmdir(dir);
}

/* The source is written while a token is used that goes with it: what was copied is of two ages, and said to be. */
static void token_that_goes(void **state)
{
	uint8_t make[32] = { 0, 30, [15] = 16, [27] = 64 }, use[552] = { 550 >> 8, 550 & 255, 2, [535] = 16, [542] = 4, [547] = 64 }, block[512] = { 9 };
	struct cmd populate = { CDB(0x83, 0x10, [9] = 5, [13] = 32), .out = make, .out_len = sizeof(make) },
		   get = { CDB(0x84, 7, [5] = 5, [12] = 4), .in = in, .in_room = sizeof(in) },
		   copy = { CDB(0x83, 0x11, [9] = 6, [12] = 2, 0x28), .out = use, .out_len = sizeof(use) },
		   write = { CDB(0x2a, [5] = 63, [8] = 1), .out = block, .out_len = 512 }, tur = { CDB(0) };
	(void)state;
	assert_int_equal(cmd_do(&a, 0, &populate), SCSI_GOOD);
	assert_int_equal(cmd_do(&a, 0, &get), SCSI_GOOD);
	memcpy(use + 16, in + 38, 512);
	option("stuck", "on");
	cmd_send(&a, 0, &copy);
	cmd_send(&a, 0, &write);
	assert_int_equal(cmd_do(&a, 0, &tur), SCSI_GOOD);        /* both are with the backend by now */
	option("stuck", "off");
	cmd_wait(&copy);
	cmd_wait(&write);
	assert_int_equal(write.status, SCSI_GOOD);
	assert_int_equal(cmd_sense(&copy), 0x052306);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(medium_errors),
		cmocka_unit_test(goes_away),
		cmocka_unit_test(storm),
		cmocka_unit_test(token_that_goes),
		cmocka_unit_test(read_only_volume),
		cmocka_unit_test(full_pool),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
