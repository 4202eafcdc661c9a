"""`workbench doctor`: what is installed, and what is wrong with it."""

from __future__ import annotations

import click

from workbench.cli.context import Workbench
from workbench.cli.output import print_json, write
from workbench.services.doctor import Report, examine
from workbench.services.doctor_text import report_text

EPILOG = f"""\b
With --json one object:
  {", ".join(Report.__struct_fields__[:9])},
  {", ".join(Report.__struct_fields__[9:])}
Exit code 1 if there are problems that keep the program from working, else 0.
"""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> int:
    """Check versions, the engine, GPU, memory, paths, the database and plugins."""
    with Workbench() as workbench:
        report = examine(
            workbench.paths,
            workbench.plugins,
            workbench.keys,
            settings_problem=workbench.settings_file.problem,
        )
    if as_json:
        print_json(report)
    else:
        write(report_text(report))
    return 1 if report.engine.error or report.database.problems else 0
