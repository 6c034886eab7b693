// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session with the host: from the open of the primary channel to the close of
 * all. A card has several in its life: what the host must be told when the channel
 * is opened (MTU, buffers, number of channels) is changed by a new one, and so is
 * what went wrong put right. The netdev, its addresses and its connections stay;
 * packets on their way are lost, as on any wire.
 */
#include <linux/rtnetlink.h>

#include "synth_net.h"

#define SUB_CHANNEL_WAIT	(5 * HZ)
#define RESET_DELAY		(HZ / 10)
#define STILL_DELAY		HZ	/* from one look for the host to the next */
#define RETURN_DELAY		(3 * HZ)	/* for a host that goes on */

static void set_state(struct synn_card *c, enum synn_state state)
{
	ASSERT_RTNL();
	WRITE_ONCE(c->state, state);
}

/*
 * Sub-channels: as many as are wanted, and the host gives. Those that have not come
 * in time are taken when they come (synn_link_grow()).
 */
static void open_subchannels(struct synn_card *c)
{
	unsigned int want, granted, i;

	want = min3(c->want_queues, c->link.rss.queues, SYNN_MAX_QUEUES);
	for (i = 1; i < want; i++) {
		if (synn_chan_prepare(c, i))
			break;
	}
	want = i;
	if (want < 2)
		return;
	synn_chan_accept(c, want);
	if (synn_nvsp_subchannels(c, want - 1, &granted)) {
		synn_chan_accept(c, 0);
		/* a host that did not say so may have offered some */
		synn_chan_poll_all(c);
		return;
	}
	c->granted = 1 + granted;
	if (!wait_event_timeout(c->chan_wait,
				READ_ONCE(c->nr_open) > granted ||
				READ_ONCE(c->hv->channel->rescind),
				SUB_CHANNEL_WAIT))
		netdev_warn(c->dev, "the host gave %u of %u sub-channels so far\n",
			    READ_ONCE(c->nr_open) - 1, granted);
	synn_chan_accept(c, c->granted);
	synn_chan_poll_all(c);
}

/*
 * Queues are the channels up to the first that is not there. Those behind it, if
 * a host leaves one out, are open but not used.
 */
static void count_queues(struct synn_card *c)
{
	unsigned int n = 1;

	while (n < SYNN_MAX_QUEUES && c->chans[n] && c->chans[n]->polled)
		n++;
	c->nr_queues = n;
}

static void set_up_rss(struct synn_card *c)
{
	/* a table that somebody has set stays, if it is one for this session */
	bool keep = netif_is_rxfh_configured(c->dev);
	u32 i;
	int ret;

	if (c->rss_entries != c->link.rss.entries) {
		c->rss_entries = min_t(u32, c->link.rss.entries,
				       ARRAY_SIZE(c->rss_table));
		keep = false;
	}
	for (i = 0; i < c->rss_entries; i++) {
		if (c->rss_table[i] >= c->nr_queues)
			keep = false;
	}
	if (!keep)
		synn_rss_default(c);
	if (c->nr_queues < 2)
		return;
	ret = synn_rss_set(c);
	if (ret)
		netdev_warn(c->dev, "the host does not spread packets over queues: %d\n",
			    ret);
}

/* Slots and sections for the queues from @first on; some may be yet to come */
static int share_out(struct synn_card *c, unsigned int first)
{
	u32 sections = c->link.send.bytes / c->link.section_bytes;
	u32 each = min_t(u32, sections / max(c->nr_queues, c->granted),
			 SYNN_MAX_SLOTS);
	unsigned int i;
	int ret;

	for (i = first; i < c->nr_queues; i++) {
		ret = synn_tx_prepare(c->chans[i], i * each, each);
		if (ret)
			return ret;
	}
	return 0;
}

