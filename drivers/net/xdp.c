// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP. A program sees each frame in a page of the pool, with headroom. XDP_TX sends it
 * on the channel where it was received; frames that other interfaces redirect to
 * this one are sent on a channel that is chosen by the CPU. Both share the tx queue, and
 * its lock, with the stack.
 *
 * While a program is attached the host coalesces no packets (RSC), and the MTU is
 * limited to what fits into a page.
 *
 * AF_XDP works in copy mode. There is no zero-copy mode: the host chooses where in
 * the receive buffer a frame lies, so receiving copies in any case; and a send from
 * user memory would need the RNDIS header in front of the frame, in memory of the
 * driver, which is what the copy mode's skbs have.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/filter.h>
#include <net/xdp.h>

#include "synth_net.h"

/* XDP_TX. Returns 0 or an error; in both cases the page is released or sent */
static int xdp_transmit(struct synn_chan *ch, struct xdp_buff *xdp)
{
	u32 len = xdp->data_end - xdp->data;
	struct page *page = virt_to_head_page(xdp->data);
	struct synn_tx *tx = &ch->tx;
	struct xdp_frame *frame;
	int ret;

	if (unlikely(READ_ONCE(tx->state) == SYNN_TX_CLOSED)) {
		page_pool_recycle_direct(ch->rx.pool, page);
		return -ENETDOWN;
	}
	__netif_tx_lock(tx->txq, smp_processor_id());
	ret = synn_tx_frame(ch, xdp->data, len, NULL);
	if (ret == -EMSGSIZE) {
		frame = xdp_convert_buff_to_frame(xdp);
		ret = frame ? synn_tx_frame(ch, frame->data, frame->len, frame) :
		      -ENOSPC;
	}
	if (ret >= 0)
		tx->stats.xdp_tx++;
	else
		tx->stats.xdp_tx_dropped++;
	__netif_tx_unlock(tx->txq);
	if (ret) {
		page_pool_recycle_direct(ch->rx.pool, page);
		return min(ret, 0);
	}
	return 0;
}

/**
 * synn_xdp_run() - run the program on a frame
 * @ch: where the frame was received
 * @prog: the program
 * @xdp: the frame, in a page of the pool
 *
 * Context: NAPI of @ch, under rcu_read_lock().
 * Return: the program's verdict. After any other one than XDP_PASS the page is the
 *	caller's no more.
 */
int synn_xdp_run(struct synn_chan *ch, struct bpf_prog *prog,
		 struct xdp_buff *xdp)
{
	struct net_device *dev = ch->adapter->dev;
	struct page *page = virt_to_head_page(xdp->data);
	struct synn_rx_stats *s = &ch->rx.stats;
	u32 act = bpf_prog_run_xdp(prog, xdp);

	switch (act) {
	case XDP_PASS:
		s->xdp_pass++;
		return XDP_PASS;
	case XDP_TX:
		if (xdp_transmit(ch, xdp)) {
			trace_xdp_exception(dev, prog, act);
			s->xdp_errors++;
		} else {
			s->xdp_tx++;
			ch->rx.flush |= SYNN_FLUSH_TX;
		}
		return act;
	case XDP_REDIRECT:
		if (xdp_do_redirect(dev, xdp, prog)) {
			trace_xdp_exception(dev, prog, act);
			s->xdp_errors++;
			break;
		}
		s->xdp_redirect++;
		ch->rx.flush |= SYNN_FLUSH_REDIRECT;
		return act;
	default:
		bpf_warn_invalid_xdp_action(dev, prog, act);
		fallthrough;
	case XDP_ABORTED:
		trace_xdp_exception(dev, prog, act);
		s->xdp_aborted++;
		break;
	case XDP_DROP:
		s->xdp_drop++;
		break;
	}
	page_pool_recycle_direct(ch->rx.pool, page);
	return act;
}

