# SPDX-License-Identifier: Apache-2.0
"""Why there is no plan, in words, and what would fit instead."""
