# SPDX-License-Identifier: Apache-2.0
"""Members counted by kind and block of hosts: proofs, plans, packing."""
