// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synthetic display's protocol. The guest puts its VRAM somewhere in the
 * aperture, draws there, and tells which parts it has changed. What a real host
 * would not take ends the guest's connection.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "synthvid.h"

#define REFRESH_MS	200

static int synthvid_open(struct device *dev, struct channel *ch)
{
	struct synthvid *v = to_synthvid(dev);

	loop_clear_timer(&v->refresh);
	pipe_open(&v->pipe, ch);
	v->state = SYNTHVID_OPENED;
	v->version = 0;
	synthvid_pointer_open(v);
	return 0;
}

static void synthvid_blank(struct synthvid *v)
{
	loop_clear_timer(&v->refresh);
	if (v->active)
		console_set_screen(bus_console(v->dev.bus), NULL);
	v->active = false;
}

void synthvid_refresh(struct loop_timer *timer)
{
	struct synthvid *v = container_of(timer, struct synthvid, refresh);

	console_damage(bus_console(v->dev.bus), 0, 0, v->output.width,
		       v->output.height);
	loop_set_timer(bus_loop(v->dev.bus), timer, REFRESH_MS);
}

/*
 * A guest that lets go of the channel and leaves its picture goes on to draw: its
 * firmware does, and its kernel in a panic. What it shows stays, as it does on a
 * real host, until the device or the guest goes.
 */
static void synthvid_close(struct device *dev, struct channel *ch)
{
	struct synthvid *v = to_synthvid(dev);

	(void)ch;
	if (dev->rescinding || !bus_guest_there(dev->bus))
		synthvid_blank(v);
	else if (v->active)
		loop_set_timer(bus_loop(dev->bus), &v->refresh, REFRESH_MS);
	v->state = SYNTHVID_CLOSED;
	synthvid_pointer_close(v);
	pipe_close(&v->pipe);
}

static void synthvid_reset(struct device *dev)
{
	struct synthvid *v = to_synthvid(dev);

	if (bus_guest_there(dev->bus))
		return;
	synthvid_blank(v);
	v->vram = NULL;
}

static void synthvid_version(struct synthvid *v, uint32_t version)
{
	struct synthvid_version_response rsp = {
		.version = version,
		.max_outputs = 1,
	};

	/* minor << 16 | major, so these three are ordered as they are */
	if ((version == SYNTHVID_VERSION(3, 0) ||
	     version == SYNTHVID_VERSION_3_2 ||
	     version == SYNTHVID_VERSION_3_5) && version <= v->max_version)
		rsp.accepted = v->dev.bus->profile->synthvid.accepted;
	log_info("video %s: version %u.%u %s", v->dev.id, version & 0xffff,
		 version >> 16, rsp.accepted ? "accepted" : "refused");
	if (rsp.accepted) {
		v->state = SYNTHVID_NEGOTIATED;
		v->version = version;
	}
	pipe_send(&v->pipe, SYNTHVID_VERSION_RESPONSE, &rsp, sizeof(rsp));
}

static void synthvid_resolutions(struct synthvid *v, unsigned int max)
{
	struct {
		struct synthvid_resolution_response rsp;
		struct synthvid_resolution modes[SYNTHVID_MAX_RESOLUTIONS];
	} __attribute__((packed)) msg = { 0 };
	unsigned int count = v->mode_count < max ? v->mode_count : max;

	if (max < SYNTHVID_MAX_RESOLUTIONS &&
	    !v->dev.bus->profile->synthvid.few_resolutions)
		count = 0;
	v->counts.resolutions++;
	if (v->edid)
		synthvid_edid(msg.rsp.edid, v->modes[v->preferred].width,
			      v->modes[v->preferred].height);
	memcpy(msg.modes, v->modes, count * sizeof(v->modes[0]));
	msg.rsp.count = count;
	msg.rsp.preferred = count ? v->preferred : 0;
	if (v->preferred >= count && count) {
		/* the best one is what a guest of few needs most */
		msg.modes[count - 1] = v->modes[v->preferred];
		msg.rsp.preferred = count - 1;
	}
	pipe_send(&v->pipe, SYNTHVID_RESOLUTION_RESPONSE, &msg,
		  sizeof(msg.rsp) + count * sizeof(msg.modes[0]));
}

