"""Plug-ins by entry point: built-in ones come in the same way as a stranger's."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from parfocal.errors import PluginMissing

Group = Literal[
    "sources",
    "terms",
    "annotators",
    "proposers",
    "search",
    "graph",
    "formats",
    "checks",
    "repositories",
    "commands",
    "demo",
]

_EXTRA_OF_MODULE = {
    "elasticsearch": "elastic",
    "elastic_transport": "elastic",
    "zarr": "images",
    "tifffile": "images",
    "PIL": "images",
    "numpy": "images",
    "rocrate": "publish",
    "datacite": "publish",
    "apscheduler": "schedule",
    "obstore": "s3",
    "pyarrow": "s3",
    "h5py": "hdf5",
    "watchfiles": "watch",
    "safetensors": "meaning",
    "tokenizers": "meaning",
}


def _found(group: Group) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"parfocal.{group}")}


def names(group: Group) -> tuple[str, ...]:
    """Return the names of all plug-ins of a group, sorted; nothing is imported."""
    return tuple(sorted(_found(group)))


def missing_extra(error: ModuleNotFoundError, what: str) -> PluginMissing:
    """Turn a failed import into an error that names the extra to install."""
    module = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF_MODULE.get(module)
    wanted = f"parfocal[{extra}]" if extra else module
    return PluginMissing(f"{what} needs the package {module}", hint=f"pip install '{wanted}'")


def load(group: Group, name: str) -> Any:
    """Import and return the plug-in of a name.

    PluginMissing lists what there is, or the extra to install.
    """
    found = _found(group)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise PluginMissing(
            f"there is no {group} plug-in {name!r}", hint=f"installed ones: {known}"
        )
    try:
        return found[name].load()
    except ModuleNotFoundError as error:
        raise missing_extra(error, f"{group} plug-in {name!r}") from error


def packages(group: Group) -> tuple[str, ...]:
    """Return the top packages that bring plug-ins of a group, sorted; nothing is imported."""
    return tuple(sorted({point.module.partition(".")[0] for point in _found(group).values()}))
