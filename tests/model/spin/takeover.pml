/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker of the reference host dies at any step, and another takes over: no
 * request of the guest is lost, none is completed twice, and none is still written
 * by the dead worker's I/O after its completion was shown.
 *
 * The guest sends requests through one ring and reads their completions from the
 * other. The worker keeps a log of requests in flight in memory that survives it,
 * and makes transactions: what it writes there carries the number of the next
 * transaction, and counts once "committed" has that number. Only then is the guest
 * shown new ring indices. A worker that takes over forgets what was not committed,
 * waits for the I/O of the one before, shows the committed indices, and begins the
 * requests of the log again. Indices are not wrapped here.
 *
 * Code: host/persist.c: persist_commit persist_birth persist_death persist_free
 * Code: host/persist.c: persist_lives persist_current persist_undo persist_save
 * Code: host/inflight.c: inflight_init inflight_list inflight_add inflight_end
 * Code: host/inflight.c: inflight_unlink inflight_committed
 * Code: host/state.c: bus_settle state_save_channel
 * Code: host/channel.c: channel_take channel_repeat channel_resume
 * Code: host/channel_out.c: channel_settle channel_completed
 * Code: host/takeover.c: bus_take_over takeover_repeat takeover_open
 * Code: host/ring.c: hring_resume hring_in_init hring_out_init
 * Code: host/ring.c: hring_out_publish hring_in_commit
 * Code: host/loop.c: loop_make_fence loop_settle
 *
 * Long: DEATHS=3
 *
 * Mutant: SHOW_BEFORE_COMMIT: the guest sees completions before they are committed
 * Mutant: READ_BEFORE_COMMIT: requests are given back before they are committed
 * Mutant: COMMIT_BEFORE_SAVE: the transaction counts before the indices are written
 * Mutant: ONE_COPY: the indices are overwritten in place
 * Mutant: NO_LOG: requests in flight are not in the log
 * Mutant: FREE_AT_ONCE: an entry is free as soon as its completion is in the ring
 * Mutant: NO_FENCE: the new worker does not wait for the I/O of the one before
 * Mutant: NO_EVENT: the new worker does not interrupt the guest
 * Mutant: FORGET_NOTHING: the new worker believes what was not committed
 */

#ifndef REQUESTS
#define REQUESTS	3
#endif
#ifndef DEATHS
#define DEATHS		2
#endif
#define SLOTS		2	/* requests that a ring holds */
#define ENTRIES		2	/* of the log */

/* shared with the guest */
byte in_data[SLOTS], in_write, in_read;
byte out_data[REQUESTS + SLOTS], out_write;
bit event;

/* survives a worker */
byte committed;
byte version[2], saved_in[2], saved_out[2];
byte born[ENTRIES], died[ENTRIES], id[ENTRIES];

/* I/O: of this worker, what it has ended, and of dead workers */
bit running[REQUESTS + 1], finished[REQUESTS + 1], orphan[REQUESTS + 1];

byte ends[REQUESTS + 1], all_ends, deaths;

proctype guest_sender()
{
	do
	:: atomic { in_write < REQUESTS && in_write - in_read < SLOTS ->
		in_data[in_write % SLOTS] = in_write + 1;
		in_write++ }
	:: in_write == REQUESTS -> break
	od
}

proctype guest_receiver()
{
	byte pos, request;

end:	do
	:: atomic { event ->
		event = 0;
		do
		:: pos != out_write ->
			request = out_data[pos];
			pos++;
			ends[request]++;
			all_ends++;
			/* the buffer is the guest's again, for good */
			assert(ends[request] == 1);
			assert(!running[request] && !orphan[request])
		:: else -> break
		od;
		request = 0 }
	od
}

proctype disk()
{
end:	do
	:: atomic { running[1] -> running[1] = 0; finished[1] = 1 }
	:: atomic { running[2] -> running[2] = 0; finished[2] = 1 }
	:: atomic { running[REQUESTS] -> running[REQUESTS] = 0; finished[REQUESTS] = 1 }
	:: orphan[1] -> orphan[1] = 0
	:: orphan[2] -> orphan[2] = 0
	:: orphan[REQUESTS] -> orphan[REQUESTS] = 0
	od
}

/* The worker is one thread: what others see of it is between its atomic parts */
inline may_die()
{
	if
	:: deaths < DEATHS -> goto dead
	:: skip
	fi
}

/* inflight_add(): the entry exists once it is committed */
inline log_add(request)
{
#ifndef MUTANT_NO_LOG
	e = (born[0] -> 1 : 0);
	assert(!born[e]);
	id[e] = request;
	died[e] = 0;
	may_die();
	born[e] = committed + 1;
#endif
	e = 0
}

/* inflight_end(): it is gone once that is committed */
inline log_end(request)
{
	e = (born[0] && id[0] == request -> 0 : 1);
	if
	:: born[e] && id[e] == request ->
		died[e] = committed + 1;
#ifdef MUTANT_FREE_AT_ONCE
		born[e] = 0;
#endif
	:: else
	fi;
	e = 0
}

/* The completion is in the ring, and the guest does not see it */
inline complete(request)
{
	out_data[own_out] = request;
	own_out++;
	may_die();
	log_end(request);
	dirty = 1
}

