//! Checkpoints that the runs of an audit saved: the folder that each run has for its own, and how those of replicates
//! compare.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use glob::Pattern;

use crate::error::{Error, Result};
use crate::model::{Audit, Checkpoint, CheckpointDifference, Run, StateValue, Status, Tolerance, Verdict};
use crate::{compare, parse};

use super::super::own_folder::OwnFolder;
use super::super::words::CHECKPOINTS;

/// The folder for them.
pub const OWN: OwnFolder = OwnFolder { placeholder: CHECKPOINTS, name: "checkpoints" };

/// Fails where the pattern makes no sense, or the runs would not know their folders.
///
/// # Errors
/// The message says what to type instead.
pub fn check(pattern: &str, command: &[String]) -> Result<()> {
    if let Err(error) = Pattern::new(pattern) {
        return Err(Error::Misuse(format!("--checkpoints {pattern}: {error}")));
    }
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if pattern.is_empty() || !Path::new(pattern).components().all(inside) {
        let what = format!("--checkpoints takes names below {CHECKPOINTS}, such as '*.safetensors', not `{pattern}`");
        return Err(Error::Misuse(what));
    }
    if !OWN.is_in(command) {
        return Err(Error::Misuse(format!(
            "--checkpoints compares what each run saves in a folder of its own: write {CHECKPOINTS} in the command \
             where it takes that folder"
        )));
    }
    Ok(())
}

/// Compares what the replicates of each treatment saved, each with the first that saved it, and enters what that says of
/// the verdict. The audit has its runs and treatments already; `folder` is its own.
pub fn judge(audit: &mut Audit, folder: &Path, pattern: &str, tolerance: Tolerance) {
    let mut found = Found::new(folder, pattern, tolerance);
    for treatment in audit.treatments.iter().filter(|treatment| !treatment.runs.is_empty()) {
        let runs = audit.runs.iter().filter(|run| treatment.runs.contains(&run.id));
        let (ended, cut): (Vec<&Run>, Vec<&Run>) = runs.partition(|run| run.status == Status::Finished);
        // What a run had saved when it was cut short need not be of the same step as what the others have.
        let unfinished = cut.iter().map(|run| format!("checkpoints of {}: it did not come to its own end", run.id));
        audit.not_checked.extend(unfinished);
        if ended.len() < 2 {
            let id = &treatment.treatment.id;
            found.troubles.push(format!("no two runs of {id} came to their own end, so no checkpoints were compared"));
        } else {
            found.replicates(&ended);
        }
    }
    found.conclude(audit);
}

/// What was found so far.
struct Found<'a> {
    folder: &'a Path,
    pattern: &'a str,
    tolerance: Tolerance,
    compared: Vec<(String, CheckpointDifference)>,
    /// Why agreement would not mean much, one line each.
    troubles: Vec<String>,
    /// What matches, and is no checkpoint.
    others: Vec<String>,
    /// What a reader should know of the files, one line each.
    notes: Vec<String>,
}

/// What a file is.
enum Read {
    Checkpoint(Checkpoint),
    Other,
    Folder,
    Damaged,
}

impl Read {
    fn checkpoint(&self) -> Option<&Checkpoint> {
        if let Self::Checkpoint(checkpoint) = self { Some(checkpoint) } else { None }
    }
}

