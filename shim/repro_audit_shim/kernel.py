"""The kernel that sums many pieces of a card's memory in one launch, through the driver.

Its code travels as the driver's own assembly (`sums.ptx`, compiled from `sums.cu`, which says how), so that neither a
compiler nor a fitting library is needed on the machine. Where the driver or the card will not have it, `of` gives None.
"""
import os

MOST = 240  # pieces that one launch takes; as in sums.cu
THREADS = 256
LANES = 1 << 12  # of the longest piece to one block
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
    told = (ctypes.c_uint64 * (2 * MOST))()
    out = ctypes.c_uint64()
    arguments = (ctypes.c_void_p * 2)(ctypes.addressof(out), ctypes.addressof(told))

    def launch(address, pieces, stream):
        """Adds the sum of each (start, lanes, bytes of a lane) to its slot from `address` on; False where refused."""
        for begun in range(0, len(pieces), MOST):
            some = pieces[begun:begun + MOST]
            flat = []
            for start_at, count, lane in some:
                flat.append(start_at)
                flat.append(count | lane << 56)
            told[:len(flat)] = flat
            out.value = address + 8 * begun
            blocks = min(-(-max(piece[1] for piece in some) // LANES), 512)
            if start(function, blocks, len(some), 1, THREADS, 1, 1, 0, stream, arguments, None):
                return False
        return True

    return launch
