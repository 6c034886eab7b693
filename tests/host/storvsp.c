// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synthetic SCSI controller: storvsp packets on one side, a SCSI command
 * set (scsi.h) and files (blockio.h) on the other.
 *
 * A packet that no driver in its right mind would send disconnects the guest
 * (channel_error()). A command that is merely wrong, which any program in the
 * guest can send through SG_IO, is answered: it must not cost the guest its
 * other disks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <synthio/storvsp.h>

#include "blockio.h"
#include "device.h"
#include "scsi.h"

#define STORVSP_TRANSFER_MIN	4096u
#define STORVSP_TRANSFER_MAX	(2u << 20)	/* 513 pages; readv() takes 1024 */
#define STORVSP_TRANSFER	(1u << 20)

/* A channel takes no packets while it has this much to do */
#define STORVSP_MAX_REQUESTS	512u
#define STORVSP_MAX_HELD	(64u << 20)	/* bytes of bounce buffers */

static struct device_kind storvsp_kind;

enum storvsp_state {
	STATE_CLOSED,
	STATE_OPENED,
	STATE_BEGUN,		/* BEGIN_INITIALIZATION */
	STATE_VERSION,		/* QUERY_PROTOCOL_VERSION succeeded */
	STATE_PROPERTIES,	/* QUERY_PROPERTIES */
	STATE_READY,		/* END_INITIALIZATION */
};

struct lun {
	struct scsi_disk disk;
	struct blockio *store;
	char *path;
	unsigned int number;
	bool leaving;			/* taken away; its I/O ends */
	unsigned int in_flight;
	uint64_t reads, read_bytes;
	uint64_t writes, written_bytes;
	uint64_t flushes, discards, errors;
};

/* What hangs at an open channel */
struct storvsp_channel {
	struct channel *ch;
	struct storvsp_channel *next;
	unsigned int in_flight;
	uint64_t held;
	bool paused;
	bool draining;
};

/* A reset waits for the I/O that was there before it; one at a time */
struct storvsp_reset {
	bool pending;
	struct channel *ch;
	uint64_t trans_id;
	uint32_t len;
	struct storvsp_packet pkt;
};

struct storvsp {
	struct device dev;
	uint32_t max_transfer;
	enum storvsp_state state;
	unsigned int version;
	struct channel *primary;
	struct storvsp_channel *channels;
	struct storvsp_reset reset;
	uint64_t last_packet;	/* when the guest asked something, loop_now() */
	bool announce;		/* an ENUMERATE_BUS did not fit */
	unsigned int in_flight;
	struct lun *luns[SCSI_MAX_LUNS];
	struct scsi_luns present;
	/* scratch, used inside one callback */
	struct scsi_command cmd;
	uint8_t param[SCSI_PARAM_MAX];
};

/* A command that does I/O */
struct storvsp_request {
	struct blockio_request bio;
	struct storvsp *s;
	struct storvsp_channel *sc;
	struct lun *lun;
	uint64_t trans_id;
	uint32_t len;			/* of the packet: 48 or 64 */
	struct storvsp_packet pkt;
	enum scsi_action action;
	uint32_t moved;			/* bytes, if it succeeds */
	uint64_t held;
	bool fua;
	bool flushed;			/* a FUA read has done its flush */
	struct scsi_extent *extents;	/* UNMAP: what is left */
	unsigned int extent, extent_count;
	unsigned int iov_count;
	struct iovec iov[];
};

static struct storvsp *to_storvsp(struct device *dev)
{
	return container_of(dev, struct storvsp, dev);
}

/* --- flow --------------------------------------------------------------- */

static void update_pause(struct storvsp *s, struct storvsp_channel *sc)
{
	bool pause = s->reset.pending ||
		     sc->in_flight >= STORVSP_MAX_REQUESTS ||
		     sc->held >= STORVSP_MAX_HELD;

	if (pause == sc->paused)
		return;
	sc->paused = pause;
	if (pause)
		channel_pause(sc->ch);
	else
		channel_resume(sc->ch);
}

static void update_pauses(struct storvsp *s)
{
	struct storvsp_channel *sc;

	for (sc = s->channels; sc; sc = sc->next)
		update_pause(s, sc);
}

static void complete(struct channel *ch, uint64_t trans_id,
		     struct storvsp_packet *pkt, uint32_t len, uint32_t status)
{
	pkt->operation = STORVSP_COMPLETE_IO;
	pkt->flags = 0;
	pkt->status = status;
	channel_complete(ch, trans_id, pkt, len);
}

/* Ends a command whose outcome is an SRB status alone: nothing was moved */
static void complete_srb(struct channel *ch, uint64_t trans_id,
			 struct storvsp_packet *pkt, uint32_t len,
			 uint8_t srb_status)
{
	pkt->srb.srb_status = srb_status;
	pkt->srb.scsi_status = srb_status == STORVSP_SRB_BUSY ? SCSI_BUSY :
								SCSI_GOOD;
	pkt->srb.sense_info_length = 0;
	pkt->srb.data_transfer_length = 0;
	complete(ch, trans_id, pkt, len, STORVSP_STATUS_UNSUCCESSFUL);
}

