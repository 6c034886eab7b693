// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP: programs see each frame in a page of the pool, with headroom. What they send
 * back goes out on the channel where it came in; frames that other interfaces
 * redirect to this one, on a channel by the CPU. Both share the queue, and its
 * lock, with the stack.
 *
 * While a program is attached the host joins no packets (RSC), and the MTU is
 * limited to what fits into a page.
 *
 * AF_XDP works in copy mode. There is no zero-copy mode: the host chooses where in
 * the receive buffer a frame lies, so receiving copies in any case; and a send from
 * user memory would need the RNDIS header in front of the frame, in memory of ours,
 * which is what the copy mode's skbs have.
 */
#include <linux/bpf.h>
#include <linux/bpf_trace.h>
#include <linux/filter.h>
#include <net/xdp.h>

#include "synth_net.h"

/* Back to where it came from. Returns 0 or an error; the page is seen to */
static int send_back(struct synn_chan *ch, struct xdp_buff *xdp)
{
	u32 len = xdp->data_end - xdp->data;
	struct page *page = virt_to_head_page(xdp->data);
	struct synn_tx *tx = &ch->tx;
	struct xdp_frame *frame;
	int ret;

	if (unlikely(!READ_ONCE(tx->open))) {
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
 * synn_xdp_run() - have the program decide on a frame
 * @ch: where it came
 * @prog: the program
 * @xdp: the frame, in a page of the pool
 *
 * Context: NAPI of @ch, under rcu_read_lock().
 * Return: XDP_PASS: it goes to the stack; else its page is seen to.
 */
int synn_xdp_run(struct synn_chan *ch, struct bpf_prog *prog,
		 struct xdp_buff *xdp)
{
	struct net_device *dev = ch->card->dev;
	struct page *page = virt_to_head_page(xdp->data);
	struct synn_rx_stats *s = &ch->rx.stats;
	u32 act = bpf_prog_run_xdp(prog, xdp);

	switch (act) {
	case XDP_PASS:
		s->xdp_pass++;
		return XDP_PASS;
	case XDP_TX:
		if (send_back(ch, xdp)) {
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
 * synn_xdp_poll_end() - send on what the programs of a poll have gathered
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
 * @dev: card
 * @n: frames
 * @frames: what is sent or not taken
 * @flags: XDP_XMIT_FLUSH
 *
 * Context: softirq.
 */
int synn_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		  u32 flags)
{
	unsigned int cpu = smp_processor_id(), queues = dev->real_num_tx_queues;
	struct synn_card *c = synn_card(dev);
	struct synn_chan *ch;
	struct synn_tx *tx;
	int i, ret;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	if (READ_ONCE(c->state) != SYNN_LIVE || !netif_running(dev))
		return -ENETDOWN;
	/* pairs with synn_chan_prepare() */
	ch = smp_load_acquire(&c->chans[cpu % queues]);
	if (!ch)
		return -ENETDOWN;
	tx = &ch->tx;
	if (!READ_ONCE(tx->open))
		return -ENETDOWN;

	__netif_tx_lock(tx->txq, cpu);
	for (i = 0; i < n; i++) {
		struct xdp_frame *f = frames[i];

		/* kernels before 6.3 let these through, by way of a cpumap */
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
 * synn_xdp_apply() - channels that were opened run the program
 * @c: card
 *
 * Context: process, RTNL held.
 */
void synn_xdp_apply(struct synn_card *c)
{
	unsigned int i;

	ASSERT_RTNL();
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (c->chans[i])
			rcu_assign_pointer(c->chans[i]->rx.prog, c->prog);
	}
}

static int set_program(struct synn_card *c, struct bpf_prog *prog,
		       struct netlink_ext_ack *extack)
{
	struct bpf_prog *old = c->prog;

	if (prog && c->dev->mtu > synn_xdp_max_mtu()) {
		NL_SET_ERR_MSG_MOD(extack, "the MTU is too large for XDP");
		return -EOPNOTSUPP;
	}
	/* the stack gives us one reference, for all channels */
	c->prog = prog;
	if (prog && !old) {
		netdev_update_features(c->dev);
		if (c->dev->features & NETIF_F_LRO) {
			c->prog = NULL;
			NL_SET_ERR_MSG_MOD(extack, "the host does not stop joining packets");
			return -EIO;
		}
	}
	synn_xdp_apply(c);
	if (!prog && old)
		netdev_update_features(c->dev);
	/* readers are in an RCU section, and so is what frees programs */
	if (old)
		bpf_prog_put(old);
	return 0;
}

/**
 * synn_bpf() - ndo_bpf
 * @dev: card
 * @bpf: what to do
 *
 * Context: process, RTNL held.
 */
int synn_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	return set_program(synn_card(dev), bpf->prog, bpf->extack);
}
