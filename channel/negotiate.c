// SPDX-License-Identifier: GPL-2.0-only
/* The first messages of a connection: the protocol's version, and the request for offers. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/io.h>
#include <linux/module.h>

#include "vmbus.h"

__u32 vmbus_proto_version = VERSION_WIN10_V4_1;

static char *max_version = "6.0";
module_param(max_version, charp, 0444);
MODULE_PARM_DESC(max_version,
		 "Newest VMBus protocol version to ask for, as major.minor (default 6.0)");

/* newest first; a host accepts a version exactly, or refuses it */
static const u32 versions[] = {
	VERSION_WIN10_V6_0,
	VERSION_WIN10_V5_3,
	VERSION_WIN10_V5_2,
	VERSION_WIN10_V5_1,
	VERSION_WIN10_V5,
	VERSION_WIN10_V4_1,
	VERSION_WIN10,
	VERSION_WIN8_1,
	VERSION_WIN8,
};

static u32 max_version_number(void)
{
	unsigned int major, minor;

	if (sscanf(max_version, "%u.%u", &major, &minor) != 2 ||
	    major > 0xffff || minor > 0xffff) {
		pr_warn("max_version=%s is not major.minor, ignored\n",
			max_version);
		return U32_MAX;
	}
	return major << 16 | minor;
}

/*
 * Asks for one version. Returns 0 if the host accepts, -EPROTO if it refuses, or an error
 * that is the same for each version.
 */
static int contact(u32 version, bool outlast)
{
	struct transport *t = connection.transport;
	struct vmbus_channel_initiate_contact msg = {
		.header.msgtype = CHANNELMSG_INITIATE_CONTACT,
		.vmbus_version_requested = version,
		.target_vcpu = t->ops->cpu_to_vp(t, connection.connect_cpu),
		.monitor_page1 = virt_to_phys(connection.monitor_pages[0]),
		.monitor_page2 = virt_to_phys(connection.monitor_pages[1]),
	};
	struct vmbus_channel_version_response *rsp;
	struct request req;
	int ret;

	if (version >= VERSION_WIN10_V5) {
		/* VTL and, from 6.0 on, feature flags stay 0 */
		msg.msg_sint = TRANSPORT_SINT;
		connection.message_conn_id = MESSAGE_CONN_ID_V5;
	} else {
		msg.interrupt_page = virt_to_phys(connection.int_page);
		connection.message_conn_id = MESSAGE_CONN_ID;
	}

	/* a host that does not answer may use the pages all the same */
	connection.exposed = true;
	atomic_set(&connection.unload, UNLOAD_DUE);
	request_start(&req, CHANNELMSG_VERSION_RESPONSE, NULL, 0);
	ret = host_post(&msg, sizeof(msg),
			outlast ? POST_WAIT : POST_RESPONSIVE);
	if (ret) {
		request_cancel(&req);
		/* hosts that lack the newer connection id do not know version 5.0 */
		return ret == -ENXIO ? -EPROTO : ret;
	}
	ret = request_wait(&req, outlast);
	if (ret)
		return ret;

	rsp = &req.response.version;
	if (!rsp->version_supported) {
		atomic_set(&connection.unload, UNLOAD_NOT_DUE);
		return -EPROTO;
	}
	if (rsp->connection_state) {
		pr_err("the host accepts version %u.%u but refuses the connection (state %u)\n",
		       version >> 16, version & 0xffff, rsp->connection_state);
		return -ECONNREFUSED;
	}
	if (version >= VERSION_WIN10_V5)
		connection.message_conn_id = rsp->msg_conn_id;
	return 0;
}

static int negotiate(u32 newest, u32 oldest, bool outlast)
{
	bool v5_silent = false;
	int i, ret = -EPROTO;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		u32 version = versions[i];

		if (version > newest || version < oldest)
			continue;
		if (v5_silent && version >= VERSION_WIN10_V5)
			continue;
		ret = contact(version, outlast);
		if (!ret) {
			vmbus_proto_version = version;
			/*
			 * Offers and rescinds that are still queued are from a
			 * connection before this one, and are dropped in this state
			 */
			flush_workqueue(connection.offer_wq);
			pr_info("VMBus version %u.%u over %s\n", version >> 16,
				version & 0xffff, connection.transport->name);
			return 0;
		}
		if (ret == -ETIMEDOUT && version >= VERSION_WIN10_V5) {
			/* the host may not listen on the newer connection id */
			v5_silent = true;
			continue;
		}
		if (ret != -EPROTO)
			break;
	}
	if (ret != -EAGAIN)
		pr_err("no connection to the host (%d)%s\n", ret,
		       ret == -EPROTO ? ": it does not know any version that this driver knows" : "");
	return ret;
}

/**
 * negotiate_first() - agree on the newest version that both sides know
 * @outlast: wait on while the host is stalled
 *
 * Context: process, sleeps; state_mutex held.
 * Return: 0, -EPROTO if there is no common version, -ECONNREFUSED, -ETIMEDOUT, -ENODEV
 *	if the host is lost, -EAGAIN if it is stalled and @outlast is false.
 */
int negotiate_first(bool outlast)
{
	return negotiate(max_version_number(), VERSION_WIN8, outlast);
}

/**
 * negotiate_again() - agree on the version that drivers have adapted to
 * @outlast: wait on while the host is stalled
 *
 * Context: process, sleeps; state_mutex held. Return: as negotiate_first().
 */
int negotiate_again(bool outlast)
{
	return negotiate(vmbus_proto_version, vmbus_proto_version, outlast);
}

/**
 * negotiate_offers() - ask the host for its offers
 *
 * Context: process. Return: as host_post().
 */
int negotiate_offers(void)
{
	struct vmbus_channel_message_header msg = {
		.msgtype = CHANNELMSG_REQUESTOFFERS,
	};

	relid_reset();
	reinit_completion(&connection.offers_delivered);
	return host_post(&msg, sizeof(msg), POST_WAIT);
}

/**
 * negotiate_wait_offers() - wait until the host has sent all its offers
 * @outlast: wait on while the host is stalled
 *
 * They are queued then. One that comes later becomes a device as well.
 *
 * Context: process, sleeps.
 * Return: 0, also if they have not come in time, which is logged; -EAGAIN if the host is
 *	stalled and @outlast is false.
 */
int negotiate_wait_offers(bool outlast)
{
	int ret = host_wait(&connection.offers_delivered, host_timeout, outlast);

	if (ret == -EAGAIN)
		return ret;
	if (ret)
		pr_warn("the host has not sent all its offers (%d): devices may be missing until it does\n",
			ret);
	return 0;
}
