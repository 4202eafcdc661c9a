"""Set-up of a checkout: ready means ready, broken is rebuilt, two at once don't collide, what is missing is named."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
if not PACKAGING.is_dir():
    pytest.skip("not a checkout", allow_module_level=True)
sys.path.insert(0, str(PACKAGING))

import setup_env  # noqa: E402
import system_packages  # noqa: E402
from setup_env import Checkout  # noqa: E402
from system_packages import SetupError  # noqa: E402

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout whose environment is ready for `launch`; all that is in it is something named pip."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\ndependencies = ["click", "llama-cpp-python>=0.3,<0.4"]\n')
    made = Checkout(root)
    subprocess.run([sys.executable, "-m", "venv", "--symlinks", "--without-pip", str(made.venv)], check=True)
    (made.site_packages() / "pip").mkdir()
    (made.site_packages() / "pip" / "__init__.py").touch()
    made.write_stamp(root=str(root), launch=made.wanted("launch"))
    return made


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The expensive steps, recorded instead of taken."""
    taken: list[str] = []
    monkeypatch.setattr(setup_env, "make_venv", lambda checkout: taken.append("venv"))
    monkeypatch.setattr(setup_env, "need_compiler", lambda checkout: taken.append("compiler"))
    monkeypatch.setattr(setup_env, "install", lambda checkout, extra, lock: taken.append(f"install {extra}".strip()))
    return taken


def test_a_ready_environment_is_used_as_it_is(checkout: Checkout) -> None:
    assert checkout.is_ready("launch")
    assert not checkout.is_ready("test"), "the tests need more packages"


