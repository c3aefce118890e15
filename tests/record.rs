//! The folder on disk: what goes in comes out, whatever happened in between, and whoever wrote it.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use repro_audit::error::Error;
use repro_audit::model::{Launch, Level, Run, SettingId, Status, Treatment, Trial};
use repro_audit::record::{self, Header, Record, Recorded};

fn header() -> Header {
    Header {
        command_line: ["repro-audit", "run", "--", "train"].map(str::to_owned).to_vec(),
        job: vec!["train".to_owned()],
        folder: PathBuf::from("/tmp"),
        inherited: record::fingerprint(std::env::vars_os()),
        ..Header::default()
    }
}

fn treatment(id: &str) -> Treatment {
    Treatment { id: id.to_owned(), settings: [(SettingId::new("num_workers"), Level::new("4"))].into() }
}

fn trial(record: &Record, run: &str) -> Trial {
    Trial {
        run: run.to_owned(),
        treatment: "reference".to_owned(),
        replicate: 1,
        settings: [(SettingId::new("num_workers"), Level::new("4"))].into(),
        launch: Launch {
            command: vec!["echo".to_owned(), "it's".to_owned()],
            environment: [("SEED".to_owned(), Some("1".to_owned())), ("GONE".to_owned(), None)].into(),
            folder: Some(PathBuf::from("/tmp")),
            record: record.run_folder(run),
            timeout: Some(Duration::from_millis(1500)),
            flight: None,
        },
    }
}

fn run(trial: &Trial, status: Status) -> Run {
    Run {
        id: trial.run.clone(),
        treatment: trial.treatment.clone(),
        replicate: trial.replicate,
        settings: trial.settings.clone(),
        read_back: trial.settings.clone(),
        status,
        exit_code: Some(0),
        signal: None,
        points: 938,
        duration: Duration::from_millis(3250),
        node: "host".to_owned(),
        attempts: Vec::new(),
        log: Path::new("runs").join(&trial.run).join("stdout.log"),
        last_words: vec!["\u{1b}[31mTraceback\u{0}".to_owned()],
    }
}

/// An audit of three runs: one recorded, one that was going on, one that never started.
fn half_done(base: &Path) -> (Record, Vec<Trial>) {
    let mut record = Record::create(base, header()).unwrap();
    let trials: Vec<Trial> = ["r1", "r2", "r3"].map(|run| trial(&record, run)).to_vec();
    record.plan(&[treatment("reference")], &trials).unwrap();
    for trial in &trials {
        record.begin(trial).unwrap();
    }
    for started in &trials[..2] {
        fs::write(started.launch.record.join("stdout.log"), "step 0 loss 1\n").unwrap();
    }
    record.end(&run(&trials[0], Status::Finished), &["left 1 process behind, ended".to_owned()]).unwrap();
    (record, trials)
}

fn open(base: &Path) -> Recorded {
    record::open(base).unwrap()
}

fn refusal(base: &Path) -> String {
    let error = record::open(base).unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
    error.to_string()
}

#[test]
fn what_was_written_is_read_back_unchanged() {
    let base = tempfile::tempdir().unwrap();
    let (record, trials) = half_done(base.path());
    let recorded = open(record.folder());
    assert_eq!(&recorded.header, record.header());
    assert_eq!(recorded.treatments, [treatment("reference")]);
    assert_eq!(recorded.trials, trials);
    assert_eq!(recorded.runs[0], run(&trials[0], Status::Finished));
    assert_eq!(recorded.notes["r1"], ["left 1 process behind, ended"]);
    assert_eq!(recorded.warnings, [""; 0]);
}

#[test]
fn a_run_without_an_end_is_lost_and_one_without_a_log_was_never_started() {
    let base = tempfile::tempdir().unwrap();
    let (record, trials) = half_done(base.path());
    let recorded = open(record.folder());
    assert_eq!(recorded.runs[1].status, Status::Lost);
    assert_eq!(recorded.runs[2].status, Status::Skipped);
    assert_eq!(recorded.unfinished(), trials[1..]);
}

