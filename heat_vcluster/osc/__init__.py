# SPDX-License-Identifier: Apache-2.0
"""The door for the shell: ``openstack vcluster ...``."""
