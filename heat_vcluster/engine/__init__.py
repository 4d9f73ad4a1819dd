# SPDX-License-Identifier: Apache-2.0
"""Runs the graphs: the only package that knows TaskFlow."""
