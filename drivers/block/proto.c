// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is said on a controller's primary channel besides the requests of disks:
 * the initialisation, and single commands that ask a unit what it is.
 *
 * One of these at a time is on its way, under ctrl->mutex, with one buffer for
 * its data that lives as long as the controller. One that is never answered
 * blocks the next ones, since the host may still write to that buffer: it is
 * given up with the channel.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include "synth_blk.h"
#include "trace.h"

/* Bytes that INQUIRY is asked for, of the standard data and of a VPD page */
#define INQUIRY_ROOM		96
#define VPD_ROOM		512
/* How often a single command is tried while its unit has other things to say */
#define TRIES			5
/* Packets of versions before 5.1; the initialisation speaks like them too */
#define OLD_VERSIONS_END	STORVSP_VERSION_5_1

/* newest first */
static const u16 versions[] = {
	STORVSP_VERSION_6_2, STORVSP_VERSION_6_0, STORVSP_VERSION_5_1,
	STORVSP_VERSION_4_2,
};

/**
 * synd_proto_fill_srb() - a request but for its CDB
 * @c: controller
 * @pkt: all of it is set
 * @target: SCSI target
 * @lun: LUN
 * @data_in: STORVSP_DATA_*
 * @bytes: of data
 */
void synd_proto_fill_srb(const struct synd_ctrl *c, struct storvsp_packet *pkt,
			 u8 target, u8 lun, u8 data_in, u32 bytes)
{
	static const u32 direction[] = {
		[STORVSP_DATA_OUT] = STORVSP_SRB_DATA_OUT,
		[STORVSP_DATA_IN] = STORVSP_SRB_DATA_IN,
		[STORVSP_DATA_NONE] = 0,
	};
	struct storvsp_srb *srb = &pkt->srb;

	memset(pkt, 0, sizeof(*pkt));
	pkt->operation = STORVSP_EXECUTE_SRB;
	pkt->flags = STORVSP_REQUEST_COMPLETION;
	srb->target_id = target;
	srb->lun = lun;
	srb->sense_info_length = STORVSP_SENSE_MAX;
	srb->data_in = data_in;
	srb->data_transfer_length = bytes;
	if (c->version < OLD_VERSIONS_END) {
		srb->length = STORVSP_SRB_OLD;
		return;
	}
	srb->length = sizeof(*srb);
	srb->queue_action = STORVSP_SIMPLE_TAG_REQUEST;
	srb->srb_flags = direction[data_in] | STORVSP_SRB_QUEUE_ACTION_ENABLE |
			 STORVSP_SRB_NO_SYNCH_TRANSFER |
			 STORVSP_SRB_NO_QUEUE_FREEZE;
	srb->time_out_value = 60;
}

/**
 * synd_proto_mpb() - name a buffer of the kernel to the host
 * @mpb: with room for the pages of it
 * @buffer: contiguous in physical memory
 * @bytes: not 0
 *
 * Return: bytes of @mpb that are used.
 */
u32 synd_proto_mpb(struct vmbus_packet_mpb_array *mpb, const void *buffer,
		   u32 bytes)
{
	u64 first = virt_to_phys((void *)buffer);
	u32 offset = offset_in_hvpage(first), i;
	u32 pages = HVPFN_UP(offset + bytes);

	mpb->rangecount = 1;
	mpb->range.len = bytes;
	mpb->range.offset = offset;
	for (i = 0; i < pages; i++)
		mpb->range.pfn_array[i] = HVPFN_DOWN(first) + i;
	return struct_size(mpb, range.pfn_array, pages);
}

/**
 * synd_proto_judge() - what the answer to a request means
 * @pkt: its first @len bytes are the host's
 * @len: bytes
 * @optional: see struct sbc_answer
 *
 * An answer too short to tell anything is an I/O error.
 */
