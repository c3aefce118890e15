//! How a treatment's levels reach the job: by the command, by the environment, by the Python shim.

use std::collections::BTreeMap;

use crate::model::{Level, Reach, ReadBack, Setting, SettingId};

/// By which way a level reached the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A placeholder or an option of the command was replaced, words were put in front of it, or it is started elsewhere.
    Command,
    /// Environment variables were set.
    Environment,
    /// The shim is to apply it inside the process.
    Shim,
}

/// A command and environment with a treatment's levels applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The command, placeholders and options replaced.
    pub command: Vec<String>,
    /// Variables to set.
    pub environment: BTreeMap<String, String>,
    /// Whether the run gets a working folder of its own.
    pub own_folder: bool,
    /// What the shim is asked to do.
    pub shim: BTreeMap<SettingId, Level>,
    /// Levels known to be in effect because the command or the environment shows them.
    pub read_back: BTreeMap<SettingId, Level>,
    /// Levels that the shim is asked to read back, and that the environment alone carries where it cannot enter.
    pub carried: BTreeMap<SettingId, Level>,
    /// Settings that no way led to, each with the reason: the treatment is then unresolved.
    pub unapplied: Vec<(SettingId, String)>,
}

/// Applies `levels` to `command`. `shim` tells whether the job can be entered.
pub fn apply(command: &[String], levels: &[(Setting, Level)], shim: bool) -> Applied {
    let mut applied = Applied { command: command.to_vec(), ..Applied::default() };
    for (setting, level) in levels.iter().filter(|(_, level)| !level.is_as_is()) {
        applied.environment.insert(cooperative_variable(&setting.id), level.as_str().to_owned());
        let routes = reach(&mut applied, setting, level, shim);
        match (routes.is_empty(), proof(setting.read_back, &routes)) {
            (true, _) => applied.unapplied.push((setting.id.clone(), no_way(setting, level, shim))),
            (false, true) => {
                applied.read_back.insert(setting.id.clone(), level.clone());
            }
            (false, false) if setting.read_back == ReadBack::Environment && routes.contains(&Route::Environment) => {
                applied.carried.insert(setting.id.clone(), level.clone());
            }
            (false, false) => {}
        }
    }
    applied
}

/// The variable that a cooperative job may read a level from: `REPRO_AUDIT_CUDNN_BENCHMARK`.
fn cooperative_variable(id: &SettingId) -> String {
    let plain: String =
        id.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("REPRO_AUDIT_{plain}")
}

/// Takes every way that fits: the command's own words first, variables always, the shim where the command had no word for it.
fn reach(applied: &mut Applied, setting: &Setting, level: &Level, shim: bool) -> Vec<Route> {
    let mut routes = Vec::new();
    for way in &setting.reach {
        let by_command = routes.contains(&Route::Command);
        match way {
            Reach::Placeholder(name) if replace_placeholder(&mut applied.command, name, level) => {
                routes.push(Route::Command)
            }
            Reach::Flag(names) if !by_command && replace_flag(&mut applied.command, names, level) => {
                routes.push(Route::Command);
            }
            Reach::Environment(levels) => {
                if let Some(variables) = variables(levels, level) {
                    applied.environment.extend(variables);
                    routes.push(Route::Environment);
                }
            }
            Reach::Wrapper(levels) if !by_command => {
                if let Some(words) = words(levels, level) {
                    applied.command.splice(0..0, words);
                    routes.push(Route::Command);
                }
            }
            Reach::Folder => {
                applied.own_folder = true;
                routes.push(Route::Command);
            }
            Reach::Shim if shim && !by_command => {
                applied.shim.insert(setting.id.clone(), level.clone());
                routes.push(Route::Shim);
            }
            _ => {}
        }
    }
    routes
}

/// Whether the ways taken already prove that the level is in effect, without asking the process.
fn proof(read_back: ReadBack, routes: &[Route]) -> bool {
    routes.contains(&Route::Command)
        || (read_back == ReadBack::Environment
            && routes.contains(&Route::Environment)
            && !routes.contains(&Route::Shim))
}

fn no_way(setting: &Setting, level: &Level, shim: bool) -> String {
    let words: Vec<String> = setting
        .reach
        .iter()
        .filter_map(|way| match way {
            Reach::Placeholder(name) => Some(format!("put `{{{name}}}` where the command takes it")),
            Reach::Flag(names) => names.first().map(|name| format!("give the command its `{name}` option")),
            _ => None,
        })
        .collect();
    let why = if !shim && setting.reach.contains(&Reach::Shim) {
        "it has to enter the process, and --no-shim keeps it out"
    } else {
        "the command does not name it"
    };
    format!("{}={level} cannot be applied to this job yet: {why}; {}", setting.id, words.join(", or "))
}

/// Replaces `{name}` everywhere in the command; all other braces are left alone.
fn replace_placeholder(command: &mut [String], name: &str, level: &Level) -> bool {
    let placeholder = format!("{{{name}}}");
    let mut found = false;
    for word in command.iter_mut().filter(|word| word.contains(&placeholder)) {
        *word = word.replace(&placeholder, level.as_str());
        found = true;
    }
    found
}

