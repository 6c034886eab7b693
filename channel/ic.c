// SPDX-License-Identifier: GPL-2.0-only
/*
 * Version negotiation of the integration services (shutdown, time, heartbeat,
 * key-value pairs): part of the client API, since all of them need it.
 *
 * The host sends two lists of versions, of the framework and of the service.
 * The guest answers with one of each in the same buffer.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "vmbus.h"

/* Finds the first version in @ours, newest first, that the host has as well */
static bool pick_version(const int *ours, int count,
			 const struct ic_version *theirs, u16 their_count,
			 struct ic_version *picked)
{
	int i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < their_count; j++)
			if (theirs[j].major == ours[i] >> 16 &&
			    theirs[j].minor == (ours[i] & 0xffff)) {
				*picked = theirs[j];
				return true;
			}
	return false;
}

/**
 * vmbus_prep_negotiate_resp() - answer a service's negotiate message
 * @icmsghdrp: its header, in @buf; the size field is set
 * @buf: the whole packet, answered in place
 * @buflen: bytes in @buf
 * @fw_version: framework versions of the guest (major << 16 | minor), newest
 *	first
 * @fw_vercnt: how many
 * @srv_version: service versions of the guest, likewise
 * @srv_vercnt: how many
 * @nego_fw_version: NULL, or where the agreed framework version goes
 * @nego_srv_version: NULL, or where the agreed service version goes
 *
 * Context: any. Return: whether there is agreement. If not, the answer says 0
 *	versions, unless the packet was too short for any.
 */
bool vmbus_prep_negotiate_resp(struct icmsg_hdr *icmsghdrp, u8 *buf, u32 buflen,
			       const int *fw_version, int fw_vercnt,
			       const int *srv_version, int srv_vercnt,
			       int *nego_fw_version, int *nego_srv_version)
{
	struct icmsg_negotiate *nego = (void *)buf + ICMSG_HDR;
	struct ic_version fw = { }, srv = { };
	bool agreed = false;
	u16 fws, srvs;

	if (buflen < ICMSG_NEGOTIATE_PKT_SIZE(0, 0)) {
		pr_err_ratelimited("negotiation of %u bytes is too short\n",
				   buflen);
		return false;
	}
	fws = nego->icframe_vercnt;
	srvs = nego->icmsg_vercnt;
	if (fws > IC_VERSION_NEGOTIATION_MAX_VER_COUNT ||
	    srvs > IC_VERSION_NEGOTIATION_MAX_VER_COUNT ||
	    ICMSG_NEGOTIATE_PKT_SIZE(fws, srvs) > buflen)
		pr_err_ratelimited("negotiation with %u and %u versions in %u bytes\n",
				   fws, srvs, buflen);
	else
		agreed = pick_version(fw_version, fw_vercnt,
				      nego->icversion_data, fws, &fw) &&
			 pick_version(srv_version, srv_vercnt,
				      nego->icversion_data + fws, srvs, &srv);

	nego->icframe_vercnt = agreed;
	nego->icmsg_vercnt = agreed;
	/* header after the pipe's, two counts, and two versions */
	icmsghdrp->icmsgsize = sizeof(*nego) + 2 * sizeof(struct ic_version);
	if (buflen >= ICMSG_NEGOTIATE_PKT_SIZE(1, 1)) {
		nego->icversion_data[0] = fw;
		nego->icversion_data[1] = srv;
	}
	if (nego_fw_version)
		*nego_fw_version = fw.major << 16 | fw.minor;
	if (nego_srv_version)
		*nego_srv_version = srv.major << 16 | srv.minor;
	return agreed;
}
