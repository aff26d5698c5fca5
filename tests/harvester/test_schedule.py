"""Sources are harvested when they are due, and people are told when that goes wrong."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import resources
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from click.testing import CliRunner

from harvester.alerts import Alert, alert_of, tell
from harvester.schedule import Schedule, first_time, trigger_of
from parfocal import lock
from parfocal.catalogue import Catalogue
from parfocal.cli import root
from parfocal.config import AlertSettings, Settings, SourceSettings, load
from parfocal.errors import ConfigError
from parfocal.harvesting import harvest
from parfocal.values import RunReport

CRATES = Path(str(resources.files("parfocal") / "data" / "demo" / "crates"))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def every(text):
    return SourceSettings(name="s", kind="local", every=text)


# ------------------------------------------------------------------ when


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("6h", 21600), ("1d", 86400), ("2w", 1209600)]
)
def test_an_interval_counts_from_the_last_run(text, seconds):
    due = first_time(trigger_of(every(text), 0), NOON, NOON + timedelta(seconds=1), "once", 0)
    assert due - NOON == timedelta(seconds=seconds)


def test_times_are_given_as_cron_does():
    trigger = trigger_of(every("30 3 * * 0"), 0)
    due = trigger.get_next_fire_time(None, NOON)
    assert (due.hour, due.minute, due.weekday()) == (3, 30, 0)


@pytest.mark.parametrize("text", ["61 * * * *", "a b c d e", "* * 32 * *", "30 2 31 2 *"])
def test_a_time_that_cannot_be_is_told(text):
    with pytest.raises(ConfigError, match="every"):
        trigger_of(every(text), 0)


@pytest.mark.parametrize("text", ["6", "h", "0h", "6 h", "1 2 3", "-5m"])
def test_what_is_no_time_is_refused_with_the_settings(tmp_path, text):
    file = tmp_path / "parfocal.toml"
    file.write_text(f'[[sources]]\nname = "s"\nkind = "local"\nevery = "{text}"\n')
    with pytest.raises(ConfigError, match=r"every"):
        load(file, environ={})


def test_what_was_never_harvested_is_due_now():
    assert first_time(trigger_of(every("6h"), 0), None, NOON, "once", 0) == NOON


@pytest.mark.parametrize("text", ["6h", "0 */6 * * *"])
def test_missed_runs_are_made_up_for_once_or_skipped(text):
    trigger = trigger_of(every(text), 0)
    last = NOON - timedelta(days=3, minutes=5)
    assert first_time(trigger, last, NOON, "once", 0) == NOON
    skipped = first_time(trigger, last, NOON, "skip", 0)
    assert NOON <= skipped <= NOON + timedelta(hours=6)


def test_what_is_missed_by_many_sources_does_not_begin_at_one_moment():
    random.seed(4)
    trigger, last = trigger_of(every("1h"), 600), NOON - timedelta(days=1)
    times = {first_time(trigger, last, NOON, "once", 600) for _ in range(20)}
    assert len(times) > 10
    assert NOON <= min(times) <= max(times) <= NOON + timedelta(minutes=10)


# ------------------------------------------------------------------ telling people


class Hook:
    """A webhook on loopback that keeps what it got."""

    def __init__(self, status=200):
        self.got = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.headers["Content-Type"], json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Mailbox:
    """Keeps what an SMTP server on loopback takes; lets one user in."""

    def __init__(self):
        self.got = []
        self.logins = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 taken"

    def let_in(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data == data and data.password == b"sesame")


@pytest.fixture
def mailbox():
    box = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        authenticator=box.let_in,
        auth_require_tls=False,
        auth_required=False,
    )
    server.start()
    box.port = port
    yield box
    server.stop()


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.close()


FAILED = RunReport("omero", 7, "failed", "2026-11-20T03:00:00Z", message="host: no answer")


def alerts(**settings):
    return AlertSettings.model_validate(settings)


def test_only_what_went_wrong_is_worth_an_alert():
    assert alert_of(RunReport("s", 1, "complete", "")) is None
    assert alert_of(RunReport("s", 1, "complete", "", problems=3)) is None
    assert alert_of(RunReport("s", 1, "complete", "", refused=3, message="m")).event == (
        "source-shrunk"
    )
    assert alert_of(FAILED).event == "harvest-failed"


def test_a_webhook_gets_json(hook):
    said = []
    tell(alert_of(FAILED), alerts(webhook=hook.url), said.append)
    ((media_type, got),) = hook.got
    assert media_type == "application/json"
    assert (got["event"], got["source"], got["message"]) == (
        "harvest-failed",
        "omero",
        "host: no answer",
    )
    assert got["report"]["run"] == 7
    assert said == ["parfocal: harvest failed: omero: host: no answer"]


def test_an_email_is_sent(mailbox, monkeypatch):
    monkeypatch.setenv("ALERT_WORD", "sesame")
    settings = alerts(
        mail_to=["ada@example.org", "grace@example.org"],
        mail_from="nightly@example.org",
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_user="nightly",
        smtp_password="env:ALERT_WORD",
    )
    said = []
    tell(alert_of(FAILED), settings, said.append)
    ((sender, to, content),) = mailbox.got
    assert (sender, to) == ("nightly@example.org", ["ada@example.org", "grace@example.org"])
    assert "Subject: parfocal: harvest failed: omero" in content
    assert "host: no answer" in content
    assert mailbox.logins == [(b"nightly", b"sesame")]
    assert "sesame" not in " ".join(said) + content


def test_what_cannot_be_sent_is_told_and_stops_nothing(mailbox):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    said = []
    settings = alerts(
        webhook=f"http://127.0.0.1:{port}/",
        mail_to=["ada@example.org"],
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_user="nightly",
        smtp_password="env:NO_SUCH_WORD",
    )
    tell(Alert("harvest-failed", "s", "m"), settings, said.append)
    assert "webhook" in said[1]
    assert "e-mail" in said[2]
    assert mailbox.got == []


def test_a_webhook_that_says_no_is_told():
    hook = Hook(500)
    said = []
    tell(alert_of(FAILED), alerts(webhook=hook.url), said.append)
    hook.close()
    assert "500" in said[-1]


def test_a_password_does_not_stand_in_the_settings(tmp_path):
    file = tmp_path / "parfocal.toml"
    file.write_text('[alerts]\nsmtp_password = "sesame"\n')
    with pytest.raises(ConfigError, match="smtp_password") as caught:
        load(file, environ={})
    assert "sesame" not in str(caught.value)


# ------------------------------------------------------------------ running


@pytest.fixture
def make(tmp_path):
    """Make settings of one source, harvested every so often."""

    def make_it(often="1h", path=None, **settings):
        if not (tmp_path / "crates").exists():
            shutil.copytree(CRATES, tmp_path / "crates")
        source = {
            "name": "crates",
            "kind": "rocrate",
            "path": str(path or tmp_path / "crates"),
            "every": often,
        }
        table = {
            "data_dir": tmp_path / "data",
            "sources": [source],
            "schedule": {"jitter": 0},
            "ontology": {"bundled": False},
        }
        return Settings.model_validate({**table, **settings})

    return make_it


def run_until(schedule, said, words, count=1):
    """Run a schedule in a thread until it said words so often; then stop it."""
    thread = threading.Thread(target=schedule.run)
    thread.start()
    end = time.monotonic() + 30
    while sum(words in line for line in said) < count and time.monotonic() < end:
        time.sleep(0.02)
    schedule.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_what_is_due_is_harvested_over_and_over(make):
    said = []
    run_until(Schedule(make("1s"), said.append), said, "crates: complete", 2)
    with Catalogue.open(make()) as catalogue:
        runs = catalogue.store.runs("crates")
    assert len(runs) >= 2
    assert {run.state for run in runs} <= {"complete", "running"}
    assert said[-1] == "stopped"


def test_a_failing_source_is_told_of_and_tried_again(make, tmp_path, hook):
    said = []
    settings = make("1s", path=tmp_path / "none", alerts={"webhook": hook.url})
    run_until(Schedule(settings, said.append), said, "harvest failed", 2)
    assert {got["event"] for _, got in hook.got} == {"harvest-failed"}
    assert len(hook.got) >= 2


def test_a_source_that_shrank_is_told_of(make, tmp_path, hook):
    settings = make(alerts={"webhook": hook.url})
    with Catalogue.open(settings) as catalogue:
        list(harvest(catalogue))
    for crate in (tmp_path / "crates").iterdir():
        crate.unlink()
    said = []
    Schedule(settings, said.append).harvest("crates")
    ((_, got),) = hook.got
    assert (got["event"], got["report"]["refused"]) == ("source-shrunk", 3)


def test_a_source_that_somebody_else_harvests_is_left_alone(make, hook):
    settings = make(alerts={"webhook": hook.url})
    hold = lock.of_source(settings.data_dir, "crates")
    assert hold.take()
    said = []
    Schedule(settings, said.append).harvest("crates")
    hold.give_back()
    assert any("not now" in line and "process" in line for line in said)
    assert hook.got == []


def test_sources_without_a_time_are_not_scheduled(make):
    settings = make("")
    with pytest.raises(ConfigError, match="no source has a time"):
        Schedule(settings, print)


def test_the_command_shows_what_is_due(make, tmp_path):
    file = tmp_path / "parfocal.toml"
    make()
    file.write_text(
        '[[sources]]\nname = "crates"\nkind = "rocrate"\npath = "crates"\nevery = "6h"\n'
        "[ontology]\nbundled = false\n"
    )
    done = CliRunner().invoke(root, ["--config", str(file), "schedule", "--show", "--json"])
    assert done.exit_code == 0, done.output
    assert abs(datetime.fromisoformat(json.loads(done.output)["crates"]) - datetime.now(UTC)) < (
        timedelta(minutes=10)
    )
    assert (
        "crates" in CliRunner().invoke(root, ["--config", str(file), "schedule", "--show"]).output
    )


def test_sigterm_ends_it_cleanly(make, tmp_path):
    make()
    file = tmp_path / "parfocal.toml"
    file.write_text(
        '[[sources]]\nname = "crates"\nkind = "rocrate"\npath = "crates"\nevery = "1s"\n'
        "[ontology]\nbundled = false\n[schedule]\njitter = 0\n"
    )
    command = [Path(sys.executable).with_name("parfocal"), "--config", file, "schedule"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "complete" in line:
            process.send_signal(signal.SIGTERM)
    process.wait(30)
    process.stderr.close()
    assert process.returncode == 0, lines
    assert "stopped" in lines[-1]
