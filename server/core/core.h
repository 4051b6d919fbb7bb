/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core.h - the door of core/: what every room may use.  See core/README.md. */
#ifndef HOLDFAST_CORE_CORE_H
#define HOLDFAST_CORE_CORE_H

#include "core/base.h"
#include "core/bytes.h"
#include "core/crc32c.h"
#include "core/hist.h"
#include "core/log.h"
#include "core/reactor.h"
#include "core/trace.h"

#endif
