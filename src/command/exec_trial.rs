//! `repro-audit exec-trial`: the runner on a node of a cluster; started by the jobs that an audit submits.

use crate::cli;
use crate::error::Result;
use crate::execute;

/// Carries out the run that Slurm has started this process for.
pub fn exec_trial(typed: &cli::ExecTrial) -> Result<u8> {
    execute::run_on_node(&typed.record)
}
