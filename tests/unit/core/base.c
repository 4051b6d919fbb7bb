/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base.c - lists, ranges, clean-up words, and the byte types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>

#include "core/core.h"

static void ranges_fit(void **state)
{
	static const struct {
		const char *what;
		uint64_t first, count, total;
		bool fits;
	} cases[] = {
		{ "all", 0, 100, 100, true },
		{ "last one", 99, 1, 100, true },
		{ "one past the end", 99, 2, 100, false },
		{ "nothing at the end", 100, 0, 100, true },
		{ "nothing past the end", 101, 0, 100, false },
		{ "wraps around 2^64", UINT64_MAX, 1, 100, false },
		{ "count wraps around 2^64", 1, UINT64_MAX, 100, false },
		{ "everything there is", 0, UINT64_MAX, UINT64_MAX, true },
		{ "2^32 blocks", UINT64_C(1) << 32, 1, UINT64_C(1) << 32, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		print_message("# %s\n", cases[i].what);
		assert_int_equal(range_fits(cases[i].first, cases[i].count, cases[i].total), cases[i].fits);
	}
}

static void ranges_that_overlap(void **state)
{
	static const struct {
		const char *what;
		uint64_t a, a_count, b, b_count;
		bool overlap;
	} cases[] = {
		{ "same", 5, 5, 5, 5, true },
		{ "neighbours", 0, 5, 5, 5, false },
		{ "one shared", 0, 6, 5, 5, true },
		{ "one inside the other", 0, 100, 50, 1, true },
		{ "empty in the middle", 0, 100, 50, 0, false },
		{ "far apart", 0, 1, UINT64_MAX, 1, false },
		{ "at the top of the numbers", UINT64_MAX - 1, 1, UINT64_MAX, 1, false },
		{ "long, at the top", UINT64_MAX - 10, 10, UINT64_MAX - 1, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		print_message("# %s\n", cases[i].what);
		assert_int_equal(ranges_overlap(cases[i].a, cases[i].a_count, cases[i].b, cases[i].b_count),
				 cases[i].overlap);
		assert_int_equal(ranges_overlap(cases[i].b, cases[i].b_count, cases[i].a, cases[i].a_count),
				 cases[i].overlap);
	}
}

struct item {
	int value;
	struct list link;
};

static void lists(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[5], *it;
	int seen = 0;

	(void)state;
	assert_true(list_is_empty(&head));
	assert_null(list_pop(&head));
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		if (i % 2)
			list_add_head(&head, &items[i].link);
		else
			list_add_tail(&head, &items[i].link);
	}
	/* 3 1 0 2 4; the body may delete the current one */
	list_for_each(it, &head, link) {
		static const int order[] = { 3, 1, 0, 2, 4 };
		assert_int_equal(it->value, order[seen++]);
		if (it->value == 0)
			list_del(&it->link);
	}
	assert_int_equal(seen, 5);
	list_del(&items[0].link);        /* twice is fine */
	assert_int_equal(list_entry(list_pop(&head), struct item, link)->value, 3);
	assert_int_equal(list_entry(list_pop(&head), struct item, link)->value, 1);
	assert_int_equal(list_entry(list_pop(&head), struct item, link)->value, 2);
	assert_int_equal(list_entry(list_pop(&head), struct item, link)->value, 4);
	assert_true(list_is_empty(&head));
}

static int give_fd(bool keep)
{
	_cleanup_(closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return keep ? take_fd(&fd) : fd;
}

static void clean_up_by_attribute(void **state)
{
	char *p = strdup("owned"), *q;

	(void)state;
	q = TAKE(p);
	assert_null(p);
	assert_string_equal(q, "owned");
	free(q);
	assert_int_equal(fcntl(give_fd(false), F_GETFD), -1);
	int fd = give_fd(true);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	close(fd);
}

static void numbers(void **state)
{
	(void)state;
	assert_true(min_u64(1, UINT64_MAX) == 1 && max_u64(1, UINT64_MAX) == UINT64_MAX);
	assert_true(is_pow2(1) && is_pow2(UINT64_C(1) << 63) && !is_pow2(0) && !is_pow2(12));
}

static void byte_order(void **state)
{
	(void)state;
	assert_memory_equal(be16_of(0x0102).b, "\1\2", 2);
	assert_memory_equal(be24_of(0x010203).b, "\1\2\3", 3);
	assert_memory_equal(be32_of(0x01020304).b, "\1\2\3\4", 4);
	assert_memory_equal(be64_of(0x0102030405060708).b, "\1\2\3\4\5\6\7\10", 8);
	assert_memory_equal(le16_of(0x0102).b, "\2\1", 2);
	assert_memory_equal(le32_of(0x01020304).b, "\4\3\2\1", 4);
	assert_memory_equal(le64_of(0x0102030405060708).b, "\10\7\6\5\4\3\2\1", 8);
	assert_int_equal(sizeof(be24), 3);
	assert_int_equal(_Alignof(be64), 1);

	static const uint64_t values[] = { 0, 1, 0x80, 0xff, 0x8000, 0xfffe, 0x800000, 0xfffffe, 0x80000000,
					   0xfffffffe, 0x8000000000000000, UINT64_MAX };
	for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
		uint64_t v = values[i];
		assert_int_equal(be16_get(be16_of((uint16_t)v)), (uint16_t)v);
		assert_int_equal(be24_get(be24_of((uint32_t)v)), (uint32_t)v & 0xffffff);
		assert_int_equal(be32_get(be32_of((uint32_t)v)), (uint32_t)v);
		assert_true(be64_get(be64_of(v)) == v);
		assert_int_equal(le16_get(le16_of((uint16_t)v)), (uint16_t)v);
		assert_int_equal(le32_get(le32_of((uint32_t)v)), (uint32_t)v);
		assert_true(le64_get(le64_of(v)) == v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_fit),
		cmocka_unit_test(ranges_that_overlap),
		cmocka_unit_test(lists),
		cmocka_unit_test(clean_up_by_attribute),
		cmocka_unit_test(numbers),
		cmocka_unit_test(byte_order),
	};
	return cmocka_run_group_tests_name("core/base", tests, NULL, NULL);
}
