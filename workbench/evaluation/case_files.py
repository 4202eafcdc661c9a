"""Test cases from files: CSV, JSONL, JSON, YAML and Excel.

A column or key named in `SPECIAL` is a field of the case; every other one is a variable of the prompt's template.
The files come from strangers: sizes are bounded and every error names the row.
"""

from __future__ import annotations

import csv
import json
import mimetypes
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from workbench.core.errors import BadInput
from workbench.core.messages import Attachment, AudioPart, FilePart, ImagePart, Message, Part
from workbench.evaluation.cases import TestCase, with_unique_ids

MAX_FILE_BYTES = 200_000_000
MAX_CASES = 200_000
MAX_ATTACHMENT_BYTES = 20_000_000
SPECIAL = {"id", "expected", "__expected", "tags", "cluster", "weight", "sealed", "messages", "variables", "vars"}
SPECIAL |= {"attachments"}
SUFFIXES = {".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".yaml", ".yml", ".xlsx"}


def read_cases(path: Path) -> list[TestCase]:
    """All cases of a file, chosen by its suffix. Raises BadInput with the row that is wrong."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{path.name}: test cases come as CSV, JSONL, JSON, YAML or Excel (.xlsx), not {suffix!r}.")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from None
    if size > MAX_FILE_BYTES:
        raise BadInput(f"{path.name} has {size // 1_000_000} MB; test sets hold at most {MAX_FILE_BYTES // 1_000_000}.")
    return parse_rows(_rows(path, suffix), path.name, path.parent)


def parse_rows(rows: Iterable[tuple[int, Any]], source: str, folder: Path | None = None) -> list[TestCase]:
    """Cases from (row number, mapping) pairs. `source` names the file in errors; attachments' names lead from
    `folder` and stay within it."""
    cases: list[TestCase] = []
    for number, row in rows:
        if len(cases) >= MAX_CASES:
            raise BadInput(f"{source} has more than {MAX_CASES} cases.")
        try:
            cases.append(_case(row, folder))
        except BadInput as error:
            raise BadInput(f"{source}, row {number}: {error}") from None
        except (ValueError, TypeError, msgspec.ValidationError) as error:
            raise BadInput(f"{source}, row {number}: {error}.") from None
    if not cases:
        raise BadInput(f"{source} holds no test case.")
    return with_unique_ids(cases)


def _rows(path: Path, suffix: str) -> Iterator[tuple[int, Any]]:
    try:
        if suffix in {".csv", ".tsv"}:
            yield from _csv(path, "\t" if suffix == ".tsv" else None)
        elif suffix in {".jsonl", ".ndjson"}:
            yield from _json_lines(path)
        elif suffix == ".xlsx":
            yield from _excel(path)
        else:
            yield from enumerate(_list_of(_document(path, suffix)), 1)
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is not UTF-8 text.", hint="Save it as UTF-8 and try again.") from None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from None


def _csv(path: Path, delimiter: str | None) -> Iterator[tuple[int, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        if delimiter is None:
            first = file.readline()
            delimiter = max(",;\t", key=first.count)
            file.seek(0)
        reader = csv.DictReader(file, delimiter=delimiter, restkey="__extra")
        try:
            for row in reader:
                if "__extra" in row:
                    raise BadInput(f"{path.name}, row {reader.line_num}: more cells than the header has columns.")
                yield reader.line_num, {str(key).strip(): value for key, value in row.items() if value is not None}
        except csv.Error as error:
            raise BadInput(f"{path.name}, row {reader.line_num}: {error}.") from None


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"{path.name}, row {number}: not valid JSON ({error}).") from None


def _document(path: Path, suffix: str) -> Any:
    text = path.read_text(encoding="utf-8-sig")
    if suffix == ".json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path.name} is not valid JSON: {error}.") from None
    return load_yaml(text, path.name)


def load_yaml(text: str, source: str) -> Any:
    """YAML without aliases: they let a small file grow to gigabytes, and test files need none."""
    import yaml  # noqa: PLC0415  only evaluations read YAML

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise BadInput(f"{source}: YAML aliases (*name) are not supported.")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"{source} is not valid YAML: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise BadInput(f"{source} is nested too deeply.") from None


def _list_of(document: Any) -> list[Any]:
    if isinstance(document, dict):
        document = document.get("cases", document.get("tests"))
    if not isinstance(document, list):
        raise BadInput("A JSON or YAML test set is a list of cases, or an object with the list under 'cases'.")
    return document


def _excel(path: Path) -> Iterator[tuple[int, Any]]:
    import zipfile  # noqa: PLC0415  only for Excel files

    from openpyxl import load_workbook  # noqa: PLC0415  only for Excel files
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > 5 * MAX_FILE_BYTES:
                raise BadInput(f"{path.name} unpacks to more than {5 * MAX_FILE_BYTES // 1_000_000} MB.")
        book = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BadInput(f"{path.name} is not an Excel workbook: {error}.") from None
    try:
        sheet = book.worksheets[0]
        rows = sheet.iter_rows(values_only=True)
        header = [str(cell).strip() if cell is not None else "" for cell in next(rows, ())]
        for number, row in enumerate(rows, 2):
            cells = {name: value for name, value in zip(header, row, strict=False) if name and value is not None}
            if cells:
                yield number, cells
    finally:
        book.close()


def _case(row: Any, folder: Path | None) -> TestCase:
    if not isinstance(row, dict):
        raise ValueError("a case is an object with names and values")
    variables = dict(row.get("variables") or row.get("vars") or {})
    variables.update({str(key): value for key, value in row.items() if key not in SPECIAL and value != ""})
    tags = row.get("tags") or ()
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",") if tag.strip()]
    return TestCase(
        id=str(row.get("id") or ""),
        variables=variables,
        messages=(*_messages(row.get("messages") or ()), *_attached(row.get("attachments") or (), folder)),
        expected=row.get("expected", row.get("__expected")),
        tags=tuple(map(str, tags)),
        cluster=str(row["cluster"]) if row.get("cluster") not in (None, "") else None,
        weight=_weight(row.get("weight")),
        sealed=str(row.get("sealed", "")).strip().lower() in {"1", "true", "yes"},
    )


def _messages(value: Any) -> tuple[Message, ...]:
    """Messages in our own form (parts) or in OpenAI's (`content` text)."""
    if isinstance(value, str):
        value = json.loads(value)
    messages = []
    for item in value:
        if isinstance(item, dict) and isinstance(item.get("content"), str):
            item = {"role": item.get("role"), "parts": [{"type": "text", "text": item["content"]}]}
        messages.append(msgspec.convert(item, Message))
    return tuple(messages)


def _attached(names: Any, folder: Path | None) -> tuple[Message, ...]:
    """Files beside the test set as a user message without text: it becomes one with the prompt."""
    if isinstance(names, str):
        names = [name.strip() for name in names.split(";") if name.strip()]
    if not names:
        return ()
    if folder is None:
        raise ValueError("attachments can only be named in a file")
    parts = []
    for name in names:
        path = (folder / str(name)).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ValueError(f"the attachment {name} is not in the test set's folder")
        parts.append(part_of_file(path))
    return (Message("user", tuple(parts)),)


def part_of_file(path: Path) -> Part:
    """A file as a part of a message. Raises BadInput for one that can't be read or is too large."""
    try:
        if path.stat().st_size > MAX_ATTACHMENT_BYTES:
            raise BadInput(f"{path.name} is larger than {MAX_ATTACHMENT_BYTES // 1_000_000} MB.")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.") from None
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    attachment = Attachment.of(data, media_type, path.name)
    if media_type.startswith("image/"):
        return ImagePart(attachment)
    if media_type.startswith("audio/"):
        return AudioPart(attachment)
    try:
        return FilePart(attachment, data.decode("utf-8"))
    except UnicodeDecodeError:
        return FilePart(attachment)


def _weight(value: Any) -> float:
    if value in (None, ""):
        return 1.0
    weight = float(value)
    if not 0 < weight < float("inf"):
        raise ValueError("the weight must be a positive number")
    return weight
