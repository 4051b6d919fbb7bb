/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - the real target on real reactors over loopback, and an initiator that says what it is
 * told to, wrong things included: one PDU out, one PDU in. */
#ifndef HOLDFAST_TESTS_ISCSI_RIG_H
#define HOLDFAST_TESTS_ISCSI_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <pthread.h>

#include "block/block.h"
#include "core/core.h"
#include "iscsi/iscsi.h"
#include "iscsi/pdu.h"
#include "iscsi/text.h"
#include "scsi/scsi.h"


#define TARGET "iqn.2026-11.com.example:t1"
#define HOST "iqn.2026-11.com.example:host"
#define BLOCKS 16384u
#define RIG_LUNS 2

struct rig {
	struct reactor *reactor[2];
	struct volume *volume[RIG_LUNS];
	struct scsi_unit *unit[RIG_LUNS];
	struct iscsi_lun luns[RIG_LUNS];
	struct iscsi_target *target;
	struct iscsi_portal *portal;
	uint16_t port;
	pthread_mutex_t lock;
	_Atomic unsigned events[ISCSI_CONNECTION_LOST + 1];
	char reason[256];                /* of the last refusal or loss */
};

static inline void rig_event(void *arg, const struct iscsi_event *e)
{
	struct rig *g = arg;
	pthread_mutex_lock(&g->lock);
	g->events[e->kind]++;
	if (e->reason && e->reason[0])
		snprintf(g->reason, sizeof(g->reason), "%s", e->reason);
	pthread_mutex_unlock(&g->lock);
}

/* Why the last one was refused or lost; until the next call. */
static inline const char *rig_reason(struct rig *g)
{
	static char reason[sizeof(g->reason)];
	pthread_mutex_lock(&g->lock);
	memcpy(reason, g->reason, sizeof(reason));
	pthread_mutex_unlock(&g->lock);
	return reason;
}

static inline struct iscsi_target_spec rig_spec(struct rig *g)
{
	return (struct iscsi_target_spec){
		.name = TARGET, .alias = "first", .enabled = true, .luns = g->luns, .lun_count = RIG_LUNS, .allow_any = true,
	};
}

