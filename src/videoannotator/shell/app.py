"""The commands as cyclopts knows them. Each is imported when it is called; what it does is in a module of its own."""

from __future__ import annotations

from cyclopts import App, Group

from videoannotator.shell.commands import ABOUT, COMMANDS, EPILOGUE, GROUPS

__all__ = ["app"]


def _version() -> str:
    from videoannotator.shell.speaking import version_line

    return version_line()


app = App(
    name="videoannotator",
    version=_version,
    help_format="plaintext",  # the default, markdown, doubles the time until help is shown
    version_format="plaintext",
    suppress_keyboard_interrupt=False,  # main() says it and gives the exit code
    help=ABOUT,
    help_epilogue=EPILOGUE,
)
app.register_install_completion_command()

# the first group is cyclopts' own
_groups = {name: Group(name, sort_key=number) for number, name in enumerate(GROUPS[1:], 1)}
for _command in COMMANDS:
    app.command(
        f"videoannotator.shell.{_command.place}",
        name=_command.name,
        help=_command.help,
        group=_groups.get(_command.group),
    )
