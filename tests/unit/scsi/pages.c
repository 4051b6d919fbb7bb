/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pages.c - VPD pages, mode pages, log pages and sense formats, byte by byte.  SPC-4 6, 7; SBC-3 6. */
#include "rig.h"

#include "scsi/scsi_priv.h"

static struct rig rig;
static struct volume *volume;
static struct scsi_unit *unit;
static struct scsi_lun_map *map, *map_ro;
static struct nx nx, other;
static uint8_t in[4096];

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	assert_int_equal(scsi_start(rig.reactor, 2), 0);
	volume = rig_volume("ram", 64 << 20, 512);
	unit = unit_on(volume);
	map = map_of(unit, 0, false);
	map_ro = map_of(unit, 0, true);
	nx_open(&nx, rig.reactor[0], "iqn.2026-11.test:a,i,0x00023d000001", 1, map);
	nx_open(&other, rig.reactor[1], "iqn.2026-11.test:b,i,0x00023d000002", 2, map_ro);
	nx_calm(&nx, 0);
	nx_calm(&other, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nx_close(&nx);
	nx_close(&other);
	scsi_lun_map_unref(map);
	scsi_lun_map_unref(map_ro);
	scsi_unit_unref(unit);
	scsi_stop();
	rig_close(volume);
	rig_stop(&rig);
	return 0;
}

static size_t vpd(struct nx *x, uint8_t page)
{
	struct cmd c = { CDB(0x12, 1, page, 0x10, 0), .in = in, .in_room = sizeof(in) };
	memset(in, 0xee, sizeof(in));
	assert_int_equal(cmd_do(x, 0, &c), SCSI_GOOD);
	assert_int_equal(in[1], page);
	assert_int_equal(in[2] << 8 | in[3], c.in_len - 4);
	return c.in_len;
}

