# SPDX-License-Identifier: Apache-2.0
"""Acts at the n-th call to a cloud, whichever that is."""

from heat_vcluster.cloud.fake import Faults


class NumberedFaults(Faults):
    """``at`` orders an act for one call, counted from now; it is kept in
    ``hit`` once it came.
    """

    def __init__(self):
        super().__init__()
        self.order = None
        self.hit = None

    def at(self, number, action, *, late=False):
        """Run ``action(call)`` before the call's effect, or after it."""
        self.hit = None
        self.order = (len(self.calls) + number, action, late)

    def cancel(self):
        self.order = None

    def enter(self, *args):
        call = super().enter(*args)
        self._act(call, late=False)
        return call

    def leave(self, call):
        super().leave(call)
        self._act(call, late=True)

    def _act(self, call, late):
        if self.order is None:
            return
        number, action, is_late = self.order
        if (call.number, late) == (number, is_late):
            self.hit = call
            action(call)


def raising(make_error):
    """Return an action that raises a fresh error."""

    def act(call):
        raise make_error()

    return act