#[test]
fn an_interrupted_audit_is_taken_up_without_touching_what_is_finished() {
    let base = tempfile::tempdir().unwrap();
    let (record, _) = half_done(base.path());
    drop(record);
    let finished = fs::read(base.path().join("latest/runs/r1/run.json")).unwrap();

    let (mut record, recorded) = Record::resume(base.path()).unwrap();
    let left = recorded.unfinished();
    for trial in &left {
        record.begin(trial).unwrap();
        fs::write(trial.launch.record.join("stdout.log"), "again").unwrap();
        record.end(&run(trial, Status::Crashed), &[]).unwrap();
    }
    let more = trial(&record, "r4");
    record.plan(&[treatment("num_workers=4")], std::slice::from_ref(&more)).unwrap();

    let recorded = open(record.folder());
    let statuses: Vec<Status> = recorded.runs.iter().map(|run| run.status).collect();
    assert_eq!(statuses, [Status::Finished, Status::Crashed, Status::Crashed, Status::Skipped]);
    assert_eq!(recorded.treatments.len(), 2);
    assert_eq!(recorded.runs[1].attempts.len(), 1, "the lost attempt is remembered");
    assert_eq!(fs::read(base.path().join("latest/lost/r2-1/stdout.log")).unwrap(), b"step 0 loss 1\n");
    assert_eq!(fs::read(base.path().join("latest/runs/r1/run.json")).unwrap(), finished);
    let again = record.begin(&recorded.trials[0]);
    assert!(matches!(again, Err(Error::Misuse(_))), "a finished run was started again");
    let again = record.end(&recorded.runs[0], &[]);
    assert!(matches!(again, Err(Error::Misuse(_))), "a finished run was written again");
}

#[test]
fn an_audit_that_goes_on_is_not_taken_up() {
    let base = tempfile::tempdir().unwrap();
    let (record, _) = half_done(base.path());
    let error = Record::resume(base.path()).unwrap_err();
    assert!(error.to_string().contains("still going on"), "{error}");
    drop(record);
    Record::resume(base.path()).unwrap();
}

#[test]
fn lost_runs_leave_no_end() {
    let base = tempfile::tempdir().unwrap();
    let (record, trials) = half_done(base.path());
    record.end(&run(&trials[1], Status::Lost), &[]).unwrap();
    assert_eq!(open(record.folder()).runs[1].status, Status::Lost);
    record.end(&run(&trials[1], Status::Finished), &[]).unwrap();
    assert_eq!(open(record.folder()).runs[1].status, Status::Finished);
}

#[test]
fn audits_started_at_once_get_folders_of_their_own() {
    let base = tempfile::tempdir().unwrap();
    let ids: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let start = || Record::create(base.path(), header()).unwrap().header().audit.clone();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), 16);
    assert!(ids.contains(&open(base.path()).header.audit), "`latest` names one of them");
}

#[test]
fn the_newest_audit_is_meant_by_the_folder_of_all() {
    let base = tempfile::tempdir().unwrap();
    drop(Record::create(base.path(), header()).unwrap());
    let second = Record::create(base.path(), header()).unwrap();
    assert_eq!(open(base.path()).header.audit, second.header().audit);
    assert_eq!(open(&second.folder().join("audit.json")).header.audit, second.header().audit);
    fs::remove_file(base.path().join("latest")).unwrap();
    fs::write(base.path().join("latest"), format!("{}\n", second.header().audit)).unwrap();
    assert_eq!(open(base.path()).header.audit, second.header().audit);
}

#[test]
fn only_the_user_can_read_a_record() {
    let base = tempfile::tempdir().unwrap();
    let base = base.path().join("audits");
    let (record, trials) = half_done(&base);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = &trials[0].launch.record;
    for private in [base.as_path(), record.folder(), folder] {
        assert_eq!(mode(private), 0o700, "{}", private.display());
    }
    for private in [record.folder().join("audit.json"), folder.join("run.json"), folder.join("repro-audit.env")] {
        assert_eq!(mode(&private), 0o600, "{}", private.display());
    }
    assert_eq!(mode(&folder.join("command.sh")), 0o700);
}