struct sbc_verdict synd_proto_judge(const struct storvsp_packet *pkt, u32 len,
				    bool optional)
{
	const u32 sense = offsetof(struct storvsp_packet, srb.sense_data);
	const struct storvsp_srb *srb = &pkt->srb;
	struct sbc_answer a = { .optional = optional };

	if (len < sense || pkt->operation != STORVSP_COMPLETE_IO)
		return (struct sbc_verdict){ .outcome = SBC_IO_ERROR };
	a.srb_status = srb->srb_status;
	a.scsi_status = srb->scsi_status;
	a.sense = srb->sense_data;
	a.sense_len = min3((u32)srb->sense_info_length, len - sense,
			   STORVSP_SENSE_MAX);
	return sbc_judge(&a);
}

/**
 * synd_proto_single_done() - the answer to a single command
 * @ch: where it came
 * @id: as it came
 * @payload: @len bytes
 * @len: may be anything
 *
 * Context: any, rx_lock held.
 */
void synd_proto_single_done(struct synd_chan *ch, u64 id, const void *payload,
			    u32 len)
{
	struct synd_single *s = &ch->ctrl->single;

	/* all of its fields are under the primary's lock, which we hold then */
	if (ch->index || !s->id || s->id != id) {
		synd_chan_bad(ch, "an answer that nobody waits for", id);
		return;
	}
	len = min_t(u32, len, sizeof(s->answer));
	memset(&s->answer, 0, sizeof(s->answer));
	memcpy(&s->answer, payload, len);
	s->answer_len = len;
	s->id = 0;
	s->stuck = false;
	complete(&s->done);
}

/*
 * Send a packet and wait for its answer. @room: bytes of single.buffer that the
 * host may write, or 0. Returns 0, or why there is no answer.
 */
static int transact(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 room)
{
	union {
		struct vmbus_packet_mpb_array mpb;
		u8 bytes[sizeof(struct vmbus_packet_mpb_array) +
			 sizeof(u64) * (HVPFN_UP(SBC_ANSWER_MAX) + 1)];
	} u = { };
	unsigned long deadline = jiffies + synd_host_timeout * HZ;
	struct synd_chan *ch = &c->chans[0];
	struct synd_single *s = &c->single;
	u32 mpb_len = 0;
	u64 id;
	int ret;

	lockdep_assert_held(&c->mutex);
	if (!ch->open)
		return -ENODEV;
	if (s->stuck)
		return -EBUSY;
	if (room)
		mpb_len = synd_proto_mpb(&u.mpb, s->buffer, room);

	reinit_completion(&s->done);
	s->gen++;
	/* never 0, whatever the generation */
	id = synd_id(s->gen, 0, SYND_ID_SINGLE, 1);
	spin_lock_irq(&ch->rx_lock);
	s->id = id;
	spin_unlock_irq(&ch->rx_lock);

	while (true) {
		ret = synd_chan_send(ch, room ? &u.mpb : NULL, mpb_len, pkt,
				     id);
		/* the ring is full of requests: they will be read */
		if (ret != -EAGAIN || time_after(jiffies, deadline))
			break;
		msleep(20);
	}
	if (ret) {
		spin_lock_irq(&ch->rx_lock);
		s->id = 0;
		spin_unlock_irq(&ch->rx_lock);
		return ret;
	}

	while (!wait_for_completion_timeout(&s->done, HZ / 2)) {
		if (READ_ONCE(ch->vc->rescind)) {
			ret = -ENODEV;
			break;
		}
		if (time_after(jiffies, deadline)) {
			ret = -ETIMEDOUT;
			break;
		}
	}
	if (ret) {
		spin_lock_irq(&ch->rx_lock);
		if (s->id)
			s->stuck = true;
		else
			ret = 0;
		spin_unlock_irq(&ch->rx_lock);
	}
	return ret;
}

