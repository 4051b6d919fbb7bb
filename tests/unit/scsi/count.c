/* SPDX-License-Identifier: GPL-3.0-or-later */
/* count.c - locked increments by COMPARE AND WRITE: eight writers on two nexuses and two reactors count
 * in one block, while others copy, zero and unmap beside it and over the copy.  None is lost.
 * HF_LONG=1: a million of them. */
#include "rig.h"

#include "scsi/scsi_priv.h"

#define BLOCKS 65536u
#define WRITERS 8
#define COUNTER_LBA 1000u
static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx nx[3];
static unsigned want;
static _Atomic(unsigned) counting, conflicts;

struct writer {
	struct nx *x;
	struct scsi_task t;
	struct buf_waiter waiter;
	struct msg msg;
	uint8_t cdb[16];
	uint64_t seen;
	unsigned left;
	bool reading;
};
static struct writer writers[WRITERS];

static int setup(void **state)
{
	const char *l = getenv("HF_LONG");
	(void)state;
	want = l && *l == '1' ? 1000000 / WRITERS : 20000 / WRITERS;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", BLOCKS * 512ull, 512);
	unit = unit_on(volume);
	map = map_of(unit, 0, false);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = { "iqn.2026-11.test:a,i,0x1", "iqn.2026-11.test:b,i,0x2", "iqn.2026-11.test:c,i,0x3" };
		nx_open(&nx[i], rig.reactor[i % 2], names[i], 1, map);
		nx_calm(&nx[i], 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		nx_close(&nx[i]);
	scsi_lun_map_unref(map);
	scsi_unit_unref(unit);
	scsi_stop();
	rig_close(volume);
	rig_stop(&rig);
	return 0;
}

/* ---- a writer, on its reactor ------------------------------------------------------------------------- */
static void writer_next(struct writer *w);

static void writer_again(struct msg *m)
{
	writer_next(container_of(m, struct writer, msg));
}

static void writer_done(struct scsi_task *t)
{
	struct writer *w = container_of(t, struct writer, t);
	if (w->reading) {
		if (t->status == SCSI_GOOD)
			memcpy(&w->seen, t->iov[0].iov_base, sizeof(w->seen));
		w->reading = t->status != SCSI_GOOD;
	} else if (t->status == SCSI_GOOD) {
		w->seen++;
		w->left--;
	} else {
		assert_int_equal(t->sense[2] & 15, SCSI_KEY_MISCOMPARE);
		atomic_fetch_add(&conflicts, 1);
		w->reading = true;
	}
	scsi_task_release(t);
	w->msg.run = writer_again;
	reactor_post(w->x->on, &w->msg);
}

static void writer_fill(struct writer *w)
{
	uint8_t *b = w->t.iov[0].iov_base;
	uint64_t next = w->seen + 1;
	memset(b, 0, 1024);
	memcpy(b, &w->seen, sizeof(w->seen));
	memcpy(b + 512, &next, sizeof(next));
	scsi_task_execute(&w->t, 1024);
}

static void writer_memory(struct buf_waiter *b)
{
	writer_fill(container_of(b, struct writer, waiter));
}

static void writer_next(struct writer *w)
{
	struct scsi_task *t = &w->t;
	if (!w->left) {
		atomic_fetch_sub(&counting, 1);
		return;
	}
	memset(w->cdb, 0, sizeof(w->cdb));
	w->cdb[0] = w->reading ? 0x88 : 0x89;
	put64(w->cdb + 2, COUNTER_LBA);
	w->cdb[13] = 1;
	t->nexus = w->x->n;
	t->cdb = w->cdb;
	t->cdb_len = 16;
	t->tag = (uint64_t)(w - writers) + 100;
	t->offered_bytes = 0;
	t->done = writer_done;
	w->waiter.ready = writer_memory;
	assert_int_equal(scsi_task_parse(t), 0);
	if (w->reading)
		scsi_task_execute(t, 0);
	else if (!scsi_task_buffer(t, 1024, &w->waiter))
		writer_fill(w);
}

/* ---- the others ------------------------------------------------------------------------------------------- */
static void copy(struct nx *x, uint64_t from, uint64_t to, unsigned count)
{
	uint8_t b[16 + 32 + 28] = { [1] = 2 << 3, [3] = 32, [11] = 28, [16] = 0xe4, [20] = 1, [21] = 3, [23] = 16 };
	memcpy(b + 24, unit->naa, 16);
	uint8_t *s = b + 48;
	s[0] = 2;
	s[3] = 24;
	put16(s + 10, count);
	put64(s + 12, from);
	put64(s + 20, to);
	struct cmd c = { CDB(0x83, [13] = sizeof(b)), .out = b, .out_len = sizeof(b) };
	assert_int_equal(cmd_do(x, 0, &c), SCSI_GOOD);
}

static void same(struct nx *x, uint64_t lba, unsigned count, uint8_t byte)
{
	uint8_t b[512];
	memset(b, byte, sizeof(b));
	struct cmd c = { CDB(0x93, [13] = (uint8_t)count), .out = b, .out_len = 512 };
	put64(c.cdb + 2, lba);
	assert_int_equal(cmd_do(x, 0, &c), SCSI_GOOD);
}

static void unmap(struct nx *x, uint64_t lba, uint32_t count)
{
	uint8_t b[24] = { 0, 22, 0, 16 };
	put64(b + 8, lba);
	put32(b + 16, count);
	struct cmd c = { CDB(0x42, [8] = 24), .out = b, .out_len = 24 };
	assert_int_equal(cmd_do(x, 0, &c), SCSI_GOOD);
}

static uint64_t counter_at(uint64_t lba)
{
	uint8_t b[512];
	uint64_t n;
	struct cmd r = { CDB(0x88, [13] = 1), .in = b, .in_room = sizeof(b) };
	put64(r.cdb + 2, lba);
	assert_int_equal(cmd_do(&nx[2], 0, &r), SCSI_GOOD);
	memcpy(&n, b, sizeof(n));
	for (unsigned i = sizeof(n); i < sizeof(b); i++)
		assert_int_equal(b[i], 0);       /* never torn */
	return n;
}

static void none_is_lost(void **state)
{
	uint64_t before = 0;
	(void)state;
	atomic_store(&counting, WRITERS);
	for (unsigned i = 0; i < WRITERS; i++) {
		struct writer *w = &writers[i];
		w->x = &nx[i % 2];
		w->left = want;
		w->msg.run = writer_again;
		reactor_post(w->x->on, &w->msg);
	}
	for (unsigned round = 0; atomic_load(&counting); round++) {
		copy(&nx[2], COUNTER_LBA, 3000, 1);      /* the block that is counted in .. */
		uint64_t now = counter_at(3000);
		assert_true(now >= before);              /* .. is copied whole, and never goes back */
		before = now;
		copy(&nx[2], 2000, COUNTER_LBA + 1, 16); /* right beside it */
		same(&nx[2], COUNTER_LBA + 1, 16, (uint8_t)round);
		unmap(&nx[2], COUNTER_LBA + 1, 24);
		unmap(&nx[2], COUNTER_LBA - 8, 8);
	}
	assert_int_equal(counter_at(COUNTER_LBA), (uint64_t)want * WRITERS);
	assert_true(atomic_load(&conflicts) > 0);        /* they did get into each other's way */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(none_is_lost) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
