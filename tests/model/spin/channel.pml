/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a channel: GPADL, open, a request of the device, close, rescind,
 * UNLOAD, at a host that may refuse, stand still for any time, or end for good.
 *
 * A driver opens the channel twice, each time with a ring and a buffer of its own.
 * At any moment the host may rescind the channel, and the bus may cut it off and
 * tell the host UNLOAD (suspend of a socket, rmmod of a device in use). What holds:
 *  - the host never has a ring or a buffer that was freed;
 *  - each request of the device ends once, and one that the host completed before
 *    a rescind is not taken for a failed one;
 *  - a teardown is only asked for when the channel was closed before;
 *  - each wait ends, and without its time-out where the host never stood still.
 *
 * Messages keep their order in each direction. Ring number, GPADL handle and
 * number of the open are one number here. After a rescind or UNLOAD a host takes
 * no GPADL and no open for the channel any more.
 *
 * Code: channel/channel.c: vmbus_open channel_open post_open let_go_of_ring
 * Code: channel/channel.c: post_close channel_close vmbus_free_ring
 * Code: channel/gpadl.c: establish teardown gpadl_establish_ring
 * Code: channel/gpadl.c: vmbus_teardown_gpadl
 * Code: channel/request.c: request_start request_wait request_fail request_cancel
 * Code: channel/request.c: answer_matches request_deliver
 * Code: channel/removal.c: mark_rescinded removal_mark_rescind removal_rescind
 * Code: channel/removal.c: dismiss_channel cut_off_channel removal_unloaded
 * Code: host/channel.c: channel_drain channel_shut
 *
 * Mutant: FREE_AFTER_TIMEOUT: a ring whose teardown was not confirmed is freed
 * Mutant: FREE_CUT_OFF: a ring that the host can't be asked about is freed
 * Mutant: UNLOAD_UNCONFIRMED: an UNLOAD without an answer counts as a rescind
 * Mutant: SILENCE_REFUSES: an open without an answer counts as refused: no close
 * Mutant: FREE_BUFFER: the buffer of a request that timed out is freed
 * Mutant: RESCIND_BEFORE_LIST: a request looks at the rescind, then joins the list
 * Mutant: RESCIND_WAKES_NOBODY: a rescind does not end the waits on its behalf
 * Mutant: NO_LOOK: the ring is not looked at once more after a rescind
 * Mutant: NO_HANDLE: answers about GPADLs are taken whatever their handle is
 */

#define OPENS	2

mtype = { HEADER, OPEN, CLOSE, TEARDOWN, UNLOAD };		/* guest to host */
mtype = { CREATED, OPENED, TORNDOWN, RESCIND, UNLOADED };	/* host to guest */
mtype = { NONE, ALLOCATED, FREED, LEAKED };			/* memory */
mtype = { DONE, REFUSED, ENODEV, ETIMEDOUT };			/* what a wait returns */

chan to_host = [6] of { mtype, byte };
chan to_guest = [6] of { mtype, byte, bit };

/* the guest */
mtype ring[OPENS + 1] = NONE, data[OPENS + 1] = NONE;
bit rescind, cut_off, going, unloaded;
bit is_open;		/* the driver's callback is set */
byte io_ends;		/* of the request that was sent last */
bit io_done;		/* its completion was read from the ring */

/* struct request: the driver has at most one */
bit listed, req_answered, req_error, req_status;
mtype req_answer;
byte req_handle;

/* the host */
bit access[OPENS + 1], taken[OPENS + 1];
bit io_sent, io_completed;	/* in the ring: the request, its completion */
byte current;			/* the open that the request is of */
bit stalls;			/* it stands still some time */
bit slow;			/* from then on time-outs may come */
bit host_open, ended;

inline request_start(answer, handle)
{
#ifdef MUTANT_RESCIND_BEFORE_LIST
	req_error = rescind;
	atomic { listed = 1; req_answered = 0; req_answer = answer; req_handle = handle };
#else
	atomic {
		listed = 1;
		req_answered = 0;
		req_answer = answer;
		req_handle = handle;
		req_error = rescind
	};
#endif
}

