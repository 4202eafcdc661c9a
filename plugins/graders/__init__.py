"""Graders that ship with the program: text, numbers, JSON and code."""

from __future__ import annotations

from workbench.hookspecs import GraderPlugin, hookimpl

from . import code, structured, text


@hookimpl
def workbench_graders() -> list[GraderPlugin]:
    return [
        text.Exact(),
        text.Normalised(),
        text.Contains(),
        text.Regex(),
        text.Numeric(),
        structured.JsonSchema(),
        structured.JsonFields(),
        code.PythonCode(),
    ]
