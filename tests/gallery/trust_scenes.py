"""Help, licences, reports of problems, backups, and the settings in their full, empty and failing states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog

from tests.gallery.history_scenes import fill
from workbench.app.main import Program
from workbench.services.backup import make_backup
from workbench.services.backup_archive import BackupModel, BackupProvider, Manifest

RESIZED = Qt.WidgetAttribute.WA_Resized
Wait = Callable[[Callable[[], object]], None]
Scene = tuple[str, Callable[[Program, Wait], None], dict[str, Any]]
LARGEST = {"appearance": {"text_scale": 200}}
PROVIDERS = {
    "providers": {
        "office": {"kind": "openai", "base_url": "http://gpu-box.office.example:8000/v1", "models": ["qwen3-32b"]},
        "openai": {"kind": "openai", "base_url": "https://proxy.office.example/openai/v1"},
    }
}


def painted_in(program: Program, dialog: QDialog) -> None:
    """A dialog is a window of its own: painted into the page for the picture."""
    center: Any = program.window.centralWidget()
    dialog.ensurePolished()
    dialog.resize(dialog.size() if dialog.testAttribute(RESIZED) else dialog.sizeHint())
    dialog.setParent(center)
    dialog.move(max(0, (center.width() - dialog.width()) // 2), max(0, (center.height() - dialog.height()) // 2))
    dialog.show()
    dialog.raise_()


def section(program: Program, wait: Wait, part: str) -> Any:
    program.window.show_part("settings", part)
    page: Any = program.window.page("settings")
    wait(lambda: program.jobs.pending == 0)
    return page.show_part(part)


def help_page(name: str, query: str = "") -> Callable[[Program, Wait], None]:
    def show(program: Program, wait: Wait) -> None:
        program.window.show_help(name)
        dialog: Any = program.window._help
        dialog.search.setText(query)
        if query:
            dialog._open_first()
        wait(lambda: program.jobs.pending == 0)
        painted_in(program, dialog)

    return show


def licences(program: Program, wait: Wait) -> None:
    part = section(program, wait, "about")
    part.licences.click()
    wait(lambda: part._dialog is not None)
    part._dialog.search.setText("qt")
    painted_in(program, part._dialog)


def report(program: Program, wait: Wait) -> None:
    part = section(program, wait, "about")
    part.report.click()
    wait(part._dialog.save.isEnabled)
    part._dialog.description.setPlainText("The answer stopped in the middle of a word.")
    part._dialog.compose()
    painted_in(program, part._dialog)


def doctor(program: Program, wait: Wait) -> None:
    part = section(program, wait, "about")
    part.doctor.run.click()
    wait(part.doctor.copy.isEnabled)


def restore(program: Program, wait: Wait) -> None:
    from workbench.ui.settings.restore_dialog import RestoreDialog

    part = section(program, wait, "backup")
    models = (
        BackupModel(id="q", name="Qwen3 8B Q4_K_M", repo="Qwen/Qwen3-8B-GGUF", filename="q.gguf", sha256="9f2a" * 16),
        BackupModel(
            id="g", name="Gemma 3 4B", repo="ggml-org/gemma-3-4b-it-GGUF", filename="g.gguf", sha256="01bc" * 16
        ),
    )
    manifest = Manifest(
        format="",
        version=1,
        program="0.1.0",
        created_at="2026-11-20T18:30:00+00:00",
        sessions=214,
        runs=1893,
        models=models,
        providers=(BackupProvider(name="office", base_url="http://gpu-box.office.example:8000/v1"),),
        plugins=("my_grader.py",),
        left_out=("network.proxy",),
    )
    painted_in(program, RestoreDialog(manifest, part))


def backup_done(program: Program, wait: Wait) -> None:
    assert program.slot.value is not None
    fill(program.slot.value.store, 30)
    part = section(program, wait, "backup")
    folder: Path = program.window.context.paths.data
    (folder / "backups" / "before-restore-20261120T183000000000").mkdir(parents=True)
    make_backup(program.window.context.paths, folder / "backups" / "model-workbench-auto-20261126-090000.zip")
    part.back_up(folder / "model-workbench-20261126-101500.zip")
    wait(lambda: part.result.isVisible())
    part.reload()


def privacy(program: Program, wait: Wait) -> None:
    assert program.slot.value is not None
    fill(program.slot.value.store, 60)
    part = section(program, wait, "privacy")
    part.reload()
    wait(lambda: part.table.rowCount())


def providers(program: Program, wait: Wait) -> None:
    part = section(program, wait, "providers")
    wait(lambda: {"office", "openai"} <= set(part.cards))
    assert program.slot.value is not None
    program.slot.value.keys.set("office", "test-key-0123456789abcdef")
    part.reload()
    wait(lambda: part.cards.get("office") and part.cards["office"].state.key_place)
    part.cards["office"].tell("It works: 3 models (qwen3-32b, qwen3-8b, gemma-3-27b).", "good")


def provider_dialog(program: Program, wait: Wait) -> None:
    part = section(program, wait, "providers")
    wait(lambda: {"office", "openai"} <= set(part.cards))
    part._edit("office")
    painted_in(program, part.dialog)


def failing_plugin(home: Path) -> None:
    (home / "plugins" / "broken.py").write_text("import no_such_module\n")


def plugins(program: Program, wait: Wait) -> None:
    section(program, wait, "plugins")


def keyboard_conflict(program: Program, wait: Wait) -> None:
    part = section(program, wait, "keyboard")
    wait(lambda: "chat.pin" in part.rows)
    part.search.setText("chat")
    part._wanted = ("chat.pin", "Ctrl+F")
    part._tell("Ctrl+F already means “Search chats”.")


def folders(program: Program, wait: Wait) -> None:
    section(program, wait, "folders")


FOLDERS = {"folders": {"model_folders": ["/data/models", "/mnt/usb/gguf"]}}
TRUST_SCENES: tuple[Scene, ...] = (
    ("help-start", help_page("start"), {}),
    ("help-keyboard", help_page("keyboard"), {}),
    ("help-statistics", help_page("statistics"), {}),
    ("help-search", help_page("start", "keyring"), {}),
    ("help-largest", help_page("compare"), LARGEST),
    ("about-licences", licences, {}),
    ("about-report", report, {}),
    ("about-doctor", doctor, {}),
    ("backup-restore", restore, {}),
    ("backup-done", backup_done, {}),
    ("privacy-full", privacy, {}),
    ("providers-own", providers, PROVIDERS),
    ("providers-edit", provider_dialog, PROVIDERS),
    ("plugins-failed", plugins, {}),
    ("keyboard-conflict", keyboard_conflict, {}),
    ("folders-missing", folders, FOLDERS),
)
