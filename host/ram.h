/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest RAM: ranges of guest-physical addresses, each a piece of a file that
 * QEMU shares with us. Every address that the guest gives comes through here.
 */
#ifndef SYNTHHOST_RAM_H
#define SYNTHHOST_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "text.h"

#define RAM_PAGE	4096u
#define RAM_MAX_RANGES	8

struct ram_range {
	char *file;
	uint64_t offset;
	uint64_t gpa;
	uint64_t size;
	int fd;			/* -1 while not mapped */
	void *map;
};

struct ram {
	struct ram_range range[RAM_MAX_RANGES];
	unsigned int count;
	bool mapped;
};

/**
 * ram_parse() - add the range of one --ram option
 * @arg: file=PATH,offset=N,gpa=N,size=N
 *
 * Return: 0, or -EINVAL with the reason in @err.
 */
int ram_parse(struct ram *ram, const char *arg, struct text *err);

/**
 * ram_map() - map all ranges; harmless if they are
 *
 * QEMU makes the files, so this waits until a guest shows up.
 * Return: 0, or -errno with the reason in @err.
 */
int ram_map(struct ram *ram, struct text *err);
void ram_unmap(struct ram *ram);
void ram_free(struct ram *ram);

/**
 * ram_ptr() - guest memory at an address
 *
 * Return: a pointer to @len bytes, or NULL if they do not all lie in one range.
 */
void *ram_ptr(const struct ram *ram, uint64_t gpa, uint64_t len);

/**
 * ram_iov() - resolve page frame numbers
 * @pfns: frames; as many as @offset + @bytes take
 * @offset: into the first page, below RAM_PAGE
 * @iov: where it goes; room for as many entries as there are pages
 *
 * Return: entries used (neighbours are joined), or -EFAULT if a page is not
 * RAM.
 */
int ram_iov(const struct ram *ram, const uint64_t *pfns, uint32_t offset,
	    uint64_t bytes, struct iovec *iov);

/**
 * ram_pages() - how many pages offset and length touch
 */
static inline uint64_t ram_pages(uint32_t offset, uint64_t bytes)
{
	return (offset + bytes + RAM_PAGE - 1) / RAM_PAGE;
}

/**
 * ram_map_pages() - map frames a second time, one after the other
 *
 * Return: the mapping (ram_unmap_pages()), or NULL with errno set: EFAULT if
 * a page is not RAM.
 */
void *ram_map_pages(const struct ram *ram, const uint64_t *pfns, size_t count);
void ram_unmap_pages(void *map, size_t count);

#endif
