"""An error of the recorder leaves every hold in place; one of a hold ends that hold alone, and the record says so."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import support

UNREADABLE = """
import os
import uuid
import torch


class Row(dict):
    def items(self):
        raise RuntimeError("y was not fetched")


print("result", uuid.uuid4().int)
loader = torch.utils.data.DataLoader([torch.ones(4)] * 4, batch_size=2, collate_fn=lambda rows: Row(x=torch.stack(rows)))
for batch in loader:
    pass
print("result", uuid.uuid4().int, sorted(os.listdir("/"), reverse=True) == os.listdir("/"))
"""


class Faults(unittest.TestCase):
    def test_of_the_recorder_leaves_the_holds_in_place(self):
        asked = {"entropy": "fixed", "order.filesystem": "reverse"}
        one, two = (support.run(UNREADABLE, settings=asked) for _ in range(2))
        self.assertEqual((one.code, [r["where"] for r in one.records("fault")]), (0, ["batch"]), one.err)
        self.assertEqual(one.out, two.out)
        self.assertIn("True", one.out)
        self.assertNotIn("settings", one.records("fault")[0])

    def test_of_the_recorder_lets_levels_be_read_back_later(self):
        job = UNREADABLE + """
torch.set_num_threads(2)
"""
        ran = support.run(job, settings={"threads": "1"})
        self.assertEqual([r["where"] for r in ran.records("fault")], ["batch"])
        self.assertEqual([r["setting"] for r in ran.records("override")], ["threads"])

    def test_of_a_hold_ends_that_hold_alone_and_names_its_settings(self):
        job = """
import repro_audit_shim.hooks as hooks


class Unwritable:
    __slots__ = ()
    uuid4 = len


for callback in hooks._wanted["uuid"]:
    if callback.__module__.endswith("files"):
        hooks._call(callback, "uuid", Unwritable())
import time
import uuid
print("result", time.time(), uuid.uuid4())
"""
        asked = {"order.filesystem": "sorted", "clock": "fixed", "entropy": "fixed"}
        one, two = (support.run(job, level="off", settings=asked) for _ in range(2))
        self.assertEqual([r["settings"] for r in one.records("fault")], [["order.filesystem"]])
        self.assertEqual(one.out, two.out, "the others are held on")


if __name__ == "__main__":
    unittest.main()
