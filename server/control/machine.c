/* SPDX-License-Identifier: GPL-3.0-or-later */
/* machine.c - what the machine is: its addresses, its system, the libraries that are loaded. */
#include "control/control_priv.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "config.h"
#include "control/operate.h"
#include "core/library.h"

/* ---- addresses ------------------------------------------------------------------------------------------- */
static unsigned count_bits(const uint8_t *mask, size_t len_bytes)
{
	unsigned n = 0;
	for (size_t i = 0; i < len_bytes; i++)
		n += (unsigned)__builtin_popcount(mask[i]);
	return n;
}

/* The kernel says -1 where there is no link or no such thing as a speed. */
static json_t *link_speed(const char *interface)
{
	char path[64 + IFNAMSIZ];
	int speed = -1;
	snprintf(path, sizeof(path), "/sys/class/net/%s/speed", interface);
	FILE *f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%d", &speed) != 1)
			speed = -1;
		fclose(f);
	}
	return speed > 0 ? json_integer(speed) : json_null();
}

static json_t *address_json(const struct ifaddrs *a)
{
	bool six = a->ifa_addr->sa_family == AF_INET6;
	char text[INET6_ADDRSTRLEN + IFNAMSIZ + 2];
	const void *address, *mask = NULL;
	unsigned prefix = 0;
	if (six) {
		const struct sockaddr_in6 *in = (const void *)a->ifa_addr;
		address = &in->sin6_addr;
		mask = a->ifa_netmask ? &((const struct sockaddr_in6 *)(const void *)a->ifa_netmask)->sin6_addr : NULL;
	} else {
		address = &((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
		mask = a->ifa_netmask ? &((const struct sockaddr_in *)(const void *)a->ifa_netmask)->sin_addr : NULL;
	}
	if (!inet_ntop(six ? AF_INET6 : AF_INET, address, text, INET6_ADDRSTRLEN))
		return NULL;
	if (mask)
		prefix = count_bits(mask, six ? 16 : 4);
	bool link_local = six && IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)address);
	if (link_local)
		snprintf(text + strlen(text), IFNAMSIZ + 2, "%%%.*s", IFNAMSIZ, a->ifa_name);
	return json_pack("{s:s, s:s, s:s, s:i, s:b, s:b, s:b, s:o}", "address", text, "interface", a->ifa_name, "family", six ? "ipv6" : "ipv4", "prefix", (int)prefix,
			 "loopback", !!(a->ifa_flags & IFF_LOOPBACK), "link_local", (int)link_local, "up", !!(a->ifa_flags & IFF_UP), "speed_mbit", link_speed(a->ifa_name));
}

json_t *control_addresses(void)
{
	struct ifaddrs *all, *a;
	json_t *list = json_array();
	if (getifaddrs(&all))
		return list;
	for (a = all; a; a = a->ifa_next)
		if (a->ifa_addr && (a->ifa_addr->sa_family == AF_INET || a->ifa_addr->sa_family == AF_INET6)) {
			json_t *o = address_json(a);
			if (o)
				json_array_append_new(list, o);
		}
	freeifaddrs(all);
	return list;
}

/* ---- about ------------------------------------------------------------------------------------------------- */
/* PRETTY_NAME of os-release(5). */
static void os_name(char *buf, size_t buf_bytes)
{
	char line[512];
	FILE *f = fopen("/etc/os-release", "re");
	snprintf(buf, buf_bytes, "Linux");
	while (f && fgets(line, sizeof(line), f)) {
		char *value = line + strlen("PRETTY_NAME=");
		if (strncmp(line, "PRETTY_NAME=", strlen("PRETTY_NAME=")) != 0)
			continue;
		value[strcspn(value, "\n")] = '\0';
		if (*value == '"') {
			value++;
			value[strcspn(value, "\"")] = '\0';
		}
		snprintf(buf, buf_bytes, "%s", value);
	}
	if (f)
		fclose(f);
}

json_t *control_about(void)
{
	struct utsname u;
	char os[256];
	json_t *list = json_array();
	for (const struct library *l = libraries(); l; l = l->next)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", l->name, "version", l->version() ? l->version() : "", "licence", l->licence));
	if (uname(&u))
		memset(&u, 0, sizeof(u));
	os_name(os, sizeof(os));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o}", "version", PACKAGE_VERSION, "licence", "GPL-3.0-or-later", "kernel", u.release, "os", os, "machine", u.machine,
			 "compiler", __VERSION__, "schema", config_schema_version(), "libraries", list);
}
