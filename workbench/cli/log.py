"""`workbench log`: what was asked and answered, out and in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from workbench.cli.context import Workbench
from workbench.cli.output import print_json, print_table, write
from workbench.core.errors import BadInput
from workbench.hookspecs import Exporter, Importer
from workbench.services.archives import export_pieces, import_file, ledger_csv, ledger_entries, recognise, write_file
from workbench.store import HIT_END, HIT_START, Session, Store
from workbench.store.archive import export_session

Format = TypeVar("Format", Exporter, Importer)

SHORTEST_PREFIX = 6
_ALL = 2**62
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(invoke_without_command=True)
@click.pass_context
def log(ctx: click.Context) -> None:
    """List, show, search, export and import what is in the database. Without a command: list."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_sessions)


@log.command("list", epilog="With --json: a list of sessions with the columns of the database's sessions table.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many.")
@click.option("--kind", type=click.Choice(["chat", "comparison"]), help="Only these.")
@click.option("--folder", help="Only those in this folder.")
@json_option
def list_sessions(limit: int = 50, kind: Any = None, folder: str | None = None, as_json: bool = False) -> None:
    """List sessions, pinned and newest first."""
    with Workbench() as workbench:
        sessions = workbench.store.sessions(limit=limit, kind=kind, folder=folder)
    if as_json:
        print_json(sessions)
        return
    rows = [(s.id, _when(s.updated_at), s.kind, s.title or "Untitled") for s in sessions]
    print_table(("ID", "TIME", "KIND", "TITLE"), rows)


@log.command(
    epilog="With --json: for a session an object with session, messages, runs, comparisons, votes and ratings; "
    "for a run its complete record. Attachments come without their bytes: use export for those."
)
@click.argument("id_", metavar="ID")
@json_option
def show(id_: str, as_json: bool) -> None:
    """Show a session, or one run's record. ID may be its beginning, or `last`."""
    with Workbench() as workbench:
        store = workbench.store
        run = store.run(id_)
        if run is not None:
            print_json(run)
            return
        archive = export_session(store, _session(store, id_).id)
        if as_json:
            print_json(_without_bytes(archive))
            return
        for piece in _by_format(workbench.plugins.exporters(), "markdown").write([archive]):
            write(str(piece))


@log.command(epilog="With --json: a list of objects with session_id, message_id, title, snippet, role, created_at.")
@click.argument("text")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@json_option
def search(text: str, limit: int, as_json: bool) -> None:
    """Find messages with all these words, newest first. Quotes make a phrase."""
    with Workbench() as workbench:
        hits = workbench.store.search(text, limit=limit)
    if as_json:
        print_json([msgspec.structs.replace(hit, snippet=_marked(hit.snippet, "", "")) for hit in hits])
        return
    before, after = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for hit in hits:
        snippet = " ".join(hit.snippet.split())
        write(f"{hit.session_id}  {_when(hit.created_at)}  {hit.title or 'Untitled'}\n")
        write(f"    {hit.role}: {_marked(snippet, before, after)}\n", styled=True)
    if not hits:
        click.echo("Nothing found.", err=True)


