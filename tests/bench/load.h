/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load.h - the parts of iscsi_load, our own initiator for measuring and for verifying.
 *
 * It shares no iSCSI code with the server on purpose: the layouts below are written from RFC 7143
 * a second time, so that a field in the wrong place shows, and it is small enough that
 * what it costs is known.  One thread drives all connections; each connection is one session. */
#ifndef HOLDFAST_BENCH_LOAD_H
#define HOLDFAST_BENCH_LOAD_H

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <sys/uio.h>

#include "core/base.h"
#include "core/bytes.h"

/* ---- options ------------------------------------------------------------------------------- */
enum load_order { LOAD_RANDOM, LOAD_SEQUENTIAL };
struct load_opts {
	const char *host, *port, *target, *initiator;
	unsigned lun;
	const char *user, *secret, *mutual_user, *mutual_secret;
	unsigned chap_alg;               /* 5 MD5, 6 SHA-1, 7 SHA-256, 8 SHA3-256 */
	bool header_digest, data_digest;
	bool immediate, initial_r2t;     /* what we offer */
	uint32_t first_burst, max_burst, max_recv;

	unsigned connections, depth, read_percent;
	enum load_order order;
	uint32_t io_bytes;
	uint64_t span_bytes, offset_bytes;
	double seconds, warmup_s;
	uint64_t seed;
	bool polled;
	int cpu;                         /* -1: do not pin */
	int target_pid;                  /* whose CPU time to count; 0: nobody's */

	bool verify;                     /* our pattern in every write, checked in every read */
	const char *journal;             /* floors of acknowledged flushes; reconnects when set */
	bool check_only;                 /* read the journal, check the volume, leave */
	unsigned flush_every;            /* writes per SYNCHRONIZE CACHE; 0: never */
	unsigned fua_every;              /* every n-th write has FUA; 0: none */
	bool write_through;              /* the volume has no write cache: acknowledged is durable */
	unsigned reconnect_s;            /* how long to wait for a lost server */
	unsigned rounds;                 /* end after so many losses and checks; 0: by time */
	const char *json;                /* file, "-": stdout instead of the text */
};

/* ---- the wire, RFC 7143 11 ------------------------------------------------------------------- */
enum {
	OP_NOP_OUT = 0x00, OP_COMMAND = 0x01, OP_LOGIN = 0x03, OP_DATA_OUT = 0x05, OP_LOGOUT = 0x06,
	OP_NOP_IN = 0x20, OP_RESPONSE = 0x21, OP_LOGIN_RSP = 0x23, OP_DATA_IN = 0x25,
	OP_LOGOUT_RSP = 0x26, OP_R2T = 0x31, OP_ASYNC = 0x32, OP_REJECT = 0x3f,
	OP_IMMEDIATE = 0x40,
	FLAG_FINAL = 0x80, FLAG_READ = 0x40, FLAG_WRITE = 0x20, FLAG_SIMPLE = 0x01,
	FLAG_STATUS = 0x01,
	BHS_BYTES = 48,
};
#define TAG_NONE 0xffffffffu

struct bhs {
	uint8_t opcode, flags, response, status;
	uint8_t ahs_words;
	be24 data_len;
	uint8_t lun[8];
	be32 itt;
	be32 f20;                        /* EDTL; TTT */
	be32 f24;                        /* CmdSN; StatSN */
	be32 f28;                        /* ExpStatSN; ExpCmdSN */
	union {
		uint8_t cdb[16];
		struct {
			be32 f32, f36, f40, f44; /* MaxCmdSN; DataSN, R2TSN; BufferOffset; ResidualCount, length */
		};
	};
};
static_assert(sizeof(struct bhs) == BHS_BYTES, "RFC 7143 11.2.1");
static_assert(offsetof(struct bhs, itt) == 16, "RFC 7143 11.2.1");
static_assert(offsetof(struct bhs, f36) == 36, "RFC 7143 11.7");