#[test]
fn inherited_variables_are_not_in_the_record() {
    let base = tempfile::tempdir().unwrap();
    let (record, _) = half_done(base.path());
    // Cargo sets this one for every test.
    let secret = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    for_each_file(record.folder(), &mut |path| {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains(&secret) && !text.contains("CARGO_MANIFEST_DIR"), "{}", path.display());
    });
}

fn for_each_file(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() { for_each_file(&entry.path(), visit) } else { visit(&entry.path()) }
    }
}

#[test]
fn nothing_half_written_is_left_beside_the_record() {
    let base = tempfile::tempdir().unwrap();
    let (record, _) = half_done(&base.path().join("audits"));
    record.write_document("report.json", b"{}").unwrap();
    record.write_document("report.json", b"{ }").unwrap();
    assert_eq!(open(record.folder()).document("report.json").unwrap().unwrap(), b"{ }");
    assert_eq!(open(record.folder()).document("other.json").unwrap(), None);
    for_each_file(record.folder(), &mut |path| {
        assert!(!path.file_name().unwrap().to_string_lossy().starts_with('.'), "{}", path.display());
    });
}

#[test]
fn version_control_passes_records_over() {
    let base = tempfile::tempdir().unwrap();
    let ours = base.path().join("audits");
    let record = Record::create(&ours, header()).unwrap();
    assert_eq!(fs::read(ours.join(".gitignore")).unwrap(), b"*\n");
    assert!(!record.folder().join(".gitignore").exists());
    // What else is in a folder that was there before is not ours to hide.
    let record = Record::create(base.path(), header()).unwrap();
    assert!(!base.path().join(".gitignore").exists());
    assert_eq!(fs::read(record.folder().join(".gitignore")).unwrap(), b"*\n");
}

#[test]
fn the_last_words_are_the_last_lines_and_not_endless() {
    let base = tempfile::tempdir().unwrap();
    let log = base.path().join("stderr.log");
    assert_eq!(record::last_lines(&log, 3), [""; 0]);
    fs::write(&log, "one\n\ntwo\nthr\u{fffd}ee\n\n").unwrap();
    assert_eq!(record::last_lines(&log, 2), ["two", "thr\u{fffd}ee"]);
    fs::write(&log, vec![b'x'; 1 << 20]).unwrap();
    assert_eq!(record::last_lines(&log, 2)[0].len(), 400);
}

#[test]
fn a_record_of_a_newer_version_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let (record, trials) = half_done(base.path());
    for file in [record.folder().join("audit.json"), trials[0].launch.record.join("run.json")] {
        let kept = fs::read_to_string(&file).unwrap();
        fs::write(&file, kept.replace("record/1", "record/2")).unwrap();
        let message = refusal(base.path());
        assert!(message.contains("newer repro-audit (format 2"), "{message}");
        fs::write(&file, kept).unwrap();
    }
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let base = tempfile::tempdir().unwrap();
    let (record, _) = half_done(base.path());
    let path = record.folder().join("audit.json");
    let text = fs::read_to_string(&path).unwrap().replacen('{', "{ \"later\": [1], ", 1);
    fs::write(&path, text).unwrap();
    open(base.path());
}

#[test]
fn a_damaged_run_is_lost_and_said_so() {
    let base = tempfile::tempdir().unwrap();
    let (_record, trials) = half_done(base.path());
    let path = trials[0].launch.record.join("run.json");
    let whole = fs::read(&path).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        let recorded = open(base.path());
        assert_eq!(recorded.runs[0].status, Status::Lost, "cut at {cut}");
        assert!(recorded.warnings[0].contains("counts as lost"), "{:?}", recorded.warnings);
    }
}

#[test]
fn a_damaged_run_can_be_done_again() {
    let base = tempfile::tempdir().unwrap();
    let (record, trials) = half_done(base.path());
    fs::write(trials[0].launch.record.join("run.json"), "").unwrap();
    drop(record);
    let (record, recorded) = Record::resume(base.path()).unwrap();
    record.begin(&recorded.unfinished()[0]).unwrap();
    record.end(&run(&trials[0], Status::Finished), &[]).unwrap();
    assert_eq!(open(base.path()).runs[0].status, Status::Finished);
}