/**
 * synn_xdp_poll_end() - flush the frames that programs have sent or redirected
 * @ch: channel
 *
 * Context: NAPI of @ch.
 */
void synn_xdp_poll_end(struct synn_chan *ch)
{
	u32 flush = ch->rx.flush;

	ch->rx.flush = 0;
	if (flush & SYNN_FLUSH_REDIRECT)
		xdp_do_flush();
	if (flush & SYNN_FLUSH_TX) {
		__netif_tx_lock(ch->tx.txq, smp_processor_id());
		synn_tx_flush(ch);
		__netif_tx_unlock(ch->tx.txq);
	}
}

/**
 * synn_xdp_xmit() - ndo_xdp_xmit
 * @dev: netdev of an adapter
 * @n: number of frames
 * @frames: the frames
 * @flags: XDP_XMIT_FLUSH
 *
 * Context: softirq.
 */
int synn_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		  u32 flags)
{
	unsigned int cpu = smp_processor_id(), queues = dev->real_num_tx_queues;
	struct synn_adapter *ad = synn_priv(dev);
	struct synn_chan *ch;
	struct synn_tx *tx;
	int i, ret;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (READ_ONCE(ad->state) != SYNN_RUNNING || !netif_running(dev))
		return -ENETDOWN;
	/* pairs with synn_chan_alloc() */
	ch = smp_load_acquire(&ad->chans[cpu % queues]);
	if (!ch)
		return -ENETDOWN;
	tx = &ch->tx;
	if (READ_ONCE(tx->state) == SYNN_TX_CLOSED)
		return -ENETDOWN;

	__netif_tx_lock(tx->txq, cpu);
	for (i = 0; i < n; i++) {
		struct xdp_frame *f = frames[i];

		/* kernels before 6.3 pass these on, from a cpumap */
		if (unlikely(xdp_frame_has_frags(f)))
			break;
		ret = synn_tx_frame(ch, f->data, f->len, f);
		if (ret < 0)
			break;
		if (ret)
			xdp_return_frame(f);
		tx->stats.xdp_xmit++;
	}
	tx->stats.xdp_xmit_dropped += n - i;
	if (flags & XDP_XMIT_FLUSH)
		synn_tx_flush(ch);
	__netif_tx_unlock(tx->txq);
	return i;
}

/**
 * synn_xdp_apply() - set the program of all channels
 * @ad: adapter
 *
 * Context: process, RTNL held.
 */
void synn_xdp_apply(struct synn_adapter *ad)
{
	unsigned int i;

	ASSERT_RTNL();
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (ad->chans[i])
			rcu_assign_pointer(ad->chans[i]->rx.prog, ad->prog);
	}
}

static int set_xdp_program(struct synn_adapter *ad, struct bpf_prog *prog,
			   struct netlink_ext_ack *extack)
{
	struct bpf_prog *old = ad->prog;

	if (prog && ad->dev->mtu > synn_xdp_max_mtu()) {
		NL_SET_ERR_MSG_MOD(extack, "the MTU is too large for XDP");
		return -EOPNOTSUPP;
	}
	/* the stack passes one reference, for all channels */
	ad->prog = prog;
	if (prog && !old) {
		netdev_update_features(ad->dev);
		if (ad->dev->features & NETIF_F_LRO) {
			ad->prog = NULL;
			NL_SET_ERR_MSG_MOD(extack,
					   "the host does not switch off RSC");
			return -EIO;
		}
	}
	synn_xdp_apply(ad);
	if (!prog && old)
		netdev_update_features(ad->dev);
	/* programs are freed after an RCU grace period, and NAPI reads under RCU */
	if (old)
		bpf_prog_put(old);
	return 0;
}

/**
 * synn_bpf() - ndo_bpf
 * @dev: netdev of an adapter
 * @bpf: the command
 *
 * Context: process, RTNL held.
 */
int synn_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	return set_xdp_program(synn_priv(dev), bpf->prog, bpf->extack);
}
