# SPDX-License-Identifier: Apache-2.0
"""Reads what is kept of a live problem beside its document, and checks it."""
