/* SPDX-License-Identifier: GPL-3.0-or-later */
/* copy.c - third-party copies: EXTENDED COPY with both kinds of lists, its refusals, and tokens.
 * SPC-4 5.17, 6.4, 6.5; SBC-3 5.9, 5.47. */
#include "rig.h"

#include "scsi/copy_priv.h"

#define BLOCKS 65536u
static struct rig rig;
static struct volume *volume[3];         /* LUN 0, LUN 1, and one that the first nexus does not see */
static struct scsi_unit *unit[3];
static struct scsi_lun_map *map, *map_all;
static struct nx nx, other;
static uint8_t in[1 << 20], out[1 << 20];

/* Disks with names of their own. */
static struct volume *disk(char digit)
{
	char uuid[] = "0f0e0d0c-0b0a-4908-8706-050403020100";
	struct volume_spec s = { .name = "v", .uuid = uuid, .plugin = "ram", .size_bytes = BLOCKS * 512ull, .block_bytes = 512 };
	struct volume *v = NULL;
	uuid[0] = digit;
	assert_int_equal(volume_open(&s, &v), 0);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	return v;
}

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	struct scsi_lun_entry e[3];
	for (unsigned i = 0; i < 3; i++) {
		volume[i] = disk((char)('1' + i));
		unit[i] = unit_on(volume[i]);
		e[i] = (struct scsi_lun_entry){ .lun = (uint16_t)i, .unit = unit[i] };
	}
	assert_int_equal(scsi_lun_map_new(e, 2, &map), 0);
	assert_int_equal(scsi_lun_map_new(e, 3, &map_all), 0);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_open(&other, rig.reactor[1], "iqn.2026-11.test:b,i,0x00023d000002", 1, map_all);
	for (unsigned i = 0; i < 2; i++)
		nx_calm(&nx, i);
	for (unsigned i = 0; i < 3; i++)
		nx_calm(&other, i);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&nx);
	nx_close(&other);
	scsi_lun_map_unref(map);
	scsi_lun_map_unref(map_all);
	for (unsigned i = 0; i < 3; i++)
		scsi_unit_unref(unit[i]);
	scsi_stop();
	for (unsigned i = 0; i < 3; i++)
		rig_close(volume[i]);
	rig_stop(&rig);
	return 0;
}

static void fill(struct nx *x, unsigned lun, uint64_t lba, unsigned count, uint8_t byte)
{
	memset(out, byte, count * 512);
	struct cmd w = { CDB(0x8a), .out = out, .out_len = count * 512 };
	put64(w.cdb + 2, lba);
	put32(w.cdb + 10, count);
	assert_int_equal(cmd_do(x, lun, &w), SCSI_GOOD);
}

static bool is_all(struct nx *x, unsigned lun, uint64_t lba, unsigned count, uint8_t byte)
{
	struct cmd r = { CDB(0x88), .in = in, .in_room = sizeof(in) };
	put64(r.cdb + 2, lba);
	put32(r.cdb + 10, count);
	assert_int_equal(cmd_do(x, lun, &r), SCSI_GOOD);
	for (unsigned i = 0; i < count * 512; i++)
		if (in[i] != byte)
			return false;
	return true;
}

/* ---- lists --------------------------------------------------------------------------------------------- */
static uint8_t list[8192];
static size_t list_len;
static bool lid4;

static void list_start(bool four, uint32_t id, unsigned usage)
{
	memset(list, 0, sizeof(list));
	lid4 = four;
	list[1] = (uint8_t)(usage << 3);
	if (four) {
		list[0] = 1;
		put16(list + 2, 32);
		list[16] = 0xff;
		put32(list + 20, id);
	} else {
		list[0] = (uint8_t)id;
	}
	list_len = four ? 48 : 16;
}

static void add_target(unsigned which)
{
	uint8_t *d = list + list_len;
	d[0] = 0xe4;
	d[4] = 1;
	d[5] = 3;
	d[7] = 16;
	memcpy(d + 8, unit[which]->naa, 16);
	put16(d + 30, 512);
	list_len += 32;
	unsigned at = lid4 ? 42 : 2;
	put16(list + at, (unsigned)(list[at] << 8 | list[at + 1]) + 32);
}

static void add_segment(unsigned type, unsigned from, unsigned to, uint64_t from_lba, uint64_t to_lba, uint32_t count)
{
	uint8_t *d = list + list_len;
	unsigned len = type == 2 ? 28 : 32;
	d[0] = (uint8_t)type;
	put16(d + 2, len - 4);
	put16(d + 4, from);
	put16(d + 6, to);
	if (type == 2)
		put16(d + 10, count);
	else
		put32(d + 8, count);
	put64(d + 12, from_lba);
	put64(d + 20, to_lba);
	list_len += len;
	if (lid4)
		put16(list + 44, (unsigned)(list[44] << 8 | list[45]) + len);
	else
		put32(list + 8, get32(list + 8) + len);
}

