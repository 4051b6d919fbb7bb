/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alua.c - several ports of one target: what hosts are told of each, what a path in each state answers, and
 * registrations that concern more ports than one.  SPC-4 5.15, 6.37, 6.44, 5.13.7, 6.16. */
#include "rig.h"

#include "scsi/scsi_priv.h"

#define HOST "iqn.2026-11.test:a,i,0x00023d000001"
#define OTHER "iqn.2026-11.test:b,i,0x00023d000002"
static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct nx nx[3], other;           /* one host through ports 1 to 3, another one through port 1 */
static uint8_t in[4096];

static struct scsi_lun_map *map_with(unsigned third)
{
	struct scsi_path p[] = { { 3, (uint8_t)third, false }, { 1, SCSI_PATH_OPTIMIZED, false }, { 2, SCSI_PATH_NONOPTIMIZED, false } };
	struct scsi_lun_map *m = map_of(unit, 0, false);
	assert_int_equal(scsi_lun_map_set_paths(m, p, 3), 0);
	return m;
}

static void open_port(struct nx *x, unsigned reactor, const char *initiator, uint16_t port, struct scsi_lun_map *map)
{
	static char names[4][64];
	memset(x, 0, sizeof(*x));
	x->on = rig.reactor[reactor];
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->cond, NULL);
	snprintf(names[port], sizeof(names[port]), "iqn.2026-11.test:disk,t,0x%04x", port);
	x->spec = (struct scsi_nexus_spec){ .initiator_port = initiator, .target_port = names[port],
					    .target_device = "iqn.2026-11.test:disk", .relative_port_id = port,
					    .port_group = port, .map = map };
	assert_int_equal(reactor_call(x->on, nx_make, x), 0);
}

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", 32 << 20, 512);
	unit = unit_on(volume);
	struct scsi_lun_map *map = map_with(SCSI_PATH_UNAVAILABLE);
	for (unsigned i = 0; i < 3; i++)
		open_port(&nx[i], i % 2, HOST, (uint16_t)(i + 1), map);
	open_port(&other, 1, OTHER, 1, map);
	scsi_lun_map_unref(map);
	for (unsigned i = 0; i < 3; i++)
		nx_calm(&nx[i], 0);
	nx_calm(&other, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		nx_close(&nx[i]);
	nx_close(&other);
	scsi_unit_unref(unit);
	scsi_stop();
	rig_close(volume);
	rig_stop(&rig);
	return 0;
}

static unsigned answer(struct nx *x, uint8_t opcode)
{
	struct cmd c = { CDB(opcode, [4] = opcode == 0x12 ? 36 : 0, [8] = opcode == 0x28 ? 1 : opcode == 0x5e ? 8 : 0), .in = in,
			 .in_room = sizeof(in) };
	return cmd_do(x, 0, &c) == SCSI_CHECK_CONDITION ? cmd_sense(&c) : c.status;
}

static void each_port_tells_of_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct cmd c = { CDB(0xa3, 0x0a, [9] = 64), .in = in, .in_room = sizeof(in) };
		assert_int_equal(cmd_do(&nx[i], 0, &c), SCSI_GOOD);
		assert_int_equal(get32(in), 36);
		for (unsigned k = 0; k < 3; k++) {
			const uint8_t *d = in + 4 + 12 * k;
			static const uint8_t states[] = { 0, 1, 3 };
			assert_int_equal(d[0], states[k]);
			assert_int_equal(d[3], k + 1);           /* group */
			assert_int_equal(d[7], 1);
			assert_int_equal(d[11], k + 1);          /* its port */
		}
		struct cmd v = { CDB(0x12, 1, 0x88, 4), .in = in, .in_room = sizeof(in) };
		assert_int_equal(cmd_do(&nx[i], 0, &v), SCSI_GOOD);
		unsigned ports = 0;
		for (size_t at = 4; at < v.in_len; at += 12u + (size_t)(in[at + 10] << 8 | in[at + 11]))
			ports |= 1u << in[at + 3];
		assert_int_equal(ports, 0x0e);
	}
}

static void set_third(unsigned path)
{
	struct scsi_lun_map *map = map_with(path);
	for (unsigned i = 0; i < 3; i++)
		nx_set_map(&nx[i], map);
	nx_set_map(&other, map);
	scsi_lun_map_unref(map);
}

