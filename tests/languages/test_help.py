"""The help in other languages says the same, of the same things."""

from __future__ import annotations

import pytest

from workbench.ui.help.pages import HelpPage, anchor, links, mentioned, pages, pictures

CODES = ("de", "zh_CN")
PAIRS = [
    pytest.param(ours, theirs, id=f"{code}-{ours.id}")
    for code in CODES
    for ours, theirs in zip(pages(code), pages(), strict=True)
]


def headings(page: HelpPage) -> list[str]:
    return [line.lstrip("# ") for line in page.text.splitlines() if line.startswith("#")]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_translated_page_has_the_same_parts(ours: HelpPage, theirs: HelpPage) -> None:
    assert ours.text != theirs.text
    assert pictures(ours) == pictures(theirs)
    assert sorted(mentioned(ours)) == sorted(mentioned(theirs))
    assert len(headings(ours)) == len(headings(theirs))
    assert sorted(map(page_of, links(ours))) == sorted(map(page_of, links(theirs)))


def page_of(link: str) -> str:
    """Without the heading, whose name is translated."""
    return link.partition("#")[0]


@pytest.mark.parametrize("code", CODES)
def test_links_to_headings_lead_somewhere(code: str) -> None:
    found = {page.id: {anchor(heading) for heading in headings(page)} for page in pages(code)}
    for page in pages(code):
        for link in links(page):
            target, _, heading = link.partition("#")
            assert not heading or heading in found[target], (page.id, link)
