"""The digest that is made on a card, computed on the CPU by torch's operations; where there is a card, by the kernel too."""
import ctypes
import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "shim"))

import torch

from repro_audit_shim import card, digest, plan, steps

TYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64, torch.int64, torch.uint8]


def leaves(tensors):
    """The leaves of tensors as a card gives them."""
    terms, sums = card.card_sums(torch, list(enumerate(tensors)))
    found = [0] * len(tensors)
    for (place, factor), value in zip(terms, torch.cat(sums).tolist()):
        found[place] = (found[place] + value * factor) & digest.MASK
    return found


def values(n, dtype=torch.float32, seed=0):
    made = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if dtype.is_complex:
        return torch.complex(made, made.flip(0)).to(dtype)
    return (made * 50).to(dtype) if not dtype.is_floating_point else made.to(dtype)


class Leaf(unittest.TestCase):
    """One number per tensor."""

    def setUp(self):
        self.period = card.PERIOD

    def tearDown(self):
        card.PERIOD = self.period

    def test_depends_on_the_tensor_alone(self):
        for dtype in TYPES:
            a, b, c = values(1000, dtype, 1), values(7, dtype, 2), values(333, dtype, 3)
            alone = [leaves([t])[0] for t in (a, b, c)]
            self.assertEqual(leaves([a, b, c]), alone, dtype)
            self.assertEqual(leaves([c, a, b]), [alone[2], alone[0], alone[1]], dtype)

    def test_is_the_same_for_any_number_of_threads(self):
        tensor, threads = values(300000), torch.get_num_threads()
        try:
            seen = set()
            for count in (1, 2, 3):
                torch.set_num_threads(count)
                seen.add(leaves([tensor, values(9)])[0])
            self.assertEqual(len(seen), 1)
        finally:
            torch.set_num_threads(threads)

    def test_follows_row_major_order_and_not_the_memory(self):
        tensor = values(4 * 3 * 5 * 5).reshape(4, 3, 5, 5)
        self.assertEqual(leaves([tensor]), leaves([tensor.to(memory_format=torch.channels_last)]))
        self.assertNotEqual(leaves([tensor]), leaves([tensor.transpose(0, 1)]))

    def test_takes_an_empty_tensor(self):
        self.assertEqual(leaves([torch.empty(0), values(3)])[0], 0)


class Misses(unittest.TestCase):
    """Other data must give another number, also where a weaker sum does not."""

    def setUp(self):
        self.period = card.PERIOD
        card.PERIOD = 256  # so that 1000 elements lie in four stretches, whose weights repeat

    def tearDown(self):
        card.PERIOD = self.period

    def differs(self, change, dtype=torch.float32, rounds=50):
        for seed in range(rounds):
            before = values(1000, dtype, seed)
            after = before.clone()
            change(after, torch.Generator().manual_seed(seed))
            if torch.equal(before.view(torch.uint8), after.view(torch.uint8)):
                continue
            self.assertNotEqual(leaves([before]), leaves([after]), (dtype, seed))

    @staticmethod
    def two(generator):
        i, j = torch.randperm(1000, generator=generator)[:2].tolist()
        return i, j

    def test_permutation(self):
        for dtype in TYPES:
            self.differs(lambda t, g: t.copy_(t[torch.randperm(1000, generator=g)]), dtype, 5)

    def test_two_swapped(self):
        def swap(t, g):
            i, j = self.two(g)
            t[i], t[j] = t[j].clone(), t[i].clone()

        for dtype in TYPES:
            self.differs(swap, dtype)

    def test_two_swapped_that_share_a_weight(self):
        def swap(t, g):
            t[3], t[3 + 256] = t[3 + 256].clone(), t[3].clone()

        self.differs(swap)

    def test_two_signs_flipped(self):
        def flip(t, g):
            i, j = self.two(g)
            t[i], t[j] = -t[i], -t[j]

        for dtype in TYPES[:5]:
            self.differs(flip, dtype, 300)

    def test_two_zeros_become_negative(self):
        for dtype in TYPES[:4]:
            for seed in range(100):
                i, j = self.two(torch.Generator().manual_seed(seed))
                before = torch.zeros(1000, dtype=dtype)
                after = before.clone()
                after[i] = after[j] = -0.0
                self.assertNotEqual(leaves([before]), leaves([after]), (dtype, seed))

    def test_an_equal_pair_changed_alike(self):
        def change(t, g):
            i, j = self.two(g)
            t[i] = t[j] = 7

        for dtype in TYPES:
            self.differs(change, dtype)

    def test_one_ulp(self):
        def nudge(t, g):
            t.view(torch.int32)[self.two(g)[0]] += 1

        self.differs(nudge, rounds=300)

    def test_the_lowest_and_the_highest_bit_of_any_lane(self):
        before = values(1000)
        seen = {leaves([before])[0]}
        for i in range(0, 1000, 7):
            for bit in (0, 31):
                after = before.clone()
                after.view(torch.int32)[i] ^= -(1 << 31) if bit == 31 else 1
                seen.add(leaves([after])[0])
        self.assertEqual(len(seen), 1 + 2 * len(range(0, 1000, 7)))


