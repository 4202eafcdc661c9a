"""`workbench models`: what can answer."""

from __future__ import annotations

import click

from workbench.cli.context import Workbench
from workbench.cli.output import human_bytes, print_json, print_table
from workbench.core.models import ModelInfo

EPILOG = f"""\b
With --json: a list of objects with
  {", ".join(ModelInfo.__struct_fields__[:7])},
  {", ".join(ModelInfo.__struct_fields__[7:])}
`id` is what -m takes. `remote` true means that the prompt leaves this machine. Unknown values are null.
"""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print a list of complete descriptions.")
def models(as_json: bool) -> None:
    """List the models that can answer now: local files and configured services. Connects to nothing."""
    with Workbench() as workbench:
        found = workbench.catalog.models()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            model.id,
            model.provider,
            model.quantization,
            human_bytes(model.size_bytes),
            "" if model.context_length is None else str(model.context_length),
            model.name,
        )
        for model in found
    ]
    print_table(("ID", "PROVIDER", "QUANT", "SIZE", "CONTEXT", "NAME"), rows)
