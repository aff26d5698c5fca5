"""The single clauses of a query text: words, phrases, terms, fields, key-values."""

from __future__ import annotations

import re

from parfocal.errors import QueryInvalid
from parfocal.fields import FIELDS, Field, field_named
from parfocal.prefixes import curie_of
from parfocal.query import (
    Clause,
    Everything,
    FieldMatch,
    FieldOp,
    KeyMatch,
    KeyOp,
    Phrase,
    Within,
    Words,
    tokens,
)
from parfocal.query_scan import Scanner, unescaped
from parfocal.query_values import (
    OPEN_END,
    check_key_match,
    check_match,
    closest,
    read_expand,
    read_level,
    read_sort,
)

MEMBERS = ("level", "sort", "expand")
_NAME = re.compile(r"([^\W\d][\w.-]*):")
_CURIE = re.compile(r"([A-Za-z][\w.-]*):([\w.-]+)")
_RANGE = re.compile(r'\[\s*("[^"]*"|[^\s\]"]+)\s+TO\s+("[^"]*"|[^\s\]"]+)\s*\]', re.IGNORECASE)
_ESCAPED_IN_KEY = re.compile(r'\\(["\\=!~<>*])')
_KEY_SIGN = re.compile(r"!=|!~|>=|<=|=|~|>|<")
_KEY_AND_SIGN = re.compile(rf"((?:[^\\=~<>!]|\\.|\\$|!(?![=~]))*?)({_KEY_SIGN.pattern})", re.DOTALL)
_KEY_OPS: dict[str, KeyOp] = {
    "=": "equals",
    "~": "contains",
    "!=": "not_equals",
    "!~": "not_contains",
    ">=": ">=",
    "<=": "<=",
    ">": ">",
    "<": "<",
}
_FIELD_OPS: dict[str, FieldOp] = {
    ">=": ">=",
    "<=": "<=",
    ">": ">",
    "<": "<",
    "~": "contains",
    "within:": "within",
}
_ADDRESSES = ("http", "https", "obo")
_ONTOLOGIES = frozenset(
    prefix.lower()
    for prefix in (
        *(prefix for field in FIELDS for prefix in field.prefixes),
        *("BAO", "FBbt", "FBcv", "FMA", "HP", "MA", "MP", "NCIT", "OBI", "PR", "RO", "SO", "UO"),
        *("WBbt", "WBPhenotype", "EMAPA", "ORPHANET", "SNOMEDCT", "MESH", "CVCL", "CCO"),
    )
)


