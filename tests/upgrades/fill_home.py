"""Fills a home as a user of an earlier commit would have: run by that commit's own code, see record.py.

    PYTHONPATH=OLD_TREE WORKBENCH_HOME=HOME python tests/upgrades/fill_home.py

Imports nothing of the present tree and only what both old and new commits have.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

PLUGIN = """
from workbench.core.events import Finished, ReasoningDelta, RunDetails, TextDelta, Timings, Usage
from workbench.core.models import ModelInfo, Prices
from workbench.hookspecs import hookimpl


class Model:
    def __init__(self, name, remote):
        self.info = ModelInfo(id=f"old:{name}", name=name.title(), provider="old", remote=remote, context_length=4096,
                              prices=Prices(input=3.0, output=15.0) if remote else None)

    def stream(self, request, cancel):
        yield RunDetails(seed=7, rendered_prompt="<|user|>" + request.messages[-1].text, n_ctx=4096,
                         sampling={"temperature": 0.5})
        yield ReasoningDelta("Let me think. ")
        yield TextDelta("Größe: ")
        yield TextDelta(request.messages[-1].text.upper())
        yield Usage(prompt_tokens=12, completion_tokens=5)
        yield Timings(decode_tokens_per_s=41.0)
        yield Finished(reason="stop")


@hookimpl
def workbench_models():
    return [Model("near", False), Model("far", True)]
"""
EVALUATION = """
name: Capitals
models: [{model: "old:near", label: Near}]
baseline: {model: "old:far", label: Far}
prompts: [{name: plain, text: "{{ question }}"}]
graders: [contains]
margin: 10
cases:
  - {id: a, variables: {question: "Capital of France?"}, expected: FRANCE}
  - {id: b, variables: {question: "Capital of Peru?"}, expected: LIMA}
"""


def settings(home: Path) -> None:
    from workbench.core import settings as old

    file = old.SettingsFile(home / "settings.json")
    value = old.Settings(
        appearance=old.Appearance(theme="dark", text_scale=130),
        engine=old.Engine(
            load=old.LoadOptions(n_ctx=2048),
            sampling=old.Sampling(temperature=0.3, top_p=0.9),
            per_model={"starter": old.LoadOptions(n_ctx=1024)},
            keep_loaded=3,
        ),
        network=old.Network(offline=True, proxy="http://proxy.example:3128", download_limit_kib_s=512),
        folders=old.Folders(model_folders=(str(home / "gguf"),)),
        providers={"mine": old.Provider(kind="openai", base_url="http://127.0.0.1:9/v1", models=("m1", "m2"))},
        plugins=old.Plugins(options={"echo": {"loud": True}}),
        default_model="old:near",
        shortcuts={"palette": "Ctrl+P"},
    )
    file.save(value)


def chats(home: Path) -> None:
    """With the services that the window has: chats with a branch, a file, a failed model, folders, a deletion."""
    from workbench.app.backend import close_backend, open_backend
    from workbench.core.messages import Attachment, FilePart, Message, TextPart
    from workbench.core.paths import Paths
    from workbench.core.settings import SettingsFile

    backend = open_backend(Paths.of_user(), SettingsFile(home / "settings.json"))
    store, chat = backend.store, backend.chat
    options = backend.chat_options({"system_prompt": "Be brief.", "sampling": {"temperature": 0.5}})
    session = store.create_session(options={"model": "old:near"})
    run = chat.send(session.id, None, Message.of("user", "What is attention?"), "old:near", options)
    run.wait(30)
    leaf = chat.path(session.id)[-1].id
    notes = FilePart(Attachment.of(b"Paris is in France.", "text/plain", "notes.txt"), "Paris is in France.")
    chat.send(session.id, leaf, Message("user", (TextPart("And in this file?"), notes)), "old:far", options).wait(30)
    chat.regenerate(chat.path(session.id)[-1].id, "old:near", options).wait(30)
    store.update_session(session.id, title="Attention", folder="Papers", pinned=True, draft="And what of")
    gone = store.create_session(title="Deleted")
    chat.send(gone.id, None, Message.of("user", "To be deleted"), "old:near", options).wait(30)
    store.delete_session(gone.id)
    store.save_preset("Precise", "chat", {"sampling": {"temperature": 0.0}, "system_prompt": "Be exact."})
    compare(backend, Message.of("user", "Which is larger, 9.9 or 9.11?"))
    close_backend(backend)


def compare(backend: Any, prompt: Any) -> None:
    """A blind comparison with a vote, where this commit's window can make one."""
    if not hasattr(backend, "comparisons"):
        return
    from workbench.services.comparison import ColumnSpec
    from workbench.store import Rating, Vote

    store, models = backend.store, ("old:near", "old:far")
    turn = backend.comparisons.start([ColumnSpec(model=model, key=model) for model in models], prompt, blind=True)
    turn.wait(30)
    runs = [run.record.id for run in turn.runs]
    store.add_vote(
        Vote(comparison_id=turn.comparison.id, verdict="better", winner_run_id=runs[0], run_ids=tuple(runs), blind=True)
    )
    store.rate(Rating(run_id=runs[1], rating=-1, reason="wrong"))
    store.save_preset("Two", "columns", {"columns": [{"model": model, "key": model} for model in models]})


def command_line(home: Path) -> None:
    """The real engine once, and an evaluation where this commit has evaluations."""

    def workbench(*arguments: str) -> None:
        done = subprocess.run([sys.executable, "-m", "workbench", *arguments], capture_output=True, text=True)
        if done.returncode not in (0, 3):  # 3: not enough evidence
            raise SystemExit(f"{arguments}: {done.stderr}")

    workbench("run", "-m", "starter", "--seed", "5", "-o", "max_tokens=8", "-o", "n_ctx=256", "Say hello.")
    if importlib.util.find_spec("workbench.cli.evaluate") is not None:
        (home / "capitals.yaml").write_text(EVALUATION, encoding="utf-8")
        workbench("eval", str(home / "capitals.yaml"))
        (home / "capitals.yaml").unlink()


def window() -> None:
    """Opened, a draft typed, another place shown, closed."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtWidgets import QApplication

    from workbench.app.main import Program
    from workbench.core.paths import Paths

    app = QApplication(["workbench"])
    program = Program(app, Paths.of_user(), [])
    program.window.resize(1111, 777)
    program.start()

    def until(condition: Any) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            app.processEvents()
            time.sleep(0.005)
            if time.monotonic() > deadline:
                raise SystemExit("the old window does not get ready")

    until(lambda: program.slot.value is not None and program.jobs.pending == 0)
    page: Any = program.window.page("chat")
    page.state.new_chat()
    page.composer.set_text("A prompt I had not sent")
    until(lambda: program.jobs.pending == 0)
    program.window.show_place("settings")
    until(lambda: program.jobs.pending == 0)
    program.close()


def main() -> None:
    home = Path(os.environ["WORKBENCH_HOME"])
    (home / "plugins").mkdir(parents=True)
    (home / "plugins" / "old_models.py").write_text(PLUGIN, encoding="utf-8")
    settings(home)
    chats(home)
    command_line(home)
    window()
    state = msgspec.json.decode((home / "ui-state.json").read_bytes())
    assert state["draft"] == "A prompt I had not sent", state


if __name__ == "__main__":
    main()
