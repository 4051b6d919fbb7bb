/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conformance.c - one table of behaviours that every backend shows, run for every plugin.
 *
 *	tests/unit/plugins/conformance                     all of the tree's own
 *	tests/unit/plugins/conformance PLUGIN [K=V].. [/POOL]   one, with options, on a pool
 *
 * A plugin is judged through the volume that the server makes of it, so what the server does for it
 * (cutting, bouncing, emulation) is judged along. */
#include "../block/cipher.h"
#include "loop.h"
#include "sdk/plugin.h"
#include "subject.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static struct config configs[] = {
	{ .plugin = "null", .forgets = true, .block_bytes = 512 },
	{ .plugin = "ram", .volatile_store = true, .block_bytes = 512 },
	{ .plugin = "ram", .volatile_store = true, .block_bytes = 4096, .option = { { "preallocate", "on" } } },
	{ .plugin = "file", .pool = true, .block_bytes = 512, .option = { { "extent_size", "1M" } } },
	{ .plugin = "file", .pool = true, .block_bytes = 4096 },
	{ .plugin = "file", .pool = true, .block_bytes = 512,
	  .option = { { "cache", "direct" }, { "extent_size", "16M" } } },
	{ .plugin = "file", .pool = true, .block_bytes = 4096,
	  .option = { { "preallocate", "full" }, { "extent_size", "8M" } } },
	{ .plugin = "fault:ram", .volatile_store = true, .block_bytes = 512, .option = { { "delay_random_ms", "1" } } },
	{ .plugin = "fault:ram", .volatile_store = true, .block_bytes = 512, .option = { { "lose_unflushed", "on" } } },
	{ .plugin = "fault:file", .pool = true, .block_bytes = 4096,
	  .option = { { "lose_unflushed", "on" }, { "extent_size", "4M" } } },
	{ .plugin = "ram", .volatile_store = true, .encrypted = true, .block_bytes = 512 },
	{ .plugin = "file", .pool = true, .encrypted = true, .block_bytes = 4096 },
	{ .plugin = "fault:file", .pool = true, .encrypted = true, .block_bytes = 512,
	  .option = { { "cache", "direct" }, { "delay_random_ms", "1" } } },
	{ .plugin = "example", .pool = true, .block_bytes = 512 },
	{ .plugin = "fault:example", .pool = true, .block_bytes = 512 },
	{ .plugin = "block", .raw = true, .block_bytes = 512, .option = { { "path", loop } } }, /* the last */
};

/* ---- behaviours --------------------------------------------------------------------------------------------- */
static void rows_are_sane(void **state)
{
	const struct config *c = *state;
	char name[64];
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(c->plugin, ":"), c->plugin);
	struct plugin_desc d;
	assert_int_equal(plugin_describe(name, &d), 0);
	assert_string_equal(d.name, name);
	assert_true(*d.summary && *d.version);
	for (size_t i = 0; i < d.option_count; i++) {
		const char *row = d.options[i].name, *value = d.options[i].default_value, *help = d.options[i].help;
		assert_true(row && *row && help && *help);
		if (!value)
			continue;
		/* A default must pass its own row. */
		struct volume_setting s[OPTIONS_MAX + 1];
		size_t n = option_count(c);
		memcpy(s, c->option, n * sizeof(s[0]));
		s[n++] = (struct volume_setting){ row, value };
		struct volume_spec spec = spec_of(c, 0);
		spec.settings = s;
		spec.setting_count = n;
		char why[256] = "";
		if (volume_check(&spec, why, sizeof(why)))
			print_error("%s: %s\n", c->plugin, why);
		assert_int_equal(volume_check(&spec, why, sizeof(why)), 0);
	}
}

static void limits_are_sane(void **state)
{
	const struct config *c = *state;
	struct volume *v = make(c, 0);
	struct volume_limits l;
	volume_limits(v, &l);
	assert_true(is_pow2(l.physical_bytes) && l.physical_bytes >= c->block_bytes);
	assert_true(l.max_io_bytes >= 1 << 20 && l.max_io_bytes % 4096 == 0);
	assert_int_equal(l.unmap_granularity_bytes % c->block_bytes, 0);
	assert_false(l.read_only);
	assert_int_equal(volume_size_bytes(v), spec_of(c, 0).size_bytes);
	unmake(c, 0, v);
}