@log.command(
    epilog="With --json, which needs -O: an object with file, format, sessions (their ids) and loses (what the format "
    "can't hold, or null)."
)
@click.argument("sessions", nargs=-1, metavar="[ID]…")
@click.option("--format", "format_", default="jsonl", show_default=True, help="One of the formats of the plugins.")
@click.option("-O", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File instead of stdout.")
@json_option
def export(sessions: tuple[str, ...], format_: str, output: Path | None, as_json: bool) -> None:
    """Write sessions, all of them if none is named. jsonl is complete: `log import` brings everything back.

    Formats: jsonl, markdown, html, openai, sharegpt, llm, and those of plugins. What one can't hold is said.
    """
    if as_json and output is None:
        raise BadInput(
            "--json says what was written to a file; stdout has the export itself.", hint="Name a file with -O."
        )
    with Workbench() as workbench:
        store = workbench.store
        exporter = _by_format(workbench.plugins.exporters(), format_)
        if output is None and exporter.binary and sys.stdout.isatty():
            raise BadInput(f"{exporter.title} is no text for a terminal.", hint="Name a file with -O.")
        ids = [_session(store, id_).id for id_ in sessions] or [s.id for s in store.sessions(limit=_ALL)]
        pieces = export_pieces(store, exporter, ids)
        if output is not None:
            write_file(output, pieces)
            if as_json:
                print_json({"file": str(output), "format": format_, "sessions": ids, "loses": exporter.loses or None})
                return
            click.echo(f"{_count(len(ids), 'session')} written to {output}.", err=True)
            if exporter.loses:
                click.echo(exporter.loses, err=True)
        elif exporter.binary:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
        else:
            for piece in pieces:
                write(piece.decode())


@log.command(epilog="With --json: a list of objects with the columns of the CSV and session_id.")
@click.option("-O", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File instead of stdout.")
@json_option
def ledger(output: Path | None, as_json: bool) -> None:
    """What left this machine, when and to whom, as CSV."""
    with Workbench() as workbench:
        if as_json and output is None:
            print_json(list(ledger_entries(workbench.store)))
            return
        pieces = (
            [msgspec.json.encode(list(ledger_entries(workbench.store)))] if as_json else ledger_csv(workbench.store)
        )
        if output is not None:
            write_file(output, pieces)
        else:
            for piece in pieces:
                write(piece.decode())


@log.command(
    "import", epilog="With --json: an object with added, updated, present (how many) and sessions (their ids)."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_", help="Needed only where the file does not show what it is.")
@json_option
def import_(file: Path, format_: str | None, as_json: bool) -> None:
    """Add the sessions of a file. Those that are here already get what the file has more, and else stay as they are.

    Takes files of log export (jsonl, openai, sharegpt, llm), ChatGPT's and Claude's data exports, and llm's logs.db.
    """
    with Workbench() as workbench:
        importers = workbench.plugins.importers()
        importer = _by_format(importers, format_) if format_ else recognise(importers, file)
        done = import_file(workbench.store, importer, file)
    counts = {state: sum(item.state == state for item in done) for state in ("added", "updated", "present")}
    if as_json:
        print_json({**counts, "sessions": [item.session_id for item in done]})
        return
    updated = f", {counts['updated']} brought up to date" if counts["updated"] else ""
    there = f", {counts['present']} were here already" if counts["present"] else ""
    write(f"{_count(counts['added'], 'session')} added{updated}{there}.\n")


def _session(store: Store, id_: str) -> Session:
    """By its id, a beginning that only one has, or `last`. Raises BadInput."""
    session = store.session(id_)
    if session is not None and session.deleted_at is None:
        return session
    newest = sorted(store.sessions(limit=_ALL), key=lambda item: item.updated_at, reverse=True)
    if id_ == "last" and newest:
        return newest[0]
    matches = [item for item in newest if len(id_) >= SHORTEST_PREFIX and item.id.startswith(id_)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise BadInput(f"{len(matches)} sessions begin with {id_}.", hint="Give more of the id.")
    raise BadInput(f"There is no session or run {id_}.", hint="`workbench log list` shows the ids.")


def _by_format(formats: list[Format], name: str) -> Format:
    for item in formats:
        if item.format == name:
            return item
    raise BadInput(f"There is no format {name}.", hint=f"There are: {', '.join(item.format for item in formats)}.")


def _without_bytes(archive: dict[str, Any]) -> dict[str, Any]:
    for message in archive["messages"]:
        for part in message["parts"]:
            if "attachment" in part:
                del part["attachment"]["data"]
    return archive


def _marked(snippet: str, before: str, after: str) -> str:
    return snippet.replace(HIT_START, before).replace(HIT_END, after)


def _when(time: str) -> str:
    return time[:16].replace("T", " ")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
