// SPDX-License-Identifier: GPL-2.0-only
/*
 * Controllers and disks as options and commands make and change them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp.h"

#define DELAY_MAX_US	10000000u
#define COALESCE_MAX_US	100000u

/* Of every controller */
#define CONTROLLER_OPTIONS \
	"[,max-transfer=BYTES][,max-version=X.Y][,report-max-transfer=N]" \
	"[,report-channels=N][,offer-subchannels=N][,coalesce=auto|off|USECS]"

/* Of every disk; the help says them, and so does the complaint */
#define DISK_OPTIONS \
	"file=PATH[,readonly][,sector=512|4096][,type=disk|dvd][,serial=S]" \
	"[,naa=HEX|off][,rotational][,write-cache=on|off][,unmap=on|off]" \
	"[,thin=on|off][,lbprz=on|off][,discard-granularity=BYTES]" \
	"[,discard-alignment=BYTES][,discard-max=BYTES][,delay-us=N]" \
	"[,refuse=QUESTIONS[:error|:invalid]]"

static void lun_free(struct lun *lun)
{
	if (!lun)
		return;
	blockio_close(lun->store);
	fault_put(lun->delay);
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

/* A multiple of the sector, which is checked when that is known */
static int parse_bytes(const char *name, const char *value, uint64_t max,
		       uint64_t *bytes, struct text *err)
{
	if (value && !text_size(value, bytes) && *bytes <= max)
		return 0;
	return text_add(err, "%s is a size, at most %llu bytes", name,
			(unsigned long long)max);
}

static int parse_naa(struct scsi_disk *disk, const char *value,
		     struct text *err)
{
	char two[3] = "", *end;
	size_t n, i;

	disk->no_naa = value && !strcmp(value, "off");
	if (disk->no_naa)
		return 0;
	n = value ? strlen(value) : 0;
	/* the first digit says which authority made it up: none is 0 */
	if ((n != 16 && n != 32) || value[0] == '0' ||
	    strspn(value, "0123456789abcdefABCDEF") != n)
		return text_add(err,
				"naa is off or 16 or 32 hexadecimal digits, the first not 0");
	for (i = 0; i < n / 2; i++) {
		memcpy(two, value + 2 * i, 2);
		disk->naa[i] = strtoul(two, &end, 16);
	}
	disk->naa_len = n / 2;
	return 0;
}

/* "mode6+b2[:error|:invalid]": which questions the disk does not answer, and how */
static int parse_refuse(struct scsi_disk *disk, char *value, struct text *err)
{
	static const struct {
		const char *name;
		enum scsi_question question;
	} questions[] = {
		{ "mode6", ASK_MODE_SENSE_6 }, { "mode10", ASK_MODE_SENSE_10 },
		{ "capacity16", ASK_CAPACITY_16 }, { "00", ASK_VPD_LIST },
		{ "80", ASK_VPD_80 }, { "83", ASK_VPD_83 },
		{ "b0", ASK_VPD_B0 }, { "b1", ASK_VPD_B1 },
		{ "b2", ASK_VPD_B2 },
	};
	const unsigned int count = sizeof(questions) / sizeof(questions[0]);
	char *how = value ? strchr(value, ':') : NULL, *name;
	unsigned int i;

	if (how)
		*how++ = '\0';
	if (how && !strcmp(how, "error"))
		disk->refusal = REFUSE_ERROR;
	else if (how && !strcmp(how, "invalid"))
		disk->refusal = REFUSE_INVALID;
	else if (how)
		goto bad;
	if (!value)
		goto bad;
	while ((name = strsep(&value, "+"))) {
		for (i = 0; i < count && strcmp(questions[i].name, name); i++)
			;
		if (i == count)
			goto bad;
		disk->refuses |= questions[i].question;
	}
	return 0;
bad:
	return text_add(err,
			"refuse is mode6, mode10, capacity16, 00, 80, 83, b0, b1, b2, joined by +, then :error or :invalid for SRB status 04 or 06 without sense data");
}

static int parse_disk_option(struct lun *lun, char *name, char *value,
			     bool *has_lun, struct text *err)
{
	struct scsi_disk *disk = &lun->disk;
	uint64_t n;

	if (!strcmp(name, "lun") && !lun->only) {
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
	} else if (!strcmp(name, "type")) {
		if (!value || (strcmp(value, "disk") && strcmp(value, "dvd")))
			return text_add(err, "type is disk or dvd");
		disk->dvd = !strcmp(value, "dvd");
	} else if (!strcmp(name, "serial")) {
		if (!value || !serial_ok(value))
			return text_add(err,
					"serial is 1 to %d printable characters",
					SCSI_SERIAL_MAX - 1);
		strcpy(disk->serial, value);
		disk->serial_given = true;
	} else if (!strcmp(name, "naa")) {
		return parse_naa(disk, value, err);
	} else if (!strcmp(name, "refuse")) {
		return parse_refuse(disk, value, err);
	} else if (!strcmp(name, "write-cache")) {
		return parse_switch(name, value, &disk->write_cache_default,
				    err);
	} else if (!strcmp(name, "unmap")) {
		return parse_switch(name, value, &disk->unmap, err);
	} else if (!strcmp(name, "thin")) {
		if (parse_switch(name, value, &disk->thick, err))
			return -EINVAL;
		disk->thick = !disk->thick;
	} else if (!strcmp(name, "lbprz")) {
		return parse_switch(name, value, &disk->unmap_zeroes, err);
	} else if (!strcmp(name, "discard-granularity")) {
		return parse_bytes(name, value, SCSI_UNMAP_BYTES,
				   &disk->unmap_granularity, err);
	} else if (!strcmp(name, "discard-alignment")) {
		return parse_bytes(name, value, SCSI_UNMAP_BYTES,
				   &disk->unmap_alignment, err);
	} else if (!strcmp(name, "discard-max")) {
		return parse_bytes(name, value, SCSI_UNMAP_BYTES,
				   &disk->unmap_max, err);
	} else if (!strcmp(name, "delay-us")) {
		if (!value || text_number(value, 0, DELAY_MAX_US, &n))
			return text_add(err,
					"delay-us is a number of microseconds up to %u",
					DELAY_MAX_US);
		fault_put(lun->delay);
		lun->delay = n ? fault_delay(n) : NULL;
	} else if (!strcmp(name, "readonly") && !value) {
		disk->read_only = true;
	} else if (!strcmp(name, "rotational") && !value) {
		disk->rotational = true;
	} else {
		return text_add(err,
				"\"%s\" is none of " DISK_OPTIONS "%s",
				name, value ? " (or takes no value)" : "");
	}
	return 0;
}

/* What the options left open, and whether they fit together */
static int finish_disk(struct lun *lun, struct text *err)
{
	struct scsi_disk *disk = &lun->disk;
	const uint64_t sizes[] = {
		disk->unmap_granularity, disk->unmap_alignment,
		disk->unmap_max,
	};
	unsigned int i;

	if (disk->dvd) {
		disk->block_size = SCSI_DVD_BLOCK;
		disk->read_only = true;
	}
	for (i = 0; i < 3; i++) {
		if (sizes[i] % disk->block_size)
			return text_add(err,
					"discard-granularity, -alignment and -max are multiples of the sector");
	}
	if (!disk->unmap_granularity)
		disk->unmap_granularity = SCSI_PHYSICAL_BLOCK;
	if (disk->unmap_alignment >= disk->unmap_granularity)
		return text_add(err,
				"discard-alignment is less than the granularity");
	return 0;
}

/* Opens what the options name, and puts it on the controller */
static int lun_attach(struct storvsp *s, struct lun *lun, struct text *err)
{
	struct scsi_disk *disk = &lun->disk;
	int ret = finish_disk(lun, err);

	if (ret)
		return ret;
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
	disk->unmap_zeroes &= blockio_discard_zeroes(lun->store);
	s->luns[lun->number] = lun;
	s->present.bits[lun->number / 8] |= 1u << lun->number % 8;
	log_info("%s LUN %u: %s, %llu blocks of %u bytes%s%s%s", s->dev.id,
		 lun->number, lun->path, (unsigned long long)disk->blocks,
		 disk->block_size, disk->dvd ? ", DVD" : "",
		 disk->read_only ? ", read-only" : "",
		 blockio_is_direct(lun->store) ? "" : ", through the page cache");
	return 0;
}

struct storvsp *storvsp_find(struct bus *bus, const char *id,
			     struct text *err)
{
	struct device *dev = device_find(bus, &storvsp_kind, id);

	if (!dev)
		dev = device_find(bus, &storvsp_ide_kind, id);
	if (!dev) {
		text_add(err, "there is no disk controller \"%s\"", id);
		return NULL;
	}
	return to_storvsp(dev);
}

static struct lun *lun_new(struct text *err)
{
	struct lun *lun = calloc(1, sizeof(*lun));

	if (!lun) {
		text_add(err, "out of memory");
		return NULL;
	}
	lun->disk.block_size = 512;
	lun->disk.write_cache_default = true;
	lun->disk.unmap = true;
	lun->disk.unmap_zeroes = true;
	return lun;
}

/* "CTRL,lun=N,file=PATH,...", of --disk and of the command add */
static int disk_parse(struct bus *bus, const char *arg, struct storvsp **sp,
		      unsigned int *number, struct text *err)
{
	struct lun *lun = lun_new(err);
	struct option_list ol;
	char *name, *value;
	bool has_lun = false;
	int ret = -EINVAL;

	if (!lun)
		return -ENOMEM;
	option_list_init(&ol, arg);
	if (!option_next(&ol, &name, &value) || value) {
		text_add(err, "it begins with the name of a SCSI controller");
		goto out;
	}
	*sp = storvsp_find(bus, name, err);
	if (!*sp)
		goto out;
	if ((*sp)->ide) {
		text_add(err, "%s has the one disk that an IDE controller can have", name);
		goto out;
	}
	while (option_next(&ol, &name, &value)) {
		if (parse_disk_option(lun, name, value, &has_lun, err))
			goto out;
	}
	if (!has_lun || !lun->path) {
		text_add(err, "lun=N and file=PATH are needed");
		goto out;
	}
	*number = lun->number;
	ret = lun_attach(*sp, lun, err);
out:
	option_list_free(&ol);
	if (ret)
		lun_free(lun);
	return ret;
}

int storvsp_attach(struct bus *bus, const char *option, struct text *err)
{
	unsigned int number;
	struct storvsp *s;

	return disk_parse(bus, option, &s, &number, err);
}

void storvsp_detach(struct storvsp *s, unsigned int number)
{
	struct lun *lun = s->luns[number];

	s->luns[number] = NULL;
	s->present.bits[number / 8] &= ~(1u << number % 8);
	lun_free(lun);
}

static int report_number(const char *name, const char *value, uint64_t max,
			 uint32_t *to, struct text *err)
{
	uint64_t n;

	if (!value || text_size(value, &n) || n > max)
		return text_add(err, "%s is a number up to %llu", name,
				(unsigned long long)max);
	*to = n;
	return 0;
}

static int report_version(struct storvsp_report *report, const char *value,
			  struct text *err)
{
	static const uint16_t versions[] = {
		STORVSP_VERSION_2_0, STORVSP_VERSION_4_2, STORVSP_VERSION_5_1,
		STORVSP_VERSION_6_0, STORVSP_VERSION_6_2,
	};
	char name[8];
	unsigned int i;

	for (i = 0; value && i < 5; i++) {
		snprintf(name, sizeof(name), "%u.%u", versions[i] >> 8,
			 versions[i] & 0xff);
		if (strcmp(name, value))
			continue;
		report->max_version = versions[i];
		return 0;
	}
	return text_add(err, "max-version is 2.0, 4.2, 5.1, 6.0 or 6.2");
}

int storvsp_report_option(struct storvsp_report *report, const char *name,
			  const char *value, struct text *err)
{
	if (!strcmp(name, "max-version"))
		return report_version(report, value, err);
	if (!strcmp(name, "report-max-transfer"))
		return report_number(name, value, UINT32_MAX,
				     &report->max_transfer, err);
	if (!strcmp(name, "report-channels"))
		return report_number(name, value, UINT16_MAX,
				     &report->channels, err);
	if (!strcmp(name, "offer-subchannels"))
		return report_number(name, value, DEVICE_MAX_SUBCHANNELS,
				     &report->offered, err);
	return -ENOENT;
}

static int parse_coalesce(struct storvsp *s, const char *value,
			  struct text *err)
{
	uint64_t us = 0;

	if (value && !strcmp(value, "auto"))
		s->coalesce = CHANNEL_MODERATE_AUTO;
	else if (value && (!strcmp(value, "off") ||
			   !text_number(value, 0, COALESCE_MAX_US, &us)))
		s->coalesce = us * 1000;
	else
		return text_add(err,
				"coalesce is auto, off, or microseconds up to %u",
				COALESCE_MAX_US);
	return 0;
}

/* What both kinds of controllers take; -ENOENT if @name is none of it */
static int parse_controller_option(struct storvsp *s, bool *reported,
				   const char *name, const char *value,
				   struct text *err)
{
	uint64_t n;
	int ret;

	if (!strcmp(name, "max-transfer")) {
		if (!value || text_size(value, &n) || n % 4096 ||
		    n < STORVSP_TRANSFER_MIN || n > STORVSP_TRANSFER_MAX)
			return text_add(err,
					"max-transfer is a multiple of 4096, %uK to %uK",
					STORVSP_TRANSFER_MIN >> 10,
					STORVSP_TRANSFER_MAX >> 10);
		s->max_transfer = n;
		return 0;
	}
	if (!strcmp(name, "coalesce"))
		return parse_coalesce(s, value, err);
	ret = storvsp_report_option(&s->configured, name, value, err);
	if (!ret && !strcmp(name, "report-max-transfer"))
		reported[0] = true;
	if (!ret && !strcmp(name, "report-channels"))
		reported[1] = true;
	return ret;
}

static struct storvsp *controller_new(const struct device_kind *kind,
				      struct text *err)
{
	struct storvsp *s = calloc(1, sizeof(*s));

	if (!s) {
		text_add(err, "out of memory");
		return NULL;
	}
	s->dev.kind = kind;
	s->max_transfer = STORVSP_TRANSFER;
	s->coalesce = CHANNEL_MODERATE_AUTO;
	s->configured.max_version = STORVSP_VERSION_6_2;
	s->configured.offered = DEVICE_MAX_SUBCHANNELS;
	return s;
}

/* The first item of an option; NULL with the reason in @err */
static int take_name(struct storvsp *s, struct option_list *ol,
		     struct text *err)
{
	char *name, *value;

	if (!option_next(ol, &name, &value) || value ||
	    strlen(name) >= sizeof(s->dev.id))
		return text_add(err,
				"it begins with a name, at most %zu characters",
				sizeof(s->dev.id) - 1);
	strcpy(s->dev.id, name);
	return 0;
}

/* The truth, where no lie was asked for */
static int controller_register(struct bus *bus, struct storvsp *s,
			       const bool *reported, struct text *err)
{
	if (!reported[0])
		s->configured.max_transfer = s->max_transfer;
	if (!reported[1])
		s->configured.channels = s->dev.max_subchannels;
	s->report = s->configured;
	return device_register(bus, &s->dev, err);
}

static int scsi_option(struct bus *bus, const char *arg, struct text *err)
{
	struct storvsp *s = controller_new(&storvsp_kind, err);
	bool reported[2] = { false };
	struct option_list ol;
	char *name, *value;
	uint64_t n;
	int ret;

	if (!s)
		return -ENOMEM;
	option_list_init(&ol, arg);
	ret = take_name(s, &ol, err);
	while (!ret && option_next(&ol, &name, &value)) {
		if (!strcmp(name, "subchannels")) {
			if (value && !text_number(value, 0,
						  DEVICE_MAX_SUBCHANNELS, &n))
				s->dev.max_subchannels = n;
			else
				ret = text_add(err,
					       "subchannels is a number from 0 to %d",
					       DEVICE_MAX_SUBCHANNELS);
			continue;
		}
		ret = parse_controller_option(s, reported, name, value, err);
		if (ret == -ENOENT)
			ret = text_add(err,
				       "\"%s\" is none of subchannels=" CONTROLLER_OPTIONS,
				       name);
	}
	if (!ret)
		ret = controller_register(bus, s, reported, err);
	option_list_free(&ol);
	if (ret)
		free(s);
	return ret;
}

static int parse_ide_place(const char *name, const char *value,
			   unsigned int *place, struct text *err)
{
	uint64_t n;

	if (!value || text_number(value, 0, 1, &n))
		return text_add(err, "%s is 0 or 1", name);
	*place = n;
	return 0;
}

static int ide_option(struct bus *bus, const char *arg, struct text *err)
{
	struct storvsp *s = controller_new(&storvsp_ide_kind, err);
	struct lun *lun = s ? lun_new(err) : NULL;
	bool reported[2] = { false }, unused;
	struct option_list ol;
	char *name, *value;
	int ret;

	if (!lun) {
		free(s);
		return -ENOMEM;
	}
	s->ide = true;
	lun->only = true;
	option_list_init(&ol, arg);
	ret = take_name(s, &ol, err);
	while (!ret && option_next(&ol, &name, &value)) {
		if (!strcmp(name, "path")) {
			ret = parse_ide_place(name, value, &s->ide_path, err);
		} else if (!strcmp(name, "target")) {
			ret = parse_ide_place(name, value, &s->ide_target,
					      err);
		} else {
			ret = parse_controller_option(s, reported, name, value,
						      err);
			if (ret == -ENOENT)
				ret = parse_disk_option(lun, name, value,
							&unused, err);
		}
	}
	if (!ret && !lun->path)
		ret = text_add(err, "file=PATH is needed");
	s->dev.bus = bus;	/* whose loop carries the disk's I/O */
	if (!ret)
		ret = lun_attach(s, lun, err);
	if (ret)
		lun_free(lun);
	else
		ret = controller_register(bus, s, reported, err);
	option_list_free(&ol);
	if (ret) {
		if (s->luns[0])
			lun_free(s->luns[0]);
		free(s);
	}
	return ret;
}

/* --- commands ----------------------------------------------------------------- */

static int add_command(struct bus *bus, int argc, char **argv,
		       struct text *out)
{
	unsigned int number;
	struct storvsp *s;
	int ret;

	if (argc != 2) {
		text_add(out, "add CTRL,lun=N,file=PATH[,...]");
		return -EINVAL;
	}
	ret = disk_parse(bus, argv[1], &s, &number, out);
	if (ret)
		return ret;
	ret = storvsp_keep_option(s, number, argv[1], out);
	if (ret) {
		storvsp_detach(s, number);
		return ret;
	}
	s->luns[number]->added = true;
	s->removed.bits[number / 8] &= ~(1u << number % 8);
	storvsp_announce(s);
	return 0;
}

static struct lun *find_lun(struct bus *bus, char **argv, struct storvsp **sp,
			    struct text *out)
{
	uint64_t n;

	*sp = storvsp_find(bus, argv[1], out);
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
	s->removed.bits[lun->number / 8] |= 1u << lun->number % 8;
	fault_lun_gone(s, lun);
	loop_wait_io(bus_loop(bus), lun_idle, lun);
	log_info("%s LUN %u: removed", s->dev.id, lun->number);
	lun_free(lun);
	storvsp_announce(s);
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
		storvsp_announce(s);
	}
	text_add(out, "%s LUN %u: %llu blocks of %u bytes\n", s->dev.id,
		 lun->number, (unsigned long long)size, lun->disk.block_size);
	return 0;
}

