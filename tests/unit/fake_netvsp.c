// SPDX-License-Identifier: GPL-2.0-only
/* See fake_netvsp.h. */
#include "fake_command.h"
#include "fake_netvsp.h"

struct bus bus;
struct channel chan, sub;
struct device_kind *kind;
struct netvsp *n;
struct text why;
uint8_t *receive_buffer, *send_buffer;
unsigned int offered;

/* --- the bus ------------------------------------------------------------------ */

void device_kind_register(struct device_kind *k)
{
	kind = k;
}

int device_set_id(struct device *dev, const char *id, struct text *err)
{
	(void)err;
	strcpy(dev->id, id);
	return 0;
}

int device_register(struct bus *b, struct device *dev, struct text *err)
{
	(void)err;
	dev->bus = b;
	b->devices = dev;
	return 0;
}

struct device *device_find(struct bus *b, const struct device_kind *k,
			   const char *id)
{
	(void)k;
	return b->devices && !strcmp(b->devices->id, id) ? b->devices : NULL;
}

int device_offer_subchannels(struct device *dev, unsigned int count)
{
	(void)dev;
	offered = count;
	return 0;
}

void *device_area(struct device *dev)
{
	(void)dev;
	return NULL;
}

struct persist *device_persist(struct device *dev)
{
	(void)dev;
	return NULL;
}

struct loop *bus_loop(struct bus *b)
{
	(void)b;
	return NULL;
}

uint64_t loop_now(void)
{
	return 0;
}

void loop_set_timer(struct loop *loop, struct loop_timer *timer,
		    unsigned int ms)
{
	(void)loop;
	timer->due_ns = ms;
}

void loop_clear_timer(struct loop_timer *timer)
{
	timer->due_ns = 0;
}

void loop_add_poller(struct loop *loop, struct loop_poller *p)
{
	(void)loop;
	(void)p;
}

void loop_del_poller(struct loop *loop, struct loop_poller *p)
{
	(void)loop;
	(void)p;
}

unsigned int channel_index(const struct channel *ch)
{
	return ch->index;
}

void channel_set_private(struct channel *ch, void *private)
{
	ch->private = private;
}

void *channel_private(const struct channel *ch)
{
	return ch->private;
}

bool channel_gone(const struct channel *ch)
{
	return ch->errored;
}

bool channel_backlog(const struct channel *ch)
{
	return ch->backlog;
}

void channel_pause(struct channel *ch)
{
	ch->paused = true;
}

void channel_resume(struct channel *ch)
{
	ch->paused = false;
}

void channel_moderate(struct channel *ch, uint64_t ns)
{
	ch->moderate_ns = ns;
}

int channel_complete(struct channel *ch, uint64_t trans_id,
		     const void *payload, size_t len)
{
	ch->completions++;
	ch->trans_id = trans_id;
	ch->len = len;
	memset(&ch->last, 0, sizeof(ch->last));
	if (len)
		memcpy(&ch->last, payload, len < sizeof(ch->last) ?
		       len : sizeof(ch->last));
	return 0;
}

int channel_complete_soon(struct channel *ch, uint64_t trans_id,
			  const void *payload, size_t len,
			  unsigned int pending)
{
	(void)pending;
	return channel_complete(ch, trans_id, payload, len);
}

int channel_send(struct channel *ch, uint64_t trans_id, const void *payload,
		 size_t len, bool want_completion)
{
	(void)trans_id;
	(void)want_completion;
	if (len > sizeof(ch->message))
		abort();
	ch->messages++;
	memcpy(ch->message, payload, len);
	return 0;
}

int channel_inject(struct channel *ch, unsigned int type, uint64_t trans_id,
		   const void *payload, size_t len)
{
	return type == PACKET_COMPLETION ?
	       channel_complete(ch, trans_id, payload, len) :
	       channel_send(ch, trans_id, payload, len, false);
}

