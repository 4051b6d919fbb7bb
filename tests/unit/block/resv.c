/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resv.c - reservations: scenarios from SPC-4 5.13, the access table, durability, stored text. */
#include "rig.h"

static struct rig rig;
static struct volume *vol;
static char saved[4096];
static int save_status, save_calls;

static int save(void *arg, const char *uuid, const char *text)
{
	(void)arg;
	assert_string_equal(uuid, RIG_UUID);
	save_calls++;
	if (!save_status)
		snprintf(saved, sizeof(saved), "%s", text);
	return save_status;
}

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static struct resv_id id_of(char who)
{
	struct resv_id id = { .len = 20 };
	memset(id.bytes, who, 20);
	return id;
}

/* ---- one step: asked on a reactor, waited for ------------------------------------------------------ */
struct step {
	struct resv_request rq;
	struct resv_id id, to;
	struct msg msg;
	int status;
	bool over;
	char told[256];
	pthread_mutex_t lock;
	pthread_cond_t cond;
};
static void step_done(struct resv_request *rq, int status, const struct resv_change *affected, size_t count)
{
	static const char loss[] = { [RESV_LOST_REGISTRATION] = 'g', [RESV_LOST_RESERVATION] = 'r',
				     [RESV_TYPE_CHANGED] = 't', [RESV_PREEMPTED] = 'p' };
	struct step *s = container_of(rq, struct step, rq);
	char letters[16][3];
	assert_true(count < 16);
	for (size_t i = 0; i < count; i++)
		snprintf(letters[i], 3, "%c%c", affected[i].id.bytes[0], loss[affected[i].loss]);
	qsort(letters, count, 3, (int (*)(const void *, const void *))strcmp);
	size_t at = 0;
	s->told[0] = 0;
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(s->told + at, sizeof(s->told) - at, "%s", letters[i]);
	pthread_mutex_lock(&s->lock);
	s->status = status;
	s->over = true;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
}
static void step_run(struct msg *m)
{
	volume_resv_request(vol, &container_of(m, struct step, msg)->rq);
}
static int ask(struct step *s, char who, enum resv_action action, uint64_t key, uint64_t new_key, enum resv_type type,
	       int aptpl, char to, bool unreg)
{
	memset(s, 0, sizeof(*s));
	s->id = id_of(who);
	s->to = id_of(to);
	s->rq = (struct resv_request){ .action = action, .key = key, .new_key = new_key, .type = type, .id = &s->id,
				       .aptpl = aptpl, .move_to = to ? &s->to : NULL, .unregister_moved = unreg,
				       .done = step_done };
	s->msg.run = step_run;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	reactor_post(rig.reactor[who % 2], &s->msg);
	pthread_mutex_lock(&s->lock);
	while (!s->over)
		pthread_cond_wait(&s->cond, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return s->status;
}

/* "5 A1* B2 g7": type, registrants with key, holders starred, generation. */
static void describe(char *buf, size_t bytes)
{
	struct resv_state st;
	int n = volume_resv_read(vol, &st);
	assert_true(n >= 0);
	size_t at = (size_t)snprintf(buf, bytes, "%d", (int)st.type);
	for (size_t i = 0; i < st.count; i++)
		at += (size_t)snprintf(buf + at, bytes - at, " %c%llu%s", st.registrants[i].id.bytes[0],
				       (unsigned long long)st.registrants[i].key, st.registrants[i].holder ? "*" : "");
	snprintf(buf + at, bytes - at, " g%u", st.generation);
	free(st.registrants);
}

/* Actions by letter: R register, I register and ignore, V reserve, L release, C clear, P preempt,
 * M move (to the nexus named last; "u" unregisters).  "WHO ACTION KEY NEWKEY TYPE [TO]". */
struct scenario_step {
	char who, action;
	unsigned key, new_key, type;
	int status;
	const char *told, *state;
};
struct scenario {
	const char *what;
	struct scenario_step step[12];
};
#define REGISTERED_ABC                                                  \
	{ 'A', 'R', 0, 1, 0, 0, "", "0 A1 g1" },                        \
	{ 'B', 'R', 0, 2, 0, 0, "", "0 A1 B2 g2" },                     \
	{ 'C', 'R', 0, 3, 0, 0, "", "0 A1 B2 C3 g3" }

static const struct scenario scenarios[] = {
	{ "REGISTER: table 62", {
		{ 'A', 'R', 9, 1, 0, -EACCES, "", "0 g0" },             /* unregistered, key not zero */
		{ 'A', 'R', 0, 0, 0, 0, "", "0 g0" },                   /* nothing to do */
		{ 'A', 'R', 0, 1, 0, 0, "", "0 A1 g1" },
		{ 'A', 'R', 0, 5, 0, -EACCES, "", "0 A1 g1" },          /* registered, wrong key */
		{ 'A', 'R', 1, 5, 0, 0, "", "0 A5 g2" },                /* change */
		{ 'A', 'R', 1, 0, 0, -EACCES, "", "0 A5 g2" },
		{ 'A', 'R', 5, 0, 0, 0, "", "0 g3" } } },
	{ "REGISTER AND IGNORE EXISTING KEY: table 63", {
		{ 'A', 'I', 77, 0, 0, 0, "", "0 g0" },
		{ 'A', 'I', 77, 1, 0, 0, "", "0 A1 g1" },
		{ 'A', 'I', 77, 2, 0, 0, "", "0 A2 g2" },
		{ 'A', 'I', 77, 0, 0, 0, "", "0 g3" } } },
	{ "only registrants with their key may do the rest", {
		{ 'A', 'V', 0, 0, 1, -EACCES, "", "0 g0" },
		{ 'A', 'C', 0, 0, 0, -EACCES, "", "0 g0" },
		{ 'A', 'R', 0, 1, 0, 0, "", "0 A1 g1" },
		{ 'A', 'V', 2, 0, 1, -EACCES, "", "0 A1 g1" },
		{ 'A', 'L', 2, 0, 1, -EACCES, "", "0 A1 g1" },
		{ 'A', 'P', 2, 1, 1, -EACCES, "", "0 A1 g1" },
		{ 'A', 'V', 1, 0, 2, -EINVAL, "", "0 A1 g1" },          /* no such type */
		{ 'A', 'V', 1, 0, 9, -EINVAL, "", "0 A1 g1" } } },
	{ "RESERVE: the holder may repeat, others conflict", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 1, 0, "", "1 A1* B2 C3 g3" },
		{ 'A', 'V', 1, 0, 1, 0, "", "1 A1* B2 C3 g3" },
		{ 'A', 'V', 1, 0, 3, -EACCES, "", "1 A1* B2 C3 g3" },   /* another type */
		{ 'B', 'V', 2, 0, 1, -EACCES, "", "1 A1* B2 C3 g3" },
		{ 'B', 'L', 2, 0, 1, 0, "", "1 A1* B2 C3 g3" },         /* not the holder: good, nothing */
		{ 'A', 'L', 1, 0, 3, -EINVAL, "", "1 A1* B2 C3 g3" },   /* wrong type */
		{ 'A', 'L', 1, 0, 1, 0, "", "0 A1 B2 C3 g3" } } },      /* types 1, 3: nobody is told */
	{ "RELEASE of registrants only tells the others", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 5, 0, "", "5 A1* B2 C3 g3" },
		{ 'A', 'L', 1, 0, 5, 0, "BrCr", "0 A1 B2 C3 g3" } } },
	{ "all registrants: everybody holds", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 7, 0, "", "7 A1* B2* C3* g3" },
		{ 'B', 'V', 2, 0, 7, 0, "", "7 A1* B2* C3* g3" },
		{ 'A', 'R', 1, 0, 0, 0, "", "7 B2* C3* g4" },           /* the one who reserved leaves */
		{ 'C', 'L', 3, 0, 7, 0, "Br", "0 B2 C3 g4" },
		{ 'C', 'V', 3, 0, 8, 0, "", "8 B2* C3* g4" },
		{ 'B', 'R', 2, 0, 0, 0, "", "8 C3* g5" },
		{ 'C', 'R', 3, 0, 0, 0, "", "0 g6" } } },               /* the last one takes it along */
	{ "unregistering the holder", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 1, 0, "", "1 A1* B2 C3 g3" },
		{ 'A', 'R', 1, 0, 0, 0, "", "0 B2 C3 g4" },
		{ 'B', 'V', 2, 0, 6, 0, "", "6 B2* C3 g4" },
		{ 'B', 'I', 0, 0, 0, 0, "Cr", "0 C3 g5" } } },
	{ "CLEAR", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 3, 0, "", "3 A1* B2 C3 g3" },
		{ 'B', 'C', 2, 0, 0, 0, "ApCp", "0 g4" } } },
	{ "PREEMPT the holder, same type", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 1, 0, "", "1 A1* B2 C3 g3" },
		{ 'B', 'P', 2, 1, 1, 0, "Ag", "1 B2* C3 g4" } } },
	{ "PREEMPT the holder, another type", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 1, 0, "", "1 A1* B2 C3 g3" },
		{ 'B', 'P', 2, 1, 5, 0, "AgCt", "5 B2* C3 g4" } } },
	{ "PREEMPT a registration only", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 5, 0, "", "5 A1* B2 C3 g3" },
		{ 'B', 'P', 2, 3, 1, 0, "Cg", "5 A1* B2 g4" },
		{ 'B', 'P', 2, 3, 1, -EACCES, "", "5 A1* B2 g4" },      /* no such key now */
		{ 'B', 'P', 2, 0, 1, -EINVAL, "", "5 A1* B2 g4" } } },
	{ "PREEMPT without a reservation", {
		REGISTERED_ABC,
		{ 'A', 'P', 1, 2, 1, 0, "Bg", "0 A1 C3 g4" },
		{ 'A', 'P', 1, 0, 1, -EINVAL, "", "0 A1 C3 g4" },
		{ 'A', 'P', 1, 1, 1, 0, "", "0 C3 g5" } } },            /* itself: not an error */
	{ "PREEMPT of all registrants with key zero", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 8, 0, "", "8 A1* B2* C3* g3" },
		{ 'B', 'P', 2, 3, 8, 0, "Cg", "8 A1* B2* g4" },
		{ 'B', 'P', 2, 0, 3, 0, "Ag", "3 B2* g5" } } },
	{ "PREEMPT oneself as the holder changes the type", {
		REGISTERED_ABC,
		{ 'A', 'V', 1, 0, 1, 0, "", "1 A1* B2 C3 g3" },
		{ 'A', 'P', 1, 1, 6, 0, "BtCt", "6 A1* B2 C3 g4" } } },
	{ "several nexuses with one key", {
		{ 'A', 'R', 0, 1, 0, 0, "", "0 A1 g1" },
		{ 'B', 'R', 0, 1, 0, 0, "", "0 A1 B1 g2" },
		{ 'C', 'R', 0, 3, 0, 0, "", "0 A1 B1 C3 g3" },
		{ 'A', 'V', 1, 0, 5, 0, "", "5 A1* B1 C3 g3" },
		{ 'C', 'P', 3, 1, 5, 0, "AgBg", "5 C3* g4" } } },
	{ "REGISTER AND MOVE", {
		REGISTERED_ABC,
		{ 'A', 'M', 1, 9, 0, -EACCES, "", "0 A1 B2 C3 g3" },    /* nothing to move */
		{ 'A', 'V', 1, 0, 1, 0, "", "1 A1* B2 C3 g3" },
		{ 'B', 'M', 2, 9, 0, -EACCES, "", "1 A1* B2 C3 g3" },   /* not the holder */
		{ 'A', 'M', 1, 0, 0, -EINVAL, "", "1 A1* B2 C3 g3" },
		{ 'A', 'M', 1, 9, 0, 0, "", "1 A1 B2 C3 D9* g4" },
		{ 'D', 'R', 9, 0, 0, 0, "", "0 A1 B2 C3 g5" },
		{ 'A', 'V', 1, 0, 3, 0, "", "3 A1* B2 C3 g5" },
		{ 'A', 'u', 1, 9, 0, 0, "", "3 B2 C3 D9* g6" } } },
};

