"""A problem report tells what helps, and nothing that is the user's own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from workbench.core.messages import Message
from workbench.core.paths import Paths
from workbench.core.redact import register_secret
from workbench.core.settings import Folders, Network, Provider, Settings
from workbench.services.crash import write_crash_report
from workbench.services.logs import start_logging, stop_logging
from workbench.services.private_text import LEFT_OUT, TextFilter, without_identity
from workbench.services.problem_report import chat_section, collect, compose, write_report
from workbench.store import Store

PROMPT = "Please write a farewell letter to my landlord Mrs Abernathy-Quill about the mouldy bathroom"
ANSWER = "Dear Mrs Abernathy-Quill, the bathroom at 14 Larkspur Lane has been mouldy since March."
SHORT = "buy milk"
CHINESE = "请帮我写一封给房东的告别信，谈谈发霉的浴室"
KEY = "sk-planted-0123456789abcdefghijkl"
PLAIN_KEY = "correct-horse-battery-staple-77"


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Paths:
    """Logs and a crash report into which texts and keys of every kind have got by mistake."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "mia.example")
    paths = Paths.of_user()
    paths.create()
    with Store.open(paths.database) as store:
        session = store.create_session(title="Landlord")
        message = store.add_message(session.id, None, Message.of("user", PROMPT))
        store.add_message(session.id, message.id, Message.of("assistant", ANSWER))
        store.add_message(session.id, None, Message.of("user", SHORT))
        store.add_message(session.id, None, Message.of("user", CHINESE))
    register_secret(PLAIN_KEY)
    handler = start_logging(paths)
    log = logging.getLogger("workbench.test")
    try:
        log.warning("The options of session 3 were not kept: %s", PROMPT)
        log.warning("could not parse %r at column 4", ANSWER[5:60])
        log.warning("after %r came nothing; %s", SHORT, CHINESE[3:14])
        log.warning("key %s and %s in %s/models/x.gguf", KEY, PLAIN_KEY, Path.home())
        log.warning("a useful line about the engine, code 17")
        logging.getLogger("httpcore").warning("a line of another package")
        try:
            raise ValueError(f"bad text: {PROMPT.upper()}")
        except ValueError as error:
            log.exception("Unexpected error")
            write_crash_report(error, paths, doing="chat")
    finally:
        stop_logging(handler)
    (paths.logs / "engine-tiny.log").write_text(f"load: x\nllama - kv 3: tokenizer.chat_template\nprompt {PROMPT}\n")
    return paths


def whole(paths: Paths, settings: Settings | None = None) -> str:
    return compose({}, collect(paths, None, settings or Settings()).values(), "it broke")


def test_no_word_of_a_chat_and_no_key_is_in_it(paths: Paths) -> None:
    text = whole(paths)
    for private in (
        "Abernathy",
        "landlord",
        "LANDLORD",
        "mouldy",
        "Larkspur",
        "buy milk",
        "发霉",
        "告别信",
        "房东的告",
    ):
        assert private not in text, private
    assert KEY not in text and PLAIN_KEY not in text
    assert "mia.example" not in text and "~/models/x.gguf" in text


def test_what_helps_is_in_it(paths: Paths) -> None:
    text = whole(paths)
    assert "a useful line about the engine, code 17" in text
    assert "The options of session 3 were not kept" in text
    assert "column 4" in text
    assert "Traceback" in text and "ValueError: bad text" in text and "test_problem_report.py" in text
    assert "a line of another package" not in text
    assert "it broke" in text and "load: x" in text and "chat_template" not in text
    assert LEFT_OUT in text


def test_settings_tell_what_is_set_and_not_what_is_private(paths: Paths) -> None:
    settings = Settings(
        providers={"corp": Provider(kind="openai", base_url="http://secret.corp.example/v1", options={"api_key": KEY})},
        network=Network(proxy="http://me:pass@proxy.corp.example"),
        folders=Folders(model_folders=("/mnt/secret-project",)),
    )
    text = whole(paths, settings)
    assert "corp.example" not in text and "secret-project" not in text and KEY not in text
    assert '"model_folders": 1' in text and '"own address": true' in text and '"proxy": true' in text


def test_the_chat_is_added_only_when_asked_for_and_without_keys(paths: Paths) -> None:
    with Store.open(paths.database) as store:
        session = store.sessions()[0]
        store.add_message(session.id, None, Message.of("user", f"my key is {KEY}"))
        section = chat_section(store, session.id)
    assert section is not None
    assert PROMPT in section.text and KEY not in section.text
    assert PROMPT in compose({"chat": "Chat"}, [section])


def test_what_the_user_types_into_it_is_redacted_too(paths: Paths, tmp_path: Path) -> None:
    write_report(tmp_path / "report.txt", f"my key {KEY} in {Path.home()}/x")
    assert (tmp_path / "report.txt").read_text() == "my key [redacted] in ~/x"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("nothing of it is here", "nothing of it is here"),
        (f"x {PROMPT} y", f"x {LEFT_OUT} y"),
        ("mrs  abernathy--QUILL!", f"{LEFT_OUT}!"),
        ("", ""),
    ],
)
def test_passages_are_cut_out(text: str, kept: str) -> None:
    assert TextFilter([PROMPT, ANSWER]).clean(text) == kept


@pytest.mark.parametrize("path", ["/home/mia/x", "/Users/mia/x", r"C:\Users\mia\x"])
def test_no_home_folder_of_anyone_is_named(path: str) -> None:
    assert "mia" not in without_identity(f"in {path}: no")


def test_without_a_database_there_is_a_report(home: Path) -> None:
    assert "problem report" in whole(Paths.of_user())
