/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * storvsp: the protocol of a synthetic SCSI controller on a VMBus channel.
 *
 * The guest sends a packet for each request and the host completes it, with
 * the same transaction id, by a packet of the same length and format. Requests
 * without data are in-band packets (VMBus packet type 6); those with data are
 * GPA-direct (type 9) with one multi-page range. What the host sends on its
 * own has the transaction id 0 and wants no completion.
 *
 * After opening the channel the guest goes through
 *
 *	BEGIN_INITIALIZATION
 *	QUERY_PROTOCOL_VERSION	newest first, until the host takes one
 *	QUERY_PROPERTIES
 *	(CREATE_SUB_CHANNELS)	here or after the end of the initialisation
 *	END_INITIALIZATION
 *
 * and only then EXECUTE_SRB. Subchannels carry EXECUTE_SRB only.
 *
 * All fields are little endian. Facts: the kernel's drivers/scsi/storvsc_drv.c.
 */
#ifndef SYNTHIO_STORVSP_H
#define SYNTHIO_STORVSP_H

#include <linux/types.h>

/* A SCSI controller: {ba6163d9-04a1-4d29-b605-72e2ffb1dc7f} */
#define STORVSP_SCSI_GUID_INIT \
	GUID_INIT(0xba6163d9, 0x04a1, 0x4d29, 0xb6, 0x05, \
		  0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f)

/*
 * An IDE controller with one disk: {32412632-86cb-44a2-9b5c-50d1417354f5}. Its
 * instance GUID begins with the path (u32) and the target (u16) of the disk.
 */
#define STORVSP_IDE_GUID_INIT \
	GUID_INIT(0x32412632, 0x86cb, 0x44a2, 0x9b, 0x5c, \
		  0x50, 0xd1, 0x41, 0x73, 0x54, 0xf5)

#define STORVSP_VERSION(major, minor)	((major) << 8 | (minor))
#define STORVSP_VERSION_2_0		STORVSP_VERSION(2, 0)
#define STORVSP_VERSION_4_2		STORVSP_VERSION(4, 2)
#define STORVSP_VERSION_5_1		STORVSP_VERSION(5, 1)
#define STORVSP_VERSION_6_0		STORVSP_VERSION(6, 0)
#define STORVSP_VERSION_6_2		STORVSP_VERSION(6, 2)

enum storvsp_operation {
	STORVSP_COMPLETE_IO		= 1,	/* host: in each completion */
	STORVSP_REMOVE_DEVICE		= 2,	/* host: enumerate LUNs again */
	STORVSP_EXECUTE_SRB		= 3,
	STORVSP_RESET_LUN		= 4,
	STORVSP_RESET_ADAPTER		= 5,
	STORVSP_RESET_BUS		= 6,
	STORVSP_BEGIN_INITIALIZATION	= 7,
	STORVSP_END_INITIALIZATION	= 8,
	STORVSP_QUERY_PROTOCOL_VERSION	= 9,
	STORVSP_QUERY_PROPERTIES	= 10,
	STORVSP_ENUMERATE_BUS		= 11,	/* host: LUNs came or went */
	STORVSP_FCHBA_DATA		= 12,	/* Fibre Channel only */
	STORVSP_CREATE_SUB_CHANNELS	= 13,
};

/* storvsp_packet.flags */
#define STORVSP_REQUEST_COMPLETION	0x1u

/* storvsp_packet.status: NTSTATUS values */
#define STORVSP_STATUS_SUCCESS			0x00000000u
#define STORVSP_STATUS_UNSUCCESSFUL		0xc0000001u
#define STORVSP_STATUS_INVALID_PARAMETER	0xc000000du
#define STORVSP_STATUS_INVALID_DEVICE_REQUEST	0xc0000010u
#define STORVSP_STATUS_REVISION_MISMATCH	0xc0000059u
#define STORVSP_STATUS_INVALID_DEVICE_STATE	0xc0000184u

/* storvsp_srb.srb_status: two flags and a code */
#define STORVSP_SRB_AUTOSENSE_VALID	0x80
#define STORVSP_SRB_QUEUE_FROZEN	0x40
#define STORVSP_SRB_STATUS_MASK		0x3f
#define STORVSP_SRB_SUCCESS		0x01
#define STORVSP_SRB_ABORTED		0x02
#define STORVSP_SRB_ERROR		0x04
#define STORVSP_SRB_BUSY		0x05
#define STORVSP_SRB_INVALID_REQUEST	0x06
#define STORVSP_SRB_INVALID_PATH_ID	0x07
#define STORVSP_SRB_NO_DEVICE		0x08
#define STORVSP_SRB_TIMEOUT		0x09
#define STORVSP_SRB_SELECTION_TIMEOUT	0x0a
#define STORVSP_SRB_COMMAND_TIMEOUT	0x0b
#define STORVSP_SRB_BUS_RESET		0x0e
#define STORVSP_SRB_DATA_OVERRUN	0x12
#define STORVSP_SRB_REQUEST_FLUSHED	0x16
#define STORVSP_SRB_INVALID_LUN		0x20
#define STORVSP_SRB_INVALID_TARGET_ID	0x21
#define STORVSP_SRB_INTERNAL_ERROR	0x30

