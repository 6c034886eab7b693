// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shared-memory transport: an ivshmem-doorbell PCI function of QEMU whose
 * peer speaks VMBus. docs/ivshmem-transport.md is the protocol, and
 * <synthio/ivshmem.h> its formats.
 *
 * Who may still be inside, and when pages go:
 *
 *   interrupt handlers and their cross-calls look at @live first. It is cleared,
 *   then ivshmem_free_irqs() frees the interrupts, waits for the last cross-call,
 *   and then for a grace period: nobody is in connection_interrupt() after that.
 *   With PREEMPT_RT that only wakes threads, which are gone from the pages when
 *   connection_detach() has returned.
 *
 *   posts and signals come from the channel, which has none in flight once
 *   connection_detach() has returned. @attached refuses those that a device
 *   still sends after connection_shutdown() or ivshmem_quiesce().
 *
 *   the host writes message, event and control pages until it has answered
 *   DETACH. Without that answer they are never given back.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <asm/sync_bitops.h>

#include <synthio/ivshmem.h>

#include "transport.h"

#define IVSHMEM_DRIVER		"synth_ivshmem"
#define IVSHMEM_BAR_REGS	0
#define IVSHMEM_BAR_SHARED	2
#define IVSHMEM_REGS_SIZE	16

/* How long a command may take; less where the host is known to be gone */
#define IVSHMEM_COMMAND_MS	5000
#define IVSHMEM_COMMAND_GONE_MS	500

/* How long a poster is waited for that may never go on, microseconds */
#define IVSHMEM_OOPS_US		10000

/* So many heartbeats missed in a row, and the host counts as gone */
#define IVSHMEM_BEATS		5

/* TLFS: a message slot, and one SINT's set of event flags */
#define IVSHMEM_SLOT_SIZE	256
#define IVSHMEM_FLAG_WORDS	(256 / sizeof(unsigned long))

enum ivshmem_cookie {
	COOKIE_LOW,
	COOKIE_HIGH,
	COOKIES
};

static_assert(COOKIES <= SYNTHIO_MAX_COOKIES);

/**
 * struct ivshmem_vp - one virtual processor
 * @iv: the transport
 * @cpu: the CPU behind it
 * @message: SIMP-format page
 * @event: SIEFP-format page
 * @csd: carries an interrupt on to @cpu
 * @called: @csd is queued and has not begun to run
 * @turns: how many want connection_interrupt() for this VP; who makes it
 *	non-zero runs it for all of them
 */
struct ivshmem_vp {
	struct ivshmem *iv;
	unsigned int cpu;
	void *message;
	void *event;
	call_single_data_t csd;
	atomic_t called;
	atomic_t turns;
};

struct ivshmem_vector {
	struct ivshmem *iv;
	unsigned int index;
	int irq;
	u64 interrupts;
};

struct ivshmem_stats {
	u64 signals;
	u64 doorbells;
	u64 posts;
	u64 posts_full;
	u64 forwarded;
};

/**
 * struct ivshmem - the transport's state
 * @t: what the channel sees
 * @pdev: the function
 * @regs: BAR 0
 * @boot: first page of BAR 2
 * @command_lock: one command at a time
 * @attached: the host takes posts and signals
 * @live: interrupts are passed to the channel
 * @gone: the heartbeat watch has given the host up
 * @broken: the host wrote nonsense into the control page: trusted no more
 * @exposed: the host may write our pages: not so before the first ATTACH and
 *	after an answered DETACH
 * @host_peer: its ivshmem id
 * @host_vectors: doorbell vectors that it listens on
 * @control: hot words
 * @post: the post queue, SYNTHIO_POST_SLOTS slots
 * @signal: signal flags, by connection id
 * @cookies: one page each
 * @post_lock: guards @post and @post_prod
 * @post_prod: the guest's own count; the shared word is only a copy of it
 * @stats: counters
 * @watch: looks at the heartbeat
 * @watch_last: jiffies when @watch last ran
 * @watch_beat: heartbeat that it saw then
 * @watch_irqs: interrupts that had come by then
 * @watch_missed: beats missed in a row
 * @nr_vectors: MSI-X vectors in use
 * @vectors: of them
 * @vp_of_cpu: VP index for each CPU number, -1 for none
 * @nr_vps: how many virtual processors there are
 * @vps: of them
 */
struct ivshmem {
	struct transport t;
	struct pci_dev *pdev;
	void __iomem *regs;
	struct synthio_bootstrap __iomem *boot;
	struct mutex command_lock;	/* a command and its answer */
	bool attached;
	bool live;
	bool gone;
	bool broken;
	bool exposed;
	u32 host_peer;
	u32 host_vectors;
	struct synthio_control *control;
	struct synthio_post *post;
	unsigned long *signal;
	u64 *cookies[COOKIES];
	raw_spinlock_t post_lock;
	u32 post_prod;
	struct ivshmem_stats __percpu *stats;
	struct delayed_work watch;
	unsigned long watch_last;
	u32 watch_beat;
	u64 watch_irqs;
	unsigned int watch_missed;
	unsigned int nr_vectors;
	struct ivshmem_vector vectors[SYNTHIO_MAX_VPS];
	int *vp_of_cpu;
	unsigned int nr_vps;
	struct ivshmem_vp vps[];
};

static DEFINE_MUTEX(ivshmem_instance_lock);
static struct ivshmem *ivshmem_instance;
static int ivshmem_cpuhp_state;