/* An operation of the initialisation: @pkt becomes the answer */
static int operation(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 op,
		     u32 need)
{
	static const char * const names[] = {
		[STORVSP_BEGIN_INITIALIZATION] = "begin",
		[STORVSP_END_INITIALIZATION] = "end",
		[STORVSP_QUERY_PROTOCOL_VERSION] = "version",
		[STORVSP_QUERY_PROPERTIES] = "properties",
		[STORVSP_CREATE_SUB_CHANNELS] = "sub-channels",
	};
	const struct storvsp_packet *answer = &c->single.answer;
	int ret;

	pkt->operation = op;
	pkt->flags = STORVSP_REQUEST_COMPLETION;
	ret = transact(c, pkt, 0);
	if (ret) {
		synd_err(c, "initialisation (%s): no answer from the host: %d\n",
			 names[op], ret);
		return ret;
	}
	if (answer->operation != STORVSP_COMPLETE_IO ||
	    c->single.answer_len < offsetof(struct storvsp_packet, buffer)) {
		synd_err(c, "initialisation (%s): the host's answer is nonsense\n",
			 names[op]);
		return -EPROTO;
	}
	*pkt = *answer;
	if (pkt->status == STORVSP_STATUS_SUCCESS &&
	    c->single.answer_len < need) {
		synd_err(c, "initialisation (%s): the host's answer is too short\n",
			 names[op]);
		return -EPROTO;
	}
	return 0;
}

static int negotiate_version(struct synd_ctrl *c)
{
	struct storvsp_packet pkt;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		memset(&pkt, 0, sizeof(pkt));
		pkt.version.major_minor = versions[i];
		ret = operation(c, &pkt, STORVSP_QUERY_PROTOCOL_VERSION, 0);
		if (ret)
			return ret;
		if (pkt.status != STORVSP_STATUS_SUCCESS)
			continue;
		c->version = versions[i];
		c->packet_len = c->version < OLD_VERSIONS_END ?
				STORVSP_PACKET_OLD : sizeof(pkt);
		return 0;
	}
	synd_err(c, "the host speaks no version of storvsp from 4.2 to 6.2\n");
	return -EPROTO;
}

/**
 * synd_proto_initialise() - initialise a controller
 * @c: its primary has just been opened
 *
 * Sets version, packet_len, max_subchannels, max_transfer.
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0, -EPROTO for a host that we can't talk to, or as transact().
 */
int synd_proto_initialise(struct synd_ctrl *c)
{
	struct storvsp_packet pkt = { };
	u32 bytes;
	int ret;

	c->packet_len = STORVSP_PACKET_OLD;
	c->version = 0;
	ret = operation(c, &pkt, STORVSP_BEGIN_INITIALIZATION, 0);
	if (!ret && pkt.status)
		ret = -EPROTO;
	if (ret)
		return ret;
	ret = negotiate_version(c);
	if (ret)
		return ret;

	memset(&pkt, 0, sizeof(pkt));
	ret = operation(c, &pkt, STORVSP_QUERY_PROPERTIES,
			offsetofend(struct storvsp_packet,
				    properties.max_transfer_bytes));
	if (!ret && pkt.status)
		ret = -EPROTO;
	if (ret)
		return ret;
	c->max_subchannels = 0;
	if (pkt.properties.flags & STORVSP_MULTI_CHANNEL)
		c->max_subchannels = pkt.properties.max_channel_count;
	bytes = round_down(pkt.properties.max_transfer_bytes,
			   HV_HYP_PAGE_SIZE);
	if (!bytes) {
		synd_err(c, "the host takes %u bytes in a transfer: too few\n",
			 pkt.properties.max_transfer_bytes);
		return -EPROTO;
	}
	c->max_transfer = min(bytes, SYND_MAX_TRANSFER);

	memset(&pkt, 0, sizeof(pkt));
	ret = operation(c, &pkt, STORVSP_END_INITIALIZATION, 0);
	if (!ret && pkt.status)
		ret = -EPROTO;
	return ret;
}

/**
 * synd_proto_create_subchannels() - have the host offer sub-channels
 * @c: an initialised controller
 * @count: at most max_subchannels
 *
 * Context: as synd_proto_initialise().
 * Return: 0; -EPROTO if the host refuses. Offers come later, if at all.
 */
