# SPDX-License-Identifier: Apache-2.0
"""What a member can be: one file per type."""
