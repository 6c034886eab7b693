/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest sends packets, the host receives them and sleeps in between. Nobody
 * sleeps while there is something to do: in each run all packets arrive.
 *
 * The guest waits for room with pending_send_sz; the host uses interrupt_mask and
 * need_kick. Memory is x86's (tso.inc). What only weaker processors reorder is in
 * ../litmus/.
 *
 * Code: channel/ring.c: ring_send_begin ring_send_commit ring_send_wait
 * Code: channel/ring.c: ring_send_wait_end ring_send_room
 * Code: channel/message.c: events_scan
 * Code: channel/ivshmem_post.c: ivshmem_signal_event ivshmem_kick
 * Code: host/ring.c: hring_in_init hring_in_ready hring_in_read hring_in_commit
 * Code: host/ring.c: hring_in_mask ring_in_avail
 * Code: host/channel.c: channel_activate channel_receive channel_unmask
 * Code: host/channel.c: channel_signalled
 * Code: host/channel_out.c: channel_settle
 * Code: host/guest.c: guest_event guest_take_signals guest_prepare_sleep
 * Code: host/guest.c: guest_end_sleep
 * Code: host/loop.c: loop_run loop_round loop_prepare_sleep
 *
 * Long: PACKETS=5
 *
 * Mutant: C_SENDER: no barrier between write_index and the look at the mask
 * Mutant: C_RECEIVER: no barrier between the mask and the last look
 * Mutant: C_LAST_LOOK: no last look after the mask was taken away
 * Mutant: D_SENDER: no barrier between pending_send_sz and the look at the room
 * Mutant: D_LOOK: the sender does not look again before it waits
 * Mutant: D_RECEIVER: no barrier between read_index and the look at pending_send_sz
 * Mutant: ROOM_AT_N: the receiver signals when exactly as much is free as waits
 * Mutant: KICK: no barrier between need_kick and the look at the signals
 * Mutant: KICK_LOOK: the host does not look at the signals before it sleeps
 * Mutant: PLAIN_EVENT: the host sets an event flag by a load and a store
 */
#include "tso.inc"

#ifndef PACKETS
#define PACKETS	4
#endif
#define SIZE	4	/* of the ring; one less can be filled */

byte length[SIZE];	/* of the packet that begins there */
byte sent, received;
bit woken;		/* the guest's sender was called back */

#define used(from, to)	((to + SIZE - from) % SIZE)
#define add(at, bytes)	((at + bytes) % SIZE)

proctype guest_sender()
{
	byte pos, old, bytes, room;

	do
	:: sent < PACKETS ->
		if
		:: bytes = 1
		:: bytes = 2
		fi;
		do
		:: room = SIZE - used(load(READ), pos);
			if
			:: room > bytes -> break
			:: else
			fi;
			/* ring_send_wait() */
			woken = 0;
			store(GUEST, PENDING, bytes);
#ifndef MUTANT_D_SENDER
			full_barrier(GUEST);
#endif
			room = SIZE - used(load(READ), pos);
			if
#ifndef MUTANT_D_LOOK
			:: room > bytes
#endif
			:: else -> woken
			fi;
			store(GUEST, PENDING, 0)
		od;
		room = 0;
		/* ring_send_commit() */
		atomic { old = pos; length[pos] = bytes; pos = add(pos, bytes) };
		store(GUEST, WRITE, pos);
#ifndef MUTANT_C_SENDER
		full_barrier(GUEST);
#endif
		if
		:: load(MASK) == 0 ->
			if
			:: load(READ) == old -> signal_host()
			:: else
			fi
		:: else
		fi;
		bytes = 0;
		old = 0;
		sent++
	:: else -> break
	od
}

proctype guest_interrupt()
{
end:	do
	:: interrupt ->
		interrupt = 0;
		/* events_scan() */
		atomic {
			woken = woken || mem[EVENT];
			mem[EVENT] = 0
		}
	od
}

/* hring_in_commit(), which the guest has promised to wait for */
inline commit()
{
	freed = used(published, own);
	published = own;
	store(HOST, READ, own);
#ifndef MUTANT_D_RECEIVER
	full_barrier(HOST);
#endif
	pending = load(PENDING);
	if
	:: pending ->
		room = SIZE - used(own, load(WRITE));
		if
#ifdef MUTANT_ROOM_AT_N
		:: room >= pending && (room < freed || room - freed < pending) ->
#else
		:: room > pending && (room < freed || room - freed <= pending) ->
#endif
			signal_guest(old);
			old = 0
		:: else
		fi;
		room = 0
	:: else
	fi;
	freed = 0;
	pending = 0
}

inline set_mask(value)
{
	if
	:: masked != value ->
		masked = value;
		store(HOST, MASK, value)
	:: else
	fi
}

proctype host()
{
	byte own, published, seen, freed, pending, room;
	bit masked = 1, polling = 1, any, old;

	do
	:: skip;
		/* guest_take_signals(), channel_signalled() */
		if
		:: load(SIGNAL) ->
			atomic { full_barrier(HOST) -> mem[SIGNAL] = 0 };
			set_mask(1);
			polling = 1;
			any = 1
		:: else
		fi;
		/* channel_receive(): as many packets as it likes */
		seen = load(WRITE);
		do
		:: polling && own != seen ->
			d_step {
				own = add(own, length[own]);
				received++;
				any = 1
			}
		:: any || own == seen || !polling -> break
		od;
		seen = 0;
		if
		:: own != published -> commit()
		:: else
		fi;
		if
		:: any -> any = 0; goto again
		:: else
		fi;
		/* channel_unmask() */
		if
		:: polling ->
			set_mask(0);
#ifndef MUTANT_C_RECEIVER
			full_barrier(HOST);
#endif
#ifndef MUTANT_C_LAST_LOOK
			if
			:: load(WRITE) != own ->
				set_mask(1);
				goto again
			:: else
			fi;
#endif
			polling = 0
		:: else
		fi;
		/* guest_prepare_sleep() */
		store(HOST, KICK, 1);
#ifndef MUTANT_KICK
		full_barrier(HOST);
#endif
		if
#ifndef MUTANT_KICK_LOOK
		:: load(SIGNAL)
#endif
		:: else ->
end_asleep:		doorbell;
			doorbell = 0
		fi;
		store(HOST, KICK, 0);
again:		skip
	od
}

/* When nothing moves any more */
proctype nothing_lost()
{
	timeout;
	assert(sent == PACKETS && received == PACKETS)
}

init {
	atomic {
		mem[MASK] = 1;
		run store_buffer(GUEST);
		run store_buffer(HOST);
		run guest_sender();
		run guest_interrupt();
		run host();
		run nothing_lost()
	}
}
