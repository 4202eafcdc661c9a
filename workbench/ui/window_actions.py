"""The window's own actions: places, appearance, help, work in progress, quitting."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace
from PySide6.QtWidgets import QAbstractButton

from workbench.ui.places import PART_KEYS, SETTINGS_BUTTONS, Page, Place
from workbench.ui.status import toggle_offline
from workbench.ui.tr import tr

if TYPE_CHECKING:
    from workbench.ui.window import MainWindow


def add_window_actions(window: MainWindow, places: Collection[Place]) -> None:
    add, settings, status = window.registry.add, window.context.settings, window.status
    group, help_group = tr("Window"), tr("Help")
    for place in places:
        add_place_actions(window, place)
    if any(place.id == "settings" for place in places):
        add_settings_actions(window)
    add("palette", tr("Command palette"), window.open_palette, "Ctrl+K", icon="search", group=group)
    add("list.toggle", tr("Show or hide the list"), window.toggle_list, "Ctrl+B", icon="panel-left", group=group)
    dark = partial(_toggle_theme, window)
    add("theme.toggle", tr("Switch between light and dark"), dark, icon="moon", group=group)
    sizes = ((tr("Larger text"), 10, "Ctrl++ | Ctrl+="), (tr("Smaller text"), -10, "Ctrl+-"))
    for (title, step, keys), name in zip(sizes, ("text.larger", "text.smaller"), strict=True):
        add(name, title, partial(_scale_by, window, step), keys, icon="plus" if step > 0 else "", group=group)
    add("text.normal", tr("Normal text size"), partial(_scale_by, window, 0), "Ctrl+0", group=group)
    add("fullscreen", tr("Full screen"), partial(_toggle_full_screen, window), "F11", icon="monitor", group=group)
    offline = tr("Go offline or online")
    add("network.toggle", offline, lambda: toggle_offline(settings), icon="wifi-off", group=group)
    tell = partial(_toggle_notifications, window)
    add("notifications.toggle", tr("Notifications on or off"), tell, icon="message-square", group=group)
    undo = tr("Undo the last deletion")
    add("undo.toast", undo, window.toaster.undo, "Ctrl+Shift+Z | Ctrl+Z", icon="undo-2", group=group)
    add("work.stop", tr("Stop the running work"), status.stop.click, icon="square", group=group)
    add("help", tr("Help"), window.show_help, "F1", icon="circle-help", group=help_group)
    add("help.keyboard", tr("Keyboard map"), lambda: window.show_help("keyboard"), "Ctrl+/", group=help_group)
    add("quit", tr("Quit"), window.close, "Ctrl+Q", group=group)


def add_place_actions(window: MainWindow, place: Place) -> None:
    title = tr(place.title)
    go = partial(window.show_place, place.id)
    text = tr("Go to {place}", place=title)
    window.registry.add(f"place.{place.id}", text, go, place.shortcut, icon=place.icon, group=tr("Window"))
    for part, part_title, icon in place.parts:
        text = f"{title}: {tr(part_title)}"
        show = partial(window.show_part, place.id, part)
        name = f"{place.id}.{part}"
        window.registry.add(name, text, show, PART_KEYS.get(name, ""), icon=icon, group=title)


def add_settings_actions(window: MainWindow) -> None:
    """What buttons of the settings do, which otherwise only those find who know the part they are in."""
    group = tr("Settings")
    for name, title, icon, part, button in SETTINGS_BUTTONS:
        press = partial(_press, window, part, button)
        window.registry.add(f"settings.{name}", f"{group}: {tr(title)}", press, icon=icon, group=group)


def _press(window: MainWindow, part: str, button: str) -> None:
    """Show the part, so that what comes of it is seen, and press its button."""
    page = window.show_place("settings")
    section = page.show_part(part) if isinstance(page, Page) else None
    for name in button.split("."):
        section = getattr(section, name)
    if not isinstance(section, QAbstractButton):
        raise TypeError(f"{part}.{button} is no button")
    if section.isEnabled():
        section.click()
        return
    window.toast(tr("This can't be done just now: it is under way already."))


def _toggle_theme(window: MainWindow) -> None:
    change_appearance(window, theme="light" if window.context.theme.tokens.dark else "dark")


def _scale_by(window: MainWindow, step: int) -> None:
    scale = window.context.settings.value.appearance.text_scale + step if step else 100
    change_appearance(window, text_scale=min(max(scale, 80), 200))


def change_appearance(window: MainWindow, **changes: object) -> None:
    settings = window.context.settings
    appearance = replace(settings.value.appearance, **changes)
    problem = settings.save(replace(settings.value, appearance=appearance))
    if problem is not None:
        window.banner("settings", problem)


def _toggle_notifications(window: MainWindow) -> None:
    wanted = not window.context.settings.value.appearance.notifications
    change_appearance(window, notifications=wanted)
    on, off = tr("You are told when long work is done."), tr("You are no longer told when long work is done.")
    window.toast(on if wanted else off)


def _toggle_full_screen(window: MainWindow) -> None:
    if window.isFullScreen():
        window.showNormal()
    else:
        window.showFullScreen()
