// SPDX-License-Identifier: GPL-2.0-only
/* RNDIS messages as bytes; see rndis.h. */
#include "rndis.h"

#define BODY		((u32)sizeof(struct rndis_header))

/* ---- from the host: data ------------------------------------------------------ */

/*
 * Memory that the host may change is read once, so that what is checked is what is
 * used. It may have any alignment: the suballocations of some hosts' receive buffers
 * have 1806 bytes.
 */
static inline void fetch(void *to, const void *at, u32 offset, size_t n)
{
	memcpy(to, (const u8 *)at + offset, n);
	/* the compiler must not read the original again */
	barrier();
}

static u32 fetch_type(const void *msg)
{
	u32 type;

	fetch(&type, msg, 0, sizeof(type));
	return type;
}

/* Whether @len bytes at @offset lie between @from and @end */
static bool inside(u32 offset, u32 len, u32 from, u32 end)
{
	return offset >= from && offset <= end && len <= end - offset;
}

static int parse_infos(const u8 *at, u32 left, struct rndis_rx *rx)
{
	struct rndis_info info;
	u32 n, value;

	for (n = 0; left && n < RNDIS_MAX_INFOS; n++) {
		if (left < sizeof(info))
			return -EINVAL;
		fetch(&info, at, 0, sizeof(info));
		if (unlikely(info.size < sizeof(info) || info.size > left))
			return -EINVAL;

		switch (info.type) {
		case NDIS_INFO_CHECKSUM:
		case NDIS_INFO_8021Q:
		case NDIS_INFO_HASH_VALUE:
		case NDIS_INFO_PACKET_ID:
			if (unlikely(!inside(info.offset, sizeof(value),
					     sizeof(info), info.size)))
				return -EINVAL;
			fetch(&value, at, info.offset, sizeof(value));
			if (info.type == NDIS_INFO_CHECKSUM) {
				rx->csum = value;
				rx->has |= RNDIS_HAS_CSUM;
			} else if (info.type == NDIS_INFO_8021Q) {
				rx->vlan = value;
				rx->has |= RNDIS_HAS_VLAN;
			} else if (info.type == NDIS_INFO_HASH_VALUE) {
				rx->hash = value;
				rx->has |= RNDIS_HAS_HASH;
			} else if ((value & 0xff) == NDIS_PACKET_ID_VERSION) {
				/* struct ndis_packet_id in one word */
				rx->piece_flags = value >> 8;
				rx->piece_id = value >> 16;
				rx->has |= RNDIS_HAS_PIECE;
			}
			break;
		}
		at += info.size;
		left -= info.size;
	}
	return 0;
}

/**
 * rndis_parse_packet() - a data message from the host
 * @msg: may change while this looks; of any alignment
 * @room: bytes that belong to it
 * @rx: filled in
 *
 * Return: 0; -ENOMSG if it is another message; -EINVAL.
 */
int rndis_parse_packet(const void *msg, u32 room, struct rndis_rx *rx)
{
	struct {
		struct rndis_header h;
		struct rndis_packet p;
	} m;
	u32 len;

	if (unlikely(room < sizeof(m)))
		return room < BODY || fetch_type(msg) == RNDIS_TYPE_PACKET ?
		       -EINVAL : -ENOMSG;
	fetch(&m, msg, 0, sizeof(m));
	if (unlikely(m.h.type != RNDIS_TYPE_PACKET))
		return -ENOMSG;
	if (unlikely(m.h.len < sizeof(m) || m.h.len > room))
		return -EINVAL;
	len = m.h.len - BODY;

	if (unlikely(!inside(m.p.data_offset, m.p.data_len, sizeof(m.p), len)))
		return -EINVAL;
	rx->data = BODY + m.p.data_offset;
	rx->len = m.p.data_len;
	rx->has = 0;
	if (!m.p.info_len)
		return 0;
	if (unlikely(!inside(m.p.info_offset, m.p.info_len, sizeof(m.p), len)))
		return -EINVAL;
	return parse_infos((const u8 *)msg + BODY + m.p.info_offset,
			   m.p.info_len, rx);
}

/* ---- from the host: control; copies ------------------------------ */

/* Whether a message of @len bytes is whole, with a body of at least @min */
static int check_header(const void *msg, u32 len, u32 min, u32 *type, u32 *end)
{
	const struct rndis_header *h = msg;

	if (len < BODY || h->len < BODY || h->len > len ||
	    h->len - BODY < min)
		return -EINVAL;
	*type = h->type;
	*end = h->len - BODY;
	return 0;
}

