// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host is to know of the screen: each change is noted in struct synv_updates,
 * and sent at once if there is room in the ring and the host reads it. If not, flush_work
 * sends what was missed, as soon as the host reads again. So no caller waits for the
 * host, and a pause of the host loses nothing.
 */
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include "video.h"

/* Pause before the next attempt: the ring is full, or the host reads nothing */
#define FULL_DELAY	max(HZ / 60, 1)
#define STALLED_DELAY	(HZ / 4)

/* A message, apart from shapes of the pointer */
struct synv_out {
	struct synthio_pipe pipe;
	struct synthvid_header header;
	union {
		struct synthvid_situation situation;
		struct synthvid_pointer_position position;
		struct {
			struct synthvid_dirt dirt;
			struct synthvid_rect rect[SYNV_DAMAGE_MAX];
		} __packed;
	};
} __packed;

/* --- one message for each of SYNV_UPDATE_* ------------------------------------------- */

static int send_situation(struct synv *v)
{
	struct synv_out out = { .situation = {
		.outputs = 1,
		.output = v->updates.situation,
	} };

	return synv_channel_send(&v->channel, &out, SYNTHVID_SITUATION_UPDATE,
				 sizeof(out.situation));
}

static int send_position(struct synv *v)
{
	struct synv_out out = { .position = v->updates.position };

	return synv_channel_send(&v->channel, &out, SYNTHVID_POINTER_POSITION,
				 sizeof(out.position));
}

/* Send s->sent from s->part on, which is not 0 if the ring was full before */
static int send_parts(struct synv *v)
{
	struct synv_shapes *s = v->shapes;
	u32 bytes;
	int ret;

	while ((bytes = synv_pointer_part(&s->sent, s->part, &s->out.shape,
					  s->out.pixels))) {
		ret = synv_channel_send(&v->channel, &s->out,
					SYNTHVID_POINTER_SHAPE,
					sizeof(s->out.shape) + bytes);
		if (ret)
			return ret;
		s->part++;
	}
	s->part = 0;
	return 0;
}

/* The host expects the other parts of a shape of which it has got some */
static int send_shape(struct synv *v)
{
	struct synv_shapes *s = v->shapes;
	int ret = s->part ? send_parts(v) : 0;

	if (ret)
		return ret;
	s->sent = s->wanted;
	return send_parts(v);
}

static int send_dirt(struct synv *v)
{
	const struct synv_damage *damage = &v->updates.dirt;
	struct synv_out out;
	u32 i;

	out.dirt.output = 0;
	out.dirt.count = damage->count;
	for (i = 0; i < damage->count; i++)
		out.rect[i] = (struct synthvid_rect) {
			damage->rect[i].x1, damage->rect[i].y1,
			damage->rect[i].x2, damage->rect[i].y2,
		};
	return synv_channel_send(&v->channel, &out, SYNTHVID_DIRT,
				 sizeof(out.dirt) +
				 damage->count * sizeof(out.rect[0]));
}

static int send_update(struct synv *v, u32 update)
{
	switch (update) {
	case SYNV_UPDATE_SITUATION:
		return send_situation(v);
	case SYNV_UPDATE_SHAPE:
		return send_shape(v);
	case SYNV_UPDATE_POSITION:
		return send_position(v);
	default:
		return send_dirt(v);
	}
}

/* --- all that is due ---------------------------------------------------------------- */

static u32 next_update(const struct synv *v)
{
	const struct synthvid_feature_change features =
		READ_ONCE(v->channel.features);

	return synv_updates_next(&v->updates, &features);
}

/**
 * synv_output_due() - whether the host is to get a message yet
 * @v: the display
 *
 * Context: process.
 */
bool synv_output_due(struct synv *v)
{
	bool due;

	mutex_lock(&v->channel.lock);
	due = next_update(v);
	mutex_unlock(&v->channel.lock);
	return due;
}

/* channel.lock is held */
static void flush(struct synv *v)
{
	struct synv_channel *c = &v->channel;
	int ret = 0;
	u32 update;

	if (!synv_channel_in_use(c))
		return;
	if (!synv_channel_may_send(c))
		ret = -EAGAIN;
	while (!ret && (update = next_update(v))) {
		ret = send_update(v, update);
		if (!ret)
			synv_updates_sent(&v->updates, update);
	}
	if (ret == -EAGAIN)
		schedule_delayed_work(&v->flush_work, c->state == SYNV_STALLED ?
				      STALLED_DELAY : FULL_DELAY);
	else if (ret && !READ_ONCE(c->hv->channel->rescind))
		dev_warn_ratelimited(&c->hv->device,
				     "a message can't be sent (%d); the screen is not up to date\n",
				     ret);
}

