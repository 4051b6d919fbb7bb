/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_target.c - the data path alone: volumes served over iSCSI by a program without database,
 * API or broker.  For quick trials with libiscsi's tools, for profiles and load generators.
 *
 *	tests/bench/iscsi_target --port 21300 --size 64M
 *	iscsi-inq iscsi://127.0.0.1:21300/iqn.2026-11.com.example:bench/0 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "block/block.h"
#include "core/core.h"
#include "iscsi/iscsi.h"
#include "scsi/scsi.h"

#define TARGET "iqn.2026-11.com.example:bench"
#define LUN_MAX 8

static uint64_t parse_size(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);

	switch (*end) {
	case 'G':
		n <<= 10;
		/* fall through */
	case 'M':
		n <<= 10;
		/* fall through */
	case 'K':
		n <<= 10;
	}
	return n;
}

static int fail(const char *what, int r)
{
	fprintf(stderr, "iscsi_target: %s: %s\n", what, strerror(-r));
	return 1;
}

static void on_event(void *arg, const struct iscsi_event *e)
{
	static const char *const kinds[] = { "login", "logout", "refused", "lost" };

	(void)arg;
	printf("event %s initiator=%s target=%s peer=%s reason=%s\n", kinds[e->kind], e->initiator, e->target, e->peer,
	       e->reason);
	fflush(stdout);
}

static const struct option options[] = {
	{ "port", required_argument, NULL, 'p' },   { "address", required_argument, NULL, 'a' },
	{ "size", required_argument, NULL, 's' },   { "block-size", required_argument, NULL, 'b' },
	{ "plugin", required_argument, NULL, 'P' }, { "luns", required_argument, NULL, 'l' },
	{ "engine", required_argument, NULL, 'e' }, { "reactors", required_argument, NULL, 'r' },
	{ "cpu", required_argument, NULL, 'c' },    { "spin", required_argument, NULL, 'S' },
	{ "chap", required_argument, NULL, 'u' },   { "mutual", required_argument, NULL, 'm' },
	{ "debug", no_argument, NULL, 'd' },	    { 0 },
};

int main(int argc, char **argv)
{
	const char *address = "127.0.0.1", *plugin = "ram", *chap = NULL, *mutual = NULL, *build = getenv("HF_BUILDDIR");
	unsigned port = 0, luns = 1, block = 512, reactors = 1, spin = 50;
	uint64_t size = 64u << 20;
	int cpu = -1, opt, r;
	enum reactor_engine engine = REACTOR_AUTO;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'p': port = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'a': address = optarg; break;
		case 's': size = parse_size(optarg); break;
		case 'b': block = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'P': plugin = optarg; break;
		case 'l': luns = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'r': reactors = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'c': cpu = (int)strtol(optarg, NULL, 0); break;
		case 'S': spin = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'u': chap = optarg; break;
		case 'm': mutual = optarg; break;
		case 'd': log_set_level("all", LOG_LEVEL_DEBUG); break;
		case 'e':
			engine = !strcmp(optarg, "epoll") ? REACTOR_EPOLL : !strcmp(optarg, "io_uring") ? REACTOR_URING : REACTOR_AUTO;
			break;
		default:
			return 2;
		}
	}
	if (!luns || luns > LUN_MAX || !reactors || reactors > 8)
		return 2;
	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);

	struct reactor *rs[8];
	for (unsigned i = 0; i < reactors; i++) {
		char name[16];
		snprintf(name, sizeof(name), "reactor%u", i);
		const struct reactor_opts ro = { .name = name, .engine = engine, .cpu = cpu, .spin_max_us = spin };
		if ((r = reactor_new(&ro, &rs[i])) || (r = reactor_start(rs[i])))
			return fail("reactor", r);
	}
	char dir[512];
	snprintf(dir, sizeof(dir), "%s/plugins", build ? build : HF_BUILDDIR);
	const char *dirs[] = { dir };
	const struct block_opts bo = { .reactors = rs, .reactor_count = reactors, .plugin_dirs = dirs, .plugin_dir_count = 1 };
	if ((r = block_start(&bo)) || (r = scsi_start(rs, reactors)))
		return fail("start", r);
	const struct iscsi_opts io = { .reactors = rs, .reactor_count = reactors, .event = on_event };
	if ((r = iscsi_start(&io)))
		return fail("iscsi", r);

	struct iscsi_lun map[LUN_MAX];
	struct volume *volumes[LUN_MAX];
	struct scsi_unit *units[LUN_MAX];
	for (unsigned i = 0; i < luns; i++) {
		char name[16], uuid[40];
		snprintf(name, sizeof(name), "bench%u", i);
		snprintf(uuid, sizeof(uuid), "6f1d2b3c-0000-4000-8000-0000000000%02x", i + 1);
		const struct volume_spec vs = { .name = name, .uuid = uuid, .plugin = plugin, .size_bytes = size, .block_bytes = block };
		if ((r = volume_open(&vs, &volumes[i])))
			return fail("volume", r);
		if (volume_state(volumes[i]) != VOLUME_ONLINE) {
			char why[256];
			volume_reason(volumes[i], why, sizeof(why));
			fprintf(stderr, "iscsi_target: volume is offline: %s\n", why);
		}
		const struct scsi_unit_spec us = { .volume = volumes[i] };
		if ((r = scsi_unit_new(&us, &units[i])))
			return fail("unit", r);
		map[i] = (struct iscsi_lun){ .lun = (uint16_t)i, .unit = units[i] };
	}
	struct iscsi_rule rule = { .host = "bench" };
	if (chap) {
		const char *secret = strchr(chap, '%');
		if (!secret)
			return 2;
		rule.chap_user = strndup(chap, (size_t)(secret - chap));
		rule.chap_secret = (const uint8_t *)secret + 1;
		rule.chap_secret_len = strlen(secret + 1);
	}
	if (mutual) {
		const char *secret = strchr(mutual, '%');
		if (!secret)
			return 2;
		rule.mutual_user = strndup(mutual, (size_t)(secret - mutual));
		rule.mutual_secret = (const uint8_t *)secret + 1;
		rule.mutual_secret_len = strlen(secret + 1);
	}
	char why[256] = "";
	struct iscsi_target *target;
	const struct iscsi_target_spec ts = {
		.name = TARGET, .alias = "bench", .enabled = true, .luns = map, .lun_count = luns,
		.rules = &rule, .rule_count = 1,
	};
	if ((r = iscsi_target_add(&ts, &target, why, sizeof(why))))
		return fail(why, r);
	struct iscsi_portal *portal;
	const struct iscsi_portal_spec ps = { .address = address, .port = (uint16_t)port, .tpgt = 1, .listen_fd = -1 };
	if ((r = iscsi_portal_add(&ps, &portal)))
		return fail("portal", r);
	printf("ready iscsi://%s:%u/%s/0\n", address, iscsi_portal_port(portal), TARGET);
	fflush(stdout);

	int sig;
	sigwait(&stop, &sig);
	(void)iscsi_stop(60000);
	for (unsigned i = 0; i < luns; i++) {
		scsi_unit_unref(units[i]);
		volume_close(volumes[i], 1000);
		volume_unref(volumes[i]);
	}
	scsi_stop();
	for (unsigned i = 0; i < reactors; i++)
		reactor_stop(rs[i]);
	block_stop();
	for (unsigned i = 0; i < reactors; i++)
		reactor_free(rs[i]);
	free((char *)(uintptr_t)rule.chap_user);
	free((char *)(uintptr_t)rule.mutual_user);
	return 0;
}
