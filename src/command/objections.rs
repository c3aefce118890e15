//! The operations that announced, while deterministic algorithms only warned, that they have no form that repeats.

use crate::model::flight::Flight;

/// Operations named in one note; the rest are counted.
const MOST: usize = 12;

/// One line that names each operation with the user's line, in the order in which they were met; none where none objected.
pub fn objections<'f>(flights: impl Iterator<Item = &'f Flight>) -> Option<String> {
    let mut named: Vec<String> = Vec::new();
    for alert in flights.flat_map(|flight| &flight.processes).flat_map(|process| &process.alerts) {
        let place = alert.at.as_ref().map(|at| format!(" ({}:{})", at.file.display(), at.line)).unwrap_or_default();
        let name = format!("{}{place}", alert.operation);
        if !named.contains(&name) {
            named.push(name);
        }
    }
    let more = match named.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    named.truncate(MOST);
    (!named.is_empty()).then(|| format!("operations without a form that repeats: {}{more}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceLine;
    use crate::model::flight::{Alert, FlightProcess};

    fn flight(alerts: &[(&str, u32)]) -> Flight {
        let alert = |&(operation, line): &(&str, u32)| Alert {
            operation: operation.to_owned(),
            device: None,
            at: Some(SourceLine { file: "train.py".into(), line }),
        };
        let process = FlightProcess { alerts: alerts.iter().map(alert).collect(), ..FlightProcess::default() };
        Flight { processes: vec![process], ..Flight::default() }
    }

    #[test]
    fn each_operation_is_named_once_with_its_line() {
        let runs = [flight(&[("put_", 7), ("put_", 9)]), flight(&[("put_", 7)])];
        let told = objections(runs.iter());
        assert_eq!(
            told.as_deref(),
            Some("operations without a form that repeats: put_ (train.py:7), put_ (train.py:9)")
        );
        assert_eq!(objections([flight(&[])].iter()), None);
    }

    #[test]
    fn many_are_counted() {
        let names: Vec<String> = (0..20).map(|n| format!("op{n}")).collect();
        let alerts: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        assert!(
            objections([flight(&alerts)].iter()).is_some_and(|told| told.ends_with("op11 (train.py:1) and 8 more"))
        );
    }
}
