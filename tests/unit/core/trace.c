/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trace.c - rings of several threads merged in order, wrap-around, dumps while threads write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/core.h"

static char *dump(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	trace_dump(f);
	fclose(f);
	return text;
}

static void rows_name_their_words(void **state)
{
	char *text;

	(void)state;
	trace(TRACE_CMD_START, 77, 0x28);
	trace(TRACE_VOLUME_SLOW, UINT64_MAX, 5);
	text = dump();
	assert_non_null(strstr(text, " cmd.start tag=77 opcode=40\n"));
	assert_non_null(strstr(text, " volume.slow volume=18446744073709551615 us=5\n"));
	free(text);
}

static void *writer(void *arg)
{
	for (uint64_t i = 0; i < 20000; i++)
		trace(TRACE_CMD_DONE, (uintptr_t)arg, i);
	return NULL;
}

/* Of every thread the last entries are there, without gaps, and all lines are in time order. */
static void last_entries_of_all_threads(void **state)
{
	uint64_t last[4] = { 0 }, count[4] = { 0 }, before_s = 0, before_ns = 0;
	pthread_t threads[4];
	char *text, *save = NULL;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, writer, (void *)(i + 1000));
	for (unsigned i = 0; i < 20; i++)
		free(dump());            /* while they write */
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	text = dump();
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t s, ns, who, n;
		unsigned thread;
		assert_int_equal(sscanf(line, "%" SCNu64 ".%" SCNu64 " %u", &s, &ns, &thread), 3);
		assert_true(s > before_s || (s == before_s && ns >= before_ns));
		before_s = s;
		before_ns = ns;
		char *tag = strstr(line, "cmd.done tag=");
		if (!tag || sscanf(tag, "cmd.done tag=%" SCNu64 " status=%" SCNu64, &who, &n) != 2 ||
		    who < 1000 || who > 1003)
			continue;
		if (count[who - 1000]++)
			assert_true(n == last[who - 1000] + 1);
		last[who - 1000] = n;
	}
	/* Threads that ran one after the other may have shared a ring: at least one is complete. */
	uint64_t most = 0;
	for (unsigned i = 0; i < 4; i++)
		if (count[i]) {
			assert_true(last[i] == 19999);
			most = max_u64(most, count[i]);
		}
	assert_true(most >= 4000);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_name_their_words),
		cmocka_unit_test(last_entries_of_all_threads),
	};
	return cmocka_run_group_tests_name("core/trace", tests, NULL, NULL);
}
