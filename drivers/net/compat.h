/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernel versions, or architectures, that the network
 * driver meets. Nothing else in this directory looks at a version.
 */
#ifndef SYNTHIO_NET_COMPAT_H
#define SYNTHIO_NET_COMPAT_H

#include <linux/dim.h>
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/hyperv.h>
#include <linux/netdevice.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <net/xdp.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

#if defined(CONFIG_X86)
#include <asm/cpufeature.h>
#include <asm/processor.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#include <asm/cpuid/api.h>
#endif
#endif

#include <synthio/driver.h>

/*
 * Whether each byte of "rep movsb" costs: QEMU's emulation of a CPU (TCG) says what
 * it is in a hypervisor's first leaf
 */
static inline bool compat_cpu_is_emulated(void)
{
#if defined(CONFIG_X86)
	u32 max, name[3];

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	cpuid(0x40000000, &max, &name[0], &name[1], &name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
#else
	return false;
#endif
}

/* A page_pool's caller in softirq may give pages back without a lock */
static inline void compat_pool_napi(struct page_pool_params *pp,
				    struct napi_struct *napi)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	pp->napi = napi;
#endif
}

static inline void compat_timer_setup(struct hrtimer *t,
				      enum hrtimer_restart (*f)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(t, f, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
#else
	hrtimer_init(t, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	t->function = f;
#endif
}

static inline void compat_dim(struct dim *dim, struct dim_sample *sample)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	net_dim(dim, sample);
#else
	net_dim(dim, *sample);
#endif
}

/* What XDP can do is told since 6.3 */
static inline void compat_xdp_features(struct net_device *dev)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_NDO_XMIT;
#endif
}

/*
 * Kernels whose bus has vmbus_sendpacket_pagebuffer() take several ranges only
 * there, of one page each (Kbuild looks which kernel it is).
 */
#if defined(COMPAT_PAGEBUFFER) && !defined(SYNTHIO_OWN_NAMES)
#define COMPAT_RANGE_PAGES	1
static inline int compat_send_ranges(struct vmbus_channel *vc,
				     struct vmbus_packet_mpb_array *mpb,
				     u32 mpb_len, void *payload, u32 len, u64 id)
{
	struct vmbus_channel_packet_page_buffer *p = (void *)mpb;

	return vmbus_sendpacket_pagebuffer(vc, p->range, p->rangecount, payload,
					   len, id);
}
#else
#define COMPAT_RANGE_PAGES	U32_MAX
#define compat_send_ranges	vmbus_sendpacket_mpb_desc
#endif

/*
 * Like compat_free_ring() for a buffer that could not be shown to the host: our
 * bus has held it
 */
static inline void compat_free_buffer(void *data, bool safe)
{
#ifndef SYNTHIO_OWN_NAMES
	if (!safe)
		return;
#endif
	vfree(data);
}

/* The table of receive side scaling: what ethtool_ops get changed in 6.8 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define COMPAT_RXFH_PARAM 1
#endif
/* what flows are hashed by has callbacks of its own since 6.17 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define COMPAT_RXFH_FIELDS 1
#endif
/* how many rings there are has a callback of its own since 6.19 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define COMPAT_RX_RING_COUNT 1
#endif

#endif
