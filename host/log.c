// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"

enum log_level log_level = LOG_LEVEL_INFO;

static FILE *log_file;
static const char *const log_names[] = {
	"error", "warn", "info", "debug", "trace",
};

int log_open(const char *path)
{
	FILE *f = fopen(path, "ae");

	if (!f)
		return -errno;
	setvbuf(f, NULL, _IOLBF, 0);
	if (log_file)
		fclose(log_file);
	log_file = f;
	return 0;
}

int log_set_level(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(log_names) / sizeof(log_names[0]); i++) {
		if (!strcmp(name, log_names[i])) {
			log_level = i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_vprint(enum log_level level, const char *prefix, const char *fmt,
		va_list ap)
{
	FILE *f = log_file ? log_file : stderr;
	struct timespec now;
	char line[1024];
	struct tm tm;
	char at[16];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(at, sizeof(at), "%H:%M:%S", &tm);
	vsnprintf(line, sizeof(line), fmt, ap);
	fprintf(f, "%s.%06ld %s: %s%s\n", at, now.tv_nsec / 1000,
		log_names[level], prefix, line);
}

void log_print(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprint(level, "", fmt, ap);
	va_end(ap);
}
