// SPDX-License-Identifier: GPL-2.0-only
/* INQUIRY and its vital product data: what a disk says of itself. */
#include <string.h>

#include "scsi_impl.h"

#define INQUIRY_MISSING			0x7f	/* no unit here, none possible */
#define INQUIRY_SPC4			0x06

static const char vendor[] = "Msft    ";
/*
 * Linux's hv_storvsc looks at the vendor: only where it reads "Msft" are newer
 * SCSI features, WRITE SAME among them, used. Every host in the field says so.
 */
static const char product[] = "Virtual Disk    ";
static const char revision[] = "1.0 ";

uint8_t scsi_peripheral(const struct scsi_disk *disk)
{
	return disk->dvd ? PERIPHERAL_DVD : 0;
}

static uint32_t inquiry_standard(uint8_t *data, uint8_t peripheral)
{
	data[0] = peripheral;
	if (peripheral == PERIPHERAL_DVD)
		data[1] = 0x80;	/* removable */
	data[2] = INQUIRY_SPC4;
	data[3] = 2;		/* response data format */
	data[4] = 96 - 5;
	data[7] = 0x02;		/* command queueing */
	memcpy(data + 8, vendor, 8);
	memcpy(data + 16, product, 16);
	memcpy(data + 32, revision, 4);
	if (peripheral != INQUIRY_MISSING) {
		put16(data + 58, 0x00a0);	/* SAM-5 */
		put16(data + 60, 0x0460);	/* SPC-4 */
		put16(data + 62, 0x04c0);	/* SBC-3 */
	}
	return 96;
}

/* FNV-1a: spreads a serial number over the bits of an identifier */
static uint64_t serial_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (*s)
		h = (h ^ (uint8_t)*s++) * 0x100000001b3ull;
	return h;
}

static uint8_t *put_naa(uint8_t *p, const uint8_t *id, unsigned int len)
{
	p[0] = 0x01;		/* binary */
	p[1] = 0x03;		/* of the logical unit, NAA */
	p[3] = len;
	memcpy(p + 4, id, len);
	return p + 4 + len;
}

/*
 * Like disks in the field: the vendor and a GUID, and an NAA identifier with
 * Microsoft's company number and the first and last bytes of the GUID
 */
static uint32_t vpd_ids_of_guid(const struct scsi_disk *disk, uint8_t *data)
{
	uint8_t guid[16], naa[16] = { 0x60, 0x02, 0x24, 0x80 };
	uint64_t hash = serial_hash(disk->serial);
	uint8_t *p = data + 4;

	put64(guid, hash);
	put64(guid + 8, ~hash * 0x9e3779b97f4a7c15ull);
	p[0] = 0x01;		/* binary */
	p[1] = 0x01;		/* of the logical unit, T10 vendor id */
	p[3] = 8 + sizeof(guid);
	memcpy(p + 4, vendor, 8);
	memcpy(p + 12, guid, sizeof(guid));
	p += 12 + sizeof(guid);
	memcpy(naa + 4, guid, 6);
	memcpy(naa + 10, guid + 10, 6);
	if (disk->naa_len)
		p = put_naa(p, disk->naa, disk->naa_len);
	else if (!disk->no_naa)
		p = put_naa(p, naa, sizeof(naa));
	return p - data;
}

static uint32_t vpd_identification(const struct scsi_disk *disk, uint8_t *data)
{
	size_t serial = strlen(disk->serial);
	uint8_t *p = data + 4, naa[8];

	if (disk->like->guid_ids)
		return vpd_ids_of_guid(disk, data);
	/* 3, locally assigned: the only one without a company id */
	put64(naa, 3ull << 60 | serial_hash(disk->serial) >> 4);
	if (disk->naa_len)
		p = put_naa(p, disk->naa, disk->naa_len);
	else if (!disk->no_naa)
		p = put_naa(p, naa, sizeof(naa));
	p[0] = 0x02;		/* ASCII */
	p[1] = 0x01;		/* of the logical unit, T10 vendor id */
	p[3] = 8 + serial;
	memcpy(p + 4, vendor, 8);
	memcpy(p + 12, disk->serial, serial);
	p += 12 + serial;

	return p - data;
}