inline request_wait(ret)
{
	if
	:: req_error
	:: req_answered
	:: slow			/* host_timeout */
	fi;
	atomic {
		listed = 0;
		if
		:: req_error -> ret = ENODEV
		:: !req_error && req_answered && req_status -> ret = DONE
		:: !req_error && req_answered && !req_status -> ret = REFUSED
		:: else -> ret = ETIMEDOUT
		fi;
		req_error = 0;
		req_answered = 0
	}
}

/* What is posted about a channel that is cut off has no relid */
inline post(type, handle)
{
	atomic {
		if
		:: !cut_off -> to_host ! type, handle
		:: else
		fi
	}
}

/* teardown() */
inline take_back(handle, ret)
{
	if
	:: rescind -> ret = DONE
	:: !rescind && cut_off -> ret = ENODEV
	:: else ->
		request_start(TORNDOWN, handle);
		post(TEARDOWN, handle);
		request_wait(ret);
		if
		:: rescind -> ret = DONE
		:: else
		fi
	fi
}

inline let_go_of_ring(handle, with_close, ret)
{
	ret = DONE;
	if
	:: cut_off -> ret = ENODEV
	:: else ->
		if
		:: with_close && !rescind -> post(CLOSE, handle)
		:: else
		fi;
		take_back(handle, ret)
	fi;
	if
	:: rescind -> ret = DONE
	:: else
	fi;
#ifdef MUTANT_FREE_AFTER_TIMEOUT
	if
	:: ret == ETIMEDOUT -> ret = DONE
	:: else
	fi;
#endif
#ifdef MUTANT_FREE_CUT_OFF
	if
	:: ret == ENODEV -> ret = DONE
	:: else
	fi;
#endif
	lost = (ret != DONE)
}

proctype driver()
{
	byte h = 0;
	mtype ret;
	bit lost, maybe_open;

	do
	:: h < OPENS && !going ->
		h++;
		lost = 0;
		maybe_open = 0;
		ring[h] = ALLOCATED;
		if
		:: rescind || cut_off -> goto free
		:: else
		fi;

		/* establish() */
		request_start(CREATED, h);
		post(HEADER, h);
		request_wait(ret);
		if
		:: ret == DONE
		:: ret == REFUSED -> goto free
		:: ret == ENODEV || ret == ETIMEDOUT ->
			take_back(h, ret);
			lost = (ret != DONE);
#ifdef MUTANT_FREE_AFTER_TIMEOUT
			lost = 0;
#endif
			goto free
		fi;

		/* post_open() */
		request_start(OPENED, 0);
		is_open = 1;
		post(OPEN, h);
		request_wait(ret);
		if
		:: ret == DONE ->
			if
			:: rescind ->
				is_open = 0;
				let_go_of_ring(h, 0, ret);
				goto free
			:: else
			fi
		:: ret == REFUSED ->
			is_open = 0;
			let_go_of_ring(h, 0, ret);
			goto free
		:: ret == ENODEV || ret == ETIMEDOUT ->
			is_open = 0;
#ifndef MUTANT_SILENCE_REFUSES
			maybe_open = !rescind;
#endif
			let_go_of_ring(h, maybe_open, ret);
			goto free
		fi;

		/* a request of the device, until it is completed or given up */
		atomic {
			data[h] = ALLOCATED;
			io_ends = 0;
			io_done = 0;
			io_completed = 0;
			current = h;
			io_sent = 1
		};
		if
		:: atomic { io_completed && !io_done -> io_done = 1; io_ends++ }
		:: io_done
		:: going	/* by a rescind, or an unbind */
		:: slow		/* the driver's own time-out */
		fi;

		/* channel_close() */
		atomic { is_open = 0; io_sent = 0 };
		let_go_of_ring(h, 1, ret);
		atomic {
			if
			:: io_done -> data[h] = FREED; assert(!taken[h])
			:: else ->
				/* the driver fails it; see NO_LOOK */
				io_ends++;
				assert(!(io_completed && going && !slow &&
					 !cut_off));
				if
#ifndef MUTANT_FREE_BUFFER
				:: lost -> data[h] = LEAKED
#endif
				:: else -> data[h] = FREED; assert(!taken[h])
				fi
			fi
		};
		assert(io_ends == 1);
free:
		/* vmbus_free_ring() */
		atomic {
			if
			:: lost -> ring[h] = LEAKED
			:: else -> ring[h] = FREED; assert(!access[h])
			fi
		}
	:: else -> break
	od
}