static void states_are_felt(void **state)
{
	static const struct {
		unsigned path, sense;
	} cases[] = {
		{ SCSI_PATH_UNAVAILABLE, 0x02040c }, { SCSI_PATH_TRANSITIONING, 0x02040a }, { SCSI_PATH_NONOPTIMIZED, 0 },
		{ SCSI_PATH_UNAVAILABLE, 0x02040c }, { SCSI_PATH_OPTIMIZED, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		if (i) {
			set_third(cases[i].path);
			for (unsigned k = 0; k < 3; k++)         /* all hear, on every path */
				assert_int_equal(answer(&nx[k], 0x00), 0x062a06);
			nx_calm(&other, 0);
		}
		assert_int_equal(answer(&nx[2], 0x00), cases[i].sense);
		assert_int_equal(answer(&nx[2], 0x28), cases[i].sense);
		assert_int_equal(answer(&nx[0], 0x28), 0);
		assert_int_equal(answer(&nx[1], 0x28), 0);
		assert_int_equal(answer(&nx[2], 0x12), 0);
		assert_int_equal(answer(&nx[2], 0x25), 0);
		assert_int_equal(answer(&nx[2], 0x5e), 0);
		assert_int_equal(answer(&nx[2], 0x16), 0);
		assert_int_equal(answer(&nx[2], 0x17), 0);
	}
	set_third(SCSI_PATH_OPTIMIZED);                  /* nothing new: nobody hears */
	assert_int_equal(answer(&nx[2], 0x00), 0);
}

static unsigned pr_out(struct nx *x, unsigned action, unsigned type, uint64_t key, uint64_t new_key, uint8_t flags)
{
	uint8_t b[24] = { [20] = flags };
	struct cmd c = { CDB(0x5f, (uint8_t)action, (uint8_t)type, [8] = 24), .out = b, .out_len = 24 };
	put64(b, key);
	put64(b + 8, new_key);
	return cmd_do(x, 0, &c) == SCSI_CHECK_CONDITION ? cmd_sense(&c) : c.status;
}

static unsigned keys(struct nx *x)
{
	struct cmd c = { CDB(0x5e, 0, [8] = 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(x, 0, &c), SCSI_GOOD);
	return get32(in + 4) / 8;
}

static bool writes(struct nx *x)
{
	uint8_t b[512] = { 0 };
	struct cmd c = { CDB(0x2a, [8] = 1), .out = b, .out_len = 512 };
	return cmd_do(x, 0, &c) == SCSI_GOOD;
}

static void registered_through_all_ports(void **state)
{
	(void)state;
	assert_int_equal(pr_out(&nx[0], 0, 0, 0, 0xabc, 4), SCSI_GOOD);          /* ALL_TG_PT */
	assert_int_equal(keys(&other), 3);
	assert_int_equal(pr_out(&nx[1], 1, 5, 0xabc, 0, 0), SCSI_GOOD);          /* reserved through another port */
	assert_true(writes(&nx[0]) && writes(&nx[1]) && writes(&nx[2]));
	assert_false(writes(&other));
	assert_int_equal(pr_out(&nx[0], 3, 0, 0xabc, 0, 0), SCSI_GOOD);
	nx_calm(&nx[1], 0);
	nx_calm(&nx[2], 0);
	assert_int_equal(keys(&other), 0);
}

static void moved_to_another_port(void **state)
{
	uint8_t b[24 + 4 + 64] = { [17] = 0 };
	(void)state;
	assert_int_equal(pr_out(&nx[0], 0, 0, 0, 0xabc, 0), SCSI_GOOD);
	assert_int_equal(pr_out(&nx[0], 1, 1, 0xabc, 0, 0), SCSI_GOOD);
	put64(b, 0xabc);
	put64(b + 8, 0xdef);
	b[24] = 0x45;
	b[27] = 64;
	memcpy(b + 28, HOST, sizeof(HOST));
	put32(b + 20, 68);
	for (unsigned i = 0; i < 2; i++) {
		unsigned port = i ? 2 : 9;       /* 9 does not exist */
		put16(b + 18, port);
		struct cmd c = { CDB(0x5f, 7, [8] = sizeof(b)), .out = b, .out_len = sizeof(b) };
		cmd_do(&nx[0], 0, &c);
		assert_int_equal(cmd_sense(&c), port == 9 ? 0x052600 : 0);
	}
	assert_true(writes(&nx[1]));                     /* the holder now */
	assert_false(writes(&nx[0]));
	assert_int_equal(pr_out(&nx[1], 3, 0, 0xdef, 0, 0), SCSI_GOOD);
	nx_calm(&nx[0], 0);
}

/* ---- SET TARGET PORT GROUPS -------------------------------------------------------------------------------- */
static unsigned stored = SCSI_PATH_OPTIMIZED, calls;
static int store_error;

static struct scsi_lun_map *explicit_map(unsigned third, bool by_host)
{
	struct scsi_path p[] = { { 1, SCSI_PATH_OPTIMIZED, false }, { 2, SCSI_PATH_NONOPTIMIZED, false }, { 3, (uint8_t)third, by_host } };
	struct scsi_lun_map *m = map_of(unit, 0, false);
	scsi_lun_map_let_hosts_set_paths(m);
	assert_int_equal(scsi_lun_map_set_paths(m, p, 3), 0);
	return m;
}

static void all_have(struct scsi_lun_map *map)
{
	for (unsigned i = 0; i < 3; i++)
		nx_set_map(&nx[i], map);
	nx_set_map(&other, map);
	scsi_lun_map_unref(map);
}

/* What control/ does: stores it, then every nexus has the new map. */
static int store(void *arg, const char *target, const char *initiator, const struct scsi_path *p, size_t count)
{
	(void)arg;
	calls++;
	assert_string_equal(target, "iqn.2026-11.test:disk");
	assert_string_equal(initiator, HOST);
	if (store_error)
		return store_error;
	for (size_t i = 0; i < count; i++)
		if (p[i].group == 3)
			stored = p[i].state;
	all_have(explicit_map(stored, true));
	return 0;
}

static struct cmd stpg_send(struct nx *x, const uint8_t *list, unsigned len)
{
	struct cmd c = { CDB(0xa4, 0x0a, [9] = (uint8_t)len), .out = list, .out_len = len };
	(void)cmd_do(x, 0, &c);
	return c;
}

static unsigned stpg(struct nx *x, unsigned group, unsigned state)
{
	const uint8_t list[8] = { [4] = (uint8_t)state, [6] = (uint8_t)(group >> 8), [7] = (uint8_t)group };
	struct cmd c = stpg_send(x, list, sizeof(list));
	return cmd_sense(&c);
}

static void hosts_may_not_where_it_is_off(void **state)
{
	(void)state;
	struct cmd q = { CDB(0x12, [4] = 36), .in = in, .in_room = sizeof(in) };
	set_third(SCSI_PATH_OPTIMIZED);
	nx_calm(&nx[0], 0);
	assert_int_equal(cmd_do(&nx[0], 0, &q), SCSI_GOOD);
	assert_int_equal(in[5] & 0x30, 0x10);
	assert_int_equal(stpg(&nx[0], 3, 1), 0x052400);  /* no such service action */
}

static void hosts_set_states(void **state)
{
	static const struct {
		const char *what;
		uint8_t list[16];
		unsigned len, sense, calls;
		int pointer;
	} cases[] = {
		{ "nothing", { 0 }, 0, 0, 0, -1 },
		{ "a header alone", { 0 }, 4, 0, 0, -1 },
		{ "half a descriptor", { 0 }, 6, 0x051a00, 0, -1 },
		{ "less than the header", { 0 }, 3, 0x051a00, 0, -1 },
		{ "a group that is not there", { [7] = 9 }, 8, 0x052600, 0, 6 },
		{ "standby, which is not offered", { [4] = 2, [7] = 3 }, 8, 0x052600, 0, 4 },
		{ "transitioning", { [4] = 15, [7] = 3 }, 8, 0x052600, 0, 4 },
		{ "offline", { [4] = 14, [7] = 3 }, 8, 0x052600, 0, 4 },
		{ "the second one is wrong: nothing happens", { [4] = 3, [7] = 3, [8] = 5, [11] = 2 }, 12, 0x052600, 0, 8 },
		{ "a group twice", { [4] = 3, [7] = 3, [8] = 1, [11] = 3 }, 12, 0x052600, 0, 10 },
		{ "as it is already", { [4] = 0, [7] = 3 }, 8, 0, 0, -1 },
		{ "another state", { [4] = 1, [7] = 3, [8] = 1, [11] = 2 }, 12, 0, 1, -1 },
	};
	(void)state;
	scsi_on_set_paths(store, NULL);
	all_have(explicit_map(stored, false));
	assert_int_equal(answer(&nx[0], 0x00), 0x063f03);        /* INQUIRY says something else now */
	for (unsigned i = 0; i < 3; i++)
		nx_calm(&nx[i], 0);
	nx_calm(&other, 0);
	struct cmd q = { CDB(0x12, [4] = 36), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx[0], 0, &q), SCSI_GOOD);
	assert_int_equal(in[5] & 0x30, 0x30);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		calls = 0;
		struct cmd c = stpg_send(&nx[0], cases[i].list, cases[i].len);
		const uint8_t *s = c.t.sense;
		if (cmd_sense(&c) != cases[i].sense || calls != cases[i].calls ||
		    (cases[i].pointer >= 0 && (!(s[15] & 0x80) || s[15] & 0x40 || s[17] != cases[i].pointer)))
			fail_msg("%s: sense %06x, pointer %u, %u calls", cases[i].what, cmd_sense(&c), s[17], calls);
	}
	/* The others heard, on each path; who asked did not. */
	assert_int_equal(answer(&nx[0], 0x00), 0);
	assert_int_equal(answer(&nx[1], 0x00), 0x062a06);
	assert_int_equal(answer(&nx[2], 0x00), 0x062a06);
	assert_int_equal(answer(&other, 0x00), 0x062a06);
	struct cmd r = { CDB(0xa3, 0x0a, [9] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &r), SCSI_GOOD);
	assert_int_equal(in[4 + 24], 1);
	assert_int_equal(in[4 + 24 + 5], 1);             /* altered by SET TARGET PORT GROUPS */
	/* A path that is down is set up again by itself. */
	assert_int_equal(stpg(&nx[2], 3, SCSI_PATH_UNAVAILABLE), 0);
	assert_int_equal(answer(&nx[2], 0x28), 0x02040c);
	assert_int_equal(stpg(&nx[2], 3, SCSI_PATH_OPTIMIZED), 0);
	assert_int_equal(answer(&nx[2], 0x28), 0);
	/* Page 83h says which units change together. */
	struct cmd v = { CDB(0x12, 1, 0x83, 4), .in = in, .in_room = sizeof(in) };
	bool grouped = false;
	assert_int_equal(cmd_do(&nx[0], 0, &v), SCSI_GOOD);
	for (size_t at = 4; at < v.in_len; at += 4u + in[at + 3])
		grouped |= (in[at + 1] & 0x3f) == 6;
	assert_true(grouped);
}

