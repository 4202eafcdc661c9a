"""Translating without a catalogue, with one, and what lower layers said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from workbench.core.tr import (
    LANGUAGES,
    best_language,
    language,
    mark,
    tr,
    translated,
    trc,
    trn,
    use_language,
    use_number_format,
)


def use_english() -> None:
    use_language("en")
    use_number_format("{:,}".format)


@pytest.fixture(autouse=True)
def english_before_and_after() -> Iterator[None]:
    """Windows of other tests leave their locale's way to write numbers."""
    use_english()
    yield
    use_english()


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A folder with a Polish-like German: three plural forms."""
    texts = Catalog(locale="pl", charset="utf-8", fuzzy=False)
    texts.add("Stop", string="Halt")
    texts.add("Open", string="Öffnen")
    texts.add("Open", string="Offen", context="a state")
    texts.add(("{count} run", "{count} runs"), string=("{count} a", "{count} b", "{count} c"))
    texts.add("No file {path} in {folder}.", string="In {folder} fehlt {path}.", context="message")
    texts.add("The engine gave up: {error}", string="Aufgegeben: {error}", context="message")
    texts.add("Seen {name} in {name}", string="Eins: {name}", context="message")
    texts.add("Try again.", string="Noch einmal.", context="message")
    texts.add("Not finished yet.", string="")
    with (tmp_path / "de.mo").open("wb") as file:
        write_mo(file, texts)
    return tmp_path


def test_english_needs_no_catalogue() -> None:
    assert tr("Stop") == "Stop"
    assert tr("{done} of {total}", done=1, total=2) == "1 of 2"
    assert trn("{count} run", "{count} runs", 1) == "1 run"
    assert trn("{count} run", "{count} runs", 1234) == "1,234 runs"
    assert trc("a state", "Open") == "Open"
    assert mark("Stop") == "Stop"
    assert translated("Anything {at} all") == "Anything {at} all"
    assert tr("No {place} is filled without values") == "No {place} is filled without values"


def test_a_catalogue_is_used(catalogue: Path) -> None:
    use_language("de", catalogue)
    assert language() == "de"
    assert tr("Stop") == "Halt"
    assert tr("Open") == "Öffnen"
    assert trc("a state", "Open") == "Offen"
    assert tr("Nobody translated this") == "Nobody translated this"
    assert tr("Not finished yet.") == "Not finished yet."
    assert tr("") == ""


def test_plural_forms_follow_the_language(catalogue: Path) -> None:
    use_language("de", catalogue)
    texts = [trn("{count} run", "{count} runs", number) for number in (1, 2, 5, 22, 1000)]
    assert texts == ["1 a", "2 b", "5 c", "22 b", "1,000 c"]
    use_number_format(lambda number: f"<{number}>")
    assert trn("{count} run", "{count} runs", 1000) == "<1000> c"


@pytest.mark.parametrize(
    ("english", "shown"),
    [
        ("No file a b.gguf in /tmp/x.", "In /tmp/x fehlt a b.gguf."),
        ("No file {odd} in {braces}.", "In {braces} fehlt {odd}."),
        ("The engine gave up: No file a in b. Try again.", "Aufgegeben: In b fehlt a. Noch einmal."),
        ("Try again. What a plugin said.", "Noch einmal. What a plugin said."),
        ("What a plugin said.", "What a plugin said."),
        ("Stop", "Halt"),
        ("Try again. ", "Noch einmal. "),
        ("No file a in b in c.", "In b in c fehlt a."),
        ("No file  in b.", "No file  in b."),
        ("Seen one in one", "Eins: one"),
        ("Seen one in two", "Seen one in two"),
    ],
)
def test_what_lower_layers_said_is_translated_with_its_values(catalogue: Path, english: str, shown: str) -> None:
    use_language("de", catalogue)
    assert translated(english) == shown


def test_a_name_that_is_no_unicode_is_shown(catalogue: Path) -> None:
    use_language("de", catalogue)
    name = b"caf\xe9.gguf".decode(errors="surrogateescape")
    assert translated(f"No file {name} in /tmp.") == f"In /tmp fehlt {name}."
    assert tr(name) == name


def test_foreign_text_takes_no_longer_the_more_of_a_template_it_repeats(tmp_path: Path) -> None:
    """As a regular expression this takes longer than any test may."""
    names = "abcdefgh"
    texts = Catalog(locale="de", charset="utf-8", fuzzy=False)
    texts.add("Joined " + " and ".join(f"{{{name}}}" for name in names) + "!", string="{a} {h}", context="message")
    with (tmp_path / "de.mo").open("wb") as file:
        write_mo(file, texts)
    use_language("de", tmp_path)
    foreign = "Joined " + "x and " * 600
    assert translated(f"{foreign}?") == f"{foreign}?"
    assert translated(f"{foreign}x!") == "x " + "x and " * 593 + "x"


@pytest.mark.parametrize("data", [b"", b"not a catalogue at all", b"\xde\x12\x04\x95" + b"\xff" * 20])
def test_a_damaged_catalogue_leaves_english(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "de.mo").write_bytes(data)
    use_language("de", tmp_path)
    assert language() == "en" and tr("Stop") == "Stop"


def test_a_missing_catalogue_leaves_english(tmp_path: Path) -> None:
    use_language("zh_CN", tmp_path)
    assert language() == "en" and tr("Stop") == "Stop"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (["de-Latn-AT", "de-AT", "de"], "de"),
        (["de_DE.UTF-8"], "de"),
        (["zh-Hans-SG", "zh"], "zh_CN"),
        (["zh_CN"], "zh_CN"),
        (["zh-Hant-TW", "zh-TW"], "en"),
        (["zh_HK", "de"], "de"),
        (["en-US", "de"], "en"),
        (["fr-FR", "de"], "de"),
        (["C"], "en"),
        ([], "en"),
    ],
)
def test_the_first_language_that_we_have_is_taken(wanted: list[str], code: str) -> None:
    assert best_language(wanted) == code


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_shipped_language_loads(code: str) -> None:
    use_language(code)
    assert language() == code
    assert tr("Settings") != "Settings"


def test_an_english_start_loads_no_catalogue() -> None:
    code = "import sys, workbench.core.tr as t; t.tr('Stop'); print('gettext' in sys.modules, 'babel' in sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
