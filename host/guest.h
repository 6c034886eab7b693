/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest as the transport sees it: the bootstrap handshake, posted messages
 * and signals one way, messages and event flags the other. The host's end of
 * include/synthio/ivshmem.h. Knows nothing of channels.
 */
#ifndef SYNTHHOST_GUEST_H
#define SYNTHHOST_GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <synthio/ivshmem.h>
#include <synthio/vmbus.h>

#include "log.h"
#include "loop.h"
#include "persist.h"
#include "ram.h"
#include "text.h"

#define GUEST_MAX_QUEUED	4096	/* messages for a guest that is slow */

#define guest_fence()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define guest_load(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define guest_store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

/* Connection ids of channels: small, so that few flag words are looked at */
#define GUEST_FIRST_CONN_ID	0x1000u

/**
 * struct guest_ops - what the guest says
 * @message: it posted one; copied, at most 240 bytes
 * @signal: it set the flag of a channel's connection id
 * @reset: the connection is void. When this returns, nothing that was set up
 *	under it touches guest memory. Until then the guest is silent: nothing
 *	is written but the data of I/O that was submitted before
 * @attaching: an ATTACH is about to be looked at: learn first what QEMU says
 */
struct guest_ops {
	void (*message)(void *arg, uint32_t connection_id, const void *payload,
			uint32_t len);
	void (*signal)(void *arg, uint32_t connection_id);
	void (*reset)(void *arg, const char *why);
	void (*attaching)(void *arg);
};

struct server;

struct guest_message {
	struct guest_message *next;
	uint32_t vp;
	uint32_t len;
	uint8_t payload[VMBUS_WIRE_MSG_PAYLOAD];
};

struct guest_vp {
	struct vmbus_wire_message *slot;	/* of our SINT, in guest RAM */
	struct vmbus_wire_message kept;		/* what was in the last one */
	struct vmbus_wire_flags *flags;
};

/**
 * struct guest - its state; one for the life of the program
 * @attached: addresses below are valid, the guest has got SYNTHIO_OK
 * @broken: it broke the protocol: ignored until it attaches again
 * @silent: what is in flight ends without a word: nobody reads the rings, event
 *	and message pages any more, and others may own them by now
 * @overlay: what a guest leaves in a slot when it detaches is in the slot of the
 *	one that attaches next: see struct profile_bus
 * @why: how, for the status
 * @seq, @status: the last bootstrap command, and its answer
 * @state: what is saved: of it, addresses and what messages need are kept here
 */
struct guest {
	struct loop *loop;
	struct ram *ram;
	struct server *server;
	const struct guest_ops *ops;
	void *arg;

	struct synthio_bootstrap *boot;
	uint32_t seq, status;
	bool attached;
	bool broken;
	bool silent;
	bool overlay;
	char why[256];

	struct synthio_control *control;
	struct synthio_post *posts;
	uint64_t *signals;
	struct guest_vp vp[SYNTHIO_MAX_VPS];
	uint32_t nr_vps;
	uint32_t post_cons;
	uint32_t eom;
	uint32_t last_conn_id;		/* highest that was given out */

	struct guest_message *queue, **queue_end;
	unsigned int queued;
	struct persist *persist;
	struct persist_guest state;

	struct loop_poller poller;
	struct loop_timer heartbeat;
	uint64_t messages_in, messages_out, doorbells_in, doorbells_out;
};

void guest_init(struct guest *g, struct loop *loop, struct ram *ram,
		struct persist *persist, const struct guest_ops *ops,
		void *arg);
void guest_exit(struct guest *g);

/**
 * guest_connected() - a QEMU came, with a zeroed BAR
 * guest_disconnected() - it went
 */
void guest_connected(struct guest *g, struct server *server);
void guest_disconnected(struct guest *g, const char *why);

/**
 * guest_forget() - all addresses are void
 */
void guest_forget(struct guest *g, const char *why);

/**
 * guest_machine_reset() - the machine was reset: and nothing is left of it
 */
void guest_machine_reset(struct guest *g, const char *why);

/**
 * guest_usable() - whether its memory may be touched
 */
static inline bool guest_usable(const struct guest *g)
{
	return g->attached && !g->broken && !g->silent;
}

/**
 * guest_aperture() - a piece of the aperture, where the guest sees it
 *
 * Return: a pointer to @len bytes, good until the guest detaches, or NULL if
 * they do not all lie in the aperture.
 */
void *guest_aperture(const struct guest *g, uint64_t gpa, uint64_t len);

/**
 * guest_error() - the guest broke the protocol
 *
 * It is ignored from now on, and reset from the loop.
 */
void guest_error(struct guest *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void guest_verror(struct guest *g, const char *prefix, const char *fmt,
		  va_list ap) __attribute__((format(printf, 3, 0)));

/**
 * guest_post() - send a message to a VP's message slot, once that is free
 *
 * The guest does not see it before the next bus_settle().
 */
void guest_post(struct guest *g, uint32_t vp, const void *payload,
		uint32_t len);

/**
 * guest_deliver() - put what waits into slots that are free, exactly once
 *
 * Commits; so all that was done before has to be settled.
 */
void guest_deliver(struct guest *g);

/**
 * guest_save() - write the guest's state for the next commit
 */
void guest_save(struct guest *g);

/**
 * guest_settle() - show the guest what was committed
 */
void guest_settle(struct guest *g);

/**
 * guest_take_over() - go on with the guest of the worker before
 * @server: has QEMU's connection, or none
 *
 * guest_read_messages() - a part of it: what waits for message slots
 *
 * Return: 0 or -EPROTO with the reason in @err.
 */
int guest_take_over(struct guest *g, struct server *server, struct text *err);
void guest_read_messages(struct guest *g);

/**
 * guest_interrupt_all() - let the guest look at everything
 *
 * An interrupt of the worker before may be lost.
 */
void guest_interrupt_all(struct guest *g);

/**
 * guest_unqueue() - forget messages that wait for the slot
 */
void guest_unqueue(struct guest *g);

/**
 * guest_event() - set an event flag of a VP, and interrupt it if due
 * @flag: below VMBUS_WIRE_MAX_RELIDS
 */
void guest_event(struct guest *g, uint32_t vp, uint32_t flag);

#endif
