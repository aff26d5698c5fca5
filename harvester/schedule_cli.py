"""The command ``parfocal schedule``."""

from __future__ import annotations

import signal
from datetime import UTC, datetime

import click

from harvester.schedule import Schedule
from parfocal.config import Settings
from parfocal.printing import print_json, print_table, say


def _say(line: str) -> None:
    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {' '.join(line.split())}", err=True)


@click.command()
@click.option("--show", is_flag=True, help="Print when each source is due next, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --show, print JSON.")
@click.pass_obj
def schedule(settings: Settings, show: bool, as_json: bool) -> None:
    """Harvest sources when they are due, as their setting every says, until stopped.

    Needs the extra schedule. One process; a second one finds sources taken and waits for the next
    time. SIGTERM and Ctrl-C end it; a run that is broken off goes on at the next start.
    """
    plan = Schedule(settings, _say)
    if show:
        due = {name: f"{time:%Y-%m-%dT%H:%M:%SZ}" for name, time in sorted(plan.due().items())}
        if as_json:
            print_json(due)
        else:
            print_table(("source", "due"), list(due.items()))
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: plan.stop())
    plan.run()
