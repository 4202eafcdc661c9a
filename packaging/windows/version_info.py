"""Writes what Windows shows on the details page of a program: python version_info.py VERSION FILE."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TEMPLATE = """\
VSVersionInfo(
  ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}, mask=0x3f, flags=0x0, OS=0x40004, fileType=0x1),
  kids=[
    StringFileInfo([StringTable("040904B0", [
      StringStruct("CompanyName", "The Model Workbench developers"),
      StringStruct("FileDescription", "Model Workbench"),
      StringStruct("FileVersion", "{version}"),
      StringStruct("InternalName", "workbench"),
      StringStruct("LegalCopyright", "The Model Workbench developers, MIT licence"),
      StringStruct("ProductName", "Model Workbench"),
      StringStruct("ProductVersion", "{version}"),
    ])]),
    VarFileInfo([VarStruct("Translation", [1033, 1200])]),
  ],
)
"""


def version_info(version: str) -> str:
    """The text of PyInstaller's version file; Windows wants four numbers."""
    numbers = [int(number) for number in re.findall(r"\d+", version.split("+")[0])][:4]
    return TEMPLATE.format(version=version, numbers=tuple(numbers + [0] * (4 - len(numbers))))


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(version_info(sys.argv[1]), encoding="utf-8")
