//! Folders that find their own metrics: TensorBoard, wandb, MLflow, DVC live, checkpoints, CSV files, logs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::events::EventsReader;
use super::format::Reader;
use super::open::{self, Gathered};
use super::options::Options;
use super::sink::{Place, Shown, Sink};
use super::{names, number};
use crate::error::{Error, Result};
use crate::model::{Candidate, Reading};

/// How deep and how far a folder is searched.
const DEPTH: usize = 8;
const MOST: usize = 50_000;

/// What a file in a folder may hold, the most exact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Events,
    Wandb,
    Mlflow,
    Dvc,
    State,
    Csv,
    JsonLines,
    Json,
    Log,
}

impl Kind {
    fn id(self) -> &'static str {
        match self {
            Self::Events => "tensorboard",
            Self::Wandb => "wandb",
            Self::Mlflow => "mlflow",
            Self::Dvc => "dvclive",
            Self::State | Self::Json => "json",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Log => "text",
        }
    }
}

/// Reads the metrics of a folder.
pub(crate) fn read(root: &Path, options: &Options) -> Result<Reading> {
    let mut found: BTreeMap<Kind, Vec<PathBuf>> = BTreeMap::new();
    let mut room = MOST;
    search(root, 0, &mut room, &mut |path| {
        if let Some(kind) = kind(path) {
            found.entry(kind).or_default().push(path.to_owned());
        }
    })
    .map_err(Error::file("read", root))?;
    let mut best: Option<Reading> = None;
    let mut losers = Vec::new();
    for (kind, files) in &mut found {
        files.sort();
        let passed_over = keep_latest_version(files);
        let candidate = |score: f64, why: String| Candidate { format: kind.id().into(), score, why };
        if best.as_ref().is_some_and(|b| b.primary.is_some()) {
            losers.push(candidate(0.3, format!("{} files, less exact than the chosen ones", files.len())));
            continue;
        }
        let mut reading = read_kind(*kind, root, files, options)?;
        reading.warnings.extend(passed_over);
        if reading.series.is_empty() && best.is_some() {
            losers.push(candidate(0.0, format!("{} files without metrics", files.len())));
        } else if let Some(before) = best.replace(reading) {
            losers.push(Candidate { format: before.format, score: 0.1, why: "nothing to compare in it".into() });
        }
    }
    let nothing =
        || Reading::nothing("utf-8", format!("{}: no file in this folder looks like metrics or a log", root.display()));
    let mut reading = best.unwrap_or_else(nothing);
    reading.candidates.extend(losers);
    if room == 0 {
        let what = format!("of the files in {} only the first {MOST} were looked at", root.display());
        reading.warnings.push(what.clone());
        reading.left_out.get_or_insert(what);
    }
    Ok(reading)
}

/// The event file of a folder that holds exactly one, and nothing more exact: it can be read like any file.
pub fn only_events(root: &Path) -> Option<PathBuf> {
    let (mut found, mut room) = (Vec::new(), MOST);
    search(root, 0, &mut room, &mut |path| {
        if kind(path) == Some(Kind::Events) {
            found.push(path.to_owned());
        }
    })
    .ok()?;
    match found.as_slice() {
        [one] if one.parent() == Some(root) && room > 0 => Some(one.clone()),
        _ => None,
    }
}

