"""Six processes on one store: they build, collect, import, use and verify, and are killed, at random.

    python3 -m tests.stress.stress_store [--seconds 120] [--processes 6] [--seed N] [--root DIR]

At the end the store must verify clean, hold every build that was reported and
kept, and hold nothing of those who were killed after one more collection.
Exit status 0 if so; else 1, with what was wrong.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import RawOutput, Realisation, Store
from bramble.store.gc.collect import collect
from bramble.store.locks import uses
from bramble.store.questions.verify import verify
from bramble.store.records.roots import add_root, explicit_roots, remove_root
from bramble.store.transfer.stream import export_objects, import_objects

ROOT_OF_REPOSITORY = Path(__file__).parents[2]


class Worker:
    """One process: does what the dice say until it is killed or told to stop."""

    def __init__(self, root: str, reports: str, seed: int) -> None:
        self.root = root
        self.reports = reports
        self.dice = random.Random(seed)
        self.seed = seed
        self.count = 0
        # Some say at once in a lease what they use, some after a few objects, some never.
        uses.MOST_BYTES = self.dice.choice([0, 2, uses.MOST_BYTES])

    def run(self, until: float) -> None:
        """Work until the clock says `until`."""
        ways = [self.build] * 6 + [self.cached] * 3 + [self.use] * 3 + [self.bring] * 2
        ways += [self.collect, self.check, self.drop]
        while time.time() < until:
            self.count += 1
            self.dice.choice(ways)()

    def report(self, **fields: object) -> None:
        """Say something for good."""
        with open(f"{self.reports}/{os.getpid()}", "a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def build(self) -> None:
        """Build something from what is there, keep it and report it, as a build of a project does."""
        store = Store.open(self.root)
        try:
            label = f"{self.seed}-{self.count}"
            resolved = digest(label.encode())
            with store.building(resolved):
                inputs = self._some(store)
                out, lib = digest(b"out" + label.encode()), digest(b"lib" + label.encode())
                here = store.directory
                with store.workspace() as work:
                    for name, text in (("out", f"{here}/{lib} {here}/{out}"), ("lib", " ".join(inputs))):
                        os.makedirs(f"{work.path}/{name}/d")
                        Path(work.path, name, "d/f").write_text(text + label)
                        noise = self.dice.randbytes(self.dice.randrange(1 << 16))
                        Path(work.path, name, "big").write_bytes(noise)
                    owns = (("out", out), ("lib", lib))
                    raws = [RawOutput(name, f"{work.path}/{name}", own) for name, own in owns]
                    made = store.publish(raws, closure=store.closure(inputs), build_name=None)
                outputs = tuple((name, made[name].name) for name in made)
                store.write_derivation(f"{resolved}-x.drv", b"{}")
                store.record_realisation(Realisation(resolved, f"{resolved}-x.drv", outputs))
            if self.dice.random() < 0.5:
                add_root(store, label, [made["out"].name])
                self.report(kept=label, resolved=resolved, out=made["out"].name)
        finally:
            store.close()

    def _some(self, store: Store) -> list[str]:
        """Return up to three objects that are protected and there."""
        names = store.names()
        chosen = self.dice.sample(names, min(len(names), 3))
        store.protect(chosen)
        return [name for name in chosen if store.contains(name)]

    def cached(self) -> None:
        """Find out that something was built, and rely on it."""
        store = Store.open(self.root)
        try:
            for record in sorted(os.listdir(store.var + "/realisations"))[: self.dice.randrange(1, 9)]:
                found = store.realisation(record)
                if found is not None:
                    self._read(store, [name for _, name in found.outputs])
        finally:
            store.close()

    def use(self) -> None:
        """Use objects for a while, with all that they refer to."""
        store = Store.open(self.root)
        try:
            self._read(store, self._some(store))
        finally:
            store.close()

    def _read(self, store: Store, names: list[str]) -> None:
        for name in store.closure(names):
            for top, _, files in os.walk(store.object_path(name)):
                for file in files:
                    Path(top, file).read_bytes()
            assert store.contains(name), f"{name} went while it was used"

    def bring(self) -> None:
        """Carry objects to another store and back, where some are perhaps gone by then."""
        store = Store.open(self.root)
        try:
            names = self._some(store)
            stream = io.BytesIO()
            export_objects(store, names, stream.write)
            store.close()
            stream.seek(0)
            store = Store.open(self.root)
            report = import_objects(store, stream.read)
            for name in report.imported + report.present:
                assert store.contains(name), f"{name} was imported and is not there"
        finally:
            store.close()

    def collect(self) -> None:
        """Collect, in one of the ways."""
        store = Store.open(self.root)
        max_size, older_than = self.dice.choice([(None, None), (3 << 20, None), (None, 2.0)])
        collect(store, max_size=max_size, older_than=older_than)
        store.close()

    def check(self) -> None:
        """Verify some objects."""
        store = Store.open(self.root)
        names = store.names()
        damages = verify(store, self.dice.sample(names, min(len(names), 5)), jobs=1).damages
        assert damages == (), damages
        store.close()

    def drop(self) -> None:
        """Give up something that was kept; it is reported before it happens."""
        store = Store.open(self.root)
        roots = sorted(explicit_roots(store))
        if len(roots) > 20:
            label = self.dice.choice(roots)
            self.report(dropped=label)
            remove_root(store, label)
        store.close()


def work(root: str, reports: str, seed: int, until: float) -> int:
    """Be one worker; report what should not have happened."""
    worker = Worker(root, reports, seed)
    try:
        worker.run(until)
    except BaseException as error:
        if isinstance(error, BrambleError):
            worker.report(failed=f"{error} {error.__cause__!r}", seed=seed, count=worker.count)
        else:
            worker.report(failed=repr(error), seed=seed, count=worker.count)
        raise
    return 0


def stress(root: str, seconds: float, processes: int, seed: int) -> list[str]:
    """Let workers loose on a store and kill them; return what is wrong afterwards."""
    dice = random.Random(seed)
    reports = root + "-reports"
    os.mkdir(reports)
    Store.open(root).close()
    until = time.time() + seconds
    environment = {**os.environ, "PYTHONPATH": str(ROOT_OF_REPOSITORY)}
    workers: list[subprocess.Popen[bytes]] = []
    killed = 0
    try:
        while time.time() < until:
            workers = [worker for worker in workers if worker.poll() is None]
            while len(workers) < processes:
                arguments = ["--work", reports, "--root", root, "--seed", str(dice.randrange(1 << 40))]
                arguments += ["--until", str(until)]
                command = [sys.executable, "-m", "tests.stress.stress_store", *arguments]
                workers.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
            time.sleep(dice.uniform(0.1, 0.8))
            victim = dice.choice(workers)
            if victim.poll() is None:
                victim.send_signal(signal.SIGKILL)
                killed += 1
    finally:
        for worker in workers:
            try:
                worker.wait(timeout=60)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
    return judge(root, reports, killed)


def judge(root: str, reports: str, killed: int) -> list[str]:
    """Return what is wrong with the store."""
    lines = [json.loads(line) for path in Path(reports).iterdir() for line in _whole_lines(path)]
    wrong = [f"a worker failed: {line}" for line in lines if "failed" in line]
    dropped = {line["dropped"] for line in lines if "dropped" in line}
    store = Store.open(root)
    report = verify(store)
    wrong += [f"damage: {damage}" for damage in report.damages]
    collected = collect(store)
    kept = [line for line in lines if "kept" in line and line["kept"] not in dropped]
    for line in kept:
        found = store.realisation(line["resolved"])
        if found is None or dict(found.outputs)["out"] != line["out"]:
            wrong.append(f"a build that was reported is not there: {line}")
            continue
        try:
            lost = [name for name in store.closure([line["out"]]) if not store.contains(name)]
        except BrambleError as error:
            lost = [str(error)]
        if lost:
            wrong.append(f"a build that was reported is not whole: {line}: {lost}")
    wrong += [f"damage after the last collection: {damage}" for damage in verify(store).damages]
    left = [name for name in os.listdir(store.directory) if name.startswith((".new", ".old"))]
    wrong += [f"left over: {name}" for name in left]
    print(
        f"{killed} killed, {len(kept)} builds kept, {report.objects} objects, "
        f"{len(collected.freed)} collected at last, {collected.leftovers} leftovers, {len(wrong)} wrong"
    )
    return wrong


def _whole_lines(path: Path) -> list[str]:
    # The last line of one who was killed may be cut short: then it was not reported.
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def main() -> int:
    """Run the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--root", help="where the store is made (a short path)")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.root, options.work, options.seed, options.until)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="b", dir=options.root or "/tmp") as directory:
        wrong = stress(directory + "/s", options.seconds, options.processes, options.seed)
        for line in wrong:
            print(line)
        subprocess.run(["chmod", "-R", "u+w", directory], check=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