static enum resv_action action_of(char c)
{
	switch (c) {
	case 'R': return RESV_REGISTER;
	case 'I': return RESV_REGISTER_IGNORE;
	case 'V': return RESV_RESERVE;
	case 'L': return RESV_RELEASE;
	case 'C': return RESV_CLEAR;
	case 'P': return RESV_PREEMPT;
	default: return RESV_MOVE;
	}
}

static void all_scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(scenarios); i++) {
		vol = rig_volume("ram", 1 << 20, 512);
		for (const struct scenario_step *t = scenarios[i].step; t->who; t++) {
			struct step s;
			char now[256];
			enum resv_action a = action_of(t->action);
			int got = ask(&s, t->who, a, t->key, t->new_key, (enum resv_type)t->type, -1,
				      a == RESV_MOVE ? 'D' : 0, t->action == 'u');
			describe(now, sizeof(now));
			if (got != t->status || strcmp(s.told, t->told) || strcmp(now, t->state))
				print_error("%s, step %d: %d told \"%s\" state \"%s\"\n", scenarios[i].what,
					    (int)(t - scenarios[i].step), got, s.told, now);
			assert_int_equal(got, t->status);
			assert_string_equal(s.told, t->told);
			assert_string_equal(now, t->state);
		}
		rig_close(vol);
	}
}

