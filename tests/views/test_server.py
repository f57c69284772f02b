import tomllib

from hubplan.data.shipped import shipped_path
from hubplan.views.server import SETTINGS, app_command


def test_the_command_and_the_file_say_the_same():
    folder = shipped_path("streamlit_app.py").parent / ".streamlit"
    config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    said = {
        f"{table}.{key}": str(value).lower() if isinstance(value, bool) else str(value)
        for table, values in config.items()
        for key, value in values.items()
    }
    assert said == SETTINGS


def test_the_command_stays_on_this_machine():
    command = app_command(8123)
    assert command[1:4] == ["-m", "streamlit", "run"] and command[4].endswith("app.py")
    assert {"--server.port=8123", "--server.address=localhost", "--browser.gatherUsageStats=false"} <= set(command)


def test_streamlit_finds_the_guarded_app():
    from pathlib import Path

    from streamlit.web.server.app_discovery import discover_asgi_app

    assert discover_asgi_app(Path(app_command()[4])).is_asgi_app
