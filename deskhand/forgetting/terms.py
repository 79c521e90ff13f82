"""What a requester is known by, and whether a text holds any of it."""

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from deskhand.crypto.keyring import Keys
from deskhand.crypto.sealing import Purpose, keyed_hash
from deskhand.forgetting.vocabulary import own_words

SHORTEST = 3
"""Characters that a term has at least: anything shorter occurs in nearly every text. Numbers are matched whole."""
MOST = 50
"""How many terms there may be."""

_UNICODE_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}")


class TermsError(Exception):
    """The terms are unusable. The message names their number or place, never their content."""


class Terms:
    """Names, addresses and account ids of one person, each spelling a term of its own.

    Compared without regard to case, in Unicode's compatibility form (NFKC), white space as one space, and invisible
    characters left out; texts also with HTML's, URLs' and JSON's escapes undone. A term that is a number is found only
    as a whole number, any other term also inside a word.
    """

    def __init__(self, spellings: Iterable[str]) -> None:
        """Raises `TermsError` if there is none, one is too short or in every run, or there are too many."""
        terms = []
        for place, spelling in enumerate(spellings, start=1):
            term = _folded(spelling).strip()
            if not term:
                continue
            if len(term) < SHORTEST and not term.isdecimal():
                raise TermsError(f"spelling {place}: must have {SHORTEST} characters at least, or it is in every text")
            if any(re.search(_pattern(term), words) for words in own_words()):
                raise TermsError(
                    f"spelling {place}: stands in every run, as a word of Deskhand's own or a part of one: "
                    "give more of it, such as the whole name"
                )
            terms.append(term)
        self._terms = tuple(sorted(set(terms)))
        if not self._terms:
            raise TermsError("no spelling was given: a name, an e-mail address or an account id, one a line")
        if len(self._terms) > MOST:
            raise TermsError(f"{len(self._terms)} spellings are too many, {MOST} are the most at once")
        self._found = re.compile("|".join(_pattern(term) for term in self._terms))

    def __len__(self) -> int:
        """How many different ones there are."""
        return len(self._terms)

    def occur_in(self, text: str) -> bool:
        """Whether any of them does."""
        return any(self._found.search(_folded(form)) is not None for form in _forms(text))

    def fingerprint(self, keys: Keys, tenant_id: str) -> str:
        """For the audit log: hex of a keyed hash, the same for the same terms in any order, and telling nothing else.

        It changes when the primary payload key does.
        """
        return keyed_hash(keys, Purpose.SPOOL, "requester", tenant_id, *self._terms)[:16].hex()


def _pattern(term: str) -> str:
    return rf"(?<!\d){term}(?!\d)" if term.isdecimal() else re.escape(term)


def _folded(text: str) -> str:
    if not text.isascii():
        # Twice: folding can leave what normalising would compose.
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(text.casefold().split())


def _forms(text: str) -> Iterator[str]:
    """The text, and what it would be with escapes undone."""
    yield text
    if "&" in text:
        yield html.unescape(text)
    if "%" in text:
        yield unquote(text)
    if "\\u" in text:
        yield _UNICODE_ESCAPE.sub(lambda match: str(json.loads(f'"{match[0]}"')), text)
