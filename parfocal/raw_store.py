"""The part of a record store that keeps raw items: what can be made of them without an archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from parfocal.values import Change, Counts, KeptItem, Rebuilt, RunReport


class RawStore(Protocol):
    """What is known of raw items, rebuilding records of them, and trying runs."""

    def digest(self, source: str, key: str) -> bytes | None:
        """Return the digest of a raw item kept under the source's present fingerprint, or None."""
        ...

    def stamp(self, source: str, key: str) -> str:
        """Return the stamp of a raw item kept under the source's present fingerprint, or ""."""
        ...

    def mark(self, source: str) -> str:
        """Return what the last complete walk under the present fingerprint left, or ""."""
        ...

    def fingerprint(self, source: str) -> str:
        """Return the fingerprint under which the source's raw items were normalised, or ""."""
        ...

    def begin_rebuild(self, source: str, scope: str, fingerprint: str) -> tuple[int, int]:
        """Start to rebuild, or take a killed rebuild up again: its run, the last number done.

        One that was begun under another fingerprint is not taken up.
        """
        ...

    def kin(self, source: str, key: str, identity: str) -> Sequence[tuple[str, str]]:
        """Return (key, name) of raw items under a key, of an identity, or whose name the key is."""
        ...

    def kept(self, source: str, *, after: int = 0, limit: int = 100) -> list[KeptItem]:
        """Return raw items by number, from after a number."""
        ...

    def records_of(self, source: str, number: int) -> list[Change]:
        """Return the live records that a raw item gave."""
        ...

    def rebuild(self, source: str, run: int, portion: Rebuilt) -> Counts:
        """Write what was made anew and replace the problems of its items, all or nothing."""
        ...

    def finish_rebuild(
        self,
        source: str,
        run: int,
        *,
        fingerprint: str = "",
        allow_shrink: bool = False,
        message: str = "",
    ) -> RunReport:
        """End a rebuild; what raw items no longer give is tombstoned, unless that is over half.

        With a fingerprint, raw items count as normalised under it from now on.
        """
        ...

    def forget_raw(self, source: str, before: str) -> int:
        """Forget the content of raw items that came before a time (UTC, ISO 8601); how many."""
        ...
