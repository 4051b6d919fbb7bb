/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - holdfastd: arguments, start and stop order, privilege drop.  The only file that sees
 * every room. */
#include <config.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "api/api.h"
#include "auth/auth.h"
#include "block/block.h"
#include "broker/broker.h"
#include "broker/keeper.h"
#include "config/model.h"
#include "control/control.h"
#include "core/core.h"
#include "http/http.h"
#include "listenfds.h"
#include "nvme/nvme.h"
#include "scsi/scsi.h"
#include "watchdog.h"

LOG_TOPIC(main);

/* ---- options: one table for parsing, --help and the manual's test -------------------------------- */
struct options {
	const char *state_dir, *describe, *describe_plugin, *log_level, *web_root;
	enum reactor_engine engine;
	unsigned reactors, spin_us, https_port;
	bool take_over, keeper, end, help, version;
};
static const struct {
	const char *name, *arg, *help;
} option_rows[] = {
	{ "state", "DIR", "keep everything below DIR (default " HF_STATE_DIR "); made when missing" },
	{ "engine", "auto|uring|epoll", "how sockets and files are driven (default auto: io_uring where the kernel allows it)" },
	{ "reactors", "N", "data path threads (default: one per CPU, at most 8)" },
	{ "spin", "MICROSECONDS", "longest wait by spinning under load before sleeping; 0: never (default 50)" },
	{ "log-level", "[TOPIC=]LEVEL", "error, warn, info or debug; for all or one topic (default info)" },
	{ "https-port", "PORT", "where a new state folder gets its HTTPS portal, on all addresses; 0: none (default 8443)" },
	{ "web-root", "DIR", "serve the page from DIR instead of the one inside the program, for those who work on it" },
	{ "take-over", NULL, "take the listening sockets over from the daemon that runs on DIR, and replace it" },
	{ "keeper", NULL, "be the keeper of DIR instead of the daemon: a process of root that keeps the servers of shares" },
	{ "end", NULL, "with --keeper: end the keeper of DIR and its servers, and exit" },
	{ "describe-plugin", "NAME", "print a plugin and its options as JSON, and exit" },
	{ "describe", "routes|models|plugins|settings", "print a table of this program as JSON, and exit" },
	{ "version", NULL, "print the version, and exit" },
	{ "help", NULL, "print this help, and exit" },
};
enum { OPT_STATE, OPT_ENGINE, OPT_REACTORS, OPT_SPIN, OPT_LOG_LEVEL, OPT_HTTPS_PORT, OPT_WEB_ROOT, OPT_TAKE_OVER, OPT_KEEPER, OPT_END, OPT_DESCRIBE_PLUGIN,
       OPT_DESCRIBE, OPT_VERSION, OPT_HELP };

static void print_help(void)
{
	puts("usage: holdfastd [OPTION]..\nServe volumes to hosts; in the foreground until SIGTERM or SIGINT.\n");
	for (size_t i = 0; i < ARRAY_COUNT(option_rows); i++)
		printf("  --%s%s%s\n        %s\n", option_rows[i].name, option_rows[i].arg ? "=" : "",
		       option_rows[i].arg ? option_rows[i].arg : "", option_rows[i].help);
	puts("\nThe page is at https://ADDRESS:8443/.  Configure with holdfast(1); see holdfastd(8).");
}

static int parse_number(const char *text, unsigned min, unsigned max, unsigned *ret)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || v < min || v > max)
		return -EINVAL;
	*ret = (unsigned)v;
	return 0;
}

static int parse_engine(const char *text, enum reactor_engine *ret)
{
	static const char *const names[] = { [REACTOR_AUTO] = "auto", [REACTOR_URING] = "uring", [REACTOR_EPOLL] = "epoll" };
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum reactor_engine)i;
			return 0;
		}
	return -EINVAL;
}

