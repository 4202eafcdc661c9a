"""The screens of the Models place, against a Hub on the loopback interface."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fakes.fake_hub import FakeHub
from tests.ui.models.hub_scene import header, populate
from workbench.app.main import Program

Wait = Callable[[Callable[[], object]], None]


@contextlib.contextmanager
def hub_around() -> Iterator[FakeHub]:
    """A populated Hub that the program finds through the environment, and a home of nobody's."""
    kept = {name: os.environ.get(name) for name in ("HF_ENDPOINT", "HOME")}
    with tempfile.TemporaryDirectory() as folder, FakeHub() as hub:
        populate(hub, Path(folder) / "hub")
        os.environ |= {"HF_ENDPOINT": hub.endpoint, "HOME": str(Path(folder) / "user")}
        try:
            yield hub
        finally:
            for name, value in kept.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def in_hub(show: Callable[[Program, Wait, FakeHub], None]) -> Callable[[Program, Wait], None]:
    """A scene that needs the Hub for as long as the program runs: it ends with the process's next scene."""

    def scene(program: Program, wait: Wait) -> None:
        stack = contextlib.ExitStack()
        hub = stack.enter_context(hub_around())
        program.window.closed.connect(lambda: stack.close())  # a bound method would not keep the stack alive
        show(program, wait, hub)

    return scene


def _page(program: Program, wait: Wait, part: str) -> Any:
    page: Any = program.window.show_place("models")
    page.show_part(part)
    wait(lambda: page.state.hub.access is not None and page.state.inventory is not None)
    return page


def install(folder: Path) -> None:
    """Files of several programs, without their weights."""
    names = (
        ("hf/hub/models--Qwen--Qwen3-4B-GGUF/snapshots/abc", "Qwen3-4B-Q4_K_M.gguf", 4_022_468_096, 2_500_000_000),
        ("hf/hub/models--Qwen--Qwen3-8B-GGUF/snapshots/abc", "Qwen3-8B-Q5_K_M.gguf", 8_190_735_360, 5_900_000_000),
        (
            "home/.lmstudio/models/bartowski/Llama-3.2-3B-Instruct-GGUF",
            "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
            3_212_749_888,
            2_020_000_000,
        ),
        ("home/.local/share/nomic.ai/GPT4All", "Mistral-7B-Instruct-v0.3-Q4_0.gguf", 7_248_023_552, 4_110_000_000),
        ("own/models", "deepseek-r1-distill-qwen-7b-q4_k_m.gguf", 7_615_616_512, 4_680_000_000),
        ("own/models", "gemma-3-12b-it-Q6_K.gguf", 11_765_788_416, 9_660_000_000),
    )
    for where, name, parameters, size in names:
        path = folder / where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(header(parameters))
            file.truncate(size)
    (folder / "own/models/half-downloaded.gguf").write_bytes(b"\0" * 4096)


def discover(program: Program, wait: Wait, _hub: FakeHub) -> None:
    _page(program, wait, "discover")


def results(program: Program, wait: Wait, _hub: FakeHub) -> Any:
    page = _page(program, wait, "discover")
    page.discover.field.setText("qwen3")
    page.state.hub.ask_machine()
    page.discover.run()
    wait(lambda: not page.discover.search.busy and page.state.hub.machine is not None)
    return page


def _open(page: Any, wait: Wait, repo_id: str) -> None:
    rows = [repo.id for repo in page.discover.search.rows]
    index = page.discover.model.index(rows.index(repo_id))
    page.discover.list.setCurrentIndex(index)
    page.discover.list.clicked.emit(index)
    repository = page.discover.repository
    wait(lambda: repository.details is not None and not repository.reading_header)
    wait(lambda: len(page.discover.panel.list.rows) == len(repository.models))


def repository(program: Program, wait: Wait, hub: FakeHub) -> Any:
    page = results(program, wait, hub)
    _open(page, wait, "ggml-org/Qwen3-VL-4B-GGUF")
    return page


