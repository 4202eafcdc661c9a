"""Where every start begins: the engine's child process, a grader's code, the window, or the command line.

Nothing is imported before it is known which of them is wanted, so each starts as fast as it can.
"""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    if arguments is None:
        arguments = sys.argv[1:]
    if arguments[:1] == ["--engine-worker"]:
        from workbench.engine.child.main import main as engine_main  # noqa: PLC0415 - nothing else may load here

        return engine_main()
    if len(arguments) == 2 and arguments[0] == "--python-code":  # an installed program is its own `python -c`
        exec(compile(arguments[1], "<code>", "exec"), {"__name__": "__main__"})
        return 0
    if opens_window(arguments):
        from workbench.app.main import main as app_main  # noqa: PLC0415 - Qt: not for the command line

        return app_main(arguments)
    from workbench.cli.main import main as cli_main  # noqa: PLC0415 - not for the window

    return cli_main(arguments)


def opens_window(arguments: list[str]) -> bool:
    """No arguments, or only model files as a file manager hands them over."""
    return all(not name.startswith("-") and name.lower().endswith(".gguf") for name in arguments)


if __name__ == "__main__":
    sys.exit(main())
