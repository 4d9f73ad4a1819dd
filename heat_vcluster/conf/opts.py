# SPDX-License-Identifier: Apache-2.0
"""All options of the package, for registration and for the sample file."""

from __future__ import annotations

import copy
import math
from typing import Any

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

    Raises ValueError, which names the option. Also for options of others, as
    far as they are registered by now; of those, whatever the type lets pass.
    """
    for module in MODULES:
        for option in module.OPTS:
            name, value = _read(conf, module.GROUP.name, option.dest)
            fault = _fault(option, value)
            if fault:
                raise ValueError(f'{name}: {fault}')
    for name in conf:
        _, value = _read(conf, None, name)
        if isinstance(value, cfg.ConfigOpts.GroupAttr):
            for key in value:
                _read(conf, name, key)


def _read(
    conf: cfg.ConfigOpts, group: str | None, key: str
) -> tuple[str, Any]:
    """Return how the option is called, and its value."""
    name = f'[{group or "DEFAULT"}]/{key}'
    section: Any = conf if group is None else conf[group]
    try:
        return name, section[key]
    except (cfg.Error, ValueError) as error:
        raise ValueError(f'{name}: {error}') from error


def _fault(option: cfg.Opt, value: Any) -> str | None:
    """Return why a value that oslo.config takes cannot be meant."""
    if value in (None, '') and option.default not in (None, ''):
        return 'it has no value; leave the line out for the default'
    if isinstance(value, float) and not math.isfinite(value):
        return f'{value} is no number of seconds'
    texts = value if isinstance(value, list) else [value]
    if any('\0' in str(text) for text in texts):
        return 'it has a NUL in it'
    return None


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """The entry point of oslo-config-generator."""
    ours = [(module.GROUP, list(module.OPTS)) for module in MODULES]
    return [*ours, (auth.GROUP, auth.options())]
