/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_ram.c - what a SCSI command costs beyond block/: READ(10) and WRITE(10) of 4 KiB on a ram volume, on
 * one reactor, without a transport, beside the same requests given to the volume itself.
 *
 *	tests/bench/scsi_ram [SECONDS]     HF_BUILDDIR: where the plugins were built */
#include <stdio.h>
#include <string.h>

#include "block/block.h"
#include "scsi/scsi.h"
#include "wire/scsi.h"

#define DEPTH 32u
#define BLOCKS 2048u                    /* small enough for the cache: it is not memory that is measured */
#define PER_TURN 4096u

enum what { BLOCK_WRITE, BLOCK_READ, SCSI_CMD_READ, SCSI_CMD_WRITE, KINDS };
static const char *const names[KINDS] = { "block write", "block read", "scsi READ(10)", "scsi WRITE(10)" };

static struct {
	struct reactor *r;
	struct volume *v;
	struct scsi_nexus *n;
	struct scsi_lun_map *map;
	struct scsi_task task[DEPTH];
	uint8_t cdb[DEPTH][16];
	struct volume_io io[DEPTH];
	struct iovec iov[DEPTH];
	uint8_t data[DEPTH][4096];
	unsigned next;
	uint32_t lba;
	uint64_t done, failed;
} b;

static void done_task(struct scsi_task *t)
{
	b.done++;
	b.failed += t->status != SCSI_GOOD;
	scsi_task_release(t);
}

static void done_io(struct volume_io *io, int status)
{
	(void)io;
	b.done++;
	b.failed += status != 0;
}

static uint32_t next_lba(void)
{
	b.lba = (b.lba * 1664525 + 1013904223) & 0xffffffff;
	return b.lba % (BLOCKS - 8) & ~7u;
}

static void one_block(enum what w)
{
	unsigned i = b.next++ % DEPTH;
	b.iov[i] = (struct iovec){ b.data[i], 4096 };
	b.io[i].op = w == BLOCK_READ ? VOLUME_READ : VOLUME_WRITE;
	b.io[i].flags = 0;
	b.io[i].iov = &b.iov[i];
	b.io[i].iov_count = 1;
	b.io[i].count_blocks = 8;
	b.io[i].lba = next_lba();
	b.io[i].done = done_io;
	volume_submit(b.v, &b.io[i]);
}

static void one_scsi(enum what w)
{
	unsigned i = b.next++ % DEPTH;
	struct scsi_task *t = &b.task[i];
	uint32_t lba = next_lba();
	uint8_t *c = b.cdb[i];
	c[0] = w == SCSI_CMD_READ ? SCSI_READ_10 : SCSI_WRITE_10;
	c[2] = (uint8_t)(lba >> 24);
	c[3] = (uint8_t)(lba >> 16);
	c[4] = (uint8_t)(lba >> 8);
	c[5] = (uint8_t)lba;
	c[8] = 8;
	t->nexus = b.n;
	t->cdb = c;
	t->cdb_len = 16;
	t->tag = i;
	t->done = done_task;
	struct buf_waiter w0;
	if (scsi_task_parse(t)) {
		b.failed++;
		scsi_task_release(t);
		return;
	}
	if (t->direction == SCSI_DATA_OUT && scsi_task_buffer(t, 4096, &w0))
		abort();
	scsi_task_execute(t, t->direction == SCSI_DATA_OUT ? 4096 : 0);
}

static int turn(void *arg)
{
	enum what w = *(enum what *)arg;
	for (unsigned i = 0; i < PER_TURN; i++)
		if (w <= BLOCK_READ)
			one_block(w);
		else
			one_scsi(w);
	return 0;
}

static int open_nexus(void *arg)
{
	struct scsi_nexus_spec s = { .initiator_port = "iqn.bench,i,0x1", .target_port = "iqn.bench:t,t,0x1",
				     .target_device = "iqn.bench:t", .relative_port_id = 1, .port_group = 1, .map = b.map };
	(void)arg;
	return scsi_nexus_new(&s, &b.n);
}

static void closed(void *arg)
{
	*(volatile bool *)arg = true;
}

static int close_nexus(void *arg)
{
	scsi_nexus_close(b.n, closed, arg);
	return 0;
}

static void must(int r, const char *what)
{
	if (r) {
		fprintf(stderr, "scsi_ram: %s: %s\n", what, strerror(-r));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	char dir[512];
	const char *build = getenv("HF_BUILDDIR");
	snprintf(dir, sizeof(dir), "%s/plugins", build ? build : HF_BUILDDIR);
	const char *dirs[] = { dir };
	struct reactor_opts o = { .name = "bench", .cpu = -1 };
	must(reactor_new(&o, &b.r), "reactor");
	must(reactor_start(b.r), "start");
	struct block_opts bo = { .reactors = &b.r, .reactor_count = 1, .plugin_dirs = dirs, .plugin_dir_count = 1 };
	must(block_start(&bo), "block");
	must(scsi_start(&b.r, 1), "scsi");
	struct volume_spec vs = { .name = "bench", .uuid = "6c0e7a3e-5f0b-4a55-9a52-5c7f9d0f3a11", .plugin = "ram",
				  .size_bytes = BLOCKS * 512ull, .block_bytes = 512 };
	must(volume_open(&vs, &b.v), "volume");
	struct scsi_unit_spec us = { .volume = b.v };
	struct scsi_unit *u;
	must(scsi_unit_new(&us, &u), "unit");
	struct scsi_lun_entry e = { .unit = u };
	must(scsi_lun_map_new(&e, 1, &b.map), "map");
	must(reactor_call(b.r, open_nexus, NULL), "nexus");
	printf("%-16s %12s %10s\n", "4 KiB", "ops/s", "ns/op");
	for (enum what w = 0; w < KINDS; w++) {
		double best = 0;
		for (unsigned round = 0; round < 5; round++) {
			uint64_t start = reactor_clock_ns(), end = start + (uint64_t)(seconds * 2e8), now;
			b.done = 0;
			do {
				must(reactor_call(b.r, turn, &w), "turn");
				now = reactor_clock_ns();
			} while (now < end);
			double ops = (double)b.done * 1e9 / (double)(now - start);
			best = ops > best ? ops : best;
		}
		printf("%-16s %12.0f %10.1f\n", names[w], best, 1e9 / best);
	}
	volatile bool over = false;
	must(reactor_call(b.r, close_nexus, (void *)&over), "close");
	while (!over)
		usleep(1000);
	scsi_lun_map_unref(b.map);
	scsi_unit_unref(u);
	scsi_stop();
	must(volume_close(b.v, 1000), "volume close");
	volume_unref(b.v);
	reactor_stop(b.r);
	block_stop();
	reactor_free(b.r);
	return b.failed > 1;             /* the first command hears the unit attention */
}