static void flush_missed(struct work_struct *work)
{
	struct synv *v = container_of(to_delayed_work(work), struct synv,
				      flush_work);

	mutex_lock(&v->channel.lock);
	flush(v);
	mutex_unlock(&v->channel.lock);
}

/**
 * synv_output_kick() - look again whether the host reads messages
 * @v: the display
 *
 * Context: any but hard interrupts.
 */
void synv_output_kick(struct synv *v)
{
	cancel_delayed_work(&v->flush_work);
	schedule_delayed_work(&v->flush_work, 0);
}

/**
 * synv_output_resend() - the host is to get all that it wants to know
 * @v: the display, in use
 *
 * Context: process.
 */
void synv_output_resend(struct synv *v)
{
	mutex_lock(&v->channel.lock);
	synv_updates_all_missed(&v->updates);
	flush(v);
	mutex_unlock(&v->channel.lock);
}

/* --- changes ------------------------------------------------------------------------ */

/**
 * synv_output_show() - what is shown, and what of it has changed
 * @v: the display
 * @output: the part of the VRAM that is the screen, active
 * @damage: in pixels of the screen
 *
 * Context: process.
 */
void synv_output_show(struct synv *v, const struct synthvid_output *output,
		      const struct synv_damage *damage)
{
	mutex_lock(&v->channel.lock);
	synv_updates_situation(&v->updates, output);
	synv_updates_dirt(&v->updates, damage);
	flush(v);
	mutex_unlock(&v->channel.lock);
}

/**
 * synv_output_blank() - nothing is shown
 * @v: the display
 *
 * Context: process.
 */
void synv_output_blank(struct synv *v)
{
	struct synthvid_output dark;

	mutex_lock(&v->channel.lock);
	dark = v->updates.situation;
	dark.active = 0;
	synv_updates_situation(&v->updates, &dark);
	flush(v);
	mutex_unlock(&v->channel.lock);
}

/**
 * synv_output_pointer() - the pointer's image, and where it is
 * @v: the display
 * @shape: the new image, or NULL if it is the same as before
 * @x: of the left edge of the image before it was cropped, in pixels of the screen
 * @y: of its upper edge
 *
 * Context: process.
 */
void synv_output_pointer(struct synv *v, const struct synv_pointer *shape, int x, int y)
{
	struct synv_shapes *s = v->shapes;

	mutex_lock(&v->channel.lock);
	if (shape && !synv_pointer_same(&s->wanted, shape))
		v->updates.missed |= SYNV_UPDATE_SHAPE;
	if (shape)
		s->wanted = *shape;
	synv_updates_position(&v->updates, x + (int)s->wanted.x,
			      y + (int)s->wanted.y);
	flush(v);
	mutex_unlock(&v->channel.lock);
}

/**
 * synv_output_panic_dirt() - all of the screen has changed, in a panic
 * @v: the display
 */
void synv_output_panic_dirt(struct synv *v)
{
	struct synv_out out = { .dirt.count = 1 };

	out.rect[0].x2 = v->updates.situation.width;
	out.rect[0].y2 = v->updates.situation.height;
	synv_channel_panic_send(&v->channel, &out, SYNTHVID_DIRT,
				sizeof(out.dirt) + sizeof(out.rect[0]));
}

/* --- life --------------------------------------------------------------------------- */

/**
 * synv_output_start() - send the pointer and what is shown through a new channel
 * @v: the display, whose channel has just become SYNV_READY
 *
 * The host may never send a feature change, so the pointer is hidden here.
 *
 * Context: process.
 */
void synv_output_start(struct synv *v)
{
	v->shapes->part = 0;
	synv_output_resend(v);
}

void synv_output_init(struct synv *v)
{
	INIT_DELAYED_WORK(&v->flush_work, flush_missed);
	v->updates.position.visible = 1;
}

/**
 * synv_output_stop() - nothing is sent any more
 * @v: the display, whose channel is closed
 *
 * Context: process, sleeps.
 */
void synv_output_stop(struct synv *v)
{
	cancel_delayed_work_sync(&v->flush_work);
}