/**
 * rndis_parse_answer() - an answer to a request
 * @msg: a copy of the message
 * @len: its bytes
 * @a: filled in; @a->info points into @msg
 *
 * Return: 0; -EINVAL. Of RESET there is only a status.
 */
int rndis_parse_answer(const void *msg, u32 len, struct rndis_answer *a)
{
	const struct rndis_query_complete *q;
	u32 end;
	int ret;

	*a = (struct rndis_answer){ };
	ret = check_header(msg, len, 2 * sizeof(u32), &a->type, &end);
	if (ret)
		return ret;
	q = (const void *)((const u8 *)msg + BODY);
	a->id = q->request_id;
	a->status = q->status;
	if (a->type != (RNDIS_TYPE_QUERY | RNDIS_COMPLETION) ||
	    a->status != NDIS_STATUS_SUCCESS)
		return 0;
	if (end < sizeof(*q))
		return -EINVAL;
	if (!q->info_len)
		return 0;
	if (!inside(q->info_offset, q->info_len, sizeof(*q), end))
		return -EINVAL;
	a->info = (const u8 *)msg + BODY + q->info_offset;
	a->info_len = q->info_len;
	return 0;
}

/**
 * rndis_parse_limits() - the answer to INITIALIZE
 * @msg: a copy of the message
 * @len: its bytes
 * @l: filled in, within what makes sense
 *
 * Return: 0; -EINVAL; -EIO if the host refuses.
 */
int rndis_parse_limits(const void *msg, u32 len, struct rndis_limits *l)
{
	const struct rndis_initialize_complete *c;
	u32 type, end;
	int ret;

	ret = check_header(msg, len,
			   offsetof(struct rndis_initialize_complete,
				    af_list_offset), &type, &end);
	if (ret)
		return ret;
	if (type != (RNDIS_TYPE_INITIALIZE | RNDIS_COMPLETION))
		return -EINVAL;
	c = (const void *)((const u8 *)msg + BODY);
	if (c->status != NDIS_STATUS_SUCCESS)
		return -EIO;
	if (c->major != RNDIS_MAJOR || c->alignment > 12)
		return -EINVAL;
	l->max_packets = c->max_packets ? c->max_packets : 1;
	l->max_transfer = c->max_transfer;
	l->align_shift = c->alignment;
	return 0;
}

/**
 * rndis_parse_indicate() - an indication of the host
 * @msg: a copy of the message
 * @len: bytes of its range
 * @a: filled in: status and info
 *
 * Old virtual switches don't include the info in the message's own length, so the
 * info has to lie in the range.
 *
 * Return: 0; -EINVAL.
 */
int rndis_parse_indicate(const void *msg, u32 len, struct rndis_answer *a)
{
	const struct rndis_indicate *i;
	u32 end;
	int ret;

	*a = (struct rndis_answer){ };
	ret = check_header(msg, len, sizeof(*i), &a->type, &end);
	if (ret)
		return ret;
	i = (const void *)((const u8 *)msg + BODY);
	a->status = i->status;
	if (!i->info_len)
		return 0;
	if (!inside(i->info_offset, i->info_len, sizeof(*i), len - BODY))
		return -EINVAL;
	a->info = (const u8 *)msg + BODY + i->info_offset;
	a->info_len = i->info_len;
	return 0;
}

/**
 * rndis_parse_offloads() - the answer to OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES
 * @info: what the query returned
 * @len: its bytes
 * @o: filled in; 0 for what the host does not report
 *
 * Return: 0; -EINVAL.
 */
