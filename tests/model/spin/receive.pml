/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host sends packets, the guest receives them and sleeps in between: each
 * packet arrives, and a host that waits for room is signalled once there is.
 *
 * The host puts packets into the ring as its devices complete requests, and shows
 * them to the guest later, several at once. What finds no room waits in the
 * channel's queue. The guest reads with its interrupt_mask set, as
 * hv_begin_read() and hv_end_read() do, and gives back the room of one packet or
 * of several at once. Memory is x86's (tso.inc).
 *
 * Code: host/ring.c: ring_out_reserve ring_out_room hring_out_put_headed
 * Code: host/ring.c: hring_out_publish hring_out_no_wait
 * Code: host/channel_out.c: channel_write channel_enqueue channel_flush
 * Code: host/channel_out.c: channel_publish channel_settle
 * Code: host/channel.c: channel_poll channel_unmask
 * Code: host/guest.c: guest_event guest_take_signals guest_prepare_sleep
 * Code: channel/ring.c: ring_recv_peek ring_recv_commit ring_recv_mask
 * Code: channel/ring.c: ring_recv_unmask
 * Code: channel/ring_api.c: ring_rx_next ring_rx_commit
 * Code: channel/message.c: events_scan
 * Code: channel/ivshmem_post.c: ivshmem_signal_event ivshmem_kick
 *
 * Long: PACKETS=5
 *
 * Mutant: C_SENDER: no barrier between write_index and the look at the mask
 * Mutant: C_RECEIVER: no barrier between the mask and the last look
 * Mutant: C_LAST_LOOK: no last look after the mask was taken away
 * Mutant: D_SENDER: no barrier between pending_send_sz and the look at the room
 * Mutant: D_RECEIVER: no barrier between read_index and the look at pending_send_sz
 * Mutant: ROOM_AT_N: the receiver signals when exactly as much is free as waits
 * Mutant: UNPUBLISHED: the sender waits though it has shown packets since its last
 *	look at the room (the guest may have judged by a write_index from before)
 * Mutant: PLAIN_EVENT: the host sets an event flag by a load and a store
 */
#include "tso.inc"

#ifndef PACKETS
#define PACKETS	4
#endif
#define SIZE	4	/* of the ring; one less can be filled */

byte length[SIZE];	/* of the packet that begins there */
byte put, received;
bit waiting;		/* a packet is in the channel's queue */

#define used(from, to)	((to + SIZE - from) % SIZE)
#define add(at, bytes)	((at + bytes) % SIZE)

/* ring_out_reserve() and what follows; fits: whether the packet is in the ring */
inline try_to_put(bytes)
{
	room = SIZE - used(load(READ), own);
	fits = room > bytes;
	if
	:: !fits ->
		if
		:: pending != bytes ->
			pending = bytes;
			store(HOST, PENDING, bytes)
		:: else
		fi;
#ifndef MUTANT_D_SENDER
		full_barrier(HOST);
#endif
		room = SIZE - used(load(READ), own);
		fits = room > bytes
	:: else
	fi;
	if
	:: fits ->
		if
		:: pending ->
			pending = 0;
			store(HOST, PENDING, 0)
		:: else
		fi;
		d_step { length[own] = bytes; own = add(own, bytes); put++ }
	:: else
	fi;
	room = 0
}

/* hring_out_publish() */
inline publish()
{
	if
	:: own != published ->
		start = published;
		published = own;
		store(HOST, WRITE, own);
#ifndef MUTANT_C_SENDER
		full_barrier(HOST);
#endif
		if
		:: load(READ) == start ->
			if
			:: load(MASK) == 0 -> signal_guest(old)
			:: else
			fi
		:: else
		fi;
		start = 0
	:: else
	fi
}

proctype host()
{
	byte own, published, start, pending, room, bytes;
	bit polling, any, old, fits;

	do
	:: any = 0;
		/* guest_take_signals(), channel_signalled() */
		if
		:: load(SIGNAL) ->
			atomic { full_barrier(HOST) -> mem[SIGNAL] = 0 };
			polling = 1;
			any = 1
		:: else
		fi;
		/* channel_flush(): what waits for room is tried again */
		if
		:: polling && waiting ->
			try_to_put(bytes);
			if
			:: fits -> waiting = 0; any = 1
			:: else
			fi
		:: else
		fi;
		/* devices complete what they have completed */
		do
		:: put < PACKETS && !waiting ->
			if
			:: bytes = 1
			:: bytes = 2
			fi;
			any = 1;
			try_to_put(bytes);
			if
			:: fits
			:: else ->
				waiting = 1;
#ifndef MUTANT_UNPUBLISHED
				/* channel_enqueue(): looks once more, after publish() */
				polling = 1
#endif
			fi
		:: break
		od;
		publish();
		if
		:: any -> goto again
		:: else
		fi;
		/* channel_unmask(), guest_prepare_sleep() */
		polling = 0;
		store(HOST, KICK, 1);
		full_barrier(HOST);
		if
		:: load(SIGNAL)
		:: else ->
end_asleep:		if
			:: doorbell -> doorbell = 0
			:: put < PACKETS && !waiting -> skip	/* a device wakes it */
			fi
		fi;
		store(HOST, KICK, 0);
again:		skip
	od
}

/* ring_recv_commit() */
inline commit()
{
	freed = used(given, pos);
	given = pos;
	store(GUEST, READ, pos);
#ifndef MUTANT_D_RECEIVER
	full_barrier(GUEST);
#endif
	wanted = load(PENDING);
	if
	:: wanted ->
		space = SIZE - used(pos, load(WRITE));
		if
#ifdef MUTANT_ROOM_AT_N
		:: space >= wanted && space - freed < wanted -> signal_host()
#else
		:: space > wanted && space - freed <= wanted -> signal_host()
#endif
		:: else
		fi;
		space = 0
	:: else
	fi;
	freed = 0;
	wanted = 0
}

proctype guest()
{
	byte pos, given, freed, wanted, space;
	bit flag;

end:	do
	:: interrupt ->
		interrupt = 0;
		/* events_scan() */
		atomic { full_barrier(GUEST) -> flag = mem[EVENT]; mem[EVENT] = 0 };
		if
		:: flag
		:: else -> goto end
		fi;
look:		store(GUEST, MASK, 1);
		do
		:: load(WRITE) != pos ->
			d_step { pos = add(pos, length[pos]); received++ };
			if
			:: commit()
			:: skip		/* with the next one */
			fi
		:: else ->
			/* ring_rx_next(): says "none" only if the host knows so */
			if
			:: given == pos -> break
			:: else -> commit()
			fi
		od;
		store(GUEST, MASK, 0);
#ifndef MUTANT_C_RECEIVER
		full_barrier(GUEST);
#endif
#ifndef MUTANT_C_LAST_LOOK
		if
		:: load(WRITE) != given -> goto look
		:: else
		fi
#endif
	od
}

/* When nothing moves any more */
proctype nothing_lost()
{
	timeout;
	assert(!waiting && put == PACKETS && received == PACKETS)
}

init {
	atomic {
		run store_buffer(GUEST);
		run store_buffer(HOST);
		run host();
		run guest();
		run nothing_lost()
	}
}