/* plugin: "ram", or "fault:ram" with settings. */
static inline void rig_start_on(struct rig *g, const struct iscsi_opts *opts, const char *plugin,
				const struct volume_setting *settings, size_t setting_count)
{
	static char dir[512];
	const char *build = getenv("HF_BUILDDIR");
	snprintf(dir, sizeof(dir), "%s/plugins", build ? build : HF_BUILDDIR);
	const char *dirs[] = { dir };
	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->lock, NULL);
	for (unsigned i = 0; i < 2; i++) {
		const struct reactor_opts o = { .name = i ? "rig1" : "rig0", .engine = REACTOR_AUTO, .cpu = -1 };
		assert_int_equal(reactor_new(&o, &g->reactor[i]), 0);
		assert_int_equal(reactor_start(g->reactor[i]), 0);
	}
	const struct block_opts b = { .reactors = g->reactor, .reactor_count = 2, .plugin_dirs = dirs, .plugin_dir_count = 1 };
	assert_int_equal(block_start(&b), 0);
	assert_int_equal(scsi_start(g->reactor, 2), 0);
	struct iscsi_opts o = opts ? *opts : (struct iscsi_opts){ 0 };
	o.reactors = g->reactor;
	o.reactor_count = 2;
	o.event = rig_event;
	o.event_arg = g;
	assert_int_equal(iscsi_start(&o), 0);
	for (unsigned i = 0; i < RIG_LUNS; i++) {
		char uuid[40];
		snprintf(uuid, sizeof(uuid), "11111111-2222-4333-8444-55555555550%u", i);
		const struct volume_spec v = { .name = "v", .uuid = uuid, .plugin = plugin, .size_bytes = BLOCKS * 512ull, .block_bytes = 512,
					       .settings = settings, .setting_count = setting_count };
		assert_int_equal(volume_open(&v, &g->volume[i]), 0);
		assert_int_equal(volume_state(g->volume[i]), VOLUME_ONLINE);
		const struct scsi_unit_spec u = { .volume = g->volume[i] };
		assert_int_equal(scsi_unit_new(&u, &g->unit[i]), 0);
		g->luns[i] = (struct iscsi_lun){ .lun = (uint16_t)i, .unit = g->unit[i] };
	}
	char why[256] = "";
	const struct iscsi_target_spec s = rig_spec(g);
	if (iscsi_target_add(&s, &g->target, why, sizeof(why)))
		fail_msg("target: %s", why);
	const struct iscsi_portal_spec p = { .address = "127.0.0.1", .tpgt = 1, .listen_fd = -1 };
	assert_int_equal(iscsi_portal_add(&p, &g->portal), 0);
	g->port = iscsi_portal_port(g->portal);
}
static inline void rig_start(struct rig *g, const struct iscsi_opts *opts)
{
	rig_start_on(g, opts, "ram", NULL, 0);
}
static inline void rig_stop(struct rig *g)
{
	assert_true(iscsi_stop(60000));
	for (unsigned i = 0; i < RIG_LUNS; i++) {
		scsi_unit_unref(g->unit[i]);
		volume_close(g->volume[i], 1000);
		volume_unref(g->volume[i]);
	}
	scsi_stop();
	for (unsigned i = 0; i < 2; i++)
		reactor_stop(g->reactor[i]);
	block_stop();
	for (unsigned i = 0; i < 2; i++)
		reactor_free(g->reactor[i]);
	pthread_mutex_destroy(&g->lock);
}
static inline void rig_sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, (ms % 1000) * 1000000L }, NULL);
}
/* Waits until cond is true, at most 5 s. */
#define rig_wait(cond)                                                 \
	do {                                                           \
		unsigned ms_ = 0;                                      \
		while (!(cond) && ms_++ < 5000)                        \
			rig_sleep_ms(1);                               \
		if (!(cond))                                           \
			fail_msg("waited in vain for %s", #cond);      \
	} while (0)

static inline void rig_count_session(void *arg, const struct iscsi_session_info *s)
{
	(void)s;
	++*(unsigned *)arg;
}
static inline unsigned rig_sessions(void)
{
	unsigned n = 0;
	iscsi_session_each(rig_count_session, &n);
	return n;
}

/* ---- the initiator ----------------------------------------------------------------------------------- */
struct ini {
	int fd;
	uint32_t itt, cmdsn, exp_statsn;
	uint8_t isid[6];
	uint16_t tsih, cid;
	bool header_digest, data_digest;
	/* the last PDU that came */
	uint8_t h[ISCSI_BHS_BYTES];
	uint32_t len;
	uint8_t data[300000];
};

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void put32(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static inline void ini_connect(struct ini *i, uint16_t port)
{
	const struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	memset(i, 0, sizeof(*i));
	i->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(i->fd >= 0);
	assert_int_equal(connect(i->fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	setsockopt(i->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 5, 0 }, sizeof(struct timeval));
	setsockopt(i->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	memcpy(i->isid, "\x00\x02\x3d\x00\x00\x01", 6);
	i->cmdsn = 100;
	i->itt = 1;
}
static inline void ini_close(struct ini *i)
{
	if (i->fd >= 0)
		close(i->fd);
	i->fd = -1;
}
static inline void ini_raw(struct ini *i, const void *p, size_t len)
{
	while (len) {
		ssize_t n = TEMP_FAILURE_RETRY(send(i->fd, p, len, MSG_NOSIGNAL));
		if (n <= 0)
			return;          /* the answer will tell */
		p = (const uint8_t *)p + n;
		len -= (size_t)n;
	}
}
/* h without lengths; ahs may be NULL. */
static inline void ini_send_ahs(struct ini *i, uint8_t *h, const void *ahs, unsigned ahs_words, const void *data, uint32_t len)
{
	static _Thread_local uint8_t buf[400000];
	size_t n = ISCSI_BHS_BYTES + ahs_words * 4u;
	h[4] = (uint8_t)ahs_words;
	h[5] = (uint8_t)(len >> 16);
	h[6] = (uint8_t)(len >> 8);
	h[7] = (uint8_t)len;
	memcpy(buf, h, ISCSI_BHS_BYTES);
	if (ahs_words)
		memcpy(buf + ISCSI_BHS_BYTES, ahs, ahs_words * 4u);
	if (i->header_digest) {
		iscsi_digest_put(buf + n, crc32c(0, buf, n));
		n += 4;
	}
	uint32_t pad = iscsi_pad_bytes(len);
	if (len) {
		memcpy(buf + n, data, len);
		memset(buf + n + len, 0, pad);
		if (i->data_digest)
			iscsi_digest_put(buf + n + len + pad, crc32c(0, buf + n, len + pad));
		n += len + pad + (i->data_digest ? 4 : 0);
	}
	ini_raw(i, buf, n);
}
static inline void ini_send(struct ini *i, uint8_t *h, const void *data, uint32_t len)
{
	ini_send_ahs(i, h, NULL, 0, data, len);
}
static inline bool ini_read(struct ini *i, void *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = TEMP_FAILURE_RETRY(recv(i->fd, (uint8_t *)p + at, len - at, 0));
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}
/* The next PDU's opcode, -1 when the connection is closed (or silent for 5 s). */
static inline int ini_recv(struct ini *i)
{
	uint8_t digest[4];
	if (!ini_read(i, i->h, ISCSI_BHS_BYTES))
		return -1;
	if (i->header_digest) {
		assert_true(ini_read(i, digest, 4));
		assert_int_equal(iscsi_digest_get(digest), crc32c(0, i->h, ISCSI_BHS_BYTES));
	}
	i->len = iscsi_pdu_data_len(i->h);
	uint32_t padded = i->len + iscsi_pad_bytes(i->len);
	assert_true(padded <= sizeof(i->data));
	if (!ini_read(i, i->data, padded))
		return -1;
	if (i->data_digest && i->len) {
		assert_true(ini_read(i, digest, 4));
		assert_int_equal(iscsi_digest_get(digest), crc32c(0, i->data, padded));
	}
	return i->h[0] & 0x3f;
}
/* Nothing comes for a while. */
static inline bool ini_is_silent(struct ini *i)
{
	struct timeval tv = { 0, 100000 };
	uint8_t b;
	setsockopt(i->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	/* A socket with a time-out is interrupted by work that the kernel does for the thread, too. */
	ssize_t n = TEMP_FAILURE_RETRY(recv(i->fd, &b, 1, MSG_PEEK));
	tv = (struct timeval){ 5, 0 };
	setsockopt(i->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return n < 0 && errno == EAGAIN;
}

/* One login request; its text has ';' where the wire has a zero.  The status, or -1. */
static inline int ini_login(struct ini *i, uint8_t flags, const char *text)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x43, flags };
	char buf[20000];
	size_t len = strlen(text);
	assert_true(len < sizeof(buf));
	for (size_t k = 0; k <= len; k++)
		buf[k] = text[k] == ';' ? '\0' : text[k];
	memcpy(h + 8, i->isid, 6);
	h[14] = (uint8_t)(i->tsih >> 8);
	h[15] = (uint8_t)i->tsih;
	put32(h + 16, 0);
	h[20] = (uint8_t)(i->cid >> 8);
	h[21] = (uint8_t)i->cid;
	put32(h + 24, i->cmdsn);
	put32(h + 28, i->exp_statsn);
	ini_send(i, h, buf, len ? (uint32_t)len + !(flags & 0x40) : 0);
	if (ini_recv(i) != ISCSI_LOGIN_RESPONSE)
		return -1;
	i->exp_statsn = get32(i->h + 24) + 1;
	return i->h[36] << 8 | i->h[37];
}
/* Does the text of the last answer hold this pair? */
static inline bool ini_has(const struct ini *i, const char *pair)
{
	size_t n = strlen(pair) + 1;
	for (size_t k = 0; k + n <= i->len; k++)
		if ((k == 0 || !i->data[k - 1]) && !memcmp(i->data + k, pair, n))
			return true;
	return false;
}
#define LOGIN_NAMES "InitiatorName=" HOST ";TargetName=" TARGET ";SessionType=Normal;"
/* Logs in without ceremony; keys: more of them, each with ';' behind it. */
static inline void ini_session(struct ini *i, uint16_t port, const char *keys)
{
	char text[2000];
	ini_connect(i, port);
	snprintf(text, sizeof(text), LOGIN_NAMES "MaxRecvDataSegmentLength=262144;%s", keys);
	text[strlen(text) - 1] = '\0';
	int status = ini_login(i, 0x87, text);
	if (status)
		fail_msg("login: %04x", (unsigned)status);
	i->tsih = (uint16_t)(i->h[14] << 8 | i->h[15]);
	assert_true(i->tsih);
	i->header_digest = ini_has(i, "HeaderDigest=CRC32C");
	i->data_digest = ini_has(i, "DataDigest=CRC32C");
}

enum { CMD_READ = 0xc1, CMD_WRITE = 0xa1, CMD_NONE = 0x81, NOT_FINAL = 0x80, CMD_NOW = 0x40 };
/* A SCSI command; flags as on the wire (F, R, W, ATTR).  Returns its tag. */
static inline uint32_t ini_command(struct ini *i, uint8_t flags, unsigned lun, const void *cdb, unsigned cdb_len, uint32_t edtl,
				   const void *data, uint32_t len)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x01, flags, [9] = (uint8_t)lun };
	put32(h + 16, i->itt);
	put32(h + 20, edtl);
	put32(h + 24, i->cmdsn++);
	put32(h + 28, i->exp_statsn);
	memcpy(h + 32, cdb, cdb_len);
	ini_send(i, h, data, len);
	return i->itt++;
}
static inline void cdb_rw(uint8_t cdb[10], uint8_t op, uint32_t lba, uint16_t count)
{
	memset(cdb, 0, 10);
	cdb[0] = op;
	put32(cdb + 2, lba);
	cdb[7] = (uint8_t)(count >> 8);
	cdb[8] = (uint8_t)count;
}
static inline uint32_t ini_read10(struct ini *i, unsigned lun, uint32_t lba, uint16_t count)
{
	uint8_t cdb[10];
	cdb_rw(cdb, 0x28, lba, count);
	return ini_command(i, CMD_READ, lun, cdb, 10, count * 512u, NULL, 0);
}
static inline uint32_t ini_write10(struct ini *i, uint8_t flags, uint32_t lba, uint16_t count, const void *data, uint32_t immediate)
{
	uint8_t cdb[10];
	cdb_rw(cdb, 0x2a, lba, count);
	return ini_command(i, flags, 0, cdb, 10, count * 512u, data, immediate);
}
static inline void ini_data_out(struct ini *i, uint32_t itt, uint32_t ttt, uint32_t datasn, uint32_t offset, const void *data,
				uint32_t len, bool final)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x05, final ? 0x80 : 0 };
	put32(h + 16, itt);
	put32(h + 20, ttt);
	put32(h + 28, i->exp_statsn);
	put32(h + 36, datasn);
	put32(h + 40, offset);
	ini_send(i, h, data, len);
}
/* The unit attention that a new nexus has on LUN 0 and 1 is out of the way. */
static inline void ini_settle(struct ini *i)
{
	for (unsigned lun = 0; lun < RIG_LUNS; lun++) {
		const uint8_t tur[6] = { 0 };
		for (int k = 0; k < 4; k++) {
			ini_command(i, CMD_NONE, lun, tur, 6, 0, NULL, 0);
			assert_int_equal(ini_recv(i), ISCSI_SCSI_RESPONSE);
			if (i->h[3] == 0)
				break;
		}
		assert_int_equal(i->h[3], 0);
	}
}
/* key << 16 | asc << 8 | ascq of the last response */
static inline uint32_t ini_sense(const struct ini *i)
{
	if (i->len < 16)
		return 0;
	const uint8_t *s = i->data + 2;
	return (uint32_t)(s[2] & 15) << 16 | (uint32_t)s[12] << 8 | s[13];
}
static inline void ini_logout(struct ini *i)
{
	uint8_t h[ISCSI_BHS_BYTES] = { 0x46, 0x80 };
	put32(h + 16, i->itt++);
	put32(h + 24, i->cmdsn);
	ini_send(i, h, NULL, 0);
	assert_int_equal(ini_recv(i), ISCSI_LOGOUT_RESPONSE);
	assert_int_equal(i->h[2], 0);
	assert_int_equal(ini_recv(i), -1);
	ini_close(i);
}

#endif
