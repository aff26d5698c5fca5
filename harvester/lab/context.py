"""What a folder takes from those above it and from its own sidecars: study, access, key-values."""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from harvester.formats.sidecar import (
    CSV_NAME,
    MAX_BYTES,
    TOML_NAME,
    DatasetFacts,
    Rules,
    read_csv,
    read_toml,
)
from harvester.lab.tree import LabTree, Listing, read_found
from parfocal.errors import SourceError
from parfocal.model import KeyValue
from parfocal.values import Problem


class Context(Struct, frozen=True):
    """What a folder takes from those above it.

    ``study`` is the path of the study's folder (the root's name for the root), ``token`` stands
    for all that sidecars say: what was read under another token must be read anew.
    """

    study: str
    title: str
    declared: bool = False
    dataset: DatasetFacts | None = None
    access: tuple[str, ...] = ()
    rules: tuple[tuple[str, Rules], ...] = ()
    token: str = ""

    def pairs(self, path: str) -> tuple[KeyValue, ...]:
        """Return the key-values that sidecars give to a path below the root."""
        if not self.rules:
            return ()
        found: list[KeyValue] = []
        for folder, rules in self.rules:
            found.extend(rules.pairs(path[len(folder) + 1 :] if folder else path))
        return tuple(dict.fromkeys(found))


def _token(before: str, *contents: bytes) -> str:
    digest = blake2b(before.encode("utf-8", "surrogateescape"), digest_size=8)
    for content in contents:
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def context_of(
    tree: LabTree, path: str, root: str, listing: Listing, above: Context
) -> tuple[Context | None, list[Problem]]:
    """Read a folder's sidecars; ``root`` is the name of the tree's root.

    A damaged ``parfocal.toml`` closes the folder (None), as it may say who sees what.
    """
    context, problems = above, []
    if path and "/" not in path and not above.declared:
        context = replace(context, study=path, title=path.removesuffix("!"), dataset=None)
        context = replace(context, token=_token(f"{above.token}/{path}"))
    files = {file.base: file for file in listing.files}
    rules: list[tuple[str, Rules]] = []
    try:
        if TOML_NAME in files:
            content = read_found(tree, files[TOML_NAME], MAX_BYTES)
            toml = read_toml(content)
            context = _declared(path, root, context, toml.dataset)
            context = replace(context, token=_token(context.token + path, content))
            rules.append((path, Rules(toml.rules)))
    except SourceError as error:
        reason = f"{TOML_NAME}: {error.message}; the folder is left as it was"
        return None, [Problem(path or root, reason, error.where, error.hint)]
    try:
        if CSV_NAME in files:
            content = read_found(tree, files[CSV_NAME], MAX_BYTES)
            context = replace(context, token=_token(context.token + path, content))
            table, bad = read_csv(content)
            rules.append((path, table))
            problems += [Problem(files[CSV_NAME].name, reason, place) for place, reason in bad]
    except SourceError as error:
        problems.append(Problem(files[CSV_NAME].name, error.message, error.where, error.hint))
    given = tuple((folder, rule) for folder, rule in rules if rule)
    return replace(context, rules=(*context.rules, *given)), problems


def _declared(path: str, root: str, context: Context, dataset: DatasetFacts | None) -> Context:
    if dataset is None:
        return context
    name = path.rpartition("/")[2]
    return replace(
        context,
        study=path or root,
        title=dataset.title or name.removesuffix("!") or root.removesuffix("#files"),
        declared=True,
        dataset=dataset,
        access=context.access if dataset.access is None else dataset.access,
    )
