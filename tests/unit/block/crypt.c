/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crypt.c - encrypted volumes: what lies in the backing store, holes, keys that are missing or another one, a new key,
 * memory that runs out.  What every volume does, an encrypted one does in tests/unit/plugins/conformance. */
#include "cipher.h"
#include "rig.h"

#include <ftw.h>

#include "core/hex.h"

enum { BYTES = 16 << 20 };
static struct rig rig;
static char pool[64];
static uint8_t key[VOLUME_KEY_BYTES], other_key[VOLUME_KEY_BYTES];
/* The key of IEEE 1619's vectors 10 to 14. */
static const char key_hex[] = "2718281828459045235360287471352662497757247093699959574966967627"
			      "3141592653589793238462643383279502884197169399375105820974944592";

static struct volume_spec spec(bool encrypted)
{
	return (struct volume_spec){ .name = "v", .uuid = RIG_UUID, .plugin = "file", .pool_path = pool, .size_bytes = BYTES,
				     .block_bytes = 512, .encrypted = encrypted, .key = encrypted ? key : NULL };
}

static struct volume *open_as(const struct volume_spec *s)
{
	struct volume *v = NULL;
	assert_int_equal(volume_open(s, &v), 0);
	return v;
}

static struct volume *make(void)
{
	struct volume_spec s = spec(true);
	char why[256];
	assert_int_equal(volume_create_backing(&s, why, sizeof(why)), 0);
	struct volume *v = open_as(&s);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	return v;
}

static void unmake(struct volume *v)
{
	struct volume_spec s = spec(true);
	char why[256];
	rig_close(v);
	assert_int_equal(volume_destroy_backing(&s, why, sizeof(why)), 0);
}

static void assert_rw(struct volume *v, enum volume_op op, uint64_t lba, void *buf, uint32_t count)
{
	assert_int_equal(rig_rw(rig.reactor[0], v, op, 0, lba, buf, count), 0);
}

/* What is stored: the same backing store as a volume that is not encrypted. */
static void read_raw(struct volume **v, uint64_t lba, void *buf, uint32_t count)
{
	struct volume_spec s = spec(false), again = spec(true);
	rig_close(*v);
	struct volume *raw = open_as(&s);
	assert_rw(raw, VOLUME_READ, lba, buf, count);
	rig_close(raw);
	*v = open_as(&again);
}

/* ---- what is stored -------------------------------------------------------------------------------------- */
static void stored_as_the_standard_says(void **state)
{
	(void)state;
	struct volume *v = make();
	uint8_t block[512], raw[512], want[32];
	for (unsigned i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)i;
	assert_rw(v, VOLUME_WRITE, 0xff, block, 1);
	read_raw(&v, 0xff, raw, 1);
	assert_int_equal(hex_read("1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b", want, 32), 0);
	assert_memory_equal(raw, want, 32);
	assert_int_equal(hex_read("c4f36ffda9fcea70b9c6e693e148c151", want, 16), 0);
	assert_memory_equal(raw + 496, want, 16);
	unmake(v);
}

/* Whatever the request: no block of the host's text is in the store, nor twice the same one. */
static void no_plain_text(void **state)
{
	(void)state;
	enum { BLOCKS = 2048 };
	struct volume *v = make();
	uint8_t *text = malloc(BLOCKS * 512), *raw = malloc(BLOCKS * 512);
	for (size_t i = 0; i < BLOCKS * 512; i++)
		text[i] = (uint8_t)"plain text "[i % 11];
	uint8_t was[512] = { 0 }, two[1024];
	assert_rw(v, VOLUME_WRITE, 0, text, 512);
	assert_int_equal(rig_same(rig.reactor[0], v, 512, text, 512), 0);
	assert_int_equal(rig_copy(rig.reactor[0], v, 1024, NULL, 0, 512), 0);
	memcpy(two, was, 512);
	memcpy(two + 512, text, 512);
	for (unsigned i = 1536; i < BLOCKS; i++)
		assert_rw(v, i % 64 ? VOLUME_WRITE : VOLUME_COMPARE_WRITE, i, i % 64 ? text : two, 1);
	read_raw(&v, 0, raw, BLOCKS);
	for (size_t i = 0; i + 11 <= BLOCKS * 512; i++)
		assert_true(raw[i] != 'p' || memcmp(raw + i, "plain text ", 11) != 0);
	for (size_t i = 1; i < BLOCKS; i++)
		assert_memory_not_equal(raw, raw + i * 512, 16);
	free(text);
	free(raw);
	unmake(v);
}