static struct ivshmem *to_ivshmem(struct transport *t)
{
	return container_of(t, struct ivshmem, t);
}

static struct ivshmem_vp *ivshmem_vp(struct ivshmem *iv, unsigned int cpu)
{
	if (cpu >= nr_cpu_ids || iv->vp_of_cpu[cpu] < 0)
		return NULL;
	return &iv->vps[iv->vp_of_cpu[cpu]];
}

/* Doorbells, signals and posted messages */

static void ivshmem_ring(struct ivshmem *iv, u32 vector)
{
	this_cpu_inc(iv->stats->doorbells);
	writel(iv->host_peer << 16 | vector, iv->regs + SYNTHIO_IVSHMEM_DOORBELL);
}

/*
 * What the host shall see has been written. The barrier pairs with the one
 * between need_kick = 1 and the host's last look at its work: without it our
 * read could pass our write, the host's read its own, and the host would
 * sleep on work that nobody tells it of. virt_mb(), because the other side is
 * not one of this kernel's CPUs: smp_mb() is patched out where there is one.
 */
static void ivshmem_kick(struct ivshmem *iv, u32 vector)
{
	/* see above: stops the lost wake-up */
	virt_mb();
	if (READ_ONCE(iv->control->need_kick[vector]))
		ivshmem_ring(iv, vector);
}

static void ivshmem_signal_event(struct transport *t, u32 connection_id)
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
	 * Pairs with the host's exchange of the word: whoever takes the bit sees
	 * what it tells of. Outside of x86 the operation has no order of its
	 * own, and the host would look at a ring from before the signal.
	 */
	virt_mb__before_atomic();
	sync_set_bit(connection_id, iv->signal);
	ivshmem_kick(iv, connection_id % iv->host_vectors);
}

