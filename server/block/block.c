/* SPDX-License-Identifier: GPL-3.0-or-later */
/* block.c - start and stop of the room: its reactors, their pools, where plugins are. */
#include "block/block_priv.h"

#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>

LOG_TOPIC(block)

struct block_room block_room;
const uint8_t block_zeroes[64 << 10] __attribute__((aligned(4096)));

static _Thread_local struct {
	unsigned generation;
	struct block_thread *thread;
} self;

struct block_thread *block_thread(void)
{
	if (likely(self.generation == block_room.generation && self.thread))
		return self.thread;
	const struct reactor *r = reactor_self();
	assert(r && block_room.by_index[reactor_index(r)]); /* a reactor given to block_start() */
	self.thread = block_room.by_index[reactor_index(r)];
	self.generation = block_room.generation;
	return self.thread;
}

static bool membarrier_ready(void)
{
	long cmds = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	return cmds > 0 && (cmds & MEMBARRIER_CMD_PRIVATE_EXPEDITED) &&
	       syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static void dirs_free(void)
{
	for (unsigned i = 0; i < block_room.plugin_dir_count; i++)
		free(block_room.plugin_dirs[i]);
	free(block_room.plugin_dirs);
	block_room.plugin_dirs = NULL;
	block_room.plugin_dir_count = 0;
}

static int dirs_set(const char *const *dirs, unsigned count)
{
	static const char *const installed[] = { HF_PLUGIN_DIR };
	if (!count) {
		dirs = installed;
		count = 1;
	}
	block_room.plugin_dirs = calloc(count, sizeof(*block_room.plugin_dirs));
	if (!block_room.plugin_dirs)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		block_room.plugin_dirs[i] = strdup(dirs[i]);
		if (!block_room.plugin_dirs[i])
			return -ENOMEM;
		block_room.plugin_dir_count++;
	}
	return 0;
}

int block_start(const struct block_opts *opts)
{
	static unsigned generations;
	if (block_room.generation)
		return -EALREADY;
	if (opts->reactor_count > REACTOR_MAX)
		return -EINVAL;
	int err = dirs_set(opts->plugin_dirs, opts->plugin_dir_count);
	if (err) {
		dirs_free();
		return err;
	}
	memset(block_room.by_index, 0, sizeof(block_room.by_index));
	for (unsigned i = 0; i < opts->reactor_count; i++) {
		struct block_thread *t = &block_room.threads[i];
		t->reactor = opts->reactors[i];
		t->slot = i;
		pool_init(&t->children, t->reactor, sizeof(struct child), 64, CHILD_MAX, CHILD_MAX);
		pool_init(&t->bounce, t->reactor, BOUNCE_BYTES, 4096, BOUNCE_MAX, POOL_KEEP);
		pool_init(&t->scratch, t->reactor, SCRATCH_BYTES, 4096, SCRATCH_MAX, POOL_KEEP);
		pool_init(&t->copies, t->reactor, copy_bytes, 4096, COPY_MAX, 0);
		crypt_thread_init(t);
		block_room.by_index[reactor_index(t->reactor)] = t;
	}
	block_room.reactor_count = opts->reactor_count;
	block_room.open_path = opts->open_path;
	block_room.have_membarrier = membarrier_ready();
	block_room.generation = ++generations;
	return 0;
}

void block_stop(void)
{
	if (!block_room.generation)
		return;
	for (unsigned i = 0; i < block_room.reactor_count; i++) {
		pool_done(&block_room.threads[i].children);
		pool_done(&block_room.threads[i].bounce);
		pool_done(&block_room.threads[i].scratch);
		pool_done(&block_room.threads[i].copies);
		crypt_thread_done(&block_room.threads[i]);
	}
	plugin_stop();
	dirs_free();
	block_room.reactor_count = 0;
	block_room.generation = 0;
}
