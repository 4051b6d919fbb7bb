/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor.c - what firewalls print is read as it is meant, and secrets leave texts and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor_priv.h"

#define NFT_DROP                                                                                                          \
	"table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n"                \
	"\t\tiif \"lo\" accept\n\t\tct state established,related accept\n\t\ttcp dport { 22, 3260, 8000-8010 } accept\n"  \
	"\t\tudp dport 4420 accept\n\t\ttcp dport 8443 drop\n\t}\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
#define NFT_ACCEPT "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}\n"
#define UFW "Status: active\n\nTo                         Action      From\n--                         ------      ----\n3260/tcp                   ALLOW       Anywhere\n" \
	    "4420,8009/tcp              ALLOW       192.0.2.0/24\n8443/tcp                   DENY        Anywhere\n22/tcp (v6)                ALLOW       Anywhere (v6)\n5000:5010/tcp              ALLOW       Anywhere\n"

/* As firewall-cmd --list-all prints it. */
#define ZONE(head, services, ports) head "\n  target: default\n  interfaces: eth0\n  services: " services "\n  ports: " ports "\n  protocols: \n  source-ports: \n  rich rules: \n"

static void firewalls(void **state)
{
	static const struct {
		const char *what, *zone, *zones, *ufw, *nft;
		unsigned port;
		bool blocks;
		const char *fix;
	} cases[] = {
		{ "no firewall", NULL, NULL, NULL, NULL, 3260, false, "" },
		{ "firewalld, open", ZONE("public (active)", "ssh", "3260/tcp 53/udp"), "", NULL, NULL, 3260, false, "" },
		{ "firewalld, closed", ZONE("public (active)", "ssh", "3260/tcp 53/udp"), "", NULL, NULL, 4420, true, "firewall-cmd --permanent --zone=public --add-port=4420/tcp && firewall-cmd --reload" },
		{ "firewalld, an interface without a zone", ZONE("public", "ssh", ""), ZONE("public", "ssh", ""), NULL, NULL, 4420, true, "firewall-cmd --permanent --add-port=4420/tcp && firewall-cmd --reload" },
		{ "firewalld, only for UDP", ZONE("public", "", "4420/udp 53/tcp"), "", NULL, NULL, 4420, true, "firewall-cmd --permanent --add-port" },
		{ "firewalld, a range", ZONE("public", "", "4000-5000/tcp"), NULL, NULL, NULL, 4420, false, "" },
		{ "firewalld, by a service", ZONE("public", "ssh iscsi-target dhcpv6-client", ""), NULL, NULL, NULL, 3260, false, "" },
		{ "firewalld, by ours for disks", ZONE("public", "holdfast holdfast-san", ""), NULL, NULL, NULL, 4420, false, "" },
		{ "firewalld, by ours for shares", ZONE("public", "holdfast-nas", ""), NULL, NULL, NULL, 2049, false, "" },
		{ "firewalld, by ours for the page", ZONE("public", "ssh holdfast", ""), NULL, NULL, NULL, 8443, false, "" },
		{ "firewalld, ours for the page alone", ZONE("public", "ssh holdfast", ""), NULL, NULL, NULL, 3260, true, "firewall-cmd --permanent --add-port=3260/tcp" },
		{ "firewalld, in the zone of an interface", ZONE("public", "", ""), ZONE("public", "", "") ZONE("san (active)", "", "3260/tcp"), NULL, NULL, 3260, false, "" },
		{ "firewalld, closed in the zone of an interface", ZONE("public", "", ""), ZONE("san (active)", "ssh", ""), NULL, NULL, 3260, true, "firewall-cmd --permanent --zone=san --add-port=3260/tcp" },
		{ "firewalld, in a zone that nobody has", ZONE("public", "", ""), ZONE("san", "", "3260/tcp"), NULL, NULL, 3260, true, "firewall-cmd" },
		{ "firewalld, a zone that lets all in", ZONE("public", "", ""), "trusted (active)\n  target: ACCEPT\n", NULL, NULL, 3260, false, "" },
		{ "firewalld, a rich rule", ZONE("public", "", "") "\trule family=\"ipv4\" source address=\"10.0.0.0/8\" port port=\"3260\" protocol=\"tcp\" accept\n", NULL, NULL, NULL, 3260, false, "" },
		{ "firewalld, a rich rule that drops", ZONE("public", "", "") "\trule family=\"ipv4\" port port=\"3260\" protocol=\"tcp\" drop\n", NULL, NULL, NULL, 3260, true, "firewall-cmd" },
		{ "firewalld, a rich rule with a service", ZONE("public", "", "") "\trule family=\"ipv4\" service name=\"holdfast-san\" accept\n", NULL, NULL, NULL, 3260, false, "" },
		{ "firewalld, nothing is open", ZONE("public", "", ""), "", NULL, NULL, 3260, true, "firewall-cmd --permanent --add-port=3260/tcp && firewall-cmd --reload" },
		{ "ufw is off", NULL, NULL, "Status: inactive\n", NULL, 3260, false, "" },
		{ "ufw, open", NULL, NULL, UFW, NULL, 3260, false, "" },
		{ "ufw, second of two", NULL, NULL, UFW, NULL, 8009, false, "" },
		{ "ufw, a range", NULL, NULL, UFW, NULL, 5005, false, "" },
		{ "ufw, denied", NULL, NULL, UFW, NULL, 8443, true, "ufw allow 8443/tcp" },
		{ "ufw, not named", NULL, NULL, UFW, NULL, 2049, true, "ufw allow 2049/tcp" },
		{ "nft accepts", NULL, NULL, NULL, NFT_ACCEPT, 3260, false, "" },
		{ "nft, in a set", NULL, NULL, NULL, NFT_DROP, 3260, false, "" },
		{ "nft, in a range", NULL, NULL, NULL, NFT_DROP, 8009, false, "" },
		{ "nft, only for UDP", NULL, NULL, NULL, NFT_DROP, 4420, true, "nft insert rule inet filter input tcp dport 4420 accept" },
		{ "nft, dropped by name", NULL, NULL, NULL, NFT_DROP, 8443, true, "nft insert rule inet filter input tcp dport 8443 accept" },
		{ "an empty ruleset", NULL, NULL, NULL, "", 3260, false, "" },
		{ "a ruleset cut off", NULL, NULL, NULL, "table inet f {\n\tchain i {\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport {", 3260, true, "nft insert rule inet f i" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char fix[256] = "";
		struct firewall *f = firewall_from(cases[i].zone, cases[i].zones, cases[i].ufw, cases[i].nft);
		bool blocks = firewall_blocks(f, cases[i].port, fix, sizeof(fix));
		if (blocks != cases[i].blocks || strncmp(fix, cases[i].fix, strlen(cases[i].fix)) != 0)
			fail_msg("%s: %s, \"%s\"", cases[i].what, blocks ? "closed" : "open", fix);
		firewall_free(f);
	}
}

static void texts(void **state)
{
	static const struct {
		const char *what, *text, *gone; /* gone: NULL: nothing changes */
	} cases[] = {
		{ "plain words", "login of iqn.1993-08.org.debian:01:abcdef from 192.0.2.7", NULL },
		{ "a DH-HMAC-CHAP key", "key=DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n: end", "ia6zGodOr4SEG0Z" },
		{ "a TLS key", "NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:", "VRLbtnN9AQb2" },
		{ "a token", "Authorization: Bearer hf_abc123_DEADBEEFdeadbeef", "DEADBEEF" },
		{ "a set-up code", "setup code ABCDEFGHIJKLMNOPQRSTUVWXYZ valid for 30 min", "ABCDEFGH" },
		{ "a set-up code in groups", "code ABCDE-FGHIJ-KLMNO-PQRST-UVWXY-Z", "KLMNO" },
		{ "a private key", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\nafter", "MIGHAgEA" },
		{ "a private key cut off", "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAbc", "MHcCAQEE" },
		{ "two private keys", "-----BEGIN PRIVATE KEY-----\nAAAA1\n-----END PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\nBBBB2\n-----END PRIVATE KEY-----", "BBBB2" },
		{ "a long word in lower case", "abcdefghijklmnopqrstuvwxyzabcdefgh", NULL },
		{ "a password in an address", "opened https://bot:hunter2@hooks.example.net/x", "hunter2" },
		{ "a CHAP secret in an address", "iscsi://u%hunter2@192.0.2.7/iqn.2026-11.x:y/0", "hunter2" },
		{ "an address with a name", "smb://anna@nas/docs and https://[2001:db8::1]:8443/@x", NULL },
		{ "a UUID", "0193A000-0000-7000-8000-00000000000E", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *s = strdup(cases[i].text);
		scrub_text(s);
		if (cases[i].gone ? strstr(s, cases[i].gone) != NULL : strcmp(s, cases[i].text) != 0)
			fail_msg("%s: %s", cases[i].what, s);
		if (strlen(s) != strlen(cases[i].text))
			fail_msg("%s: its length changed", cases[i].what);
		free(s);
	}
}

static void objects(void **state)
{
	json_t *j = json_loads("{\"volumes\":[{\"name\":\"v\",\"options\":{\"url\":\"iscsi://x\",\"chap_password\":\"hunter2hunter2\",\"Key\":\"k3y\"}}],"
			       "\"hosts\":[{\"chap_secret\":true,\"chap_user\":\"u\",\"comment\":\"key DHHC-1:00:abcd:\"}],"
			       "\"channels\":[{\"url\":\"https://bot:hunter2@hooks.example.net:99/T0/p4th?k=qu3ry\",\"headers\":[\"X-Key=h34der\"],\"template\":\"{\\\"t\\\":\\\"b0dy\\\"}\"},{\"url\":\"http://x.example.net\",\"headers\":[],\"template\":null}],"
			       "\"settings\":[{\"key\":\"server_name\",\"value\":\"nas\"},{\"key\":\"smtp_password\",\"value\":\"s3cr3t\"}]}", 0, NULL);
	(void)state;
	assert_non_null(j);
	scrub_json(j);
	char *text = json_dumps(j, 0);
	static const char *const gone[] = { "hunter2", "p4th", "qu3ry", "h34der", "b0dy", "bot", "k3y", "s3cr3t", "abcd:" }, *const kept[] = { "https://hooks.example.net:99/", "\"http://x.example.net\"", "iscsi://x", "\"chap_secret\": true", "\"chap_user\": \"u\"", "server_name", "\"nas\"" };
	for (size_t i = 0; i < ARRAY_COUNT(gone); i++)
		if (strstr(text, gone[i]))
			fail_msg("%s is still in %s", gone[i], text);
	for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
		if (!strstr(text, kept[i]))
			fail_msg("%s is gone from %s", kept[i], text);
	free(text);
	json_decref(j);
}

static void programs(void **state)
{
	static const char *const echo[] = { "echo", "hello", NULL }, *const fails[] = { "false", NULL }, *const missing[] = { "/nonexistent/program", NULL },
				 *const long_one[] = { "yes", NULL }, *const slow[] = { "sleep", "60", NULL };
	(void)state;
	char *s = program_output(echo, 100, 5);
	assert_string_equal(s, "hello\n");
	free(s);
	assert_null(program_output(fails, 100, 5));
	assert_null(program_output(missing, 100, 5));
	s = program_output(long_one, 100, 5);
	assert_int_equal(strlen(s), 100);
	free(s);
	assert_null(program_output(slow, 100, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(firewalls), cmocka_unit_test(texts), cmocka_unit_test(objects), cmocka_unit_test(programs) };
	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
