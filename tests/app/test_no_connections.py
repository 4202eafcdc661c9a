"""Starting the program, chatting with a local model and walking through every place connects to nothing.

Two witnesses: Python's audit hooks see each socket that Python code makes, and the operating system lists the sockets
of the process and its children, Qt's and llama.cpp's too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = textwrap.dedent(
    """
    import json, socket, sys
    made = []

    def watch(event, arguments):
        if event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6):
            made.append(event)
        elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"):
            made.append(f"{event} {arguments[1:]}")
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            made.append(f"{event} {arguments[1]}")

    sys.addaudithook(watch)
    import psutil
    from PySide6.QtCore import QElapsedTimer
    from workbench.app.main import make_app
    from workbench.app.program import Program
    from workbench.core.paths import Paths

    app = make_app(["workbench"])
    program = Program(app, Paths.of_user(), [])
    seen = set()

    def wait(condition):
        timer = QElapsedTimer()
        timer.start()
        while not condition():
            app.processEvents()
            if timer.elapsed() > 90_000:
                raise SystemExit("it did not come so far")
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            seen.update(str(entry) for entry in process.net_connections("inet"))

    program.start()
    wait(lambda: program.slot.value is not None and program.jobs.pending == 0)
    page = program.window.page("chat")
    wait(lambda: page.state.models)
    page.state.set_model("starter")
    page.composer.set_text("Say hello.")
    page.composer.submit()
    wait(lambda: page.state.active)
    wait(lambda: not page.state.active and not page.state.sending)
    answer = page.conversation.view.items[-1].text
    for place in ("compare", "models", "evaluate", "history", "settings", "chat"):
        program.window.show_place(place)
        wait(lambda: program.jobs.pending == 0)
    program.window.show_help("privacy")
    wait(lambda: program.jobs.pending == 0)
    program.close()
    print(json.dumps({"made": made, "seen": sorted(seen), "answer": answer}))
    """
)


@pytest.mark.slow
def test_nothing_is_connected_by_start_local_chat_and_looking_around(home: Path, tmp_path: Path) -> None:
    home.mkdir(parents=True)
    (home / "settings.json").write_text(json.dumps({"engine": {"sampling": {"max_tokens": 8}}}))
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["answer"], "the model must have answered"
    assert told["made"] == []
    assert told["seen"] == []


def test_the_witnesses_see_a_connection(tmp_path: Path) -> None:
    """The hook of the test above is one that can fail."""
    head = PROGRAM.partition("import psutil")[0]
    code = (
        f"{head}\ntry:\n    socket.create_connection(('127.0.0.1', 9), 1)\nexcept OSError:\n    pass\nprint(len(made))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 2