class Roots(unittest.TestCase):
    """What a recorder gets where tensors lie on a card."""

    def gathered(self, *tensors):
        gather = digest.Gather(torch)
        for t in tensors:
            gather.cards.append((len(gather.pointers), t))
            gather._memory(None, 0, 0)
        gather.tensor(torch.ones(3))  # one on the CPU among them
        return gather.finish()

    def test_leaves_are_filled_in_when_the_root_is_known(self):
        found, promise = self.gathered(values(10), values(20))
        self.assertTrue(promise.ready())
        root = promise.root()
        self.assertEqual(len(set(found)), 3)
        self.assertEqual(promise.root(), root, "asking twice gives the same")
        again, other = self.gathered(values(10), values(20))
        self.assertEqual((other.root(), again), (root, found))

    def test_leaves_differ_where_the_tensor_does(self):
        found, promise = self.gathered(values(10), values(20))
        promise.root()
        changed = values(20)
        changed[7] += 1
        other, promise = self.gathered(values(10), changed)
        promise.root()
        self.assertEqual([a == b for a, b in zip(found, other)], [True, False, True])

    def test_shape_and_type_count_where_all_is_zero(self):
        roots = {self.gathered(t)[1].root() for t in (
            torch.zeros(4), torch.zeros(5), torch.zeros(2, 2), torch.zeros(4, dtype=torch.int32), torch.empty(0))}
        self.assertEqual(len(roots), 5)


class OnCpu(plan.Plan):
    """Takes every tensor of more than one element for one on a card, and sums as the kernel does."""

    def __init__(self, torch, kinds):
        super().__init__(torch, kinds)
        self.asks[0] = lambda t: -1 if t.numel() == 1 else 0

    def _launch(self, torch, tensors, addresses):
        return card.Known([self.sum(addresses[at] + begun, piece) for (at, begun), piece in zip(self.first, self.pieces)])

    @staticmethod
    def sum(address, piece):
        count, lane = piece & (1 << 56) - 1, piece >> 56
        kind = {4: ctypes.c_int32, 2: ctypes.c_int16, 1: ctypes.c_uint8}[lane]
        lanes = (kind * count).from_address(address)
        return sum(a * b for a, b in zip(lanes, card.weights(torch, count, torch.device("cpu")).tolist()))


