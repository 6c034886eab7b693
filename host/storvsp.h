/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the disk controller share:
 *
 *	storvsp.c		packets, initialisation, resets, channels
 *	storvsp_io.c		commands and their I/O
 *	storvsp_order.c		which of them wait for others
 *	storvsp_state.c		what survives a worker
 *	storvsp_disk.c		options, LUNs, commands of the control socket
 *	storvsp_fault.c		what goes wrong on purpose
 *	storvsp_fault_command.c	how it is asked for
 */
#ifndef SYNTHHOST_STORVSP_H
#define SYNTHHOST_STORVSP_H

#include <synthio/storvsp.h>

#include "blockio.h"
#include "device.h"
#include "scsi.h"
#include "storvsp_fault.h"

#define STORVSP_TRANSFER_MIN	4096u
#define STORVSP_TRANSFER_MAX	(2u << 20)	/* 513 pages; readv() takes 1024 */
#define STORVSP_TRANSFER	(1u << 20)

/*
 * A channel takes no packets while it has this much to do. It is more than all
 * that guests have in flight to several disks, so that one which is slow does
 * not keep the host from reading what is there for the others.
 */
#define STORVSP_MAX_REQUESTS	4096u
#define STORVSP_MAX_WAITING	65536u
#define STORVSP_MAX_HELD	(64u << 20)	/* bytes of bounce buffers */

enum storvsp_state {
	STATE_CLOSED,
	STATE_OPENED,
	STATE_BEGUN,		/* BEGIN_INITIALIZATION */
	STATE_VERSION,		/* QUERY_PROTOCOL_VERSION succeeded */
	STATE_PROPERTIES,	/* QUERY_PROPERTIES */
	STATE_READY,		/* END_INITIALIZATION */
};

/**
 * struct storvsp_order - the place of a request that changes blocks
 * @begin, @end: bytes that it changes
 * @waits: for one before it that changes some of these
 */
struct storvsp_order {
	struct storvsp_order *next, **link;
	uint64_t begin, end;
	bool waits;
};

/**
 * struct lun - a logical unit
 * @leaving: taken away; its I/O ends
 * @only: of an IDE controller, which has no other
 * @added: by a command, not by an option
 * @changes: requests that change blocks, the oldest first; @waiting of them wait
 * @delay: each of its requests is completed late (delay-us=), or NULL
 */
struct lun {
	struct scsi_disk disk;
	struct blockio *store;
	char *path;
	unsigned int number;
	bool leaving;
	bool only;
	bool added;
	struct storvsp_order *changes, **changes_end;
	unsigned int waiting;
	unsigned int in_flight;
	struct fault *delay;
	uint64_t reads, read_bytes;
	uint64_t writes, written_bytes;
	uint64_t fua_writes, flushes, discards, errors;
};

/* What hangs at an open channel */
struct storvsp_channel {
	struct channel *ch;
	struct storvsp *s;
	struct storvsp_channel *next;
	unsigned int in_flight;
	unsigned int waiting;		/* completions that faults hold */
	uint64_t held;
	bool paused;
	bool draining;
};

/**
 * struct storvsp_reply - what a packet of the guest will be answered with
 * @len: of the packet: 48 or 64; the completion is as long
 * @pkt: the packet, which becomes the completion
 * @fault: how it is spoilt: a reference, or NULL
 * @soon: the completion may wait for others
 * @room: for sense data, where @fault gives some after the transfer
 */
struct storvsp_reply {
	struct storvsp_channel *sc;
	uint64_t trans_id;
	uint32_t len;
	struct storvsp_packet pkt;
	struct fault *fault;
	uint8_t room;
	bool soon;
};

/* A reset waits for the I/O that was there before it; one at a time */
struct storvsp_reset {
	bool pending;
	struct storvsp_reply reply;
};

/**
 * struct storvsp_report - what the initialisation says, true or not
 * @max_version: newest version that is taken
 * @max_transfer: bytes, as the properties say it
 * @channels: subchannels, as the properties say it
 * @offered: subchannels that are offered at most, whatever the guest asks for
 */
struct storvsp_report {
	unsigned int max_version;
	uint32_t max_transfer;
	uint32_t channels;
	uint32_t offered;
};

/**
 * struct storvsp - a controller
 * @ide: one disk, whose place on its bus the instance GUID says
 * @coalesce: how long completions may wait, ns: channel_moderate()
 * @configured: the initialisation as the options want it
 * @report: as it is now
 * @last_packet: when the guest asked something, loop_now()
 * @announce: an ENUMERATE_BUS did not fit
 * @removed: LUNs of options that a command has taken away
 * @spare: requests to be used again
 * @cmd, @param: scratch, used inside one callback
 */
struct storvsp {
	struct device dev;
	bool ide;
	unsigned int ide_path, ide_target;
	uint32_t max_transfer;
	uint64_t coalesce;
	struct storvsp_report configured, report;
	enum storvsp_state state;
	unsigned int version;
	struct channel *primary;
	struct storvsp_channel *channels;
	struct storvsp_reset reset;
	uint64_t last_packet;
	bool announce;
	unsigned int in_flight;
	struct lun *luns[SCSI_MAX_LUNS];
	struct scsi_luns present, removed;
	struct storvsp_faults faults;
	struct storvsp_request *spare;
	struct scsi_command cmd;
	uint8_t param[SCSI_PARAM_MAX];
};

