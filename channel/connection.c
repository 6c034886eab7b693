// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection to the host as a whole: attach and detach, suspend and resume.
 *
 * A host may be paused at any of these moments, so each of them can be tried again: when
 * the host does not answer an attach or a resume in time, the attempt is repeated by
 * connection.contact_work until it does. Devices that are suspended meanwhile are
 * resumed after that.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "vmbus.h"

/* How often a host is tried that did not answer an attach or a resume */
#define CONTACT_RETRY_MS	1000

struct connection connection;

static int restart_transport(struct transport *t, bool outlast)
{
	int ret = t->ops->restart ? t->ops->restart(t) : 0;

	/* each attempt would post another message to a host that takes none */
	if (!ret && !outlast && host_state() != HOST_RESPONDS)
		return -EAGAIN;
	return ret;
}

/* Removes all devices, unloads the host. Returns whether it has let go of all memory */
static bool leave_host(void)
{
	bool confirmed;

	connection_set_state(CONN_LEAVING);
	/* an offer that is being handled becomes a device, or the state stops it */
	flush_workqueue(connection.offer_wq);
	flush_workqueue(connection.device_wq);
	offers_drop_deferred();
	removal_all();
	flush_workqueue(connection.sub_wq);
	relid_stop_giving_back();

	confirmed = !unload_host(true);
	if (confirmed)
		connection.exposed = false;
	removal_unloaded(confirmed);
	/* drivers may wait for interrupts until now, so CPUs had to keep their channels */
	cpu_hotplug_stop();
	return confirmed;
}

/* Afterwards no message and no signal uses the transport */
static void forget_transport(void)
{
	connection_set_state(CONN_NONE);
	mutex_lock(&connection.channel_mutex);	/* debugfs uses it */
	WRITE_ONCE(connection.transport, NULL);
	mutex_unlock(&connection.channel_mutex);
	/* these pair with the barriers around "posting" in host_post() */
	smp_mb();
	while (atomic_read_acquire(&connection.posting))
		usleep_range(1000, 2000);
	synchronize_rcu();	/* vmbus_set_event(), message_scan() */
	/* messages that were received since */
	flush_workqueue(connection.offer_wq);
}

/*
 * The first contact. -EAGAIN: the host does not answer at present. After another error
 * the connection's state is CONN_NONE.
 */
static int attach_once(struct transport *t, bool outlast)
{
	int ret;

	ret = restart_transport(t, outlast);
	if (!ret)
		ret = negotiate_first(outlast);
	if (ret == -EAGAIN)
		return ret;
	if (ret)
		goto no_transport;
	ret = cpu_hotplug_start();
	if (ret)
		goto no_offers;

	connection_set_state(CONN_CONNECTED);
	ret = negotiate_offers();
	if (ret)
		goto no_offers;
	/* offers that a stalled host sends later become devices then */
	negotiate_wait_offers(outlast);
	return 0;

no_offers:
	leave_host();
no_transport:
	forget_transport();
	return ret;
}

/* After a suspend. -EAGAIN: the host does not answer at present */
static int resume_once(struct transport *t)
{
	int ret;

	if (connection.state == CONN_SUSPENDED) {
		ret = restart_transport(t, false);
		if (!ret)
			ret = negotiate_again(false);
		if (ret == -ETIMEDOUT)
			ret = -EAGAIN;
		if (ret)
			return ret;
		connection_set_state(CONN_RESUMING);
		ret = negotiate_offers();
		if (ret)
			return ret;
	}
	ret = negotiate_wait_offers(false);
	if (ret)
		return ret;
	flush_workqueue(connection.offer_wq);
	removal_resume_done();
	connection_set_state(CONN_CONNECTED);
	return 0;
}

static void contact_later(void)
{
	/* not on sub_wq, which is flushed with state_mutex held */
	schedule_delayed_work(&connection.contact_work,
			      msecs_to_jiffies(CONTACT_RETRY_MS));
}

