"""An error in a method that Qt calls is reported like any other, and does not end the process.

Python before 3.12 makes an exception's object only where something handles it. What C code raises (IndexError of a
list, RuntimeError of a deleted widget, StopIteration) leaves a Python function as a text, or as nothing at all. If
Python code had called into Qt (`show()`, `adjustSize()`, a new accessible name), PySide 6.11 reads the arguments of
that "object" to put the method's name before them: a segmentation fault. An `except` on the way makes the object.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, update_wrapper
from types import FunctionType
from typing import Any

from shiboken6 import Shiboken

NEEDED = sys.version_info < (3, 12)
_TAKES_ANY = 0x04 | 0x08
"""`inspect.CO_VARARGS | inspect.CO_VARKEYWORDS`, without importing all of it before the first paint."""
_TEMPLATE = """
def guard(method):
    def guarded({parameters}):
        try:
            return method({parameters})
        except BaseException:
            raise
    return guarded
"""


def install() -> None:
    """Guard the overrides of every class that is derived from Qt's from now on."""
    if NEEDED:
        Shiboken.Object.__init_subclass__ = classmethod(_guard_overrides)  # type: ignore[method-assign, assignment]


def _guard_overrides(kind: type, /, **_arguments: Any) -> None:
    bases = [vars(base) for base in kind.__mro__[1:] if base.__module__.startswith("PySide6.")]
    for name, method in list(vars(kind).items()):
        if isinstance(method, FunctionType) and not name.startswith("__") and any(name in base for base in bases):
            setattr(kind, name, _guarded(method))


def _guarded(method: FunctionType) -> FunctionType:
    """With the same parameters: PySide counts a slot's to see how many of the signal's arguments it takes."""
    code = method.__code__
    if code.co_kwonlyargcount or code.co_flags & _TAKES_ANY:
        guarded = _guard_for("*args, **kwargs")(method)
    else:
        guarded = _guard_for(", ".join(code.co_varnames[: code.co_argcount]))(method)
        guarded.__defaults__ = method.__defaults__
    update_wrapper(guarded, method)
    return guarded


@cache
def _guard_for(parameters: str) -> Callable[[FunctionType], FunctionType]:
    names: dict[str, Any] = {}
    exec(_TEMPLATE.format(parameters=parameters), names)  # parameters of functions that are compiled already
    guard: Callable[[FunctionType], FunctionType] = names["guard"]
    return guard
