/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parser of the host's messages, and the bytes that a keyboard behind a PC's controller
 * sends in their place. No kernel service or struct is used here, so that it is also tested
 * in user space.
 */
#ifndef SYNTHIO_KEYBOARD_MESSAGE_H
#define SYNTHIO_KEYBOARD_MESSAGE_H

#include <synthio/env.h>

#include <synthio/keyboard.h>

/**
 * struct synk_message - a message of the host
 * @type: enum synthkbd_type; determines which of the other members are set
 * @accepted: the host accepts the version
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
 * synk_parse() - parse the payload of a packet
 * @packet: a copy that the host can't change
 * @len: bytes, a multiple of 8: up to 7 of them are padding
 * @msg: set if the return value is 0
 *
 * Return: 0; -ENOMSG if the type is unknown; -EINVAL if the message is malformed.
 */
int synk_parse(const void *packet, u32 len, struct synk_message *msg);

#define SYNK_MAX_BYTES	4

/**
 * synk_bytes() - the bytes that a keyboard sends for an event
 * @msg: a message of type SYNTHKBD_EVENT
 * @bytes: set to scan codes of set 1, SYNK_MAX_BYTES at most
 *
 * A character is typed, as on a US keyboard, when it is pressed.
 *
 * Return: number of bytes; 0 if a character is released, or a US keyboard does not have it.
 */
u32 synk_bytes(const struct synk_message *msg, u8 *bytes);

/**
 * struct synk_ps2 - a PS/2 keyboard, for its driver
 * @command: the command whose parameter comes next; 0 if none does
 * @leds: SYNTHKBD_LED_*
 */
struct synk_ps2 {
	u8 command;
	u8 leds;
};

#define SYNK_MAX_ANSWER	3

/**
 * synk_command() - answer a byte that the driver has sent to its keyboard
 * @ps2: the keyboard; its LEDs may change
 * @byte: the byte
 * @answer: set to the keyboard's answer, SYNK_MAX_ANSWER bytes at most
 *
 * Return: number of bytes, at least one.
 */
u32 synk_command(struct synk_ps2 *ps2, u8 byte, u8 *answer);

#endif
