"""The one sequence of bytes that stands for a derivation, and its digest, the id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bramble.derivation.gojson import array, mapping, record, text, texts
from bramble.store.digest import digest

if TYPE_CHECKING:
    from bramble.derivation.model import Derivation, Sources


def canonical_bytes(derivation: Derivation) -> bytes:
    """Return the canonical JSON of a derivation.

    Raises derivation.text when a string of it is not Unicode.
    """
    # spec: derivation.canonical
    fields = [
        ("Args", texts([arg.text for arg in derivation.args])),
        ("Builder", text(derivation.builder.text)),
        (
            "Dependencies",
            array(
                [
                    record((("Hash", text(ref.derivation)), ("Output", text(ref.output))))
                    for ref in derivation.dependencies
                ]
            ),
        ),
        ("Env", mapping([(key, value.text) for key, value in derivation.env])),
        ("Name", text(derivation.name)),
    ]
    if derivation.network:
        fields.append(("Network", "true"))
    fields += [
        ("Outputs", texts(derivation.outputs)),
        ("Platform", text(derivation.platform)),
        ("Sources", _sources(derivation.sources)),
    ]
    if derivation.target:
        fields.append(("Target", text(derivation.target)))
    return record(fields).encode("utf-8")


def _sources(sources: Sources) -> str:
    # spec: derivation.sources.project
    location = sources.project + "//" + sources.location if sources.project else sources.location
    return record((("Files", texts(sources.files)), ("Location", text(location))))


def derivation_id(derivation: Derivation) -> str:
    """Return the digest of the canonical bytes: 32 characters of lower-case base32."""
    # spec: derivation.id
    return digest(canonical_bytes(derivation))