/* Ends a command with the status and sense data of @cmd */
static void complete_command(struct channel *ch, uint64_t trans_id,
			     struct storvsp_packet *pkt, uint32_t len,
			     const struct scsi_command *cmd, uint32_t moved)
{
	struct storvsp_srb *srb = &pkt->srb;
	bool autosense = true;

	if (cmd->status == SCSI_BUSY) {
		complete_srb(ch, trans_id, pkt, len, STORVSP_SRB_BUSY);
		return;
	}
	srb->scsi_status = cmd->status;
	if (cmd->status == SCSI_GOOD) {
		srb->srb_status = STORVSP_SRB_SUCCESS;
		srb->sense_info_length = 0;
		srb->data_transfer_length = moved;
		complete(ch, trans_id, pkt, len, STORVSP_STATUS_SUCCESS);
		return;
	}

	if (len >= sizeof(*pkt) &&
	    (srb->srb_flags & STORVSP_SRB_DISABLE_AUTOSENSE))
		autosense = false;
	srb->srb_status = scsi_is_bad_request(cmd) ?
			  STORVSP_SRB_INVALID_REQUEST : STORVSP_SRB_ERROR;
	if (srb->sense_info_length > SCSI_SENSE_LEN)
		srb->sense_info_length = SCSI_SENSE_LEN;
	if (autosense && srb->sense_info_length) {
		srb->srb_status |= STORVSP_SRB_AUTOSENSE_VALID;
		memset(srb->sense_data, 0, sizeof(srb->sense_data));
		memcpy(srb->sense_data, cmd->sense, srb->sense_info_length);
	} else {
		srb->sense_info_length = 0;
	}
	srb->data_transfer_length = 0;
	complete(ch, trans_id, pkt, len, STORVSP_STATUS_UNSUCCESSFUL);
}

/*
 * How long nobody must have asked anything before a retired controller goes. A
 * guest on a busy machine was seen to pause for more than a second between its
 * last scan and the flush of the disk that it removes.
 */
#define RETIRE_QUIET_NS	3000000000ull

/* --- what the host says on its own ---------------------------------------- */

static void announce(struct storvsp *s)
{
	struct storvsp_packet pkt = { .operation = STORVSP_ENUMERATE_BUS };
	int ret;

	s->announce = false;
	/* before that the guest has not looked yet, and will */
	if (s->state != STATE_READY)
		return;
	ret = channel_send(s->primary, 0, &pkt,
			   s->version < STORVSP_VERSION_5_1 ?
			   STORVSP_PACKET_OLD : sizeof(pkt), false);
	if (ret == -ENOBUFS)
		s->announce = true;
}

/*
 * Before the controller goes its units do: the guest is told to look, and finds
 * none. A guest whose controller goes first is left with commands that nobody
 * answers, and hv_storvsc waits for those for ever.
 */
static bool storvsp_retire(struct device *dev)
{
	struct storvsp *s = to_storvsp(dev);

	if (s->state != STATE_READY)
		return false;
	if (!dev->retiring) {
		s->last_packet = loop_now();
		announce(s);
	}
	return s->in_flight || loop_now() - s->last_packet < RETIRE_QUIET_NS;
}

static void storvsp_writable(struct device *dev, struct channel *ch)
{
	struct storvsp *s = to_storvsp(dev);

	if (s->announce && ch == s->primary)
		announce(s);
}

/* --- resets ----------------------------------------------------------------- */

static void reset_finish(struct storvsp *s)
{
	struct storvsp_reset *reset = &s->reset;
	unsigned int i;

	if (!reset->pending || s->in_flight)
		return;
	for (i = 0; i < SCSI_MAX_LUNS; i++) {
		if (!s->luns[i])
			continue;
		if (reset->pkt.operation != STORVSP_RESET_LUN)
			scsi_reset(&s->luns[i]->disk, ATTENTION_BUS_RESET);
		else if (i == reset->pkt.srb.lun)
			scsi_reset(&s->luns[i]->disk, ATTENTION_DEVICE_RESET);
	}
	reset->pending = false;
	complete(reset->ch, reset->trans_id, &reset->pkt, reset->len,
		 STORVSP_STATUS_SUCCESS);
	update_pauses(s);
}

/* --- I/O -------------------------------------------------------------------- */

static void request_submit(struct storvsp_request *r);

static void request_count(struct storvsp_request *r, int error)
{
	struct lun *lun = r->lun;

	if (error) {
		lun->errors++;
		return;
	}
	switch (r->action) {
	case SCSI_READ:
		lun->reads++;
		lun->read_bytes += r->moved;
		break;
	case SCSI_WRITE:
		lun->writes++;
		lun->written_bytes += r->moved;
		break;
	case SCSI_FLUSH:
		lun->flushes++;
		break;
	case SCSI_UNMAP:
	case SCSI_WRITE_SAME:
		lun->discards++;
		break;
	default:
		break;
	}
}

static void request_free(struct storvsp_request *r)
{
	free(r->extents);
	free(r);
}

/*
 * What takes long, and is done piece by piece, goes no further while somebody
 * waits for its end: the loop serves nobody else meanwhile.
 */
static bool request_cancelled(const struct blockio_request *bio)
{
	const struct storvsp_request *r =
		container_of(bio, struct storvsp_request, bio);

	return r->sc->draining || r->lun->leaving || r->s->reset.pending;
}

static void request_done(struct blockio_request *bio, int error)
{
	struct storvsp_request *r =
		container_of(bio, struct storvsp_request, bio);
	struct storvsp_channel *sc = r->sc;
	struct storvsp *s = r->s;
	struct scsi_command *cmd = &s->cmd;

	sc->held -= r->held;
	r->held = 0;
	if (!error && r->action == SCSI_READ && r->fua && !r->flushed) {
		r->flushed = true;
		request_submit(r);
		return;
	}
	if (!error && r->action == SCSI_UNMAP &&
	    ++r->extent < r->extent_count) {
		if (!request_cancelled(bio)) {
			request_submit(r);
			return;
		}
		error = ECANCELED;
	}

	if (error && error != ECANCELED)
		log_warn("%s LUN %u: I/O error: %s, offset %llu, %llu bytes",
			 s->dev.id, r->lun->number, strerror(error),
			 (unsigned long long)bio->offset,
			 (unsigned long long)bio->length);
	request_count(r, error);
	cmd->action = r->action;
	cmd->status = SCSI_GOOD;
	if (error)
		scsi_io_error(cmd, error);
	complete_command(sc->ch, r->trans_id, &r->pkt, r->len, cmd, r->moved);
	r->lun->in_flight--;
	sc->in_flight--;
	s->in_flight--;
	request_free(r);
	update_pause(s, sc);
	reset_finish(s);
}

