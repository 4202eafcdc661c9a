"""Stands in PySide6's place in the headless run: whatever needs Qt there is a violation of the layers."""

raise ImportError("PySide6 is not importable in this run (WORKBENCH_TEST_WITHOUT_QT)")
