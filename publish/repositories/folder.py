"""The deposit target ``folder``: packages as sub-folders of a folder, DOIs by DataCite or none."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, ClassVar

from parfocal.config import PublishSettings
from parfocal.errors import DepositRefused, PublishError
from parfocal.values import Publication, Reservation
from publish.checks import Proposal
from publish.package import DATACITE, MANIFEST, Package, PackageFile
from publish.registrar import DataciteRegistrar, Registrar

NAME = "folder"
_CHUNK = 1 << 20


class Folder:
    """Builds a package under a hidden name beside its place, and renames it at the end."""

    Options: ClassVar[type[Any]] = PublishSettings

    def __init__(self, options: PublishSettings, registrar: Registrar | None = None) -> None:
        self.options = options
        self._registrar = registrar

    @property
    def registrar(self) -> Registrar:
        """The maker of DOIs."""
        if self._registrar is None:
            self._registrar = DataciteRegistrar(self.options)
        return self._registrar

    def place(self, key: str) -> Path:
        """Return where the finished package will be."""
        return self.options.folder / key

    def incoming(self, key: str) -> Path:
        """Return where the package is built."""
        return self.options.folder / f".incoming-{key}"

    async def reserve(self, key: str, draft: Proposal) -> Reservation:
        """Make a draft DOI when one is wanted, or find it again; a DOI of others is refused."""
        doi = draft.doi
        if doi:
            await asyncio.to_thread(self._reserve_doi, doi, key)
        return Reservation(NAME, key, doi)

    def _reserve_doi(self, doi: str, key: str) -> None:
        state = self.registrar.state(doi)
        if state in ("registered", "findable") and not self.place(key).exists():
            raise DepositRefused(
                f"the DOI {doi} is in use already",
                where=self.options.datacite_url,
                hint="give the draft another key",
            )
        if not state:
            self.registrar.reserve(doi)

    async def upload(self, reservation: Reservation, package: Package) -> None:
        """Copy the package beside its place; what an interrupted call left is used or removed."""
        await asyncio.to_thread(self._upload, reservation.identifier, package)

    def _upload(self, key: str, package: Package) -> None:
        place, incoming = self.place(key), self.incoming(key)
        if place.exists() or place.is_symlink():
            self._demand_same(place, package)
            return
        if incoming.is_symlink():
            incoming.unlink()
        incoming.mkdir(parents=True, exist_ok=True)
        _remove_others(incoming, {file.path for file in package.files})
        folders = {incoming, self.options.folder}
        for file in package.files:
            target = incoming / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            folders.update(p for p in target.parents if p.is_relative_to(incoming))
            if not _is_same(target, file):
                _copy(file, target)
        for folder in folders:
            _sync(folder)

    def _demand_same(self, place: Path, package: Package) -> None:
        manifest = place / MANIFEST
        same = manifest.is_file() and _digest(manifest) == package.digest
        if not same:
            raise DepositRefused(
                "there is another package of this name already",
                where=str(place),
                hint="give the draft another key; a published package is never changed",
            )

    async def release(self, reservation: Reservation) -> Publication:
        """Rename the package into its place, then make its DOI findable."""
        return await asyncio.to_thread(self._release, reservation)

    def _release(self, reservation: Reservation) -> Publication:
        key = reservation.identifier
        place = self.place(key)
        if not place.exists():
            if not (self.incoming(key) / MANIFEST).is_file():
                hint = "run the same command again: it builds the package anew"
                raise PublishError("there is no package to release", where=str(place), hint=hint)
            self.incoming(key).rename(place)
            _sync(self.options.folder)
        landing = self.options.landing_url.rstrip("/")
        url = f"{landing}/{key}/" if landing else place.resolve().as_uri()
        if reservation.doi:
            metadata = json.loads((place / DATACITE).read_bytes())
            self.registrar.publish(reservation.doi, metadata, url)
        return Publication(NAME, key, reservation.doi, url)

    async def verify(self, reservation: Reservation, digest: str) -> tuple[str, ...] | None:
        """Compare all files of a released package with its manifest; added files do not count."""
        return await asyncio.to_thread(self._verify, reservation.identifier, digest)

    def _verify(self, key: str, digest: str) -> tuple[str, ...] | None:
        place = self.place(key)
        if not place.is_dir():
            return None
        manifest = place / MANIFEST
        if not manifest.is_file() or _digest(manifest) != digest:
            return (MANIFEST,)  # nothing that it says can be trusted
        lines = manifest.read_text(encoding="utf-8").split("\n")
        listed = (line.split("  ", 1) for line in lines if line)
        return tuple(path for wanted, path in listed if not _holds(place / path, wanted))

    async def discard(self, reservation: Reservation) -> None:
        """Remove what was built and the draft DOI; a released package stays."""
        await asyncio.to_thread(self._discard, reservation)

    def _discard(self, reservation: Reservation) -> None:
        shutil.rmtree(self.incoming(reservation.identifier), ignore_errors=True)
        if reservation.doi and not self.place(reservation.identifier).exists():
            self.registrar.discard(reservation.doi)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _holds(path: Path, digest: str) -> bool:
    return not path.is_symlink() and path.is_file() and _digest(path) == digest


def _is_same(target: Path, file: PackageFile) -> bool:
    """Whether a file is there already, whole."""
    if target.is_symlink() or not target.is_file() or target.stat().st_size != file.size:
        return False
    return _digest(target) == file.sha256


def _remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove what an earlier, different attempt left."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or path.is_file():
            if path.relative_to(folder).as_posix() not in wanted:
                path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _copy(file: PackageFile, target: Path) -> None:
    """Copy a file without following a link; PublishError when it is not what was checked."""
    digest = hashlib.sha256()
    descriptor = os.open(file.source, os.O_RDONLY | os.O_NOFOLLOW)
    target.unlink(missing_ok=True)
    with os.fdopen(descriptor, "rb") as source, target.open("xb") as copy:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if digest.hexdigest() != file.sha256:
        target.unlink()
        hint = "wait until nothing writes to it, then run the command again"
        raise PublishError("a file changed meanwhile", where=str(file.source), hint=hint)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
