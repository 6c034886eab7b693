// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states of the connection and of channels: their names, and the functions that
 * change them, which check and trace each change. docs/code.md draws them.
 */
#include "trace.h"
#include "vmbus.h"

static const u8 connection_next[] = {
	[CONN_NONE]		= BIT(CONN_CONTACTING),
	[CONN_CONTACTING]	= BIT(CONN_CONNECTED) | BIT(CONN_LEAVING) |
				  BIT(CONN_NONE),
	[CONN_CONNECTED]	= BIT(CONN_SUSPENDED) | BIT(CONN_LEAVING),
	[CONN_SUSPENDED]	= BIT(CONN_RESUMING) | BIT(CONN_CONNECTED) |
				  BIT(CONN_LEAVING),
	[CONN_RESUMING]		= BIT(CONN_CONNECTED) | BIT(CONN_SUSPENDED) |
				  BIT(CONN_LEAVING),
	[CONN_LEAVING]		= BIT(CONN_NONE),
};

static const u8 channel_next[] = {
	[CHANNEL_CLOSED]	= BIT(CHANNEL_CHANGING),
	[CHANNEL_CHANGING]	= BIT(CHANNEL_OPEN) | BIT(CHANNEL_CLOSED),
	[CHANNEL_OPEN]		= BIT(CHANNEL_CHANGING),
};

static const u8 life_next[] = {
	[LIFE_OFFERED]		= BIT(LIFE_DISMISSED) | BIT(LIFE_RESCINDED) |
				  BIT(LIFE_RELEASED),
	[LIFE_DISMISSED]	= BIT(LIFE_RESCINDED) | BIT(LIFE_RELEASED),
	[LIFE_RESCINDED]	= BIT(LIFE_RELEASED),
	[LIFE_RELEASED]		= 0,
};

/**
 * connection_state_name() - the name of the connection's state, for debugfs
 *
 * Context: any.
 */
const char *connection_state_name(void)
{
	static const char * const names[] = {
		[CONN_NONE]		= "none",
		[CONN_CONTACTING]	= "contacting",
		[CONN_CONNECTED]	= "connected",
		[CONN_SUSPENDED]	= "suspended",
		[CONN_RESUMING]		= "resuming",
		[CONN_LEAVING]		= "leaving",
	};

	return names[READ_ONCE(connection.state)];
}

/**
 * connection_set_state() - change the connection's state
 * @to: the new state. Once the kernel ends (connection.ending), CONN_LEAVING is the last
 *	one: what another task wants to change after that is ignored
 *
 * Context: any. With state_mutex held, but in a shutdown that can't have it, and in a
 *	panic.
 */
void connection_set_state(enum connection_state to)
{
	enum connection_state from;

	do {
		from = READ_ONCE(connection.state);
		if (from == to ||
		    (from == CONN_LEAVING && READ_ONCE(connection.ending)))
			return;
		WARN_ONCE(!(connection_next[from] & BIT(to)) &&
			  !READ_ONCE(connection.ending),
			  "connection: state %d after %d\n", to, from);
	} while (cmpxchg(&connection.state, from, to) != from);
	trace_synth_connection_state(from, to);
}

/**
 * channel_state_name() - the name of a channel's state, for debugfs
 * @vc: any channel
 *
 * Context: any.
 */
const char *channel_state_name(const struct vmbus_channel *vc)
{
	static const char * const names[] = {
		[CHANNEL_OFFER_STATE]	= "offered",
		[CHANNEL_CHANGING]	= "opening or closing",
		[CHANNEL_CLOSED]	= "closed",
		[CHANNEL_OPEN]		= "open",
	};

	return names[READ_ONCE(vc->state)];
}

/**
 * channel_set_state() - change whether a channel is open
 * @vc: any channel
 * @to: the new state
 *
 * Context: channel_mutex held.
 */
void channel_set_state(struct vmbus_channel *vc, enum vmbus_channel_state to)
{
	enum vmbus_channel_state from = vc->state;

	lockdep_assert_held(&connection.channel_mutex);
	WARN_ONCE(!(channel_next[from] & BIT(to)),
		  "channel %u: state %d after %d\n", vc->offermsg.child_relid,
		  to, from);
	WRITE_ONCE(vc->state, to);
	trace_synth_channel_state(vc, from, to);
}

/**
 * channel_life_name() - the name of what has become of an offer, for debugfs
 * @ch: any channel
 *
 * Context: any.
 */
const char *channel_life_name(const struct channel *ch)
{
	static const char * const names[] = {
		[LIFE_OFFERED]		= "offered",
		[LIFE_DISMISSED]	= "dismissed",
		[LIFE_RESCINDED]	= "rescinded",
		[LIFE_RELEASED]		= "released",
	};

	return names[READ_ONCE(ch->life)];
}

/**
 * channel_set_life() - note what has become of an offer
 * @ch: any channel
 * @to: the new state
 *
 * Context: channel_mutex held.
 */
void channel_set_life(struct channel *ch, enum channel_life to)
{
	enum channel_life from = ch->life;

	lockdep_assert_held(&connection.channel_mutex);
	WARN_ONCE(!(life_next[from] & BIT(to)), "channel %u: life %d after %d\n",
		  ch->vc.offermsg.child_relid, to, from);
	WRITE_ONCE(ch->life, to);
	trace_synth_channel_life(&ch->vc, from, to);
}
