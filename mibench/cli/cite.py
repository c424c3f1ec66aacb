"""`mibench cite`: BibTeX of mibench, and of what records rest on."""

from __future__ import annotations

import click

from mibench.cli.report import print_json


@click.command()
@click.argument("refs", nargs=-1, metavar="[RECORDS]...")
@click.option("--records", default="leaderboard/records", show_default=True, help="Folder that ids are looked up in.")
@click.option("--json", "as_json", is_flag=True, help="Print the references as JSON.")
def cite(refs: tuple[str, ...], records: str, *, as_json: bool) -> None:
    """Print BibTeX of mibench and of the tasks, methods, metrics and data behind RECORDS.

    RECORDS are files of records, the beginnings of their cells' ids, or folders of records, such as that of a board;
    without any, mibench alone is cited. Names, years and numbers are those that the components declare; look up
    titles at arXiv.
    """
    from mibench.cli.stored_records import stored_records
    from mibench.leaderboard.exports.bibtex import bibtex, listed
    from mibench.leaderboard.exports.cited import cited

    works = cited([one.record for one in stored_records(refs, records)])
    if as_json:
        print_json({"works": listed(works)})
    else:
        click.echo(bibtex(works), nl=False)


command = cite