static void contact_work_run(struct work_struct *work)
{
	struct transport *t;
	bool resumed = false;
	int ret = 0;

	mutex_lock(&connection.state_mutex);
	t = connection.transport;
	if (!t || READ_ONCE(connection.ending))
		goto out;
	switch (connection.state) {
	case CONN_CONTACTING:
		ret = attach_once(t, false);
		break;
	case CONN_SUSPENDED:
	case CONN_RESUMING:
		ret = resume_once(t);
		resumed = ret != -EAGAIN;
		break;
	default:
		goto out;
	}
	if (ret == -EAGAIN) {
		contact_later();
		goto out;
	}
	if (ret) {
		pr_err("the host answers, but there is no connection (%d): its devices don't work\n",
		       ret);
		connection_host_lost(t);
	} else {
		pr_notice("the host answers now\n");
	}
out:
	mutex_unlock(&connection.state_mutex);
	/* after an error drivers find that their host is lost */
	if (resumed)
		bus_resume_devices();
}

int connection_attach(struct transport *t)
{
	int ret;

	mutex_lock(&connection.state_mutex);
	if (connection.transport) {
		ret = -EBUSY;
		goto out;
	}
	host_state_set(HOST_RESPONDS);
	connection.ending = false;
	connection.connect_cpu = cpumask_first(cpu_online_mask);
	memset(connection.int_page, 0, PAGE_SIZE);
	memset(connection.monitor_pages[0], 0, PAGE_SIZE);
	memset(connection.monitor_pages[1], 0, PAGE_SIZE);
	/* what finds the transport, such as debugfs, finds it initialised */
	smp_store_release(&connection.transport, t);
	connection_set_state(CONN_CONTACTING);
	/*
	 * A message for an earlier kernel may have come before this, and keeps its slot
	 * from messages of this connection
	 */
	message_rescan();

	ret = attach_once(t, true);
	if (ret == -EAGAIN) {
		pr_notice("the host does not answer yet: its devices appear when it does\n");
		contact_later();
		ret = 0;
		goto out;
	}
	if (ret)
		goto out;
	/* a caller that has loaded the module finds the devices */
	flush_workqueue(connection.offer_wq);
	flush_workqueue(connection.device_wq);
out:
	mutex_unlock(&connection.state_mutex);
	return ret;
}

const char *connection_in_use(void)
{
	struct transport *t = READ_ONCE(connection.transport);

	return t ? t->name : NULL;
}

bool connection_detach(struct transport *t)
{
	bool confirmed = false;

	cancel_delayed_work_sync(&connection.contact_work);
	mutex_lock(&connection.state_mutex);
	if (connection.transport != t)
		goto out;

	confirmed = leave_host();
	forget_transport();
out:
	mutex_unlock(&connection.state_mutex);
	return confirmed;
}

void connection_released(void)
{
	WRITE_ONCE(connection.exposed, false);
}

void connection_host_stalled(struct transport *t, bool stalled)
{
	if (READ_ONCE(connection.transport) == t)
		host_state_set(stalled ? HOST_STALLED : HOST_RESPONDS);
}

void connection_host_lost(struct transport *t)
{
	if (READ_ONCE(connection.transport) != t)
		return;
	host_state_set(HOST_LOST);
	request_fail(NULL, -ENODEV);
}

int connection_suspend(struct transport *t)
{
	enum connection_state was;
	int ret = 0;

	cancel_delayed_work_sync(&connection.contact_work);
	mutex_lock(&connection.state_mutex);
	was = connection.state;
	if (connection.transport != t ||
	    (was != CONN_CONNECTED && was != CONN_SUSPENDED &&
	     was != CONN_RESUMING)) {
		ret = -EBUSY;
		goto out;
	}
	if (host_state() == HOST_STALLED && was != CONN_SUSPENDED) {
		pr_err("hibernation is refused: the host does not respond\n");
		ret = -EAGAIN;
		goto out;
	}
	connection_set_state(CONN_SUSPENDED);
	offers_drop_deferred();
	ret = removal_suspend();
	if (ret) {
		/* without a contact it is tried again, below */
		if (was == CONN_CONNECTED)
			connection_set_state(CONN_CONNECTED);
		goto out;
	}
	relid_stop_giving_back();
	if (was == CONN_SUSPENDED)
		goto out;	/* there was no contact since the last UNLOAD */
	ret = unload_host(false);
	removal_unloaded(!ret);
	if (ret == -EAGAIN) {
		pr_err("hibernation is refused: the host has stopped to respond\n");
		goto out;
	}
	if (ret)
		pr_warn("the host did not confirm the unload (%d): suspending all the same\n",
			ret);
	ret = 0;
out:
	/* what was begun before, or was undone here, is tried again */
	if (ret && (connection.state == CONN_SUSPENDED ||
		    connection.state == CONN_RESUMING ||
		    connection.state == CONN_CONTACTING))
		contact_later();
	mutex_unlock(&connection.state_mutex);
	return ret;
}

