/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load.h - the parts of iscsi_load and nvme_load, our own initiators for measuring and for verifying.
 *
 * They share no protocol code with the server on purpose, and are small enough that what they cost
 * is known.  One thread drives all connections.  load.c runs the load, load_work.c says what it is
 * made of; iscsi_*.c and nvme_*.c are the two protocols below it. */
#ifndef HOLDFAST_BENCH_LOAD_H
#define HOLDFAST_BENCH_LOAD_H

#include <assert.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <sys/uio.h>

#include "core/base.h"
#include "core/bytes.h"

/* ---- options ------------------------------------------------------------------------------- */
struct load_opts {
	char *portal;                    /* HOST:PORT as given; cut in place */
	const char *host, *port, *target, *initiator;
	unsigned lun;                    /* or namespace id */
	const char *user, *secret, *mutual_user, *mutual_secret;
	unsigned chap_alg;               /* 5 MD5, 6 SHA-1, 7 SHA-256, 8 SHA3-256 */
	bool header_digest, data_digest;
	bool no_immediate, initial_r2t;  /* what we do not offer */
	uint32_t first_burst, max_burst, max_recv;

	unsigned connections, depth, read_percent;
	bool sequential;
	uint32_t io_bytes;
	uint64_t span_bytes, offset_bytes;
	double seconds, warmup_s;
	uint64_t seed;
	bool sleeps;
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

/* A long option: where its value goes.  Sizes take the suffixes K, M and G. */
enum option_kind { OPT_TEXT, OPT_UINT, OPT_U64, OPT_SIZE32, OPT_SIZE64, OPT_SECONDS, OPT_FLAG };
struct load_option {
	const char *name;
	enum option_kind kind;
	size_t offset;                   /* in struct load_opts */
};

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
struct iscsi_state {                     /* one connection is one session */
	bool immediate, initial_r2t;
	uint32_t peer_max_recv, first_burst, max_burst;
	uint16_t tsih;
	uint32_t cmd_sn, max_cmd_sn, exp_stat_sn;
	int status;                      /* of the last command that was waited for */
	uint8_t sense[3];                /* key, ASC, ASCQ */
};
struct nvme_state {                      /* one connection is one I/O queue; the first has the admin queue too */
	int admin_fd;
	uint16_t cntlid;
	uint32_t capsule_bytes;          /* of data that a command can carry */
	uint32_t max_h2c_bytes, data_align;
};
struct load;
struct conn {
	struct load *load;
	unsigned index;
	int fd;
	bool header_digest, data_digest; /* negotiated */
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
	uint8_t setup_data[64];          /* what the last command that was waited for brought */
	union {
		struct iscsi_state iscsi;
		struct nvme_state nvme;
	};
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

/* load_sock.c: blocking, nothing here is measured. */
int sock_connect(struct load *l);
int sock_send(struct load *l, int fd, const void *data, size_t len);
int sock_recv(struct load *l, int fd, void *data, size_t len);
int conn_open(struct conn *c);           /* connects and logs in */

/* load_work.c */
#define TX_PDU_IOVECS 3
#define TX_PDU_ARENA_BYTES 208     /* NVMe: command, digests, and data aligned to 128 */
void tx_push(struct conn *c, const void *data, size_t len);
void *tx_arena(struct conn *c, size_t len);
bool tx_has_room(const struct conn *c, size_t pdus);
/* Receives and completes what is there; -EAGAIN nothing was, -Exxx the connection is lost. */
int conn_receive(struct conn *c, bool wait);
int conn_issue(struct conn *c);          /* fills the window; counts what it issued */
int conn_flush(struct conn *c);          /* sends what is queued, as far as it goes */
int conn_wait_setup(struct conn *c, const struct slot *s, const char *what);
/* error: what the target said instead of "good", or NULL. */
int slot_done(struct conn *c, struct slot *s, const char *error);

/* ---- what a protocol brings (iscsi_conn.c, nvme_conn.c) ------------------------------------------- */
extern const char proto_program[], proto_usage[];
extern const struct load_option proto_options[]; /* up to one without a name */
void proto_defaults(struct load_opts *o);
bool proto_options_sane(const struct load_opts *o);
size_t proto_pdus_per_command(const struct conn *c);
int proto_login(struct conn *c);         /* on a connected, blocking socket */
/* Ready for I/O, and what the volume is. */
int proto_probe(struct conn *c, uint32_t *ret_block_bytes, uint64_t *ret_blocks);
bool proto_can_issue(const struct conn *c);
void proto_command(struct conn *c, struct slot *s); /* queues what kind, cell and fua say */
/* The PDU at the head of the buffer; 0: not all there yet, else its length, or -Exxx. */
int proto_parse(struct conn *c);
int proto_logout(struct conn *c);
void proto_close(struct conn *c);        /* what it holds beside c->fd */

#endif
