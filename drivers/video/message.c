// SPDX-License-Identifier: GPL-2.0-only
#include "message.h"

#define EDID_EXTENSIONS	126	/* byte: how many blocks follow */
#define EDID_CHECKSUM	127	/* byte */

static bool edid_is_sound(const u8 *edid)
{
	static const u8 start[] = { 0, 255, 255, 255, 255, 255, 255, 0 };
	u8 sum = 0;
	u32 i;

	for (i = 0; i < SYNTHVID_EDID_BYTES; i++)
		sum += edid[i];
	return !sum && !memcmp(edid, start, sizeof(start));
}

/* The message has one block, whatever number of extensions the block has */
static void cut_edid(u8 *edid)
{
	edid[EDID_CHECKSUM] += edid[EDID_EXTENSIONS];
	edid[EDID_EXTENSIONS] = 0;
}

/* Small sizes are left out. If the preferred one is, the first one is preferred */
static int parse_modes(const u8 *body, u32 len, struct synv_modes *modes)
{
	struct synthvid_resolution_response rsp;
	struct synthvid_resolution r;
	u32 i;

	if (len < sizeof(rsp))
		return -EINVAL;
	memcpy(&rsp, body, sizeof(rsp));
	if (!rsp.count || rsp.count > SYNTHVID_MAX_RESOLUTIONS ||
	    rsp.preferred >= rsp.count ||
	    rsp.count > (len - sizeof(rsp)) / sizeof(r))
		return -EINVAL;
	for (i = 0; i < rsp.count; i++) {
		memcpy(&r, body + sizeof(rsp) + i * sizeof(r), sizeof(r));
		if (r.width < SYNV_MIN_SIDE || r.height < SYNV_MIN_SIDE)
			continue;
		if (i == rsp.preferred)
			modes->preferred = modes->count;
		modes->mode[modes->count++] = r;
	}
	memcpy(modes->edid, rsp.edid, sizeof(modes->edid));
	modes->has_edid = edid_is_sound(modes->edid);
	cut_edid(modes->edid);
	return modes->count ? 0 : -EINVAL;
}

int synv_parse(const void *packet, u32 len, struct synv_message *msg)
{
	struct synthvid_version_response version;
	struct synthvid_header header;
	struct synthvid_ack ack;
	struct synthio_pipe pipe;
	const u8 *body = packet;

	memset(msg, 0, sizeof(*msg));
	if (len < sizeof(pipe))
		return -EINVAL;
	memcpy(&pipe, body, sizeof(pipe));
	if (pipe.type != SYNTHIO_PIPE_DATA)
		return -ENOMSG;
	if (pipe.size < sizeof(header) || pipe.size > len - sizeof(pipe))
		return -EINVAL;
	body += sizeof(pipe);
	memcpy(&header, body, sizeof(header));
	body += sizeof(header);
	/* header.size includes the header for some hosts only, so the pipe's is used */
	len = pipe.size - sizeof(header);
	msg->type = header.type;
	switch (header.type) {
	case SYNTHVID_VERSION_RESPONSE:
		if (len < sizeof(version))
			return -EINVAL;
		memcpy(&version, body, sizeof(version));
		msg->version = version.version;
		msg->accepted = version.accepted;
		return 0;
	case SYNTHVID_RESOLUTION_RESPONSE:
		return parse_modes(body, len, &msg->modes);
	case SYNTHVID_VRAM_LOCATION_ACK:
	case SYNTHVID_SITUATION_UPDATE_ACK:
		if (len < sizeof(ack))
			return -EINVAL;
		memcpy(&ack, body, sizeof(ack));
		msg->context = ack.context;
		return 0;
	case SYNTHVID_FEATURE_CHANGE:
		if (len < sizeof(msg->features))
			return -EINVAL;
		memcpy(&msg->features, body, sizeof(msg->features));
		return 0;
	default:
		return -ENOMSG;
	}
}