int connection_resume(struct transport *t)
{
	int ret = -EBUSY;

	mutex_lock(&connection.state_mutex);
	if (connection.transport != t || connection.state != CONN_SUSPENDED)
		goto out;

	/* the host was stalled meanwhile, or it is another one: the attempt shows it */
	host_state_set(HOST_RESPONDS);
	ret = resume_once(t);
	if (ret == -EAGAIN) {
		pr_notice("the host does not answer after hibernation: its devices work again when it does\n");
		contact_later();
		ret = 0;
	}
out:
	mutex_unlock(&connection.state_mutex);
	return ret;
}

/**
 * connection_alloc() - allocate what the connection needs before there is a transport
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int connection_alloc(void)
{
	struct connection *c = &connection;
	int i;

	mutex_init(&c->state_mutex);
	mutex_init(&c->channel_mutex);
	mutex_init(&c->modify_mutex);
	INIT_LIST_HEAD(&c->channels);
	INIT_LIST_HEAD(&c->deferred);
	INIT_LIST_HEAD(&c->requests);
	spin_lock_init(&c->request_lock);
	spin_lock_init(&c->rx_lock);
	init_completion(&c->offers_delivered);
	init_completion(&c->unloaded);
	INIT_WORK(&c->rx_work, message_work);
	INIT_DELAYED_WORK(&c->contact_work, contact_work_run);
	/* not 0: the kernel's drivers take a handle of 0 for none */
	atomic_set(&c->next_gpadl, 0xe1e10);

	c->int_page = (void *)get_zeroed_page(GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(c->monitor_pages); i++)
		c->monitor_pages[i] = (void *)get_zeroed_page(GFP_KERNEL);
	c->cpu_channels = kcalloc(nr_cpu_ids, sizeof(*c->cpu_channels),
				  GFP_KERNEL);
	/* memory may be freed only after a disk's channel is opened anew */
	c->offer_wq = alloc_ordered_workqueue("synth_offers", WQ_MEM_RECLAIM);
	c->device_wq = alloc_workqueue("synth_devices",
				       WQ_UNBOUND | WQ_FREEZABLE, 0);
	c->sub_wq = alloc_workqueue("synth_subchannels",
				    WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!c->int_page || !c->monitor_pages[0] || !c->monitor_pages[1] ||
	    !c->cpu_channels || !c->offer_wq || !c->device_wq || !c->sub_wq ||
	    kfifo_alloc(&c->rx, RX_FIFO_SIZE, GFP_KERNEL)) {
		connection_free();
		return -ENOMEM;
	}
	return 0;
}

/**
 * connection_free() - the mirror of connection_alloc(), also of a failed one
 *
 * Context: process; no transport is left.
 */
void connection_free(void)
{
	struct connection *c = &connection;
	unsigned int ms = 0;

	/*
	 * Code of this module runs when the last reference to a device is dropped,
	 * so the module must stay until then. Only this kernel holds references, so
	 * the host can't make this wait.
	 */
	while (atomic_read(&c->nr_channels)) {
		if (ms && !(ms % 10000))
			pr_notice("waiting until the last reference to a device is dropped\n");
		msleep(20);
		ms += 20;
	}
	cancel_delayed_work_sync(&c->contact_work);
	/* these may have queued work on sub_wq */
	cpu_hotplug_stop();
	relid_stop_giving_back();
	if (c->sub_wq)
		destroy_workqueue(c->sub_wq);
	if (c->device_wq)
		destroy_workqueue(c->device_wq);
	if (c->offer_wq)
		destroy_workqueue(c->offer_wq);
	kfifo_free(&c->rx);
	kfree(c->cpu_channels);
	if (c->exposed) {
		pr_err("3 pages leaked, since the host may still write to them\n");
		return;
	}
	free_page((unsigned long)c->monitor_pages[1]);
	free_page((unsigned long)c->monitor_pages[0]);
	free_page((unsigned long)c->int_page);
}
