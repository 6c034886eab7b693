// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE page_pool: the header of page pools
 * NEEDS CONFIG_PAGE_POOL
 * FORM HELPERS: <net/page_pool/helpers.h>, since 6.6
 * FORM SINGLE: <net/page_pool.h>
 */
#ifdef PROBE_HELPERS
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

struct page *probe(struct page_pool *pool);
struct page *probe(struct page_pool *pool)
{
	return page_pool_dev_alloc_pages(pool);
}
