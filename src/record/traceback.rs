//! Whether an output ends in a Python traceback. A pipe (`python train.py | tee log`) or a script ends well although the
//! training in it did not.

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