static void what_cannot_be_set(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		nx_calm(&nx[i], 0);
	store_error = -EIO;
	assert_int_equal(stpg(&nx[0], 3, SCSI_PATH_UNAVAILABLE), 0x04670a);
	assert_int_equal(answer(&nx[2], 0x28), 0);
	store_error = 0;
	all_have(explicit_map(SCSI_PATH_TRANSITIONING, false));          /* the administrator is at it */
	nx_calm(&nx[0], 0);
	assert_int_equal(stpg(&nx[0], 3, SCSI_PATH_OPTIMIZED), 0x02040a);
	scsi_on_set_paths(NULL, NULL);
	all_have(explicit_map(SCSI_PATH_OPTIMIZED, false));
	nx_calm(&nx[0], 0);
	assert_int_equal(stpg(&nx[0], 3, SCSI_PATH_UNAVAILABLE), 0x04670a);
	/* A reservation of another host keeps it out. */
	scsi_on_set_paths(store, NULL);
	nx_calm(&other, 0);
	assert_int_equal(pr_out(&other, 0, 0, 0, 0xabc, 0), SCSI_GOOD);
	assert_int_equal(pr_out(&other, 1, 1, 0xabc, 0, 0), SCSI_GOOD);
	const uint8_t list[8] = { [4] = SCSI_PATH_UNAVAILABLE, [7] = 3 };
	struct cmd c = stpg_send(&nx[0], list, sizeof(list));
	assert_int_equal(c.status, SCSI_RESERVATION_CONFLICT);
	assert_int_equal(pr_out(&other, 3, 0, 0xabc, 0, 0), SCSI_GOOD);
	set_third(SCSI_PATH_OPTIMIZED);
	for (unsigned i = 0; i < 3; i++)
		nx_calm(&nx[i], 0);
	nx_calm(&other, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_port_tells_of_all), cmocka_unit_test(states_are_felt),
		cmocka_unit_test(registered_through_all_ports), cmocka_unit_test(moved_to_another_port),
		cmocka_unit_test(hosts_may_not_where_it_is_off), cmocka_unit_test(hosts_set_states), cmocka_unit_test(what_cannot_be_set),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
