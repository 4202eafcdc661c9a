"""Collects the window's texts for the translators, merges them into the catalogues and compiles those.

    python packaging/languages.py             collect, merge, compile; says what is untranslated
    python packaging/languages.py --check     fails if the catalogues are not what the sources say, or not complete

Catalogues are gettext's (`resources/languages/*.po`), which Poedit, Weblate and others read. Collected are the literal
strings in `tr`, `trn`, `trc` and `mark`, and what the layers below the window say: the texts of their errors,
and every sentence of the modules in `SPEAKING`. Those are written as f-strings, so that a message made of
f"No file {path.name}." has the template "No file {name}.", in the context "message".
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "resources" / "languages"
LANGUAGES = ("de", "zh_CN")
SOURCES = ("workbench", "plugins")
ENGLISH_ONLY = ("workbench/cli/", "workbench/engine/child/main.py", "workbench/__main__.py")
"""The command line stays English."""
SPEAKING: dict[str, tuple[str, ...]] = {
    "plugins/graders/code.py": (),
    "plugins/graders/structured.py": (),
    "plugins/graders/text.py": (),
    "plugins/log_formats/": (),
    "plugins/openai/services.py": (),
    "workbench/core/settings.py": ("_load",),
    "workbench/engine/chat_template.py": ("render_prompt", "_changes"),
    "workbench/engine/child/prompt.py": ("_make_fit",),
    "workbench/engine/failures.py": (),
    "workbench/evaluation/budget.py": (),
    "workbench/evaluation/decision.py": (),
    "workbench/evaluation/findings.py": (),
    "workbench/evaluation/grading.py": (),
    "workbench/evaluation/model_graders.py": (),
    "workbench/evaluation/report.py": ("money_line", "limits_of"),
    "workbench/evaluation/verdict.py": (),
    "workbench/providers/errors.py": (),
    "workbench/services/conditions.py": (),
    "workbench/services/doctor.py": (),
    "workbench/services/erasing.py": (),
    "workbench/services/fit.py": (),
    "workbench/services/keys.py": (),
    "workbench/services/model_removal.py": (),
    "workbench/services/replay.py": (),
    "workbench/services/runner.py": (),
    "workbench/store/opening.py": (),
}
"""Modules (or all of a folder) below the window whose sentences it shows though they are no errors; or only those of
some of their functions."""
PAGES = "resources/report"
"""Templates of pages; their texts stand in `_("…")`."""
IN_PAGE = re.compile(r'\b_\("([^"]+)"')
FOR_MACHINES = re.compile(
    r"%\w|\n\n|</|^\n|^(<|\{name\} -m pip|tuple\[|\"format\":|You judge answers)"
    r"|^(PRAGMA|SELECT|BEGIN|INSERT|UPDATE|DELETE|CREATE|UNIQUE|PRIMARY KEY)\b"
    r"| (TEXT|INTEGER|BLOB|REFERENCES)\b| = (ON|OFF)$|^'delete', "
)
"""Formats of times and logs, SQL, markup, prompts."""
MESSAGE = "message"
ROOT_ERROR = "WorkbenchError"
TEXT_ARGUMENTS = {"message", "hint"}
PLACE = re.compile(r"\{(\w*)\}")
CODE = re.compile(r"[a-z0-9_.:/-]+")
LEAST_LETTERS = 5
"""As in `workbench.core.message_templates`."""
PROJECT = "Model Workbench"
Key = tuple[str, str, str]
"""Context, text, plural."""


class NotLiteral(Exception):
    """A text that no catalogue can know: where, and why."""


@dataclass
class Collected:
    """Texts with the files they stand in."""

    texts: dict[Key, list[str]] = field(default_factory=dict)

    def add(self, context: str, text: str, plural: str, place: str) -> None:
        if text.strip():
            places = self.texts.setdefault((context, text, plural), [])
            if place not in places:
                places.append(place)


def source_files() -> list[Path]:
    files = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in files if not _name(path).startswith(ENGLISH_ONLY)]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def collect() -> Collected:
    """Every text of the program. Raises NotLiteral."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in source_files()}
    errors = error_names(trees.values())
    found = Collected()
    for path, tree in trees.items():
        name = _name(path)
        collect_marked(tree, name, found)
        collect_errors(tree, name, errors, found)
        for module, functions in SPEAKING.items():
            if name.startswith(module):
                for part in _parts(tree, functions):
                    collect_sentences(part, name, found)
    for page in sorted((ROOT / PAGES).glob("*.j2")):
        for text in IN_PAGE.findall(page.read_text(encoding="utf-8")):
            found.add("", text, "", _name(page))
    return found


