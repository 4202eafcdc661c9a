"""A Hub with what a real one has: families of quantisations, split and gated models, a projector, rough model cards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tests.core.gguf_bytes import gguf_file
from tests.fakes.fake_hub import FakeFile, FakeHub

CARD = """---
license: apache-2.0
---
<p align="center"><img src="https://tracker.example/banner.png" alt="Banner"></p>

# Qwen3 4B Instruct

<div>A <b>small</b> instruction model with 36 layers. <a href="https://example.org/paper">Paper</a></div>

| Benchmark | Score |
|---|---|
| MMLU | 71.2 |
| GSM8K | 84.9 |

```python
print("<b>stays as it is</b>")
```

![chart](https://tracker.example/chart.png)

- Context of 40,960 tokens
- Thinking can be switched off
"""
F16, Q4_0 = 1, 2
QUANTS = {"Q2_K": 0.42, "Q3_K_M": 0.52, "Q4_K_M": 0.62, "Q5_K_M": 0.72, "Q6_K": 0.82, "Q8_0": 1.07, "F16": 2.0}
"""Bytes for each weight."""


def header(parameters: int, *, architecture: str = "qwen3", context: int = 40960, layers: int = 36) -> bytes:
    """A header whose tensors have this many weights in all, without the weights."""
    metadata: dict[str, Any] = {
        "general.architecture": architecture,
        "general.name": "Qwen3 4B Instruct",
        "general.file_type": 15,
        f"{architecture}.context_length": context,
        f"{architecture}.block_count": layers,
        f"{architecture}.embedding_length": 2560,
        f"{architecture}.feed_forward_length": 9728,
        f"{architecture}.attention.head_count": 32,
        f"{architecture}.attention.head_count_kv": 8,
        f"{architecture}.attention.key_length": 128,
        f"{architecture}.attention.value_length": 128,
        f"{architecture}.vocab_size": 151_936,
        "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
    }
    share = parameters // (layers + 1) // 32 * 32
    tensors = [("token_embd.weight", (share,), Q4_0, share // 32 * 18)]
    tensors += [(f"blk.{at}.ffn_up.weight", (share,), Q4_0, share // 32 * 18) for at in range(layers)]
    return gguf_file(metadata, tensors, data_bytes=0)


def sparse(path: Path, start: bytes, size: int) -> FakeFile:
    """A file of this size on the Hub that takes no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(max(size, len(start)))
    return FakeFile(path, sha256=hashlib.sha256(str(path).encode()).hexdigest())


def family(hub: FakeHub, folder: Path, repo_id: str, name: str, parameters: int, **options: Any) -> None:
    """A repository with every usual quantisation; the largest is split."""
    architecture = options.pop("architecture", "qwen3")
    projector = options.pop("projector", False)
    license_ = options.pop("license", "apache-2.0")
    start = header(parameters, architecture=architecture)
    files: dict[str, FakeFile | bytes] = {"README.md": CARD.encode(), "config.json": b"{}"}
    for label, weight in QUANTS.items():
        size = int(parameters * weight)
        if label == "F16":
            for part in (1, 2):
                part_name = f"{name}-{label}-0000{part}-of-00002.gguf"
                files[part_name] = sparse(folder / repo_id / part_name, start, size // 2)
        else:
            files[f"{name}-{label}.gguf"] = sparse(folder / repo_id / f"{name}-{label}.gguf", start, size)
    if projector:
        files["mmproj-model-f16.gguf"] = sparse(folder / repo_id / "mmproj.gguf", start, 851_000_000)
    gguf = {"total": parameters, "architecture": architecture, "context_length": 40960, "chat_template": "x"}
    hub.add(repo_id, dict(files), gguf=gguf, tags=["gguf", f"license:{license_}"], **options)


def populate(hub: FakeHub, folder: Path) -> None:
    """Well-known names with believable numbers."""
    family(hub, folder, "Qwen/Qwen3-4B-GGUF", "Qwen3-4B", 4_022_468_096, downloads=1_284_113, likes=412)
    family(hub, folder, "unsloth/Qwen3-4B-Instruct-2507-GGUF", "Qwen3-4B-2507", 4_022_468_096, downloads=904_555)
    family(hub, folder, "bartowski/Qwen3-0.6B-GGUF", "Qwen3-0.6B", 596_049_920, downloads=88_211, likes=40)
    family(hub, folder, "Qwen/Qwen3-8B-GGUF", "Qwen3-8B", 8_190_735_360, downloads=733_020, likes=310)
    family(hub, folder, "Qwen/Qwen3-32B-GGUF", "Qwen3-32B", 32_762_123_264, downloads=212_440, likes=190)
    family(
        hub,
        folder,
        "ggml-org/Qwen3-VL-4B-GGUF",
        "Qwen3-VL-4B",
        4_400_000_000,
        downloads=45_120,
        pipeline_tag="image-text-to-text",
        projector=True,
    )
    family(
        hub,
        folder,
        "acme/Qwen3-Medical-4B-GGUF",
        "Qwen3-Medical-4B",
        4_022_468_096,
        downloads=2_412,
        gated="manual",
        license="other",
    )
    family(
        hub,
        folder,
        "labs/Qwen3-Next-Experimental-GGUF",
        "Qwen3-Next",
        3_000_000_000,
        downloads=911,
        architecture="holoformer9",
    )
    for number in range(60):
        repo_id = f"community/qwen3-finetune-{number:02}-GGUF"
        gguf = {"total": 1_700_000_000, "architecture": "qwen3", "context_length": 32768}
        hub.add(repo_id, {"README.md": b"# Fine-tune\n"}, gguf=gguf, downloads=900 - number, tags=["gguf"])