static void request_submit(struct storvsp_request *r)
{
	struct blockio_request *bio = &r->bio;

	switch (r->action) {
	case SCSI_READ:
		bio->kind = BLOCKIO_READ;
		/* what the page cache or the device holds goes out first */
		if (r->fua && !r->flushed)
			bio->kind = BLOCKIO_FLUSH;
		break;
	case SCSI_WRITE:
		bio->kind = BLOCKIO_WRITE;
		break;
	case SCSI_FLUSH:
		bio->kind = BLOCKIO_FLUSH;
		break;
	case SCSI_VERIFY:
		bio->kind = BLOCKIO_VERIFY;
		break;
	case SCSI_WRITE_SAME:
		bio->kind = bio->pattern ? BLOCKIO_PATTERN : BLOCKIO_ZERO;
		break;
	default:
		bio->kind = BLOCKIO_DISCARD;
		bio->offset = r->extents[r->extent].lba *
			      r->lun->disk.block_size;
		bio->length = r->extents[r->extent].blocks *
			      r->lun->disk.block_size;
		break;
	}
	r->held = blockio_submit(r->lun->store, bio);
	r->sc->held += r->held;
}

/* The first @bytes of @pkt's memory; their sum is known to be enough */
static unsigned int copy_iov(struct iovec *to, const struct packet *pkt,
			     size_t bytes)
{
	unsigned int n;

	for (n = 0; bytes; n++) {
		to[n] = pkt->iov[n];
		if (to[n].iov_len > bytes)
			to[n].iov_len = bytes;
		bytes -= to[n].iov_len;
	}
	return n;
}

static void scatter(const struct packet *pkt, const uint8_t *data, size_t len)
{
	unsigned int i;
	size_t n;

	for (i = 0; len; i++, data += n, len -= n) {
		n = len < pkt->iov[i].iov_len ? len : pkt->iov[i].iov_len;
		memcpy(pkt->iov[i].iov_base, data, n);
	}
}

static void gather(const struct packet *pkt, uint8_t *data, size_t len)
{
	unsigned int i;
	size_t n;

	for (i = 0; len; i++, data += n, len -= n) {
		n = len < pkt->iov[i].iov_len ? len : pkt->iov[i].iov_len;
		memcpy(data, pkt->iov[i].iov_base, n);
	}
}

/* Begins the I/O that s->cmd asks for */
static void request_start(struct storvsp *s, struct storvsp_channel *sc,
			  struct lun *lun, const struct packet *pkt,
			  struct storvsp_packet *vp, uint32_t moved)
{
	const struct scsi_command *cmd = &s->cmd;
	bool moves = cmd->action == SCSI_READ || cmd->action == SCSI_WRITE;
	struct storvsp_request *r;

	r = calloc(1, sizeof(*r) +
		   (moves ? pkt->iov_count * sizeof(r->iov[0]) : 0));
	if (r && cmd->action == SCSI_UNMAP) {
		r->extents = calloc(cmd->extent_count, sizeof(*r->extents));
		if (r->extents) {
			r->extent_count = cmd->extent_count;
			memcpy(r->extents, cmd->extents,
			       r->extent_count * sizeof(*r->extents));
		} else {
			free(r);
			r = NULL;
		}
	}
	if (!r) {
		complete_srb(sc->ch, pkt->trans_id, vp, pkt->len,
			     STORVSP_SRB_BUSY);
		return;
	}
	if (moves)
		r->iov_count = copy_iov(r->iov, pkt, moved);
	r->s = s;
	r->sc = sc;
	r->lun = lun;
	r->trans_id = pkt->trans_id;
	r->len = pkt->len;
	r->pkt = *vp;
	r->action = cmd->action;
	r->moved = moved;
	r->fua = cmd->fua;
	r->bio.done = request_done;
	r->bio.cancelled = request_cancelled;
	r->bio.offset = cmd->lba * lun->disk.block_size;
	r->bio.length = cmd->blocks * lun->disk.block_size;
	r->bio.iov = r->iov;
	r->bio.iov_count = r->iov_count;
	r->bio.sync = cmd->fua || !lun->disk.write_cache;
	r->bio.may_unmap = cmd->may_unmap;
	r->bio.pattern = cmd->pattern;

	lun->in_flight++;
	sc->in_flight++;
	s->in_flight++;
	request_submit(r);
	update_pause(s, sc);
}

/* --- EXECUTE_SRB ------------------------------------------------------------ */

/* What only a broken driver gets wrong; false after channel_error() */
static bool srb_ok(struct storvsp *s, struct channel *ch,
		   const struct packet *pkt, const struct storvsp_srb *srb)
{
	bool old = s->version < STORVSP_VERSION_5_1;

	if (!old && pkt->len < sizeof(struct storvsp_packet))
		channel_error(ch, "storvsp: EXECUTE_SRB of %u bytes, not %zu",
			      pkt->len, sizeof(struct storvsp_packet));
	else if (srb->length != sizeof(*srb) &&
		 !(old && srb->length == STORVSP_SRB_OLD))
		channel_error(ch, "storvsp: SRB length %u, not %zu",
			      srb->length, sizeof(*srb));
	else if (!srb->cdb_length || srb->cdb_length > STORVSP_CDB_MAX)
		channel_error(ch, "storvsp: CDB of %u bytes, not 1 to %u",
			      srb->cdb_length, STORVSP_CDB_MAX);
	else if (srb->sense_info_length > STORVSP_SENSE_MAX)
		channel_error(ch, "storvsp: sense length %u, more than %u",
			      srb->sense_info_length, STORVSP_SENSE_MAX);
	else if (srb->data_in > STORVSP_DATA_NONE)
		channel_error(ch, "storvsp: data direction %u, not 0 to 2",
			      srb->data_in);
	else if (pkt->type == PACKET_GPA_DIRECT && pkt->range_count != 1)
		channel_error(ch, "storvsp: %u ranges, not 1",
			      pkt->range_count);
	else if (srb->data_transfer_length > pkt->iov_bytes)
		channel_error(ch,
			      "storvsp: transfer of %u bytes, range of %zu",
			      srb->data_transfer_length, pkt->iov_bytes);
	else if (srb->data_in == STORVSP_DATA_NONE &&
		 srb->data_transfer_length)
		channel_error(ch, "storvsp: %u bytes in no direction",
			      srb->data_transfer_length);
	else
		return true;
	return false;
}

