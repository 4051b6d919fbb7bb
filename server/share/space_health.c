/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_health.c - reads what smartctl says about a disk (JSON, smartctl(8) -j): ATA attributes, the NVMe health log, SCSI.
 * The disk's own verdict counts first; then what disks that fail soon have in common: sectors that it could not read or
 * had to replace, and wear.  Thresholds are low on purpose only where the next read may already be lost. */
#include <stdio.h>
#include <string.h>

#include "share/space_priv.h"

#define WORN_PERCENT 90
#define HOT_C 65

const char *space_health_name(enum space_health h)
{
	static const char *const names[] = { "unknown", "good", "worn", "failing" };
	return names[h];
}

static int64_t number(const json_t *o, const char *member)
{
	const json_t *v = json_object_get(o, member);
	return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* The raw value of an ATA attribute by its number. */
static int64_t attribute(const json_t *root, int id)
{
	const json_t *table = json_object_get(json_object_get(root, "ata_smart_attributes"), "table"), *row;
	size_t i;
	json_array_foreach(table, i, row)
		if (number(row, "id") == id)
			return number(json_object_get(row, "raw"), "value");
	return -1;
}

static void add(struct space_disk_health *h, enum space_health at_least, const char *fmt, ...) _printf_(3, 4);
static void add(struct space_disk_health *h, enum space_health at_least, const char *fmt, ...)
{
	size_t n = strlen(h->text);
	va_list ap;
	if (n && n < sizeof(h->text) - 3)
		n += (size_t)snprintf(h->text + n, sizeof(h->text) - n, "; ");
	va_start(ap, fmt);
	vsnprintf(h->text + n, sizeof(h->text) - n, fmt, ap);
	va_end(ap);
	if (h->health < at_least)
		h->health = at_least;
}

/* The first message of smartctl itself: why there is no answer. */
static const char *message(const json_t *root)
{
	const json_t *m = json_array_get(json_object_get(json_object_get(root, "smartctl"), "messages"), 0);
	const char *text = json_string_value(json_object_get(m, "string"));
	return text ? text : "the disk does not say how it is";
}

static void read_nvme(const json_t *log, struct space_disk_health *h)
{
	int64_t warning = number(log, "critical_warning"), spare = number(log, "available_spare"), threshold = number(log, "available_spare_threshold");
	h->worn_percent = number(log, "percentage_used");
	h->media_errors = number(log, "media_errors");
	if (h->temperature_c < 0)
		h->temperature_c = number(log, "temperature");
	if (h->hours < 0)
		h->hours = number(log, "power_on_hours");
	/* NVM Express, SMART / Health Information: bits 0 spare, 2 reliability, 3 read only, 4 backup of volatile memory. */
	if (warning > 0 && warning & 0x1d)
		add(h, SPACE_HEALTH_FAILING, "it warns by itself (critical warning 0x%02llx)", (unsigned long long)warning);
	if (spare >= 0 && threshold >= 0 && spare < threshold)
		add(h, SPACE_HEALTH_FAILING, "it has %lld %% of its spare blocks left", (long long)spare);
}

static void read_ata(const json_t *root, struct space_disk_health *h)
{
	h->reallocated = attribute(root, 5);
	h->pending = attribute(root, 197);
	int64_t uncorrectable = attribute(root, 198);
	if (h->worn_percent < 0)
		h->worn_percent = number(json_object_get(root, "endurance_used"), "current_percent");
	if (h->pending > 0)
		add(h, SPACE_HEALTH_FAILING, "%lld sectors cannot be read now", (long long)h->pending);
	if (uncorrectable > 0 && uncorrectable != h->pending)
		add(h, SPACE_HEALTH_FAILING, "%lld sectors cannot be corrected", (long long)uncorrectable);
	if (h->reallocated > 0)
		add(h, h->reallocated >= 50 ? SPACE_HEALTH_FAILING : SPACE_HEALTH_WORN, "%lld sectors were replaced", (long long)h->reallocated);
}

void space_health_read(const char *text, struct space_disk_health *ret)
{
	json_t *root = json_loads(text, 0, NULL);
	*ret = (struct space_disk_health){ .temperature_c = -1, .hours = -1, .worn_percent = -1, .reallocated = -1, .pending = -1, .media_errors = -1 };
	if (!json_is_object(root)) {
		snprintf(ret->text, sizeof(ret->text), "smartctl gave no answer that can be read");
		json_decref(root);
		return;
	}
	const json_t *passed = json_object_get(json_object_get(root, "smart_status"), "passed"), *nvme = json_object_get(root, "nvme_smart_health_information_log");
	ret->temperature_c = number(json_object_get(root, "temperature"), "current");
	ret->hours = number(json_object_get(root, "power_on_time"), "hours");
	if (strstr(message(root), "STANDBY") || strstr(message(root), "SLEEP")) {
		ret->asleep = true;
		snprintf(ret->text, sizeof(ret->text), "it sleeps, and is not woken for this");
	} else if (!json_is_boolean(passed) && !nvme && !json_object_get(root, "ata_smart_attributes")) {
		snprintf(ret->text, sizeof(ret->text), "%.200s", message(root));
	} else {
		ret->health = SPACE_HEALTH_GOOD;
		if (json_is_false(passed))
			add(ret, SPACE_HEALTH_FAILING, "its own test says that it fails");
		if (nvme)
			read_nvme(nvme, ret);
		else
			read_ata(root, ret);
		if (ret->worn_percent >= WORN_PERCENT)
			add(ret, SPACE_HEALTH_WORN, "%lld %% of the writes that it was made for are used", (long long)ret->worn_percent);
		if (ret->temperature_c >= HOT_C)
			add(ret, SPACE_HEALTH_WORN, "it is hot: %lld degrees", (long long)ret->temperature_c);
	}
	json_decref(root);
}
