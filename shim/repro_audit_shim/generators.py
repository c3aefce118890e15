"""Digests of the global generators' states, without drawing from them or copying them."""
import sys

from repro_audit_shim import digest

_WORDS = 624


class Generators:
    """Looks at each global generator that the job has loaded."""

    def __init__(self, torch):
        self.torch = torch
        self.python = None
        self.numpy = None
        self.last = {}
        self.first = {}

    def look(self):
        """[(name, digest text, moved since the last look, moved since the first)...]"""
        names, pieces, keep = [], [], []
        self._add_python(names, pieces, keep)
        self._add_numpy(names, pieces, keep)
        state = self.torch.get_rng_state()
        names.append("rng.torch")
        pieces.append((state.data_ptr(), state.numel()))
        cuda = self.torch.cuda
        if cuda.is_initialized():
            for i, generator in enumerate(cuda.default_generators):
                state_i = generator.get_state()
                keep.append(state_i)
                names.append("rng.cuda%d" % i)
                pieces.append((state_i.data_ptr(), state_i.numel()))
        leaves, _ = digest.memory(pieces)
        items = []
        for name, leaf in zip(names, leaves):
            before = self.last.get(name)
            self.last[name] = leaf
            first = self.first.setdefault(name, leaf)
            items.append((name, digest.text(leaf), before is not None and before != leaf, first != leaf))
        return items

    def _add_python(self, names, pieces, keep):
        module = sys.modules.get("random")
        if module is None:
            return
        if self.python is None:
            self.python = _python_address(module)
        names.append("rng.python")
        if self.python:
            pieces.append((self.python, 4 * (_WORDS + 1)))
        else:
            data = repr(module.getstate()).encode()
            keep.append(data)
            pieces.append(_of_bytes(data))

    def _add_numpy(self, names, pieces, keep):
        module = sys.modules.get("numpy.random.mtrand")
        if module is None:
            return
        generator = module._rand._bit_generator
        if self.numpy is None or self.numpy[0] is not generator:
            address = None
            if type(generator).__name__ == "MT19937":
                address = getattr(getattr(generator, "ctypes", None), "state_address", None)
            self.numpy = (generator, address)
        names.append("rng.numpy")
        if self.numpy[1]:
            pieces.append((self.numpy[1], 4 * (_WORDS + 1)))
        else:
            data = repr(generator.state).encode()
            keep.append(data)
            pieces.append(_of_bytes(data))


def _of_bytes(data):
    import ctypes

    return ctypes.cast(data, ctypes.c_void_p).value, len(data)


def _python_address(module):
    """Where the state of `random` lies in memory, proved by comparing; 0 where unproved."""
    import ctypes

    instance = getattr(module, "_inst", None)
    if instance is None or sys.implementation.name != "cpython":
        return 0
    words = module.getstate()[1]
    address = id(instance) + object.__basicsize__
    if type(instance).__mro__[1].__basicsize__ < object.__basicsize__ + 4 * (_WORDS + 1):
        return 0
    seen = (ctypes.c_uint32 * (_WORDS + 1)).from_address(address)
    if seen[0] == words[-1] and tuple(seen[1:]) == words[:-1]:
        return address
    return 0