static int set_log_level(const char *text)
{
	const char *eq = strchr(text, '=');
	char topic[64] = "all";
	enum log_level level;
	if (eq) {
		if (eq == text || (size_t)(eq - text) >= sizeof(topic))
			return -EINVAL;
		memcpy(topic, text, (size_t)(eq - text));
		topic[eq - text] = '\0';
		text = eq + 1;
	}
	int r = log_level_parse(text, &level);
	return r < 0 ? r : log_set_level(topic, level);
}

static int parse_options(int argc, char **argv, struct options *o)
{
	struct option rows[ARRAY_COUNT(option_rows) + 1] = { 0 };
	for (size_t i = 0; i < ARRAY_COUNT(option_rows); i++)
		rows[i] = (struct option){ option_rows[i].name, option_rows[i].arg ? required_argument : no_argument, NULL, (int)i };
	for (int c; (c = getopt_long(argc, argv, "", rows, NULL)) != -1;) {
		int r = 0;
		switch (c) {
		case OPT_STATE: o->state_dir = optarg; break;
		case OPT_ENGINE: r = parse_engine(optarg, &o->engine); break;
		case OPT_REACTORS: r = parse_number(optarg, 1, REACTOR_MAX - 8, &o->reactors); break;
		case OPT_SPIN: r = parse_number(optarg, 0, 10000, &o->spin_us); break;
		case OPT_LOG_LEVEL: r = set_log_level(optarg); break;
		case OPT_HTTPS_PORT: r = parse_number(optarg, 0, 65535, &o->https_port); break;
		case OPT_WEB_ROOT: o->web_root = optarg; break;
		case OPT_TAKE_OVER: o->take_over = true; break;
		case OPT_KEEPER: o->keeper = true; break;
		case OPT_END: o->end = true; break;
		case OPT_DESCRIBE_PLUGIN: o->describe_plugin = optarg; break;
		case OPT_DESCRIBE: o->describe = optarg; break;
		case OPT_VERSION: o->version = true; break;
		case OPT_HELP: o->help = true; break;
		default: return -EINVAL;
		}
		if (r < 0) {
			fprintf(stderr, "holdfastd: --%s: '%s' is not %s\n", rows[c].name, optarg, option_rows[c].arg);
			return r;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "holdfastd: '%s' is not an option; see holdfastd --help\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

/* ---- where plugins are: beside the program in a build tree, else installed ------------------------ */
static char plugin_dir_built[PATH_MAX];
static const char *plugin_dirs[3];
static unsigned plugin_dir_count;

static void find_plugin_dirs(void)
{
	const char *env = getenv("HOLDFAST_PLUGIN_DIR");
	if (env)
		plugin_dirs[plugin_dir_count++] = env;
	char exe[PATH_MAX - 32];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		char *slash = strrchr(exe, '/');
		if (slash) {
			*slash = '\0';
			snprintf(plugin_dir_built, sizeof(plugin_dir_built), "%s/../plugins", exe);
			/* The file plugin's libtool folder marks a build tree. */
			char mark[PATH_MAX + 32];
			snprintf(mark, sizeof(mark), "%s/file/.libs", plugin_dir_built);
			if (access(mark, X_OK) == 0)
				plugin_dirs[plugin_dir_count++] = plugin_dir_built;
		}
	}
	plugin_dirs[plugin_dir_count++] = HF_PLUGIN_DIR;
}

/* Privileged devices through the helper, all else as this user. */
static int open_path(const char *path, int flags)
{
	struct stat st;
	if (broker_present() && stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		return broker_open_device(path, flags);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* ---- the state folder ----------------------------------------------------------------------------- */
/* Makes it, locks it.  Returns the lock's descriptor: held for life. */
static int state_open(const char *dir, char *why, size_t why_bytes)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		int r = -errno;
		snprintf(why, why_bytes, "cannot make %s: %s", dir, strerror(-r));
		return r;
	}
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/lock", dir);
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int r = -errno;
		snprintf(why, why_bytes, "cannot open %s: %s", path, strerror(-r));
		return r;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = -errno;
		snprintf(why, why_bytes, r == -EWOULDBLOCK ? "another holdfastd serves %s; give this one a --state folder of its own, or stop that one, or replace it with --take-over" : "cannot lock %s",
			 dir);
		return r;
	}
	return take_fd(&fd);
}

/* Root keeps the helper and becomes the folder's owner. */
static int drop_privilege(const char *dir, unsigned *ret_uid)
{
	struct stat st;
	*ret_uid = getuid();
	if (getuid() != 0)
		return 0;
	if (stat(dir, &st) < 0)
		return -errno;
	if (st.st_uid == 0) {
		log_warn(&log_main, "serving as root, because root owns the state folder",
			 "dir=%s advice=\"chown it to a user of its own, as the package does\"", dir);
		return 0;
	}
	broker_keeper_folder(dir);
	int r = broker_fork();
	if (r == 0)
		r = broker_drop(st.st_uid, st.st_gid);
	*ret_uid = st.st_uid;
	return r;
}

static void raise_descriptor_limit(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* ---- reactors ------------------------------------------------------------------------------------- */
static struct reactor *reactors[REACTOR_MAX];
static char reactor_names[REACTOR_MAX][16];
static unsigned reactor_count;

static unsigned cpu_count(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static int reactors_start(const struct options *o)
{
	unsigned want = o->reactors ? o->reactors : (unsigned)min_u64(cpu_count(), 8);
	for (unsigned i = 0; i < want; i++) {
		snprintf(reactor_names[i], sizeof(reactor_names[i]), "reactor-%u", i);
		const struct reactor_opts ro = { .name = reactor_names[i], .engine = o->engine, .cpu = -1,
						 .spin_max_us = want < 2 && cpu_count() < 2 ? 0 : o->spin_us,
						 .buf_limit_bytes = UINT64_C(256) << 20 };
		int r = reactor_new(&ro, &reactors[i]);
		if (r < 0)
			return r;
		reactor_count++;
		r = reactor_start(reactors[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A backend hangs: its requests stay where they are, and so does all memory that they may still touch.  Nothing is lost by it: what was
 * acknowledged is durable or in the kernel's hands, and the store bears kill -9. */
static _Noreturn void leave_as_it_is(int r)
{
	log_warn(&log_main, "leaving with requests that a backend does not end", "status=%d", r);
	broker_stop();
	listenfds_done();
	fflush(NULL);
	_exit(r ? 1 : 0);
}

static void reactors_stop(void)
{
	for (unsigned i = 0; i < reactor_count; i++)
		reactor_stop(reactors[i]);
	for (unsigned i = 0; i < reactor_count; i++)
		reactor_free(reactors[i]);
}

/* ---- hooks between rooms --------------------------------------------------------------------------- */
static int hook_take_fd(void *arg, const char *name)
{
	(void)arg;
	return listenfds_take(name);
}
static void hook_keep_fd(void *arg, const char *name, int fd)
{
	(void)arg;
	listenfds_keep(name, fd);
}
static int hook_https_open(void *arg, const char *address, uint16_t port, int fd, void **ret_portal)
{
	(void)arg;
	return http_portal_open(address, port, fd, ret_portal);
}
static void hook_https_close(void *arg, void *portal)
{
	(void)arg;
	http_portal_close(portal);
}

static int hook_set_certificate(void *arg, const char *chain_pem, const char *key_pem)
{
	(void)arg;
	return http_set_certificate(chain_pem, key_pem);
}
static int hook_tls_alpn(void *arg, const char *name, const char *cert_pem, const char *key_pem)
{
	(void)arg;
	return http_set_challenge(name, cert_pem, key_pem);
}

/* Accounts, tokens and settings are control's to change and auth's to know. */
static void config_changed(struct control_subscriber *s, uint64_t seq, const char *type, const json_t *data)
{
	const char *kind = json_string_value(json_object_get(data, "kind"));
	const struct model *m = kind && strcmp(type, "config") == 0 ? model_by_name(kind) : NULL;
	(void)s, (void)seq;
	if (m)
		auth_changed(m->kind);
}
static struct control_subscriber accounts_watch = { .fn = config_changed };

static int accounts_start(struct config_error *e)
{
	const struct auth_opts o = { .with_store = control_with_store, .setting = control_setting_int, .fingerprint = http_fingerprint };
	control_subscribe(&accounts_watch);
	int r = auth_start(&o, e);
	if (r < 0)
		control_unsubscribe(&accounts_watch);
	return r;
}
static void accounts_stop(void)
{
	control_unsubscribe(&accounts_watch);
	auth_stop();
}

/* ---- describe -------------------------------------------------------------------------------------- */
static int describe(const struct options *o)
{
	const struct block_opts bo = { .plugin_dirs = plugin_dirs, .plugin_dir_count = plugin_dir_count };
	int r = block_start(&bo);
	if (r < 0)
		return r;
	char *text = NULL;
	if (o->describe_plugin)
		text = control_describe_plugin(o->describe_plugin);
	else if (strcmp(o->describe, "routes") == 0)
		text = api_describe();
	else if (strcmp(o->describe, "models") == 0)
		text = control_describe_models();
	else if (strcmp(o->describe, "settings") == 0)
		text = control_describe_settings();
	else if (strcmp(o->describe, "plugins") == 0)
		text = control_describe_plugin(NULL);
	if (text)
		puts(text);
	else
		fprintf(stderr, "holdfastd: there is no %s '%s'\n", o->describe_plugin ? "plugin" : "table",
			o->describe_plugin ? o->describe_plugin : o->describe);
	free(text);
	block_stop();
	return text ? 0 : -ENOENT;
}

/* ---- the daemon ------------------------------------------------------------------------------------ */
/* Waits for the end; other signals and the watchdog are served meanwhile. */
static void wait_for_end(const sigset_t *signals)
{
	const unsigned beat_ms = watchdog_interval_ms();
	const struct timespec beat = { beat_ms / 1000, (long)(beat_ms % 1000) * 1000000 };
	for (;;) {
		siginfo_t si;
		if ((beat_ms ? sigtimedwait(signals, &si, &beat) : sigwaitinfo(signals, &si)) < 0) {
			if (errno == EAGAIN)
				watchdog_beat();
			continue;
		}
		switch (si.si_signo) {
		case SIGUSR1:
			trace_dump(stderr);
			break;
		case SIGHUP:
			log_info(&log_main, "nothing to reload: every change applies when it is made", "");
			break;
		default:
			log_info(&log_main, "stopping", "signal=%s", si.si_signo == SIGINT ? "SIGINT" : "SIGTERM");
			return;
		}
	}
}

static int serve(const struct options *o)
{
	char why[WHY_BYTES] = "";
	unsigned uid;
	if (o->take_over) {
		int r = listenfds_take_over(o->state_dir);
		if (r < 0)
			log_warn(&log_main, "no daemon to take over from, starting without its sockets", "error=\"%s\"", strerror(-r));
	}
	_cleanup_(closep) int lock_fd = state_open(o->state_dir, why, sizeof(why));
	if (lock_fd < 0) {
		fprintf(stderr, "holdfastd: %s\n", why);
		return lock_fd;
	}
	int r = drop_privilege(o->state_dir, &uid);
	if (r < 0) {
		fprintf(stderr, "holdfastd: cannot become the owner of %s: %s\n", o->state_dir, strerror(-r));
		return r;
	}
	/* Blocked here, before there are threads, so that only wait_for_end() sees them. */
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	listenfds_from_systemd();

	r = reactors_start(o);
	if (r < 0) {
		fprintf(stderr, "holdfastd: cannot start the reactors: %s%s\n", strerror(-r),
			r == -ENOSYS ? " (this kernel refuses io_uring; use --engine=epoll)" : "");
		goto out_reactors;
	}
	const struct block_opts bo = { .reactors = reactors, .reactor_count = reactor_count,
				       .plugin_dirs = plugin_dirs, .plugin_dir_count = plugin_dir_count,
				       .open_path = open_path };
	r = block_start(&bo);
	if (r < 0)
		goto out_reactors;
	r = scsi_start(reactors, reactor_count);
	if (r < 0)
		goto out_block;
	r = nvme_start(reactors, reactor_count);
	if (r < 0)
		goto out_only_scsi;

	char socket_path[PATH_MAX];
	snprintf(socket_path, sizeof(socket_path), "%s/holdfast.sock", o->state_dir);
	const struct http_opts ho = { .socket_path = socket_path, .admin_uid = uid, .web_root = o->web_root };
	r = http_init(&ho, why, sizeof(why));
	if (r < 0) {
		fprintf(stderr, "holdfastd: %s\n", why);
		goto out_scsi;
	}
	const struct control_opts co = {
		.state_dir = o->state_dir, .reactors = reactors, .reactor_count = reactor_count,
		.take_listen_fd = hook_take_fd, .keep_listen_fd = hook_keep_fd,
		.https_open = hook_https_open, .https_close = hook_https_close,
		.set_certificate = hook_set_certificate, .tls_alpn = hook_tls_alpn,
		.first_https_port = (uint16_t)o->https_port,
	};
	struct config_error e = { 0 };
	r = control_start(&co, &e);
	if (r < 0) {
		fprintf(stderr, "holdfastd: %s\n", e.why);
		http_stop();
		goto out_scsi;
	}
	r = accounts_start(&e);
	if (r < 0) {
		fprintf(stderr, "holdfastd: %s\n", e.why);
		http_stop();
		goto out_control;
	}
	r = http_start(why, sizeof(why));
	if (r < 0) {
		fprintf(stderr, "holdfastd: %s\n", why);
		goto out_accounts;
	}
	listenfds_close_unused();
	r = listenfds_offer(o->state_dir);
	if (r < 0)
		log_warn(&log_main, "cannot offer the listening sockets to a next daemon, continuing without",
			 "error=\"%s\"", strerror(-r));
	log_info(&log_main, "ready", "version=%s state=%s engine=%s reactors=%u socket=%s", PACKAGE_VERSION, o->state_dir,
		 reactor_engine(reactors[0]) == REACTOR_URING ? "uring" : "epoll", reactor_count, socket_path);
	listenfds_notify("READY=1");
	for (unsigned i = 0; i < reactor_count; i++)
		watchdog_add(reactors[i]);
	watchdog_add(control_reactor());

	wait_for_end(&signals);
	listenfds_notify("STOPPING=1");
	r = 0;
out_accounts:
	http_stop(); /* first, so that no request waits for a control thread that is gone */
	accounts_stop();
out_control:
	if (!control_stop())
		leave_as_it_is(r);
out_scsi:
	nvme_stop();
out_only_scsi:
	if (!scsi_stop())
		leave_as_it_is(r);
out_block:
	block_stop();
out_reactors:
	reactors_stop();
	broker_stop();
	listenfds_done();
	return r;
}

static void keeper_ready(void)
{
	listenfds_notify("READY=1");
}

int main(int argc, char **argv)
{
	struct options o = { .state_dir = HF_STATE_DIR, .spin_us = 50, .https_port = 8443 };
	if (parse_options(argc, argv, &o) < 0)
		return 2;
	if (o.help) {
		print_help();
		return 0;
	}
	if (o.version) {
		puts("holdfastd " PACKAGE_VERSION);
		return 0;
	}
	log_open("holdfastd");
	if (o.end && !o.keeper) {
		fputs("holdfastd: --end goes with --keeper\n", stderr);
		return 2;
	}
	if (o.keeper)
		return o.end ? keeper_end(o.state_dir) : keeper_main(o.state_dir, keeper_ready);
	find_plugin_dirs();
	if (o.describe || o.describe_plugin)
		return describe(&o) < 0;
	return serve(&o) < 0;
}
