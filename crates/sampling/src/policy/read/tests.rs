//! What of the Collector's block is read, and what is refused with which words.

use super::*;

fn read(block: &str) -> Result<PolicySet, String> {
    let (document, faults) = tollgate_config::parse("s.yaml", block);
    let policies = document.root(&faults).read::<PolicySet>();
    if faults.is_empty() { Ok(policies.unwrap()) } else { Err(faults.to_string()) }
}

#[track_caller]
fn refused(block: &str, faults: &[&str]) {
    let found = read(block).unwrap_err();
    assert_eq!(found.lines().collect::<Vec<_>>(), faults);
}

fn with_policies(top: &str) -> String {
    format!("{top}\npolicies: [{{name: all, type: always_sample}}]")
}

fn policy(fields: &str) -> String {
    format!("policies:\n- {{name: p, {fields}}}")
}

#[test]
fn defaults_are_the_collectors() {
    let bounds = *read(&with_policies("")).unwrap().bounds();
    assert_eq!(bounds.decision_wait, Duration::from_secs(30));
    assert_eq!(bounds.num_traces, 50_000);
    assert_eq!(bounds.expected_new_traces_per_sec, 0);
    assert_eq!(bounds.remembered, 500_000, "its caches are off, ours is not");
}

#[test]
fn a_typical_block_is_read_unchanged() {
    let block = "
decision_wait: 10s
decision_wait_after_root_received: 0s
num_traces: 100
expected_new_traces_per_sec: 10
sampling_strategy: trace-complete
sample_on_first_match: true
block_on_overflow: false
num_shards: 1
decision_cache:
  sampled_cache_size: 1000
  non_sampled_cache_size: 500
policies:
  - name: test-policy-1
    type: always_sample
  - name: test-policy-2
    type: latency
    latency: {threshold_ms: 5000, upper_threshold_ms: 10000}
  - name: test-policy-4
    type: probabilistic
    probabilistic: {sampling_percentage: 0.1, hash_salt: custom-salt}
  - name: test-policy-5
    type: status_code
    status_code: {status_codes: [ERROR, UNSET]}
  - name: test-policy-6
    type: string_attribute
    string_attribute: {key: key1, values: [value1, value2]}
  - name: test-policy-7
    type: string_attribute
    string_attribute: {key: key2, values: [value1, val*], enabled_regex_matching: true, cache_max_size: 10}
  - name: test-policy-10
    type: string_attribute
    string_attribute: {key: url.path, values: ['\\/health', '\\/metrics'], enabled_regex_matching: true, invert_match: true}
";
    let policies = read(block).unwrap();
    assert_eq!(policies.names().len(), 7);
    let bounds = Bounds {
        wait_after_root: None,
        decision_wait: Duration::from_secs(10),
        num_traces: 100,
        remembered: 1_500,
        expected_new_traces_per_sec: 10,
    };
    assert_eq!(*policies.bounds(), bounds);
}

#[test]
fn the_example_federation_has_the_four_usual_policies() {
    let text = include_str!("../../../../../policies/sampling.yaml");
    let (set, faults) = Set::from_texts([("policies/sampling.yaml", text)]);
    let policies = PolicySet::load(&set, &faults);
    assert!(faults.is_empty(), "{faults}");
    let policies = policies.unwrap();
    assert_eq!(policies.names().collect::<Vec<_>>(), ["errors", "slow", "critical", "rest"]);
    assert_eq!(policies.bounds().decision_wait, Duration::from_secs(5));
}

#[test]
fn a_missing_document_is_a_fault() {
    let (set, faults) = Set::from_texts([]);
    assert!(PolicySet::load(&set, &faults).is_none());
    assert_eq!(faults.to_string(), "policies/sampling.yaml:1:1: the document is missing");
}

#[test]
fn keys_that_are_not_supported_yet_are_never_ignored() {
    for (key, value, supported) in [
        ("decision_wait_after_root_received", "1s", "0s"),
        ("sampling_strategy", "span-ingest", "trace-complete"),
        ("block_on_overflow", "true", "false"),
        ("drop_pending_traces_on_shutdown", "true", "false"),
        ("maximum_trace_size_bytes", "1", "0"),
        ("num_shards", "2", "1"),
    ] {
        let column = key.len() + 3;
        let fault = format!("s.yaml:1:{column}: {key}: not supported yet, only {supported} is");
        refused(&with_policies(&format!("{key}: {value}")), &[&fault]);
        assert!(read(&with_policies(&format!("{key}: {supported}"))).is_ok());
    }
    assert!(read(&with_policies("tail_storage: pebble")).unwrap_err().contains("not supported"));
}

