"""What a legal design is: `Sequence` of tokens or `Box` of real numbers.

A space is a frozen value that also is its own JSON form (`task.json` stores it as it stands).
Designs are arrays of shape (n, d). A space accepts any integer or floating dtype, checks every
value, and hands out its own dtype: int8 tokens for `Sequence`, float32 for `Box`. Nothing is ever
clipped or repaired except by `project`, which is asked for by name.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np

from mbo_hub.arrays import Bool, Float, Float32, Float64, Int8, Num
from mbo_hub.errors import InvalidDesign, quoted
from mbo_hub.spaces import formulas, incoming

__all__ = ["Box", "Sequence", "Space"]

if TYPE_CHECKING:
    Seed = int | np.random.Generator | None
else:
    Seed = object  # numpy loads its random numbers when they are first used: 17 ms
_Positive = Annotated[int, msgspec.Meta(ge=1)]


class Space(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind"):
    """Interface of `Sequence` and `Box`."""

    metric: ClassVar[str]  # what `distance` is, for people

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of columns of a design array."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What each value is called in a table."""
        return tuple(f"x{i}" for i in range(self.dim))

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """The dtype that designs are stored and handed out in."""

    @abstractmethod
    def _legal_values(self, designs: Num[np.ndarray, "n d"]) -> Bool[np.ndarray, "n d"]:
        """True where a value is legal at its place."""

    @abstractmethod
    def _explain(self, row: Num[np.ndarray, " d"], at: int) -> str:
        """What is wrong with position `at` of an illegal row."""

    @abstractmethod
    def _nearest(self, designs: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "n d"]:
        """The nearest legal design of each row; rows without one come back illegal."""

    @abstractmethod
    def decode(self, designs: Any) -> list[Any]:
        """Write designs the way a person would."""

    @abstractmethod
    def sample(self, n: int, rng: Seed = None) -> Num[np.ndarray, "n d"]:
        """Draw legal designs."""

    @abstractmethod
    def distance(
        self,
        a: Num[np.ndarray, "m d"],
        b: Num[np.ndarray, "n d"],
        scale: Float[np.ndarray, " d"],
    ) -> Float64[np.ndarray, "m n"]:
        """Distance of each design of `a` to each design of `b`."""

    def nearest(
        self,
        designs: Num[np.ndarray, "n d"],
        known: Num[np.ndarray, "m d"],
        scale: Float[np.ndarray, " d"],
    ) -> Float64[np.ndarray, " n"]:
        """Distance from each design to the nearest known one, a few rows at a time."""
        step = max(1, 2**22 // max(1, len(known)))
        parts = [
            self.distance(designs[i : i + step], known, scale).min(axis=1)
            for i in range(0, len(designs), step)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def mean_distance(
        self, designs: Num[np.ndarray, "n d"], scale: Float[np.ndarray, " d"]
    ) -> float | None:
        """Mean distance between two different rows; None below two rows."""
        n = len(designs)
        if n < 2:
            return None
        step = max(1, 2**22 // n)  # rows at a time, so that memory stays bounded
        total = sum(
            float(self.distance(designs[i : i + step], designs, scale).sum())
            for i in range(0, n, step)
        )
        return total / (n * (n - 1))

    def as_array(self, designs: Any) -> Num[np.ndarray, "n d"]:
        """Read designs as a numeric array of the right width, without judging its values.

        Args:
            designs: (n, d) numbers of any library: a list, an array, a tensor, a column of lists,
                or a table with one column for each value, in any order where these have the
                space's own names.

        Raises:
            InvalidDesign: not numbers, ragged, a value missing, or not of shape (n, d).
        """
        table = incoming.by_name(designs, self.columns)
        try:
            array = incoming.numbers(table, width=self.dim, kinds="iufb")
        except InvalidDesign as error:
            if error.row is None and error.detail.endswith("not text"):
                raise InvalidDesign(f"{error.detail}{self._for_text()}") from None
            raise
        if array.ndim != 2 or array.shape[1] != self.dim:
            raise InvalidDesign(
                f"designs have shape (n, {self.dim}) here, got {array.shape}"
                f"{self._for_shape(array)}"
            )
        if array.dtype.kind == "b":
            raise InvalidDesign("designs are numbers, not bool")
        return array

    def _for_text(self) -> str:
        """What to do with designs that are text."""
        return "; turn text into designs with space.encode(...)"

    def _for_shape(self, array: Any) -> str:
        """What to do with an array of another shape than (n, d)."""
        if array.shape == (self.dim,):
            return f"; write [design] for a single one of shape (1, {self.dim})"
        if array.ndim == 2 and array.shape[0] == self.dim:
            return "; if designs are its columns, write designs.T"
        return ""

    def image(self, designs: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "n d"]:
        """Designs as the task sees them, in the space's own dtype, legal or not."""
        with np.errstate(all="ignore"):  # beyond float32: infinite, which is no legal value
            return designs.astype(self.dtype, copy=False)

    def legal(self, designs: Any) -> Bool[np.ndarray, " n"]:
        """Tell which designs are legal.

        Args:
            designs: (n, d) numbers.

        Raises:
            InvalidDesign: the array as a whole is not of shape (n, d) or not of numbers.
        """
        return np.asarray(self._legal_values(self.as_array(designs)).all(axis=1))

    def validate(self, designs: Any) -> Num[np.ndarray, "n d"]:
        """Check designs and return them in the space's own dtype.

        Args:
            designs: (n, d) numbers; n may be 0.

        Returns:
            The same designs, (n, d), as int8 (`Sequence`) or float32 (`Box`).

        Raises:
            InvalidDesign: names the first illegal design, the position, and what is legal there.
        """
        array = self.as_array(designs)
        legal = self._legal_values(array)
        if not legal.all():
            bad = np.flatnonzero(~legal.all(axis=1))
            row = int(bad[0])
            at = int(np.flatnonzero(~legal[row])[0])
            raise InvalidDesign(self._explain(array[row], at), row, more=len(bad) - 1)
        with np.errstate(all="ignore"):  # what is too small for float32 becomes 0
            return array.astype(self.dtype, copy=False)

    def project(self, designs: Any) -> Num[np.ndarray, "n d"]:
        """Replace each design by the nearest legal one.

        Tokens are rounded and clipped to the alphabet, and everything from the first padding on
        becomes padding; real numbers are clipped to the bounds.

        Args:
            designs: (n, d) numbers.

        Returns:
            Legal designs, (n, d), in the space's own dtype. Legal rows come back unchanged.

        Raises:
            InvalidDesign: a row has no nearest legal design (NaN, nothing but padding or zeros).
        """
        with np.errstate(all="ignore"):
            return self.validate(self._nearest(self.as_array(designs)))


class Sequence(Space, frozen=True, tag="sequence", kw_only=True):
    """Designs that are `length` tokens, each one of `alphabet`; letters are case-sensitive.

    Args:
        length: number of tokens, d.
        alphabet: the tokens in order: token i is written ``alphabet[i]``; one or more letters each.
        padding: the token that fills shorter designs at the end, itself one of `alphabet`;
            without it every design has exactly `length` tokens.

    Example:
        >>> dna = Sequence(length=4, alphabet=tuple("ACGT"))
        >>> dna.encode(["ACGT", "TTAA"])
        array([[0, 1, 2, 3],
               [3, 3, 0, 0]], dtype=int8)
        >>> dna.decode([[0, 1, 2, 3]])
        ['ACGT']
    """

    metric: ClassVar[str] = "Hamming distance"
    length: _Positive
    alphabet: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...]
    padding: str | None = None

    def __post_init__(self) -> None:
        if not 2 <= len(self.alphabet) <= 127:
            raise ValueError(f"alphabet has {len(self.alphabet)} tokens; 2 to 127 are possible")
        if len(set(self.alphabet)) < len(self.alphabet):
            raise ValueError("alphabet names a token twice")
        if self.padding is not None and self.padding not in self.alphabet:
            raise ValueError(f"padding {self.padding!r} is not a token of the alphabet")

    @property
    def dim(self) -> int:
        """Number of columns of a design array: `length`."""
        return self.length

    @property
    def dtype(self) -> np.dtype[np.int8]:
        """Tokens are int8."""
        return np.dtype(np.int8)

    @property
    def cardinality(self) -> int:
        """Number of legal designs, exact."""
        if self.padding is None:
            return len(self.alphabet) ** self.length
        return sum((len(self.alphabet) - 1) ** n for n in range(1, self.length + 1))

    @property
    def _pad(self) -> int:
        """The padding token, or -1, which no token equals."""
        return -1 if self.padding is None else self.alphabet.index(self.padding)

    def _are_tokens(self, designs: Num[np.ndarray, "n d"]) -> Bool[np.ndarray, "n d"]:
        with np.errstate(all="ignore"):  # NaN compares as False
            tokens = (designs >= 0) & (designs < len(self.alphabet))
            if designs.dtype.kind == "f":
                tokens &= designs == np.floor(designs)
        return tokens

    def image(self, designs: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "n d"]:
        """Designs as the task sees them: int8 tokens, and -1 for what is no token."""
        return np.where(self._are_tokens(designs), designs, -1).astype(np.int8)

    def _for_shape(self, array: Any) -> str:
        k, d = len(self.alphabet), self.length
        shapes = {
            (d, k): "",
            (d, k - 1): "",
            (d * k,): f"{d}, {k}",
            (d * (k - 1),): f"{d}, {k - 1}",
        }
        inner = array.shape[1:]
        if array.ndim < 2 or inner not in shapes:
            return super()._for_shape(array)
        whole = inner in ((d, k), (d * k,))
        only_one = whole and bool(((array == 0) | (array == 1)).all())
        name, what = ("from_one_hot", "one-hot") if only_one else ("from_logits", "logits")
        reshaped = f".reshape(-1, {shapes[inner]})" if shapes[inner] else ""
        return f"; these look like {what}: write space.{name}(designs{reshaped})"

    def _legal_values(self, designs: Num[np.ndarray, "n d"]) -> Bool[np.ndarray, "n d"]:
        legal = self._are_tokens(designs)
        if self.padding is not None:
            pad = designs == self._pad
            legal[:, 1:] &= ~pad[:, :-1] | pad[:, 1:]  # only padding follows padding
            legal[:, 0] &= ~pad[:, 0]  # an empty design is none
        return legal

    def _explain(self, row: Num[np.ndarray, " d"], at: int) -> str:
        value = row[at].item()
        k = len(self.alphabet)
        if isinstance(value, float) and not value.is_integer():
            return f"has {value} at position {at}; tokens are whole numbers from 0 to {k - 1}"
        if 0 <= value < k:  # in the alphabet, so padding is the matter
            if at == 0:
                return "is nothing but padding; a design has at least one token"
            return (
                f"has token {int(value)} at position {at}, after padding, which only ends a design"
            )
        return f"has token {int(value)} at position {at}; this task's tokens are 0 to {k - 1}"

    def _nearest(self, designs: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "n d"]:
        nearest = np.clip(np.rint(designs), 0, len(self.alphabet) - 1)  # NaN stays NaN
        if self.padding is not None:
            nearest[np.logical_or.accumulate(nearest == self._pad, axis=1)] = self._pad
        return nearest

    def encode(self, texts: Any) -> Int8[np.ndarray, "n d"]:
        """Turn written designs into tokens.

        Tokens of several letters are read longest first, as SMILES are.

        Args:
            texts: n strings: a list, a generator, or a column of any library.

        Returns:
            Tokens, (n, d) int8.

        Raises:
            InvalidDesign: names the first string that has a letter outside the alphabet (case
                matters) or the wrong number of tokens.
        """
        texts = incoming.items(texts)
        tokens = np.empty((len(texts), self.length), np.int8)
        if self.padding is None and all(len(token) == 1 for token in self.alphabet):
            index = {ord(token): i for i, token in enumerate(self.alphabet)}
            lengths = {len(text) for text in texts if isinstance(text, str)}
            if lengths <= {self.length} and all(isinstance(text, str) for text in texts):
                points = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
                lookup = np.full(max(index) + 2, -1, np.int8)
                lookup[list(index)] = list(index.values())
                tokens = lookup[np.minimum(points, len(lookup) - 1)].reshape(tokens.shape)
                if (tokens >= 0).all():
                    return tokens
        pattern, number = self._reader()
        for row, text in enumerate(texts):
            found = self._tokens_of(text, pattern, number)
            if found is None:
                raise self._not_a_design(text, row, pattern)
            tokens[row] = found
        return tokens

    def encode_legal(self, texts: Any) -> Float32[np.ndarray, "n d"]:
        """As `encode`, with a row of NaN for each text that is not a design."""
        texts = incoming.items(texts)
        tokens = np.full((len(texts), self.length), np.nan, np.float32)
        pattern, number = self._reader()
        for row, text in enumerate(texts):
            found = self._tokens_of(text, pattern, number)
            if found is not None:
                tokens[row] = found
        return tokens

    def _reader(self) -> tuple[re.Pattern[str], dict[str, int]]:
        """What finds the tokens of a text, longest first, and the number of each."""
        longest_first = sorted(set(self.alphabet) - {self.padding}, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        return pattern, {token: i for i, token in enumerate(self.alphabet)}

    def _tokens_of(
        self, text: object, pattern: re.Pattern[str], number: Mapping[str, int]
    ) -> list[int] | None:
        """The tokens of a design, padded; None for what is not a design."""
        if not isinstance(text, str) or len(text) > self.length * self._longest:
            return None
        found = pattern.findall(text)
        missing = self.length - len(found)
        if sum(map(len, found)) < len(text) or missing < 0:
            return None
        if missing and (self.padding is None or not found):
            return None
        return [number[token] for token in found] + [self._pad] * missing

    @property
    def _longest(self) -> int:
        return max(map(len, self.alphabet))

    def _not_a_design(self, text: object, row: int, pattern: re.Pattern[str]) -> InvalidDesign:
        if not isinstance(text, str):
            return InvalidDesign(f"is {quoted(text)}, not a string", row)
        longest = self._longest
        if len(text) > self.length * longest > self.length:  # whatever its letters are
            limit = f"at most {self.length} tokens of at most {longest} letters"
            return InvalidDesign(
                f"({quoted(text)}) has {len(text)} letters; designs are {limit}", row
            )
        if len(text) > self.length and longest == 1:
            return self._wrong_length(text, len(text), row)
        found = at = 0
        while at < len(text):
            match = pattern.match(text, at)
            if match is None:
                return InvalidDesign(self._explain_letter(text, at), row)
            found += 1
            at = match.end()
        return self._wrong_length(text, found, row)

    def _wrong_length(self, text: str, found: int, row: int) -> InvalidDesign:
        wanted = f"{self.length}" if self.padding is None else f"1 to {self.length}"
        unit = "letter" if all(len(token) == 1 for token in self.alphabet) else "token"
        plural = "" if found == 1 else "s"
        return InvalidDesign(
            f"({quoted(text)}) has {found} {unit}{plural}; this task's designs have {wanted}", row
        )

    def _explain_letter(self, text: str, at: int) -> str:
        letter = text[at]
        if self.padding is not None and text.startswith(self.padding, at):
            return (
                f"has the padding {self.padding!r} at position {at}; leave it out: what is shorter "
                "is filled up by itself"
            )
        detail = (
            f"has letter {letter!r} at position {at}; this task uses {self._written_alphabet()}"
        )
        other_case = [t for t in (letter.upper(), letter.lower()) if t in self.alphabet]
        other_case = [t for t in other_case if t not in (letter, self.padding)]
        if other_case:
            detail += f" (case matters: write {other_case[0]!r})"
        return detail

    def _written_alphabet(self) -> str:
        tokens = [token for token in self.alphabet if token != self.padding]
        return "".join(tokens) if all(len(token) == 1 for token in tokens) else " ".join(tokens)

    def decode(self, designs: Any) -> list[str]:
        """Write tokens as strings, without padding.

        Args:
            designs: (n, d) legal tokens.

        Raises:
            InvalidDesign: a design is not legal.
        """
        alphabet = np.array([t if t != self.padding else "" for t in self.alphabet], dtype=object)
        return ["".join(row) for row in alphabet[self.validate(designs)]]

    def sample(self, n: int, rng: Seed = None) -> Int8[np.ndarray, "n d"]:
        """Draw designs whose tokens are independent and uniform; lengths too, where they vary.

        Args:
            n: how many.
            rng: a seed or a `numpy.random.Generator`; None draws differently each time.
        """
        generator = np.random.default_rng(rng)
        if self.padding is None:
            return generator.integers(len(self.alphabet), size=(n, self.length), dtype=np.int8)
        letters = np.flatnonzero(np.arange(len(self.alphabet)) != self._pad).astype(np.int8)
        tokens = generator.choice(letters, size=(n, self.length))
        lengths = generator.integers(1, self.length, size=(n, 1), endpoint=True)
        tokens[np.arange(self.length) >= lengths] = self._pad
        return tokens

    def one_hot(self, designs: Any) -> Float32[np.ndarray, "n d k"]:
        """One-hot encode tokens: 1 at the token, 0 elsewhere; k = len(alphabet)."""
        encoded: Float32[np.ndarray, "n d k"] = np.eye(len(self.alphabet), dtype=np.float32)[
            self.validate(designs)
        ]
        return encoded

    def from_one_hot(self, one_hot: Any) -> Int8[np.ndarray, "n d"]:
        """Return the tokens of one-hot designs; the largest entry wins, the first of equals.

        Args:
            one_hot: (n, d, k) numbers of any library.

        With a padded alphabet the result may need `project`.

        Raises:
            InvalidDesign: wrong shape, or NaN.
        """
        array = incoming.numbers(one_hot, kinds="iufb")
        shape = (self.length, len(self.alphabet))
        if array.ndim != 3 or array.shape[1:] != shape:
            raise InvalidDesign(f"expected shape (n, {shape[0]}, {shape[1]}), got {array.shape}")
        unknown = np.flatnonzero(np.isnan(array).any(axis=(1, 2)))
        if len(unknown):
            raise InvalidDesign("has NaN among its entries", int(unknown[0]), len(unknown) - 1)
        return array.argmax(axis=2).astype(np.int8)

    def logits(self, designs: Any, confidence: float = 0.6) -> Float32[np.ndarray, "n d k"]:
        """Write tokens as log-probabilities, so that gradient methods can move them.

        Each token keeps `confidence` of the probability, the rest is spread evenly over all k
        tokens (Design-Bench's soft interpolation, which uses 0.6 too).

        Args:
            designs: (n, d) legal tokens.
            confidence: in (0, 1).

        Raises:
            InvalidDesign: a design is not legal.
            ValueError: confidence outside (0, 1).
        """
        if not 0 < confidence < 1:
            raise ValueError(f"confidence is a number between 0 and 1, got {confidence}")
        soft = confidence * self.one_hot(designs) + (1 - confidence) / len(self.alphabet)
        return np.log(soft, dtype=np.float32)

    def from_logits(self, logits: Any) -> Int8[np.ndarray, "n d"]:
        """Return the most probable token at each position; see `from_one_hot`.

        Args:
            logits: (n, d, k), or (n, d, k - 1) without the first token, whose logit is then 0
                (Design-Bench's form).

        Raises:
            InvalidDesign: wrong shape, or NaN.
        """
        array = incoming.numbers(logits)
        if array.ndim == 3 and array.shape[1:] == (self.length, len(self.alphabet) - 1):
            array = np.concatenate([np.zeros_like(array[:, :, :1]), array], axis=2)
        return self.from_one_hot(array)

    def mean_distance(
        self, designs: Num[np.ndarray, "n d"], scale: Float[np.ndarray, " d"]
    ) -> float | None:
        """Mean distance between two different rows, from the counts of each token at each place."""
        n = len(designs)
        if n < 2:
            return None
        counts = np.array([(designs == token).sum(axis=0) for token in range(len(self.alphabet))])
        equal_pairs = int((counts.astype(np.int64) * (counts - 1)).sum())
        return self.length - equal_pairs / (n * (n - 1))

    def distance(
        self,
        a: Num[np.ndarray, "m d"],
        b: Num[np.ndarray, "n d"],
        scale: Float[np.ndarray, " d"],
    ) -> Float64[np.ndarray, "m n"]:
        """Count the positions at which designs differ (Hamming); `scale` is not used."""
        out = np.empty((len(a), len(b)))
        for rows, counts in self._differences(a, b):
            out[rows] = counts
        return out

    def nearest(
        self,
        designs: Num[np.ndarray, "n d"],
        known: Num[np.ndarray, "m d"],
        scale: Float[np.ndarray, " d"],
    ) -> Float64[np.ndarray, " n"]:
        """Distance from each design to the nearest known one; `scale` is not used."""
        out = np.empty(len(designs))
        for rows, counts in self._differences(designs, known):
            out[rows] = counts.min(axis=1)
        return out

    def _differences(
        self, a: Num[np.ndarray, "m d"], b: Num[np.ndarray, "n d"]
    ) -> Iterator[tuple[slice, Num[np.ndarray, "_ n"]]]:
        """Count differing positions, some rows of `a` at a time.

        A column at a time, in one byte a pair, in blocks that stay in the processor's cache: for
        128 designs among the 32,898 of TF Bind 8, 10 ms, where a product of one-hot rows takes 45
        and comparing row by row 180.
        """
        columns = np.ascontiguousarray(b.T)
        whole = np.min_scalar_type(self.length)  # uint8 up to 255 positions
        step = max(1, 2**18 // max(1, len(b)))
        for start in range(0, len(a), step):
            rows = slice(start, min(start + step, len(a)))
            counts = np.zeros((rows.stop - start, len(b)), whole)
            for place, column in enumerate(columns):
                counts += (a[rows, place, None] != column).view(np.uint8)
            yield rows, counts


_Bound = float | None | tuple[float | None, ...]


@lru_cache(256)
def _filled(side: _Bound, unbounded: float, size: int) -> Float32[np.ndarray, " d"]:
    """One side's bound of each value; kept, since every score asks for it."""
    each = side if isinstance(side, tuple) else (side,) * size
    bounds = np.array([unbounded if v is None else v for v in each], np.float32)
    bounds.flags.writeable = False
    return bounds


class Box(Space, frozen=True, tag="box", kw_only=True):
    """Designs that are `size` real numbers, each between a lower and an upper bound, both legal.

    Args:
        size: number of values, d.
        low: lower bound: one for all values or one each; None is unbounded.
        high: upper bound: one for all values or one each; None is unbounded.
        names: the name of each value; default x0, x1, ….
        nonzero: whether a design of zeros alone is illegal.

    Example:
        >>> box = Box(size=2, low=0.0, high=(1.0, None), names=("Cu", "O"))
        >>> box.validate([[0.5, 7]])
        array([[0.5, 7. ]], dtype=float32)
        >>> box.validate([[1.5, 7]])
        Traceback (most recent call last):
        mbo_hub.errors.InvalidDesign: design 0 has 1.5 for Cu; it lies between 0.0 and 1.0
    """

    metric: ClassVar[str] = "distance in units of the visible std"
    size: _Positive
    low: _Bound = None
    high: _Bound = None
    names: tuple[str, ...] = ()
    nonzero: bool = False

    def __post_init__(self) -> None:
        for side in (self.low, self.high):
            if isinstance(side, tuple) and len(side) != self.size:
                raise ValueError(f"{len(side)} bounds for {self.size} values")
        if self.names and len(self.names) != self.size:
            raise ValueError(f"{len(self.names)} names for {self.size} values")
        if len(set(self.names)) < len(self.names):
            raise ValueError("two values have the same name")
        low, high = self.bounds
        if np.isnan(low).any() or np.isnan(high).any() or (low > high).any():
            raise ValueError("a lower bound lies above the upper one")

    @property
    def dim(self) -> int:
        """Number of columns of a design array: `size`."""
        return self.size

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Values are float32."""
        return np.dtype(np.float32)

    @property
    def columns(self) -> tuple[str, ...]:
        """What each value is called in a table: its name, or x0, x1, …."""
        return self.names or super().columns

    @property
    def bounds(self) -> tuple[Float32[np.ndarray, " d"], Float32[np.ndarray, " d"]]:
        """Lower and upper bounds, (d,) each, as the float32 values that designs are held to."""
        return _filled(self.low, -np.inf, self.size), _filled(self.high, np.inf, self.size)

    def _legal_values(self, designs: Num[np.ndarray, "n d"]) -> Bool[np.ndarray, "n d"]:
        low, high = self.bounds
        # Judged as the float32 value that will be scored, so that a float64 bound is legal too.
        values = self.image(designs)
        legal = np.isfinite(values) & (values >= low) & (values <= high)
        if self.nonzero:
            legal[~values.any(axis=1)] = False
        return legal

    def _explain(self, row: Num[np.ndarray, " d"], at: int) -> str:
        low, high = (side[at].item() for side in self.bounds)
        value, name = row[at].item(), self.columns[at]
        with np.errstate(all="ignore"):
            if self.nonzero and not row.astype(np.float32).any():
                return "has nothing but zeros; at least one value differs from 0"
            if not np.isfinite(np.float32(value)):
                return f"has {value} for {name}; values are finite float32 numbers"
        if high == np.inf:
            return f"has {value} for {name}; it is at least {low:.9g}"
        if low == -np.inf:
            return f"has {value} for {name}; it is at most {high:.9g}"
        return f"has {value} for {name}; it lies between {low!r} and {high!r}"

    def _nearest(self, designs: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "n d"]:
        low, high = self.bounds
        finite = np.finfo(np.float32)
        return np.clip(designs, np.maximum(low, finite.min), np.minimum(high, finite.max))

    def encode(self, rows: Any) -> Float32[np.ndarray, "n d"]:
        """Turn rows of numbers, mappings from name to number, or formulas into designs.

        Args:
            rows: n rows of d numbers, or n mappings with one number for each name; where the names
                are chemical elements, also n plain formulas, such as ``Ba(Fe0.9Co0.1)2As2``.

        Returns:
            Designs, (n, d) float32.

        Raises:
            InvalidDesign: a value is missing, unknown, or out of bounds.
        """
        if getattr(rows, "ndim", 0) == 2 or incoming.column_names(rows):
            return self.validate(rows)
        table: list[Any] = []
        for number, row in enumerate(incoming.items(rows)):
            if isinstance(row, str):
                table.append(self._of_formula(row, number))
                continue
            if not isinstance(row, Mapping):
                table.append(row)
                continue
            missing = [name for name in self.columns if name not in row]
            unknown = [quoted(str(name)) for name in row if name not in self.columns]
            if missing or unknown:
                what = (
                    f"has no value for {missing[0]}"
                    if missing
                    else f"names an unknown {unknown[0]}"
                )
                raise InvalidDesign(what, number)
            table.append([row[name] for name in self.columns])
        return self.validate(table if table else np.empty((0, self.size), np.float32))

    def encode_legal(self, formulas: list[str]) -> Float32[np.ndarray, "n d"]:
        """Turn formulas into designs, with a row of NaN for each that is not a design."""
        designs = np.full((len(formulas), self.size), np.nan, np.float32)
        for row, text in enumerate(formulas):
            try:
                found = self._of_formula(text, row)
            except InvalidDesign:
                continue
            with np.errstate(over="ignore"):  # infinite, which no space accepts
                designs[row] = found
        return designs

    @property
    def takes_formulas(self) -> bool:
        """Whether the values are amounts of chemical elements, so that a formula is a design."""
        return bool(self.names) and set(self.names) <= set(formulas.ELEMENTS)

    def _for_text(self) -> str:
        return super()._for_text() if self.takes_formulas else "; convert it, for example float(…)"

    def _of_formula(self, text: str, row: int) -> list[float]:
        """The amount of each element of the space in a formula."""
        if not self.takes_formulas:
            raise InvalidDesign(f"is the text {quoted(text)}, not {self.size} numbers", row)
        try:
            found = formulas.amounts(text)
        except InvalidDesign as error:
            raise InvalidDesign(error.detail, row) from None
        for element in found:
            if element not in self.names:
                raise InvalidDesign(
                    f"({quoted(text)}) names {element}; this task has {self.names[0]} to "
                    f"{self.names[-1]}", row,
                )  # fmt: skip
        return [found.get(name, 0.0) for name in self.names]

    def decode(self, designs: Any) -> list[dict[str, float]]:
        """Write designs as mappings from name to value.

        Args:
            designs: (n, d) legal designs.

        Raises:
            InvalidDesign: a design is not legal.
        """
        return [
            dict(zip(self.columns, row, strict=True)) for row in self.validate(designs).tolist()
        ]

    def sample(self, n: int, rng: Seed = None) -> Float32[np.ndarray, "n d"]:
        """Draw designs, each value on its own.

        Uniform between two bounds, bound ± exponential where there is one, standard normal where
        there is none (the rule of Gymnasium's Box).

        Args:
            n: how many.
            rng: a seed or a `numpy.random.Generator`; None draws differently each time.
        """
        generator = np.random.default_rng(rng)
        low, high = (side.astype(np.float64) for side in self.bounds)
        below, above = np.isfinite(low), np.isfinite(high)
        base = np.where(below, low, np.where(above, high, 0.0))
        shape = (n, self.size)
        normal = generator.standard_normal(shape)
        exponential = generator.standard_exponential(shape)
        width = np.where(below & above, high - base, 0.0)
        uniform = generator.random(shape) * width
        step = np.where(below & above, uniform, np.where(below, exponential, -exponential))
        drawn = np.where(below | above, base + step, normal)
        # Rounding to float32 may step over a bound by one unit in the last place.
        return np.clip(drawn.astype(np.float32), *self.bounds)

    def distance(
        self,
        a: Num[np.ndarray, "m d"],
        b: Num[np.ndarray, "n d"],
        scale: Float[np.ndarray, " d"],
    ) -> Float64[np.ndarray, "m n"]:
        """Euclidean distance after dividing each value by its `scale`."""
        left, right = (np.asarray(side, np.float64) / scale for side in (a, b))
        squares = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
        distances = np.sqrt(np.maximum(squares, 0))
        # The expansion above cancels; equal designs are exactly 0 apart.
        close = np.argwhere(distances < 1e-3 * np.sqrt(1 + (left**2).sum(1))[:, None])
        for i, j in close:
            distances[i, j] = np.linalg.norm(left[i] - right[j])
        return distances
