/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the drivers' codecs (such as sbc.c, rndis.c, message.c) use of the kernel. They are
 * built into modules, and in user space for tests.
 */
#ifndef SYNTHIO_ENV_H
#define SYNTHIO_ENV_H

#ifdef __KERNEL__

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>

#else

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define U16_MAX			UINT16_MAX
#define U32_MAX			UINT32_MAX
#define S64_MAX			INT64_MAX
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)

/* a compiler barrier, as in the kernel */
static inline void barrier(void)
{
	__asm__ __volatile__("" : : : "memory");
}

#endif
#endif
