# SPDX-License-Identifier: Apache-2.0
"""The directory for heat.conf's ``plugin_dirs``; holds the shim only."""