/* Hosts know disks by these names: if this fails, the function was changed, and it must not be. */
static void names_are_for_ever(void **state)
{
	static const struct {
		const char *what;
		uint8_t uuid[16], naa[16];
	} cases[] = {
		{ "zero", { 0 },
		  { 0x60, 0x24, 0x84, 0x63, 0x23, 0x70, 0x0b, 0xd1, 0xa2, 0x21, 0xbf, 0xfa, 0x77, 0x2b, 0x61, 0xd3 } },
		{ "random",
		  { 0x0b, 0x5a, 0x3c, 0x1e, 0x7d, 0x2f, 0x4e, 0x0a, 0x9c, 0x6b, 0x1f, 0x2e, 0x3d, 0x4c, 0x5b, 0x6a },
		  { 0x60, 0x24, 0x84, 0x63, 0x6f, 0x27, 0x48, 0xc4, 0x46, 0xf9, 0x7e, 0xbb, 0xe9, 0x11, 0x25, 0x67 } },
		{ "its neighbour",
		  { 0x0b, 0x5a, 0x3c, 0x1e, 0x7d, 0x2f, 0x4e, 0x0a, 0x9c, 0x6b, 0x1f, 0x2e, 0x3d, 0x4c, 0x5b, 0x6b },
		  { 0x60, 0x24, 0x84, 0x61, 0xc8, 0x48, 0x02, 0x19, 0x80, 0x3f, 0x7e, 0x49, 0xcc, 0xb7, 0xaf, 0x49 } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t naa[16];
		identity_naa(cases[i].uuid, naa);
		if (memcmp(naa, cases[i].naa, 16)) {
			print_error("%s:", cases[i].what);
			for (unsigned k = 0; k < 16; k++)
				print_error(" 0x%02x,", naa[k]);
			print_error("\n");
		}
		assert_memory_equal(naa, cases[i].naa, 16);
	}
	char text[40];
	scsi_unit_naa_text(unit, text);
	assert_int_equal(strlen(text), 36);
	assert_memory_equal(text, "naa.6024846", 11);
}

/* The names that a disk brings from elsewhere: as the formats are, and no others. */
static void naa_texts(void **state)
{
	static const struct {
		const char *what, *text;
		int len;                 /* 0: refused */
		uint8_t first, last;
	} cases[] = {
		{ "format 6", "naa.60014055dafc97c6a694eb6b7cc0ffee", 16, 0x60, 0xee },
		{ "capitals", "naa.60014055DAFC97C6A694EB6B7CC0FFEE", 16, 0x60, 0xee },
		{ "format 5", "naa.5000c500a1b2c3d4", 8, 0x50, 0xd4 },
		{ "format 3, locally assigned", "naa.3000000100000001", 8, 0x30, 0x01 },
		{ "format 2", "naa.2000000000000001", 8, 0x20, 0x01 },
		{ "format 6 is never short", "naa.60014055dafc97c6", 0, 0, 0 },
		{ "format 5 is never long", "naa.50014055dafc97c6a694eb6b7cc0ffee", 0, 0, 0 },
		{ "no such format", "naa.7000c500a1b2c3d4", 0, 0, 0 },
		{ "not a digit", "naa.5000c500a1b2c3dg", 0, 0, 0 },
		{ "no prefix", "5000c500a1b2c3d4", 0, 0, 0 },
		{ "nothing", "naa.", 0, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t naa[16], len = 0;
		int r = scsi_naa_parse(cases[i].text, naa, &len);
		if (r != (cases[i].len ? 0 : -EINVAL) || len != cases[i].len || (len && (naa[0] != cases[i].first || naa[len - 1] != cases[i].last)))
			fail_msg("%s: %d, %u bytes", cases[i].what, r, len);
	}
}

/* What a disk brings from another array is what pages 80h and 83h and INQUIRY say. */
static void brought_identity(void **state)
{
	struct scsi_unit_spec spec = { .volume = scsi_unit_volume(unit), .naa = "naa.5000c500a1b2c3d4", .serial = "b7cc0ffee", .vendor = "LIO-ORG", .product = "disk1" };
	struct scsi_unit *u;
	char text[40];
	(void)state;
	assert_int_equal(scsi_unit_new(&spec, &u), 0);
	scsi_unit_naa_text(u, text);
	assert_string_equal(text, "naa.5000c500a1b2c3d4");
	assert_string_equal(u->serial, "b7cc0ffee");
	assert_string_equal(u->vendor, "LIO-ORG");
	assert_int_equal(u->naa_bytes, 8);
	scsi_unit_unref(u);
	spec.naa = "naa.4000c500a1b2c3d4";
	assert_int_equal(scsi_unit_new(&spec, &u), -EINVAL);
	spec.naa = NULL;
	spec.serial = "";
	assert_int_equal(scsi_unit_new(&spec, &u), -EINVAL);
}

static void identification(void **state)
{
	(void)state;
	size_t len = vpd(&nx, 0x83);
	/* NAA comes first: binary, of the unit, 16 bytes. */
	assert_memory_equal(in + 4, "\x01\x03\x00\x10", 4);
	assert_memory_equal(in + 8, unit->naa, 16);
	static const struct {
		const char *what;
		uint8_t head[2];
		const char *bytes;
		size_t len;
	} want[] = {
		{ "NAA", { 0x01, 0x03 }, NULL, 16 },
		{ "T10 vendor", { 0x02, 0x01 }, "HOLDFAST0b5a3c1e7d2f4e0a9c6b1f2e3d4c5b6a", 40 },
		{ "relative target port", { 0x51, 0x94 }, "\0\0\0\1", 4 },
		{ "target port group", { 0x51, 0x95 }, "\0\0\0\1", 4 },
		{ "target port name", { 0x53, 0x98 }, "iqn.2026-11.test:disk,t,0x0001\0", 32 },
		{ "target device name", { 0x53, 0xa8 }, "iqn.2026-11.test:disk\0\0", 24 },
	};
	size_t at = 4;
	for (size_t i = 0; i < ARRAY_COUNT(want); i++) {
		assert_true(at < len);
		assert_memory_equal(in + at, want[i].head, 2);
		assert_int_equal(in[at + 3], want[i].len);
		if (want[i].bytes)
			assert_memory_equal(in + at + 4, want[i].bytes, want[i].len);
		at += 4 + in[at + 3];
	}
	assert_int_equal(at, len);
	uint8_t first[20];
	memcpy(first, in + 4, 20);
	(void)vpd(&other, 0x83);                 /* the same name by every path */
	assert_memory_equal(first, in + 4, 20);
}

static void listed_pages_are_served(void **state)
{
	uint8_t list[64];
	(void)state;
	size_t len = vpd(&nx, 0x00);
	memcpy(list, in, len);
	uint8_t before = 0;
	for (size_t i = 4; i < len; i++) {
		assert_true(i == 4 || list[i] > before);         /* ascending, SPC-4 7.8.14 */
		before = list[i];
		(void)vpd(&nx, list[i]);
	}
	static const uint8_t esxi_needs[] = { 0x00, 0x80, 0x83, 0x86, 0xb0, 0xb1, 0xb2 };
	for (size_t i = 0; i < sizeof(esxi_needs); i++)
		assert_non_null(memchr(list + 4, esxi_needs[i], len - 4));
}

static void block_limits(void **state)
{
	(void)state;
	assert_int_equal(vpd(&nx, 0xb0), 64);
	assert_int_equal(in[4], 1);                      /* WSNZ */
	assert_int_equal(in[5], 255);                    /* compare and write */
	assert_int_equal(get32(in + 8), 16384);          /* 8 MiB */
	assert_true(get32(in + 20) >= 2048);             /* unmap blocks */
	assert_true(get32(in + 24) >= 100);              /* descriptors */
	uint32_t granularity = get32(in + 28);
	assert_true(granularity && 2048 % granularity == 0);     /* VMFS: divides 1 MiB */
	assert_int_equal(get32(in + 32) >> 31, 1);
	assert_true(get64(in + 36) > 0);
	assert_int_equal(vpd(&nx, 0xb1), 64);
	assert_int_equal(vpd(&nx, 0xb2), 8);
	assert_int_equal(in[4], 11);                     /* 2^11 blocks of 512 bytes */
	assert_int_equal(in[5] & 0xe0, 0xe0);
	assert_int_equal(in[6] & 7, 2);
	uint8_t lbprz = in[5] & 4;
	struct cmd c = { CDB(0x9e, 0x10, [13] = 32), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
	assert_int_equal(!!(in[14] & 0x40), !!lbprz);    /* the two places agree */
}

static void mode_sense(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		unsigned sense;
		size_t len;
		uint8_t bytes[40];
	} cases[] = {
		{ "caching", { 0x1a, 0x08, 0x08, 0, 255 }, 0, 24, { 23, 0, 0x10, 0, 0x88, 0x12 } },
		{ "control", { 0x1a, 0x08, 0x0a, 0, 255 }, 0, 16, { 15, 0, 0x10, 0, 0x8a, 0x0a, 0x22, 0x10, 0, 0 } },
		{ "control, changeable", { 0x1a, 0x08, 0x4a, 0, 255 }, 0, 16,
		  { 15, 0, 0x10, 0, 0x8a, 0x0a, 0x04, 0, 0x08, 0x40 } },
		{ "control, default", { 0x1a, 0x08, 0x8a, 0, 255 }, 0, 16, { 15, 0, 0x10, 0, 0x8a, 0x0a, 0x22, 0x10 } },
		{ "control extension", { 0x1a, 0x08, 0x0a, 1, 255 }, 0, 36, { 35, 0, 0x10, 0, 0x4a, 1, 0, 0x1c, 1 } },
		{ "control with subpages", { 0x1a, 0x08, 0x0a, 0xff, 255 }, 0, 48, { 47, 0, 0x10, 0, 0x8a, 0x0a } },
		{ "exceptions", { 0x1a, 0x08, 0x1c, 0, 255 }, 0, 16, { 15, 0, 0x10, 0, 0x1c, 0x0a, 0x08 } },
		{ "provisioning", { 0x1a, 0x08, 0x1c, 2, 255 }, 0, 28, { 27, 0, 0x10, 0, 0xdc, 2, 0, 0x14, 1, [21] = 1 } },
		{ "provisioning, changeable", { 0x1a, 0x08, 0x5c, 2, 255 }, 0, 28,
		  { 27, 0, 0x10, 0, 0xdc, 2, 0, 0x14, 0, [20] = 0x80, [24] = 0xff, 0xff, 0xff, 0xff } },
		{ "block descriptor", { 0x1a, 0, 0x08, 0, 255 }, 0, 32, { 31, 0, 0x10, 8, 0, 2, 0, 0, 0, 0, 2, 0, 0x88 } },
		{ "10 bytes", { 0x5a, 0x08, 0x08, 0, 0, 0, 0, 0, 255 }, 0, 28, { 0, 26, 0, 0x10, 0, 0, 0, 0, 0x88 } },
		{ "10 bytes, long descriptor", { 0x5a, 0x10, 0x08, 0, 0, 0, 0, 0, 255 }, 0, 44,
		  { 0, 42, 0, 0x10, 1, 0, 0, 16, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x88 } },
		{ "saved", { 0x1a, 0x08, 0xca, 0, 255 }, 0, 16, { 15, 0, 0x10, 0, 0x8a, 0x0a, 0x22, 0x10 } },
		{ "no such page", { 0x1a, 0x08, 0x02, 0, 255 }, 0x052400, 0, { 0 } },
		{ "no such subpage", { 0x1a, 0x08, 0x08, 7, 255 }, 0x052400, 0, { 0 } },
		{ "all pages, odd subpage", { 0x1a, 0x08, 0x3f, 7, 255 }, 0x052400, 0, { 0 } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .in = in, .in_room = sizeof(in) };
		memcpy(c.cdb, cases[i].cdb, 16);
		cmd_do(&nx, 0, &c);
		if (cmd_sense(&c) != cases[i].sense || c.in_len != cases[i].len)
			print_error("%s: sense %06x len %zu\n", cases[i].what, cmd_sense(&c), c.in_len);
		assert_int_equal(cmd_sense(&c), cases[i].sense);
		assert_int_equal(c.in_len, cases[i].len);
		if (i == 0)
			in[6] = 0;               /* WCE is the volume's */
		for (size_t k = 0; k < sizeof(cases[i].bytes) && k < cases[i].len; k++)
			if (cases[i].bytes[k] && in[k] != cases[i].bytes[k]) {
				print_error("%s: byte %zu\n", cases[i].what, k);
				assert_int_equal(in[k], cases[i].bytes[k]);
			}
	}
	struct cmd ro = { CDB(0x1a, 0x08, 0x3f, 0, 4), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &ro), SCSI_GOOD);
	assert_int_equal(in[2], 0x90);                   /* WP: a read-only LUN */
}

static void mode_select(void **state)
{
	static const struct {
		const char *what;
		uint8_t cdb[16];
		uint8_t out[32];
		size_t out_len;
		unsigned sense;
	} cases[] = {
		{ "PF is 0", { 0x15, 0x00, 0, 0, 16 }, { 0 }, 16, 0x052400 },
		{ "SP, and no such page", { 0x15, 0x11, 0, 0, 16 }, { 0, 0, 0, 0, 0x3e, 0x0a }, 16, 0x052600 },
		{ "nothing", { 0x15, 0x10, 0, 0, 0 }, { 0 }, 0, 0 },
		{ "shorter than its header", { 0x15, 0x10, 0, 0, 3 }, { 0 }, 3, 0x051a00 },
		{ "unchanged", { 0x15, 0x10, 0, 0, 16 }, { 0, 0, 0, 0, 0x0a, 0x0a, 0x22, 0x10 }, 16, 0 },
		{ "TST", { 0x15, 0x10, 0, 0, 16 }, { 0, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x10 }, 16, 0x052600 },
		{ "QERR, as ESXi never needs to", { 0x15, 0x10, 0, 0, 16 }, { 0, 0, 0, 0, 0x0a, 0x0a, 0x22, 0x12 }, 16, 0x052600 },
		{ "wrong page length", { 0x15, 0x10, 0, 0, 16 }, { 0, 0, 0, 0, 0x0a, 0x09, 0x22, 0x10 }, 16, 0x052600 },
		{ "page is cut", { 0x15, 0x10, 0, 0, 12 }, { 0, 0, 0, 0, 0x0a, 0x0a, 0x22, 0x10 }, 12, 0x051a00 },
		{ "no such page", { 0x15, 0x10, 0, 0, 16 }, { 0, 0, 0, 0, 0x3e, 0x0a }, 16, 0x052600 },
		{ "descriptor as it is", { 0x15, 0x10, 0, 0, 12 }, { 0, 0, 0, 8, 0, 2, 0, 0, 0, 0, 2, 0 }, 12, 0 },
		{ "another block size", { 0x15, 0x10, 0, 0, 12 }, { 0, 0, 0, 8, 0, 2, 0, 0, 0, 0, 16, 0 }, 12, 0x052600 },
		{ "descriptor of odd length", { 0x15, 0x10, 0, 0, 12 }, { 0, 0, 0, 7 }, 12, 0x052600 },
		{ "descriptor past the end", { 0x15, 0x10, 0, 0, 8 }, { 0, 0, 0, 8 }, 8, 0x051a00 },
		{ "less data than said", { 0x15, 0x10, 0, 0, 16 }, { 0 }, 8, 0x050e03 },
		{ "D_SENSE on", { 0x15, 0x10, 0, 0, 16 }, { 0, 0, 0, 0, 0x0a, 0x0a, 0x26, 0x10 }, 16, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd c = { .out = cases[i].out, .out_len = cases[i].out_len };
		memcpy(c.cdb, cases[i].cdb, 16);
		cmd_do(&nx, 0, &c);
		if (cmd_sense(&c) != cases[i].sense)
			print_error("%s: sense %06x\n", cases[i].what, cmd_sense(&c));
		assert_int_equal(cmd_sense(&c), cases[i].sense);
	}
	/* D_SENSE is in force, for all; the others hear of the change, the changer does not. */
	struct cmd bad = { CDB(0xff) };
	cmd_do(&nx, 0, &bad);
	assert_int_equal(bad.sense[0], 0x72);
	assert_int_equal(cmd_sense(&bad), 0x052000);
	struct cmd tur = { CDB(0) };
	for (unsigned i = 0; i < 500 && cmd_do(&other, 0, &tur) == SCSI_GOOD; i++)
		usleep(1000);
	assert_int_equal(cmd_sense(&tur), 0x062a01);
	struct cmd mine = { CDB(0) };
	assert_int_equal(cmd_do(&nx, 0, &mine), SCSI_GOOD);
	uint8_t back[16] = { 0, 0, 0, 0, 0x0a, 0x0a, 0x22, 0x10, 0x08 };
	struct cmd swp = { CDB(0x15, 0x10, 0, 0, 16), .out = back, .out_len = 16 };
	assert_int_equal(cmd_do(&nx, 0, &swp), SCSI_GOOD);
	uint8_t block[512] = { 0 };
	struct cmd w = { CDB(0x2a, [8] = 1), .out = block, .out_len = 512 };
	cmd_do(&nx, 0, &w);
	assert_int_equal(cmd_sense(&w), 0x072702);       /* software write protected */
	back[8] = 0;
	struct cmd off = { CDB(0x15, 0x10, 0, 0, 16), .out = back, .out_len = 16 };
	assert_int_equal(cmd_do(&nx, 0, &off), SCSI_GOOD);
	struct cmd w2 = { CDB(0x2a, [8] = 1), .out = block, .out_len = 512 };
	assert_int_equal(cmd_do(&nx, 0, &w2), SCSI_GOOD);
	usleep(20000);
	nx_calm(&other, 0);
	struct cmd ro = { CDB(0x2a, [8] = 1), .out = block, .out_len = 512 };
	cmd_do(&other, 0, &ro);
	assert_int_equal(cmd_sense(&ro), 0x072700);      /* a read-only LUN */
}

static void logs(void **state)
{
	(void)state;
	struct cmd c = { CDB(0x4d, 0, 0x40, 0, 0, 0, 0, 0, 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
	assert_memory_equal(in, "\x00\x00\x00\x06\x00\x0c\x0d\x0e\x11\x19", 10);
	struct cmd sub = { CDB(0x4d, 0, 0x40, 0xff, 0, 0, 0, 0, 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &sub), SCSI_GOOD);
	assert_memory_equal(in, "\xc0\xff\x00\x0e\x00\x00\x00\xff\x0c\x00\x0d\x00\x0e\x00\x11\x00\x19\x00", 18);
	struct cmd p = { CDB(0x4d, 0, 0x4c, 0, 0, 0, 0, 0, 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &p), SCSI_GOOD);
	assert_int_equal(in[0] & 0x3f, 0x0c);
	assert_int_equal(in[2] << 8 | in[3], p.in_len - 4);
	static const struct {
		const char *what;
		uint8_t cdb[16];
		unsigned sense;
		size_t len;
		uint8_t bytes[24];
	} cases[] = {
		{ "temperature", { 0x4d, 0, 0x4d, [8] = 255 }, 0, 16, { 0x8d, 0, 0, 12, 0, 0, 3, 2, 0, 0xff, 0, 1, 3, 2, 0, 0xff } },
		{ "start-stop", { 0x4d, 0, 0x4e, [8] = 255 }, 0, 40, { 0x8e, 0, 0, 36, 0, 1, 1, 6, ' ', ' ', ' ', ' ', ' ', ' ', 0, 2, 1, 6, ' ', ' ', ' ', ' ', ' ', ' ' } },
		{ "start-stop from the third on", { 0x4d, 0, 0x4e, [6] = 3, [8] = 255 }, 0, 20, { 0x8e, 0, 0, 16, 0, 3, 3, 4, 0, 0, 0, 0, 0, 4, 3, 4 } },
		{ "solid state", { 0x4d, 0, 0x51, [8] = 255 }, 0, 12, { 0x91, 0, 0, 8, 0, 1, 3, 4, 0, 0, 0, 0 } },
		{ "statistics", { 0x4d, 0, 0x59, [8] = 255 }, 0, 84, { 0x99, 0, 0, 80, 0, 1, 3, 64 } },
		{ "statistics, the interval", { 0x4d, 0, 0x59, [6] = 3, [8] = 255 }, 0, 16, { 0x99, 0, 0, 12, 0, 3, 3, 8, 0, 0, 0, 6, 0, 0, 0, 1 } },
		{ "pointer past the end", { 0x4d, 0, 0x51, [6] = 2, [8] = 255 }, 0x052400, 0, { 0 } },
		{ "subpage that is not", { 0x4d, 0, 0x4d, 1, [8] = 255 }, 0x052400, 0, { 0 } },
		{ "save", { 0x4d, 1, 0x4d, [8] = 255 }, 0x052400, 0, { 0 } },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cmd l = { .in = in, .in_room = sizeof(in) };
		memcpy(l.cdb, cases[i].cdb, 16);
		cmd_do(&nx, 0, &l);
		if (cmd_sense(&l) != cases[i].sense || l.in_len != cases[i].len)
			print_error("%s: sense %06x len %zu\n", cases[i].what, cmd_sense(&l), l.in_len);
		assert_int_equal(cmd_sense(&l), cases[i].sense);
		assert_int_equal(l.in_len, cases[i].len);
		size_t check = cases[i].len < sizeof(cases[i].bytes) ? cases[i].len : sizeof(cases[i].bytes);
		if (cases[i].bytes[0] == 0x99 && check > 16)
			check = 8;       /* numbers follow */
		assert_memory_equal(in, cases[i].bytes, check);
	}
	/* Counting: three reads of two blocks. */
	struct cmd s = { CDB(0x4d, 0, 0x59, [8] = 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_GOOD);
	uint64_t reads = get64(in + 8), blocks = get64(in + 32);
	for (unsigned i = 0; i < 3; i++) {
		struct cmd r = { CDB(0x28, [8] = 2), .in = in, .in_room = sizeof(in) };
		assert_int_equal(cmd_do(&nx, 0, &r), SCSI_GOOD);
	}
	assert_int_equal(cmd_do(&nx, 0, &s), SCSI_GOOD);
	assert_int_equal(get64(in + 8) - reads, 3);
	assert_int_equal(get64(in + 32) - blocks, 6);
	struct cmd no = { CDB(0x4d, 0, 0x6f, 0, 0, 0, 0, 0, 255) };
	cmd_do(&nx, 0, &no);
	assert_int_equal(cmd_sense(&no), 0x052400);
}

static unsigned next_sense(struct nx *x)
{
	struct cmd c = { CDB(0) };
	cmd_do(x, 0, &c);
	return cmd_sense(&c);
}

/* What is told to another reactor's nexuses arrives a moment later. */
static void hears(struct nx *x, unsigned sense)
{
	unsigned got = 0;
	for (unsigned i = 0; i < 30000 && !got; i++) {
		got = next_sense(x);
		if (!got)
			usleep(1000);
	}
	assert_int_equal(got, sense);
}

/* Hosts hear once each time that the space of the pool falls to the mark: the administrator's, or their own. */
static void soft_threshold(void **state)
{
	enum { SOFT = 0x063807, MODE = 0x062a01 };
	const uint64_t mib = 1 << 20;
	(void)state;
	static const struct {
		const char *what;
		uint64_t free_mib, low_mib;
		unsigned sense;
	} steps[] = {
		{ "plenty", 100, 10, 0 }, { "a little less", 11, 10, 0 }, { "at the mark", 10, 10, SOFT }, { "below it", 5, 10, 0 },
		{ "above again", 20, 10, 0 }, { "below again", 9, 10, SOFT }, { "no mark", 1, 0, 0 }, { "plenty, again", 100, 10, 0 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
		scsi_unit_space(unit, steps[i].free_mib * mib, steps[i].low_mib * mib);
		if (steps[i].sense) {
			hears(&nx, steps[i].sense);
			hears(&other, steps[i].sense);
		}
		unsigned a = next_sense(&nx), b = next_sense(&other);
		if (a || b)
			print_error("%s: %06x %06x\n", steps[i].what, a, b);
		assert_int_equal(a, 0);
		assert_int_equal(b, 0);
	}
	struct cmd l = { CDB(0x4d, 0, 0x4c, [8] = 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &l), SCSI_GOOD);
	assert_memory_equal(in + 4, "\x00\x01\x03\x08\x00\x00\x00\x64\x02\x00\x00\x00", 12);
	uint8_t page[28] = { [4] = 0x5c, 2, 0, 0x14, 1, [20] = 0x80, 1, [27] = 60 };
	struct cmd set = { CDB(0x15, 0x10, [4] = 28), .out = page, .out_len = 28 };
	assert_int_equal(cmd_do(&nx, 0, &set), SCSI_GOOD);
	hears(&other, MODE);
	scsi_unit_space(unit, 60 * mib, 10 * mib);
	hears(&nx, SOFT);
	hears(&other, SOFT);
	page[20] = 0;                            /* none at all */
	assert_int_equal(cmd_do(&nx, 0, &set), SCSI_GOOD);
	hears(&other, MODE);
	scsi_unit_space(unit, 1 * mib, 10 * mib);
	assert_int_equal(next_sense(&nx), 0);
	page[21] = 2;                            /* another resource */
	assert_int_equal(cmd_do(&nx, 0, &set), SCSI_CHECK_CONDITION);
	assert_int_equal(cmd_sense(&set), 0x052600);
	struct mgmt m;                           /* the default is back after a reset */
	mgmt_send(&nx, 0, SCSI_LUN_RESET, 0, &m);
	assert_int_equal(mgmt_wait(&m), SCSI_TMF_COMPLETE);
	nx_calm(&nx, 0);
	nx_calm(&other, 0);
	struct cmd get = { CDB(0x1a, 8, 0x1c, 2, 255), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &get), SCSI_GOOD);
	assert_int_equal(in[20], 0x80);
	assert_int_equal(get32(in + 24), 10);
	scsi_unit_space(unit, 100 * mib, 0);
}

static void clock_of_the_unit(void **state)
{
	(void)state;
	uint8_t list[12] = { [4] = 0, 1, 0, 0, 0, 0 };   /* 2^32 ms */
	struct cmd set = { CDB(0xa4, 0x0f, [9] = 12), .out = list, .out_len = 12 };
	struct cmd get = { CDB(0xa3, 0x0f, [9] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &get), SCSI_GOOD);
	assert_int_equal(in[2], 3);
	assert_int_equal(cmd_do(&nx, 0, &set), SCSI_GOOD);
	assert_int_equal(next_sense(&nx), 0);
	hears(&other, 0x062a10);
	assert_int_equal(cmd_do(&nx, 0, &get), SCSI_GOOD);
	assert_int_equal(in[2], 2);
	assert_int_equal(get32(in + 4) >> 16, 1);        /* within the next 18 hours */
	struct cmd odd = { CDB(0xa4, 0x0f, [9] = 11), .out = list, .out_len = 11 };
	cmd_do(&nx, 0, &odd);
	assert_int_equal(cmd_sense(&odd), 0x051a00);
	struct cmd none = { CDB(0xa4, 0x0f) };
	assert_int_equal(cmd_do(&nx, 0, &none), SCSI_GOOD);
}

static void sense_formats(void **state)
{
	static const struct {
		const char *what;
		struct scsi_sense s;
		bool descriptor;
		size_t len;
		uint8_t bytes[32];
	} cases[] = {
		{ "fixed", { .key = 5, .asc = 0x2400 }, false, 18, { 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0 } },
		{ "fixed, information", { .key = 3, .asc = 0x1100, .has_info = true, .info = 0x12345678 }, false, 18,
		  { 0xf0, 0, 3, 0x12, 0x34, 0x56, 0x78, 10, 0, 0, 0, 0, 0x11 } },
		{ "fixed, information too large", { .key = 3, .asc = 0x1100, .has_info = true, .info = 1ull << 32 }, false, 18,
		  { 0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x11 } },
		{ "fixed, byte and bit of the CDB",
		  { .key = 5, .asc = 0x2400, .has_pointer = true, .pointer_in_cdb = true, .pointer_has_bit = true,
		    .pointer_bit = 3, .pointer = 14 }, false, 18,
		  { 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0xcb, 0, 14 } },
		{ "fixed, byte of the list", { .key = 5, .asc = 0x2600, .has_pointer = true, .pointer = 0x102 }, false, 18,
		  { 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x26, 0, 0, 0x80, 1, 2 } },
		{ "descriptor", { .key = 6, .asc = 0x2900 }, true, 8, { 0x72, 6, 0x29, 0, 0, 0, 0, 0 } },
		{ "descriptor, information", { .key = 3, .asc = 0x1100, .has_info = true, .info = 0x123456789a }, true, 20,
		  { 0x72, 3, 0x11, 0, 0, 0, 0, 12, 0, 0x0a, 0x80, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a } },
		{ "descriptor, pointer",
		  { .key = 5, .asc = 0x2400, .has_pointer = true, .pointer_in_cdb = true, .pointer = 2 }, true, 16,
		  { 0x72, 5, 0x24, 0, 0, 0, 0, 8, 2, 6, 0, 0, 0xc0, 0, 2, 0 } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t b[64] = { 0 };
		assert_int_equal(scsi_sense_format(&cases[i].s, cases[i].descriptor, b, sizeof(b)), cases[i].len);
		if (memcmp(b, cases[i].bytes, cases[i].len))
			print_error("%s\n", cases[i].what);
		assert_memory_equal(b, cases[i].bytes, cases[i].len);
		assert_int_equal(scsi_sense_format(&cases[i].s, cases[i].descriptor, b, 4), 4);
	}
}

static void luns(void **state)
{
	static const struct {
		const char *what;
		uint8_t wire[8];
		int lun;
	} cases[] = {
		{ "zero", { 0 }, 0 },
		{ "peripheral", { 0, 255 }, 255 },
		{ "flat", { 0x41, 0x2c }, 300 },
		{ "flat, small", { 0x40, 5 }, 5 },
		{ "flat, largest", { 0x7f, 0xff }, 16383 },
		{ "a bus", { 1, 5 }, -1 },
		{ "logical unit addressing", { 0x80, 5 }, -1 },
		{ "well known REPORT LUNS", { 0xc1, 1 }, -1 },
		{ "second level", { 0, 1, 0, 1 }, -1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint16_t lun = 0;
		int r = lun_decode(cases[i].wire, &lun);
		if (r ? cases[i].lun != -1 : cases[i].lun != lun)
			print_error("%s\n", cases[i].what);
		assert_int_equal(r ? -1 : lun, cases[i].lun);
	}
	for (unsigned l = 0; l <= SCSI_LUN_MAX; l++) {
		uint8_t wire[8];
		uint16_t lun;
		lun_encode((uint16_t)l, wire);
		assert_int_equal(lun_decode(wire, &lun), 0);
		assert_int_equal(lun, l);
	}
	struct scsi_lun_entry twice[] = { { .lun = 3, .unit = unit }, { .lun = 3, .unit = unit } };
	struct scsi_lun_entry far[] = { { .lun = 16384, .unit = unit } };
	struct scsi_lun_map *m;
	assert_int_equal(scsi_lun_map_new(twice, 2, &m), -EINVAL);
	assert_int_equal(scsi_lun_map_new(far, 1, &m), -EINVAL);
	assert_int_equal(scsi_lun_map_new(NULL, 0, &m), 0);
	assert_int_equal(scsi_lun_map_count(m), 0);
	scsi_lun_map_unref(m);
}

static void request_sense(void **state)
{
	(void)state;
	struct cmd c = { CDB(0x03, 0, 0, 0, 252), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &c), SCSI_GOOD);
	assert_int_equal(c.in_len, 18);
	assert_int_equal(in[0], 0x70);
	assert_int_equal(in[2], 0);
	struct cmd d = { CDB(0x03, 1, 0, 0, 252), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&nx, 0, &d), SCSI_GOOD);
	assert_int_equal(in[0], 0x72);
	unit_raise(unit, EVENT_CAPACITY);
	for (unsigned i = 0; i < 500; i++) {
		struct cmd u = { CDB(0x03, 0, 0, 0, 252), .in = in, .in_room = sizeof(in) };
		assert_int_equal(cmd_do(&nx, 0, &u), SCSI_GOOD);
		if (in[2])
			break;
		usleep(1000);
	}
	assert_int_equal(in[2], 6);                      /* the unit attention, as data, and gone with it */
	assert_int_equal(in[12] << 8 | in[13], 0x2a09);
	struct cmd tur = { CDB(0) };
	assert_int_equal(cmd_do(&nx, 0, &tur), SCSI_GOOD);
}

static void port_groups(void **state)
{
	(void)state;
	nx_calm(&other, 0);
	struct cmd c = { CDB(0xa3, 0x0a, [9] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &c), SCSI_GOOD);
	assert_memory_equal(in, "\0\0\0\x0c\x00\x8b\0\2\0\0\0\1\0\0\0\2", 16);
	struct cmd x = { CDB(0xa3, 0x2a, [9] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &x), SCSI_GOOD);
	assert_memory_equal(in, "\0\0\0\x10\x10\x3c\0\0\x00\x8b\0\2\0\0\0\1\0\0\0\2", 20);
	struct cmd bad = { CDB(0xa3, 0x4a, [9] = 64) };
	cmd_do(&other, 0, &bad);
	assert_int_equal(cmd_sense(&bad), 0x052400);
	struct cmd tmf = { CDB(0xa3, 0x0d, 0x80, [9] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &tmf), SCSI_GOOD);
	assert_int_equal(tmf.in_len, 16);
	assert_memory_equal(in, "\xde\x07\x00\x0c", 4);
	struct cmd time = { CDB(0xa3, 0x0f, [9] = 64), .in = in, .in_room = sizeof(in) };
	assert_int_equal(cmd_do(&other, 0, &time), SCSI_GOOD);
	assert_int_equal(time.in_len, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_for_ever), cmocka_unit_test(naa_texts), cmocka_unit_test(brought_identity), cmocka_unit_test(identification),
		cmocka_unit_test(listed_pages_are_served), cmocka_unit_test(block_limits),
		cmocka_unit_test(mode_sense), cmocka_unit_test(mode_select), cmocka_unit_test(logs), cmocka_unit_test(soft_threshold), cmocka_unit_test(clock_of_the_unit),
		cmocka_unit_test(sense_formats), cmocka_unit_test(luns), cmocka_unit_test(request_sense),
		cmocka_unit_test(port_groups),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
