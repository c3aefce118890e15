//! The first run parts from all later ones, which agree: what it left is what they found.

use super::{remedy, summary};
use crate::model::{Cause, Grade, Leftover};

/// The cause, from runs that found nothing of what earlier ones had left: `hidden` of them agree with the first one, while
/// `later` others are alike and part from it. `read` is a file that was seen to be read, where one was.
pub fn left_by_the_first(first: &str, later: usize, hidden: usize, read: Option<&Leftover>) -> Cause {
    let id = "leftovers";
    let mut evidence = vec![
        format!(
            "{hidden} of {hidden} runs that find nothing of what earlier runs left agree with {first}, the first one"
        ),
        format!("{later} later runs that find it are alike, and part from {first}"),
    ];
    evidence.extend(read.map(|leftover| format!("the job reads {}, which an earlier run left", leftover.file)));
    Cause {
        id: id.to_owned(),
        grade: Grade::Proved,
        summary: summary(id),
        evidence,
        remedy: remedy(id),
        location: read.and_then(|leftover| leftover.location.clone()),
        price: None,
    }
}
