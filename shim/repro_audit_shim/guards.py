"""When our hooks must stand back: the compiler, dispatch modes, functorch, graph capture."""


def make(torch, own_modes):
    """A function that answers: is this a moment in which looking would break the job?"""
    compiler = getattr(torch, "compiler", None)
    compiling = getattr(compiler, "is_compiling", None)
    dynamo = getattr(getattr(torch, "_dynamo", None), "is_compiling", None)
    modes = getattr(torch._C, "_len_torch_dispatch_stack", None)
    functorch = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", None)
    cuda = torch.cuda
    capturing = getattr(cuda, "is_current_stream_capturing", None)
    jit = torch._C._get_tracing_state

    def busy():
        if compiling is not None and compiling():
            return True
        if compiling is None and dynamo is not None and dynamo():
            return True
        if modes is not None and modes() > own_modes[0]:
            return True
        if functorch is not None and functorch() is not None:
            return True
        if jit() is not None:
            return True
        return capturing is not None and cuda.is_initialized() and capturing()

    return busy
