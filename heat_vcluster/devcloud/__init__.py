# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack control plane with fake hypervisors, for development.

It stands apart: nothing of the product imports it. Outside of ``runtime``
and ``bootstrap`` only the standard library is used, so that it can be run
from a bare checkout and make its own virtualenv.
"""
