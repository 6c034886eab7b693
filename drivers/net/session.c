// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session with the host: from the open of the primary channel to the close of all.
 * An adapter has several in its life: what the host must be told when the channel
 * is opened (MTU, buffers, number of channels) is changed by opening another session, and
 * that is also how an adapter is reset. The netdev, its addresses and its connections
 * stay; packets in flight are lost.
 *
 * While the host does not respond no session is closed, because the close would have to
 * wait for the host as well (service.c). If the host stalls while a session is being
 * closed or opened, that waits until the host responds again.
 */
#include <linux/rtnetlink.h>

#include "synth_net.h"

#define SUB_CHANNEL_WAIT	(5 * HZ)

/* ---- opening ------------------------------------------------------------------- */

static int prepare_channel(struct synn_adapter *ad, unsigned int index)
{
	struct synn_chan *ch = ad->chans[index];
	int ret;

	if (!ch) {
		ch = synn_chan_alloc(ad, index);
		if (!ch)
			return -ENOMEM;
		synn_coalesce_init(ch);
	}
	compat_napi_add(ad->dev, &ch->napi, synn_poll, index);
	ret = synn_rx_prepare(ch);
	if (ret) {
		netif_napi_del(&ch->napi);
		return ret;
	}
	synn_coalesce_start(ch);
	synn_chan_set_state(ch, SYNN_CHAN_PREPARED);
	return 0;
}

/* The mirror of prepare_channel() and synn_tx_prepare() */
static void unprepare_channel(struct synn_chan *ch, bool confirmed)
{
	if (ch->state == SYNN_CHAN_IDLE)
		return;
	synn_tx_unprepare(ch, confirmed);
	netif_napi_del(&ch->napi);
	synn_rx_unprepare(ch);
	synn_chan_set_state(ch, SYNN_CHAN_IDLE);
}

/*
 * Opens as many sub-channels as are wanted, and the host offers. Those that are not
 * offered in time are used when they are (synn_session_grow()).
 */
static void open_subchannels(struct synn_adapter *ad)
{
	unsigned int want, granted, i;

	want = min3(ad->wanted_queues, ad->session.rss.queues, SYNN_MAX_QUEUES);
	for (i = 1; i < want; i++) {
		if (prepare_channel(ad, i))
			break;
	}
	want = i;
	if (want < 2)
		return;
	synn_chan_accept(ad, want);
	if (synn_nvsp_subchannels(ad, want - 1, &granted)) {
		synn_chan_accept(ad, 0);
		/* the host may have offered some without an answer to the request */
		synn_chan_enable_polling(ad);
		return;
	}
	ad->granted = 1 + granted;
	if (!wait_event_timeout(ad->chan_wait,
				READ_ONCE(ad->nr_open) > granted ||
				synn_rescinded(ad), SUB_CHANNEL_WAIT))
		netdev_warn(ad->dev, "the host has offered %u of %u sub-channels so far; the others are used when they are offered\n",
			    READ_ONCE(ad->nr_open) - 1, granted);
	synn_chan_accept(ad, ad->granted);
	synn_chan_enable_polling(ad);
}

/*
 * The queues of the netdev are the channels up to the first one that is missing. Those
 * behind it, if the host has left one out, are open but not used.
 */
static void update_nr_queues(struct synn_adapter *ad)
{
	unsigned int n = 1;

	while (n < SYNN_MAX_QUEUES && ad->chans[n] &&
	       ad->chans[n]->state == SYNN_CHAN_POLLED)
		n++;
	ad->nr_queues = n;
}

/*
 * Prepares the tx queues from @first on. The send buffer is divided among all channels
 * that the host has granted, since some may be offered later.
 */
static int prepare_tx_queues(struct synn_adapter *ad, unsigned int first)
{
	u32 sections = ad->session.send->bytes / ad->session.section_bytes;
	u32 each = min_t(u32, sections / max(ad->nr_queues, ad->granted),
			 SYNN_MAX_SLOTS);
	unsigned int i;
	int ret;

	for (i = first; i < ad->nr_queues; i++) {
		ret = synn_tx_prepare(ad->chans[i], i * each, each);
		if (ret)
			return ret;
	}
	return 0;
}

