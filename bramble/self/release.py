"""A release: the files that are published, as a function of the source and of the repository."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from bramble.record import dataclass
from bramble.self.metadata import read_metadata
from bramble.self.pack import pack
from bramble.self.sdist import SourceFile, sdist, sdist_name
from bramble.self.wheel import wheel, wheel_name

FILE = "bramble"
SUMS = "SHA256SUMS"
SIGN = f"ssh-keygen -Y sign -n bramble -f KEY {SUMS}"
CHECK = f"ssh-keygen -Y verify -n bramble -I NAME -f SIGNERS -s {SUMS}.sig <{SUMS} && sha256sum -c {SUMS}"


@dataclass(frozen=True)
class Artifact:
    """One file of a release."""

    name: str
    data: bytes
    executable: bool = False

    @property
    def sha256(self) -> str:
        """The SHA-256 of its bytes, 64 hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def release(tree: Mapping[str, bytes], repository: Mapping[str, SourceFile]) -> tuple[Artifact, ...]:
    """Return the files of a release: the one file, the wheel and the source distribution, then their sums.

    Raises BrambleError as `read_metadata` does.
    """
    # spec: self.release
    metadata = read_metadata(tree)
    made = (
        Artifact(FILE, pack(tree), executable=True),
        Artifact(wheel_name(metadata), wheel(tree)),
        Artifact(sdist_name(metadata), sdist(repository)),
    )
    return (*made, Artifact(SUMS, sums({artifact.name: artifact.sha256 for artifact in made})))


def sums(digests: Mapping[str, str]) -> bytes:
    """Return the text that `sha256sum -c` reads (sha256sum(1)): a line for each name, sorted."""
    # spec: self.release.sums
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode("ascii")
