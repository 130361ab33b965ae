"""Somebody who presses and types at random on a form, and what their browser shows meanwhile.

Streamlit's harness tells what the page's script believes. A browser shows what it was told: a
widget that is new on the page has its own default, unless the script says otherwise, and sends it
back with the next press.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import complaints

SPECIAL = ("start", "download", "check")  # what a walk does not press, as the beginning of a label
NUMBERS = (0, 1, 2, 3, 7, 50, 51, 64, 20_000, -1)
Pool = Mapping[str, tuple[str, ...]]  # texts to type, by the beginning of a widget's key


def widgets(at: AppTest) -> list[Any]:
    """Everything on the page that has a value and a key."""
    kinds: tuple[Iterable[Any], ...] = (
        at.number_input,
        at.text_input,
        at.text_area,
        at.selectbox,
        at.multiselect,
        at.toggle,
        at.segmented_control,
    )
    return [widget for kind in kinds for widget in kind if widget.key]


def value_of(widget: Any) -> Any:
    """Return a widget's value as shown on the page, as the script believes it."""
    if widget.type in ("selectbox", "multiselect", "button_group"):
        value = widget.value
        many = isinstance(value, list)
        labels = [
            widget.format_func(option)
            for option in (value if many else [value])
            if option is not None
        ]
        return labels
    return widget.value


def default_of(widget: Any) -> Any:
    """Return what a browser shows of a new widget that was given no value."""
    proto = widget.proto
    if widget.type == "selectbox":
        return [proto.options[proto.default]] if proto.HasField("default") else []
    if widget.type == "multiselect":
        return [proto.options[i] for i in proto.default]
    if widget.type == "button_group":
        return [proto.options[i].content for i in proto.default]
    return (
        proto.default
        if widget.type in ("checkbox", "toggle") or proto.HasField("default")
        else None
    )


def given_to(widget: Any) -> Any:
    """Return the value that the script sends to the browser."""
    proto = widget.proto
    if widget.type == "selectbox":
        return [proto.raw_value] if proto.HasField("raw_value") else []
    if widget.type in ("multiselect", "button_group"):
        return list(proto.raw_values)
    return proto.value if widget.type in ("checkbox", "toggle") or proto.HasField("value") else None


@dataclass
class Walk:
    """One person on one page. `resets`: given the key that was changed, the beginnings of the keys
    whose values may change with it; `same` holds what each other control must show."""

    at: AppTest
    random: Random
    raw: tuple[Any, ...]  # values behind the labels of choices
    texts: Pool
    resets: Callable[[str], tuple[str, ...]]
    shown: dict[str, Any] = field(default_factory=dict)  # in the browser, by the widget's id
    same: dict[str, Any] = field(default_factory=dict)  # by key
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.look()

    def step(self) -> None:
        """Change one thing and check the page."""
        buttons = [b for b in self.at.button if not b.label.lower().startswith(SPECIAL)]
        buttons = [button for button in buttons if not button.disabled]
        if buttons and self.random.random() < 0.15:
            button = self.random.choice(buttons)
            self.done.append(f"press {button.label}")
            self.forget(button.key or button.label)
            button.click()
        else:
            widget = self.random.choice(widgets(self.at))
            new = self.another(widget)
            self.done.append(f"{widget.key} = {new!r}")
            self.forget(widget.key)
            widget.set_value(new)
            self.same[widget.key] = self.shown[widget.proto.id] = value_of(widget)
        self.at.run()
        self.look()

    def forget(self, key: str) -> None:
        for beginning in self.resets(key):
            self.same = {k: v for k, v in self.same.items() if not k.startswith(beginning)}

    def another(self, widget: Any) -> Any:
        """Return a value that a person could give to a widget."""
        if widget.type == "number_input":
            empty = () if widget.proto.HasField("default") else (None,)
            return self.random.choice((*NUMBERS, *empty))
        if widget.type in ("checkbox", "toggle"):
            return not widget.value
        if widget.type in ("text_input", "text_area"):
            fits = [texts for start, texts in self.texts.items() if widget.key.startswith(start)]
            return self.random.choice(fits[0] if fits else ("", "a", "one two", "<b>*x*</b>"))
        labels = list(widget.options)
        known = {widget.format_func(value): value for value in self.raw if _fits(widget, value)}
        choices = [known.get(label, label) for label in labels]
        if widget.type == "multiselect":
            most = min(len(choices), widget.proto.max_selections or len(choices))
            return self.random.sample(choices, self.random.randint(0, most))
        return self.random.choice(choices) if choices else None

    def look(self) -> None:
        """Nothing is broken, the browser shows what the script believes, and what was not touched
        is as it was."""
        assert not self.at.exception, (self.done, self.at.exception[0].value)
        before, self.shown = self.shown, {}
        for widget in widgets(self.at):
            believed, name = value_of(widget), widget.proto.id
            sent = given_to(widget) if widget.proto.set_value else None
            there = sent if widget.proto.set_value else before.get(name, default_of(widget))
            assert there == believed, (self.done, widget.key, f"shows {there}, is {believed}")
            self.shown[name] = there
            expected = self.same.setdefault(widget.key, believed)
            assert expected == believed, (self.done, widget.key, f"was {expected}, is {believed}")

    @property
    def trouble(self) -> str:
        """The errors of the page, except for servers that do not answer."""
        return " ".join(str(error.value) for error in self.at.error)

    def value(self, key: str, otherwise: Any = None) -> Any:
        """Return what the control with this key shows."""
        values = [widget.value for widget in widgets(self.at) if widget.key == key]
        return values[0] if values else otherwise

    def __str__(self) -> str:
        return f"{' → '.join(self.done)}: {complaints(self.at)}"


def _fits(widget: Any, value: Any) -> bool:
    try:
        return widget.format_func(value) in widget.options
    except (KeyError, AttributeError, TypeError):
        return False
