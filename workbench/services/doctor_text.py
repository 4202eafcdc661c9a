"""The doctor's report as text: for the terminal, the window and a problem report."""

from __future__ import annotations

from workbench.core.sizes import human_bytes
from workbench.services.doctor import Report


def report_text(report: Report) -> str:
    """One fact a line, then the problems, each as a sentence."""
    facts = report_facts(report)
    width = max(len(name) for name, _ in facts)
    lines = [f"{name.ljust(width)}  {' '.join(value.split())}" for name, value in facts]
    problems = [f"PROBLEM: {problem}" for problem in report.problems] or ["No problems found."]
    return "\n".join([*lines, "", *problems]) + "\n"


def report_facts(report: Report) -> list[tuple[str, str]]:
    """(what, how it is)."""
    engine, database = report.engine, report.database
    installed = ", ".join(f"{name} {version or 'MISSING'}" for name, version in report.packages.items())
    return [
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
