//! Values that a line shows under a name which it has shown another one under: each gets a name of its own.

use std::collections::HashMap;

use super::pairs::Value;
use crate::parse::names::{self, Split};

/// Names every value that is not the first of its name by the part of the data that the line last spoke of, as in
/// `Train Loss: 1.9, Acc: 0.1 | Val Loss: 2.0, Acc: 0.5`, and else by a number.
pub(super) fn tell_apart(values: &mut [Value], text: &[u8]) {
    let mut parts: Option<Vec<(usize, String)>> = None;
    // For each name where its first value stands, and how many it has.
    let mut known: HashMap<(String, String), (usize, u32)> = HashMap::with_capacity(values.len());
    for value in values.iter_mut().filter(|value| !value.noise) {
        let of = |name: &str| (name.to_owned(), value.group.clone());
        let at = value.text.start;
        let Some(first) = known.get(&of(&value.name)).map(|(first, _)| *first) else {
            known.insert(of(&value.name), (at, 1));
            continue;
        };
        let parts = parts.get_or_insert_with(|| parts_of(text));
        let part = part_before(parts, at).filter(|part| Some(*part) != part_before(parts, first));
        let mut name = part.map_or_else(|| value.name.clone(), |part| format!("{part} {}", value.name));
        while known.contains_key(&of(&name)) {
            let (_, count) = known.entry(of(&value.name)).or_insert((first, 1));
            *count += 1;
            name = format!("{} ({count})", value.name);
        }
        known.insert(of(&name), (at, 1));
        value.name = name;
    }
}

/// The words of a text that tell a part of the data, each with where it ends.
fn parts_of(text: &[u8]) -> Vec<(usize, String)> {
    let text = String::from_utf8_lossy(text);
    let mut found = Vec::new();
    let mut end = 0;
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        end += word.len();
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let tells = |word: &String| names::split(std::slice::from_ref(word)) != Split::Unsaid;
        if let Some(part) = names::tokens(word).into_iter().find(tells) {
            found.push((end, if part.len() == word.len() { word.to_owned() } else { part }));
        }
    }
    found
}

fn part_before(parts: &[(usize, String)], at: usize) -> Option<&str> {
    parts[..parts.partition_point(|(end, _)| *end <= at)].last().map(|(_, part)| part.as_str())
}

#[cfg(test)]
mod tests {
    use crate::parse::{Options, read_bytes};

    fn names(line: &str) -> Vec<String> {
        let log: String = (1..5).map(|epoch| line.replace('@', &epoch.to_string())).collect();
        let reading = read_bytes(log.as_bytes(), &Options::default());
        assert!(reading.series.iter().all(|series| series.points.len() == 4), "{line}");
        reading.series.into_iter().map(|series| series.metric).collect()
    }

    #[test]
    fn every_value_of_a_line_has_a_name_of_its_own() {
        for (line, expected) in [
            (
                "Epoch @: Train Loss: 1.9, Acc: 0.1 | Val Loss: 2.0, Acc: 0.5\n",
                vec!["Train Loss", "Acc", "Val Loss", "Val Acc"],
            ),
            ("Epoch @ train: loss=1.9 acc=0.1 val: loss=2.0 acc=0.5\n", vec!["loss", "acc", "val loss", "val acc"]),
            (
                "{'epoch': @, 'train': {'loss': 1.9, 'acc': 0.1}, 'val': {'loss': 2.0, 'acc': 0.5}}\n",
                vec!["loss", "acc", "val loss", "val acc"],
            ),
            ("step @: loss=0.51, loss=0.50, loss=0.49\n", vec!["loss", "loss (2)", "loss (3)"]),
            ("Epoch @ iou: [0.1, 0.2, 0.4] loss 0.5\n", vec!["iou", "iou [2]", "iou [3]", "loss"]),
            ("step @ loss (0.51, 0.2)\n", vec!["loss", "loss [2]"]),
            ("step @ loss 0.51/0.200 acc 0.1\n", vec!["loss", "loss [2]", "acc"]),
            ("step @ train/val loss: 0.51 / 0.2\n", vec!["train/val loss", "train/val loss [2]"]),
            (
                "[@] Accuracy of the network on the 10000 test images: 90 %\n",
                vec!["Accuracy of the network on test images"],
            ),
            ("step @ val loss 0.5 acc 0.1 acc 0.2\n", vec!["val loss", "acc", "acc (2)"]),
            ("loss 0.5:   8%|8  | @/60 [00:00<00:01, 68.88it/s, loss=0.4]\n", vec!["loss", "loss (2)"]),
        ] {
            assert_eq!(names(line), expected, "{line}");
        }
    }
}
