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
        decision_wait_max: Duration::from_secs(40),
        wait_after_root: None,
        decision_wait: Duration::from_secs(10),
        num_traces: 100,
        remembered: 1_500,
        expected_new_traces_per_sec: 10,
        max_trace_bytes: None,
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

fn notes(block: &str) -> Vec<String> {
    read(block).unwrap().notes().iter().map(|note| format!("{}: {}", note.at, note.text)).collect()
}

#[test]
fn keys_that_decide_nothing_here_load_and_are_noted_where_they_stand() {
    for (key, same, other) in [
        ("decision_wait_after_root_received", "0s", "1s"),
        ("sampling_strategy", "trace-complete", "span-ingest"),
        ("block_on_overflow", "false", "true"),
        ("drop_pending_traces_on_shutdown", "false", "true"),
        ("num_shards", "1", "256"),
    ] {
        assert_eq!(notes(&with_policies(&format!("{key}: {same}"))), [""; 0]);
        let noted = notes(&with_policies(&format!("{key}: {other}")));
        let at = format!("s.yaml:1:{}: {key}: ", key.len() + 3);
        assert!(noted.len() == 1 && noted[0].starts_with(&at), "{noted:?}");
    }
    let storage = notes(&with_policies("tail_storage: pebble_tail_storage"));
    assert_eq!(storage, ["s.yaml:1:15: tail_storage: needs no extension: spans wait in the log"]);
    refused(
        &with_policies("sampling_strategy: eager\nnum_shards: 257"),
        &[
            "s.yaml:1:20: sampling_strategy: expected one of: trace-complete, span-ingest",
            "s.yaml:2:13: num_shards: out of range, expected 0 to 256",
        ],
    );
}

#[test]
fn bounds_that_are_zero_are_none() {
    let bounds = |top: &str| *read(&with_policies(top)).unwrap().bounds();
    let zero = bounds("decision_wait_after_root_received: 0s\nmaximum_trace_size_bytes: 0");
    assert_eq!((zero.wait_after_root, zero.max_trace_bytes), (None, None));
    let set = bounds("decision_wait_after_root_received: 2s\nmaximum_trace_size_bytes: 10");
    assert_eq!((set.wait_after_root, set.max_trace_bytes), (Some(Duration::from_secs(2)), Some(10)));
}

#[test]
fn numbers_of_a_policy_default_as_the_collectors_but_not_all_of_them() {
    for (fields, fault) in [
        ("type: latency, latency: {}", "missing key \"threshold_ms\" or \"upper_threshold_ms\""),
        ("type: span_count, span_count: {}", "missing key \"min_spans\" or \"max_spans\""),
        ("type: numeric_attribute, numeric_attribute: {key: k}", "missing key \"min_value\" or \"max_value\""),
        (
            "type: numeric_attribute, numeric_attribute: {key: k, min_value: 2, max_value: 1}",
            "greater than `max_value`",
        ),
        ("type: rate_limiting, rate_limiting: {burst_capacity: 1}", "missing key \"spans_per_second\""),
        ("type: bytes_limiting, bytes_limiting: {}", "missing key \"bytes_per_second\""),
        ("type: trace_state, trace_state: {key: k, values: []}", "there is no value"),
    ] {
        let found = read(&policy(fields)).unwrap_err();
        assert!(found.contains(fault) && found.lines().count() == 1, "{found}");
    }
    for fields in [
        "type: latency, latency: {upper_threshold_ms: 5}",
        "type: span_count, span_count: {max_spans: 5}",
        "type: boolean_attribute, boolean_attribute: {key: k}",
        "type: trace_flags",
        "type: or, or: {or_sub_policy: [{type: always_sample}]}",
    ] {
        assert_eq!(notes(&policy(fields)), [""; 0], "{fields}");
    }
}

#[test]
fn bounds_between_which_nothing_lies_load_and_are_noted() {
    for (fields, words) in [
        ("type: latency, latency: {threshold_ms: 5, upper_threshold_ms: 5}", "none takes longer than `threshold_ms`"),
        ("type: span_count, span_count: {min_spans: 5, max_spans: 4}", "none has at least `min_spans`"),
    ] {
        let noted = notes(&policy(fields));
        assert!(noted.len() == 1 && noted[0].contains(words), "{noted:?}");
    }
    let fine = "type: and, and: {and_sub_policy: [{type: latency, latency: {threshold_ms: 4, upper_threshold_ms: 5}}, \
                {type: span_count, span_count: {min_spans: 5, max_spans: 5}}]}";
    assert_eq!(notes(&policy(fine)), [""; 0]);
}

#[test]
fn an_expression_that_is_none_is_refused_with_the_reason() {
    let values = "{key: k, enabled_regex_matching: true, values: ['a', 'b**']}";
    let found = read(&policy(&format!("type: string_attribute, string_attribute: {values}"))).unwrap_err();
    assert!(
        found.contains("values[1]: is no regular expression of the Collector's: a repetition is repeated"),
        "{found}"
    );
    assert!(found.ends_with("at its column 3") && found.lines().count() == 1, "{found}");
}