static unsigned send_list_of(struct nx *x, unsigned lun, size_t len)
{
	struct cmd c = { CDB(0x83, lid4), .out = list, .out_len = len };
	put32(c.cdb + 10, (uint32_t)len);
	uint8_t status = cmd_do(x, lun, &c);
	return status == SCSI_CHECK_CONDITION ? cmd_sense(&c) : status;
}

static unsigned send_list(struct nx *x, unsigned lun)
{
	return send_list_of(x, lun, list_len);
}

/* ---- it copies -------------------------------------------------------------------------------------------- */
static void copies(void **state)
{
	(void)state;
	for (unsigned four = 0; four < 2; four++) {
		fill(&nx, 0, 100, 64, (uint8_t)(0x11 + four));
		fill(&nx, 1, 0, 256, 0);
		list_start(four, 9, 0);
		add_target(0);
		add_target(1);
		add_segment(2, 0, 1, 100, 8, 16);        /* blocks, to the other disk */
		add_segment(0x0a, 0, 1, 116, 100, 48 * 512);     /* bytes */
		add_segment(2, 0xf800, 0, 100, 4000, 3); /* from the disk that the command comes to */
		assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
		assert_true(is_all(&nx, 1, 8, 16, (uint8_t)(0x11 + four)));
		assert_true(is_all(&nx, 1, 24, 76, 0));
		assert_true(is_all(&nx, 1, 100, 48, (uint8_t)(0x11 + four)));
		assert_true(is_all(&nx, 1, 148, 60, 0));
		assert_true(is_all(&nx, 0, 4000, 3, (uint8_t)(0x11 + four)));
	}
}

static void overlapping_copy_keeps_the_data(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++)
		fill(&nx, 0, i * 512, 512, (uint8_t)i);
	list_start(false, 1, 0);
	add_target(0);
	add_segment(0x0a, 0, 0, 0, 1024, 60 * 512 * 512); /* 15 MiB, moved by half a MiB: several pieces */
	assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
	for (unsigned i = 0; i < 60; i++)
		assert_true(is_all(&nx, 0, 1024 + i * 512, 512, (uint8_t)i));
	list_start(false, 1, 0);
	add_target(0);
	add_segment(0x0a, 0, 0, 1024, 0, 60 * 512 * 512);
	assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
	for (unsigned i = 0; i < 60; i++)
		assert_true(is_all(&nx, 0, i * 512, 512, (uint8_t)i));
}

/* ---- it refuses -------------------------------------------------------------------------------------------- */
static void refusals(void **state)
{
	(void)state;
	/* A disk that this host does not see: as if it were not there, CVE-2020-28374. */
	fill(&other, 2, 0, 8, 0x77);
	for (unsigned way = 0; way < 2; way++) {
		list_start(false, 1, 0);
		add_target(2);
		add_target(0);
		add_segment(2, way, !way, 0, 0, 8);
		assert_int_equal(send_list(&nx, 0), 0x0a0d02);
	}
	assert_true(is_all(&other, 2, 0, 8, 0x77));
	assert_int_equal(send_list(&other, 0), SCSI_GOOD);       /* the other host does */

	list_start(false, 1, 0);
	add_target(0);
	add_segment(2, 0, 1, 0, 8, 8);           /* no such index */
	assert_int_equal(send_list(&nx, 0), 0x0a0d02);
	list_start(false, 1, 0);
	add_target(0);
	add_segment(2, 0, 0, 0, BLOCKS - 1, 8);  /* past the end */
	assert_int_equal(send_list(&nx, 0), 0x0a0000);
	list_start(false, 1, 0);
	add_target(0);
	list[16] = 0xe0;
	add_segment(2, 0, 0, 0, 8, 8);
	assert_int_equal(send_list(&nx, 0), 0x052607);
	list_start(false, 1, 0);
	add_target(0);
	add_segment(3, 0, 0, 0, 8, 8);           /* stream to stream */
	assert_int_equal(send_list(&nx, 0), 0x052609);
	list_start(false, 1, 0);
	for (unsigned i = 0; i < COPY_TARGETS_MAX + 1; i++)
		add_target(0);
	assert_int_equal(send_list(&nx, 0), 0x052606);
	list_start(false, 1, 0);
	add_target(0);
	for (unsigned i = 0; i < COPY_SEGMENTS_MAX + 1; i++)
		add_segment(2, 0, 0, 0, 8, 1);
	assert_int_equal(send_list(&nx, 0), 0x052608);
	list_start(false, 1, 0);
	put32(list + 12, 4);
	assert_int_equal(send_list(&nx, 0), 0x05260b);
	list_start(false, 1, 0);
	add_target(0);
	add_segment(0x0a, 0, 0, 0, 8, 513);      /* not whole blocks */
	assert_int_equal(send_list(&nx, 0), 0x052600);
	list_start(false, 1, 1);                 /* reserved usage */
	assert_int_equal(send_list(&nx, 0), 0x052600);
	list_start(true, 1, 0);
	list[0] = 2;                             /* another format */
	assert_int_equal(send_list(&nx, 0), 0x052600);

	list_start(false, 1, 0);
	add_target(0);
	add_segment(2, 0, 0, 0, 8, 8);
	size_t whole = list_len;
	assert_int_equal(send_list_of(&nx, 0, 0), SCSI_GOOD);
	for (size_t len = 1; len < whole; len += 5)
		assert_int_equal(send_list_of(&nx, 0, len), 0x051a00);
	assert_int_equal(send_list_of(&nx, 0, whole), SCSI_GOOD);
}

