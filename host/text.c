// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

int text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	if (t->len + n + 1 > t->size) {
		size_t size = (t->len + n + 1) * 2;
		char *s = realloc(t->s, size);

		if (!s)
			return -EINVAL;
		t->s = s;
		t->size = size;
	}
	va_start(ap, fmt);
	vsnprintf(t->s + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	t->len += n;
	return -EINVAL;
}

const char *text_str(const struct text *t)
{
	return t->s ? t->s : "";
}

void text_free(struct text *t)
{
	free(t->s);
	memset(t, 0, sizeof(*t));
}

/* strtoull() takes blanks, signs and octal: none of which is meant here */
static const char *text_digits(const char *s, uint64_t *value)
{
	int base = 10;
	char *end;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (!isxdigit((unsigned char)*s))
		return NULL;
	errno = 0;
	*value = strtoull(s, &end, base);
	return errno || end == s ? NULL : end;
}

int text_size(const char *s, uint64_t *value)
{
	static const char units[] = "KMGT";
	const char *end = text_digits(s, value);
	const char *unit;
	unsigned int shift;

	if (!end)
		return -EINVAL;
	if (!*end)
		return 0;
	unit = strchr(units, toupper((unsigned char)*end));
	if (!unit || end[1])
		return -EINVAL;
	shift = 10 * (unit - units + 1);
	if (*value >> (64 - shift))
		return -EINVAL;
	*value <<= shift;
	return 0;
}

int text_number(const char *s, uint64_t min, uint64_t max, uint64_t *value)
{
	const char *end = text_digits(s, value);

	if (!end || *end)
		return -EINVAL;
	return *value < min || *value > max ? -ERANGE : 0;
}

void option_list_init(struct option_list *ol, const char *arg)
{
	ol->copy = strdup(arg ? arg : "");
	ol->next = ol->copy;
}

bool option_next(struct option_list *ol, char **name, char **value)
{
	char *item;

	if (!ol->next || (ol->next == ol->copy && !*ol->copy))
		return false;
	item = strsep(&ol->next, ",");
	*name = strsep(&item, "=");
	*value = item;
	return true;
}

void option_list_free(struct option_list *ol)
{
	free(ol->copy);
	ol->copy = NULL;
	ol->next = NULL;
}
