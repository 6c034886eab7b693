// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel. Questions (version, resolutions, VRAM) wait for their answer, one
 * at a time. All else is told and not answered; the host acknowledges
 * situations, and nobody needs to know.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "video.h"

#define RING_BYTES	VMBUS_RING_SIZE(256 * 1024)
#define HOST_WAIT	(10 * HZ)
#define ROOM_WAIT	(2 * HZ)	/* for the host to empty a full ring */

/* What is sent, apart from shapes */
struct synv_out {
	struct synthio_pipe pipe;
	struct synthvid_header header;
	union {
		struct synthvid_version_request version;
		struct synthvid_resolution_request resolutions;
		struct synthvid_vram_location vram;
		struct synthvid_situation situation;
		struct synthvid_pointer_position position;
		struct {
			struct synthvid_dirt dirt;
			struct synthvid_rect rect[SYNV_DAMAGE_MAX];
		} __packed;
	};
} __packed;

static void fill_header(struct synthio_pipe *pipe, struct synthvid_header *h,
			u32 type, u32 len)
{
	pipe->type = SYNTHIO_PIPE_DATA;
	pipe->size = sizeof(*h) + len;
	h->type = type;
	h->size = sizeof(*h) + len;
}

/* @message begins with a pipe header. Waits while the ring is full */
static int send(struct synv *v, void *message)
{
	const struct synthio_pipe *pipe = message;
	unsigned long deadline = jiffies + ROOM_WAIT;
	int ret;

	while (true) {
		ret = vmbus_sendpacket(v->hv->channel, message,
				       sizeof(*pipe) + pipe->size, 0,
				       VM_PKT_DATA_INBAND, 0);
		if (ret != -EAGAIN || time_after(jiffies, deadline) ||
		    READ_ONCE(v->hv->channel->rescind))
			break;
		usleep_range(500, 1500);
	}
	if (ret)
		dev_warn_ratelimited(&v->hv->device,
				     "a message is not sent: %d\n", ret);
	return ret;
}

static int tell(struct synv *v, struct synv_out *out, u32 type, u32 len)
{
	fill_header(&out->pipe, &out->header, type, len);
	return send(v, out);
}

/* --- what comes from the host -------------------------------------------------- */

static void bad_message(struct synv *v, const char *what)
{
	v->bad++;
	dev_warn_ratelimited(&v->hv->device, "%s from the host, ignored\n",
			     what);
}

/* rx_lock is held */
static void receive(struct synv *v, const struct vmpacket_descriptor *desc)
{
	struct synv_message *msg = &v->received;
	int ret;

	if (desc->type == VM_PKT_COMP)
		return;
	if (desc->type != VM_PKT_DATA_INBAND ||
	    desc->offset8 * 8 < sizeof(*desc) || desc->offset8 > desc->len8) {
		bad_message(v, "a packet of an unknown type");
		return;
	}
	ret = synv_parse((const u8 *)desc + desc->offset8 * 8,
			 (desc->len8 - desc->offset8) * 8, msg);
	/* it was the answer, and there will be no other */
	if (ret == -EINVAL && v->asked && msg->type == v->asked) {
		v->asked = 0;
		v->answer.type = 0;
		complete(&v->answered);
	}
	if (ret) {
		bad_message(v, ret == -ENOMSG ? "a message of an unknown type" :
			    "a malformed message");
		return;
	}
	if (msg->type == SYNTHVID_SITUATION_UPDATE_ACK ||
	    (msg->type == SYNTHVID_VRAM_LOCATION_ACK && msg->type != v->asked))
		return;
	if (msg->type == SYNTHVID_FEATURE_CHANGE) {
		v->features = msg->features;
		schedule_work(&v->feature_work);
	} else if (msg->type == v->asked) {
		v->asked = 0;
		v->answer = *msg;
		complete(&v->answered);
	} else {
		bad_message(v, "a message that nobody waits for");
	}
}

static void channel_callback(void *context)
{
	struct synv *v = context;
	struct vmpacket_descriptor *desc;

	spin_lock(&v->rx_lock);
	foreach_vmbus_pkt(desc, v->hv->channel) {
		if (v->open)
			receive(v, desc);
	}
	spin_unlock(&v->rx_lock);
}

/* --- questions -------------------------------------------------------------------- */

