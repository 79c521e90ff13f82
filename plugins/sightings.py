"""Telling our note from what else has its reference: quotes, answers, and a second note of our own."""

from dataclasses import dataclass

from plugins.types import PostedNote


@dataclass(frozen=True, slots=True)
class _Ours:
    note: PostedNote
    text: str


class Sightings:
    """The comments that a look comes upon, newest first, and which of those with our `ref` is our note.

    Ours is what our account wrote and what ends with the `ref`, as a note's footer does; a private one before a public
    one, and of several the oldest. Where none is ours, a private comment with the `ref` counts, whoever wrote it:
    `own_account_id` may be wrong, and a second note would be worse than taking a colleague's quote for the first. What
    is public and known to be another's is a quote.
    """

    def __init__(self, own_account_id: str | None, ref: str) -> None:
        self._own_account_id = own_account_id or None
        self._ref = ref
        self._ours: list[_Ours] = []
        self._private: list[PostedNote] = []
        self._doubtful: list[PostedNote] = []
        self.complete = False
        """Whether everything was looked at where a note could be: only then has none been there."""

    @property
    def settled(self) -> bool:
        """Whether our note was seen: pages with older comments need no look."""
        return self.best is not None and self.best.private is True

    @property
    def best(self) -> PostedNote | None:
        """Our note; without its id where it is not known to be ours, and so is not to be touched."""
        ours = self._best_of_ours
        if ours is not None:
            return ours.note
        candidates = self._private or self._doubtful
        return candidates[-1] if candidates else None

    @property
    def surplus(self) -> tuple[PostedNote, ...]:
        """What else is ours beside our private note: the same text, word for word, under another id."""
        best = self._best_of_ours
        if best is None or best.note.private is not True:
            return ()
        same = (ours.note for ours in self._ours if ours.text == best.text)
        return tuple(note for note in same if note.note_id not in (None, best.note.note_id))

    def add(self, text: str, *, private: bool | None, note_id: str | None, author: str | int | None) -> None:
        """Take in a comment. `text` is all of its text; without the `ref` in it, it is none of our concern."""
        if self._ref not in text:
            return
        known = self._own_account_id is not None and author is not None
        by_us = str(author) == self._own_account_id if known else None
        # An account may be a person's as well, who quotes the note in an answer: that is not to be touched.
        if by_us and text.rstrip().endswith(self._ref):
            self._ours.append(_Ours(PostedNote(private=private, note_id=note_id), " ".join(text.split())))
        elif private is True:
            self._private.append(PostedNote(private=True))
        elif by_us is not False:
            self._doubtful.append(PostedNote(private=private))

    @property
    def _best_of_ours(self) -> _Ours | None:
        private = [ours for ours in self._ours if ours.note.private is True]
        candidates = private or self._ours
        return candidates[-1] if candidates else None