static void fresh_is_zero(void **state)
{
	struct config *c = *state;
	struct mirror m;
	struct volume *v = make(c, 0);
	mirror_init(&m, c, v);
	mirror_check(&m, 0, m.blocks);
	free(m.data);
	unmake(c, 0, v);
}

static void any_place_any_length(void **state)
{
	struct config *c = *state;
	struct mirror m;
	struct volume *v = make(c, 0);
	mirror_init(&m, c, v);
	uint64_t mib = (1 << 20) / m.block;
	const struct { uint64_t lba; uint64_t count; } at[] = {
		{ 0, 1 }, { m.blocks - 1, 1 }, { 1, 7 }, { mib - 1, 2 }, { 3 * mib - 3, 2 * mib + 5 },
		{ 16 * mib - 1, 3 }, { 20 * mib, 8 * mib }, { m.blocks - 5, 5 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(at); i++)
		mirror_put(&m, at[i].lba, (uint32_t)at[i].count, i + 1, i % 2 ? VOLUME_FUA : 0);
	mirror_check(&m, 0, m.blocks);
	free(m.data);
	unmake(c, 0, v);
}

/* Memory as clients have it: off any alignment, in many pieces that end inside of blocks. */
static void any_memory(void **state)
{
	struct config *c = *state;
	struct volume *v = make(c, 0);
	enum { BYTES = 1 << 20, PIECES = 900 };
	uint8_t *from = malloc(BYTES + 64), *to = malloc(BYTES + 64);
	struct iovec iov[PIECES];
	for (int shape = 0; shape < 3; shape++) {
		size_t skew = (size_t[]){ 4, 1, 0 }[shape], left = BYTES, n = 0;
		rig_fill(from + 8, BYTES, 77, (uint64_t)shape);
		memmove(from + skew, from + 8, BYTES);
		for (; left; n++) {
			size_t want = shape == 0 ? BYTES : shape == 1 ? 1300 + n % 7 : n % 2 ? 4096 : 512;
			if (want > left || n == PIECES - 1)
				want = left;
			iov[n] = (struct iovec){ from + skew + BYTES - left, want };
			left -= want;
		}
		struct rig_io r = { .io = { .op = VOLUME_WRITE, .iov = iov, .iov_count = (uint16_t)n, .lba = 3,
					    .count_blocks = BYTES / c->block_bytes } };
		rig_io_start(any(), v, &r);
		assert_int_equal(rig_io_wait(&r), 0);
		memset(to, 0x5a, BYTES + 64);
		for (size_t i = 0; i < n; i++)
			iov[i].iov_base = to + ((uint8_t *)iov[i].iov_base - from);
		r.io.op = VOLUME_READ;
		rig_io_start(any(), v, &r);
		assert_int_equal(rig_io_wait(&r), 0);
		if (!c->forgets)
			assert_memory_equal(from + skew, to + skew, BYTES);
		for (size_t i = BYTES + skew; i < BYTES + 64; i++)
			assert_int_equal(to[i], 0x5a); /* not one byte past the vectors */
	}
	free(from);
	free(to);
	unmake(c, 0, v);
}

static void unmap_and_zero(void **state)
{
	struct config *c = *state;
	struct mirror m;
	struct volume *v = make(c, 0);
	struct volume_limits l;
	volume_limits(v, &l);
	mirror_init(&m, c, v);
	uint64_t mib = (1 << 20) / m.block;
	mirror_put(&m, 0, (uint32_t)(4 * mib), 1, 0);
	mirror_put(&m, 4 * mib, (uint32_t)(4 * mib), 1, 0);
	uint64_t first = mib + 1, count = 2 * mib + 3;
	int err = rig_range(any(), v, VOLUME_UNMAP, 0, first, count);
	if (!l.unmap_granularity_bytes) {
		assert_int_equal(err, -ENOTSUP);
	} else {
		assert_int_equal(err, 0);
		uint64_t g = l.unmap_granularity_bytes / m.block;
		uint64_t from = (first + g - 1) / g * g, to = (first + count) / g * g;
		if (l.unmap_zeroes)
			memset(m.data + from * m.block, 0, (size_t)((to - from) * m.block));
		else                             /* undefined: put it back */
			mirror_put(&m, from, (uint32_t)(to - from), 2, 0);
	}
	mirror_check(&m, 0, 8 * mib);
	static const unsigned flags[] = { 0, VOLUME_MAY_UNMAP, VOLUME_FUA, VOLUME_MAY_UNMAP | VOLUME_FUA };
	for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
		mirror_put(&m, 3 * mib, (uint32_t)(3 * mib), 3 + i, 0);
		first = 3 * mib + 3 + i;
		count = mib + 11;
		assert_int_equal(rig_range(any(), v, VOLUME_ZERO, flags[i], first, count), 0);
		memset(m.data + first * m.block, 0, (size_t)(count * m.block));
		mirror_check(&m, 3 * mib, 3 * mib);
	}
	assert_int_equal(rig_range(any(), v, VOLUME_ZERO, 0, 0, m.blocks), 0);
	memset(m.data, 0, (size_t)(m.blocks * m.block));
	mirror_check(&m, 0, m.blocks);
	free(m.data);
	unmake(c, 0, v);
}

