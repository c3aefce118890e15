//! A terminal for a run to write to, for jobs that behave otherwise on a pipe.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use tokio::process::ChildStdout;

use crate::error::Error;

/// Wide enough that progress bars do not break their lines.
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };

/// Our end of the terminal.
pub struct Terminal(OwnedFd);

impl Terminal {
    /// Opens a terminal and makes it the standard output of `command`.
    pub fn open(command: &mut Command) -> Result<Self, Error> {
        let mut open = || -> io::Result<Self> {
            let pair = openpty(&SIZE, None)?;
            for end in [pair.master.as_fd(), pair.slave.as_fd()] {
                // A run that held our end would never see the terminal close.
                fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
            }
            // Raw, so that line ends arrive as the job wrote them.
            let mut mode = tcgetattr(&pair.slave)?;
            cfmakeraw(&mut mode);
            tcsetattr(&pair.slave, SetArg::TCSANOW, &mode)?;
            command.stdout(Stdio::from(pair.slave));
            Ok(Self(pair.master))
        };
        open().map_err(|source| Error::System { doing: "open a terminal for the run".to_owned(), source })
    }

    /// What the run writes.
    pub fn reader(self) -> Result<ChildStdout, Error> {
        ChildStdout::from_std(std::process::ChildStdout::from(self.0))
            .map_err(|source| Error::System { doing: "read the run's terminal".to_owned(), source })
    }
}
