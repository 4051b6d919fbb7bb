/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_health.c - what smartctl says of good, worn, failing, sleeping and silent disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "share/space_priv.h"

#define ATA(passed, rows) \
	"{\"smart_status\":{\"passed\":" passed "},\"temperature\":{\"current\":31},\"power_on_time\":{\"hours\":1200},\"ata_smart_attributes\":{\"table\":[" rows "]}}"
#define ROW(id, raw) "{\"id\":" #id ",\"raw\":{\"value\":" #raw "}}"
#define NVME(warning, used, spare) \
	"{\"smart_status\":{\"passed\":true},\"nvme_smart_health_information_log\":{\"critical_warning\":" #warning ",\"temperature\":40,\"available_spare\":" #spare \
	",\"available_spare_threshold\":10,\"percentage_used\":" #used ",\"media_errors\":3,\"power_on_hours\":77}}"

static void test_health(void **state)
{
	(void)state;
	static const struct {
		const char *what, *text;
		enum space_health health;
		const char *says;
	} cases[] = {
		{ "a good disk", ATA("true", ROW(5, 0) "," ROW(197, 0)), SPACE_HEALTH_GOOD, "" },
		{ "its own verdict", ATA("false", ROW(5, 0)), SPACE_HEALTH_FAILING, "its own test" },
		{ "a few replaced sectors", ATA("true", ROW(5, 8)), SPACE_HEALTH_WORN, "8 sectors were replaced" },
		{ "many of them", ATA("true", ROW(5, 50)), SPACE_HEALTH_FAILING, "50 sectors" },
		{ "sectors that cannot be read", ATA("true", ROW(5, 0) "," ROW(197, 1)), SPACE_HEALTH_FAILING, "cannot be read" },
		{ "a good NVMe", NVME(0, 3, 100), SPACE_HEALTH_GOOD, "" },
		{ "a worn NVMe", NVME(0, 95, 100), SPACE_HEALTH_WORN, "95 %" },
		{ "an NVMe that warns", NVME(4, 3, 100), SPACE_HEALTH_FAILING, "0x04" },
		{ "one that is only warm by its own words", NVME(2, 3, 100), SPACE_HEALTH_GOOD, "" },
		{ "one without spare", NVME(0, 3, 5), SPACE_HEALTH_FAILING, "spare" },
		{ "asleep", "{\"smartctl\":{\"messages\":[{\"string\":\"Device is in STANDBY mode, exit(2)\"}]}}", SPACE_HEALTH_UNKNOWN, "sleeps" },
		{ "a disk of a virtual machine", "{\"smartctl\":{\"messages\":[{\"string\":\"Unable to detect device type\"}]}}", SPACE_HEALTH_UNKNOWN, "Unable to detect" },
		{ "hot", "{\"smart_status\":{\"passed\":true},\"temperature\":{\"current\":70}}", SPACE_HEALTH_WORN, "hot" },
		{ "nothing", "", SPACE_HEALTH_UNKNOWN, "no answer" },
		{ "no JSON", "smartctl 7.3", SPACE_HEALTH_UNKNOWN, "no answer" },
		{ "JSON of another kind", "[1,2]", SPACE_HEALTH_UNKNOWN, "no answer" },
		{ "members of other types", "{\"smart_status\":7,\"temperature\":\"hot\",\"ata_smart_attributes\":{\"table\":{\"id\":5}},\"smartctl\":[]}", SPACE_HEALTH_GOOD, "" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct space_disk_health h;
		space_health_read(cases[i].text, &h);
		if (h.health != cases[i].health || !strstr(h.text, cases[i].says) || (!*cases[i].says && *h.text))
			fail_msg("%s: %s \"%s\"", cases[i].what, space_health_name(h.health), h.text);
	}
	struct space_disk_health h;
	space_health_read(NVME(0, 3, 100), &h);
	assert_int_equal(h.temperature_c, 40);
	assert_int_equal(h.hours, 77);
	assert_int_equal(h.worn_percent, 3);
	assert_int_equal(h.media_errors, 3);
	assert_int_equal(h.reallocated, -1);
	space_health_read(ATA("true", ROW(5, 0)), &h);
	assert_int_equal(h.temperature_c, 31);
	assert_int_equal(h.hours, 1200);
	assert_int_equal(h.reallocated, 0);
	assert_int_equal(h.pending, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_health),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