static void pr_out(struct nx *x, unsigned lun, unsigned action, unsigned type, uint64_t key, uint64_t new_key)
{
	uint8_t data[24] = { 0 };
	struct cmd c = { CDB(0x5f, (uint8_t)action, (uint8_t)type, [8] = 24), .out = data, .out_len = 24 };
	put64(data, key);
	put64(data + 8, new_key);
	assert_int_equal(cmd_do(x, lun, &c), SCSI_GOOD);
}

/* On each disk of the copy, not only where the command comes to. */
static void reservations(void **state)
{
	(void)state;
	fill(&nx, 1, 0, 8, 0x55);
	pr_out(&other, 1, 0, 0, 0, 0xabc);
	pr_out(&other, 1, 1, 1, 0xabc, 0);       /* write exclusive on LUN 1 */
	list_start(false, 1, 0);
	add_target(0);
	add_target(1);
	add_segment(2, 0, 1, 0, 0, 8);
	assert_int_equal(send_list(&nx, 0), 0x0a0d01);
	assert_int_equal(send_list(&nx, 1), SCSI_RESERVATION_CONFLICT);
	assert_true(is_all(&nx, 1, 0, 8, 0x55));
	list_start(false, 1, 0);
	add_target(0);
	add_target(1);
	add_segment(2, 1, 0, 0, 0, 8);           /* reading it is fine */
	assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
	pr_out(&other, 1, 3, 0, 0xabc, 0);
	pr_out(&other, 1, 0, 0, 0, 0xabc);
	pr_out(&other, 1, 1, 3, 0xabc, 0);       /* exclusive access: not even that */
	assert_int_equal(send_list(&nx, 0), 0x0a0d01);
	pr_out(&other, 1, 3, 0, 0xabc, 0);
	struct cmd reserve = { CDB(0x16) }, release = { CDB(0x17) };
	assert_int_equal(cmd_do(&other, 1, &reserve), SCSI_GOOD);
	assert_int_equal(send_list(&nx, 0), 0x0a0d01);
	assert_int_equal(cmd_do(&other, 1, &release), SCSI_GOOD);
	nx_calm(&nx, 1);
	nx_calm(&nx, 0);
	assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
}

