"""`policy`: one module a verb; they load what they need when they are called."""

from __future__ import annotations

import typer

from exchange_router import (
    policy_build,
    policy_check,
    policy_diff,
    policy_explain,
    policy_export,
    policy_key,
    policy_rerun,
    policy_rollback,
    policy_schema,
    policy_show,
    policy_sign,
    policy_token,
    policy_trust,
    policy_verify,
)

app = typer.Typer(
    help="Policies: signed bundles, and why a route is taken.  策略：签名策略包与路由缘由。",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def policies() -> None:
    """Policies: signed bundles, and why a route is taken.  策略：签名策略包与路由缘由。"""


app.command("explain")(policy_explain.explain)
app.command("rerun")(policy_rerun.rerun)
app.command("rollback")(policy_rollback.rollback)
app.command("build")(policy_build.build)
app.command("check")(policy_check.check)
app.command("show")(policy_show.show)
app.command("diff")(policy_diff.diff)
app.command("export")(policy_export.export)
app.command("schema")(policy_schema.schema)
app.command("sign")(policy_sign.sign)
app.command("token")(policy_token.token)
app.command("verify")(policy_verify.verify)
app.add_typer(policy_key.app, name="key")
app.add_typer(policy_trust.app, name="trust")
