# SPDX-License-Identifier: Apache-2.0
"""The addresses of the API, one file for each kind of thing.

A resource extracts, calls the service, and shows: it does not think.
"""
