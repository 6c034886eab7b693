// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel of a display: see channel.h.
 *
 * Questions (version, resolutions, location of the VRAM) wait for their answer, one at
 * a time. Nothing waits for what other messages cause at the host, and none of these
 * waits for room in the ring: the caller gets -EAGAIN, and keeps what it wanted to send.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include <synthio/driver.h>
#include <synthio/host_state.h>
#include <synthio/pipe.h>

#include "channel.h"
#include "trace.h"

#define RING_BYTES	VMBUS_RING_SIZE(256 * 1024)
#define ANSWER_WAIT	(10 * HZ)
#define STALL_AFTER	(2 * HZ)	/* without reading what is in the ring */

/* A question. It begins as synv_channel_send() needs it */
struct synv_question {
	struct synthio_pipe pipe;
	struct synthvid_header header;
	union {
		struct synthvid_version_request version;
		struct synthvid_resolution_request resolutions;
		struct synthvid_vram_location vram;
	};
} __packed;

/* --- state ------------------------------------------------------------------------ */

/*
 * Called with c->lock held. Nothing that the host sends is looked at any more after a
 * change to SYNV_CLOSED.
 */
static void set_state(struct synv_channel *c, enum synv_state state)
{
	lockdep_assert_held(&c->lock);
	if (WARN_ON_ONCE(!synv_state_may_follow(c->state, state)))
		return;
	trace_synv_state(c->hv, synv_state_name(c->state),
			 synv_state_name(state));
	spin_lock_irq(&c->rx_lock);
	WRITE_ONCE(c->state, state);
	spin_unlock_irq(&c->rx_lock);
}

/**
 * synv_channel_change_state() - change the state of the display
 * @c: the channel
 * @state: one that may follow the present one
 *
 * Context: process, takes c->lock.
 */
void synv_channel_change_state(struct synv_channel *c, enum synv_state state)
{
	mutex_lock(&c->lock);
	set_state(c, state);
	mutex_unlock(&c->lock);
}

/* The host has not read all that is in the outgoing ring */
static bool is_unread(const struct synv_channel *c)
{
	const struct hv_ring_buffer *ring = c->hv->channel->outbound.ring_buffer;

	return READ_ONCE(ring->read_index) != READ_ONCE(ring->write_index);
}

/*
 * A bus that knows whether the host responds says so. The kernel's own does not know,
 * and a host may also stop reading this channel alone: then messages stay unread.
 */
static bool is_stalled(struct synv_channel *c)
{
	const struct hv_ring_buffer *ring = c->hv->channel->outbound.ring_buffer;
	bool stalled = synv_reader_stalled(&c->reader, READ_ONCE(ring->read_index),
					   READ_ONCE(ring->write_index), jiffies,
					   STALL_AFTER);

	return stalled || synthio_host_stalled(c->hv);
}

/**
 * synv_channel_may_send() - whether a message would reach the host soon
 * @c: the channel, c->lock is held
 *
 * Changes the state to SYNV_STALLED or back to SYNV_LIVE as the host stops to read
 * messages or goes on. While the host is stalled the ring is left alone: a pointer that
 * moves would fill it with positions that are obsolete when the host reads them.
 *
 * Context: process.
 */
bool synv_channel_may_send(struct synv_channel *c)
{
	bool stalled;

	lockdep_assert_held(&c->lock);
	if (!synv_channel_in_use(c))
		return false;
	stalled = is_stalled(c);
	if (stalled && c->state == SYNV_LIVE) {
		dev_warn(&c->hv->device,
			 "the host does not read messages; the screen is updated when it does\n");
		set_state(c, SYNV_STALLED);
	} else if (!stalled && c->state == SYNV_STALLED) {
		dev_info(&c->hv->device,
			 "the host reads messages again; the screen is updated\n");
		set_state(c, SYNV_LIVE);
	}
	return !stalled;
}

/**
 * synv_channel_wait_read() - wait until the host has read all messages
 * @c: the channel, in use
 *
 * Context: process, sleeps 2 seconds at most; no lock is held.
 * Return: 0, or -EAGAIN if the host reads nothing.
 */
