# SPDX-License-Identifier: Apache-2.0
"""What was asked: the document, its schema and its values; knows no cloud."""

from heat_vcluster.spec.loader import load
from heat_vcluster.spec.model import Group, GroupSpec, Member, Reference

__all__ = ['Group', 'GroupSpec', 'Member', 'Reference', 'load']