/// Shows every file of a folder, its own before those of the folders in it, as long as there is room.
fn search(folder: &Path, depth: usize, room: &mut usize, each: &mut dyn FnMut(&Path)) -> std::io::Result<()> {
    let mut entries: Vec<(bool, PathBuf)> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .map(|path| (path.is_dir(), path))
        .collect();
    entries.sort();
    for (is_folder, path) in entries {
        *room = room.saturating_sub(1);
        if *room == 0 {
            return Ok(());
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let link = path.symlink_metadata().is_ok_and(|m| m.file_type().is_symlink());
        if is_folder {
            let passed =
                link || name == "__pycache__" || name == "node_modules" || name == ".git" || name == "artifacts";
            if depth < DEPTH && !passed {
                // A folder that may not be read is passed over.
                let _ = search(&path, depth + 1, room, each);
            }
        } else if path.is_file() {
            each(&path);
        }
    }
    Ok(())
}

fn kind(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let bare = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    let extension = Path::new(bare).extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
    if name.contains("tfevents") {
        return Some(Kind::Events);
    }
    if extension == "wandb" {
        return Some(Kind::Wandb);
    }
    if is_mlflow_metric(path) {
        return Some(Kind::Mlflow);
    }
    if extension == "tsv" && path.to_string_lossy().contains("plots/metrics/") {
        return Some(Kind::Dvc);
    }
    match (bare, extension.as_str()) {
        ("trainer_state.json", _) => Some(Kind::State),
        (_, "csv" | "tsv") => Some(Kind::Csv),
        (_, "jsonl" | "ndjson") => Some(Kind::JsonLines),
        (
            "config.json" | "package.json" | "hparams.json" | "tokenizer.json" | "vocab.json" | "wandb-metadata.json",
            _,
        ) => None,
        (_, "json") => Some(Kind::Json),
        ("requirements.txt" | "readme.txt" | "vocab.txt" | "merges.txt" | "labels.txt" | "classes.txt", _) => None,
        (_, "log" | "txt" | "out" | "err") => Some(Kind::Log),
        ("stdout" | "log", _) => Some(Kind::Log),
        _ => None,
    }
}

/// `<run>/metrics/train/loss`, beside `<run>/meta.yaml`.
fn is_mlflow_metric(path: &Path) -> bool {
    mlflow_run(path).is_some()
}

/// The run folder of a metric file, and the metric's name.
fn mlflow_run(path: &Path) -> Option<(PathBuf, String)> {
    for folder in path.ancestors().skip(1).take(4) {
        let run = folder.parent()?;
        let beside = || run.join("meta.yaml").is_file() || run.join("params").is_dir() || run.join("tags").is_dir();
        if folder.file_name().is_some_and(|n| n == "metrics") && beside() {
            let name = path.strip_prefix(folder).ok()?.to_string_lossy().into_owned();
            return Some((run.to_owned(), name));
        }
    }
    None
}

fn read_kind(kind: Kind, root: &Path, files: &[PathBuf], options: &Options) -> Result<Reading> {
    match kind {
        Kind::Events => events(root, files, options),
        Kind::Mlflow => mlflow(files, options),
        Kind::Dvc => dvc(files, options),
        Kind::Wandb | Kind::State | Kind::Csv | Kind::JsonLines | Kind::Json | Kind::Log => {
            single(kind, root, files, options)
        }
    }
}

/// The one file of several that tells most: of runs the latest, of tables the one with a usual name, else the first with metrics.
fn single(kind: Kind, root: &Path, files: &[PathBuf], options: &Options) -> Result<Reading> {
    const USUAL: [&str; 10] = [
        "metrics",
        "results",
        "training_log",
        "train_log",
        "history",
        "trainer_log",
        "train",
        "stdout",
        "output",
        "progress",
    ];
    let rank = |path: &PathBuf| {
        let stem = path.file_stem().map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default();
        let number = checkpoint(path);
        let usual = USUAL.iter().position(|u| *u == stem).unwrap_or(USUAL.len());
        match kind {
            Kind::State => (usize::MAX - number, 0),
            _ => (usual, path.components().count()),
        }
    };
    let mut ranked: Vec<&PathBuf> = files.iter().collect();
    ranked.sort_by_key(|path| rank(path));
    if kind == Kind::Wandb {
        ranked.sort_by(|a, b| b.cmp(a));
    }
    let mut first = None;
    for path in ranked.iter().take(32) {
        let mut reading = open::read_file(path, options)?;
        if reading.primary.is_some() {
            let shown = path.strip_prefix(root).unwrap_or(path).display();
            if files.len() > 1 {
                reading.warnings.push(format!(
                    "{shown} was read, one of {} {} files in the folder",
                    files.len(),
                    kind.id()
                ));
            }
            return Ok(reading);
        }
        first.get_or_insert(reading);
    }
    Ok(first.unwrap_or_else(|| Reading::nothing("utf-8", "no file could be read")))
}

/// The step in `checkpoint-500/trainer_state.json`; a state at the root of the folder stands for the end.
fn checkpoint(path: &Path) -> usize {
    let parent = path.parent().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    parent.strip_prefix("checkpoint-").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX)
}