#[test]
fn a_condition_that_is_none_is_refused_where_it_stands() {
    let conditions = "span: ['name == \"a\"', 'nam == 1'], spanevent: [1], error_mode: loud";
    let found = read(&policy(&format!("type: ottl_condition, ottl_condition: {{{conditions}}}"))).unwrap_err();
    let places: Vec<_> = found.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    let of = |rest: &str| format!("policies[0].ottl_condition.{rest}");
    assert_eq!(places, [of("span[1]"), of("spanevent[0]"), of("error_mode")]);
    assert!(found.contains("in the condition, column 1: \"nam\" is no path here, did you mean name?"), "{found}");
    assert!(read(&policy("type: ottl_condition, ottl_condition: {span: []}")).unwrap_err().contains("no condition"));
}

#[test]
fn zero_is_a_bound_and_noted() {
    let noted = notes(&policy("type: numeric_attribute, numeric_attribute: {key: k, min_value: 0, max_value: 0}"));
    assert_eq!(noted.len(), 2);
    assert!(noted[0].ends_with("min_value: is a bound; for the Collector zero is none"), "{noted:?}");
}

#[test]
fn a_block_of_another_type_is_noted() {
    let noted = notes(&policy("type: always_sample, latency: {threshold_ms: 1}"));
    assert_eq!(noted, ["s.yaml:2:43: policies[0].latency: is not looked at: the policy is of another type"]);
}

#[test]
fn a_composite_notes_what_differs() {
    let sub = "{name: a, type: always_sample}, {name: b, type: always_sample}";
    let composite = |rest: &str| {
        let keys = format!("max_total_spans_per_second: 10, composite_sub_policy: [{sub}], {rest}");
        notes(&policy(&format!("type: composite, composite: {{{keys}}}")))
    };
    assert_eq!(composite("policy_order: [a, b], rate_allocation: [{policy: a, percent: 60}]"), [""; 0]);
    for (rest, said) in [
        ("policy_order: [b]", "policy_order: is the order in which they are asked"),
        ("policy_order: [c]", "policy_order[0]: names no policy of this composite"),
        ("rate_allocation: [{policy: c, percent: 5}]", "rate_allocation[0].policy: names no policy"),
        ("rate_allocation: [{policy: a, percent: 60}, {policy: b, percent: 50}]", "adds up to more than 100 %"),
        ("rate_allocation: [{policy: a, percent: 100}]", "leaves nothing for the policies that it does not name"),
    ] {
        let noted = composite(rest);
        assert!(noted.len() == 1 && noted[0].contains(said), "{noted:?}");
    }
}

#[test]
fn unknown_types_and_keys_are_refused() {
    let unknown = read(&policy("type: latancy, latency: {threshold_ms: 1}")).unwrap_err();
    assert!(unknown.contains("did you mean \"latency\"?"), "{unknown}");
    let unknown = read(&policy("type: latency, latency: {threshold: 1}")).unwrap_err();
    assert!(unknown.contains("missing key \"threshold_ms\" or"), "{unknown}");
    assert!(unknown.contains("policies[0].latency.threshold: unknown key"), "{unknown}");
    let nested = read(&policy("type: not, not: {not_sub_policy: {type: and, and: {and_sub_policy: []}}}")).unwrap_err();
    assert!(nested.contains("policies[0].not.not_sub_policy.and.and_sub_policy: there is no policy"), "{nested}");
    let unknown = read(&with_policies("decision_wayt: 5s")).unwrap_err();
    let said = "unknown key, did you mean \"decision_wait\"? (these are the keys of the Collector 0.160)";
    assert!(unknown.ends_with(said), "{unknown}");
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
    let look = |n| format!("- {{name: p{n}, type: string_attribute, string_attribute: {{key: k{n}, values: [v]}}}}\n");
    let many: String = (0..640).map(look).collect();
    assert_eq!(read(&format!("policies:\n{many}")).unwrap().names().len(), 640);
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
- {name: b, type: rate_limiting, rate_limiting: {spans_per_second: 1, spans: 1}, latency: {}}",
        &[
            "s.yaml:2:19: policies[0].type: unknown word, did you mean \"latency\"?",
            "s.yaml:2:51: policies[0].latency.threshold_ms: expected an integer, found text",
            "s.yaml:2:58: policies[0].extra: unknown key, known here: name, type, latency (these are the keys of the Collector 0.160)",
            "s.yaml:3:3: policies[1]: missing key \"name\"",
            "s.yaml:3:3: policies[1]: missing key \"type\"",
            "s.yaml:3:4: policies[1].nam: unknown key, did you mean \"name\"? (these are the keys of the Collector 0.160)",
            "s.yaml:3:48: policies[1].string_attribute.values[0]: expected text, found a number (quote it if it is text)",
            "s.yaml:3:76: policies[1].string_attribute.enabled_regex_matching: expected true or false, found text",
            "s.yaml:4:71: policies[2].rate_limiting.spans: unknown key, known here: spans_per_second, burst_capacity (these are the keys of the Collector 0.160)",
        ],
    );
}
