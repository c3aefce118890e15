//! `repro-audit gate`: runs what was accepted again, and fails where it no longer repeats.

mod canary;
mod files;
mod jobs;
mod one;
mod several;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::cli;
use crate::error::{Error, Result};
use crate::gate::Baseline;
use crate::model::{Audit, Verdict};
use crate::{exit, report};

use super::output::Output;
use super::words;
pub use canary::CANARY;
use jobs::Job;

/// Runs the gate, or accepts, or shows what is pending.
pub fn gate(typed: &cli::Gate) -> Result<u8> {
    let output = Output::new(&jobs::output(typed)?)?;
    let known = files::read(&typed.baseline)?;
    if typed.pending {
        let pending = files::read(&files::pending(&typed.baseline))?;
        return show(typed, known, pending);
    }
    files::check_folder(&typed.baseline)?;
    if typed.accept {
        let pending = files::read(&files::pending(&typed.baseline))?;
        return match pending.filter(|_| takes_pending(typed)) {
            Some(pending) => take(typed, known, pending, &output),
            None => accept(typed, known, &output),
        };
    }
    check(typed, known, &output)
}

/// What is typed beyond `--accept` asks for new runs; another policy alone is only another way to look at the pending ones,
/// except that a band has to be learned.
fn takes_pending(typed: &cli::Gate) -> bool {
    typed.command.is_empty() && typed.options.0.is_empty() && typed.policy != Some(cli::GatePolicy::Envelope)
}

/// Compares every job with what was accepted of it.
fn check(typed: &cli::Gate, known: Option<Baseline>, output: &Output) -> Result<u8> {
    let mut audits: Vec<(String, Audit)> = Vec::new();
    let mut pending = Baseline::empty();
    for job in &jobs::resolve(typed, known.as_ref())? {
        let record = known.as_ref().and_then(|known| known.job.get(&job.name));
        let Some(record) = record.filter(|record| !record.accepted.is_empty()) else {
            audits.push((job.name.clone(), never_accepted(typed, job)));
            continue;
        };
        let mut answer = one::one(job, Some(record), output.progress())?;
        let failed = answer.audit.verdict != Verdict::Agreed;
        if failed && !jobs::as_usual(typed) {
            let line = "run the gate without options of its own, to have what it sees pending for review";
            answer.audit.next.push(line.to_owned());
        } else if let Some(mut new) = answer.record.filter(|_| failed) {
            if typed.policy.is_some() {
                // Another policy for once is not yet another policy for good.
                new.policy = record.policy;
            }
            pending.renew(&job.name, new);
            answer.audit.next.push(format!("{}  (shows what would change)", again(typed, "--pending")));
            answer.audit.next.push(accepting(typed, &pending));
        }
        audits.push((job.name.clone(), answer.audit));
        if answer.interrupted {
            break;
        }
    }
    audits.extend(gone_jobs(typed, known.as_ref())?.into_iter().map(|name| (name.clone(), not_run(typed, &name))));
    let verdict = finish(audits, output)?;
    if !pending.job.is_empty() {
        files::write(&files::pending(&typed.baseline), &pending)?;
        if !typed.output.quiet {
            difference(typed, known.as_ref(), pending, &mut io::stderr().lock())?;
        }
    } else if verdict == Verdict::Agreed && jobs::as_usual(typed) && typed.policy.is_none() && typed.job.is_empty() {
        // All jobs pass as they always run: what an earlier failure left is settled.
        files::settle(&typed.baseline)?;
    }
    Ok(exit::code(verdict))
}

/// How to accept what is pending: a job that parts only under a policy that lets it.
fn accepting(typed: &cli::Gate, pending: &Baseline) -> String {
    if pending.forbidden().is_empty() {
        format!("{}  (accepts it, once reviewed)", again(typed, "--accept"))
    } else {
        format!("mend the job, or {}  (accepts that it parts)", again(typed, "--accept --policy known"))
    }
}

/// Runs every job, and accepts what comes of all of them or of none.
fn accept(typed: &cli::Gate, known: Option<Baseline>, output: &Output) -> Result<u8> {
    let mut audits: Vec<(String, Audit)> = Vec::new();
    let mut baseline = known.clone().unwrap_or_else(Baseline::empty);
    for job in &jobs::resolve(typed, known.as_ref())? {
        let mut answer = one::one(job, None, output.progress())?;
        if let (Verdict::Agreed, Some(record)) = (answer.audit.verdict, answer.record) {
            answer.audit.reason = format!("accepted: {}", told(&record));
            answer.audit.warnings.extend(gone(baseline.renew(&job.name, record)));
        }
        audits.push((job.name.clone(), answer.audit));
        if answer.interrupted {
            break;
        }
    }
    let mut taken_out = Vec::new();
    for name in gone_jobs(typed, known.as_ref())? {
        baseline.job.remove(&name);
        taken_out.push(format!("job {name} is no longer named, and was taken out of the baseline"));
    }
    if let Some((_, audit)) = audits.first_mut() {
        audit.warnings.extend(taken_out);
    }
    let whole = audits.iter().all(|(_, audit)| audit.verdict == Verdict::Agreed);
    if whole {
        files::write(&typed.baseline, &baseline)?;
        files::settle(&typed.baseline)?;
        for (_, audit) in &mut audits {
            audit.next.push(format!("commit {}", words::shell(&typed.baseline.display().to_string())));
        }
    } else {
        for (_, audit) in audits.iter_mut().filter(|(_, audit)| audit.verdict == Verdict::Agreed) {
            audit.warnings.push("not accepted, because another job was not".to_owned());
        }
    }
    Ok(exit::code(finish(audits, output)?))
}

