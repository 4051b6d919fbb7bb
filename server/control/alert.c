/* SPDX-License-Identifier: GPL-3.0-or-later */
/* alert.c - alerts as people meet them: worst first, with what to do about each kind. */
#include "control/control_priv.h"

#include <string.h>

#include "control/operate.h"

/* One row per type of alert that any room raises; tests compare. */
static const struct {
	const char *type, *fix;
} fixes[] = {
	{ "acme.key_lost", "Make another account for the authority, and let the certificates use that one." },
	{ "certificate.expires", "Renew the certificate, or upload a new one; holdfast acme-history list says why it was not renewed." },
	{ "certificate.expires_soon", "Renew the certificate or upload a new one now, or activate another one." },
	{ "certificate.failed", "Read what the certificate authority said, mend it, and renew the certificate again." },
	{ "certificate.temporary", "Put the file secret.key of this server back into its state folder and restart, or upload a certificate anew and activate it." },
	{ "change.unfinished", "Do by hand what the message names, or make the change once more." },
	{ "channel.failed", "Test the channel: it shows what the other side says. What waits is sent when it works again." },
	{ "clock.jump", "Let the machine keep time by NTP: chronyd or systemd-timesyncd." },
	{ "discovery.locked", "Give the host that the setting iscsi_discovery_host names a CHAP name and secret, or empty the setting." },
	{ "disk.health", "Copy what is on the disk elsewhere and have it replaced; holdfast disk list shows its health." },
	{ "host.secret", "Set the host's CHAP secret anew." },
	{ "nas.domain", "See holdfast nas domain: does a domain controller run, does this machine's DNS know the domain, is the clock right? Connected users stay connected." },
	{ "nas.failed", "Do what the message says; it is tried again every ten seconds. holdfast nas shows the servers of shares." },
	{ "nas.keeper", "Start the keeper again: systemctl start holdfast-nas. The servers of shares go on meanwhile." },
	{ "nas.server", "Read the message, and the log of the server: journalctl -u holdfast-nas. It is started again with a growing delay." },
	{ "pool.full", "Delete what is not needed, or make the pool's file system larger. Writes that need new space fail until then." },
	{ "pool.low_space", "Delete what is not needed, or make the pool's file system larger; the setting pool_low_percent says from when on this is told." },
	{ "pool.offline", "Mount the file system of the pool, or bring its folder back; it is looked for again every half minute." },
	{ "pool.overcommitted", "The volumes can grow beyond the pool: watch its free space, or make the file system larger. The setting pool_overcommit_percent says from when on this is told." },
	{ "portal.failed", "Stop the program that has the address, or give the machine the address; it is tried again every few seconds." },
	{ "quota.failed", "Put the share on a file system that has quotas (XFS or ext4 mounted with them), or take the quota away." },
	{ "quota.near", "Have files removed, or raise the limit: holdfast quota set, or holdfast share set NAME --quota SIZE." },
	{ "secrets.locked", "Put the file secret.key of this server back into its state folder and restart, or set all secrets anew." },
	{ "share.failed", "Do what the message says; the share is tried again by itself." },
	{ "snapshot.failed", "Do what the message says; it is tried again at the next time of the schedule." },
	{ "target.failed", "Mend the target as the message says; it is tried again." },
	{ "target.secret", "Set the keys of the target anew." },
	{ "volume.build", "Look at the task's message, then delete the volume or make room and restart." },
	{ "volume.leftover", "Remove the files by hand when they are not needed." },
	{ "volume.offline", "Bring the disk, folder or plugin back; the volume is tried again every ten seconds and keeps its LUN." },
	{ "volume.reservations", "Let the hosts register their reservations anew." },
	{ "volume.size", "Look at the backing store: its size is not the volume's." },
	{ "volume.writes_lost", "Look at the disk and at its space, and have the hosts check their file systems; then acknowledge this alert: that opens the volume anew, and flushes work again." },
};

const char *alert_fix(const char *type)
{
	for (size_t i = 0; i < ARRAY_COUNT(fixes); i++)
		if (strcmp(fixes[i].type, type) == 0)
			return fixes[i].fix;
	return NULL;
}

static json_t *alert_json(const json_t *event)
{
	const json_t *facts = json_object_get(event, "facts");
	const char *by = text_of(facts, "acknowledged_by"), *at = text_of(facts, "acknowledged_at");
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?}", "id", text_of(event, "id"), "level", text_of(event, "level"), "type", text_of(event, "type"), "since",
			 text_of(event, "at"), "object", text_of(event, "object"), "text", text_of(event, "message"), "fix", alert_fix(text_of(event, "type")), "acknowledged_by",
			 *by ? by : NULL, "acknowledged_at", *at ? at : NULL);
}

/* Errors before warnings; the newest first within them, as people look for what has just broken. */
static int alerts_run(void *arg)
{
	static const char *const levels[] = { "error", "warning", "info" };
	json_t *list = json_array(), *all = alerts_active();
	for (size_t l = 0; l < ARRAY_COUNT(levels); l++)
		for (size_t i = json_array_size(all); i-- > 0;)
			if (strcmp(text_of(json_array_get(all, i), "level"), levels[l]) == 0)
				json_array_append_new(list, alert_json(json_array_get(all, i)));
	json_decref(all);
	*(json_t **)arg = list;
	return 0;
}

json_t *control_alerts(void)
{
	json_t *list = NULL;
	return reactor_call(ctl.reactor, alerts_run, &list) ? NULL : list;
}

struct acknowledge {
	const char *id, *who;
	json_t *result;
	struct config_error *e;
};
static int acknowledge_run(void *arg)
{
	struct acknowledge *a = arg;
	json_t *event;
	int r = alert_acknowledge(a->id, a->who, &event, a->e);
	if (r)
		return r;
	a->result = alert_json(event);
	rt_volume_acknowledged(text_of(event, "type"), text_of(event, "object"));
	json_decref(event);
	return 0;
}

int control_alert_acknowledge(const char *id, const struct config_actor *who, json_t **ret_alert, struct config_error *e)
{
	struct acknowledge a = { .id = id, .who = who->name, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, acknowledge_run, &a);
	if (!r)
		*ret_alert = a.result;
	return r;
}