int channel_send_pages(struct channel *ch, uint64_t trans_id,
		       const void *packet, size_t head, size_t len)
{
	if (ch->pages == 64 || len > sizeof(ch->page[0].bytes))
		abort();
	ch->page[ch->pages].id = trans_id;
	ch->page[ch->pages].head = head;
	ch->page[ch->pages].len = len;
	memcpy(ch->page[ch->pages++].bytes, packet, len);
	ch->shown = false;
	return 0;
}

void channel_show_pages(struct channel *ch)
{
	ch->shown = true;
}

void *channel_map_gpadl(struct channel *ch, uint32_t handle, size_t *bytes)
{
	(void)ch;
	*bytes = handle == RECEIVE_GPADL ? RECEIVE_BYTES : SEND_BYTES;
	if (handle == RECEIVE_GPADL)
		return receive_buffer = malloc(RECEIVE_BYTES);
	return handle == SEND_GPADL ? send_buffer = malloc(SEND_BYTES) : NULL;
}

void channel_unmap_gpadl(struct channel *ch, uint32_t handle, void *map,
			 size_t bytes)
{
	(void)ch;
	(void)handle;
	(void)bytes;
	free(map);
}

void channel_error(struct channel *ch, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ch->why, sizeof(ch->why), fmt, ap);
	va_end(ap);
	ch->errored = true;
}

/* --- the backend ---------------------------------------------------------------- */

struct fake_back back;

static ssize_t back_receive(struct netback *nb, unsigned int queue,
			    const struct iovec *iov, int count)
{
	size_t at = 0;
	int i;

	(void)nb;
	(void)queue;
	if (!back.frames)
		return -EAGAIN;
	back.frames--;
	memcpy(iov[0].iov_base, &back.header, sizeof(back.header));
	for (i = 1; i < count && at < back.frame_len; i++) {
		size_t part = back.frame_len - at < iov[i].iov_len ?
			      back.frame_len - at : iov[i].iov_len;

		memcpy(iov[i].iov_base, back.frame + at, part);
		at += part;
	}
	return sizeof(back.header) + back.frame_len;
}

static int back_send(struct netback *nb, unsigned int queue,
		     const struct iovec *iov, int count)
{
	int i;

	(void)nb;
	(void)queue;
	memcpy(&back.sent_header, iov[0].iov_base, iov[0].iov_len);
	back.sent_len = 0;
	for (i = 1; i < count; i++) {
		memcpy(back.sent + back.sent_len, iov[i].iov_base,
		       iov[i].iov_len);
		back.sent_len += iov[i].iov_len;
	}
	back.sends++;
	return 0;
}

static void back_offloads(struct netback *nb,
			  const struct netback_offloads *offloads)
{
	(void)nb;
	back.offloads = *offloads;
}

static void back_link(struct netback *nb, bool up)
{
	(void)nb;
	back.link = up;
}

static void back_close(struct netback *nb)
{
	(void)nb;
}

static const struct netback_ops back_ops = {
	.receive = back_receive,
	.send = back_send,
	.set_offloads = back_offloads,
	.set_link = back_link,
	.close = back_close,
};

struct netback *netback_tap(struct loop *loop, const char *name, int fd,
			    unsigned int queues, struct text *err)
{
	(void)loop;
	(void)name;
	(void)fd;
	(void)err;
	memset(&back, 0, sizeof(back));
	back.nb.ops = &back_ops;
	back.nb.queues = queues;
	back.nb.can_lso = true;
	return &back.nb;
}

struct netback *netback_user(struct loop *loop, struct text *err)
{
	return netback_tap(loop, NULL, -1, 1, err);
}

/* --- a guest ---------------------------------------------------------------------- */

int option(const char *arg)
{
	text_free(&why);
	return kind->options[0].parse(&bus, arg, &why);
}

int command(const char *line)
{
	return fake_command(&bus, kind, line, &why);
}