/* ---- SPC-4 5.13.1: who may read and write ------------------------------------------------------------ */
struct question {
	struct resv_id id;
	enum resv_access a;
};
static int allows(void *arg)
{
	struct question *q = arg;
	bool first = volume_resv_allows(vol, &q->id, q->a);
	assert_int_equal(first, volume_resv_allows(vol, &q->id, q->a)); /* the cache agrees */
	return first;
}
static void access_table(void **state)
{
	static const struct {
		enum resv_type type;
		const char *holder, *registrant, *stranger; /* r, w */
	} rows[] = {
		{ RESV_WRITE_EXCLUSIVE, "rw", "r", "r" },
		{ RESV_EXCLUSIVE_ACCESS, "rw", "", "" },
		{ RESV_WRITE_EXCLUSIVE_REG_ONLY, "rw", "rw", "r" },
		{ RESV_EXCLUSIVE_ACCESS_REG_ONLY, "rw", "rw", "" },
		{ RESV_WRITE_EXCLUSIVE_ALL_REG, "rw", "rw", "r" },
		{ RESV_EXCLUSIVE_ACCESS_ALL_REG, "rw", "rw", "" },
	};
	(void)state;
	vol = rig_volume("ram", 1 << 20, 512);
	struct step s;
	assert_int_equal(ask(&s, 'A', RESV_REGISTER, 0, 1, 0, -1, 0, false), 0);
	assert_int_equal(ask(&s, 'B', RESV_REGISTER, 0, 2, 0, -1, 0, false), 0);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(ask(&s, 'A', RESV_RESERVE, 1, 0, rows[i].type, -1, 0, false), 0);
		const char *who[] = { rows[i].holder, rows[i].registrant, rows[i].stranger };
		for (int w = 0; w < 3; w++)
			for (int a = 0; a < 2; a++)
				for (int r = 0; r < 2; r++) {
					struct question q = { id_of((char)('A' + w)), (enum resv_access)a };
					bool want = strchr(who[w], a == RESV_ACCESS_READ ? 'r' : 'w') != NULL;
					assert_int_equal(reactor_call(rig.reactor[r], allows, &q), want);
					assert_int_equal(volume_resv_allows(vol, &q.id, q.a), want);
				}
		assert_int_equal(ask(&s, 'A', RESV_RELEASE, 1, 0, rows[i].type, -1, 0, false), 0);
	}
	struct question q = { id_of('Z'), RESV_ACCESS_WRITE };
	assert_int_equal(reactor_call(rig.reactor[0], allows, &q), true);
	rig_close(vol);
}

