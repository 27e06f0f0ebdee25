// SPDX-License-Identifier: GPL-2.0-or-later
/// The version of both programs.
package let version = "0.2.0"
