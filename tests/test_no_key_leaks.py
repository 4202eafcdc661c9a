"""A key in use is nowhere but where it was put: a full run through each vendor's double, then a search for the key.

Runs go through the command line (chat, comparison, an error, a cut stream), through the services, and into exports of
every format; the double repeats the key in its errors, as careless services do. Looked through are the database with
its log and copies, backups, the program's logs, settings, caches, crash and problem reports, what commands print,
exports, and arguments and environments of this program's processes.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.providers.doubles import ANTHROPIC, CHAT, GEMINI, Double, Script, Vendor
from workbench.core.chat_options import ChatOptions
from workbench.core.messages import Message
from workbench.core.paths import Paths, bundled
from workbench.core.settings import Provider, Settings, SettingsFile
from workbench.plugins import PluginManager
from workbench.services.archives import export_pieces, ledger_csv
from workbench.services.backup import make_backup
from workbench.services.catalog import ModelCatalog
from workbench.services.chat import ChatService
from workbench.services.crash import write_crash_report
from workbench.services.keys import Keys
from workbench.services.logs import start_logging, stop_logging
from workbench.services.problem_report import chat_section, collect, compose, write_report
from workbench.services.replay import ReplayService
from workbench.services.runner import Runner
from workbench.store import Store

KEY = "Unshaped.Key=that/must+never~leak"
"""Of no vendor's shape: only a program that knows its own keys can hide it."""
VENDORS = (CHAT, ANTHROPIC, GEMINI)


def careless(vendor: Vendor, status: int) -> Script:
    """An error that repeats the key."""
    body = vendor.error_body(status).decode().replace(f"The double says {status}", f"Invalid key: {KEY} ({status})")
    assert KEY in body
    return Script(status=status, body=body.encode())


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def double(request: pytest.FixtureRequest) -> Iterator[tuple[Vendor, Double]]:
    vendor: Vendor = request.param
    scripts = (
        vendor.complete("Hello ", "there."),
        vendor.complete("Hello ", "again."),
        careless(vendor, 401),
        Script(frames=(*vendor.begun("Half an "), vendor.error_event.replace(b"Overloaded", KEY.encode()))),
        Script(frames=vendor.begun("Cut o"), ending="cut"),
        vendor.complete("And the rest."),
    )
    with Double(*scripts) as opened:
        yield vendor, opened


@pytest.fixture
def paths(home: Path, double: tuple[Vendor, Double]) -> Paths:
    """A home with the double as a configured provider."""
    vendor, server = double
    paths = Paths.of_user()
    paths.create()
    options = {**vendor.options, "max_retries": "0"}
    provider = Provider(kind=vendor.kind, base_url=server.url + vendor.path, options=options)
    SettingsFile(paths.settings).save(Settings(providers={"double": provider}))
    return paths


def files_with_key(*folders: Path) -> list[str]:
    """Every file that holds the key, as it is or as JSON, a URL or base64 write it."""
    shapes = [KEY, json.dumps(KEY)[1:-1], "Unshaped.Key%3Dthat", "VW5zaGFwZWQuS2V5"]
    found = set()
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            if path.is_file():
                data = path.read_bytes()
                if any(shape.encode() in data for shape in shapes):
                    found.add(str(path))
    return sorted(found)


