"""Files of other programs: what they hold arrives, what they can't is said, a damaged one is refused by its place."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.archive_samples import CHATGPT, CLAUDE, everything
from workbench.core.errors import BadInput
from workbench.core.paths import bundled
from workbench.hookspecs import Exporter, Importer
from workbench.plugins import PluginManager
from workbench.services.archives import export_pieces, import_file, ledger_csv, recognise, write_file
from workbench.store import Store, StoredMessage
from workbench.store.archive import export_session


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    manager = PluginManager(folders=[bundled("plugins")], entry_points=False)
    manager.load()
    return manager


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "other.db") as opened:
        yield opened


def exporter(plugins: PluginManager, name: str) -> Exporter:
    return next(item for item in plugins.exporters() if item.format == name)


def export(store: Store, plugins: PluginManager, name: str, path: Path) -> Path:
    ids = [session.id for session in store.sessions()]
    write_file(path, export_pieces(store, exporter(plugins, name), ids))
    return path


def load(store: Store, plugins: PluginManager, path: Path, *, expected: str) -> list[str]:
    importer = recognise(plugins.importers(), path)
    assert importer.format == expected
    return [item.session_id for item in import_file(store, importer, path)]


def texts(messages: list[StoredMessage]) -> list[tuple[str, str]]:
    return [(stored.message.role, stored.message.text) for stored in messages]


# --- out and in again -----------------------------------------------------------------------------------------
def test_openai_keeps_every_branch_with_images_tools_and_system(
    store: Store, other: Store, plugins: PluginManager, tmp_path: Path
) -> None:
    everything(store)
    path = export(store, plugins, "openai", tmp_path / "x.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 2
    first = lines[0]["messages"]
    assert [message["role"] for message in first] == ["system", "user", "assistant", "tool", "assistant"]
    assert first[1]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert first[2]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": "it"}'}
    assert first[3] == {"role": "tool", "tool_call_id": "c1", "content": "a cat"}
    ids = load(other, plugins, path, expected="openai")
    assert len(ids) == 2
    again = other.messages(ids[0])
    assert (
        again[0].message.attachments[0].sha256
        == store.messages(store.sessions()[0].id)[0].message.attachments[0].sha256
    )
    session = other.session(ids[0])
    assert session is not None
    assert session.options["system_prompt"] == "Be kind."
    assert session.title == "What is this?"
    assert {run.provider for run in other.runs(ids[0])} == {"OpenAI JSONL import"}
    again_out = export(other, plugins, "openai", tmp_path / "y.jsonl").read_text()
    assert sorted(again_out.splitlines()) == sorted(path.read_text().splitlines())
    assert load(other, plugins, path, expected="openai") == ids


def test_equal_lines_are_sessions_of_their_own(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n' * 3)
    assert len(set(load(other, plugins, path, expected="openai"))) == 3
    assert len(other.sessions()) == 3
    load(other, plugins, path, expected="openai")
    assert len(other.sessions()) == 3


def test_sharegpt_there_and_back(store: Store, other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    everything(store)
    path = export(store, plugins, "sharegpt", tmp_path / "x.jsonl")
    turns = json.loads(path.read_text().splitlines()[0])["conversations"]
    assert [turn["from"] for turn in turns] == ["system", "human", "gpt", "function_call", "observation", "gpt"]
    ids = load(other, plugins, path, expected="sharegpt")
    said = [text for _role, text in texts(other.messages(ids[0]))]
    assert "A cat." in said
    array = tmp_path / "array.json"
    array.write_text(json.dumps([json.loads(line) for line in path.read_text().splitlines()], indent=2))
    assert len(load(other, plugins, array, expected="sharegpt")) == 2


def test_llm_reads_what_we_write(store: Store, plugins: PluginManager, tmp_path: Path) -> None:
    """Checked by llm itself: every hash holds, and its migrations find nothing to do but their view."""
    logs = pytest.importorskip("llm.logs")
    sqlite_utils = pytest.importorskip("sqlite_utils")
    archive = everything(store)
    path = export(store, plugins, "llm", tmp_path / "logs.db")
    database = sqlite_utils.Database(path)
    try:
        kept = logs.LogStore(database)
        assert kept.verify() == []
        threads = list(database.query("select * from threads order by id"))
        assert [thread["name"] for thread in threads] == ["Everything", "Everything"]
        chain = kept.thread_messages(archive["session"]["id"])
        assert [message.role for message in chain] == ["system", "user", "assistant", "tool", "assistant"]
        assert chain[1].parts[1].attachment.content == b"\x89PNG image"
        turns = list(database.query("select * from turns order by id"))
        assert {turn["model"] for turn in turns} == {"openai:big", "local:small"}
        found = list(
            database.query(
                "select turn_id from turn_search where id in "
                "(select rowid from turn_search_fts where turn_search_fts match 'dog')"
            )
        )
        assert len(found) == 1
    finally:
        database.close()


def test_llm_there_and_back(store: Store, other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    archive = everything(store)
    path = export(store, plugins, "llm", tmp_path / "logs.db")
    ids = load(other, plugins, path, expected="llm")
    runs = [run for id_ in ids for run in other.runs(id_)]
    assert {(run.model, run.text) for run in runs} >= {("openai:big", "A cat."), ("local:small", "A dog.")}
    run = next(run for run in runs if run.text == "A cat.")
    was = next(run for run in archive["runs"] if run["text"] == "A cat.")
    assert (run.prompt_tokens, run.completion_tokens, run.cached_tokens) == (20, 7, 5)
    assert (run.duration_s, run.seed, run.sampling["temperature"]) == (was["duration_s"], 7, 0.5)
    assert run.started_at == was["started_at"]
    assert other.integrity() == []
    assert load(other, plugins, path, expected="llm") == ids
    assert len(other.sessions()) == len(ids)


# --- llm's own files ------------------------------------------------------------------------------------------
def llm_log(path: Path) -> Path:
    """A log that llm wrote: its model, its conversation, its tables, a fragment and an attachment."""
    llm = pytest.importorskip("llm")
    sqlite_utils = pytest.importorskip("sqlite_utils")
    logs = pytest.importorskip("llm.logs")

    class Parrot(llm.Model):
        model_id = "parrot"
        attachment_types = {"image/png"}  # noqa: RUF012

        def execute(self, prompt: Any, stream: bool, response: Any, conversation: Any) -> Iterator[str]:
            response.set_usage(input=11, output=3)
            yield f"You said {prompt.prompt[-20:]}"

    database = sqlite_utils.Database(path)
    kept = logs.LogStore(database)
    conversation = Parrot().conversation()
    for text in ("Hello there", "And again"):
        response = conversation.prompt(
            text,
            system="Be brief.",
            fragments=["A long fragment of text."],
            attachments=[llm.Attachment(content=b"png", type="image/png")],
        )
        response.text()
        kept.log(response)
    database.close()
    return path


def test_new_tables_of_llm(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    (id_,) = load(other, plugins, llm_log(tmp_path / "logs.db"), expected="llm")
    session = other.session(id_)
    assert session is not None
    assert session.options["system_prompt"].startswith("Be brief.")
    messages = other.messages(id_)
    assert [m.message.role for m in messages] == ["user", "assistant", "user", "assistant"]
    assert "A long fragment of text." in messages[0].message.text
    assert messages[0].message.attachments[0].media_type == "image/png"
    runs = other.runs(id_, sort="started_at", descending=False)
    assert [run.model for run in runs] == ["parrot", "parrot"]
    assert (runs[0].prompt_tokens, runs[0].completion_tokens) == (11, 3)


def old_llm_log(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.executescript("""
            CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
            CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT,
                options_json TEXT, response TEXT, response_json TEXT, conversation_id TEXT, duration_ms INTEGER,
                datetime_utc TEXT);
            INSERT INTO conversations VALUES ('c', 'Old talk', 'gpt-4');
            INSERT INTO responses VALUES
                ('r1', 'gpt-4', 'One?', 'Short.', NULL, '{"temperature": 0.2}', 'Two.', NULL, 'c', 1500,
                    '2023-07-01T10:00:00'),
                ('r2', 'gpt-4', 'Three?', NULL, NULL, '{}', 'Four.', NULL, 'c', 900, '2023-07-01T10:01:00'),
                ('r3', 'gpt-3.5', 'Alone?', NULL, NULL, NULL, 'Yes.', NULL, NULL, NULL, NULL);
        """)
        db.commit()
    return path


def test_old_tables_of_llm(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    ids = load(other, plugins, old_llm_log(tmp_path / "logs.db"), expected="llm")
    sessions = [other.session(id_) for id_ in ids]
    assert {session.title for session in sessions if session} == {"Old talk", "Alone?"}
    talk = next(id_ for id_, session in zip(ids, sessions, strict=True) if session and session.title == "Old talk")
    assert texts(other.messages(talk)) == [
        ("user", "One?"),
        ("assistant", "Two."),
        ("user", "Three?"),
        ("assistant", "Four."),
    ]
    run = other.runs(talk, sort="started_at", descending=False)[0]
    assert (run.model, run.system_prompt, run.duration_s) == ("gpt-4", "Short.", 1.5)
    assert run.started_at == "2023-07-01T10:00:00.000+00:00"


def test_a_path_in_an_llm_log_is_not_followed(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read me")
    path = old_llm_log(tmp_path / "logs.db")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"""
            CREATE TABLE attachments (id TEXT PRIMARY KEY, type TEXT, path TEXT, url TEXT, content BLOB);
            CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER);
            INSERT INTO attachments VALUES ('a', 'text/plain', '{secret}', NULL, NULL);
            INSERT INTO prompt_attachments VALUES ('r1', 'a', 0);
        """)
        db.commit()
    load(other, plugins, path, expected="llm")
    assert other.search("read") == []
    assert b"do not read me" not in (tmp_path / "other.db").read_bytes()


def test_a_database_of_another_program(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (a)")
        db.commit()
    with pytest.raises(BadInput, match="none of llm's"):
        load(other, plugins, path, expected="llm")
    path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 3000)
    with pytest.raises(BadInput):
        load(other, plugins, path, expected="llm")


def test_a_circle_in_an_llm_log(
    other: Store, plugins: PluginManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = llm_log(tmp_path / "logs.db")
    with closing(sqlite3.connect(path)) as db:
        (tip,) = db.execute("SELECT tip_message_hash FROM threads").fetchone()
        db.execute("UPDATE messages SET parent_hash = ? WHERE parent_hash IS NULL", [tip])
        db.commit()
    with pytest.raises(BadInput, match="circle"):
        load(other, plugins, path, expected="llm")


# --- data exports ---------------------------------------------------------------------------------------------
def test_chatgpt(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([CHATGPT]))
    (id_,) = load(other, plugins, path, expected="chatgpt")
    session = other.session(id_)
    assert session is not None
    assert (session.title, session.created_at[:10]) == ("Cats", "2024-05-13")
    messages = other.messages(id_)
    assert texts(messages) == [
        ("user", "What is a cat?\n\n[Not part of the export: file-service://file-pic1]"),
        ("assistant", "A small animal."),
        ("assistant", "A feline."),
        ("user", "Search it"),
        ("assistant", ""),
        ("tool", ""),
        ("assistant", "Done."),
    ]
    assert messages[2].message.reasoning == "They ask again."
    assert messages[1].parent_id == messages[2].parent_id == messages[0].id
    assert session.leaf_id == messages[-1].id
    runs = other.runs(id_, sort="started_at", descending=False)
    assert {run.model for run in runs} == {"gpt-4o", "o3"}
    assert all(run.remote for run in runs)
    assert other.ledger() == [], "these prompts did not leave this machine through this program"
    assert "ungiven" not in "".join(text for _role, text in texts(messages))


def test_chatgpt_zipped_with_its_pictures_and_grown_later(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("user.json", "{}")
        archive.writestr("file-pic1-cat.png", b"\x89PNG cat")
        archive.writestr("conversations.json", json.dumps([CHATGPT]))
    (id_,) = load(other, plugins, path, expected="zip")
    first = other.messages(id_)[0].message
    assert other.attachment(first.attachments[0].sha256) == b"\x89PNG cat"
    grown = json.loads(json.dumps(CHATGPT))
    grown["mapping"]["z"] = {
        "id": "z",
        "parent": "done",
        "children": [],
        "message": {
            "id": "z",
            "author": {"role": "user"},
            "content": {"content_type": "text", "parts": ["One more thing"]},
        },
    }
    later = tmp_path / "conversations.json"
    later.write_text(json.dumps([grown]))
    done = import_file(other, recognise(plugins.importers(), later), later)
    assert [(item.session_id, item.state) for item in done] == [(id_, "updated")]
    assert other.messages(id_)[-1].message.text == "One more thing"
    assert len(other.messages(id_)) == 8


def test_claude(other: Store, plugins: PluginManager, tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([CLAUDE, {**CLAUDE, "uuid": "empty", "chat_messages": []}]))
    (id_,) = load(other, plugins, path, expected="claude")
    messages = other.messages(id_)
    assert [m.message.role for m in messages] == ["user", "assistant", "user", "assistant", "assistant"]
    assert "The notes say so." in messages[0].message.text
    assert messages[1].message.reasoning == "Let me see."
    assert messages[3].parent_id == messages[4].parent_id == messages[2].id
    assert [part.name for part in messages[1].message.parts if hasattr(part, "name")] == ["search"]
    assert load(other, plugins, path, expected="claude") == [id_]
    zipped = tmp_path / "data.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(path, "data/conversations.json")
    assert load(other, plugins, zipped, expected="zip") == [id_]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"mapping": 1}]', "Conversation 1: it has no tree"),
        ('[{"mapping": {}}, {"title": "Two", "mapping": {"a": 3}}]', "“Two”.*node a"),
        ('[{"mapping": {"a": {"parent": "b"}, "b": {"parent": "a"}}}]', "circle"),
        ('[{"mapping": {}}, {"title"', "cut off or damaged"),
        ('[{"chat_messages": [{"sender": "ghost"}]}]', "message 1: it does not say who"),
        ('[{"chat_messages": 5}]', "no list"),
        ('[{"x": {"mapping": ' + "[" * 100_000, "damaged"),
        ('{"messages": [{"role": "user", "content": 5}]}', "Line 1, message 1: its content"),
        ('{"messages": [{"role": "user", "content": "ok"}]}\n{"messages": [{}]}', "Line 2, message 1.*before it: 1"),
        ('{"messages": [{"role": "user", "content": "ok"}]}\n{"mess', "Line 2 is not valid JSON.*before it: 1"),
        ('{"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}', "unknown type"),
        ('{"messages": [{"role": "assistant", "tool_calls": [5]}]}', "no function"),
        ('{"conversations": [{"value": "x"}]}', "turn 1: it does not say who"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_its_place(
    other: Store, plugins: PluginManager, tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    importer = recognise(plugins.importers(), path)
    with pytest.raises(BadInput, match=says):
        import_file(other, importer, path)
    assert other.integrity() == []
    assert all(other.messages(session.id) for session in other.sessions()), "nothing is half imported"


def test_bounds(other: Store, plugins: PluginManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importers = {importer.format: importer for importer in plugins.importers()}
    common = _globals(importers["openai"])["lines_of"].__globals__
    monkeypatch.setitem(common, "MAX_LINE_BYTES", 1000)
    monkeypatch.setitem(common, "MAX_DOCUMENT_BYTES", 1000)
    monkeypatch.setitem(common, "MAX_MESSAGES", 3)
    long = tmp_path / "long.jsonl"
    long.write_text(json.dumps({"messages": [{"role": "user", "content": "x" * 2000}]}))
    with pytest.raises(BadInput, match="Line 1 is longer"):
        import_file(other, importers["openai"], long)
    large = tmp_path / "large.json"
    large.write_text(json.dumps([CHATGPT]))
    with pytest.raises(BadInput, match="larger than"):
        import_file(other, importers["chatgpt"], large)
    many = tmp_path / "many.jsonl"
    many.write_text(json.dumps({"messages": [{"role": "user", "content": "x"}] * 4}))
    with pytest.raises(BadInput, match="more than 3 messages"):
        import_file(other, importers["openai"], many)
    assert other.sessions() == []


def test_a_zip_bomb_is_not_unpacked(
    other: Store, plugins: PluginManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importer = next(item for item in plugins.importers() if item.format == "zip")
    monkeypatch.setitem(_globals(importer)["data_export"].__dict__, "MAX_DOCUMENT_BYTES", 1 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b"[" + b" " * (8 << 20))
    with pytest.raises(BadInput, match="larger than 1 MiB"):
        import_file(other, importer, path)


def _globals(importer: Importer) -> dict[str, Any]:
    found: dict[str, Any] = importer.read.__globals__  # type: ignore[attr-defined]
    return found


# --- to read --------------------------------------------------------------------------------------------------
def test_html_stands_alone_and_runs_nothing(store: Store, plugins: PluginManager, tmp_path: Path) -> None:
    everything(
        store, answer="<script>alert(1)</script> ![spy](http://evil.example/x.png) **bold** [j](javascript:alert(1))"
    )
    text = export(store, plugins, "html", tmp_path / "x.html").read_text()
    assert "<script" not in text
    assert "<img" in text and 'src="data:image/png;base64,' in text
    assert 'src="http' not in text and "javascript:" not in text.replace("(javascript:alert(1))", "")
    assert "default-src 'none'" in text
    assert "<strong>bold</strong>" in text
    assert "Be kind." in text and "voted best" in text
    assert 'class="columns"' in text


def test_every_format_but_ours_says_what_it_leaves_out(plugins: PluginManager) -> None:
    assert {item.format: bool(item.loses) for item in plugins.exporters()} == {
        "jsonl": False, "markdown": True, "html": True, "openai": True, "sharegpt": True, "llm": True,
    }  # fmt: skip


def test_the_ledger_as_csv(store: Store) -> None:
    everything(store, title="=cmd()")
    lines = b"".join(ledger_csv(store)).decode().splitlines()
    assert lines[0].startswith("started_at,provider,model")
    assert len(lines) == 3
    assert all(",'=cmd()," in line for line in lines[1:]), "no spreadsheet may take a title for a formula"
    assert export_session(store, store.sessions()[0].id)["session"]["title"] == "=cmd()"
