/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base.h - the few words that all rooms use: clean-up by attribute, TAKE, container_of,
 * intrusive lists, arithmetic on numbers from outside. */
#ifndef HOLDFAST_CORE_BASE_H
#define HOLDFAST_CORE_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* Move an owned pointer or descriptor out of a variable that cleans up. */
#define TAKE(p)                              \
	({                                   \
		__typeof__(p) taken_ = (p);  \
		(p) = NULL;                  \
		taken_;                      \
	})
static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}
static inline void freep(void *p)
{
	free(*(void **)p);
}
static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
/* Makes room_thing_freep() from room_thing_free(). */
#define DEFINE_FREEP(type, fn)                           \
	static inline __attribute__((unused)) void fn##p(type **p) \
	{                                                \
		if (*p)                                  \
			fn(*p);                          \
	}

/* Intrusive doubly linked list; the head is a link of its own. */
struct list {
	struct list *next, *prev;
};
#define LIST_INIT(head) { &(head), &(head) }
static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}
static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}
static inline void list_add_tail(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}
static inline void list_add_head(struct list *head, struct list *l)
{
	list_add_tail(head->next, l);
}
/* Safe on an element that list_init() or list_del() touched last. */
static inline void list_del(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}
static inline struct list *list_pop(struct list *head)
{
	struct list *l = head->next;
	if (l == head)
		return NULL;
	list_del(l);
	return l;
}
#define list_entry(l, type, member) container_of(l, type, member)
/* The body may delete the current element, no other. */
#define list_for_each(it, head, member)                                                       \
	for (__typeof__(it) it##_next_ = (it = list_entry((head)->next, __typeof__(*it), member), \
					  list_entry(it->member.next, __typeof__(*it), member));  \
	     &it->member != (head);                                                           \
	     it = it##_next_, it##_next_ = list_entry(it->member.next, __typeof__(*it), member))

/* Does [first, first + count) lie within [0, total)?  Never wraps. */
static inline bool range_fits(uint64_t first, uint64_t count, uint64_t total)
{
	return first <= total && count <= total - first;
}
static inline bool ranges_overlap(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count)
{
	return a_count && b_count && (a <= b ? b - a < a_count : a - b < b_count);
}
/* Counters with one writer that other threads read: never torn, perhaps slightly old. */
static inline void counter_add(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}
static inline uint64_t counter_get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
static inline bool is_pow2(uint64_t x)
{
	return x && !(x & (x - 1));
}

#endif