void storvsp_status(struct device *dev, struct text *out)
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
			 "  LUN %u: %s, %llu × %u bytes%s%s%s%s%s, serial %s\n",
			 i, lun->path, (unsigned long long)lun->disk.blocks,
			 lun->disk.block_size, lun->disk.dvd ? ", DVD" : "",
			 lun->disk.read_only ? ", read-only" : "",
			 lun->disk.write_cache ? ", write cache" : "",
			 lun->disk.unmap ? ", unmap" : "",
			 blockio_is_direct(lun->store) ? ", direct" : "",
			 lun->disk.serial);
		text_add(out,
			 "    reads %llu (%llu bytes), writes %llu (%llu bytes, %llu with FUA), flushes %llu, discards %llu, errors %llu, in flight %u\n",
			 (unsigned long long)lun->reads,
			 (unsigned long long)lun->read_bytes,
			 (unsigned long long)lun->writes,
			 (unsigned long long)lun->written_bytes,
			 (unsigned long long)lun->fua_writes,
			 (unsigned long long)lun->flushes,
			 (unsigned long long)lun->discards,
			 (unsigned long long)lun->errors, lun->in_flight);
	}
}

void storvsp_destroy(struct device *dev)
{
	struct storvsp *s = to_storvsp(dev);
	unsigned int i;

	for (i = 0; i < SCSI_MAX_LUNS; i++)
		lun_free(s->luns[i]);
	fault_clear(s);
	storvsp_free_spares(s);
	free(s);
}

const struct device_option storvsp_options[] = {
	{ "scsi", "ID[,subchannels=N]" CONTROLLER_OPTIONS,
	  "a SCSI controller, named for --disk and for commands; report- and offer- lie to the guest, coalesce holds completions back",
	  scsi_option },
	{ "disk", "CTRL,lun=N," DISK_OPTIONS,
	  "a disk, or DVD drive, on a controller given before; delay-us makes each request late",
	  storvsp_attach },
	{ 0 },
};

const struct device_option storvsp_ide_options[] = {
	{ "ide", "ID[,path=0|1][,target=0|1]," DISK_OPTIONS CONTROLLER_OPTIONS,
	  "an IDE controller with one disk, which is its LUN 0 for commands",
	  ide_option },
	{ 0 },
};

const struct device_command storvsp_commands[] = {
	{ "add", "CTRL,lun=N,file=PATH[,...]",
	  "add a disk; options as for --disk", add_command },
	{ "remove", "CTRL LUN",
	  "take a disk away, after its I/O has ended", remove_command },
	{ "resize", "CTRL LUN [SIZE]",
	  "tell the guest the file's size, or change it", resize_command },
	{ "fault", FAULT_ARGS, FAULT_HELP, fault_command },
	{ 0 },
};
