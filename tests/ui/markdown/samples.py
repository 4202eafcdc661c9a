"""Texts for the tests: each markdown construct alone, and one answer with all of them."""

from __future__ import annotations

CASES = [
    "plain",
    "two\nlines  \nhard break",
    "# H1\n\n## H2 with `code`\n\ntext\n### H3\nmore",
    "Setext\n===\n\nother\n---\n\nend",
    "- a\n- b\n  - c\n    - d\n- e\n\n\n- f\n\nafter",
    "1. a\n2. b\n1. c\n\n   para\n\n   ```py\n   x = 1\n   ```\n4. d\n",
    "7) seven\n8) eight\n\n3. other list\n",
    "-   wide\n  - sibling or child?\n- end",
    " - a\n  - b\n   - c\n    - d\n",
    "- [ ] open\n- [x] done\n- [X] also\n- [] not\n",
    "- \n- b\n-\n- c",
    "- a\n- a | b\n--|--\n- c",
    "> quote\n> more\nlazy\n\n> second\n>> nested\n> - list\n> ```\n> code\n> ```\n",
    "```python\ndef f(x):\n    return x\n```\n\nafter\n```\nplain\n\n\n```\n",
    "~~~text\n```\nnot closed here\n~~~\nend",
    "```js\nunclosed\n\n\nstill",
    "    indented code\n\n    more\n\nend",
    "| a | b |\n|:--|--:|\n| 1 | 2 |\n| `x|` | **b** |\n\nafter",
    "| a |\n|---|\n| 1 |\n- list\n",
    "| a |\n|---|\n| 1 |\n\n```\ncode\n```\n| b |\n|---|\n\n---\n",
    "text\n| a | b |\n|---|---|---|\nnot a table",
    "text\n$$\nx^2\n$$\nmore $a$ and \\(b\\) and \\[c\\]\n\n\\[\nd\n\\]\n",
    "text\n$$\nx\n\ny\n$$\nend",
    "$$\n- item\n$$y$$\n\n$$\na\n$$ b\n$$",
    "$$ stray\n\nnormal",
    "price $5 and $6, $a + b$ too",
    "para\n***\npara\n***bold***\n",
    '[a](https://e.org) <https://e.org> https://e.org/x. [b](javascript:x) ![c](https://e.org/i.png "t")',
    "[ref] and [ref]\n\n- x\n- y\n\n[ref]: https://example.org\n\nlater [ref]",
    "**bold *both* ~~gone~~ `code`** _em_ \\* &amp; &copy; <div>html</div>\n",
    "a\u2028b\u2029c\x00d\ufffce\ufdd0f\r\ng\rh\x1b[0m",
    "שלום עולם\n\n- مرحبا\n- 😀 emoji 👩‍👩‍👧\n",
    "* * *\n- - -\n- - a\n  - b\n",
    "1. \n2. x\n\n10000000000. no list",
    "\n\n\n   \n",
    "",
]

FULL_SAMPLE = r"""# Why scale attention by √d?

Scaled dot-product attention compares a query with **every key**, then *mixes* the values with `softmax` weights; see
[the paper](https://arxiv.org/abs/1706.03762) or https://example.org/long?x=1. With ~~struck~~ words and `n_ctx=4096`.

$$\mathrm{Attention}(Q,K,V)=\mathrm{softmax}\left(\frac{QK^{\top}}{\sqrt{d_k}}\right)V$$

The factor $\frac{1}{\sqrt{d_k}}$ keeps the logits' variance near **one**, where \(d_k\) is the size.

```python
def attention(q, k, v, mask=None):
    d = q.size(-1)  # a comment
    s = q @ k.transpose(-2, -1) / math.sqrt(d)
    if mask is not None:
        s = s.masked_fill(mask == 0, float("-inf")) if a_very_long_condition_name and another_one_too else None
    return s.softmax(dim=-1) @ v
```

## What to remember

- Cost grows as $O(T^2 d)$ in time.
- A KV cache makes each new token cheap
  - nested one
    - deeper
- [x] a finished task
- [ ] an open task with a long text which wraps around to the next line so that the indentation can be seen

3. three
4. four

   ```bash
   echo "hi" | wc -c
   ```

> A quote with **bold** text that is long enough to wrap around on the second line of the quote, we hope it is.
>
> > nested quote

### Table

| Variant | KV heads | Cache | Notes |
|:---|---:|:---:|---|
| MHA | 32 | 100 % | plain `code` |
| GQA | 8 | 25 % | **bold** and a longer text that has to wrap in its cell because it is long |

---

![a picture](https://example.org/i.png) is never fetched, [bad](javascript:alert(1)) is no link, <b>html</b> is text.
"""
