"""Every text the user reads in the window goes through here; the English text is the key. The command line is English.

`tr`, `trn` and `trc` take literal strings, which `packaging/languages.py` collects for the translators' catalogues
(gettext's PO format). A text in a table is marked where it stands (`mark`) and translated where it is shown (`tr`).
What the layers below the window say (errors, verdicts, warnings) stays English in the database, in logs and exports;
the window, and reports that are made in it, show it through `translated`.

Compiled catalogues are read here and not by the standard library's gettext, which decodes every text at once: 8 ms
for 2,600 texts on a slow machine, before the first paint; this reader takes 1.3 ms. English costs nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

LANGUAGES = {"en": "English", "de": "Deutsch", "zh_CN": "简体中文"}
"""Code -> its own name. English is the source; each other has `<code>.mo` in resources/languages."""
CONTEXT = "\x04"
"""Between a text's context and the text, as gettext's compiled format has it."""
MESSAGE = "message"
"""Context of what the layers below the window say."""
MO_MAGIC = 0x950412DE


class Catalogue:
    """One compiled catalogue: the format is described in gettext's manual, "The Format of GNU MO Files".

    Raises OSError if the file can't be read, ValueError if it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._data = data = path.read_bytes()
        try:
            order = "<" if struct.unpack_from("<I", data)[0] == MO_MAGIC else ">"
            magic, _version, count, keys_at, texts_at = struct.unpack_from(f"{order}5I", data)
            if magic != MO_MAGIC:
                raise ValueError(f"{path.name} is not a compiled catalogue")
            keys = struct.unpack_from(f"{order}{2 * count}I", data, keys_at)
            texts = struct.unpack_from(f"{order}{2 * count}I", data, texts_at)
        except struct.error as error:
            raise ValueError(f"{path.name} is damaged: {error}") from None
        self._places: dict[bytes, int] = {}
        self._ends: list[tuple[int, int]] = []
        for number in range(count):
            start, length = keys[2 * number + 1], keys[2 * number]
            key = data[start : start + length].partition(b"\0")[0]  # a plural form's key is its singular
            self._places[key] = number
            self._ends.append((texts[2 * number + 1], texts[2 * number]))
        self._form: Callable[[int], int] | None = None

    def find(self, key: str) -> str | None:
        """The first (or only) form of a text's translation."""
        number = self._places.get(key.encode(errors="replace"))
        if number is None:
            return None
        start, length = self._ends[number]
        return self._data[start : start + length].partition(b"\0")[0].decode() or None

    def find_form(self, key: str, count: int) -> str | None:
        """The form of a text's translation that goes with this count."""
        number = self._places.get(key.encode(errors="replace"))
        if number is None:
            return None
        start, length = self._ends[number]
        forms = self._data[start : start + length].split(b"\0")
        form = self._plural_form(count)
        return forms[form].decode() or None if form < len(forms) else None

    def keys(self, context: str) -> Iterator[str]:
        """The texts of one context."""
        prefix = f"{context}{CONTEXT}".encode()
        for key in self._places:
            if key.startswith(prefix):
                yield key[len(prefix) :].decode()

    def _plural_form(self, count: int) -> int:
        if self._form is None:
            from gettext import c2py  # noqa: PLC0415 - not before the first paint

            header = self.find("") or ""
            rule = header.partition("plural=")[2].partition(";")[0].strip()
            self._form = c2py(rule or "n != 1")
        return int(self._form(count))


class _State:
    language = "en"
    catalogue: Catalogue | None = None
    messages: Callable[[str], str | None] | None = None
    number_text: Callable[[int], str] = staticmethod("{:,}".format)


_state = _State()


def best_language(wanted: Iterable[str]) -> str:
    """The first of the wanted languages (tags as the system gives them: de-AT, zh_CN.UTF-8) that we have, or English.

    Chinese in traditional script is not served with the simplified one.
    """
    for tag in wanted:
        parts = tag.partition(".")[0].replace("_", "-").lower().split("-")
        if parts[0] == "zh" and not {"hant", "tw", "hk", "mo"} & set(parts[1:]):
            return "zh_CN"
        if parts[0] in LANGUAGES:
            return parts[0]
    return "en"


def use_language(code: str, folder: Path | None = None) -> None:
    """Read the language's catalogue. English is used, and the log told, where it is missing or damaged."""
    _state.language, _state.catalogue, _state.messages = "en", None, None
    if code == "en":
        return
    if folder is None:
        from workbench.core.paths import bundled  # noqa: PLC0415 - English needs no folder

        folder = bundled("resources") / "languages"
    try:
        _state.catalogue = Catalogue(folder / f"{code}.mo")
    except (OSError, ValueError):
        import logging  # noqa: PLC0415 - only when something is wrong

        logging.getLogger(__name__).warning("The language %s can't be used", code, exc_info=True)
        return
    _state.language = code


def language() -> str:
    """The code of the language in use."""
    return _state.language


def use_number_format(number_text: Callable[[int], str]) -> None:
    """How `trn` writes its count."""
    _state.number_text = number_text


def tr(text: str, /, **values: object) -> str:
    """The text in the user's language, `{name}` places filled in."""
    if _state.catalogue is not None and text:
        text = _state.catalogue.find(text) or text
    return text.format(**values) if values else text


def trc(context: str, text: str, /, **values: object) -> str:
    """As `tr`, for a text that means something else elsewhere: `context` says what it means here."""
    if _state.catalogue is not None:
        text = _state.catalogue.find(f"{context}{CONTEXT}{text}") or text
    return text.format(**values) if values else text


def trn(singular: str, plural: str, number: int, /, **values: object) -> str:
    """As `tr`, in the form that goes with `number`, which stands at `{count}` in both texts."""
    text = singular if number == 1 else plural
    if _state.catalogue is not None:
        text = _state.catalogue.find_form(singular, number) or text
    return text.format(**{"count": _state.number_text(number), **values})


def mark(text: str, /) -> str:
    """The text itself: it is translated where it is shown. Tells the translators' catalogues of it."""
    return text


def translated(text: str) -> str:
    """What a lower layer said in English, in the user's language; as it is where no translation is known.

    Values in the text (file names, numbers) are recognised and kept.
    """
    if _state.catalogue is None or not text:
        return text
    if _state.messages is None:
        from workbench.core.message_templates import MessageTemplates  # noqa: PLC0415 - only when something is told

        _state.messages = MessageTemplates(_state.catalogue).translate
    return _state.messages(text) or text
