"""What things of a lab's disk are called: names that stay when files move, studies, containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harvester.lab.context import Context
from harvester.lab.items import ContainerItem, Place, StudyItem, pack
from parfocal.interfaces import Walk
from parfocal.values import RawItem, Unchanged


class Names:
    """Gives each thing the name of its records: its path, or the one that it had before it moved.

    A thing has moved when the store knows its identity under a path where nothing is any more; so
    a copy is no move, and of two equal things each keeps its own name.
    """

    def __init__(self, walk: Walk, exists: Callable[[str], bool]) -> None:
        self._walk = walk
        self._exists = exists
        self._given: set[str] = set()

    def kept(self, key: str) -> str:
        """Return the name under which the thing at a path is kept; the path for an unknown one."""
        return next((name for found, name in self._walk.kin(key, "") if found == key), key)

    def of(self, key: str, identity: str) -> str:
        """Return the name for the thing of an identity that lies at a path now."""
        kin = self._walk.kin(key, identity)
        if not kin:
            return key
        own = next((name for found, name in kin if found == key), "")
        if own:
            return own
        taken = {name for found, name in kin if self._exists(found)} | self._given
        free = [name for found, name in kin if name not in taken and found != key]
        free = [name for name in free if not self._exists(name) or name == key]
        if free and identity:
            name = max(free, key=lambda name: (_alike(name, key), name))
            self._given.add(name)
            return name
        return f"{key}~{identity[:12] or '2'}" if key in taken else key


def _alike(name: str, key: str) -> int:
    """How many letters two paths have in common at their end."""
    count = 0
    for one, other in zip(reversed(name), reversed(key), strict=False):
        if one != other:
            break
        count += 1
    return count


class Places:
    """Announces studies and containers once, before what lies in them; says where things lie."""

    def __init__(self, root: str, names: Names, walk: Walk) -> None:
        self.root = root
        self.names = names
        self._walk = walk
        self._native: dict[str, str] = {}

    def parent(self, folder: str, context: Context) -> str:
        """Return the path of the record that things of a folder lie in."""
        return context.study if folder in ("", context.study) else folder

    def announced(self, folder: str, context: Context) -> bool:
        """Whether study and container of a folder were announced."""
        return {context.study, self.parent(folder, context)} <= self._native.keys()

    def announce(
        self, folder: str, context: Context, first: str = "", identity: str = ""
    ) -> Iterator[RawItem | Unchanged]:
        """Yield the study and the container of a folder, once.

        They are what they were, wherever they lie, as long as the ``first`` thing in them is; its
        ``identity`` is "" when it was not looked at, as it lies where it was.
        """
        parent = self.parent(folder, context)
        stamp = f"at:{context.token}"
        if context.study not in self._native:
            key = context.study
            own = _inside(key, first, identity, self.root)
            if self._walk.stamp(key) == stamp and self._keep(key, own):
                yield Unchanged(key)
            else:
                yield self._study(context, own, stamp)
        if parent not in self._native:
            own = _inside(parent, first, identity, self.root)
            if self._walk.stamp(parent) == stamp and self._keep(parent, own):
                yield Unchanged(parent)
            else:
                yield self._container(parent, context, own, stamp)

    def _keep(self, key: str, identity: str) -> bool:
        """Take a container as it was; not when it would be known by something else from now on."""
        if identity and not any(
            found == key for found, _ in self._walk.kin("", identity)
        ):  # its first thing is another one now
            return False
        self._native[key] = self.names.kept(key)
        return True

    def _study(self, context: Context, identity: str, stamp: str) -> RawItem:
        key = context.study
        native = self._native[key] = self.names.of(key, identity)
        item = StudyItem(native, context.title, context.access, context.dataset, key, identity)
        return pack(key, item, stamp)

    def _container(self, key: str, context: Context, identity: str, stamp: str) -> RawItem:
        native = self._native[key] = self.names.of(key, identity)
        study = self._native[context.study]
        place = Place(study, study, context.access)
        title = key.rpartition("/")[2].removesuffix("!")
        return pack(key, ContainerItem(native, title, place, key, identity), stamp)

    def place(self, path: str, folder: str, context: Context) -> Place:
        """Return where something of a folder lies; the folder must be announced."""
        return Place(
            self._native[context.study],
            self._native[self.parent(folder, context)],
            context.access,
            context.pairs(path),
        )


def _inside(key: str, first: str, identity: str, root: str) -> str:
    """The identity of a container: that of the first thing in it, and where that lies in it."""
    if not identity:
        return ""
    inside = first if key == root else first.removeprefix(f"{key}/")
    return f"{identity}@{inside}"
