/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load_verify.c - what must be on the volume: a pattern that names its place and its version.
 *
 * Each block holds a magic word, its LBA, the version and a stream made from both, so a block
 * that is stale, torn, misplaced or foreign is told apart.  Per cell three versions are kept:
 *
 *	floor <= acked <= issued
 *
 * While the server lives, a read must give acked (no write to the cell is in flight when it is
 * read).  When the server was killed, acknowledged but unflushed writes may be gone: then acked
 * falls back to floor, and every block may have any version of floor..issued, each for itself.
 *
 * The journal is text, one line per cell that a flush made durable, "f CELL VERSION", appended
 * when the flush is acknowledged; so another process can check the same volume later. */
#include "load.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define PATTERN_MAGIC 0x484f4c4446415354u   /* "HOLDFAST" */
enum { COMPLAINTS_MAX = 20 };

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185u;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44du;
	return x ^ x >> 33;
}

static void block_fill(uint8_t *block, uint32_t block_bytes, uint64_t lba, uint64_t version)
{
	uint64_t head[3] = { PATTERN_MAGIC, lba, version }, word = mix(lba ^ mix(version));
	memcpy(block, head, sizeof(head));
	for (uint32_t at = sizeof(head); at < block_bytes; at += 8) {
		word = word * 0xd1342543de82ef95u + 0x9e3779b97f4a7c15u;
		memcpy(block + at, &word, 8);
	}
}

static bool block_is(const uint8_t *block, uint32_t block_bytes, uint64_t lba, uint64_t version)
{
	uint64_t word = mix(lba ^ mix(version)), there;
	for (uint32_t at = 24; at < block_bytes; at += 8) {
		word = word * 0xd1342543de82ef95u + 0x9e3779b97f4a7c15u;
		memcpy(&there, block + at, 8);
		if (there != word)
			return false;
	}
	return true;
}

static int journal_load(struct verify *v, const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return errno == ENOENT ? 0 : -errno;
	char line[128];
	int r = 0;
	while (r == 0 && fgets(line, sizeof(line), f)) {
		uint64_t cell, version;
		if (!strchr(line, '\n'))
			break;                /* the writer was killed in its last line */
		if (sscanf(line, "f %" SCNu64 " %" SCNu64, &cell, &version) != 2 || cell >= v->count) {
			fprintf(stderr, "%s: not a journal of this span and I/O size: %s", path, line);
			r = -EINVAL;
			break;
		}
		struct cell *c = &v->cells[cell];
		c->floor = max_u64(c->floor, version);
		c->acked = c->floor;
		v->next_version = max_u64(v->next_version, version + 1);
	}
	/* What a killed writer had in flight is not in the journal: anything newer may be there. */
	for (uint64_t i = 0; i < v->count; i++)
		v->cells[i].issued = v->cells[i].floor ? UINT64_MAX : 0;
	fclose(f);
	return r;
}

int verify_open(struct verify *v, const struct load_opts *o, uint32_t block_bytes, uint64_t first_lba)
{
	v->block_bytes = block_bytes;
	v->cell_bytes = o->io_bytes;
	v->first_lba = first_lba;
	v->count = o->span_bytes / o->io_bytes;
	/* Above all that an earlier run wrote, as long as clocks do not go backwards. */
	v->next_version = (uint64_t)time(NULL) << 24;
	v->cells = calloc(v->count, sizeof(*v->cells));
	if (!v->cells)
		return -ENOMEM;
	if (!o->journal)
		return 0;
	int r = journal_load(v, o->journal);
	if (r < 0 || o->check_only)
		return r;
	v->journal = fopen(o->journal, "a");
	return v->journal ? 0 : -errno;
}

void verify_close(struct verify *v)
{
	if (v->journal)
		fclose(v->journal);
	free(v->cells);
	free(v->fresh);
	free(v->flushing);
	*v = (struct verify){ 0 };
}

uint64_t verify_write_start(struct verify *v, uint32_t cell, void *buf)
{
	struct cell *c = &v->cells[cell];
	uint64_t version = v->next_version++;
	uint32_t per_cell = v->cell_bytes / v->block_bytes;
	c->issued = version;
	c->writing = true;
	for (uint32_t i = 0; i < per_cell; i++)
		block_fill((uint8_t *)buf + (size_t)i * v->block_bytes, v->block_bytes,
			   v->first_lba + (uint64_t)cell * per_cell + i, version);
	return version;
}