fn told(record: &crate::gate::JobRecord) -> String {
    let treatments: Vec<_> = record.accepted.iter().flat_map(|entry| &entry.treatment).collect();
    let points: usize = treatments.iter().map(|one| one.points).sum();
    let runs: usize = treatments.iter().map(|one| one.runs).sum();
    let s = if treatments.len() == 1 { "" } else { "s" };
    let count = treatments.len();
    format!("policy {}, {count} treatment{s}, {runs} runs, {points} points compared", record.policy.word())
}

fn gone(entries: usize) -> Option<String> {
    (entries > 0).then(|| {
        format!("the job changed, so that what was accepted of it in {entries} other environments no longer counts")
    })
}

/// Takes what a failing gate left pending.
fn take(typed: &cli::Gate, known: Option<Baseline>, mut pending: Baseline, output: &Output) -> Result<u8> {
    if let Some(policy) = typed.policy {
        for record in pending.job.values_mut() {
            record.policy = jobs::policy(policy);
        }
    }
    let mut audit = Audit::blank("gate");
    let forbidden = pending.forbidden();
    if !forbidden.is_empty() {
        audit.verdict = Verdict::Diverged;
        audit.reason = format!("not repeatable: {} parts, which its policy does not accept", forbidden.join(", "));
        audit.next.push(format!("{}  (accepts that it parts)", again(typed, "--accept --policy known")));
        output.audit(&audit)?;
        return Ok(exit::DIVERGED);
    }
    let mut baseline = known.unwrap_or_else(Baseline::empty);
    for (name, record) in pending.job {
        audit.reason = format!("accepted what was pending: {}", told(&record));
        audit.warnings.extend(gone(baseline.renew(&name, record)));
    }
    files::write(&typed.baseline, &baseline)?;
    files::settle(&typed.baseline)?;
    audit.verdict = Verdict::Agreed;
    audit.next.push(format!("commit {}", words::shell(&typed.baseline.display().to_string())));
    output.audit(&audit)?;
    Ok(exit::AGREED)
}

/// Shows what accepting would change.
fn show(typed: &cli::Gate, known: Option<Baseline>, pending: Option<Baseline>) -> Result<u8> {
    let mut out = io::stdout().lock();
    match pending {
        Some(pending) => difference(typed, known.as_ref(), pending, &mut out)?,
        None => closed(writeln!(out, "Nothing is pending."))?,
    }
    Ok(exit::AGREED)
}

fn difference(typed: &cli::Gate, known: Option<&Baseline>, pending: Baseline, out: &mut dyn io::Write) -> Result<()> {
    let old = known.map(Baseline::text).unwrap_or_default();
    let mut new = known.cloned().unwrap_or_else(Baseline::empty);
    for (name, record) in pending.job {
        new.renew(&name, record);
    }
    let name = typed.baseline.display().to_string();
    closed(report::difference([&name, &format!("{name} (pending)")], [&old, &new.text()], out))
}

/// A reader who left is no failure of ours.
fn closed(written: io::Result<()>) -> Result<()> {
    match written {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::System { doing: "write the difference".to_owned(), source: why })
        }
        _ => Ok(()),
    }
}

/// The command that accepts or shows, as it is to be typed.
fn again(typed: &cli::Gate, what: &str) -> String {
    let baseline = match typed.baseline.to_str() {
        Some("repro-audit.baseline.toml") => String::new(),
        _ => format!(" --baseline {}", words::shell(&typed.baseline.display().to_string())),
    };
    format!("repro-audit gate {what}{baseline}")
}

/// Jobs that were accepted and are run no longer; none where only some jobs are asked for, or a command is given.
fn gone_jobs(typed: &cli::Gate, known: Option<&Baseline>) -> Result<Vec<String>> {
    if typed.job.is_empty() && typed.command.is_empty() { jobs::no_longer_named(known) } else { Ok(Vec::new()) }
}

/// A job that was accepted and is no longer named is not run: a gate that passed without it would have been opened.
fn not_run(typed: &cli::Gate, name: &str) -> Audit {
    let mut audit = Audit::blank("gate");
    audit.reason = format!("nothing tested: job {name} was accepted, and repro-audit.toml no longer names it");
    audit.next.push(format!("{}  (takes it out of the baseline)", again(typed, "--accept")));
    audit
}

/// A job that nothing is known of is not run: there is nothing to compare it with.
fn never_accepted(typed: &cli::Gate, job: &Job) -> Audit {
    let mut audit = Audit::blank("gate");
    audit.reason = format!("nothing tested: nothing was accepted of job {} yet", job.name);
    let mut line = again(typed, "--accept");
    if job.name != crate::gate::project::DEFAULT {
        line += &format!(" --job {}", words::shell(&job.name));
    }
    if let Some(policy) = typed.policy {
        line += &format!(" --policy {}", jobs::policy(policy).word());
    }
    if !typed.command.is_empty() {
        let options = crate::gate::project::arguments(&job.options).unwrap_or_default();
        line += &options.iter().map(|option| format!(" {}", words::shell(option))).collect::<String>();
        line += &format!(" -- {}", words::command(&typed.command));
    }
    audit.next.push(line);
    audit
}

/// Writes the report of all jobs, and the job summary where GitHub asks for one.
fn finish(audits: Vec<(String, Audit)>, output: &Output) -> Result<Verdict> {
    let audit = several::joined(audits).unwrap_or_else(|| Audit::blank("gate"));
    output.audit(&audit)?;
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        let path = Path::new(&path);
        let mut text = Vec::new();
        let summary = report::job_summary(&audit, &mut text);
        let file = summary.and_then(|()| File::options().append(true).create(true).open(path));
        file.and_then(|mut file| file.write_all(&text)).map_err(Error::file("write", path))?;
    }
    Ok(audit.verdict)
}