void synthvid_features(struct synthvid *v)
{
	if (v->dev.bus->profile->synthvid.no_features)
		return;
	pipe_send(&v->pipe, SYNTHVID_FEATURE_CHANGE, &v->features,
		  sizeof(v->features));
}

static void synthvid_vram(struct synthvid *v, struct channel *ch,
			  const struct synthvid_vram_location *loc)
{
	struct synthvid_ack ack = { loc->context };

	v->counts.vram_locations++;
	synthvid_blank(v);
	v->vram = NULL;
	if (loc->gpa_given) {
		v->vram_gpa = loc->gpa;
		v->vram = bus_aperture(v->dev.bus, loc->gpa, v->vram_size);
		if (!v->vram) {
			channel_error(ch, "video: no VRAM of %llu bytes at 0x%llx",
				      (unsigned long long)v->vram_size,
				      (unsigned long long)loc->gpa);
			return;
		}
		if (v->forgets)
			memset(v->vram, 0x5a, v->vram_size);
	}
	pipe_send(&v->pipe, SYNTHVID_VRAM_LOCATION_ACK, &ack, sizeof(ack));
	if (!v->quiet)
		synthvid_features(v);
}

static bool synthvid_output_ok(const struct synthvid *v,
			       const struct synthvid_output *o)
{
	return v->vram &&
	       (!o->offset || v->dev.bus->profile->synthvid.any_offset) &&
	       o->depth == 8 * SYNTHVID_BPP && o->width &&
	       o->height && o->width <= SYNTHVID_MAX_SIDE &&
	       o->height <= SYNTHVID_MAX_SIDE && o->pitch % SYNTHVID_BPP == 0 &&
	       o->offset % SYNTHVID_BPP == 0 &&
	       o->pitch >= o->width * SYNTHVID_BPP &&
	       o->pitch <= v->vram_size && o->offset <= v->vram_size &&
	       (uint64_t)o->pitch * o->height <= v->vram_size - o->offset;
}

void synthvid_show(struct synthvid *v)
{
	struct console_screen screen = {
		.pixels = v->vram + v->output.offset,
		.width = v->output.width,
		.height = v->output.height,
		.pitch = v->output.pitch,
	};

	v->active = true;
	console_set_screen(bus_console(v->dev.bus), &screen);
}

static void synthvid_situation(struct synthvid *v, struct channel *ch,
			       const struct synthvid_situation *s)
{
	struct synthvid_ack ack = { s->context };
	bool resized;

	v->counts.situations++;
	if (s->outputs != 1) {
		channel_error(ch, "video: %u outputs", s->outputs);
		return;
	}
	if (!s->output.active) {
		synthvid_blank(v);
	} else if (synthvid_output_ok(v, &s->output)) {
		resized = !v->active || v->output.width != s->output.width ||
			  v->output.height != s->output.height;
		v->output = s->output;
		synthvid_show(v);
		/* a page flip may only be another offset */
		if (resized)
			log_info("video %s: %ux%u", v->dev.id,
				 v->output.width, v->output.height);
	} else {
		channel_error(ch, "video: %ux%u of %u bits, pitch %u, at %u in a VRAM of %llu bytes",
			      s->output.width, s->output.height,
			      s->output.depth, s->output.pitch,
			      s->output.offset, v->vram ?
			      (unsigned long long)v->vram_size : 0);
		return;
	}
	pipe_send(&v->pipe, SYNTHVID_SITUATION_UPDATE_ACK, &ack, sizeof(ack));
}

static int32_t clamp(int32_t x, uint32_t max)
{
	return x < 0 ? 0 : (uint32_t)x > max ? (int32_t)max : x;
}

static void synthvid_dirt_rect(struct synthvid *v, const struct synthvid_rect *r)
{
	uint32_t x1 = clamp(r->x1, v->output.width);
	uint32_t x2 = clamp(r->x2, v->output.width);
	uint32_t y1 = clamp(r->y1, v->output.height);
	uint32_t y2 = clamp(r->y2, v->output.height);

	v->counts.rects++;
	if ((int32_t)x1 != r->x1 || (int32_t)x2 != r->x2 ||
	    (int32_t)y1 != r->y1 || (int32_t)y2 != r->y2)
		v->counts.clipped++;
	if (x1 >= x2 || y1 >= y2)
		return;
	v->counts.pixels += (uint64_t)(x2 - x1) * (y2 - y1);
	console_damage(bus_console(v->dev.bus), x1, y1, x2 - x1, y2 - y1);
}

