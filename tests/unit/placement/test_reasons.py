# SPDX-License-Identifier: Apache-2.0
"""What a refusal tells the tenant, what the operator, and what it keeps."""

from __future__ import annotations

import dataclasses
import re

from heat_vcluster.placement import model, policies
from heat_vcluster.placement.explanation import conflicts, reasons
from tests import base, placement_oracle
from tests.unit.placement import clashes, test_conflicts, worlds


def tell(problem: model.Problem) -> reasons.Reasons:
    found = test_conflicts.find(problem)
    return reasons.tell(problem, policies.load(), found)


def tenant(problem: model.Problem) -> str:
    (sentence,) = tell(problem).tenant
    return sentence


def names_of(problem: model.Problem) -> set[str]:
    """Return the names that no tenant may read."""
    snapshot = problem.snapshot
    return {
        *(h.name for h in snapshot.hosts),
        *(p.name for p in snapshot.pools),
        *(d for h in snapshot.hosts for d in h.domains.values()),
        *(d for p in snapshot.pools for d in p.domains.values()),
        *(t for h in snapshot.hosts for t in h.traits),
        *(b.name for b in problem.budgets),
    }


class SecrecyTestCase(base.TestCase):
    def assert_tells_nothing(self, problem):
        words = {
            word
            for sentence in tell(problem).tenant
            for word in re.findall(r'[\w.-]+', sentence)
        }
        self.assertEqual(set(), words & names_of(problem))
        return words

    def test_tenants_read_of_no_host_and_no_amount_that_is_free(self):
        for make in clashes.ALL:
            problem = make().problem
            words = self.assert_tells_nothing(problem)
            own = {'7919', '9973', '997', '99991', '499'}
            self.assertEqual(set(), words & own)

    def test_nor_do_they_where_all_rules_are_mixed(self):
        for seed in range(60):
            problem = placement_oracle.tiny(seed, beyond=seed % 2 == 1)
            rules = placement_oracle.rule_names(problem)
            if not placement_oracle.is_feasible(problem, rules):
                self.assert_tells_nothing(problem)

    def test_the_limits_of_the_provider_are_named_but_not_told(self):
        told = tell(clashes.share().problem)
        (sentence,) = told.tenant
        self.assertIn("within the provider's limits", sentence)
        self.assertNotIn('9', sentence)
        (sentence,) = told.operator
        self.assertIn('limit:share leaves a rack at most 9 vCPU', sentence)


class SentencesTestCase(base.TestCase):
    def test_a_contradiction_is_told_by_its_chain(self):
        self.assertRegex(
            tenant(clashes.cycle().problem),
            r"^(a|b)-0 must be together with (a|b)-0 \(through '\w+', "
            r"'glue', '\w+'\), yet 'apart' keeps them apart$",
        )

    def test_too_few_domains_are_counted(self):
        self.assertEqual(
            "anti-affinity group 'ha-racks' keeps its 4 members apart by "
            'rack; for ha-0, ha-1 and 2 more (1 vCPU each), that takes 4 '
            'racks, and 3 qualify',
            tenant(clashes.pigeonhole().problem),
        )

    def test_so_are_domains_for_whole_units(self):
        sentence = tenant(clashes.chains().problem)
        self.assertIn(
            "affinity group 'chain-0' keeps its 3 members in one rack (and "
            'so does 1 like it)',
            sentence,
        )
        self.assertIn(
            "anti-affinity group 'apart' keeps its 2 units", sentence
        )
        self.assertIn('db-0, db-1 and 2 more (4 vCPU each)', sentence)
        self.assertIn('that takes 2 racks, and 1 qualifies', sentence)

    def test_mere_room_is_told_without_amounts(self):
        self.assertEqual(
            'big-0, big-1 and 3 more (4 vCPU each): there is not room for '
            'all 5 at once',
            tenant(clashes.fragments().problem),
        )
        self.assertEqual(
            'app-0, app-1 and 1 more (3 vCPU each) and sql-0, sql-1 and 1 '
            'more (4 vCPU each): there is not room for all 6 at once',
            tenant(clashes.compete().problem),
        )
        self.assertEqual(
            "affinity group 'one-zone' keeps its 5 members in one zone; for "
            'grid-0, grid-1 and 3 more (3 vCPU each), no zone has the room '
            'for all 5 at once',
            tenant(clashes.zone().problem),
        )

    def test_a_rule_that_is_to_be_level_and_cannot(self):
        sentence = tenant(clashes.skew().problem)
        self.assertIn('that takes 2 zones, and 1 qualifies', sentence)
        problem = clashes.pose(
            clashes.hosts(2, 1, 1),
            worlds.servers('a', 3),
            worlds.rule('spread', 'zone', *clashes.names('a', 3), max_skew=0),
        )
        self.assertIn(
            '3 members cannot be shared out so over 2 zones', tenant(problem)
        )

    def test_groups_that_want_to_be_alone(self):
        self.assertEqual(
            "exclusive group 'alone-0' lets nothing else be in the racks of "
            'its 2 members (and so do 2 like it): that takes 3 racks, and 2 '
            'qualify',
            tenant(clashes.exclusive().problem),
        )

    def test_the_operator_reads_names_and_numbers(self):
        (sentence,) = tell(clashes.pigeonhole().problem).operator
        self.assertIn(tenant(clashes.pigeonhole().problem), sentence)
        self.assertIn('4 x (1 vCPU, CUSTOM_OFFLOAD): 6 hosts in 3', sentence)
        self.assertIn('3 racks qualify (shelf00, shelf01, shelf10)', sentence)
        (sentence,) = tell(clashes.fragments().problem).operator
        self.assertIn('4 hosts in 1 rack (shelf00: 4) qualify', sentence)

    def test_sizes_are_said_as_people_say_them(self):
        demand = model.ServerDemand(
            'a',
            {'DISK_GB': 40, 'MEMORY_MB': 65536, 'VCPU': 8, 'CUSTOM_GPU': 1},
        )
        problem = clashes.pose(clashes.hosts(1, 1, 1), [demand])
        self.assertEqual(
            'a (8 vCPU, 64 GiB RAM, 40 GB disk, 1 CUSTOM_GPU): no host can '
            'take it',
            tenant(problem),
        )