int synv_channel_wait_read(struct synv_channel *c)
{
	unsigned long deadline = jiffies + STALL_AFTER;

	while (!synthio_host_stalled(c->hv)) {
		if (!is_unread(c) || READ_ONCE(c->hv->channel->rescind))
			return 0;
		if (time_after(jiffies, deadline))
			break;
		usleep_range(1000, 2000);
	}
	return -EAGAIN;
}

/* --- sending ---------------------------------------------------------------------- */

/* Fill in the headers, return the length of the whole message */
static u32 fill_headers(void *message, u32 type, u32 len)
{
	struct synthio_pipe *pipe = message;
	struct synthvid_header *h = (void *)(pipe + 1);

	pipe->type = SYNTHIO_PIPE_DATA;
	pipe->size = sizeof(*h) + len;
	h->type = type;
	h->size = sizeof(*h) + len;
	return sizeof(*pipe) + pipe->size;
}

/**
 * synv_channel_send() - send a message
 * @c: the channel, open
 * @message: begins with a struct synthio_pipe and a struct synthvid_header, which are
 *	filled in; the payload follows them
 * @type: enum synthvid_type
 * @len: bytes of the payload
 *
 * Context: process; does not wait.
 * Return: 0; -EAGAIN if the ring is full; or another error of vmbus_sendpacket().
 */
int synv_channel_send(struct synv_channel *c, void *message, u32 type, u32 len)
{
	return vmbus_sendpacket(c->hv->channel, message,
				fill_headers(message, type, len), 0,
				VM_PKT_DATA_INBAND, 0);
}

/**
 * synv_channel_panic_send() - the same in a panic
 * @c: the channel
 * @message: as for synv_channel_send()
 * @type: likewise
 * @len: likewise
 *
 * Other CPUs have stopped, perhaps one that holds the ring's lock: then nothing is sent.
 */
void synv_channel_panic_send(struct synv_channel *c, void *message, u32 type,
			     u32 len)
{
	if (synv_channel_in_use(c) &&
	    !hv_ringbuffer_spinlock_busy(c->hv->channel))
		synv_channel_send(c, message, type, len);
}

/* --- receiving -------------------------------------------------------------------- */

static void drop_message(struct synv_channel *c, const char *what)
{
	c->bad++;
	dev_warn_ratelimited(&c->hv->device, "the host has sent %s, which is dropped\n",
			     what);
}

static void complete_answer(struct synv_channel *c, const struct synv_message *msg)
{
	c->asked = 0;
	c->answer = *msg;
	complete(&c->answered);
}

/* rx_lock is held */
static void receive(struct synv_channel *c, const struct vmpacket_descriptor *desc)
{
	struct synv_message *msg = &c->received;
	int ret;

	if (desc->type == VM_PKT_COMP)
		return;
	if (desc->type != VM_PKT_DATA_INBAND ||
	    desc->offset8 * 8 < sizeof(*desc) || desc->offset8 > desc->len8) {
		drop_message(c, "a packet of an unknown type");
		return;
	}
	ret = synv_parse((const u8 *)desc + desc->offset8 * 8,
			 (desc->len8 - desc->offset8) * 8, msg);
	/* a malformed answer is an answer, too: the host sends no other one */
	if (ret == -EINVAL && c->asked && msg->type == c->asked) {
		msg->type = SYNTHVID_ERROR;
		complete_answer(c, msg);
	}
	if (ret) {
		drop_message(c, ret == -ENOMSG ? "a message of an unknown type" :
			     "a malformed message");
		return;
	}
	if (msg->type == SYNTHVID_FEATURE_CHANGE) {
		WRITE_ONCE(c->features, msg->features);
		c->ops->features(c);
	} else if (msg->type == c->asked) {
		complete_answer(c, msg);
	} else if (msg->type != SYNTHVID_SITUATION_UPDATE_ACK &&
		   msg->type != SYNTHVID_VRAM_LOCATION_ACK) {
		drop_message(c, "an answer to no question");
	}
}

static void channel_callback(void *context)
{
	struct synv_channel *c = context;
	struct vmpacket_descriptor *desc;

	spin_lock(&c->rx_lock);
	foreach_vmbus_pkt(desc, c->hv->channel) {
		if (c->state != SYNV_CLOSED)
			receive(c, desc);
	}
	spin_unlock(&c->rx_lock);
}

