/* SPDX-License-Identifier: GPL-3.0-or-later */
/* replay.c - runs a fuzz target without a fuzzer: each file of its corpus once as it is, then
 * HF_FUZZ_RUNS seeded mutations of each (default 300), as TAP.  With arguments: just those files,
 * which is how a crash is looked at in a debugger.
 *
 * The same seed gives the same inputs everywhere, so a failure here is repeatable. */
#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "core/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

enum { INPUT_MAX_BYTES = 1 << 20 };

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int file_read(const char *path, uint8_t *buf, size_t cap_bytes, size_t *ret_len_bytes)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return -errno;
	size_t n = fread(buf, 1, cap_bytes, f);
	int r = ferror(f) ? -EIO : 0;
	fclose(f);
	if (r == 0)
		*ret_len_bytes = n;
	return r;
}

/* The input lies in a heap block of exactly its size, so that ASan sees the first byte beyond. */
static int run_exact(const uint8_t *data, size_t len_bytes)
{
	_cleanup_(freep) uint8_t *copy = malloc(len_bytes ? len_bytes : 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len_bytes);
	(void)LLVMFuzzerTestOneInput(copy, len_bytes);
	return 0;
}

/* Changes the input in place and returns its new length: one to four flips, sets, cuts, repeats. */
static size_t mutate(uint8_t *data, size_t len_bytes, size_t cap_bytes, uint64_t *rng)
{
	static const uint8_t loud[] = { 0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xff };
	unsigned steps = 1 + (unsigned)(next_random(rng) % 4);
	while (steps--) {
		size_t at = len_bytes ? (size_t)(next_random(rng) % len_bytes) : 0;
		switch (len_bytes ? next_random(rng) % 5 : 4) {
		case 0:
			data[at] ^= (uint8_t)(1u << next_random(rng) % 8);
			break;
		case 1:
			data[at] = loud[next_random(rng) % sizeof(loud)];
			break;
		case 2:
			len_bytes = at;
			break;
		case 3: {                     /* repeat a piece at the end */
			size_t n = (size_t)min_u64(len_bytes - at, cap_bytes - len_bytes);
			memcpy(data + len_bytes, data + at, n);
			len_bytes += n;
			break;
		}
		default:
			if (len_bytes < cap_bytes)
				data[len_bytes++] = (uint8_t)next_random(rng);
		}
	}
	return len_bytes;
}

static int replay_file(const char *path, unsigned mutations)
{
	_cleanup_(freep) uint8_t *seed = malloc(INPUT_MAX_BYTES);
	_cleanup_(freep) uint8_t *work = malloc(INPUT_MAX_BYTES);
	if (!seed || !work)
		return -ENOMEM;
	size_t len_bytes;
	int r = file_read(path, seed, INPUT_MAX_BYTES, &len_bytes);
	if (r < 0)
		return r;
	r = run_exact(seed, len_bytes);
	uint64_t rng = 0x9e3779b97f4a7c15u ^ len_bytes;
	for (unsigned i = 0; i < mutations && r == 0; i++) {
		memcpy(work, seed, len_bytes);
		r = run_exact(work, mutate(work, len_bytes, INPUT_MAX_BYTES, &rng));
	}
	return r;
}

static int is_entry(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *name = basename(argv[0]);
	if (strncmp(name, "lt-", 3) == 0)
		name += 3;
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (argc > 1) {
		for (int i = 1; i < argc; i++) {
			int r = replay_file(argv[i], 0);
			printf("%s: %s\n", argv[i], r < 0 ? strerror(-r) : "ok");
			if (r < 0)
				return 1;
		}
		return 0;
	}

	const char *srcdir = getenv("HF_SRCDIR"), *runs = getenv("HF_FUZZ_RUNS");
	unsigned mutations = runs ? (unsigned)strtoul(runs, NULL, 10) : 300;
	char dir[4096];
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : HF_SRCDIR, name);
	struct dirent **entries;
	int count = scandir(dir, &entries, is_entry, alphasort);
	if (count <= 0) {
		printf("1..1\nnot ok 1 - %s: no corpus\n", dir);
		return 1;
	}
	int failed = 0;
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		char path[8192];
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		fflush(stdout);
		int r = replay_file(path, mutations);
		failed |= r < 0;
		printf("%sok %d - %s%s%s\n", r < 0 ? "not " : "", i + 1, entries[i]->d_name,
		       r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
		free(entries[i]);
	}
	free(entries);
	return failed;
}
