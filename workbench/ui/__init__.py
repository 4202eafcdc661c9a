"""The window: everything the user sees."""

from workbench.ui.overrides import install

install()  # before any class is derived from one of Qt's