static void execute_on_lun(struct storvsp *s, struct storvsp_channel *sc,
			   struct lun *lun, const struct packet *pkt,
			   struct storvsp_packet *vp)
{
	struct storvsp_srb *srb = &vp->srb;
	struct scsi_command *cmd = &s->cmd;
	uint32_t room = srb->data_transfer_length, need = 0, moved = 0;
	uint8_t direction = STORVSP_DATA_NONE;

	scsi_start(&lun->disk, &s->present, srb->cdb, srb->cdb_length, cmd);

	switch (cmd->action) {
	case SCSI_DONE:
		if (cmd->data_len)
			direction = STORVSP_DATA_IN;
		break;
	case SCSI_READ:
		direction = STORVSP_DATA_IN;
		need = cmd->blocks * lun->disk.block_size;
		break;
	case SCSI_WRITE:
		direction = STORVSP_DATA_OUT;
		need = cmd->blocks * lun->disk.block_size;
		break;
	case SCSI_PARAMETERS:
		direction = STORVSP_DATA_OUT;
		need = cmd->param_len;
		break;
	default:
		break;
	}
	/* The CDB says one thing and the SRB another */
	if (room && direction != STORVSP_DATA_NONE &&
	    direction != srb->data_in) {
		complete_srb(sc->ch, pkt->trans_id, vp, pkt->len,
			     STORVSP_SRB_INVALID_REQUEST);
		return;
	}
	if (need > room) {
		complete_srb(sc->ch, pkt->trans_id, vp, pkt->len,
			     STORVSP_SRB_DATA_OVERRUN);
		return;
	}

	if (cmd->action == SCSI_PARAMETERS) {
		gather(pkt, s->param, need);
		scsi_parameters(&lun->disk, cmd, s->param);
	}
	moved = need;
	if (cmd->action != SCSI_DONE) {
		request_start(s, sc, lun, pkt, vp, moved);
		return;
	}
	if (cmd->data_len) {
		moved = cmd->data_len < room ? cmd->data_len : room;
		scatter(pkt, cmd->data, moved);
	}
	complete_command(sc->ch, pkt->trans_id, vp, pkt->len, cmd, moved);
}

static const struct scsi_luns no_luns;

static void execute_srb(struct storvsp *s, struct storvsp_channel *sc,
			const struct packet *pkt, struct storvsp_packet *vp)
{
	struct storvsp_srb *srb = &vp->srb;
	bool here = !srb->path_id && !srb->target_id && !s->dev.retiring;
	struct scsi_command *cmd = &s->cmd;
	struct lun *lun = NULL;
	uint32_t moved;

	if (!srb_ok(s, sc->ch, pkt, srb))
		return;
	if (s->dev.retiring)
		s->last_packet = loop_now();
	log_trace("%s: path %u target %u lun %u: opcode %02x, %u bytes",
		  s->dev.id, srb->path_id, srb->target_id, srb->lun,
		  srb->cdb[0], srb->data_transfer_length);
	if (srb->data_transfer_length > s->max_transfer) {
		complete_srb(sc->ch, pkt->trans_id, vp, pkt->len,
			     STORVSP_SRB_INVALID_REQUEST);
		return;
	}
	if (here && srb->lun < SCSI_MAX_LUNS)
		lun = s->luns[srb->lun];
	if (lun) {
		execute_on_lun(s, sc, lun, pkt, vp);
		return;
	}

	/*
	 * A target without units still answers REPORT LUNS. With invalid-LUN
	 * instead, hv_storvsc would remove that LUN: of path 0, whatever path
	 * it had asked.
	 */
	if (!scsi_missing(here ? &s->present : &no_luns, srb->cdb,
			  srb->cdb_length, cmd)) {
		complete_srb(sc->ch, pkt->trans_id, vp, pkt->len,
			     STORVSP_SRB_INVALID_LUN);
		return;
	}
	if (cmd->data_len && srb->data_transfer_length &&
	    srb->data_in != STORVSP_DATA_IN) {
		complete_srb(sc->ch, pkt->trans_id, vp, pkt->len,
			     STORVSP_SRB_INVALID_REQUEST);
		return;
	}
	moved = cmd->data_len < srb->data_transfer_length ?
		cmd->data_len : srb->data_transfer_length;
	scatter(pkt, cmd->data, moved);
	complete_command(sc->ch, pkt->trans_id, vp, pkt->len, cmd, moved);
}

/* --- the other operations --------------------------------------------------- */

static uint32_t query_version(struct storvsp *s, struct storvsp_packet *vp)
{
	static const uint16_t versions[] = {
		STORVSP_VERSION_6_2, STORVSP_VERSION_6_0, STORVSP_VERSION_5_1,
		STORVSP_VERSION_4_2, STORVSP_VERSION_2_0,
	};
	unsigned int i;

	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (vp->version.major_minor == versions[i]) {
			s->version = versions[i];
			s->state = STATE_VERSION;
			log_debug("%s: storvsp %u.%u", s->dev.id,
				  s->version >> 8, s->version & 0xff);
			return STORVSP_STATUS_SUCCESS;
		}
	}
	return STORVSP_STATUS_REVISION_MISMATCH;
}

