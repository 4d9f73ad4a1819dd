# SPDX-License-Identifier: Apache-2.0
"""A placement that is nearly whole, brought to its end."""
