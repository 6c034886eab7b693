/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bus and a guest for the reference host's disk controller: requests go
 * straight to its callbacks, real files are behind it, and the real loop
 * carries the I/O. Guest memory is heap memory of exactly the size that a
 * packet names, so that the address sanitizer guards it.
 */
#ifndef TEST_FAKE_STORVSP_H
#define TEST_FAKE_STORVSP_H

#include <synthio/storvsp.h>

#include "../host/device.h"
#include "../host/profile.h"

#define SIZE		(8u << 20)
#define DATA_MAX	(2u << 20)
#define LOG_MAX		64

struct bus {
	struct loop *loop;
	struct device *dev;
	const struct host_profile *profile;	/* NULL: the default */
};

struct channel {
	struct device *dev;
	unsigned int index;
	void *private;
	bool paused, errored;
	char why[200];
	unsigned int completions, sent, injected;
	uint64_t trans_id;
	uint64_t ids[LOG_MAX];		/* of completions, in order */
	uint32_t len;
	struct storvsp_packet last, note;
	int send_result;
	unsigned int pending;
	uint64_t moderate_ns;
};

extern struct bus bus;
extern struct channel chan, sub;
extern struct device_kind *kind, *ide_kind;
extern unsigned int offered;
extern struct text why;
extern char dir[64], file[96];
extern bool no_direct;
extern uint8_t buffer[DATA_MAX];

/* An option or a command; what it says is in why */
int option(const char *name, const char *arg);
int command(const char *line);
/* --disk of the file on c0 */
int disk(const char *options);

/* A controller, a disk unless NULL, an open channel; and their end */
void begin(const char *scsi, const char *disk_options);
void end(void);

/* One packet, with transaction id post_id */
extern uint64_t post_id;
void post(struct channel *ch, enum packet_type type, const void *payload,
	  uint32_t len, const struct iovec *iov, unsigned int count);

/* Until n completions came on both channels, or an error */
void wait_answer(unsigned int n);

/* An operation without data on the primary channel; its status */
uint32_t simple(uint32_t op, const struct storvsp_packet *with);
void negotiate(uint16_t version);

struct storvsp_packet srb(const uint8_t *cdb, unsigned int cdb_len,
			  uint8_t lun, uint8_t dir_in, uint32_t bytes);

/* An SRB with bytes of memory at data, offset behind a page's start */
void execute_on(struct channel *ch, const struct storvsp_packet *p,
		uint8_t *data, uint32_t bytes, unsigned int offset, bool in);

/* A command on LUN 1, data in buffer; 1: GOOD */
bool execute(const uint8_t *cdb, unsigned int cdb_len, uint8_t dir_in,
	     uint32_t bytes, unsigned int offset);
bool rw10(uint8_t op, uint8_t flags, uint32_t lba, uint16_t blocks,
	  uint32_t sector, unsigned int offset);

/* Whether the last completion has this sense data, and moved nothing */
bool sense(uint8_t key, unsigned int asc);

/* What is in buffer */
void fill(unsigned int seed, uint32_t bytes);
bool filled(unsigned int seed, uint32_t bytes);
bool zeroes(uint32_t bytes);

void make_file(const char *in, uint32_t size);
void remove_file(void);

#endif
