"""Graders that compare text and numbers."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import regex

from workbench.core.errors import BadInput
from workbench.hookspecs import Grade

PATTERN_TIMEOUT_S = 1.0
"""A pattern may come from an imported file and backtrack for ever."""

NUMBER = regex.compile(r"[-+−]?(?:\d{1,3}(?:[ ,’'\u00a0\u202f]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")


class Exact:
    name = "exact"
    title = "The answer is exactly the expected text (white space around it aside)"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        same = answer.strip() == str(expected).strip()
        return Grade(float(same), "" if same else f"expected {str(expected).strip()!r}")


class Normalised:
    name = "normalised"
    title = "The same text when case, accents, punctuation and white space are ignored"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        same = normalise(answer) == normalise(str(expected))
        return Grade(float(same), "" if same else f"expected {normalise(str(expected))!r}, got {normalise(answer)!r}")


class Contains:
    """`expected` is one text or a list; options: `mode` all (default) or any, `case_sensitive` false."""

    name = "contains"
    title = "The answer contains the expected text or texts"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        wanted = [str(item) for item in expected] if isinstance(expected, list | tuple) else [str(expected)]
        mode = options.get("mode", "all")
        if mode not in {"all", "any"}:
            raise BadInput(f"The grader 'contains' knows the modes all and any, not {mode!r}.")
        fold = (lambda s: s) if options.get("case_sensitive") else str.casefold
        missing = [item for item in wanted if fold(item) not in fold(answer)]
        passed = len(missing) < len(wanted) if mode == "any" else not missing
        return Grade(float(passed), "" if passed else "missing: " + ", ".join(map(repr, missing)))


class Regex:
    """`expected` is the pattern; options: `flags` of the letters i, m, s, x; `full` true for the whole answer."""

    name = "regex"
    title = "The answer matches a regular expression"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        flags = 0
        for letter in str(options.get("flags", "")):
            flag = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "x": regex.VERBOSE}.get(letter)
            if flag is None:
                raise BadInput(f"The regular expression flag {letter!r} is unknown; known are i, m, s and x.")
            flags |= flag
        try:
            pattern = regex.compile(str(expected), flags)
        except regex.error as error:
            raise BadInput(f"The regular expression {expected!r} is invalid: {error}.") from None
        search = pattern.fullmatch if options.get("full") else pattern.search
        try:
            found = search(answer.strip() if options.get("full") else answer, timeout=PATTERN_TIMEOUT_S)
        except TimeoutError:
            raise BadInput(
                f"The regular expression {expected!r} took over {PATTERN_TIMEOUT_S:g} s.", hint="Make it simpler."
            ) from None
        return Grade(float(bool(found)), "" if found else "no match", {"match": found.group() if found else None})


class Numeric:
    """Compares the last number of the answer (options: `which` first or last; `absolute` and `relative` tolerance)."""

    name = "numeric"
    title = "The answer's number equals the expected one within a tolerance"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        try:
            wanted = float(str(expected).replace(",", "").replace("−", "-"))
        except ValueError:
            raise BadInput(f"The expected value {expected!r} is not a number.") from None
        found = [_number(match.group()) for match in NUMBER.finditer(answer)]
        if not found:
            return Grade(0.0, "no number in the answer")
        number = found[0] if options.get("which", "last") == "first" else found[-1]
        absolute, relative = float(options.get("absolute", 1e-9)), float(options.get("relative", 0.0))
        passed = math.isclose(number, wanted, rel_tol=relative, abs_tol=absolute)
        return Grade(float(passed), "" if passed else f"expected {wanted:g}, got {number:g}", {"number": number})


def normalise(text: str) -> str:
    """Letters and digits only, case and accents folded, single spaces between words."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c))
    return " ".join(kept.split())


def _number(text: str) -> float:
    plain = regex.sub(r"[ ,’'\u00a0\u202f]", "", text).replace("−", "-")
    return float(plain)
