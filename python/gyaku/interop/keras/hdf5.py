"""HDF5 files of arrays, read here: a damaged file makes HDF5's own library end the process.

This is the layout that Keras and h5py write: superblock 0, groups as symbol tables, object headers
of version 1, contiguous datasets; see the *HDF5 File Format Specification*, version 3. Structures
are checked against the file before memory is taken, and visited once, so that no file can claim
more memory or time than its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.files import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from numpy.typing import NDArray

__all__ = ["Arrays"]

_NOWHERE = 0xFFFFFFFFFFFFFFFF  # the address of what is not there
_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE = 1, 3, 7, 8, 11, 12
_CONTINUATION, _SYMBOLS = 16, 17
_WHOLE, _REAL, _TEXT, _OPAQUE, _VARIABLE = 0, 1, 3, 5, 9  # classes of datatypes
_DEEPEST = 64
_LONGEST_NAME = 1 << 16


class _Type(NamedTuple):
    """Datatype of elements: NumPy's, with what it does not say."""

    kind: int
    size: int
    dtype: str = ""  # "bf16" for the upper halves of float32


@dataclass
class _Object:
    """Object header: messages by type, attributes by name."""

    messages: dict[int, bytes] = field(default_factory=dict)
    attributes: dict[str, bytes] = field(default_factory=dict)


