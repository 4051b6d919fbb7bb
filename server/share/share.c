/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.c - the door of share/: calls the parts of a world one after the other, keeps what was applied last in so far
 * as questions need it, and has the thread that listens to the keeper. */
#include "share/share.h"
#include "share/share_priv.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "core/utf8.h"

LOG_TOPIC(share);

/* In the order in which they are applied: who may, where it is, who serves it, who sees it. */
static const struct share_part *const parts[] = {
	&share_part_domain,
	&share_part_account,
	&share_part_folder,
	&share_part_space,
	&share_part_wsd,
	&share_part_smb,
	&share_part_nfs,
};
#define for_each_part(p) \
	for (size_t i_ = 0; i_ < ARRAY_COUNT(parts); i_++) \
		for (const struct share_part *p = parts[i_]; p; p = NULL)

/* What questions need of the world that was applied last. */
struct known {
	char id[96], name[96], folder[1024], failed[256];
	bool enabled, smb, nfs;
	uint32_t export_id;
};
static pthread_mutex_t apply_lock = PTHREAD_MUTEX_INITIALIZER; /* one call into the parts at a time */
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER; /* guards known, failing; held for moments */
static struct known *known;
static size_t known_count;
static struct known *failing;            /* of the world that is being applied */
static size_t failing_count;
static struct share_opts opts;
static struct share_capability capability;
static bool started;
static pthread_t thread;
static int wake_fd = -1;

static const char *const preset_names[SHARE_PRESETS] = {
	[SHARE_GENERAL] = "general", [SHARE_HOMES] = "homes", [SHARE_TIME_MACHINE] = "time-machine", [SHARE_LIBRARY] = "library",
	[SHARE_DROP_BOX] = "drop-box", [SHARE_VMWARE] = "vmware", [SHARE_KUBERNETES] = "kubernetes",
};
const char *share_preset_name(enum share_preset p)
{
	return (unsigned)p < SHARE_PRESETS ? preset_names[p] : NULL;
}
int share_preset_parse(const char *word, enum share_preset *ret)
{
	for (size_t i = 0; i < SHARE_PRESETS; i++)
		if (strcmp(word, preset_names[i]) == 0) {
			*ret = (enum share_preset)i;
			return 0;
		}
	return -EINVAL;
}

/* ---- what went wrong with one share ------------------------------------------------------------------------ */
static struct known *find_known(struct known *in, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(in[i].id, id) == 0)
			return &in[i];
	return NULL;
}

void share_fail(const struct share_spec *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	pthread_mutex_lock(&known_lock);
	struct known *k = find_known(failing, failing_count, s->id);
	if (k && !k->failed[0])
		vsnprintf(k->failed, sizeof(k->failed), fmt, ap);
	pthread_mutex_unlock(&known_lock);
	va_end(ap);
}

bool share_has_failed(const struct share_spec *s)
{
	pthread_mutex_lock(&known_lock);
	const struct known *k = find_known(failing, failing_count, s->id);
	bool failed = k && k->failed[0];
	pthread_mutex_unlock(&known_lock);
	return failed;
}

int share_id_by_name(const char *name, char *ret_id, size_t id_bytes)
{
	int r = -ENOENT;
	pthread_mutex_lock(&known_lock);
	for (size_t i = 0; i < known_count && r < 0; i++)
		if (strcasecmp(known[i].name, name) == 0) {
			snprintf(ret_id, id_bytes, "%s", known[i].id);
			r = 0;
		}
	pthread_mutex_unlock(&known_lock);
	return r;
}

int share_folder_by_id(const char *id, char *ret_folder, size_t folder_bytes)
{
	pthread_mutex_lock(&known_lock);
	const struct known *k = find_known(known, known_count, id);
	if (k)
		snprintf(ret_folder, folder_bytes, "%s", k->folder);
	pthread_mutex_unlock(&known_lock);
	return k ? 0 : -ENOENT;
}

bool share_is_served(const char *id, bool nfs)
{
	pthread_mutex_lock(&known_lock);
	const struct known *k = find_known(known, known_count, id);
	bool served = k && k->enabled && (nfs ? k->nfs : k->smb);
	pthread_mutex_unlock(&known_lock);
	return served;
}

uint32_t share_export_by_id(const char *id)
{
	pthread_mutex_lock(&known_lock);
	const struct known *k = find_known(known, known_count, id);
	uint32_t n = k ? k->export_id : 0;
	pthread_mutex_unlock(&known_lock);
	return n;
}

void share_tell(enum share_event kind, const char *share_id, const char *what, const json_t *data)
{
	if (opts.event)
		opts.event(opts.arg, kind, share_id, what, data);
}

