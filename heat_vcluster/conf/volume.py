# SPDX-License-Identifier: Apache-2.0
"""Options that tell how volumes are placed."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('volume', title='Placing volumes')

OPTS = [
    cfg.StrOpt(
        'pinning',
        default='none',
        choices=[
            ('none', 'cinder chooses the pool; rules do not reach volumes'),
            (
                'json_filter',
                "by the hint that cinder's JsonFilter reads; it must be in "
                'scheduler_default_filters of cinder, which ignores the '
                'hint in silence otherwise',
            ),
        ],
        help='How a volume is led to its planned pool.',
    ),
    cfg.StrOpt(
        'pool_domains',
        help="""
Where a pool sits. Unset: nowhere, so that rules do not reach volumes.

* ``LEVEL:REGEX``: the REGEX is searched in the name of the pool
  (``host@backend#pool``), and its group ``domain`` is the domain at LEVEL.
  LEVEL ``host`` means pools that are local to a host.
* ``aggregate``: the part before the ``@`` is the name of a host, and the
  pool sits in all domains of that host (but is not local to it).

Example: ``rack:^[^@]+@(?P<domain>[^#]+)#``
""",
    ),
    cfg.ListOpt(
        'pools',
        default=[],
        help="""
The pools to use (``host@backend#pool``). Unset: cinder is asked for them,
for which it wants an administrator's context. With a list it is not asked;
how full a pool is, is not known then, and cinder refuses what does not fit.
""",
    ),
    cfg.ListOpt(
        'type_backends',
        default=[],
        help="""
Which backends a volume type leads to, each as TYPE=BACKEND, where BACKEND is
the ``volume_backend_name`` of pools (with ``pools`` set: the part between
``@`` and ``#``); several entries for one TYPE mean any
of them. Cinder tells this to administrators only. For types that are not
listed the extra specs are read, if the operator opened them to our token
(``volume_extension:types_extra_specs:read_sensitive``); else any pool is
taken to be right, and cinder refuses the volume if it is not.
""",
    ),
]
