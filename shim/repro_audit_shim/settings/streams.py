"""cuda.streams: what a card does happens in the order asked for.

The process was started with CUDA_LAUNCH_BLOCKING=1, so that every kernel has ended before the next call, whatever its
stream; here the copies that nobody was to wait for are waited for as well.
"""
import os

from repro_audit_shim import core, hooks, settings

COPIES = ("to", "cuda", "copy_")
_made = [0]


def arm(levels):
    """Takes `non_blocking` from the copies of tensors."""
    level = str(levels["cuda.streams"]).lower()
    if level != "ordered":
        return settings.refuse("cuda.streams", level, "the level is ordered")
    if os.environ.get("CUDA_LAUNCH_BLOCKING") != "1":
        return settings.refuse("cuda.streams", level, "CUDA_LAUNCH_BLOCKING is not 1 in this process")

    def arrived(torch):
        for name in COPIES:
            core.replace(torch.Tensor, name, lambda original: _waiting(torch, original))
        settings.readable_in_place("cuda.streams", level, lambda: "%d copies waited for so far" % _made[0], "streams")

    hooks.after_import("torch", arrived)


def asks_not_to_wait(args, kwargs):
    """Does a call of one of `COPIES` ask so? Where it stands among the places: it is the first of the words yes and no."""
    given = [value for value in args[1:] if isinstance(value, bool)]
    return bool(kwargs.get("non_blocking") or given and given[0])


def _waiting(torch, original):
    def copy(*args, **kwargs):
        if core.released(__name__) or not asks_not_to_wait(args, kwargs) or _captures(torch):
            return original(*args, **kwargs)
        _made[0] += 1
        if "non_blocking" in kwargs:
            return original(*args, **{**kwargs, "non_blocking": False})
        at = next(at for at, value in enumerate(args) if at and value is True)
        return original(*args[:at], False, *args[at + 1:], **kwargs)

    return copy


def _captures(torch):
    """Is a graph of kernels being recorded? Nothing may be waited for meanwhile."""
    return torch.cuda.is_available() and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