static void ivshmem_end_of_message(struct transport *t, unsigned int cpu)
{
	struct ivshmem *iv = to_ivshmem(t);

	if (!READ_ONCE(iv->attached))
		return;
	/* Any CPU counts here, only the guest does: an ordinary atomic will do */
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
 * After an oops the holder of the lock may be this very CPU, and after a panic
 * one that stands still for good. The lock is then waited for a while and
 * done without: a slot is only announced when it is complete, so what an
 * interrupted poster left behind is at worst written over.
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

static int ivshmem_post_message(struct transport *t, u32 connection_id,
				u32 type, const void *payload, size_t len)
{
	struct ivshmem *iv = to_ivshmem(t);
	unsigned long flags;
	int ret;

	if (len > SYNTHIO_POST_PAYLOAD)
		return -EINVAL;
	if (!READ_ONCE(iv->attached) || READ_ONCE(iv->gone) ||
	    READ_ONCE(iv->broken))
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
	/* Also when it is full: nothing is lost by asking twice */
	ivshmem_kick(iv, 0);
	return ret;
}

/* Interrupts */

static bool ivshmem_vp_pending(const struct ivshmem_vp *vp)
{
	const u32 *type = vp->message + TRANSPORT_SINT * IVSHMEM_SLOT_SIZE;
	const unsigned long *flags = vp->event + TRANSPORT_SINT * 256;
	unsigned int i;

	if (READ_ONCE(*type))
		return true;
	for (i = 0; i < IVSHMEM_FLAG_WORDS; i++)
		if (READ_ONCE(flags[i]))
			return true;
	return false;
}

/*
 * One at a time for each VP. Normally they are anyway, but while its CPU goes
 * offline or comes back, both it and the vector's CPU may have come here.
 */
static void ivshmem_vp_interrupt(struct ivshmem_vp *vp)
{
	int turns;

	if (atomic_fetch_inc(&vp->turns))
		return;		/* whoever is at it looks once more */
	do {
		turns = atomic_read(&vp->turns);
		connection_interrupt(&vp->iv->t, vp->cpu);
	} while (atomic_sub_return(turns, &vp->turns));
}

static void ivshmem_vp_called(void *data)
{
	struct ivshmem_vp *vp = data;

	/*
	 * Fully ordered, as is the exchange of whoever finds us called already
	 * and goes away: what it had seen pending, we find below.
	 */
	atomic_xchg(&vp->called, 0);
	if (READ_ONCE(vp->iv->live))
		ivshmem_vp_interrupt(vp);
}

static void ivshmem_vp_forward(struct ivshmem_vp *vp)
{
	if (!ivshmem_vp_pending(vp) || atomic_xchg(&vp->called, 1))
		return;
	this_cpu_inc(vp->iv->stats->forwarded);
	if (!smp_call_function_single_async(vp->cpu, &vp->csd))
		return;
	/* It went offline just now */
	atomic_set(&vp->called, 0);
	ivshmem_vp_interrupt(vp);
}

/* PREEMPT_RT: threads look, each on its CPU, and one for each VP */
static void ivshmem_vp_wake(struct ivshmem_vp *vp)
{
	if (ivshmem_vp_pending(vp))
		connection_interrupt(&vp->iv->t, vp->cpu);
}

static irqreturn_t ivshmem_interrupt(int irq, void *data)
{
	struct ivshmem_vector *vector = data;
	struct ivshmem *iv = vector->iv;
	unsigned int cpu = smp_processor_id();
	struct ivshmem_vp *vp;
	unsigned int v;

	vector->interrupts++;
	if (!READ_ONCE(iv->live))
		return IRQ_HANDLED;
	for (v = vector->index; v < iv->nr_vps; v += iv->nr_vectors) {
		vp = &iv->vps[v];
		if (IS_ENABLED(CONFIG_PREEMPT_RT))
			ivshmem_vp_wake(vp);
		else if (vp->cpu != cpu && cpu_online(vp->cpu))
			ivshmem_vp_forward(vp);
		else
			ivshmem_vp_interrupt(vp);
	}
	return IRQ_HANDLED;
}

/* A CPU that comes back gets its vector back: nobody else would move it */
static int ivshmem_cpu_online(unsigned int cpu)
{
	struct ivshmem *iv;
	unsigned int i;

	mutex_lock(&ivshmem_instance_lock);
	iv = ivshmem_instance;
	for (i = 0; iv && i < iv->nr_vectors; i++)
		if (iv->vps[i].cpu == cpu && iv->vectors[i].irq)
			irq_set_affinity_and_hint(iv->vectors[i].irq,
						  cpumask_of(cpu));
	mutex_unlock(&ivshmem_instance_lock);
	return 0;
}

static void ivshmem_free_irqs(struct ivshmem *iv)
{
	unsigned int i, v;

	for (i = 0; i < iv->nr_vectors; i++) {
		if (!iv->vectors[i].irq)
			continue;
		irq_update_affinity_hint(iv->vectors[i].irq, NULL);
		free_irq(iv->vectors[i].irq, &iv->vectors[i]);
		iv->vectors[i].irq = 0;
	}
	pci_free_irq_vectors(iv->pdev);

	/* Cross-calls that were sent begin to run soon, and run unpreempted */
	for (v = 0; v < iv->nr_vps; v++)
		while (atomic_read(&iv->vps[v].called))
			cpu_relax();
	synchronize_rcu();
}

static int ivshmem_request_irqs(struct ivshmem *iv)
{
	int i, n, ret;

	n = pci_msix_vec_count(iv->pdev);
	if (n < 0) {
		dev_err(&iv->pdev->dev, "no MSI-X: %d\n", n);
		return n;
	}
	n = min_t(int, n, iv->nr_vps);
	n = pci_alloc_irq_vectors(iv->pdev, 1, n, PCI_IRQ_MSIX);
	if (n < 0) {
		dev_err(&iv->pdev->dev, "no interrupt vectors: %d\n", n);
		return n;
	}
	iv->nr_vectors = n;

	for (i = 0; i < n; i++) {
		iv->vectors[i].iv = iv;
		iv->vectors[i].index = i;
		ret = pci_irq_vector(iv->pdev, i);
		if (ret < 0)
			goto err;
		/*
		 * Not suspended: the channel stays up over suspend-to-idle,
		 * and for hibernation it is taken down in the noirq phase.
		 * Not threaded: with PREEMPT_RT connection_interrupt() has
		 * threads of its own, on the CPUs that channels are on.
		 */
		iv->vectors[i].irq = ret;
		ret = request_irq(ret, ivshmem_interrupt,
				  IRQF_NO_SUSPEND | IRQF_NO_THREAD,
				  IVSHMEM_DRIVER, &iv->vectors[i]);
		if (ret) {
			iv->vectors[i].irq = 0;
			goto err;
		}
		if (cpu_online(iv->vps[i].cpu))
			irq_set_affinity_and_hint(iv->vectors[i].irq,
						  cpumask_of(iv->vps[i].cpu));
	}
	return 0;

err:
	dev_err(&iv->pdev->dev, "interrupt vector %d: %d\n", i, ret);
	ivshmem_free_irqs(iv);
	return ret;
}

/* The bootstrap */

static int ivshmem_status_error(struct ivshmem *iv, u32 status)
{
	struct device *dev = &iv->pdev->dev;

	switch (status) {
	case SYNTHIO_OK:
		return 0;
	case SYNTHIO_ERR_ABI:
		dev_err(dev, "host refuses ABI version %u or its features\n",
			readl(&iv->boot->guest_abi_version));
		return -EPROTO;
	case SYNTHIO_ERR_COMMAND:
		dev_err(dev, "host does not know command %u\n",
			readl(&iv->boot->command));
		return -EPROTO;
	case SYNTHIO_ERR_GPA:
		dev_err(dev, "host finds an address of ours outside of the RAM that it was told of: check its RAM ranges\n");
		return -EFAULT;
	case SYNTHIO_ERR_COOKIE:
		dev_err(dev, "host does not find our cookies at %#llx and %#llx: the RAM ranges that it was told are not this guest's\n",
			(u64)virt_to_phys(iv->cookies[COOKIE_LOW]),
			(u64)virt_to_phys(iv->cookies[COOKIE_HIGH]));
		return -EFAULT;
	case SYNTHIO_ERR_COUNT:
		dev_err(dev, "host does not take %u CPUs on %u vectors\n",
			iv->nr_vps, iv->nr_vectors);
		return -E2BIG;
	default:
		dev_err(dev, "host answers with unknown status %u\n", status);
		return -EPROTO;
	}
}

/* Give a command, and wait for its answer for a bounded time */
static int ivshmem_command(struct ivshmem *iv, u32 command)
{
	unsigned int ms = iv->gone ? IVSHMEM_COMMAND_GONE_MS : IVSHMEM_COMMAND_MS;
	unsigned long end;
	u32 seq;

	mutex_lock(&iv->command_lock);
	/*
	 * The count goes on from where the host is. A command that it has not
	 * answered yet, ours or that of the kernel before us, is not to be
	 * taken for this one.
	 */
	seq = readl(&iv->boot->ack_seq) + 1;
	if (seq == readl(&iv->boot->command_seq))
		seq++;
	writel(command, &iv->boot->command);
	/*
	 * Pairs with the host's read barrier after command_seq: it must not
	 * see the new number with the old command.
	 */
	wmb();
	writel(seq, &iv->boot->command_seq);
	/* The same for the doorbell, which wakes a host that sleeps */
	wmb();
	ivshmem_ring(iv, 0);

	end = jiffies + msecs_to_jiffies(ms);
	while (readl(&iv->boot->ack_seq) != seq) {
		if (time_after(jiffies, end)) {
			mutex_unlock(&iv->command_lock);
			dev_err(&iv->pdev->dev,
				"host does not answer command %u within %u ms\n",
				command, ms);
			return -ETIMEDOUT;
		}
		usleep_range(1000, 2000);
	}
	/* Pairs with the host's write barrier between status and ack_seq */
	rmb();
	seq = readl(&iv->boot->status);
	mutex_unlock(&iv->command_lock);
	return ivshmem_status_error(iv, seq);
}

static bool ivshmem_has_magic(struct ivshmem *iv)
{
	return readq(&iv->boot->magic) == SYNTHIO_MAGIC;
}

/* Read the host's half of the bootstrap once, and check it */
static int ivshmem_read_host(struct ivshmem *iv)
{
	resource_size_t bar = pci_resource_start(iv->pdev, IVSHMEM_BAR_SHARED);
	resource_size_t len = pci_resource_len(iv->pdev, IVSHMEM_BAR_SHARED);
	struct device *dev = &iv->pdev->dev;
	u32 abi, peer, vectors, position;
	resource_size_t start;
	u64 offset, size;

	if (!ivshmem_has_magic(iv)) {
		dev_err(dev, "the host's bootstrap page has lost its magic\n");
		return -ENODEV;
	}
	abi = readl(&iv->boot->abi_version);
	peer = readl(&iv->boot->host_peer);
	vectors = readl(&iv->boot->host_vectors);
	offset = readq(&iv->boot->aperture_offset);
	size = readq(&iv->boot->aperture_size);
	position = readl(iv->regs + SYNTHIO_IVSHMEM_IVPOSITION);

	if (!abi) {
		dev_err(dev, "host speaks no ABI version\n");
		return -EPROTO;
	}
	if (position > U16_MAX) {
		dev_err(dev, "no peer id yet: is the host's server running?\n");
		return -ENODEV;
	}
	if (peer > U16_MAX || peer == position) {
		dev_err(dev, "host claims to be peer %u\n", peer);
		return -EPROTO;
	}
	if (!vectors || vectors > SYNTHIO_MAX_HOST_VECTORS) {
		dev_err(dev, "host claims %u doorbell vectors\n", vectors);
		return -EPROTO;
	}
	if (size && (offset < SYNTHIO_PAGE_SIZE || offset > len ||
		     size > len - offset ||
		     (offset | size) & (SYNTHIO_PAGE_SIZE - 1))) {
		dev_err(dev, "aperture %#llx + %#llx does not fit BAR of %pa\n",
			offset, size, &len);
		return -EPROTO;
	}

	start = size ? bar + offset : 1;
	if (iv->t.aperture.child && (iv->t.aperture.start != start ||
				     resource_size(&iv->t.aperture) != size)) {
		dev_err(dev, "aperture moved while parts of it are in use\n");
		return -EPROTO;
	}
	iv->t.aperture.start = start;
	iv->t.aperture.end = start + size - 1;
	iv->host_peer = peer;
	iv->host_vectors = vectors;

	writel(min(abi, SYNTHIO_ABI_VERSION), &iv->boot->guest_abi_version);
	writel(position, &iv->boot->guest_peer);
	writeq(0, &iv->boot->guest_features);
	writeq(bar, &iv->boot->bar_gpa);
	return 0;
}

/* Tell the host where everything is, from a clean slate */
static int ivshmem_attach(struct ivshmem *iv)
{
	struct synthio_bootstrap __iomem *boot = iv->boot;
	unsigned int i;
	int ret;

	ret = ivshmem_read_host(iv);
	if (ret)
		return ret;

	memset(iv->control, 0, SYNTHIO_PAGE_SIZE);
	memset(iv->post, 0, SYNTHIO_PAGE_SIZE);
	memset(iv->signal, 0, SYNTHIO_PAGE_SIZE);
	iv->post_prod = 0;
	iv->broken = false;

	for (i = 0; i < iv->nr_vps; i++) {
		memset(iv->vps[i].message, 0, SYNTHIO_PAGE_SIZE);
		memset(iv->vps[i].event, 0, SYNTHIO_PAGE_SIZE);
		writeq(virt_to_phys(iv->vps[i].message),
		       &boot->vps[i].message_gpa);
		writeq(virt_to_phys(iv->vps[i].event), &boot->vps[i].event_gpa);
	}
	for (i = 0; i < COOKIES; i++) {
		*iv->cookies[i] = get_random_u64();
		writeq(virt_to_phys(iv->cookies[i]), &boot->cookies[i].gpa);
		writeq(*iv->cookies[i], &boot->cookies[i].value);
	}
	writel(COOKIES, &boot->nr_cookies);
	writel(iv->nr_vps, &boot->nr_vps);
	writel(iv->nr_vectors, &boot->nr_vectors);
	writeq(virt_to_phys(iv->control), &boot->control_gpa);
	writeq(virt_to_phys(iv->post), &boot->post_gpa);
	writeq(virt_to_phys(iv->signal), &boot->signal_gpa);

	ret = ivshmem_command(iv, SYNTHIO_CMD_ATTACH);
	/* Unanswered, it may yet be obeyed: only a refusal leaves us alone */
	if (ret && ret != -ETIMEDOUT)
		return ret;
	iv->exposed = true;
	if (ret)
		return ret;
	WRITE_ONCE(iv->attached, true);
	return 0;
}

static int ivshmem_detach(struct ivshmem *iv)
{
	int ret;

	WRITE_ONCE(iv->attached, false);
	if (!iv->exposed)
		return 0;
	ret = ivshmem_command(iv, SYNTHIO_CMD_DETACH);
	if (!ret) {
		iv->exposed = false;
		connection_released();
	}
	return ret;
}

/* The heartbeat */

static u64 ivshmem_interrupts(struct ivshmem *iv)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < iv->nr_vectors; i++)
		sum += READ_ONCE(iv->vectors[i].interrupts);
	return sum;
}

