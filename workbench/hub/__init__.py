"""Hugging Face: search, model information, remote GGUF headers, downloads, the shared cache."""
