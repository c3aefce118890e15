"""When our hooks must stand back: the compiler, dispatch modes, functorch, graph capture."""


import sys


def _old_compiling():
    """Is torch compiling? For versions without `torch.compiler`; asking torch for `_dynamo` would import it, for 2 s."""
    dynamo = sys.modules.get("torch._dynamo.external_utils") or sys.modules.get("torch._dynamo")
    ask = getattr(dynamo, "is_compiling", None)
    return ask is not None and ask()


def make(torch, own_modes):
    """A function that answers: is this a moment in which looking would break the job?"""
    compiler = getattr(torch, "compiler", None)
    compiling = getattr(compiler, "is_compiling", None) or _old_compiling
    modes = getattr(torch._C, "_len_torch_dispatch_stack", None)
    functorch = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)
    cuda = torch.cuda
    capturing = getattr(cuda, "is_current_stream_capturing", None)
    jit = torch._C._get_tracing_state

    def busy():
        if compiling():
            return True
        if modes is not None and modes() > own_modes[0]:
            return True
        if functorch is not None and functorch() is not None:
            return True
        if jit() is not None:
            return True
        return capturing is not None and cuda.is_initialized() and capturing()

    return busy