void begin(const char *options)
{
	const char *colon = strchr(options, ':');
	char like[16] = "lenient";

	if (colon && colon < strchr(options, ',')) {
		snprintf(like, sizeof(like), "%.*s", (int)(colon - options),
			 options);
		options = colon + 1;
	}
	bus.profile = profile_find(like);
	memset(&chan, 0, sizeof(chan));
	memset(&sub, 0, sizeof(sub));
	if (option(options)) {
		printf("# %s\n", text_str(&why));
		abort();
	}
	n = to_netvsp(bus.devices);
	chan.dev = sub.dev = bus.devices;
	sub.index = 1;
	if (kind->ops->open(bus.devices, &chan))
		abort();
}

void end(void)
{
	if (sub.private)
		kind->ops->close(bus.devices, &sub);
	kind->ops->drain(bus.devices, &chan);
	kind->ops->close(bus.devices, &chan);
	kind->ops->destroy(bus.devices);
	bus.devices = NULL;
	text_free(&why);
}

void post(struct channel *ch, int type, const void *payload, size_t len,
		 struct iovec *iov, unsigned int ranges, bool wants)
{
	struct packet_range r[4];
	struct packet pkt = {
		.type = type, .wants_completion = wants, .trans_id = 77,
		.len = (len + 7) & ~7ul, .iov = iov, .iov_count = ranges,
		.ranges = r, .range_count = ranges,
	};
	uint64_t copy[16] = { 0 };
	unsigned int i;

	memcpy(copy, payload, len);
	pkt.payload = copy;
	for (i = 0; i < ranges; i++) {
		r[i] = (struct packet_range){ i, 1, iov[i].iov_len };
		pkt.iov_bytes += iov[i].iov_len;
	}
	kind->ops->packet(ch->dev, ch, &pkt);
}

void nvsp(const struct nvsp_message *msg, bool wants)
{
	post(&chan, PACKET_INBAND, msg, n->version >= NVSP_VERSION_61 ?
	     NVSP_MESSAGE_SIZE_61 : NVSP_MESSAGE_SIZE, NULL, 0, wants);
}

void step(unsigned int i, uint32_t version)
{
	struct nvsp_message m = { 0 };

	switch (i) {
	case 0:
		m.type = NVSP_INIT;
		m.init.min_version = m.init.max_version = version;
		post(&chan, PACKET_INBAND, &m, NVSP_MESSAGE_SIZE_61, NULL, 0,
		     true);
		break;
	case 1:
		m.type = NVSP_SEND_NDIS_CONFIG;
		m.ndis_config.mtu = 1514;
		m.ndis_config.capabilities = NVSP_CAP_8021Q | NVSP_CAP_RSC |
					     NVSP_CAP_TEAMING;
		nvsp(&m, false);
		break;
	case 2:
		m.type = NVSP_SEND_NDIS_VERSION;
		m.ndis_version.major = 6;
		m.ndis_version.minor = 30;
		nvsp(&m, false);
		break;
	case 3:
	case 4:
		m.type = i == 3 ? NVSP_SEND_RECEIVE_BUFFER :
				  NVSP_SEND_SEND_BUFFER;
		m.buffer.gpadl = i == 3 ? RECEIVE_GPADL : SEND_GPADL;
		m.buffer.id = i == 3 ? NVSP_RECEIVE_BUFFER_ID :
				       NVSP_SEND_BUFFER_ID;
		nvsp(&m, true);
		break;
	}
}

void rndis(struct channel *ch, uint32_t channel_type, struct iovec *iov,
		  unsigned int ranges, uint32_t section, uint32_t bytes)
{
	struct nvsp_message m = {
		.type = NVSP_SEND_RNDIS_PACKET,
		.rndis.channel_type = channel_type,
		.rndis.section = section,
		.rndis.section_bytes = bytes,
	};

	post(ch, ranges ? PACKET_GPA_DIRECT : PACKET_INBAND, &m,
	     n->message_bytes, iov, ranges, true);
}

const uint8_t *last_answer(void)
{
	uint32_t offset;

	memcpy(&offset, chan.page[chan.pages - 1].bytes + 12, 4);
	return receive_buffer + offset;
}

uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