/*
 * Time that the guest did not get is not held against the host: only a second
 * after which this work ran when it should have counts. A guest that was
 * stopped, or starved by its host, misses those.
 */
static void ivshmem_watch(struct work_struct *work)
{
	struct ivshmem *iv = container_of(to_delayed_work(work), struct ivshmem,
					  watch);
	u32 beat = READ_ONCE(iv->control->heartbeat);
	unsigned long passed = jiffies - iv->watch_last;
	u64 irqs = ivshmem_interrupts(iv);

	if (beat != iv->watch_beat || irqs != iv->watch_irqs)
		iv->watch_missed = 0;
	else if (passed < 2 * HZ && iv->watch_missed < IVSHMEM_BEATS)
		iv->watch_missed++;

	if (!iv->gone && iv->watch_missed >= IVSHMEM_BEATS) {
		dev_err(&iv->pdev->dev,
			"host does not respond, no heartbeat for %u s\n",
			IVSHMEM_BEATS);
		WRITE_ONCE(iv->gone, true);
		connection_host_gone(&iv->t, true);
	} else if (iv->gone && !iv->watch_missed) {
		dev_notice(&iv->pdev->dev,
			   "host responds again (worker %u)\n",
			   readl(&iv->boot->generation));
		WRITE_ONCE(iv->gone, false);
		connection_host_gone(&iv->t, false);
	}
	iv->watch_beat = beat;
	iv->watch_irqs = irqs;
	iv->watch_last = jiffies;
	schedule_delayed_work(&iv->watch, HZ);
}

