"""A Jinja2 environment for hostile templates: no side effects, bounded time, memory and output.

Jinja2's immutable sandbox keeps templates away from Python's insides, but a template can still burn time and memory.
Two means against that:
- `time_limit` raises an exception in the rendering thread, which stops every loop that runs Python code;
- what runs in C for long or allocates much in one step (`'x' * 10**9`, `x ~ x` forty times over, `join`, `replace`,
  number formats, `tojson` of a list that holds itself twice at every level) is measured before it is done.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import json
import re
import string
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView, MappingView, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension, loopcontrols
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

LARGEST_VALUE = 8 * 1024 * 1024
"""Characters of a text, or of a list's content written out, in any step."""
LARGEST_TOTAL = 64 * LARGEST_VALUE
"""Characters made in all steps together."""
LARGEST_NUMBER = 100_000
"""As an argument of a filter or a method: widths, counts, precisions."""
LARGEST_BITS = 10_000
DEEPEST = 64
CONTAINERS = (list, tuple, dict, set, frozenset, MappingView)
FILTER_NAMES = (
    "abs attr batch capitalize count d default dictsort e escape first float forceescape groupby int items last length "
    "list lower map max min reject rejectattr reverse round safe select selectattr slice sort string striptags title "
    "trim truncate unique upper urlencode wordcount"
)


class TooLong(BaseException):
    """Raised into a thread whose time is over. Not an `Exception`, so that nothing on the way swallows it."""


class TooMuch(jinja2.TemplateRuntimeError):
    """A step would take too much memory."""


class Rejected(jinja2.TemplateRuntimeError):
    """The template itself called `raise_exception`."""


class Budget:
    """What one rendering has used up, and the sizes of the containers it has seen."""

    def __init__(self) -> None:
        self._spent = 0
        self._weights: dict[int, tuple[object, int]] = {}  # holds the objects, so that ids stay theirs

    def check(self, size: int) -> None:
        """Raises TooMuch for a value that would be too large."""
        if size > LARGEST_VALUE:
            raise TooMuch("a text or list becomes too large")

    def spend(self, amount: int) -> None:
        """Account for something that is really made: `amount` characters or entries."""
        self.check(amount)
        self._spent += amount
        if self._spent > LARGEST_TOTAL:
            raise TooMuch("all its steps together make too much text")

    def weigh(self, value: object, depth: int = 0) -> int:
        """Roughly the characters of `value` written out. Raises TooMuch where that is more than LARGEST_VALUE.

        Containers can't change (the sandbox sees to that), so each is walked once: that keeps lists which hold one
        list many times, at many levels, cheap to measure, though they are huge when written.
        """
        if isinstance(value, str | bytes):
            return len(value) + 1
        if isinstance(value, Namespace):
            raise TooMuch("a namespace can't be written as text")
        if not isinstance(value, Collection) or not isinstance(value, CONTAINERS):
            return 1
        known = self._weights.get(id(value))
        if known is not None:
            return known[1]
        if depth > DEEPEST:
            raise TooMuch("a list is nested too deep")
        children: Any = itertools.chain(value, value.values()) if isinstance(value, dict) else value
        total, nested = 1, False
        for child in children:
            total += self.weigh(child, depth + 1)
            nested = nested or not isinstance(child, str | bytes | int | float | None)
            if total > LARGEST_VALUE:
                raise TooMuch("a list becomes too large")
        if nested or len(value) > DEEPEST:
            self.spend(len(value) + 200)
            self._weights[id(value)] = (value, total)
        return total