void give_back(struct channel *ch)
{
	struct nvsp_message m = {
		.type = NVSP_SEND_RNDIS_PACKET_COMPLETE,
		.rndis_complete.status = NVSP_STATUS_SUCCESS,
	};
	struct packet pkt = { .type = PACKET_COMPLETION, .payload = &m,
			      .len = 8 };
	unsigned int i;

	for (i = 0; i < ch->pages; i++) {
		pkt.trans_id = ch->page[i].id;
		kind->ops->packet(ch->dev, ch, &pkt);
	}
	ch->pages = 0;
}

uint32_t request(uint32_t type, uint32_t oid, const void *info,
			uint32_t len)
{
	struct rndis_header h = { type, 8 + 20 + len };
	struct rndis_query q = { 33, oid, len, 20, 0 };
	uint8_t *exact = malloc(h.len);
	struct iovec iov = { exact, h.len };

	memcpy(exact, &h, 8);
	memcpy(exact + 8, &q, 20);
	if (len)
		memcpy(exact + 28, info, len);
	rndis(&chan, NVSP_CHANNEL_CONTROL, &iov, 1, NVSP_NO_SECTION, 0);
	free(exact);
	return chan.pages ? word(last_answer() + 12) : ~0u;
}

void rndis_up(void)
{
	struct {
		struct rndis_header h;
		struct rndis_initialize i;
	} m = { { RNDIS_TYPE_INITIALIZE, sizeof(m) }, { 1, 1, 0, 0x4000 } };
	struct iovec iov = { &m, sizeof(m) };

	rndis(&chan, NVSP_CHANNEL_CONTROL, &iov, 1, NVSP_NO_SECTION, 0);
}

void up(const char *options, uint32_t version, uint32_t filter)
{
	unsigned int i;

	begin(options);
	for (i = 0; i < 5; i++) {
		if (i != 1 || version != NVSP_VERSION_1)
			step(i, version);
	}
	rndis_up();
	request(RNDIS_TYPE_SET, OID_GEN_CURRENT_PACKET_FILTER, &filter, 4);
	give_back(&chan);
}

void all_offloads(void)
{
	struct ndis_offload_parameters p = {
		.header.type = NDIS_OBJECT_DEFAULT, .header.size = sizeof(p),
		.ip4_csum = 1, .tcp4_csum = 4, .udp4_csum = 4, .tcp6_csum = 4,
		.udp6_csum = 4, .lso_v2_ip4 = 2, .lso_v2_ip6 = 2, .rsc_ip4 = 2,
		.rsc_ip6 = 2,
	};

	request(RNDIS_TYPE_SET, OID_TCP_OFFLOAD_PARAMETERS, &p, sizeof(p));
	give_back(&chan);
}

size_t make_packet(uint8_t *to, size_t len, uint32_t type, uint32_t value)
{
	struct rndis_header h = { RNDIS_TYPE_PACKET, 8 + 36 + 16 + len };
	struct rndis_packet p = {
		.data_offset = 36 + 16, .data_len = len, .info_offset = 36,
		.info_len = 16,
	};
	struct rndis_info i = { 16, type, 12 };

	memcpy(to, &h, 8);
	memcpy(to + 8, &p, 36);
	memcpy(to + 44, &i, 12);
	memcpy(to + 56, &value, 4);
	for (i.size = 0; i.size < len; i.size++)
		to[60 + i.size] = i.size;
	to[60 + 12] = 8;
	to[60 + 13] = 0;
	/* UDP */
	to[60 + 14] = 0x45;
	memset(to + 60 + 14 + 6, 0, 2);
	to[60 + 14 + 9] = 17;
	return h.len;
}

void frame(const char *to, size_t len, unsigned int count)
{
	memset(back.frame, 0, sizeof(back.frame));
	memcpy(back.frame, to, 6);
	back.frame[12] = 8;
	back.frame[14] = 0x45;
	back.frame[17] = len - 14;
	back.frame[23] = 17;
	back.frame[26] = 10;
	back.frame[30] = 10;
	back.frame_len = len;
	back.frames = count;
	memset(&back.header, 0, sizeof(back.header));
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
}