static void ivshmem_watch_start(struct ivshmem *iv)
{
	iv->watch_missed = 0;
	iv->watch_last = jiffies;
	iv->watch_beat = READ_ONCE(iv->control->heartbeat);
	iv->watch_irqs = ivshmem_interrupts(iv);
	schedule_delayed_work(&iv->watch, HZ);
}

static void ivshmem_watch_stop(struct ivshmem *iv)
{
	cancel_delayed_work_sync(&iv->watch);
}

/* The other operations */

static void *ivshmem_message_page(struct transport *t, unsigned int cpu)
{
	struct ivshmem_vp *vp = ivshmem_vp(to_ivshmem(t), cpu);

	return vp ? vp->message : NULL;
}

static void *ivshmem_event_page(struct transport *t, unsigned int cpu)
{
	struct ivshmem_vp *vp = ivshmem_vp(to_ivshmem(t), cpu);

	return vp ? vp->event : NULL;
}

static u32 ivshmem_cpu_to_vp(struct transport *t, unsigned int cpu)
{
	struct ivshmem *iv = to_ivshmem(t);
	struct ivshmem_vp *vp = ivshmem_vp(iv, cpu);

	/* A CPU that the host can't interrupt is served by the first one */
	return vp ? vp - iv->vps : 0;
}

static bool ivshmem_cpu_usable(struct transport *t, unsigned int cpu)
{
	return ivshmem_vp(to_ivshmem(t), cpu) && cpu_online(cpu);
}

/* Set up again what the host forgot while the guest was hibernated */
static int ivshmem_restart(struct ivshmem *iv)
{
	int ret;

	if (iv->attached)
		return 0;
	WRITE_ONCE(iv->gone, false);
	ret = ivshmem_attach(iv);
	if (ret)
		return ret;
	WRITE_ONCE(iv->live, true);
	ivshmem_watch_start(iv);
	return 0;
}

/* Afterwards the host neither reads nor writes our pages */
static int ivshmem_quiesce(struct ivshmem *iv)
{
	int ret;

	ivshmem_watch_stop(iv);
	ret = ivshmem_detach(iv);
	WRITE_ONCE(iv->live, false);
	return ret;
}

