"""Sessions and exports with everything in them."""

from __future__ import annotations

from typing import Any

from workbench.core.messages import (
    Attachment,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from workbench.core.runs import RunRecord
from workbench.store import Comparison, Store, Vote
from workbench.store.archive import export_session


def everything(store: Store, *, title: str = "Everything", answer: str = "A cat.") -> dict[str, Any]:
    """One comparison: a question with an image and a file, a tool call on the way to one answer, another answer."""
    session = store.create_session("comparison", title)
    image = ImagePart(Attachment.of(b"\x89PNG image", "image/png", "it.png"))
    file = FilePart(Attachment.of(b"notes", "text/plain", "notes.txt"), text="notes")
    asked = store.add_message(session.id, None, Message("user", (TextPart("What is this?"), image, file)))
    comparison = store.add_comparison(Comparison(session_id=session.id, message_id=asked.id, columns=[{"model": "a"}]))
    call = Message("assistant", (TextPart("I look."), ToolCallPart("c1", "look", '{"at": "it"}')))
    looked = store.add_message(session.id, asked.id, call)
    result = store.add_message(session.id, looked.id, Message("tool", (ToolResultPart("c1", "a cat"),)))
    first = store.add_message(session.id, result.id, Message("assistant", (ReasoningPart("hmm"), TextPart(answer))))
    second = store.add_message(session.id, asked.id, Message("assistant", (TextPart("A dog."),)))
    for number, (message, model, text) in enumerate(
        ((looked, "openai:big", "I look."), (first, "openai:big", answer), (second, "local:small", "A dog."))
    ):
        store.start_run(
            RunRecord(
                id=f"run-{number}",
                session_id=session.id,
                message_id=message.id,
                comparison_id=comparison.id,
                comparison_column=number // 2,
                model=model,
                provider=model.partition(":")[0],
                remote=model.startswith("openai"),
                status="done",
                finish_reason="stop",
                text=text,
                system_prompt="Be kind.",
                prompt_tokens=20,
                cached_tokens=5,
                completion_tokens=7,
                duration_s=1.5,
                seed=7,
                sampling={"temperature": 0.5},
                started_at=f"2026-01-02T03:04:0{number}.678+00:00",
                ended_at="2026-01-02T03:04:09.000+00:00",
            )
        )
    shown = ("run-1", "run-2")
    store.add_vote(Vote(comparison_id=comparison.id, verdict="better", winner_run_id="run-1", run_ids=shown))
    return export_session(store, session.id)


def _node(id_: str, parent: str | None, role: str, content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    message = {"id": id_, "author": {"role": role}, "create_time": 1715600000.5, "content": content, **fields}
    return {"id": id_, "parent": parent, "children": [], "message": message}


def _text(text: str) -> dict[str, Any]:
    return {"content_type": "text", "parts": [text]}


CHATGPT: dict[str, Any] = {
    "title": "Cats",
    "create_time": 1715600000.0,
    "update_time": 1715600100.0,
    "conversation_id": "conv-1",
    "current_node": "done",
    "mapping": {
        "root": {"id": "root", "message": None, "parent": None, "children": ["sys"]},
        "sys": _node("sys", "root", "system", _text("")),
        "hidden": _node(
            "hidden",
            "sys",
            "system",
            _text("ungiven instructions"),
            metadata={"is_visually_hidden_from_conversation": True},
        ),
        "ask": _node(
            "ask",
            "hidden",
            "user",
            {
                "content_type": "multimodal_text",
                "parts": [
                    "What is a cat?",
                    {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-pic1"},
                ],
            },
        ),
        "one": _node("one", "ask", "assistant", _text("A small animal."), metadata={"model_slug": "gpt-4o"}),
        "think": _node(
            "think",
            "ask",
            "assistant",
            {"content_type": "thoughts", "thoughts": [{"summary": "Again", "content": "They ask again."}]},
        ),
        "recap": _node(
            "recap", "think", "assistant", {"content_type": "reasoning_recap", "content": "Thought for 2 s"}
        ),
        "two": _node("two", "recap", "assistant", _text("A feline."), metadata={"model_slug": "o3"}),
        "again": _node("again", "two", "user", _text("Search it")),
        "call": _node(
            "call",
            "again",
            "assistant",
            {"content_type": "code", "language": "json", "text": '{"query": "cat"}'},
            recipient="browser",
            metadata={"model_slug": "o3"},
        ),
        "found": _node("found", "call", "tool", {"content_type": "tether_quote", "text": "Cats are felines"}),
        "done": _node("done", "found", "assistant", _text("Done."), metadata={"model_slug": "o3"}, recipient="all"),
    },
}

CLAUDE: dict[str, Any] = {
    "uuid": "talk-1",
    "name": "Notes",
    "created_at": "2025-02-03T04:05:06.789012Z",
    "updated_at": "2025-02-03T05:05:06.789012Z",
    "account": {"uuid": "me"},
    "chat_messages": [
        {
            "uuid": "1",
            "text": "What do they say?",
            "content": [{"type": "text", "text": "What do they say?"}],
            "sender": "human",
            "created_at": "2025-02-03T04:05:06.789012Z",
            "attachments": [{"file_name": "notes.txt", "file_size": 17, "extracted_content": "The notes say so."}],
            "files": [{"file_name": "photo.jpg"}],
            "parent_message_uuid": "00000000-0000-4000-8000-000000000000",
        },
        {
            "uuid": "2",
            "text": "",
            "content": [
                {"type": "thinking", "thinking": "Let me see."},
                {"type": "tool_use", "id": "t", "name": "search", "input": {"q": "notes"}},
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "found"}]},
                {"type": "text", "text": "So."},
            ],
            "sender": "assistant",
            "parent_message_uuid": "1",
        },
        {"uuid": "3", "text": "Sure?", "sender": "human", "parent_message_uuid": "2"},
        {"uuid": "4", "text": "Yes.", "sender": "assistant", "parent_message_uuid": "3"},
        {"uuid": "5", "text": "Quite.", "sender": "assistant", "parent_message_uuid": "3"},
    ],
}
