"""When to go on after a failure and when to give up: bad items, or a server that is down."""

from __future__ import annotations

from harvester.asking.connection import Failed
from parfocal.errors import SourceError
from parfocal.values import Problem

IN_A_ROW = 8
"""So many items of a walk cannot be asked for, one after the other, before the walk gives up."""
_FAILED_FOR_ONE = 8
"""So many answers that a server failed (500) count like one that did not come: it is up."""


class Setbacks:
    """Turns failures of single items into problems, until too many come in a row."""

    def __init__(self, in_a_row: int = IN_A_ROW) -> None:
        self._left = self._most = in_a_row * _FAILED_FOR_ONE

    def success(self) -> None:
        """Note that an item could be read."""
        self._left = self._most

    def problem(self, key: str, error: SourceError) -> Problem:
        """Return the problem of an item; raise the error when asking for others is no use.

        Only failures that may pass (``retryable``) count: a server that refuses one item, or gives
        one that cannot be read, is up.
        """
        if error.retryable:
            self._left -= 1 if isinstance(error, Failed) else _FAILED_FOR_ONE
            if self._left <= 0:
                raise error
        return Problem(key, error.message, error.where, error.hint)
