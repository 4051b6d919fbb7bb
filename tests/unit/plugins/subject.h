/* SPDX-License-Identifier: GPL-3.0-or-later */
/* subject.h - the volume that the conformance suite judges: how it is made, and a mirror in memory
 * of what it has to hold. */
#ifndef HOLDFAST_TESTS_PLUGINS_SUBJECT_H
#define HOLDFAST_TESTS_PLUGINS_SUBJECT_H

#include "../block/rig.h"

#define OPTIONS_MAX 6
struct config {
	const char *plugin;
	struct volume_setting option[OPTIONS_MAX];
	bool pool;                       /* needs one */
	bool forgets;                    /* keeps nothing at all: null */
	bool volatile_store;             /* data is gone after close: ram */
	bool raw;                        /* a device: it was there before and stays */
	bool encrypted;
	uint32_t block_bytes;
	uint64_t size_bytes;             /* 0: 48 MiB */
};
static struct rig rig;
static char pool[256];
static char loop[64];                    /* a loop device, "" when there can be none */

/* ---- one volume of a configuration --------------------------------------------------------------------- */
static inline size_t option_count(const struct config *c)
{
	size_t n = 0;
	while (n < OPTIONS_MAX && c->option[n].name)
		n++;
	return n;
}

static inline struct volume_spec spec_of(const struct config *c, unsigned which)
{
	static const char *const uuids[] = { RIG_UUID, "11111111-2222-3333-4444-555555555555" };
	static const uint8_t key[VOLUME_KEY_BYTES] = "two halves that differ, 32 bytes each, make the key of a volume";
	return (struct volume_spec){ .name = "conformance", .encrypted = c->encrypted, .key = c->encrypted ? key : NULL, .uuid = uuids[which], .plugin = c->plugin,
				     .pool_path = c->pool ? pool : NULL,
				     .size_bytes = c->size_bytes ? c->size_bytes : 48 << 20,
				     .block_bytes = c->block_bytes, .settings = c->option,
				     .setting_count = option_count(c) };
}

static inline struct volume *open_spec(const struct volume_spec *s)
{
	struct volume *v = NULL;
	char why[256] = "";
	assert_int_equal(volume_open(s, &v), 0);
	volume_reason(v, why, sizeof(why));
	if (*why)
		print_error("%s: %s\n", s->plugin, why);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	return v;
}

static inline struct volume *make(const struct config *c, unsigned which)
{
	struct volume_spec s = spec_of(c, which);
	char why[256] = "";
	int err = volume_create_backing(&s, why, sizeof(why));
	if (err)
		print_error("%s: %s\n", c->plugin, why);
	assert_int_equal(err, 0);
	struct volume *v = open_spec(&s);
	if (c->raw) {                            /* what earlier tests left */
		assert_int_equal(volume_resize(v, 124 << 20, why, sizeof(why)), 0);
		assert_int_equal(rig_range(rig.reactor[0], v, VOLUME_ZERO, 0, 0, volume_block_count(v)), 0);
		assert_int_equal(volume_resize(v, s.size_bytes, why, sizeof(why)), 0);
	}
	return v;
}

static inline void unmake(const struct config *c, unsigned which, struct volume *v)
{
	struct volume_spec s = spec_of(c, which);
	char why[256] = "";
	rig_close(v);
	assert_int_equal(volume_destroy_backing(&s, why, sizeof(why)), 0);
}

static inline struct reactor *any(void)
{
	static unsigned turn;
	return rig.reactor[turn++ % rig.count];
}

static inline int put(struct volume *v, uint64_t lba, void *buf, uint32_t count, unsigned flags)
{
	return rig_rw(any(), v, VOLUME_WRITE, flags, lba, buf, count);
}

static inline int get(struct volume *v, uint64_t lba, void *buf, uint32_t count)
{
	return rig_rw(any(), v, VOLUME_READ, 0, lba, buf, count);
}

/* What the test expects the volume to hold: a mirror in memory. */
struct mirror {
	const struct config *c;
	struct volume *v;
	uint8_t *data;
	uint64_t blocks;
	uint32_t block;
};
static inline void mirror_init(struct mirror *m, const struct config *c, struct volume *v)
{
	m->c = c;
	m->v = v;
	m->block = volume_block_bytes(v);
	m->blocks = volume_block_count(v);
	m->data = calloc(m->blocks, m->block);
	assert_non_null(m->data);
}
static inline void mirror_put(struct mirror *m, uint64_t lba, uint32_t count, uint64_t version, unsigned flags)
{
	uint8_t *p = m->data + lba * m->block;
	rig_fill(p, (size_t)count * m->block, lba * m->block, version);
	assert_int_equal(put(m->v, lba, p, count, flags), 0);
}
static inline void mirror_check(struct mirror *m, uint64_t lba, uint64_t count)
{
	enum { STEP = 1 << 20 };
	uint8_t *back = malloc(STEP);
	while (count) {
		uint32_t n = (uint32_t)min_u64(count, STEP / m->block);
		assert_int_equal(get(m->v, lba, back, n), 0);
		if (!m->c->forgets && memcmp(back, m->data + lba * m->block, (size_t)n * m->block) != 0) {
			size_t at = 0;
			while (back[at] == m->data[lba * m->block + at])
				at++;
			print_error("%s: differs at byte %llu\n", m->c->plugin,
				    (unsigned long long)(lba * m->block + at));
			fail();
		}
		lba += n;
		count -= n;
	}
	free(back);
}

#endif