#[test]
fn what_is_no_record_is_refused_by_name() {
    let base = tempfile::tempdir().unwrap();
    assert!(refusal(base.path()).contains("no audit.json"));
    for text in ["", "[]", "null", "{}", "{\"schema\":\"other/1\"}", "{\"schema\":\"repro-audit.record/0\"}", "\u{0}"] {
        fs::write(base.path().join("audit.json"), text).unwrap();
        refusal(base.path());
    }
    assert!(matches!(record::open(&base.path().join("missing")), Err(Error::File { .. })));
}

#[test]
fn nothing_in_a_record_leads_out_of_it() {
    let base = tempfile::tempdir().unwrap();
    let (record, trials) = half_done(base.path());
    let secret = base.path().join("secret");
    fs::write(&secret, "{}").unwrap();
    let spoil = |path: &Path, from: &str, to: &str| {
        let kept = fs::read_to_string(path).unwrap();
        assert!(kept.contains(from));
        fs::write(path, kept.replace(from, to)).unwrap();
        refusal(base.path());
        fs::write(path, kept).unwrap();
    };
    let (plan, end) = (record.folder().join("plan-1.json"), trials[0].launch.record.join("run.json"));
    spoil(&plan, "\"run\": \"r2\"", "\"run\": \"../../secret\"");
    spoil(&plan, "\"run\": \"r2\"", "\"run\": \"r1\"");
    spoil(&end, "runs/r1/stdout.log", "../../secret");
    spoil(&end, "runs/r1/stdout.log", "/etc/passwd");
    spoil(&end, "\"id\": \"r1\"", "\"id\": \"r2\"");

    let recorded = open(base.path());
    assert!(recorded.file("r1", "stdout.log").unwrap().is_some());
    assert_eq!(recorded.file("r3", "stdout.log").unwrap(), None);
    assert!(recorded.file("r1", "../r2/stdout.log").is_err());
    assert!(recorded.file("..", "audit.json").is_err());
    assert!(recorded.document("../secret").is_err());
    std::os::unix::fs::symlink(&secret, trials[2].launch.record.join("stdout.log")).unwrap();
    assert!(recorded.file("r3", "stdout.log").is_err(), "a link leads out");
    assert!(record.write_document("../secret", b"").is_err());
}

#[test]
fn the_same_treatment_in_a_later_plan_is_one_treatment() {
    let base = tempfile::tempdir().unwrap();
    let (mut record, _) = half_done(base.path());
    let more = trial(&record, "r4");
    record.plan(&[treatment("reference")], &[more]).unwrap();
    let recorded = open(base.path());
    assert_eq!((recorded.treatments.len(), recorded.trials.len()), (1, 4));
    let _: &BTreeMap<String, Vec<String>> = &recorded.notes;
}

/// A record as the first version wrote it: fewer fields than today.
#[test]
fn a_record_of_an_older_version_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("audit.json", r#"{"schema":"repro-audit.record/1","audit":"20250101-000000-0000"}"#);
    write(
        "plan-1.json",
        r#"{"schema":"repro-audit.record/1","treatments":[{"id":"reference","settings":{}}],
            "trials":[{"run":"r1","treatment":"reference","replicate":1,"command":["true"]}]}"#,
    );
    write(
        "runs/r1/run.json",
        r#"{"schema":"repro-audit.record/1","id":"r1","treatment":"reference","replicate":1,"status":"finished",
            "attempts":[{"node":"n1","state":"PREEMPTED"}],"log":"runs/r1/stdout.log"}"#,
    );
    let recorded = record::open(folder.path()).unwrap();
    assert_eq!(recorded.runs[0].status, Status::Finished);
    assert_eq!(recorded.runs[0].attempts[0].state, "PREEMPTED");
    assert_eq!(recorded.warnings, [""; 0]);
}

#[test]
fn a_trial_that_is_taken_up_is_planned_once() {
    let folder = tempfile::tempdir().unwrap();
    let (record, trials) = half_done(folder.path());
    drop(record);
    let (mut record, recorded) = Record::resume(folder.path()).unwrap();
    record.plan(&recorded.treatments, &trials).unwrap();
    drop(record);
    assert_eq!(open(folder.path()).trials.len(), trials.len());
}
