// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of the guest: checked, given to the SCSI command set, their I/O
 * begun, and answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "persist.h"
#include "storvsp.h"

/* Requests of up to 128 KiB of scattered pages are used again */
#define SPARE_IOVS	33u

/* A command that does I/O */
struct storvsp_request {
	struct blockio_request bio;
	struct storvsp_request *next;	/* spare */
	struct storvsp *s;
	struct lun *lun;
	struct storvsp_reply reply;
	struct storvsp_order order;
	enum scsi_action action;
	uint32_t moved;			/* bytes, if it succeeds */
	uint64_t held;
	bool fua;
	bool flushed;			/* a FUA read has done its flush */
	struct scsi_extent *extents;	/* UNMAP: what is left */
	unsigned int extent, extent_count;
	uint8_t *pattern;		/* WRITE SAME */
	unsigned int iov_room;
	struct iovec iov[];
};

/* --- flow --------------------------------------------------------------- */

static void update_pause(struct storvsp *s, struct storvsp_channel *sc)
{
	bool pause = s->reset.pending ||
		     sc->in_flight >= STORVSP_MAX_REQUESTS ||
		     sc->waiting >= STORVSP_MAX_WAITING ||
		     sc->held >= STORVSP_MAX_HELD;

	if (pause == sc->paused)
		return;
	sc->paused = pause;
	if (pause)
		channel_pause(sc->ch);
	else
		channel_resume(sc->ch);
}

void storvsp_update_pauses(struct storvsp *s)
{
	struct storvsp_channel *sc;

	for (sc = s->channels; sc; sc = sc->next)
		update_pause(s, sc);
}

/* --- answers ---------------------------------------------------------------- */

void storvsp_reply_init(struct storvsp_reply *reply,
			struct storvsp_channel *sc, const struct packet *pkt,
			const struct storvsp_packet *vp)
{
	reply->sc = sc;
	reply->trans_id = pkt->trans_id;
	reply->len = pkt->len;
	reply->pkt = *vp;
	reply->fault = NULL;
	reply->room = 0;
	reply->soon = false;
}

static void fill_reply(struct storvsp_reply *reply, uint32_t status)
{
	reply->pkt.operation = STORVSP_COMPLETE_IO;
	reply->pkt.flags = 0;
	reply->pkt.status = status;
}

/*
 * What takes long to transfer is worth an interrupt of its own: held, it would
 * only keep the disk idle
 */
#define LARGE_TRANSFER	(64u << 10)

void storvsp_complete(struct storvsp_reply *reply, uint32_t status)
{
	fill_reply(reply, status);
	if (reply->fault)
		fault_completes(reply);
	else if (reply->soon && status == STORVSP_STATUS_SUCCESS &&
		 reply->pkt.srb.data_transfer_length < LARGE_TRANSFER)
		channel_complete_soon(reply->sc->ch, reply->trans_id,
				      &reply->pkt, reply->len,
				      reply->sc->in_flight - 1);
	else
		channel_complete(reply->sc->ch, reply->trans_id, &reply->pkt,
				 reply->len);
}

/* Nothing was moved */
void storvsp_fill_srb(struct storvsp_reply *reply, uint8_t srb_status)
{
	struct storvsp_srb *srb = &reply->pkt.srb;

	srb->srb_status = srb_status;
	srb->scsi_status = srb_status == STORVSP_SRB_BUSY ? SCSI_BUSY :
							    SCSI_GOOD;
	srb->sense_info_length = 0;
	srb->data_transfer_length = 0;
	fill_reply(reply, STORVSP_STATUS_UNSUCCESSFUL);
}

void storvsp_complete_srb(struct storvsp_reply *reply, uint8_t srb_status)
{
	storvsp_fill_srb(reply, srb_status);
	storvsp_complete(reply, STORVSP_STATUS_UNSUCCESSFUL);
}

