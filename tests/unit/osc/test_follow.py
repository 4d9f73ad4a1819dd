# SPDX-License-Identifier: Apache-2.0

import io

from osc_lib import exceptions

from heat_vcluster import exception
from heat_vcluster.osc import follow, progress
from tests import base


class Story:
    """A cluster whose views come one after the other; the last one stays.

    None is no cluster (any more).
    """

    def __init__(self, *views):
        self._views = [*views]
        self._events = [{'id': number} for number in range(1, 5)]
        self.is_delete_asked = False

    def show(self, cluster_id):
        view = self._views[0]
        if self._views[1:]:
            self._views.pop(0)
        if view is None:
            raise exception.ClusterNotFound(cluster_id)
        return view

    def delete(self, cluster_id):
        self.is_delete_asked = True

    def events(self, cluster_id, after):
        """Two of them happen between one look and the next."""
        return [e for e in self._events if after < e['id'] <= after + 2]


def view(status, *members, reason=None, updated_at='0', code=None):
    return {
        'id': 'x',
        'status': status,
        'status_reason': reason,
        'error_code': code,
        'updated_at': updated_at,
        'members': {
            f'm-{n}': {'status': each, 'reason': None}
            for n, each in enumerate(members)
        },
    }


class FollowTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.patch(follow, 'time', base.SleptTime(speed=1e6))
        self.stream = io.StringIO()
        self.progress = progress.Progress(self.stream)

    @property
    def told(self):
        return self.stream.getvalue().splitlines()

    def test_each_change_of_a_member_is_told_once(self):
        story = Story(
            view('HELD', 'HELD', 'HELD'),
            view('CREATING', 'BUILDING', 'HELD'),
            view('CREATING', 'BUILDING', 'HELD'),
            view('ACTIVE', 'ACTIVE', 'ACTIVE'),
        )
        built = follow.until_built(story, 'x', self.progress)
        self.assertEqual('ACTIVE', built['status'])
        self.assertEqual(
            [
                'cluster x',
                'm-0 is HELD',
                'm-1 is HELD',
                'm-0 is BUILDING',
                'm-0 is ACTIVE',
                'm-1 is ACTIVE',
            ],
            self.told,
        )

    def test_a_build_that_failed_is_told_with_its_reason(self):
        story = Story(view('ROLLING_BACK'), view('ERROR', reason='no room'))
        failure = self.assertRaises(
            exceptions.CommandError,
            follow.until_built,
            story,
            'x',
            self.progress,
        )
        self.assertEqual('Cluster x is ERROR: no room', str(failure))

    def test_an_error_from_before_the_delete_says_nothing_about_it(self):
        before = view('ERROR', reason='no room')
        story = Story(before, before, view('DELETING'), None)
        removal = follow.Removal(story, 'x')
        self.assertTrue(story.is_delete_asked)
        removal.wait(self.progress)

    def test_an_error_since_then_does(self):
        story = Story(
            view('ERROR'),
            view('DELETING', updated_at='1'),
            view('ERROR', reason='a volume is left', updated_at='2'),
        )
        removal = follow.Removal(story, 'x')
        failure = self.assertRaises(
            exceptions.CommandError, removal.wait, self.progress
        )
        self.assertIn('a volume is left', str(failure))

    def test_events_are_followed_until_the_cluster_settles_or_is_gone(self):
        for end in (view('ACTIVE'), view('ERROR'), None):
            story = Story(view('CREATING'), end)
            told = follow.events(story, 'x', 0)
            self.assertEqual([1, 2, 3, 4], [event['id'] for event in told])


class ProgressTest(base.TestCase):
    def test_whoever_waits_is_told_so(self):
        self.patch(progress, 'PATIENCE', 0.001)
        stream = io.StringIO()
        told = progress.Progress(stream)
        told.doing('planning')
        with told:
            self.until(lambda: 'planning, ' in stream.getvalue())
        self.assertRegex(stream.getvalue(), r'^planning, \d+ s\n')

    def test_quiet_is_quiet(self):
        self.patch(progress, 'PATIENCE', 0.0)
        stream = io.StringIO()
        told = progress.Progress(stream, is_quiet=True)
        with told:
            told.tell('something')
            told.tell_cluster(view('ACTIVE', 'ACTIVE'))
        self.assertEqual('', stream.getvalue())
