"""Model Workbench: find out whether a model on your own machine can do your task."""

__version__ = "0.1.0"
