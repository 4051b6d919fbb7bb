/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tpg.c - target port groups: REPORT and SET TARGET PORT GROUPS, asymmetric logical unit access.  SPC-4 5.15, 6.37, 6.44.
 *
 * A group is a portal group of the target, and has one port.  The states belong to the target: the administrator sets
 * them, and hosts do where the target lets them.  Whoever stores them (control/) makes them durable and gives every nexus
 * a map that says so before the host hears GOOD; other nexuses hear 2A/06 from the change of their map. */
#include "scsi/ops_priv.h"

#include "scsi/out.h"

static struct {
	pthread_mutex_t mutex;
	scsi_set_paths_fn *fn;
	void *arg;
} setter = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void scsi_on_set_paths(scsi_set_paths_fn *fn, void *arg)
{
	pthread_mutex_lock(&setter.mutex);
	setter.fn = fn;
	setter.arg = arg;
	pthread_mutex_unlock(&setter.mutex);
}

/* ---- REPORT TARGET PORT GROUPS ------------------------------------------------------------------------- */
enum { TPG_EXTENDED = 0x20, TPG_SUPPORTED = 0x80 | 0x08 | 0x02 | 0x01 /* T, U, AN, AO */, TPG_STATUS_NONE = 0, TPG_STATUS_EXPLICIT = 1,
       TPG_STATUS_IMPLICIT = 2, TRANSITION_SECONDS = 60 };

static void out_group(struct out *o, const struct scsi_path *path)
{
	out_8(o, path->state);
	out_8(o, TPG_SUPPORTED);
	out_16(o, path->group);
	out_8(o, 0);
	out_8(o, path->by_host ? TPG_STATUS_EXPLICIT : path->state == SCSI_PATH_OPTIMIZED ? TPG_STATUS_NONE : TPG_STATUS_IMPLICIT);
	out_8(o, 0);
	out_8(o, 1);                     /* one port follows */
	out_16(o, 0);
	out_16(o, path->group);
}

/* The states that hosts are told of, one by one; the nexus's own group is always among them. */
static bool path_at(const struct scsi_nexus *n, size_t i, struct scsi_path *ret_path)
{
	const struct scsi_lun_map *m = n->map;
	if (i < m->path_count) {
		*ret_path = m->path[i];
		return true;
	}
	*ret_path = (struct scsi_path){ .group = n->port_group, .state = n->path_state };
	for (size_t k = 0; k < m->path_count; k++)
		if (m->path[k].group == n->port_group)
			return false;
	return i == m->path_count;
}

enum step run_report_tpg(struct scsi_task *t, struct task *p, int status)
{
	const struct scsi_nexus *n = p->itl->nexus;
	struct out o = task_out(p);
	struct scsi_path path;
	(void)status;
	out_32(&o, 0);
	if (t->cdb[1] & TPG_EXTENDED) {
		out_8(&o, 0x10);         /* format 001b */
		out_8(&o, TRANSITION_SECONDS);
		out_16(&o, 0);
	}
	for (size_t i = 0; path_at(n, i, &path); i++)
		out_group(&o, &path);
	out_patch_32(&o, 0, o.len - 4);
	return task_out_end(p, &o);
}

/* ---- SET TARGET PORT GROUPS ------------------------------------------------------------------------------ */
enum { HEADER = 4, DESCRIPTOR = 4, DESCRIPTORS_MAX = 256, STATE = 0x0f };
struct stpg {                            /* in task->heap */
	struct list link;                /* in nexus->asked */
	const struct scsi_nexus *nexus;
	int error;
	size_t count;
	struct scsi_path path[];
};

static bool asks_for(const struct stpg *s, const struct scsi_path *path)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->path[i].group == path->group && s->path[i].state == path->state)
			return true;
	return false;
}

bool stpg_is_own_change(const struct scsi_nexus *n, const struct scsi_lun_map *before, const struct scsi_lun_map *now)
{
	if (list_is_empty(&n->asked) || before->path_count != now->path_count)
		return false;
	for (size_t i = 0; i < now->path_count; i++) {
		const struct stpg *s;
		bool own = false;
		if (before->path[i].group != now->path[i].group)
			return false;
		list_for_each(s, &n->asked, link)
			own |= asks_for(s, &now->path[i]);
		if (!own && before->path[i].state != now->path[i].state)
			return false;
	}
	return true;
}