/* mark_rescinded() */
inline mark_rescinded()
{
	rescind = 1;
#ifndef MUTANT_RESCIND_WAKES_NOBODY
	atomic {
		if
		:: listed && !req_answered -> req_error = 1
		:: else
		fi
	};
#endif
}

/* Messages: answers in the interrupt, the rest of a rescind in a worker */
proctype receiver()
{
	mtype type;
	byte handle;
	bit status;

end:	do
	:: to_guest ? type, handle, status ->
		if
		:: type == CREATED || type == OPENED || type == TORNDOWN ->
			atomic {
				if
				:: listed && !req_answered && !req_error &&
				   req_answer == type &&
#ifdef MUTANT_NO_HANDLE
				   true ->
#else
				   req_handle == handle ->
#endif
					req_status = status;
					req_answered = 1
				:: else
				fi
			}
		:: type == RESCIND ->
			mark_rescinded();
#ifndef MUTANT_NO_LOOK
			/* channel_look() */
			atomic {
				if
				:: is_open && io_completed && !io_done ->
					io_done = 1;
					io_ends++
				:: else
				fi
			};
#endif
			going = 1
		:: type == UNLOADED -> unloaded = 1
		fi
	od
}

/* The bus cuts the channel off and tells the host UNLOAD */
proctype unloader()
{
	if
	:: skip ->
		cut_off = 1;
		going = 1;
		to_host ! UNLOAD, 0;
		if
		:: unloaded -> mark_rescinded()
		:: slow ->
#ifdef MUTANT_UNLOAD_UNCONFIRMED
			mark_rescinded()
#else
			/* the wait for the answer has ended */
			skip
#endif
		fi
	:: skip
	fi
}

/* channel_drain(): what was taken is completed; then nothing is written any more */
inline drain()
{
	if
	:: taken[1] || taken[2] ->
		assert(data[current] == ALLOCATED || data[current] == LEAKED);
		if
		:: taken[current] && data[current] != LEAKED -> io_completed = 1
		:: else
		fi;
		taken[1] = 0;
		taken[2] = 0
	:: else
	fi
}

inline let_go_of_all()
{
	drain();
	host_open = 0;
	access[1] = 0;
	access[2] = 0;
	ended = 1
}

proctype host()
{
	mtype type;
	byte h;
	bit rescinded, yes;

end:	do
	:: atomic { to_host ? type, h ->
		if
		:: ended && type != UNLOAD
		:: else ->
			if
			:: yes = 1
			:: type == HEADER || type == OPEN -> yes = 0
			fi;
			if
			:: type == HEADER ->
				access[h] = yes;
				assert(!yes || ring[h] == ALLOCATED ||
				       ring[h] == LEAKED);
				to_guest ! CREATED, h, yes
			:: type == OPEN ->
				host_open = host_open || (yes && access[h]);
				to_guest ! OPENED, 0, yes
			:: type == CLOSE ->
				drain();
				host_open = 0
			:: type == TEARDOWN ->
				assert(!host_open);
				access[h] = 0;
				to_guest ! TORNDOWN, h, 1
			:: type == UNLOAD ->
				let_go_of_all();
				to_guest ! UNLOADED, 0, 1
			fi
		fi }
	:: atomic { host_open && io_sent && !taken[current] && !io_completed ->
		taken[current] = 1 }
	:: atomic { host_open && taken[current] && io_sent ->
		assert(data[current] == ALLOCATED);
		taken[current] = 0;
		io_completed = 1 }
	:: atomic { !rescinded && !ended ->
		let_go_of_all();
		rescinded = 1;
		to_guest ! RESCIND, 0, 1 }
	:: stalls && !slow -> slow = 1;
		if
		:: skip
		:: break	/* for good */
		fi
	od
}

init {
	if
	:: stalls = 1
	:: stalls = 0
	fi;
	atomic {
		run driver();
		run receiver();
		run unloader();
		run host()
	}
}