/* Ends a command with the status and sense data of @cmd */
static void complete_command(struct storvsp_reply *reply,
			     const struct scsi_disk *disk,
			     const struct scsi_command *cmd, uint32_t moved)
{
	struct storvsp_srb *srb = &reply->pkt.srb;
	bool autosense = true;

	if (cmd->status == SCSI_BUSY) {
		storvsp_complete_srb(reply, STORVSP_SRB_BUSY);
		return;
	}
	if (cmd->bare) {
		storvsp_complete_srb(reply, cmd->bare == REFUSE_ERROR ?
				     STORVSP_SRB_ERROR :
				     STORVSP_SRB_INVALID_REQUEST);
		return;
	}
	srb->scsi_status = cmd->status;
	if (cmd->status == SCSI_GOOD) {
		srb->srb_status = STORVSP_SRB_SUCCESS;
		srb->sense_info_length = disk->like->sense_room;
		srb->data_transfer_length = moved;
		storvsp_complete(reply, STORVSP_STATUS_SUCCESS);
		return;
	}

	if (reply->len >= sizeof(reply->pkt) &&
	    (srb->srb_flags & STORVSP_SRB_DISABLE_AUTOSENSE))
		autosense = false;
	srb->srb_status = scsi_is_bad_request(disk, cmd) ?
			  STORVSP_SRB_INVALID_REQUEST : STORVSP_SRB_ERROR;
	if (srb->sense_info_length > SCSI_SENSE_LEN)
		srb->sense_info_length = SCSI_SENSE_LEN;
	if (autosense && srb->sense_info_length) {
		srb->srb_status |= STORVSP_SRB_AUTOSENSE_VALID;
		memset(srb->sense_data, 0, sizeof(srb->sense_data));
		memcpy(srb->sense_data, cmd->sense, srb->sense_info_length);
		if (disk->like->sense_room)
			srb->sense_info_length = disk->like->sense_room;
	} else {
		srb->sense_info_length = 0;
	}
	srb->data_transfer_length = 0;
	storvsp_complete(reply, STORVSP_STATUS_UNSUCCESSFUL);
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
		lun->fua_writes += r->fua;
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

static struct storvsp_request *request_alloc(struct storvsp *s,
					    unsigned int iovs)
{
	struct storvsp_request *r = s->spare;
	unsigned int room = iovs > SPARE_IOVS ? iovs : SPARE_IOVS;

	if (r && iovs <= SPARE_IOVS) {
		s->spare = r->next;
	} else {
		r = malloc(sizeof(*r) + room * sizeof(r->iov[0]));
		if (!r)
			return NULL;
	}
	memset(r, 0, sizeof(*r));
	r->iov_room = room;
	return r;
}

static void request_free(struct storvsp_request *r)
{
	free(r->extents);
	free(r->pattern);
	if (r->iov_room == SPARE_IOVS) {
		r->next = r->s->spare;
		r->s->spare = r;
	} else {
		free(r);
	}
}

void storvsp_free_spares(struct storvsp *s)
{
	struct storvsp_request *r;

	while ((r = s->spare)) {
		s->spare = r->next;
		free(r);
	}
}

/*
 * What takes long, and is done piece by piece, goes no further while somebody
 * waits for its end: the loop serves nobody else meanwhile.
 */
static bool request_cancelled(const struct blockio_request *bio)
{
	const struct storvsp_request *r =
		container_of(bio, struct storvsp_request, bio);

	return r->reply.sc->draining || r->lun->leaving || r->s->reset.pending;
}

/* The bytes that it changes, all those between its extents with them */
static void request_range(const struct storvsp_request *r, uint64_t *begin,
			  uint64_t *end)
{
	unsigned int i;

	*begin = r->bio.offset;
	*end = *begin + r->bio.length;
	if (r->action != SCSI_UNMAP)
		return;
	*begin = UINT64_MAX;
	*end = 0;
	for (i = 0; i < r->extent_count; i++) {
		uint64_t from = r->extents[i].lba * r->lun->disk.block_size;
		uint64_t to = from + r->extents[i].blocks *
				     r->lun->disk.block_size;

		*begin = from < *begin ? from : *begin;
		*end = to > *end ? to : *end;
	}
}

/* Begins it, unless it has to wait for another that changes the same blocks */
static void request_order(struct storvsp_request *r)
{
	uint64_t begin, end;

	if (r->action == SCSI_WRITE || r->action == SCSI_WRITE_SAME ||
	    r->action == SCSI_UNMAP) {
		request_range(r, &begin, &end);
		if (!storvsp_order_add(r->lun, &r->order, begin, end))
			return;
	}
	request_submit(r);
}

static void request_ordered(struct storvsp_request *r)
{
	struct storvsp_order *next;

	storvsp_order_del(r->lun, &r->order);
	while ((next = storvsp_order_next(r->lun)))
		request_submit(container_of(next, struct storvsp_request,
					    order));
}

static void request_done(struct blockio_request *bio, int error)
{
	struct storvsp_request *r =
		container_of(bio, struct storvsp_request, bio);
	struct storvsp_channel *sc = r->reply.sc;
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
	persist_point("io-done");
	request_count(r, error);
	request_ordered(r);
	cmd->action = r->action;
	cmd->status = SCSI_GOOD;
	if (error)
		scsi_io_error(&r->lun->disk, cmd, error);
	complete_command(&r->reply, &r->lun->disk, cmd, r->moved);
	r->lun->in_flight--;
	sc->in_flight--;
	s->in_flight--;
	request_free(r);
	update_pause(s, sc);
	storvsp_reset_finish(s);
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
	r->reply.sc->held += r->held;
}

struct storvsp_reply *storvsp_request_reply(struct storvsp_request *r)
{
	return &r->reply;
}

struct lun *storvsp_request_lun(const struct storvsp_request *r)
{
	return r->lun;
}

void storvsp_request_start(struct storvsp_request *r)
{
	r->lun->in_flight++;
	r->reply.sc->in_flight++;
	r->s->in_flight++;
	request_order(r);
	persist_point("io-begun");
	update_pause(r->s, r->reply.sc);
}

void storvsp_request_free(struct storvsp_request *r)
{
	request_free(r);
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

void storvsp_scatter(const struct packet *pkt, const uint8_t *data, size_t len)
{
	unsigned int i;
	size_t n;

	for (i = 0; len; i++, data += n, len -= n) {
		n = len < pkt->iov[i].iov_len ? len : pkt->iov[i].iov_len;
		memcpy(pkt->iov[i].iov_base, data, n);
	}
}

void storvsp_gather(const struct packet *pkt, uint8_t *data, size_t len)
{
	unsigned int i;
	size_t n;

	for (i = 0; len; i++, data += n, len -= n) {
		n = len < pkt->iov[i].iov_len ? len : pkt->iov[i].iov_len;
		memcpy(data, pkt->iov[i].iov_base, n);
	}
}

/* Begins the I/O that s->cmd asks for */
static void request_begin(struct storvsp *s, struct lun *lun,
			  struct storvsp_reply *reply,
			  const struct packet *pkt, uint32_t moved)
{
	const struct scsi_command *cmd = &s->cmd;
	bool moves = cmd->action == SCSI_READ || cmd->action == SCSI_WRITE;
	struct storvsp_request *r = request_alloc(s, moves ? pkt->iov_count : 0);

	if (!r) {
		storvsp_complete_srb(reply, STORVSP_SRB_BUSY);
		return;
	}
	r->s = s;
	if (cmd->action == SCSI_UNMAP) {
		r->extents = calloc(cmd->extent_count, sizeof(*r->extents));
		if (!r->extents) {
			request_free(r);
			storvsp_complete_srb(reply, STORVSP_SRB_BUSY);
			return;
		}
		r->extent_count = cmd->extent_count;
		memcpy(r->extents, cmd->extents,
		       r->extent_count * sizeof(*r->extents));
	}
	/* it may begin later: the command's memory is another one's then */
	if (cmd->pattern) {
		r->pattern = malloc(lun->disk.block_size);
		if (!r->pattern) {
			request_free(r);
			storvsp_complete_srb(reply, STORVSP_SRB_BUSY);
			return;
		}
		memcpy(r->pattern, cmd->pattern, lun->disk.block_size);
	}
	if (moves)
		r->bio.iov_count = copy_iov(r->iov, pkt, moved);
	r->lun = lun;
	r->reply = *reply;
	r->action = cmd->action;
	r->moved = moved;
	r->fua = cmd->fua;
	/* who writes through waits for it before anything else */
	r->reply.soon = moves && !cmd->fua;
	r->bio.done = request_done;
	r->bio.cancelled = request_cancelled;
	r->bio.offset = cmd->lba * lun->disk.block_size;
	r->bio.length = cmd->blocks * lun->disk.block_size;
	r->bio.iov = r->iov;
	r->bio.sync = cmd->fua || !lun->disk.write_cache;
	r->bio.may_unmap = cmd->may_unmap;
	r->bio.pattern = r->pattern;
	if (!r->reply.fault || !fault_holds(s, r))
		storvsp_request_start(r);
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

static void execute_on_lun(struct storvsp *s, struct lun *lun,
			   struct storvsp_reply *reply,
			   const struct packet *pkt)
{
	struct storvsp_srb *srb = &reply->pkt.srb;
	struct scsi_command *cmd = &s->cmd;
	uint32_t room = srb->data_transfer_length, need = 0, moved = 0;
	uint8_t direction = STORVSP_DATA_NONE;

	lun->disk.like = &bus_profile(s->dev.bus)->storvsp;
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
		storvsp_complete_srb(reply, STORVSP_SRB_INVALID_REQUEST);
		return;
	}
	if (need > room) {
		storvsp_complete_srb(reply, STORVSP_SRB_DATA_OVERRUN);
		return;
	}

	if (cmd->action == SCSI_PARAMETERS) {
		storvsp_gather(pkt, s->param, need);
		scsi_parameters(&lun->disk, cmd, s->param);
	}
	moved = need;
	if (cmd->action != SCSI_DONE) {
		request_begin(s, lun, reply, pkt, moved);
		return;
	}
	if (cmd->data_len) {
		moved = cmd->data_len < room ? cmd->data_len : room;
		storvsp_scatter(pkt, cmd->data, moved);
	}
	complete_command(reply, &lun->disk, cmd, moved);
}

/* Whether the address is that of the target; Linux calls each IDE path 0 */
static bool address_ok(const struct storvsp *s, const struct storvsp_srb *srb)
{
	if (s->ide)
		return (!srb->path_id || srb->path_id == s->ide_path) &&
		       srb->target_id == s->ide_target;
	return !srb->path_id && !srb->target_id;
}

static const struct scsi_luns no_luns;

void storvsp_execute(struct storvsp *s, struct storvsp_channel *sc,
		     const struct packet *pkt, struct storvsp_packet *vp)
{
	struct storvsp_srb *srb = &vp->srb;
	bool here = address_ok(s, srb) && !s->dev.retiring;
	struct scsi_command *cmd = &s->cmd;
	struct storvsp_reply reply;
	struct scsi_disk nobody = { .like = &bus_profile(s->dev.bus)->storvsp };
	struct lun *lun = NULL;
	uint32_t moved;

	if (!srb_ok(s, sc->ch, pkt, srb))
		return;
	if (s->dev.retiring)
		s->last_packet = loop_now();
	log_trace("%s: path %u target %u lun %u: opcode %02x, %u bytes",
		  s->dev.id, srb->path_id, srb->target_id, srb->lun,
		  srb->cdb[0], srb->data_transfer_length);
	storvsp_reply_init(&reply, sc, pkt, vp);
	if (srb->data_transfer_length > s->max_transfer) {
		storvsp_complete_srb(&reply, STORVSP_SRB_INVALID_REQUEST);
		return;
	}
	if (here && srb->lun < SCSI_MAX_LUNS)
		lun = s->luns[srb->lun];
	if (here && (s->faults.list || (lun && lun->delay))) {
		fault_select(s, &reply, lun, pkt);
		if (reply.fault && fault_answers(&reply, pkt))
			return;
	}
	if (lun) {
		execute_on_lun(s, lun, &reply, pkt);
		return;
	}

	/*
	 * A target without units still answers REPORT LUNS. With invalid-LUN
	 * instead, hv_storvsc would remove that LUN: of path 0, whatever path
	 * it had asked.
	 */
	if (!scsi_missing(here ? &s->present : &no_luns, srb->cdb,
			  srb->cdb_length, cmd)) {
		storvsp_fill_srb(&reply, STORVSP_SRB_INVALID_LUN);
		if (nobody.like->missing_check)
			reply.pkt.srb.scsi_status = SCSI_CHECK_CONDITION;
		storvsp_complete(&reply, STORVSP_STATUS_UNSUCCESSFUL);
		return;
	}
	if (cmd->data_len && srb->data_transfer_length &&
	    srb->data_in != STORVSP_DATA_IN) {
		storvsp_complete_srb(&reply, STORVSP_SRB_INVALID_REQUEST);
		return;
	}
	moved = cmd->data_len < srb->data_transfer_length ?
		cmd->data_len : srb->data_transfer_length;
	storvsp_scatter(pkt, cmd->data, moved);
	complete_command(&reply, &nobody, cmd, moved);
}
