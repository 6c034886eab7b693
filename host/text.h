/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text: a string that grows, and parsers of what people type.
 */
#ifndef SYNTHHOST_TEXT_H
#define SYNTHHOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct text - a string that grows; zero it first
 * @s: the string, NULL while empty (text_str() gives "" then)
 * @len: without the final NUL
 */
struct text {
	char *s;
	size_t len;
	size_t size;
};

/**
 * text_add() - append, as printf()
 *
 * Return: -EINVAL, so that `return text_add(err, "...")` reads well in a parser.
 */
int text_add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const char *text_str(const struct text *t);
void text_free(struct text *t);

/**
 * text_size() - parse a size: decimal or 0x hex, then perhaps K, M, G or T
 *
 * Return: 0, or -EINVAL (not a number, something behind it, or too large).
 */
int text_size(const char *s, uint64_t *value);

/**
 * text_number() - parse a plain number, decimal or 0x hex, with limits
 *
 * Return: 0, -EINVAL, or -ERANGE.
 */
int text_number(const char *s, uint64_t min, uint64_t max, uint64_t *value);

/**
 * struct option_list - takes "a,b=1,c" apart; "a" has the value NULL
 *
 * Use: option_list_init(), then option_next() until it returns false, then
 * option_list_free(). Names and values stay valid until the last.
 */
struct option_list {
	char *copy;
	char *next;
};

void option_list_init(struct option_list *ol, const char *arg);
bool option_next(struct option_list *ol, char **name, char **value);
void option_list_free(struct option_list *ol);

#endif
