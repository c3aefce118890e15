//! An input of the job that we vary on purpose.

use std::fmt;

/// Name of a setting: `num_workers`, `seed.torch`, `env.CUBLAS_WORKSPACE_CONFIG`, `arg.lr`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettingId(String);

impl SettingId {
    /// Takes the id as it stands; the catalogue resolves aliases before this.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The variable's name, for `env.NAME`.
    pub fn environment_variable(&self) -> Option<&str> {
        self.0.strip_prefix("env.")
    }

    /// The placeholder's name, for `arg.NAME`.
    pub fn argument(&self) -> Option<&str> {
        self.0.strip_prefix("arg.")
    }
}

impl fmt::Display for SettingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(String);

impl Level {
    /// Takes the level's text as it stands.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The level that leaves the job alone.
    pub fn as_is() -> Self {
        Self("as-is".to_owned())
    }

    /// Whether this is the level that leaves the job alone.
    pub fn is_as_is(&self) -> bool {
        self.0 == "as-is"
    }

    /// The level's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which levels a setting takes, besides `as-is`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Levels {
    /// `on` and `off`.
    OnOff,
    /// One of these words.
    Words(Vec<String>),
    /// A whole number, at least this.
    Number(i64),
    /// Any text.
    Any,
}

/// What must be there for a setting to mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The job runs in a Python that the shim can enter.
    Python,
    /// The job uses PyTorch.
    Torch,
    /// The job uses JAX.
    Jax,
    /// The job uses TensorFlow.
    Tensorflow,
    /// A CUDA card.
    Cuda,
}

/// One way in which a level reaches the job. The first one that fits is taken; variables and the shim add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A placeholder `{NAME}` in the command.
    Placeholder(String),
    /// An option of the command that is already there, such as `--num-workers`: its value is replaced.
    Flag(Vec<String>),
    /// Environment variables, for the levels listed: (level or `*`, [(name, value)]). `{level}` in a value is replaced.
    Environment(Vec<(String, Vec<(String, String)>)>),
    /// Words in front of the command, such as `setarch -R`, for the levels listed: (level or `*`, words). `{level}` in a word
    /// is replaced.
    Wrapper(Vec<(String, Vec<String>)>),
    /// A working folder of the run's own, in which everything is linked but for what earlier runs left.
    Folder,
    /// An instruction to the Python shim.
    Shim,
}

/// How it is known that a level took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadBack {
    /// The command that was run shows it: a placeholder or an option was replaced.
    Command,
    /// The environment that the process was given shows it, since the libraries read it when they start.
    Environment,
    /// The shim reads it from inside the process.
    Shim,
}

/// An entry of the catalogue: an input of the job that we vary on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its id.
    pub id: SettingId,
    /// Other names a user may type.
    pub aliases: Vec<String>,
    /// One line: what it is.
    pub summary: String,
    /// The levels it takes.
    pub levels: Levels,
    /// What must be there.
    pub needs: Vec<Need>,
    /// How a level reaches the job.
    pub reach: Vec<Reach>,
    /// How it is known that it took effect.
    pub read_back: ReadBack,
    /// The level that holds this source of variation still, where there is one: what blame tries.
    pub hold: Option<Level>,
    /// The level that only tells where to look, since it makes another job of it: what blame tries last.
    pub probe: Option<Level>,
    /// Cause ids that holding it can cure.
    pub cures: Vec<String>,
    /// One line: what it may cost.
    pub cost: String,
}