/* ---- verification (load_verify.c) ------------------------------------------------------------- */
/* One cell is io_bytes at a multiple of io_bytes.  Versions only grow. */
struct cell {
	uint64_t floor;                  /* an acknowledged flush covers it: must survive anything */
	uint64_t acked;                  /* must be read back as long as the server lives */
	uint64_t issued;                 /* nothing newer can be there */
	uint32_t readers;
	bool writing;
};
struct verify {
	struct cell *cells;
	uint64_t count, next_version;
	uint32_t block_bytes, cell_bytes;
	uint64_t first_lba;
	FILE *journal;
	struct pending { uint32_t cell; uint64_t version; } *fresh, *flushing; /* acked, not yet durable */
	size_t fresh_count, flushing_count, pending_cap;
	uint64_t checked_blocks, bad_blocks, flushes;
};
int verify_open(struct verify *v, const struct load_opts *o, uint32_t block_bytes, uint64_t first_lba);
void verify_close(struct verify *v);
uint64_t verify_write_start(struct verify *v, uint32_t cell, void *buf);
int verify_write_done(struct verify *v, uint32_t cell, uint64_t version, bool durable);
void verify_flush_start(struct verify *v);
int verify_flush_done(struct verify *v);
/* The server is gone: what was not flushed may be lost, in-flight commands are forgotten. */
void verify_lost(struct verify *v);
/* Checks a piece of a cell, offset and length in whole blocks; complains on stderr. */
bool verify_read(struct verify *v, uint32_t cell, uint32_t offset_bytes, const void *data, uint32_t len_bytes);

/* ---- statistics (load_stat.c) ----------------------------------------------------------------- */
enum { STAT_SUB_BITS = 5, STAT_BUCKETS = (40 - STAT_SUB_BITS) << STAT_SUB_BITS };
struct stat_hist {
	uint64_t count, sum_ns, max_ns;
	uint32_t bucket[STAT_BUCKETS];   /* log-linear, 3 % wide */
};
struct load_stats {
	struct stat_hist latency;
	uint64_t reads, writes, flushes, errors, retries, syscalls;
	uint64_t target_cpu_ns, own_cpu_ns, machine_busy_ns;
	double seconds;
};
uint64_t stat_now_ns(void);
uint64_t stat_process_cpu_ns(int pid);
uint64_t stat_machine_busy_ns(void);
void stat_add(struct stat_hist *h, uint64_t ns);
double stat_quantile_us(const struct stat_hist *h, double q);
void stat_report(const struct load_opts *o, const struct load_stats *s, const struct verify *v);

/* ---- connections ------------------------------------------------------------------------------ */
enum slot_kind { SLOT_FREE, SLOT_READ, SLOT_WRITE, SLOT_FLUSH, SLOT_SETUP };
struct slot {
	enum slot_kind kind;
	bool fua;
	uint32_t cell;
	uint64_t version, start_ns;
	uint32_t got_bytes, data_sn, r2t_sn;
	uint8_t *buf;                    /* of the load, or of its own when verifying */
};
struct load;
struct conn {
	struct load *load;
	unsigned index;
	int fd;
	/* negotiated */
	bool header_digest, data_digest, immediate, initial_r2t;
	uint32_t peer_max_recv, first_burst, max_burst;
	uint16_t tsih;
	/* session */
	uint32_t cmd_sn, max_cmd_sn, exp_stat_sn;
	struct slot *slots;
	unsigned *free_slots, free_count;
	/* receive: [rx_head, rx_tail) is unparsed */
	uint8_t *rx;
	size_t rx_cap, rx_head, rx_tail;
	/* send: iovecs in order; headers lie in an arena that is reused once all is sent */
	struct iovec *tx;
	size_t tx_head, tx_tail, tx_cap;
	uint8_t *arena;
	size_t arena_used, arena_cap;
	/* the last command issued by conn_run_one() */
	int setup_status;
	uint8_t setup_data[64];
	uint8_t sense[3];                /* key, ASC, ASCQ */
};
struct load {
	struct load_opts opts;
	struct conn *conns;
	struct verify verify;
	struct load_stats stats;
	uint32_t block_bytes;
	uint64_t volume_blocks, first_lba, cell_count, next_cell, rng;
	uint8_t *data;                   /* what plain writes write */
	uint64_t now_ns, issue_left;     /* commands that may still be issued */
	struct pollfd *polls;
	unsigned writes_since_flush, writes_since_fua;
	bool flush_in_flight, counting, draining;
	char why[256];                   /* the reason of the last failure */
};
/* Notes the reason and returns -err. */
int load_fail(struct load *l, int err, const char *fmt, ...) _printf_(3, 4);

int conn_open(struct conn *c);                       /* connects and logs in (load_login.c) */
int conn_login(struct conn *c);
void conn_close(struct conn *c);
/* Receives and completes what is there; -EAGAIN nothing was, -Exxx the connection is lost. */
int conn_receive(struct conn *c, bool wait);
int conn_issue(struct conn *c);                      /* fills the window; counts what it issued */
int conn_flush(struct conn *c);                      /* sends what is queued, as far as it goes */
int conn_logout(struct conn *c);
/* One command, waited for; up to 64 bytes of its data stay in setup_data. */
int conn_run_one(struct conn *c, const uint8_t cdb[16], uint32_t read_bytes);

#endif
