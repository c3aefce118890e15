"""Holding races still ends no ordinary job in a deadlock: whatever a thread waits for, the one that it waits for gets on."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import support

THREADS = """
import os, queue, random, threading, time
def together(*works):
    threads = [threading.Thread(target=work) for work in works]
    for t in threads: t.start()
    for t in threads: t.join()
"""
JOBS = {
    "reentrant_lock": THREADS + """
lock, total = threading.RLock(), [0.0]
def work():
    for i in range(3):
        with lock, lock:
            seen = total[0]; time.sleep(0.001); total[0] = seen + 1
together(work, work, work)
print("result", total)
""",
    "condition_of_its_own_lock": THREADS + """
changed, items = threading.Condition(), []
def put():
    for i in range(3):
        with changed:
            time.sleep(0.001); items.append(i); changed.notify_all()
def take():
    with changed:
        while len(items) < 6: changed.wait()
    print("result", len(items))
together(take, put, put)
""",
    "pipe": THREADS + """
r, w = os.pipe()
together(lambda: print("result", os.read(r, 5)), lambda: os.write(w, b"hello"))
""",
    "simple_queue": THREADS + """
q = queue.SimpleQueue()
def put():
    time.sleep(0.05); q.put(1)
together(lambda: print("result", q.get(timeout=20)), put)
try:
    q.get(timeout=0.01)
except queue.Empty:
    print("result empty")
""",
    "lock_that_only_c_sees": THREADS + """
import _thread
lock = _thread.allocate_lock.__wrapped__() if hasattr(_thread.allocate_lock, "__wrapped__") else _thread.allocate_lock()
lock.acquire()
together(lock.acquire, lock.release)
print("result done")
""",
    "tasks_of_a_pool": """
import threading
from concurrent.futures import ThreadPoolExecutor
begun, met = threading.Event(), threading.Barrier(3)
with ThreadPoolExecutor(2) as pool:
    print("result", [f.result() for f in [pool.submit(begun.wait), pool.submit(begun.set)]])
with ThreadPoolExecutor(3) as pool:
    for i in range(3): pool.submit(met.wait)
print("result done")
""",
    "tasks_of_a_task": """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(4)
print("result", pool.submit(lambda: pool.submit(lambda: pool.submit(int).result()).result()).result())
pool.shutdown()
""",
    "tasks_of_a_multiprocessing_pool": """
import threading
from multiprocessing.pool import ThreadPool
met = threading.Barrier(2)
with ThreadPool(2) as pool:
    print("result", sorted(pool.map(lambda i: met.wait() * 0 + i, range(2), chunksize=1)))
""",
    "forked_in_the_middle": THREADS + """
def child():
    pid = os.fork()
    if pid == 0:
        time.sleep(0.01)
        os._exit(0 if threading.Lock().acquire() else 1)
    print("result", os.waitpid(pid, 0)[1])
together(child, lambda: time.sleep(0.2))
""",
}


class Races(unittest.TestCase):
    def test_a_pool_whose_tasks_take_their_time_keeps_one_worker(self):
        job = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
seen = []
def work(i):
    time.sleep(0.7); seen.append((i, threading.current_thread().name[-2:]))
with ThreadPoolExecutor(4) as pool:
    for i in range(4): pool.submit(work, i)
print("result", seen)
"""
        ran = support.run(job, level="off", settings={"race": "ordered"})
        self.assertEqual(ran.out, "result [(0, '_0'), (1, '_0'), (2, '_0'), (3, '_0')]\n", ran.err)


def make(text):
    def test(self):
        ran = support.run(text, level="off", settings={"race": "ordered"}, timeout=30)
        plain = support.run(text, shim=False)
        self.assertEqual((ran.code, ran.out, ran.err, ran.records("fault")), (0, plain.out, plain.err, []))

    return test


for _name, _text in JOBS.items():
    setattr(Races, "test_" + _name, make(_text))


if __name__ == "__main__":
    unittest.main()
