"""What every group of settings has in common: frozen, strict, and with help that states ranges."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict


class SettingsGroup(BaseModel):
    """Plain values, each with a sentence under it."""

    model_config = ConfigDict(
        frozen=True,  # a run cannot change its own settings
        extra="forbid",  # a misspelt name is an error, not a no-op
        use_attribute_docstrings=True,  # the sentence under a field is its help everywhere
        model_title_generator=lambda model: model.__name__.removesuffix("Settings") or "Settings",
        field_title_generator=lambda name, info: name.replace("_", " ").capitalize(),
        allow_inf_nan=False,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """End the help of each field with its range, as the field itself has it."""
        for name, field in cls.model_fields.items():
            allowed = _range(field.metadata)
            if allowed and name in cls.__annotations__:  # not inherited, so not ended yet
                field.description = f"{field.description} {allowed}"
        cls.model_rebuild(force=True)


def _range(constraints: Iterable[object]) -> str:
    """Return a range in words, such as "From 1 to 4."; nothing where there is none."""
    names = ("ge", "gt", "le", "lt")
    bounds = {
        name: _number(getattr(one, name))
        for one in constraints
        for name in names
        if hasattr(one, name)
    }
    if "ge" in bounds and "le" in bounds:
        words = [f"from {bounds['ge']} to {bounds['le']}"]
    else:
        said = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        words = [f"{word} {bounds[name]}" for name, word in said.items() if name in bounds]
    text = ", ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _number(bound: float) -> str:
    if isinstance(bound, int) and bound.bit_count() == 1 and bound > 2**32:
        return f"2**{bound.bit_length() - 1}"
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
