"""Settings of the commands: flags first, then ``STIGMERGY_…`` in the environment, then the table [coordinator] of ``coordinator.toml``."""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from coordinator.charter import Charter
from coordinator.errors import Refused
from coordinator.wording import near, shown, visible

__all__ = ["CONFIG", "Settings", "config_path", "read_settings"]

CONFIG = "STIGMERGY_CONFIG"  # names another file than ./coordinator.toml
PREFIX = "STIGMERGY_"
OTHERS = ("DATA", "NEED_KAFKA")  # of the demos and the tests
TABLES = ("coordinator", "charter")  # of that file: the settings, and the network's rules


class Settings(BaseSettings):
    """What the commands go by where no flag says otherwise."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    url: str = "http://127.0.0.1:8765"  # of the coordinator that commands talk to
    agent: str | None = None  # who speaks
    token: SecretStr | None = None  # of that agent; better kept in the environment than in a file
    log: Path = Path("stigmergy.log")  # of `serve`
    kafka: str | None = None  # HOST:PORT[,HOST:PORT]: `serve` goes by Kafka then, and not by a log of its own
    kafka_replicas: int = Field(default=3, ge=1, le=32_767)  # copies of each record, of topics that are made
    kafka_client: Literal["kafka-python", "confluent"] = "kafka-python"  # what reads and writes Kafka; the other takes the extra `fast`
    kafka_memory: Path = Path("stigmergy.kafka.json")  # what is remembered of Kafka, to notice that it lost data
    charter: Path | None = None
    routes: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65_535)
    tokens: Path = Path("tokens.json")
    reading: Literal["open", "tokens"] = "open"  # to everybody who reaches `serve`, or to whoever has a token alone
    tick_seconds: float | None = Field(default=None, gt=0, le=86_400)  # absent: as often as the charter plans, at most every minute
    prepare: bool = True  # `serve` compiles the solver beside its start, half a minute once; questions that take it come again after that
    name: str = Field(default="main", pattern=r"^[A-Za-z0-9._-]{1,128}$")  # what this coordinator signs with

    @classmethod
    def settings_customise_sources(  # its arguments are pydantic's
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose table comes in as arguments."""
        return env_settings, init_settings


def config_path() -> Path | None:
    """Return the settings file in use, or None where there is none."""
    named = os.environ.get(CONFIG)
    path = Path(named or "coordinator.toml")
    return path if named or os.path.lexists(path) else None  # a folder, or a link that leads nowhere, is told as what it is


def read_settings() -> Settings:
    """Return the settings in force. Refused, with the key at fault, when one cannot be taken."""
    _refuse_unknown_names()
    path = config_path()
    table = {} if path is None else _table(path)
    unknown = next((key for key in table if key not in Settings.model_fields), None)
    if unknown is not None:
        guess = near(unknown, Settings.model_fields, 1)
        raise Refused(
            f"{path} has {shown(unknown)} in [coordinator]; "
            + (f"did you mean {guess}?" if guess else f"known are {', '.join(Settings.model_fields)}")
        )
    try:
        return Settings(**table)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = str(first["loc"][0])
        raise Refused(
            f"the setting {key} (or STIGMERGY_{key.upper()}) cannot be taken: {first['msg'][0].lower()}{first['msg'][1:]}"
        ) from None


def _refuse_unknown_names() -> None:
    """Refuse a name in the environment that looks like one of ours and is none: what was meant by it would silently not hold."""
    known = {name.upper() for name in Settings.model_fields} | {CONFIG.removeprefix(PREFIX), *OTHERS}
    for name in sorted(os.environ):
        own = name.upper().removeprefix(PREFIX)  # as pydantic reads them, in letters of either size
        # What is like none of ours may be another program's: Kubernetes sets STIGMERGY_SERVICE_HOST for a service called stigmergy.
        if own != name.upper() and own not in known and (guess := near(own, known, 1)):
            raise Refused(f"{visible(name)} stands in the environment, and nothing reads it; did you mean {PREFIX}{guess}? Else rename it")


def _table(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except IsADirectoryError:
        raise Refused(
            f"the settings file {path} is a folder; name a file, or take the folder away (Docker makes one of a file that is missing)"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"the settings file {path} cannot be read ({error}); check the path") from None
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"the settings file {path} cannot be read ({error}); check the place named, and that texts stand in quotes") from None
    outside = next((key for key, value in tables.items() if not isinstance(value, dict) and near(key, Settings.model_fields, 1)), None)
    if outside is not None:
        raise Refused(
            f"{shown(outside)} stands outside the table [coordinator] of {path}, where no setting counts; put it below a line [coordinator]"
        )
    rule = next((key for key in tables if key in Charter.model_fields), None)
    if rule is not None:
        raise Refused(
            f"{shown(rule)} stands outside the table [charter] of {path}, where no rule counts; put the rules below a line [charter]"
        )
    unknown = next((key for key in tables if key not in TABLES), None)
    if unknown is not None:
        guess = near(unknown, TABLES, 1)
        hint = f"did you mean [{guess}]?" if guess else "the tables there are: " + ", ".join(f"[{name}]" for name in TABLES)
        what = f"the table [{unknown}]" if isinstance(tables[unknown], dict) else f"{shown(unknown)}, which stands in no table"
        raise Refused(f"nothing reads {what} of {path}, so it would not count; {hint}")
    table = tables.get("coordinator", {})
    if not isinstance(table, dict):
        raise Refused(f"`coordinator` is {table!r} in {path}; a table [coordinator] was expected")
    return table