_budget: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TooLong inside the block when `seconds` are over, and gives the block a fresh budget."""
    token = _budget.set(Budget())
    watchdog = _Watchdog(threading.get_ident(), seconds)
    try:
        try:
            yield
        finally:
            watchdog.stop()
    finally:
        _budget.reset(token)


class _Watchdog:
    """Interrupts a thread once its time is over, and again until it has noticed."""

    def __init__(self, thread_id: int, seconds: float) -> None:
        self._thread_id = ctypes.c_ulong(thread_id)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._fired = False
        self._thread = threading.Thread(target=self._watch, args=(seconds,), name="template watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            if self._fired:  # an exception that was set but not yet raised must not hit what comes after
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread_id, None)

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopped.wait(max(0.05, end - time.monotonic())):
            with self._lock:
                if self._stopped.is_set():
                    return
                self._fired = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread_id, ctypes.py_object(TooLong))


class GenerationTag(Extension):
    """`{% generation %}` marks the assistant's tokens for training; for a prompt only its body counts."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja2 declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Generator(CodeGenerator):
    """Sends what Jinja2 would compile to plain Python expressions through the environment's checks."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja2's name
        self.write("environment.concatenate((")
        for child in node.nodes:
            self.visit(child, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._checked(super().visit_List, node, frame, node.items)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        if node.ctx == "load":
            self._checked(super().visit_Tuple, node, frame, node.items)
        else:
            super().visit_Tuple(node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._checked(super().visit_Dict, node, frame, [pair.value for pair in node.items])

    def _checked(self, visit: Callable[..., None], node: nodes.Expr, frame: Frame, items: list[nodes.Expr]) -> None:
        if all(isinstance(item, nodes.Const) for item in items):
            visit(node, frame)
            return
        self.write("environment.container(")
        visit(node, frame)
        self.write(")")


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """As Hugging Face's templates expect it. Use it inside `time_limit` only."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            cache_size=0,
            finalize=self._finalize,
            extensions=[loopcontrols, GenerationTag],
        )
        self.concat = self._join_pieces  # type: ignore[method-assign]
        self.filters = {name: _bounded_filter(FILTERS[name]) for name in FILTER_NAMES.split()}
        self.filters |= {"tojson": _tojson, "join": _join, "replace": _replace, "indent": _indent, "sum": _sum}
        self.filters["format"] = lambda value, *args, **kwargs: _percent(str(value), kwargs or args)
        self.globals = {
            "range": self.globals["range"],
            "namespace": Namespace,
            "dict": lambda *args, **kwargs: self.container(dict(*args, **kwargs)),
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
        }

    def container(self, value: Any) -> Any:
        _budget.get().weigh(value)
        return value

    def concatenate(self, values: tuple[object, ...]) -> str:
        return self._join_pieces([_text(value) for value in values])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            return _percent(left, right)
        if operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
            factor = max(right, 0) if operator == "**" else 1
            bits = left.bit_length() * factor if operator == "**" else left.bit_length() + right.bit_length()
            if bits > LARGEST_BITS:
                raise TooMuch("a number becomes too large")
        elif operator == "*":
            sequence, times = (left, right) if isinstance(right, int) else (right, left)
            if isinstance(times, int):
                _budget.get().check(_budget.get().weigh(sequence) * max(times, 0))
                _budget.get().spend(len(sequence) * max(times, 0) if isinstance(sequence, Collection) else 1)
        elif operator == "+" and isinstance(left, Collection) and isinstance(right, Collection):
            _budget.get().check(_budget.get().weigh(left) + _budget.get().weigh(right))
            _budget.get().spend(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, function: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, str | bytes | int | float | list | tuple | dict):
            return super().call(context, function, *args, **kwargs)
        args = _check_method(owner, function.__name__, args, kwargs)
        result = super().call(context, function, *args, **kwargs)
        if isinstance(result, str | bytes | list):
            _budget.get().spend(len(result))
        return result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        template: str = value.__self__

        def bounded(*args: Any, **kwargs: Any) -> str:
            _check_format(template, (args, kwargs))
            return wrapped(*args, **kwargs)

        return bounded

    def _finalize(self, value: object) -> object:
        _budget.get().weigh(value)
        return value

    def _join_pieces(self, pieces: Iterable[str]) -> str:
        pieces = list(pieces)
        _budget.get().spend(sum(map(len, pieces)))
        return "".join(pieces)


def _text(value: object) -> str:
    _budget.get().weigh(value)
    return str(value)


def _check_number(value: object) -> None:
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise TooMuch(f"{value:.3g} is too large a number here" if abs(value) < 1e300 else "a number is too large")


def _bounded_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """The wrapper keeps Jinja2's marks on the function, so context and environment still come first."""

    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        budget = _budget.get()
        budget.check(sum(budget.weigh(value) for value in (*args, *kwargs.values())))
        for value in (*args[1:], *kwargs.values()):
            _check_number(value)
        result = function(*args, **kwargs)
        if isinstance(result, str | list):
            budget.weigh(result)
            budget.spend(len(result))
        return result

    return bounded


def _items(values: Iterable[Any]) -> list[Any]:
    """The items of a list or generator, measured while they come."""
    budget, total, items = _budget.get(), 0, []
    for item in values:
        total += budget.weigh(item)
        budget.check(total)
        items.append(item)
    budget.spend(len(items))
    return items


