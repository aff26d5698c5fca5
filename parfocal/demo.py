"""The demo: bundled sample archives, generated lab disks, and a configuration over them."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from parfocal import config, registry
from parfocal.errors import ConfigError

GROUP = "lab"
TOKEN = "demo-lab-member"  # noqa: S105  it opens nothing but the bundled sample data
_SETTINGS = f"""\
# Settings of the demo; made anew by parfocal demo.
data_dir = "data"

[[sources]]
name = "idr"
kind = "idr-studies"
path = "archives/idr"

[[sources]]
name = "crates"
kind = "rocrate"
path = "archives/crates"

[[sources]]
name = "disk"
kind = "local"
path = "archives/lab"

[[sources]]
name = "private"
kind = "local"
path = "archives/private"
access = ["{GROUP}"]

[server]
port = {{port}}

[[server.viewers]]
name = "member of the lab"
token = "{TOKEN}"
groups = ["{GROUP}"]
curator = true

[publish]
folder = "published"
publisher = "parfocal demo"
"""


def prepare(folder: Path, port: int) -> config.Settings:
    """Lay out the sample archives and the settings file in a folder.

    What is there already is kept.
    """
    archives = folder / "archives"
    if not (archives / ".complete").exists():
        try:
            _lay_out(archives)
        except OSError as error:
            raise ConfigError(f"the demo cannot be laid out: {error}", where=str(folder)) from error
    file = folder / config.FILE_NAME
    file.write_text(_SETTINGS.format(port=port), encoding="utf-8")
    return config.load(file, environ={})


def _lay_out(archives: Path) -> None:
    shutil.rmtree(archives, ignore_errors=True)
    archives.mkdir(parents=True)
    for name in ("idr", "crates"):
        with resources.as_file(resources.files("parfocal") / "data" / "demo" / name) as bundled:
            shutil.copytree(bundled, archives / name)
    for name in registry.names("demo"):
        registry.load("demo", name)(archives)
    (archives / ".complete").touch()
