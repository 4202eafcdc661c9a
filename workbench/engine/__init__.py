"""Local models: llama.cpp in a child process, and the parent's side of it."""
