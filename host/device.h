/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device of the reference host looks like to the bus, and what the bus
 * does for it.
 *
 * A device lives in a file of its own, embeds struct device in its state and
 * ends with
 *
 *	static struct device_kind foo_kind = { ... };
 *	DEVICE_KIND(foo_kind);
 *
 * Nothing else has to know it. All callbacks come from the event loop (loop.h);
 * none may block, except that drain() waits for its own I/O.
 *
 * The guest is not trusted. What a callback gets was copied out of the ring
 * once and its framing was checked; what the payload says is the device's to
 * check. Guest memory in an iovec array may change at any time: read a word of
 * it once, or hand it to the kernel.
 */
#ifndef SYNTHHOST_DEVICE_H
#define SYNTHHOST_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "log.h"
#include "loop.h"
#include "text.h"

struct bus;
struct host_profile;
struct channel;
struct console;
struct device;
struct persist;

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define DEVICE_ID_MAX		32	/* with the final NUL */
#define DEVICE_MAX_SUBCHANNELS	16

/* chn_flags of an offer, as in <linux/hyperv.h> */
#define DEVICE_FLAG_ENUMERATE	0x0001	/* VMBUS_CHANNEL_ENUMERATE_DEVICE_INTERFACE */
#define DEVICE_FLAG_NAMED_PIPE	0x0010	/* VMBUS_CHANNEL_NAMED_PIPE_MODE */

/* A GUID as it lies in a message: the first three fields little endian */
struct host_guid {
	uint8_t b[16];
};

#define HOST_GUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7) \
	{ { (a) & 0xff, ((a) >> 8) & 0xff, ((a) >> 16) & 0xff, (a) >> 24, \
	    (b) & 0xff, (b) >> 8, (c) & 0xff, (c) >> 8, \
	    d0, d1, d2, d3, d4, d5, d6, d7 } }

/* Packet types that reach a device */
enum packet_type {
	PACKET_INBAND		= 6,
	PACKET_GPA_DIRECT	= 9,
	PACKET_COMPLETION	= 11,	/* of what channel_send() asked it for */
};

/* One range of a GPA-direct packet: entries of the packet's @iov */
struct packet_range {
	unsigned int iov_first;
	unsigned int iov_count;
	size_t bytes;
};

/**
 * struct packet - one packet from the guest, copied out of the ring
 * @type: enum packet_type. Type 7 never gets here: the bus refuses it unless
 *	it knows the transfer pages, and this host offers none
 * @wants_completion: flag bit 0: the guest waits for channel_complete()
 * @trans_id: to be given back in the completion
 * @payload: aligned to 8 bytes; @len is a multiple of 8, as the ring's is
 * @iov: guest memory of all ranges in order, whole and checked against RAM.
 *	Neighbouring pages are joined where they are neighbours in RAM
 * @iov_count: entries in @iov
 * @iov_bytes: their sum
 * @ranges: how @iov splits into the packet's ranges
 *
 * The struct and its arrays are valid only inside the callback: copy what is
 * needed later. The guest memory that @iov points to stays mapped until
 * drain() has returned.
 */
struct packet {
	enum packet_type type;
	bool wants_completion;
	uint64_t trans_id;
	const void *payload;
	uint32_t len;
	const struct iovec *iov;
	unsigned int iov_count;
	size_t iov_bytes;
	const struct packet_range *ranges;
	unsigned int range_count;
};

/**
 * struct device_ops - what a device does
 * @identify: Change dev->instance, where a part of it means something to the
 *	guest. May be NULL.
 * @open: The guest opened a channel; look at channel_index() for which. May
 *	call channel_set_private(). Return 0, or -errno: the guest's open fails.
 *	May be NULL.
 * @packet: A packet came. The device takes it whatever it is: a protocol error
 *	is channel_error(). To bound what is in flight call channel_pause().
 * @writable: All that was queued for the guest is in the ring now. Comes only
 *	after a send was queued or refused with -ENOBUFS. May be NULL.
 * @drain: Complete or cancel all I/O of this channel that touches guest
 *	memory, and wait for its end (loop_wait_io()). Completions may be sent
 *	meanwhile, while the guest is still there. After it returns the device
 *	neither reads nor writes guest memory until the next packet. Called
 *	before a close, rescind, guest reset, GPADL teardown. May be NULL for a
 *	device that does no I/O in the background.
 * @close: The channel is gone, after @drain. Mirrors a successful @open: free
 *	what hangs at channel_private(), and forget @ch. Must not send. May be
 *	NULL.
 * @busy: Whether requests that were taken from this channel are still to be
 *	completed, so that a rescind waits for them. May be NULL.
 * @retire: The device will be rescinded. Called again and again, with
 *	dev->retiring set after the first time, until it returns false: the guest
 *	has let go. May be NULL.
 * @reset: The guest has ended its connection, or was reset: forget what it
 *	asked for beyond its channels, which are closed. May be NULL.
 * @state_bytes: Of the device's state that survives a worker, at most
 *	PERSIST_DEVICE_BYTES (persist.h). A change of it needs another
 *	PERSIST_LAYOUT.
 * @save: Write it: to zeroed memory, and the same bytes for the same state. Called
 *	each time that something was done, so it must be fast. What is large goes
 *	to device_area(). May be NULL, like the next one: such a device is rescinded
 *	when a worker takes over, and offered again.
 * @restore: A worker takes over: @open was called for all channels that are open;
 *	go on with this state. Send nothing. Afterwards come, by @packet, all
 *	requests of the guest that were not completed. Return 0, or -errno: the
 *	device is rescinded and offered again.
 * @settled: What was done until now is committed. May be NULL.
 * @status: Add lines about the device for the `status` command. May be NULL.
 * @destroy: synthhost ends or the device is removed for good; all channels are
 *	closed. Frees @dev. May be NULL.
 */
