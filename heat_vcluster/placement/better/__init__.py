# SPDX-License-Identifier: Apache-2.0
"""A plan that is valid, made better."""