def _join(value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    items = _items(value)
    if attribute is not None:
        items = [item.get(attribute, "") if isinstance(item, dict) else item[attribute] for item in items]
    texts, separator = [_text(item) for item in items], _text(d)
    _budget.get().spend(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace(s: object, old: object, new: object, count: int | None = None) -> str:
    text, before, after = _text(s), _text(old), _text(new)
    _check_replace(text, before, after)
    return text.replace(before, after, -1 if count is None else count)


def _check_replace(text: Any, old: Any, new: Any) -> None:
    times = text.count(old) if old else len(text) + 1
    _budget.get().spend(len(text) + times * max(0, len(new) - len(old)))


def _indent(s: object, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    _check_number(width)
    text, indention = _text(s), width if isinstance(width, str) else " " * width
    _budget.get().spend(len(text) + (text.count("\n") + 1) * len(indention))
    lines = text.split("\n")
    rest = [indention + line if line or blank else line for line in lines[1:]]
    return "\n".join([(indention if first else "") + lines[0], *rest])


def _sum(value: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> Any:
    items = _items(value)
    if attribute is not None:
        items = [item[attribute] for item in items]
    if not all(isinstance(item, int | float) for item in (start, *items)):
        raise TooMuch("`sum` adds numbers only")
    return sum(items, start)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """As Hugging Face defines it: not escaped for HTML."""
    if indent is not None and (not isinstance(indent, int) or not 0 <= indent <= 16):
        raise TooMuch("`tojson` can't indent by that")
    _budget.get().check(_budget.get().weigh(value) * (1 + (indent or 0)))
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys, default=_plain
    )


def _plain(value: object) -> Any:
    if isinstance(value, jinja2.Undefined):
        raise jinja2.UndefinedError("`tojson` of something undefined")
    if isinstance(value, KeysView | ValuesView):
        return list(value)
    raise TypeError(f"`tojson` can't write a {type(value).__name__}")


_PERCENT = re.compile(r"%(?:\([^)]{0,200}\))?[#0\- +]{0,9}(\*|\d+)?(?:\.(\*|\d+))?")


def _percent(template: str, values: Any) -> str:
    """`template % values`, with widths as small as people write them."""
    fields, widest = 0, 0
    for match in _PERCENT.finditer(template):
        fields += 1
        for number in filter(None, match.groups()):
            if not number.isdecimal() or len(number) > 4:
                raise TooMuch("a format is too wide")
            widest = max(widest, int(number))
    _budget.get().spend(len(template) + fields * (widest + _budget.get().weigh(values)))
    return str(template % values)


def _check_format(template: str, values: object) -> None:
    fields, widest = 0, 0
    for _, name, spec, _ in string.Formatter().parse(template):
        fields += name is not None
        if spec and "{" in spec:
            raise TooMuch("a format inside a format")
        for number in re.findall(r"\d+", spec or ""):
            if len(number) > 4:
                raise TooMuch("a format is too wide")
            widest = max(widest, int(number))
    _budget.get().spend(len(template) + fields * (widest + _budget.get().weigh(values)))


def _check_method(owner: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Raises TooMuch for a call that would make much out of little. Returns the arguments to use."""
    budget = _budget.get()
    if not isinstance(owner, str | bytes):
        for value in (*args, *kwargs.values()):
            _check_number(value)
        return args
    if name in ("translate", "maketrans"):
        raise TooMuch(f"`{name}` is not allowed")
    if name == "join" and args:
        items = _items(args[0])
        if not all(isinstance(item, str | bytes) for item in items):
            raise TypeError("`join` takes texts only")
        budget.spend(sum(map(len, items)) + len(owner) * len(items))
        return (items,)
    if name == "replace" and len(args) >= 2:
        _check_replace(owner, args[0], args[1])
    for value in (*args, *kwargs.values()):
        _check_number(value)
        if name == "expandtabs" and isinstance(value, int):
            budget.spend(len(owner) * abs(value))
    return args


def _raise_exception(message: object = "") -> None:
    raise Rejected(_text(message))


def _strftime_now(pattern: str) -> str:
    if len(pattern) > 100 or re.search(r"%[-_^#0]*\d", pattern):
        raise TooMuch("the date's format is too long")
    return time.strftime(pattern)
