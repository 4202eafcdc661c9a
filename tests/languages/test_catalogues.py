"""The translators' catalogues are complete and what the sources say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "resources" / "languages"
SCRIPT = ROOT / "packaging" / "languages.py"
CODES = ("de", "zh_CN")


def catalogue(code: str) -> Catalog:
    with (FOLDER / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


def translations(code: str) -> list[str]:
    found: list[str] = []
    for message in catalogue(code):
        if message.id:
            found += message.string if isinstance(message.string, tuple | list) else [message.string]
    return found


def test_the_catalogues_are_fresh_and_complete() -> None:
    """No text is missing, uncertain or has other places than the English one; the compiled files are of today."""
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_chinese_has_chinese_punctuation() -> None:
    """Between Chinese characters stand full-width marks."""
    wrong = [text for text in translations("zh_CN") if re.search(r"[\u4e00-\u9fff][,;:?!](?=[\u4e00-\u9fff]|$)", text)]
    assert wrong == []


def test_german_addresses_nobody() -> None:
    """Neither Sie nor du: what to do stands in the infinitive."""
    address = re.compile(r"(?<!-)\b(Ihr|Ihre[nrms]?|Ihnen|du|dein(?:e|en|er|es|em)?|dir|dich)\b")
    assert [text for text in translations("de") if address.search(text)] == []


def glossary() -> list[tuple[str, str, str]]:
    rows = (FOLDER / "glossary.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("| ")]
    return [(row[0], row[1], row[2]) for row in cells if len(row) >= 3 and row[0] not in ("English", "---")]


@pytest.mark.parametrize(("english", "german", "chinese"), glossary())
def test_terms_are_translated_as_the_glossary_says(english: str, german: str, chinese: str) -> None:
    """Each term stands in a text of the catalogues; its words may be inflected."""
    for code, term in (("de", german), ("zh_CN", chinese)):
        stems = [word[:6].lower() for word in term.split()]
        assert any(all(stem in text.lower() for stem in stems) for text in translations(code)), (code, english)