int synd_proto_create_subchannels(struct synd_ctrl *c, u16 count)
{
	struct storvsp_packet pkt = { .sub_channel_count = count };
	int ret;

	ret = operation(c, &pkt, STORVSP_CREATE_SUB_CHANNELS, 0);
	return !ret && pkt.status ? -EPROTO : ret;
}

/**
 * synd_proto_command() - one SCSI command with data from the host, or none
 * @c: an initialised controller
 * @target: SCSI target
 * @lun: LUN
 * @cdb: 16 bytes
 * @cdb_len: how many of them count
 * @room: at most SBC_ANSWER_MAX bytes of data go to single.buffer, zeroed
 *	before
 * @v: gets what became of it; its hints are for the caller
 *
 * A unit that is busy or wants attention is asked again a few times.
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: bytes of data that came, with an outcome of SBC_OK; -EOPNOTSUPP if the
 *	unit is there and refuses the command; -EIO with another outcome; or as
 *	transact().
 */
int synd_proto_command(struct synd_ctrl *c, u8 target, u8 lun, const u8 *cdb,
		       u8 cdb_len, u32 room, struct sbc_verdict *v)
{
	const struct storvsp_packet *answer = &c->single.answer;
	struct storvsp_packet pkt;
	unsigned int try;
	int ret;

	for (try = 0; try < TRIES; try++) {
		synd_proto_fill_srb(c, &pkt, target, lun, room ?
				    STORVSP_DATA_IN : STORVSP_DATA_NONE, room);
		pkt.srb.cdb_length = cdb_len;
		memcpy(pkt.srb.cdb, cdb, cdb_len);
		if (!c->single.stuck)
			memset(c->single.buffer, 0, room);
		ret = transact(c, &pkt, room);
		if (ret)
			return ret;
		*v = synd_proto_judge(answer, c->single.answer_len, false);
		if (v->outcome == SBC_OK)
			return min(answer->srb.data_transfer_length, room);
		/* what it has told here it does not tell again */
		if (v->hints && v->outcome == SBC_RETRY)
			synd_scan(c);
		if (v->outcome == SBC_RETRY_LATER)
			msleep(100);
		else if (v->outcome != SBC_RETRY)
			break;
	}
	return v->outcome == SBC_TARGET_ERROR ? -EOPNOTSUPP : -EIO;
}

static int get_vpd(struct synd_ctrl *c, u8 target, u8 lun,
		   struct sbc_disk *d, u8 page)
{
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	int n;

	n = synd_proto_command(c, target, lun, cdb,
			       sbc_inquiry_vpd(cdb, page, VPD_ROOM), VPD_ROOM,
			       &v);
	if (n >= 0 && sbc_parse_vpd(d, page, c->single.buffer, n))
		synd_info(c, "target %u LUN %u: VPD page %02x is of no use\n",
			  target, lun, page);
	return n < 0 && n != -EOPNOTSUPP ? n : 0;
}