/* ---- life --------------------------------------------------------------------------------------------------- */
static void hear(const struct keeper_event *e)
{
	static const struct {
		const char *kind, *what;
		enum share_event event;
	} fates[] = {
		{ "died", "a server of shares ended by itself and is started again", SHARE_EVENT_CHILD_DIED },
		{ "failed", "a server of shares does not stay up; tried again later", SHARE_EVENT_CHILD_FAILED },
		{ "back", "a server of shares is back", SHARE_EVENT_CHILD_BACK },
	};
	for (size_t i = 0; i < ARRAY_COUNT(fates); i++)
		if (strcmp(e->kind, fates[i].kind) == 0) {
			char detail[513];
			snprintf(detail, sizeof(detail), "%s", e->text);
			utf8_mend(detail);
			json_t *data = json_pack("{s:s, s:s}", "server", e->child, "detail", detail);
			share_tell(fates[i].event, NULL, fates[i].what, data);
			json_decref(data);
		}
	if (strcmp(e->kind, "log") == 0)
		for_each_part(p)
			if (p->line)
				p->line(e->child, e->text);
}

/* Reads what the keeper pushes; connects again, at most once per second, when it has gone. */
static void *listen_loop(void *arg)
{
	int events = -1;
	bool had = false;
	time_t ticked = 0;
	(void)arg;
	for (;;) {
		if (events < 0) {
			events = keeper_events_open();
			if (events >= 0 && had)
				share_tell(SHARE_EVENT_KEEPER_BACK, NULL, "the keeper of shares is back", NULL);
			had |= events >= 0;
		}
		struct pollfd fds[] = { { wake_fd, POLLIN, 0 }, { events, POLLIN, 0 } };
		if (poll(fds, events < 0 ? 1 : 2, 1000) < 0 && errno != EINTR)
			break;
		if (fds[0].revents)
			break;
		while (events >= 0) {
			char buf[KEEPER_TEXT_BYTES];
			struct keeper_event e;
			ssize_t n = keeper_events_read(events, buf, sizeof(buf), &e);
			if (n == -EAGAIN)
				break;
			if (n <= 0) {
				close(events);
				events = -1;
				share_tell(SHARE_EVENT_KEEPER_LOST, NULL, "the keeper of shares has gone; its servers go on", NULL);
				break;
			}
			hear(&e);
		}
		for_each_part(p)
			if (p->settled)
				p->settled();
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec != ticked) {
			ticked = now.tv_sec;
			for_each_part(p)
				if (p->tick)
					p->tick();
		}
	}
	closep(&events);
	return NULL;
}

/* What the machine can is asked once there is somebody to ask. */
static bool known_now;
static void ask_capabilities(void)
{
	if (known_now)
		return;
	known_now = keeper_present(NULL);
	if (!known_now)
		snprintf(capability.keeper_why_not, sizeof(capability.keeper_why_not), "no keeper of shares runs yet; the first share summons it");
	else
		capability.keeper_why_not[0] = '\0';
	for_each_part(p)
		if (p->capability)
			p->capability(&capability);
}

/* Its package, or that of a server, may have come after the daemon: what was missing is asked for again, not too often. */
static void ask_again(void)
{
	static struct timespec asked;
	struct timespec now;
	if (pthread_mutex_trylock(&apply_lock))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((!known_now || !capability.smb || !capability.nfs) && now.tv_sec - asked.tv_sec >= 2 && keeper_present(NULL)) {
		asked = now;
		known_now = false;
		ask_capabilities();
	}
	pthread_mutex_unlock(&apply_lock);
}

int share_start(const struct share_opts *o)
{
	opts = *o;
	keeper_open(o->state_dir);
	wake_fd = eventfd(0, EFD_CLOEXEC);
	if (wake_fd < 0)
		return -errno;
	int r = 0;
	for_each_part(p)
		if (r == 0 && p->start)
			r = p->start();
	if (r == 0)
		r = -pthread_create(&thread, NULL, listen_loop, NULL);
	if (r < 0) {
		for_each_part(p)
			if (p->stop)
				p->stop();
		keeper_close();
		close(wake_fd);
		wake_fd = -1;
		return r;
	}
	ask_capabilities();
	started = true;
	return 0;
}

void share_stop(void)
{
	if (!started)
		return;
	const uint64_t one = 1;
	if (write(wake_fd, &one, sizeof(one)) < 0)
		log_warn(&log_share, "cannot wake the thread of shares", "errno=%d", errno);
	pthread_join(thread, NULL);
	for_each_part(p)
		if (p->stop)
			p->stop();
	keeper_close();
	close(wake_fd);
	wake_fd = -1;
	free(known);
	known = NULL;
	known_count = 0;
	started = false;
}