static int ask_address(struct synn_card *c)
{
	u8 mac[ETH_ALEN], set[128];
	int ret;

	ret = synn_control_query(c, OID_802_3_PERMANENT_ADDRESS, NULL, 0, mac,
				 sizeof(mac));
	if (ret >= 0 && (ret < ETH_ALEN || !is_valid_ether_addr(mac)))
		ret = -EPROTO;
	if (ret < 0)
		return ret;
	if (c->state == SYNN_STARTING) {
		ether_addr_copy(c->dev->perm_addr, mac);
		ret = synn_control_query(c, OID_802_3_CURRENT_ADDRESS, NULL, 0,
					 set, ETH_ALEN);
		if (ret == ETH_ALEN && is_valid_ether_addr(set))
			ether_addr_copy(mac, set);
		eth_hw_addr_set(c->dev, mac);
		return 0;
	}
	/* one that was set does not outlive the session at the host */
	if (ether_addr_equal(mac, c->dev->dev_addr))
		return 0;
	ret = synn_control_set(c, OID_GEN_RNDIS_CONFIG_PARAMETER, set,
			       rndis_put_address(set, sizeof(set),
						 c->dev->dev_addr));
	if (ret)
		netdev_warn(c->dev, "the host does not take address %pM again: %d\n",
			    c->dev->dev_addr, ret);
	return 0;
}

/* Hosts grant what they were told in NDIS_CONFIG, or less */
static void ask_mtu(struct synn_card *c)
{
	u32 max;

	if (synn_control_query_u32(c, OID_GEN_MAXIMUM_FRAME_SIZE, &max))
		max = ETH_DATA_LEN;
	c->link.max_mtu = max_t(u32, max, ETH_MIN_MTU);
}

static int bring_up(struct synn_card *c)
{
	unsigned int i;
	int ret;

	memset(&c->link, 0, sizeof(c->link));
	WRITE_ONCE(c->connected, SYNN_LINK_UNKNOWN);
	synn_control_begin(c);
	c->filter = 0;
	c->granted = 1;
	/* until the host says something else; used modulo the number of queues */
	for (i = 0; i < NVSP_TABLE_ENTRIES; i++)
		c->send_table[i] = i;
	ret = synn_chan_prepare(c, 0);
	if (!ret)
		ret = synn_chan_open_primary(c);
	if (!ret)
		ret = synn_nvsp_negotiate(c);
	if (!ret)
		ret = synn_nvsp_buffers(c);
	if (!ret) {
		/* the host sends nothing there before INITIALIZE */
		c->chans[0]->rx.buffer = c->link.receive.data;
		/* the size last: NAPI, which runs, goes by it */
		smp_store_release(&c->chans[0]->rx.size, c->link.receive.bytes);
		ret = synn_control_initialise(c);
	}
	if (!ret)
		ret = ask_address(c);
	if (!ret)
		ret = synn_offload_ask(c);
	if (ret)
		return ret;
	ask_mtu(c);
	open_subchannels(c);
	count_queues(c);
	ret = share_out(c, 0);
	if (ret)
		return ret;
	set_up_rss(c);
	synn_xdp_apply(c);
	return 0;
}

/* The mirror of bring_up(), from any point of it */
static void take_down(struct synn_card *c)
{
	bool safe;
	unsigned int i;

	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (c->chans[i] && c->chans[i]->ready)
			synn_tx_stop(c->chans[i]);
	}
	if (c->nr_open && !READ_ONCE(c->hv->channel->rescind)) {
		/* what was not initialised can't be halted */
		if (c->link.limits.max_packets)
			synn_control_halt(c);
		synn_nvsp_revoke(c);
	}
	synn_chan_stop(c);
	/* what was built for older buses lets go of a GPADL only before a close */
	safe = vmbus_proto_version < VERSION_WIN10 ?
	       !synn_nvsp_free_buffers(c, true) : true;
	safe = !synn_chan_close_all(c) && safe;
	safe = !synn_nvsp_free_buffers(c, safe) && safe;
	if (!safe) {
		c->host_holds = true;
		netdev_err(c->dev, "the host does not let go of the card's memory\n");
	}
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (c->chans[i])
			synn_chan_unprepare(c->chans[i], safe);
	}
}

