# SPDX-License-Identifier: Apache-2.0
"""All options of the package, for registration and for the sample file."""

from __future__ import annotations

import copy

from oslo_config import cfg

from heat_vcluster.conf import (
    api,
    auth,
    cloud,
    engine,
    limits,
    metrics,
    placement,
    quota,
    topology,
    trust,
    volume,
    work,
)

MODULES = (
    api,
    engine,
    placement,
    limits,
    quota,
    topology,
    volume,
    cloud,
    trust,
    work,
    metrics,
)


def register(conf: cfg.ConfigOpts) -> None:
    for module in MODULES:
        # A copy: what is set in one configuration is not set in all.
        conf.register_group(copy.deepcopy(module.GROUP))
        conf.register_opts(module.OPTS, group=module.GROUP)
    conf.register_group(copy.deepcopy(auth.GROUP))
    auth.register(conf)


def check(conf: cfg.ConfigOpts) -> None:
    """Read every value once: a bad one is told now, not at its first use.

    Raises cfg.Error or ValueError.
    """
    for module in MODULES:
        for option in module.OPTS:
            conf[module.GROUP.name][option.dest]


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """The entry point of oslo-config-generator."""
    ours = [(module.GROUP, list(module.OPTS)) for module in MODULES]
    return [*ours, (auth.GROUP, auth.options())]
