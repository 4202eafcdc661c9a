"""The `workbench` command: finds the subcommand, and turns every way to fail into one line and an exit code.

Exit codes: 0 good, 1 the work failed, 2 bad input, 130 stopped with Ctrl+C.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import click

from workbench import __version__
from workbench.core.errors import WorkbenchError

COMMANDS = {
    "run": "workbench.cli.run:run",
    "models": "workbench.cli.models:models",
    "search": "workbench.cli.hub:search",
    "download": "workbench.cli.hub:download",
    "remove": "workbench.cli.hub:remove",
    "eval": "workbench.cli.evaluate:evaluate",
    "log": "workbench.cli.log:log",
    "inspect": "workbench.cli.inspect:inspect",
    "backup": "workbench.cli.backup:backup",
    "restore": "workbench.cli.backup:restore",
    "doctor": "workbench.cli.doctor:doctor",
}
"""Imported when used: `workbench --version` loads none of them."""

EXIT_CANCELLED = 130
EXIT_BROKEN_PIPE = 141


class LazyGroup(click.Group):
    """The program's own commands by name, and after them those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugin_commands(ctx)
        return [*COMMANDS, *sorted(name for name in self.commands if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module_name, _, attribute = COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(importlib.import_module(module_name), attribute)
            return command
        self._load_plugin_commands(ctx)
        return self.commands.get(cmd_name)

    def _load_plugin_commands(self, ctx: click.Context) -> None:
        if ctx.meta.setdefault("workbench.plugin_commands_loaded", False):
            return
        ctx.meta["workbench.plugin_commands_loaded"] = True
        from workbench.cli.context import Workbench  # noqa: PLC0415 - not needed for a command of our own

        with Workbench() as workbench:
            workbench.plugins.add_commands(self)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="workbench")
def cli() -> None:
    """Model Workbench. Without a command it opens the window.

    All files of the program are moved under one folder by the variable WORKBENCH_HOME.
    """


def main(arguments: list[str]) -> int:
    """Run one command. Returns the exit code; never raises."""
    _use_utf8()
    restore = _terminate_like_ctrl_c()
    try:
        result = _invoke(arguments)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "workbench"
        return _fail(f"{_one_line(error.format_message())} (see `{command} --help`)", error.exit_code)
    except click.ClickException as error:
        return _fail(_one_line(error.format_message()), error.exit_code)
    except WorkbenchError as error:
        return _fail(_one_line(str(error)), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("Stopped.", EXIT_CANCELLED, label="")
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:  # a bug of ours: never a traceback on the screen
        return _fail(_report_bug(error, arguments), 1)
    finally:
        restore()


def _invoke(arguments: list[str]) -> object:
    if "_WORKBENCH_COMPLETE" in os.environ:  # click's completion in the shell
        return cli.main(args=arguments, prog_name="workbench")
    # not cli.main: it answers a broken pipe and Ctrl+C in its own way
    with cli.make_context("workbench", list(arguments)) as context:
        return cli.invoke(context)


def _fail(message: str, exit_code: int, label: str = "Error: ") -> int:
    from workbench.core.redact import redact  # noqa: PLC0415 - only failures need it

    try:
        sys.stdout.flush()
        print(label + redact(message), file=sys.stderr)
    except BrokenPipeError:
        return _reader_left()
    return exit_code


def _report_bug(error: Exception, arguments: list[str]) -> str:
    from workbench.core.paths import Paths  # noqa: PLC0415 - only failures need it
    from workbench.services.crash import write_crash_report  # noqa: PLC0415

    report = write_crash_report(error, Paths.of_user(), doing=f"workbench {' '.join(arguments[:1])}")
    where = f" Details are in {report}." if report else ""
    return f"Something went wrong inside the program ({type(error).__name__}).{where}"


def _reader_left() -> int:
    """What reads our output has gone (`| head`): end quietly, also at the flush when Python exits."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _use_utf8() -> None:
    """Windows consoles and a POSIX locale would fail on an answer's first emoji."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _terminate_like_ctrl_c() -> Callable[[], None]:
    """SIGTERM and SIGHUP save what is there and end like Ctrl+C. Returns a function that undoes it."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[int, Any] = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, interrupt)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
