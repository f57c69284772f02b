"""Starting the app: one command with every setting that keeps it to this machine."""

from __future__ import annotations

import sys
from pathlib import Path

SETTINGS = {
    "browser.gatherUsageStats": "false",
    "client.disableDataExport": "true",
    "client.showErrorDetails": "type",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "server.address": "localhost",
    "server.enableAgentApi": "false",
    "server.enableCORS": "true",
    "server.enableXsrfProtection": "true",
    "server.fileWatcherType": "none",
    "server.headless": "true",
    "server.maxUploadSize": "20",
    "theme.base": "light",
}
"""No usage figures, no lookup of this machine's address, no watching of files; as .streamlit/config.toml says."""


def app_command(port: int = 8501) -> list[str]:
    """Give the command that starts the app on this machine.

    Parameters
    ----------
    port
        On localhost.

    Notes
    -----
    It starts `hubplan.views.asgi.app`, which adds a policy to every answer by which the browser refuses any request to
    another host.
    """
    script = Path(__file__).resolve().parent / "asgi" / "app.py"
    flags = [f"--{name}={value}" for name, value in SETTINGS.items()]
    return [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *flags]
