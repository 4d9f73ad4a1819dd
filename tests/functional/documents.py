# SPDX-License-Identifier: Apache-2.0
"""The documents that stories are told about."""

import pathlib

import yaml

TEMPLATES = pathlib.Path(__file__).parents[2] / 'templates'


def of_template(name, **parameters):
    """Return the document in a shipped template, its defaults filled in."""
    template = yaml.safe_load((TEMPLATES / name).read_text())
    values = {
        key: parameters.pop(key, asked.get('default'))
        for key, asked in template['parameters'].items()
    }
    assert not parameters, f'no such parameters: {parameters}'
    return _filled(template['resources']['cluster']['properties'], values)


def _filled(part, values):
    if isinstance(part, dict) and set(part) == {'get_param'}:
        return values[part['get_param']]
    if isinstance(part, dict):
        return {key: _filled(each, values) for key, each in part.items()}
    if isinstance(part, list):
        return [_filled(each, values) for each in part]
    return part


def server(name='m', **spec):
    own = {
        key: spec.pop(key) for key in ('count', 'depends_on') if key in spec
    }
    asked = {'image': 'cirros', 'flavor': 'small', **spec}
    return {'name': name, 'type': 'server', 'spec': asked, **own}


def servers(count, *groups, **spec):
    """Return a document of ``m-0``, ``m-1``, ... under some groups."""
    return {
        'instances': [server('m', count=count, **spec)],
        'groups': list(groups),
    }


def group(policy, *names, **spec):
    return {
        'name': f'{policy}-of-{names[0]}',
        'spec': {'policy': policy, **spec},
        'members': list(names),
    }


APART = group('anti-affinity', 'm', scope='host')

#: One of everything that can be made, and rules that cross.
SMALL = {
    'name': 'small',
    'instances': [
        {
            'name': 'net',
            'type': 'network',
            'spec': {
                'subnets': [{'cidr': '10.60.0.0/24'}],
                'router': {'external_network': 'public'},
            },
        },
        {'name': 'data', 'type': 'volume', 'spec': {'size': 1}},
        server(
            'db',
            networks=[{'network': 'net', 'floating_ip': 'public'}],
            volumes=['data'],
        ),
        server('web', networks=['net'], depends_on=['db']),
    ],
    'groups': [
        group('affinity', 'db', 'data', scope='rack'),
        group('anti-affinity', 'db', 'web', scope='rack'),
        # One that nova can hold by a server group.
        group('spread', 'db', 'web', scope='host', max_per_domain=1),
    ],
}
