"""Settings files for tests, read in an environment that holds nothing of this machine."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reactor.app import settings_layers
from reactor.app.settings import Settings, SettingsFileError
from reactor.app.settings_layers import Flags
from reactor.app.settings_load import load_settings


class Machine:
    """A machine with its own /etc, home and current folder, all below one folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.etc = folder / "etc"
        self.home = folder / "home"
        self.here = folder / "here"
        for place in (self.etc, self.home, self.here):
            place.mkdir()
        monkeypatch.chdir(self.here)
        monkeypatch.setattr(settings_layers, "SYSTEM_FILE", self.etc / "reactor.yaml")
        monkeypatch.setattr(settings_layers, "STATE_FOLDER", folder / "var")
        self._folder = folder

    def write(self, name: str, text: str) -> Path:
        """A file below the machine's folder, such as ``etc/reactor.yaml``."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def settings(
        self, flags: Flags | None = None, environment: Mapping[str, str] | None = None
    ) -> Settings:
        """What these flags and variables lead to on this machine."""
        return load_settings(flags or Flags(), {"HOME": str(self.home), **(environment or {})})

    def of(self, text: str, flags: Flags | None = None) -> Settings:
        """The settings of a file in the current folder that holds this text."""
        file = self.write("here/try.yaml", text)
        return self.settings(replace(flags or Flags(), config=file))

    def complaint(self, text: str) -> str:
        """Everything that is said about a file with this text, which is called ``try.yaml``."""
        with pytest.raises(SettingsFileError) as refused:
            self.of(text)
        return self.told(refused.value)

    def told(self, error: SettingsFileError) -> str:
        """What an error says, without the machine's own folder."""
        return str(error).replace(f"{self.here}/", "").replace(str(self._folder), "")