def error_names(trees: Iterable[ast.AST]) -> set[str]:
    """`ErrorInfo`, every class that comes from `WorkbenchError`, and what is told during a run."""
    bases: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(_last_name(base) for base in node.bases)
    names = {ROOT_ERROR}
    while more := {name for name, above in bases.items() if above & names} - names:
        names |= more
    return names | {"ErrorInfo", "Notice"}


def collect_marked(tree: ast.AST, name: str, found: Collected) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, arguments = _last_name(node.func), node.args
        place = f"{name}:{node.lineno}"
        if called == "mark" and isinstance(node.func, ast.Name):
            found.add("", _literal(arguments[0], place), "", name)
        elif called == "tr" and isinstance(node.func, ast.Name) and not _is_variable(arguments[0]):
            for text in _alternatives(arguments[0], place):
                found.add("", text, "", name)
        elif called == "trn" and isinstance(node.func, ast.Name):
            found.add("", _literal(arguments[0], place), _literal(arguments[1], place), name)
        elif called == "trc" and isinstance(node.func, ast.Name):
            found.add(_literal(arguments[0], place), _literal(arguments[1], place), "", name)


def collect_errors(tree: ast.AST, name: str, errors: set[str], found: Collected) -> None:
    """The message and hint of each error that is made here, also where they were put into a variable before."""
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.Module):
            continue
        for node in _own_nodes(scope):
            if isinstance(node, ast.Call):
                for argument in _error_arguments(node, errors):
                    for text in filter(_says_something, _templates(argument, scope)):
                        found.add(MESSAGE, text, "", name)


def _error_arguments(node: ast.Call, errors: set[str]) -> list[ast.expr]:
    called = _last_name(node.func)
    above = called == "__init__" and isinstance(node.func, ast.Attribute) and _last_name(node.func.value) == "super"
    if called not in errors and not above:
        return []
    by_name = [keyword.value for keyword in node.keywords if keyword.arg in TEXT_ARGUMENTS]
    return node.args[:1] + by_name


def _parts(tree: ast.Module, functions: tuple[str, ...]) -> list[ast.AST]:
    if not functions:
        return [tree]
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in functions]


def collect_sentences(tree: ast.AST, name: str, found: Collected) -> None:
    """Every string that reads like words, but for docstrings, keys and what is said to other programs."""
    passed = {id(value) for node in ast.walk(tree) for value in _not_said(node)}

    def visit(node: ast.AST) -> None:
        if id(node) in passed:
            return
        if isinstance(node, ast.JoinedStr | ast.Constant):
            for text in _templates(node, None):
                if " " in text.strip() and _says_something(text):
                    found.add(MESSAGE, text, "", name)
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)


def _not_said(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value  # a docstring
    if isinstance(node, ast.Call) and _last_name(node.func) in ("compile", "search", "match", "fullmatch", "sub"):
        yield from node.args
    if isinstance(node, ast.Compare):
        yield from (side for side in [node.left, *node.comparators] if isinstance(side, ast.Constant))


def _says_something(text: str) -> bool:
    """Not the code of an error, nor only values and marks between them."""
    letters = sum(letter.isalpha() for letter in PLACE.sub("", text))
    return letters >= LEAST_LETTERS and not FOR_MACHINES.search(text) and "{}" not in text and not CODE.fullmatch(text)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in this function (or module), not in one inside it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own_nodes(child)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.id if isinstance(node, ast.Name) else ""


def _is_variable(node: ast.expr) -> bool:
    """A text that was marked elsewhere."""
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)


def _literal(node: ast.expr, place: str) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise NotLiteral(f"{place}: a text to translate must be one literal string")


def _alternatives(node: ast.expr, place: str) -> list[str]:
    if isinstance(node, ast.IfExp):
        return _alternatives(node.body, place) + _alternatives(node.orelse, place)
    return [_literal(node, place)]


