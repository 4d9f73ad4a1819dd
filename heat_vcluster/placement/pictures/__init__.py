# SPDX-License-Identifier: Apache-2.0
"""An answer drawn: racks, hosts, members, and the rules they obey."""
