/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_client.c - holdfast-remote as an initiator, through libiscsi: the self-test of a target, and reading a whole LUN.
 * Built with the system's headers before ours: both have an iscsi/iscsi.h. */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "remote/worker_priv.h"

#define CHUNK_BYTES (1u << 20)
#define INITIATOR "iqn.2026-11.org.holdfast:remote"
#define TIMEOUT_S 30
#define MEASURE_READS 64
#define MEASURE_BYTES (16u << 20)

struct initiator {
	struct iscsi_context *ctx;
	int lun;
	uint32_t block_bytes, chunk_blocks;
	uint64_t blocks;
	bool thin, zeroes;
};

static struct iscsi_context *context_new(const json_t *job, bool chap)
{
	const char *name = job_text(job, "initiator");
	struct iscsi_context *ctx = iscsi_create_context(name ? name : INITIATOR);
	if (!ctx)
		out_end(false, "out of memory");
	iscsi_set_timeout(ctx, TIMEOUT_S);
	iscsi_set_noautoreconnect(ctx, 1);
	iscsi_set_header_digest(ctx, ISCSI_HEADER_DIGEST_NONE_CRC32C);
	if (chap && job_text(job, "user") && job_text(job, "password")) {
		iscsi_set_initiator_username_pwd(ctx, job_text(job, "user"), job_text(job, "password"));
		if (job_text(job, "mutual_user") && job_text(job, "mutual_password"))
			iscsi_set_target_username_pwd(ctx, job_text(job, "mutual_user"), job_text(job, "mutual_password"));
	}
	return ctx;
}

static void portal_text(const struct remote_url *u, char out[320])
{
	snprintf(out, 320, strchr(u->host, ':') ? "[%s]:%u" : "%s:%u", u->host, u->port ? u->port : 3260);
}

static const char *reason(struct iscsi_context *ctx)
{
	const char *s = iscsi_get_error(ctx);
	return s && *s ? s : "no answer in time";
}

/* A task that ended well, or NULL; frees others. */
static struct scsi_task *good(struct scsi_task *t)
{
	if (t && t->status == SCSI_STATUS_GOOD)
		return t;
	if (t)
		scsi_free_scsi_task(t);
	return NULL;
}

static bool read_blocks(struct initiator *c, uint64_t lba, uint32_t count, uint8_t *out)
{
	struct scsi_task *t = good(iscsi_read16_sync(c->ctx, c->lun, lba, count * c->block_bytes, (int)c->block_bytes, 0, 0, 0, 0, 0));
	bool whole = t && (uint32_t)t->datain.size == count * c->block_bytes;
	if (whole)
		memcpy(out, t->datain.data, count * c->block_bytes);
	if (t)
		scsi_free_scsi_task(t);
	return whole;
}

static bool write_blocks(struct initiator *c, uint64_t lba, uint32_t count, uint8_t *data)
{
	struct scsi_task *t = good(iscsi_write16_sync(c->ctx, c->lun, lba, data, count * c->block_bytes, (int)c->block_bytes, 0, 0, 0, 0, 0));
	if (t)
		scsi_free_scsi_task(t);
	return t != NULL;
}