/**
 * synn_link_up() - begin a session
 * @c: without one
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0 or an error; then nothing is left of it.
 */
int synn_link_up(struct synn_card *c)
{
	int ret;

	ASSERT_RTNL();
	if (c->host_holds)
		return -EBUSY;
	mutex_lock(&c->mutex);
	ret = bring_up(c);
	if (ret)
		take_down(c);
	mutex_unlock(&c->mutex);
	return ret;
}

/**
 * synn_link_down() - end a session
 * @c: with or without one
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 */
void synn_link_down(struct synn_card *c)
{
	ASSERT_RTNL();
	mutex_lock(&c->mutex);
	take_down(c);
	mutex_unlock(&c->mutex);
}

/**
 * synn_link_go() - let packets flow, as far as the interface is up
 * @c: with a session
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 */
void synn_link_go(struct synn_card *c)
{
	unsigned int i;

	ASSERT_RTNL();
	mutex_lock(&c->mutex);
	set_state(c, SYNN_LIVE);
	for (i = 0; i < c->nr_queues; i++)
		synn_tx_start(c->chans[i]);
	/* what was not answered is asked again */
	if (synn_link_update(c))
		set_bit(SYNN_EVENT_LINK, &c->events);
	if (synn_filter_update(c))
		set_bit(SYNN_EVENT_FILTER, &c->events);
	mutex_unlock(&c->mutex);
	/* and what came up meanwhile */
	if (c->granted > c->nr_queues)
		set_bit(SYNN_EVENT_GROW, &c->events);
	mod_delayed_work(c->wq, &c->event_work, 0);
}

static int grow(struct synn_card *c)
{
	unsigned int was = c->nr_queues, i;
	int ret;

	synn_chan_poll_all(c);
	count_queues(c);
	if (c->nr_queues == was)
		return 0;
	/* memory was short the last time; a reset is on its way */
	if (c->chans[was]->tx.slots) {
		c->nr_queues = was;
		return 0;
	}
	ret = share_out(c, was);
	if (!ret)
		ret = netif_set_real_num_queues(c->dev, c->nr_queues,
						c->nr_queues);
	if (ret) {
		c->nr_queues = was;
		return ret;
	}
	set_up_rss(c);
	for (i = was; i < c->nr_queues; i++)
		synn_tx_start(c->chans[i]);
	netdev_info(c->dev, "%u queues, of sub-channels that came late\n",
		    c->nr_queues);
	return 0;
}

/**
 * synn_link_grow() - take sub-channels into use that came late
 * @c: card
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 */
void synn_link_grow(struct synn_card *c)
{
	int ret = 0;

	ASSERT_RTNL();
	mutex_lock(&c->mutex);
	if (c->state == SYNN_LIVE)
		ret = grow(c);
	mutex_unlock(&c->mutex);
	/* a session that begins anew has them from the start */
	if (ret)
		synn_reset(c);
}

/* There is no session. The netdev stays for another try: it sends nothing */
static void fail(struct synn_card *c)
{
	set_state(c, SYNN_FAILED);
	netif_carrier_off(c->dev);
	netif_device_attach(c->dev);
}

/**
 * synn_link_again() - the second half of synn_link_restart(), for a resume
 * @c: without a session; its netdev is detached
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0 or an error; then the card has failed.
 */
int synn_link_again(struct synn_card *c)
{
	int ret = synn_link_up(c);

	if (!ret) {
		ret = netif_set_real_num_queues(c->dev, c->nr_queues,
						c->nr_queues);
		if (ret)
			synn_link_down(c);
	}
	if (ret) {
		netdev_err(c->dev, "can't be opened again: %d\n", ret);
		fail(c);
		return ret;
	}
	if (c->dev->mtu > c->link.max_mtu)
		netdev_warn(c->dev, "the host takes an MTU of %u only\n",
			    c->link.max_mtu);
	synn_link_go(c);
	netif_device_attach(c->dev);
	return 0;
}

