"""The login of a server: `PREFECT_API_AUTH_STRING=USER:PASSWORD`, the same variable everywhere.

A variable rather than an option: every user of a machine can read the options of its processes.
"""

import ipaddress
import socket

from prefect.settings import get_current_settings

from autoencoders.errors import PipelineError

LOGIN = "PREFECT_API_AUTH_STRING"
"""What Prefect's clients log in with: workers, runs, `prefect` and `make deploy`."""
SERVER_LOGIN = "PREFECT_SERVER_API_AUTH_STRING"
"""What Prefect's server asks for."""


def login_environment() -> dict[str, str]:
    """Return the variables that make a server ask for the login and its clients use it.

    One of the two is enough; without any, there is no login.

    Raises:
        PipelineError: If it is no USER:PASSWORD, or the two differ.
    """
    settings = get_current_settings()
    given = {
        name: secret.get_secret_value()
        for name, secret in (
            (LOGIN, settings.api.auth_string),
            (SERVER_LOGIN, settings.server.api.auth_string),
        )
        if secret is not None
    }
    for name, value in given.items():
        user, _, password = value.partition(":")
        if not (user and password and value.isascii()):
            raise PipelineError(
                problem=f"{name}: expected USER:PASSWORD in ASCII, received something else.",
                advice=f"For instance: export {LOGIN}=team:$(openssl rand -hex 16)",
            )
    if len(set(given.values())) > 1:
        raise PipelineError(f"{LOGIN} and {SERVER_LOGIN} differ.", f"Set {LOGIN} alone.")
    return {name: value for value in given.values() for name in (LOGIN, SERVER_LOGIN)}


def require_login(host: str, *, without_login: bool) -> None:
    """Refuse to listen on a network without a login.

    Args:
        host: Name or address that the server listens on.
        without_login: Whether that is what the user wants.

    Raises:
        PipelineError: If everybody who reaches this machine could run code on it.
    """
    if without_login or login_environment() or _is_loopback(host):
        return
    raise PipelineError(
        problem=f"A server on {host} can be reached from the network, and whoever reaches it can "
        "run programs on this machine.",
        advice=f"Set a login: export {LOGIN}=USER:PASSWORD (of your choice, and the same "
        "wherever this server is used). If something else protects it, give --without-login.",
    )


def _is_loopback(host: str) -> bool:
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False  # Prefect's server will say that there is no such host
    return all(
        ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found
    )