/* The transport's part of debugfs: synth_vmbus/connection */
static void ivshmem_show(struct transport *t, struct seq_file *m)
{
	struct ivshmem *iv = to_ivshmem(t);
	struct ivshmem_stats sum = {};
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct ivshmem_stats *s = per_cpu_ptr(iv->stats, cpu);

		sum.signals += s->signals;
		sum.doorbells += s->doorbells;
		sum.posts += s->posts;
		sum.posts_full += s->posts_full;
		sum.forwarded += s->forwarded;
	}
	seq_printf(m, "host           peer %u, vectors %u, worker %u, %s\n",
		   iv->host_peer, iv->host_vectors,
		   readl(&iv->boot->generation),
		   iv->gone ? "gone" : iv->attached ? "attached" : "detached");
	seq_printf(m, "heartbeat      %u, missed %u\n",
		   READ_ONCE(iv->control->heartbeat), iv->watch_missed);
	seq_printf(m, "posts          %llu, refused %llu, taken %u of %u\n",
		   sum.posts, sum.posts_full,
		   READ_ONCE(iv->control->post_cons), iv->post_prod);
	seq_printf(m, "signals        %llu\n", sum.signals);
	seq_printf(m, "doorbells      %llu\n", sum.doorbells);
	seq_printf(m, "end of message %u\n", READ_ONCE(iv->control->eom));
	seq_printf(m, "interrupts     %llu, passed to another CPU %llu\n",
		   ivshmem_interrupts(iv), sum.forwarded);
	for (i = 0; i < iv->host_vectors; i++)
		if (READ_ONCE(iv->control->need_kick[i]))
			seq_printf(m, "host vector %u  wants a doorbell\n", i);
	for (i = 0; i < iv->nr_vps; i++)
		seq_printf(m, "vp %-11u cpu %u, vector %u, irq %d, interrupts %llu%s\n",
			   i, iv->vps[i].cpu, i % iv->nr_vectors,
			   iv->vectors[i % iv->nr_vectors].irq,
			   READ_ONCE(iv->vectors[i % iv->nr_vectors].interrupts),
			   ivshmem_vp_pending(&iv->vps[i]) ? ", pending" : "");
}

static const struct transport_ops ivshmem_ops = {
	.post_message	= ivshmem_post_message,
	.signal_event	= ivshmem_signal_event,
	.end_of_message	= ivshmem_end_of_message,
	.message_page	= ivshmem_message_page,
	.event_page	= ivshmem_event_page,
	.cpu_to_vp	= ivshmem_cpu_to_vp,
	.cpu_usable	= ivshmem_cpu_usable,
	.show		= ivshmem_show,
};

/* Memory */

static struct ivshmem *ivshmem_alloc(struct pci_dev *pdev)
{
	unsigned int nr = min(num_possible_cpus(), SYNTHIO_MAX_VPS);
	struct ivshmem *iv;
	int cpu;

	iv = kzalloc(struct_size(iv, vps, nr), GFP_KERNEL);
	if (!iv)
		return NULL;
	iv->vp_of_cpu = kcalloc(nr_cpu_ids, sizeof(*iv->vp_of_cpu), GFP_KERNEL);
	iv->stats = alloc_percpu(struct ivshmem_stats);
	if (!iv->vp_of_cpu || !iv->stats) {
		free_percpu(iv->stats);
		kfree(iv->vp_of_cpu);
		kfree(iv);
		return NULL;
	}

	iv->pdev = pdev;
	iv->t.name = "ivshmem";
	iv->t.ops = &ivshmem_ops;
	iv->t.dev = &pdev->dev;
	iv->t.aperture.name = "synthio aperture";
	iv->t.aperture.flags = IORESOURCE_MEM;
	mutex_init(&iv->command_lock);
	raw_spin_lock_init(&iv->post_lock);
	INIT_DELAYED_WORK(&iv->watch, ivshmem_watch);
	for_each_possible_cpu(cpu) {
		struct ivshmem_vp *vp = &iv->vps[iv->nr_vps];

		iv->vp_of_cpu[cpu] = -1;
		if (iv->nr_vps == nr)
			continue;
		iv->vp_of_cpu[cpu] = iv->nr_vps++;
		vp->iv = iv;
		vp->cpu = cpu;
		INIT_CSD(&vp->csd, ivshmem_vp_called, vp);
	}
	return iv;
}

static void ivshmem_free(struct ivshmem *iv)
{
	free_percpu(iv->stats);
	kfree(iv->vp_of_cpu);
	kfree(iv);
}

