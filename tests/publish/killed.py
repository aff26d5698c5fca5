"""Run by test_kill.py in a process of its own: publish, killed by SIGKILL at every event in turn.

Arguments: folder, JSON of a draft, JSON of settings under [publish]. An event is any change on
disk, in the journal or at the registrar; the kill comes right before it, after the one before.
Prints one JSON line per kill.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datacite.schema45  # noqa: F401 - so that not every child imports it
import msgspec
import rocrate.rocrate  # noqa: F401

from parfocal import registry
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.model import ANONYMOUS
from parfocal.store.sqlite import SqliteStore
from publish.draft import Draft
from publish.registrar import DataciteRegistrar
from publish.workflow import publish


class Killer:
    """Counts events and kills the process at one of them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    def event(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **more: Any) -> Any:
            self.event()
            return original(*arguments, **more)

        setattr(owner, name, watched)

    def watch_all(self) -> None:
        for name in ("fsync", "rename", "mkdir", "unlink"):
            self.watch(os, name)
        self.watch(shutil, "rmtree")
        self.watch(SqliteStore, "write_journal")
        self.watch(DataciteRegistrar, "_send")


def settings(folder: Path, template: Path, options: dict[str, Any]) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": folder / "data",
            "sources": [{"name": "disk", "kind": "local", "path": str(template / "disk")}],
            "search": {"engine": "memory"},
            "graph": {"engine": "memory"},
            "publish": {"folder": folder / "published", **options},
        }
    )


def attempt(used: Settings, draft: Draft, kill_at: int) -> bool:
    """Publish in a child; whether it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if kill_at:
                Killer(kill_at).watch_all()
            with Catalogue.open(used) as catalogue:
                publish(catalogue, draft, ANONYMOUS)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.waitstatus_to_exitcode(status):
        sys.exit("the child failed by itself")
    return False


def main(template: Path, draft: Draft, options: dict[str, Any]) -> None:
    for name in registry.names("checks"):
        registry.load("checks", name)
    registry.load("repositories", "folder")
    killed, number = True, 0
    while killed:
        number += 1
        folder = template / f"run{number}"
        shutil.copytree(template / "data", folder / "data")
        used = settings(folder, template, options)
        own = msgspec.structs.replace(draft, key=f"{draft.key}-{number}")
        killed = attempt(used, own, number)
        attempt(used, own, 0)
        if number % 20 == 0:
            attempt(used, own, 0)
        sys.stdout.write(json.dumps({"key": own.key, "folder": str(folder), "killed": killed}))
        sys.stdout.write("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Draft), json.loads(sys.argv[3]))
