"""Values the whole program shares. Knows nothing of storage, Qt, HTTP or llama.cpp."""