/* persist_current() */
#define valid(i)	(version[i] && version[i] <= committed)
#define current()	(valid(1) && (!valid(0) || version[1] > version[0]) -> 1 : 0)

/* bus_settle() up to what the guest sees, which comes in parts of its own */
inline save_and_commit()
{
#ifdef MUTANT_COMMIT_BEFORE_SAVE
	committed++;
	may_die();
#endif
#ifdef MUTANT_ONE_COPY
	c = 0;
#else
	c = 1 - current();
#endif
	saved_in[c] = own_in;
	may_die();
	saved_out[c] = own_out;
	may_die();
#ifdef MUTANT_COMMIT_BEFORE_SAVE
	version[c] = committed;
#else
	version[c] = committed + 1;
	may_die();
	committed++;
#endif
	c = 0;
	may_die()
}

inline free_entry(i)
{
	if
	:: died[i] -> born[i] = 0; may_die(); died[i] = 0; id[i] = 0
	:: else
	fi
}

/* persist_lives(): undoes what was not committed */
inline forget(i)
{
#ifndef MUTANT_FORGET_NOTHING
	if
	:: died[i] > committed -> died[i] = 0
	:: else
	fi;
	may_die();
	if
	:: born[i] > committed -> born[i] = 0
	:: else
	fi;
#endif
	if
	:: !born[i] || died[i] -> born[i] = 0; may_die(); died[i] = 0; id[i] = 0
	:: else
	fi
}

/* persist_undo() */
inline undo(i)
{
#ifndef MUTANT_FORGET_NOTHING
	if
	:: version[i] > committed -> version[i] = 0
	:: else
	fi
#else
	skip
#endif
}

/* channel_repeat(): requests are numbered in the order in which they were sent */
inline repeat(i)
{
	if
	:: born[i] && !died[i] ->
		if
		:: running[id[i]] = 1
		:: complete(id[i])
		fi;
		may_die()
	:: else
	fi
}

proctype worker()
{
	byte own_in, own_out, e, c, request;
	bit dirty, signal;

take_over:
#ifndef MUTANT_NO_FENCE
	!orphan[1] && !orphan[2] && !orphan[REQUESTS];
#endif
	atomic {
		forget(0);
		forget(1);
		undo(0);
		undo(1);
		c = current();
		own_in = (version[c] -> saved_in[c] : 0);
		own_out = (version[c] -> saved_out[c] : 0);
		c = 0;
		may_die()
	};
	/* hring_resume() */
	atomic { in_read = own_in; may_die() };
	atomic {
		out_write = own_out;
		may_die();
		/* the oldest first */
		if
		:: born[0] && born[1] && id[1] < id[0] -> repeat(1); repeat(0)
		:: else -> repeat(0); repeat(1)
		fi
	};
#ifndef MUTANT_NO_EVENT
	event = 1;
#endif

	do
	:: atomic { in_write != own_in && (!born[0] || !born[1]) ->
		request = in_data[own_in % SLOTS];
		own_in++;
		dirty = 1;
		if
		:: complete(request)		/* at once */
		:: running[request] = 1; may_die(); log_add(request)
		fi;
		request = 0;
		may_die() }
	:: atomic { finished[1] -> finished[1] = 0; complete(1); may_die() }
	:: atomic { finished[2] -> finished[2] = 0; complete(2); may_die() }
	:: atomic { finished[REQUESTS] ->
		finished[REQUESTS] = 0;
		complete(REQUESTS);
		may_die() }
	:: dirty ->
#ifdef MUTANT_SHOW_BEFORE_COMMIT
		atomic { out_write = own_out; event = 1; may_die() };
#endif
#ifdef MUTANT_READ_BEFORE_COMMIT
		atomic { in_read = own_in; may_die() };
#endif
		atomic { save_and_commit() };
		/* channel_settle() */
		atomic {
			signal = signal || out_write != own_out;
			out_write = own_out;
			may_die()
		};
		atomic { in_read = own_in; may_die() };
		atomic { event = event || signal; signal = 0; may_die() };
		/* inflight_committed() */
		atomic {
			free_entry(0);
			may_die();
			free_entry(1);
			dirty = 0;
			may_die()
		}
	:: !dirty && all_ends == REQUESTS -> break
	od;
	goto done;

dead:	atomic {
		/* what it knew is gone, what it began goes on */
		deaths++;
		own_in = 0;
		own_out = 0;
		e = 0;
		c = 0;
		request = 0;
		dirty = 0;
		signal = 0;
		orphan[1] = orphan[1] || running[1];
		orphan[2] = orphan[2] || running[2];
		orphan[REQUESTS] = orphan[REQUESTS] || running[REQUESTS];
		running[1] = 0;
		running[2] = 0;
		running[REQUESTS] = 0;
		finished[1] = 0;
		finished[2] = 0;
		finished[REQUESTS] = 0
	};
	goto take_over;

done:	skip
}

/* When nothing moves any more */
proctype nothing_lost()
{
	timeout;
	assert(all_ends == REQUESTS)
}

init {
	atomic {
		run guest_sender();
		run guest_receiver();
		run disk();
		run worker();
		run nothing_lost()
	}
}
