/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a message of the host says, and what a keyboard behind a PC's controller
 * would say instead. No kernel service or struct is used here, so that it is also
 * tested in user space.
 */
#ifndef SYNTHIO_KEYBOARD_MESSAGE_H
#define SYNTHIO_KEYBOARD_MESSAGE_H

#include <synthio/env.h>

#include <synthio/keyboard.h>

/**
 * struct synk_message - a message, checked
 * @type: enum synthkbd_type; says which of the others are set
 * @accepted: the host knows the version
 * @code: make code of the key, 1 to 0x7f, or a character if SYNTHKBD_UNICODE is set
 * @info: SYNTHKBD_BREAK and so on
 */
struct synk_message {
	u32 type;
	bool accepted;
	u16 code;
	u32 info;
};

/**
 * synk_parse() - take a packet's payload apart
 * @packet: not changed by others meanwhile
 * @len: bytes, a multiple of 8: up to 7 of them are padding
 * @msg: filled in if all is well
 *
 * Return: 0; -ENOMSG: a kind of message that is to be ignored; -EINVAL: it
 * contradicts itself.
 */
int synk_parse(const void *packet, u32 len, struct synk_message *msg);

#define SYNK_MAX_BYTES	4

/**
 * synk_bytes() - what a keyboard says of a key
 * @msg: SYNTHKBD_EVENT
 * @bytes: so are at most SYNK_MAX_BYTES, scan codes of set 1
 *
 * A character is typed, as on a US keyboard, when its key is pressed.
 *
 * Return: how many; 0: nothing, as a character that is let go, or one that the
 * keyboard lacks.
 */
u32 synk_bytes(const struct synk_message *msg, u8 *bytes);

/**
 * struct synk_ps2 - the keyboard, as its driver sees it
 * @command: whose parameter is to come; 0 if none is
 * @leds: SYNTHKBD_LED_*
 */
struct synk_ps2 {
	u8 command;
	u8 leds;
};

#define SYNK_MAX_ANSWER	3

/**
 * synk_command() - the driver has sent a byte to its keyboard
 * @ps2: the keyboard; leds may be others afterwards
 * @byte: it
 * @answer: what the keyboard answers, at most SYNK_MAX_ANSWER bytes
 *
 * Return: how many bytes, at least one.
 */
u32 synk_command(struct synk_ps2 *ps2, u8 byte, u8 *answer);

#endif
