"""What our blocks and characters carry besides Qt's own formats; the painter and the text extraction read it."""

from __future__ import annotations

from PySide6.QtGui import QTextFormat

_USER = QTextFormat.Property.UserProperty.value

# Blocks
MARKERS = _USER + 1
"""str: list markers before this block, "LEVEL:MARKER" joined by spaces. Markers: b0 b1 b2 (bullets), t0 t1 (tasks),
n followed by the number and its delimiter."""
QUOTES = _USER + 2
"""str: quote bars beside this block, "LEVEL:ID" joined by spaces."""
CODE = _USER + 3
"""int: the number of the code block this line belongs to, from 1."""
CODE_HEADER = _USER + 4
"""bool: the empty block above the first line of code, where language and buttons are painted."""
LANGUAGE = _USER + 5
"""str: the language of the code block, on all its blocks."""
RULE = _USER + 6
"""bool: a horizontal rule."""
CHIPS = _USER + 7
"""bool: this block holds inline code."""
THIN = _USER + 8
"""bool: an empty block Qt demands around a table."""
TABLE_WIDTHS = _USER + 9
"""str, on a table: the width of each column in pixels, natural and of its widest word, "NATURAL:WORD" joined by
spaces."""
IN_LIST = _USER + 10
"""bool: belongs to a list item."""
CELL = _USER + 11
"""bool: stands in a table."""

# Characters
INLINE_CODE = _USER + 20
MATH = _USER + 21
"""str: the LaTeX source of a formula."""
MATH_DISPLAY = _USER + 22
MATH_PX = _USER + 23
"""int: the size of the formula's font in pixels."""
MATH_MARKUP = _USER + 24
"""str: what stands around the source: "$", "$$", "\\(" or "\\["."""

MATH_OBJECT = QTextFormat.ObjectTypes.UserObject.value + 1