static uint32_t query_properties(struct storvsp *s, struct storvsp_packet *vp)
{
	struct storvsp_properties *p = &vp->properties;

	memset(p, 0, sizeof(*p));
	if (s->dev.max_subchannels && s->version >= STORVSP_VERSION_5_1) {
		p->max_channel_count = s->dev.max_subchannels;
		p->flags = STORVSP_MULTI_CHANNEL;
	}
	p->max_transfer_bytes = s->max_transfer;
	s->state = STATE_PROPERTIES;
	return STORVSP_STATUS_SUCCESS;
}

static uint32_t create_subchannels(struct storvsp *s,
				   const struct storvsp_packet *vp)
{
	uint16_t count = vp->sub_channel_count;
	int ret;

	if (!count || count > s->dev.max_subchannels ||
	    s->version < STORVSP_VERSION_5_1)
		return STORVSP_STATUS_INVALID_PARAMETER;
	ret = device_offer_subchannels(&s->dev, count);
	if (ret) {
		log_warn("%s: cannot offer %u subchannels: %s", s->dev.id,
			 count, strerror(-ret));
		return STORVSP_STATUS_UNSUCCESSFUL;
	}
	return STORVSP_STATUS_SUCCESS;
}

static void begin_reset(struct storvsp *s, struct channel *ch,
			const struct packet *pkt, struct storvsp_packet *vp)
{
	struct storvsp_reset *reset = &s->reset;
	const struct storvsp_srb *srb = &vp->srb;

	if (vp->operation == STORVSP_RESET_LUN &&
	    (srb->path_id || srb->target_id || srb->lun >= SCSI_MAX_LUNS ||
	     !s->luns[srb->lun])) {
		complete(ch, pkt->trans_id, vp, pkt->len,
			 STORVSP_STATUS_INVALID_PARAMETER);
		return;
	}
	log_info("%s: reset by the guest (operation %u), %u in flight",
		 s->dev.id, vp->operation, s->in_flight);
	reset->pending = true;
	reset->ch = ch;
	reset->trans_id = pkt->trans_id;
	reset->len = pkt->len;
	reset->pkt = *vp;
	/* No new I/O, so that the wait has an end */
	update_pauses(s);
	reset_finish(s);
}

/* An operation of the initialisation; its status */
static uint32_t initialise(struct storvsp *s, struct storvsp_packet *vp)
{
	switch (vp->operation) {
	case STORVSP_BEGIN_INITIALIZATION:
		if (s->state != STATE_OPENED)
			break;
		s->state = STATE_BEGUN;
		return STORVSP_STATUS_SUCCESS;
	case STORVSP_QUERY_PROTOCOL_VERSION:
		if (s->state != STATE_BEGUN)
			break;
		return query_version(s, vp);
	case STORVSP_QUERY_PROPERTIES:
		if (s->state != STATE_VERSION)
			break;
		return query_properties(s, vp);
	case STORVSP_CREATE_SUB_CHANNELS:
		if (s->state < STATE_PROPERTIES)
			break;
		return create_subchannels(s, vp);
	case STORVSP_END_INITIALIZATION:
		if (s->state != STATE_PROPERTIES)
			break;
		s->state = STATE_READY;
		return STORVSP_STATUS_SUCCESS;
	default:
		break;
	}
	log_warn("%s: operation %u comes out of order", s->dev.id,
		 vp->operation);
	return STORVSP_STATUS_INVALID_DEVICE_STATE;
}

/* What is the same for all packets; false after channel_error() */
static bool packet_ok(struct channel *ch, const struct packet *pkt,
		      const struct storvsp_packet *vp)
{
	if (!(vp->flags & STORVSP_REQUEST_COMPLETION))
		channel_error(ch,
			      "storvsp: operation %u without the completion flag",
			      vp->operation);
	else if (pkt->type == PACKET_GPA_DIRECT &&
		 vp->operation != STORVSP_EXECUTE_SRB)
		channel_error(ch, "storvsp: operation %u with data",
			      vp->operation);
	else if (channel_index(ch) && vp->operation != STORVSP_EXECUTE_SRB)
		channel_error(ch, "storvsp: operation %u on a subchannel",
			      vp->operation);
	else
		return true;
	return false;
}

static void storvsp_packet(struct device *dev, struct channel *ch,
			   const struct packet *pkt)
{
	struct storvsp *s = to_storvsp(dev);
	struct storvsp_packet vp = { 0 };

	if (pkt->type != PACKET_INBAND && pkt->type != PACKET_GPA_DIRECT) {
		channel_error(ch, "storvsp: packet of type %d", pkt->type);
		return;
	}
	if (!pkt->wants_completion) {
		channel_error(ch, "storvsp: request that wants no completion");
		return;
	}
	if (pkt->len != sizeof(vp) && pkt->len != STORVSP_PACKET_OLD) {
		channel_error(ch, "storvsp: packet of %u bytes, not %zu",
			      pkt->len, sizeof(vp));
		return;
	}
	memcpy(&vp, pkt->payload, pkt->len);
	if (!packet_ok(ch, pkt, &vp))
		return;

	switch (vp.operation) {
	case STORVSP_EXECUTE_SRB:
		if (s->state != STATE_READY)
			channel_error(ch,
				      "storvsp: EXECUTE_SRB before the end of the initialisation");
		else
			execute_srb(s, channel_private(ch), pkt, &vp);
		break;
	case STORVSP_RESET_LUN:
	case STORVSP_RESET_ADAPTER:
	case STORVSP_RESET_BUS:
		if (s->state == STATE_READY)
			begin_reset(s, ch, pkt, &vp);
		else
			complete(ch, pkt->trans_id, &vp, pkt->len,
				 STORVSP_STATUS_INVALID_DEVICE_STATE);
		break;
	case STORVSP_BEGIN_INITIALIZATION:
	case STORVSP_QUERY_PROTOCOL_VERSION:
	case STORVSP_QUERY_PROPERTIES:
	case STORVSP_CREATE_SUB_CHANNELS:
	case STORVSP_END_INITIALIZATION:
		complete(ch, pkt->trans_id, &vp, pkt->len,
			 initialise(s, &vp));
		break;
	case STORVSP_REMOVE_DEVICE:
	case STORVSP_ENUMERATE_BUS:
	case STORVSP_FCHBA_DATA:
		/* known, and not for a SCSI controller from its guest */
		complete(ch, pkt->trans_id, &vp, pkt->len,
			 STORVSP_STATUS_INVALID_DEVICE_REQUEST);
		break;
	default:
		channel_error(ch, "storvsp: unknown operation %u",
			      vp.operation);
		break;
	}
}

