"""Harvesting sources when they are due: one process, one run at a time for each source."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from harvester.alerts import Alert, Say, alert_of, tell
from parfocal.catalogue import Catalogue
from parfocal.config import Settings, SourceSettings
from parfocal.errors import ConfigError, ParfocalError, StoreLocked
from parfocal.harvesting import harvest
from parfocal.values import RunReport

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LATE = 60


def trigger_of(source: SourceSettings, jitter: float) -> BaseTrigger:
    """Return when a source is due, over and over; ConfigError for a time that cannot be."""
    shift = round(jitter) or None
    text = source.every.strip()
    if text[-1] in _SECONDS and text[:-1].isdigit():
        return IntervalTrigger(seconds=int(text[:-1]) * _SECONDS[text[-1]], jitter=shift)
    try:
        trigger = CronTrigger.from_crontab(text)
    except ValueError as error:
        raise ConfigError(
            f"source {source.name!r}: every: {error}",
            hint='write "6h", or minute, hour, day, month and weekday as cron does',
        ) from error
    if trigger.get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ConfigError(f"source {source.name!r}: every: there is no such day: {text}")
    trigger.jitter = shift
    return trigger


def first_time(
    trigger: BaseTrigger, last: datetime | None, now: datetime, missed: str, jitter: float
) -> datetime:
    """Return when a source is due first, by when it was harvested last.

    A time that went by since is made up for now, or skipped, as ``missed`` says.
    """
    if last is None:
        return now
    due = trigger.get_next_fire_time(last, last)
    if isinstance(trigger, IntervalTrigger):
        due = last + trigger.interval
        while missed == "skip" and due < now:
            due += trigger.interval
    elif due is not None and due < now and missed == "skip":
        due = trigger.get_next_fire_time(None, now)
    if due is None or due >= now:
        return due or now
    return now + timedelta(seconds=random.uniform(0, jitter))  # noqa: S311


class Schedule:
    """Harvests the sources that have ``every`` until it is told to stop."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._stop = threading.Event()
        self._sources = [source for source in settings.sources if source.every]
        if not self._sources:
            raise ConfigError(
                "no source has a time to be harvested at",
                hint='write every = "6h" into a [[sources]] table',
            )
        self._triggers = {
            source.name: trigger_of(source, settings.schedule.jitter) for source in self._sources
        }

    def due(self) -> dict[str, datetime]:
        """Return when each source is due next."""
        now = datetime.now(UTC)
        schedule = self._settings.schedule
        with Catalogue.open(self._settings) as catalogue:
            last = {name: _last_start(catalogue, name) for name in self._triggers}
        return {
            name: first_time(trigger, last[name], now, schedule.missed, schedule.jitter)
            for name, trigger in self._triggers.items()
        }

    def stop(self) -> None:
        """Start nothing more and break off what runs; it goes on at the next start."""
        self._stop.set()

    def run(self) -> None:
        """Harvest what is due when it is due, until stopped."""
        pool = ThreadPoolExecutor(self._settings.harvest.at_once)
        scheduler = BackgroundScheduler(executors={"default": pool}, timezone=UTC)
        late = None if self._settings.schedule.missed == "once" else _LATE
        for name, time in self.due().items():
            self._say(f"{name} is due at {time:%Y-%m-%d %H:%M:%S} UTC")
            scheduler.add_job(
                self.harvest,
                self._triggers[name],
                args=(name,),
                id=name,
                next_run_time=time,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=late,
            )
        scheduler.start()
        try:
            self._stop.wait()
        finally:
            self._stop.set()
            scheduler.shutdown(wait=True)
        self._say("stopped")

    def harvest(self, name: str) -> None:
        """Harvest one source now, and tell people when that goes wrong."""
        if self._stop.is_set():
            return
        self._say(f"{name}: begins")
        try:
            with Catalogue.open(self._settings) as catalogue:
                for report in harvest(catalogue, [name], stop=self._stop):
                    self._tell(report)
        except StoreLocked as error:
            self._say(f"{name}: not now: {error}")
        except ParfocalError as error:
            alert = Alert("harvest-failed", name, f"{error}. {error.hint}".strip())
            tell(alert, self._settings.alerts, self._say)

    def _tell(self, report: RunReport) -> None:
        counts = report.counts
        self._say(
            f"{report.source}: {report.state} in {report.seconds:.1f} s: {counts.new:,} new,"
            f" {counts.changed:,} changed, {counts.unchanged:,} unchanged,"
            f" {counts.tombstoned:,} tombstoned, {report.problems:,} problems"
        )
        alert = alert_of(report)
        if alert is not None:
            tell(alert, self._settings.alerts, self._say)


def _last_start(catalogue: Catalogue, name: str) -> datetime | None:
    """Return when the last run over everything began that came to an end."""
    for run in catalogue.store.runs(name):
        if not run.scope and run.state in ("complete", "failed"):
            return datetime.fromisoformat(run.started)
    return None
