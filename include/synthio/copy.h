/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies for drivers. */
#ifndef SYNTHIO_COPY_H
#define SYNTHIO_COPY_H

#include <linux/types.h>

/**
 * synthio_copy() - memcpy() to and from memory that the host shares
 * @to, @from: cacheable, of any alignment
 * @n: bytes
 *
 * Copies words instead of calling memcpy(): the start of "rep movsb" costs more than the
 * copy of a typical packet, and an emulated CPU executes it byte by byte.
 *
 * Context: any.
 */
static inline void synthio_copy(void *to, const void *from, size_t n)
{
	u64 *d = to;
	const u64 *s = from;

	for (; n >= 64; n -= 64, d += 8, s += 8) {
		u64 a = s[0], b = s[1], e = s[2], f = s[3];

		d[0] = a;
		d[1] = b;
		d[2] = e;
		d[3] = f;
		a = s[4];
		b = s[5];
		e = s[6];
		f = s[7];
		d[4] = a;
		d[5] = b;
		d[6] = e;
		d[7] = f;
	}
	for (; n >= 8; n -= 8)
		*d++ = *s++;
	if (n & 4) {
		*(u32 *)d = *(const u32 *)s;
		d = (void *)d + 4;
		s = (const void *)s + 4;
	}
	if (n & 2) {
		*(u16 *)d = *(const u16 *)s;
		d = (void *)d + 2;
		s = (const void *)s + 2;
	}
	if (n & 1)
		*(u8 *)d = *(const u8 *)s;
}

#endif
