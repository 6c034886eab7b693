/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hash by which received packets are spread over channels (NDIS receive side
 * scaling): for each bit of the input that is set, 32 bits of the key, shifted by
 * the bit's place, are added without carry.
 */
#ifndef SYNTHHOST_TOEPLITZ_H
#define SYNTHHOST_TOEPLITZ_H

#include <stddef.h>
#include <stdint.h>

#define TOEPLITZ_KEY	40u
#define TOEPLITZ_INPUT	(TOEPLITZ_KEY - 4u)

/**
 * struct toeplitz - what each value of each byte of the input adds
 */
struct toeplitz {
	uint32_t table[TOEPLITZ_INPUT][256];
};

void toeplitz_init(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY]);

/**
 * toeplitz_hash() - of at most TOEPLITZ_INPUT bytes
 */
uint32_t toeplitz_hash(const struct toeplitz *t, const uint8_t *data,
		       size_t len);

#endif
