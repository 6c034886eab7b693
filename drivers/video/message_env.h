/* SPDX-License-Identifier: GPL-2.0-only */
/* What message.c and damage.c need, in the kernel and in user space. */
#ifndef SYNTHIO_VIDEO_MESSAGE_ENV_H
#define SYNTHIO_VIDEO_MESSAGE_ENV_H

#ifdef __KERNEL__

#include <linux/errno.h>
#include <linux/limits.h>
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

#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define S64_MAX			INT64_MAX

#endif
#endif
