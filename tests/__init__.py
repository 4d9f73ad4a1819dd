# SPDX-License-Identifier: Apache-2.0
"""The tests print nothing beside what came of them."""

import logging

# Without a handler, warnings would be printed amid the outcomes. What a
# test logs is kept by its base and told if it fails.
logging.getLogger().addHandler(logging.NullHandler())
