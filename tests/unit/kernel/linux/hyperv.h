/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as ring_api.c, host_state.c and handover.h need, for unit tests
 * of them in user space. Fields and functions have the names and meanings that they have in the
 * kernel's header of this name, which says what they are; the compiler checks
 * the real layout when the module is built.
 */
#ifndef TEST_LINUX_HYPERV_H
#define TEST_LINUX_HYPERV_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "ring_env.h"

#define kvec			iovec
#define KBUILD_MODNAME		"test"
#define PAGE_SHIFT		12
#define PAGE_SIZE		(1u << PAGE_SHIFT)
#define __aligned(n)		__attribute__((aligned(n)))
#define likely(x)		(x)
#define unlikely(x)		(x)
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))
#define struct_size(p, member, n) \
	(sizeof(*(p)) + sizeof((p)->member[0]) * (n))

typedef struct { bool held; } spinlock_t;
struct mutex { bool held; };
struct reciprocal_value { u32 of; };
struct page { u8 bytes[PAGE_SIZE]; };

#define mutex_init(m)		((m)->held = false)
#define mutex_lock(m)		((m)->held = true)
#define mutex_unlock(m)		((m)->held = false)
#define DEFINE_SPINLOCK(name)	spinlock_t name
#define spin_lock_init(l)	((l)->held = false)
#define spin_is_locked(l)	((l)->held)
#define spin_lock_irq(l) \
	((l)->held ? abort() : (void)((l)->held = true))
#define spin_unlock_irq(l)	((l)->held = false)
#define spin_lock_irqsave(l, flags) \
	((flags) = 0, (l)->held ? abort() : (void)((l)->held = true))
#define spin_unlock_irqrestore(l, flags) \
	((void)(flags), (l)->held = false)

#define GFP_KERNEL		0
#define VM_MAP			0
#define PAGE_KERNEL		0
#define kvzalloc(size, gfp)	calloc(1, size)
#define kvmalloc_array(n, size, gfp) calloc(n, size)
#define kvfree(p)		free(p)

extern unsigned int test_logged;
#define pr_err_ratelimited(fmt, ...) do {				\
	test_logged++;							\
	if (getenv("VERBOSE"))						\
		printf("# " pr_fmt(fmt), ##__VA_ARGS__);		\
} while (0)

#define pr_err			pr_err_ratelimited

void *vmap(struct page **pages, unsigned int count, unsigned long flags,
	   int prot);
void vunmap(void *addr);

static inline struct reciprocal_value reciprocal_value(u32 d)
{
	return (struct reciprocal_value) { d };
}

struct hv_ring_buffer {
	u32 write_index;
	u32 read_index;
	u32 interrupt_mask;
	u32 pending_send_sz;
	u32 reserved1[12];
	union { u32 value; } feature_bits;
	u8 reserved2[PAGE_SIZE - 68];
	u8 buffer[];
};

struct hv_ring_buffer_info {
	struct hv_ring_buffer *ring_buffer;
	u32 ring_size;
	struct reciprocal_value ring_size_div10_reciprocal;
	spinlock_t ring_lock;
	u32 ring_datasize;
	u32 priv_read_index;
	struct mutex ring_buffer_mutex;
	void *pkt_buffer;
	u32 pkt_buffer_size;
};

struct hv_ring_buffer_debug_info {
	u32 current_interrupt_mask;
	u32 current_read_index;
	u32 current_write_index;
	u32 bytes_avail_toread;
	u32 bytes_avail_towrite;
};

struct vmpacket_descriptor {
	u16 type;
	u16 offset8;
	u16 len8;
	u16 flags;
	u64 trans_id;
} __attribute__((packed));

#define VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED	1
#define VMBUS_NO_RQSTOR		UINT64_MAX
#define VMBUS_RQST_ERROR	(UINT64_MAX - 1)

enum hv_callback_mode {
	HV_CALL_BATCHED,
	HV_CALL_DIRECT,
	HV_CALL_ISR
};

struct tasklet_struct { int disabled; };

struct vmbus_requestor {
	u64 *req_arr;
	unsigned long *req_bitmap;
	u32 size;
};

struct vmbus_channel {
	struct { u32 child_relid; } offermsg;
	bool rescind;
	struct hv_ring_buffer_info outbound, inbound;
	u64 intr_out_empty, intr_in_full, out_full_total, out_full_first;
	bool out_full_flag;
	u64 (*next_request_id_callback)(struct vmbus_channel *channel, u64 addr);
	u64 (*request_addr_callback)(struct vmbus_channel *channel, u64 id);
	void (*change_target_cpu_callback)(struct vmbus_channel *channel,
					   u32 old, u32 new);
	void (*chn_rescind_callback)(struct vmbus_channel *channel);
	void (*sc_creation_callback)(struct vmbus_channel *channel);
	void (*onchannel_callback)(void *context);
	struct tasklet_struct callback_event;
	spinlock_t sched_lock;
	enum hv_callback_mode callback_mode;
	void *per_channel_state;
	u32 rqstor_size, max_pkt_size;
	struct vmbus_requestor requestor;
	bool low_latency;
};

static inline void set_channel_read_mode(struct vmbus_channel *c,
					 enum hv_callback_mode mode)
{
	c->callback_mode = mode;
}

static inline void set_per_channel_state(struct vmbus_channel *c, void *state)
{
	c->per_channel_state = state;
}

void vmbus_set_sc_create_callback(struct vmbus_channel *channel,
				  void (*callback)(struct vmbus_channel *sub));
void vmbus_set_chn_rescind_callback(struct vmbus_channel *channel,
				    void (*callback)(struct vmbus_channel *c));

void vmbus_setevent(struct vmbus_channel *channel);

int hv_ringbuffer_get_debuginfo(struct hv_ring_buffer_info *ring_info,
				struct hv_ring_buffer_debug_info *debug_info);
bool hv_ringbuffer_spinlock_busy(struct vmbus_channel *channel);
struct vmpacket_descriptor *hv_pkt_iter_first(struct vmbus_channel *channel);
struct vmpacket_descriptor *
__hv_pkt_iter_next(struct vmbus_channel *channel,
		   const struct vmpacket_descriptor *pkt);
void hv_pkt_iter_close(struct vmbus_channel *channel);

#endif