static void holes_stay_holes(void **state)
{
	(void)state;
	enum { MIB_BLOCKS = 2048 };
	struct volume *v = make();
	uint8_t *buf = malloc(4 << 20), *zero = calloc(1, 4 << 20);
	uint64_t empty = 0, full = 0, after = 0;
	struct volume_limits l;
	volume_limits(v, &l);
	assert_true(l.thin && l.unmap_granularity_bytes);
	assert_int_equal(volume_used_bytes(v, &empty), 0);
	assert_rw(v, VOLUME_READ, 0, buf, 4 * MIB_BLOCKS);
	assert_memory_equal(buf, zero, 4 << 20);
	rig_fill(buf, 4 << 20, 0, 1);
	assert_rw(v, VOLUME_WRITE, 0, buf, 4 * MIB_BLOCKS);
	assert_int_equal(rig_range(rig.reactor[0], v, VOLUME_FLUSH, 0, 0, 0), 0);
	assert_int_equal(volume_used_bytes(v, &full), 0);
	assert_true(full >= empty + (4 << 20));
	assert_int_equal(rig_range(rig.reactor[1], v, VOLUME_UNMAP, 0, 0, 2 * MIB_BLOCKS), 0);
	assert_int_equal(rig_range(rig.reactor[0], v, VOLUME_ZERO, VOLUME_MAY_UNMAP, 2 * MIB_BLOCKS, 2 * MIB_BLOCKS), 0);
	assert_int_equal(volume_used_bytes(v, &after), 0);
	assert_true(after < empty + (1 << 20));
	assert_rw(v, VOLUME_READ, 0, buf, 4 * MIB_BLOCKS);
	assert_memory_equal(buf, zero, 4 << 20);
	/* Zeroes that a host writes are text like any other: they are stored, and not as zeroes. */
	assert_rw(v, VOLUME_WRITE, 8, zero, 8);
	read_raw(&v, 8, buf, 1);
	assert_memory_not_equal(buf, zero, 512);
	assert_rw(v, VOLUME_READ, 0, buf, 32);
	assert_memory_equal(buf, zero, 32 * 512);
	free(buf);
	free(zero);
	unmake(v);
}

/* ---- keys --------------------------------------------------------------------------------------------------- */
static void without_its_key(void **state)
{
	(void)state;
	struct volume *v = make();
	char why[256];
	uint8_t block[512] = "text", back[512];
	assert_true(volume_is_encrypted(v));
	assert_rw(v, VOLUME_WRITE, 0, block, 1);
	rig_close(v);

	struct volume_spec s = spec(true);
	s.key = NULL;
	s.key_why = "the key file is gone";
	v = open_as(&s);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	volume_reason(v, why, sizeof(why));
	assert_string_equal(why, "the key file is gone");
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 0, back, 1), -ESHUTDOWN);
	assert_int_not_equal(volume_reopen(v), 0);
	assert_int_not_equal(volume_resize(v, 2 * BYTES, why, sizeof(why)), 0);
	rig_close(v);

	uint8_t halves[VOLUME_KEY_BYTES] = { 0 };
	s.key = halves;
	v = open_as(&s);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	rig_close(v);

	/* Another key than its data was written with is refused, and leaves no trace. */
	s.key = other_key;
	v = open_as(&s);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	volume_reason(v, why, sizeof(why));
	assert_non_null(strstr(why, "not the one that its data was written with"));
	rig_close(v);

	s.key = key;
	v = open_as(&s);
	assert_rw(v, VOLUME_READ, 0, back, 1);
	assert_memory_equal(back, block, 512);
	unmake(v);
}