static int query_address(struct synn_adapter *ad)
{
	u8 mac[ETH_ALEN], current_mac[ETH_ALEN];
	int ret;

	ret = synn_control_query(ad, OID_802_3_PERMANENT_ADDRESS, NULL, 0, mac,
				 sizeof(mac));
	if (ret >= 0 && (ret < ETH_ALEN || !is_valid_ether_addr(mac)))
		ret = -EPROTO;
	if (ret < 0)
		return ret;
	if (ad->state == SYNN_PROBING) {
		ether_addr_copy(ad->dev->perm_addr, mac);
		ret = synn_control_query(ad, OID_802_3_CURRENT_ADDRESS, NULL, 0,
					 current_mac, ETH_ALEN);
		if (ret == ETH_ALEN && is_valid_ether_addr(current_mac))
			ether_addr_copy(mac, current_mac);
		eth_hw_addr_set(ad->dev, mac);
		return 0;
	}
	/* the host forgets an address that was set when the session is closed */
	if (ether_addr_equal(mac, ad->dev->dev_addr))
		return 0;
	ret = synn_control_set_address(ad, ad->dev->dev_addr);
	if (ret)
		netdev_warn(ad->dev, "the host does not accept address %pM again (%d); packets to it may not be received\n",
			    ad->dev->dev_addr, ret);
	return 0;
}

/* Hosts grant the MTU that they were told in NDIS_CONFIG, or less */
static void query_mtu(struct synn_adapter *ad)
{
	u32 max;

	if (synn_control_query_u32(ad, OID_GEN_MAXIMUM_FRAME_SIZE, &max))
		max = ETH_DATA_LEN;
	ad->session.max_mtu = max_t(u32, max, ETH_MIN_MTU);
}

static int open_session(struct synn_adapter *ad)
{
	struct synn_session *s = &ad->session;
	unsigned int i;
	int ret;

	memset(s, 0, sizeof(*s));
	WRITE_ONCE(ad->media, SYNN_MEDIA_UNKNOWN);
	ad->filter = 0;
	ad->granted = 1;
	/* until the host sends a table; used modulo the number of queues */
	for (i = 0; i < NVSP_TABLE_ENTRIES; i++)
		ad->send_table[i] = i;
	ret = synn_control_begin(ad);
	if (!ret)
		ret = prepare_channel(ad, 0);
	if (!ret)
		ret = synn_chan_open_primary(ad);
	if (ret)
		return ret;
	synn_quarantine_release(ad, SYNN_CONFIRMED_REOPEN);
	ret = synn_nvsp_negotiate(ad);
	if (!ret)
		ret = synn_nvsp_buffers(ad);
	if (!ret) {
		/* the host sends nothing there before INITIALIZE */
		ad->chans[0]->rx.buffer = s->receive->data;
		/* the size last: NAPI, which is enabled, checks it first */
		smp_store_release(&ad->chans[0]->rx.size, s->receive->bytes);
		ret = synn_control_initialise(ad);
	}
	if (!ret)
		ret = query_address(ad);
	if (!ret)
		ret = synn_offload_query(ad);
	if (ret)
		return ret;
	query_mtu(ad);
	open_subchannels(ad);
	update_nr_queues(ad);
	ret = prepare_tx_queues(ad, 0);
	if (ret)
		return ret;
	synn_rss_setup(ad);
	synn_xdp_apply(ad);
	return 0;
}

/* The mirror of open_session(), from any point of it */
static void close_session(struct synn_adapter *ad)
{
	/* older buses tear a GPADL down only before the close */
	bool buffers_first = vmbus_proto_version < VERSION_WIN10;
	unsigned int i;
	bool confirmed;

	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (ad->chans[i] && ad->chans[i]->state != SYNN_CHAN_IDLE)
			synn_tx_stop(ad->chans[i]);
	}
	if (ad->nr_open && !synn_rescinded(ad)) {
		/* what was not initialised can't be halted */
		if (ad->session.limits.max_packets &&
		    !synthio_host_stalled(ad->hv))
			synn_control_halt(ad);
		synn_nvsp_revoke(ad);
	}
	synn_chan_quiesce(ad);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (ad->chans[i] && ad->chans[i]->state != SYNN_CHAN_IDLE)
			synn_coalesce_stop(ad->chans[i]);
	}
	if (buffers_first)
		synn_nvsp_free_buffers(ad);
	confirmed = !synn_chan_close_all(ad);
	if (!buffers_first)
		synn_nvsp_free_buffers(ad);
	if (!confirmed)
		netdev_warn(ad->dev, "the host has not confirmed the close of the channel; memory that it may still use is kept until it does\n");
	synn_control_end(ad, confirmed);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (ad->chans[i])
			unprepare_channel(ad->chans[i], confirmed);
	}
}

