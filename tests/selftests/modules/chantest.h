/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the test device's client share.
 */
#ifndef SYNTHIO_CHANTEST_H
#define SYNTHIO_CHANTEST_H

#include <linux/hyperv.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <synthio/testdev.h>

#define CT_MAX_DATA		16384u
#define CT_MAX_PACKET		(CT_MAX_DATA + 256)
#define CT_MAX_SUB		8

/* Request ids: anything but what the API keeps for itself */
#define CT_ID_SINGLE		0x51a7e000ULL
#define CT_ID_SERIES		0x5e41e500000000ULL

/* What an in-band packet from the host is expected to be */
enum ct_expect {
	EXPECT_NOTHING,
	EXPECT_ECHO,
	EXPECT_SERIES,
};

/**
 * struct ct_channel - one opened channel
 * @vc: the channel
 * @mode: how it calls back
 * @copy: read with vmbus_recvpacket_raw() instead of in place
 * @drain: reads it, in ISR mode
 * @buffer: where packets are copied to
 * @paused: leave the ring alone (ISR mode)
 * @blocked: the reader pauses so that the host can't go on; it is set free as
 *	soon as our ring is full
 * @lock: protects what follows
 * @expect: see enum ct_expect
 * @data_len: length of the echo, or of each packet of a series
 * @seed: of the echo's pattern
 * @received: in-band packets as expected so far
 * @completed: completions as expected so far
 * @completion_id: request id of the last completion
 * @series_ids: completions are those of a series
 * @echo_trans: transaction id of the last echo
 * @rsp: what the last completion said
 * @rsp_len: how much of @rsp came
 * @wrong: packets that were not what was expected
 * @why: about the first of them
 * @packets: packets read
 * @callbacks: how often the channel called back
 * @callback_cpu: where it did last
 * @sink_next: sequence number of the next SINK packet, since the opening
 */
struct ct_channel {
	struct vmbus_channel *vc;
	enum hv_callback_mode mode;
	bool copy;
	struct work_struct drain;
	void *buffer;
	bool paused;
	bool blocked;
	spinlock_t lock;	/* of all below */
	enum ct_expect expect;
	u32 data_len;
	u64 seed;
	u32 received;
	u32 completed;
	u64 completion_id;
	bool series_ids;
	u64 echo_trans;
	struct synthio_test_rsp rsp;
	u32 rsp_len;
	u32 wrong;
	char why[96];
	u32 packets;
	u32 callbacks;
	unsigned int callback_cpu;
	u64 sink_next;
};

struct ct_device {
	struct hv_device *hv;
	bool gone;
	bool reopen;
	const char *litter;
	u32 ring;
	u32 rqstor;
	enum hv_callback_mode mode;
	bool copy;
	struct ct_channel *primary;
	struct mutex sub_lock;		/* the sub-channels */
	bool closing;
	unsigned int nr_subs;
	int sub_error;
	struct ct_channel *subs[CT_MAX_SUB];
};

struct ct_args {
	int n;
	char *v[8];
};

/**
 * struct ct_command - one command
 * @name: its first word
 * @opened: wants an opened channel
 * @closed: wants a closed one
 * @run: runs it; the lock is held. Returns 0 or a negative errno
 * @help: what follows the name
 */
struct ct_command {
	const char *name;
	bool opened;
	bool closed;
	int (*run)(struct ct_device *dev, struct ct_args *a);
	const char *help;
};

/* Each ends with an empty one */
extern const struct ct_command ct_manage[], ct_traffic[], ct_memory[],
			       ct_hostile[];

/* chantest_main.c */

/* How long the host may take to answer */
extern unsigned int ct_timeout_ms;
/* Everything that a command may wait for: there is one command at a time */
extern wait_queue_head_t ct_wait;

/* Say what the command found, and take that back */
__printf(1, 2) void ct_say(const char *fmt, ...);
void ct_forget(void);
/* Word @i of a command as a number; @missing if there are fewer */
int ct_number(const struct ct_args *a, int i, u32 missing, u32 *value);
/* Run a command from within another one */
int ct_run_locked(struct ct_args *a);

/* chantest_manage.c */

/* What is in the channel that a driver has to have set; NULL if it is as new */
const char *ct_litter_in(const struct vmbus_channel *vc);

/* chantest_channel.c */

void ct_fill(u8 *p, u32 len, u64 seed);
/* Whether it is what ct_fill() makes; @at: the first byte that is not */
bool ct_is_pattern(const u8 *p, u32 len, u64 seed, u32 *at);
/* Leave the ring alone, or no longer */
void ct_pause(struct ct_channel *c, bool pause);
/* The same, until our own ring is full */
void ct_block(struct ct_channel *c, bool block);
int ct_open(struct ct_device *dev);
/* Harmless if it is not open */
void ct_close(struct ct_device *dev);

/* chantest_request.c */

bool ct_dead(struct ct_device *dev, struct ct_channel *c);
/* Forget what came, and say what is to come; see struct ct_channel */
void ct_expect(struct ct_channel *c, enum ct_expect expect, u32 data_len,
	       u64 seed, bool series_ids);
/* Wait for so many in-band packets and completions since ct_expect() */
int ct_wait_counts(struct ct_device *dev, struct ct_channel *c, u32 received,
		   u32 completed);
/* Whether the last completion is that of a single request, and good */
int ct_check_rsp(struct ct_channel *c, u32 op);
int ct_send(struct ct_device *dev, struct ct_channel *c, void *buf, u32 len,
	    u64 id, u64 *trans, bool complete, u32 *waits);
/* Room for a request with @len bytes of data; to kvfree() */
struct synthio_test_req *ct_request(u32 op, u32 arg0, u32 arg1, u32 len);
/* One request and its completion */
int ct_call(struct ct_device *dev, struct ct_channel *c, u32 op, u32 arg0,
	    u32 arg1, const void *data, u32 len);
int ct_echo_one(struct ct_device *dev, struct ct_channel *c, u32 size);

#endif