static int durable(struct verify *v, uint32_t cell, uint64_t version)
{
	v->cells[cell].floor = max_u64(v->cells[cell].floor, version);
	if (v->journal && fprintf(v->journal, "f %" PRIu32 " %" PRIu64 "\n", cell, version) < 0)
		return -EIO;
	return 0;
}

int verify_write_done(struct verify *v, uint32_t cell, uint64_t version, bool is_durable)
{
	struct cell *c = &v->cells[cell];
	c->acked = version;
	c->writing = false;
	if (is_durable) {
		int r = durable(v, cell, version);
		return r < 0 ? r : v->journal && fflush(v->journal) ? -EIO : 0;
	}
	if (v->fresh_count == v->pending_cap) {
		size_t cap = v->pending_cap ? v->pending_cap * 2 : 1024;
		struct pending *a = realloc(v->fresh, cap * sizeof(*a));
		if (a)
			v->fresh = a;
		struct pending *b = a ? realloc(v->flushing, cap * sizeof(*b)) : NULL;
		if (!b)
			return -ENOMEM;
		v->flushing = b;
		v->pending_cap = cap;
	}
	v->fresh[v->fresh_count++] = (struct pending){ cell, version };
	return 0;
}

/* Only writes acknowledged before the flush is sent are covered by it. */
void verify_flush_start(struct verify *v)
{
	struct pending *p = v->flushing;
	v->flushing = v->fresh;
	v->flushing_count = v->fresh_count;
	v->fresh = p;
	v->fresh_count = 0;
}

int verify_flush_done(struct verify *v)
{
	v->flushes++;
	for (size_t i = 0; i < v->flushing_count; i++) {
		int r = durable(v, v->flushing[i].cell, v->flushing[i].version);
		if (r < 0)
			return r;
	}
	v->flushing_count = 0;
	return v->journal && fflush(v->journal) ? -EIO : 0;
}

void verify_lost(struct verify *v)
{
	for (uint64_t i = 0; i < v->count; i++) {
		v->cells[i].acked = v->cells[i].floor;
		v->cells[i].writing = false;
		v->cells[i].readers = 0;
	}
	v->fresh_count = v->flushing_count = 0;
}

static const char *judge(const struct cell *c, const uint8_t *block, uint32_t block_bytes, uint64_t lba)
{
	uint64_t head[3];
	if (c->acked == 0)
		return NULL;                  /* never made durable: anything may be there */
	memcpy(head, block, sizeof(head));
	if (head[0] != PATTERN_MAGIC)
		return "not our pattern: an acknowledged write is gone";
	if (head[1] != lba)
		return "the block of another place";
	if (head[2] < c->acked)
		return "stale: an acknowledged write is gone";
	if (head[2] > c->issued)
		return "a version that was never written";
	return block_is(block, block_bytes, lba, head[2]) ? NULL : "torn inside the block";
}

bool verify_read(struct verify *v, uint32_t cell, uint32_t offset_bytes, const void *data, uint32_t len_bytes)
{
	uint64_t lba = v->first_lba +
		       ((uint64_t)cell * v->cell_bytes + offset_bytes) / v->block_bytes;
	bool good = true;
	for (uint32_t at = 0; at + v->block_bytes <= len_bytes; at += v->block_bytes, lba++) {
		const uint8_t *block = (const uint8_t *)data + at;
		const char *why = judge(&v->cells[cell], block, v->block_bytes, lba);
		v->checked_blocks++;
		if (!why)
			continue;
		good = false;
		if (v->bad_blocks++ < COMPLAINTS_MAX) {
			uint64_t head[3];
			memcpy(head, block, sizeof(head));
			fprintf(stderr, "lba %" PRIu64 " (cell %" PRIu32 "): %s; floor %" PRIu64 " acked %"
				PRIu64 " issued %" PRIu64 ", there: magic %" PRIx64 " lba %" PRIu64
				" version %" PRIu64 "\n", lba, cell, why, v->cells[cell].floor,
				v->cells[cell].acked, v->cells[cell].issued, head[0], head[1], head[2]);
		}
	}
	return good;
}
