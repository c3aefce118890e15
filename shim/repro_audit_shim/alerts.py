"""Operations that announce themselves as nondeterministic, with the user's line.

They warn only while deterministic algorithms are on in warning mode. The
warnings are ours then, so they go into the record and not to the job.
"""
import sys
import warnings

from repro_audit_shim import core, frames, record

MARK = "does not have a deterministic implementation"
LIMIT = 200
_seen = set()


def arm(torch):
    """Catches the announcements before the job's own warning filters do."""
    _insist()
    original = warnings._showwarnmsg

    def _showwarnmsg(message):
        if MARK in str(message.message) and not core.state.disabled:
            try:
                _note(str(message.message), sys._getframe(1))
            except Exception as error:
                core.fault("alert", error)
            return
        original(message)

    warnings._showwarnmsg = _showwarnmsg


def _insist():
    warnings.filterwarnings("always", message=".*" + MARK)


def _note(text, frame):
    user = frames.user_frame(frame)
    place = frames.place(user) if user else (None, None, None)
    operation = text.split(MARK)[0].strip()
    if (operation, place[:2]) in _seen or len(_seen) > LIMIT:
        return
    _seen.add((operation, place[:2]))
    record.write({"r": "alert", "operation": operation[:200], "file": place[0], "line": place[1],
                  "function": place[2]})
