/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two sides that share memory, with x86's memory model: a store first goes into
 * its side's buffer, from where it reaches memory at some later time, in order. A
 * side loads from memory only words that the other side writes.
 */
#define GUEST	0
#define HOST	1

#define WRITE	0	/* write_index */
#define READ	1	/* read_index */
#define MASK	2	/* interrupt_mask */
#define PENDING	3	/* pending_send_sz */
#define KICK	4	/* need_kick */
#define SIGNAL	5	/* a signal flag: host's, in the page of signal flags */
#define EVENT	6	/* an event flag: guest's, in SIEFP */
#define WORDS	7

byte mem[WORDS];
chan buffer[2] = [3] of { byte, byte };
bit doorbell;		/* for the host, which sleeps on an eventfd */
bit interrupt;		/* for the guest */

#define load(word)		mem[word]
#define store(side, word, value) buffer[side] ! word, value
#define full_barrier(side)	empty(buffer[side])

proctype store_buffer(bit side)
{
	byte word, value;

end:	do
	:: atomic { buffer[side] ? word, value -> mem[word] = value }
	od
}

/* The guest signals: ivshmem_signal_event(), ivshmem_kick() */
inline signal_host()
{
	atomic { full_barrier(GUEST) -> mem[SIGNAL] = 1 };
	if
	:: load(KICK) -> doorbell = 1
	:: else
	fi
}

/* The host signals: guest_event() */
inline signal_guest(old)
{
#ifdef MUTANT_PLAIN_EVENT
	full_barrier(HOST);
	old = mem[EVENT];
	mem[EVENT] = 1;
#else
	atomic { full_barrier(HOST) -> old = mem[EVENT]; mem[EVENT] = 1 };
#endif
	if
	:: !old -> interrupt = 1
	:: else
	fi
}
