/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of synthhost: stderr or a file, a time stamp before each line.
 */
#ifndef SYNTHHOST_LOG_H
#define SYNTHHOST_LOG_H

#include <stdarg.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,		/* what a person wants to know: the default */
	LOG_LEVEL_DEBUG,	/* each message; --verbose */
	LOG_LEVEL_TRACE,	/* each packet */
};

extern enum log_level log_level;

/**
 * log_open() - write to a file from now on, appending
 *
 * Return: 0 or -errno.
 */
int log_open(const char *path);

/**
 * log_set_level() - by name: error, warn, info, debug, trace
 *
 * Return: 0, or -EINVAL for another name.
 */
int log_set_level(const char *name);

void log_print(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_vprint(enum log_level level, const char *prefix, const char *fmt,
		va_list ap) __attribute__((format(printf, 3, 0)));

#define log_at(level, ...) \
	do { \
		if ((level) <= log_level) \
			log_print(level, __VA_ARGS__); \
	} while (0)

#define log_error(...)	log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)	log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_trace(...)	log_at(LOG_LEVEL_TRACE, __VA_ARGS__)

#endif