/// Event files, each folder a sub-run; the files of one folder follow one another by the time in their names.
fn events(root: &Path, files: &[PathBuf], options: &Options) -> Result<Reading> {
    let mut runs: BTreeMap<PathBuf, Vec<&PathBuf>> = BTreeMap::new();
    for file in files {
        runs.entry(file.parent().unwrap_or(root).to_owned()).or_default().push(file);
    }
    let mut sink = Sink::default();
    let mut gathered = Gathered::default();
    let common = common_folder(&runs, root);
    let mut details = Vec::new();
    for (folder, mut files) in runs {
        files.sort_by_key(|file| written(file));
        let prefix = folder.strip_prefix(&common).unwrap_or(&folder).to_string_lossy().into_owned();
        for path in files {
            let mut reader = EventsReader::below(&prefix);
            let mut file = File::open(path).map_err(Error::file("read", path))?;
            let before = sink.warnings.len();
            pump(&mut file, &mut reader, &mut sink, &mut gathered).map_err(Error::file("read", path))?;
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            for warning in sink.warnings.iter_mut().skip(before) {
                *warning = format!("{name}: {warning}");
            }
            details.push(reader.detail());
        }
    }
    let why = format!("{} event files: {}", files.len(), details.join("; "));
    Ok(gathered.into_reading(
        sink,
        vec![Candidate { format: "tensorboard".into(), score: 1.0, why }],
        "binary",
        options,
    ))
}

/// Lightning writes `version_0`, `version_1`, …: runs of their own, of which the last counts.
fn keep_latest_version(files: &mut Vec<PathBuf>) -> Option<String> {
    let version = |path: &Path| -> Option<u64> {
        path.components().rev().find_map(|c| c.as_os_str().to_string_lossy().strip_prefix("version_")?.parse().ok())
    };
    let latest = files.iter().filter_map(|f| version(f)).max()?;
    let before = files.len();
    files.retain(|file| version(file).is_none_or(|v| v == latest));
    (files.len() < before).then(|| format!("version_{latest} was read, the last of several runs in the folder"))
}

/// The folder below which sub-runs are named; with a single folder of events, that folder.
fn common_folder(runs: &BTreeMap<PathBuf, Vec<&PathBuf>>, root: &Path) -> PathBuf {
    let mut folders = runs.keys();
    let Some(first) = folders.next() else { return root.to_owned() };
    let mut common = first.clone();
    for folder in folders {
        while !folder.starts_with(&common) {
            if !common.pop() {
                return root.to_owned();
            }
        }
    }
    common
}

/// The time in `events.out.tfevents.1795251502.host.5846.0`, then the name.
fn written(path: &Path) -> (u64, PathBuf) {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let time = name
        .split("tfevents.")
        .nth(1)
        .and_then(|rest| rest.split('.').next())
        .and_then(|t| t.parse().ok())
        .unwrap_or(0);
    (time, path.to_owned())
}

fn pump(
    source: &mut dyn Read,
    reader: &mut dyn Reader,
    sink: &mut Sink,
    gathered: &mut Gathered,
) -> std::io::Result<()> {
    let mut block = vec![0; 256 << 10];
    loop {
        match source.read(&mut block)? {
            0 => break,
            n => reader.push(&block[..n], sink),
        }
        gathered.take(sink);
    }
    reader.finish(sink);
    gathered.take(sink);
    Ok(())
}

