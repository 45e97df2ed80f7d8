"""A program that does what a test of the runner tells it to do: the smallest implementation of nothing."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time

SUM = re.compile(r"\d+ \* \d+ \+ \d+")
OPENED = re.compile(r"\w+ = (\"\"\"|\'\'\')")
ASSERTED = re.compile(rf"assert\.(eq|ne)\(({SUM.pattern}), (\d+)\)")


def added(text: str) -> str:
    one, two, three = (int(part) for part in re.findall(r"\d+", text))
    return str(one * two + three)


def main(words: list[str]) -> int:
    verb, rest = words[0], words[1:]
    if verb == "say":
        print(" ".join(rest))
    elif verb == "raw":
        sys.stdout.write(rest[0])
    elif verb == "warn":
        print(" ".join(rest), file=sys.stderr)
    elif verb == "stdin":
        sys.stdout.write(sys.stdin.read())
    elif verb == "environment":
        print(json.dumps(dict(os.environ)))
    elif verb == "where":
        print(os.getcwd())
    elif verb == "exit":
        return int(rest[0])
    elif verb == "kill":
        os.kill(os.getpid(), int(rest[0]))
    elif verb == "hang":
        time.sleep(60)
    elif verb in ("ready", "deaf"):
        # Says so, as asked for, and waits; the second one for ever.
        if verb == "deaf":
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
        main(rest)
        sys.stdout.flush()
        time.sleep(60)
    elif verb == "heirs":
        # A child in the same group and with the same output, which tells whether it still lives.
        subprocess.Popen(["sh", "-c", "sleep 0.3; echo it lives; exec sleep 0.2"])
        main(["ready", "say", "ready"])
    elif verb == "caught":
        # Each of these signals when it comes.
        numbers = [signal.Signals[f"SIG{name}"] for name in rest]
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        print("ready", flush=True)
        for _ in numbers:
            print(signal.Signals(signal.sigwait(numbers)).name, flush=True)
    elif verb == "touch":
        with open(rest[0], "w", encoding="utf-8"):
            pass
    elif verb == "ask":
        importlib.import_module("urllib.request").urlopen(rest[0])
    elif verb == "leave":
        # A process in the same group, which outlives this one.
        process = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(process.pid)
    elif verb == "errors":
        for code, at in zip(rest[::2], rest[1::2]):
            place = None if at == "none" else at
            print(json.dumps({"error": code, "at": place, "message": "m", "remedy": None}), file=sys.stderr)
        return 1
    elif verb == "star" and rest[0] == "--each":
        return each(rest[1:])
    elif verb == "star":
        return star(rest[-1], rest[:-1])
    elif verb in ("store", "build"):
        # What it says stands in a file of the case.
        with open("answer", encoding="utf-8") as file:
            sys.stdout.write(file.read())
    else:
        return 2
    return 0


def each(words: list[str]) -> int:
    """Several files in one process, or not, as the variable EACH says."""
    mode = os.environ.get("EACH", "")
    if not mode:
        return 2
    answers = []
    for name in words:
        done = subprocess.run([sys.executable, "-S", __file__, "star", name], capture_output=True, text=True)
        lines = done.stderr.splitlines()
        errors = [json.loads(line) for line in lines if line.startswith("{")]
        printed = [line for line in lines if not line.startswith("{")]
        answers.append({"file": name, "status": done.returncode, "errors": errors, "printed": printed})
    if mode == "lying":
        answers = [{**answer, "status": 0, "errors": [], "printed": []} for answer in answers]
    if mode == "shuffled":
        answers.reverse()
    if mode == "short":
        answers.pop()
    for answer in answers:
        print(json.dumps(answer))
    return 70 if mode == "crashed" else 0


def star(name: str, options: list[str]) -> int:
    """Starlark with few statements: print a text or a sum, assert, fail with the code after `boom`."""
    quotes = ""
    with open(name, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines, 1):
        opened = OPENED.match(line)
        if quotes or opened or line.startswith(("def ", "    ")):
            # Nothing of a string is run, and nobody calls a function.
            quotes = "" if quotes and line == quotes else opened.group(1) if opened else quotes
            continue
        line = line.partition("#")[0].strip()
        asserted = ASSERTED.fullmatch(line)
        if line.startswith('print("'):
            print(line[7:-2], file=sys.stderr)
        elif SUM.fullmatch(line[6:-1]):
            print(added(line[6:-1]), file=sys.stderr)
        elif asserted and (added(asserted.group(2)) == asserted.group(3)) != (asserted.group(1) == "eq"):
            error = {"error": "eval.assert", "at": f"{name}:{number}:1", "message": "m", "remedy": None}
            print(json.dumps(error), file=sys.stderr)
            return 1
        elif line == "options":
            print(" ".join(options), file=sys.stderr)
        elif line.startswith("boom "):
            for one in line.split()[1:]:
                code, _, column = one.partition(":")
                at = f"{name}:{number}:{column or 1}"
                error = {"error": code, "at": at, "message": "m", "remedy": None}
                print(json.dumps(error), file=sys.stderr)
            return 1
        elif line == "stop":
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
