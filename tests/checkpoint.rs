//! `repro-audit diff` of checkpoints, through the binary, on files written here.
#![expect(clippy::unwrap_used, reason = "a test that cannot write its files has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// A folder of files that goes away with the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A safetensors file of vectors of binary32.
    fn safetensors(&self, name: &str, tensors: &[(&str, &[f32])]) -> PathBuf {
        let mut header = serde_json::Map::new();
        let mut data = Vec::new();
        for (name, values) in tensors {
            let begin = data.len();
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            let entry = json!({ "dtype": "F32", "shape": [values.len()], "data_offsets": [begin, data.len()] });
            header.insert((*name).to_owned(), entry);
        }
        let text = Value::from(header).to_string();
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        self.file(name, &bytes)
    }
}

/// Exit code, standard output, standard error.
fn diff(format: &str, files: &[&Path]) -> (i32, String, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_repro-audit"))
        .args(["diff", "--format", format])
        .args(files)
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ran.status.code().unwrap(), text(ran.stdout), text(ran.stderr))
}

#[test]
fn names_the_first_tensor_in_the_order_of_the_file_and_its_first_element() {
    let folder = Folder::new();
    let a = folder.safetensors("a.safetensors", &[("z.weight", &[1.0, 2.0, 3.0]), ("a.weight", &[4.0, 5.0])]);
    let b = folder
        .safetensors("b.safetensors", &[("z.weight", &[1.0, 2.0, 3.0_f32.next_up()]), ("a.weight", &[f32::NAN, 5.0])]);
    let (code, out, _) = diff("json", &[&a, &b]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1);
    assert_eq!(report["divergence"]["metric"], "z.weight");
    assert_eq!(report["divergence"]["ulps"], 1);
    let tensors = &report["checkpoint"]["comparisons"][0]["tensors"];
    assert_eq!(tensors[0]["spread"]["first"]["index"], json!([2]));
    assert_eq!(tensors[1]["kind"], "nan");
}

#[test]
fn equal_checkpoints_agree_and_empty_ones_are_unresolved() {
    let folder = Folder::new();
    let a = folder.safetensors("a.safetensors", &[("w", &[1.0])]);
    let empty = folder.safetensors("empty.safetensors", &[]);
    assert_eq!(diff("json", &[&a, &a]).0, 0);
    assert_eq!(diff("json", &[&a, &a, &a]).0, 0);
    assert_eq!(diff("json", &[&empty, &empty]).0, 3);
    assert_eq!(diff("json", &[&a, &empty]).0, 1);
}

