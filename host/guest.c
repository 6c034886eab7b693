// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "guest.h"
#include "server.h"

#define HEARTBEAT_MS	400	/* the guest expects one a second */
#define HOST_VECTORS	1	/* one thread: all signals ring the same */
#define APERTURE_OFFSET	0x10000	/* a page of any guest */

static uint64_t guest_aperture_offset(const struct server *server)
{
	return server_bar_size(server) > APERTURE_OFFSET ? APERTURE_OFFSET :
	       SYNTHIO_PAGE_SIZE;
}

void guest_verror(struct guest *g, const char *prefix, const char *fmt,
		  va_list ap)
{
	char text[200];

	if (g->broken)
		return;		/* the first one tells, others follow from it */
	vsnprintf(text, sizeof(text), fmt, ap);
	snprintf(g->why, sizeof(g->why), "%s%s", prefix, text);
	log_error("guest error: %s; disconnecting the guest", g->why);
	g->broken = true;
}

void guest_error(struct guest *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	guest_verror(g, "", fmt, ap);
	va_end(ap);
}

void guest_unqueue(struct guest *g)
{
	struct guest_message *m;

	while ((m = g->queue)) {
		g->queue = m->next;
		free(m);
	}
	g->queue_end = &g->queue;
	g->queued = 0;
	g->state.head = g->state.tail;
	g->state.delivering = 0;
}

/* Afterwards nothing points into guest RAM any more */
static void guest_detach(struct guest *g, const char *why)
{
	uint32_t i;

	if (!g->attached)
		return;
	g->silent = true;
	g->ops->reset(g->arg, why);
	guest_unqueue(g);
	loop_clear_timer(&g->heartbeat);
	g->attached = false;
	g->control = NULL;
	g->posts = NULL;
	g->signals = NULL;
	for (i = 0; i < SYNTHIO_MAX_VPS; i++) {
		g->vp[i].slot = NULL;
		g->vp[i].flags = NULL;
	}
	g->nr_vps = 0;
	g->silent = false;
}

void guest_forget(struct guest *g, const char *why)
{
	guest_detach(g, why);
	g->broken = false;
	g->why[0] = '\0';
}

static void guest_drop_kept(struct guest *g)
{
	uint32_t i;

	for (i = 0; i < SYNTHIO_MAX_VPS; i++)
		g->vp[i].kept.type = VMBUS_WIRE_MSG_NONE;
}

/*
 * The guest takes its pages away, in good order: they are what they were until now.
 * The slots of SynIC would keep what is in them.
 */
static void guest_keep_slots(struct guest *g)
{
	uint32_t i;

	guest_drop_kept(g);
	if (!g->overlay || !g->attached)
		return;
	for (i = 0; i < g->nr_vps; i++) {
		if (guest_load(&g->vp[i].slot->type) == VMBUS_WIRE_MSG_NONE)
			continue;
		memcpy(&g->vp[i].kept, g->vp[i].slot, sizeof(g->vp[i].kept));
		log_warn("the guest leaves a message of type %u in the slot of VP %u",
			 g->vp[i].kept.type, i);
	}
}

void guest_machine_reset(struct guest *g, const char *why)
{
	/* only to say what is in them: the machine stands still */
	guest_keep_slots(g);
	guest_forget(g, why);
	guest_drop_kept(g);
}

/* And the next ones lie under them. Nobody is interrupted for that */
static void guest_show_kept(struct guest *g)
{
	uint32_t i;

	for (i = 0; i < g->nr_vps; i++) {
		struct vmbus_wire_message *kept = &g->vp[i].kept;
		uint32_t type = kept->type;

		if (type == VMBUS_WIRE_MSG_NONE)
			continue;
		kept->type = VMBUS_WIRE_MSG_NONE;
		memcpy(g->vp[i].slot, kept, sizeof(*kept));
		guest_store(&g->vp[i].slot->type, type);
	}
}