struct device_ops {
	void (*identify)(struct device *dev);
	int (*open)(struct device *dev, struct channel *ch);
	void (*packet)(struct device *dev, struct channel *ch,
		       const struct packet *pkt);
	void (*writable)(struct device *dev, struct channel *ch);
	void (*drain)(struct device *dev, struct channel *ch);
	void (*close)(struct device *dev, struct channel *ch);
	bool (*busy)(struct device *dev, struct channel *ch);
	bool (*retire)(struct device *dev);
	void (*reset)(struct device *dev);
	unsigned int state_bytes;
	void (*save)(struct device *dev, void *state);
	int (*restore)(struct device *dev, const void *state);
	void (*settled)(struct device *dev);
	void (*status)(struct device *dev, struct text *out);
	void (*destroy)(struct device *dev);
};

/**
 * struct device_option - a command line option that makes a device or part
 * @name: without the dashes, such as "scsi"
 * @arg: its argument in the help text; "[ID]" in brackets if it is optional
 * @help: one line
 * @parse: @arg is what was given, NULL if nothing. Options come in the order
 *	of the command line. Return 0, or -errno with the reason in @err
 *	(which begins with neither the option's name nor "error")
 */
struct device_option {
	const char *name;
	const char *arg;
	const char *help;
	int (*parse)(struct bus *bus, const char *arg, struct text *err);
};

/**
 * struct device_command - a command of the control socket
 * @name: first word of the line
 * @args: for the help text
 * @help: one line
 * @run: @argv[0] is the name. Return 0 with reply lines in @out (the final
 *	"ok" is added), or -errno with only the reason in @out
 */
struct device_command {
	const char *name;
	const char *args;
	const char *help;
	int (*run)(struct bus *bus, int argc, char **argv, struct text *out);
};

/**
 * struct device_kind - a sort of device
 * @name: for logs, "scsi"
 * @class: if_type of its offers
 * @chn_flags: of its offers; DEVICE_FLAG_*
 * @mmio_megabytes: what the offer says that it needs
 * @user_defined: the 120 bytes of the offer, or NULL for zeroes
 * @ops: see above
 * @options: ends with an entry without name; may be NULL
 * @commands: ends with an entry without name; may be NULL
 */
struct device_kind {
	const char *name;
	struct host_guid class;
	uint16_t chn_flags;
	uint16_t mmio_megabytes;
	const uint8_t *user_defined;
	const struct device_ops *ops;
	const struct device_option *options;
	const struct device_command *commands;
	/* the registry's own; leave it out of the initialiser */
	struct device_kind *next;
};

void device_kind_register(struct device_kind *kind);

/* Not const: the registry links it. Put it at the end of the device's file */
#define DEVICE_KIND(kind) \
	static void __attribute__((constructor)) kind##_register(void) \
	{ device_kind_register(&(kind)); }

/**
 * struct device - what the bus keeps of a device
 * @kind: set before device_register()
 * @id: its name, such as "c0"; unique. Set before device_register()
 * @bus: the bus it is on
 * @instance: made of kind and id, so that it is the same in each run
 * @max_subchannels: how many device_offer_subchannels() may offer. Set before
 *	device_register()
 * @mmio_megabytes: what its offer says that it needs, where that is not the
 *	kind's. Set before device_register()
 *
 * Zero the rest.
 */
