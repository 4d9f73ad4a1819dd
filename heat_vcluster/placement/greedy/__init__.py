# SPDX-License-Identifier: Apache-2.0
"""The fast way to a first plan: the hardest bundles first."""
