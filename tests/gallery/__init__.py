"""Pictures of every screen: `python -m tests.gallery OUT_DIR`."""
