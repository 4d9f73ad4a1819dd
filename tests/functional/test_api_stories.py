# SPDX-License-Identifier: Apache-2.0
"""Tells the stories in ``gabbits`` to the real API, each file one test.

A file has a fresh cloud and service; ``quota.yaml`` one with small limits.
"""

import pathlib
import unittest

import gabbi.handlers
import yaml
from gabbi import suitemaker

from heat_vcluster import quota
from tests.functional import api

STORIES = pathlib.Path(__file__).parent / 'gabbits'
SMALL = quota.Quota(clusters=2, members=3, held_plans=1, max_hold_seconds=60)
QUOTAS = {'quota': SMALL}


class StoryTest(api.ApiTest):
    def make_service(self, **options):
        return super().make_service(quota=QUOTAS.get(self.story), **options)

    def make_conf(self):
        return api.configured(max_limit=3)

    @property
    def story(self):
        return self._testMethodName.removeprefix('test_')

    def tell(self):
        told = yaml.safe_load((STORIES / f'{self.story}.yaml').read_text())
        suite = suitemaker.test_suite_from_dict(
            unittest.TestLoader(),
            self.story,
            told,
            str(STORIES),
            'vcluster.test',
            80,
            None,
            lambda: self.app,
            handlers=[kind() for kind in gabbi.handlers.RESPONSE_HANDLERS],
        )
        result = unittest.TestResult()
        result.failfast = True
        suite.run(result)
        for step, text in (*result.errors, *result.failures):
            self.fail(f'{step}\n{text}')
        self.assertEqual(len(told['tests']), result.testsRun)


for path in STORIES.glob('*.yaml'):
    setattr(StoryTest, f'test_{path.stem}', StoryTest.tell)
