"""XML elements read without regard to their namespace, which changes with every OME schema."""

from __future__ import annotations

from typing import Any, TypeAlias

Element: TypeAlias = Any
"""An lxml element; lxml ships no types."""


def name_of(element: Element) -> str:
    """Return an element's name without namespace; "" for comments and entities."""
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def child(element: Element, name: str) -> Element | None:
    """Return the first child of a name."""
    return element.find(f"{{*}}{name}")


def text_of(element: Element, name: str) -> str:
    """Return an attribute, or the text of a child of that name (older schemas), stripped."""
    value = element.get(name)
    if value is None:
        found = child(element, name)
        value = (found.text or "") if found is not None else ""
    return str(value).strip()


def reference(element: Element, *names: str) -> str:
    """Return the ID that the first child with one of the names refers to, or ""."""
    for name in names:
        found = child(element, name)
        if found is not None and found.get("ID"):
            return str(found.get("ID", ""))
    return ""


def references(element: Element, name: str) -> tuple[str, ...]:
    """Return the IDs that all children of a name refer to."""
    return tuple(found.get("ID", "") for found in element.findall(f"{{*}}{name}"))
