"""Text at 200 percent is not cut off, in the longest language too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QCheckBox, QLabel, QPushButton, QToolButton, QWidget
from pytestqt.exceptions import TimeoutError

from tests.accessibility.walk import every_screen, shown
from tests.ui.driver import Driver
from tests.ui.watchdog import Watchdog
from workbench.ui.widgets import ElidedLabel

SLACK = 2
"""Pixels: sizes are rounded."""


def cut_off(widget: QWidget) -> str:
    """What of its text does not fit; empty where all does, or where the text is shortened and told on hovering."""
    size = widget.size()
    if isinstance(widget, ElidedLabel):
        return (
            "" if widget.toolTip() or not widget.full_text or size.width() >= needed(widget) - SLACK else "no tool tip"
        )
    if isinstance(widget, QLabel):
        if not widget.text() or (widget.pixmap() and not widget.pixmap().isNull()):
            return ""
        if widget.wordWrap():
            height = widget.heightForWidth(size.width())
            return f"needs {height} px of height, has {size.height()}" if height > size.height() + SLACK else ""
        wanted = widget.sizeHint()
        if wanted.width() > size.width() + SLACK:
            return f"needs {wanted.width()} px, has {size.width()}"
        return (
            f"needs {wanted.height()} px of height, has {size.height()}"
            if wanted.height() > size.height() + SLACK
            else ""
        )
    if isinstance(widget, QPushButton | QCheckBox | QToolButton) and widget.text():
        shows_text = (
            not isinstance(widget, QToolButton) or widget.toolButtonStyle() != Qt.ToolButtonStyle.ToolButtonIconOnly
        )
        room = max(needed_button(widget), 0)
        return f"needs {room} px, has {size.width()}" if shows_text and room > size.width() + SLACK else ""
    return ""


def cut_off_in(page: QWidget) -> list[str]:
    found = []
    for widget in shown(page):
        if problem := cut_off(widget):
            found.append(f"{type(widget).__name__} {getattr(widget, 'text', str)()[:60]!r}: {problem}")
    return found


def needed(widget: QLabel) -> int:
    return widget.fontMetrics().horizontalAdvance(widget.full_text)  # type: ignore[attr-defined]


def needed_button(widget: QAbstractButton) -> int:
    lines = widget.text().replace("&", "").split("\n")
    return max(widget.fontMetrics().horizontalAdvance(line) for line in lines)


def test_the_measure_finds_what_is_cut_off(qapp: QApplication) -> None:
    label = QLabel("A long text that needs room")
    label.resize(40, 20)
    assert "needs" in cut_off(label)
    label.resize(label.sizeHint())
    assert cut_off(label) == ""
    button = QPushButton("A long text that needs room")
    button.resize(40, 30)
    assert "needs" in cut_off(button)


@pytest.mark.parametrize("language", ["en", "de", "zh_CN"])
def test_large_text_is_whole_on_every_screen(
    fake_models: None, start: Callable[[], Driver], home: Path, watchdog: Watchdog, language: str
) -> None:
    watchdog.cpu_limit_s = 2.0  # every widget is styled anew at the largest size
    (home / "settings.json").write_text(json.dumps({"appearance": {"language": language, "text_scale": 200}}))
    driver = start()
    driver.window.resize(1280, 800)
    driver.use("fake:echo")
    driver.send("hello")
    problems: dict[str, list[str]] = {}
    for name, page in every_screen(driver):
        try:  # a size that changes another one takes some turns of the event loop
            driver.wait(lambda page=page: not cut_off_in(page))
        except TimeoutError:
            problems[name] = cut_off_in(page)
    assert not problems, json.dumps(problems, indent=1, ensure_ascii=False)