struct device {
	const struct device_kind *kind;
	char id[DEVICE_ID_MAX];
	struct bus *bus;
	struct host_guid instance;
	unsigned int max_subchannels;
	uint16_t mmio_megabytes;
	/* the bus's own */
	struct device *next;
	unsigned int number;	/* in the order of the options */
	struct channel *channels[1 + DEVICE_MAX_SUBCHANNELS];
	unsigned int subs_due;	/* subchannels that are to be offered, in all */
	struct loop_timer subs;
	bool rescinds_late;	/* subchannels: by bus_rescind_late(), not at the close */
	bool offered;
	bool declined;		/* released by the guest, for this connection */
	bool retiring;		/* ops->retire was called; reset by the rescind */
	struct loop_timer retire;
	uint64_t retire_until;
	bool rescinding;	/* once its channels are quiet */
	bool offer_again;	/* device_offer() came meanwhile */
	struct loop_timer rescind;
	uint64_t rescind_until;
};

/**
 * device_set_id() - give a device its name, before device_register()
 *
 * Return: 0, or -EINVAL with the reason in @err if it is no name (letters,
 * digits, '-', '_', '.').
 */
int device_set_id(struct device *dev, const char *id, struct text *err);

/**
 * device_register() - put a device on the bus
 * @dev: @kind, @id and @max_subchannels set. Stays until ops->destroy()
 * @err: the reason where it fails
 *
 * It is offered as soon as a guest asks, or at once to a guest that has asked.
 * Return: 0, -EEXIST if the id is taken, -EINVAL if it is no name
 * (letters, digits, '-', '_', '.').
 */
int device_register(struct bus *bus, struct device *dev, struct text *err);

/**
 * device_find() - look up a device
 * @kind: which sort, or NULL for any
 * @id: its name, or NULL for the first one of the kind
 *
 * Return: the device or NULL.
 */
struct device *device_find(struct bus *bus, const struct device_kind *kind,
			   const char *id);

/**
 * device_offer_subchannels() - offer more channels of an open device
 * @count: how many; those already there are not offered again
 *
 * Some hosts take their time (struct profile_bus), so that they come after the
 * guest has its answer.
 *
 * The bus rescinds them when the guest closes the primary channel.
 * Return: 0, -EINVAL if that exceeds @max_subchannels, -ENODEV if the primary
 * channel is not open.
 */
int device_offer_subchannels(struct device *dev, unsigned int count);

/**
 * device_rescind() - take the device away from the guest
 *
 * Goes on until the guest's requests are all taken and completed, 2 s at most,
 * then closes its channels and says rescind. From then on nothing of the guest's
 * is touched for it: a guest may give the memory back as soon as it hears.
 *
 * Does not block; a device whose channels are quiet is gone on return, of others
 * @rescinding is set. -EALREADY if it was not offered, or is being rescinded.
 */
int device_rescind(struct device *dev);

/**
 * device_retire() - let the guest stop using the device, then rescind it
 *
 * For devices without ops->retire this is device_rescind(). Others first refuse
 * all that is new, as if what they serve had gone, until the guest asks no more;
 * 15 s at most.
 */
int device_retire(struct device *dev);

/**
 * device_offer() - offer it again after device_rescind(), with new relids
 *
 * Return: 0; -EALREADY if it is offered. If it is still being rescinded, or the
 * guest has not yet released the old channel, the offer waits for that.
 */
int device_offer(struct device *dev);

/**
 * device_area() - shared memory that survives the worker, zero at first
 *
 * Return: PERSIST_AREA_BYTES for what is too large for ops->save(), or NULL:
 * there are too many devices. persist.h says how to write there.
 */
void *device_area(struct device *dev);
struct persist *device_persist(struct device *dev);

struct loop *bus_loop(struct bus *bus);

/**
 * bus_profile() - the kind of host to behave like
 */
const struct host_profile *bus_profile(const struct bus *bus);

/**
 * bus_console() - the screen, keys and pointer that a person has (console.h)
 */
struct console *bus_console(struct bus *bus);

/**
 * bus_guest_there() - whether there is a guest, and it keeps to the rules
 */
bool bus_guest_there(struct bus *bus);

/**
 * bus_aperture() - a piece of the aperture, where the guest sees it
 * @gpa: guest-physical address
 *
 * Return: a pointer to @len bytes, good until ops->reset() is called while
 * bus_guest_there() is false, or NULL if they do not all lie in the aperture.
 */
void *bus_aperture(struct bus *bus, uint64_t gpa, uint64_t len);

/* Channels. A pointer is valid from ops->open() to the end of ops->close(). */

struct device *channel_device(const struct channel *ch);
unsigned int channel_index(const struct channel *ch);	/* 0: primary */
unsigned int channel_target_vp(const struct channel *ch);
void channel_set_private(struct channel *ch, void *private);
void *channel_private(const struct channel *ch);

