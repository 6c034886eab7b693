// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE page_large_kmalloc: whether large kmalloc() pages are marked
 * FORM YES: PageLargeKmalloc(), since 6.18 or so
 * FORM NO: not marked
 */
#include <linux/mm.h>

#ifdef PROBE_NO
/* an error where there is such a function */
extern int PageLargeKmalloc;
#endif

bool probe(const struct page *page);
bool probe(const struct page *page)
{
#ifdef PROBE_YES
	return PageLargeKmalloc(page);
#else
	return PageSlab((struct page *)page);
#endif
}
