"""Sums of the memory of a card, made there and brought home without a wait.

A tensor is read as lanes, whole numbers of at most 32 bits, each times an odd
64-bit weight that its place decides; their sum modulo 2^64 does not depend on
the order of additions. One launch takes many tensors (`kernel`; torch's own
operations where the kernel cannot be had), and what one step gave comes home
in one copy: a page.
"""
import os

from repro_audit_shim import kernel
from repro_audit_shim.digest import MASK

# Lanes that share one set of weights. 16 MiB of weights, and 48 MiB beside them, where torch's operations are used.
PERIOD = 1 << 21
SLOTS = 4096


def deliver(torch, device, tensors):
    """(terms, sums) of [(place, tensor)...] on one device: the leaf at a place is the sum of its terms, each sum times its
    factor. None where there is nothing to sum.
    """
    with torch.no_grad():
        if device.type != "cuda":
            terms, sums = card_sums(torch, tensors)
            return (terms, Known(torch.cat(sums).tolist())) if sums else None
        with torch.cuda.device(device):  # launches go to the current stream of the current device
            outlive_other_streams(torch, device, [t for _, t in tensors])
            return _kernel_sums(torch, device, tensors) or _torch_sums(torch, device, tensors)


class Known:
    """Sums that are at home already."""

    def __init__(self, values):
        self.values = values

    def ready(self):
        """They are."""
        return True

    def read(self):
        """The sums."""
        return self.values


class Slots:
    """Some slots of a page."""

    def __init__(self, page, first, count):
        self.page, self.first, self.count = page, first, count

    def ready(self):
        """Has the page come home? Asks without waiting."""
        return self.page.ready()

    def read(self):
        """What is in the slots; waits where the page has not come home."""
        return self.page.read()[self.first:self.first + self.count]


class Page:
    """Slots of 64 bits on a card, zeros at first, filled by one stream and copied home together."""

    def __init__(self, torch, device, size):
        self.torch, self.device, self.size = torch, device, size
        self.there = torch.zeros(size, dtype=torch.int64, device=device)
        self.address = self.there.data_ptr()
        self.used, self.pid = 0, os.getpid()
        self.home = self.event = self.values = None

    def send(self):
        """Starts the copy home; the page is full from now on."""
        if self.event is not None or self.values is not None:
            return
        torch = self.torch
        with torch.no_grad(), torch.cuda.device(self.device):
            self.home = torch.empty(self.used, dtype=torch.int64, pin_memory=True)
            self.home.copy_(self.there[:self.used], non_blocking=True)
            self.event = torch.cuda.Event()
            self.event.record()

    def ready(self):
        """Has it come home? Asks without waiting."""
        return self.values is not None or self.event is not None and self.event.query()

    def read(self):
        """Every slot's number; waits where they have not come home."""
        if self.values is None:
            if self.event is None:
                send()
            self.event.synchronize()
            self.values = self.home.tolist()
            self.there = self.home = self.event = None
        return self.values


_open = {}


def _take(torch, device, count):
    """Free slots on the open page of the current stream; call with `device` as the current one."""
    key = (device.index, torch.cuda.current_stream(device).cuda_stream)
    page = _open.get(key)
    if page is None or page.used + count > page.size:
        if page is not None:
            page.send()
        page = _open[key] = Page(torch, device, max(SLOTS, count))
    slots = Slots(page, page.used, count)
    page.used += count
    return slots, key[1]


def send():
    """Starts the copy home of everything summed since the last call."""
    if not _open:
        return
    streams = list(_open.items())
    _open.clear()
    for (_, stream), page in streams:
        torch = page.torch
        if page.pid != os.getpid():
            continue  # a forked child inherits what its parent is about to send, and has no card
        if torch.cuda.current_stream(page.device).cuda_stream == stream:
            page.send()
        else:
            with torch.cuda.stream(torch.cuda.ExternalStream(stream, device=page.device)):
                page.send()


def outlive_other_streams(torch, device, tensors):
    """Keeps the allocator from handing out memory that we still read on a stream of the job's own."""
    stream = torch.cuda.current_stream(device)
    if stream != torch.cuda.default_stream(device):
        for t in tensors:
            t.record_stream(stream)