/* ---- what it is ------------------------------------------------------------------------------------------------------ */
static void copy_trimmed(char *to, size_t bytes, const char *from, size_t most)
{
	size_t n = strnlen(from, most);
	while (n && from[n - 1] == ' ')
		n--;
	while (n && *from == ' ') {
		from++;
		n--;
	}
	snprintf(to, bytes, "%.*s", (int)n, from);
	for (char *p = to; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
}

static struct scsi_task *vpd(struct initiator *c, int page)
{
	return good(iscsi_inquiry_sync(c->ctx, c->lun, 1, page, 252));
}

/* The NAA name that hosts prefer: format 6, else what there is. */
static void naa_read(struct initiator *c, char naa[40])
{
	struct scsi_task *t = vpd(c, SCSI_INQUIRY_PAGECODE_DEVICE_IDENTIFICATION);
	struct scsi_inquiry_device_identification *id = t ? scsi_datain_unmarshall(t) : NULL;
	naa[0] = '\0';
	for (struct scsi_inquiry_device_designator *d = id ? id->designators : NULL; d; d = d->next) {
		bool sixteen = d->designator_length == 16;
		if (d->designator_type != SCSI_DESIGNATOR_TYPE_NAA || d->association != SCSI_ASSOCIATION_LOGICAL_UNIT || (!sixteen && d->designator_length != 8) || (*naa && !sixteen))
			continue;
		snprintf(naa, 5, "naa.");
		hex_write(d->designator, sixteen ? 16 : 8, naa + 4);
	}
	if (t)
		scsi_free_scsi_task(t);
}

static json_t *facts(struct initiator *c)
{
	char vendor[9] = "", product[17] = "", serial[37] = "", naa[40];
	struct scsi_task *t = good(iscsi_inquiry_sync(c->ctx, c->lun, 0, 0, 96));
	struct scsi_inquiry_standard *q = t ? scsi_datain_unmarshall(t) : NULL;
	if (q) {
		copy_trimmed(vendor, sizeof(vendor), q->vendor_identification, 8);
		copy_trimmed(product, sizeof(product), q->product_identification, 16);
	}
	bool is_disk = q && q->device_type == SCSI_INQUIRY_PERIPHERAL_DEVICE_TYPE_DIRECT_ACCESS;
	if (t)
		scsi_free_scsi_task(t);
	t = vpd(c, SCSI_INQUIRY_PAGECODE_UNIT_SERIAL_NUMBER);
	struct scsi_inquiry_unit_serial_number *s = t ? scsi_datain_unmarshall(t) : NULL;
	if (s && s->usn)
		copy_trimmed(serial, sizeof(serial), s->usn, 252);
	if (t)
		scsi_free_scsi_task(t);
	naa_read(c, naa);
	return json_pack("{s:b, s:s, s:s, s:s, s:s, s:I, s:i, s:b}", "disk", is_disk, "vendor", vendor, "product", product, "serial", serial, "naa", naa, "size_bytes",
			 (json_int_t)(c->blocks * c->block_bytes), "block_size", (int)c->block_bytes, "thin", c->thin);
}

/* Waits for the unit attentions that a new session begins with. */
static bool capacity_read(struct initiator *c)
{
	struct scsi_task *t = NULL;
	for (int i = 0; i < 8 && !t; i++) {
		t = good(iscsi_testunitready_sync(c->ctx, c->lun));
	}
	if (t)
		scsi_free_scsi_task(t);
	t = good(iscsi_readcapacity16_sync(c->ctx, c->lun));
	struct scsi_readcapacity16 *r = t ? scsi_datain_unmarshall(t) : NULL;
	if (r) {
		c->block_bytes = r->block_length;
		c->blocks = r->returned_lba + 1;
		c->thin = r->lbpme;
		c->zeroes = r->lbprz;
	}
	if (t)
		scsi_free_scsi_task(t);
	/* What a foreign server says is not believed before it is looked at. */
	if (!r || (c->block_bytes != 512 && c->block_bytes != 4096) || !c->blocks || c->blocks > (UINT64_C(1) << 56) / c->block_bytes)
		return false;
	c->chunk_blocks = CHUNK_BYTES / c->block_bytes;
	t = vpd(c, SCSI_INQUIRY_PAGECODE_BLOCK_LIMITS);
	struct scsi_inquiry_block_limits *l = t ? scsi_datain_unmarshall(t) : NULL;
	if (l && l->max_xfer_len && l->max_xfer_len < c->chunk_blocks)
		c->chunk_blocks = l->max_xfer_len;
	if (t)
		scsi_free_scsi_task(t);
	return true;
}

/* ---- the self-test ------------------------------------------------------------------------------------------------------ */
/* Discovery asks for CHAP of its own, or for none. */
static struct iscsi_context *discovery_open(const json_t *job, const char *portal)
{
	struct iscsi_context *ctx = NULL;
	for (int chap = 0; chap < 2; chap++) {
		if (ctx)
			iscsi_destroy_context(ctx);
		ctx = context_new(job, chap);
		iscsi_set_session_type(ctx, ISCSI_SESSION_DISCOVERY);
		if (iscsi_connect_sync(ctx, portal) == 0 && iscsi_login_sync(ctx) == 0)
			return ctx;
	}
	step_failed("discovery may ask for CHAP of another host: holdfast setting get iscsi_discovery_host", "%s", reason(ctx));
	iscsi_destroy_context(ctx);
	return NULL;
}

static void test_discover(const json_t *job, const char *portal, const char *target)
{
	bool listed = false;
	step_begin("discover");
	struct iscsi_context *ctx = discovery_open(job, portal);
	if (!ctx)
		return;
	struct iscsi_discovery_address *list = iscsi_discovery_sync(ctx);
	for (struct iscsi_discovery_address *a = list; a; a = a->next)
		listed |= strcmp(a->target_name, target) == 0;
	if (listed)
		step_ok("the portal offers the target");
	else
		step_failed("allow the host (holdfast target allow), enable the target, or see its portal groups", "the portal does not offer %s to this host", target);
	if (list)
		iscsi_free_discovery_data(ctx, list);
	iscsi_logout_sync(ctx);
	iscsi_destroy_context(ctx);
}

static bool test_log_in(struct initiator *c, const char *portal, const char *target)
{
	step_begin("connect");
	if (iscsi_connect_sync(c->ctx, portal)) {
		step_failed("see whether the portal listens: holdfast portal list; and whether a firewall is in between", "%s: %s", portal, reason(c->ctx));
		return false;
	}
	step_ok("%s takes connections", portal);
	step_begin("log in");
	iscsi_set_targetname(c->ctx, target);
	iscsi_set_session_type(c->ctx, ISCSI_SESSION_NORMAL);
	if (iscsi_login_sync(c->ctx)) {
		step_failed("see: holdfast refused list; the host's names, addresses and CHAP secret decide", "%s", reason(c->ctx));
		return false;
	}
	step_ok("logged in to %s", target);
	return true;
}

static bool test_identify(struct initiator *c)
{
	step_begin("identify");
	if (!capacity_read(c)) {
		step_failed("is a volume attached at this LUN, and online? holdfast target show, holdfast volume list", "LUN %d tells no capacity: %s", c->lun, reason(c->ctx));
		return false;
	}
	json_t *f = facts(c);
	step_ok("LUN %d: %s %s, serial %s, %s, %llu blocks of %u bytes%s", c->lun, job_text(f, "vendor") ? job_text(f, "vendor") : "", job_text(f, "product") ? job_text(f, "product") : "",
		job_text(f, "serial") ? job_text(f, "serial") : "none", job_text(f, "naa") ? job_text(f, "naa") : "no NAA name", (unsigned long long)c->blocks, c->block_bytes, c->thin ? ", thin" : "");
	json_decref(f);
	return true;
}

static void test_reservation(struct initiator *c)
{
	step_begin("reservation");
	struct scsi_task *t = good(iscsi_persistent_reserve_in_sync(c->ctx, c->lun, SCSI_PERSISTENT_RESERVE_READ_RESERVATION, 64));
	struct scsi_persistent_reserve_in_read_reservation *r = t ? scsi_datain_unmarshall(t) : NULL;
	if (r && r->reserved)
		step_ok("held with key %llx: only its holders may write", (unsigned long long)r->reservation_key);
	else if (r)
		step_ok("nobody holds one");
	else
		step_failed(NULL, "PERSISTENT RESERVE IN: %s", reason(c->ctx));
	if (t)
		scsi_free_scsi_task(t);
}

static void test_read(struct initiator *c, uint8_t *buf)
{
	uint32_t n = c->chunk_blocks < c->blocks ? c->chunk_blocks : (uint32_t)c->blocks;
	step_begin("read");
	if (read_blocks(c, 0, 1, buf) && read_blocks(c, c->blocks - n, n, buf))
		step_ok("the first block and the last %u", n);
	else
		step_failed("see the volume's state and the log of holdfastd", "%s", reason(c->ctx));
}

/* The last blocks, which are put back as they were. */
static void test_write(struct initiator *c, uint8_t *buf, const json_t *job)
{
	uint32_t n = c->blocks < 8 ? (uint32_t)c->blocks : 8, bytes = n * c->block_bytes;
	uint64_t lba = c->blocks - n;
	uint8_t *mine = buf + bytes, *back = buf + 2 * bytes;
	step_begin("write");
	if (!job_true(job, "write")) {
		step_skipped("%s", job_text(job, "why_no_write") ? job_text(job, "why_no_write") : "not asked for");
		return;
	}
	for (uint32_t i = 0; i < bytes; i++)
		mine[i] = (uint8_t)(i * 7 + 13);
	if (!read_blocks(c, lba, n, buf)) {
		step_failed(NULL, "the blocks cannot be read first: %s", reason(c->ctx));
		return;
	}
	bool wrote = write_blocks(c, lba, n, mine), same = wrote && read_blocks(c, lba, n, back) && memcmp(mine, back, bytes) == 0;
	char why[200];
	snprintf(why, sizeof(why), "%s", reason(c->ctx));
	bool restored = !wrote || write_blocks(c, lba, n, buf);
	if (!restored)
		step_failed("the last blocks of the volume hold a test pattern: restore them from a backup if they were in use", "what was there could not be put back: %s", reason(c->ctx));
	else if (!wrote)
		step_failed("is it read-only, reserved, or its pool full? holdfast volume show", "%s", why);
	else if (!same)
		step_failed("see the log of holdfastd and of the kernel: the disk may be broken", "what was read is not what was written");
	else
		step_ok("%u blocks at the end, read back equal, and put back as they were", n);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void test_measure(struct initiator *c, uint8_t *buf)
{
	uint64_t took[MEASURE_READS], done = 0;
	uint32_t n = 4096 / c->block_bytes;
	step_begin("measure");
	if (c->blocks < n) {
		step_skipped("the disk is too small");
		return;
	}
	for (unsigned i = 0; i < MEASURE_READS; i++) {
		uint64_t at = now_us();
		if (!read_blocks(c, c->blocks / MEASURE_READS * i % (c->blocks - n + 1), n, buf)) {
			step_failed(NULL, "%s", reason(c->ctx));
			return;
		}
		took[i] = now_us() - at;
	}
	qsort(took, MEASURE_READS, sizeof(took[0]), by_size);
	uint64_t start = now_us();
	for (uint64_t lba = 0; done < MEASURE_BYTES && lba + c->chunk_blocks <= c->blocks; lba += c->chunk_blocks) {
		if (!read_blocks(c, lba, c->chunk_blocks, buf)) {
			step_failed(NULL, "%s", reason(c->ctx));
			return;
		}
		done += (uint64_t)c->chunk_blocks * c->block_bytes;
	}
	uint64_t us = now_us() - start;
	step_ok("4 KiB reads one at a time: median %llu us, slowest %llu us; %llu MB/s in large reads, one at a time", (unsigned long long)took[MEASURE_READS / 2],
		(unsigned long long)took[MEASURE_READS - 1], (unsigned long long)(us ? done / us : 0));
}

void iscsi_test_run(const json_t *job, const struct remote_url *u)
{
	struct initiator c = { .lun = (int)u->lun };
	uint8_t *buf = malloc(4 * CHUNK_BYTES);
	char portal[320];
	portal_text(u, portal);
	if (!buf)
		out_end(false, "out of memory");
	if (!test_resolve(u->host))
		return;
	c.ctx = context_new(job, true);
	test_discover(job, portal, u->share);
	if (!test_log_in(&c, portal, u->share))
		return;
	if (json_is_false(json_object_get(job, "has_lun"))) {
		step_begin("identify");
		step_failed("attach a volume: holdfast target attach", "the target has no LUN for this host");
	} else if (test_identify(&c)) {
		test_reservation(&c);
		test_read(&c, buf);
		test_write(&c, buf, job);
		test_measure(&c, buf);
	}
	step_begin("log out");
	if (iscsi_logout_sync(c.ctx))
		step_failed(NULL, "%s", reason(c.ctx));
	else
		step_ok("logged out");
	free(buf);
}

/* ---- reading a whole LUN ---------------------------------------------------------------------------------------------------- */
static void connect_again(struct initiator *c, const json_t *job, const struct remote_url *u)
{
	char portal[320];
	portal_text(u, portal);
	if (c->ctx)
		iscsi_destroy_context(c->ctx);
	c->ctx = context_new(job, true);
	iscsi_set_targetname(c->ctx, u->share);
	iscsi_set_session_type(c->ctx, ISCSI_SESSION_NORMAL);
	if (iscsi_connect_sync(c->ctx, portal) || iscsi_login_sync(c->ctx))
		out_end(false, "%s: %s", portal, reason(c->ctx));
	if (!capacity_read(c))
		out_end(false, "LUN %d is no disk that can be read: %s", c->lun, reason(c->ctx));
}

/* How many blocks from lba on are alike, and whether there is nothing in them. */
static uint64_t run_at(struct initiator *c, uint64_t lba, bool *ret_hole)
{
	*ret_hole = false;
	if (!c->thin)
		return c->blocks - lba;
	struct scsi_task *t = good(iscsi_get_lba_status_sync(c->ctx, c->lun, lba, 8 + 16));
	struct scsi_get_lba_status *s = t ? scsi_datain_unmarshall(t) : NULL;
	uint64_t run = 0;
	if (s && s->num_descriptors && s->descriptors[0].lba <= lba && s->descriptors[0].num_blocks > lba - s->descriptors[0].lba) {
		run = s->descriptors[0].num_blocks - (lba - s->descriptors[0].lba);
		*ret_hole = s->descriptors[0].provisioning == SCSI_PROVISIONING_TYPE_DEALLOCATED;
	}
	if (t)
		scsi_free_scsi_task(t);
	if (!run) {
		c->thin = false;         /* it does not tell: everything is read */
		return c->blocks - lba;
	}
	return run < c->blocks - lba ? run : c->blocks - lba;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void pass(struct initiator *c, const json_t *job, const struct remote_url *u, uint64_t lba, uint8_t *buf)
{
	bool thin = c->thin;
	unsigned again = 0;
	while (lba < c->blocks) {
		bool hole;
		uint64_t run = run_at(c, lba, &hole);
		if (hole) {
			out_zero(lba * c->block_bytes, run * c->block_bytes);
			lba += run;
			continue;
		}
		for (uint64_t end = lba + run; lba < end;) {
			uint32_t n = end - lba < c->chunk_blocks ? (uint32_t)(end - lba) : c->chunk_blocks;
			if (!read_blocks(c, lba, n, buf)) {
				/* The line may have broken: once more on a new one, and then it is an error. */
				if (again++ >= 3)
					out_end(false, "block %llu cannot be read: %s", (unsigned long long)lba, reason(c->ctx));
				out_log("warning", "block %llu: %s; logging in again", (unsigned long long)lba, reason(c->ctx));
				connect_again(c, job, u);
				break;
			}
			again = 0;
			if (is_zero(buf, (size_t)n * c->block_bytes))
				out_zero(lba * c->block_bytes, (uint64_t)n * c->block_bytes);
			else
				out_data(lba * c->block_bytes, buf, (size_t)n * c->block_bytes);
			lba += n;
			rate_spend((uint64_t)n * c->block_bytes);
		}
	}
	c->thin = thin;
}

void iscsi_copy_run(const json_t *job, const struct remote_url *u)
{
	struct initiator c = { .lun = (int)u->lun };
	uint8_t *buf = malloc(CHUNK_BYTES);
	if (!buf)
		out_end(false, "out of memory");
	connect_again(&c, job, u);
	uint64_t blocks = c.blocks;
	json_t *f = facts(&c);
	if (!job_true(f, "disk"))
		out_end(false, "LUN %d is no disk", c.lun);
	out_json(REMOTE_FACTS, f);
	uint64_t from = wait_for_go();
	if (from % c.block_bytes)
		out_end(false, "the place to go on from is no block");
	pass(&c, job, u, from / c.block_bytes, buf);
	out_json(REMOTE_PROGRESS, json_pack("{s:s}", "phase", "copied"));
	if (job_true(job, "verify"))
		pass(&c, job, u, 0, buf);
	if (c.blocks != blocks)
		out_end(false, "the size of the LUN changed meanwhile");
	iscsi_logout_sync(c.ctx);
	out_end(true, "%llu blocks of %u bytes", (unsigned long long)c.blocks, c.block_bytes);
}
