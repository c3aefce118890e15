"""hashseed, cublas_workspace: environment variables that the runner sets; read back here."""
import os
import sys

from repro_audit_shim import settings


def arm(levels):
    """Reads each back from inside the process."""
    if "hashseed" in levels:
        level = str(levels["hashseed"])
        settings.readable("hashseed", level, _hashseed, level)
    if "cublas_workspace" in levels:
        level = str(levels["cublas_workspace"])
        settings.readable("cublas_workspace", level, lambda: os.environ.get("CUBLAS_WORKSPACE_CONFIG", "unset"), level)


_AT_START = os.environ.get("PYTHONHASHSEED", "unset")


def _hashseed():
    """The seed in effect: the variable as it was at the start, if the interpreter heeded it."""
    if _AT_START == "0":
        return "0" if not sys.flags.hash_randomization else "random"
    if not _AT_START.isdigit() or sys.flags.ignore_environment:
        return "random"
    return _AT_START