def test_changed_dependencies_are_installed_into_the_same_environment(checkout: Checkout, steps: list[str]) -> None:
    (checkout.root / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    assert not checkout.is_ready("launch")
    setup_env.set_up(checkout, "launch")
    assert steps == ["compiler", "install"]
    assert checkout.is_ready("launch")
    setup_env.set_up(checkout, "launch")
    assert steps == ["compiler", "install"], "the second time nothing is left to do"


def test_what_the_tests_need_includes_what_the_program_needs(checkout: Checkout, steps: list[str]) -> None:
    checkout.stamp.unlink()
    setup_env.set_up(checkout, "test")
    assert steps == ["compiler", "install test"]
    assert checkout.is_ready("test")
    assert checkout.is_ready("launch")


def test_an_interrupted_set_up_starts_over(checkout: Checkout, steps: list[str]) -> None:
    checkout.unfinished.touch()
    assert not checkout.is_ready("launch")
    assert not checkout.can_be_completed()
    checkout.unfinished.unlink()
    assert checkout.can_be_completed()


def test_an_environment_that_was_being_made_is_made_again(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while Python's venv module was at work: what is there may import pip and yet not be whole."""

    def killed(command: Sequence[str]) -> tuple[int, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(system_packages, "run_quietly", killed)
        with pytest.raises(KeyboardInterrupt):
            setup_env.make_venv(checkout)
    assert checkout.unfinished.exists()
    assert not checkout.can_be_completed()
    setup_env.make_venv(checkout)
    assert not checkout.unfinished.exists()
    assert checkout.can_be_completed()


def test_a_module_that_was_deleted_is_noticed(checkout: Checkout, steps: list[str]) -> None:
    (checkout.site_packages() / "PySide6").mkdir()
    checkout.write_stamp(modules="/".join(checkout.modules()))
    assert checkout.is_ready("launch")
    (checkout.site_packages() / "more").mkdir()
    assert checkout.is_ready("launch"), "what the user adds does no harm"
    (checkout.site_packages() / "PySide6").rmdir()
    assert not checkout.is_ready("launch")
    setup_env.set_up(checkout, "launch")
    assert steps == ["venv", "compiler", "install"], "pip alone would not notice"
    assert checkout.is_ready("launch")


@posix_only
def test_the_lock_is_held_as_long_as_pip_runs(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As when the launcher is killed and its pip goes on."""
    (checkout.root / "build").mkdir()
    go, held = tmp_path / "go", []
    os.mkfifo(go)
    monkeypatch.setattr(
        setup_env,
        "_pip_install",
        lambda checkout, target: ["sh", "-c", 'echo Collecting click; read line < "$0"', str(go)],
    )

    def show(_progress: object, _line: str) -> None:
        with checkout.lock.open("a+b") as other:
            lock.close()  # of the launcher, as its death would
            held.append(not setup_env._try_lock(other))
        go.write_text("on\n")

    monkeypatch.setattr(setup_env._Progress, "show", show)
    lock = checkout.lock.open("a+b")
    assert setup_env._try_lock(lock)
    setup_env.install(checkout, "", lock)
    assert held == [True]
    with checkout.lock.open("a+b") as other:
        assert setup_env._try_lock(other)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_checkout_that_cannot_be_written_is_said_in_one_line(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout.stamp.unlink()
    checkout.root.chmod(0o555)
    _say_in_one_line(checkout, monkeypatch, capsys)
    checkout.root.chmod(0o755)


def test_a_full_or_read_only_disk_is_said_in_one_line(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_only(_checkout: Checkout, _purpose: str) -> None:
        raise OSError(30, "Read-only file system", str(checkout.root / "build"))

    monkeypatch.setattr(setup_env, "set_up", read_only)
    checkout.stamp.unlink()
    _say_in_one_line(checkout, monkeypatch, capsys)


def _say_in_one_line(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup_env, "Checkout", lambda: checkout)
    assert setup_env.main(["launch", "--version"]) == 1
    err = capsys.readouterr().err
    assert "must be a folder that you can write to" in err
    assert err.count("\n") == 1


def test_a_moved_checkout_is_set_up_anew(checkout: Checkout, tmp_path: Path) -> None:
    checkout.root.rename(tmp_path / "elsewhere")
    moved = Checkout(tmp_path / "elsewhere")
    assert not moved.is_ready("launch")
    assert not moved.can_be_completed()


@posix_only
def test_a_vanished_python_is_noticed(checkout: Checkout) -> None:
    checkout.python.unlink()
    checkout.python.symlink_to("/nonexistent/python3")
    assert not checkout.is_ready("launch")
    assert not checkout.can_be_completed()


@posix_only
def test_another_python_behind_the_same_link_is_noticed(checkout: Checkout) -> None:
    """As after a system upgrade: the link leads to a Python that looks for its packages in another folder."""
    library = checkout.site_packages().parent
    library.rename(library.with_name("python3.1"))
    assert not checkout.is_ready("launch")
    assert not checkout.can_be_completed()


def test_a_damaged_stamp_means_set_up_again(checkout: Checkout) -> None:
    checkout.stamp.write_text("{")
    assert not checkout.is_ready("launch")


def test_only_one_of_several_starts_sets_up(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.stamp.unlink()
    inside, most, installs = 0, 0, 0
    lock = threading.Lock()

    def install(_checkout: Checkout, _extra: str, _lock: object) -> None:
        nonlocal inside, most, installs
        with lock:
            inside, installs = inside + 1, installs + 1
            most = max(most, inside)
        threading.Event().wait(0.1)
        with lock:
            inside -= 1

    monkeypatch.setattr(setup_env, "install", install)
    monkeypatch.setattr(setup_env, "need_compiler", lambda checkout: None)
    threads = [threading.Thread(target=setup_env.set_up, args=(checkout, "launch")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, installs) == (1, 1)


def install(checkout: Checkout) -> None:
    with setup_env._locked(checkout.lock) as lock:
        setup_env.install(checkout, "", lock)


def test_a_failing_pip_shows_its_last_lines_and_leaves_no_mark(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout.root / "build").mkdir()
    script = "import sys; print('Collecting click'); print('ERROR: no such package'); sys.exit(1)"
    monkeypatch.setattr(setup_env, "_pip_install", lambda checkout, target: [sys.executable, "-c", script])
    with pytest.raises(SetupError, match=r"setup\.log"):
        install(checkout)
    err = capsys.readouterr().err
    assert "Fetching click" in err
    assert "ERROR: no such package" in err
    assert not checkout.unfinished.exists()
    assert "Collecting click" in checkout.log.read_text()


def test_an_interrupted_pip_leaves_the_mark(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.root / "build").mkdir()

    def interrupted(command: Sequence[str], log: object, lock: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(setup_env, "_run_with_progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install(checkout)
    assert checkout.unfinished.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a display is a matter of Linux")
def test_without_a_display_the_command_line_is_offered() -> None:
    with pytest.raises(SetupError, match=r"\./packaging/launch run"):
        setup_env.need_display({})
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        setup_env.need_display({name: "x"})


@pytest.mark.parametrize(
    ("arguments", "window"),
    [([], True), (["a.gguf"], True), (["A.GGUF", "b.gguf"], True), (["run", "x"], False), (["--version"], False)],
)
def test_the_program_and_its_launcher_agree_on_what_opens_a_window(arguments: list[str], window: bool) -> None:
    from workbench.__main__ import opens_window

    assert setup_env.opens_window(arguments) is opens_window(arguments) is window


def test_the_compiler_is_asked_for_only_where_it_is_needed(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "has_compiler", lambda: False)
    monkeypatch.setattr(system_packages, "can_apt_install", lambda: False)
    answers = {"cache": (0, ""), "download": (1, "")}
    monkeypatch.setattr(
        system_packages, "run_quietly", lambda command: answers["cache" if "cache" in command else "download"]
    )
    with pytest.raises(SetupError, match=r"C\+\+ compiler"):
        setup_env.need_compiler(checkout)
    answers["cache"] = (0, "/cache/llama_cpp_python-0.3.36-cp311-cp311-linux_x86_64.whl")
    setup_env.need_compiler(checkout)
    answers.update(cache=(0, ""), download=(0, ""))
    setup_env.need_compiler(checkout)


def test_the_requirement_of_llama_is_read_from_pyproject(checkout: Checkout) -> None:
    assert setup_env.llama_requirement(checkout.root / "pyproject.toml") == "llama-cpp-python>=0.3,<0.4"
    assert setup_env.llama_requirement(PACKAGING.parent / "pyproject.toml").startswith("llama-cpp-python")


# --- system packages ------------------------------------------------------------------------------------------
LDD = """/venv/libqxcb.so:
\tlinux-vdso.so.1 (0x00007ffd)
\tlibxcb-cursor.so.0 => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
/venv/QtGui.abi3.so:
\tlibEGL.so.1 => not found
\tlibEGL.so.1 => not found
\tlibmystery.so.9 => not found
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ldd")
def test_missing_libraries_are_read_from_ldd() -> None:
    missing = system_packages.missing_libraries([Path("x")], run=lambda command: (0, LDD))
    assert missing == ["libEGL.so.1", "libmystery.so.9", "libxcb-cursor.so.0"]
    assert system_packages.debian_packages(missing) == (["libegl1", "libxcb-cursor0"], ["libmystery.so.9"])
    assert system_packages.missing_libraries([Path("x")], run=lambda command: (127, "no ldd")) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ldd")
def test_the_installed_qt_is_complete_or_names_known_packages() -> None:
    """Against the real Qt: every library it may lack on this system is one we know the package of."""
    import PySide6

    site_packages = Path(PySide6.__file__).parents[1]
    files = system_packages.qt_files(site_packages, ["offscreen", "xcb", "wayland"])
    assert any(file.name.startswith("libqxcb") for file in files)
    assert any(file.name.startswith("QtWidgets") for file in files)
    needed = {
        line.split("=>")[0].strip()
        for line in subprocess.run(
            ["ldd", *map(str, files)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        if "/usr/lib" in line or "/lib/x86_64" in line or "not found" in line
    }
    direct = {name for name in needed if name.startswith(("libxcb", "libX11", "libGL", "libEGL", "libfontconfig"))}
    unknown = {name for name in direct if name not in system_packages.DEBIAN_PACKAGES}
    assert unknown <= {"libGLX.so.0", "libGLdispatch.so.0"}, "these come with libgl1; others need an entry"


def policy(present: set[str]) -> system_packages.Run:
    def run(command: Sequence[str]) -> tuple[int, str]:
        name = command[-1]
        return 0, f"{name}:\n  Installed: (none)\n  Candidate: {'1.0' if name in present else '(none)'}\n"

    return run


def test_names_that_debian_13_changed_are_resolved() -> None:
    run = policy({"libglib2.0-0t64", "libgl1"})
    assert system_packages.available_names(["libglib2.0-0", "libgl1"], run) == ["libglib2.0-0t64", "libgl1"]
    assert system_packages.available_names(["libglib2.0-0"], policy({"libglib2.0-0"})) == ["libglib2.0-0"]
    assert system_packages.available_names(["libnowhere1"], policy(set())) == ["libnowhere1"]


def test_without_root_the_exact_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "can_apt_install", lambda: False)
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    with pytest.raises(SetupError) as raised:
        system_packages.need_packages(["libegl1"], "Qt needs libEGL.so.1.", print, run=policy({"libegl1"}))
    assert "sudo apt-get install -y --no-install-recommends libegl1" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_as_root_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "can_apt_install", lambda: True)
    commands: list[list[str]] = []

    def run(command: Sequence[str]) -> tuple[int, str]:
        commands.append(list(command))
        return policy({"libegl1"})(command)

    system_packages.need_packages(["libegl1"], "why", lambda text: None, run=run)
    assert commands[0] == ["apt-get", "update"]
    assert commands[-1] == ["apt-get", "install", "-y", "--no-install-recommends", "libegl1"]


def test_a_failing_apt_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "can_apt_install", lambda: True)
    with pytest.raises(SetupError) as raised:
        system_packages.need_packages(
            ["x"], "why", lambda text: None, run=lambda command: (100, "E: a\nE: no network\n")
        )
    assert "no network" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_on_fedora_libraries_are_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None)
    assert "'libEGL.so.1()(64bit)'" in system_packages.how_to_install(["libegl1"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="apt")
def test_tests_go_on_where_a_screen_cannot_be_had(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_network(packages: Sequence[str], say: object, run: object = None) -> None:
        raise SetupError(f"{packages} could not be installed")

    monkeypatch.setattr(system_packages, "missing_test_programs", lambda: ["xvfb"])
    monkeypatch.setattr(system_packages, "can_apt_install", lambda: True)
    monkeypatch.setattr(system_packages, "apt_install", no_network)
    setup_env.offer_a_screen(checkout)
    assert "will be skipped" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ldd")
def test_qt_libraries_are_looked_for_once(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout.site_packages() / "pyside6_essentials-6.11.3.dist-info").mkdir()
    looked: list[object] = []
    monkeypatch.setattr(system_packages, "missing_libraries", lambda files: looked.append(files) or [])
    for _ in range(2):
        setup_env.need_qt_libraries(checkout, ["xcb"])
    assert len(looked) == 1
    setup_env.need_qt_libraries(checkout, ["wayland"])
    assert len(looked) == 2
    assert setup_env.window_platforms({"WAYLAND_DISPLAY": "w"}) == ["wayland"]
    assert setup_env.window_platforms({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}) == ["xcb"]