/// Replaces the value of an option that the command already has, as `--name value` or `--name=value`; the last one wins.
fn replace_flag(command: &mut [String], names: &[String], level: &Level) -> bool {
    for at in (own_words(command)..command.len()).rev() {
        for name in names {
            if command[at] == *name && at + 1 < command.len() {
                level.as_str().clone_into(&mut command[at + 1]);
                return true;
            }
            if command[at].strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('=')) {
                command[at] = format!("{name}={level}");
                return true;
            }
        }
    }
    false
}

/// Where the words of the program itself begin: of a Python script, behind its name, since what stands before is the
/// interpreter's.
fn own_words(command: &[String]) -> usize {
    let name = command.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    if !name.starts_with("python") {
        return 1;
    }
    let takes_a_word = |word: &str| matches!(word, "-W" | "-X" | "-Q");
    let mut at = 1;
    while let Some(word) = command.get(at) {
        match word.as_str() {
            // A module's name or a program's text, in this word or the next one.
            "-m" | "-c" => return at + 2,
            word if takes_a_word(word) => at += 2,
            word if word.starts_with('-') && word.len() > 1 => at += 1,
            _ => return at + 1,
        }
    }
    at
}

fn variables(levels: &[(String, Vec<(String, String)>)], level: &Level) -> Option<Vec<(String, String)>> {
    let (_, assignments) = levels.iter().find(|(name, _)| name == level.as_str() || name == "*")?;
    Some(assignments.iter().map(|(name, value)| (name.clone(), value.replace("{level}", level.as_str()))).collect())
}

fn words(levels: &[(String, Vec<String>)], level: &Level) -> Option<Vec<String>> {
    let (_, words) = levels.iter().find(|(name, _)| name == level.as_str() || name == "*")?;
    Some(words.iter().map(|word| word.replace("{level}", level.as_str())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Catalogue;

    fn applied(command: &str, id: &str, level: &str, shim: bool) -> Applied {
        let command: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let setting = Catalogue::built_in().unwrap().find(id).unwrap();
        apply(&command, &[(setting, Level::new(level))], shim)
    }

    #[test]
    fn replaces_a_placeholder_and_leaves_other_braces_alone() {
        let applied = applied("python t.py --w {num_workers} --x {other} {num_workers}", "num_workers", "4", false);
        assert_eq!(applied.command.join(" "), "python t.py --w 4 --x {other} 4");
        assert_eq!(applied.read_back.len(), 1);
    }

    #[test]
    fn leaves_the_interpreters_own_options_alone() {
        let after = |command: &str| applied(command, "batch_size", "8", true).command.join(" ");
        assert_eq!(after("python3.11 -b -W ignore job.py"), "python3.11 -b -W ignore job.py");
        assert_eq!(after("/usr/bin/python -b job.py -b 4"), "/usr/bin/python -b job.py -b 8");
        assert_eq!(after("python -m pkg.train -b 4"), "python -m pkg.train -b 8");
        assert_eq!(after("python -"), "python -");
        assert_eq!(after("python"), "python");
    }

    #[test]
    fn replaces_the_value_of_an_option_that_is_there() {
        assert_eq!(applied("t --num-workers 2", "num_workers", "0", false).command.join(" "), "t --num-workers 0");
        assert_eq!(
            applied("t --num-workers=2 -v", "num_workers", "0", false).command.join(" "),
            "t --num-workers=0 -v"
        );
    }

    #[test]
    fn puts_words_in_front_of_the_command_for_the_level_that_has_some() {
        assert_eq!(applied("./train -v", "aslr", "off", false).command.join(" "), "setarch -R ./train -v");
        assert_eq!(applied("./train -v", "aslr", "off", false).read_back.len(), 1);
        assert_eq!(applied("./train -v", "aslr", "as-is", false).command.join(" "), "./train -v");
    }

    #[test]
    fn says_so_when_no_way_leads_to_the_job() {
        let applied = applied("./train", "cudnn.benchmark", "on", false);
        assert!(applied.unapplied[0].1.contains("cannot be applied to this job yet"), "{:?}", applied.unapplied);
        assert!(applied.read_back.is_empty());
    }

    #[test]
    fn asks_the_shim_and_does_not_believe_itself() {
        let applied = applied("python t.py", "seed.torch", "0", true);
        assert_eq!(applied.shim.len(), 1);
        assert!(applied.read_back.is_empty() && applied.unapplied.is_empty());
    }

    #[test]
    fn sets_every_variable_that_libraries_read_for_threads() {
        let applied = applied("./train", "threads", "3", false);
        assert_eq!(applied.environment["OMP_NUM_THREADS"], "3");
        assert_eq!(applied.environment["MKL_NUM_THREADS"], "3");
        assert_eq!(applied.read_back.len(), 1);
    }

    #[test]
    fn knows_which_levels_the_environment_carries_into_a_job_that_cannot_be_entered() {
        let threads = applied("python t.py", "threads", "1", true);
        assert_eq!((threads.shim.len(), threads.carried.len()), (1, 1));
        assert!(applied("python t.py", "deterministic_algorithms", "on", true).carried.is_empty());
    }

    #[test]
    fn hides_the_cards_for_the_cpu_only() {
        assert_eq!(applied("./train", "device", "cpu", false).environment["CUDA_VISIBLE_DEVICES"], "");
        assert_eq!(applied("./train", "device", "cuda", false).unapplied.len(), 1);
    }
}
