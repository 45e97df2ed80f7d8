"""Break the one file in hundreds of places, and kill its first runs, and see that nothing else is run.

    python3 -I bramble self pack bramble-file
    python3 tests/stress/break_file.py bramble-file [--cuts 200] [--flips 300] [--kills 50] [--seed N]

A broken file gives what a whole one gives, where the broken bytes are not used, or an error: no other
output, no status 0. Python's own error is counted apart; it may come only of the lines that compare the
check number (spec: self.file.damaged). After each kill the next run is right, and in the end nothing is
left in the cache but the copy. Takes about five minutes.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

QUESTION = ["explain", "load.cycle"]
Result = tuple[int, str, str]


def run(file: str, cache: str) -> Result:
    """Ask a file something that loads many modules; an empty cache directory stands for no cache."""
    environ = {"PATH": os.environ["PATH"], **({"XDG_CACHE_HOME": cache} if cache else {})}
    done = subprocess.run(
        ["/bin/sh", file, *QUESTION], env=environ, capture_output=True, text=True, errors="replace"
    )
    return done.returncode, done.stdout, done.stderr


def kind(found: Result, good: Result, size: int) -> str:
    """Name what a broken file of a size did; what begins with WRONG must not be."""
    status, out, err = found
    if found == good:
        return "right"
    if status == 0:
        return "empty script" if size <= 11 and not out else "WRONG: status 0"
    if out or not err:
        return "WRONG: output" if out else "WRONG: silent"
    if "Traceback" in err:
        return "Python's error" if '"<string>"' in err and "bramble/" not in err else "WRONG: traceback"
    return "self.damaged" if "self.damaged" in err else "the shell's error"


def broken(data: bytes, cuts: int, flips: int) -> list[bytes]:
    """Return files that were cut, and files with one wrong bit: half of these before the archive."""
    lengths = [*range(0, 60, 4), 16383, 16384, 16385, len(data) - 1, len(data) - 22]
    lengths += [random.randrange(3000) for _ in range(cuts // 3)]
    lengths += [random.randrange(len(data)) for _ in range(cuts // 2)]
    files = [data[:length] for length in lengths]
    for count in range(flips):
        changed = bytearray(data)
        changed[random.randrange((2600, 16384, len(data))[count % 3])] ^= 1 << random.randrange(8)
        files.append(bytes(changed))
    return files


def killed(file: str, cache: str, kills: int, good: Result) -> int:
    """Kill first runs at random moments; return how often the next run was not right."""
    wrong = 0
    for _ in range(kills):
        environ = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": cache}
        subprocess.run(["rm", "-rf", *(entry.path for entry in os.scandir(cache))], check=True)
        process = subprocess.Popen(
            ["/bin/sh", file, *QUESTION], env=environ, stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(random.random())
        os.killpg(process.pid, random.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGINT)))
        process.wait()
        wrong += run(file, cache) != good
    for entry in os.scandir(os.path.join(cache, "bramble")):
        if entry.name.startswith("."):
            os.utime(entry.path, (1, 1))
        else:
            os.chmod(os.path.join(entry.path, "LICENSE"), 0o600)
    return wrong + (run(file, cache) != good) + (len(os.listdir(os.path.join(cache, "bramble"))) != 1)


def main() -> int:
    """Run what the command line asks for; return how much went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file")
    for name, default in (("cuts", 200), ("flips", 300), ("kills", 50), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with open(arguments.file, "rb") as file:
        data = file.read()
    seen: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as base:
        path, warm = os.path.join(base, "bramble"), os.path.join(base, "cache")
        good = run(os.path.abspath(arguments.file), warm)
        os.chdir(tempfile.mkdtemp(dir=base))
        for made in broken(data, arguments.cuts, arguments.flips):
            for cache in (warm, ""):
                with open(path, "wb") as file:
                    file.write(made)
                seen[kind(run(path, cache), good, len(made))] += 1
        if os.listdir("."):
            seen[f"WRONG: left {os.listdir('.')}"] += 1
        with open(path, "wb") as file:
            file.write(data)
        seen["WRONG: after a kill"] += killed(path, warm, arguments.kills, good)
    for name, count in sorted(seen.items()):
        print(f"{count:6} {name}")
    return sum(count for name, count in seen.items() if name.startswith("WRONG"))


if __name__ == "__main__":
    sys.exit(min(main(), 99))
