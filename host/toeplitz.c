// SPDX-License-Identifier: GPL-2.0-only
#include "toeplitz.h"

void toeplitz_init(struct toeplitz *t, const uint8_t key[TOEPLITZ_KEY])
{
	unsigned int i, bit, value;

	for (i = 0; i < TOEPLITZ_INPUT; i++) {
		uint64_t window = 0;

		for (bit = 0; bit < 5; bit++)
			window = window << 8 | key[i + bit];
		for (value = 0; value < 256; value++) {
			uint32_t sum = 0;

			for (bit = 0; bit < 8; bit++) {
				if (value & (0x80u >> bit))
					sum ^= (uint32_t)(window >> (8 - bit));
			}
			t->table[i][value] = sum;
		}
	}
}

uint32_t toeplitz_hash(const struct toeplitz *t, const uint8_t *data,
		       size_t len)
{
	uint32_t hash = 0;
	size_t i;

	for (i = 0; i < len && i < TOEPLITZ_INPUT; i++)
		hash ^= t->table[i][data[i]];
	return hash;
}