static void compare_same_copy(void **state)
{
	struct config *c = *state;
	struct mirror m;
	if (c->forgets)
		return;
	struct volume *v = make(c, 0);
	mirror_init(&m, c, v);
	uint64_t mib = (1 << 20) / m.block;
	mirror_put(&m, 5, (uint32_t)(3 * mib), 1, 0);
	assert_int_equal(rig_rw(any(), v, VOLUME_COMPARE, 0, 5, m.data + 5 * m.block, (uint32_t)(3 * mib)), 0);
	assert_int_equal(rig_rw(any(), v, VOLUME_COMPARE, 0, 6, m.data + 5 * m.block, 1), -EILSEQ);

	uint8_t *two = malloc(2 * m.block);
	memcpy(two, m.data + 9 * m.block, m.block);
	memset(two + m.block, 0x77, m.block);
	assert_int_equal(rig_rw(any(), v, VOLUME_COMPARE_WRITE, VOLUME_FUA, 9, two, 1), 0);
	memset(m.data + 9 * m.block, 0x77, m.block);
	assert_int_equal(rig_rw(any(), v, VOLUME_COMPARE_WRITE, 0, 9, two, 1), -EILSEQ);

	assert_int_equal(rig_same(any(), v, 4 * mib + 1, two, 3 * mib), 0);
	for (uint64_t b = 0; b < 3 * mib; b++)
		memcpy(m.data + (4 * mib + 1 + b) * m.block, two, m.block);
	memset(two, 0, m.block);
	assert_int_equal(rig_same(any(), v, 5 * mib, two, 77), 0);
	memset(m.data + 5 * mib * m.block, 0, 77 * m.block);
	mirror_check(&m, 0, 8 * mib);

	static const struct { int to, from; } moves[] = { { 20, 0 }, { 1, 0 }, { 0, 1 }, { 17, 3 }, { 30, 40 } };
	for (size_t i = 0; i < ARRAY_COUNT(moves); i++) {
		uint64_t to = (uint64_t)moves[i].to * mib + 1, from = (uint64_t)moves[i].from * mib + 8, n = 3 * mib + 9;
		assert_int_equal(rig_copy(any(), v, to, NULL, from, n), 0);
		memmove(m.data + to * m.block, m.data + from * m.block, (size_t)(n * m.block));
		mirror_check(&m, 0, m.blocks);
	}
	/* Aligned, where a file system may share blocks; then the copy must be one of its own. */
	assert_int_equal(rig_copy(any(), v, 24 * mib, NULL, 0, 4 * mib), 0);
	memcpy(m.data + 24 * mib * m.block, m.data, (size_t)(4 * mib * m.block));
	mirror_put(&m, 1, 9, 99, 0);
	mirror_check(&m, 0, m.blocks);

	if (c->raw) {                            /* there is one device only */
		free(two);
		free(m.data);
		unmake(c, 0, v);
		return;
	}
	struct volume *other = make(c, 1);
	struct mirror o;
	mirror_init(&o, c, other);
	assert_int_equal(rig_copy(any(), other, 7, v, 3, 5 * mib), 0);
	memcpy(o.data + 7 * o.block, m.data + 3 * m.block, (size_t)(5 * mib * m.block));
	mirror_check(&o, 0, 6 * mib);
	free(o.data);
	unmake(c, 1, other);
	free(two);
	free(m.data);
	unmake(c, 0, v);
}