/* --- channels ----------------------------------------------------------------- */

static int storvsp_open(struct device *dev, struct channel *ch)
{
	struct storvsp *s = to_storvsp(dev);
	struct storvsp_channel *sc = calloc(1, sizeof(*sc));

	if (!sc)
		return -ENOMEM;
	sc->ch = ch;
	sc->next = s->channels;
	s->channels = sc;
	channel_set_private(ch, sc);
	if (!channel_index(ch)) {
		s->primary = ch;
		s->state = STATE_OPENED;
		s->version = 0;
	}
	return 0;
}

struct drain {
	struct storvsp *s;
	struct storvsp_channel *sc;
};

static bool drained(void *arg)
{
	struct drain *d = arg;

	return !d->sc->in_flight &&
	       !(d->s->reset.pending && d->s->reset.ch == d->sc->ch);
}

/*
 * All I/O goes through the loop's io_uring and ends by itself, what is long at
 * its next piece. The end of the last request also ends a reset that waits.
 */
static void storvsp_drain(struct device *dev, struct channel *ch)
{
	struct drain d = { to_storvsp(dev), channel_private(ch) };

	d.sc->draining = true;
	loop_wait_io(bus_loop(dev->bus), drained, &d);
	d.sc->draining = false;
}

static bool storvsp_busy(struct device *dev, struct channel *ch)
{
	struct drain d = { to_storvsp(dev), channel_private(ch) };

	return !drained(&d);
}

static void storvsp_close(struct device *dev, struct channel *ch)
{
	struct storvsp_channel *sc = channel_private(ch), **link;
	struct storvsp *s = to_storvsp(dev);
	unsigned int i;

	for (link = &s->channels; *link != sc; link = &(*link)->next)
		;
	*link = sc->next;
	free(sc);
	channel_set_private(ch, NULL);
	if (channel_index(ch))
		return;

	/* The next guest finds the disks as at power on */
	s->primary = NULL;
	s->state = STATE_CLOSED;
	s->announce = false;
	for (i = 0; i < SCSI_MAX_LUNS; i++) {
		if (!s->luns[i])
			continue;
		scsi_reset(&s->luns[i]->disk, ATTENTION_BUS_RESET);
		s->luns[i]->disk.attention = 0;
	}
}

/* --- disks -------------------------------------------------------------------- */

static void lun_free(struct lun *lun)
{
	if (!lun)
		return;
	blockio_close(lun->store);
	free(lun->path);
	free(lun);
}

static bool lun_idle(void *arg)
{
	struct lun *lun = arg;

	return !lun->in_flight;
}

static bool serial_ok(const char *s)
{
	size_t n = strlen(s);

	if (!n || n >= SCSI_SERIAL_MAX)
		return false;
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~')
			return false;
	}
	return true;
}

static int parse_switch(const char *name, const char *value, bool *on,
			struct text *err)
{
	*on = value && !strcmp(value, "on");
	if (*on || (value && !strcmp(value, "off")))
		return 0;
	return text_add(err, "%s is on or off", name);
}

static int parse_disk_option(struct lun *lun, char *name, char *value,
			     bool *has_lun, struct text *err)
{
	struct scsi_disk *disk = &lun->disk;
	uint64_t n;

	if (!strcmp(name, "lun")) {
		if (!value || text_number(value, 0, SCSI_MAX_LUNS - 1, &n))
			return text_add(err, "lun is a number from 0 to %d",
					SCSI_MAX_LUNS - 1);
		lun->number = n;
		*has_lun = true;
	} else if (!strcmp(name, "file")) {
		if (!value || !*value || lun->path)
			return text_add(err, "one file=PATH is needed");
		lun->path = strdup(value);
	} else if (!strcmp(name, "sector")) {
		if (!value || text_number(value, 0, 4096, &n) ||
		    (n != 512 && n != 4096))
			return text_add(err, "sector is 512 or 4096");
		disk->block_size = n;
	} else if (!strcmp(name, "serial")) {
		if (!value || !serial_ok(value))
			return text_add(err,
					"serial is 1 to %d printable characters",
					SCSI_SERIAL_MAX - 1);
		strcpy(disk->serial, value);
	} else if (!strcmp(name, "write-cache")) {
		return parse_switch(name, value, &disk->write_cache_default,
				    err);
	} else if (!strcmp(name, "unmap")) {
		return parse_switch(name, value, &disk->unmap, err);
	} else if (!strcmp(name, "readonly") && !value) {
		disk->read_only = true;
	} else if (!strcmp(name, "rotational") && !value) {
		disk->rotational = true;
	} else {
		return text_add(err,
				"\"%s\" is none of lun=, file=, readonly, sector=, serial=, rotational, write-cache=, unmap=%s",
				name, value ? " (or takes no value)" : "");
	}
	return 0;
}

