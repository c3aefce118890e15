//! Switches of libtorch's global context that tch does not bind.
//!
//! They are plain C++ methods of `at::Context`, unchanged since torch 1.12 (attention: 2.0). They are looked up by their
//! symbols in the libtorch that is loaded, so that one without them is said to lack the switch; a C++ file of our own would
//! need a compiler and headers for the same three calls. Each switch is read back after it was set.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::{CStr, CString, OsStr, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A switch: its name in reports, and the symbols of its setter and getter.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// The setting's name.
    pub name: &'static str,
    set: &'static CStr,
    read: &'static CStr,
}

/// `torch.backends.cudnn.deterministic`.
pub const CUDNN_DETERMINISTIC: Switch = Switch {
    name: "cudnn.deterministic",
    set: c"_ZN2at7Context21setDeterministicCuDNNEb",
    read: c"_ZNK2at7Context18deterministicCuDNNEv",
};
/// `torch.backends.cudnn.benchmark`.
pub const CUDNN_BENCHMARK: Switch = Switch {
    name: "cudnn.benchmark",
    set: c"_ZN2at7Context17setBenchmarkCuDNNEb",
    read: c"_ZNK2at7Context14benchmarkCuDNNEv",
};
/// `torch.backends.cudnn.enabled`.
pub const CUDNN_ENABLED: Switch = Switch {
    name: "cudnn.enabled",
    set: c"_ZN2at7Context19setUserEnabledCuDNNEb",
    read: c"_ZNK2at7Context16userEnabledCuDNNEv",
};
/// The attention kernels: flash, memory-efficient, plain mathematics, cuDNN.
pub const ATTENTION: [Switch; 4] = [
    Switch { name: "math", set: c"_ZN2at7Context13setSDPUseMathEb", read: c"_ZNK2at7Context18userEnabledMathSDPEv" },
    Switch { name: "flash", set: c"_ZN2at7Context14setSDPUseFlashEb", read: c"_ZNK2at7Context19userEnabledFlashSDPEv" },
    Switch {
        name: "efficient",
        set: c"_ZN2at7Context21setSDPUseMemEfficientEb",
        read: c"_ZNK2at7Context26userEnabledMemEfficientSDPEv",
    },
    Switch { name: "cudnn", set: c"_ZN2at7Context14setSDPUseCuDNNEb", read: c"_ZNK2at7Context19userEnabledCuDNNSDPEv" },
];

const CONTEXT: &CStr = c"_ZN2at13globalContextEv";
const SET_DETERMINISTIC: &CStr = c"_ZN2at7Context26setDeterministicAlgorithmsEbb";
const READ_DETERMINISTIC: &CStr = c"_ZNK2at7Context23deterministicAlgorithmsEv";

impl Switch {
    /// Sets the switch and reads it back.
    ///
    /// # Errors
    /// Where this libtorch has no such switch, or where it reads back otherwise.
    pub fn set(self, on: bool) -> Result<(), String> {
        let lacks = || format!("this libtorch has no switch {}", self.name);
        let context = context().ok_or_else(lacks)?;
        let (set, read) = (symbol(self.set).ok_or_else(lacks)?, symbol(self.read).ok_or_else(lacks)?);
        set_one(set, context, on);
        if read_one(read, context) != on {
            return Err(format!("{} does not read back as it was set", self.name));
        }
        Ok(())
    }
}

/// Turns deterministic algorithms on or off, as an error where an operation has none, and reads it back.
///
/// # Errors
/// Where this libtorch has no such switch, or where it reads back otherwise.
pub fn deterministic_algorithms(on: bool) -> Result<(), String> {
    let lacks = || "this libtorch has no switch for deterministic algorithms".to_owned();
    let context = context().ok_or_else(lacks)?;
    let set = symbol(SET_DETERMINISTIC).ok_or_else(lacks)?;
    let read = symbol(READ_DETERMINISTIC).ok_or_else(lacks)?;
    set_two(set, context, on, false);
    if read_one(read, context) != on {
        return Err("deterministic algorithms do not read back as they were set".to_owned());
    }
    Ok(())
}

/// The address of a symbol in what is loaded.
#[expect(unsafe_code, reason = "the loader's own look-up by name")]
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends in NUL, and the look-up has no precondition.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// `Context& at::globalContext()`.
#[expect(unsafe_code, reason = "a function of libtorch that tch does not bind")]
fn context() -> Option<*mut c_void> {
    let found = symbol(CONTEXT)?;
    // SAFETY: the mangled name is that of a function without arguments that gives a reference to an object which lives as
    // long as the process; in this ABI a reference is a pointer.
    let function: extern "C" fn() -> *mut c_void = unsafe { std::mem::transmute(found) };
    Some(function())
}

#[expect(unsafe_code, reason = "a method of libtorch that tch does not bind")]
fn set_one(method: *mut c_void, context: *mut c_void, on: bool) {
    // SAFETY: the mangled name says that the method takes one bool; `this` comes first in this ABI.
    let method: extern "C" fn(*mut c_void, bool) = unsafe { std::mem::transmute(method) };
    method(context, on);
}

#[expect(unsafe_code, reason = "a method of libtorch that tch does not bind")]
fn set_two(method: *mut c_void, context: *mut c_void, first: bool, second: bool) {
    // SAFETY: the mangled name says that the method takes two bools; `this` comes first in this ABI.
    let method: extern "C" fn(*mut c_void, bool, bool) = unsafe { std::mem::transmute(method) };
    method(context, first, second);
}

#[expect(unsafe_code, reason = "a method of libtorch that tch does not bind")]
fn read_one(method: *mut c_void, context: *mut c_void) -> bool {
    // SAFETY: the mangled name says that the method is const and takes nothing; each of these getters gives a bool.
    let method: extern "C" fn(*mut c_void) -> bool = unsafe { std::mem::transmute(method) };
    method(context)
}

/// The version of the libtorch that is loaded, as the files beside it tell it: `2.13.0+cu130`.
pub fn version() -> Option<String> {
    let library = library_file()?;
    let package = library.parent()?.parent()?;
    let text = |name: &str| std::fs::read_to_string(package.join(name)).ok();
    let quoted = |text: String| {
        let line = text.lines().find(|line| line.starts_with("__version__"))?.to_owned();
        line.split('\'').nth(1).map(str::to_owned)
    };
    text("version.py").and_then(quoted).or_else(|| text("build-version").map(|text| text.trim().to_owned()))
}

/// Loads the half of libtorch that knows cards. The linker leaves it out, since nothing here calls into it by name: it makes
/// itself known when it is loaded. Where there is none, libtorch finds no card.
#[expect(unsafe_code, reason = "the loader's own call")]
pub fn load_cards() {
    let Some(library) = library_file() else { return };
    let path = library.with_file_name(format!("{DLL_PREFIX}torch_cuda{DLL_SUFFIX}"));
    let Ok(path) = CString::new(path.into_os_string().into_vec()) else { return };
    // SAFETY: the path ends in NUL; what the library does when it is loaded is what it does in every Python process.
    unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
}

/// The file that holds `at::globalContext`.
#[expect(unsafe_code, reason = "the loader's own look-up by address")]
fn library_file() -> Option<PathBuf> {
    let address = symbol(CONTEXT)?;
    let mut facts = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `facts` is large enough, and the loader fills it where it gives another answer than 0; the name it points to
    // lives as long as the library is loaded.
    let name = unsafe {
        if libc::dladdr(address, facts.as_mut_ptr()) == 0 {
            return None;
        }
        let name = facts.assume_init().dli_fname;
        (!name.is_null()).then(|| CStr::from_ptr(name))?
    };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}
