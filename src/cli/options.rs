//! The options of `run` elsewhere: typed for another subcommand, or written in `repro-audit.toml`.

use clap::Args;

use super::Run;

/// Options of `run` that were typed for another subcommand: name without dashes, and the values (none for a flag).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions(pub Vec<(String, Vec<String>)>);

/// Options of `run` that mean nothing to a gate, or something of its own.
const NOT_OF_A_GATE: &[&str] =
    &["policy", "continue_", "attach", "detach", "dry_run", "job", "format", "output", "color", "quiet"];
/// Options of `run` that mean nothing in a file.
const NOT_OF_A_FILE: &[&str] = &["policy", "continue_", "attach", "detach", "dry_run", "job"];

/// The definitions of the options of `run`, but for some.
fn definitions(but: &[&str]) -> Vec<clap::Arg> {
    let run = <Run as Args>::augment_args(clap::Command::new("run"));
    let wanted = |arg: &&clap::Arg| arg.get_long().is_some() && !but.contains(&arg.get_id().as_str());
    run.get_arguments().filter(wanted).cloned().collect()
}

/// The options that repro-audit.toml may hold besides `command` and `policy`: those of `run`, without their dashes.
pub fn project_options() -> Vec<String> {
    definitions(NOT_OF_A_FILE).iter().filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

/// Which of these options were typed, with their values.
fn typed(options: &[clap::Arg], matches: &clap::ArgMatches) -> Vec<(String, Vec<String>)> {
    let typed = |arg: &clap::Arg| {
        let id = arg.get_id().as_str();
        matches.try_contains_id(id).ok()?;
        let source = matches.value_source(id)?;
        let values = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
        let values = if arg.get_action().takes_values() { values.collect() } else { Vec::new() };
        let name = arg.get_long()?.to_owned();
        (source == clap::parser::ValueSource::CommandLine).then_some((name, values))
    };
    options.iter().filter_map(typed).collect()
}

/// The options of `run` that were typed, name without dashes and the values (none for a flag): these win over a file's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed(pub Vec<(String, Vec<String>)>);

impl clap::FromArgMatches for Typed {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(typed(&definitions(&["continue_", "attach", "job"]), matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Typed {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

impl RunOptions {
    /// The definitions, from the one list that `run` has.
    fn definitions() -> Vec<clap::Arg> {
        definitions(NOT_OF_A_GATE)
    }
}

impl clap::FromArgMatches for RunOptions {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(typed(&Self::definitions(), matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for RunOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.args(Self::definitions())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}
