"""Windows: the engine's process ends when this one does, however that happens. Elsewhere its closed stdin does that."""

from __future__ import annotations

import ctypes
import subprocess
import sys

KILL_ON_JOB_CLOSE = 0x2000
EXTENDED_LIMIT_INFORMATION = 9


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("per_process_user_time", ctypes.c_int64),
        ("per_job_user_time", ctypes.c_int64),
        ("limit_flags", ctypes.c_uint32),
        ("minimum_working_set", ctypes.c_size_t),
        ("maximum_working_set", ctypes.c_size_t),
        ("active_process_limit", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority_class", ctypes.c_uint32),
        ("scheduling_class", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("basic", _BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


def tie_to_this_process(process: subprocess.Popen[bytes]) -> object:
    """Keep the result as long as the process may live; None where there is nothing to keep."""
    if sys.platform != "win32":
        return None
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = kernel.CreateJobObjectW(None, None)
    if not job:
        return None
    limits = _ExtendedLimits()
    limits.basic.limit_flags = KILL_ON_JOB_CLOSE
    size = ctypes.sizeof(limits)
    kernel.SetInformationJobObject(ctypes.c_void_p(job), EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size)
    kernel.AssignProcessToJobObject(ctypes.c_void_p(job), ctypes.c_void_p(int(process._handle)))
    return _Handle(kernel, job)


class _Handle:
    """Closing the job's last handle ends its processes."""

    def __init__(self, kernel: ctypes.CDLL, job: int) -> None:
        self._kernel = kernel
        self._job = job

    def __del__(self) -> None:
        self._kernel.CloseHandle(ctypes.c_void_p(self._job))
