"""`workbench inspect`: what is in a GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from workbench.cli.context import Workbench
from workbench.cli.output import human_bytes, print_json, print_table, write
from workbench.core.errors import BadInput
from workbench.core.gguf import GgufHeader, LazyArray, ModelFacts, read_header

LONGEST_VALUE = 100

EPILOG = f"""\b
With --json one object: path, size_bytes, gguf_version,
  {", ".join(ModelFacts.__struct_fields__[:9])},
  {", ".join(ModelFacts.__struct_fields__[9:])},
  metadata (long arrays as {{"array": how many}}), tensors (name, shape, type, size_bytes).
"""


@click.command(epilog=EPILOG)
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with everything.")
@click.option("--tensors", is_flag=True, help="List the tensors too.")
@click.option("--template", is_flag=True, help="Print the chat template and nothing else.")
def inspect(model: str, as_json: bool, tensors: bool, template: bool) -> None:
    """Show the metadata, tensors and chat template of a GGUF file without loading the model.

    MODEL is a file, or the id of a local model as `workbench models` lists it.
    """
    file = _file_of(model)
    header = read_header(file)
    facts = header.facts
    if template:
        write((facts.chat_template or "").rstrip("\n") + "\n")
    elif as_json:
        print_json(_as_json(file, header, facts))
    else:
        _print(file, header, facts, tensors=tensors)


def _file_of(model: str) -> Path:
    """Raises UnknownModel, and BadInput for a model that is no file of this machine."""
    file = Path(model)
    if file.is_file():
        return file
    with Workbench(log_runs=False) as workbench:
        info = workbench.catalog.get(model).info
    if not info.path:
        raise BadInput(f"{model} is no local model, so there is no file to look into.")
    return Path(info.path)


def _as_json(file: Path, header: GgufHeader, facts: ModelFacts) -> dict[str, Any]:
    return {
        "path": str(file),
        "size_bytes": file.stat().st_size,
        "gguf_version": header.version,
        **{name: getattr(facts, name) for name in ModelFacts.__struct_fields__},
        "metadata": {
            key: {"array": value.count} if isinstance(value, LazyArray) else value
            for key, value in header.metadata.items()
        },
        "tensors": [
            {"name": tensor.name, "shape": tensor.shape, "type": tensor.type, "size_bytes": tensor.size_bytes}
            for tensor in header.tensors
        ],
    }


def _print(file: Path, header: GgufHeader, facts: ModelFacts, *, tensors: bool) -> None:
    write(f"{file}  {human_bytes(file.stat().st_size)}, GGUF version {header.version}\n\n")
    named = [(name.replace("_", " "), getattr(facts, name)) for name in ModelFacts.__struct_fields__]
    rows = [(name, _shortened(value)) for name, value in named if value not in (None, "", False, {})]
    print_table(("FACT", "VALUE"), rows)
    write("\n")
    print_table(("METADATA", "VALUE"), [(key, _shortened(value)) for key, value in header.metadata.items()])
    if tensors:
        write("\n")
        shapes = [(t.name, t.type, " x ".join(map(str, t.shape)), human_bytes(t.size_bytes)) for t in header.tensors]
        print_table(("TENSOR", "TYPE", "SHAPE", "SIZE"), shapes)


def _shortened(value: Any) -> str:
    if isinstance(value, LazyArray):
        return f"({value.count} values)"
    text = " ".join(str(value).split()) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"
