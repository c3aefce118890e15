//! The node as a factor of its own: what ran on two machines may differ for that alone.

use crate::model::{Audit, Effect, Outcome, SettingId, TreatmentResult};

use super::campaign::Campaign;

/// The name under which it stands among the settings.
const NODE: &str = "node";

/// A run of each of two treatments to be compared with one another: on one node where there is one that both were on.
pub fn pair(campaign: &Campaign<'_>, a: &TreatmentResult, b: &TreatmentResult) -> Option<[String; 2]> {
    let on_one = a.runs.iter().find_map(|one| {
        let other = b
            .runs
            .iter()
            .find(|other| node(campaign, one).is_some() && node(campaign, one) == node(campaign, other))?;
        Some([one.clone(), other.clone()])
    });
    on_one.or_else(|| Some([a.runs.first()?.clone(), b.runs.first()?.clone()]))
}

/// Enters what the nodes do: an effect where one treatment ran on several of them, and a doubt at every effect that was
/// only seen between nodes.
pub fn judge(campaign: &Campaign<'_>, results: &[TreatmentResult], audit: &mut Audit) {
    let between = results.iter().skip(1).filter(|result| is_apart(campaign, &results[0], result));
    for result in between {
        let (here, there) = (nodes(campaign, &results[0].runs).join(", "), nodes(campaign, &result.runs).join(", "));
        audit.warnings.push(format!(
            "{} ran on {there} only and the reference on {here} only: a difference between them may be the node's; \
             --slurm-arg=--nodelist=NODE runs both on one",
            result.treatment.id
        ));
        for effect in audit.effects.iter_mut().filter(|effect| result.treatment.settings.contains_key(&effect.setting))
        {
            if effect.changes_result == Some(true) {
                effect.changes_result = None;
                effect.confounded_with.push(SettingId::new(NODE));
            }
        }
    }
    audit.effects.extend(results.iter().find_map(|result| effect(campaign, result)));
}

/// What the node does to the runs of one treatment; `None` where they were all on one.
fn effect(campaign: &Campaign<'_>, result: &TreatmentResult) -> Option<Effect> {
    let nodes = nodes(campaign, &result.runs);
    if nodes.len() < 2 {
        return None;
    }
    let on = |name: &String| -> Vec<String> {
        result.runs.iter().filter(|run| node(campaign, run) == Some(name.as_str())).cloned().collect()
    };
    let groups: Vec<Vec<String>> = nodes.iter().map(on).collect();
    // Without repeats on one node a difference between nodes may be any other.
    let repeats = groups.iter().filter(|group| group.len() > 1).map(|group| campaign.compare(group).outcome);
    let repeats: Vec<Outcome> = repeats.collect();
    let each = groups.iter().filter_map(|group| group.first().cloned()).collect::<Vec<_>>();
    let across = campaign.compare(&each).outcome;
    let agree = !repeats.is_empty() && repeats.iter().all(|outcome| *outcome == Outcome::Agreed);
    let (changes_result, onset) = match &across {
        Outcome::Agreed => (Some(false), None),
        Outcome::Diverged(divergence) if agree => (Some(true), Some(divergence.position)),
        _ => (None, None),
    };
    Some(Effect {
        setting: SettingId::new(NODE),
        levels: nodes,
        changes_repeatability: None,
        changes_result,
        onset,
        prices: Vec::new(),
        confounded_with: Vec::new(),
    })
}

fn is_apart(campaign: &Campaign<'_>, a: &TreatmentResult, b: &TreatmentResult) -> bool {
    let (here, there) = (nodes(campaign, &a.runs), nodes(campaign, &b.runs));
    !here.is_empty() && !there.is_empty() && here.iter().all(|node| !there.contains(node))
}

/// The nodes that these runs were on, in the order in which they first appear.
fn nodes(campaign: &Campaign<'_>, runs: &[String]) -> Vec<String> {
    let mut nodes: Vec<String> = Vec::new();
    for node in runs.iter().filter_map(|run| node(campaign, run)) {
        if !nodes.iter().any(|known| known == node) {
            nodes.push(node.to_owned());
        }
    }
    nodes
}

fn node<'c>(campaign: &'c Campaign<'_>, run: &str) -> Option<&'c str> {
    let run = campaign.runs().iter().find(|known| known.id == run)?;
    Some(run.node.as_str()).filter(|node| !node.is_empty())
}
