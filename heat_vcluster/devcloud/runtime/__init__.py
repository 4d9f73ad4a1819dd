# SPDX-License-Identifier: Apache-2.0
"""What runs inside the services' processes, in the cloud's virtualenv."""
