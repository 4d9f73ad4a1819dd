# SPDX-License-Identifier: Apache-2.0
"""The REST API: a thin front door of the service, for any WSGI server."""