int rndis_parse_offloads(const void *info, u32 len, struct rndis_offloads *o)
{
	struct ndis_offload n = { };
	u32 size;

	*o = (struct rndis_offloads){ };
	if (len < sizeof(n.header))
		return -EINVAL;
	memcpy(&n.header, info, sizeof(n.header));
	size = n.header.size;
	if (n.header.type != NDIS_OBJECT_OFFLOAD || !n.header.revision ||
	    size > len || size < NDIS_OFFLOAD_SIZE_1)
		return -EINVAL;
	memcpy(&n, info, size < sizeof(n) ? size : sizeof(n));

	if (n.csum.tx4_encap & NDIS_ENCAP_8023)
		o->csum4 = n.csum.tx4;
	if (n.csum.tx6_encap & NDIS_ENCAP_8023)
		o->csum6 = n.csum.tx6;
	if (n.csum.rx4_encap & NDIS_ENCAP_8023)
		o->rx4 = n.csum.rx4;
	if (n.csum.rx6_encap & NDIS_ENCAP_8023)
		o->rx6 = n.csum.rx6;
	if (n.lso_v2.encap4 & NDIS_ENCAP_8023)
		o->lso4_max = n.lso_v2.max4;
	if (n.lso_v2.encap6 & NDIS_ENCAP_8023) {
		o->lso6_max = n.lso_v2.max6;
		o->lso6_options = n.lso_v2.options6;
	}
	o->rsc = size >= NDIS_OFFLOAD_SIZE_3 && n.rsc4 && n.rsc6;
	return 0;
}

/**
 * rndis_parse_rss() - the answer to OID_GEN_RECEIVE_SCALE_CAPABILITIES
 * @info: what the query returned
 * @len: its bytes
 * @r: filled in
 *
 * Return: 0; -EINVAL.
 */
int rndis_parse_rss(const void *info, u32 len, struct rndis_rss *r)
{
	struct ndis_rss_capabilities c = { };

	/* revision 1 has no table_entries */
	if (len < offsetof(struct ndis_rss_capabilities, table_entries))
		return -EINVAL;
	memcpy(&c, info, len < sizeof(c) ? len : sizeof(c));
	if (c.header.type != NDIS_OBJECT_RSS_CAPABILITIES || !c.header.revision)
		return -EINVAL;
	r->queues = c.queues ? c.queues : 1;
	r->caps = c.flags;
	r->entries = NDIS_RSS_TABLE_DEFAULT;
	if (c.header.revision >= 2 && len >= sizeof(c) && c.table_entries &&
	    c.table_entries < NDIS_RSS_TABLE_DEFAULT)
		r->entries = c.table_entries;
	return 0;
}

/**
 * nvsp_parse_table() - SEND_INDIRECTION_TABLE
 * @msg: a copy of the message
 * @len: its bytes
 * @version: NVSP_VERSION_* of the session
 * @table: filled in: NVSP_TABLE_ENTRIES channel indices, not checked
 *
 * Up to version 6 hosts may give an offset that is too small. Then the table is behind
 * the largest message of that version, if the packet is as long as that.
 *
 * Return: 0; -EINVAL.
 */
int nvsp_parse_table(const void *msg, u32 len, u32 version, u32 *table)
{
	const u32 bytes = NVSP_TABLE_ENTRIES * sizeof(u32);
	const struct nvsp_message *m = msg;
	u32 fixed = offsetof(struct nvsp_message, table) + sizeof(m->table);
	u32 offset;

	if (len < fixed || m->table.count != NVSP_TABLE_ENTRIES)
		return -EINVAL;
	offset = m->table.offset;
	if (version <= NVSP_VERSION_6 && len >= NVSP_TABLE_OLD_OFFSET + bytes)
		offset = NVSP_TABLE_OLD_OFFSET;
	if (!inside(offset, bytes, fixed, len))
		return -EINVAL;
	memcpy(table, (const u8 *)msg + offset, bytes);
	return 0;
}

/* ---- to the host -------------------------------------------------------------------- */

static void *put_info(void *to, u32 type, u32 value)
{
	struct rndis_info *i = to;

	i->size = RNDIS_INFO_BYTES;
	i->type = type;
	i->offset = sizeof(*i);
	*(u32 *)(i + 1) = value;
	return (u8 *)to + RNDIS_INFO_BYTES;
}

/**
 * rndis_put_packet() - the header of a frame, with its per-packet info
 * @to: room for rndis_packet_header() bytes
 * @tx: the frame
 *
 * Return: bytes written.
 */
