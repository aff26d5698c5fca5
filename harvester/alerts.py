"""Telling people that a harvest failed or that a source shrank: log, webhook, e-mail."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Literal

import aiohttp
import msgspec
from msgspec import Struct

from parfocal.config import AlertSettings
from parfocal.errors import ConfigError
from parfocal.secrets import Secret
from parfocal.values import RunReport

_TIMEOUT = 20.0

Say = Callable[[str], None]
"""Writes one line into the log."""


class Alert(Struct, frozen=True):
    """Something that somebody should look at."""

    event: Literal["harvest-failed", "source-shrunk"]
    source: str
    message: str
    report: RunReport | None = None

    @property
    def title(self) -> str:
        """Return it in a few words."""
        what = "harvest failed" if self.event == "harvest-failed" else "source shrank"
        return f"parfocal: {what}: {self.source}"


def alert_of(report: RunReport) -> Alert | None:
    """Return what is to be told about a run, if anything."""
    if report.state == "failed":
        return Alert("harvest-failed", report.source, report.message, report)
    if report.refused:
        return Alert("source-shrunk", report.source, report.message, report)
    return None


def tell(alert: Alert, settings: AlertSettings, say: Say) -> None:
    """Write an alert into the log and send it where the settings say.

    What cannot be sent is told in the log and stops nothing.
    """
    say(f"{alert.title}: {alert.message}")
    if webhook := settings.webhook.get_secret_value():
        try:
            status = asyncio.run(_post(alert, webhook))
        except (aiohttp.ClientError, TimeoutError) as error:
            # Its own words hold the address, and that of a webhook is a secret.
            say(f"the webhook did not take the alert: {type(error).__name__}")
        else:
            if status >= 300:
                say(f"the webhook did not take the alert: status {status}")
    if settings.mail_to:
        try:
            _mail(alert, settings)
        except (smtplib.SMTPException, OSError, ConfigError) as error:
            say(f"the e-mail was not sent: {type(error).__name__}: {error}")


async def _post(alert: Alert, address: str) -> int:
    """Send an alert; return the status of the answer."""
    headers = {"Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
        session.post(address, data=msgspec.json.encode(alert), allow_redirects=False) as answer,
    ):
        return answer.status


def _mail(alert: Alert, settings: AlertSettings) -> None:
    message = EmailMessage()
    message["Subject"] = " ".join(alert.title.split())
    message["From"] = settings.mail_from
    message["To"] = ", ".join(settings.mail_to)
    message.set_content(_text(alert))
    context = ssl.create_default_context()
    with _connected(settings, context) as server:
        if settings.smtp_tls == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, Secret(settings.smtp_password).reveal())
        server.send_message(message)


def _connected(settings: AlertSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    place = settings.smtp_host, settings.smtp_port
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(*place, timeout=_TIMEOUT, context=context)
    return smtplib.SMTP(*place, timeout=_TIMEOUT)


def _text(alert: Alert) -> str:
    lines = [alert.message, ""]
    if alert.report is not None:
        run, counts = alert.report, alert.report.counts
        lines += [
            f"run {run.run}, begun {run.started}, ended {run.finished}",
            f"{counts.new:,} new, {counts.changed:,} changed, {counts.unchanged:,} unchanged,"
            f" {counts.tombstoned:,} tombstoned; {run.problems:,} problems",
            "",
        ]
    lines.append(f"See: parfocal sources show {alert.source} --problems")
    return "\n".join(lines)
