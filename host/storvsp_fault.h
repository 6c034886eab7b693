/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a disk controller does wrong on purpose: faults that the command `fault`
 * of the control socket sets, each for commands that it selects. A command that
 * matches a fault keeps a reference to it until its end, so clearing faults
 * changes nothing for those that have met them.
 *
 * A completion can be held: lost until somebody releases it, or late. Its
 * transfer is done before or after that. None of it outlives the channel: a
 * drain ends what is late, and what is lost, without any transfer.
 */
#ifndef SYNTHHOST_STORVSP_FAULT_H
#define SYNTHHOST_STORVSP_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"

struct fault;
struct held;
struct lun;
struct storvsp;
struct storvsp_channel;
struct storvsp_reply;
struct storvsp_request;

/**
 * struct storvsp_faults - those of a controller
 * @list: in the order in which they were given
 * @held: completions that are lost or late
 */
struct storvsp_faults {
	struct fault *list;
	struct held *held;
};

#define FAULT_ARGS \
	"help | CTRL KIND [key=value...] | CTRL list | CTRL clear | CTRL release"
#define FAULT_HELP \
	"spoil answers of a disk controller on purpose; `fault help` lists the kinds"

/**
 * fault_command() - the command `fault`
 */
int fault_command(struct bus *bus, int argc, char **argv, struct text *out);

/**
 * fault_delay() - a fault that makes each completion late
 * @us: microseconds
 *
 * Return: a reference, or NULL.
 */
struct fault *fault_delay(unsigned int us);
void fault_put(struct fault *f);

/**
 * fault_select() - find the fault for a command, and count it
 * @lun: NULL: there is none
 *
 * Sets @reply->fault.
 */
void fault_select(struct storvsp *s, struct storvsp_reply *reply,
		  const struct lun *lun, const struct packet *pkt);

/**
 * fault_select_step() - the same for another operation than EXECUTE_SRB
 */
void fault_select_step(struct storvsp *s, struct storvsp_reply *reply);

/**
 * fault_answers() - answer a command without looking at it, if the fault says so
 * @pkt: where data for the guest goes; may be NULL
 *
 * Return: true: it is done.
 */
bool fault_answers(struct storvsp_reply *reply, const struct packet *pkt);

/**
 * fault_holds() - hold a request before its I/O, if its fault says so
 *
 * Return: true: storvsp_request_start() or storvsp_request_abort() follows.
 */
bool fault_holds(struct storvsp *s, struct storvsp_request *r);

/**
 * fault_completes() - send a completion as its fault wants it
 *
 * Drops the reference of @reply.
 */
void fault_completes(struct storvsp_reply *reply);

/**
 * fault_busy() - whether something late is still to come on a channel
 */
bool fault_busy(const struct storvsp *s, const struct storvsp_channel *sc);

/**
 * fault_end_late() - complete what is late now; what is held does no I/O any more
 * @sc: of this channel; NULL: of all
 * @srb_status: of requests whose I/O was still to come
 */
void fault_end_late(struct storvsp *s, const struct storvsp_channel *sc,
		    uint8_t srb_status);

/**
 * fault_forget() - drop all that is held on a channel, without a word
 */
void fault_forget(struct storvsp *s, const struct storvsp_channel *sc);

/**
 * fault_lun_gone() - do no I/O for this LUN any more
 */
void fault_lun_gone(struct storvsp *s, const struct lun *lun);

/**
 * fault_clear() - no faults any more; what is held stays
 */
void fault_clear(struct storvsp *s);

void fault_status(const struct storvsp *s, struct text *out);

#endif
