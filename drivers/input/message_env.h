/* SPDX-License-Identifier: GPL-2.0-only */
/* What message.c needs from its surroundings, in the kernel and in user space. */
#ifndef SYNTHIO_MOUSE_MESSAGE_ENV_H
#define SYNTHIO_MOUSE_MESSAGE_ENV_H

#ifdef __KERNEL__

#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#else

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;

#endif
#endif