/* ---- a world ------------------------------------------------------------------------------------------------ */
static int remember(const struct share_world *w)
{
	struct known *k = calloc(w->share_count + 1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		snprintf(k[i].id, sizeof(k[i].id), "%s", s->id);
		snprintf(k[i].name, sizeof(k[i].name), "%s", s->name);
		snprintf(k[i].folder, sizeof(k[i].folder), "%s", s->folder);
		k[i].enabled = s->enabled;
		k[i].smb = s->smb;
		k[i].nfs = s->nfs;
		k[i].export_id = s->export_id;
	}
	pthread_mutex_lock(&known_lock);
	free(failing);
	failing = k;
	failing_count = w->share_count;
	pthread_mutex_unlock(&known_lock);
	return 0;
}

/* Nothing to keep and nothing that was kept: a machine without NAS needs no keeper. */
static bool world_is_empty(const struct share_world *w)
{
	return w->share_count == 0 && w->user_count == 0 && w->group_count == 0 && w->portal_count == 0;
}

int share_check(const struct share_world *w, char *why, size_t why_bytes)
{
	int r = 0;
	pthread_mutex_lock(&apply_lock);
	if (!world_is_empty(w) || keeper_present(NULL))
		r = keeper_summon(why, why_bytes);
	for_each_part(p)
		if (r == 0 && p->check && !world_is_empty(w))
			r = p->check(w, why, why_bytes);
	pthread_mutex_unlock(&apply_lock);
	return r;
}

int share_apply(const struct share_world *w, char *why, size_t why_bytes)
{
	pthread_mutex_lock(&apply_lock);
	int r = remember(w);
	if (r < 0)
		snprintf(why, why_bytes, "out of memory");
	bool needed = !world_is_empty(w) || keeper_present(NULL);
	if (r == 0 && needed)
		r = keeper_summon(why, why_bytes);
	if (r == 0 && needed)
		ask_capabilities();
	for_each_part(p)
		if (r == 0 && needed && p->apply)
			r = p->apply(w, why, why_bytes);
	pthread_mutex_lock(&known_lock);
	/* Also after an error: what runs is nearer to this world than to the one before. */
	if (failing) {
		free(known);
		known = failing;
		known_count = failing_count;
		failing = NULL;
		failing_count = 0;
	}
	pthread_mutex_unlock(&known_lock);
	pthread_mutex_unlock(&apply_lock);
	return r;
}

/* ---- what is ------------------------------------------------------------------------------------------------- */
static int copy_known(const char *share_id, struct known *ret)
{
	pthread_mutex_lock(&known_lock);
	const struct known *k = find_known(known, known_count, share_id);
	if (k)
		*ret = *k;
	pthread_mutex_unlock(&known_lock);
	return k ? 0 : -ENOENT;
}

int share_state(const char *share_id, struct share_state *ret)
{
	struct known k;
	int r = copy_known(share_id, &k);
	if (r < 0)
		return r;
	*ret = (struct share_state){ .live = !k.enabled ? SHARE_LIVE_DISABLED : k.failed[0] ? SHARE_LIVE_FAILED : SHARE_LIVE_SERVING };
	snprintf(ret->reason, sizeof(ret->reason), "%s", k.failed);
	for_each_part(p)
		if (p->state)
			p->state(share_id, k.name, ret);
	return 0;
}

json_t *share_sessions(void)
{
	json_t *a = json_array();
	for_each_part(p)
		if (a && p->sessions)
			p->sessions(a);
	return a;
}

int share_session_close(const char *id, char *why, size_t why_bytes)
{
	int r = -ENOENT;
	for_each_part(p)
		if (r == -ENOENT && p->session_close)
			r = p->session_close(id, why, why_bytes);
	if (r == -ENOENT)
		snprintf(why, why_bytes, "there is no such session");
	return r;
}

json_t *share_open_files(const char *share_id)
{
	struct known k;
	json_t *a = copy_known(share_id, &k) == 0 ? json_array() : NULL;
	for_each_part(p)
		if (a && p->open_files)
			p->open_files(k.name, k.folder, a);
	return a;
}

int share_file_close(const char *share_id, const char *file_id, char *why, size_t why_bytes)
{
	struct known k;
	int r = copy_known(share_id, &k);
	if (r == 0) {
		r = -ENOENT;
		for_each_part(p)
			if (r == -ENOENT && p->file_close)
				r = p->file_close(k.name, file_id, why, why_bytes);
	}
	if (r == -ENOENT)
		snprintf(why, why_bytes, "there is no such open file");
	return r;
}

json_t *share_status(void)
{
	pid_t pid = 0;
	bool running = keeper_present(&pid);
	ask_again();
	json_t *servers = json_array();
	for_each_part(p)
		if (servers && p->status)
			p->status(servers);
	return json_pack("{s:{s:b,s:I}, s:o}", "keeper", "running", running, "pid", (json_int_t)pid, "servers", servers);
}

const struct share_capability *share_capabilities(void)
{
	return &capability;
}
