/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - reactors and a volume for the tests of block/ and of the plugins: one call, one answer. */
#ifndef HOLDFAST_TESTS_BLOCK_RIG_H
#define HOLDFAST_TESTS_BLOCK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "block/block.h"
#include "core/core.h"

#define RIG_MAX 4
struct rig {
	struct reactor *reactor[RIG_MAX];
	unsigned count;
};

static inline const char *rig_plugins(void)
{
	static char dir[512];
	const char *build = getenv("HF_BUILDDIR");
	snprintf(dir, sizeof(dir), "%s/plugins", build ? build : HF_BUILDDIR);
	return dir;
}

static inline void rig_start(struct rig *g, unsigned count)
{
	static const char *const names[RIG_MAX] = { "rig0", "rig1", "rig2", "rig3" };
	g->count = count;
	for (unsigned i = 0; i < count; i++) {
		struct reactor_opts o = { .name = names[i], .engine = REACTOR_AUTO, .cpu = -1 };
		assert_int_equal(reactor_new(&o, &g->reactor[i]), 0);
		assert_int_equal(reactor_start(g->reactor[i]), 0);
	}
	const char *dirs[] = { rig_plugins() };
	struct block_opts b = { .reactors = g->reactor, .reactor_count = count, .plugin_dirs = dirs,
				.plugin_dir_count = 1 };
	assert_int_equal(block_start(&b), 0);
}

static inline void rig_stop(struct rig *g)
{
	for (unsigned i = 0; i < g->count; i++)
		reactor_stop(g->reactor[i]);
	block_stop();
	for (unsigned i = 0; i < g->count; i++)
		reactor_free(g->reactor[i]);
}

/* ---- one request, waited for -------------------------------------------------------------------- */
struct rig_io {
	struct volume_io io;
	struct msg msg;
	struct volume *volume;
	int status;
	bool over;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};
static inline void rig_io_done(struct volume_io *io, int status)
{
	struct rig_io *r = container_of(io, struct rig_io, io);
	pthread_mutex_lock(&r->lock);
	r->status = status;
	r->over = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->lock);
}
static inline void rig_io_run(struct msg *m)
{
	struct rig_io *r = container_of(m, struct rig_io, msg);
	volume_submit(r->volume, &r->io);
}
static inline void rig_io_start(struct reactor *on, struct volume *v, struct rig_io *r)
{
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->cond, NULL);
	r->over = false;
	r->volume = v;
	r->io.done = rig_io_done;
	r->msg.run = rig_io_run;
	reactor_post(on, &r->msg);
}
static inline int rig_io_wait(struct rig_io *r)
{
	pthread_mutex_lock(&r->lock);
	while (!r->over)
		pthread_cond_wait(&r->cond, &r->lock);
	pthread_mutex_unlock(&r->lock);
	return r->status;
}
/* Is it over within ms? */
static inline bool rig_io_is_over(struct rig_io *r, unsigned ms)
{
	for (unsigned i = 0; i <= ms; i++) {
		pthread_mutex_lock(&r->lock);
		bool over = r->over;
		pthread_mutex_unlock(&r->lock);
		if (over)
			return true;
		usleep(1000);
	}
	return false;
}

static inline int rig_rw(struct reactor *on, struct volume *v, enum volume_op op, unsigned flags, uint64_t lba, void *buf,
			 uint32_t count_blocks)
{
	struct iovec iov = { buf, (size_t)count_blocks * volume_block_bytes(v) };
	struct rig_io r = { .io = { .op = (uint8_t)op, .flags = (uint8_t)flags, .iov = &iov, .iov_count = 1,
				    .lba = lba, .count_blocks = count_blocks } };
	if (op == VOLUME_COMPARE_WRITE)
		iov.iov_len *= 2;
	rig_io_start(on, v, &r);
	return rig_io_wait(&r);
}
static inline int rig_range(struct reactor *on, struct volume *v, enum volume_op op, unsigned flags, uint64_t lba,
			    uint64_t count_blocks)
{
	struct rig_io r = { .io = { .op = (uint8_t)op, .flags = (uint8_t)flags, .lba = lba,
				    .long_count_blocks = count_blocks } };
	rig_io_start(on, v, &r);
	return rig_io_wait(&r);
}
static inline int rig_same(struct reactor *on, struct volume *v, uint64_t lba, void *block, uint64_t count_blocks)
{
	struct iovec iov = { block, volume_block_bytes(v) };
	struct rig_io r = { .io = { .op = VOLUME_SAME, .iov = &iov, .iov_count = 1, .lba = lba,
				    .long_count_blocks = count_blocks } };
	rig_io_start(on, v, &r);
	return rig_io_wait(&r);
}
static inline int rig_copy(struct reactor *on, struct volume *v, uint64_t lba, struct volume *src, uint64_t src_lba,
			   uint64_t count_blocks)
{
	struct rig_io r = { .io = { .op = VOLUME_COPY, .lba = lba, .src = src, .src_lba = src_lba,
				    .long_count_blocks = count_blocks } };
	rig_io_start(on, v, &r);
	return rig_io_wait(&r);
}

/* ---- a pattern that says where it belongs -------------------------------------------------------- */
static inline uint64_t rig_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}
static inline void rig_fill(void *buf, size_t bytes, uint64_t where, uint64_t version)
{
	uint64_t *p = buf;
	for (size_t i = 0; i < bytes / 8; i++)
		p[i] = rig_mix(where + i * 8) + version;
}

#define RIG_UUID "0b5a3c1e-7d2f-4e0a-9c6b-1f2e3d4c5b6a"
static inline struct volume *rig_volume(const char *plugin, uint64_t bytes, uint32_t block_bytes)
{
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = plugin, .size_bytes = bytes,
				 .block_bytes = block_bytes };
	struct volume *v = NULL;
	char why[256];
	assert_int_equal(volume_open(&s, &v), 0);
	volume_reason(v, why, sizeof(why));
	if (*why)
		print_error("%s\n", why);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	return v;
}
static inline void rig_close(struct volume *v)
{
	assert_int_equal(volume_close(v, 5000), 0);
	volume_unref(v);
}

#endif