/* ask_lock is held: v->answer stays until the next one. -EBADMSG: it was malformed */
static int ask(struct synv *v, struct synv_out *out, u32 type, u32 len,
	       u32 answer)
{
	unsigned long deadline = jiffies + HOST_WAIT;
	int ret;

	lockdep_assert_held(&v->ask_lock);
	reinit_completion(&v->answered);
	spin_lock_irq(&v->rx_lock);
	v->asked = answer;
	spin_unlock_irq(&v->rx_lock);
	ret = tell(v, out, type, len);
	while (!ret && !wait_for_completion_timeout(&v->answered, HZ / 4)) {
		if (READ_ONCE(v->hv->channel->rescind) || !READ_ONCE(v->open))
			ret = -ENODEV;
		else if (time_after(jiffies, deadline))
			ret = -ETIMEDOUT;
	}
	spin_lock_irq(&v->rx_lock);
	v->asked = 0;
	spin_unlock_irq(&v->rx_lock);
	if (!ret && v->answer.type != answer)
		ret = -EBADMSG;
	return ret;
}

static int ask_version(struct synv *v, u32 version)
{
	struct synv_out out = { .version.version = version };
	int ret = ask(v, &out, SYNTHVID_VERSION_REQUEST, sizeof(out.version),
		      SYNTHVID_VERSION_RESPONSE);

	if (!ret && !v->answer.accepted)
		ret = -EPROTO;
	if (!ret)
		v->version = version;
	return ret;
}

static int ask_modes(struct synv *v)
{
	struct synv_out out = {
		.resolutions.max = SYNTHVID_MAX_RESOLUTIONS,
	};

	return ask(v, &out, SYNTHVID_RESOLUTION_REQUEST,
		   sizeof(out.resolutions), SYNTHVID_RESOLUTION_RESPONSE);
}

/*
 * Newest first. A host that refuses one may be asked for another. One that names no
 * sizes, or nonsense, has a picture of the usual ones.
 */
static int negotiate(struct synv *v)
{
	static const struct synv_modes none;
	int ret;

	mutex_lock(&v->ask_lock);
	ret = ask_version(v, SYNTHVID_VERSION_3_5);
	if (ret == -EPROTO)
		ret = ask_version(v, SYNTHVID_VERSION_3_2);
	if (!ret && v->version == SYNTHVID_VERSION_3_5) {
		ret = ask_modes(v);
		if (ret == -ETIMEDOUT || ret == -EBADMSG) {
			dev_warn(&v->hv->device,
				 "the host does not say which sizes it likes: %d\n",
				 ret);
			v->answer.modes = none;
			ret = 0;
		}
	} else {
		v->answer.modes = none;
	}
	mutex_lock(&v->modes_lock);
	if (!ret)
		v->modes = v->answer.modes;
	mutex_unlock(&v->modes_lock);
	mutex_unlock(&v->ask_lock);
	return ret;
}

/* --- what the host is told --------------------------------------------------------- */

/* out_lock is held */
static void tell_situation(struct synv *v)
{
	struct synv_out out = { .situation = {
		.outputs = 1,
		.output = v->situation,
	} };

	v->situation_known = v->connected &&
		!tell(v, &out, SYNTHVID_SITUATION_UPDATE, sizeof(out.situation));
}

static void tell_position(struct synv *v)
{
	struct synv_out out = { .position = v->position };

	v->position_known = v->connected &&
		READ_ONCE(v->features.pointer_position) &&
		!tell(v, &out, SYNTHVID_POINTER_POSITION, sizeof(out.position));
}

/* Send shapes->told from shapes->part on, which is not 0 if the ring was full before */
static int tell_parts(struct synv *v)
{
	struct synv_shapes *s = v->shapes;
	u32 bytes;
	int ret;

	while ((bytes = synv_pointer_part(&s->told, s->part, &s->out.shape,
					  s->out.pixels))) {
		fill_header(&s->out.pipe, &s->out.header,
			    SYNTHVID_POINTER_SHAPE,
			    sizeof(s->out.shape) + bytes);
		ret = send(v, &s->out);
		if (ret)
			return ret;
		s->part++;
	}
	s->part = 0;
	return 0;
}

/* Send v->shapes->wanted. If a picture was sent in part before, it is completed first */
static void tell_shape(struct synv *v)
{
	struct synv_shapes *s = v->shapes;

	v->shape_known = false;
	if (!v->connected || !READ_ONCE(v->features.pointer_shape) ||
	    (s->part && tell_parts(v)))
		return;
	s->told = s->wanted;
	v->shape_known = !tell_parts(v);
}

