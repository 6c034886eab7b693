// SPDX-License-Identifier: GPL-2.0-only
#include "message.h"

/* HID 1.11, 6.2.2: items with one byte of data */
#define HID_USAGE_MIN_1		0x19
#define HID_USAGE_MAX_1		0x29
#define HID_LOGICAL_MAX_1	0x25

static int parse_response(const u8 *body, u32 len, struct synm_message *msg)
{
	struct synthhid_protocol_response rsp;

	if (len < sizeof(rsp))
		return -EINVAL;
	memcpy(&rsp, body, sizeof(rsp));
	msg->version = rsp.version;
	msg->approved = rsp.approved;
	return 0;
}

/*
 * The size in the message's header is ignored, since hosts send more than it says. The HID
 * descriptor's length gives the place of the report descriptor; both must be inside of the
 * packet.
 */
static int parse_info(const u8 *body, u32 len, struct synm_message *msg)
{
	const u32 before = offsetof(struct synthhid_device_info, descriptor);
	struct synthhid_device_info info;

	if (len < sizeof(info))
		return -EINVAL;
	memcpy(&info, body, sizeof(info));
	if (info.descriptor.length < sizeof(info.descriptor) ||
	    info.descriptor.length > len - before)
		return -EINVAL;
	if (!info.descriptor.report_length ||
	    info.descriptor.report_length > SYNM_MAX_DESCRIPTOR ||
	    info.descriptor.report_length >
	    len - before - info.descriptor.length)
		return -EINVAL;
	msg->vendor = info.attributes.vendor;
	msg->product = info.attributes.product;
	msg->device_version = info.attributes.version;
	msg->data = body + before + info.descriptor.length;
	msg->len = info.descriptor.report_length;
	return 0;
}

static int parse_report(const u8 *body, u32 len, struct synm_message *msg)
{
	struct synthhid_input_report report;

	memcpy(&report, body, sizeof(report));
	if (!report.header.size || report.header.size > len - sizeof(report))
		return -EINVAL;
	msg->data = body + sizeof(report);
	msg->len = report.header.size;
	return 0;
}

int synm_parse(const void *packet, u32 len, struct synm_message *msg)
{
	const u8 *body = (const u8 *)packet + sizeof(struct synthio_pipe);
	struct synthhid_header header;
	struct synthio_pipe pipe;

	memset(msg, 0, sizeof(*msg));
	if (len < sizeof(pipe))
		return -EINVAL;
	memcpy(&pipe, packet, sizeof(pipe));
	if (pipe.type != SYNTHIO_PIPE_DATA)
		return -ENOMSG;
	len -= sizeof(pipe);
	if (pipe.size < sizeof(header) || pipe.size > len)
		return -EINVAL;
	memcpy(&header, body, sizeof(header));
	msg->type = header.type;
	switch (header.type) {
	case SYNTHHID_PROTOCOL_RESPONSE:
		return parse_response(body, pipe.size, msg);
	case SYNTHHID_DEVICE_INFO:
		return parse_info(body, pipe.size, msg);
	case SYNTHHID_INPUT_REPORT:
		return parse_report(body, pipe.size, msg);
	default:
		return -ENOMSG;
	}
}

void synm_fix_descriptor(u8 *desc, u32 len)
{
	if (len > 15 && desc[12] == HID_USAGE_MIN_1 &&
	    desc[14] == HID_LOGICAL_MAX_1)
		desc[14] = HID_USAGE_MAX_1;
}