/* One page of guest RAM at an address that it gave, or NULL */
static void *guest_page(struct guest *g, uint64_t gpa)
{
	return gpa % RAM_PAGE ? NULL : ram_ptr(g->ram, gpa, RAM_PAGE);
}

void *guest_aperture(const struct guest *g, uint64_t gpa, uint64_t len)
{
	uint64_t offset, size;

	if (!g->attached || !g->boot || gpa < g->state.bar_gpa)
		return NULL;
	/* not from the page: the guest can write there */
	offset = guest_aperture_offset(g->server);
	size = server_bar_size(g->server);
	gpa -= g->state.bar_gpa;
	if (gpa < offset || gpa > size || len > size - gpa)
		return NULL;
	return (char *)server_bar(g->server) + gpa;
}

static int guest_check_cookies(struct guest *g,
			       const struct synthio_bootstrap *b)
{
	uint32_t i;

	for (i = 0; i < b->nr_cookies; i++) {
		uint64_t gpa = b->cookies[i].gpa;
		uint64_t *p = gpa % 8 ? NULL :
			      ram_ptr(g->ram, gpa, sizeof(*p));

		if (!p) {
			log_error("guest error: cookie at 0x%" PRIx64 " is not in the RAM that --ram describes",
				  gpa);
			return SYNTHIO_ERR_GPA;
		}
		if (guest_load(p) != b->cookies[i].value) {
			log_error("guest error: no cookie at 0x%" PRIx64 ": --ram does not describe this guest's memory",
				  gpa);
			return SYNTHIO_ERR_COOKIE;
		}
	}
	return SYNTHIO_OK;
}

static int guest_check_attach(struct guest *g,
			      const struct synthio_bootstrap *b)
{
	struct text err = { 0 };

	if (b->guest_abi_version != SYNTHIO_ABI_VERSION || b->guest_features) {
		log_error("guest error: ABI version %u, features 0x%llx: this host has version %u, no features",
			  b->guest_abi_version,
			  (unsigned long long)b->guest_features,
			  SYNTHIO_ABI_VERSION);
		return SYNTHIO_ERR_ABI;
	}
	if (!b->nr_vps || b->nr_vps > SYNTHIO_MAX_VPS || !b->nr_vectors ||
	    b->nr_vectors > server_vectors(g->server) || !b->nr_cookies ||
	    b->nr_cookies > SYNTHIO_MAX_COOKIES) {
		log_error("guest error: %u VPs, %u vectors (host has %u), %u cookies",
			  b->nr_vps, b->nr_vectors, server_vectors(g->server),
			  b->nr_cookies);
		return SYNTHIO_ERR_COUNT;
	}
	if (b->guest_peer != SERVER_GUEST_PEER) {
		log_error("guest error: says that it is peer %u, it is %u",
			  b->guest_peer, SERVER_GUEST_PEER);
		return SYNTHIO_ERR_COUNT;
	}
	if (ram_map(g->ram, &err)) {
		log_error("%s", text_str(&err));
		text_free(&err);
		return SYNTHIO_ERR_GPA;
	}
	return guest_check_cookies(g, b);
}

static int guest_take_pages(struct guest *g)
{
	const struct persist_guest *s = &g->state;
	uint32_t i;

	g->control = guest_page(g, s->control_gpa);
	g->posts = guest_page(g, s->post_gpa);
	g->signals = guest_page(g, s->signal_gpa);
	if (!g->control || !g->posts || !g->signals) {
		log_error("guest error: control, post or signal page is not a page of RAM");
		return SYNTHIO_ERR_GPA;
	}
	for (i = 0; i < s->nr_vps; i++) {
		struct vmbus_wire_message *slots =
			guest_page(g, s->vps[i].message_gpa);
		struct vmbus_wire_flags *sets =
			guest_page(g, s->vps[i].event_gpa);

		if (!slots || !sets) {
			log_error("guest error: message or event page of VP %u is not a page of RAM",
				  i);
			return SYNTHIO_ERR_GPA;
		}
		g->vp[i].slot = &slots[VMBUS_WIRE_SINT];
		g->vp[i].flags = &sets[VMBUS_WIRE_SINT];
	}
	return SYNTHIO_OK;
}

