# SPDX-License-Identifier: Apache-2.0
"""The command vcluster-status: whether this release can take over."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from oslo_config import cfg
from oslo_upgradecheck import common_checks, upgradecheck

from heat_vcluster import conf as configuration
from heat_vcluster import deploy, exception
from heat_vcluster.api import app
from heat_vcluster.cmd import db as commands_db
from heat_vcluster.db import connection, migration

Code = upgradecheck.Code
#: The command itself failed, as oslo.upgradecheck has it.
ERROR = 255


class Checks(upgradecheck.UpgradeCommands):
    """What has to hold before processes of this release are started."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self._conf = conf

    def _configuration(self) -> upgradecheck.Result:
        """The processes start with these options.

        A service is made of them, as each process makes its own; neither the
        cloud nor the database is asked for anything by that.
        """
        try:
            configuration.check(self._conf)
            service = deploy.api_from_config(self._conf)
            app.make_app(service, self._conf)
        except exception.InvalidConfiguration as error:
            return upgradecheck.Result(Code.FAILURE, str(error))
        return upgradecheck.Result(Code.SUCCESS)

    def _tables(self) -> upgradecheck.Result:
        """The tables are there, and not those of a later release."""
        try:
            url = deploy.database_url(self._conf)
            revision = migration.current(connection.Database(url))
        except (*connection.ERRORS, exception.VClusterError) as error:
            return upgradecheck.Result(Code.FAILURE, commands_db.words(error))
        newest = migration.newest()
        if not migration.is_known(revision):
            return upgradecheck.Result(
                Code.FAILURE,
                f'The tables are at {revision}, of a later release than this '
                f'one, which knows {newest}.',
            )
        if revision != newest:
            return upgradecheck.Result(
                Code.WARNING,
                f'The tables are at {revision or "no revision yet"} and will '
                f'be brought to {newest} by "vcluster-manage db sync", or by '
                'the first process that is started.',
            )
        return upgradecheck.Result(Code.SUCCESS)

    def _policy(self) -> upgradecheck.Result:
        """The policy file, if there is one, is YAML."""
        try:
            return common_checks.check_policy_json(self, self._conf)
        except OSError as error:
            return upgradecheck.Result(Code.FAILURE, str(error))

    _upgrade_checks = (
        ('Configuration', _configuration),
        ('Tables', _tables),
        ('Policy file', _policy),
    )


def main(argv: Sequence[str] | None = None) -> int:
    # What a service warns of when it starts is no matter of this command.
    logging.basicConfig(level=logging.ERROR)
    conf = configuration.registered()
    try:
        code: int = upgradecheck.main(
            conf,
            project='heat-vcluster',
            upgrade_command=Checks(conf),
            argv=list(sys.argv[1:] if argv is None else argv),
            default_config_files=configuration.files(),
        )
    except (cfg.Error, OSError, ValueError) as error:
        print(f'vcluster-status: {error}', file=sys.stderr)
        return ERROR
    return code


if __name__ == '__main__':
    sys.exit(main())
