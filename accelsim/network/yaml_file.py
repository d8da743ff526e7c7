"""Reading a network file that a stranger may have written: plain data or one line of error."""

from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError, shown
from accelsim.hardware.text import read_yaml
from accelsim.network.checks import known

MAXIMUM_BYTES = 1_000_000


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping at the top of a YAML file, of plain data only.

    Raises AccelsimError, one line that names the file, for a file that is missing, larger than
    MAXIMUM_BYTES, not UTF-8, not plain YAML (aliases, tags, a field given twice), or no mapping.
    """
    where = shown(str(path), 200).strip("'")
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError:
        raise AccelsimError(f"{where}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AccelsimError(f"{where}: cannot be read: {reason}") from None
    if len(content) > MAXIMUM_BYTES:
        raise AccelsimError(f"{where}: larger than {MAXIMUM_BYTES} bytes, the most allowed")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AccelsimError(f"{where}: not UTF-8 text at byte {error.start}") from None
    return string_keyed(where, read_yaml(text, where))


def string_keyed(where: str, data: Any) -> dict[str, Any]:
    """The data, if it is a mapping whose keys are all strings."""
    if not isinstance(data, dict):
        raise AccelsimError(f"{where}: must be a mapping, found {shown(data)}")
    for key in data:
        if not isinstance(key, str):
            raise AccelsimError(f"{where}: the key {shown(key)} must be a string")
    return data


def check_fields(
    where: str, data: dict[str, Any], required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    """No field is unknown and all required ones are there; the error names the field.

    A misspelt field is both unknown and missing: it is named as it stands in the file.
    """
    for field in data:
        if field not in required + optional:
            raise AccelsimError(
                f"{where}: unknown field {shown(field)}; {known(required + optional, field, 20)}"
            )
    for field in required:
        if field not in data:
            raise AccelsimError(f"{where}: the field {field!r} is missing")