u32 rndis_put_packet(void *to, const struct rndis_tx *tx)
{
	struct rndis_header *h = to;
	struct rndis_packet *p = (void *)(h + 1);
	void *at = p + 1;
	u32 n;

	if (tx->has) {
		if (tx->has & RNDIS_HAS_VLAN)
			at = put_info(at, NDIS_INFO_8021Q, tx->vlan);
		if (tx->has & RNDIS_HAS_CSUM)
			at = put_info(at, NDIS_INFO_CHECKSUM, tx->csum);
		if (tx->has & RNDIS_HAS_LSO)
			at = put_info(at, NDIS_INFO_LSO, tx->lso);
	}
	n = (u8 *)at - (u8 *)to;
	h->type = RNDIS_TYPE_PACKET;
	h->len = n + tx->len;
	p->data_offset = n - BODY;
	p->data_len = tx->len;
	p->oob_offset = 0;
	p->oob_len = 0;
	p->oob_count = 0;
	p->info_offset = tx->has ? sizeof(*p) : 0;
	p->info_len = n - RNDIS_PACKET_HEADER;
	p->vc_handle = 0;
	p->reserved = 0;
	return n;
}

static void *put_header(void *to, u32 type, u32 body)
{
	struct rndis_header *h = to;

	h->type = type;
	h->len = BODY + body;
	memset(h + 1, 0, body);
	return h + 1;
}

/**
 * rndis_put_initialize() - INITIALIZE
 * @to: room for BODY + sizeof(struct rndis_initialize)
 * @id: of the request
 * @max_transfer: bytes that the driver accepts in one message
 *
 * Return: bytes written.
 */
u32 rndis_put_initialize(void *to, u32 id, u32 max_transfer)
{
	struct rndis_initialize *i;

	i = put_header(to, RNDIS_TYPE_INITIALIZE, sizeof(*i));
	i->request_id = id;
	i->major = RNDIS_MAJOR;
	i->minor = RNDIS_MINOR;
	i->max_transfer = max_transfer;
	return BODY + sizeof(*i);
}

/**
 * rndis_put_halt() - HALT, which may get no answer
 * @to: room for BODY + sizeof(struct rndis_halt)
 * @id: of the request
 *
 * Return: bytes written.
 */
u32 rndis_put_halt(void *to, u32 id)
{
	struct rndis_halt *h = put_header(to, RNDIS_TYPE_HALT, sizeof(*h));

	h->request_id = id;
	return BODY + sizeof(*h);
}

/**
 * rndis_put_keepalive_done() - the answer to a KEEPALIVE of the host
 * @to: room for BODY + sizeof(struct rndis_set_complete)
 * @id: of its request
 *
 * Return: bytes written.
 */
u32 rndis_put_keepalive_done(void *to, u32 id)
{
	struct rndis_set_complete *c;

	c = put_header(to, RNDIS_TYPE_KEEPALIVE | RNDIS_COMPLETION, sizeof(*c));
	c->request_id = id;
	c->status = NDIS_STATUS_SUCCESS;
	return BODY + sizeof(*c);
}

/**
 * rndis_put_request() - QUERY or SET
 * @to: where
 * @room: bytes there
 * @type: RNDIS_TYPE_QUERY or RNDIS_TYPE_SET
 * @id: of the request
 * @oid: OID_*
 * @info: the input or the value, right behind the request
 * @info_len: its bytes
 *
 * Return: bytes written; 0 if there is no room.
 */
u32 rndis_put_request(void *to, u32 room, u32 type, u32 id, u32 oid,
		      const void *info, u32 info_len)
{
	const u32 head = BODY + sizeof(struct rndis_query);
	struct rndis_query *q;

	if (room < head || info_len > room - head)
		return 0;
	q = put_header(to, type, sizeof(*q) + info_len);
	q->request_id = id;
	q->oid = oid;
	q->info_len = info_len;
	q->info_offset = sizeof(*q);
	if (info_len)
		memcpy(q + 1, info, info_len);
	return head + info_len;
}

/**
 * rndis_put_offload_query() - the input of a query of the offloads
 * @to: room for a struct ndis_offload
 * @revision: NDIS_OFFLOAD_REVISION_* that the host knows
 *
 * Return: bytes written.
 */
u32 rndis_put_offload_query(void *to, u32 revision)
{
	u32 size = revision >= NDIS_OFFLOAD_REVISION_3 ? NDIS_OFFLOAD_SIZE_3 :
		   revision == NDIS_OFFLOAD_REVISION_2 ? NDIS_OFFLOAD_SIZE_2 :
		   NDIS_OFFLOAD_SIZE_1;
	struct ndis_object *o = to;

	memset(to, 0, size);
	o->type = NDIS_OBJECT_OFFLOAD;
	o->revision = revision;
	o->size = size;
	return size;
}

/**
 * rndis_put_rss_query() - the input of a query of receive side scaling
 * @to: room for a struct ndis_rss_capabilities
 *
 * Return: bytes written.
 */
