"""Debian packages that tests need: without one a test is skipped, and in CI it fails."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

BRINGS = {
    "asterisk-core-sounds-en-wav": ("/usr/share/asterisk/sounds/en_US_f_Allison",),
    "chromium": ("chromium",),
    "nodejs": ("node",),
    "npm": ("npm",),
    "prometheus": ("prometheus", "promtool"),
    "prometheus-alertmanager": ("prometheus-alertmanager", "amtool"),
    "victoria-metrics": ("victoria-metrics",),
}
"""Packages, and what is there once they are installed: programs, or folders."""


def needs(*packages):
    """Skip the running test, or in CI fail it, where one of these packages isn't installed."""
    absent = [package for package in packages if not is_installed(package)]
    if absent:
        names = " ".join(absent)
        cannot_run(f"not installed: apt-get install -y --no-install-recommends {names}")


def package_of(program):
    """Return the package that brings a program."""
    return next(package for package, brought in BRINGS.items() if program in brought)


def is_installed(package):
    """Whether all that a package brings is there."""
    return all(shutil.which(name) or Path(name).is_dir() for name in BRINGS[package])


def cannot_run(reason):
    """Skip the running test; fail it where all that a test needs must be there, in CI."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
