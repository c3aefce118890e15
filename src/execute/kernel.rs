//! What can only be asked of the kernel itself, most of it in a new process between fork and exec. The only unsafe code of this stage.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{getppid, setsid};

/// Gives the new process a session (and so a process group) of its own and lets it die when its starter dies.
///
/// The kernel sends the signal when the *thread* that started the process ends: the caller's thread must outlive it,
/// which a blocking call on one thread does.
pub fn isolate(command: &mut Command) {
    let starter = nix::unistd::getpid();
    let prepare = move || {
        setsid()?;
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(super::signal::LAST_WORD)?;
        // The starter may have died before the line above; then no signal would ever come.
        if getppid() == starter { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: after fork only async-signal-safe calls are allowed; `prepare` makes three system calls and allocates nothing.
    #[expect(unsafe_code, reason = "there is no safe way to act between fork and exec")]
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Gives the new process a session of its own, so that no terminal and no group signal reaches it.
pub fn detach(command: &mut Command) {
    let prepare = || {
        setsid()?;
        Ok(())
    };
    // SAFETY: one async-signal-safe system call, no allocation.
    #[expect(unsafe_code, reason = "there is no safe way to act between fork and exec")]
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Makes orphaned descendants children of this process, so that they can be found and ended.
pub fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // A kernel without it (before 3.4) leaves the session and the run variable to find descendants by.
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Gives a signal its default effect again, and tells what it had before.
pub fn default_effect(signal: Signal) -> Option<SigAction> {
    effect(signal, &SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty()))
}

/// Gives a signal the effect that [`default_effect`] took from it.
pub fn earlier_effect(signal: Signal, earlier: &SigAction) {
    effect(signal, earlier);
}

fn effect(signal: Signal, action: &SigAction) -> Option<SigAction> {
    // SAFETY: the action is the default or one that was in place before, so no handler comes in that is not fit to be one.
    #[expect(unsafe_code, reason = "the runtime never gives a signal back")]
    unsafe {
        sigaction(signal, action).ok()
    }
}
