"""The room for the files through which several processes share their metrics.

prometheus-client maps them into memory. Where the disk, or the tmpfs, is full, the kernel ends the
process by SIGBUS at the next write to such a file: no exception comes before it, and nothing can be
caught. All that can be done is to look beforehand.
"""

from __future__ import annotations

import os

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

NEEDED_BYTES = 8 << 20
"""What one process may come to: 20,000 samples of some 200 bytes, in files that double."""

ENOUGH_BYTES = 8 * NEEDED_BYTES
"""For some processes, and for the files that those leave which have ended."""

FIX = f"give it {ENOUGH_BYTES >> 20} MB (mount -o remount,size=), or remove ended processes' files"


def check_room() -> str | None:
    """Return what to warn of, where there is little room for a process' files; else None.

    Raises:
        ValueError: there is so little that this process would be ended by SIGBUS.
    """
    folder = os.environ.get(VARIABLE)
    if not folder or not hasattr(os, "statvfs"):
        return None
    try:
        status = os.statvfs(folder)
    except OSError:  # prometheus-client says what is wrong with it
        return None
    free = status.f_bavail * status.f_frsize
    if free >= ENOUGH_BYTES:
        return None
    found = f"{VARIABLE} ({folder}) has {free / (1 << 20):.1f} MB left"
    if free < NEEDED_BYTES:
        raise ValueError(
            f"{found}; once it is full, every process that counts there is killed: {FIX}"
        )
    return found
