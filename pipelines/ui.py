"""``python -m pipelines.ui [--port N]``: MLflow's pages over this project's store, on loopback only."""

import argparse
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from netwright.errors import UserError
from pipelines.tracking.store import SURROUNDINGS, artifact_location, is_remote, open_store, store_uri, without_secrets
from stages._entry.failures import guarded

HOST = "127.0.0.1"
PAGE = "#/experiments?workflowType=machine_learning"  # MLflow otherwise opens on pages about language models


def serve(project: Path, port: int) -> int:
    """Serve ``project``'s store on 127.0.0.1:``port`` (1..65535) until Ctrl-C; return the server's exit status.

    Raises UserError where the port is taken, or where the store is a server, which has pages of its own.
    """
    uri = store_uri(project)
    if is_remote(uri):
        raise UserError(f"MLFLOW_TRACKING_URI is a server: open {without_secrets(uri)} in a browser")
    _check_port(port)
    with open_store(project) as client:  # creates or upgrades the database before several workers try to
        client.search_experiments(max_results=1)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", uri, "--default-artifact-root", artifact_location(project, uri) or ""]
    environment = {**SURROUNDINGS, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    server = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL)
    print(f"ui: http://{HOST}:{port}/{PAGE} (Ctrl-C ends it)", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return 0


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise UserError(f"cannot listen on {HOST}:{port} ({error}): choose another with --port") from None


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.ui", description="MLflow on loopback.")
    parser.add_argument("--port", type=int, default=5000)
    status = serve(Path.cwd(), parser.parse_args().port)
    if status > 0:
        raise UserError(f"the MLflow server ended with status {status}")


if __name__ == "__main__":
    sys.exit(guarded("ui", main))
