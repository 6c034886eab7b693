// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE sanity: whether modules can be compiled at all
 * FORM YES: an empty module compiles
 */
#include <linux/module.h>

int probe(void);
int probe(void)
{
	return 0;
}