static int guest_attach(struct guest *g, const struct synthio_bootstrap *b)
{
	int status;

	guest_forget(g, "the guest attaches anew");
	status = guest_check_attach(g, b);
	if (status != SYNTHIO_OK)
		return status;
	g->state.bar_gpa = b->bar_gpa;
	g->state.control_gpa = b->control_gpa;
	g->state.post_gpa = b->post_gpa;
	g->state.signal_gpa = b->signal_gpa;
	g->state.nr_vps = b->nr_vps;
	g->state.nr_vectors = b->nr_vectors;
	memcpy(g->state.vps, b->vps, sizeof(g->state.vps));
	status = guest_take_pages(g);
	if (status != SYNTHIO_OK)
		return status;
	g->nr_vps = b->nr_vps;
	guest_show_kept(g);
	g->post_cons = guest_load(&g->control->post_prod);
	g->eom = guest_load(&g->control->eom);
	memset(g->control->need_kick, 0, sizeof(g->control->need_kick));
	g->attached = true;
	loop_set_timer(g->loop, &g->heartbeat, HEARTBEAT_MS);
	log_info("guest attached: %u VPs on %u vectors, BAR at 0x%llx",
		 g->nr_vps, g->state.nr_vectors, (unsigned long long)b->bar_gpa);
	return SYNTHIO_OK;
}

/* A command in the bootstrap page: true if there was one */
static bool guest_command(struct guest *g)
{
	uint32_t seq = guest_load(&g->boot->command_seq);
	struct synthio_bootstrap b;
	int status;

	if (seq == g->seq)
		return false;
	g->ops->attaching(g->arg);
	if (!g->boot)
		return true;
	/* Copied once, so that what was checked is what is used */
	memcpy(&b, g->boot, sizeof(b));
	switch (b.command) {
	case SYNTHIO_CMD_ATTACH:
		status = guest_attach(g, &b);
		break;
	case SYNTHIO_CMD_DETACH:
		guest_keep_slots(g);
		guest_forget(g, "the guest detaches");
		log_info("guest detached");
		status = SYNTHIO_OK;
		break;
	default:
		log_error("guest error: unknown bootstrap command %u",
			  b.command);
		status = SYNTHIO_ERR_COMMAND;
	}
	g->seq = seq;
	g->status = status;
	return true;
}

void guest_event(struct guest *g, uint32_t vp, uint32_t flag)
{
	__u64 *word, bit = 1ull << (flag % 64);

	if (!guest_usable(g) || vp >= g->nr_vps)
		return;
	word = &g->vp[vp].flags->word[flag / 64];
	/*
	 * Who makes the word non-zero rings; the guest takes it with an
	 * exchange and looks at all words for each interrupt
	 */
	if (!__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST)) {
		g->doorbells_out++;
		server_ring(g->server, vp % g->state.nr_vectors);
	}
}

static bool guest_posts(struct guest *g)
{
	uint32_t prod = guest_load(&g->control->post_prod);
	uint32_t count = prod - g->post_cons;

	if (!count)
		return false;
	if (count > SYNTHIO_POST_SLOTS) {
		guest_error(g, "post_prod is %u ahead of post_cons, the queue has %u slots",
			    count, SYNTHIO_POST_SLOTS);
		return true;
	}
	while (count-- && guest_usable(g)) {
		struct synthio_post post;

		memcpy(&post, &g->posts[g->post_cons % SYNTHIO_POST_SLOTS],
		       sizeof(post));
		g->messages_in++;
		if (post.payload_size > SYNTHIO_POST_PAYLOAD)
			guest_error(g, "posted message of %u bytes, at most %u fit",
				    post.payload_size, SYNTHIO_POST_PAYLOAD);
		else if (post.message_type != VMBUS_WIRE_MSG_CHANNEL)
			guest_error(g, "posted message of type %u, not 1",
				    post.message_type);
		else
			g->ops->message(g->arg, post.connection_id,
					post.payload, post.payload_size);
		/*
		 * Only now: a worker that dies in the middle leaves the message
		 * to the next. The guest may use the slot when that is settled
		 */
		g->post_cons++;
	}
	return true;
}

