//! A small process that outlives the audit, if only to end what a killed audit leaves behind.
//!
//! The kernel ends a run's main process when the audit dies, and nothing else: not the workers that it started. So a
//! shell waits on a pipe whose other end only the audit holds. When the pipe closes without a farewell, it ends the runs'
//! process groups and whatever carries the audit's nonce in its environment.

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::{RUN_VARIABLE, kernel};

const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
groups=
while read -r word group; do
    case $word in
    start) groups="$groups $group" ;;
    end)
        rest=
        for other in $groups; do [ "$other" = "$group" ] || rest="$rest $other"; done
        groups=$rest
        ;;
    farewell) exit 0 ;;
    esac
done
for group in $groups; do kill -KILL "-$group"; done
round=0
while [ "$round" -lt 50 ]; do
    left=$(grep -laF -- "$1" /proc/[0-9]*/environ)
    [ -n "$left" ] || break
    for file in $left; do
        process=${file#/proc/}
        kill -KILL "${process%/environ}"
    done
    round=$((round + 1))
    sleep 0.1
done
"#;

/// The process that waits for the audit's death.
pub struct Watchdog {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts it for an audit whose runs carry nonces that begin with `nonce`; `None` where there is no shell.
    pub fn start(nonce: &str) -> Option<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "repro-audit-watchdog", &format!("{RUN_VARIABLE}={nonce}")]);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        kernel::detach(&mut command);
        let mut process = command.spawn().ok()?;
        let pipe = process.stdin.take();
        Some(Self { process, pipe })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A process group was started.
    pub fn started(&mut self, group: u32) {
        self.say(&format!("start {group}\n"));
    }

    /// A process group is gone; its number may come back as somebody else's.
    pub fn ended(&mut self, group: u32) {
        self.say(&format!("end {group}\n"));
    }

    fn say(&mut self, line: &str) {
        if let Some(pipe) = &mut self.pipe
            && pipe.write_all(line.as_bytes()).is_err()
        {
            // Somebody ended it. The kernel's own means are left.
            self.pipe = None;
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Without a farewell it ends what is still running, which is what a panic needs.
        if !std::thread::panicking() {
            self.say("farewell\n");
        }
        self.pipe = None;
        let _ = self.process.wait();
    }
}
