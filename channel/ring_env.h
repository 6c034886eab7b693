/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ring.c needs from its surroundings: fixed-width types, a gather list,
 * memcpy(), and barriers. The kernel brings them; in user space (unit tests,
 * fuzzing, the stress test) they are made of the compiler's atomics.
 *
 * The barriers are the virt_ ones: the other side is another processor of the
 * machine even where this kernel runs on one CPU and has patched its smp_ ones
 * out.
 */
#ifndef SYNTHIO_RING_ENV_H
#define SYNTHIO_RING_ENV_H

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <asm/barrier.h>

#define ring_iov	kvec

#else

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ring_iov	iovec

#define static_assert	_Static_assert
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define virt_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virt_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define virt_load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define virt_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

#endif
#endif
