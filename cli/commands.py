"""Every command of the terminal, with what it calls and what it takes."""

from __future__ import annotations

from cli import (
    backends,
    baseline,
    compare,
    engine,
    imports,
    run,
    run_fields,
    server,
    share,
    stored,
    study,
)
from cli.parser import Command

GROUPS = {
    "baseline": "Set, remove and list the runs that others are compared with",
    "engine": "Start, list and stop engines, and print their logs",
    "server": "Save servers under a name, for use with --backend",
}
COMMANDS = {
    "run": Command(run.run, run_fields.takes),
    "more": Command(run.more, run.takes_more),
    "list": Command(stored.list_runs, stored.takes_list),
    "show": Command(stored.show, stored.takes_run),
    "export": Command(stored.export, stored.takes_export, has_json=False),
    "compare": Command(compare.compare, compare.takes),
    "check": Command(stored.check, stored.takes_check),
    "share": Command(share.share, share.takes),
    "import": Command(imports.import_files, imports.takes),
    "baseline set": Command(baseline.set_baseline, baseline.takes_set),
    "baseline remove": Command(baseline.remove, baseline.takes_remove),
    "baseline list": Command(baseline.list_baselines, baseline.takes_nothing),
    "backends": Command(backends.backends, backends.takes),
    "server save": Command(server.save, server.takes_save),
    "server list": Command(server.list_servers, server.takes_list),
    "server delete": Command(server.delete, server.takes_delete),
    "study": Command(study.study, study.takes),
    "studies": Command(study.list_studies, study.takes_list),
    "report": Command(study.report, study.takes_report),
    "resume": Command(study.resume, study.takes_resume),
    "engine start": Command(engine.start, engine.takes_fields),
    "engine list": Command(engine.list_engines, engine.takes_nothing),
    "engine stop": Command(engine.stop, engine.takes_one),
    "engine log": Command(engine.log, engine.takes_one),
}
