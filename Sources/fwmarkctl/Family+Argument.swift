// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Rules

/// `--family ipv4`.
extension Family: ExpressibleByArgument {}
