"""What plugins can add. Hooks take and give values and import strings, so a plugin needs no Qt.

A plugin is a module (or object) with functions of these names, marked with `@hookimpl` from this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import click
import pluggy

from workbench.core.cancel import CancelToken
from workbench.core.models import ChatModel, ModelInfo
from workbench.core.requests import Tool
from workbench.core.settings import Network, Provider

PROJECT = "workbench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider may know of its configuration. `key` reads the secret when it is needed, not before."""

    name: str
    """The configured provider's name: the part before the colon in a model id."""
    config: Provider
    network: Network
    key: Callable[[], str | None]


class ProviderPlugin(Protocol):
    """One kind of service that answers chat requests."""

    kind: str
    """Id of the kind: `openai`, `anthropic`, …"""
    title: str
    key_variable: str
    """Environment variable with the key; empty where none is needed."""
    presets: dict[str, Provider]
    """Ready configurations by provider name, usable without the user configuring anything but a key."""

    def models(self, context: ProviderContext, cancel: CancelToken) -> list[ModelInfo]:
        """Ask the service for its models. Blocks; raises ProviderError."""
        ...

    def model(self, context: ProviderContext, model_name: str) -> ChatModel:
        """The model of this name. Does not connect."""
        ...


@dataclass(frozen=True, slots=True)
class Grade:
    """A grader's judgement of one answer."""

    score: float
    """0 (wrong) to 1 (right)."""
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)


class GraderPlugin(Protocol):
    name: str
    title: str

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        """Judge one answer. Raises BadInput for invalid options."""
        ...


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes sessions in one format."""

    format: str
    title: str
    suffix: str
    write: Callable[[Iterable[dict[str, Any]]], Iterable[str | bytes]]
    """Sessions as plain dicts (session, messages, runs) -> pieces of text, or of bytes if it is `binary`."""
    loses: str = ""
    """What the format can't hold, for the user; empty if nothing."""
    binary: bool = False
    """No text: never shown in a terminal."""


@dataclass(frozen=True, slots=True)
class Importer:
    format: str
    title: str
    recognises: Callable[[bytes], bool]
    """Whether a file that starts with these bytes (at most 64 KiB) is of this format."""
    read: Callable[[str], Iterable[dict[str, Any]]]
    """Path -> sessions as plain dicts. Raises BadInput."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A place in the window. `widget` is `package.module:Class`, imported when first shown."""

    id: str
    title: str
    icon: str
    widget: str


class Specs:
    """The hooks. Each is called once at start, except where it says otherwise."""

    @hookspec
    def workbench_providers(self) -> list[ProviderPlugin]:  # type: ignore[empty-body]
        """Kinds of remote services."""

    @hookspec
    def workbench_models(self) -> list[ChatModel]:  # type: ignore[empty-body]
        """Models that need no configuration. Must not connect or load anything."""

    @hookspec
    def workbench_graders(self) -> list[GraderPlugin]:  # type: ignore[empty-body]
        """Ways to score an answer."""

    @hookspec
    def workbench_exporters(self) -> list[Exporter]:  # type: ignore[empty-body]
        """Formats to write sessions in."""

    @hookspec
    def workbench_importers(self) -> list[Importer]:  # type: ignore[empty-body]
        """Formats to read sessions from."""

    @hookspec
    def workbench_tools(self) -> list[Tool]:  # type: ignore[empty-body]
        """Functions that can be offered to a model by name (`run -o tools=NAME`). Calls are shown and kept with the
        answer; the program executes none."""

    @hookspec
    def workbench_commands(self, cli: click.Group) -> None:
        """Add subcommands to the command line."""

    @hookspec
    def workbench_panels(self) -> list[Panel]:  # type: ignore[empty-body]
        """Further places in the window."""

    @hookspec
    def workbench_prices(self) -> dict[str, dict[str, Any]]:  # type: ignore[empty-body]
        """Prices by model id, as fields of `core.models.Prices`."""