static int tell_dirt(struct synv *v, const struct synv_damage *damage)
{
	struct synv_out out;
	u32 i;

	if (!v->connected || !v->situation.active)
		return 0;
	/* it has just been tried */
	if (!v->situation_known)
		return -EAGAIN;
	if (!READ_ONCE(v->features.dirt))
		return 0;
	out.dirt.output = 0;
	out.dirt.count = damage->count;
	for (i = 0; i < damage->count; i++)
		out.rect[i] = (struct synthvid_rect) {
			damage->rect[i].x1, damage->rect[i].y1,
			damage->rect[i].x2, damage->rect[i].y2,
		};
	return tell(v, &out, SYNTHVID_DIRT,
		    sizeof(out.dirt) + damage->count * sizeof(out.rect[0]));
}

static void tell_all_dirty(struct synv *v)
{
	struct synv_damage all = {
		.count = 1,
		.rect[0] = { 0, 0, v->situation.width, v->situation.height },
	};

	tell_dirt(v, &all);
}

/**
 * synv_proto_show() - this part of the VRAM is the screen now
 * @v: the display
 * @output: it, active
 */
void synv_proto_show(struct synv *v, const struct synthvid_output *output)
{
	mutex_lock(&v->out_lock);
	if (!v->situation_known ||
	    memcmp(&v->situation, output, sizeof(*output))) {
		v->situation = *output;
		tell_situation(v);
	}
	mutex_unlock(&v->out_lock);
}

/**
 * synv_proto_blank() - nothing is shown
 * @v: the display
 */
void synv_proto_blank(struct synv *v)
{
	mutex_lock(&v->out_lock);
	v->situation.active = 0;
	tell_situation(v);
	mutex_unlock(&v->out_lock);
}

/**
 * synv_proto_dirt() - this has changed
 * @v: the display
 * @damage: on the screen
 *
 * Return: 0, also if it does not want to know; -EAGAIN: not told, it stands still;
 * or an error for good.
 */
int synv_proto_dirt(struct synv *v, const struct synv_damage *damage)
{
	int ret;

	mutex_lock(&v->out_lock);
	ret = tell_dirt(v, damage);
	/* if the host stood still, it also missed what the pointer did */
	if (!ret && !v->shape_known)
		tell_shape(v);
	if (!ret && !v->position_known)
		tell_position(v);
	mutex_unlock(&v->out_lock);
	return ret;
}

/**
 * synv_proto_position() - the pointer's picture is there
 * @v: the display
 * @x: of the left edge of what it was cut out of
 * @y: of the upper edge
 */
void synv_proto_position(struct synv *v, int x, int y)
{
	struct synthvid_pointer_position p = { .visible = 1 };

	mutex_lock(&v->out_lock);
	p.x = x + (int)v->shapes->wanted.x;
	p.y = y + (int)v->shapes->wanted.y;
	if (!v->position_known || memcmp(&p, &v->position, sizeof(p))) {
		v->position = p;
		tell_position(v);
	}
	mutex_unlock(&v->out_lock);
}

/**
 * synv_proto_shape() - the pointer looks as v->shapes->wanted says
 * @v: the display
 */
void synv_proto_shape(struct synv *v)
{
	mutex_lock(&v->out_lock);
	if (!v->shape_known ||
	    !synv_pointer_same(&v->shapes->told, &v->shapes->wanted))
		tell_shape(v);
	mutex_unlock(&v->out_lock);
}

/**
 * synv_proto_panic_dirt() - the same as synv_proto_dirt() for all, in a panic
 * @v: the display
 *
 * Other CPUs have stopped, perhaps with a lock held that this needs: then the
 * host is told nothing.
 */
void synv_proto_panic_dirt(struct synv *v)
{
	struct synv_out out = { .dirt.count = 1 };

	if (!v->connected || hv_ringbuffer_spinlock_busy(v->hv->channel))
		return;
	out.rect[0].x2 = v->situation.width;
	out.rect[0].y2 = v->situation.height;
	fill_header(&out.pipe, &out.header, SYNTHVID_DIRT,
		    sizeof(out.dirt) + sizeof(out.rect[0]));
	vmbus_sendpacket(v->hv->channel, &out,
			 sizeof(out.pipe) + out.pipe.size, 0,
			 VM_PKT_DATA_INBAND, 0);
}

/*
 * The host wants to be told other things than before: it gets all of those now.
 * A viewer may have come. It is also how a host says that it would like another
 * size.
 */
