"""Digests of the global generators' states, without drawing from them or copying them."""
import sys

from repro_audit_shim import digest

_WORDS = 624


class _Looked:
    """Names and memory of the states seen in one look."""

    def __init__(self):
        self.names, self.pointers, self.lengths, self.keep = [], [], [], []

    def add(self, name, pointer, length, owner=None):
        self.names.append(name)
        self.pointers.append(pointer)
        self.lengths.append(length)
        self.keep.append(owner)

    def add_bytes(self, name, data):
        self.add(name, digest.address(data), len(data), data)


class Generators:
    """Looks at each global generator that the job has loaded."""

    def __init__(self, torch):
        self.torch = torch
        self.python = None
        self.numpy = None
        self.last = {}
        self.first = {}

    def look(self):
        """[[name, digest text, moved since the last look, moved since the first]...]"""
        looked = _Looked()
        self._add_python(looked)
        self._add_numpy(looked)
        state = self.torch.default_generator.get_state()
        looked.add("rng.torch", state.data_ptr(), state.numel())
        cuda = self.torch.cuda
        if cuda.is_initialized():
            for i, generator in enumerate(cuda.default_generators):
                state_i = generator.get_state()
                looked.add("rng.cuda%d" % i, state_i.data_ptr(), state_i.numel(), state_i)
        leaves, _ = digest.memory(looked.pointers, looked.lengths)
        items = []
        for name, leaf in zip(looked.names, leaves):
            before = self.last.get(name)
            self.last[name] = leaf
            first = self.first.setdefault(name, leaf)
            items.append([name, digest.text(leaf), before is not None and before != leaf, first != leaf])
        return items

    def _add_python(self, looked):
        module = sys.modules.get("random")
        if module is None:
            return
        if self.python is None:
            self.python = _python_address(module)
        if self.python:
            looked.add("rng.python", self.python, 4 * (_WORDS + 1))
        else:
            looked.add_bytes("rng.python", repr(module.getstate()).encode())

    def _add_numpy(self, looked):
        module = sys.modules.get("numpy.random.mtrand")
        if module is None:
            return
        generator = module._rand._bit_generator
        if self.numpy is None or self.numpy[0] is not generator:
            address = None
            if type(generator).__name__ == "MT19937":
                address = getattr(getattr(generator, "ctypes", None), "state_address", None)
            self.numpy = (generator, address)
        if self.numpy[1]:
            looked.add("rng.numpy", self.numpy[1], 4 * (_WORDS + 1))
        else:
            looked.add_bytes("rng.numpy", repr(generator.state).encode())


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