/* ---- durability ----------------------------------------------------------------------------------------- */
static void survives(void **state)
{
	(void)state;
	struct step s;
	char before[256], after[256];
	vol = rig_volume("ram", 1 << 20, 512);
	assert_int_equal(ask(&s, 'A', RESV_REGISTER, 0, 1, 0, 1, 0, false), -EIO); /* nobody to save it */
	volume_resv_on_save(save, NULL);
	save_calls = 0;
	assert_int_equal(ask(&s, 'B', RESV_REGISTER, 0, 2, 0, -1, 0, false), 0);
	assert_int_equal(save_calls, 0);
	assert_int_equal(ask(&s, 'A', RESV_REGISTER, 0, 1, 0, 1, 0, false), 0);
	assert_int_equal(ask(&s, 'A', RESV_RESERVE, 1, 0, 5, -1, 0, false), 0);
	assert_int_equal(save_calls, 2);
	save_status = -ENOSPC;
	describe(before, sizeof(before));
	assert_int_equal(ask(&s, 'B', RESV_CLEAR, 2, 0, 0, -1, 0, false), -EIO);
	assert_string_equal(s.told, "");
	describe(after, sizeof(after));
	assert_string_equal(before, after);      /* nothing changed */
	save_status = 0;
	rig_close(vol);

	vol = rig_volume("ram", 1 << 20, 512);
	assert_int_equal(volume_resv_load(vol, saved), 0);
	describe(after, sizeof(after));
	assert_string_equal(after, "5 B2 A1* g0");
	struct question q = { id_of('C'), RESV_ACCESS_WRITE };
	assert_int_equal(reactor_call(rig.reactor[0], allows, &q), false);
	/* APTPL off: nothing is kept from then on. */
	assert_int_equal(ask(&s, 'A', RESV_REGISTER, 1, 1, 0, 0, 0, false), 0);
	assert_string_equal(saved, "");
	volume_resv_on_save(NULL, NULL);
	rig_close(vol);
}

