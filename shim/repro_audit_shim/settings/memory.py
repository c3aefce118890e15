"""uninitialised: memory that is handed out unwritten is filled with zeros.

Tensors are zeroed for every caller, since libraries hand them on; NumPy arrays
only where the user's code asks for them.
"""
from repro_audit_shim import core, frames, guards, hooks, settings
from repro_audit_shim.guards import compiling

TORCH = ("empty", "empty_like", "empty_strided", "empty_permuted")
TENSOR = ("new_empty", "new_empty_strided")
NUMPY = ("empty", "empty_like", "ndarray")
_filled = [0]


def arm(levels):
    """Arms the hooks on torch and NumPy."""
    level = str(levels["uninitialised"]).lower()
    if level in ("off", "no", "false"):
        return
    if level not in ("zero", "on", "0"):
        settings.refuse("uninitialised", level, "the level is zero")
        return
    hooks.after_import("torch", lambda torch: _torch(torch, level))
    hooks.after_import("numpy", _numpy)


def _torch(torch, level):
    guards.arm(torch)

    def zeroed(t):
        if isinstance(t, torch.Tensor) and t.device.type != "meta" and not core.released(__name__):
            with torch.no_grad():
                t.detach().zero_()
            _filled[0] += 1
        return t

    def make(original):
        def empty(*args, **kwargs):
            if compiling[0]():
                return original(*args, **kwargs)
            return zeroed(original(*args, **kwargs))

        return empty

    for name in TORCH:
        guards.replace(torch, name, make)
    for name in TENSOR:
        core.replace(torch.Tensor, name, make)
    _legacy(torch, zeroed)
    settings.readable("uninitialised", level, lambda: "zero" if float(torch.empty(64).abs().sum()) == 0 else "off",
                      "zero", "not covered: typed constructors such as torch.FloatTensor(n)")


def _legacy(torch, zeroed):
    """`torch.Tensor(2, 3)` gives unwritten memory too; only calls of the class come by `__init__`."""

    def __init__(self, *args, **kwargs):
        if args and all(type(a) in (int, torch.Size) for a in args):
            zeroed(self)

    torch.Tensor.__init__ = __init__


def _numpy(module):
    def make(original):
        def empty(*args, **kwargs):
            made = original(*args, **kwargs)
            if frames.caller_is_user() and not core.released(__name__) and made.dtype != object:
                made.fill(0)
                _filled[0] += 1
            return made

        return empty

    for name in NUMPY[:2]:
        core.replace(module, name, make)