impl<'a> Found<'a> {
    fn new(folder: &'a Path, pattern: &'a str, tolerance: Tolerance) -> Self {
        Self {
            folder,
            pattern,
            tolerance,
            compared: Vec::new(),
            troubles: Vec::new(),
            others: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn replicates(&mut self, runs: &[&Run]) {
        let mut saved: BTreeMap<Name, Vec<&str>> = BTreeMap::new();
        for run in runs {
            for name in self.names(&run.id) {
                saved.entry(Name(name)).or_default().push(&run.id);
            }
        }
        let before = self.compared.len() + self.troubles.len();
        for (Name(name), of) in &saved {
            self.one(name, of, runs);
        }
        if self.compared.len() + self.troubles.len() == before {
            let ids: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
            let pattern = self.pattern;
            self.troubles.push(format!("{} saved no checkpoint that matches {pattern}", ids.join(", ")));
        }
    }

    /// Names below a run's folder that match.
    fn names(&mut self, run: &str) -> Vec<String> {
        let base = self.base(run);
        let pattern = format!("{}/{}", Pattern::escape(&base.to_string_lossy()), self.pattern);
        let Ok(paths) = glob::glob(&pattern) else { return Vec::new() };
        let mut names = Vec::new();
        for path in paths {
            match path {
                Ok(path) => names.extend(path.strip_prefix(&base).ok().map(|name| name.to_string_lossy().into_owned())),
                Err(error) => self.troubles.push(format!("{}: {error}", error.path().display())),
            }
        }
        names
    }

    fn base(&self, run: &str) -> PathBuf {
        self.folder.join("runs").join(run).join(OWN.name)
    }

    /// Compares one name in all runs that have it with the first of them.
    fn one(&mut self, name: &str, of: &[&str], runs: &[&Run]) {
        let read: Vec<(&str, Read)> = of.iter().map(|run| (*run, self.read(run, name))).collect();
        let mut checkpoints = read.iter().filter_map(|(run, read)| Some((*run, read.checkpoint()?)));
        let Some((first, reference)) = checkpoints.next() else {
            let files = read.iter().filter(|(_, read)| matches!(read, Read::Other));
            self.others.extend(files.map(|(run, _)| format!("{name} of {run}: it is no checkpoint")));
            return;
        };
        for (run, other) in checkpoints {
            let shown = |run: &str| format!("runs/{run}/{}/{name}", OWN.name);
            match compare::checkpoint::compare((&shown(first), reference), (&shown(run), other), self.tolerance) {
                Ok(difference) => self.compared.push((format!("{name} of {run} and {first}"), difference)),
                Err(error) => self.troubles.push(error.to_string()),
            }
        }
        let none = |run: &&&Run| !of.contains(&run.id.as_str());
        self.troubles
            .extend(runs.iter().filter(none).map(|run| format!("{} saved no {name}, which {first} did", run.id)));
        let odd = read.iter().filter(|(_, read)| matches!(read, Read::Other | Read::Folder));
        self.troubles.extend(odd.map(|(run, _)| format!("{name} of {run} is no checkpoint, and that of {first} is")));
    }

    /// Reads a checkpoint; what it says of the run's own folder is the same in every run then.
    fn read(&mut self, run: &str, name: &str) -> Read {
        let path = self.base(run).join(name);
        match parse::checkpoint::read(&path) {
            Ok(Some(checkpoint)) => {
                self.notes.extend(checkpoint.warnings.iter().map(|warning| format!("{name} of {run}: {warning}")));
                Read::Checkpoint(alike(checkpoint, run))
            }
            Ok(None) if path.is_dir() => Read::Folder,
            Ok(None) => Read::Other,
            Err(error) => {
                self.troubles.push(error.to_string());
                Read::Damaged
            }
        }
    }

    fn conclude(mut self, audit: &mut Audit) {
        let nothing = self.compared.iter().filter(|(_, one)| super::size(one) == 0 && !super::differs(one));
        let nothing: Vec<String> = nothing.map(|(what, _)| format!("{what} hold nothing to compare")).collect();
        self.troubles.extend(nothing);
        let unread = self.compared.iter().flat_map(|(what, one)| {
            super::unread(one).map(move |why| format!("a tensor of {what} was not compared: {why}"))
        });
        self.troubles.extend(unread.collect::<Vec<_>>());
        let parted = self.compared.iter().find(|(_, one)| super::differs(one));
        match (parted, self.troubles.first(), audit.verdict) {
            (Some((what, one)), _, Verdict::Agreed | Verdict::Unresolved) => {
                let said = match audit.verdict {
                    Verdict::Agreed => "the printed values agree, and the checkpoints do not".to_owned(),
                    _ => format!("{}; and checkpoints differ", audit.reason),
                };
                audit.verdict = Verdict::Diverged;
                audit.reason = format!("{said}: {what}: {}", super::reason(one));
                let next = "repro-audit run --level full  (compares the steps to the bit: where do they part first?)";
                audit.next.push(next.to_owned());
            }
            (None, Some(why), Verdict::Agreed) => {
                audit.verdict = Verdict::Unresolved;
                audit.reason = format!("the printed values agree, and {why}");
            }
            (None, None, Verdict::Agreed) => audit.reason += &format!("; {}", self.agreement()),
            _ => {}
        }
        audit.warnings.extend(self.troubles.into_iter().chain(self.notes));
        audit.not_checked.extend(self.others);
        for note in self.compared.iter().flat_map(|(_, one)| &one.not_understood) {
            if !audit.not_checked.contains(note) {
                audit.not_checked.push(note.clone());
            }
        }
        audit.checkpoints = self.compared.into_iter().map(|(_, one)| one).collect();
    }

    fn agreement(&self) -> String {
        let within = self.compared.iter().flat_map(|(_, one)| &one.tensors).any(|tensor| tensor.spread.differing > 0);
        let how = if within { "agree within the tolerance" } else { "are equal, bit for bit" };
        match self.compared.len() {
            1 => format!("the one pair of checkpoints compared {}", how.replacen("are", "is", 1)),
            pairs => format!("all {pairs} pairs of checkpoints compared {how}"),
        }
    }
}

/// A checkpoint in which the run's own folder goes by its placeholder: trainers save where they saved.
fn alike(mut checkpoint: Checkpoint, run: &str) -> Checkpoint {
    let folder = format!("runs/{run}/{}", OWN.name);
    let plain = |text: &mut String| {
        if text.contains(&folder) {
            *text = text.replace(&folder, CHECKPOINTS);
        }
    };
    for state in &mut checkpoint.state {
        plain(&mut state.path);
        if let StateValue::Text(text) = &mut state.value {
            plain(text);
        }
    }
    checkpoint.tensors.iter_mut().for_each(|tensor| plain(&mut tensor.name));
    checkpoint
}

/// A name, in whose order `epoch-2` stands ahead of `epoch-10`.
#[derive(PartialEq, Eq)]
struct Name(String);

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |name: &str| {
            let digits = |c: &char| c.is_ascii_digit();
            let mut parts: Vec<(String, u128)> = Vec::new();
            let mut rest = name.chars().peekable();
            while rest.peek().is_some() {
                let text: String = std::iter::from_fn(|| rest.next_if(|c| !digits(c))).collect();
                let number: String = std::iter::from_fn(|| rest.next_if(digits)).collect();
                parts.push((text, number.parse().unwrap_or(0)));
            }
            parts
        };
        key(&self.0).cmp(&key(&other.0)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Number, State};

    #[test]
    fn names_stand_in_the_order_of_their_numbers() {
        let mut names: Vec<Name> = ["e-10/w", "e-2/w", "e-2/a", "last"].map(|name| Name(name.to_owned())).into();
        names.sort();
        let names: Vec<&str> = names.iter().map(|name| name.0.as_str()).collect();
        assert_eq!(names, ["e-2/a", "e-2/w", "e-10/w", "last"]);
    }

    #[test]
    fn a_pattern_stays_in_the_folder_and_the_command_names_it() {
        let command = ["train".to_owned(), "--out={checkpoints}".to_owned()];
        assert!(check("**/*.pt", &command).is_ok());
        for wrong in ["", "/tmp/*.pt", "../*.pt", "a/***/b"] {
            assert!(check(wrong, &command).is_err(), "{wrong}");
        }
        assert!(check("*.pt", &command[..1]).is_err());
    }

    #[test]
    fn where_a_run_saved_is_no_difference() {
        let saved = |run: &str| {
            let text = StateValue::Text(format!("/audit/runs/{run}/checkpoints/best.ckpt"));
            let entry = |path: String, value: StateValue| State { path, value };
            let score = StateValue::Number(Number::Int(3));
            let state = vec![
                entry("best".to_owned(), text),
                entry(format!("k./audit/runs/{run}/checkpoints/best.ckpt"), score),
            ];
            alike(Checkpoint { state, ..Checkpoint::default() }, run)
        };
        assert_eq!(saved("r1"), saved("r2"));
        assert_eq!(saved("r1").state[1].path, "k./audit/{checkpoints}/best.ckpt");
    }
}
