# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: they are quiet, patient, and always the same."""

import logging

import hypothesis

# Without a handler, warnings would be printed amid the outcomes. What a
# test logs is kept by its base and told if it fails.
logging.getLogger().addHandler(logging.NullHandler())

# A slow machine is no failure, and what failed can be had again.
hypothesis.settings.register_profile(
    'project',
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile('project')