enum scsi_result parse_set_tpg(struct scsi_task *t, struct task *p)
{
	be32 b;
	memcpy(&b, t->cdb + 6, sizeof(b));
	uint32_t len = be32_get(b);
	if (len && (len < HEADER || len % DESCRIPTOR))
		return RES_PARAM_LIST_LENGTH;
	if (len > HEADER + DESCRIPTORS_MAX * DESCRIPTOR)
		return cdb_field(p, 6, -1);
	return parse_data_out(p, len);
}

static void set_work(struct work *w)
{
	struct stpg *s = container_of(w, struct task, work)->heap;
	pthread_mutex_lock(&setter.mutex);
	scsi_set_paths_fn *fn = setter.fn;
	void *arg = setter.arg;
	pthread_mutex_unlock(&setter.mutex);
	s->error = fn ? fn(arg, s->nexus->target_device, s->nexus->initiator_port, s->path, s->count) : -ESHUTDOWN;
}

static void set_done(struct work *w)
{
	task_continue(container_of(w, struct task, work), 0);
}

static enum step set_over(struct scsi_task *t, struct task *p, int status)
{
	struct stpg *s = p->heap;
	(void)t;
	(void)status;
	list_del(&s->link);
	return s->error ? task_fail(p, RES_SET_PATHS) : STEP_END;
}

/* One descriptor.  False: it cannot be, and the task has failed. */
static bool take_descriptor(struct task *p, const uint8_t *b, unsigned at, struct stpg *s)
{
	struct scsi_path path, asked = { .group = (uint16_t)(b[at + 2] << 8 | b[at + 3]), .state = b[at] & STATE };
	bool known = false;
	for (size_t i = 0; path_at(s->nexus, i, &path); i++)
		known |= path.group == asked.group;
	/* Standby and the rest we do not have; transitioning is nobody's wish. */
	if (asked.state != SCSI_PATH_OPTIMIZED && asked.state != SCSI_PATH_NONOPTIMIZED && asked.state != SCSI_PATH_UNAVAILABLE) {
		(void)task_fail_param(p, at, 3);
		return false;
	}
	for (size_t i = 0; i < s->count; i++)
		known &= s->path[i].group != asked.group;        /* each once */
	if (!known) {
		(void)task_fail_param(p, at + 2, -1);
		return false;
	}
	s->path[s->count++] = asked;
	return true;
}

/* Does anything change?  -EAGAIN: a group is in transition, which only the administrator ends. */
static int compare(const struct stpg *s)
{
	struct scsi_path path;
	int differs = 0;
	for (size_t i = 0; path_at(s->nexus, i, &path); i++) {
		if (path.state == SCSI_PATH_TRANSITIONING)
			return -EAGAIN;
		for (size_t k = 0; k < s->count; k++)
			differs |= s->path[k].group == path.group && s->path[k].state != path.state;
	}
	return differs;
}

enum step run_set_tpg(struct scsi_task *t, struct task *p, int status)
{
	unsigned len = (unsigned)t->data_len_bytes;
	(void)status;
	if (len <= HEADER)
		return STEP_END;
	struct stpg *s = calloc(1, sizeof(*s) + len / DESCRIPTOR * sizeof(s->path[0]));
	if (!s)
		return task_fail(p, RES_RESOURCES);
	p->heap = s;
	s->nexus = p->itl->nexus;
	for (unsigned at = HEADER; at < len; at += DESCRIPTOR)
		if (!take_descriptor(p, p->piece[0].iov_base, at, s))
			return STEP_END;
	int differs = compare(s);
	if (differs < 0)
		return task_fail(p, RES_PATH_CHANGES);
	if (!differs)
		return STEP_END;
	list_add_tail(&p->itl->nexus->asked, &s->link);
	p->next = set_over;
	p->work = (struct work){ .work = set_work, .done = set_done };
	reactor_work(p->itl->nexus->reactor, &p->work);
	return STEP_WAIT;
}
