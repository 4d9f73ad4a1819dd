# SPDX-License-Identifier: Apache-2.0
"""``python3 -m heat_vcluster.devcloud``, straight from a checkout."""

import sys

from heat_vcluster.devcloud.cli import main

if __name__ == '__main__':
    sys.exit(main())
