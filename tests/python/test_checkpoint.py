"""`repro-audit diff` of checkpoints against what torch itself finds in them, on random models; and hostile files."""
import contextlib
import io
import json
import os
import pickle
import random
import struct
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
BITS = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
INTS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
SAFE = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
        torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.int64: "I64", torch.int32: "I32",
        torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}


def binary():
    """The program under test: the one named by CARGO_BIN, else the one that cargo built."""
    named = os.environ.get("CARGO_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for path in [Path(named)] if named else [target / "debug/repro-audit", target / "release/repro-audit"]:
        if path.is_file():
            return str(path)
    raise unittest.SkipTest("repro-audit is not built: cargo build, or name it in CARGO_BIN")


def diff(*files, options=()):
    """Exit code, the checkpoint block (or None) and the whole report (or what was said on standard error)."""
    ran = subprocess.run([binary(), "diff", "--format", "json", *options, *map(str, files)], capture_output=True,
                         text=True, timeout=60)
    if ran.returncode == 2:
        return 2, None, ran.stderr
    report = json.loads(ran.stdout)
    return ran.returncode, report["checkpoint"]["comparisons"][0], report


def write_safetensors(path, tensors, metadata=None):
    """A safetensors file, written by hand."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        content = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        header[name] = {"dtype": SAFE[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def bits(tensor):
    """The bits of each element as whole numbers."""
    flat = tensor.detach().contiguous().reshape(-1)
    if flat.dtype == torch.bool:
        flat = flat.view(torch.uint8)
    return flat.view(BITS[flat.element_size()]).numpy().astype(object)


def expected(a, b):
    """What two tensors of one type differ by, found with torch and unlimited whole numbers."""
    left, right = bits(a), bits(b)
    wide = 8 * a.element_size()
    apart = [i for i in range(len(left)) if left[i] != right[i]]
    if not apart:
        return {"differing": 0}
    x, y = (t.detach().contiguous().reshape(-1).to(torch.float64).numpy() for t in (a, b))
    found = {"differing": len(apart), "first": list(map(int, np.unravel_index(apart[0], a.shape)))}
    if a.dtype.is_floating_point:
        def line(value):
            value = int(value)
            return value if value >= 0 else -(value + (1 << (wide - 1)))
        numbers = [i for i in apart if not (np.isnan(x[i]) or np.isnan(y[i]))]
        ulps = [abs(line(left[i]) - line(right[i])) for i in numbers]
        found["nan"] = [int(np.isnan(x[apart]).sum()), int(np.isnan(y[apart]).sum())]
        found["signs_of_zero"] = sum(1 for i in apart if x[i] == 0 and y[i] == 0)
    else:
        exact = [t.detach().contiguous().reshape(-1).to(torch.int64).numpy() for t in (a, b)]
        ulps = [abs(int(exact[0][i]) - int(exact[1][i])) for i in apart]
    found["max_ulps"] = max(ulps, default=None)
    found["median"] = sorted(ulps)[(len(ulps) - 1) // 2] if ulps else None
    found["histogram"] = sum(1 for _ in ulps)
    if a.dtype.is_floating_point:
        finite = [i for i in apart if np.isfinite(x[i]) and np.isfinite(y[i])]
        sizes = [(abs(x[i] - y[i]), max(abs(x[i]), abs(y[i]))) for i in finite]
        found["max_absolute"] = max((size for size, _ in sizes), default=None)
        found["max_relative"] = max((size / of if of else 0.0 for size, of in sizes), default=None)
    return found


class Random:
    """Random tensors of every type, shape and layout."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.torch = torch.Generator().manual_seed(seed)

    def shape(self):
        return [self.random.choice([0, 1, 1, 2, 3, 5, 17]) for _ in range(self.random.choice([0, 1, 1, 2, 2, 3, 4]))]

    def tensor(self):
        dtype = self.random.choice(FLOATS + INTS)
        shape = self.shape()
        if dtype.is_floating_point:
            whole = torch.randn([2 * side for side in shape], generator=self.torch, dtype=torch.float64).to(dtype)
        else:
            whole = torch.randint(0, 2 if dtype == torch.bool else 100, [2 * side for side in shape],
                                  generator=self.torch).to(dtype)
        kind = self.random.choice(["dense", "dense", "slice", "transposed", "shifted", "expanded"])
        if kind == "slice":
            return whole[tuple(slice(None, None, 2) for _ in shape)]
        if kind == "shifted":
            return whole[tuple(slice(side // 2, side // 2 + side) for side in shape)]
        cut = whole[tuple(slice(0, side) for side in shape)].clone()
        if kind == "transposed" and len(shape) > 1:
            return cut.transpose(self.random.randrange(len(shape)), self.random.randrange(len(shape)))
        if kind == "expanded" and shape and shape[0] == 1:
            return cut.expand([4, *shape[1:]])
        return cut

    def changed(self, tensor):
        """The same with some bits of some elements changed, perhaps in another layout."""
        copy = tensor.detach().clone(memory_format=torch.contiguous_format)
        flat = copy.view(-1) if copy.numel() else copy.reshape(-1)
        raw = flat.view(torch.uint8)
        for _ in range(self.random.choice([0, 0, 1, 1, 3, flat.numel()])):
            if not flat.numel():
                break
            at = self.random.randrange(flat.numel())
            if flat.dtype == torch.bool:
                raw[at] ^= 1
            elif flat.dtype.is_floating_point and self.random.random() < 0.2:
                flat[at] = self.random.choice([float("nan"), 0.0, -0.0, 1e9])
            else:
                byte = at * flat.element_size() + self.random.randrange(flat.element_size())
                raw[byte] ^= 1 << self.random.randrange(8)
        if copy.dim() > 1 and self.random.random() < 0.3:
            copy = copy.transpose(0, 1).contiguous().transpose(0, 1)
        return copy


class AgainstTorch(unittest.TestCase):
    def check(self, found, a, b, name):
        wanted = expected(a, b)
        self.assertEqual(found["elements"], a.numel(), name)
        self.assertEqual(found["differing"], wanted["differing"], name)
        if not wanted["differing"]:
            self.assertEqual(found["kind"], "equal", name)
            return
        spread = found["spread"]
        self.assertEqual(spread["first"]["index"], wanted["first"], name)
        self.assertEqual(spread["max_ulps"], wanted["max_ulps"], name)
        self.assertEqual(sum(bar["count"] for bar in spread["ulps"]), wanted["histogram"], name)
        if wanted["median"] is not None:
            low, high = spread["median_ulps"]
            self.assertTrue(low <= wanted["median"] <= high <= max(2 * low, 63), name)
        if a.dtype.is_floating_point:
            self.assertEqual(spread["nan"], wanted["nan"], name)
            self.assertEqual(spread["signs_of_zero"], wanted["signs_of_zero"], name)
            for key in ["max_absolute", "max_relative"]:
                if wanted[key] is None:
                    self.assertIsNone(spread[key], name)
                else:
                    self.assertAlmostEqual(float(spread[key]), wanted[key], delta=1e-12 * wanted[key], msg=name)

    def compare(self, pairs, write, folder, suffix):
        one, two = folder / f"one{suffix}", folder / f"two{suffix}"
        write(one, {name: a for name, (a, _) in pairs.items()})
        write(two, {name: b for name, (_, b) in pairs.items()})
        code, block, report = diff(one, two)
        found = {tensor["name"]: tensor for tensor in block["tensors"]}
        self.assertEqual(list(found), list(pairs))
        apart = [name for name, (a, b) in pairs.items() if expected(a, b)["differing"]]
        for name, (a, b) in pairs.items():
            self.check(found[name], a, b, f"{name} {a.dtype} {list(a.shape)} {a.stride()} {b.stride()}")
        some = sum(a.numel() for a, _ in pairs.values())
        self.assertEqual(code, 1 if apart else 0 if some else 3, report["reason"])
        if apart:
            self.assertEqual(report["divergence"]["metric"], apart[0])

    def test_random_models(self):
        with tempfile.TemporaryDirectory(prefix="repro-audit-checkpoint-") as tmp:
            for seed in range(30):
                with self.subTest(seed=seed):
                    make = Random(seed)
                    tensors = {f"layer{i}.weight": make.tensor() for i in range(12)}
                    pairs = {name: (tensor, make.changed(tensor)) for name, tensor in tensors.items()}
                    self.compare(pairs, lambda path, t: torch.save(t, path), Path(tmp), ".pt")
                    if seed % 2:
                        self.compare(pairs, lambda path, t: write_safetensors(path, t), Path(tmp), ".safetensors")

    def test_large_tensors_in_unlike_layouts(self):
        with tempfile.TemporaryDirectory(prefix="repro-audit-checkpoint-") as tmp:
            a = torch.randn(700, 900)
            b = a.clone()
            b[3, 5] += 1
            b[600, 2] = float("nan")
            pairs = {"same_layout": (a.t(), b.t()), "unlike": (a.t(), b.t().contiguous()),
                     "slice": (a[:, ::3], b[:, ::3].contiguous()), "rows": (a[10:], b[10:])}
            self.compare(pairs, lambda path, t: torch.save(t, path), Path(tmp), ".pt")

    def test_shared_storages(self):
        with tempfile.TemporaryDirectory(prefix="repro-audit-checkpoint-") as tmp:
            whole = torch.arange(100.0)
            other = whole.clone()
            other[50] += 1
            pairs = {"head": (whole[:40], other[:40]), "tail": (whole[40:], other[40:]),
                     "grid": (whole.view(10, 10)[2:8, 3:], other.view(10, 10)[2:8, 3:])}
            self.compare(pairs, lambda path, t: torch.save(t, path), Path(tmp), ".pt")


class Meaning(unittest.TestCase):
    """What is said of tensors that are not simply other numbers."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="repro-audit-checkpoint-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def saved(self, a, b, options=()):
        torch.save(a, self.folder / "a.pt")
        torch.save(b, self.folder / "b.pt")
        code, block, report = diff(self.folder / "a.pt", self.folder / "b.pt", options=options)
        return code, {tensor["name"]: tensor for tensor in block["tensors"]}, block, report

    def test_other_types_are_compared_by_value(self):
        a = torch.randn(50)
        for dtype in [torch.float64, torch.float16, torch.bfloat16]:
            code, found, _, _ = self.saved({"w": a}, {"w": a.to(dtype)})
            self.assertEqual((code, found["w"]["kind"]), (1, "dtype"))
            said = "all values are equal" if dtype == torch.float64 else "equal after rounding to"
            self.assertIn(said, found["w"]["sentence"])
        code, found, _, _ = self.saved({"w": a}, {"w": (a + 1).half()})
        self.assertIn("50 of 50 elements differ", found["w"]["sentence"])
        double = torch.randn(2000, dtype=torch.float64)
        for narrow in [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2]:
            _, found, _, _ = self.saved({"w": double}, {"w": double.to(narrow)})
            self.assertIn("equal after rounding", found["w"]["sentence"], narrow)

    def test_renamed_missing_extra_reshaped(self):
        a = {"x": torch.randn(3, 4), "same": torch.ones(2), "gone": torch.randn(5), "shape": torch.arange(6.0)}
        b = {"module.x": a["x"], "same": a["same"], "new": torch.randn(7), "shape": a["shape"].reshape(2, 3)}
        code, found, _, _ = self.saved(a, b)
        self.assertEqual(code, 1)
        kinds = {name: tensor["kind"] for name, tensor in found.items()}
        self.assertEqual(kinds, {"x": "renamed", "same": "equal", "gone": "missing", "shape": "shape", "new": "extra"})
        self.assertEqual(found["x"]["other_name"], "module.x")
        self.assertIn("the same elements", found["shape"]["sentence"])

    def test_training_state_is_named(self):
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.Adam(model.parameters())
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)

        def state(draw):
            model(torch.ones(1, 3) * draw).sum().backward()
            optimizer.step()
            scheduler.step()
            return pickle.loads(pickle.dumps(
                {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
                 "torch_rng": torch.get_rng_state(), "python_rng": random.getstate(),
                 "numpy_rng": np.random.get_state(), "epoch": draw, "note": np.float32(draw)}))

        a = state(1)
        torch.rand(1), random.random(), np.random.rand()
        code, found, block, _ = self.saved(a, state(2))
        self.assertEqual(code, 1)
        parts = {tensor["part"] for tensor in found.values() if tensor["kind"] != "equal"}
        self.assertLessEqual({"weights", "optimizer state", "generator state"}, parts)
        paths = {state["path"]: state["part"] for state in block["state"]}
        self.assertEqual(paths["scheduler.last_epoch"], "scheduler")
        self.assertEqual(paths["epoch"], "counter")
        self.assertIn("optimizer.state.0.exp_avg", found)
        self.assertEqual(block["not_understood"], [])

    def test_tolerance(self):
        a = torch.randn(10)
        b = torch.nextafter(a, torch.tensor(9.0))
        self.assertEqual(self.saved({"w": a}, {"w": b})[0], 1)
        self.assertEqual(self.saved({"w": a}, {"w": b}, options=["--tolerance", "ulps=1"])[0], 0)
        self.assertEqual(self.saved({"w": a}, {"w": a + 1}, options=["--tolerance", "abs=0.5"])[0], 1)

    def test_nothing_to_compare_is_unresolved(self):
        self.assertEqual(self.saved({}, {})[0], 3)
        write_safetensors(self.folder / "a.safetensors", {})
        self.assertEqual(diff(self.folder / "a.safetensors", self.folder / "a.safetensors")[0], 3)

    def test_objects_are_listed_and_what_they_hold_is_compared(self):
        class_of = type("Settings", (), {})
        globals()["Settings"] = class_of
        class_of.__module__, class_of.__qualname__ = __name__, "Settings"
        a, b = class_of(), class_of()
        a.lr, b.lr = 0.1, 0.2
        code, _, block, _ = self.saved({"args": a, "w": torch.ones(1)}, {"args": b, "w": torch.ones(1)})
        self.assertEqual(code, 1)
        self.assertEqual([state["path"] for state in block["state"]], ["args.lr"])
        self.assertIn("Settings", block["not_understood"][0])

    def test_npz_stored_and_compressed(self):
        arrays = {"a": np.random.randn(30, 40), "f": np.asfortranarray(np.random.randn(20, 30).astype("f4")),
                  "i": np.arange(5), "big": np.arange(4, dtype=">f4"), "s": np.array(["x", "yz"])}
        np.savez(self.folder / "one.npz", **arrays)
        changed = {name: array.copy(order="K") for name, array in arrays.items()}
        changed["f"][3, 4] += 1
        changed["big"][2] = 7
        np.savez_compressed(self.folder / "two.npz", **changed)
        code, block, _ = diff(self.folder / "one.npz", self.folder / "two.npz")
        self.assertEqual(code, 1)
        found = {tensor["name"]: tensor for tensor in block["tensors"]}
        self.assertEqual({name: tensor["differing"] for name, tensor in found.items()},
                         {"a": 0, "f": 1, "i": 0, "big": 1, "s": 0})
        self.assertEqual(found["f"]["spread"]["first"]["index"], [3, 4])
        self.assertEqual(found["big"]["spread"]["first"]["values"], [2.0, 7.0])

    def test_sharded_against_whole(self):
        tensors = {"a": torch.randn(3), "b": torch.randn(4), "c": torch.randn(5)}
        write_safetensors(self.folder / "whole.safetensors", tensors)
        write_safetensors(self.folder / "s-1.safetensors", {"a": tensors["a"]})
        write_safetensors(self.folder / "s-2.safetensors", {"b": tensors["b"], "c": tensors["c"]})
        index = self.folder / "m.safetensors.index.json"
        places = {"a": "s-1.safetensors", "b": "s-2.safetensors", "c": "s-2.safetensors"}
        index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
        self.assertEqual(diff(self.folder / "whole.safetensors", index)[0], 0)
        places["a"] = "../" + self.folder.name + "/s-1.safetensors"
        index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
        self.assertEqual(diff(self.folder / "whole.safetensors", index)[0], 2)

    def test_a_checkpoint_and_a_log_are_a_misuse(self):
        (self.folder / "a.log").write_text("step 1 loss 0.5\n")
        torch.save({"w": torch.ones(1)}, self.folder / "a.pt")
        code, _, said = diff(self.folder / "a.pt", self.folder / "a.log")
        self.assertEqual(code, 2)
        self.assertIn("is a checkpoint", said)


class Hostile(unittest.TestCase):
    """Files that mean harm are refused or read as plain data, and nothing in them runs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="repro-audit-hostile-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        torch.save({"w": torch.arange(4.0)}, self.folder / "good.pt")
        write_safetensors(self.folder / "good.safetensors", {"w": torch.arange(4.0)})

    def refused(self, path, word):
        code, _, said = diff(path, self.folder / "good.pt")
        self.assertEqual(code, 2, said)
        self.assertIn(word, said)

    def zip(self, entries, name="bad.pt", compression=zipfile.ZIP_STORED):
        path = self.folder / name
        with zipfile.ZipFile(path, "w", compression) as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
        return path

    def test_code_in_a_pickle_is_listed_and_not_run(self):
        mark = self.folder / "ran"

        class Evil:
            def __reduce__(self):
                return os.system, (f"touch {mark}",)

        torch.save({"w": torch.arange(4.0), "evil": Evil()}, self.folder / "evil.pt")
        code, block, _ = diff(self.folder / "good.pt", self.folder / "evil.pt")
        self.assertEqual(code, 1)
        self.assertIn("system", block["not_understood"][0])
        self.assertFalse(mark.exists())

    def test_bombs(self):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/data.pkl", b"\0" * 100_000_000)
        bomb = bytearray(stream.getvalue())
        self.folder.joinpath("bomb.pt").write_bytes(bomb)
        self.refused(self.folder / "bomb.pt", "pickle")
        # The directory claims 3 GB.
        at = bomb.rindex(b"PK\x01\x02")
        bomb[at + 24:at + 28] = struct.pack("<I", 3 << 30)
        self.folder.joinpath("bomb.pt").write_bytes(bomb)
        self.refused(self.folder / "bomb.pt", "bomb")
        # Lists of lists of lists of one and the same list.
        laughs = b"]q\x00" + b"".join(b"](" + b"h%c" % i * 10 + b"eq%c" % (i + 1) for i in range(30)) + b"."
        self.refused(self.zip({"a/data.pkl": laughs}), "more than")
        self.refused(self.zip({"a/data.pkl": b"]" * 100_000 + b"a" * 99_999 + b"."}), "deep")
        circle = self.zip({"a/data.pkl": b"}q\x00X\x01\x00\x00\x00ah\x00s."})
        self.assertEqual(diff(circle, self.folder / "good.pt")[0], 1)

    def pickle_of(self, offset=0, size=(4,), stride=(1,), length=4, key="0"):
        class Stored:
            pass

        class Tensor:
            def __reduce__(self):
                return torch._utils._rebuild_tensor_v2, (Stored(), offset, size, stride, False, None)

        class Pickler(pickle.Pickler):
            def persistent_id(self, given):
                return ("storage", torch.FloatStorage, key, "cpu", length) if isinstance(given, Stored) else None

        stream = io.BytesIO()
        Pickler(stream, 2).dump({"w": Tensor()})
        return stream.getvalue()

    def test_tensors_outside_of_their_storage(self):
        content = struct.pack("<4f", 0, 1, 2, 3)
        good = self.zip({"a/data.pkl": self.pickle_of(), "a/data/0": content})
        self.assertEqual(diff(good, self.folder / "good.pt")[0], 0)
        for wrong in [{"offset": 1}, {"size": (5,)}, {"stride": (2,)}, {"size": (1 << 62, 4), "stride": (4, 1)},
                      {"size": (2, 2), "stride": (1 << 62, 1)}, {"size": (1 << 50,), "stride": (0,)}]:
            path = self.zip({"a/data.pkl": self.pickle_of(**wrong), "a/data/0": content})
            self.refused(path, "storage" if "stride" not in wrong or wrong["stride"] != (0,) else "measure")
        self.refused(self.zip({"a/data.pkl": self.pickle_of(length=5), "a/data/0": content}), "claims")
        self.refused(self.zip({"a/data.pkl": self.pickle_of(key="../0"), "a/data/0": content}), "missing")

    def test_truncated_files(self):
        for name in ["good.pt", "good.safetensors"]:
            whole = (self.folder / name).read_bytes()
            for length in [9, len(whole) // 2, len(whole) - 1]:
                path = self.folder / ("cut-" + name)
                path.write_bytes(whole[:length])
                code, _, said = diff(path, self.folder / "good.pt")
                self.assertEqual(code, 2, f"{name} {length}: {said}")

    def header(self, entries, data=16, length=None):
        text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
        path = self.folder / "bad.safetensors"
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + b"\0" * data)
        return path

    def test_headers_of_safetensors(self):
        def entry(begin, end, shape=(4,)):
            return {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}

        self.refused(self.header({"a": entry(0, 16), "b": entry(8, 24)}, data=24), "same bytes")
        self.refused(self.header({"a": entry(16, 32)}), "outside")
        self.refused(self.header({"a": entry(16, 0)}), "outside")
        self.refused(self.header({"a": entry(0, 1 << 63)}), "outside")
        self.refused(self.header({"a": entry(0, 16, (5,))}), "does not fit")
        self.refused(self.header({"a": entry(0, 16, (1 << 40, 1 << 40, 1 << 40))}), "does not fit")
        self.refused(self.header({"a": {"dtype": "F32"}}), "lacks")
        self.refused(self.header({"a": entry(0, 16)}, length=1 << 62), "header")
        self.refused(self.header({"a": entry(0, 16)}, length=90_000_000), "header")
        self.refused(self.header(b'{"a": 1, "a": 2}'), "twice")
        self.refused(self.header(b'{"a": ' + b"[" * 100_000), "damaged")
        self.refused(self.header(b'{"a"'), "damaged")

    def test_noise_in_the_middle_never_breaks_the_program(self):
        make = random.Random(1)
        for name in ["good.pt", "good.safetensors"]:
            whole = (self.folder / name).read_bytes()
            for _ in range(40):
                copy = bytearray(whole)
                for _ in range(make.choice([1, 3, 20])):
                    copy[make.randrange(len(copy))] = make.randrange(256)
                path = self.folder / ("noise-" + name)
                path.write_bytes(copy)
                with contextlib.suppress(json.JSONDecodeError, KeyError):
                    code, _, said = diff(path, self.folder / name)
                    self.assertIn(code, [0, 1, 2, 3], said)
                    self.assertNotIn("panicked", str(said))


if __name__ == "__main__":
    unittest.main()
