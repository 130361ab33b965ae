"""Every command of the command line, with the function that it calls and its arguments."""

from __future__ import annotations

from cli import (
    backends,
    backup,
    baseline,
    batch,
    capacity,
    compare,
    doctor,
    engine,
    imports,
    run,
    scenario,
    server,
    share,
    stored,
    study,
    token,
    traces,
)
from cli.kinds import add_limit_argument
from cli.parser import Command

GROUPS = {
    "baseline": "Set, remove and list the runs that other runs are compared with",
    "batch": "Send the prompts of OpenAI batch files to a server; list and cancel batches",
    "capacities": "List, print, resume and delete capacity searches",
    "engine": "Start, list and stop engines, and print their logs",
    "scenario": "Write a stored run, comparison, study or search as a scenario file",
    "server": "Save servers under a name, for use with --backend",
    "token": "Create, list and revoke API tokens, for when sign-in is on",
}
COMMANDS = {
    "run": Command(run.run, run.add_arguments),
    "more": Command(run.more, run.add_more_arguments),
    "list": Command(stored.list_runs, stored.add_list_arguments),
    "show": Command(stored.show, stored.add_run_arguments),
    "export": Command(stored.export, stored.add_export_arguments, has_json=False),
    "compare": Command(compare.compare, compare.add_arguments),
    "capacity": Command(capacity.capacity, capacity.add_arguments),
    "check": Command(stored.check, stored.add_check_arguments),
    "share": Command(share.share, share.add_arguments),
    "traces": Command(traces.traces, traces.add_arguments),
    "import": Command(imports.import_files, imports.add_arguments),
    "baseline set": Command(baseline.set_baseline, baseline.add_set_arguments),
    "baseline remove": Command(baseline.remove, baseline.add_remove_arguments),
    "baseline list": Command(baseline.list_baselines),
    "batch run": Command(batch.run, batch.add_run_arguments, has_json=False),
    "batch list": Command(batch.list_batches, add_limit_argument),
    "batch output": Command(batch.output, batch.add_output_of_arguments, has_json=False),
    "batch cancel": Command(batch.cancel, batch.add_cancel_arguments),
    "backends": Command(backends.backends, backends.add_arguments),
    "server save": Command(server.save, server.add_save_arguments),
    "server list": Command(server.list_servers),
    "server delete": Command(server.delete, server.add_delete_arguments),
    "scenario run": Command(scenario.of_run, scenario.add_run_arguments, has_json=False),
    "scenario comparison": Command(
        scenario.of_comparison, scenario.add_runs_arguments, has_json=False
    ),
    "scenario study": Command(scenario.of_study, scenario.add_study_arguments, has_json=False),
    "scenario capacity": Command(
        scenario.of_capacity, scenario.add_capacity_arguments, has_json=False
    ),
    "study": Command(study.study, study.add_arguments),
    "studies": Command(study.list_studies, add_limit_argument),
    "capacities list": Command(capacity.list_capacities, add_limit_argument),
    "capacities show": Command(capacity.show, capacity.add_report_arguments),
    "capacities resume": Command(capacity.resume, capacity.add_resume_arguments),
    "capacities delete": Command(capacity.delete, capacity.add_show_arguments, has_json=False),
    "report": Command(study.report, study.add_report_arguments),
    "resume": Command(study.resume, study.add_resume_arguments),
    "engine start": Command(engine.start, engine.add_fields_arguments),
    "engine list": Command(engine.list_engines),
    "engine stop": Command(engine.stop, engine.add_one_arguments),
    "engine log": Command(engine.log, engine.add_one_arguments),
    "doctor": Command(doctor.doctor, doctor.add_arguments, opens=False),
    "backup": Command(backup.backup, backup.add_backup_arguments, opens=False),
    "restore": Command(backup.restore, backup.add_restore_arguments, opens=False),
    "token create": Command(token.create, token.add_create_arguments),
    "token list": Command(token.list_tokens),
    "token revoke": Command(token.revoke, token.add_revoke_arguments),
}