static uint32_t vpd_block_limits(const struct scsi_disk *disk, uint8_t *data)
{
	uint32_t unit = SCSI_PHYSICAL_BLOCK / disk->block_size;
	uint64_t max = disk->unmap_max ? disk->unmap_max : SCSI_UNMAP_BYTES;

	data[4] = 1;		/* WRITE SAME of 0 blocks is not supported */
	put16(data + 6, unit);
	if (!disk->like->no_transfer_limit)
		put32(data + 8, disk->max_transfer / disk->block_size);
	if (disk->unmap) {
		put32(data + 20, max / disk->block_size);
		put32(data + 24, SCSI_UNMAP_MAX);
		put32(data + 28, disk->unmap_granularity ?
		      disk->unmap_granularity / disk->block_size : unit);
		put32(data + 32, 1u << 31 |	/* the alignment is valid */
		      (uint32_t)(disk->unmap_alignment / disk->block_size));
	}
	put64(data + 36, scsi_write_same_max(disk) / disk->block_size);
	return 64;
}

static const struct {
	uint8_t page;
	enum scsi_question question;
} pages[] = {
	{ 0x00, ASK_VPD_LIST },
	{ 0x80, ASK_VPD_80 },
	{ 0x83, ASK_VPD_83 },
	{ 0xb0, ASK_VPD_B0 },
	{ 0xb1, ASK_VPD_B1 },
	{ 0xb2, ASK_VPD_B2 },
};

#define PAGES	(sizeof(pages) / sizeof(pages[0]))

/* Whether the disk lists a page: one that it fails to give it lists all the same */
static bool has_page(const struct scsi_disk *disk, unsigned int i)
{
	if ((disk->refuses & pages[i].question) &&
	    disk->refusal == REFUSE_SENSE)
		return false;
	switch (pages[i].page) {
	case 0x80:
		return disk->serial_given || !disk->like->serial_if_given;
	case 0xb0:
	case 0xb1:
		return disk->unmap || !disk->like->pages_of_unmap;
	case 0xb2:		/* logical block provisioning */
		return disk->unmap;
	default:
		return true;
	}
}

static uint32_t vpd_page(const struct scsi_disk *disk, uint8_t page,
			 uint8_t *data)
{
	uint32_t len = 4;
	unsigned int i;

	switch (page) {
	case 0x00:
		for (i = 0; i < PAGES; i++) {
			if (has_page(disk, i))
				data[len++] = pages[i].page;
		}
		return len;
	case 0x80:
		len += strlen(disk->serial);
		memcpy(data + 4, disk->serial, len - 4);
		return len;
	case 0x83:
		return vpd_identification(disk, data);
	case 0xb0:
		return vpd_block_limits(disk, data);
	case 0xb1:
		put16(data + 4, disk->rotational ? 7200 : 1);
		return 64;
	default:
		data[5] = 0x80;		/* UNMAP does it */
		if (!disk->like->plain_unmap) {
			data[5] |= 0x60;	/* WRITE SAME 16 and 10, too */
			if (disk->unmap_zeroes)
				data[5] |= 0x04;
		}
		data[6] = disk->thick ? 1 : 2;
		return 8;
	}
}

void scsi_inquiry(struct scsi_disk *disk, const struct scsi_luns *luns,
		  struct scsi_command *cmd)
{
	uint32_t alloc = get16(cmd->cdb + 3);
	uint8_t *data = cmd->data;
	unsigned int i;
	uint32_t len;

	(void)luns;
	if (!(cmd->cdb[1] & 1)) {
		if (cmd->cdb[2])
			return scsi_bad_cdb(cmd, 2, -1);
		return scsi_reply(cmd, inquiry_standard(data,
							scsi_peripheral(disk)),
				  alloc);
	}
	for (i = 0; i < PAGES && pages[i].page != cmd->cdb[2]; i++)
		;
	if (i == PAGES || !has_page(disk, i))
		return scsi_bad_cdb(cmd, 2, -1);
	if (scsi_refused(disk, cmd, pages[i].question,
			 ASC_INVALID_FIELD_IN_CDB))
		return;
	len = vpd_page(disk, cmd->cdb[2], data);
	data[0] = scsi_peripheral(disk);
	data[1] = cmd->cdb[2];
	put16(data + 2, len - 4);
	scsi_reply(cmd, len, alloc);
}

void scsi_inquiry_missing(struct scsi_command *cmd)
{
	scsi_reply(cmd, inquiry_standard(cmd->data, INQUIRY_MISSING),
		   get16(cmd->cdb + 3));
}
