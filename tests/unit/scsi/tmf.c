/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tmf.c - task management and order: what is aborted ends, what is at the backend is waited for, on
 * this reactor and on others.  A quiesced volume stands for a slow backend.  SAM-5 7, 8. */
#include "rig.h"

#include "scsi/scsi_priv.h"

static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map;
static struct nx a, b;
static uint8_t data[1 << 20];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", 32 << 20, 512);
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

#define WRITE_1 CDB(0x2a, [8] = 1), .out = data, .out_len = 512
#define READ_1 CDB(0x28, [8] = 1)

static enum scsi_tmf_answer tmf(struct nx *x, unsigned lun, enum scsi_tmf f, uint64_t tag)
{
	struct mgmt m;
	mgmt_send(x, lun, f, tag, &m);
	return mgmt_wait(&m);
}

static void answers(void **state)
{
	static const struct {
		const char *what;
		enum scsi_tmf f;
		unsigned lun;
		enum scsi_tmf_answer answer;
	} cases[] = {
		{ "abort of a task that is over", SCSI_ABORT_TASK, 0, SCSI_TMF_COMPLETE },
		{ "query of a task that is over", SCSI_QUERY_TASK, 0, SCSI_TMF_COMPLETE },
		{ "query task set, empty", SCSI_QUERY_TASK_SET, 0, SCSI_TMF_COMPLETE },
		{ "abort task set, empty", SCSI_ABORT_TASK_SET, 0, SCSI_TMF_COMPLETE },
		{ "clear task set, empty", SCSI_CLEAR_TASK_SET, 0, SCSI_TMF_COMPLETE },
		{ "clear ACA", SCSI_CLEAR_ACA, 0, SCSI_TMF_UNSUPPORTED },
		{ "no such LUN", SCSI_LUN_RESET, 7, SCSI_TMF_NO_LUN },
		{ "nothing to tell", SCSI_QUERY_ASYNC, 0, SCSI_TMF_COMPLETE },
		{ "nobody to ask", SCSI_QUERY_ASYNC, 7, SCSI_TMF_NO_LUN },
		{ "target reset needs no LUN", SCSI_TARGET_RESET, 7, SCSI_TMF_COMPLETE },
		{ "something to tell", SCSI_QUERY_ASYNC, 0, SCSI_TMF_SUCCEEDED },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		enum scsi_tmf_answer got = tmf(&a, cases[i].lun, cases[i].f, 999999);
		if (got != cases[i].answer)
			print_error("%s\n", cases[i].what);
		assert_int_equal(got, cases[i].answer);
	}
	nx_calm(&a, 0);
	nx_calm(&b, 0);
}

/* As if the nexus were lost and came back: its tasks and its RESERVE(6) end, the other's do not. */
static void nexus_reset(void **state)
{
	(void)state;
	struct cmd reserve = { CDB(0x16) }, mine = { WRITE_1, .hold = true }, theirs = { CDB(0), .hold = true }, look = { CDB(0) };
	assert_int_equal(cmd_do(&a, 0, &reserve), SCSI_GOOD);
	cmd_send(&b, 0, &look);
	cmd_wait(&look);
	assert_int_equal(look.status, SCSI_RESERVATION_CONFLICT);
	cmd_send(&a, 0, &mine);
	assert_int_equal(tmf(&a, 7, SCSI_NEXUS_RESET, 0), SCSI_TMF_COMPLETE);
	assert_true(cmd_is_over(&mine, 0));
	assert_true(mine.aborted);
	assert_int_equal(cmd_do(&b, 0, &look), SCSI_GOOD);
	cmd_send(&b, 0, &theirs);
	struct mgmt m;
	mgmt_send(&a, 0, SCSI_QUERY_ASYNC, 0, &m);
	assert_int_equal(mgmt_wait(&m), SCSI_TMF_SUCCEEDED);
	assert_memory_equal(m.rq.info, "\x16\x29\x07", 3);
	struct cmd heard = { CDB(0) };
	cmd_do(&a, 0, &heard);
	assert_int_equal(cmd_sense(&heard), 0x062907);
	assert_int_equal(tmf(&a, 0, SCSI_QUERY_ASYNC, 0), SCSI_TMF_COMPLETE);
	assert_false(cmd_is_over(&theirs, 0));
	cmd_go(&theirs);
	cmd_wait(&theirs);
	assert_int_equal(theirs.status, SCSI_GOOD);
}

