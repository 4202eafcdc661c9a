"""`workbench search`, `download`, `remove` as a user types them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.fakes.fake_hub import FakeHub
from tests.ui.models.hub_scene import header
from workbench.cli import hub as commands
from workbench.core.errors import BadInput, UnknownModel, WorkbenchError
from workbench.services.fit import Fit, fits
from workbench.services.model_shape import ModelShape

ROOT = Path(__file__).parents[2]


@pytest.fixture
def filled(hub: FakeHub) -> FakeHub:
    make = random.Random(1).randbytes
    files = {f"m-{label}.gguf": b"GGUF" + make(size) for label, size in (("Q2_K", 10_000), ("Q4_K_M", 20_000))}
    hub.add("org/m-GGUF", dict(files), gguf={"total": 10**9, "architecture": "llama", "context_length": 4096})
    hub.add("org/other", {"o.gguf": b"GGUF"}, downloads=5)
    return hub


def run(command: object, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=True)  # type: ignore[arg-type]


def test_search(filled: FakeHub) -> None:
    result = run(commands.search, "m-", "--json")
    assert result.exit_code == 0
    (repo,) = json.loads(result.stdout)
    assert (repo["id"], repo["parameters"]) == ("org/m-GGUF", 10**9)
    table = run(commands.search, "").stdout
    assert "org/m-GGUF" in table and "1B" in table and "org/other" in table
    assert run(commands.search, "nothing-like-it").stderr == "Nothing found.\n"
    assert isinstance(run(commands.search, "--max-size", "huge").exception, BadInput)


def test_search_offline_uses_the_catalogue(filled: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = run(commands.search, "qwen3", "--max-size", "5B", "--json")
    found = [repo["id"] for repo in json.loads(result.stdout)]
    assert found and all("Qwen3" in id_ for id_ in found) and "catalogue of 20" in result.stderr
    assert filled.requests == []


@pytest.mark.parametrize("which", [["org/m-GGUF", "q2_k"], ["org/m-GGUF:Q2_K"], ["org/m-GGUF", "m-Q2_K.gguf"]])
def test_download_by_quantisation_or_file(filled: FakeHub, which: list[str]) -> None:
    result = run(commands.download, *which)
    assert result.exit_code == 0, result.exception
    path = Path(result.stdout.strip())
    assert path.name == "m-Q2_K.gguf" and path.read_bytes() == filled.repos["org/m-GGUF"].files[path.name].content


def test_download_recommends_and_says_why(filled: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.services.machine.engine_devices", list)
    monkeypatch.setattr("workbench.services.experience.measure_bandwidth", lambda: 20e9)
    result = run(commands.download, f"{filled.endpoint}/org/m-GGUF/tree/main", "--json")
    assert result.exit_code == 0, result.exception
    assert "Taking Q4_K_M: the best that fits" in result.stderr
    assert json.loads(result.stdout)["label"] == "Q4_K_M"


def test_download_recommends_by_what_the_header_tells(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.services.machine.engine_devices", list)
    monkeypatch.setattr("workbench.services.experience.measure_bandwidth", lambda: 20e9)
    told: list[ModelShape] = []

    def judged(*arguments: Any, **named: Any) -> list[Fit]:
        told.append(arguments[2])
        return fits(*arguments, **named)

    monkeypatch.setattr("workbench.services.hub_access.fits", judged)
    hub.add("org/m-GGUF", {"m-Q4_0.gguf": header(1_000_000, layers=2) + bytes(100_000)})
    result = run(commands.download, "org/m-GGUF")
    assert result.exit_code == 0, result.exception
    assert len(told[0].layer_bytes) == 2 and told[0].context_length == 40960


def test_bad_input_is_one_clear_line(filled: FakeHub) -> None:
    for arguments, words in (
        (["nonsense"], "not a repository"),
        (["org/m-GGUF", "Q9"], "There: Q2_K, Q4_K_M"),
        (["org/none"], "no repository org/none"),
    ):
        error = run(commands.download, *arguments).exception
        assert isinstance(error, WorkbenchError) and words in str(error)


def test_remove(filled: FakeHub) -> None:
    path = Path(run(commands.download, "org/m-GGUF", "Q2_K").stdout.strip())
    run(commands.download, "org/m-GGUF", "Q4_K_M")
    assert isinstance(run(commands.remove, "org/m-GGUF", "--yes").exception, BadInput), "two models have that name"
    assert isinstance(run(commands.remove, "nothing", "--yes").exception, UnknownModel)
    assert isinstance(run(commands.remove, "org/m-GGUF:Q2_K").exception, BadInput), "not asked, not deleted"
    planned = run(commands.remove, "local:m-Q2_K", "--dry-run", "--json")
    assert planned.exit_code == 0
    told = json.loads(planned.stdout)
    assert (told["name"], told["deleted"], told["owner"], told["used_by"]) == ("m-Q2_K", False, "", [])
    assert told["frees_bytes"] > 0 and any(name.endswith("m-Q2_K.gguf") for name in told["files"])
    assert path.exists()
    result = run(commands.remove, "org/m-GGUF:q2_k", "--yes")
    assert result.exit_code == 0 and "Freed 10.0 kB" in result.stderr
    assert not path.exists()
    assert run(commands.remove, str(path.with_name("m-Q4_K_M.gguf")), "--yes").exit_code == 0


def test_ctrl_c_keeps_what_came_and_the_next_run_goes_on(hub: FakeHub, tmp_path: Path) -> None:
    content = b"GGUF" + random.Random(2).randbytes(2_000_000)
    hub.add("org/m", {"m-Q4_0.gguf": content})
    hub.fault("stall", after=1_000_000)
    code = "import sys; from workbench.cli.hub import download; download(['org/m', 'Q4_0'], standalone_mode=False)"
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint}
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    deadline = time.monotonic() + 30
    while hub.bytes_sent < 1_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert child.returncode != 0 and "What came is kept" in errors
    sent = hub.bytes_sent
    result = run(commands.download, "org/m", "Q4_0")
    assert result.exit_code == 0 and Path(result.stdout.strip()).read_bytes() == content
    assert hub.bytes_sent - sent == len(content) - 1_000_000


OFFLINE = """
import sys
tried = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        tried.append((event, args))
sys.addaudithook(watch)
from workbench.cli.hub import download, remove, search
from workbench.core.errors import WorkbenchError
from workbench.core.cancel import CancelToken
from workbench.core.settings import Network
from workbench.hub.client import HubClient
from workbench.hub.downloader import Downloader
from workbench.hub.remote_gguf import RemoteHeaders
from workbench.hub.repos import SearchQuery
offline = Network(offline=True)
for act in (
    lambda: search(["llama"], standalone_mode=False),
    lambda: download(["org/m", "Q4_0"], standalone_mode=False),
    lambda: remove(["nothing", "--yes"], standalone_mode=False),
    lambda: HubClient(offline).details("org/m", CancelToken()),
    lambda: HubClient(offline).search(SearchQuery()).next_page(CancelToken()),
    lambda: Downloader(offline).fetch("org/m", "m.gguf", CancelToken()),
    lambda: RemoteHeaders(offline).read("org/m", "m.gguf", CancelToken()),
):
    try:
        act()
    except WorkbenchError as error:
        print(error.kind)
print("tried", tried)
"""


def test_offline_opens_no_connection_at_all() -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
    )
    assert done.stdout.splitlines()[-1] == "tried []"
    assert done.stdout.splitlines().count("offline") == 5