/**
 * synn_session_open() - open a session
 * @ad: adapter without one
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0 or an error; then nothing is left of it.
 */
int synn_session_open(struct synn_adapter *ad)
{
	int ret;

	ASSERT_RTNL();
	mutex_lock(&ad->mutex);
	ret = open_session(ad);
	if (ret)
		close_session(ad);
	mutex_unlock(&ad->mutex);
	return ret;
}

/**
 * synn_session_close() - close the session
 * @ad: adapter with or without one
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 */
void synn_session_close(struct synn_adapter *ad)
{
	ASSERT_RTNL();
	mutex_lock(&ad->mutex);
	close_session(ad);
	mutex_unlock(&ad->mutex);
}

/**
 * synn_session_start() - let packets flow, as far as the interface is up
 * @ad: adapter whose session was opened, PROBING or RESETTING
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 */
void synn_session_start(struct synn_adapter *ad)
{
	unsigned int i;

	ASSERT_RTNL();
	mutex_lock(&ad->mutex);
	WARN_ON_ONCE(!synn_set_state(ad, SYNN_RUNNING));
	ad->backoff = 0;
	ad->event_tries = 0;
	for (i = 0; i < ad->nr_queues; i++)
		synn_tx_start(ad->chans[i]);
	/* requests that are not answered are repeated */
	if (synn_carrier_update(ad))
		set_bit(SYNN_EVENT_CARRIER, &ad->events);
	if (synn_filter_update(ad))
		set_bit(SYNN_EVENT_FILTER, &ad->events);
	mutex_unlock(&ad->mutex);
	/* sub-channels may have been offered meanwhile */
	if (ad->granted > ad->nr_queues)
		set_bit(SYNN_EVENT_GROW, &ad->events);
	mod_delayed_work(ad->wq, &ad->event_work, 0);
}

/* ---- sub-channels that are offered late ----------------------------------------- */

static int add_queues(struct synn_adapter *ad)
{
	unsigned int was = ad->nr_queues, i;
	int ret;

	synn_chan_enable_polling(ad);
	update_nr_queues(ad);
	if (ad->nr_queues == was)
		return 0;
	/* an earlier attempt has failed for want of memory; a reset will follow */
	if (ad->chans[was]->tx.sends) {
		ad->nr_queues = was;
		return 0;
	}
	ret = prepare_tx_queues(ad, was);
	if (!ret)
		ret = netif_set_real_num_queues(ad->dev, ad->nr_queues,
						ad->nr_queues);
	if (ret) {
		ad->nr_queues = was;
		return ret;
	}
	synn_rss_setup(ad);
	for (i = was; i < ad->nr_queues; i++)
		synn_tx_start(ad->chans[i]);
	netdev_info(ad->dev, "%u queues: sub-channels were offered late\n",
		    ad->nr_queues);
	return 0;
}

/**
 * synn_session_grow() - use sub-channels that were offered late
 * @ad: adapter
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 */
void synn_session_grow(struct synn_adapter *ad)
{
	int ret = 0;

	ASSERT_RTNL();
	mutex_lock(&ad->mutex);
	if (READ_ONCE(ad->state) == SYNN_RUNNING)
		ret = add_queues(ad);
	mutex_unlock(&ad->mutex);
	/* another session has them from the start */
	if (ret)
		synn_check(ad, SYNN_CHECK_RESET);
}

/* ---- another session ------------------------------------------------------------ */

