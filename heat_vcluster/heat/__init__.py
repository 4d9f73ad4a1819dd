# SPDX-License-Identifier: Apache-2.0
"""The door for Heat: the resource type ``OS::VCluster::Cluster``."""
