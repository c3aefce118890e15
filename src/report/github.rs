//! `--format github`: workflow commands, which GitHub shows beside the lines of a pull request; and the job summary.

use std::io::{self, Write};

use super::{ReportFormat, Style, markdown, untrusted, words};
use crate::model::{Audit, Cause, Grade, Verdict};

/// Workflow commands.
pub struct Github;

impl ReportFormat for Github {
    fn id(&self) -> &'static str {
        "github"
    }

    fn describe(&self) -> &'static str {
        "GitHub workflow commands: each cause at its line of the pull request"
    }

    fn write(&self, audit: &Audit, _style: Style, out: &mut dyn Write) -> io::Result<()> {
        let (level, title) = match audit.verdict {
            Verdict::Agreed => ("notice", "Agreed"),
            Verdict::Diverged => ("error", "Diverged"),
            Verdict::Unresolved => ("error", "Unresolved"),
        };
        let mut text = audit.reason.clone();
        if let Some((divergence, treatment)) = words::shown_divergence(audit) {
            text += &format!("\n{}", words::sentence(divergence, treatment));
        }
        if let (Verdict::Agreed, Some(confidence)) = (audit.verdict, &audit.confidence) {
            text += &format!("\n{}", confidence.statement);
        }
        command(level, None, title, &text, out)?;
        for of in audit.blame.iter().flat_map(|blame| &blame.causes) {
            cause(of, out)?;
        }
        if !audit.not_checked.is_empty() {
            command("notice", None, "Not checked", &audit.not_checked.join("\n"), out)?;
        }
        if !audit.warnings.is_empty() {
            command("warning", None, "Worth knowing", &audit.warnings.join("\n"), out)?;
        }
        Ok(())
    }
}

/// The job summary, in the Markdown of a pull-request comment: what belongs into the file `$GITHUB_STEP_SUMMARY`.
pub fn job_summary(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    markdown::Markdown.write(audit, Style::default(), out)
}

fn cause(cause: &Cause, out: &mut dyn Write) -> io::Result<()> {
    let level = match cause.grade {
        Grade::Proved => "error",
        Grade::Likely => "warning",
        Grade::Suspected => "notice",
    };
    let mut text = cause.summary.clone();
    for evidence in &cause.evidence {
        text += &format!("\n- {evidence}");
    }
    if !cause.remedy.trim().is_empty() {
        text += &format!("\nRemedy:\n{}", cause.remedy.trim_end());
    }
    let place = cause.location.as_ref().map(|at| (at.file.to_string_lossy().into_owned(), at.line));
    command(level, place, &format!("{} ({})", cause.id, cause.grade.word()), &text, out)
}

fn command(level: &str, place: Option<(String, u32)>, title: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let place = match place {
        Some((file, line)) => format!("file={},line={line},", untrusted::github_property(&file)),
        None => String::new(),
    };
    let (title, text) = (untrusted::github_property(title), untrusted::github_message(text));
    writeln!(out, "::{level} {place}title={title}::{text}")
}
