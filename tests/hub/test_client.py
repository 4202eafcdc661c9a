"""Search and details, through the real huggingface_hub."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.fakes.fake_hub import FakeHub
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, Cancelled
from workbench.core.settings import Network
from workbench.hub.auth import usual_token
from workbench.hub.client import HubClient
from workbench.hub.errors import BadToken, GatedRepo, HubError, Offline, RepoNotFound
from workbench.hub.repos import RepoFile, SearchQuery, group_files, quantization_label, split_part


@pytest.fixture
def client(hub: FakeHub) -> HubClient:
    return HubClient(endpoint=hub.endpoint, token=lambda: None, read_timeout_s=0.5)


def fill(hub: FakeHub, count: int) -> None:
    for number in range(count):
        hub.add(
            f"org/model-{number:02}-GGUF",
            {"m-Q4_K_M.gguf": b"x"},
            tags=["gguf", "license:mit" if number % 2 else "license:apache-2.0"],
            downloads=number,
            gguf={"total": number * 10**9, "architecture": "llama", "context_length": 4096, "chat_template": "{{ x }}"},
        )


def ids(page: list) -> list[str]:  # type: ignore[type-arg]
    return [repo.id for repo in page]


def test_pages_follow_one_another_without_gaps(client: HubClient, hub: FakeHub) -> None:
    fill(hub, 25)
    results = client.search(SearchQuery(text="model", sort="downloads", page_size=10))
    pages = []
    while not results.finished:
        pages.append(ids(results.next_page(CancelToken())))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [repo for page in pages for repo in page] == [f"org/model-{n:02}-GGUF" for n in reversed(range(25))]
    assert results.next_page(CancelToken()) == []
    assert len(hub.requests) == 3, "telemetry or needless pages"


def test_a_page_that_failed_can_be_asked_for_again(client: HubClient, hub: FakeHub) -> None:
    fill(hub, 25)
    results = client.search(SearchQuery(text="model", sort="downloads", page_size=10))
    first = ids(results.next_page(CancelToken()))
    hub.fault("status", on="api", status=429)
    with pytest.raises(HubError):
        results.next_page(CancelToken())
    rest = ids(results.next_page(CancelToken())) + ids(results.next_page(CancelToken()))
    assert first + rest == [f"org/model-{n:02}-GGUF" for n in reversed(range(25))] and results.finished


def test_the_token_goes_to_no_other_server_that_a_page_names(hub: FakeHub) -> None:
    fill(hub, 25)
    hub.tokens["hf_secret"] = set()
    with FakeHub() as other:
        fill(other, 25)
        client = HubClient(endpoint=hub.endpoint, token=lambda: "hf_secret", read_timeout_s=0.5)
        results = client.search(SearchQuery(text="model", page_size=10))
        results.next_page(CancelToken())
        results._address = f"{other.endpoint}/api/models?limit=10"
        assert len(results.next_page(CancelToken())) == 10
        assert "authorization" in hub.requests[-1].headers
        assert "authorization" not in other.requests[-1].headers


def test_filters(client: HubClient, hub: FakeHub) -> None:
    fill(hub, 10)
    hub.add("other/vision", {"v.gguf": b"x"}, pipeline_tag="image-text-to-text")

    def found(**options: object) -> set[str]:
        return set(ids(client.search(SearchQuery(**options)).next_page(CancelToken())))  # type: ignore[arg-type]

    assert found(task="image-text-to-text") == {"other/vision"}
    assert found(author="other") == {"other/vision"}
    assert found(text="MODEL-03") == {"org/model-03-GGUF"}
    assert len(found(license="mit")) == 5
    assert found(text="model", min_parameters=7 * 10**9, max_parameters=8 * 10**9) == {
        "org/model-07-GGUF",
        "org/model-08-GGUF",
    }


def test_a_summary_says_what_the_hub_knows(client: HubClient, hub: FakeHub) -> None:
    fill(hub, 3)
    (repo,) = client.search(SearchQuery(text="model-02")).next_page(CancelToken())
    assert (repo.parameters, repo.architecture, repo.context_length) == (2 * 10**9, "llama", 4096)
    assert repo.has_chat_template and repo.license == "apache-2.0" and repo.updated.startswith("2026-05-01T12:00")


def test_details(client: HubClient, hub: FakeHub) -> None:
    hub.add(
        "org/m-GGUF",
        {
            "m-Q8_0.gguf": b"8" * 80,
            "BF16/m-BF16-00001-of-00002.gguf": b"a" * 90,
            "BF16/m-BF16-00002-of-00002.gguf": b"b" * 70,
            "m-Q4_K_M.gguf": b"4" * 40,
            "mmproj-F16.gguf": b"p" * 9,
            "imatrix.gguf": b"i",
            "README.md": b"---\nlicense: mit\n---\n# A model\n",
        },
    )
    details = client.details("org/m-GGUF", CancelToken())
    assert [(q.label, q.size_bytes, q.is_split, q.complete) for q in details.quantizations] == [
        ("Q4_K_M", 40, False, True),
        ("Q8_0", 80, False, True),
        ("BF16", 160, True, True),
    ]
    assert details.quantizations[0].files[0].sha256 == hub.repos["org/m-GGUF"].files["m-Q4_K_M.gguf"].sha256
    assert [file.path for file in details.projectors] == ["mmproj-F16.gguf"]
    assert details.card == "# A model\n" and details.revision == hub.repos["org/m-GGUF"].commit
    assert details.find("q4_k_m").label == details.find("m-Q4_K_M.gguf").label == "Q4_K_M"
    with pytest.raises(BadInput, match="There: Q4_K_M, Q8_0, BF16"):
        details.find("Q5_0")


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("qwen2.5-7b-instruct-q5_k_m-00001-of-00002.gguf", "Q5_K_M"),
        ("Qwen3-30B-A3B-UD-IQ2_XXS.gguf", "UD-IQ2_XXS"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("UD-Q4_K_XL/GLM-4.6-UD-Q4_K_XL-00001-of-00005.gguf", "UD-Q4_K_XL"),
        ("BF16/model-00001-of-00002.gguf", "BF16"),
        ("model-f16.gguf", "F16"),
        ("phi-4.gguf", ""),
    ],
)
def test_labels(path: str, label: str) -> None:
    assert quantization_label(path) == label


def test_labels_that_repeat_become_file_names() -> None:
    files = [RepoFile(path=name, size_bytes=1) for name in ("a-Q4_0.gguf", "b-Q4_0.gguf", "c-00001-of-00003.gguf")]
    quantizations, _, _ = group_files(files)
    assert {q.label: q.complete for q in quantizations} == {"a-Q4_0": True, "b-Q4_0": True, "c": False}
    assert split_part("x/c-00001-of-00003.gguf") == ("x/c", 1, 3)


def test_a_silent_server_is_given_up(client: HubClient, hub: FakeHub) -> None:
    hub.fault("hang", on="api", times=10)
    with pytest.raises(HubError, match="did not answer in time"):
        client.search(SearchQuery()).next_page(CancelToken())


def test_an_answer_without_end_is_given_up(client: HubClient, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hub, 25)
    monkeypatch.setattr("workbench.hub.client.ANSWER_LIMIT_BYTES", 2000)
    with pytest.raises(HubError, match="too large"):
        client.search(SearchQuery(text="model", page_size=20)).next_page(CancelToken())


def test_cancel_returns_at_once(hub: FakeHub) -> None:
    client = HubClient(endpoint=hub.endpoint, token=lambda: None, read_timeout_s=5)
    fault = hub.fault("hang", on="api")
    cancel, times = CancelToken(), []

    def ask() -> None:
        with pytest.raises(Cancelled):
            client.details("org/any", cancel)
        times.append(time.monotonic())

    thread = threading.Thread(target=ask)
    thread.start()
    while fault.times:
        time.sleep(0.005)
    started = time.monotonic()
    cancel.cancel()
    thread.join(5)
    assert times[0] - started < 0.2


def test_too_many_requests_are_said_not_slept_on(client: HubClient, hub: FakeHub) -> None:
    hub.fault("status", on="api", status=429, headers={"Retry-After": "90"})
    with pytest.raises(HubError, match="fewer requests") as error:
        client.search(SearchQuery()).next_page(CancelToken())
    assert error.value.retry_after_s == 90 and "90 s" in error.value.hint


def test_one_bad_gateway_is_tried_again(client: HubClient, hub: FakeHub) -> None:
    fill(hub, 1)
    hub.fault("status", on="api", status=502)
    assert len(client.search(SearchQuery()).next_page(CancelToken())) == 1
    hub.fault("status", on="api", status=503, times=2)
    with pytest.raises(HubError, match="trouble"):
        client.search(SearchQuery()).next_page(CancelToken())


def test_a_reset_is_tried_again(client: HubClient, hub: FakeHub) -> None:
    fill(hub, 1)
    hub.fault("refuse", on="api")
    assert len(client.search(SearchQuery()).next_page(CancelToken())) == 1


def test_nobody_there() -> None:
    client = HubClient(endpoint="http://127.0.0.1:9", token=lambda: None)
    with pytest.raises(HubError, match="can't be reached"):
        client.details("org/any", CancelToken())


def test_missing_private_gated_and_bad_token(client: HubClient, hub: FakeHub) -> None:
    with pytest.raises(RepoNotFound, match="no repository org/none"):
        client.details("org/none", CancelToken())
    with pytest.raises(RepoNotFound, match="not the name"):
        client.details("org/none/what", CancelToken())
    hub.fault("status", on="api", status=403, headers={"X-Error-Code": "GatedRepo"})
    with pytest.raises(GatedRepo, match="gated"):
        client.details("org/none", CancelToken())
    wrong = HubClient(endpoint=hub.endpoint, token=lambda: "hf_wrong")
    with pytest.raises(BadToken):
        wrong.details("org/none", CancelToken())


def test_offline_sends_nothing(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Offline):
        HubClient(Network(offline=True), endpoint=hub.endpoint).details("org/any", CancelToken())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Offline):
        HubClient(endpoint=hub.endpoint).search(SearchQuery()).next_page(CancelToken())
    assert hub.requests == []


def test_the_token_comes_from_where_other_tools_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert usual_token() is None
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_file\n")
    assert usual_token() == "hf_file"
    monkeypatch.setenv("HF_TOKEN", " hf_variable ")
    assert usual_token() == "hf_variable"


def test_goes_through_the_proxy(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hub, 1)
    through_setting = HubClient(Network(proxy=hub.endpoint), endpoint="http://hub.invalid", token=lambda: None)
    assert len(through_setting.search(SearchQuery()).next_page(CancelToken())) == 1
    monkeypatch.setenv("http_proxy", hub.endpoint)
    through_variable = HubClient(endpoint="http://hub.invalid", token=lambda: None)
    assert len(through_variable.search(SearchQuery()).next_page(CancelToken())) == 1
    monkeypatch.setenv("no_proxy", "hub.invalid")
    with pytest.raises(HubError, match="can't be reached"):
        HubClient(endpoint="http://hub.invalid", token=lambda: None).details("a/b", CancelToken())


def test_a_bad_ca_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nonsense")
    with pytest.raises(BadInput, match=r"CA file .* can't be used"):
        HubClient(Network(ca_file=str(file)), endpoint="https://127.0.0.1:9").details("a/b", CancelToken())


def test_importing_is_cheap() -> None:
    code = "import sys, workbench.hub.client, workbench.hub.downloader; print('huggingface_hub' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