static void before_the_data(void **state)
{
	(void)state;
	struct cmd w = { WRITE_1, .hold = true }, w2 = { WRITE_1, .hold = true };
	cmd_send(&a, 0, &w);
	cmd_send(&a, 0, &w2);
	usleep(5000);
	assert_int_equal(tmf(&a, 0, SCSI_QUERY_TASK, w.t.tag), SCSI_TMF_SUCCEEDED);
	assert_int_equal(tmf(&a, 0, SCSI_QUERY_TASK_SET, 0), SCSI_TMF_SUCCEEDED);
	assert_int_equal(tmf(&a, 0, SCSI_ABORT_TASK, w.t.tag), SCSI_TMF_COMPLETE);
	assert_true(cmd_is_over(&w, 0));         /* its done() ran before the answer */
	assert_true(w.aborted);
	assert_false(cmd_is_over(&w2, 5));
	w2.then.run = cmd_drop_run;               /* the transport gives up on the other */
	reactor_post(a.on, &w2.then);
	cmd_wait(&w2);
	assert_int_equal(tmf(&a, 0, SCSI_QUERY_TASK_SET, 0), SCSI_TMF_COMPLETE);
}

static void at_the_backend(void **state)
{
	(void)state;
	assert_int_equal(volume_quiesce(volume, 1000), 0);
	struct cmd w = { WRITE_1 }, other = { WRITE_1 };
	cmd_send(&a, 0, &w);
	cmd_send(&b, 0, &other);
	struct mgmt m[4];
	for (unsigned i = 0; i < 4; i++)         /* ESXi asks again while it waits */
		mgmt_send(&a, 0, SCSI_ABORT_TASK, w.t.tag, &m[i]);
	struct mgmt set;
	mgmt_send(&a, 0, SCSI_ABORT_TASK_SET, 0, &set);
	usleep(20000);
	assert_false(m[0].over);                 /* it might still be written: no answer yet */
	assert_false(set.over);
	volume_resume(volume);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(mgmt_wait(&m[i]), SCSI_TMF_COMPLETE);
	assert_int_equal(mgmt_wait(&set), SCSI_TMF_COMPLETE);
	cmd_wait(&w);
	cmd_wait(&other);
	assert_true(w.aborted);
	assert_false(other.aborted);             /* b's task set is another */
	assert_int_equal(other.status, SCSI_GOOD);
}

static void lun_reset_everywhere(void **state)
{
	(void)state;
	struct cmd r6 = { CDB(0x16) };
	assert_int_equal(cmd_do(&b, 0, &r6), SCSI_GOOD);
	struct cmd rel = { CDB(0x17) };
	assert_int_equal(cmd_do(&b, 0, &rel), SCSI_GOOD);
	assert_int_equal(volume_quiesce(volume, 1000), 0);
	struct cmd w[8], o[8], held = { WRITE_1, .hold = true };
	for (unsigned i = 0; i < 8; i++) {
		w[i] = (struct cmd){ WRITE_1 };
		o[i] = (struct cmd){ READ_1 };
		cmd_send(&a, 0, &w[i]);
		cmd_send(&b, 0, &o[i]);
	}
	cmd_send(&b, 0, &held);
	usleep(5000);
	struct mgmt m, m2;
	mgmt_send(&a, 0, SCSI_LUN_RESET, 0, &m);
	mgmt_send(&b, 0, SCSI_LUN_RESET, 0, &m2);        /* two resets that cross */
	usleep(20000);
	assert_false(m.over);
	assert_true(cmd_is_over(&held, 100));            /* was not at the backend: ends at once */
	assert_true(held.aborted);
	volume_resume(volume);
	assert_int_equal(mgmt_wait(&m), SCSI_TMF_COMPLETE);
	assert_int_equal(mgmt_wait(&m2), SCSI_TMF_COMPLETE);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(cmd_is_over(&w[i], 0));
		assert_true(cmd_is_over(&o[i], 0));
		assert_true(w[i].aborted && o[i].aborted);
	}
	struct cmd ta = { CDB(0) }, tb = { CDB(0) };
	cmd_do(&a, 0, &ta);
	cmd_do(&b, 0, &tb);
	assert_int_equal(cmd_sense(&ta), 0x062903);
	assert_int_equal(cmd_sense(&tb), 0x062903);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
}

