# SPDX-License-Identifier: Apache-2.0
"""A problem in numbers: what every part of the search works on."""
