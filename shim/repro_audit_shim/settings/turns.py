"""Threads that run the user's code take turns instead of racing.

One baton: whoever holds it runs; it is handed on, in the order of starting,
only where a thread waits (a condition, an event, a queue, a join, a sleep) or
ends. A waiting thread looks at what it waits for each time the baton comes by.
One that waits where none of this is seen, for a pipe or inside of C code, loses
the baton after a second and takes its turn again where it next waits. Threads of
libraries are left alone.
"""
import os
import time

from repro_audit_shim import core, frames, hooks, record
from repro_audit_shim.settings import progress

_real_sleep = time.sleep
_POLL = 0.001


class _Baton:
    """Who runs, and who comes next."""

    def __init__(self, threading):
        self.gate = threading._allocate_lock()
        self.members = []
        self.holder = None
        self.idle = 0
        self.starting = set()
        self.sleeping = set()
        self.waiting = set()
        self.passed_by = set()
        self.passed = 0
        self.natives = {}
        self.watch = progress.Watch()
        self.ident = threading.get_ident
        self.native = getattr(threading, "get_native_id", lambda: None)

    def forget(self):
        """In a forked child only the thread that forked is left."""
        passed, threading = self.passed, core.sys.modules["threading"]
        self.__init__(threading)
        self.passed = passed

    def join(self, who):
        with self.gate:
            if not self.members:
                self.holder = self.ident()
                self.members.append(self.holder)
                self.natives[self.holder] = self.native()
            self.members.append(who)

    def rename(self, before, after):
        with self.gate:
            self.natives[after] = self.native()
            self.members[self.members.index(before)] = after
            if self.holder == before:
                self.holder = after

    def takes_part(self):
        me = self.ident()
        return len(self.members) > 1 and me in self.members and me not in self.starting

    def hand_on(self):
        with self.gate:
            me = self.ident()
            if self.holder == me and me in self.members:
                self.holder = self._after(self.members.index(me) + 1)

    def _after(self, at):
        """The member of this place or the next one that was not passed by."""
        ring = self.members[at:] + self.members[:at]
        return next((one for one in ring if one not in self.passed_by), ring[0] if ring else None)

    def wait_turn(self):
        me = self.ident()
        pause = 0.0
        self.waiting.add(me)
        self.passed_by.discard(me)
        while self.holder != me:
            _real_sleep(pause)
            pause = min(_POLL, pause + 0.0001)
            if pause >= _POLL and self.watch.due():
                self._pass_by()
        self.waiting.discard(me)

    def _pass_by(self):
        """Hands on the baton of a holder that does not get on: it waits where nothing of ours can see it."""
        with self.gate:
            holder = self.holder
            native = self.natives.get(holder)
            if native is None or holder in self.sleeping or holder in self.waiting:
                return
            if not self.watch.stuck(holder, progress.thread(native, holder)):
                return
            at = self.members.index(holder)
            ring = self.members[at + 1:] + self.members[:at]
            following = next((one for one in ring if one in self.waiting), None)
            if following is not None:
                self.passed_by.add(holder)
                self.passed += 1
                self.holder = following

    def rejoin(self):
        """A thread that was passed by comes to a place of ours: from here on it takes turns again."""
        if self.ident() in self.passed_by:
            self.wait_turn()

    def leave(self, who=None):
        with self.gate:
            me = who or self.ident()
            if me not in self.members:
                return
            at = self.members.index(me)
            self.members.remove(me)
            self.natives.pop(me, None)
            self.passed_by.discard(me)
            if self.holder == me:
                self.holder = self._after(at)

    def until(self, ready, timeout):
        """Waits, in turns, until `ready()`; False where the time ran out."""
        end = None if timeout is None or timeout < 0 else record.monotonic() + timeout
        self.rejoin()
        while not ready():
            if end is not None and record.monotonic() >= end:
                return False
            self.hand_on()
            self.wait_turn()
            self.idle += 1
            if self.idle % (4 * max(1, len(self.members))) == 0:
                _real_sleep(_POLL)
        return True