#[test]
fn policy_types_that_are_not_supported_yet_say_so() {
    for (name, kind) in KINDS {
        if matches!(kind, Kind::NotYet(_)) {
            let fault = format!("s.yaml:2:19: policies[0].type: policy type {name:?} is not supported yet");
            refused(&policy(&format!("type: {name}, {name}: {{key: 1}}")), &[&fault]);
        }
    }
}

#[test]
fn unknown_types_and_keys_are_refused() {
    let unknown = read(&policy("type: latancy, latency: {threshold_ms: 1}")).unwrap_err();
    assert!(unknown.contains("did you mean \"latency\"?"), "{unknown}");
    let unknown = read(&policy("type: latency, latency: {threshold: 1}")).unwrap_err();
    assert!(unknown.contains("missing key \"threshold_ms\""), "{unknown}");
    assert!(unknown.contains("policies[0].latency.threshold: unknown key"), "{unknown}");
    let other = read(&policy("type: always_sample, latency: {threshold_ms: 1}")).unwrap_err();
    assert!(other.contains("policies[0].latency: unknown key"), "{other}");
    assert!(read(&with_policies("decision_wayt: 5s")).unwrap_err().contains("did you mean \"decision_wait\"?"));
}

#[test]
fn every_fault_is_found_at_once() {
    let block = "
decision_wait: 5
num_traces: 0
policies:
- {name: '', type: always_sample}
- {name: twice, type: status_code, status_code: {status_codes: []}}
- {name: twice, type: status_code, status_code: {status_codes: [ERROR, BAD]}}
- {name: share, type: probabilistic, probabilistic: {sampling_percentage: -1}}
- {name: text, type: string_attribute, string_attribute: {key: '', values: [ok, '('], enabled_regex_matching: true}}
- {type: latency, latency: {threshold_ms: -1}}
";
    let found = read(block).unwrap_err();
    let places: Vec<_> = found.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        places,
        [
            "decision_wait",
            "num_traces",
            "policies[0].name",
            "policies[1].status_code.status_codes",
            "policies[2].name",
            "policies[2].status_code.status_codes[1]",
            "policies[3].probabilistic.sampling_percentage",
            "policies[4].string_attribute.key",
            "policies[4].string_attribute.values[1]",
            "policies[5]",
            "policies[5].latency.threshold_ms",
        ],
        "{found}"
    );
}

#[test]
fn a_block_without_policies_is_refused() {
    refused("decision_wait: 5s", &["s.yaml:1:1: missing key \"policies\""]);
    refused("policies: []", &["s.yaml:1:11: policies: there is no policy: every trace would be dropped"]);
    let many: String = (0..64).map(|n| format!("- {{name: p{n}, type: always_sample}}\n")).collect();
    assert!(read(&format!("policies:\n{many}")).unwrap_err().contains("more than 63 policies"));
}

#[test]
fn numbers_beyond_any_machine_are_refused() {
    assert!(read(&with_policies("num_traces: 134217729")).unwrap_err().contains("out of range"));
    let caches = "decision_cache: {sampled_cache_size: 100000000, non_sampled_cache_size: 100000000}";
    assert!(read(&with_policies(caches)).unwrap_err().contains("add up"));
}

#[test]
fn a_fault_of_a_policy_hides_no_other() {
    refused(
        "policies:
- {name: a, type: latncy, latency: {threshold_ms: soon}, extra: 1}
- {nam: b, string_attribute: {key: k, values: [1], enabled_regex_matching: maybe}}
- {name: b, type: rate_limiting, rate_limiting: {spans_per_second: 1}, latency: {}}",
        &[
            "s.yaml:2:19: policies[0].type: unknown word, did you mean \"latency\"?",
            "s.yaml:2:51: policies[0].latency.threshold_ms: expected an integer, found text",
            "s.yaml:2:58: policies[0].extra: unknown key, known here: name, type, latency",
            "s.yaml:3:3: policies[1]: missing key \"name\"",
            "s.yaml:3:3: policies[1]: missing key \"type\"",
            "s.yaml:3:4: policies[1].nam: unknown key, did you mean \"name\"?",
            "s.yaml:3:48: policies[1].string_attribute.values[0]: expected text, found a number (quote it if it is text)",
            "s.yaml:3:76: policies[1].string_attribute.enabled_regex_matching: expected true or false, found text",
            "s.yaml:4:19: policies[2].type: policy type \"rate_limiting\" is not supported yet",
            "s.yaml:4:72: policies[2].latency: unknown key, known here: name, type, rate_limiting",
        ],
    );
}
