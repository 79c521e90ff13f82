"""Secrets and personal data that are planted, each with a word of its own, and the search for them in whatever form.

Every word begins with the same few characters, which nothing else has: those are looked for, in each encoding, and the
word itself only where they are found.
"""

import base64
import json
import secrets
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_ALPHABET = string.ascii_lowercase + string.digits
KEY_CHARACTERS = 43
"""Base64 characters of a key of 32 bytes, without padding."""


def encodings(word: str) -> dict[str, bytes]:
    """How a word of ASCII may be written down, by name.

    In base64 it looks different at each of three places within what is encoded; the characters at both ends that depend
    on its neighbours are left out.
    """
    raw = word.encode()
    found = {
        "plain": raw,
        "upper case": raw.upper(),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "percent, lower case": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "JSON escapes": "".join(f"\\u{byte:04x}" for byte in raw).encode(),
        "octal escapes": "".join(f"\\{byte:03o}" for byte in raw).encode(),
        "UTF-16": word.encode("utf-16-le")[:-1],  # whichever end comes first
        "out of base64": base64.urlsafe_b64decode(word[: len(word) // 4 * 4]),
    }
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + raw)
        first, end = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
        found[f"base64 at {offset}"] = encoded[first:end]
        found[f"base64url at {offset}"] = encoded[first:end].translate(bytes.maketrans(b"+/", b"-_"))
    return found


@dataclass
class Plants:
    """What is planted, by a name that says where."""

    stem: str = field(default_factory=lambda: "zq" + "".join(secrets.choice(_ALPHABET) for _ in range(8)))
    words: dict[str, str] = field(default_factory=dict)
    literals: dict[str, str] = field(default_factory=dict)
    """Secrets that others have chosen."""

    def word(self, name: str) -> str:
        """The word of this name, made when it is first asked for."""
        return self.words.setdefault(name, f"{self.stem}{len(self.words):03d}x")

    def all(self, *names: str) -> str:
        """Their words, as a text."""
        return " ".join(map(self.word, names))

    def key(self, name: str) -> str:
        """The text of a keyring of one key, the word at the beginning of it."""
        word = self.word(name)
        return f"p{secrets.token_hex(4)}:{word}{secrets.token_hex(20)[: KEY_CHARACTERS - 1 - len(word)]}A"

    def literal(self, name: str, secret: str) -> None:
        """Look for this as well."""
        self.literals[name] = secret

    def found(self, data: bytes) -> Counter[tuple[str, str]]:
        """How often each name is found in which encoding."""
        counts: Counter[tuple[str, str]] = Counter()
        for encoding, needle in encodings(self.stem).items():
            hits = data.count(needle)
            if not hits:
                continue
            named = {name: data.count(encodings(word)[encoding]) for name, word in self.words.items()}
            counts.update({(name, encoding): count for name, count in named.items() if count})
            cut = hits - sum(named.values())
            if cut > 0:  # of a word only the beginning is there
                counts["a part of a word", encoding] += cut
        for name, secret in self.literals.items():
            for encoding, needle in encodings(secret).items():
                if len(needle) >= len(self.stem) // 2 and (count := data.count(needle)):
                    counts[name, encoding] += count
        return counts


@dataclass(frozen=True)
class Place:
    """Somewhere to look."""

    name: str
    data: bytes
    control: tuple[str, ...]
    """Words that have to be there: an empty place would show nothing."""
    expected: frozenset[str] = frozenset()
    """Names of what is there by design."""
    why: str = ""

    def missing_controls(self) -> list[str]:
        """Which of them are not there."""
        return [word for word in self.control if word.encode() not in self.data]


def leaks(plants: Plants, places: Iterable[Place]) -> dict[str, dict[str, int]]:
    """What is found where it must not be: names and encodings, by place."""
    return {
        place.name: unexpected
        for place in places
        if (
            unexpected := {
                f"{name} ({encoding})": count
                for (name, encoding), count in plants.found(place.data).items()
                if name not in place.expected
            }
        )
    }


def table(plants: Plants, places: Iterable[Place]) -> str:
    """Kinds of what is planted by place, and how often each is found; `design` marks what is meant to be there."""
    kinds = sorted({_kind(name) for name in (*plants.words, *plants.literals)})
    lines = ["| place | bytes | " + " | ".join(kinds) + " |", "| --- | ---: |" + " ---: |" * len(kinds)]
    for place in places:
        counts: Counter[str] = Counter()
        design: set[str] = set()
        for (name, _), count in plants.found(place.data).items():
            counts[_kind(name)] += count
            if name in place.expected:
                design.add(_kind(name))
        cells = (f"{counts[kind]}{' (design)' if kind in design else ''}" for kind in kinds)
        lines.append(f"| {place.name} | {len(place.data)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _kind(name: str) -> str:
    return name.partition(":")[0]


def planted_json(body: object, words: str) -> object:
    """A vendor's JSON with these words after every text that is one for people: those with a blank in it."""
    if isinstance(body, dict):
        return {name: planted_json(value, words) for name, value in body.items()}
    if isinstance(body, list):
        return [planted_json(value, words) for value in body]
    return f"{body} {words}" if isinstance(body, str) and " " in body else body


def json_or_none(data: bytes) -> Mapping[str, object] | None:
    """A body that is a JSON object."""
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def joined(parts: Iterable[bytes]) -> bytes:
    """Parts of a place, none running into the next."""
    return b"\n--\n".join(parts)


def lines_of(items: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """Headers as they are on the wire, nearly."""
    for name, value in items:
        yield f"{name}: {value}".encode()