/* The netdev stays without a carrier; the service task makes another attempt */
static void fail(struct synn_adapter *ad, int error)
{
	ad->backoff = synn_next_backoff(ad->backoff);
	ad->retry_at = jiffies + ad->backoff * HZ;
	WARN_ON_ONCE(!synn_set_state(ad, SYNN_FAILED));
	netif_carrier_off(ad->dev);
	netif_device_attach(ad->dev);
	if (netif_running(ad->dev))
		netdev_err(ad->dev, "no session with the host can be opened (%d); the next attempt follows in %u s\n",
			   error, ad->backoff);
	else
		netdev_err(ad->dev, "no session with the host can be opened (%d); the next attempt follows when the interface is up\n",
			   error);
}

/**
 * synn_session_reopen() - open and start a session after an earlier one
 * @ad: adapter without a session, RESETTING; its netdev is detached
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0 or an error; then the adapter has failed, and tries again later.
 */
int synn_session_reopen(struct synn_adapter *ad)
{
	int ret = synn_session_open(ad);

	if (!ret) {
		ret = netif_set_real_num_queues(ad->dev, ad->nr_queues,
						ad->nr_queues);
		if (ret)
			synn_session_close(ad);
	}
	if (ret) {
		fail(ad, ret);
		return ret;
	}
	if (ad->dev->mtu > ad->session.max_mtu)
		netdev_warn(ad->dev, "the host accepts an MTU of %u only, the interface has %u: larger packets are lost\n",
			    ad->session.max_mtu, ad->dev->mtu);
	synn_session_start(ad);
	netif_device_attach(ad->dev);
	return 0;
}

/**
 * synn_session_restart() - close the session, open another one
 * @ad: adapter with a session, or failed
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0; -EAGAIN if the host does not respond at present, or the adapter is
 *	suspended or removed; or another error: the adapter has failed.
 */
int synn_session_restart(struct synn_adapter *ad)
{
	enum synn_state state = READ_ONCE(ad->state);

	ASSERT_RTNL();
	if (!synn_state_has_session(state) && state != SYNN_FAILED)
		return -EAGAIN;
	if (synthio_host_stalled(ad->hv) || !synn_set_state(ad, SYNN_RESETTING))
		return -EAGAIN;
	/* neither the stack nor its watchdog uses the queues meanwhile */
	netif_device_detach(ad->dev);
	synn_session_close(ad);
	ad->resets++;
	return synn_session_reopen(ad);
}

/* Whether another session may be opened: the host must respond to close this one */
static bool may_change(struct synn_adapter *ad)
{
	enum synn_probe probe;

	if (synthio_host_stalled(ad->hv))
		return false;
	if (READ_ONCE(ad->state) == SYNN_FAILED)
		return true;
	if (READ_ONCE(ad->state) != SYNN_RUNNING)
		return false;
	mutex_lock(&ad->mutex);
	probe = synn_control_probe(ad);
	mutex_unlock(&ad->mutex);
	if (probe == SYNN_PROBE_SILENT)
		synn_check(ad, SYNN_CHECK_HEALTH);
	return probe == SYNN_PROBE_RESPONDS;
}

/**
 * synn_session_change() - synn_session_restart() for a setting that is to be changed
 * @ad: adapter with a session, or failed
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: as synn_session_restart(). After -EAGAIN nothing has changed.
 */
int synn_session_change(struct synn_adapter *ad)
{
	int ret = -EAGAIN;

	ASSERT_RTNL();
	if (may_change(ad))
		ret = synn_session_restart(ad);
	if (ret == -EAGAIN)
		netdev_warn(ad->dev, "the host does not respond at present, so the setting was not changed; try again later\n");
	return ret;
}

/**
 * synn_session_suspend() - close the session, for hibernation
 * @ad: adapter with one
 *
 * Context: process, RTNL held; sleeps for as long as the host may take.
 * Return: 0; -EAGAIN if the host does not respond, and the session stays; -EIO if it
 *	has not confirmed the close: an image must not have memory that the host may
 *	still write to.
 */
int synn_session_suspend(struct synn_adapter *ad)
{
	ASSERT_RTNL();
	if (!may_change(ad) || !synn_set_state(ad, SYNN_SUSPENDED)) {
		netdev_warn(ad->dev, "the host does not respond at present, so the adapter can't be suspended; try again later\n");
		return -EAGAIN;
	}
	netif_device_detach(ad->dev);
	synn_session_close(ad);
	if (!ad->quarantined)
		return 0;
	synn_set_state(ad, SYNN_RESETTING);
	fail(ad, -EIO);
	return -EIO;
}
