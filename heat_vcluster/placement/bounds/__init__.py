# SPDX-License-Identifier: Apache-2.0
"""What soft rules cost at the least, and plans from that."""