static void feature_change(struct work_struct *work)
{
	struct synv *v = container_of(work, struct synv, feature_work);
	struct synv_modes *modes;
	int ret = -ENODEV;

	modes = kmalloc(sizeof(*modes), GFP_KERNEL);
	if (!modes)
		return;
	/* whoever asks for something is done: synv_proto_start() above all */
	mutex_lock(&v->ask_lock);
	mutex_lock(&v->out_lock);
	if (v->connected) {
		if (READ_ONCE(v->features.situation))
			tell_situation(v);
		tell_shape(v);
		tell_position(v);
		tell_all_dirty(v);
		ret = 0;
	}
	mutex_unlock(&v->out_lock);
	if (!ret && v->version < SYNTHVID_VERSION_3_5)
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = ask_modes(v);
	if (!ret)
		*modes = v->answer.modes;
	mutex_unlock(&v->ask_lock);
	if (!ret)
		synv_modeset_new_modes(v, modes);
	kfree(modes);
}

/**
 * synv_proto_start() - tell the host where its picture is, and go on from there
 * @v: VRAM and modes are set up. Before that nothing the host says unasked counts
 *
 * Return: 0, also if the host does not acknowledge it, as not all do; -EPROTO: it
 * says something else; -EBADMSG, -ENODEV.
 */
int synv_proto_start(struct synv *v)
{
	struct synv_out out = { .vram = {
		.context = v->window->start,
		.gpa_given = 1,
		.gpa = v->window->start,
	} };
	int ret;

	mutex_lock(&v->ask_lock);
	ret = ask(v, &out, SYNTHVID_VRAM_LOCATION, sizeof(out.vram),
		  SYNTHVID_VRAM_LOCATION_ACK);
	if (!ret && v->answer.context != v->window->start)
		ret = -EPROTO;
	if (ret == -ETIMEDOUT) {
		dev_warn(&v->hv->device,
			 "the host does not say that it has found its VRAM\n");
		ret = 0;
	}
	/*
	 * A feature change may follow at once, and needs v->connected. It may also
	 * never come, so the pointer is hidden here.
	 */
	if (!ret) {
		mutex_lock(&v->out_lock);
		v->connected = true;
		tell_shape(v);
		tell_position(v);
		mutex_unlock(&v->out_lock);
	}
	mutex_unlock(&v->ask_lock);
	if (ret)
		dev_err(&v->hv->device, "the host does not take its VRAM: %d\n",
			ret);
	return ret;
}

/* --- life ---------------------------------------------------------------------------- */

static void set_open(struct synv *v, bool open)
{
	spin_lock_irq(&v->rx_lock);
	v->open = open;
	spin_unlock_irq(&v->rx_lock);
}

/**
 * synv_proto_open() - open the channel, agree on a version, learn the modes
 * @v: the display
 *
 * Context: process, sleeps up to 10 seconds for each answer.
 * Return: 0 or an error.
 */
int synv_proto_open(struct synv *v)
{
	int ret;

	if (!v->feature_work.func)
		INIT_WORK(&v->feature_work, feature_change);
	/* until the host says otherwise, which it may never do */
	memset(&v->features, 1, sizeof(v->features));
	/* all that was told is forgotten with the channel */
	mutex_lock(&v->out_lock);
	v->situation_known = false;
	v->shape_known = false;
	v->position_known = false;
	if (v->shapes)
		v->shapes->part = 0;
	v->position = (struct synthvid_pointer_position) { .visible = 1 };
	mutex_unlock(&v->out_lock);
	set_open(v, true);
	synthio_take_channel(v->hv->channel, 0, HV_CALL_BATCHED, NULL);
	ret = vmbus_open(v->hv->channel, RING_BYTES, RING_BYTES, NULL, 0,
			 channel_callback, v);
	if (ret) {
		set_open(v, false);
		synthio_leave_channel(v->hv->channel);
		dev_err(&v->hv->device, "the channel does not open: %d\n", ret);
		return ret;
	}
	ret = negotiate(v);
	if (ret) {
		dev_err(&v->hv->device, "the host does not come to terms: %d\n",
			ret);
		synv_proto_close(v);
	}
	return ret;
}

/**
 * synv_proto_close() - the mirror; harmless if it is closed
 * @v: the display
 *
 * Context: process, sleeps.
 */
void synv_proto_close(struct synv *v)
{
	mutex_lock(&v->out_lock);
	v->connected = false;
	mutex_unlock(&v->out_lock);
	set_open(v, false);
	cancel_work_sync(&v->feature_work);
	vmbus_close(v->hv->channel);
	synthio_leave_channel(v->hv->channel);
}