/* The note beside the data as it is while a new key is made durable: a crash may leave it so. */
static char note[1024];
static int save_fails(void *arg)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/volumes/%s/note", pool, RIG_UUID);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	note[fread(note, 1, sizeof(note) - 1, f)] = 0;
	fclose(f);
	++*(int *)arg;
	return -ENOSPC;
}
static int save_works(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void write_note(void)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/volumes/%s/note", pool, RIG_UUID);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(note, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void another_key(void **state)
{
	(void)state;
	struct volume *v = make();
	uint8_t block[512] = "text", back[512], zero[512] = { 0 };
	int calls = 0;
	assert_rw(v, VOLUME_WRITE, 5, block, 1);
	assert_int_equal(volume_rekey(v, other_key, save_fails, &calls), -ENOSPC);
	assert_rw(v, VOLUME_READ, 5, back, 1);
	assert_memory_equal(back, block, 512);
	assert_int_equal(volume_rekey(v, other_key, save_works, &calls), 0);
	assert_int_equal(calls, 2);
	for (unsigned i = 0; i < rig.count; i++) {
		assert_int_equal(rig_rw(rig.reactor[i], v, VOLUME_READ, 0, 5, back, 1), 0);
		assert_memory_not_equal(back, block, 16);
	}
	assert_rw(v, VOLUME_READ, 6, back, 1);   /* a hole is one under any key */
	assert_memory_equal(back, zero, 512);
	assert_rw(v, VOLUME_WRITE, 5, block, 1);
	rig_close(v);
	struct volume_spec s = spec(true);
	v = open_as(&s);                         /* the old key is good for nothing now */
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	rig_close(v);
	write_note();                            /* a crash before or after the store took the key */
	s.key = other_key;
	v = open_as(&s);
	assert_rw(v, VOLUME_READ, 5, back, 1);
	assert_memory_equal(back, block, 512);
	rig_close(v);
	s.key = key;                             /* whichever it took: the other one is forgotten */
	v = open_as(&s);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	rig_close(v);
	write_note();
	v = open_as(&s);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	unmake(v);

	s = spec(false);
	s.plugin = "ram";
	v = open_as(&s);
	assert_false(volume_is_encrypted(v));
	assert_int_equal(volume_rekey(v, other_key, save_works, &calls), -ENOTSUP);
	rig_close(v);
}

/* ---- more at once than there is memory -------------------------------------------------------------------- */
static void memory_runs_out(void **state)
{
	(void)state;
	enum { COUNT = 700, BLOCKS = 40 };       /* 20 KiB each: large buffers, of which there are 32 */
	static struct rig_io r[COUNT];
	static struct iovec iov[COUNT];
	struct volume_setting delay[] = { { "delay_ms", "20" } };
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = "fault:ram", .size_bytes = BYTES, .block_bytes = 512,
				 .settings = delay, .setting_count = 1, .encrypted = true, .key = key };
	struct volume *v = open_as(&s);
	uint8_t *text = malloc(COUNT * BLOCKS * 512), *back = malloc(COUNT * BLOCKS * 512);
	rig_fill(text, COUNT * BLOCKS * 512, 0, 3);
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < COUNT; i++) {
			uint32_t n = i % 3 ? 1 : BLOCKS;
			iov[i] = (struct iovec){ (pass ? back : text) + (size_t)i * BLOCKS * 512, n * 512 };
			r[i] = (struct rig_io){ .io = { .op = pass ? VOLUME_READ : VOLUME_WRITE, .lba = (uint64_t)i * BLOCKS, .iov = &iov[i],
							.iov_count = 1, .count_blocks = n } };
			rig_io_start(rig.reactor[i % 2], v, &r[i]);
		}
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(rig_io_wait(&r[i]), 0);
	}
	for (unsigned i = 0; i < COUNT; i++)
		assert_memory_equal(iov[i].iov_base, text + (size_t)i * BLOCKS * 512, iov[i].iov_len);
	free(text);
	free(back);
	rig_close(v);
}

/* An error below is the host's error, and costs no buffer. */
static void errors_come_up(void **state)
{
	(void)state;
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = "fault:ram", .size_bytes = BYTES, .block_bytes = 4096,
				 .encrypted = true, .key = key };
	struct volume *v = open_as(&s);
	uint8_t *buf = calloc(1, 1 << 20);
	assert_int_equal(volume_set_option(v, "bad_offset", "65536"), 0);
	assert_int_equal(volume_set_option(v, "bad_length", "4096"), 0);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, 16, buf, 1), -EIO);
		assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 0, buf, 256), -EIO);
	}
	assert_rw(v, VOLUME_WRITE, 17, buf, 100);
	assert_int_equal(volume_set_read_only(v, true), 0);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, 17, buf, 1), -EROFS);
	free(buf);
	rig_close(v);
}

static int setup(void **state)
{
	(void)state;
	snprintf(pool, sizeof(pool), "%s", "/tmp/hf-crypt-XXXXXX");
	assert_non_null(mkdtemp(pool));
	assert_int_equal(hex_read(key_hex, key, sizeof(key)), 0);
	memcpy(other_key, key, sizeof(key));
	other_key[0] ^= 1;
	/* Without a cipher there is no encrypted volume. */
	struct volume_spec s = spec(true);
	struct volume *v = NULL;
	rig_start(&rig, 2);
	assert_int_equal(volume_open(&s, &v), -EINVAL);
	cipher_install();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	nftw(pool, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_as_the_standard_says),
		cmocka_unit_test(no_plain_text),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(without_its_key),
		cmocka_unit_test(another_key),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(errors_come_up),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