class Parts(Scanner):
    """Reads single clauses."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.members: dict[str, str] = {}

    def part(self, *, run: bool) -> Clause | None:
        """Read one clause; with ``run``, adjacent bare words together; None for a member."""
        start = self.at
        self.count(start)
        if self.at_quote():
            return self.phrase()
        named = _NAME.match(self.text, start)
        if named:
            return self.named(named.group(1))
        if self.text[start : self.bare_end()] == OPEN_END:
            self.bare()
            return Everything()
        return self.words(run=run)

    def phrase(self) -> Phrase:
        """Read words in quotes."""
        start = self.at
        text = unescaped(self.quoted())
        if not tokens(text):
            raise self.error("there is no word in the quotes", "put a word into them", start)
        return Phrase(text)

    def words(self, *, run: bool) -> Words:
        """Read a bare word, or all adjacent ones."""
        start = self.at
        found = [self.bare()]
        while run:
            end = self.at
            self.skip_space()
            if not self.at_plain_word():
                self.at = end
                break
            found.append(self.bare())
        text = " ".join(found)
        if not tokens(text):
            hint = "search for a word or a number"
            raise self.error(f"{text[:50]!r} has no letter or digit", hint, start)
        return Words(text, start)

    def at_plain_word(self) -> bool:
        """Whether a bare word begins here that is neither operator, negation nor field."""
        if self.peek() in ("", "(", ")") or self.at_quote() or self.at_minus() or self.operator():
            return False
        named = _NAME.match(self.text, self.at)
        return named is None and self.text[self.at : self.bare_end()] != OPEN_END

    def named(self, name: str) -> Clause | None:
        """Read what begins with a name and a colon."""
        start = self.at
        field = field_named(name)
        if field is not None:
            self.at += len(name) + 1
            return self.field_match(field, start)
        if name not in ("kv", "within", *MEMBERS):
            return self.bare_curie(name)
        self.at += len(name) + 1
        if name == "kv":
            return self.key_match(start)
        if name == "within":
            return Within(self.value("within:", start), start)
        self.member(name, start)
        return None

    def bare_curie(self, name: str) -> Within:
        """Read a term without ``within:`` before it, or say that there is no such field."""
        start = self.at
        end = self.bare_end()
        match = _CURIE.fullmatch(self.text, start, end)
        named = curie_of(self.text[start:end])
        if named and name.lower() in _ADDRESSES:
            return Within(self.bare(), start)
        if match and (name.lower() in _ONTOLOGIES or re.fullmatch(r"\d{4,}", match.group(2))):
            return Within(self.bare(), start)
        raise self.unknown_field(name)

    def unknown_field(self, name: str) -> QueryInvalid:
        """Make the error for a field that is none, with what could be meant."""
        word = self.text[self.at : self.bare_end()][:50]
        known = [name for field in FIELDS for name in (field.name, *field.aliases)]
        hint = f'to search for words with a colon, quote them: "{word}"'
        return self.error(
            f"there is no field {name[:50]!r}",
            closest(name, [*known, "kv", "within", *MEMBERS], hint),
            self.at,
            self.at + len(name),
        )

    def member(self, name: str, start: int) -> None:
        """Take what the text says of level, sort or expand."""
        at = self.at
        value = self.value(f"{name}:", start)
        if self.depth:
            hint = "put it outside parentheses and NOT"
            raise self.error(f"{name}: is about the whole query", hint, start)
        if name in self.members:
            raise self.error(f"{name}: is there twice", "keep one of them", start)
        if name == "level":
            read_level(value, where="", position=at)
        elif name == "sort":
            read_sort(value, where="", position=at)
        else:
            read_expand(value, where="", position=at)
        self.members[name] = value

    # ------------------------------------------------------------------ fields

    def field_match(self, field: Field, start: int) -> FieldMatch:
        """Read the condition on a field."""
        at = self.at
        op, values = self.condition(f"{field.name}:", start)
        only = values[0] if len(values) == 1 else ""
        check_match(field, op, values, max(at, self.text.find(only, at)))
        return FieldMatch(field.name, op, values, start)

    def condition(self, before: str, start: int) -> tuple[FieldOp, tuple[str, ...]]:
        """Take operator and values after the colon."""
        rest = self.text[self.at : self.at + 7]
        if rest.startswith("<>("):
            self.at += 2
            return "not_in", self.alternatives(start)
        if rest.startswith("["):
            return "is", self.bounds(start)
        if rest.startswith("("):
            return "in", self.alternatives(start)
        for sign, op in _FIELD_OPS.items():
            if rest.startswith(sign):
                self.at += len(sign)
                return op, (self.value(before + sign, start),)
        quoted = self.at_quote()
        value = self.value(before, start)
        return ("exists", ()) if value == OPEN_END and not quoted else ("is", (value,))

    def bounds(self, start: int) -> tuple[str, str]:
        """Take a range with both ends in it."""
        match = _RANGE.match(self.text, self.at)
        if match is None:
            hint = "write [2019 TO 2021]; an open end is *: [2019 TO *]"
            raise self.error("the range cannot be read", hint, self.at, self.at + 1)
        self.at = match.end()
        low, high = (part.strip('"').strip() for part in match.groups())
        if not low or not high or low == high == OPEN_END:
            raise self.error("the range has no end", "write field:* for any value", start)
        return low, high

    # ------------------------------------------------------------------ key-values

    def key_match(self, start: int) -> KeyMatch:
        """Read the condition on a key-value pair."""
        at_quote = self.at_quote()
        raw = self.quoted() if at_quote else self.bare()
        if at_quote and self.peek() in ("=", "~", "!", "<", ">"):
            return self.after_key(raw, start)
        match = _KEY_AND_SIGN.match(raw)
        if match is None:
            return KeyMatch(self.key(raw, start), "exists")
        value = unescaped(raw[match.end() :])
        if not value:
            raise self.error(
                f"a value is missing after {match.group(2)}",
                'write kv:"key=value"; kv:"key" asks whether the key is there',
                start,
            )
        op = _KEY_OPS[match.group(2)]
        check_key_match(op, (value,), start)
        return KeyMatch(self.key(match.group(1), start), op, (value,))

    def after_key(self, raw: str, start: int) -> KeyMatch:
        """Read operator and values that stand after the closing quote of a key."""
        sets: tuple[tuple[str, KeyOp], ...] = (("=", "in"), ("<>", "not_in"))
        for sign, op in sets:
            if self.text.startswith(f"{sign}(", self.at):
                self.at += len(sign)
                return KeyMatch(self.key(raw, start), op, self.alternatives(start))
        match = _KEY_SIGN.match(self.text, self.at)
        if match is None:
            raise self.error("a value is missing after !", 'write kv:"key"!=value', start)
        self.at = match.end()
        value = self.value(match.group(), start)
        check_key_match(_KEY_OPS[match.group()], (value,), start)
        return KeyMatch(self.key(raw, start), _KEY_OPS[match.group()], (value,))

    def key(self, raw: str, start: int) -> str | None:
        """Return the key of a pair; None for ``*``, any key."""
        if raw.strip() == OPEN_END:
            return None
        key = " ".join(_ESCAPED_IN_KEY.sub(r"\1", raw).split())
        if not key:
            raise self.error(
                "a key is missing after kv:",
                'write kv:"Gene Symbol=CDK1"; any key is *: kv:"*=CDK1"',
                start,
            )
        return key


def is_plain_words(text: str) -> bool:
    """Whether a text reads back as the same bare words.

    >>> is_plain_words("mitosis HeLa"), is_plain_words("organism:x"), is_plain_words("OR")
    (True, False, False)
    """
    words = text.split()
    readers = [Parts(word) for word in words]
    plain = all(reader.at_plain_word() for reader in readers)
    whole = all(reader.bare_end() == len(reader.text) for reader in readers)
    return bool(tokens(text)) and plain and whole and " ".join(words) == text
