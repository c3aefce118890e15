//! Every report format on audits built in memory.

mod support;

use repro_audit::model::Audit;
use repro_audit::report::{self, Style};
use support::samples;

fn write(format: &str, audit: &Audit, style: Style) -> String {
    let format = report::format(format).expect("the format is listed");
    let mut out = Vec::new();
    format.write(audit, style, &mut out).expect("writing to memory succeeds");
    String::from_utf8(out).expect("reports are UTF-8")
}

#[allow(dead_code)]
const NARROW: Style = Style { color: false, width: Some(80) };

#[test]
#[ignore = "for looking at"]
fn look() {
    let wide = std::env::var("WIDE").map_or(80, |w| w.parse().unwrap());
    let format = std::env::var("FORMAT").unwrap_or("table".to_owned());
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, audit) in samples::all() {
        if only.is_empty() || only.split(',').any(|o| o == name) {
            println!(
                "=================== {name}\n{}",
                write(&format, &audit, Style { color: std::env::var("COLOR").is_ok(), width: Some(wide) })
            );
        }
    }
}
