"""Why a record was refused: a closed list, for dead-letter headers, metrics and answers to clients."""

from enum import StrEnum


class Reason(StrEnum):
    """A reason code. `sentence` says it in words for people."""

    EMPTY_VALUE = "EMPTY_VALUE"
    WRONG_MAGIC_BYTE = "WRONG_MAGIC_BYTE"
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    UNSAFE_SCHEMA = "UNSAFE_SCHEMA"
    TOO_LARGE = "TOO_LARGE"
    TRUNCATED = "TRUNCATED"
    TRAILING_BYTES = "TRAILING_BYTES"
    INVALID_UTF8 = "INVALID_UTF8"
    UNDECODABLE = "UNDECODABLE"
    INVALID_RECORD = "INVALID_RECORD"
    EMPTY_TEXT = "EMPTY_TEXT"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"
    TOO_MANY_TOKENS = "TOO_MANY_TOKENS"
    ILLEGAL_CHARACTERS = "ILLEGAL_CHARACTERS"
    IMPOSSIBLE_TIME = "IMPOSSIBLE_TIME"
    INVALID_SOURCE = "INVALID_SOURCE"
    OTHER_SOURCE = "OTHER_SOURCE"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    WRONG_TYPE = "WRONG_TYPE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    MISSING_FIELD = "MISSING_FIELD"
    HANDLER_FAILED = "HANDLER_FAILED"
    KILLED_PROCESS = "KILLED_PROCESS"
    ERASED = "ERASED"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    BROKEN_SEAL = "BROKEN_SEAL"
    UNDELIVERED = "UNDELIVERED"

    @property
    def sentence(self) -> str:
        """Return one sentence that says what is wrong and what the sender can do."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.EMPTY_VALUE: "The record has no value; send the whole record, deletions are not understood here.",
    Reason.WRONG_MAGIC_BYTE: "The value does not begin with a zero byte and a schema id; use a schema-registry serializer.",
    Reason.UNKNOWN_SCHEMA: "The registry does not list the schema id under this topic's subject; register the schema there first.",
    Reason.UNSAFE_SCHEMA: "The schema is recursive or has array items without a size; such schemas are never read.",
    Reason.TOO_LARGE: "The value is larger than a record may be; shorten it.",
    Reason.TRUNCATED: "The value ends before the record does; send it again whole.",
    Reason.TRAILING_BYTES: "Bytes follow the end of the record; it was written with another schema than it names.",
    Reason.INVALID_UTF8: "A string is not valid UTF-8; encode text as UTF-8.",
    Reason.UNDECODABLE: "The value does not fit the schema that it names; check the serializer.",
    Reason.INVALID_RECORD: "A field holds a value that the contract does not allow; see the field's description.",
    Reason.EMPTY_TEXT: "The text is empty or white space only; send a note that says something.",
    Reason.TEXT_TOO_LONG: "The text has more characters than a note may have; split it.",
    Reason.TOO_MANY_TOKENS: "The text has more words than a note may have; split it.",
    Reason.ILLEGAL_CHARACTERS: "The text holds characters that are not allowed, such as NUL or lone surrogates; remove them.",
    Reason.IMPOSSIBLE_TIME: "A time lies in the future or too far in the past; check the sender's clock and unit (UTC milliseconds).",
    Reason.INVALID_SOURCE: "The source is not 1 to 40 of a-z, 0-9 and hyphen; send the name that this system was given.",
    Reason.OTHER_SOURCE: "The source is not the one that the token stands for; leave the field out.",
    Reason.UNKNOWN_FIELD: "The record has a field that the contract does not know; check its spelling.",
    Reason.WRONG_TYPE: "A field has the wrong type (a time is a number of UTC milliseconds); see the contract.",
    Reason.OUT_OF_RANGE: "A number is outside the range that its field allows; see the contract.",
    Reason.MISSING_FIELD: "A field that must be there is missing or empty; add it.",
    Reason.HANDLER_FAILED: "The record is valid but could not be processed; look at the service's log, then replay it.",
    Reason.KILLED_PROCESS: "The process died each time it had this record in hand; find out of what before it is replayed.",
    Reason.ERASED: "The patient was erased: the key to the text is destroyed, and nothing is left to do.",
    Reason.UNKNOWN_KEY: "The key store does not have the key to the text; restore the store of this cluster, then replay it.",
    Reason.BROKEN_SEAL: "The sealed text was changed, or belongs to another record; send the note again.",
    Reason.UNDELIVERED: "The receiver of the webhook did not take it, tried as often as allowed; mend the receiver, then replay it.",
}
