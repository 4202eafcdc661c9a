"""Plugins as the program loads them, and short ways to ask a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from tests.providers.doubles import Double, Vendor
from workbench.core.cancel import CancelToken
from workbench.core.events import Finished, Notice, ReasoningDelta, StreamEvent, TextDelta, Usage
from workbench.core.messages import Message
from workbench.core.paths import bundled
from workbench.core.requests import ChatRequest
from workbench.core.settings import Network, Provider
from workbench.hookspecs import ProviderContext, ProviderPlugin
from workbench.plugins import PluginManager
from workbench.providers.remote_model import RemoteModel
from workbench.providers.retry import RetryPolicy

KEY = "double-key-0123456789abcdef"
QUICK = RetryPolicy(attempts=3, base_s=0.001, max_s=0.002, random=lambda: 0.5)
Event = TypeVar("Event")


@cache
def plugins() -> PluginManager:
    manager = PluginManager(folders=[bundled("plugins")], entry_points=False)
    manager.load()
    return manager


def provider(kind: str) -> ProviderPlugin:
    return next(plugin for plugin in plugins().providers() if plugin.kind == kind)


def context(
    kind: str,
    base_url: str = "",
    *,
    name: str = "",
    key: str | None = KEY,
    network: Network | None = None,
    **options: str,
) -> ProviderContext:
    config = Provider(kind=kind, base_url=base_url, options=options)
    return ProviderContext(name=name or kind, config=config, network=network or Network(), key=lambda: key)


def model(
    kind: str, base_url: str, model_name: str = "double-1", *, policy: RetryPolicy = QUICK, **fields: Any
) -> RemoteModel:
    found = provider(kind).model(context(kind, base_url, **fields), model_name)
    assert isinstance(found, RemoteModel)
    found.retry_policy = policy
    return found


def model_of(vendor: Vendor, double: Double, *, policy: RetryPolicy = QUICK, **fields: Any) -> RemoteModel:
    return model(vendor.kind, double.url + vendor.path, policy=policy, **(vendor.options | fields))


def request(text: str = "Hello", **fields: Any) -> ChatRequest:
    return ChatRequest(messages=(Message.of("user", text),), **fields)


@dataclass
class Outcome:
    events: list[StreamEvent] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.of(TextDelta))

    @property
    def reasoning(self) -> str:
        return "".join(event.text for event in self.of(ReasoningDelta))

    @property
    def signature(self) -> str:
        return "".join(event.signature for event in self.of(ReasoningDelta))

    @property
    def finished(self) -> Finished:
        assert [event for event in self.events if isinstance(event, Finished)] == self.events[-1:]
        last = self.events[-1]
        assert isinstance(last, Finished)
        return last

    @property
    def usage(self) -> Usage:
        return self.of(Usage)[-1]

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def notices(self, kind: str) -> list[str]:
        return [event.message for event in self.of(Notice) if event.kind == kind]


def ask(asked: RemoteModel, what: ChatRequest | None = None, cancel: CancelToken | None = None) -> Outcome:
    return collect(asked.stream(what or request(), cancel or CancelToken()))


def collect(events: Iterable[StreamEvent]) -> Outcome:
    return Outcome(list(events))