/* --- questions -------------------------------------------------------------------- */

/*
 * Ask the host, and wait for its answer, which is in c->answer then. ask_lock is held.
 * -EBADMSG: the answer was malformed
 */
static int ask(struct synv_channel *c, struct synv_question *question, u32 type, u32 len,
	       u32 answer)
{
	unsigned long deadline = jiffies + ANSWER_WAIT;
	bool sent = false;
	int ret;

	lockdep_assert_held(&c->ask_lock);
	reinit_completion(&c->answered);
	spin_lock_irq(&c->rx_lock);
	c->asked = answer;
	spin_unlock_irq(&c->rx_lock);
	for (;;) {
		ret = -ENODEV;
		if (READ_ONCE(c->hv->channel->rescind) ||
		    READ_ONCE(c->state) == SYNV_CLOSED)
			break;
		ret = sent ? 0 : synv_channel_send(c, question, type, len);
		if (ret && ret != -EAGAIN)
			break;
		sent = !ret;
		if (wait_for_completion_timeout(&c->answered,
						sent ? HZ / 4 : HZ / 50))
			break;
		ret = -ETIMEDOUT;
		if (time_after(jiffies, deadline))
			break;
	}
	spin_lock_irq(&c->rx_lock);
	c->asked = 0;
	spin_unlock_irq(&c->rx_lock);
	if (!ret && c->answer.type != answer)
		ret = -EBADMSG;
	return ret;
}

static int ask_version(struct synv_channel *c, u32 version)
{
	struct synv_question question = { .version.version = version };
	int ret = ask(c, &question, SYNTHVID_VERSION_REQUEST,
		      sizeof(question.version), SYNTHVID_VERSION_RESPONSE);

	if (!ret && !c->answer.accepted)
		ret = -EPROTO;
	if (!ret)
		c->version = version;
	return ret;
}

static int ask_modes(struct synv_channel *c, struct synv_modes *modes)
{
	struct synv_question question = {
		.resolutions.max = SYNTHVID_MAX_RESOLUTIONS,
	};
	int ret = ask(c, &question, SYNTHVID_RESOLUTION_REQUEST,
		      sizeof(question.resolutions),
		      SYNTHVID_RESOLUTION_RESPONSE);

	if (!ret)
		*modes = c->answer.modes;
	return ret;
}

/*
 * The newest version first. A host that refuses it may be asked for another one. A host
 * that lists no sizes, or invalid ones, gets the usual ones; a host that has not even
 * read the question is one that does not respond.
 */
static int negotiate(struct synv_channel *c, struct synv_modes *modes)
{
	int ret;

	memset(modes, 0, sizeof(*modes));
	ret = ask_version(c, SYNTHVID_VERSION_3_5);
	if (ret == -EPROTO)
		return ask_version(c, SYNTHVID_VERSION_3_2);
	if (ret)
		return ret;
	ret = ask_modes(c, modes);
	if (ret == -EBADMSG || (ret == -ETIMEDOUT && !is_unread(c))) {
		dev_warn(&c->hv->device,
			 "the host lists no valid screen sizes (%d); the usual ones are offered\n",
			 ret);
		ret = 0;
	}
	return ret;
}

/**
 * synv_channel_ask_modes() - ask the host for its modes once more
 * @c: the channel, in use
 * @modes: set if the host has answered
 *
 * Context: process, sleeps up to 10 seconds; no lock is held.
 * Return: 0; -ETIMEDOUT; -EBADMSG if the answer was malformed; -ENODEV if the device is
 * going; -EPROTO if a host of this version can't be asked.
 */
int synv_channel_ask_modes(struct synv_channel *c, struct synv_modes *modes)
{
	int ret;

	mutex_lock(&c->ask_lock);
	ret = c->version < SYNTHVID_VERSION_3_5 ? -EPROTO : ask_modes(c, modes);
	mutex_unlock(&c->ask_lock);
	return ret;
}