/// `metrics/NAME` files of lines `time value step`.
fn mlflow(files: &[PathBuf], options: &Options) -> Result<Reading> {
    let mut runs: BTreeMap<PathBuf, Vec<(String, &PathBuf)>> = BTreeMap::new();
    for path in files {
        if let Some((run, name)) = mlflow_run(path) {
            runs.entry(run).or_default().push((name, path));
        }
    }
    let mut sink = Sink::default();
    let latest = runs.keys().max_by_key(|run| started(run)).cloned();
    if runs.len() > 1 {
        let shown =
            latest.as_deref().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        sink.warn(format!("run {shown} was read, the last of {} runs in the folder", runs.len()));
    }
    let mut gathered = Gathered::default();
    let metrics = latest.and_then(|run| runs.remove(&run)).unwrap_or_default();
    for (name, path) in &metrics {
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        mlflow_metric(name, &text, &mut sink);
        gathered.take(&mut sink);
    }
    let why = format!("{} metric files of an MLflow run", metrics.len());
    Ok(gathered.into_reading(sink, vec![Candidate { format: "mlflow".into(), score: 1.0, why }], "utf-8", options))
}

/// When a run began, by its `meta.yaml`.
fn started(run: &Path) -> (u64, PathBuf) {
    let meta = std::fs::read_to_string(run.join("meta.yaml")).unwrap_or_default();
    let time =
        meta.lines().find_map(|l| l.strip_prefix("start_time:")).and_then(|t| t.trim().parse().ok()).unwrap_or(0);
    (time, run.to_owned())
}

fn mlflow_metric(name: &str, text: &str, sink: &mut Sink) {
    if names::meaning(name) == names::Meaning::Noise || name.starts_with("system/") {
        sink.note_noise(name);
        return;
    }
    let id = sink.plain(name);
    for (line, row) in text.lines().enumerate() {
        let mut parts = row.split_ascii_whitespace().skip(1);
        let Some(shown) = parts.next() else { continue };
        let Some(value) = number::whole(shown.as_bytes()) else { continue };
        let step = parts.next().and_then(|s| s.parse().ok());
        let place = Place { epoch: None, step, lap: 0 };
        sink.record(
            id,
            place,
            Shown { value: value.into(), text: shown.as_bytes(), line: line as u64 + 1, redraw: false },
        );
    }
}

/// `plots/metrics/train/loss.tsv`, each with the columns `step` and the metric's last name.
fn dvc(files: &[PathBuf], options: &Options) -> Result<Reading> {
    let mut sink = Sink::default();
    let mut gathered = Gathered::default();
    for path in files {
        let shown = path.to_string_lossy();
        let name = shown.split("plots/metrics/").last().unwrap_or_default().trim_end_matches(".tsv").to_owned();
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        dvc_metric(&name, &text, &mut sink);
        gathered.take(&mut sink);
    }
    let why = format!("{} metric files of DVC live", files.len());
    Ok(gathered.into_reading(sink, vec![Candidate { format: "dvclive".into(), score: 1.0, why }], "utf-8", options))
}

fn dvc_metric(name: &str, text: &str, sink: &mut Sink) {
    if names::meaning(name) == names::Meaning::Noise {
        sink.note_noise(name);
        return;
    }
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let step_column = header.iter().position(|h| *h == "step").unwrap_or(0);
    let last = name.rsplit('/').next().unwrap_or(name);
    let value_column = header.iter().position(|h| *h == last).unwrap_or(header.len().saturating_sub(1));
    let id = sink.plain(name);
    for (line, row) in lines.enumerate() {
        let cells: Vec<&str> = row.split('\t').collect();
        let (Some(step), Some(shown)) = (cells.get(step_column), cells.get(value_column)) else { continue };
        let Some(value) = number::whole(shown.as_bytes()) else { continue };
        let place = Place { epoch: None, step: step.parse().ok(), lap: 0 };
        sink.record(
            id,
            place,
            Shown { value: value.into(), text: shown.as_bytes(), line: line as u64 + 2, redraw: false },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_shows_its_own_files_before_those_below_as_long_as_there_is_room() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["a/1.log", "a/2.log", "z.log"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "step 1 loss 0.5\n").expect("written");
        }
        let seen = |mut room: usize| {
            let mut names = Vec::new();
            search(root.path(), 0, &mut room, &mut |path| {
                names.push(path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
            })
            .expect("read");
            (names.join(" "), room)
        };
        assert_eq!(seen(9), ("z.log 1.log 2.log".to_owned(), 5));
        assert_eq!(seen(4), ("z.log 1.log".to_owned(), 0));
    }
}
