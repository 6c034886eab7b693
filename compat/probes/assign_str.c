// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE assign_str: how often a trace event tells the source of a string
 * FORM ONCE: in __string(), since 6.10
 * FORM TWICE: in __string() and __assign_str()
 */
#define CREATE_TRACE_POINTS
#include "assign_str.h"
