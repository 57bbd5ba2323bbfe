"""Generate the pseudonyms that replace personal data in recordings."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from .patterns import is_object_id


class Pseudonyms:
    """Generates pseudonyms with a key: the same value always gets the same one.

    Without the key, nobody can recover a value, or link pseudonyms of two keys.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def word(self, value: str, label: str) -> str:
        """Return a word that begins with *label*, with the case of *value*."""
        pseudonym = label + self._letters(value.lower(), 5)
        if value.islower():
            return pseudonym.lower()
        return pseudonym.upper() if value.isupper() and len(value) > 1 else pseudonym

    def email(self, value: str) -> str:
        """Return an e-mail address that does not exist."""
        return f"{self._letters(value.lower(), 10)}@example.invalid"

    def host(self, value: str) -> str:
        """Return the name of a host that does not exist."""
        return f"{self._letters(value.lower(), 10)}.invalid"

    def shaped(self, value: str) -> str:
        """Replace letters and digits by others; keep all other characters.

        A number with 9 or more digits, such as a telephone number, begins with 000, so
        that it cannot be called.
        """
        if is_object_id(value):
            return self._bytes(value, 12).hex()
        alphanumeric = [char for char in value if char.isalnum()]
        count = len(alphanumeric)
        if count >= 16 and _HEX.fullmatch(value):
            hex_digits = iter(self._bytes(value, (count + 1) // 2).hex())
            return "".join(next(hex_digits) if c.isalnum() else c for c in value)
        stream = self._bytes("".join(alphanumeric).lower(), count)
        digits = sum(map(str.isdecimal, alphanumeric))
        zeros = 3 if digits == count >= 9 else 0
        shaped, index = [], 0
        for char in value:
            if not char.isalnum():
                shaped.append(char)
                continue
            byte = stream[index]
            index += 1
            if not char.isdecimal():
                letter = _LETTERS[byte % 26]
                shaped.append(letter.upper() if char.isupper() else letter)
            elif index <= zeros:
                shaped.append("0")
            elif index == 1 and char != "0":
                shaped.append(_DIGITS[1 + byte % 9])
            else:
                shaped.append(_DIGITS[byte % 10])
        return "".join(shaped)

    def _letters(self, value: str, count: int) -> str:
        return self._bytes(value, count).translate(_TO_LETTERS).decode("ascii")

    def _bytes(self, value: str, count: int) -> bytes:
        return hashlib.shake_128(
            self._key + value.encode("utf-8", "surrogatepass")
        ).digest(count)


_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_TO_LETTERS: Final = bytes(ord(_LETTERS[byte % 26]) for byte in range(256))
_HEX: Final = re.compile(r"[0-9-]*[a-f][0-9a-f-]*")