/* All VPD pages that are of use and that the unit lists. 0, or it did not tell */
static int get_vpds(struct synd_ctrl *c, u8 target, u8 lun,
		    struct sbc_disk *d)
{
	static const u8 pages[] = { 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
	u8 cdb[SBC_CDB_MAX] = { };
	bool has[ARRAY_SIZE(pages)];
	struct sbc_verdict v;
	unsigned int i;
	int n, ret = 0;

	n = synd_proto_command(c, target, lun, cdb,
			       sbc_inquiry_vpd(cdb, 0, VPD_ROOM), VPD_ROOM, &v);
	if (n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return n;
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		has[i] = sbc_has_vpd(c->single.buffer, n, pages[i]);
	for (i = 0; i < ARRAY_SIZE(pages) && !ret; i++) {
		if (has[i])
			ret = get_vpd(c, target, lun, d, pages[i]);
	}
	return ret;
}

static int get_capacity_of(struct synd_ctrl *c, u8 target, u8 lun,
			   struct sbc_disk *d)
{
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	int n, ret;

	n = synd_proto_command(c, target, lun, cdb,
			       sbc_read_capacity_16(cdb, 32), 32, &v);
	if (n >= 0)
		return sbc_parse_capacity_16(d, c->single.buffer, n);
	if (n != -EOPNOTSUPP)
		return n;

	memset(cdb, 0, sizeof(cdb));
	n = synd_proto_command(c, target, lun, cdb, sbc_read_capacity_10(cdb),
			       8, &v);
	if (n < 0)
		return n;
	ret = sbc_parse_capacity_10(d, c->single.buffer, n);
	return ret == -EFBIG ? -EINVAL : ret;
}

/* Write protection and cache. Without an answer: writable, and to be flushed */
static int get_mode(struct synd_ctrl *c, u8 target, u8 lun,
		    struct sbc_disk *d)
{
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	int n;

	d->write_cache = true;
	n = synd_proto_command(c, target, lun, cdb,
			       sbc_mode_sense_caching(cdb, 64), 64, &v);
	if (n > 0)
		sbc_parse_mode_caching(d, c->single.buffer, n);
	return n < 0 && n != -EOPNOTSUPP ? n : 0;
}

/**
 * synd_proto_identify() - ask a unit what it is
 * @c: an initialised controller
 * @target: SCSI target
 * @lun: LUN
 * @d: gets the answer. Where d->type is not SBC_TYPE_DISK, nothing else
 *
 * A disk is described as a whole or not at all: nothing follows from a question
 * that was not answered.
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0; -ENODEV if the host says that nothing is there; -EINVAL if what the
 *	unit says is nonsense; -EIO or -EOPNOTSUPP if it does not tell; or as
 *	transact().
 */
int synd_proto_identify(struct synd_ctrl *c, u8 target, u8 lun,
			struct sbc_disk *d)
{
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	int n, ret;

	memset(d, 0, sizeof(*d));
	n = synd_proto_command(c, target, lun, cdb,
			       sbc_inquiry(cdb, INQUIRY_ROOM), INQUIRY_ROOM,
			       &v);
	if (n == -EIO && v.outcome == SBC_GONE)
		return -ENODEV;
	if (n < 0)
		return n == -ENODEV ? -ECONNRESET : n;
	ret = sbc_parse_inquiry(d, c->single.buffer, n);
	if (ret)
		return ret;
	if (d->type == SBC_TYPE_UNKNOWN)
		return -ENODEV;
	if (d->type != SBC_TYPE_DISK)
		return 0;

	ret = get_capacity_of(c, target, lun, d);
	if (!ret)
		ret = get_vpds(c, target, lun, d);
	if (!ret)
		ret = get_mode(c, target, lun, d);
	if (!ret && d->max_transfer && d->max_transfer < HV_HYP_PAGE_SIZE)
		ret = -EINVAL;
	/* the channel is gone, not the unit */
	return ret == -ENODEV ? -ECONNRESET : ret;
}

/**
 * synd_proto_report_luns() - which units a target has
 * @c: an initialised controller
 * @target: SCSI target
 * @bitmap: 32 bytes: bit N is set for LUN N
 *
 * Context: as synd_proto_identify().
 * Return: 0; -EIO or -EOPNOTSUPP if it does not tell, which may also mean that
 *	there is no such target; or as transact().
 */
int synd_proto_report_luns(struct synd_ctrl *c, u8 target, u8 *bitmap)
{
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	int n, lun;
	u32 i;

	memset(bitmap, 0, 32);
	n = synd_proto_command(c, target, 0, cdb,
			       sbc_report_luns(cdb, SBC_ANSWER_MAX),
			       SBC_ANSWER_MAX, &v);
	if (n < 0)
		return n;
	if (n < 8)
		return -EIO;
	for (i = 0; i < sbc_luns(c->single.buffer, n); i++) {
		lun = sbc_lun(c->single.buffer, i);
		if (lun >= 0)
			bitmap[lun / 8] |= 1 << lun % 8;
	}
	return 0;
}