def arm(threading):
    """Replaces the places where a thread begins, waits and ends."""
    baton = _Baton(threading)

    def users(thread):
        target = getattr(thread, "_target", None)
        if target is not None:
            code = getattr(target, "__code__", None) or getattr(getattr(target, "__func__", None), "__code__", None)
        else:
            code = type(thread).run.__code__
        return code is not None and frames.is_user_file(code.co_filename)

    def start(original):
        def start(self):
            if core.released(__name__) or not users(self):
                return original(self)
            from repro_audit_shim.settings import race

            race._counted(None)
            ticket = object()
            self._repro_audit_ticket = ticket
            self.run = in_turn(self.run)  # of the instance, since a class of the user's may have a `run` of its own
            baton.join(ticket)
            # whether the new thread has begun when we look is a matter of luck: no turn is given up for it
            me = baton.ident()
            baton.starting.add(me)
            try:
                return original(self)
            except BaseException:
                baton.leave(ticket)  # no such thread has begun
                raise
            finally:
                baton.starting.discard(me)

        return start

    def boot(original):
        def _bootstrap_inner(self):
            ticket = getattr(self, "_repro_audit_ticket", None)
            if ticket is None:
                return original(self)
            baton.rename(ticket, baton.ident())
            try:
                return original(self)
            finally:
                self._repro_audit_ended = True
                baton.leave()

        return _bootstrap_inner

    def in_turn(original):
        def run():
            baton.wait_turn()
            return original()

        return run

    def join(original):
        def join(self, timeout=None):
            if baton.takes_part():
                turns = getattr(self, "_repro_audit_ticket", None) is not None

                def ended():
                    return getattr(self, "_repro_audit_ended", False) if turns else not self.is_alive()

                if not baton.until(ended, timeout):
                    return None
            return original(self, timeout)

        return join

    def wait(original):
        def wait(self, timeout=None):
            if not baton.takes_part():
                return original(self, timeout)
            return _wait_in_turns(self, threading, baton, timeout)

        return wait

    def sleep(original):
        def sleep(seconds):
            if baton.takes_part():
                me = baton.ident()
                baton.rejoin()
                baton.sleeping.add(me)
                baton.hand_on()
                try:
                    original(seconds)
                finally:
                    baton.sleeping.discard(me)
                baton.wait_turn()
                return None
            return original(seconds)

        return sleep

    core.replace(threading.Thread, "start", start)
    core.replace(threading.Thread, "_bootstrap_inner", boot)
    core.replace(threading.Thread, "join", join)
    core.replace(threading.Condition, "wait", wait)
    core.replace(time, "sleep", sleep)
    core.replace(threading, "Lock", _polite_lock(baton, threading))
    core.replace(threading, "RLock", _polite_lock(baton, threading))
    hooks.after_import("queue", lambda module: _queue(module, baton))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=baton.forget)
    return baton


def _queue(module, baton):
    """A `SimpleQueue` waits inside of C code."""

    def make(original):
        def get(self, block=True, timeout=None):
            if not block or not baton.takes_part() or (timeout is not None and timeout < 0):
                return original(self, block, timeout)
            found = []

            def ready():
                try:
                    found.append(original(self, False))
                except module.Empty:
                    return False
                return True

            if not baton.until(ready, timeout):
                raise module.Empty
            return found[0]

        return get

    core.replace_in_type(module.SimpleQueue, "get", make)


def _wait_in_turns(condition, threading, baton, timeout):
    """Condition.wait, except that the waiter lock is polled whenever the baton comes by."""
    if not condition._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = threading._allocate_lock()
    waiter.acquire()
    condition._waiters.append(waiter)
    saved = condition._release_save()
    got = False
    try:
        got = baton.until(lambda: waiter.acquire(False), timeout)
        return got
    finally:
        baton.until(lambda: _try_restore(condition), None)
        _restore_count(condition, saved)
        if not got:
            try:
                condition._waiters.remove(waiter)
            except ValueError:
                pass


def _try_restore(condition):
    return condition._lock.acquire(False)


def _restore_count(condition, saved):
    """A reentrant lock that was held several times is taken as often again."""
    count = saved[0] if isinstance(saved, tuple) else 1
    for _ in range(max(0, int(count) - 1)):
        condition._lock.acquire()


def _polite_lock(baton, threading):
    """A lock of the user's, or of a condition of the user's: waiting for it hands the baton on."""

    def users():
        frame = frames.caller()
        if frame is not None and frame.f_code is threading.Condition.__init__.__code__:
            frame = frame.f_back
        return frame is not None and frames.is_user(frame)

    def make(original):
        class Polite:
            __slots__ = ("_lock", "__weakref__")

            def __getattr__(self, name):
                return getattr(self._lock, name)  # what a condition asks of a reentrant lock

            def __init__(self):
                self._lock = original()

            def acquire(self, blocking=True, timeout=-1):
                if blocking and baton.takes_part():
                    return baton.until(lambda: self._lock.acquire(False), timeout)
                return self._lock.acquire(blocking, timeout)

            def release(self):
                self._lock.release()

            def __enter__(self):
                return self.acquire()

            def __exit__(self, *exc):
                self._lock.release()

        def Lock():
            if core.released(__name__) or not users():
                return original()
            return Polite()

        return Lock

    return make