def _templates(node: ast.AST, scope: ast.AST | None) -> list[str]:
    """The texts an expression can be, with `{name}` for its values; none where that can't be seen here."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        text = _joined(node)
        return [text] if re.search("[A-Za-z]", PLACE.sub("", text)) else []
    if isinstance(node, ast.IfExp):
        return _templates(node.body, scope) + _templates(node.orelse, scope)
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in _templates(value, scope)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _templates(node.left, scope) + _templates(node.right, scope)
    if isinstance(node, ast.Name) and scope is not None:
        assigned = [
            other.value
            for other in _own_nodes(scope)
            if isinstance(other, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == node.id for target in other.targets)
        ]
        return [text for value in assigned for text in _templates(value, None)]
    return []


def _joined(node: ast.JoinedStr) -> str:
    pieces, names = [], set[str]()
    for value in node.values:
        if isinstance(value, ast.Constant):
            pieces.append(str(value.value).replace("{", "{{").replace("}", "}}"))
        elif isinstance(value, ast.FormattedValue):
            pieces.append(f"{{{_place_name(value.value, names)}}}")
    return "".join(pieces)


def _place_name(node: ast.expr, taken: set[str]) -> str:
    """What a value in an f-string is called: its variable or attribute."""
    said = ast.unparse(node)
    word = next(iter(re.findall(r"[A-Za-z_]\w*", said)[::-1]), "value") if not isinstance(node, ast.Call) else ""
    word = (word or _last_name(node.func if isinstance(node, ast.Call) else node) or "value").strip("_") or "value"
    name, number = word, 1
    while name in taken:
        number += 1
        name = f"{word}{number}"
    taken.add(name)
    return name


# --- catalogues ----------------------------------------------------------------------------------------------------
def template(found: Collected) -> Catalog:
    """The catalogue without translations, in the order of the texts."""
    catalog = Catalog(project=PROJECT, charset="utf-8", fuzzy=False)
    for (context, text, plural), places in sorted(found.texts.items()):
        catalog.add(
            (text, plural) if plural else text,
            context=context or None,
            locations=[(place, 0) for place in sorted(places)],
            flags=["python-brace-format"] if PLACE.search(text) else [],
        )
    return catalog


def merged(language: str, texts: Catalog) -> Catalog:
    """The language's catalogue with today's texts: what is new is empty, what is gone is gone. Nothing is guessed."""
    path = FOLDER / f"{language}.po"
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    else:
        catalog = Catalog(locale=language, project=PROJECT, charset="utf-8", fuzzy=False)
    catalog.fuzzy = False
    catalog.update(texts, no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    return catalog


def po_bytes(catalog: Catalog) -> bytes:
    """The PO file. Without dates and line numbers, so that it changes only when a text does."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=110, sort_output=True, omit_header=False, include_lineno=False)
    lines = buffer.getvalue().decode().splitlines(keepends=True)
    unwanted = ('"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By', '"Last-Translator', '"Language-Team')
    unwanted += ('"Report-Msgid-Bugs-To', '"Project-Id-Version')
    return "".join(line for line in lines if not line.startswith(unwanted)).encode()


class Undated:
    """A catalogue to compile, with only those headers that are needed to read it: neither dates nor versions."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.charset = catalog.charset
        self.num_plurals = catalog.num_plurals

    def __iter__(self) -> Iterator[Message]:
        first, *texts = self._catalog
        needed = ("Language:", "Plural-Forms:", "MIME-Version:", "Content-")
        lines = [line for line in str(first.string).splitlines() if line.startswith(needed)]
        yield Message("", "\n".join(lines))
        yield from texts


def mo_bytes(catalog: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, Undated(catalog))
    return buffer.getvalue()


def problems(language: str, catalog: Catalog) -> list[str]:
    """Entries without a translation, marked as uncertain, or with other `{places}` than the English text."""
    found = []
    for message in catalog:
        if not message.id:
            continue
        texts = list(message.string) if isinstance(message.string, tuple | list) else [message.string]
        sources = list(message.id) if isinstance(message.id, tuple | list) else [message.id]
        if not all(texts):
            found.append(f"{language}: not translated: {sources[0]!r}")
        elif message.fuzzy:
            found.append(f"{language}: uncertain: {sources[0]!r}")
        elif not all(_has_places(text, sources) for text in texts):
            found.append(f"{language}: other places than in {sources[0]!r}")
    return found


def _has_places(text: str, sources: list[str]) -> bool:
    """Whether a translation has the `{places}` of the English text; a plural form may leave out what one form does."""
    places, each = set(PLACE.findall(text)), [set(PLACE.findall(source)) for source in sources]
    return set.intersection(*each) <= places <= set.union(*each)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if anything would change")
    options = parser.parse_args(arguments)
    try:
        texts = template(collect())
    except NotLiteral as error:
        print(error, file=sys.stderr)
        return 1
    files = {FOLDER / "workbench.pot": po_bytes(texts)}
    told: list[str] = []
    for language in LANGUAGES:
        catalog = merged(language, texts)
        files[FOLDER / f"{language}.po"] = po_bytes(catalog)
        files[FOLDER / f"{language}.mo"] = mo_bytes(catalog)
        told += problems(language, catalog)
    old = [path for path, data in files.items() if not path.exists() or path.read_bytes() != data]
    if not options.check:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in old:
            path.write_bytes(files[path])
    else:
        told += [f"{path.name} is not what the sources say: run {Path(__file__).name}" for path in old]
    for line in told:
        print(line, file=sys.stderr)
    print(f"{len(texts)} texts, {len(told)} problems")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