class Plans(unittest.TestCase):
    """A list that comes again has the digest of its tensors one by one, whatever happened to them meanwhile."""

    def setUp(self):
        self.period = card.PERIOD
        card.PERIOD = 256
        for patch in (mock.patch.object(plan, "Plan", OnCpu), mock.patch.dict(plan._plans)):
            patch.start()
            self.addCleanup(patch.stop)

    def tearDown(self):
        card.PERIOD = self.period

    def one_by_one(self, tensors):
        gather = digest.Gather(torch)
        for t in tensors:
            if t is not None and t.numel() != 1:
                gather.cards.append((len(gather.pointers), t))
                gather._memory(None, 0, 0)
            else:
                gather.tensor(t)
        found, promise = gather.finish()
        return promise.root(), found

    def agree(self, tensors, key="list"):
        by_plan = plan._by_plan(torch, key, tensors)
        if by_plan is None:
            return False
        root = by_plan[1].root()
        self.assertEqual((root, by_plan[0]), self.one_by_one(tensors))
        return True

    def test_of_many_kinds(self):
        a, b = values(1000), values(30, torch.bfloat16)
        lists = [[a, b], [a + 1, b], [b, a], [a, None, b, torch.tensor(3.0)], [a, None, b, torch.tensor(4.0)], [None, a],
                 [a.view(10, 100), b], [torch.empty(0), a], [a] * 300, [a, b]]
        for some in lists:
            self.assertTrue(self.agree(some))

    def test_of_the_same_tensors_with_other_contents(self):
        a, b = torch.nn.Parameter(values(1000)), torch.nn.Parameter(values(30))
        for _ in range(6):
            self.assertTrue(self.agree([a, b]))
            with torch.no_grad():
                a.mul_(1.5)
        self.assertTrue(plan._plans["list"].last.known)

    def test_of_the_same_tensors_somewhere_else_or_of_another_size(self):
        a, b = torch.nn.Parameter(values(1000)), torch.nn.Parameter(values(30))
        for change in (None, None, None, lambda: values(1000, seed=2), lambda: a.data[:500], lambda: values(40)):
            if change is not None:
                a.data = change()
            self.assertTrue(self.agree([a, b]))

    def test_of_tensors_made_anew_at_every_step(self):
        for seed in range(20):
            self.assertTrue(self.agree([values(100, seed=seed), values(7, seed=seed)]))

    def test_leaves_to_others_what_it_cannot_sum(self):
        a = values(1000)
        for odd in (a.view(10, 100).t(), torch.view_as_complex(a.view(500, 2)), torch.eye(3).to_sparse()):
            self.assertFalse(self.agree([a, odd]))
        self.assertTrue(self.agree([a]))


class Page:
    """A page that comes home when it is told to."""

    home = False

    def ready(self):
        return self.home


class Records(unittest.TestCase):
    """What waits for a card is written in its order, as soon as it is complete, and all of it in the end."""

    def setUp(self):
        self.recorder, self.written, self.pages = steps.Recorder(torch), [], []
        self.recorder.deferred = True
        for patch in (mock.patch.object(steps.record, "write", lambda *items: self.written.extend(items)),
                      mock.patch.object(card, "send", self.send)):
            patch.start()
            self.addCleanup(patch.stop)

    def send(self):
        self.pages.append(Page())
        return [self.pages[-1]]

    def emit(self, *numbers):
        for n in numbers:
            self.recorder._emit({"n": n})

    def numbers(self):
        return [item["n"] for item in self.written]

    def test_in_order_and_only_what_is_complete(self):
        self.emit(1, 2)
        self.pages[1].home = True
        self.recorder.flush()
        self.assertEqual(self.numbers(), [], "the first has not come")
        self.pages[0].home = True
        self.recorder.flush()
        self.assertEqual(self.numbers(), [1, 2])

    def test_by_the_next_backward_pass_so_that_a_run_which_is_ended_early_loses_one_step(self):
        for n in range(4):
            self.recorder.saw_loss([])
            self.assertEqual(self.numbers(), list(range(n)))
            self.emit(n)
            self.pages[-1].home = True

    def test_by_the_next_record_where_nothing_goes_backward(self):
        for n in range(4):
            self.emit(n)
            self.assertEqual(self.numbers(), list(range(n)))
            self.pages[-1].home = True

    def test_all_of_it_in_the_end(self):
        self.emit(1, 2, 3)
        self.recorder.flush(wait=True)
        self.assertEqual(self.numbers(), [1, 2, 3])

    def test_a_forked_child_leaves_what_its_parent_is_about_to_write(self):
        self.emit(1, 2)
        self.recorder.pid = -1
        self.emit(3)
        self.recorder.flush(wait=True)
        self.assertEqual(self.numbers(), [3])


