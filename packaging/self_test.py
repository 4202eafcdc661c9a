"""Run by a bundle on itself: workbench --python-code "$(cat packaging/self_test.py)".

What the program imports by name or late can be missing from a bundle without anybody noticing before it is used.
"""

import importlib
import os
import pkgutil
import sys

import workbench

LATE = (
    "keyring.backends",
    "openpyxl",
    "PySide6.QtNetwork",
    "PySide6.QtSvg",
    "rapidfuzz.process",
    "scipy.stats",
    "sqlite_utils",
    "ziamath",
)
# the engine's modules load llama.cpp, which belongs into its own process: starting that one is tested apart
names = [
    module.name
    for module in pkgutil.walk_packages(workbench.__path__, "workbench.", onerror=lambda _name: None)
    if not module.name.startswith(("workbench.engine.child", "workbench.__main__"))
]
late = os.environ.get("WORKBENCH_LATE_IMPORTS", "").split()  # of late_imports.py
for name in [*names, *LATE, *late]:
    importlib.import_module(name)

from workbench.core.paths import bundled  # noqa: E402
from workbench.plugins import PluginManager  # noqa: E402
from workbench.services.header_cache import starter_path  # noqa: E402

plugins = PluginManager(folders=[bundled("plugins")])
plugins.load()
broken = [f"{status.name}: {status.error}" for status in plugins.loaded if status.error]
for grader in plugins.graders():
    if grader.name == "python_code":
        grade = grader.grade("import statistics\nm = statistics.mean", "assert m([1, 3]) == 2", {"timeout_s": 60})
        if grade.score != 1.0:
            broken.append(f"python_code: {grade.reason}")
from huggingface_hub import HfApi  # noqa: E402
from scipy import stats  # noqa: E402
from ziamath import Latex  # noqa: E402

Latex(r"\frac{1}{2}").svg()
stats.binomtest(3, 10).proportion_ci()
HfApi()
resources = bundled("resources")
for pattern in ("languages/*.mo", "help/*.md", "help/images/*.png", "fonts/*.ttf", "icons/*.svg", "prices.json"):
    if not any(resources.glob(pattern)):
        broken.append(f"nothing of resources/{pattern} is there")
if starter_path() is None:
    broken.append("the starter model is missing")
if len(names) < 100 or not plugins.loaded:
    broken.append(f"only {len(names)} modules and {len(plugins.loaded)} plugins were found")
if broken:
    sys.exit("\n".join(broken))
print(f"{len(names)} modules, {len(plugins.loaded)} plugins, {len(LATE) + len(late)} late imports: all there")
