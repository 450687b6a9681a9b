use super::*;
use time::Date;
use time::macros::date;

const TWO: &str = concat!(
    "dpf: {from: EEA, to: US, basis: GDPR-45, recipients: [Acme Inc], review_by: 2027-02-11, fallback: scc}\n",
    "scc: {from: EEA, to: US, basis: GDPR-46-SCC, tia: TIA-1, valid_until: 2027-03-01}\n",
);

fn read(text: &str) -> (Instruments, String) {
    let (document, faults) = tollgate_config::parse("policies/residency.yaml", text);
    let mut laws = Laws::default();
    for (regime, law) in [("EEA", Some("GDPR")), ("UK", Some("UK-GDPR")), ("US", None)] {
        laws.insert(regime, Some(law.map(str::to_owned)));
    }
    laws.insert("CH", None);
    let instruments = Instruments::read(document.root(&faults), &laws);
    (instruments, faults.to_string())
}

fn in_force<'i>(instruments: &'i Instruments, name: &str, need: &Need<'_>, today: Date) -> Option<&'i str> {
    instruments.standing(name, need).in_force(today).map(|term| term.instrument)
}

const TO_ACME: Need<'_> = Need { from: "EEA", to: "US", exporter: "Acme GmbH", recipient: "Acme Inc", signal: None };

#[test]
fn last_day_counts_and_the_fallback_takes_over() {
    let (instruments, faults) = read(TWO);
    assert_eq!(faults, "");
    let on = |day| in_force(&instruments, "dpf", &TO_ACME, day);
    assert_eq!(on(date!(2027 - 02 - 11)), Some("dpf"));
    assert_eq!(on(date!(2027 - 02 - 12)), Some("scc"));
    assert_eq!(on(date!(2027 - 03 - 01)), Some("scc"));
    assert_eq!(on(date!(2027 - 03 - 02)), None);
}

#[test]
fn instrument_covers_only_its_regimes_and_recipients() {
    let (instruments, _) = read(TWO);
    let to = |recipient| Need { recipient, ..TO_ACME };
    let day = date!(2026 - 12 - 01);
    assert_eq!(in_force(&instruments, "dpf", &to("Vendor Inc"), day), Some("scc"));
    assert_eq!(in_force(&instruments, "dpf", &Need { to: "UK", ..TO_ACME }, day), None);
    assert_eq!(in_force(&instruments, "scc", &Need { from: "UK", ..TO_ACME }, day), None);
    assert_eq!(in_force(&instruments, "gone", &TO_ACME, day), None);
}

#[test]
fn circle_of_fallbacks_ends() {
    let (instruments, _) = read(concat!(
        "a: {from: EEA, to: US, basis: GDPR-45, tia: T, review_by: 2020-01-01, fallback: b}\n",
        "b: {from: EEA, to: US, basis: GDPR-46, tia: T, review_by: 2020-01-01, fallback: a}\n",
    ));
    assert_eq!(in_force(&instruments, "a", &TO_ACME, date!(2026 - 12 - 01)), None);
}

#[test]
fn of_two_dates_the_first_closes() {
    let (instruments, faults) = read(concat!(
        "a: {from: EEA, to: US, basis: GDPR-45, valid_until: 2027-05-01, review_by: 2027-04-01}\n",
        "b: {from: EEA, to: US, basis: GDPR-45, valid_until: 2027-05-01, review_by: 2027-06-01}\n",
    ));
    assert_eq!(faults, "");
    let last = |name| instruments.standing(name, &TO_ACME).in_force(date!(2026 - 12 - 01)).unwrap().last;
    assert_eq!(last("a"), LastDay::Review(date!(2027 - 04 - 01)));
    assert_eq!(last("b"), LastDay::Valid(date!(2027 - 05 - 01)));
}

#[test]
fn a_fault_of_an_instrument_hides_no_other_and_is_not_repeated() {
    let (_, faults) = read(concat!(
        "a: {from: MARS, to: PLUTO, basis: 7, valid_until: soon, recipients: [], fallback: gone, tia: 7, extra: 1}\n",
        "b: {from: EEA, to: US, basis: UK-GDPR-45, valid_untill: 2027-01-01, fallback: c}\n",
        "c: {from: UK, to: US, basis: UK-GDPR-45, review_by: 7}\n",
        "d: {from: CH, to: EEA, basis: FADP-16, review_by: 2027-01-01, fallback: e}\n",
        "e: 7\n",
    ));
    let places: Vec<&str> =
        faults.lines().filter_map(|line| line.split(": ").next()?.strip_prefix("policies/residency.yaml:")).collect();
    let expected =
        ["1:11", "1:21", "1:35", "1:51", "1:69", "1:83", "1:94", "1:97", "2:31", "2:43", "2:79", "2:79", "3:53", "5:4"];
    assert_eq!(places, expected, "{faults}");
}

#[test]
fn undated_unfounded_and_dangling_instruments_are_faults() {
    let (_, faults) = read(concat!(
        "a: {from: EEA, to: US, basis: GDPR-45}\n",
        "b: {from: EEA, to: US, basis: UK-GDPR-45, review_by: 2027-01-01}\n",
        "c: {from: EEA, to: MARS, basis: GDPR-45, review_by: 2027-01-01}\n",
        "d: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-13-01}\n",
        "e: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, fallback: gone}\n",
        "f: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, fallback: b}\n",
        "g: {from: US, to: EEA, basis: none, review_by: 2027-01-01}\n",
        "h: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, caps: [raw]}\n",
        "i: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-01-01, recipients: []}\n",
    ));
    for line in 1..=9 {
        assert!(faults.contains(&format!("residency.yaml:{line}:")), "nothing on line {line}:\n{faults}");
    }
}
