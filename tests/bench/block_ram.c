/* SPDX-License-Identifier: GPL-3.0-or-later */
/* block_ram.c - how fast the block room is: 4 KiB requests through volume_submit() on one reactor,
 * on null, ram and file (page cache), beside a bare preadv2() loop on the same file.
 *
 *	block_ram [SECONDS] [FOLDER]       defaults: 1 second each, files in /var/tmp */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "block/block.h"
#include "core/core.h"

#define SPAN_BYTES ((uint64_t)128 << 20)
#define DEPTH 32

struct slot {
	struct volume_io io;
	struct iovec iov;
	struct run *run;
};
struct run {
	struct volume *volume;
	struct reactor *reactor;
	struct msg msg;
	enum volume_op op;
	uint64_t random, done, end_ns, start_ns;
	unsigned in_flight, again_count;
	bool in_turn, posted, in_order;
	uint64_t next_lba;
	struct slot *again[DEPTH];
	struct slot slot[DEPTH];
	uint8_t *data;
	_Atomic(bool) over;
};

static uint64_t next_random(struct run *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	return r->random ^= r->random << 17;
}

static void post(struct run *r)
{
	if (!r->posted)
		reactor_post(r->reactor, &r->msg);
	r->posted = true;
}

static void slot_done(struct volume_io *io, int status)
{
	struct slot *s = container_of(io, struct slot, io);
	struct run *r = s->run;
	if (status) {
		fprintf(stderr, "status %d\n", status);
		abort();
	}
	r->done++;
	r->in_flight--;
	r->again[r->again_count++] = s;
	if (!r->in_turn)
		post(r);                         /* answered later: submit again next turn */
}

/* One turn: as a busy connection does it, a batch of requests, then the loop. */
static void turn(struct msg *m)
{
	struct run *r = container_of(m, struct run, msg);
	r->posted = false;
	if (reactor_clock_ns() >= r->end_ns) {
		if (r->in_flight)
			return;                  /* the last one posts */
		r->end_ns = reactor_clock_ns();
		atomic_store(&r->over, true);
		return;
	}
	r->in_turn = true;
	struct slot *now[DEPTH];
	unsigned n = r->again_count;
	memcpy(now, r->again, n * sizeof(now[0]));
	r->again_count = 0;
	for (unsigned i = 0; i < n; i++) {
		struct slot *s = now[i];
		s->io.op = (uint8_t)r->op;
		s->io.flags = 0;
		s->io.lba = (r->in_order ? r->next_lba++ : next_random(r)) % (SPAN_BYTES / 4096);
		s->io.count_blocks = 1;
		s->io.iov = &s->iov;
		s->io.iov_count = 1;
		s->io.done = slot_done;
		r->in_flight++;
		volume_submit(r->volume, &s->io);
	}
	r->in_turn = false;
	if (r->again_count)
		post(r);
}

static double measure(struct reactor *on, struct volume *v, enum volume_op op, bool in_order, double seconds)
{
	static struct run r;
	memset(&r, 0, sizeof(r));
	r.volume = v;
	r.reactor = on;
	r.op = op;
	r.in_order = in_order;
	r.random = 88172645463325252ull;
	r.data = aligned_alloc(4096, DEPTH * 4096);
	memset(r.data, 1, DEPTH * 4096);
	for (unsigned i = 0; i < DEPTH; i++) {
		r.slot[i].run = &r;
		r.slot[i].iov = (struct iovec){ r.data + i * 4096, 4096 };
		r.again[r.again_count++] = &r.slot[i];
	}
	r.start_ns = reactor_clock_ns();
	r.end_ns = r.start_ns + (uint64_t)(seconds * 1e9);
	r.msg.run = turn;
	r.posted = true;
	reactor_post(on, &r.msg);
	while (!atomic_load(&r.over))
		usleep(1000);
	free(r.data);
	return (double)r.done / ((double)(r.end_ns - r.start_ns) / 1e9);
}

static double measure_bare(const char *path, double seconds)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	static struct run r = { .random = 88172645463325252ull };
	uint8_t *buf = aligned_alloc(4096, 4096);
	struct iovec iov = { buf, 4096 };
	uint64_t n = 0, start = reactor_clock_ns(), now;
	do {
		for (int i = 0; i < 64; i++)
			n += preadv2(fd, &iov, 1, (off_t)(next_random(&r) % (SPAN_BYTES / 4096) * 4096), RWF_NOWAIT) == 4096;
		now = reactor_clock_ns();
	} while (now - start < (uint64_t)(seconds * 1e9));
	free(buf);
	close(fd);
	return (double)n / ((double)(now - start) / 1e9);
}

static struct volume *open_volume(const struct volume_spec *s, double fill_seconds, struct reactor *on)
{
	struct volume *v = NULL;
	char why[256] = "";
	if (volume_create_backing(s, why, sizeof(why)) || volume_open(s, &v) || volume_state(v) != VOLUME_ONLINE) {
		fprintf(stderr, "%s: %s\n", s->plugin, why);
		exit(1);
	}
	(void)measure(on, v, VOLUME_WRITE, true, fill_seconds);
	return v;
}

int main(int argc, char **argv)
{
	static const char *const plugins[] = { "null", "ram", "file" };
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	char pool[256], path[512];
	snprintf(pool, sizeof(pool), "%s/hf-bench-XXXXXX", argc > 2 ? argv[2] : "/var/tmp");
	if (!mkdtemp(pool))
		return 1;
	struct reactor *r;
	struct reactor_opts o = { .name = "bench", .cpu = -1 };
	const char *dirs[] = { HF_BUILDDIR "/plugins" };
	if (reactor_new(&o, &r) || reactor_start(r))
		return 1;
	struct block_opts b = { .reactors = &r, .reactor_count = 1, .plugin_dirs = dirs, .plugin_dir_count = 1 };
	if (block_start(&b))
		return 1;
	printf("%-8s %14s %14s   4 KiB, random in 128 MiB, %d in flight, one reactor\n", "backend", "reads/s", "writes/s",
	       DEPTH);
	for (size_t i = 0; i < ARRAY_COUNT(plugins); i++) {
		struct volume_setting set = { "extent_size", "128M" };
		struct volume_spec s = { .name = "bench", .uuid = "0b5a3c1e-7d2f-4e0a-9c6b-1f2e3d4c5b6a", .plugin = plugins[i],
					 .pool_path = pool, .size_bytes = SPAN_BYTES, .block_bytes = 4096, .settings = &set,
					 .setting_count = i == 2 ? 1 : 0 };
		struct volume *v = open_volume(&s, i == 2 ? 2 : 0.2, r);
		double reads = measure(r, v, VOLUME_READ, false, seconds), writes = measure(r, v, VOLUME_WRITE, false, seconds);
		printf("%-8s %14.0f %14.0f\n", plugins[i], reads, writes);
		if (i == 2) {
			snprintf(path, sizeof(path), "%s/volumes/%s/0000000000.ext", pool, s.uuid);
			printf("%-8s %14.0f %14s   the same file, no server\n", "preadv2", measure_bare(path, seconds), "-");
		}
		(void)volume_close(v, 5000);
		volume_unref(v);
		(void)volume_destroy_backing(&s, path, sizeof(path));
	}
	reactor_stop(r);
	block_stop();
	reactor_free(r);
	snprintf(path, sizeof(path), "%s/volumes", pool);
	rmdir(path);
	rmdir(pool);
	return 0;
}