/* ---- many requests at once, from every reactor ------------------------------------------------------------- */
#define LANES 12
#define LANE_OPS 150
struct lane {
	struct volume_io io;
	struct msg msg;
	struct iovec iov;
	struct mirror *m;
	uint64_t first, count, lba, n, random;
	unsigned left, phase;
	uint8_t *back;
	_Atomic(unsigned) *open;
};
static void lane_step(struct lane *l);
static void lane_done(struct volume_io *io, int status)
{
	struct lane *l = container_of(io, struct lane, io);
	size_t bytes = (size_t)(l->n * l->m->block);
	if (status) {
		print_error("op %d: %d\n", io->op, status);
		abort();
	}
	if (io->op == VOLUME_READ && !l->m->c->forgets && memcmp(l->back, l->m->data + l->lba * l->m->block, bytes)) {
		print_error("lane read wrong data at %llu\n", (unsigned long long)l->lba);
		abort();
	}
	lane_step(l);
}
static void lane_msg(struct msg *m)
{
	lane_step(container_of(m, struct lane, msg));
}
/* Each lane owns its blocks, so it knows what they hold. */
static void lane_step(struct lane *l)
{
	struct mirror *m = l->m;
	if (!l->left--) {
		atomic_fetch_sub(l->open, 1);
		return;
	}
	l->random = rig_mix(l->random + 1);
	l->n = 1 + l->random % 40;
	l->lba = l->first + (l->random >> 20) % (l->count - l->n);
	uint8_t *p = m->data + l->lba * m->block;
	size_t bytes = (size_t)(l->n * m->block);
	unsigned pick = (unsigned)(l->random >> 50) % 16;
	l->io = (struct volume_io){ .lba = l->lba, .count_blocks = (uint32_t)l->n, .long_count_blocks = l->n,
				    .iov = &l->iov, .iov_count = 1, .done = lane_done };
	l->iov = (struct iovec){ p, bytes };
	if (pick < 7) {
		rig_fill(p, bytes, l->lba, l->random);
		l->io.op = VOLUME_WRITE;
		l->io.flags = pick == 0 ? VOLUME_FUA : pick == 1 ? VOLUME_ATOMIC : 0;
	} else if (pick < 13) {
		l->io.op = VOLUME_READ;
		l->iov.iov_base = l->back;
	} else if (pick == 13) {
		l->io.op = VOLUME_FLUSH;
	} else {
		memset(p, 0, bytes);
		l->io.op = VOLUME_ZERO;
		l->io.flags = pick == 14 ? VOLUME_MAY_UNMAP : 0;
	}
	volume_submit(m->v, &l->io);
}

static void many_at_once(void **state)
{
	struct config *c = *state;
	struct mirror m;
	struct volume *v = make(c, 0);
	mirror_init(&m, c, v);
	static struct lane lanes[LANES];
	_Atomic(unsigned) open = LANES;
	for (unsigned i = 0; i < LANES; i++) {
		lanes[i] = (struct lane){ .m = &m, .first = m.blocks / LANES * i, .count = m.blocks / LANES,
					  .random = i * 7919, .left = LANE_OPS, .open = &open };
		lanes[i].back = malloc(64 * 4096);
		lanes[i].msg.run = lane_msg;
		reactor_post(rig.reactor[i % rig.count], &lanes[i].msg);
	}
	for (unsigned ms = 0; atomic_load(&open) && ms < 60000; ms++)
		usleep(1000);
	assert_int_equal(atomic_load(&open), 0);
	mirror_check(&m, 0, m.blocks);
	struct volume_stats s;
	volume_stats(v, &s);
	assert_int_equal(s.in_flight, 0);
	assert_int_equal(s.kind[STATS_WRITE].errors, 0);
	for (unsigned i = 0; i < LANES; i++)
		free(lanes[i].back);
	free(m.data);
	unmake(c, 0, v);
}

