// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE page_pool_napi: whether a page pool is told whose NAPI uses it
 * NEEDS CONFIG_PAGE_POOL
 * FORM YES: page_pool_params.napi, since 6.4
 * FORM NO: it is not
 */
#include <linux/netdevice.h>
#if __has_include("net/page_pool/helpers.h")
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

#ifdef PROBE_NO
/* two members of one name are an error */
struct probe {
	struct page_pool_params;
	int napi;
};
#endif

void probe(struct page_pool_params *pp, struct napi_struct *napi);
void probe(struct page_pool_params *pp, struct napi_struct *napi)
{
#ifdef PROBE_YES
	pp->napi = napi;
#endif
}
