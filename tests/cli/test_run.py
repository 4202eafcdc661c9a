"""`workbench run` with models that do exactly what the test needs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Cli
from workbench.__main__ import main
from workbench.core.paths import Paths
from workbench.core.requests import Sampling
from workbench.core.runs import RunRecord
from workbench.core.settings import Engine, Settings, SettingsFile
from workbench.store import Store

Start = Callable[..., subprocess.Popen[str]]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def store_path() -> Path:
    return Paths.of_user().database


def runs_in(path: Path) -> list[RunRecord]:
    with Store.open(path) as store:
        return store.runs()


def test_the_answer_goes_to_stdout_and_the_rest_to_stderr(cli: Cli) -> None:
    result = cli("run", "-m", "fake:echo", "hello there")
    assert result.code == 0
    assert result.out == "hello there \n"
    assert result.err == "Note: a notice\n"


def test_the_prompt_may_come_from_stdin(cli: Cli) -> None:
    assert cli("run", "-m", "fake:echo", "-", stdin="\ufeffgrüß dich\n".encode()).out == "grüß dich\n \n"


def test_system_prompt_and_options_reach_the_model(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "integer"}')
    result = cli(
        *("run", "-m", "fake:request", "-s", "Be brief.", "--seed", "7", "-o", "temperature=0", "-o", "stop=END"),
        *("-o", "n_ctx=64", "-o", f"json_schema=@{tmp_path / 's.json'}", "-o", "template.thinking=true", "Hi"),
    )
    request = json.loads(result.out)
    assert [(m["role"], m["parts"][0]["text"]) for m in request["messages"]] == [
        ("system", "Be brief."),
        ("user", "Hi"),
    ]
    assert request["sampling"] == {"temperature": 0.0, "seed": 7, "stop": ["END"]}
    assert request["load"] == {"n_ctx": 64}
    assert request["response_format"] == {"kind": "json_schema", "schema": {"type": "integer"}}
    assert request["template_variables"] == {"thinking": True}


def test_tools_reach_the_model_and_its_calls_are_printed(cli: Cli, store_path: Path) -> None:
    tools = ["-o", 'tools=[{"name": "add"}, {"name": "now"}]']
    assert cli("run", "-m", "fake:calls", *tools, "hi").out == 'add({"a": 1})\nnow({"a": 1})\n'
    (record,) = runs_in(store_path)
    assert [tool["name"] for tool in record.request["tools"]] == ["add", "now"]
    assert record.tool_calls[0] == {"id": "c0", "name": "add", "arguments": '{"a": 1}'}


def test_the_settings_fill_what_is_not_given(cli: Cli) -> None:
    settings = SettingsFile(Paths.of_user().settings)
    settings.save(Settings(default_model="fake:request", engine=Engine(sampling=Sampling(temperature=0.1, top_k=5))))
    request = json.loads(cli("run", "-o", "top_k=9", "Hi").out)
    assert request["sampling"] == {"temperature": 0.1, "top_k": 9}


def test_what_was_asked_and_answered_is_in_the_database(cli: Cli, store_path: Path) -> None:
    answer = cli("run", "-m", "fake:echo", "--json", "hello there").json
    with Store.open(store_path) as store:
        session = store.session(answer["session"])
        assert session is not None
        assert (session.kind, session.title) == ("chat", "hello there")
        assert session.options["model"] == "fake:echo"
        assert [m.message.text for m in store.messages(session.id)] == ["hello there", "hello there "]
        (record,) = store.runs()
    assert record.id == answer["runs"][0]["id"]
    assert record.text == "hello there "


def test_no_log_keeps_nothing(cli: Cli, store_path: Path) -> None:
    answer = cli("run", "-m", "fake:echo", "--no-log", "--json", "secret plan").json
    assert answer["session"] is None
    assert answer["runs"][0]["text"] == "secret plan "
    assert not store_path.exists()


def test_several_models_answer_under_headers_in_order(cli: Cli, store_path: Path) -> None:
    result = cli("run", "-m", "fake:echo", "-m", "fake:far", "-m", "fake:echo", "hi")
    assert result.code == 0
    assert result.out == "## fake:echo\n\nhi \n\n## fake:far\n\nhi \n\n## fake:echo (2)\n\nhi \n"
    with Store.open(store_path) as store:
        (session,) = store.sessions()
        (comparison,) = store.comparisons(session.id)
        messages = store.messages(session.id)
        runs = store.runs()
    assert session.kind == "comparison"
    assert [column["label"] for column in comparison.columns] == ["fake:echo", "fake:far", "fake:echo (2)"]
    assert {run.comparison_id for run in runs} == {comparison.id}
    assert [m.message.role for m in messages] == ["user", "assistant", "assistant", "assistant"]
    assert {m.parent_id for m in messages[1:]} == {messages[0].id}


@pytest.mark.parametrize("log", [(), ("--no-log",)])
def test_columns_of_one_local_model_run_as_one_batch(cli: Cli, log: tuple[str, ...]) -> None:
    result = cli("run", *["-m", "fake:local"] * 3, *log, "--json", "hi")
    assert [run["text"] for run in result.json["runs"]] == ["together"] * 3
    assert [run["comparison_column"] for run in result.json["runs"]] == ([None] * 3 if log else [0, 1, 2])


def test_json_has_a_run_for_each_model_in_order(cli: Cli) -> None:
    answer = cli("run", "-m", "fake:far", "-m", "fake:fails", "-m", "fake:echo", "--json", "hi")
    assert answer.code == 1
    assert [run["model"] for run in answer.json["runs"]] == ["fake:far", "fake:fails", "fake:echo"]
    assert answer.err.count("Note: a notice") == 2
    assert "Error: fake:fails: It died. Try again." in answer.err


def test_a_failed_answer_is_exit_code_1_and_keeps_what_came(cli: Cli, store_path: Path) -> None:
    result = cli("run", "-m", "fake:fails", "hi")
    assert result.code == 1
    assert result.out == "half an ans\n"
    assert result.err == "Error: It died. Try again.\n"
    (record,) = runs_in(store_path)
    assert (record.status, record.text) == ("failed", "half an ans")


def test_a_bug_in_a_model_is_one_line_without_a_traceback_or_key(cli: Cli) -> None:
    result = cli("run", "-m", "fake:bug", "hi")
    assert result.code == 1
    assert "Traceback" not in result.err
    assert result.err.count("\n") == 1
    log = (Paths.of_user().logs / "workbench.log").read_text()
    assert "RuntimeError" in log
    assert "sk-abcdefgh" not in log


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "PROMPT"),
        (["run", ""], "empty"),
        (["run", "-m", "fake:ecko", "hi"], "fake:echo"),
        (["run", "-m", "/no/such/file.gguf", "hi"], "/no/such/file.gguf"),
        (["run", "-o", "temperature=hot", "hi"], "temperature"),
        (["run", "-o", "n_gpus=1", "hi"], "n_gpu_layers"),
        (["run", "--seed", "x", "hi"], "--seed"),
        (["run", "--seed", "-1", "hi"], "seed"),
        (["run", "--frobnicate", "hi"], "--frobnicate"),
        (["run", "one", "two"], "two"),
        (["frobnicate"], "frobnicate"),
        (["inspect", "/no/such/file.gguf"], "There is no file"),
        (["log", "show", "nothing"], "nothing"),
        (["log", "export", "--format", "papyrus"], "jsonl"),
        (["log", "import", "/no/such/file"], "does not exist"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(cli: Cli, arguments: list[str], says: str) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-o", 'json_schema={"type": 5}'], "schema"),
        (["-o", "grammar=root ::= nothing"], "grammar"),
        (["-o", "chat_template={% for"], "line 1"),
        (["-o", "n_ctx=256", "-s", "word " * 300], "too many"),
        (["-m", "NOT_A_MODEL"], "Not a GGUF"),
    ],
)
def test_what_only_the_engine_finds_bad_is_bad_input_too(
    cli: Cli, tmp_path: Path, options: list[str], says: str
) -> None:
    (tmp_path / "no.gguf").write_text("not a model at all")
    result = cli("run", "--no-log", *(str(tmp_path / "no.gguf") if o == "NOT_A_MODEL" else o for o in options), "hi")
    assert result.code == 2
    assert says in result.err and result.err.count("\n") == 1
    assert result.out == ""


def test_one_failure_that_is_no_bad_input_is_exit_code_1(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_text("not a model at all")
    assert cli("run", "-m", str(tmp_path / "no.gguf"), "-m", "fake:fails", "hi").code == 1


def test_stdin_that_is_not_text_is_bad_input(cli: Cli) -> None:
    result = cli("run", "-m", "fake:echo", "-", stdin=b"\xff\xfe\x00")
    assert (result.code, result.err) == (2, "Error: The prompt on stdin is not UTF-8 text.\n")


def test_an_unknown_model_is_said_before_anything_is_stored(cli: Cli, store_path: Path) -> None:
    assert cli("run", "-m", "fake:echo", "-m", "nobody", "hi").code == 2
    assert not store_path.exists()


def test_a_damaged_database_is_said_with_a_way_out(cli: Cli, store_path: Path) -> None:
    store_path.parent.mkdir(parents=True, exist_ok=True)
    store_path.write_bytes(b"this is no database" * 1000)
    result = cli("run", "-m", "fake:echo", "hi")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert str(store_path) in result.err
    assert cli("run", "-m", "fake:echo", "--no-log", "hi").code == 0


def test_a_bug_of_ours_is_one_line_and_a_report(cli: Cli, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("sk-abcdefghijklmnopqrstuvwx")

    monkeypatch.setattr("workbench.cli.run._prompt", broken)
    result = cli("run", "-m", "fake:echo", "hi")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "ZeroDivisionError" in result.err
    (report,) = Paths.of_user().crash_reports.iterdir()
    assert str(report) in result.err
    text = report.read_text()
    assert "Traceback" in text
    assert "sk-abcdefgh" not in text


# --- as another process: signals and pipes --------------------------------------------------------------------
@posix_only
def test_ctrl_c_while_modules_are_imported_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "workbench.cli.main", SimpleNamespace(main=interrupted))
    assert main(["run", "hi"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_came(process: Start, store_path: Path, number: signal.Signals) -> None:
    with process("run", "-m", "fake:endless", "hi", start_new_session=True) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.read(10)
        os.killpg(running.pid, number)
        running.stdout.read()
        errors = running.stderr.read()
    assert running.returncode == 130
    assert errors == "Stopped.\n"
    (record,) = runs_in(store_path)
    assert record.status == "cancelled"
    assert record.text.startswith("more more")


@posix_only
def test_ctrl_c_with_json_prints_what_came(process: Start, store_path: Path) -> None:
    with process("run", "-m", "fake:endless", "--json", "hi") as running:
        wait_for(lambda: store_path.exists() and any(run.text for run in runs_in_reading(store_path)))
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=30)
    assert running.returncode == 130
    assert json.loads(out)["runs"][0]["finish_reason"] == "cancelled"


@posix_only
def test_a_reader_that_leaves_is_no_error(process: Start, store_path: Path) -> None:
    with process("run", "-m", "fake:endless", "hi") as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        errors = running.stderr.read()
    assert errors == ""
    assert running.returncode == 141
    (record,) = runs_in(store_path)
    assert record.status == "cancelled"


def test_utf8_comes_out_whatever_the_locale(process: Start) -> None:
    with process("run", "-m", "fake:escapes", "hi", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}) as running:
        out, _ = running.communicate(timeout=30)
    assert out == "\x1b[2Jred\x07 naïve 🙂\n", "what is piped is exactly what the model said"


@posix_only
def test_a_terminal_gets_no_control_characters(fake_models: None) -> None:
    import pty

    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "workbench", "run", "-m", "fake:escapes", "hi"],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    ) as running:
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(controller, 1000)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            shown += piece
    os.close(controller)
    assert running.returncode == 0
    assert shown.decode() == "\ufffd[2Jred\ufffd naïve 🙂\r\n"


def runs_in_reading(path: Path) -> list[RunRecord]:
    """Runs of a database that another process writes."""
    try:
        with Store.open(path) as store:
            return store.runs()
    except Exception:
        return []


def wait_for(condition: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)