/* storvsp_srb.data_in */
#define STORVSP_DATA_OUT		0
#define STORVSP_DATA_IN			1
#define STORVSP_DATA_NONE		2

/* storvsp_srb.srb_flags that a host uses */
#define STORVSP_SRB_DISABLE_AUTOSENSE	0x00000020u

/* and others that guests set */
#define STORVSP_SRB_QUEUE_ACTION_ENABLE	0x00000002u
#define STORVSP_SRB_NO_SYNCH_TRANSFER	0x00000008u
#define STORVSP_SRB_DATA_IN		0x00000040u
#define STORVSP_SRB_DATA_OUT		0x00000080u
#define STORVSP_SRB_NO_QUEUE_FREEZE	0x00000100u

/* storvsp_srb.queue_action */
#define STORVSP_SIMPLE_TAG_REQUEST	0x20

#define STORVSP_CDB_MAX			16
#define STORVSP_SENSE_MAX		20

/**
 * struct storvsp_srb - one SCSI command
 * @length: of this struct: 52, before version 5.1 without the last fields, 36
 * @srb_status: STORVSP_SRB_*, in the completion
 * @scsi_status: SAM status, in the completion
 * @sense_info_length: room for sense data; in the completion what there is
 * @data_in: STORVSP_DATA_*
 * @data_transfer_length: bytes, at most those of the range; in the completion
 *	what was moved
 * @cdb: the command
 * @sense_data: in the completion, valid with STORVSP_SRB_AUTOSENSE_VALID
 */
struct storvsp_srb {
	__u16 length;
	__u8  srb_status;
	__u8  scsi_status;
	__u8  port_number;
	__u8  path_id;
	__u8  target_id;
	__u8  lun;
	__u8  cdb_length;
	__u8  sense_info_length;
	__u8  data_in;
	__u8  reserved;
	__u32 data_transfer_length;
	union {
		__u8 cdb[STORVSP_CDB_MAX];
		__u8 sense_data[STORVSP_SENSE_MAX];
	};
	/* since version 5.1 */
	__u16 reserved1;
	__u8  queue_tag;
	__u8  queue_action;
	__u32 srb_flags;
	__u32 time_out_value;	/* seconds */
	__u32 queue_sort_key;
} __attribute__((packed));

_Static_assert(sizeof(struct storvsp_srb) == 52, "SRB");
_Static_assert(__builtin_offsetof(struct storvsp_srb, cdb) == 16, "SRB layout");
_Static_assert(__builtin_offsetof(struct storvsp_srb, srb_flags) == 40,
	       "SRB layout");

/* storvsp_properties.flags */
#define STORVSP_MULTI_CHANNEL		0x1u

struct storvsp_properties {
	__u32 reserved;
	__u16 max_channel_count;	/* subchannels that the host can offer */
	__u16 reserved1;
	__u32 flags;
	__u32 max_transfer_bytes;
	__u64 reserved2;
} __attribute__((packed));

_Static_assert(sizeof(struct storvsp_properties) == 24, "channel properties");

struct storvsp_version {
	__u16 major_minor;		/* STORVSP_VERSION() */
	__u16 revision;			/* 0 */
} __attribute__((packed));

_Static_assert(sizeof(struct storvsp_version) == 4, "version");

struct storvsp_packet {
	__u32 operation;		/* enum storvsp_operation */
	__u32 flags;			/* STORVSP_REQUEST_COMPLETION */
	__u32 status;			/* STORVSP_STATUS_*, in the completion */
	union {
		struct storvsp_srb srb;
		struct storvsp_properties properties;
		struct storvsp_version version;
		__u16 sub_channel_count;
		__u8 buffer[52];
	};
} __attribute__((packed));

_Static_assert(sizeof(struct storvsp_packet) == 64, "packet");

/* Packets of versions before 5.1; guests also negotiate with this length */
#define STORVSP_PACKET_OLD		48u
#define STORVSP_SRB_OLD			36u

#endif