#[test]
fn every_format_writes_it_and_json_is_as_published() {
    let folder = Folder::new();
    let a = folder.safetensors("a.safetensors", &[("w", &[1.0, -0.0]), ("old\u{1b}[31m", &[2.0]), ("same", &[3.0])]);
    let b = folder.safetensors("b.safetensors", &[("w", &[1.5, 0.0]), ("new", &[7.0]), ("same", &[3.0])]);
    for format in repro_audit::report::FORMATS {
        let (code, out, _) = diff(format.id(), &[&a, &b]);
        assert_eq!(code, 1, "{}", format.id());
        assert!(out.contains("w (weights)") || out.contains("w,weights"), "{}: {out}", format.id());
        assert!(!out.contains('\u{1b}'), "{}", format.id());
    }
    let schema = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json")).unwrap();
    let validator = jsonschema::draft202012::options().build(&serde_json::from_str(&schema).unwrap()).unwrap();
    let report: Value = serde_json::from_str(&diff("json", &[&a, &b]).1).unwrap();
    let errors: Vec<String> = validator.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn the_table_shows_what_differs_and_only_that() {
    let folder = Folder::new();
    let a = folder.safetensors("a.safetensors", &[("layer.weight", &[1.0, 2.0]), ("layer.bias", &[3.0])]);
    let b = folder.safetensors("b.safetensors", &[("layer.weight", &[1.0, 2.5]), ("layer.bias", &[3.0])]);
    let (_, out, _) = diff("table", &[&a, &b]);
    assert!(out.contains("1 of 2 tensors differ"), "{out}");
    assert!(out.contains("layer.weight") && !out.contains("layer.bias"), "{out}");
}

#[test]
fn a_log_beside_a_checkpoint_is_a_misuse() {
    let folder = Folder::new();
    let a = folder.safetensors("a.safetensors", &[("w", &[1.0])]);
    let log = folder.file("a.log", b"step 1 loss 0.5\n");
    let (code, out, said) = diff("json", &[&a, &log]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(said.contains("is a checkpoint"), "{said}");
}

#[test]
fn damaged_headers_are_errors() {
    let folder = Folder::new();
    let good = folder.safetensors("a.safetensors", &[("w", &[1.0])]);
    let huge = folder.file("huge.safetensors", &[&u64::MAX.to_le_bytes()[..], b"{}"].concat());
    let whole = fs::read(&good).unwrap();
    let cut = folder.file("cut.safetensors", &whole[..whole.len() - 1]);
    for bad in [huge, cut, folder.file("none.safetensors", b"")] {
        let (code, out, said) = diff("json", &[&good, &bad]);
        assert_eq!((code, out.as_str()), (2, ""), "{said}");
        assert!(said.contains("safetensors"), "{said}");
    }
}

/// A copy of one of the folders that `fixtures/checkpoints/make.py` saved, with some bytes of a file replaced.
fn distributed(folder: &Folder, of: &str, changed: Option<(&str, &[u8], &[u8])>) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkpoints").join(of);
    let to = folder.0.path().join(format!("{of}-copy"));
    let _ = fs::remove_dir_all(&to);
    fs::create_dir(&to).unwrap();
    for name in [".metadata", "__0_0.distcp"] {
        let mut bytes = fs::read(from.join(name)).unwrap();
        if let Some((_, old, new)) = changed.filter(|(file, ..)| *file == name) {
            let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
            bytes.splice(at..at + old.len(), new.iter().copied());
        }
        fs::write(to.join(name), bytes).unwrap();
    }
    to
}

#[test]
fn a_distributed_checkpoint_is_compared_whatever_pieces_its_tensors_lie_in() {
    let folder = Folder::new();
    let (whole, pieces) = (distributed(&folder, "whole", None), distributed(&folder, "pieces", None));
    assert_eq!(diff("json", &[&whole, &whole]).0, 0);
    let (code, out, said) = diff("json", &[&whole, &pieces]);
    assert_eq!(code, 1, "{said}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let compared = &report["checkpoint"]["comparisons"][0];
    assert_eq!(compared["formats"], json!(["torch distributed", "torch distributed"]));
    assert_eq!((&compared["state_compared"], &compared["state"]), (&json!(1), &json!([])));
    let tensors = compared["tensors"].as_array().unwrap();
    let kinds: Vec<_> = tensors.iter().map(|one| (&one["name"], &one["kind"], &one["elements"])).collect();
    let (w, b) = (json!("model.w"), json!("model.b"));
    assert_eq!(kinds, [(&w, &json!("value"), &json!(15)), (&b, &json!("equal"), &json!(3))]);
    assert_eq!(tensors[0]["differing"], 1);
    assert_eq!(tensors[0]["spread"]["first"]["index"], json!([3, 1]));
    assert_eq!(tensors[0]["spread"]["first"]["values"], json!([10.0, 11.0]));
}

#[test]
fn a_distributed_checkpoint_that_claims_too_much_is_refused() {
    let folder = Folder::new();
    let good = distributed(&folder, "whole", None);
    let cases: [(&[u8], &[u8], &str); 4] = [
        (b"__0_0.distcp", b"../_0.distcp", "does not lie in the folder"),
        // The tensor of 5 rows gets 6, which its piece does not hold.
        (b"K\x05K\x03\x86", b"K\x06K\x03\x86", "do not make up the whole"),
        (b"storage_data", b"storage_dada", "names no files"),
        (b"\x80\x04\x95", b"\x80\x04\xff", "damaged"),
    ];
    for (old, new, why) in cases {
        let bad = distributed(&folder, "pieces", Some((".metadata", old, new)));
        let (code, out, said) = diff("json", &[&good, &bad]);
        assert_eq!((code, out.as_str()), (2, ""), "{why}: {said}");
        assert!(said.contains(why), "{why}: {said}");
    }
    let cut = distributed(&folder, "pieces", None);
    let file = fs::OpenOptions::new().write(true).open(cut.join("__0_0.distcp")).unwrap();
    file.set_len(5000).unwrap();
    let (code, _, said) = diff("json", &[&good, &cut]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("outside of the file"), "{said}");
}
