// SPDX-License-Identifier: GPL-2.0-or-later
// Nothing to call: what this library does is done before main.
