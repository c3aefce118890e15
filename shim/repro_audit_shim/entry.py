"""Called once per interpreter, before the job's first line: reads what is asked, arms the hooks."""
import os
import sys


def begin():
    """Arms everything the instructions ask for; nothing is imported on the job's behalf."""
    with _Compiled():
        _begin(os.environ["REPRO_AUDIT_SHIM"])


class _Compiled:
    """Our own .pyc files lie beside our own sources, whatever the job prefers for its files: compiling takes 20 ms."""

    def __enter__(self):
        self.kept = sys.dont_write_bytecode, getattr(sys, "pycache_prefix", None)
        sys.dont_write_bytecode = False
        if hasattr(sys, "pycache_prefix"):
            sys.pycache_prefix = None

    def __exit__(self, *error):
        sys.dont_write_bytecode = self.kept[0]
        if hasattr(sys, "pycache_prefix"):
            sys.pycache_prefix = self.kept[1]


def _begin(instructions):
    from repro_audit_shim import core, hooks, record

    core.load(instructions)
    record.entered()
    from repro_audit_shim import settings

    settings.arm()
    if core.recording() or core.state.trace or core.state.drill or core.state.resume or core.state.kill:
        from repro_audit_shim import seeds

        seeds.arm()
        hooks.after_import("torch", _torch_arrived)
        for other in ("jax", "tensorflow"):
            hooks.after_import(other, lambda module: record.write(
                {"r": "libraries", module.__name__: str(getattr(module, "__version__", ""))}))
    if core.state.trace:
        from repro_audit_shim import trace

        trace.arm()
    if core.state.disturb:
        from repro_audit_shim import disturb

        disturb.arm()


def _torch_arrived(torch):
    with _Compiled():
        from repro_audit_shim import record, steps

        if record.begun():  # its first line was written when nobody knew of torch
            record.write({"r": "libraries", "torch": torch.__version__})
        steps.arm(torch)
