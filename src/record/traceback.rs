//! Whether an output ends in a Python traceback, and what of it to tell. A pipe (`python train.py | tee log`) or a script ends
//! well although the training in it did not.

use std::borrow::Cow;

/// Lines at the margin that the message of an error of torch's may take beyond its first, advice on how to find out more.
const MOST_ADVICE: usize = 3;

/// Errors that come with such advice.
const ADVISED: [&str; 4] = ["RuntimeError", "AcceleratorError", "OutOfMemoryError", "DistBackendError"];

/// Tracebacks that follow these are told and passed over by Python itself.
const PASSED_OVER: [&str; 3] = ["Exception ignored", "Exception in thread", "--- Logging error ---"];

/// Whether the last thing in this text, the end of an output, is the traceback of an error that nobody caught.
///
/// The form is that of the standard library's `traceback`: a head, indented frames, then `Name: message` at the margin.
pub fn ends_in_traceback(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(without_rank).filter(|line| !line.trim().is_empty()).collect();
    let Some(head) = lines.iter().rposition(|line| *line == "Traceback (most recent call last):") else { return false };
    let passed_over =
        head.checked_sub(1).is_some_and(|before| PASSED_OVER.iter().any(|words| lines[before].starts_with(words)));
    let behind = &lines[head + 1..];
    let frames = behind.iter().take_while(|line| line.starts_with([' ', '\t'])).count();
    let Some(error) = behind.get(frames) else { return false };
    let more = behind.len() - frames - 1;
    let indented = behind[frames + 1..].iter().filter(|line| line.starts_with([' ', '\t'])).count();
    let advised = ADVISED.iter().any(|name| error.split(':').next().is_some_and(|line| line.ends_with(name)));
    let most = if advised { MOST_ADVICE } else { 0 };
    !passed_over && frames > 0 && is_error(error) && more - indented <= most
}

/// The lines of the end of an output that say most, `most` at most: the last ones, or, where the error came up in a library, the
/// innermost frame of the user's own code and the error.
pub fn telling(text: &str, most: usize) -> Vec<Cow<'_, str>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(most);
    let own = if ends_in_traceback(text) { own_frame(&lines) } else { None };
    let Some((frame, error)) = own.filter(|(frame, _)| *frame < last && most > 3) else {
        return lines[last..].iter().map(|line| Cow::Borrowed(*line)).collect();
    };
    let inner = lines[frame + 1..error].iter().filter(|line| file_of(line).is_some()).count();
    let source = lines[frame + 1..error].iter().take(1).filter(|line| file_of(line).is_none());
    let frames = if inner == 1 { "frame" } else { "frames" };
    let between = format!("  ... {inner} {frames} of libraries");
    let told = lines[frame..=frame].iter().chain(source).map(|line| Cow::Borrowed(*line));
    let mut told: Vec<Cow<'_, str>> = told.chain([Cow::Owned(between)]).collect();
    let room = most - told.len();
    told.extend(lines[error..].iter().take(room).map(|line| Cow::Borrowed(*line)));
    told
}

/// Of lines that end in a traceback: the place of the innermost frame outside of libraries, and that of the error.
fn own_frame(lines: &[&str]) -> Option<(usize, usize)> {
    let head = lines.iter().rposition(|line| without_rank(line) == "Traceback (most recent call last):")?;
    let frames = lines[head + 1..].iter().take_while(|line| without_rank(line).starts_with([' ', '\t'])).count();
    let error = head + 1 + frames;
    let own = |line: &&str| file_of(line).is_some_and(|file| !LIBRARIES.iter().any(|part| file.contains(part)));
    lines[head + 1..error].iter().rposition(own).map(|at| (head + 1 + at, error))
}

/// Parts of the paths of files that are not the user's.
const LIBRARIES: [&str; 5] = ["/site-packages/", "/dist-packages/", "/lib/python", "<frozen ", "/repro_audit_shim/"];

/// The file that a line of a traceback names: `  File "train.py", line 9, in main`.
fn file_of(line: &str) -> Option<&str> {
    without_rank(line).trim_start().strip_prefix("File \"")?.split('"').next()
}

/// `ValueError: message`, `torch.OutOfMemoryError: message`, `KeyboardInterrupt`.
fn is_error(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or(line);
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    name.chars().all(word) && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// A line without the mark that torch puts before the lines of a traceback in a job of several ranks: `[rank0]: `.
fn without_rank(line: &str) -> &str {
    let behind = line.strip_prefix("[rank").and_then(|rest| rest.split_once("]:"));
    match behind {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            rest.strip_prefix(' ').unwrap_or(rest)
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "step 3 loss 0.5\nTraceback (most recent call last):\n  File \"train.py\", line 9, in <module>\n    main()\n";

    #[test]
    fn an_error_that_nobody_caught_is_the_end() {
        for error in ["KeyError: 'x'", "KeyboardInterrupt", "torch.OutOfMemoryError: CUDA out of memory.\nTried 2 GiB"]
        {
            assert!(ends_in_traceback(&format!("{HEAD}{error}\n")), "{error}");
        }
        let ranks: String = HEAD.lines().map(|line| format!("[rank1]: {line}\n")).collect();
        assert!(ends_in_traceback(&format!("{ranks}[rank1]: RuntimeError: gone\n\n")));
    }

    #[test]
    fn an_error_in_a_library_is_told_with_the_users_own_frame() {
        let frame = |file: &str, source: &str| format!("  File \"{file}\", line 7, in f\n    {source}\n");
        let library = frame("/x/lib/python3.11/site-packages/torch/nn/modules/linear.py", "return F.linear(input)");
        let text = format!("{HEAD}{}{library}{library}RuntimeError: shapes\nof 2\n", frame("model.py", "self.head(x)"));
        let told = telling(&text, 5);
        assert_eq!(told[0], "  File \"model.py\", line 7, in f");
        assert_eq!(told[1..], ["    self.head(x)", "  ... 2 frames of libraries", "RuntimeError: shapes", "of 2"]);

        let own = format!("{HEAD}{}KeyError: 'x'\n", frame("model.py", "table[x]"));
        assert_eq!(telling(&own, 3), ["  File \"model.py\", line 7, in f", "    table[x]", "KeyError: 'x'"]);
        assert_eq!(telling("one\n\ntwo\nthree\n", 2), ["two", "three"]);
        assert_eq!(telling(&format!("{library}OSError: 9\n"), 5).len(), 3);
        assert_eq!(telling("", 5), [""; 0]);
    }

    #[test]
    fn a_job_that_goes_on_has_caught_it() {
        let on: String = (4..20).map(|step| format!("step {step} loss 0.4\n")).collect();
        assert!(!ends_in_traceback(&format!("{HEAD}KeyError: 'x'\n{on}")));
        assert!(!ends_in_traceback("step 3 loss 0.5\n"));
        assert!(!ends_in_traceback(&format!("{HEAD}KeyError: 'x'\ndone\n")));
        assert!(!ends_in_traceback(HEAD));
        assert!(!ends_in_traceback(""));
    }

    #[test]
    fn what_python_itself_passes_over_is_no_end() {
        for before in ["Exception ignored in: <function Pool.__del__ at 0x7f>", "Exception in thread Thread-3 (watch):"]
        {
            let text =
                format!("{before}\nTraceback (most recent call last):\n  File \"x.py\", line 1, in f\nOSError: 9\n");
            assert!(!ends_in_traceback(&text), "{before}");
        }
    }
}