static void bad_text(void **state)
{
	static const char *const bad[] = {
		"x", "holdfast-reservations 2\ntype 0\nend\n", "holdfast-reservations 1\n",
		"holdfast-reservations 1\ntype 5\nend\n",
		"holdfast-reservations 1\ntype 5\nregistrant 41 0000000000000001\nend\n",
		"holdfast-reservations 1\ntype 9\nregistrant 41 0000000000000001 holder\nend\n",
		"holdfast-reservations 1\ntype 2\nregistrant 41 0000000000000001 holder\nend\n",
		"holdfast-reservations 1\ntype 5\nregistrant 4 0000000000000001 holder\nend\n",
		"holdfast-reservations 1\ntype 5\nregistrant 41 01 holder\nend\n",
		"holdfast-reservations 1\ntype 5\nregistrant 41 0000000000000000 holder\nend\n",
		"holdfast-reservations 1\ntype 7\nregistrant 41 0000000000000001 holder\nend\n",
		"holdfast-reservations 1\ntype 0\nregistrant 41 0000000000000001\nregistrant 41 0000000000000002\nend\n",
		"holdfast-reservations 1\ntype 5\nregistrant 41 0000000000000001 holder\n",
		"holdfast-reservations 1\ntype 5\nregistrant 41 0000000000000001 holder\nend\nmore",
	};
	(void)state;
	vol = rig_volume("ram", 1 << 20, 512);
	const char *good = "holdfast-reservations 1\ntype 5\nregistrant 41 0000000000000001 holder\nend\n";
	char now[256];
	assert_int_equal(volume_resv_load(vol, good), 0);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		if (volume_resv_load(vol, bad[i]) != -EINVAL)
			print_error("accepted: %s\n", bad[i]);
		assert_int_equal(volume_resv_load(vol, bad[i]), -EINVAL);
	}
	describe(now, sizeof(now));
	assert_string_equal(now, "5 A1* g0");
	assert_int_equal(volume_resv_load(vol, ""), 0);
	describe(now, sizeof(now));
	assert_string_equal(now, "0 g0");
	rig_close(vol);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_scenarios),
		cmocka_unit_test(access_table),
		cmocka_unit_test(survives),
		cmocka_unit_test(bad_text),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