def card(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = results(program, wait, hub)
    _open(page, wait, "Qwen/Qwen3-4B-GGUF")
    page.discover.panel.tabs.buttons["card"].click()


def gated(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = results(program, wait, hub)
    _open(page, wait, "acme/Qwen3-Medical-4B-GGUF")


def unsupported(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = results(program, wait, hub)
    _open(page, wait, "labs/Qwen3-Next-Experimental-GGUF")


def searching(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = _page(program, wait, "discover")
    hub.fault("hang", on="api")
    page.discover.field.setText("qwen3")
    page.discover.run()
    wait(lambda: page.discover.search.busy)


def search_error(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = _page(program, wait, "discover")
    hub.fault("status", on="api", status=503, times=9)
    page.discover.field.setText("qwen3")
    page.discover.run()
    wait(lambda: page.discover.search.error is not None)


def offline(program: Program, wait: Wait, _hub: FakeHub) -> None:
    page = _page(program, wait, "discover")
    program.window.registry["network.toggle"].trigger()
    page.discover.list.clicked.emit(page.discover.model.index(4))


def downloads(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = results(program, wait, hub)
    _open(page, wait, "bartowski/Qwen3-0.6B-GGUF")
    hub.fault("slow", bytes_per_s=60_000_000, times=20)
    models = {model.label: model for model in page.discover.repository.models}
    transfers = page.state.transfers
    page.show_part("downloads")

    def state_of(label: str) -> str:
        return next((snapshot.state for snapshot in transfers.snapshots if snapshot.label == label), "")

    transfers.start("bartowski/Qwen3-0.6B-GGUF", models["Q8_0"])
    wait(lambda: state_of("Q8_0") == "running" and transfers.snapshots[0].done_bytes > 150_000_000)
    transfers.pause(transfers.snapshots[0].id)
    wait(lambda: state_of("Q8_0") == "paused")
    hub.fault("status", on="resolve", status=404, times=9, path="Q6_K")
    transfers.start("bartowski/Qwen3-0.6B-GGUF", models["Q6_K"])
    wait(lambda: state_of("Q6_K") == "failed")
    transfers.start("bartowski/Qwen3-0.6B-GGUF", models["Q4_K_M"])
    wait(lambda: state_of("Q4_K_M") == "running" and transfers.snapshots[-1].fraction > 0.4)


def no_downloads(program: Program, wait: Wait, _hub: FakeHub) -> None:
    _page(program, wait, "downloads")


def installed(program: Program, wait: Wait, _hub: FakeHub) -> Any:
    page = _page(program, wait, "installed")
    folder = Path(os.environ["HF_HOME"]).parent
    install(folder)
    home = Path(os.environ["HOME"])
    home.mkdir(parents=True, exist_ok=True)
    for name in (".lmstudio", ".local"):
        shutil.move(folder / "home" / name, home / name)
    page.state.add_folder(str(folder / "own/models"))
    page.state.refresh()
    wait(lambda: len(page.state.models) >= 7)
    return page


def installed_loaded(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = installed(program, wait, hub)
    starter = page.state.inventory.by_id("starter")
    page.state.load(starter)
    wait(lambda: page.state.is_loaded(starter))
    page.installed.choose("starter")


def load_error(program: Program, wait: Wait, hub: FakeHub) -> None:
    page = installed(program, wait, hub)
    page.installed.choose("local:gemma-3-12b-it-Q6_K")
    page.installed.act("load")
    wait(lambda: page.installed.panel.error.isVisible())


def _over(program: Program, dialog: Any) -> None:
    """A dialog is a window of its own: painted into the page for the picture."""
    center = program.window.centralWidget()
    size = dialog.size()
    dialog.setParent(center)
    dialog.resize(size)
    dialog.move((center.width() - size.width()) // 2, (center.height() - size.height()) // 3)
    dialog.setAutoFillBackground(True)
    dialog.show()
    dialog.raise_()


def dialog(action: str) -> Callable[[Program, Wait, FakeHub], None]:
    def show(program: Program, wait: Wait, hub: FakeHub) -> None:
        page = installed(program, wait, hub)
        wanted = "starter" if action == "inspect" else "local:Llama-3.2-3B-Instruct-Q4_K_M"
        page.installed.choose(wanted)
        page.installed.act(action)
        wait(lambda: getattr(page.installed, "dialog", None) is not None)
        _over(program, page.installed.dialog)
        wait(lambda: program.jobs.pending == 0)

    return show


MODELS_SCENES: tuple[tuple[str, Callable[[Program, Wait], None]], ...] = (
    ("models-discover", in_hub(discover)),
    ("models-results", in_hub(results)),
    ("models-repository", in_hub(repository)),
    ("models-card", in_hub(card)),
    ("models-gated", in_hub(gated)),
    ("models-unsupported", in_hub(unsupported)),
    ("models-searching", in_hub(searching)),
    ("models-search-error", in_hub(search_error)),
    ("models-offline", in_hub(offline)),
    ("models-downloads", in_hub(downloads)),
    ("models-no-downloads", in_hub(no_downloads)),
    ("models-installed", in_hub(installed)),
    ("models-loaded", in_hub(installed_loaded)),
    ("models-load-error", in_hub(load_error)),
    ("models-inspect", in_hub(dialog("inspect"))),
    ("models-defaults", in_hub(dialog("defaults"))),
    ("models-delete", in_hub(dialog("delete"))),
)