/**
 * channel_complete() - send a completion packet (type 0xb)
 * @trans_id: of the request
 * @payload: copied; may be NULL if @len is 0
 * @len: bytes; padded to 8 with zeroes in the ring
 *
 * Never blocks: what does not fit in the ring is queued, in order, and goes
 * out when the guest has made room. The queue is bounded since the bus reads
 * no further packets of a channel that has more than
 * CHANNEL_QUEUE_BYTES queued; the device bounds what it has in flight itself.
 * Return: 0, or -ENODEV: the guest is gone (nothing to do about it).
 */
int channel_complete(struct channel *ch, uint64_t trans_id,
		     const void *payload, size_t len);

#define CHANNEL_QUEUE_BYTES	(256u << 10)

/**
 * channel_complete_soon() - the same, for what comes in numbers
 * @pending: requests of this channel that are still being done
 *
 * The completion goes into the ring now, and is shown to the guest together
 * with others: with all of this round of the loop, or, as channel_moderate()
 * says, a little later. Anything else that is sent shows it, too.
 */
int channel_complete_soon(struct channel *ch, uint64_t trans_id,
			  const void *payload, size_t len,
			  unsigned int pending);

/**
 * channel_moderate() - hold completions of channel_complete_soon()
 * @ns: for so long; 0, as after the channel was opened: not at all;
 *	CHANNEL_MODERATE_AUTO: as long as the guest does not miss them;
 *	CHANNEL_MODERATE_STREAM: until it pauses (moderate.h)
 */
void channel_moderate(struct channel *ch, uint64_t ns);

#define CHANNEL_MODERATE_AUTO	UINT64_MAX
#define CHANNEL_MODERATE_STREAM	(UINT64_MAX - 1)

/**
 * channel_send() - send an in-band packet (type 6)
 * @want_completion: the guest shall answer with a type 0xb packet, which comes
 *	to ops->packet()
 *
 * As channel_complete(), except that -ENOBUFS comes back when more than
 * CHANNEL_QUEUE_BYTES are queued already; then ops->writable() tells when to
 * try again.
 */
int channel_send(struct channel *ch, uint64_t trans_id, const void *payload,
		 size_t len, bool want_completion);

/**
 * channel_send_pages() - send a transfer-pages packet (type 7)
 * @packet: the page set's id and the ranges, as struct vmbus_wire_xfer_pages has
 *	them behind its common descriptor, and then the payload
 * @head: bytes of the former, a multiple of 8
 * @len: bytes of both
 *
 * The guest completes it, as a packet of channel_send(). It is in the ring then,
 * but not shown: channel_show_pages() shows the guest all that there is.
 * Return: 0, or -ENODEV or -ENOMEM. What does not fit is queued; how much, the
 * device bounds by channel_backlog() or by the pages that it has.
 */
int channel_send_pages(struct channel *ch, uint64_t trans_id,
		       const void *packet, size_t head, size_t len);
void channel_show_pages(struct channel *ch);

/**
 * channel_backlog() - whether more than the ring can hold was sent already
 *
 * ops->writable() tells when that has changed.
 */
bool channel_backlog(const struct channel *ch);

/**
 * channel_map_gpadl() - map memory that the guest has shown under a handle
 * @handle: a GPADL of this channel, of one range that begins with a page
 * @bytes: its size
 *
 * The guest can't tear it down until channel_unmap_gpadl(), ops->close() at the
 * latest. Return: the mapping, or NULL: there is no such GPADL.
 */
void *channel_map_gpadl(struct channel *ch, uint32_t handle, size_t *bytes);
void channel_unmap_gpadl(struct channel *ch, uint32_t handle, void *map,
			 size_t bytes);

/**
 * channel_inject() - send a packet of any type, for tests of guests
 * @type: any number
 */
int channel_inject(struct channel *ch, unsigned int type, uint64_t trans_id,
		   const void *payload, size_t len);

/**
 * channel_pause() - deliver no packets until channel_resume()
 *
 * The packet at hand was the last one; the others wait in the ring. Opening
 * and closing ends a pause.
 */
void channel_pause(struct channel *ch);
void channel_resume(struct channel *ch);

/**
 * channel_error() - the guest broke the protocol
 * @fmt: what it did and why that is wrong
 *
 * Logs "guest error: ..." and disconnects the guest: from this call on sends
 * return -ENODEV and no packet is delivered; drain and close follow from the
 * loop, once the present callback has returned.
 */
void channel_error(struct channel *ch, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * channel_gone() - whether the guest of this channel was disconnected
 *
 * For done callbacks: true means do not touch guest memory.
 */
bool channel_gone(const struct channel *ch);

#endif