static void reset_ends_reserve(void **state)
{
	(void)state;
	struct cmd r = { CDB(0x16) }, t = { CDB(0) }, t2 = { CDB(0) };
	assert_int_equal(cmd_do(&b, 0, &r), SCSI_GOOD);
	assert_int_equal(cmd_do(&a, 0, &t), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(tmf(&a, 0, SCSI_LUN_RESET, 0), SCSI_TMF_COMPLETE);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
	assert_int_equal(cmd_do(&a, 0, &t2), SCSI_GOOD);
}

/* With TAS a command that another nexus aborted ends with a status; one's own never does. */
static void task_aborted_status(void **state)
{
	(void)state;
	uint8_t page[16] = { 0, 0, 0, 0, 0x0a, 0x0a, 0x22, 0x10, 0, 0x40 };
	struct cmd sel = { CDB(0x15, 0x10, 0, 0, 16), .out = page, .out_len = 16 };
	assert_int_equal(cmd_do(&a, 0, &sel), SCSI_GOOD);
	usleep(10000);
	nx_calm(&b, 0);
	assert_int_equal(volume_quiesce(volume, 1000), 0);
	struct cmd mine = { WRITE_1 }, theirs = { WRITE_1 };
	cmd_send(&a, 0, &mine);
	cmd_send(&b, 0, &theirs);
	usleep(5000);
	assert_true(atomic_load(&unit->tas));
	struct mgmt m;
	mgmt_send(&a, 0, SCSI_LUN_RESET, 0, &m);
	usleep(5000);
	volume_resume(volume);
	assert_int_equal(mgmt_wait(&m), SCSI_TMF_COMPLETE);
	assert_true(mine.aborted);
	assert_false(theirs.aborted);
	assert_int_equal(theirs.status, SCSI_TASK_ABORTED);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
}

static void order(void **state)
{
	(void)state;
	struct cmd s1 = { WRITE_1, .hold = true }, ord = { READ_1, .t = { .attribute = SCSI_ORDERED } }, s2 = { READ_1 },
		   hoq = { READ_1, .t = { .attribute = SCSI_HEAD_OF_QUEUE } };
	struct cmd ord2 = { READ_1, .t = { .attribute = SCSI_ORDERED } };
	cmd_send(&a, 0, &s1);
	cmd_send(&a, 0, &ord);
	cmd_send(&a, 0, &s2);
	cmd_send(&a, 0, &ord2);
	cmd_send(&a, 0, &hoq);
	assert_true(cmd_is_over(&hoq, 500));             /* waits for nobody */
	assert_false(cmd_is_over(&ord, 10));             /* waits for what is older */
	assert_false(cmd_is_over(&s2, 10));              /* waits for the ordered one */
	assert_false(cmd_is_over(&ord2, 1));
	struct cmd other = { READ_1 };
	assert_int_equal(cmd_do(&b, 0, &other), SCSI_GOOD);      /* another task set */
	cmd_go(&s1);
	cmd_wait(&s1);
	cmd_wait(&ord);
	cmd_wait(&s2);
	cmd_wait(&ord2);
	assert_int_equal(ord.status | s1.status | s2.status | ord2.status, SCSI_GOOD);
	/* An ordered task that is aborted lets the others go. */
	struct cmd h = { WRITE_1, .hold = true }, o = { READ_1, .t = { .attribute = SCSI_ORDERED } }, n = { READ_1 };
	cmd_send(&a, 0, &h);
	cmd_send(&a, 0, &o);
	cmd_send(&a, 0, &n);
	usleep(5000);
	assert_int_equal(tmf(&a, 0, SCSI_ABORT_TASK, o.t.tag), SCSI_TMF_COMPLETE);
	assert_true(o.aborted);
	assert_true(cmd_is_over(&n, 500));
	assert_int_equal(n.status, SCSI_GOOD);
	h.then.run = cmd_drop_run;
	reactor_post(a.on, &h.then);
	cmd_wait(&h);
	struct cmd aca = { READ_1, .t = { .attribute = SCSI_ACA } };
	cmd_do(&a, 0, &aca);
	assert_int_equal(cmd_sense(&aca), 0x052400);
}

static void close_in_the_middle(void **state)
{
	(void)state;
	struct nx c;
	nx_open(&c, rig.reactor[1], "iqn.2026-11.test:c,i,0x00023d000003", 1, map);
	nx_calm(&c, 0);
	assert_int_equal(volume_quiesce(volume, 1000), 0);
	struct cmd w[4], held = { WRITE_1, .hold = true }, ord = { READ_1, .t = { .attribute = SCSI_ORDERED } };
	for (unsigned i = 0; i < 4; i++) {
		w[i] = (struct cmd){ WRITE_1 };
		cmd_send(&c, 0, &w[i]);
	}
	cmd_send(&c, 0, &held);
	cmd_send(&c, 0, &ord);
	usleep(5000);
	struct mgmt m;
	mgmt_send(&c, 0, SCSI_LUN_RESET, 0, &m);
	assert_int_equal(reactor_call(c.on, nx_close_run, &c), 0);
	usleep(10000);
	assert_false(c.closed);
	volume_resume(volume);
	pthread_mutex_lock(&c.lock);
	while (!c.closed)
		pthread_cond_wait(&c.cond, &c.lock);
	pthread_mutex_unlock(&c.lock);
	for (unsigned i = 0; i < 4; i++)
		assert_true(w[i].over && w[i].aborted);
	assert_true(held.aborted && ord.aborted && m.over);
	nx_calm(&a, 0);
	nx_calm(&b, 0);
}

/* The map changes under load: commands to the LUN that went are aborted, the other never notices. */
static void map_swap_under_load(void **state)
{
	(void)state;
	struct volume *v2 = rig_volume("ram", 4 << 20, 512);
	struct scsi_unit *u2 = unit_on(v2);
	struct scsi_lun_entry e[] = { { .lun = 0, .unit = unit }, { .lun = 1, .unit = u2 } };
	struct scsi_lun_map *two;
	assert_int_equal(scsi_lun_map_new(e, 2, &two), 0);
	scsi_unit_unref(u2);
	for (unsigned round = 0; round < 40; round++) {
		nx_set_map(&a, two);
		nx_calm(&a, 0);
		nx_calm(&a, 1);
		struct cmd stay[16], go[16];
		if (round & 1)
			assert_int_equal(volume_quiesce(v2, 1000), 0);
		for (unsigned i = 0; i < 16; i++) {
			stay[i] = (struct cmd){ WRITE_1 };
			go[i] = (struct cmd){ WRITE_1, .hold = i & 1 };
			cmd_send(&a, 0, &stay[i]);
			cmd_send(&a, 1, &go[i]);
		}
		nx_set_map(&a, map);
		if (round & 1)
			volume_resume(v2);
		for (unsigned i = 0; i < 16; i++) {
			cmd_wait(&stay[i]);
			cmd_wait(&go[i]);
			assert_int_equal(stay[i].status, SCSI_GOOD);
			assert_false(stay[i].aborted);
			assert_true(go[i].aborted || go[i].status == SCSI_GOOD);
			assert_true(go[i].aborted || !go[i].hold);
		}
	}
	nx_calm(&a, 0);
	scsi_lun_map_unref(two);
	rig_close(v2);
}

/* More than the buffer pool holds: all wait, all are served, and an abort ends one that waits. */
static void memory_runs_out(void **state)
{
	(void)state;
	enum { N = 40 };                         /* x 4 MiB, of a pool of 64 MiB */
	static struct cmd c[N];
	assert_int_equal(volume_quiesce(volume, 1000), 0);
	for (unsigned i = 0; i < N; i++) {
		memset(&c[i], 0, sizeof(c[i]));
		c[i].cdb[0] = 0x28;
		c[i].cdb[7] = 0x20;
		cmd_send(&a, 0, &c[i]);
	}
	usleep(20000);
	assert_int_equal(tmf(&a, 0, SCSI_ABORT_TASK, c[N - 1].t.tag), SCSI_TMF_COMPLETE);
	assert_true(c[N - 1].aborted);
	volume_resume(volume);
	for (unsigned i = 0; i < N - 1; i++) {
		cmd_wait(&c[i]);
		assert_int_equal(c[i].status, SCSI_GOOD);
		assert_int_equal(c[i].in_len, 4 << 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers), cmocka_unit_test(nexus_reset), cmocka_unit_test(before_the_data), cmocka_unit_test(at_the_backend),
		cmocka_unit_test(lun_reset_everywhere), cmocka_unit_test(reset_ends_reserve),
		cmocka_unit_test(task_aborted_status), cmocka_unit_test(order), cmocka_unit_test(close_in_the_middle),
		cmocka_unit_test(map_swap_under_load), cmocka_unit_test(memory_runs_out),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
