"""The canonical bytes of a derivation, and their digest, the id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bramble.derivation.gojson import array, encoded, mapping, text, texts
from bramble.store.digest import digest

if TYPE_CHECKING:
    from bramble.derivation.model import Derivation, Sources


def canonical_bytes(derivation: Derivation) -> bytes:
    """Return the canonical JSON of a derivation.

    Raises derivation.text if a string of it is not Unicode.
    """
    # spec: derivation.canonical
    # Neither ids nor outputs have anything that JSON writes in another way.
    dependencies = [f'{{"Hash":"{id}","Output":"{output}"}}' for id, output in derivation.dependencies]
    before = (
        f'{{"Args":{texts([arg.text for arg in derivation.args])}'
        f',"Builder":{text(derivation.builder.text)}'
        f',"Dependencies":{array(dependencies)}'
        f',"Env":{mapping([(key, value.text) for key, value in derivation.env])}'
        f',"Name":{text(derivation.name)}'
        + (',"Network":true' if derivation.network else "")
        + f',"Outputs":{texts(derivation.outputs)}'
        f',"Platform":{text(derivation.platform)}'
        ',"Sources":'
    )
    after = (f',"Target":{text(derivation.target)}' if derivation.target else "") + "}"
    return encoded(before) + derivation.sources.encoded + encoded(after)


def sources_bytes(sources: Sources) -> bytes:
    """Return the canonical JSON of the sources of a derivation; `Sources.encoded` is the same, made once."""
    # spec: derivation.sources.project
    location = sources.project + "//" + sources.location if sources.project else sources.location
    return encoded(f'{{"Files":{texts(sources.files)},"Location":{text(location)}}}')


def derivation_id(derivation: Derivation) -> str:
    """Return the digest of the canonical bytes: 32 characters of lower-case base32."""
    # spec: derivation.id
    return digest(canonical_bytes(derivation))
