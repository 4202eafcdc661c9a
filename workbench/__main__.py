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
        return run_code(arguments[1])
    if opens_window(arguments):
        from workbench.app.main import main as app_main  # noqa: PLC0415 - Qt: not for the command line

        return app_main(arguments)
    try:
        from workbench.cli.main import main as cli_main  # noqa: PLC0415 - not for the window

        return cli_main(arguments)
    except KeyboardInterrupt:  # while modules are imported; later ones the command line answers itself
        print("Stopped.", file=sys.stderr)  # noqa: T201
        return 130


def run_code(code: str) -> int:
    """As `python -c` does it; an exception's text is the last line, which the grader shows."""
    try:
        exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
    except Exception:
        import traceback  # noqa: PLC0415 - only now

        traceback.print_exc()
        return 1
    return 0


def opens_window(arguments: list[str]) -> bool:
    """No arguments, or only model files as a file manager hands them over."""
    return all(not name.startswith("-") and name.lower().endswith(".gguf") for name in arguments)


if __name__ == "__main__":
    sys.exit(main())
