/* SPDX-License-Identifier: GPL-2.0-only */
/* What sbc.c needs from its surroundings, in the kernel and in user space. */
#ifndef SYNTHIO_SBC_ENV_H
#define SYNTHIO_SBC_ENV_H

#ifdef __KERNEL__

#include <linux/errno.h>
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

#define U16_MAX			UINT16_MAX
#define U32_MAX			UINT32_MAX
#define min(a, b)		((a) < (b) ? (a) : (b))
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))

#endif
#endif
