"""The kernel that sums many pieces of a card's memory in one launch, through the driver.

Its code travels as the driver's own assembly (`sums.ptx`, compiled from `sums.cu`, which says how), so that neither a
compiler nor a fitting library is needed on the machine. Where the driver or the card will not have it, `of` gives None.
"""
import os
from array import array

MOST = 240  # pieces that one launch takes; as in sums.cu
THREADS = 256
LANES = 1 << 14  # of the longest piece to one block; with fewer, 8 MB pieces came at half the speed
_launchers = {}


def of(index):
    """The launcher for the card of this number, which is the current one; None where there is none."""
    if index not in _launchers:
        try:
            _launchers[index] = _load()
        except (OSError, AttributeError, ValueError):
            _launchers[index] = None
    return _launchers[index]


def give_up(index):
    """A launch was refused: there is no launcher from now on."""
    _launchers[index] = None


def _load():
    import ctypes

    driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sums.ptx"), "rb") as file:
        code = file.read()
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    refused = driver.cuModuleLoadData(ctypes.byref(module), code + b"\0") or driver.cuModuleGetFunction(
        ctypes.byref(function), module, b"repro_audit_sums")
    if refused:
        raise OSError("the driver answers %d" % refused)
    start = driver.cuLaunchKernel
    start.restype = ctypes.c_int
    start.argtypes = [ctypes.c_void_p] + 6 * [ctypes.c_uint] + [ctypes.c_uint] + 3 * [ctypes.c_void_p]
    told = array("Q", bytes(16 * MOST))  # where a piece starts and what it is, in turn
    out = ctypes.c_uint64()
    arguments = (ctypes.c_void_p * 2)(ctypes.addressof(out), told.buffer_info()[0])

    def launch(address, starts, some, stream):
        """Adds the sum of each piece to its slot from `address` on, `some` being its batches; False where refused."""
        for begun, pieces, blocks in some:
            n = len(pieces)
            told[0:2 * n:2] = array("Q", starts[begun:begun + n])
            told[1:2 * n:2] = pieces
            out.value = address + 8 * begun
            if start(function, blocks, n, 1, THREADS, 1, 1, 0, stream, arguments, None):
                return False
        return True

    return launch


def piece(count, lane):
    """What the kernel is told of a piece beside its start: so many lanes of so many bytes."""
    return count | lane << 56


def batches(pieces):
    """[(number of the first, pieces, blocks of a grid)...]: the pieces in launches of no more than one takes."""
    found = []
    for begun in range(0, len(pieces), MOST):
        some = pieces[begun:begun + MOST]
        longest = max(one & (1 << 56) - 1 for one in some)
        found.append((begun, array("Q", some), min(-(-longest // LANES), 512)))
    return found