static void results(void **state)
{
	(void)state;
	struct cmd s = { CDB(0x84, 0, 77, [13] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&s), 0x052400);
	list_start(false, 77, 0);
	add_target(0);
	add_segment(2, 0, 0, 0, 8, 8);
	add_segment(2, 0, 0, 0, 16, 8);
	assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
	s = (struct cmd){ CDB(0x84, 0, 77, [13] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_GOOD);
	assert_int_equal(get32(in), 8);
	assert_int_equal(in[4] & 0x7f, 1);
	assert_int_equal(in[6], 2);              /* segments */
	assert_int_equal(get32(in + 8), 16 * 512);
	s = (struct cmd){ CDB(0x84, 0, 77, [13] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &s), SCSI_CHECK_CONDITION);   /* not another nexus's business */
	list_start(false, 78, 2);                /* nobody will ask */
	add_target(0);
	add_segment(2, 0, 0, 0, 8, 8);
	assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
	s = (struct cmd){ CDB(0x84, 0, 78, [13] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_CHECK_CONDITION);
	list_start(true, 0x12345678, 0);
	add_target(0);
	add_segment(2, 0, 0, 0, BLOCKS - 1, 8);
	assert_int_equal(send_list(&nx, 0), 0x0a0000);
	s = (struct cmd){ CDB(0x84, 5, 0x12, 0x34, 0x56, 0x78, [13] = 128), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_GOOD);
	assert_int_equal(in[4], 1);              /* EXTENDED COPY(LID4) */
	assert_int_equal(in[5], 2);              /* ended with errors */
	assert_int_equal(in[12], SCSI_CHECK_CONDITION);
	assert_int_equal(in[32] & 0x7f, 0x72);
	assert_int_equal(in[33], 0x0a);
	for (uint32_t i = 0; i < 200; i++) {     /* bounded, the newest are kept */
		list_start(true, 1000 + i, 0);
		add_target(0);
		add_segment(2, 0, 0, 0, 8, 1);
		assert_int_equal(send_list(&nx, 0), SCSI_GOOD);
	}
	s = (struct cmd){ CDB(0x84, 5, 0, 0, 4, 0xaf, [13] = 128), .in = in, .in_room = sizeof(in) };    /* 1199 */
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_GOOD);
	assert_true(nx.n->copy_count <= COPY_RECORDS_MAX);
}

static void limits(void **state)
{
	(void)state;
	struct cmd s = { CDB(0x84, 3, [12] = 1), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_GOOD);
	assert_int_equal(get32(in) + 4, s.in_len);
	assert_int_equal(in[9], COPY_TARGETS_MAX);
	assert_int_equal(in[11], COPY_SEGMENTS_MAX);
	assert_int_equal(in[37], 9);
	assert_int_equal(in[43], 3);
	struct cmd v = { CDB(0x12, 1, 0x8f, 4), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &v), SCSI_GOOD);
	size_t end = 4 + (size_t)(in[2] << 8 | in[3]), at = 4, kinds = 0;
	assert_int_equal(end, v.in_len);
	int last = -1;
	while (at < end) {                       /* descriptors in order, each a multiple of four */
		int type = in[at] << 8 | in[at + 1];
		assert_true(type > last);
		last = type;
		assert_int_equal((in[at + 3]) % 4, 0);
		at += 4u + (size_t)(in[at + 2] << 8 | in[at + 3]);
		kinds++;
	}
	assert_int_equal(at, end);
	assert_int_equal(kinds, 8);
}

/* ---- tokens --------------------------------------------------------------------------------------------------- */
static uint8_t token[512];

static unsigned populate(struct nx *x, unsigned lun, uint32_t id, uint64_t lba, uint32_t count, uint64_t lba2, uint32_t count2)
{
	uint8_t b[48] = { 0 };
	unsigned ranges = count2 ? 2 : 1;
	put16(b, 14 + 16 * ranges);
	put16(b + 14, 16 * ranges);
	put64(b + 16, lba);
	put32(b + 24, count);
	put64(b + 32, lba2);
	put32(b + 40, count2);
	struct cmd c = { CDB(0x83, 0x10), .out = b, .out_len = 16 + 16 * ranges };
	put32(c.cdb + 6, id);
	put32(c.cdb + 10, 16 + 16 * ranges);
	uint8_t status = cmd_do(x, lun, &c);
	if (status)
		return status == SCSI_CHECK_CONDITION ? cmd_sense(&c) : status;
	struct cmd q = { CDB(0x84, 7, [12] = 4), .in = in, .in_room = sizeof(in) };
	put32(q.cdb + 2, id);
	assert_int_equal(cmd_do(x, lun, &q), SCSI_GOOD);
	assert_int_equal(in[4], 0x10);
	assert_int_equal(in[5], 1);
	assert_int_equal(in[15], 0xf1);          /* counted in blocks */
	assert_int_equal(get64(in + 16), count + count2);
	assert_int_equal(get32(in + 32), 514);
	memcpy(token, in + 38, 512);
	assert_int_equal(get32(token), 0x00800001);
	assert_int_equal(token[6] << 8 | token[7], 0x1f8);
	return 0;
}

static unsigned use(struct nx *x, unsigned lun, uint32_t id, uint64_t offset, uint64_t lba, uint32_t count, unsigned flags)
{
	static uint8_t b[552];
	memset(b, 0, sizeof(b));
	put16(b, 550);
	b[2] = (uint8_t)flags;
	put64(b + 8, offset);
	memcpy(b + 16, token, 512);
	put16(b + 534, 16);
	put64(b + 536, lba);
	put32(b + 544, count);
	struct cmd c = { CDB(0x83, 0x11), .out = b, .out_len = sizeof(b) };
	put32(c.cdb + 6, id);
	put32(c.cdb + 10, sizeof(b));
	uint8_t status = cmd_do(x, lun, &c);
	return status == SCSI_CHECK_CONDITION ? cmd_sense(&c) : status;
}