static bool guest_has_signals(const struct guest *g)
{
	uint32_t w;

	for (w = GUEST_FIRST_CONN_ID / 64; w <= g->last_conn_id / 64; w++) {
		if (guest_load(&g->signals[w]))
			return true;
	}
	return false;
}

static bool guest_take_signals(struct guest *g, uint32_t w, uint32_t last)
{
	bool any = false;

	for (; w <= last; w++) {
		uint64_t bits;

		if (!guest_load(&g->signals[w]))
			continue;
		bits = __atomic_exchange_n(&g->signals[w], 0,
					   __ATOMIC_SEQ_CST);
		for (; bits; bits &= bits - 1)
			g->ops->signal(g->arg,
				       w * 64 + __builtin_ctzll(bits));
		any = true;
	}
	return any;
}

static bool guest_signals(struct guest *g)
{
	return guest_take_signals(g, GUEST_FIRST_CONN_ID / 64,
				  g->last_conn_id / 64);
}

static bool guest_eom(struct guest *g)
{
	uint32_t eom = guest_load(&g->control->eom);

	if (eom == g->eom)
		return false;
	/* what waits for its slot is looked at again: guest_settle() */
	g->eom = eom;
	return true;
}

static bool guest_poll(struct loop_poller *p)
{
	struct guest *g = container_of(p, struct guest, poller);
	bool any;

	if (!g->boot)
		return false;
	any = guest_command(g);
	if (g->broken && g->attached) {
		guest_detach(g, "the guest broke the protocol");
		return true;
	}
	if (guest_usable(g))
		any |= guest_posts(g);
	if (guest_usable(g))
		any |= guest_eom(g);
	if (guest_usable(g))
		any |= guest_signals(g);
	return any;
}

/* include/synthio/ivshmem.h: need_kick, fence, look again */
static bool guest_prepare_sleep(struct loop_poller *p)
{
	struct guest *g = container_of(p, struct guest, poller);

	if (!g->boot)
		return false;
	if (g->broken && g->attached)
		return true;
	if (guest_usable(g)) {
		guest_store(&g->control->need_kick[0], 1);
		guest_fence();
		if (guest_load(&g->control->post_prod) != g->post_cons ||
		    guest_load(&g->control->eom) != g->eom ||
		    guest_has_signals(g))
			return true;
	}
	return guest_load(&g->boot->command_seq) != g->seq;
}

static void guest_end_sleep(struct loop_poller *p)
{
	struct guest *g = container_of(p, struct guest, poller);

	if (guest_usable(g))
		guest_store(&g->control->need_kick[0], 0);
}

static void guest_beat(struct loop_timer *timer)
{
	struct guest *g = container_of(timer, struct guest, heartbeat);

	if (!guest_usable(g))
		return;
	guest_store(&g->control->heartbeat, g->control->heartbeat + 1);
	/* Flags where no channel is are looked for less often, not never */
	guest_take_signals(g, 0, SYNTHIO_PAGE_SIZE / sizeof(*g->signals) - 1);
	loop_set_timer(g->loop, timer, HEARTBEAT_MS);
}