/**
 * synn_link_restart() - end the session, begin another
 * @c: with one, or failed
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0; -EBUSY if it is not the time; or an error: the card has failed.
 */
int synn_link_restart(struct synn_card *c)
{
	ASSERT_RTNL();
	if (c->state != SYNN_LIVE && c->state != SYNN_FAILED)
		return -EBUSY;
	/* neither the stack nor its watchdog sees anything of it */
	netif_device_detach(c->dev);
	synn_link_down(c);
	c->resets++;
	return synn_link_again(c);
}

/* Whether the host is there for a new session, as far as there is an old one */
static bool host_is_there(struct synn_card *c)
{
	bool there;

	mutex_lock(&c->mutex);
	there = READ_ONCE(c->state) != SYNN_LIVE || synn_control_alive(c);
	mutex_unlock(&c->mutex);
	return there;
}

/**
 * synn_link_suspend() - end the session, for hibernation
 * @c: with one
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0; -EBUSY if the host stands still, and the session goes on; -EIO if it
 *	has not let go of memory: an image must not have what is written to.
 */
int synn_link_suspend(struct synn_card *c)
{
	ASSERT_RTNL();
	if (!host_is_there(c))
		return -EBUSY;
	netif_device_detach(c->dev);
	set_state(c, SYNN_SUSPENDED);
	synn_link_down(c);
	if (!c->host_holds)
		return 0;
	fail(c);
	return -EIO;
}

/**
 * synn_link_change() - synn_link_restart() for what is to be changed
 * @c: with a session, or failed
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: as synn_link_restart(); -ETIMEDOUT if the host stands still: the session
 *	goes on.
 */
int synn_link_change(struct synn_card *c)
{
	ASSERT_RTNL();
	return host_is_there(c) ? synn_link_restart(c) : -ETIMEDOUT;
}

/* Whether something waits that did not come when the host went on */
static bool is_stuck(struct synn_card *c)
{
	bool stuck;
	unsigned int i;

	rtnl_lock();
	stuck = READ_ONCE(c->control.stuck);
	for (i = 0; i < c->nr_queues; i++) {
		if (c->chans[i]->tx.dead || READ_ONCE(c->chans[i]->tx.blocked))
			stuck = true;
	}
	rtnl_unlock();
	return stuck;
}

/**
 * synn_reset_work() - something is stuck: begin again
 * @work: of a card
 *
 * Context: process.
 */
void synn_reset_work(struct work_struct *work)
{
	struct synn_card *c = container_of(to_delayed_work(work),
					   struct synn_card, reset_work);

	if (!host_is_there(c)) {
		if (c->host != SYNN_HOST_STILL)
			netdev_warn(c->dev, "the host stands still; the card waits for it\n");
		c->host = SYNN_HOST_STILL;
		netif_carrier_off(c->dev);
		queue_delayed_work(c->wq, &c->reset_work, STILL_DELAY);
		return;
	}
	if (c->host == SYNN_HOST_STILL) {
		/* what it owes comes now, and the bus has to hear of it, too */
		c->host = SYNN_HOST_BACK;
		queue_delayed_work(c->wq, &c->reset_work, RETURN_DELAY);
		return;
	}
	if (c->host == SYNN_HOST_BACK) {
		c->host = SYNN_HOST_THERE;
		if (!is_stuck(c)) {
			/* the carrier, which it lost only for that */
			synn_event(c, SYNN_EVENT_LINK);
			return;
		}
	}
	rtnl_lock();
	if (c->state == SYNN_LIVE && !READ_ONCE(c->hv->channel->rescind)) {
		netdev_warn(c->dev, "reset\n");
		synn_link_restart(c);
	}
	rtnl_unlock();
}

/**
 * synn_reset() - have the session begun again
 * @c: card
 *
 * Context: any.
 */
void synn_reset(struct synn_card *c)
{
	/* a sub-channel that is rescinded may be the first of all channels */
	queue_delayed_work(c->wq, &c->reset_work, RESET_DELAY);
}
