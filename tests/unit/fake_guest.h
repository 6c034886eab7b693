/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest without a kernel and without QEMU: takes the BAR from the host's
 * ivshmem socket as QEMU does, has its RAM in a file, and speaks as the kernel
 * side does, or wrongly on purpose. Host and guest run in one thread: the guest
 * does something, then fake_run() lets the host's loop work until it is idle.
 */
#ifndef TEST_FAKE_GUEST_H
#define TEST_FAKE_GUEST_H

#include <synthio/testdev.h>

#include "host.h"

#define FAKE_RAM_BASE	0x100000ull	/* guest-physical: RAM begins here */
#define FAKE_RAM_SIZE	(8ull << 20)
#define FAKE_VPS	3u
#define FAKE_VECTORS	2u
#define FAKE_MAX_OFFERS	32

/* One channel as the guest sees it */
struct fake_channel {
	uint32_t relid;
	uint32_t gpadl;
	uint32_t conn_id;
	struct vmbus_wire_ring *out, *in;	/* guest sends, guest receives */
	uint32_t out_size, in_size;
};

struct fake_packet {
	struct vmbus_wire_packet desc;
	uint64_t extra[4];		/* behind it, of a longer descriptor */
	uint32_t len;			/* of payload */
	uint64_t payload[8192];
};

/**
 * struct fake_guest - the guest, and its host
 * @argv: @argc options that the host was started with
 * @deaths: workers that have died: fake_die_at()
 * @pid: of a host that is a program of its own, or 0
 * @status: its wait status, after fake_stop()
 * @commanded: a bootstrap command was given, and its answer was not seen
 * @then: where the next worker dies after that, the first time it gets there
 */
struct fake_guest {
	struct host host;
	char *argv[40];
	int argc;
	unsigned int deaths;
	const char *then;
	pid_t pid;
	int status;
	bool commanded;
	char dir[64];
	char ram_path[80], socket_path[80], control_path[80];
	char ram_arg[160];
	uint8_t *ram;
	int sock;
	int bar_fd, host_fd, vector_fd[SERVER_MAX_VECTORS];
	unsigned int vectors;
	struct synthio_bootstrap *boot;
	struct synthio_control *control;
	struct synthio_post *posts;
	uint64_t *signals;
	struct vmbus_wire_message *slot;	/* of VP 0 */
	uint64_t next_page;			/* for fake_pages() */
	uint32_t next_gpadl;
	uint32_t conn_id;			/* for messages */
	struct vmbus_wire_offer offers[FAKE_MAX_OFFERS];
	unsigned int offer_count;
};

/**
 * fake_start() - a host with these devices, and a machine connected to it
 * @options: more of the command line, ends with NULL
 *
 * Return: whether all went well.
 */
bool fake_start(struct fake_guest *f, const char *const *options);
void fake_stop(struct fake_guest *f);

/**
 * fake_die_at() - let the worker die in fake_run(), and start another one
 * @point: of persist_points
 * @count: the how manieth time that it comes there, from 1
 *
 * Before that, keeper_pretend(true) and fake_start(). What the worker had in
 * memory is lost, and its descriptors are closed, as at the end of a process.
 */
void fake_die_at(struct fake_guest *f, const char *point, unsigned int count);

/**
 * fake_start_program() - the same, with a host that is a process of its own
 * @program: the path of synthhost
 *
 * @f->host is not used. fake_run() waits for an answer of the host, or for 2 s.
 */
bool fake_start_program(struct fake_guest *f, const char *program,
			const char *const *options);

/**
 * fake_connect() - take part in the ivshmem protocol as QEMU does
 */
bool fake_connect(struct fake_guest *f);

/**
 * fake_disconnect() - QEMU dies
 */
void fake_disconnect(struct fake_guest *f);

/**
 * fake_run() - let the host work for a moment: some rounds of its loop at least
 */
void fake_run(struct fake_guest *f, unsigned int ms);

/**
 * fake_pages() - allocate zeroed guest RAM, for ever
 *
 * Return: guest-physical address.
 */
uint64_t fake_pages(struct fake_guest *f, unsigned int count);
void *fake_ptr(struct fake_guest *f, uint64_t gpa);

/**
 * fake_fill_boot() - a correct guest half of the bootstrap page
 */
void fake_fill_boot(struct fake_guest *f);

/**
 * fake_command() - give a bootstrap command
 *
 * Return: enum synthio_status, or -1 without an answer.
 */
int fake_command(struct fake_guest *f, uint32_t command);

/**
 * fake_post() - post a message without waiting, fake_post_run() and run
 */
void fake_post(struct fake_guest *f, uint32_t conn_id, const void *msg,
	       uint32_t len);
void fake_post_run(struct fake_guest *f, const void *msg, uint32_t len);

/**
 * fake_take() - take the next message
 * @msg: 240 bytes
 *
 * Return: its channel message type, 0 if there is none.
 */
uint32_t fake_take(struct fake_guest *f, void *msg);

/**
 * fake_contact() - initiate contact
 *
 * Return: whether the host accepts the version; -1 without an answer.
 */
int fake_contact(struct fake_guest *f, uint32_t version);

/**
 * fake_request_offers() - collect the offers
 *
 * Return: whether they ended with all-offers-delivered.
 */
bool fake_request_offers(struct fake_guest *f);

/**
 * fake_up() - attach, connect with 5.3, collect offers
 */
bool fake_up(struct fake_guest *f);

/**
 * fake_gpadl() - show pages to the host
 *
 * Return: the handle, or 0 if the host did not create it.
 */
uint32_t fake_gpadl(struct fake_guest *f, uint32_t relid, uint64_t gpa,
		    unsigned int pages);

/**
 * fake_open() - open an offer's channel with rings of @pages pages each
 *
 * Return: status of the open result, or -1 without an answer.
 */
int64_t fake_open(struct fake_guest *f, const struct vmbus_wire_offer *offer,
		  unsigned int pages, struct fake_channel *ch);

/**
 * fake_close() - close and tear down
 *
 * Return: whether the teardown was answered.
 */
bool fake_close(struct fake_guest *f, struct fake_channel *ch);

/**
 * fake_send() - put a packet into the ring, without a signal
 * @extra: between descriptor and payload, @extra_len bytes
 */
bool fake_send(struct fake_channel *ch, uint16_t type, uint16_t flags,
	       uint64_t trans_id, const void *extra, uint32_t extra_len,
	       const void *payload, uint32_t len);
void fake_signal(struct fake_guest *f, const struct fake_channel *ch);

/**
 * fake_receive() - take a packet out of the ring
 *
 * Return: whether there was one.
 */
bool fake_receive(struct fake_channel *ch, struct fake_packet *pkt);

/**
 * fake_request() - one request to the test device, and its completion
 *
 * Return: status of the completion, -1 without one. What comes before the
 * completion is lost.
 */
int fake_request(struct fake_guest *f, struct fake_channel *ch, uint32_t op,
		 uint32_t arg0, uint32_t arg1, const void *data, uint32_t len,
		 struct synthio_test_rsp *rsp);

/**
 * fake_broken() - whether the host has disconnected the guest for an error
 * @why: a part of its reason
 */
bool fake_broken(const struct fake_guest *f, const char *why);

#endif