static void tokens(void **state)
{
	(void)state;
	fill(&nx, 0, 1000, 64, 0xa1);
	fill(&nx, 0, 3000, 64, 0xa2);
	fill(&nx, 1, 0, 256, 0);
	assert_int_equal(populate(&nx, 0, 5, 1000, 64, 3000, 64), 0);
	/* Across the seam of the two ranges, to another disk, from an offset. */
	assert_int_equal(use(&nx, 1, 6, 32, 10, 64, 0), SCSI_GOOD);
	assert_true(is_all(&nx, 1, 10, 32, 0xa1));
	assert_true(is_all(&nx, 1, 42, 32, 0xa2));
	assert_true(is_all(&nx, 1, 74, 32, 0));
	struct cmd q = { CDB(0x84, 7, 0, 0, 0, 6, [12] = 4), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 1, &q), SCSI_GOOD);
	assert_int_equal(in[4], 0x11);
	assert_int_equal(in[5], 1);
	assert_int_equal(get64(in + 16), 64);
	assert_int_equal(use(&other, 2, 6, 0, 0, 128, 0), SCSI_GOOD);    /* another host that sees both */
	assert_int_equal(use(&nx, 1, 6, 100, 0, 29, 0), 0x052600);       /* more than the token has */
	assert_int_equal(use(&nx, 1, 6, 0, BLOCKS - 1, 2, 0), 0x052100);
	token[200] ^= 1;
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), 0x052305);
	token[200] ^= 1;
	token[15] ^= 0x80;
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), 0x052304);
	token[15] ^= 0x80;
	token[7] = 0;
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), 0x05230a);
	token[7] = 0xf8;
	/* A write beside the ranges does not matter, one into them kills the token, whoever writes. */
	fill(&other, 0, 1064, 8, 1);
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), SCSI_GOOD);
	fill(&other, 0, 3063, 1, 1);
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), 0x052306);
	/* DEL_TKN */
	assert_int_equal(populate(&nx, 0, 5, 1000, 8, 0, 0), 0);
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 2), SCSI_GOOD);
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), 0x052304);
	/* A token of a disk that one does not see is not known. */
	assert_int_equal(populate(&other, 2, 5, 0, 8, 0, 0), 0);
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), 0x052304);
	assert_int_equal(use(&other, 1, 6, 0, 0, 8, 0), SCSI_GOOD);
	/* Ranges that are wrong. */
	assert_int_equal(populate(&nx, 0, 5, BLOCKS - 1, 2, 0, 0), 0x052100);
	assert_int_equal(populate(&nx, 0, 5, 0, 8, 4, 8), 0x052600);     /* overlap */
	/* Resized: what is behind the token may be something else. */
	assert_int_equal(populate(&nx, 0, 5, 0, 8, 0, 0), 0);
	char why[256];
	assert_int_equal(volume_resize(volume[0], (BLOCKS + 2048) * 512ull, why, sizeof(why)), 0);
	nx_calm(&nx, 0);
	nx_calm(&other, 0);
	assert_int_equal(use(&nx, 1, 6, 0, 0, 8, 0), 0x052306);
}

static void zero_token(void **state)
{
	(void)state;
	fill(&nx, 1, 0, 64, 0xee);
	memset(token, 0, sizeof(token));
	put32(token, 0xffff0001);
	put16(token + 6, 0x1f8);
	assert_int_equal(use(&nx, 1, 6, 0, 8, 16, 0), SCSI_GOOD);
	assert_true(is_all(&nx, 1, 0, 8, 0xee));
	assert_true(is_all(&nx, 1, 8, 16, 0));
	assert_true(is_all(&nx, 1, 24, 40, 0xee));
}

static void many_tokens(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TOKENS_MAX; i++)
		assert_int_equal(populate(&nx, 1, 5, i, 1, 0, 0), 0);
	assert_int_equal(populate(&nx, 1, 5, 0, 1, 0, 0), 0x05550d);
	fill(&nx, 1, 0, 512, 1);                 /* all of them die */
	assert_int_equal(populate(&nx, 1, 5, 0, 1, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies), cmocka_unit_test(overlapping_copy_keeps_the_data), cmocka_unit_test(refusals),
		cmocka_unit_test(reservations), cmocka_unit_test(results), cmocka_unit_test(limits),
		cmocka_unit_test(tokens), cmocka_unit_test(zero_token), cmocka_unit_test(many_tokens),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