@unittest.skipUnless(torch.cuda.is_available(), "no CUDA device")
class Kernel(unittest.TestCase):
    """The kernel gives what torch's operations give."""

    def setUp(self):
        self.period = card.PERIOD

    def tearDown(self):
        card.PERIOD = self.period

    def both(self, *tensors):
        """The leaves on the card, made by the kernel, and those of the same tensors on the CPU."""
        gather = digest.Gather(torch)
        for t in tensors:
            gather.tensor(t.cuda() if t.numel() else torch.empty(t.shape, dtype=t.dtype, device="cuda"))
        found, promise = gather.finish()
        promise.root()
        sizes = [digest.size_leaf(t) for t in tensors]
        return found, [(a + b) & digest.MASK for a, b in zip(sizes, leaves(tensors))]

    def test_loads(self):
        torch.zeros(1, device="cuda")
        self.assertIsNotNone(card.kernel.of(0))

    def test_every_type_and_length(self):
        for dtype in TYPES + [torch.bool, torch.int8, torch.complex128]:
            found, right = self.both(*[values(n, torch.float64, n).to(dtype) for n in (1, 2, 31, 257, 4097, 100003)])
            self.assertEqual(found, right, dtype)

    def test_more_pieces_than_one_launch_takes_and_more_slots_than_one_page_has(self):
        found, right = self.both(*[values(1 + n % 7, seed=n) for n in range(5000)])
        self.assertEqual(found, right)

    def test_stretches(self):
        card.PERIOD = 256
        found, right = self.both(values(1000), values(256), values(257, torch.bfloat16), torch.empty(0))
        self.assertEqual(found, right)

    def test_views(self):
        base = values(4 * 3 * 5 * 5).reshape(4, 3, 5, 5)
        odd = torch.complex(base, base.flip(0)).conj()
        found, right = self.both(base.to(memory_format=torch.channels_last), base.transpose(0, 3), base[1:, 1:], odd, odd.imag)
        self.assertEqual(found, right)

    def test_a_stream_of_the_jobs_own(self):
        t, side = values(300000), torch.cuda.Stream()
        on_card = t.cuda()
        torch.cuda.synchronize()
        gather = digest.Gather(torch)
        with torch.cuda.stream(side):
            doubled = on_card * 2
            gather.tensor(doubled)
            found, promise = gather.finish()
        card.send()
        promise.root()
        self.assertEqual(found[0], (digest.size_leaf(t) + leaves([t * 2])[0]) & digest.MASK)

    def test_a_list_that_comes_again_has_the_digest_of_its_tensors_one_by_one(self):
        a, b = values(1000).cuda(), values(30, torch.bfloat16).cuda()
        wide = values(4 * 3 * 5 * 5).reshape(4, 3, 5, 5).cuda().to(memory_format=torch.channels_last)
        card.PERIOD = 256
        lists = [[a, b], [a, b], [a + 1, b], [b, a], [a, None, b, torch.tensor(3.0)], [a, None, b, torch.tensor(4.0)],
                 [None, a], [a.view(10, 100), b], [a.view(10, 100).t(), b], [wide, a], [values(3), None], [torch.empty(0).cuda(), a],
                 [torch.view_as_complex(a.view(500, 2)), a], [], [a] * 600]
        for some in lists:
            gather = digest.Gather(torch)
            gather.tensors(some)
            pairs = [gather.finish(), plan.digest_of(torch, "key", some)]
            card.send()
            roots = [root.root() if isinstance(root, digest.Promise) else root for _, root in pairs]
            self.assertEqual((roots[0], pairs[0][0]), (roots[1], pairs[1][0]))

    def test_numbers_as_they_were_when_they_were_seen(self):
        for dtype, bits in ((torch.bfloat16, 0xBFC0), (torch.float32, 0xBFC00000), (torch.float64, 0xBFF8 << 48), (torch.int8, 0xFF)):
            loss = torch.tensor(-1.5, device="cuda").to(dtype)
            seen = card.Number(torch, loss)
            loss += 1
            self.assertEqual((seen.bits(), seen.kind), (bits, str(dtype)[6:]))


if __name__ == "__main__":
    unittest.main()