class HomelessTestCase(base.TestCase):
    def test_all_members_without_a_place_are_told_at_once(self):
        told = tell(clashes.homeless().problem)
        self.assertEqual(
            (
                'fat (8 vCPU): no host can take it',
                'fatter (9 vCPU): no host can take it',
            ),
            told.tenant,
        )
        self.assertIn('2 of 2 hosts come into question', told.operator[0])
        self.assertIn('at most 7 vCPU free', told.operator[0])

    def test_a_volume_that_no_pool_takes(self):
        problem = clashes.pose(
            clashes.hosts(1, 1, 1),
            [model.VolumeDemand('data', 10, 'nvme')],
            pools=[worlds.pool('vault', types=['ssd'])],
        )
        told = tell(problem)
        self.assertEqual(
            ('data (10 GB of type nvme): no storage pool can take it',),
            told.tenant,
        )
        self.assertIn('0 of 1 pools come into question', told.operator[0])

    def test_hosts_off_the_map_are_told_from_hosts_that_are_full(self):
        problem = clashes.pose(
            [worlds.host('lost', 8), worlds.host('h0', 1, rack='r0')],
            [worlds.server('a', 4)],
            worlds.rule('affinity', 'rack', 'a', name='dbs'),
        )
        self.assertEqual(
            (
                'a (4 vCPU): no host that can take it is known to lie where '
                "group 'dbs' can tell",
            ),
            tell(problem).tenant,
        )

    def test_a_server_too_large_for_what_the_provider_leaves(self):
        problem = clashes.pose(
            clashes.hosts(1, 1, 1),
            [worlds.server('a', 4)],
            budgets=[model.Budget('share', 'rack', {'shelf00': {'VCPU': 3}})],
        )
        self.assertEqual(
            ("a (4 vCPU): no host can take it within the provider's limits",),
            tell(problem).tenant,
        )


class PartsTestCase(base.TestCase):
    def test_members_that_stay_are_told(self):
        problem = clashes.pose(
            clashes.hosts(1, 2, 1),
            worlds.servers('a', 2),
            worlds.rule('affinity', 'rack', 'a-0', 'a-1', name='near'),
            pinned={'a-0': 'anvil000', 'a-1': 'anvil010'},
        )
        sentence = tenant(problem)
        self.assertIn("affinity group 'near'", sentence)
        self.assertIn('a-0, a-1 stay where they are', sentence)

    def test_long_lists_are_cut(self):
        problem = clashes.fragments().problem
        everything = conflicts.Conflict(
            placement_oracle.rule_names(problem), False
        )
        told = reasons.tell(problem, policies.load(), everything)
        self.assertIn('was not narrowed down', told.tenant[0])
        self.assertIn('big-0, big-1 and 3 more', told.tenant[0])

    def test_a_conflict_that_hangs_on_nothing_but_size_names_no_rule(self):
        problem = clashes.fragments().problem
        bare = dataclasses.replace(problem, rules=())
        self.assertEqual(tenant(bare), tenant(problem))
