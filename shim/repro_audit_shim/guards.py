"""When our hooks must stand back: the compiler, dispatch modes, functorch, graph capture.

What the job may call inside of a compiled function asks `compiling[0]()` before
anything else and then calls the original: the compiler follows Python code, and
takes the answer for a constant.
"""
import sys

from repro_audit_shim import core, hooks

compiling = [lambda: False]


def _old_compiling():
    """Is torch compiling? For versions without `torch.compiler`; asking torch for `_dynamo` would import it, for 2 s."""
    dynamo = sys.modules.get("torch._dynamo.external_utils") or sys.modules.get("torch._dynamo")
    ask = getattr(dynamo, "is_compiling", None)
    return ask is not None and ask()


def arm(torch):
    """Asks this torch whether it is compiling from now on; one without `torch.compiler` cannot be asked at no cost."""
    ask = getattr(getattr(torch, "compiler", None), "is_compiling", None)
    if ask is not None:
        compiling[0] = ask


_originals = []


def replace(owner, name, make):
    """`core.replace` for a builtin function of torch, which the compiler knows by its name and would not find there."""
    original = getattr(owner, name, None)
    if not core.replace(owner, name, make):
        return
    if isinstance(original, core.Plain):
        return
    _originals.append(original)
    if len(_originals) == 1:
        hooks.after_import("torch._dynamo", _introduce)


def _introduce(dynamo):
    for original in _originals:
        try:
            dynamo.allow_in_graph(original)
        except Exception:  # it stays a function that the compiler does not know
            pass


def make(torch, own_modes):
    """A function that answers: is this a moment in which looking would break the job?"""
    arm(torch)
    asked = getattr(getattr(torch, "compiler", None), "is_compiling", None) or _old_compiling
    modes = getattr(torch._C, "_len_torch_dispatch_stack", None)
    functorch = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)
    cuda = torch.cuda
    capturing = getattr(torch._C, "_cuda_isCurrentStreamCapturing", getattr(cuda, "is_current_stream_capturing", None))
    jit = torch._C._get_tracing_state

    def busy():
        if asked():
            return True
        if modes is not None and modes() > own_modes[0]:
            return True
        if functorch is not None and functorch() is not None:
            return True
        if jit() is not None:
            return True
        return capturing is not None and cuda.is_initialized() and capturing()

    return busy