/* A command that does I/O */
struct storvsp_request;

/**
 * struct storvsp_saved - what survives a worker
 * @lun: SAVED_* of storvsp_state.c
 */
struct storvsp_saved {
	struct storvsp_report report;
	uint32_t state, version;
	uint8_t announce;
	uint8_t lun[SCSI_MAX_LUNS];
};

static inline struct storvsp *to_storvsp(struct device *dev)
{
	return container_of(dev, struct storvsp, dev);
}

/* --- storvsp.c ------------------------------------------------------------ */

extern struct device_kind storvsp_kind, storvsp_ide_kind;

/**
 * storvsp_announce() - tell the guest that LUNs came or went
 */
void storvsp_announce(struct storvsp *s);

/**
 * storvsp_reset_finish() - end a reset whose I/O has ended
 */
void storvsp_reset_finish(struct storvsp *s);

/* --- storvsp_io.c --------------------------------------------------------- */

/**
 * storvsp_reply_init() - what @pkt is to be answered with
 */
void storvsp_reply_init(struct storvsp_reply *reply,
			struct storvsp_channel *sc, const struct packet *pkt,
			const struct storvsp_packet *vp);

/**
 * storvsp_complete() - answer; faults get their chance
 * @status: STORVSP_STATUS_*
 */
void storvsp_complete(struct storvsp_reply *reply, uint32_t status);

/**
 * storvsp_complete_srb() - end a command whose outcome is an SRB status alone
 * storvsp_fill_srb() - make that completion, and do not send it
 */
void storvsp_complete_srb(struct storvsp_reply *reply, uint8_t srb_status);
void storvsp_fill_srb(struct storvsp_reply *reply, uint8_t srb_status);

/**
 * storvsp_scatter() - into the memory that a packet names, which is large enough
 * storvsp_gather() - out of it
 */
void storvsp_scatter(const struct packet *pkt, const uint8_t *data, size_t len);
void storvsp_gather(const struct packet *pkt, uint8_t *data, size_t len);

/**
 * storvsp_execute() - EXECUTE_SRB
 */
void storvsp_execute(struct storvsp *s, struct storvsp_channel *sc,
		     const struct packet *pkt, struct storvsp_packet *vp);

/**
 * storvsp_update_pauses() - read the channels, or not, as it is due
 */
void storvsp_update_pauses(struct storvsp *s);

/* For faults: a request whose I/O has not begun */

struct storvsp_reply *storvsp_request_reply(struct storvsp_request *r);
struct lun *storvsp_request_lun(const struct storvsp_request *r);

/**
 * storvsp_request_start() - begin the I/O now
 */
void storvsp_request_start(struct storvsp_request *r);

/**
 * storvsp_request_free() - there will be no I/O; its reply was copied
 */
void storvsp_request_free(struct storvsp_request *r);

/**
 * storvsp_free_spares() - the controller goes
 */
void storvsp_free_spares(struct storvsp *s);

/* --- storvsp_order.c ------------------------------------------------------- */

/**
 * storvsp_order_add() - a request comes that changes bytes from @begin to @end
 *
 * Return: whether it may begin now.
 */
bool storvsp_order_add(struct lun *lun, struct storvsp_order *o, uint64_t begin,
		       uint64_t end);

/**
 * storvsp_order_del() - it has ended
 * storvsp_order_next() - one that may begin now; to be asked until it is NULL
 */
void storvsp_order_del(struct lun *lun, struct storvsp_order *o);
struct storvsp_order *storvsp_order_next(struct lun *lun);

/* --- storvsp_state.c ------------------------------------------------------- */

void storvsp_save(struct device *dev, void *state);
int storvsp_restore(struct device *dev, const void *state);

/**
 * storvsp_keep_option() - a disk is added by a command with these options
 *
 * Return: 0, or -EINVAL with the reason in @err.
 */
int storvsp_keep_option(struct storvsp *s, unsigned int number,
			const char *option, struct text *err);

/* --- storvsp_disk.c ------------------------------------------------------- */

extern const struct device_option storvsp_options[], storvsp_ide_options[];
extern const struct device_command storvsp_commands[];

/**
 * storvsp_find() - a controller by its name, of either kind
 */
struct storvsp *storvsp_find(struct bus *bus, const char *id,
			     struct text *err);

/**
 * storvsp_report_option() - one item of what the initialisation reports
 *
 * Return: 0; -ENOENT if @name is none; -EINVAL with the reason in @err.
 */
int storvsp_report_option(struct storvsp_report *report, const char *name,
			  const char *value, struct text *err);

/**
 * storvsp_attach() - add the disk that an option describes
 * storvsp_detach() - take one away, whose I/O has ended
 */
int storvsp_attach(struct bus *bus, const char *option, struct text *err);
void storvsp_detach(struct storvsp *s, unsigned int number);

void storvsp_status(struct device *dev, struct text *out);
void storvsp_destroy(struct device *dev);

#endif