/* Opens what the options name, and puts it on the controller */
static int lun_attach(struct storvsp *s, struct lun *lun, struct text *err)
{
	struct scsi_disk *disk = &lun->disk;

	if (s->luns[lun->number]) {
		text_add(err, "%s has a LUN %u already", s->dev.id,
			 lun->number);
		return -EEXIST;
	}
	if (!disk->serial[0])
		snprintf(disk->serial, sizeof(disk->serial), "%.31s-%u",
			 s->dev.id, lun->number);
	lun->store = blockio_open(bus_loop(s->dev.bus), lun->path,
				  disk->read_only, disk->block_size, err);
	if (!lun->store)
		return -EINVAL;
	disk->blocks = blockio_size(lun->store) / disk->block_size;
	disk->max_transfer = s->max_transfer;
	disk->write_cache = disk->write_cache_default;
	disk->unmap &= blockio_can_discard(lun->store);
	disk->unmap_zeroes = blockio_discard_zeroes(lun->store);
	s->luns[lun->number] = lun;
	s->present.bits[lun->number / 8] |= 1u << lun->number % 8;
	log_info("%s LUN %u: %s, %llu blocks of %u bytes%s%s", s->dev.id,
		 lun->number, lun->path, (unsigned long long)disk->blocks,
		 disk->block_size, disk->read_only ? ", read-only" : "",
		 blockio_is_direct(lun->store) ? "" : ", through the page cache");
	return 0;
}

static struct storvsp *find_controller(struct bus *bus, const char *id,
				       struct text *err)
{
	struct device *dev = device_find(bus, &storvsp_kind, id);

	if (!dev) {
		text_add(err, "there is no SCSI controller \"%s\"", id);
		return NULL;
	}
	return to_storvsp(dev);
}

/* "CTRL,lun=N,file=PATH,...", of --disk and of the command add */
static int disk_parse(struct bus *bus, const char *arg, struct storvsp **sp,
		      struct text *err)
{
	struct lun *lun = calloc(1, sizeof(*lun));
	struct option_list ol;
	char *name, *value;
	bool has_lun = false;
	int ret = -EINVAL;

	if (!lun) {
		text_add(err, "out of memory");
		return -ENOMEM;
	}
	lun->disk.block_size = 512;
	lun->disk.write_cache_default = true;
	lun->disk.unmap = true;

	option_list_init(&ol, arg);
	if (!option_next(&ol, &name, &value) || value) {
		text_add(err, "it begins with the name of a SCSI controller");
		goto out;
	}
	*sp = find_controller(bus, name, err);
	if (!*sp)
		goto out;
	while (option_next(&ol, &name, &value)) {
		if (parse_disk_option(lun, name, value, &has_lun, err))
			goto out;
	}
	if (!has_lun || !lun->path) {
		text_add(err, "lun=N and file=PATH are needed");
		goto out;
	}
	ret = lun_attach(*sp, lun, err);
out:
	option_list_free(&ol);
	if (ret)
		lun_free(lun);
	return ret;
}

static int disk_option(struct bus *bus, const char *arg, struct text *err)
{
	struct storvsp *s;

	return disk_parse(bus, arg, &s, err);
}

static int scsi_option(struct bus *bus, const char *arg, struct text *err)
{
	struct storvsp *s = calloc(1, sizeof(*s));
	struct option_list ol;
	char *name, *value;
	int ret = -EINVAL;
	uint64_t n;

	if (!s) {
		text_add(err, "out of memory");
		return -ENOMEM;
	}
	s->dev.kind = &storvsp_kind;
	s->max_transfer = STORVSP_TRANSFER;
	option_list_init(&ol, arg);
	if (!option_next(&ol, &name, &value) || value ||
	    strlen(name) >= sizeof(s->dev.id)) {
		text_add(err, "it begins with a name, at most %zu characters",
			 sizeof(s->dev.id) - 1);
		goto out;
	}
	strcpy(s->dev.id, name);
	while (option_next(&ol, &name, &value)) {
		if (!strcmp(name, "subchannels")) {
			if (!value ||
			    text_number(value, 0, DEVICE_MAX_SUBCHANNELS, &n)) {
				text_add(err,
					 "subchannels is a number from 0 to %d",
					 DEVICE_MAX_SUBCHANNELS);
				goto out;
			}
			s->dev.max_subchannels = n;
		} else if (!strcmp(name, "max-transfer")) {
			if (!value || text_size(value, &n) || n % 4096 ||
			    n < STORVSP_TRANSFER_MIN ||
			    n > STORVSP_TRANSFER_MAX) {
				text_add(err,
					 "max-transfer is a multiple of 4096, %uK to %uK",
					 STORVSP_TRANSFER_MIN >> 10,
					 STORVSP_TRANSFER_MAX >> 10);
				goto out;
			}
			s->max_transfer = n;
		} else {
			text_add(err,
				 "\"%s\" is neither subchannels= nor max-transfer=",
				 name);
			goto out;
		}
	}
	ret = device_register(bus, &s->dev, err);
out:
	option_list_free(&ol);
	if (ret)
		free(s);
	return ret;
}

/* --- commands ----------------------------------------------------------------- */

static int add_command(struct bus *bus, int argc, char **argv,
		       struct text *out)
{
	struct storvsp *s;
	int ret;

	if (argc != 2) {
		text_add(out, "add CTRL,lun=N,file=PATH[,...]");
		return -EINVAL;
	}
	ret = disk_parse(bus, argv[1], &s, out);
	if (!ret)
		announce(s);
	return ret;
}

static struct lun *find_lun(struct bus *bus, char **argv, struct storvsp **sp,
			    struct text *out)
{
	uint64_t n;

