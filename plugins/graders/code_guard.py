"""What a child process runs before a model's code, as source text: `python -c` gets it, without our packages.

Two walls. On Linux the kernel's: seccomp refuses new programs, new processes, sockets and looks into other processes,
Landlock every file outside the child's folder and Python's own. Everywhere Python's: an audit hook that refuses the
same by name. The hook alone bounds accidents and ordinary malice; code written against it can get round it.
"""

from __future__ import annotations

READY = "sandbox ready"
"""The first line of a child's output. Without it nothing of the answer was run."""

KERNEL = """
def lock_kernel(here, readable):
    import ctypes
    import struct
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    if libc.prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS
        return
    version = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version > 0:  # Landlock; every right of the first version, REFER from the second, TRUNCATE from the third
        rights = (1 << 13) - 1 | (version > 1) << 13 | (version > 2) << 14
        rules = libc.syscall(444, ctypes.byref(ctypes.c_uint64(rights)), ctypes.c_size_t(8), 0)
        for path, allowed in [(here, rights & ~1), *((path, 1 << 2 | 1 << 3) for path in readable)]:
            try:
                at = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = allowed if os.path.isdir(path) else allowed & 1 << 2
            libc.syscall(445, rules, 1, struct.pack("<Qi", allowed, at), 0)
            os.close(at)
        libc.syscall(446, rules, 0)
        os.close(rules)
    # Numbers of: socket socketpair execve execveat ptrace kill tkill tgkill setsid setpgid process_vm_readv
    # process_vm_writev pidfd_getfd pidfd_send_signal io_uring_setup mount unshare setns bpf userfaultfd
    # perf_event_open keyctl add_key request_key, and of fork and vfork where there are such.
    machines = {
        "x86_64": (0xC000003E, 56, (41, 53, 59, 322, 101, 62, 200, 234, 112, 109, 310, 311, 438, 424, 425, 165, 272,
                                    308, 321, 323, 298, 250, 248, 249, 57, 58)),
        "aarch64": (0xC00000B7, 220, (198, 199, 221, 281, 117, 129, 130, 131, 157, 154, 270, 271, 438, 424, 425, 40,
                                      97, 268, 280, 282, 241, 219, 217, 218)),
    }
    found = machines.get(os.uname().machine)
    if found is None or struct.calcsize("P") != 8:
        return
    arch, clone, closed = found
    load, equal, at_least, has_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, unknown = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM; ENOSYS: the C library then takes clone
    program = [(load, 0, 0, 4), (equal, 1, 0, arch), (give, 0, 0, refuse), (load, 0, 0, 0)]
    program += [(at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]  # x32 numbers
    for number in closed:
        program += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    program += [(equal, 0, 1, 435), (give, 0, 0, unknown)]  # clone3: its flags can't be looked at
    program += [(equal, 0, 3, clone), (load, 0, 0, 16), (has_bit, 1, 0, 0x10000), (give, 0, 0, refuse)]  # threads only
    program += [(give, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    libc.prctl(22, 2, ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))), 0, 0)
"""

HOOK = """
def guard(here, prefix, abspath, isdir, write_flags):
    closed = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill",
              "ctypes.", "shutil.", "os.chown", "os.chmod", "os.link", "os.symlink", "os.putenv", "pty.", "webbrowser.",
              "ftplib.", "urllib.", "http.", "smtplib.", "sys.addaudithook", "gc.", "sqlite3.", "os.chdir", "os.fchdir",
              "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "os.lchmod", "os.chflags",
              "os.mkfifo", "os.mknod")
    modules = ("_posixsubprocess", "_ctypes", "ctypes", "_gdbm", "_dbm", "_winapi", "_sqlite3", "sqlite3")
    named = {"open": 1, "os.listdir": 1, "os.scandir": 1, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.rename": 2}
    left = [50]  # files that may be written: each is bounded, their number has to be too
    # Defaults, not globals: the code can put its own functions in the place of builtins.
    def hook(event, args, str=str, bytes=bytes, bool=bool, any=any, isinstance=isinstance, refuse=PermissionError,
             closed=closed, modules=modules, named=named, left=left, here=here, prefix=prefix, abspath=abspath,
             isdir=isdir, write_flags=write_flags):
        if event.startswith(closed) or (event == "import" and args[0] in modules):
            raise refuse("not allowed here: " + event)
        for path in args[: named.get(event, 0)]:
            if isinstance(path, (str, bytes)):
                full = abspath(path if isinstance(path, str) else path.decode(errors="replace"))
                writes = event not in ("open", "os.listdir", "os.scandir") or (
                    event == "open" and isinstance(args[1], str) and any(c in args[1] for c in "wax+"))
                if event == "open" and not isinstance(args[1], str):  # os.open
                    # A directory's number would let later calls name files relative to it, unseen by this hook.
                    writes = writes or bool((args[2] or 0) & write_flags) or isdir(full)
                left[0] -= writes
                outside = not (full + "/").startswith(here + "/")
                if left[0] < 0 or (outside and (writes or not full.startswith(prefix))):
                    raise refuse("not allowed here: " + event + " " + full)
    return hook
"""

GUARD = f"""
import sys, os
try:
    import resource
    limit = lambda what, value: resource.setrlimit(what, (value, value))
    limit(resource.RLIMIT_CPU, CPU_S)
    limit(resource.RLIMIT_AS, MEMORY_BYTES)
    limit(resource.RLIMIT_FSIZE, 5_000_000)
    limit(resource.RLIMIT_CORE, 0)
except ImportError:
    pass
{KERNEL}
{HOOK}
source = open("answer.py", encoding="utf-8").read()
checks = open("checks.py", encoding="utf-8").read()
token = sys.stdin.readline().strip()
sys.stdin.close()
prefixes = {{os.path.realpath(p) for p in (sys.base_prefix, os.path.dirname(os.__file__))}}
if getattr(sys, "frozen", False):
    prefixes.add(os.path.dirname(os.path.realpath(sys.executable)))
if sys.platform == "linux":
    libraries = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
                 "/usr/share/zoneinfo", "/dev/null", "/dev/urandom")
    try:
        lock_kernel(os.getcwd(), [*prefixes, *libraries])
    except (ImportError, OSError, AttributeError):
        pass  # a Python without ctypes, or another C library: the hook is there
    for name in [name for name in sys.modules if name.partition(".")[0] in ("ctypes", "_ctypes")]:
        del sys.modules[name]
prefixes = tuple(prefixes)
report, write, flush = os.dup(1), os.write, sys.stdout.flush
flags = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
write(report, b"{READY}\\n")
sys.addaudithook(guard(os.getcwd(), prefixes, os.path.abspath, os.path.isdir, flags))
scope = {{"__name__": "answer"}}
exec(compile(source, "answer.py", "exec"), scope)
exec(compile(checks, "checks.py", "exec"), scope)
flush()
write(report, ("\\n" + token + "\\n").encode())
"""


def guard_source(cpu_s: int, memory_bytes: int) -> str:
    """The code to run in a folder with `answer.py` and `checks.py`; it reads the success token from its input."""
    return f"CPU_S, MEMORY_BYTES = {cpu_s}, {memory_bytes}\n{GUARD}"