static bool synthvid_dirt(struct synthvid *v, const struct pipe_message *msg)
{
	const struct synthvid_dirt *d = msg->payload;
	struct synthvid_rect rect;
	unsigned int i;

	if (msg->len < sizeof(*d) ||
	    msg->len != sizeof(*d) + d->count * sizeof(rect))
		return false;
	v->counts.dirts++;
	for (i = 0; v->active && i < d->count; i++) {
		memcpy(&rect, (const char *)(d + 1) + i * sizeof(rect),
		       sizeof(rect));
		synthvid_dirt_rect(v, &rect);
	}
	return true;
}

/* A message after the version; false: it is none that a guest may send */
static bool synthvid_message(struct synthvid *v, struct channel *ch,
			     const struct pipe_message *msg)
{
	switch (msg->type) {
	case SYNTHVID_RESOLUTION_REQUEST:
		if (msg->len != 1 || v->version < SYNTHVID_VERSION_3_5)
			return false;
		synthvid_resolutions(v, *(const uint8_t *)msg->payload);
		return true;
	case SYNTHVID_VRAM_LOCATION:
		if (msg->len != sizeof(struct synthvid_vram_location))
			return false;
		synthvid_vram(v, ch, msg->payload);
		return true;
	case SYNTHVID_SITUATION_UPDATE:
		if (msg->len != sizeof(struct synthvid_situation))
			return false;
		synthvid_situation(v, ch, msg->payload);
		return true;
	case SYNTHVID_POINTER_POSITION:
		if (msg->len != sizeof(struct synthvid_pointer_position))
			return false;
		synthvid_pointer_position(v, msg->payload);
		return true;
	case SYNTHVID_POINTER_SHAPE:
		return synthvid_pointer_shape(v, msg);
	case SYNTHVID_DIRT:
		return synthvid_dirt(v, msg);
	default:
		return false;
	}
}

static void synthvid_packet(struct device *dev, struct channel *ch,
			    const struct packet *pkt)
{
	struct synthvid *v = to_synthvid(dev);
	struct pipe_message msg;
	uint32_t version;
	bool ok;

	if (!pipe_parse(&v->pipe, pkt, &msg))
		return;
	v->counts.bytes += pkt->len;
	if (v->state == SYNTHVID_OPENED) {
		ok = msg.type == SYNTHVID_VERSION_REQUEST &&
		     msg.len == sizeof(version);
		if (ok) {
			memcpy(&version, msg.payload, sizeof(version));
			synthvid_version(v, version);
		}
	} else {
		ok = synthvid_message(v, ch, &msg);
	}
	if (!ok)
		channel_error(ch, "video: message %u of %u bytes in state %d",
			      msg.type, msg.len, v->state);
}

void synthvid_destroy(struct device *dev)
{
	struct synthvid *v = to_synthvid(dev);

	loop_clear_timer(&v->refresh);
	console_remove_sink(bus_console(dev->bus), &v->sink);
	pipe_remove(&v->pipe);
	free(v);
}

static const struct device_ops synthvid_ops = {
	.open = synthvid_open,
	.packet = synthvid_packet,
	.close = synthvid_close,
	.reset = synthvid_reset,
	.state_bytes = sizeof(struct synthvid_saved),
	.save = synthvid_save,
	.restore = synthvid_restore,
	.settled = synthvid_settled,
	.status = synthvid_status,
	.destroy = synthvid_destroy,
};

struct device_kind synthvid_kind = {
	.name = "video",
	.class = HOST_GUID(0xda0a7802, 0xe377, 0x4aac, 0x8e, 0x77,
			   0x05, 0x58, 0xeb, 0x10, 0x73, 0xf8),
	.chn_flags = DEVICE_FLAG_ENUMERATE,
	.mmio_megabytes = 8,
	.ops = &synthvid_ops,
	.options = synthvid_options,
	.commands = synthvid_commands,
};

DEVICE_KIND(synthvid_kind);