	*sp = find_controller(bus, argv[1], out);
	if (!*sp)
		return NULL;
	if (text_number(argv[2], 0, SCSI_MAX_LUNS - 1, &n) ||
	    !(*sp)->luns[n]) {
		text_add(out, "%s has no LUN %s", argv[1], argv[2]);
		return NULL;
	}
	return (*sp)->luns[n];
}

static int remove_command(struct bus *bus, int argc, char **argv,
			  struct text *out)
{
	struct storvsp *s;
	struct lun *lun;

	if (argc != 3) {
		text_add(out, "remove CTRL LUN");
		return -EINVAL;
	}
	lun = find_lun(bus, argv, &s, out);
	if (!lun)
		return -ENOENT;
	/* Nobody finds it any more; what had found it before is finished */
	lun->leaving = true;
	s->luns[lun->number] = NULL;
	s->present.bits[lun->number / 8] &= ~(1u << lun->number % 8);
	loop_wait_io(bus_loop(bus), lun_idle, lun);
	log_info("%s LUN %u: removed", s->dev.id, lun->number);
	lun_free(lun);
	announce(s);
	return 0;
}

static int resize_command(struct bus *bus, int argc, char **argv,
			  struct text *out)
{
	struct storvsp *s;
	struct lun *lun;
	uint64_t size = 0;
	int ret;

	if (argc != 3 && argc != 4) {
		text_add(out, "resize CTRL LUN [SIZE]");
		return -EINVAL;
	}
	lun = find_lun(bus, argv, &s, out);
	if (!lun)
		return -ENOENT;
	if (argc == 4 && (text_size(argv[3], &size) || !size)) {
		text_add(out, "\"%s\" is no size", argv[3]);
		return -EINVAL;
	}
	ret = blockio_resize(lun->store, size, out);
	if (ret)
		return ret;
	size = blockio_size(lun->store) / lun->disk.block_size;
	if (size != lun->disk.blocks) {
		lun->disk.blocks = size;
		/* The guest learns it from the next command to the disk, and
		 * sends one when it is told to look at its bus.
		 */
		if (s->state == STATE_READY)
			lun->disk.attention |= ATTENTION_CAPACITY;
		announce(s);
	}
	text_add(out, "%s LUN %u: %llu blocks of %u bytes\n", s->dev.id,
		 lun->number, (unsigned long long)size, lun->disk.block_size);
	return 0;
}

static void storvsp_status(struct device *dev, struct text *out)
{
	static const char *const states[] = {
		"closed", "opened", "initialising", "initialising",
		"initialising", "ready",
	};
	struct storvsp *s = to_storvsp(dev);
	unsigned int i;

	text_add(out, "  storvsp %u.%u, %s, %u in flight\n", s->version >> 8,
		 s->version & 0xff, states[s->state], s->in_flight);
	for (i = 0; i < SCSI_MAX_LUNS; i++) {
		struct lun *lun = s->luns[i];

		if (!lun)
			continue;
		text_add(out,
			 "  LUN %u: %s, %llu × %u bytes%s%s%s%s, serial %s\n",
			 i, lun->path, (unsigned long long)lun->disk.blocks,
			 lun->disk.block_size,
			 lun->disk.read_only ? ", read-only" : "",
			 lun->disk.write_cache ? ", write cache" : "",
			 lun->disk.unmap ? ", unmap" : "",
			 blockio_is_direct(lun->store) ? ", direct" : "",
			 lun->disk.serial);
		text_add(out,
			 "    reads %llu (%llu bytes), writes %llu (%llu bytes), flushes %llu, discards %llu, errors %llu, in flight %u\n",
			 (unsigned long long)lun->reads,
			 (unsigned long long)lun->read_bytes,
			 (unsigned long long)lun->writes,
			 (unsigned long long)lun->written_bytes,
			 (unsigned long long)lun->flushes,
			 (unsigned long long)lun->discards,
			 (unsigned long long)lun->errors, lun->in_flight);
	}
}

static void storvsp_destroy(struct device *dev)
{
	struct storvsp *s = to_storvsp(dev);
	unsigned int i;

	for (i = 0; i < SCSI_MAX_LUNS; i++)
		lun_free(s->luns[i]);
	free(s);
}

static const struct device_ops storvsp_ops = {
	.open		= storvsp_open,
	.packet		= storvsp_packet,
	.writable	= storvsp_writable,
	.drain		= storvsp_drain,
	.close		= storvsp_close,
	.busy		= storvsp_busy,
	.retire		= storvsp_retire,
	.status		= storvsp_status,
	.destroy	= storvsp_destroy,
};

static const struct device_option storvsp_options[] = {
	{ "scsi", "ID[,subchannels=N][,max-transfer=BYTES]",
	  "a SCSI controller, named for --disk and for commands",
	  scsi_option },
	{ "disk",
	  "CTRL,lun=N,file=PATH[,readonly][,sector=512|4096][,serial=S][,rotational][,write-cache=on|off][,unmap=on|off]",
	  "a disk on a controller given before", disk_option },
	{ 0 },
};

static const struct device_command storvsp_commands[] = {
	{ "add", "CTRL,lun=N,file=PATH[,...]",
	  "add a disk; options as for --disk", add_command },
	{ "remove", "CTRL LUN",
	  "take a disk away, after its I/O has ended", remove_command },
	{ "resize", "CTRL LUN [SIZE]",
	  "tell the guest the file's size, or change it", resize_command },
	{ 0 },
};

static struct device_kind storvsp_kind = {
	.name		= "scsi",
	.class		= HOST_GUID(0xba6163d9, 0x04a1, 0x4d29, 0xb6, 0x05,
				    0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f),
	.chn_flags	= DEVICE_FLAG_ENUMERATE,
	.ops		= &storvsp_ops,
	.options	= storvsp_options,
	.commands	= storvsp_commands,
};
DEVICE_KIND(storvsp_kind);