u32 rndis_put_rss_query(void *to)
{
	struct ndis_rss_capabilities *c = to;

	memset(c, 0, sizeof(*c));
	c->header.type = NDIS_OBJECT_RSS_CAPABILITIES;
	c->header.revision = 2;
	c->header.size = sizeof(*c);
	return sizeof(*c);
}

/**
 * rndis_put_offload_set() - OID_TCP_OFFLOAD_PARAMETERS
 * @to: room for a struct ndis_offload_parameters
 * @w: the settings
 * @with_rsc: the host knows the fields of NVSP version 5
 *
 * Return: bytes written.
 */
u32 rndis_put_offload_set(void *to, const struct rndis_offload_params *w,
			  bool with_rsc)
{
	struct ndis_offload_parameters *p = to;
	u32 size = with_rsc ? sizeof(*p) : NDIS_OFFLOAD_PARAMETERS_OLD;

	memset(p, 0, sizeof(*p));
	p->header.type = NDIS_OBJECT_DEFAULT;
	p->header.revision = NDIS_OFFLOAD_REVISION_3;
	p->header.size = size;
	/* the kernel computes checksums of IP headers itself */
	p->ip4_csum = NDIS_PARAM_CSUM_OFF;
	p->tcp4_csum = w->tcp4;
	p->udp4_csum = w->udp4;
	p->tcp6_csum = w->tcp6;
	p->udp6_csum = w->udp6;
	p->lso_v2_ip4 = w->lso4;
	p->lso_v2_ip6 = w->lso6;
	p->rsc_ip4 = w->rsc4;
	p->rsc_ip6 = w->rsc6;
	return size;
}

/**
 * rndis_put_rss_set() - OID_GEN_RECEIVE_SCALE_PARAMETERS
 * @to: where
 * @room: bytes there
 * @flags: NDIS_RSS_*
 * @hash_info: NDIS_HASH_*
 * @table: channel index of each entry
 * @entries: how many
 * @key: NDIS_RSS_KEY_BYTES
 *
 * Return: bytes written; 0 if there is no room.
 */
u32 rndis_put_rss_set(void *to, u32 room, u16 flags, u32 hash_info,
		      const u32 *table, u32 entries, const u8 *key)
{
	struct ndis_rss_parameters *p = to;
	u32 table_bytes = entries * sizeof(u32);
	u32 size = sizeof(*p) + table_bytes + NDIS_RSS_KEY_BYTES;

	if (entries > NDIS_RSS_TABLE_MAX || size > room)
		return 0;
	memset(p, 0, sizeof(*p));
	p->header.type = NDIS_OBJECT_RSS_PARAMETERS;
	p->header.revision = 2;
	p->header.size = sizeof(*p);
	p->flags = flags;
	p->hash_info = hash_info;
	p->table_bytes = table_bytes;
	p->table_offset = sizeof(*p);
	p->key_bytes = NDIS_RSS_KEY_BYTES;
	p->key_offset = sizeof(*p) + table_bytes;
	memcpy(p + 1, table, table_bytes);
	memcpy((u8 *)p + p->key_offset, key, NDIS_RSS_KEY_BYTES);
	return size;
}

/**
 * rndis_put_address() - the config parameter that sets the MAC address
 * @to: where
 * @room: bytes there
 * @mac: 6 bytes
 *
 * Return: bytes written; 0 if there is no room.
 */
u32 rndis_put_address(void *to, u32 room, const u8 *mac)
{
	static const char name[] = "NetworkAddress";
	static const char hex[] = "0123456789abcdef";
	struct rndis_config_parameter *p = to;
	u32 name_bytes = 2 * (sizeof(name) - 1), i;
	u32 size = sizeof(*p) + name_bytes + 24;
	u8 *at = (u8 *)(p + 1);

	if (size > room)
		return 0;
	memset(to, 0, size);
	p->name_offset = sizeof(*p);
	p->name_bytes = name_bytes;
	p->type = RNDIS_CONFIG_STRING;
	p->value_offset = sizeof(*p) + name_bytes;
	p->value_bytes = 24;
	/* UTF-16 */
	for (i = 0; i < sizeof(name) - 1; i++, at += 2)
		*at = name[i];
	for (i = 0; i < 6; i++, at += 4) {
		at[0] = hex[mac[i] >> 4];
		at[2] = hex[mac[i] & 15];
	}
	return size;
}
