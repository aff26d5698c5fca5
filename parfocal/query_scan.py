"""Characters of a query text: words, quoted texts, and errors that point at a place."""

from __future__ import annotations

import re
import unicodedata

from parfocal.errors import QueryInvalid

MAX_TEXT = 10_000
MAX_NESTING = 50
MAX_CLAUSES = 1_000
OPERATORS = ("AND", "OR", "NOT")
_TYPOGRAPHIC = "“”„‟«»＂"  # noqa: RUF001 - these are what word processors make of quotes
_QUOTES = '"' + _TYPOGRAPHIC
_ESCAPED = re.compile(r'\\(["\\])')


def cleaned(text: str) -> str:
    """Return a query text with spaces for control characters, so that positions stay right."""
    if len(text) > MAX_TEXT:
        raise QueryInvalid(
            f"a query has at most {MAX_TEXT} characters, not {len(text)}",
            hint="ask for many values by the JSON form's operator 'in'",
            position=MAX_TEXT,
            length=len(text) - MAX_TEXT,
        )
    kinds = [unicodedata.category(letter) for letter in text]
    if "Cs" in kinds:
        raise QueryInvalid(
            "the query holds bytes that are no text",
            hint="send the query as UTF-8",
            position=kinds.index("Cs"),
            length=1,
        )
    return "".join(
        " " if kind == "Cc" else letter for letter, kind in zip(text, kinds, strict=True)
    )


def unescaped(raw: str) -> str:
    r"""Return a quoted text as it is meant; repeated white space is one space.

    >>> unescaped(r'5\"  x')
    '5" x'
    """
    return " ".join(_ESCAPED.sub(r"\1", raw).split())


class Scanner:
    """Walks over a query text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = cleaned(text)
        self.at = 0
        self.depth = 0
        self.clauses = 0

    def error(self, message: str, hint: str, start: int, end: int | None = None) -> QueryInvalid:
        """Make an error that points at a place in the text, by default up to here."""
        stop = self.at if end is None else end
        return QueryInvalid(message, hint=hint, position=start, length=max(stop - start, 0))

    def skip_space(self) -> None:
        """Go to the next character that is no white space."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self) -> str:
        """Return the character here; "" at the end."""
        return self.text[self.at : self.at + 1]

    def at_quote(self) -> bool:
        """Whether a quoted text begins here."""
        return self.peek() != "" and self.peek() in _QUOTES

    def at_minus(self) -> bool:
        """Whether a minus stands here that negates what follows."""
        following = self.text[self.at + 1 : self.at + 2]
        return self.peek() == "-" and following not in ("", ")") and not following.isspace()

    def bare_end(self) -> int:
        """Return where a bare word or value ends: white space, a quote, or a group's parenthesis.

        Parentheses that open and close within the word belong to it, as in ``Ca(2+)``.
        """
        start, opened = self.at, list[int]()
        for at in range(start, len(self.text)):
            letter = self.text[at]
            if letter.isspace() or letter in _QUOTES:
                return opened[0] if opened else at
            if letter == "(":
                if self.text[start:at] in ("", *OPERATORS):
                    return at
                opened.append(at)
            elif letter == ")":
                if not opened:
                    return at
                opened.pop()
        return opened[0] if opened else len(self.text)

    def bare(self) -> str:
        """Take a bare word or value."""
        start, self.at = self.at, self.bare_end()
        return self.text[start : self.at]

    def operator(self) -> str:
        """Return the operator word here, without taking it; "" when there is none."""
        word = self.text[self.at : self.bare_end()]
        return word if word in OPERATORS else ""

    def quoted(self) -> str:
        """Take a quoted text without its quotes, escapes still in it."""
        start = self.at
        closing = '"' if self.peek() == '"' else _QUOTES
        self.at += 1
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter in closing:
                self.at += 1
                return self.text[start + 1 : self.at - 1]
            self.at += 2 if letter == "\\" else 1
        self.at = len(self.text)
        hint = 'close it by another "; a quote within quotes is written \\"'
        raise self.error("the quote is not closed", hint, start, start + 1)

    def value(self, before: str, start: int) -> str:
        """Take one quoted or bare value."""
        found = unescaped(self.quoted()) if self.at_quote() else self.bare()
        if not found:
            raise self.error(
                f"a value is missing after {before}",
                f'write it without a space: {before}value or {before}"two words"',
                start,
            )
        return found

    def deeper(self, start: int) -> None:
        """Enter a group or negation."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.error(
                f"parentheses and negations are nested more than {MAX_NESTING} deep",
                "write a simpler query",
                start,
                start + 1,
            )

    def count(self, start: int, number: int = 1) -> None:
        """Count clauses and values, so that a query stays bounded."""
        self.clauses += number
        if self.clauses > MAX_CLAUSES:
            hint = "ask in several queries"
            raise self.error(f"a query has at most {MAX_CLAUSES} parts", hint, start)

    def alternatives(self, start: int) -> tuple[str, ...]:
        """Take ``(a OR b c OR "d")``; the words between two ORs are one value."""
        opening = self.at
        self.at += 1
        values: list[list[str]] = [[]]
        self.skip_space()
        while self.peek() != ")":
            self._check_alternative(opening)
            if self.operator():
                self.bare()
                values.append([])
            else:
                values[-1].append(self.value("(", start))
            self.skip_space()
        self.at += 1
        if not all(values):
            raise self.error("a value is missing in the parentheses", "write (a OR b)", opening)
        self.count(start, len(values))
        return tuple(" ".join(parts) for parts in values)

    def _check_alternative(self, opening: int) -> None:
        operator = self.operator()
        if not self.peek():
            raise self.error("the ( is not closed", "add a )", opening, opening + 1)
        if operator in ("AND", "NOT") or self.peek() == "(":
            raise self.error(
                "only values with OR between them can stand here",
                "write field:(a OR b), or field:a AND field:b",
                self.at,
                self.at + max(len(operator), 1),
            )
