"""Ours out and in again loses nothing, whatever the session holds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, Cancelled, ErrorInfo
from workbench.core.messages import (
    Attachment,
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from workbench.core.paths import bundled
from workbench.core.runs import RunRecord
from workbench.plugins import PluginManager
from workbench.services.archives import export_pieces, import_file, recognise, write_file
from workbench.store import Comparison, Rating, Store, Vote
from workbench.store.archive import export_session

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
number = st.one_of(st.none(), st.integers(0, 2**40))
real = st.one_of(st.none(), st.floats(0, 1e9))
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9), text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=6,
)
objects = st.dictionaries(text, plain, max_size=3)
attachments = st.builds(
    Attachment.of, st.binary(max_size=200), st.sampled_from(["image/png", "text/plain", "audio/wav"]), text
)
parts = st.one_of(
    st.builds(TextPart, text),
    st.builds(ReasoningPart, text, text, st.one_of(st.none(), st.floats(0, 1e4))),
    st.builds(ToolCallPart, text, text, text),
    st.builds(ToolResultPart, text, text, st.booleans()),
    st.builds(ImagePart, attachments),
    st.builds(AudioPart, attachments),
    st.builds(FilePart, attachments, text),
)
messages = st.builds(
    Message, st.sampled_from(["system", "user", "assistant", "tool"]), st.lists(parts, max_size=4).map(tuple)
)
errors = st.one_of(st.none(), st.builds(ErrorInfo, kind=text, message=text, hint=text, detail=text))
runs = st.builds(
    RunRecord,
    id=st.uuids().map(str),
    session_id=st.just(""),
    model=text,
    provider=text,
    remote=st.booleans(),
    status=st.sampled_from(["done", "failed", "cancelled", "interrupted"]),
    text=text,
    reasoning=text,
    finish_reason=text,
    error=errors,
    prompt_tokens=number,
    completion_tokens=number,
    cost_usd=real,
    duration_s=real,
    seed=number,
    sampling=objects,
    request=objects,
    system_prompt=text,
    rendered_prompt=text,
    notices=st.lists(text, max_size=2),
    price_snapshot=st.one_of(st.none(), objects),
    started_at=st.datetimes().map(lambda time: f"{time.isoformat(timespec='milliseconds')}+00:00"),
)


@st.composite
def sessions(draw: st.DrawFn) -> dict[str, Any]:
    """What to put into a store: a tree of messages, some with runs, a comparison with votes."""
    count = draw(st.integers(1, 8))
    return {
        "kind": draw(st.sampled_from(["chat", "comparison"])),
        "title": draw(text),
        "folder": draw(text),
        "options": draw(objects),
        "pinned": draw(st.booleans()),
        "draft": draw(text),
        "messages": [
            (draw(messages), draw(st.one_of(st.none(), st.integers(0, number - 1))) if number else None)
            for number in range(count)
        ],
        "runs": [draw(st.one_of(st.none(), runs)) for _ in range(count)],
        "compared": draw(st.booleans()),
        "columns": draw(st.lists(objects, max_size=3)),
        "blind": draw(st.booleans()),
        "places": [draw(st.one_of(st.none(), st.integers(0, 7))) for _ in range(count)],
        "verdict": draw(st.sampled_from(["better", "tie", "both_bad"])),
        "rating": draw(st.one_of(st.none(), st.sampled_from([-1, 1]))),
        "reason": draw(text),
    }


def build(store: Store, drawn: dict[str, Any]) -> str:
    session = store.create_session(drawn["kind"], drawn["title"], drawn["folder"], drawn["options"])
    ids: list[str] = []
    for message, parent in drawn["messages"]:
        ids.append(store.add_message(session.id, None if parent is None else ids[parent], message).id)
    comparison = (
        store.add_comparison(
            Comparison(session_id=session.id, message_id=ids[0], columns=drawn["columns"], blind=drawn["blind"])
        )
        if drawn["compared"]
        else None
    )
    kept = []
    for message_id, run, place in zip(ids, drawn["runs"], drawn["places"], strict=True):
        if run is not None:
            run.session_id, run.message_id = session.id, message_id
            run.comparison_id = comparison.id if comparison else None
            run.comparison_column = place if comparison else None
            store.start_run(run)
            kept.append(run.id)
    if kept and comparison is not None:
        store.add_vote(
            Vote(
                comparison_id=comparison.id,
                verdict=drawn["verdict"],
                winner_run_id=kept[0] if drawn["verdict"] == "better" else None,
                run_ids=tuple(kept),
                reason=drawn["reason"],
                blind=drawn["blind"],
            )
        )
    if kept and drawn["rating"] is not None:
        store.rate(Rating(run_id=kept[-1], rating=drawn["rating"], reason=drawn["reason"]))
    store.update_session(session.id, pinned=drawn["pinned"], draft=drawn["draft"], leaf_id=ids[len(ids) // 2])
    return session.id


def plugins() -> PluginManager:
    manager = PluginManager(folders=[bundled("plugins")], entry_points=False)
    manager.load()
    return manager


PLUGINS = plugins()


def everything(store: Store, session_id: str) -> list[Any]:
    """All that the store tells of a session, not only what the export takes."""
    messages = store.messages(session_id)
    runs = [run for run in store.runs(limit=100) if run.session_id == session_id]
    shas = {attachment.sha256 for stored in messages for attachment in stored.message.attachments}
    return [
        store.session(session_id),
        messages,
        {sha: store.attachment(sha) for sha in shas},
        sorted(runs, key=lambda run: run.id),
        store.comparisons(session_id),
        [vote for comparison in store.comparisons(session_id) for vote in store.votes(comparison.id)],
        [store.rating(run.id) for run in runs],
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(sessions(), min_size=1, max_size=2))
def test_ours_there_and_back_is_the_same(drawn: list[dict[str, Any]]) -> None:
    exporter = next(item for item in PLUGINS.exporters() if item.format == "jsonl")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        with Store.open(Path(folder) / "one.db") as store, Store.open(Path(folder) / "two.db") as other:
            ids = [build(store, one) for one in drawn]
            before = [export_session(store, id_) for id_ in ids]
            told = [everything(store, id_) for id_ in ids]
            write_file(path, export_pieces(store, exporter, ids))
            importer = recognise(PLUGINS.importers(), path)
            assert importer.format == "jsonl"
            assert [item.state for item in import_file(other, importer, path)] == ["added"] * len(ids)
            assert [export_session(other, id_) for id_ in ids] == before
            assert [everything(other, id_) for id_ in ids] == told
            assert [item.state for item in import_file(other, importer, path)] == ["present"] * len(ids)
            assert [export_session(other, id_) for id_ in ids] == before
            assert other.integrity() == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sessions())
def test_every_format_writes_every_session(drawn: dict[str, Any]) -> None:
    """And what can be read again is."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "one.db") as store,
        Store.open(Path(folder) / "two.db") as other,
    ):
        ids = [build(store, drawn)]
        for exporter in PLUGINS.exporters():
            path = Path(folder) / f"out.{exporter.format}"
            write_file(path, export_pieces(store, exporter, ids))
            if exporter.format in ("jsonl", "llm"):
                importer = next(item for item in PLUGINS.importers() if item.format == exporter.format)
                import_file(other, importer, path)
        assert other.integrity() == []


def test_an_export_that_is_stopped_leaves_no_file(store: Store, tmp_path: Path) -> None:
    for _ in range(3):
        store.create_session(title="x")
    ids = [session.id for session in store.sessions()]
    exporter = next(item for item in PLUGINS.exporters() if item.format == "jsonl")
    token, seen = CancelToken(), []

    def progress(done: int) -> None:
        seen.append(done)
        token.cancel()

    try:
        write_file(tmp_path / "x.jsonl", export_pieces(store, exporter, ids, progress, token))
    except Cancelled:
        pass
    else:
        raise AssertionError("it was to stop")
    assert seen == [1]
    assert not list(tmp_path.glob("*.jsonl*"))


def test_an_import_that_is_stopped_says_what_is_there(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        '{"messages": [{"role": "user", "content": "a"}]}\n{"messages": [{"role": "user", "content": "b"}]}\n'
    )
    token = CancelToken()
    importer = recognise(PLUGINS.importers(), path)
    try:
        import_file(store, importer, path, lambda _done: token.cancel(), token)
    except Cancelled as error:
        assert "before it: 1" in str(error)
    else:
        raise AssertionError("it was to stop")
    assert len(store.sessions()) == 1
    assert issubclass(BadInput, Exception)
