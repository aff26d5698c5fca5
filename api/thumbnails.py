"""Small pictures, drawn on demand by the image's kind of source, kept on disk, bounded."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from pathlib import Path
from typing import cast

from flask import Response, current_app, request

from api import parameters
from api.context import can_draw, catalogue, conditional
from api.patterns import standalone
from api.problems import PictureMissing
from parfocal.answers import RecordView
from parfocal.errors import ParfocalError
from parfocal.identifiers import source_of
from parfocal.interfaces import SupportsThumbnail
from parfocal.model import Record, encode

KEY = "parfocal-pictures"
SIZES = ("128", "256", "512")
FRESH_SECONDS = 24 * 3600
MAX_FILES = 20_000
MAX_BYTES = 512 * 1024 * 1024
WRITES_A_SWEEP = 200
DRAWN_AT_ONCE = 2


class PictureCache:
    """PNG files in a folder; the oldest go when there are too many."""

    def __init__(
        self, folder: Path, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._folder = folder
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._writes = 0
        self.drawing = threading.BoundedSemaphore(DRAWN_AT_ONCE)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.png"

    def get(self, key: str) -> bytes | None:
        """Return a picture that is not older than a day."""
        path = self._path(key)
        try:
            if time.time() - path.stat().st_mtime > FRESH_SECONDS:
                return None
            return path.read_bytes()
        except OSError:
            return None

    def put(self, key: str, picture: bytes) -> None:
        """Keep a picture; a full or read-only disk only means that it is drawn again."""
        path = self._path(key)
        fresh = path.with_suffix(f".{secrets.token_hex(6)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(picture)
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            return
        self._writes += 1
        if self._writes % WRITES_A_SWEEP == 0:
            self.sweep()

    def sweep(self) -> None:
        """Remove the oldest pictures until count and size are within bounds."""
        found = []
        for path in self._folder.glob("*/*"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            found.append((state.st_mtime, state.st_size, path))
        found.sort(reverse=True)
        total = 0
        for number, (_, size, path) in enumerate(found, 1):
            total += size
            if number > self._max_files or total > self._max_bytes:
                path.unlink(missing_ok=True)


def _cache() -> PictureCache:
    return cast("PictureCache", current_app.extensions[KEY])


def picture(record: Record, size: int) -> bytes:
    """Return a PNG of an image, from the cache or drawn now; PictureMissing when it has none."""
    if not can_draw(record):
        raise PictureMissing(
            "there is no picture of this record here",
            hint="images of local OME-TIFF and OME-Zarr files have one",
        )
    digest = hashlib.blake2b(encode(record), digest_size=20, salt=str(size).encode())
    kept = _cache().get(digest.hexdigest())
    if kept is not None:
        return kept
    source = cast("SupportsThumbnail", catalogue().source(source_of(record.id)))
    with _cache().drawing:
        try:
            drawn = source.thumbnail(record, size)
        except ParfocalError as error:
            raise PictureMissing("the picture cannot be drawn from the file") from error
    _cache().put(digest.hexdigest(), drawn)
    return drawn


def _picture_or_pattern(record: Record, size: int) -> Response:
    try:
        return Response(picture(record, size), mimetype="image/png")
    except PictureMissing:
        if request.args.get("fallback") != "pattern":
            raise
        return Response(standalone(record), mimetype="image/svg+xml")


def answer(view: RecordView) -> Response:
    """Return the picture of a record that the viewer may see; ``fallback=pattern`` never fails."""
    parameters.refuse_unknown(("size", "fallback"))
    parameters.choice("fallback", "none", ("none", "pattern"))
    response = _picture_or_pattern(view.record, int(parameters.choice("size", "256", SIZES)))
    response.add_etag()
    response.headers["Cache-Control"] = "private, max-age=3600"
    return conditional(response)
