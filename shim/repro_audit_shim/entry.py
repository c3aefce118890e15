"""Called once per interpreter, before the job's first line: reads what is asked, arms the hooks."""
import os
import sys


def begin():
    """Arms everything the instructions ask for; nothing is imported on the job's behalf."""
    kept = sys.dont_write_bytecode, getattr(sys, "pycache_prefix", None)
    # our own .pyc files lie beside our own sources, whatever the job prefers for its files
    sys.dont_write_bytecode = False
    if hasattr(sys, "pycache_prefix"):
        sys.pycache_prefix = None
    try:
        _begin(os.environ["REPRO_AUDIT_SHIM"])
    finally:
        sys.dont_write_bytecode = kept[0]
        if hasattr(sys, "pycache_prefix"):
            sys.pycache_prefix = kept[1]


def _begin(instructions):
    from repro_audit_shim import core, hooks, record

    core.load(instructions)
    record.entered()
    from repro_audit_shim import settings

    settings.arm()
    if core.recording() or core.state.trace or core.state.stop_after_step is not None or core.state.drill \
            or core.state.resume or core.state.kill:
        from repro_audit_shim import seeds

        seeds.arm()
        hooks.after_import("torch", _torch_arrived)
    if core.state.trace:
        from repro_audit_shim import trace

        trace.arm()


def _torch_arrived(torch):
    from repro_audit_shim import steps

    steps.arm(torch)
