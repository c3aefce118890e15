"""Triton kernels of the drilled step, done again: torch sees nothing of them, so no dispatch mode does.

A launch tells neither what it reads nor what it writes. So all the memory behind its tensors is copied before it, and what
they hold after the kernel has been done again on such a copy is compared.
"""
import contextlib

from repro_audit_shim import core, hooks

AT_MOST = 1 << 28  # bytes behind the tensors of one launch


def arm(torch, wanted, guarded, launched):
    """Gives each launch to `launched` while `wanted()`: its name, what it was given, what makes copies of that as it was
    before, what launches it again on those and gives what it left in them, and how many bytes a copy keeps. Both of ours
    are called by `guarded`, which bears their errors.
    """
    from torch.utils import _python_dispatch

    unseen = getattr(_python_dispatch, "_disable_current_modes", contextlib.nullcontext)

    def make(original):
        def run(self, *args, **kwargs):
            if kwargs.get("warmup") or not wanted():
                return original(self, *args, **kwargs)

            def again(given):
                original(self, *given[0], **given[1])
                return given

            with unseen():
                before = guarded(_Before, torch, args, kwargs)
            result = original(self, *args, **kwargs)
            if before is not None and 0 < before.size <= AT_MOST:
                with unseen():
                    name = "triton.%s" % getattr(self, "__name__", "kernel")
                    guarded(launched, name, (args, kwargs), before.copies, again, before.size)
            return result

        return run

    for where, kind in (("triton.runtime.jit", "JITFunction"), ("triton.runtime.interpreter", "InterpretedFunction")):
        hooks.after_import(where, lambda module, kind=kind: core.replace(getattr(module, kind, None), "run", make))


class _Before:
    """What a launch was given, and the memory behind it as it was then."""

    def __init__(self, torch, args, kwargs):
        self.torch, self.given = torch, (args, kwargs)
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in tensors}
        self.size = sum(storage.nbytes() for storage in storages.values())
        self.storages = {at: storage.clone() for at, storage in storages.items() if self.size <= AT_MOST}

    def copies(self):
        """Fresh ones; tensors that shared memory share it again."""
        fresh = {at: storage.clone() for at, storage in self.storages.items()}

        def copy(value):
            if not isinstance(value, self.torch.Tensor):
                return value
            storage = fresh[value.untyped_storage().data_ptr()]
            made = self.torch.empty(0, dtype=value.dtype, device=value.device)
            return made.set_(storage, value.storage_offset(), value.size(), value.stride())

        return tuple(map(copy, self.given[0])), {name: copy(value) for name, value in self.given[1].items()}
