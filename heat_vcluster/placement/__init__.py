# SPDX-License-Identifier: Apache-2.0
"""Where every member goes, for all at once: README.rst beside this tells."""
