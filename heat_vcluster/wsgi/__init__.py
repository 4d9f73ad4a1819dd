# SPDX-License-Identifier: Apache-2.0
"""How the API meets web servers: others', and one of its own."""
