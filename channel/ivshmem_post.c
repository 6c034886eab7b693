// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shared-memory transport towards the host: doorbells, signals, and messages
 * in the post queue.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <asm/sync_bitops.h>

#include "transport_ivshmem.h"

/* How long to wait for a poster that may be stopped for good, microseconds */
#define IVSHMEM_OOPS_US		10000

void ivshmem_ring(struct ivshmem *iv, u32 vector)
{
	this_cpu_inc(iv->stats->doorbells);
	writel(iv->host_peer << 16 | vector, iv->regs + SYNTHIO_IVSHMEM_DOORBELL);
}

/*
 * Rings the host if it sleeps; called after what the host is to see was written. The
 * barrier pairs with the one between need_kick = 1 and the host's last check for work:
 * without both, each side could execute its read before its write, and the host would
 * sleep although there is work. virt_mb() is used because the other side is not one of
 * this kernel's CPUs: smp_mb() is patched out on a guest with one CPU.
 */
static void ivshmem_kick(struct ivshmem *iv, u32 vector)
{
	/* see above: prevents the lost wake-up */
	virt_mb();
	if (READ_ONCE(iv->control->need_kick[vector]))
		ivshmem_ring(iv, vector);
}

void ivshmem_signal_event(struct transport *t, u32 connection_id)
{
	struct ivshmem *iv = to_ivshmem(t);

	if (!READ_ONCE(iv->attached))
		return;
	if (connection_id > SYNTHIO_MAX_CONNECTION_ID) {
		dev_err_ratelimited(t->dev, "no signal flag for connection %#x\n",
				    connection_id);
		return;
	}
	this_cpu_inc(iv->stats->signals);
	/*
	 * Pairs with the host's exchange of the word: a host that takes the bit sees
	 * the ring as it was when the bit was set. Outside of x86 the atomic
	 * operation alone does not order memory.
	 */
	virt_mb__before_atomic();
	sync_set_bit(connection_id, iv->signal);
	ivshmem_kick(iv, connection_id % iv->host_vectors);
}

void ivshmem_end_of_message(struct transport *t, unsigned int cpu)
{
	struct ivshmem *iv = to_ivshmem(t);

	if (!READ_ONCE(iv->attached))
		return;
	/* only the guest writes the counter, so an ordinary atomic suffices */
	atomic_inc((atomic_t *)&iv->control->eom);
	ivshmem_kick(iv, 0);
}

/* Put one message into the queue; the lock is the caller's */
static int ivshmem_put(struct ivshmem *iv, u32 connection_id, u32 type,
		       const void *payload, size_t len)
{
	struct synthio_control *control = iv->control;
	struct synthio_post *slot;
	u32 used;

	/*
	 * Pairs with the host's release of post_cons: a slot is written again
	 * only after the host has read what was in it.
	 */
	used = iv->post_prod - virt_load_acquire(&control->post_cons);
	if (used > SYNTHIO_POST_SLOTS) {
		iv->broken = true;
		return -ENODEV;
	}
	if (used == SYNTHIO_POST_SLOTS)
		return -EAGAIN;

	slot = &iv->post[iv->post_prod % SYNTHIO_POST_SLOTS];
	slot->connection_id = connection_id;
	slot->message_type = type;
	slot->payload_size = len;
	slot->reserved = 0;
	memcpy(slot->payload, payload, len);
	memset(slot->payload + len, 0, sizeof(slot->payload) - len);
	/*
	 * Pairs with the host's acquire of post_prod: it must not see the
	 * count before the message.
	 */
	virt_store_release(&control->post_prod, ++iv->post_prod);
	return 0;
}

/*
 * After an oops the holder of the lock may be this very CPU, and after a panic one that
 * was stopped. The lock is then waited for only for a while, and the message is posted
 * without it after that: a slot is announced only when it is complete, so at worst the
 * incomplete message of an interrupted poster is overwritten.
 */
static int ivshmem_put_after_oops(struct ivshmem *iv, u32 connection_id,
				  u32 type, const void *payload, size_t len)
{
	unsigned int tries;
	int ret;

	for (tries = 0; tries < IVSHMEM_OOPS_US; tries++) {
		if (raw_spin_trylock(&iv->post_lock)) {
			ret = ivshmem_put(iv, connection_id, type, payload, len);
			raw_spin_unlock(&iv->post_lock);
			return ret;
		}
		udelay(1);
	}
	return ivshmem_put(iv, connection_id, type, payload, len);
}

int ivshmem_post_message(struct transport *t, u32 connection_id,
				u32 type, const void *payload, size_t len)
{
	struct ivshmem *iv = to_ivshmem(t);
	unsigned long flags;
	int ret;

	if (len > SYNTHIO_POST_PAYLOAD)
		return -EINVAL;
	if (!READ_ONCE(iv->attached) || READ_ONCE(iv->broken))
		return -ENODEV;

	local_irq_save(flags);
	if (unlikely(oops_in_progress)) {
		ret = ivshmem_put_after_oops(iv, connection_id, type, payload,
					     len);
	} else {
		raw_spin_lock(&iv->post_lock);
		ret = ivshmem_put(iv, connection_id, type, payload, len);
		raw_spin_unlock(&iv->post_lock);
	}
	local_irq_restore(flags);

	if (ret == -ENODEV) {
		dev_err(t->dev, "host took more messages than were posted\n");
		return ret;
	}
	if (ret)
		this_cpu_inc(iv->stats->posts_full);
	else
		this_cpu_inc(iv->stats->posts);
	/* also when the queue is full: the host may not have noticed the messages */
	ivshmem_kick(iv, 0);
	return ret;
}