/* A whole page, zeroed: the host maps 4096 bytes at its address */
static void *ivshmem_page(int node, gfp_t gfp)
{
	struct page *page = alloc_pages_node(node, gfp | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

static int ivshmem_alloc_pages(struct ivshmem *iv)
{
	int node = dev_to_node(&iv->pdev->dev);
	unsigned int i;

	for (i = 0; i < iv->nr_vps; i++) {
		struct ivshmem_vp *vp = &iv->vps[i];

		vp->message = ivshmem_page(cpu_to_node(vp->cpu), GFP_KERNEL);
		vp->event = ivshmem_page(cpu_to_node(vp->cpu), GFP_KERNEL);
		if (!vp->message || !vp->event)
			return -ENOMEM;
	}
	iv->control = ivshmem_page(node, GFP_KERNEL);
	iv->post = ivshmem_page(node, GFP_KERNEL);
	iv->signal = ivshmem_page(node, GFP_KERNEL);
	/*
	 * RAM may be split around the PCI hole below 4 GiB. The allocator goes
	 * from the highest zone downwards, so that with RAM above 4 GiB one
	 * cookie proves that range, and the other the range below.
	 */
	iv->cookies[COOKIE_LOW] = ivshmem_page(node, GFP_KERNEL | GFP_DMA32);
	iv->cookies[COOKIE_HIGH] = ivshmem_page(node, GFP_KERNEL);
	if (!iv->control || !iv->post || !iv->signal ||
	    !iv->cookies[COOKIE_LOW] || !iv->cookies[COOKIE_HIGH])
		return -ENOMEM;
	return 0;
}

static void ivshmem_free_pages(struct ivshmem *iv)
{
	unsigned int i;

	/* These the host only reads */
	for (i = 0; i < COOKIES; i++)
		free_page((unsigned long)iv->cookies[i]);
	free_page((unsigned long)iv->post);

	if (iv->exposed) {
		dev_crit(&iv->pdev->dev,
			 "host did not let go of our memory: %u pages are lost\n",
			 2 * iv->nr_vps + 2);
		return;
	}
	free_page((unsigned long)iv->signal);
	free_page((unsigned long)iv->control);
	for (i = 0; i < iv->nr_vps; i++) {
		free_page((unsigned long)iv->vps[i].event);
		free_page((unsigned long)iv->vps[i].message);
	}
}

/* The PCI function */

/*
 * The host has this page in its cache. On x86 the processor keeps all views of it
 * coherent. On arm64 an access through a mapping as device memory goes past the
 * caches unless the processor overrides that for guests (FEAT_S2FWB), and neither
 * side would see what the other one writes.
 */
static void __iomem *ivshmem_map_boot(struct pci_dev *pdev)
{
	resource_size_t start = pci_resource_start(pdev, IVSHMEM_BAR_SHARED);

	if (IS_ENABLED(CONFIG_ARM64))
		return ioremap_cache(start, SYNTHIO_PAGE_SIZE);
	return ioremap(start, SYNTHIO_PAGE_SIZE);
}

static int ivshmem_map(struct ivshmem *iv)
{
	struct pci_dev *pdev = iv->pdev;

	if (pci_resource_len(pdev, IVSHMEM_BAR_REGS) < IVSHMEM_REGS_SIZE ||
	    pci_resource_len(pdev, IVSHMEM_BAR_SHARED) < SYNTHIO_PAGE_SIZE ||
	    !(pci_resource_flags(pdev, IVSHMEM_BAR_SHARED) & IORESOURCE_MEM))
		return -ENODEV;

	iv->boot = ivshmem_map_boot(pdev);
	if (!iv->boot)
		return -ENOMEM;
	if (!ivshmem_has_magic(iv)) {
		iounmap(iv->boot);
		return -ENODEV;		/* somebody else's, and no news */
	}
	iv->regs = pci_iomap_range(pdev, IVSHMEM_BAR_REGS, 0,
				   IVSHMEM_REGS_SIZE);
	if (!iv->regs) {
		iounmap(iv->boot);
		return -ENOMEM;
	}
	return 0;
}

static void ivshmem_unmap(struct ivshmem *iv)
{
	pci_iounmap(iv->pdev, iv->regs);
	iounmap(iv->boot);
}

/*
 * Of BAR 2 only the bootstrap is claimed: what is allocated from the aperture
 * is claimed by whoever uses it.
 */
static int ivshmem_request_regions(struct ivshmem *iv)
{
	struct pci_dev *pdev = iv->pdev;
	int ret;

	ret = pci_request_region(pdev, IVSHMEM_BAR_REGS, IVSHMEM_DRIVER);
	if (ret)
		return ret;
	if (!request_mem_region(pci_resource_start(pdev, IVSHMEM_BAR_SHARED),
				SYNTHIO_PAGE_SIZE, IVSHMEM_DRIVER)) {
		dev_err(&pdev->dev, "the bootstrap page is in use\n");
		pci_release_region(pdev, IVSHMEM_BAR_REGS);
		return -EBUSY;
	}
	return 0;
}

static void ivshmem_release_regions(struct ivshmem *iv)
{
	release_mem_region(pci_resource_start(iv->pdev, IVSHMEM_BAR_SHARED),
			   SYNTHIO_PAGE_SIZE);
	pci_release_region(iv->pdev, IVSHMEM_BAR_REGS);
}

/* Let vectors follow their CPUs from here on, or no longer */
static int ivshmem_publish(struct ivshmem *iv)
{
	int ret = 0;

	mutex_lock(&ivshmem_instance_lock);
	if (ivshmem_instance)
		ret = -EBUSY;
	else
		ivshmem_instance = iv;
	mutex_unlock(&ivshmem_instance_lock);
	return ret;
}

static void ivshmem_unpublish(void)
{
	mutex_lock(&ivshmem_instance_lock);
	ivshmem_instance = NULL;
	mutex_unlock(&ivshmem_instance_lock);
}

static int ivshmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ivshmem *iv;
	int ret;

	iv = ivshmem_alloc(pdev);
	if (!iv)
		return -ENOMEM;
	ret = pci_enable_device(pdev);
	if (ret)
		goto err_free;
	ret = ivshmem_map(iv);
	if (ret)
		goto err_disable;
	ret = ivshmem_request_regions(iv);
	if (ret)
		goto err_unmap;
	pci_set_master(pdev);
	if (num_possible_cpus() > iv->nr_vps)
		dev_notice(&pdev->dev, "only the first %u CPUs get interrupts of their own\n",
			   iv->nr_vps);
	ret = ivshmem_alloc_pages(iv);
	if (ret)
		goto err_pages;
	ret = ivshmem_request_irqs(iv);
	if (ret)
		goto err_pages;
	ret = ivshmem_publish(iv);
	if (ret) {
		dev_err(&pdev->dev, "only one such device can be used, and one is\n");
		goto err_irqs;
	}
	ret = ivshmem_attach(iv);
	if (ret)
		goto err_detach;
	pci_set_drvdata(pdev, iv);

	WRITE_ONCE(iv->live, true);
	/* already now: a host that dies must not hold up a probe */
	ivshmem_watch_start(iv);
	ret = connection_attach(&iv->t);
	if (ret) {
		dev_err(&pdev->dev, "no connection to the host: %d\n", ret);
		goto err_watch;
	}
	return 0;

err_watch:
	ivshmem_watch_stop(iv);
err_detach:
	WRITE_ONCE(iv->live, false);
	ivshmem_detach(iv);
	ivshmem_unpublish();
err_irqs:
	ivshmem_free_irqs(iv);
err_pages:
	ivshmem_free_pages(iv);
	pci_clear_master(pdev);
	ivshmem_release_regions(iv);
err_unmap:
	ivshmem_unmap(iv);
err_disable:
	pci_disable_device(pdev);
err_free:
	ivshmem_free(iv);
	return ret;
}

static void ivshmem_remove(struct pci_dev *pdev)
{
	struct ivshmem *iv = pci_get_drvdata(pdev);
	bool unloaded;

	unloaded = connection_detach(&iv->t);
	ivshmem_watch_stop(iv);
	WRITE_ONCE(iv->live, false);
	/* DETACH is stronger than UNLOAD, which old versions do not know */
	if (ivshmem_detach(iv) && !unloaded)
		dev_warn(&pdev->dev, "host did not confirm the unload\n");
	ivshmem_unpublish();
	ivshmem_free_irqs(iv);
	ivshmem_free_pages(iv);
	pci_clear_master(pdev);
	ivshmem_release_regions(iv);
	ivshmem_unmap(iv);
	pci_disable_device(pdev);
	ivshmem_free(iv);
}

/*
 * Reboot and kexec. The next kernel may put anything where our pages are, so
 * the host must have let go of them before.
 */
static void ivshmem_shutdown(struct pci_dev *pdev)
{
	struct ivshmem *iv = pci_get_drvdata(pdev);

	if (!iv)
		return;
	connection_shutdown(&iv->t);
	ivshmem_watch_stop(iv);
	WRITE_ONCE(iv->live, false);
	ivshmem_detach(iv);
}

/*
 * Hibernation. Devices on the bus are our children: they have been suspended
 * before us and are resumed after us, whichever phase that happens in, because
 * ours is the last one to be entered and the first one to be left. Interrupts
 * are not suspended (IRQF_NO_SUSPEND), so that the host is heard in it. Suspend
 * to idle and to RAM leave everything as it is.
 */
static int ivshmem_resume(struct ivshmem *iv)
{
	int ret;

	ret = ivshmem_restart(iv);
	if (!ret)
		ret = connection_resume(&iv->t);
	if (ret) {
		dev_err(&iv->pdev->dev, "no connection after hibernation: %d\n",
			ret);
		WRITE_ONCE(iv->gone, true);
		connection_host_gone(&iv->t, true);
	}
	return ret;
}

static int ivshmem_pm_freeze(struct device *dev)
{
	struct ivshmem *iv = dev_get_drvdata(dev);
	int ret;

	ret = connection_suspend(&iv->t);
	if (ret)
		return ret;
	ret = ivshmem_quiesce(iv);
	/* Who fails to freeze is not thawed either */
	if (ret)
		ivshmem_resume(iv);
	return ret;
}

static int ivshmem_pm_thaw(struct device *dev)
{
	return ivshmem_resume(dev_get_drvdata(dev));
}

static const struct dev_pm_ops ivshmem_pm_ops = {
	.freeze_noirq	= pm_sleep_ptr(ivshmem_pm_freeze),
	.thaw_noirq	= pm_sleep_ptr(ivshmem_pm_thaw),
	.poweroff_noirq	= pm_sleep_ptr(ivshmem_pm_freeze),
	.restore_noirq	= pm_sleep_ptr(ivshmem_pm_thaw),
};

static const struct pci_device_id ivshmem_ids[] = {
	{ PCI_DEVICE(SYNTHIO_PCI_VENDOR, SYNTHIO_PCI_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, ivshmem_ids);

static struct pci_driver ivshmem_driver = {
	.name		= IVSHMEM_DRIVER,
	.id_table	= ivshmem_ids,
	.probe		= ivshmem_probe,
	.remove		= ivshmem_remove,
	.shutdown	= ivshmem_shutdown,
	.driver.pm	= &ivshmem_pm_ops,
};

/**
 * transport_ivshmem_init() - look for the device, and attach to it if it is
 *	there
 *
 * Context: process, sleeps; for seconds if the host is slow.
 * Return: 0, also without a device; a negative errno if the driver can't be
 *	registered.
 */
int transport_ivshmem_init(void)
{
	int ret;

	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
					"synthio/ivshmem:online",
					ivshmem_cpu_online, NULL);
	if (ret < 0)
		return ret;
	ivshmem_cpuhp_state = ret;
	ret = pci_register_driver(&ivshmem_driver);
	if (ret)
		cpuhp_remove_state_nocalls(ivshmem_cpuhp_state);
	return ret;
}

/**
 * transport_ivshmem_exit() - the mirror of transport_ivshmem_init()
 *
 * Context: process, sleeps.
 */
void transport_ivshmem_exit(void)
{
	pci_unregister_driver(&ivshmem_driver);
	cpuhp_remove_state_nocalls(ivshmem_cpuhp_state);
}