static void resized(void **state)
{
	struct config *c = *state;
	struct mirror m;
	struct volume *v = make(c, 0);
	char why[256] = "";
	uint64_t size = volume_size_bytes(v), small = (17 << 20) + 4096;
	mirror_init(&m, c, v);
	mirror_put(&m, 0, 64, 1, 0);
	mirror_put(&m, m.blocks - 64, 64, 1, 0);
	mirror_put(&m, small / m.block - 4, 8, 1, 0);
	int err = volume_resize(v, small, why, sizeof(why));
	if (err == -ENOTSUP) {
		assert_true(*why);
		free(m.data);
		unmake(c, 0, v);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(volume_size_bytes(v), small);
	assert_int_equal(put(v, m.blocks - 64, m.data, 1, 0), -ERANGE);
	if (!c->volatile_store && !c->forgets) { /* the new size is what is stored */
		assert_int_equal(rig_range(any(), v, VOLUME_FLUSH, 0, 0, 0), 0);
		struct volume_spec s = spec_of(c, 0);
		s.size_bytes = small;
		rig_close(v);
		v = m.v = open_spec(&s);
	}
	assert_int_equal(volume_resize(v, size + (70 << 20), why, sizeof(why)), 0);
	assert_int_equal(volume_size_bytes(v), size + (70 << 20));
	if (!c->raw)                             /* what was cut off does not come back */
		memset(m.data + small, 0, (size_t)(size - small));
	mirror_check(&m, 0, m.blocks);
	uint8_t *one = malloc(m.block);
	memset(one, 9, m.block);
	assert_int_equal(put(v, volume_block_count(v) - 1, one, 1, VOLUME_FUA), 0);
	assert_int_equal(get(v, volume_block_count(v) - 1, one, 1), 0);
	assert_int_equal(one[7], c->forgets ? 0 : 9);
	free(one);
	free(m.data);
	unmake(c, 0, v);
}

static void reopen_keeps(void **state)
{
	struct config *c = *state;
	struct mirror m;
	if (c->volatile_store || c->forgets)
		return;
	struct volume *v = make(c, 0);
	struct volume_spec s = spec_of(c, 0);
	mirror_init(&m, c, v);
	mirror_put(&m, 11, 700, 5, 0);
	mirror_put(&m, m.blocks - 9, 9, 6, 0);
	assert_int_equal(rig_range(any(), v, VOLUME_FLUSH, 0, 0, 0), 0);
	rig_close(v);
	v = m.v = open_spec(&s);
	mirror_check(&m, 0, m.blocks);
	if (c->raw) {
		free(m.data);
		unmake(c, 0, v);
		return;
	}
	uint64_t used = 0;
	assert_int_equal(volume_used_bytes(v, &used), 0);
	assert_true(used >= 709 * m.block);
	/* Configured with another size: refused in words, and a resize settles it. */
	rig_close(v);
	char why[256] = "";
	struct volume_spec larger = s;
	larger.size_bytes += 1 << 20;
	assert_int_equal(volume_open(&larger, &v), 0);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	volume_reason(v, why, sizeof(why));
	assert_non_null(strstr(why, "configured"));
	assert_int_equal(volume_resize(v, larger.size_bytes, why, sizeof(why)), 0);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	m.v = v;
	mirror_check(&m, 0, m.blocks);
	free(m.data);
	unmake(c, 0, v);
	/* Gone is gone: nothing is made by opening. */
	assert_int_equal(volume_open(&s, &v), 0);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	volume_reason(v, why, sizeof(why));
	assert_true(*why);
	assert_int_equal(volume_create_backing(&s, why, sizeof(why)), 0);
	assert_int_equal(volume_create_backing(&s, why, sizeof(why)), -EEXIST);
	assert_int_equal(volume_reopen(v), 0);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	unmake(c, 0, v);
}

struct map_call {
	struct volume_map_io io;
	struct msg msg;
	_Atomic(bool) over;
};
static void map_over(struct volume_map_io *m)
{
	atomic_store(&container_of(m, struct map_call, io)->over, true);
}
static void map_start(struct msg *m)
{
	struct map_call *c = container_of(m, struct map_call, msg);
	volume_map(c->io.volume, &c->io);
}

static void extents_cover(void **state)
{
	struct config *c = *state;
	struct mirror m;
	struct volume *v = make(c, 0);
	mirror_init(&m, c, v);
	uint64_t mib = (1 << 20) / m.block;
	for (unsigned i = 0; i < 20; i++)
		mirror_put(&m, (i * 2 + 1) * mib + i, (uint32_t)(1 + i * 8), i, 0);
	assert_int_equal(rig_range(any(), v, VOLUME_FLUSH, 0, 0, 0), 0);
	uint64_t at = 3, end = m.blocks;
	while (at < end) {
		struct hf_extent ext[5];
		struct map_call call = { .io = { .volume = v, .lba = at, .count_blocks = end - at, .ext = ext, .ext_count = 5,
						 .done = map_over }, .msg.run = map_start };
		reactor_post(any(), &call.msg);
		while (!atomic_load(&call.over))
			usleep(100);
		assert_int_equal(call.io.status, 0);
		assert_true(call.io.ext_count >= 1 && call.io.ext_count <= 5);
		for (size_t i = 0; i < call.io.ext_count; i++) {
			assert_int_equal(ext[i].offset_bytes, at * m.block);
			assert_true(ext[i].len_bytes && ext[i].len_bytes <= (end - at) * m.block);
			for (uint64_t b = 0; !ext[i].mapped && b < ext[i].len_bytes && !c->forgets; b++)
				if (m.data[ext[i].offset_bytes + b])
					fail_msg("data at %llu in what is called a hole",
						 (unsigned long long)(ext[i].offset_bytes + b));
			at += ext[i].len_bytes / m.block;
		}
	}
	assert_int_equal(at, end);
	free(m.data);
	unmake(c, 0, v);
}

static void read_only(void **state)
{
	struct config *c = *state;
	uint8_t buf[4096] = { 1 };
	struct volume *v = make(c, 0);
	assert_int_equal(put(v, 9, buf, 1, VOLUME_FUA), 0);
	rig_close(v);
	struct volume_spec s = spec_of(c, 0);
	s.read_only = true;
	v = open_spec(&s);
	assert_int_equal(put(v, 9, buf, 1, 0), -EROFS);
	assert_int_equal(get(v, 9, buf, 1), 0);
	assert_int_equal(buf[0], c->forgets || c->volatile_store ? 0 : 1);
	unmake(c, 0, v);
}

/* ---- running ---------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name;
	void (*fn)(void **state);
} behaviours[] = {
	{ "rows are sane", rows_are_sane },
	{ "limits are sane", limits_are_sane },
	{ "a fresh volume is zero", fresh_is_zero },
	{ "any place, any length", any_place_any_length },
	{ "any memory", any_memory },
	{ "unmap and zero", unmap_and_zero },
	{ "compare, same, copy", compare_same_copy },
	{ "many at once", many_at_once },
	{ "resized", resized },
	{ "reopening keeps data", reopen_keeps },
	{ "extents cover", extents_cover },
	{ "read-only", read_only },
};

static int setup(void **state)
{
	(void)state;
	snprintf(pool, sizeof(pool), "%s", "/tmp/hf-conformance-XXXXXX");
	if (!getenv("HF_POOL"))
		assert_non_null(mkdtemp(pool));
	else
		snprintf(pool, sizeof(pool), "%s", getenv("HF_POOL"));
	cipher_install();
	rig_start(&rig, 2);
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
	if (!getenv("HF_POOL"))
		nftw(pool, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static struct config from_args(int argc, char **argv)
{
	struct config c = { .plugin = argv[1], .block_bytes = 512 };
	size_t n = 0;
	for (int i = 2; i < argc; i++) {
		char *eq = strchr(argv[i], '=');
		if (argv[i][0] == '/') {
			c.pool = true;
			setenv("HF_POOL", argv[i], 1);
		} else if (eq && n < OPTIONS_MAX) {
			*eq = 0;
			c.option[n++] = (struct volume_setting){ argv[i], eq + 1 };
		} else if (!strcmp(argv[i], "volatile")) {
			c.volatile_store = true;
		}
	}
	return c;
}

int main(int argc, char **argv)
{
	struct config own;
	struct config *list = configs;
	size_t count = ARRAY_COUNT(configs), n = 0;
	if (argc > 1) {
		own = from_args(argc, argv);
		list = &own;
		count = 1;
	}
	char why[128] = "";
	if (argc < 2)
		loop_start(loop, why, sizeof(why));
	if (*why) {
		printf("# block is not run: %s\n", why);
		count--;
	}
	static char names[ARRAY_COUNT(configs) * ARRAY_COUNT(behaviours)][160];
	static struct CMUnitTest tests[ARRAY_COUNT(configs) * ARRAY_COUNT(behaviours)];
	for (size_t i = 0; i < count; i++)
		for (size_t b = 0; b < ARRAY_COUNT(behaviours); b++, n++) {
			snprintf(names[n], sizeof(names[n]), "%s%s/%u", list[i].encrypted ? "encrypted " : "", list[i].plugin, list[i].block_bytes);
			for (size_t o = 0; o < option_count(&list[i]); o++)
				snprintf(names[n] + strlen(names[n]), sizeof(names[n]) - strlen(names[n]), " %s=%s",
					 list[i].option[o].name, list[i].option[o].value);
			snprintf(names[n] + strlen(names[n]), sizeof(names[n]) - strlen(names[n]), ": %s",
				 behaviours[b].name);
			tests[n] = (struct CMUnitTest){ names[n], behaviours[b].fn, NULL, NULL, &list[i] };
		}
	int failed = _cmocka_run_group_tests("conformance", tests, n, setup, teardown);
	loop_stop();
	return failed;
}