class Arrays:
    """Arrays of an HDF5 file, by path.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        Its name, for errors.

    Raises
    ------
    FileError
        If it is truncated, inconsistent, or of another layout than Keras writes.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self.name, self._content = name, content
        self._room = max(len(content), 1024)  # bytes that arrays and texts may take
        self._work = 64 + len(content) // 8  # messages that headers may have
        self._seen: set[int] = set()  # structures that belong to one group
        self._objects: dict[int, _Object] = {}  # by address
        self._groups: dict[str, dict[str, int]] = {}  # addresses of members
        if self._at(8, 1)[0] > 1 or self._at(13, 2) != b"\x08\x08":
            self._refuse(f"has the layout {content[8]} of HDF5, Keras writes 0")
        start = 24 + 4 * content[8]
        self._base = self._number(start)
        if self._number(start + 16) > len(content):
            self._refuse(f"is cut off: it needs {self._number(start + 16)} bytes")
        self._root = self._number(start + 40)

    def _refuse(self, reason: str) -> NoReturn:
        shown = reason if len(reason) <= 160 else f"{reason[:80]}...{reason[-77:]}"
        raise FileError(f"{self.name} {shown}")  # the reason can quote the file

    def _damaged(self, what: str) -> NoReturn:
        self._refuse(f"is damaged: {what}")

    def _at(self, place: int, size: int) -> bytes:
        if place < 0 or size < 0 or place + size > len(self._content):
            self._damaged(f"it needs {size} bytes at {place}, it has {len(self._content)}")
        return self._content[place : place + size]

    def _number(self, place: int, size: int = 8) -> int:
        return int.from_bytes(self._at(place, size), "little")

    def _block(self, address: int, signature: bytes) -> int:
        """Return the place of a structure that is visited once."""
        place = address + self._base
        if address == _NOWHERE or self._at(place, 4) != signature:
            self._damaged(f"there is no {signature.decode()} at {address}")
        if place in self._seen:
            self._damaged(f"the {signature.decode()} at {address} is used twice")
        self._seen.add(place)
        return place

    def _take(self, path: str, needed: int) -> None:
        if needed > self._room:
            self._refuse(f"is damaged: {path or 'it'} claims {needed} bytes, more than there are")
        self._room -= needed

    def _object(self, address: int) -> _Object:
        """Return an object header."""
        if address in self._objects:
            return self._objects[address]
        place = address + self._base
        if address == _NOWHERE or self._at(place, 2)[0] != 1:
            self._damaged(f"there is no object at {address}")
        found = _Object()
        blocks, done = [(place + 16, self._number(place + 8, 4))], 0
        count = self._number(place + 2, 2)
        while blocks and done < count:
            at, size = blocks.pop(0)
            end = at + size
            self._at(at, size)
            while at + 8 <= end and done < count:
                kind, length, flags = self._header(at)
                data = self._at(at + 8, length)
                done += 1
                at += 8 + length
                if kind == _CONTINUATION and length >= 16:
                    parts = (int.from_bytes(data[i : i + 8], "little") for i in (0, 8))
                    more, size = parts
                    blocks.append((more + self._base, size))
                elif kind == _ATTRIBUTE:
                    self._keep_attribute(found, data)
                elif flags & 2 and kind in (_DATASPACE, _DATATYPE):
                    self._refuse("has datatypes that are shared, as Keras does not write")
                else:
                    found.messages.setdefault(kind, data)
        self._objects[address] = found
        return found

    def _header(self, at: int) -> tuple[int, int, int]:
        """Return type, length and flags of a message."""
        self._work -= 1
        if self._work < 0:
            self._damaged("it has more messages than bytes for them")
        return self._number(at, 2), self._number(at + 2, 2), self._number(at + 4, 1)

    def _keep_attribute(self, owner: _Object, data: bytes) -> None:
        if len(data) < 8:
            self._damaged("an attribute is too short")
        length = int.from_bytes(data[2:4], "little")
        start = 8 + (data[0] > 2)
        name = data[start : start + length].split(b"\0")[0]
        owner.attributes.setdefault(name.decode("utf-8", "replace"), data)

    def _members(self, path: str) -> dict[str, int]:
        """Return the addresses of the members of a group."""
        if path in self._groups:
            return self._groups[path]
        if path.count("/") > _DEEPEST:
            self._refuse("is no file of Keras: its groups are nested too deeply")
        table = self._object(self._address(path)).messages.get(_SYMBOLS)
        if table is None or len(table) < 16:
            self._refuse(f"is no file of Keras: {path or 'its root'} is no group of its layout")
        tree, heap = (int.from_bytes(table[i : i + 8], "little") for i in (0, 8))
        names = self._block(heap, b"HEAP")
        size, start = self._number(names + 8), self._number(names + 24) + self._base
        segment = self._at(start, size)
        found: dict[str, int] = {}
        for offset, address in self._symbols(tree, 0):
            end = segment.find(b"\0", offset, offset + _LONGEST_NAME)
            if offset >= size or end < 0:
                self._damaged(f"a name in {path or 'its root'} has no end")
            self._take(path, end - offset)
            name = segment[offset:end].decode("utf-8", "replace")
            if name in found or not name or "/" in name:
                self._damaged(f"{path or 'its root'} has the name {name!r}")
            found[name] = address
        self._groups[path] = found
        return found

    def _symbols(self, address: int, depth: int) -> Iterator[tuple[int, int]]:
        """Yield the offset of the name and the address of each member of a group."""
        place = self._block(address, b"TREE")
        if self._number(place + 4, 1) or depth > _DEEPEST:
            self._damaged(f"the tree at {address} is not one of a group")
        level, count = self._number(place + 5, 1), self._number(place + 6, 2)
        for number in range(count):
            child = self._number(place + 32 + 16 * number)
            if level:
                yield from self._symbols(child, depth + 1)
                continue
            node = self._block(child, b"SNOD")
            for entry in range(self._number(node + 6, 2)):
                at = node + 8 + 40 * entry
                if self._number(at + 16, 4) == 2:
                    self._refuse("has a link to another place, which is not followed")
                yield self._number(at), self._number(at + 8)

    def _address(self, path: str) -> int:
        """Return the address of an object."""
        if not path:
            return self._root
        above, _, last = path.rpartition("/")
        members = self._members(above)
        if last not in members:
            self._refuse(f"is no file of Keras: {path} is missing")
        return members[last]

    def is_group(self, path: str) -> bool:
        """Return whether a path leads to a group.

        Parameters
        ----------
        path : str
            The path.

        Returns
        -------
        bool
            Whether it does.
        """
        return _SYMBOLS in self._object(self._address(path)).messages

    def members(self, path: str) -> list[str]:
        """Return the names in a group.

        Parameters
        ----------
        path : str
            The group, "" for the outermost.

        Returns
        -------
        list of str
            The names.
        """
        return list(self._members(path))

    def text(self, path: str, name: str) -> str | None:
        """Return an attribute that is a text.

        Parameters
        ----------
        path : str
            The group or array.
        name : str
            The attribute.

        Returns
        -------
        str or None
            The text, None if there is no such attribute.
        """
        found = self._attribute(path, name)
        if found is not None and len(found) != 1:
            self._refuse(f"is no file of Keras: {name} of {path or 'its root'} is no text")
        return None if found is None else found[0]

    def names(self, path: str, name: str) -> list[str] | None:
        """Return an attribute that is a list of names, which may be in pieces.

        Parameters
        ----------
        path : str
            The group.
        name : str
            The attribute.

        Returns
        -------
        list of str or None
            The names, None if there is no such attribute.
        """
        whole = self._attribute(path, name)
        if whole is not None:
            return whole
        found, number = self._attribute(path, f"{name}0"), 0
        while found is not None:
            number += 1
            piece = self._attribute(path, f"{name}{number}")
            if piece is None:
                break
            found = found + piece
        return found

    def _attribute(self, path: str, name: str) -> list[str] | None:
        """Return the texts of an attribute."""
        data = self._object(self._address(path)).attributes.get(name)
        if data is None:
            return None
        version, flags = data[0], data[1]
        if version > 3 or (version > 1 and flags):
            self._refuse(f"has an attribute {name!r} of a layout that Keras does not write")
        sizes = [int.from_bytes(data[i : i + 2], "little") for i in (2, 4, 6)]
        at, parts = 8 + (version == 3), []
        for size in sizes:
            parts.append(data[at : at + size])
            at += -(-size // 8) * 8 if version == 1 else size
        kind, shape = self._type(parts[1]), self._shape(parts[2])
        count = 0 if shape is None else math.prod(shape)
        if not count:
            return []
        if kind.kind not in (_TEXT, _VARIABLE) or not kind.size:
            self._refuse(f"is no file of Keras: {name} of {path or 'its root'} is no text")
        if count * kind.size > len(data) - at:
            self._damaged(f"{name} of {path or 'its root'} is cut off")
        each = (data[at + i * kind.size : at + (i + 1) * kind.size] for i in range(count))
        if kind.kind == _VARIABLE:
            each = (self._variable(name, element) for element in each)
        return [text.split(b"\0")[0].decode("utf-8", "replace") for text in each]

    def _variable(self, name: str, element: bytes) -> bytes:
        """Return a text of variable length, from the collection that holds it."""
        length = int.from_bytes(element[:4], "little")
        address, index = int.from_bytes(element[4:12], "little"), element[12:16]
        if not length:
            return b""
        self._take(name, length)
        place = address + self._base
        if self._at(place, 4) != b"GCOL":
            self._damaged(f"there is no GCOL at {address}")
        at, end = place + 16, place + self._number(place + 8)
        while at + 16 <= end:
            self._work -= 1
            number, size = self._at(at, 2), self._number(at + 8)
            if number == b"\0\0" or self._work < 0:
                break
            if number == index[:2] and length <= size:
                return self._at(at + 16, length)
            at += 16 + -(-size // 8) * 8
        return self._damaged(f"the text of {name} is missing")

    def _shape(self, data: bytes) -> tuple[int, ...] | None:
        """Return the shape of a dataspace, None for one without elements."""
        if len(data) < 4 or data[0] not in (1, 2):
            self._damaged("a dataspace is of another version")
        version, rank = data[0], data[1]
        start = 8 if version == 1 else 4
        if rank > 32 or len(data) < start + 8 * rank:
            self._damaged(f"a dataspace has {rank} axes")
        if version == 2 and data[3] == 2:
            return None
        places = range(start, start + 8 * rank, 8)
        return tuple(int.from_bytes(data[at : at + 8], "little") for at in places)

    def _type(self, data: bytes) -> _Type:
        if len(data) < 8:
            self._damaged("a datatype is cut off")
        kind, size = data[0] & 15, int.from_bytes(data[4:8], "little")
        order = ">" if data[1] & 1 else "<"
        if kind == _WHOLE and size in (1, 2, 4, 8):
            return _Type(kind, size, f"{order}{'i' if data[1] & 8 else 'u'}{size}")
        if kind == _REAL and size in (2, 4, 8) and len(data) >= 20 and not data[1] & 64:
            exponent = data[13]
            known = {(2, 5): "f2", (2, 8): "bf16", (4, 8): "f4", (8, 11): "f8"}
            if (size, exponent) in known:
                return _Type(kind, size, order + known[size, exponent])
        if kind == _OPAQUE and size == 2:
            return _Type(kind, size, "<bf16")
        return _Type(kind, 16 if kind == _VARIABLE else size)

    def array(self, path: str) -> NDArray[Any]:
        """Return an array.

        Parameters
        ----------
        path : str
            Its path.

        Returns
        -------
        ndarray
            The array in native byte order; float16 and bfloat16 become float32.

        Raises
        ------
        FileError
            If there is none of real numbers, or its content is not in one piece in the file.
        """
        messages = self._object(self._address(path)).messages
        if not {_DATASPACE, _DATATYPE, _LAYOUT} <= messages.keys():
            self._refuse(f"is no file of Keras: {path} is no array")
        if messages.keys() & {_EXTERNAL, _FILTERS}:
            self._refuse(f"has {path} compressed or in another file, as Keras does not write it")
        kind, shape = self._type(messages[_DATATYPE]), self._shape(messages[_DATASPACE])
        if not kind.dtype or shape is None:
            self._refuse(f"is no file of Keras: {path} holds no real numbers")
        count = math.prod(shape)
        self._take(path, count * kind.size)
        content = self._stored(path, messages[_LAYOUT], count * kind.size)
        if kind.dtype.endswith("bf16"):
            halves = np.frombuffer(content, f"{kind.dtype[0]}u2").astype(np.uint32)
            return (halves << 16).view(np.float32).reshape(shape)
        array = np.frombuffer(content, kind.dtype).reshape(shape)
        return array.astype("f4" if kind.dtype.endswith("f2") else kind.dtype[1:])

    def _stored(self, path: str, data: bytes, needed: int) -> bytes:
        """Return the bytes of a dataset."""
        if not needed:
            return b""
        if (len(data) < 18 and data[:2] != b"\x03\0") or data[0] not in (3, 4) or data[1] > 1:
            self._refuse(f"has {path} in pieces or of an old layout, as Keras does not write it")
        if data[1] == 0:  # within the header
            size, content = int.from_bytes(data[2:4], "little"), data[4:]
        else:
            place, size = (int.from_bytes(data[i : i + 8], "little") for i in (2, 10))
            if place == _NOWHERE:
                self._damaged(f"{path} has no content")
            content = self._at(place + self._base, needed)
        if size != needed or len(content) < needed:
            self._damaged(f"{path} has {size} bytes instead of {needed}")
        return content[:needed]
