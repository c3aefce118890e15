//! The processes that a run started, however they hid: own session, own group, parent gone.
//!
//! The audit is the reaper of orphans, so everything that a run ever started is below the audit's own process. What is
//! there is sorted by run: below its main process, in that process's session or group, or with the run's nonce in its
//! environment. What was seen once is known again after its parent is gone.

use std::collections::HashSet;
use std::fs;

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::RUN_VARIABLE;

/// A process as `/proc/<pid>/stat` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Its parent's id.
    pub parent: u32,
    group: u32,
    session: u32,
    /// Clock ticks since boot when it was started: with the id, a name that is never used again.
    born: u64,
    dead: bool,
}

impl Process {
    /// Whether it is in the process group that `leader` leads.
    pub fn is_in_group(&self, leader: u32) -> bool {
        self.group == leader
    }
}

/// The mark by which the processes of one run are known.
#[derive(Debug)]
pub struct Mark {
    main: u32,
    nonce: String,
    known: HashSet<(u32, u64)>,
}

impl Mark {
    /// The mark of the run whose main process is `main` and whose [`RUN_VARIABLE`] is `nonce`.
    pub fn new(main: u32, nonce: String) -> Self {
        Self { main, nonce, known: HashSet::new() }
    }

    /// The run's main process.
    pub fn main(&self) -> u32 {
        self.main
    }

    /// The living processes of this run. Orphans of it that have died are reaped on the way.
    ///
    /// With `sole`, every orphan is taken for this run's: no other one is going.
    pub fn living(&mut self, others: &dyn Fn(u32) -> bool, sole: bool) -> Vec<Process> {
        let own = std::process::id();
        let mut living = Vec::new();
        let mut open: Vec<(Process, bool)> = children(own).into_iter().map(|process| (process, false)).collect();
        while let Some((process, inherited)) = open.pop() {
            if others(process.id) {
                continue;
            }
            let ours = inherited || self.owns(&process) || (sole && process.id != self.main && process.parent == own);
            if ours {
                self.known.insert((process.id, process.born));
                if process.dead {
                    if process.parent == own && process.id != self.main {
                        reap(process.id);
                    }
                } else {
                    living.push(process);
                }
            }
            // Children of a stranger are looked at too: a helper of the user's may have started them with our mark.
            open.extend(children(process.id).into_iter().map(|child| (child, ours)));
        }
        living
    }

    fn owns(&self, process: &Process) -> bool {
        process.id == self.main
            || process.session == self.main
            || process.group == self.main
            || self.known.contains(&(process.id, process.born))
            || carries(process.id, &self.nonce)
    }
}

/// Whether the environment that a process was started with holds this nonce.
fn carries(process: u32, nonce: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{process}/environ")) else { return false };
    environment.split(|&byte| byte == 0).any(|entry| {
        let value = entry.strip_prefix(RUN_VARIABLE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(|value| value == nonce.as_bytes())
    })
}

/// Takes a dead orphan off the process table.
fn reap(process: u32) {
    if let Ok(process) = i32::try_from(process) {
        let _ = waitpid(Pid::from_raw(process), Some(WaitPidFlag::WNOHANG));
    }
}

/// The children of a process, dead ones that wait for it included.
fn children(process: u32) -> Vec<Process> {
    listed(process).unwrap_or_else(|| searched(process))
}

/// From the kernel's own list, which costs one small read a thread.
fn listed(process: u32) -> Option<Vec<Process>> {
    // The list may skip an entry when a sibling ends while it is read, so an empty one is read twice.
    let first = listed_once(process)?;
    if first.is_empty() { listed_once(process) } else { Some(first) }
}

fn listed_once(process: u32) -> Option<Vec<Process>> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return Some(Vec::new()) };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(list) => children.extend(list.split_ascii_whitespace().filter_map(|id| look(id.parse().ok()?))),
            // A kernel without the list, or a thread that is gone.
            Err(_) if task.path().join("stat").exists() => return None,
            Err(_) => {}
        }
    }
    Some(children)
}

/// From the table of all processes, where the kernel keeps no list of children.
fn searched(process: u32) -> Vec<Process> {
    let Ok(table) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = table.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(look).filter(|found| found.parent == process).collect()
}

/// What the kernel says of one process.
pub fn look(id: u32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{id}/stat")).ok()?;
    // The name is in parentheses and may hold any byte, so count from the last parenthesis.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let fields: Vec<&str> = str::from_utf8(stat.get(end + 1..)?).ok()?.split_ascii_whitespace().collect();
    Some(Process {
        id,
        dead: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        born: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn sees_itself_as_the_kernel_does() {
        let own = look(std::process::id()).unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert!(!own.dead);
    }

    #[test]
    fn the_search_and_the_list_name_the_same_child() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let own = std::process::id();
        let by_list = children(own).iter().any(|process| process.id == child.id());
        let by_search = searched(own).iter().any(|process| process.id == child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(by_list && by_search, "{by_list} {by_search}");
    }

    #[test]
    fn a_process_without_the_nonce_is_a_stranger() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        let mut mark = Mark::new(u32::MAX - 1, "no such run".to_owned());
        let living = mark.living(&|_| false, false);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(living.iter().all(|process| process.id != child.id()));
    }
}
