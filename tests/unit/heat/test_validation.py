# SPDX-License-Identifier: Apache-2.0

from heat.common import exception as heat_exception

from tests.unit.heat import base

FAULTY = """
resources:
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - name: db
          type: server
          spec: {image: cirros, volumes: [data]}
        - name: db
          type: server
          spec: {image: cirros, flavor: small}
      groups:
        - name: apart
          spec: {policy: anti-affinity, scope: galaxy}
          members: [db, web]
"""

# Everything that refers to ``other`` is not known before it exists.
OPEN = """
resources:
  other:
    type: OS::Heat::Value
    properties: {value: {id: 1, list: [a]}}
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - name: net
          type: network
          spec:
            subnets:
              - cidr: {get_attr: [other, value, cidr]}
                gateway: 10.0.0.1
        - name: data
          type: volume
          spec:
            size: {get_attr: [other, value, size]}
            %s
        - name: db
          type: server
          spec:
            image: {get_resource: other}
            flavor: small
            networks:
              - network: {get_resource: other}
              - network: net
                fixed_ip: 10.0.0.7
            volumes:
              - data
              - {get_attr: [other, value, first]}
              - {get_attr: [other, value, second]}
            metadata: {get_attr: [other, value]}
            user_data:
              str_replace:
                template: peer is $peer
                params: {$peer: {get_resource: other}}
"""


class ValidationTest(base.HeatTest):
    def refusal(self, stack):
        return str(
            self.assertRaises(
                heat_exception.StackValidationFailed, stack.validate
            )
        )

    def test_a_good_document_is_let_through(self):
        self.stack(base.PAIR).validate()
        self.assertEqual(['validate'], self.service.calls)

    def test_all_faults_are_told_a_line_each_with_their_places(self):
        message = self.refusal(self.stack(FAULTY))
        self.assertIn('resources.cluster.properties', message)
        for place in (
            'instances[0].spec',
            'instances[1].name',
            'groups[0].spec.scope',
            'groups[0].members[1]',
        ):
            self.assertRegex(message, rf'(?m)^{_escaped(place)}')

    def test_parameters_count_with_their_values(self):
        body = """
parameters:
  size: {type: number}
resources:
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - {name: data, type: volume, spec: {size: {get_param: size}}}
"""
        self.stack(body, size=1).validate()
        message = self.refusal(self.stack(body, size=0))
        self.assertIn('instances[0].spec.size', message)

    def test_a_null_means_what_it_says(self):
        body = """
resources:
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - name: net
          type: network
          spec: {subnets: [{cidr: 10.0.0.0/24, gateway: null}]}
"""
        self.stack(body).validate()
        resource = self.cluster(body)
        self.run_task(resource.create)
        (document,) = self.service.documents.values()
        (subnet,) = document['instances'][0]['spec']['subnets']
        self.assertIsNone(subnet['gateway'])

    def test_what_other_resources_will_say_is_not_held_against_it(self):
        self.stack(OPEN % '').validate()
        self.assertEqual(['validate'], self.service.calls)

    def test_beside_open_values_faults_are_still_found(self):
        message = self.refusal(self.stack(OPEN % 'colour: green'))
        self.assertIn('colour', message)
        self.assertEqual(1, message.count('instances['))

    def test_without_the_names_nothing_can_be_said(self):
        body = """
resources:
  other: {type: 'OS::Heat::Value', properties: {value: db}}
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - name: {get_attr: [other, value]}
          type: server
          spec: {image: cirros, flavor: small}
      groups:
        - {name: g, spec: {policy: affinity}, members: [db]}
"""
        self.stack(body).validate()
        self.assertEqual([], self.service.calls)

    def test_a_branch_not_taken_is_not_there(self):
        body = """
conditions: {is_big: false}
resources:
  cluster:
    type: OS::VCluster::Cluster
    properties:
      instances:
        - if: [is_big, {name: x, type: volume, spec: {size: 0}}]
        - {name: data, type: volume, spec: {size: 1}}
"""
        self.stack(body).validate()
        resource = self.cluster(body)
        self.run_task(resource.create)
        (document,) = self.service.documents.values()
        self.assertEqual(
            ['data'], [each['name'] for each in document['instances']]
        )

    def test_instances_are_needed(self):
        body = """
resources:
  cluster: {type: 'OS::VCluster::Cluster', properties: {}}
"""
        self.assertIn('instances', self.refusal(self.stack(body)))


def _escaped(place):
    return place.replace('[', r'\[').replace(']', r'\]').replace('.', r'\.')
