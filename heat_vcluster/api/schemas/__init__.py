# SPDX-License-Identifier: Apache-2.0
"""The shapes of requests and answers, as JSON Schema 2020-12.

The same ones are checked against and shown in the OpenAPI document.
"""
