"""Goes through all places and their parts, as the tests of every screen need it."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtWidgets import QApplication, QWidget

from tests.ui.driver import Driver
from workbench.ui.places import PLACES


def every_screen(driver: Driver) -> Iterator[tuple[str, QWidget]]:
    """(name, widget) of each place and part, one after the other, when it is shown and quiet."""
    window = driver.window
    for place in PLACES:
        if not place.parts:
            page = window.show_place(place.id)
            settle(driver)
            yield place.id, page
        for part, _title, _icon in place.parts:
            window.show_part(place.id, part)
            settle(driver)
            yield f"{place.id}.{part}", window.page(place.id)


def settle(driver: Driver) -> None:
    for _turn in range(3):  # what a job's result shows is laid out in the next turn of the event loop
        driver.wait(lambda: driver.program.jobs.pending == 0)
        QApplication.sendPostedEvents()
        QApplication.processEvents()


def shown(root: QWidget) -> list[QWidget]:
    """The widgets in it that can be seen now."""
    return [widget for widget in root.findChildren(QWidget) if widget.isVisibleTo(root.window())]