/**
 * synv_channel_set_vram() - tell the host where the VRAM is
 * @c: the channel, which becomes SYNV_READY
 * @start: guest-physical address of the VRAM
 *
 * Messages are read in order, so a host that does not acknowledge the location in time
 * still knows it before anything else that is sent.
 *
 * Context: process, sleeps up to 10 seconds; no lock is held.
 * Return: 0, also without an acknowledgment; -EPROTO if the host acknowledges another
 * location; -EBADMSG, -ENODEV.
 */
int synv_channel_set_vram(struct synv_channel *c, u64 start)
{
	struct synv_question question = { .vram = {
		.context = start,
		.gpa_given = 1,
		.gpa = start,
	} };
	int ret;

	mutex_lock(&c->ask_lock);
	ret = ask(c, &question, SYNTHVID_VRAM_LOCATION, sizeof(question.vram),
		  SYNTHVID_VRAM_LOCATION_ACK);
	if (!ret && c->answer.context != start)
		ret = -EPROTO;
	mutex_unlock(&c->ask_lock);
	if (ret == -ETIMEDOUT) {
		dev_warn(&c->hv->device,
			 "the host does not acknowledge where the VRAM is; going on without\n");
		ret = 0;
	}
	if (ret)
		dev_err(&c->hv->device,
			"the host does not take the VRAM: %d\n", ret);
	else
		synv_channel_change_state(c, SYNV_READY);
	return ret;
}

/* --- life ------------------------------------------------------------------------- */

/**
 * synv_channel_init() - set up a channel, which is closed
 * @c: zeroed
 * @hv: the device
 * @ops: what is called for messages of the host
 */
void synv_channel_init(struct synv_channel *c, struct hv_device *hv,
		       const struct synv_channel_ops *ops)
{
	c->hv = hv;
	c->ops = ops;
	mutex_init(&c->ask_lock);
	mutex_init(&c->lock);
	spin_lock_init(&c->rx_lock);
	init_completion(&c->answered);
}

/**
 * synv_channel_open() - open the channel, agree on a version, learn the modes
 * @c: the channel, closed
 * @modes: set to what the host lists, or to none
 *
 * Context: process, sleeps up to 10 seconds for each answer.
 * Return: 0; -ETIMEDOUT; -EPROTO if the host refuses all versions; -EBADMSG; -ENODEV; or
 * what vmbus_open() returns. The channel is closed again then.
 */
int synv_channel_open(struct synv_channel *c, struct synv_modes *modes)
{
	struct vmbus_channel *vc = c->hv->channel;
	int ret;

	/* until the host says otherwise, which it may never do */
	memset(&c->features, 1, sizeof(c->features));
	c->reader = (struct synv_reader) { .empty = true };
	synv_channel_change_state(c, SYNV_OPENING);
	synthio_take_channel(vc, 0, HV_CALL_BATCHED, NULL);
	ret = vmbus_open(vc, RING_BYTES, RING_BYTES, NULL, 0, channel_callback, c);
	if (ret) {
		synv_channel_change_state(c, SYNV_CLOSED);
		synthio_leave_channel(vc);
		dev_err(&c->hv->device, "the channel can't be opened: %d\n", ret);
		return ret;
	}
	mutex_lock(&c->ask_lock);
	ret = negotiate(c, modes);
	mutex_unlock(&c->ask_lock);
	if (ret) {
		dev_err(&c->hv->device, "%s: %d\n", ret == -EPROTO ?
			"the host accepts no version that this driver knows" :
			"the host does not answer as it should", ret);
		synv_channel_close(c);
	}
	return ret;
}

/**
 * synv_channel_close() - the mirror of synv_channel_open(); harmless on a closed channel
 * @c: the channel
 *
 * Context: process, sleeps; no lock is held.
 */
void synv_channel_close(struct synv_channel *c)
{
	mutex_lock(&c->lock);
	if (c->state == SYNV_CLOSED) {
		mutex_unlock(&c->lock);
		return;
	}
	set_state(c, SYNV_CLOSED);
	mutex_unlock(&c->lock);
	/* a question that is being asked ends soon, and no other one is asked */
	mutex_lock(&c->ask_lock);
	vmbus_close(c->hv->channel);
	synthio_leave_channel(c->hv->channel);
	mutex_unlock(&c->ask_lock);
}
