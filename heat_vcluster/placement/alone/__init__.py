# SPDX-License-Identifier: Apache-2.0
"""Those who must be alone in a domain, apart from all others."""
