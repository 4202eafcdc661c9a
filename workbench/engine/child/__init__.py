"""The llama.cpp child process. The only place that imports `llama_cpp`; never imported by the parent."""
