"""`workbench log`: what was asked comes back, in lists, searches and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.conftest import Cli
from workbench.core.errors import BadInput
from workbench.core.messages import Attachment, FilePart, ImagePart, Message, ReasoningPart, TextPart, ToolCallPart
from workbench.core.paths import Paths
from workbench.core.runs import RunRecord
from workbench.store import Comparison, Rating, Store, Vote
from workbench.store.archive import export_session, import_session


@pytest.fixture
def rich(home: Path) -> dict[str, Any]:
    """A database with one session that has everything in it, as its archive."""
    paths = Paths.of_user()
    paths.create()
    with Store.open(paths.database) as store:
        session = store.create_session(
            "comparison", "Everything ünd more", "folder", {"model": "x", "deep": {"a": [1]}}
        )
        image = ImagePart(Attachment.of(bytes(range(256)), "image/png", "pixel.png"))
        file = FilePart(Attachment.of(b"line\n", "text/plain", "notes.txt"), text="line\n")
        asked = store.add_message(
            session.id, None, Message("user", (TextPart("What is this?\n```\nx\n```"), image, file))
        )
        comparison = store.add_comparison(
            Comparison(id="", session_id=session.id, message_id=asked.id, columns=[{"model": "a"}, {"model": "b"}])
        )
        runs = []
        for model in ("a", "b"):
            answer = store.add_message(
                session.id,
                asked.id,
                Message(
                    "assistant",
                    (ReasoningPart("hmm", "sig", 1.25), TextPart(f"by {model}"), ToolCallPart("1", "f", "{")),
                ),
            )
            run = RunRecord(
                id=f"run-{model}",
                session_id=session.id,
                message_id=answer.id,
                comparison_id=comparison.id,
                model=model,
                status="done",
                text=f"by {model}",
                finish_reason="stop",
                sampling={"temperature": 0.1},
                completion_tokens=3,
                decode_tokens_per_s=1.5,
                cost_usd=0.25,
                started_at="2026-01-02T03:04:05.678+00:00",
            )
            store.start_run(run)
            runs.append(run)
        store.add_vote(
            Vote(comparison_id=comparison.id, verdict="better", winner_run_id="run-a", run_ids=("run-b", "run-a"))
        )
        store.rate(Rating(run_id="run-b", rating=-1, reason="wrong"))
        store.update_session(session.id, pinned=True, leaf_id=asked.id, draft="next I ask")
        return export_session(store, session.id)


def fresh_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "another home"))


def test_jsonl_there_and_back_loses_nothing(
    rich: dict[str, Any], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log.jsonl"
    assert cli("log", "export", "-O", str(file)).code == 0
    fresh_home(monkeypatch, tmp_path)
    assert cli("log", "import", str(file)).out == "1 session added.\n"
    with Store.open(Paths.of_user().database) as store:
        again = export_session(store, rich["session"]["id"])
        assert store.attachment(rich["messages"][0]["parts"][1]["attachment"]["sha256"]) == bytes(range(256))
        assert store.integrity() == []
    assert again == rich
    assert cli("log", "export").out == file.read_text(encoding="utf-8")


def test_importing_twice_adds_nothing(rich: dict[str, Any], cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    cli("log", "export", "-O", str(file))
    result = cli("log", "import", str(file), "--json")
    assert result.json == {"added": 0, "updated": 0, "present": 1, "sessions": [rich["session"]["id"]]}


def test_importing_brings_a_deleted_session_back(rich: dict[str, Any]) -> None:
    with Store.open(Paths.of_user().database) as store:
        store.delete_session(rich["session"]["id"])
        assert import_session(store, rich).state == "added"
        assert import_session(store, rich).state == "present"
        assert len(store.sessions()) == 1
        again = export_session(store, rich["session"]["id"])
        assert store.integrity() == []
    assert again == rich


def test_ids_that_another_session_has_are_replaced(rich: dict[str, Any]) -> None:
    with Store.open(Paths.of_user().database) as store:
        other = {**rich, "session": {**rich["session"], "id": "other"}}
        done = import_session(store, other)
        copy = export_session(store, done.session_id)
        assert export_session(store, rich["session"]["id"]) == rich
        assert store.integrity() == []
    assert [m["parts"] for m in copy["messages"]] == [m["parts"] for m in rich["messages"]]
    ids = {run["model"]: run["id"] for run in copy["runs"]}
    assert set(ids.values()).isdisjoint({"run-a", "run-b"})
    assert copy["votes"][0]["winner_run_id"] == ids["a"]
    assert copy["votes"][0]["run_ids"] == [ids["b"], ids["a"]]
    assert copy["ratings"][0]["run_id"] == ids["b"]
    assert copy["session"]["leaf_id"] == copy["messages"][0]["id"]


def test_a_session_that_has_grown_gets_what_it_lacks(rich: dict[str, Any]) -> None:
    with Store.open(Paths.of_user().database) as store:
        more = {"id": "m9", "parent_id": rich["messages"][-1]["id"], "role": "user", "parts": []}
        grown = {**rich, "messages": [*rich["messages"], more]}
        assert import_session(store, grown).state == "updated"
        assert import_session(store, grown).state == "present"
        assert [m.id for m in store.messages(rich["session"]["id"])][-1] == "m9"
        assert len(store.runs(rich["session"]["id"])) == 2


def test_other_formats_need_only_roles_and_parts(home: Path) -> None:
    text = {"type": "text", "text": "x"}
    messages = [{"role": role, "parts": [text]} for role in ("user", "assistant", "user")]
    paths = Paths.of_user()
    paths.create()
    with Store.open(paths.database) as store:
        done = import_session(store, {"messages": messages, "session": {"title": "From elsewhere"}})
        stored = store.messages(done.session_id)
        session = store.session(done.session_id)
    assert [m.message.role for m in stored] == ["user", "assistant", "user"]
    assert [m.parent_id for m in stored] == [None, stored[0].id, stored[1].id]
    assert session is not None and session.leaf_id == stored[-1].id


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 99}, "newer version"),
        ({"messages": [{"role": "king", "parts": []}]}, "not a session"),
        ({"messages": [{"id": "a", "parent_id": "b", "role": "user", "parts": []}]}, "lacks"),
        (
            {
                "messages": [
                    {"id": "a", "parent_id": "b", "role": "user", "parts": []},
                    {"id": "b", "parent_id": "a", "role": "user", "parts": []},
                ]
            },
            "circle",
        ),
        ({"ratings": [{"run_id": "nobody", "rating": 1}]}, "lacks"),
        ({"session": {"pinned": "maybe"}}, "not a session"),
    ],
)
def test_a_damaged_archive_is_refused_whole(rich: dict[str, Any], change: dict[str, Any], says: str) -> None:
    damaged = {**rich, "session": {**rich["session"], "id": "other"}, **change}
    with Store.open(Paths.of_user().database) as store:
        with pytest.raises(BadInput, match=says):
            import_session(store, damaged)
        assert len(store.sessions()) == 1


def test_an_attachment_that_is_not_what_it_says_is_refused(rich: dict[str, Any]) -> None:
    rich["messages"][0]["parts"][1]["attachment"]["data"] = "AAAA"
    rich["session"]["id"] = "other"
    with Store.open(Paths.of_user().database) as store, pytest.raises(BadInput, match="damaged"):
        import_session(store, rich)


def test_a_file_that_is_cut_off_says_what_was_imported(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("run", "-m", "fake:echo", "one")
    cli("run", "-m", "fake:echo", "two")
    text = cli("log", "export").out
    file = tmp_path / "cut.jsonl"
    file.write_text(text[:-100], encoding="utf-8")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "another home"))
    result = cli("log", "import", str(file))
    assert result.code == 2
    assert "Line 2" in result.err
    assert "Sessions imported before it: 1" in result.err


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00\x01", b"[1, 2", b'{"a": 1}'])
def test_a_file_of_no_known_format_is_refused(cli: Cli, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    result = cli("log", "import", str(file))
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert cli("log", "import", "--format", "jsonl", str(file)).code == (0 if not content else 2)


def test_markdown_is_readable_and_complete(rich: dict[str, Any], cli: Cli) -> None:
    text = cli("log", "export", "--format", "markdown").out
    for part in ("# Everything ünd more", "What is this?", "pixel.png", "notes.txt", "> hmm", "by a", "by b", "(2/2)"):
        assert part in text
    assert "*3 tokens · 1.5 tokens/s · $0.250000 · stop*" in text
    assert "iVBOR" not in text


def test_chosen_sessions_only(cli: Cli) -> None:
    ids = [cli("run", "-m", "fake:echo", "--json", word).json["session"] for word in ("one", "two", "three")]
    lines = cli("log", "export", ids[2], ids[0]).out.splitlines()
    assert [json.loads(line)["session"]["id"] for line in lines] == [ids[2], ids[0]]


def test_export_replaces_the_file_only_when_it_is_whole(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text("old")
    assert cli("log", "export", "nonsense", "-O", str(file)).code == 2
    assert file.read_text() == "old"
    assert cli("log", "export", "-O", str(tmp_path / "missing" / "x")).code == 1
    assert [path.name for path in tmp_path.glob("*.jsonl*")] == ["log.jsonl"]


def test_list_show_and_search(cli: Cli) -> None:
    first = cli("run", "-m", "fake:echo", "--json", "alpha beta").json
    second = cli("run", "-m", "fake:echo", "-m", "fake:far", "--json", "gamma").json
    listed = cli("log", "list", "--json").json
    assert [session["id"] for session in listed] == [second["session"], first["session"]]
    assert [s["id"] for s in cli("log", "list", "--kind", "chat", "--json").json] == [first["session"]]
    assert first["session"] in cli("log").out
    shown = cli("log", "show", first["session"], "--json").json
    assert shown["runs"] == first["runs"]
    assert "alpha beta" in cli("log", "show", first["session"]).out
    assert cli("log", "show", "last", "--json").json["session"]["id"] == second["session"]
    assert cli("log", "show", first["runs"][0]["id"], "--json").json == first["runs"][0]
    hits = cli("log", "search", "alph", "--json").json
    assert {hit["session_id"] for hit in hits} == {first["session"]}
    assert hits[0]["snippet"].startswith("alpha beta")
    assert "alpha beta" in cli("log", "search", "alpha").out
    assert (cli("log", "search", "nowhere").out, cli("log", "search", '"').code) == ("", 0)


def test_show_leaves_attachments_bytes_out(rich: dict[str, Any], cli: Cli) -> None:
    shown = cli("log", "show", rich["session"]["id"], "--json").json
    attachment = shown["messages"][0]["parts"][1]["attachment"]
    assert attachment["name"] == "pixel.png"
    assert "data" not in attachment


def test_archives_are_plain_json(rich: dict[str, Any]) -> None:
    assert json.loads(json.dumps(rich)) == json.loads(msgspec.json.encode(rich))


def test_a_home_that_cannot_be_made_is_one_clear_line(home: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    def refused(paths: Paths) -> None:
        raise PermissionError(13, "Permission denied", str(paths.data))

    monkeypatch.setattr(Paths, "create", refused)
    result = cli("log", "list")
    assert result.code in (1, 2)
    assert "can't be made: Permission denied" in result.err and "WORKBENCH_HOME" in result.err
    assert "inside the program" not in result.err


def test_export_says_as_json_what_it_wrote(cli: Cli, rich: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "chats.md"
    done = cli("log", "export", "--format", "markdown", "-O", str(file), "--json").json
    assert (done["file"], done["format"], done["sessions"]) == (str(file), "markdown", [rich["session"]["id"]])
    assert done["loses"], "Markdown does not hold everything"
    assert file.read_text(encoding="utf-8").strip()
    assert cli("log", "export", "--json").code == 2


def test_the_ledger_as_json(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", "-m", "fake:far", "-m", "fake:echo", "hi").code == 0
    entries = cli("log", "ledger", "--json").json
    rows = cli("log", "ledger").out.splitlines()
    assert [entry["model"] for entry in entries] == ["fake:far"]
    assert len(rows) == 2
    assert set(rows[0].split(",")) == set(entries[0]) - {"session_id"}
    file = tmp_path / "ledger.json"
    assert cli("log", "ledger", "--json", "-O", str(file)).out == ""
    assert json.loads(file.read_text(encoding="utf-8")) == entries
