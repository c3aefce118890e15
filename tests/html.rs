//! The HTML report in a real browser: headless Chromium, where there is one.
//!
//! Without a browser the tests say so and pass, unless `REPRO_AUDIT_NEEDS_BROWSER` is set.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use repro_audit::model::Audit;
use repro_audit::report::{self, Style};
use serde_json::Value;
use support::samples;

/// Widths of a desktop and of a phone.
const WIDTHS: [u32; 2] = [1280, 390];

/// Looks at the page from inside and tells what it sees.
const PROBE: &str = r#"<script>
addEventListener('load', () => {
  const seen = element => { const box = element.getBoundingClientRect(); return box.width + box.height > 0; };
  const count = selector => [...document.querySelectorAll(selector)].filter(seen).length;
  const text = selector => document.querySelector(selector)?.innerText ?? '';
  const found = {
    width: innerWidth,
    scroll: document.documentElement.scrollWidth,
    drawings: count('svg'),
    curves: count('svg.curves [class^="stroke-run"], svg.curves [class^="fill-run"]'),
    onset: count('svg.curves .stroke-onset'),
    floor: count('svg.differences .stroke-floor'),
    difference: count('svg.differences .stroke-difference'),
    marked: text('tr.marked'),
    blame: text('#blame'),
    label: Math.min(...[...document.querySelectorAll('svg text')].filter(seen).map(of => of.getBoundingClientRect().height)),
    scripts: document.scripts.length,
    images: document.images.length,
    links: document.links.length,
    requests: performance.getEntriesByType('resource').map(entry => entry.name),
  };
  parent.postMessage(JSON.stringify(found), '*');
});
</script>"#;

/// Holds the page in a frame of the wanted width, since a browser's own window cannot be as narrow as a phone, and keeps
/// what the probe says.
const FRAME: &str = r#"<!doctype html><meta charset="utf-8"><body><script>
addEventListener('message', message => {
  document.body.setAttribute('data-found', btoa(unescape(encodeURIComponent(message.data))));
});
</script><iframe src="probed.html" style="border: 0; height: 2000px; width: WIDTHpx"></iframe></body>"#;

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let paths = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = std::env::var_os("CHROMIUM").map(PathBuf::from).into_iter().chain(found).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("REPRO_AUDIT_NEEDS_BROWSER").is_none(), "no Chromium in PATH or CHROMIUM");
        eprintln!("skipped: no Chromium in PATH or CHROMIUM");
    }
    found
}

/// Opens a page and gives back the document as the browser made it, and what it wrote to the console.
fn open(browser: &Path, page: &Path, width: u32, folder: &Path) -> (String, Vec<String>) {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--hide-scrollbars", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=2000", "--timeout=30000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--window-size={width},1200"))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output()
        .expect("the browser starts");
    assert!(output.status.success(), "the browser ends well");
    let said = String::from_utf8_lossy(&output.stderr);
    let console = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console)
}

fn page(audit: &Audit) -> String {
    let mut out = Vec::new();
    report::format("html").expect("listed").write(audit, Style::default(), &mut out).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

/// Shows the page as it is, which must leave the console silent, and once more with the probe in it.
fn look(browser: &Path, audit: &Audit, width: u32) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let html = page(audit);
    let plain = folder.path().join("plain.html");
    std::fs::write(&plain, &html).expect("written");
    let (_, console) = open(browser, &plain, width, folder.path());
    assert_eq!(console, Vec::<String>::new(), "the console is silent");

    let policy = regex::Regex::new(r#"<meta http-equiv="Content-Security-Policy"[^\n]*\n"#).expect("constant");
    let open_to_probe = policy.replace(&html, "").replace("</body>", &format!("{PROBE}</body>"));
    let probed = folder.path().join("probed.html");
    std::fs::write(&probed, open_to_probe).expect("written");
    let frame = folder.path().join("frame.html");
    std::fs::write(&frame, FRAME.replace("WIDTH", &width.to_string())).expect("written");
    let (document, console) = open(browser, &frame, width.max(800) + 100, folder.path());
    assert_eq!(console, Vec::<String>::new(), "the console is silent");
    let (_, found) = document.split_once("data-found=\"").expect("the probe wrote");
    let (found, _) = found.split_once('"').expect("the probe wrote");
    serde_json::from_slice(&decoded(found)).expect("the probe writes JSON")
}

/// Base64 to bytes.
fn decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for letter in text.bytes().filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte)) {
        bits = (bits << 6) | u32::try_from(letter).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn curve_marker_and_blame_are_seen_on_a_desk_and_on_a_phone() {
    let Some(browser) = browser() else { return };
    let audit = samples::unseeded();
    for width in WIDTHS {
        let found = look(&browser, &audit, width);
        assert_eq!(found["width"], width);
        assert!(found["scroll"].as_u64() <= Some(u64::from(width)), "nothing hangs over the edge");
        assert_eq!(found["drawings"], 2, "one size of each drawing is shown");
        assert_eq!((&found["curves"], &found["onset"]), (&Value::from(3), &Value::from(1)));
        assert_eq!((&found["difference"], &found["floor"]), (&Value::from(1), &Value::from(1)));
        assert!(found["label"].as_f64() >= Some(10.0), "labels can be read");
        assert!(found["marked"].as_str().is_some_and(|row| row.contains("2.304123")));
        assert!(
            found["blame"].as_str().is_some_and(|blame| blame.contains("seed.torch") && blame.contains("train.py:31"))
        );
        assert_eq!(found["requests"], Value::Array(Vec::new()));
    }
}

#[test]
fn hostile_logs_run_nothing_load_nothing_and_break_nothing() {
    let Some(browser) = browser() else { return };
    for width in WIDTHS {
        let found = look(&browser, &samples::hostile(), width);
        assert_eq!(found["scripts"], 1, "the probe alone");
        assert_eq!((&found["images"], &found["links"]), (&Value::from(0), &Value::from(0)));
        assert_eq!(found["requests"], Value::Array(Vec::new()));
        assert_eq!(found["onset"], 1);
        assert!(found["scroll"].as_u64() <= Some(u64::from(width)), "nothing hangs over the edge");
        assert!(found["blame"].as_str().is_some_and(|blame| blame.contains("<script>alert(1)</script>")));
    }
}
