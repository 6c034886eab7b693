/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test Anything Protocol, version 13, for the user-space tests.
 *
 *	int main(void)
 *	{
 *		tap_test("what is true", check_it);
 *		return tap_done();
 *	}
 *
 * A test is a function that uses CHECK(); the first that fails ends it.
 */
#ifndef TEST_TAP_H
#define TEST_TAP_H

#include <stdbool.h>
#include <stdio.h>

static unsigned int tap_count, tap_failures;
static bool tap_bad;
static const char *tap_skipped;

#define CHECK(cond, ...) do {						\
	if (!(cond)) {							\
		printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);	\
		printf("# " __VA_ARGS__);				\
		printf("\n");						\
		tap_bad = true;						\
		return;							\
	}								\
} while (0)

/* Inside a helper's caller: stop if the helper failed */
#define CHECK_OK() do { if (tap_bad) return; } while (0)

/* Inside a test that can't be done here */
static inline void tap_skip(const char *reason)
{
	tap_skipped = reason;
}

static inline void tap_test(const char *name, void (*fn)(void))
{
	if (!tap_count)
		printf("TAP version 13\n");
	tap_bad = false;
	tap_skipped = NULL;
	fn();
	tap_failures += tap_bad;
	printf("%sok %u - %s%s%s\n", tap_bad ? "not " : "", ++tap_count, name,
	       tap_skipped ? " # SKIP " : "", tap_skipped ? tap_skipped : "");
	fflush(stdout);
}

static inline int tap_done(void)
{
	printf("1..%u\n", tap_count);
	return tap_failures != 0;
}

#endif