void guest_init(struct guest *g, struct loop *loop, struct ram *ram,
		struct persist *persist, const struct guest_ops *ops, void *arg)
{
	memset(g, 0, sizeof(*g));
	g->loop = loop;
	g->persist = persist;
	g->ram = ram;
	g->ops = ops;
	g->arg = arg;
	g->queue_end = &g->queue;
	g->last_conn_id = GUEST_FIRST_CONN_ID;
	g->heartbeat.fired = guest_beat;
	g->poller.poll = guest_poll;
	g->poller.prepare_sleep = guest_prepare_sleep;
	g->poller.end_sleep = guest_end_sleep;
	loop_add_poller(loop, &g->poller);
}

void guest_exit(struct guest *g)
{
	loop_del_poller(g->loop, &g->poller);
	guest_unqueue(g);
}

void guest_connected(struct guest *g, struct server *server)
{
	uint64_t size = server_bar_size(server);
	uint64_t offset = guest_aperture_offset(server);

	g->server = server;
	g->boot = server_bar(server);
	g->seq = 0;
	g->status = 0;
	g->broken = false;
	g->why[0] = '\0';
	g->boot->abi_version = SYNTHIO_ABI_VERSION;
	g->boot->host_peer = SERVER_HOST_PEER;
	g->boot->features = 0;
	g->boot->host_vectors = HOST_VECTORS;
	g->boot->generation = 1;
	g->boot->aperture_offset = size > offset ? offset : 0;
	g->boot->aperture_size = size > offset ? size - offset : 0;
	/* last: who sees the magic sees the rest */
	guest_store(&g->boot->magic, SYNTHIO_MAGIC);
}

void guest_disconnected(struct guest *g, const char *why)
{
	guest_machine_reset(g, why);
	g->boot = NULL;
	ram_unmap(g->ram);
}

void guest_save(struct guest *g)
{
	struct persist_guest *s = &g->state;

	s->attached = g->attached;
	s->broken = g->broken;
	s->seq = g->seq;
	s->status = g->status;
	s->post_cons = g->post_cons;
	s->eom = g->eom;
	s->last_conn_id = g->last_conn_id;
	memcpy(s->why, g->why, sizeof(s->why));
	persist_save(g->persist, &g->persist->area->guest_pair,
		     g->persist->area->guest, s, sizeof(*s));
}

void guest_settle(struct guest *g)
{
	if (!g->boot)
		return;
	if (guest_usable(g) && guest_load(&g->control->post_cons) !=
			       g->post_cons)
		guest_store(&g->control->post_cons, g->post_cons);
	if (guest_load(&g->boot->ack_seq) != g->seq) {
		g->boot->status = g->status;
		guest_store(&g->boot->ack_seq, g->seq);
	}
	guest_deliver(g);
}

int guest_take_over(struct guest *g, struct server *server, struct text *err)
{
	struct persist_area *area = g->persist->area;
	int current;

	persist_undo(g->persist, &area->guest_pair);
	current = persist_current(g->persist, &area->guest_pair);
	g->server = server;
	g->boot = server_bar(server);
	if (!g->boot || current < 0)
		return 0;
	g->state = area->guest[current];
	g->seq = g->state.seq;
	g->status = g->state.status;
	g->last_conn_id = g->state.last_conn_id;
	g->boot->generation++;
	if (!g->state.attached)
		return 0;
	if (ram_map(g->ram, err))
		return -EPROTO;
	if (guest_take_pages(g) != SYNTHIO_OK) {
		text_add(err, "the guest's pages are not in the RAM that --ram describes");
		return -EPROTO;
	}
	g->attached = true;
	g->broken = g->state.broken;
	memcpy(g->why, g->state.why, sizeof(g->why));
	g->nr_vps = g->state.nr_vps;
	g->post_cons = g->state.post_cons;
	g->eom = g->state.eom;
	guest_read_messages(g);
	loop_set_timer(g->loop, &g->heartbeat, HEARTBEAT_MS);
	return 0;
}

void guest_interrupt_all(struct guest *g)
{
	uint32_t v;

	for (v = 0; guest_usable(g) && v < g->state.nr_vectors; v++)
		server_ring(g->server, v);
}
