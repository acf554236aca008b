"""Keys of the database, after a byte that names their kind.

e  row key                  -> the sequence numbers of the entry, its changelog value
d  expiry time, row key        the entries in the order in which they are due
a  sequence number, row key    the entries by age
o  sequence number, row key    the labels without a prediction, by age
r  request id               -> the numbers of its rows that have entries, besides row 0
u  request id                  requests whose waiting labels were not told
s                           -> the partition's state row
m                           -> the counts, and how far the changelog was applied
"""

from struct import Struct

ENTRY = b"e"
DUE = b"d"
AGE = b"a"
ORPHAN = b"o"
ROWS = b"r"
UNTOLD = b"u"
STATE = b"s"
PROGRESS = b"m"

NUMBERS = Struct(">QQ")
"""The sequence numbers of an entry: by age, and as a label without a prediction (0: it is none)."""
_PLACE = Struct(">Q")
_OFFSET = 2**63


def encode_key(text: str) -> bytes:
    """Return a row key or a request id as bytes."""
    return text.encode(errors="surrogateescape")


def decode_key(key: bytes) -> str:
    """Return the text of a key."""
    return key.decode(errors="surrogateescape")


def due_row(time: int, key: str) -> bytes:
    """Return the row of an entry in the order of expiry times."""
    return _PLACE.pack(bounded_time(time) + _OFFSET) + encode_key(key)


def age_row(number: int, key: str) -> bytes:
    """Return the row of an entry in the order of sequence numbers."""
    return _PLACE.pack(number) + encode_key(key)


def key_of(row: bytes) -> str:
    """Return the key of an entry from its row in an order."""
    return decode_key(row[_PLACE.size :])


def time_of(row: bytes) -> int:
    """Return the expiry time of a row."""
    (place,) = _PLACE.unpack_from(row)
    return int(place) - _OFFSET


def bounded_time(time: int) -> int:
    """Return a time that fits into eight bytes: those beyond are due first or last anyway."""
    return max(-_OFFSET, min(time, _OFFSET - 1))
