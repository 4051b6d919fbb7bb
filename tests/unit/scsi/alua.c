/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alua.c - several ports of one target: what hosts are told of each, what a path in each state answers, and
 * registrations that concern more ports than one.  SPC-4 5.15, 6.37, 5.13.7, 6.16. */
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
	struct scsi_path p[] = { { 3, (uint8_t)third }, { 1, SCSI_PATH_OPTIMIZED }, { 2, SCSI_PATH_NONOPTIMIZED } };
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_port_tells_of_all), cmocka_unit_test(states_are_felt),
		cmocka_unit_test(registered_through_all_ports), cmocka_unit_test(moved_to_another_port),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