class Processes:
    """Watches arguments of all processes, and environments of engine children, while something runs."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Processes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.look()

    def look(self) -> None:
        self.looks += 1
        for process in psutil.process_iter(["cmdline"]):
            arguments = " ".join(process.info["cmdline"] or [])
            if KEY in arguments:
                self.leaks.append(arguments)
            if "--engine-worker" in arguments:
                try:
                    environment = process.environ()
                except (psutil.Error, OSError):
                    continue
                if KEY in "\n".join(environment.values()):
                    self.leaks.append(f"environment of {arguments}")


def command(*arguments: str, key: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"DOUBLE_API_KEY": KEY, "OPENAI_API_KEY": KEY} if key else {})}
    return subprocess.run(
        [sys.executable, "-P", "-m", "workbench", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        env=environment,
    )


def was_sent(server: Double) -> bool:
    return any(KEY in value for seen in server.seen for value in (*seen.headers.values(), seen.path))


def test_through_the_services(paths: Paths, double: tuple[Vendor, Double], tmp_path: Path) -> None:
    _vendor, server = double
    log = start_logging(paths)
    plugins = PluginManager(folders=[bundled("plugins")], entry_points=False)
    plugins.load()
    keys = Keys(paths)
    keys.set("double", KEY)
    assert files_with_key(paths.config) == [str(paths.keys_file)], "without a keyring there is one file, and no other"
    with Store.open(paths.database, paths.backups) as store:
        catalog = ModelCatalog(plugins, SettingsFile(paths.settings), paths, keys)
        runner = Runner(store)
        chat = ChatService(store, runner, catalog)
        session = store.create_session()
        runs = []
        with Processes() as processes:
            for _ in range(5):
                run = chat.send(session.id, None, Message.of("user", "Say hello"), "double:gpt-4o-mini", ChatOptions())
                assert run.wait(30)
                runs.append(run.record)
            batch = ReplayService(store, runner, catalog, chat).start([runs[0].id], "double:gpt-4o-mini")
            assert batch.wait(30)
            processes.look()
        assert was_sent(server), "the key must have been used for this to mean anything"
        assert [run.status for run in runs] == ["done", "done", "failed", "failed", "failed"]
        assert runs[2].error is not None
        assert runs[3].text.startswith("Half an")
        logging.getLogger("workbench.services.runner").warning("asked with %s", KEY)
        try:
            raise RuntimeError(f"a bug that mentions {KEY}")
        except RuntimeError as error:
            report = write_crash_report(error, paths, doing=f"asking with {KEY}")
        assert report is not None
        store.backup_now()
        ids = [session.id for session in store.sessions()]
        for exporter in plugins.exporters():
            (tmp_path / f"out{exporter.format}").write_bytes(b"".join(export_pieces(store, exporter, ids)))
        make_backup(paths, tmp_path / "backup.zip")
        with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
            archive.extractall(tmp_path / "backup")  # else compression would hide the key from the search
        assert (tmp_path / "backup" / "workbench.db").is_file()
        sections = collect(paths, None, SettingsFile(paths.settings).value)
        assert {"crash", "log", "settings"} <= sections.keys()
        chat_part = chat_section(store, session.id)
        assert chat_part is not None
        told = compose({}, [*sections.values(), chat_part], f"It failed with {KEY}")
        write_report(tmp_path / "problem.txt", told)
        (tmp_path / "ledger.csv").write_bytes(b"".join(ledger_csv(store)))
        assert len(list(tmp_path.glob("out*"))) >= 6
        wal = paths.database.with_name(paths.database.name + "-wal")
        assert wal.stat().st_size > 0, "what was written last stands in the write-ahead log"
        keys_file = paths.keys_file.rename(tmp_path.parent / "keys-aside")
        leaks = files_with_key(paths.data, paths.config, paths.logs, paths.cache, tmp_path)
        keys_file.rename(paths.keys_file)
        runner.close()
        catalog.close()
    stop_logging(log)
    assert leaks == []
    assert processes.leaks == []
    assert processes.looks > 0
    keys.delete("double")
    assert files_with_key(paths.data, paths.config, paths.logs) == []


def test_through_the_command_line(paths: Paths, double: tuple[Vendor, Double], tmp_path: Path) -> None:
    _vendor, server = double
    stored = Keys(paths)
    stored.set("double", KEY)
    keys_file = paths.keys_file
    outputs = []
    with Processes() as processes:
        for arguments, code in (
            (["run", "-m", "double:gpt-4o-mini", "Say hello"], 0),
            (["run", "-m", "double:gpt-4o-mini", "-m", "double:gpt-4o-mini", "--json", "Say hello"], 1),
            (["run", "--json", "-m", "double:gpt-4o-mini", "Say hello"], 1),
            (["run", "-m", "starter", "-o", "max_tokens=3", "Say hello"], 0),
            (["log", "list", "--json"], 0),
            (["log", "ledger"], 0),
            (["models", "--json"], 0),
            (["doctor", "--json"], 0),
        ):
            result = command(*arguments, key=False)
            assert result.returncode == code, result.stderr
            outputs += [result.stdout, result.stderr]
    assert was_sent(server)
    for format_ in ("jsonl", "markdown", "html", "openai", "sharegpt", "llm"):
        result = command("log", "export", "--format", format_, "-O", str(tmp_path / f"out.{format_}"), key=False)
        assert result.returncode == 0, result.stderr
        outputs += [result.stdout, result.stderr]
    assert [text for text in outputs if KEY in text] == []
    assert processes.leaks == []
    keys_file.unlink()
    assert files_with_key(paths.data, paths.config, paths.logs, paths.cache, tmp_path) == []


def test_the_engine_child_gets_no_keys(home: Path) -> None:
    """It renders untrusted templates and reads untrusted files: it has no business with keys."""
    environment = {**os.environ, "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    arguments = [
        sys.executable,
        "-P",
        "-m",
        "workbench",
        "run",
        "-m",
        "starter",
        "-o",
        "max_tokens=200",
        "Tell a story",
    ]
    with (
        Processes() as processes,
        subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running,
    ):
        children = []
        deadline = time.monotonic() + 60
        while not children and running.poll() is None and time.monotonic() < deadline:
            try:
                family = psutil.Process(running.pid).children(recursive=True)
                children = [child for child in family if "--engine-worker" in child.cmdline()]
                values = [value for child in children for value in child.environ().values()]
            except psutil.Error:
                children = []
        running.communicate(timeout=120)
    assert children, "the engine's child must have been seen"
    assert [value for value in values if KEY in value] == []
    assert [leak for leak in processes.leaks if "environment" in leak] == []
