"""`workbench doctor`: what is installed, and what is wrong with it."""

from __future__ import annotations

import click

from workbench.cli.context import Workbench
from workbench.cli.output import human_bytes, print_json, write
from workbench.services.doctor import Report, examine

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
        _print(report)
    return 1 if report.engine.error or report.database.problems else 0


def _print(report: Report) -> None:
    engine, database = report.engine, report.database
    installed = ", ".join(f"{name} {version or 'MISSING'}" for name, version in report.packages.items())
    lines = [
        ("Model Workbench", report.version),
        ("Python", report.python),
        ("System", report.system),
        ("Packages", installed),
        ("llama.cpp", engine.llama_cpp_build or "does not start"),
        *(
            ("Device", f"{device.get('name')} {device.get('description', '')}, {_device_memory(device)}")
            for device in engine.devices
        ),
        ("GPU", report.gpu_advice),
        ("CPU", f"{report.cpu.name}, {report.cpu.cores} cores: {' '.join(report.cpu.features)}"),
        ("Memory", f"{human_bytes(report.memory.available)} of {human_bytes(report.memory.total)} free"),
        ("Starter model", report.starter_model or "MISSING"),
        *((f"Path of {name}", path) for name, path in report.paths.items()),
        ("Database", _database(report) if database.exists else "not there yet"),
        *(
            ("Plugin", f"{plugin.name} {plugin.version} {_state(plugin.enabled, plugin.error)}")
            for plugin in report.plugins
        ),
        ("Keyring", report.keyring.name or "none on this system"),
    ]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        write(f"{name.ljust(width)}  {' '.join(value.split())}\n")
    write("\n")
    for problem in report.problems:
        write(f"PROBLEM: {problem}\n")
    if not report.problems:
        write("No problems found.\n")


def _device_memory(device: dict[str, object]) -> str:
    total = device.get("memory_total")
    return human_bytes(total) if isinstance(total, int) and total else "memory unknown"


def _database(report: Report) -> str:
    database = report.database
    state = "damaged" if database.problems else "integrity ok"
    return f"{human_bytes(database.bytes)}, {database.sessions} sessions, {database.runs} runs, {state}"


def _state(enabled: bool, error: str) -> str:
    if not enabled:
        return "off"
    return "FAILED" if error else "ok"