class Number:
    """The one element of a tensor on a card as it is now, on its way home."""

    def __init__(self, torch, t):
        self.torch, self.dtype = torch, t.dtype
        with torch.no_grad(), torch.cuda.device(t.device):
            t = t.detach()
            outlive_other_streams(torch, t.device, [t])
            self.slots, _ = _take(torch, t.device, 1)
            page = self.slots.page
            page.there[self.slots.first:self.slots.first + 1].view(t.dtype)[:1].copy_(t.reshape(1))

    def ready(self):
        """Has it arrived? Asks without waiting."""
        return self.slots.ready()

    def value(self):
        """It as a tensor of one element on the host; waits where it has not arrived."""
        return self.torch.tensor(self.slots.read(), dtype=self.torch.int64).view(self.dtype)[:1]


# -- one launch for many tensors ----------------------------------------------------


def _kernel_sums(torch, device, tensors):
    """(terms, slots) by our own kernel; None where it cannot be had."""
    launch = kernel.of(device.index)
    if launch is None:
        return None
    terms, pieces, copies = [], [], []
    for place, t in tensors:
        if not t.is_contiguous() or t.is_complex() or t.is_neg():
            t = _row_major(torch, t)
            copies.append(t)  # held until the launch is on its stream
        size = t.element_size()
        lane = 4 if size >= 4 else size
        count, start = t.numel() * size // lane, t.data_ptr()
        if count <= PERIOD:
            if count:
                terms.append((place, 1))
                pieces.append((start, count, lane))
            continue
        for stretch in range(-(-count // PERIOD)):
            begun = stretch * PERIOD
            terms.append((place, factor(stretch)))
            pieces.append((start + begun * lane, min(PERIOD, count - begun), lane))
    if not pieces:
        return None
    slots, stream = _take(torch, device, len(pieces))
    if launch(slots.page.address + 8 * slots.first, pieces, stream):
        return terms, slots
    kernel.give_up(device.index)
    return None


def _row_major(torch, t):
    t = t.detach()
    if t.is_complex():
        t = torch.view_as_real(t.resolve_conj())
    return t.resolve_neg().contiguous()


# -- torch's own operations -----------------------------------------------------------


def _torch_sums(torch, device, tensors):
    terms, sums = card_sums(torch, tensors)
    if not sums:
        return None
    slots, _ = _take(torch, device, len(terms))
    slots.page.there[slots.first:slots.first + slots.count].copy_(torch.cat(sums))
    return terms, slots


_weights = {}


def weights(torch, n, device):
    """The first `n` fixed odd 64-bit weights, made by arithmetic and not by a generator."""
    have = _weights.get(device)
    if have is None or have.numel() < n:
        size = min(PERIOD, 1 << max(n - 1, (1 << 16) - 1).bit_length())
        x = torch.arange(1, size + 1, dtype=torch.int64, device=device)
        x = x * -7046029254386353131
        x = (x ^ ((x >> 31) & 0x1FFFFFFFF)) * -4658895280553007687
        x = (x ^ ((x >> 29) & 0x7FFFFFFFF)) | 1
        have = _weights[device] = x
    return have[:n]


def factor(stretch):
    """The odd number by which the weights of the stretch after so many periods are multiplied; 1 for the first."""
    if stretch == 0:
        return 1
    x = (stretch * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return (x ^ (x >> 31)) | 1


def lanes(torch, t):
    """The elements of a tensor in row-major order, as whole numbers of at most 32 bits.

    The top bit of a lane times an odd weight stays the top bit: lanes as wide as the sum would lose flips of two signs.
    """
    t = _row_major(torch, t).reshape(-1)
    size = t.element_size()
    return t.view(torch.int32 if size >= 4 else torch.int16 if size == 2 else torch.uint8)


def card_sums(torch, tensors):
    """([(place, factor)...], sums): the leaf of the tensor at `place` is the sum of its terms, each times its factor.

    A leaf depends on the tensor alone, and not on what is summed with it.
    """
    sums, terms = [], []
    for place, t in tensors:
        flat = lanes(torch, t)
        for stretch in range(-(-flat.numel() // PERIOD)):
            part = flat[stretch * PERIOD:(stretch + 1) * PERIOD]
            terms.append((place, factor(stretch)))
            sums.append((part * weights(torch, part.numel(), part.device)).sum().reshape(1))
    return terms, sums
