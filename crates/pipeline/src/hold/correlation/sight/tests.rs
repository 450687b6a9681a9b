use tempfile::TempDir;

use super::*;
use crate::rig;

/// What central sees of the example, with its documents changed.
fn sight(edit: impl Fn(&str, String) -> String) -> (TempDir, Sight) {
    let (dir, documents) = rig::edited(edit);
    let (clock, _) = rig::standing();
    (dir, Sight::new(rig::in_force(&documents), rig::node("us-east/central/0").tier(), clock))
}

/// One document changed, which must change something.
fn replaced(document: &str, from: &str, to: &str) -> impl Fn(&str, String) -> String {
    move |name, text| {
        assert!(name != document || text.contains(from), "{from} is not in {document}");
        if name == document { text.replacen(from, to, 1) } else { text }
    }
}

fn everybody() -> BTreeSet<String> {
    ["eu-west", "uk-south", "us-east"].map(str::to_owned).into()
}

fn hidden(sight: &Sight) -> Vec<&str> {
    sight.hidden().collect()
}

const RESIDENCY: &str = "policies/residency.yaml";
const FEDERATION: &str = "regions/federation.yaml";
const UK_LINK: &str =
    "  - {from: uk-south, to: us-east/central, carries: [UK], signals: [traces], instruments: {UK: uk-us-extension}}\n";
const UK_RULE: &str = "  - id: uk-us-traces\n";

/// Guarantees: where every region's spans come, a parent that is not here is missing, unless somebody was not heard of.
#[test]
fn what_every_region_may_send_and_is_not_here_is_missing() {
    let (_dir, sight) = sight(|_, text| text);
    assert!(hidden(&sight).is_empty());
    for parent in [Parent::Remote, Parent::Local, Parent::Unsaid] {
        assert_eq!(sight.absence(parent, "eu-west", &everybody()), Absence::Missing);
    }
    let without_uk = &everybody() - &BTreeSet::from(["uk-south".to_owned()]);
    assert_eq!(sight.absence(Parent::Remote, "eu-west", &without_uk), Absence::Unknown);
    assert_eq!(sight.absence(Parent::Local, "eu-west", &without_uk), Absence::Missing);
}

/// Guarantees: without a link, with a closed one, and where ids are not allowed, a region is hidden, and policy accounts for
/// remote parents and not for those in the same process.
#[test]
fn what_the_documents_keep_away_accounts_for_remote_parents() {
    let denies =
        |narrowed: &str| format!("  - {{id: shut, origin: UK, reaching: US, signal: traces, {narrowed}}}\n{UK_RULE}");
    let edits = [
        (FEDERATION, UK_LINK, String::new()),
        (RESIDENCY, UK_RULE, denies("deny: [all]")),
        (RESIDENCY, UK_RULE, denies("where: {cluster: uk-south-a}, deny: [corr]")),
        (RESIDENCY, UK_RULE, denies("where: {service: pay}, deny: [corr]")),
    ];
    for (document, from, to) in edits {
        let (_dir, sight) = sight(replaced(document, from, &to));
        assert_eq!(hidden(&sight), ["uk-south"]);
        for parent in [Parent::Remote, Parent::Unsaid] {
            assert_eq!(sight.absence(parent, "us-east", &everybody()), Absence::Withheld);
        }
        assert_eq!(sight.absence(Parent::Local, "us-east", &everybody()), Absence::Missing);
    }
}

/// Guarantees: by way of another region's gateways spans come as well, if its link carries them.
#[test]
fn what_comes_by_way_of_another_region_is_not_hidden() {
    let forward = |name: &str, text: String| {
        match name {
        FEDERATION => text
            .replacen("  - {from: eu-west, to: us-east/central, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}\n", "", 1)
            .replacen("carries: [UK], signals: [traces], instruments: {UK: uk-us-extension}", "carries: [UK, EEA], signals: [traces], instruments: {UK: uk-us-extension, EEA: scc}", 1),
        RESIDENCY => text.replacen("scc: {from: EEA, to: US, basis: GDPR-46-SCC,", "scc: {from: EEA, to: US, basis: GDPR-46-SCC, exporter: Acme Ltd,", 1).replacen(", fallback: scc", "", 1),
        _ => text,
    }
    };
    let (_dir, sight) = sight(forward);
    assert!(hidden(&sight).is_empty());
    let without_eu = &everybody() - &BTreeSet::from(["eu-west".to_owned()]);
    assert_eq!(sight.absence(Parent::Remote, "us-east", &without_eu), Absence::Missing, "who brings them was heard of");
}

/// Guarantees: ids that come blinded from one region join none that come as they are.
#[test]
fn what_is_blinded_on_one_link_alone_does_not_join() {
    let blinded = |name: &str, text: String| match name {
        RESIDENCY => {
            let (before, rule) = text.split_once(UK_RULE).unwrap();
            format!("{before}{UK_RULE}{}", rule.replacen("corr: raw", "corr: {blind: trace-ids}", 1))
        }
        _ => text,
    };
    let (_dir, sight) = sight(blinded);
    assert!(hidden(&sight).is_empty());
    assert_eq!(sight.absence(Parent::Remote, "us-east", &everybody()), Absence::Withheld);
    assert_eq!(sight.absence(Parent::Local, "uk-south", &everybody()), Absence::Missing);
}

/// Guarantees: where a rule strips the ids of parents it is known that roots are not told.
#[test]
fn where_parents_are_stripped_nothing_counts_as_a_root() {
    let rule = "  - id: uk-us-traces\n    require: {strip: [span.parent_span_id]}\n";
    let (_dir, sight) = sight(replaced(RESIDENCY, UK_RULE, rule));
    assert_eq!(["eu-west", "uk-south", "us-east"].map(|region| sight.tells_parents(region)), [true, false, true]);
}

/// Guarantees: one share for all leaves no parent out of a trace that stays; shares that differ do, of others and not of the same
/// process; a rate does of both.
#[test]
fn thinning_that_may_part_a_trace_accounts_for_parents() {
    let cluster = |thin: &'static str| {
        move |name: &str, text: String| {
            let is_region = ["regions/eu-west.yaml", "regions/uk-south.yaml", "regions/us-east.yaml"].contains(&name);
            if is_region { text.replace("    stamp:", &format!("    thin: {thin}\n    stamp:")) } else { text }
        }
    };
    let one = |thin: &'static str| replaced("regions/uk-south.yaml", "    stamp:", thin);
    let link = replaced(FEDERATION, "instruments: {UK:", "thin: {sampling_percentage: 10}, instruments: {UK:");
    let absences = |edit: &dyn Fn(&str, String) -> String| {
        let (_dir, sight) = sight(edit);
        [(Parent::Remote, "us-east"), (Parent::Local, "us-east"), (Parent::Local, "uk-south")]
            .map(|(parent, region)| sight.absence(parent, region, &everybody()))
    };
    let (missing, withheld) = (Absence::Missing, Absence::Withheld);
    assert_eq!(absences(&cluster("{sampling_percentage: 10}")), [missing; 3]);
    let tenth = one("    thin: {sampling_percentage: 10}\n    stamp:");
    assert_eq!(absences(&tenth), [withheld, missing, missing]);
    assert_eq!(absences(&link), [withheld, missing, missing]);
    assert_eq!(absences(&one("    thin: {spans_per_second: 10}\n    stamp:")), [withheld, missing, withheld]);
    assert_eq!(absences(&cluster("{spans_per_second: 10}")), [withheld; 3]);
}
