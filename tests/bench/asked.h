/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For programs that window.sh calls "asked": for each line on stdin they print how
 * much they have done so far. That is a thread's work, so that what is measured
 * does not look at stdin.
 */
#ifndef SYNTHIO_BENCH_ASKED_H
#define SYNTHIO_BENCH_ASKED_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

static uint64_t asked_count;

static void asked_add(void)
{
	/* one writer */
	__atomic_store_n(&asked_count, asked_count + 1, __ATOMIC_RELAXED);
}

static void *asked_answer(void *arg)
{
	int c;

	while ((c = getchar()) != EOF) {
		if (c != '\n')
			continue;
		printf("%llu\n", (unsigned long long)__atomic_load_n(
			&asked_count, __ATOMIC_RELAXED));
		fflush(stdout);
	}
	return arg;
}

/* Returns an error number, or 0 */
static int asked_start(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, asked_answer, NULL);
}

#endif
