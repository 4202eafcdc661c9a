# Sets $python to a Python that can set up the checkout: 3.11 or newer. Sourced by launch and test with $here set.
python=
for candidate in ${WORKBENCH_PYTHON:+"$WORKBENCH_PYTHON"} "$here/../.venv/bin/python" \
    python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    found=$(python3 --version 2>/dev/null || true)
    echo "Model Workbench needs Python 3.11 or newer (${found:-none was found}). Install it (Debian: sudo apt-get install -y python3 python3-venv), or name one in WORKBENCH_PYTHON." >&2
    exit 1
fi
