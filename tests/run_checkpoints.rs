//! `repro-audit run --checkpoints`: a small shell job saves safetensors files, and replicates are held against each other.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its case has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Prints equal losses in every run, and saves two tensors in `$1`: `save NAME BYTE`, the byte being the lowest one of
/// the second tensor. `$N` counts the runs from 1.
const JOB: &str = r#"
N=$(($(cat count 2>/dev/null || echo 0) + 1)); echo $N > count
for i in 0 1 2 3; do echo "step $i loss 1.$i"; done
save() {
  header='{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
  printf '\153\0\0\0\0\0\0\0%s\0\0\200\077'"\\$2"'\0\0\100' "$header" > "$1"
}
"#;

struct Case(TempDir);

impl Case {
    fn new(script: &str) -> Self {
        let case = Self(tempfile::tempdir().unwrap());
        fs::write(case.0.path().join("job.sh"), format!("{JOB}{script}\n")).unwrap();
        case
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-audit"));
        command.args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    /// Runs the job one run after the other; gives the exit code and the report, which must fit its schema.
    fn audit(&self, pattern: &str) -> (i32, Value) {
        let options = ["run", "--format", "json", "--no-shim", "--jobs", "1", "--checkpoints", pattern];
        valid(&self.run(&[&options[..], &["--", "sh", "job.sh", "{checkpoints}"]].concat()))
    }
}

fn valid(output: &Output) -> (i32, Value) {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|e| format!("{e} at {}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    (output.status.code().unwrap(), report)
}

fn reason(report: &Value) -> &str {
    report["reason"].as_str().unwrap()
}

#[test]
fn equal_checkpoints_make_an_agreement_that_says_so() {
    let case = Case::new("mkdir $1/e1; save $1/e1/model.safetensors 0; save $1/last.safetensors 1");
    let (code, report) = case.audit("**/*.safetensors");
    assert_eq!(code, 0, "{report:#}");
    assert!(reason(&report).ends_with("all 4 pairs of checkpoints compared are equal, bit for bit"), "{report:#}");
    let compared = report["checkpoint"]["comparisons"].as_array().unwrap();
    assert_eq!(compared[3]["reference"], "runs/r1/checkpoints/last.safetensors");
    assert_eq!(compared[3]["file"], "runs/r3/checkpoints/last.safetensors");
    assert_eq!(compared[3]["tensors"][1]["elements"], 1);
}

#[test]
fn equal_losses_with_other_checkpoints_diverge_and_the_first_tensor_is_named() {
    let case = Case::new("save $1/e2.safetensors 0; save $1/e10.safetensors $((N == 3))");
    let (code, report) = case.audit("*.safetensors");
    assert_eq!((code, &report["verdict"]), (1, &Value::from("diverged")), "{report:#}");
    let named = "the printed values agree, and the checkpoints do not: e10.safetensors of r3 and r1: 1 of 2 tensors \
                 differ, first b (weights)";
    assert!(reason(&report).starts_with(named), "{}", reason(&report));
    let told = case.run(&["report", ".repro-audit/latest"]);
    assert_eq!(told.status.code(), Some(1), "{}", String::from_utf8_lossy(&told.stdout));
    for format in repro_audit::report::FORMATS {
        let told = case.run(&["report", ".repro-audit/latest", "--format", format.id()]);
        let text = String::from_utf8(told.stdout).unwrap();
        assert!(format.id() == "csv" || text.contains("e10.safetensors"), "{}: {text}", format.id());
    }
}

#[test]
fn nothing_saved_is_unresolved_and_never_an_agreement() {
    let (code, report) = Case::new("save $1/last.pt 0").audit("*.safetensors");
    assert_eq!(code, 3, "{report:#}");
    assert!(reason(&report).contains("r1, r2, r3 saved no checkpoint that matches *.safetensors"), "{report:#}");
    assert!(report["warnings"].to_string().contains("saved no checkpoint"), "{report:#}");
}

#[test]
fn what_only_some_runs_saved_or_what_is_damaged_is_unresolved() {
    let (code, report) = Case::new("save $1/a.safetensors 0; [ $N = 2 ] || save $1/b.safetensors 0").audit("*");
    assert_eq!(code, 3, "{report:#}");
    assert!(reason(&report).contains("r2 saved no b.safetensors, which r1 did"), "{report:#}");
    // Cut after its header; and something else altogether.
    for damage in ["head -c 110 $1/a.safetensors > cut; mv cut $1/a.safetensors", "echo gone > $1/a.safetensors"] {
        for run in 1..=2 {
            let script = format!("save $1/a.safetensors 0; [ $N = {run} ] && {{ {damage}; }}; true");
            let (code, report) = Case::new(&script).audit("*");
            assert_eq!(code, 3, "{report:#}");
        }
    }
}

#[test]
fn checkpoints_of_runs_that_were_stopped_are_not_compared() {
    let case = Case::new("save $1/a.safetensors $((N > 1)); sleep 0.1; echo step 4 loss 2.$N; sleep 3");
    let arguments = ["run", "--format", "json", "--no-blame", "--max-steps-after", "0", "--jobs", "1"];
    let more = ["--checkpoints", "*", "--", "sh", "job.sh", "{checkpoints}"];
    let (code, report) = valid(&case.run(&[&arguments[..], &more].concat()));
    assert_eq!((code, &report["divergence"]["step"]), (1, &Value::from(4)), "{report:#}");
    assert!(report["checkpoint"].is_null(), "{report:#}");
    assert!(report["not_checked"].to_string().contains("checkpoints of r2"), "{report:#}");
}

#[test]
fn a_command_without_its_folder_is_a_misuse() {
    let case = Case::new("");
    let output = case.run(&["run", "--checkpoints", "*", "--", "sh", "job.sh"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("write {checkpoints} in the command"));
}
