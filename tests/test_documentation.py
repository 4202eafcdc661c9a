"""The documentation keeps up with the code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from workbench.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]


def all_commands() -> list[tuple[str, click.Command]]:
    """Every command of ours, subcommands included, by what is typed after `workbench`."""
    context = click.Context(cli)
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", subcommand) for sub, subcommand in command.commands.items()]
    return found


def test_every_command_is_explained_by_its_help() -> None:
    assert [name for name, command in all_commands() if not command.help] == []


def test_every_option_is_explained_by_its_help() -> None:
    unexplained = [
        f"{name} {option.opts[0]}"
        for name, command in all_commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.help and not isinstance(option.type, click.Choice)
    ]
    assert unexplained == []


@pytest.mark.parametrize("document", ["README.md"])
def test_every_command_stands_in_the_readme_and_no_other(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    mentioned = set(re.findall(r"^ {4}workbench ([a-z]+)", text, re.MULTILINE))
    assert mentioned == set(COMMANDS)


def test_paths_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    paths = re.findall(
        r"`(?:\./)?((?:workbench|packaging|plugins|\.ci)/[A-Za-z0-9_./]*|[A-Z]+\.md|pyproject\.toml)`", text
    )
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_commands_that_hang_on_every_platform_have_a_windows_launcher() -> None:
    for name in ("launch", "test"):
        assert (ROOT / "packaging" / f"{name}.cmd").exists()
        assert (ROOT / "packaging" / f"{name}.ps1").exists()
