//! Every way in which the tool itself can fail, by name. A job that crashes is a result, not an error.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Every way in which the tool itself can fail.
#[derive(Debug)]
pub enum Error {
    /// A file or folder could not be read or written.
    File {
        /// What was being done, as a verb: "read", "write", "create".
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is there, and it is not what it should be.
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// What was asked for makes no sense: the message says what to type instead.
    Misuse(String),
    /// A program could not be started.
    Launch {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// Something of the operating system failed.
    System {
        /// What was being done.
        doing: String,
        /// Why.
        source: io::Error,
    },
}

/// The result of anything that can fail by our own or the user's fault.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For use in `map_err`: a file could not be read, written or created.
    pub fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { doing, path, source } => write!(f, "cannot {doing} {}: {source}", path.display()),
            Self::Malformed { path, what } => write!(f, "{}: {what}", path.display()),
            Self::Misuse(what) => f.write_str(what),
            Self::Launch { program, source } => {
                write!(f, "cannot start {program}: {source}; give the command after `--` as you would type it")
            }
            Self::System { doing, source } => write!(f, "cannot {doing}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } | Self::Launch { source, .. } | Self::System { source, .. } => Some(source),
            Self::Malformed { .. } | Self::Misuse(_) => None,
        }
    }
}
