"""All benchmarks, one after another; each prints its table, and one JSON file holds everything.

    python -m tests.benchmarks [--json OUT] [NAME …]

They are no tests: numbers depend on the machine and on what else it does. What is compared is compared within one run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def run(name: str, folder: Path) -> Any:
    """One benchmark in a process of its own. Returns what it measured; a code other than 0 may mean a missed goal."""
    out = folder / f"{name}.json"
    print(f"\n=== {name}", flush=True)
    code = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", "--json", str(out)], check=False
    ).returncode
    if not out.exists():
        return {"error": f"ended with code {code} and no result"}
    return {"exit_code": code, "measured": json.loads(out.read_text())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names())
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    if importlib.util.find_spec("xllamacpp") is None:
        print("llama.cpp's own server is not compared: install the extra `benchmark` for it.")
    results: dict[str, Any] = {"machine": {"cpu_count": os.cpu_count(), "platform": platform.platform()}}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names or names():
            results[name] = run(name, Path(folder))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))
    return int(any("error" in result for result in results.values() if isinstance(result, dict)))


if __name__ == "__main__":
    sys.exit(main())
