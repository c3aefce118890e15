//! The programs by which every site lets its users talk to Slurm: `sbatch`, `squeue`, `scancel`. Their text is stable.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::queue;
use crate::error::{Error, Result};

/// How long a controller may take to answer; one that is down takes some 9 s to say so.
const PATIENCE: Duration = Duration::from_secs(60);

/// Submits a job; gives its id.
pub async fn submit(arguments: &[String], script: &str) -> Result<String> {
    let told = ask("sbatch", arguments, script).await.map_err(refused)?;
    // `62` or, where there are several clusters, `62;cluster`.
    let id = told.trim().lines().last().unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { Ok(id) } else { Err(refused(format!("it printed {told:?} instead of a job id"))) }
}

fn refused(why: String) -> Error {
    Error::Launch { program: "sbatch".to_owned(), source: std::io::Error::other(why) }
}

/// What Slurm says of the tasks of these names; an error says why it could not be asked.
pub async fn look(names: Vec<String>) -> Result<Vec<queue::Row>, String> {
    let options = ["-h", "-r", "-t", "all", "-o", queue::FORMAT, "-n", &names.join(",")].map(str::to_owned);
    let answer = ask("squeue", &options, "").await?;
    Ok(queue::rows(&answer, &names))
}

/// Cancels tasks of the submission `name`: those of `tasks` (`62_0`), or all of it. Never a job of another name.
pub async fn cancel(name: &str, tasks: &[String]) {
    let mut options = vec![format!("--name={name}")];
    options.extend_from_slice(tasks);
    // What is gone already cannot be cancelled, which is what was wanted.
    let _ = ask("scancel", &options, "").await;
}

async fn ask(program: &str, arguments: &[String], input: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // Formats and filters of the user's own would change what we read.
    for name in ["SQUEUE_FORMAT", "SQUEUE_FORMAT2", "SQUEUE_STATES", "SQUEUE_NAMES", "SQUEUE_USERS", "SQUEUE_PARTITION"]
    {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C");
    let told = async {
        let mut child = command.spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            // One that ends without reading says why by itself.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(PATIENCE, told).await {
        Err(_) => return Err(format!("{program} did not answer within {PATIENCE:?}")),
        Ok(Err(why)) => return Err(why.to_string()),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(said.lines().last().unwrap_or("it failed and said nothing").trim().to_owned())
}
