"""Runs a job several times per instruction and says which settings make it repeat.

usage: drive.py [--runs N] [--hold ID[=LEVEL],ID...]... [--env NAME=VALUE] [--only-metric REGEX] -- JOB [ARGS]
"""
import argparse
import re
import sys

sys.dont_write_bytecode = True
import support


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--hold", action="append", default=[])
    ap.add_argument("--env", action="append", default=[])
    ap.add_argument("--metric", default=".")
    ap.add_argument("--noise", default="$^")
    ap.add_argument("--python", default=sys.executable)
    ap.add_argument("job", nargs="+")
    args = ap.parse_args()
    env = dict(x.split("=", 1) for x in args.env)
    for hold in args.hold or ["", ]:
        settings = dict((x.split("=", 1) + ["0"])[:2] if "=" in x else (x, "0") for x in hold.split(",") if x)
        outputs = set()
        bad = []
        for _ in range(args.runs):
            more = dict(env)
            if "hashseed" in settings:
                more["PYTHONHASHSEED"] = settings["hashseed"]
            ran = support.run([args.python] + args.job, settings=settings, level="off" if settings else "full", env=more)
            lines = [re.sub(args.noise, "~", x) for x in ran.out.splitlines() if re.search(args.metric, x)]
            outputs.add((ran.code, "\n".join(lines)))
            bad += [r for r in ran.records() if r["r"] == "fault" or r["r"] == "apply" and not r["ok"]]
            bad += [ran.err[-300:]] if ran.code else []
            if len(outputs) > 1:
                break
        print("%-28s %s %s" % (hold or "(recorded)", "repeats" if len(outputs) == 1 else "parts", bad[:2] or ""), flush=True)


if __name__ == "__main__":
    main()
