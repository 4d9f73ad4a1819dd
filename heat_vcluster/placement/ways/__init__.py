# SPDX-License-Identifier: Apache-2.0
"""The ways to a verdict: what a problem looks like decides who is asked."""
