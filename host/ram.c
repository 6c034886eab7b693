// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper.h"
#include "log.h"
#include "ram.h"

static int ram_check_range(const struct ram *ram, const struct ram_range *r,
			   struct text *err)
{
	unsigned int i;

	if (!r->file || !*r->file)
		return text_add(err, "needs file=PATH");
	if (!r->size)
		return text_add(err, "needs size=N, not 0");
	if ((r->size | r->gpa | r->offset) % RAM_PAGE)
		return text_add(err, "offset, gpa and size must be multiples of %u",
				RAM_PAGE);
	if (r->gpa + r->size < r->gpa || r->offset + r->size < r->offset ||
	    r->offset + r->size > INT64_MAX)
		return text_add(err, "the range is too large");
	for (i = 0; i < ram->count; i++) {
		const struct ram_range *o = &ram->range[i];

		if (r->gpa < o->gpa + o->size && o->gpa < r->gpa + r->size)
			return text_add(err, "overlaps the range at 0x%llx",
					(unsigned long long)o->gpa);
	}
	if (ram->count == RAM_MAX_RANGES)
		return text_add(err, "more than %u ranges", RAM_MAX_RANGES);
	return 0;
}

int ram_parse(struct ram *ram, const char *arg, struct text *err)
{
	struct ram_range r = { .fd = -1 };
	struct option_list ol;
	char *name, *value;
	int ret = 0;

	option_list_init(&ol, arg);
	while (!ret && option_next(&ol, &name, &value)) {
		uint64_t *number = NULL;

		if (!strcmp(name, "offset"))
			number = &r.offset;
		else if (!strcmp(name, "gpa"))
			number = &r.gpa;
		else if (!strcmp(name, "size"))
			number = &r.size;
		else if (strcmp(name, "file"))
			ret = text_add(err, "unknown part '%s'", name);

		if (ret)
			break;
		if (!value)
			ret = text_add(err, "'%s' needs a value", name);
		else if (number && text_size(value, number))
			ret = text_add(err, "'%s' is no number or size", value);
		else if (!number) {
			free(r.file);
			r.file = strdup(value);
		}
	}
	option_list_free(&ol);
	if (!ret)
		ret = ram_check_range(ram, &r, err);
	if (ret) {
		free(r.file);
		return ret;
	}
	ram->range[ram->count++] = r;
	return 0;
}

static int ram_map_range(struct ram_range *r, struct text *err)
{
	char name[KEEPER_NAME_MAX];
	struct stat st;
	int ret;

	/* the file's name may be gone by the time of another worker */
	snprintf(name, sizeof(name), "ram 0x%" PRIx64, r->gpa);
	r->fd = keeper_take(name);
	if (r->fd < 0) {
		r->fd = open(r->file, O_RDWR | O_CLOEXEC);
		if (r->fd >= 0)
			keeper_store(name, r->fd);
	}
	if (r->fd < 0 || fstat(r->fd, &st)) {
		ret = -errno;
		text_add(err, "guest RAM %s: %s", r->file, strerror(-ret));
		return ret;
	}
	if ((uint64_t)st.st_size < r->offset + r->size) {
		text_add(err, "guest RAM %s has %lld bytes, its range ends at %llu: see --ram and QEMU's size=",
			 r->file, (long long)st.st_size,
			 (unsigned long long)(r->offset + r->size));
		return -EINVAL;
	}
	r->map = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		      r->offset);
	if (r->map == MAP_FAILED) {
		ret = -errno;
		r->map = NULL;
		text_add(err, "guest RAM %s: cannot map: %s", r->file,
			 strerror(-ret));
		return ret;
	}
	return 0;
}

int ram_map(struct ram *ram, struct text *err)
{
	unsigned int i;
	int ret;

	if (ram->mapped)
		return 0;
	ram->mapped = true;
	for (i = 0; i < ram->count; i++) {
		ret = ram_map_range(&ram->range[i], err);
		if (ret) {
			ram_unmap(ram);
			return ret;
		}
	}
	return 0;
}

void ram_unmap(struct ram *ram)
{
	char name[KEEPER_NAME_MAX];
	unsigned int i;

	for (i = 0; i < ram->count; i++) {
		struct ram_range *r = &ram->range[i];

		if (r->map)
			munmap(r->map, r->size);
		if (r->fd >= 0) {
			snprintf(name, sizeof(name), "ram 0x%" PRIx64, r->gpa);
			keeper_drop(name);
			close(r->fd);
		}
		r->map = NULL;
		r->fd = -1;
	}
	ram->mapped = false;
}

void ram_free(struct ram *ram)
{
	ram_unmap(ram);
	while (ram->count)
		free(ram->range[--ram->count].file);
}

static const struct ram_range *ram_find(const struct ram *ram, uint64_t gpa,
					uint64_t len)
{
	unsigned int i;

	for (i = 0; i < ram->count; i++) {
		const struct ram_range *r = &ram->range[i];

		/* in this order nothing can overflow */
		if (r->map && gpa >= r->gpa && gpa - r->gpa < r->size &&
		    len <= r->size - (gpa - r->gpa))
			return r;
	}
	return NULL;
}

void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len)
{
	const struct ram_range *r = ram_find(ram, gpa, len);

	return r ? (char *)r->map + (gpa - r->gpa) : NULL;
}

static const struct ram_range *ram_page(const struct ram *ram, uint64_t pfn)
{
	return pfn > UINT64_MAX / RAM_PAGE ? NULL :
	       ram_find(ram, pfn * RAM_PAGE, RAM_PAGE);
}

int ram_iov(const struct ram *ram, const uint64_t *pfns, uint32_t offset,
	    uint64_t bytes, struct iovec *iov)
{
	int n = 0;

	while (bytes) {
		uint64_t pfn = *pfns++;
		const struct ram_range *r = ram_page(ram, pfn);
		size_t len = RAM_PAGE - offset;
		char *p;

		if (!r)
			return -EFAULT;
		if (len > bytes)
			len = bytes;
		p = (char *)r->map + (pfn * RAM_PAGE - r->gpa) + offset;
		if (n && (char *)iov[n - 1].iov_base + iov[n - 1].iov_len == p)
			iov[n - 1].iov_len += len;
		else
			iov[n++] = (struct iovec){ p, len };
		bytes -= len;
		offset = 0;
	}
	return n;
}

void *ram_map_pages(const struct ram *ram, const uint64_t *pfns, size_t count)
{
	char *map = mmap(NULL, count * RAM_PAGE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i, run;

	if (map == MAP_FAILED)
		return NULL;
	for (i = 0; i < count; i += run) {
		const struct ram_range *r = ram_page(ram, pfns[i]);
		uint64_t at;

		if (!r) {
			errno = EFAULT;
			goto fail;
		}
		for (run = 1; i + run < count; run++) {
			if (pfns[i + run] != pfns[i] + run ||
			    ram_page(ram, pfns[i + run]) != r)
				break;
		}
		at = r->offset + (pfns[i] * RAM_PAGE - r->gpa);
		if (mmap(map + i * RAM_PAGE, run * RAM_PAGE,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, r->fd,
			 at) == MAP_FAILED)
			goto fail;
	}
	return map;

fail:
	run = errno;
	munmap(map, count * RAM_PAGE);
	errno = run;
	return NULL;
}

void ram_unmap_pages(void *map, size_t count)
{
	if (map)
		munmap(map, count * RAM_PAGE);
}
