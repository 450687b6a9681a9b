//! What `policy seal` writes of recorded files of every signal.

use super::*;

/// Guarantees: the dry run writes what the link would let through and nothing else, in the format that it read.
#[test]
fn seal_writes_what_would_cross_in_the_format_it_came_in() {
    let copy = Copy::example();
    let file = copy.write("spans.json", &format!("{RECORDED}\n{RECORDED}\n"));
    let words = ["policy", "seal", "--from", "eu-west", "--to", "us-east", "--signal", "traces", "--on", "2026-12-01"];
    let run = |more: &[&str]| tollgate(&[&words[..], more].concat(), copy.path());
    let output = run(&[file.to_str().unwrap(), "--dev-keys"]);
    let said = ended(&output, 0);
    assert_eq!(said.lines().count(), 2);
    assert!(
        !said.contains("c4nary") && said.contains("checkout") && said.contains("/users/{id}") && said.contains("tg1."),
        "{said}"
    );
    let first: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let span = &first["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!((&span["status"]["code"], &span["traceId"]), (&2.into(), &"0102030405060708090a0b0c0d0e0f10".into()));
    let summed = String::from_utf8(output.stderr).unwrap();
    assert!(summed.contains("2 of 2 items would cross") && summed.contains("direct        keyed 2"), "{summed}");
    assert!(!summed.contains("c4nary"), "{summed}");

    let output = run(&[file.to_str().unwrap()]);
    assert!(!ended(&output, 0).contains("tg1."), "without a key there is no pseudonym");
    assert!(String::from_utf8(output.stderr).unwrap().contains("values stay because no key is here"));
    let closed = ["policy", "seal", "--from", "eu-west", "--to", "us-east", "--signal", "logs", file.to_str().unwrap()];
    let output = tollgate(&closed, copy.path());
    assert!(ended(&output, 0).is_empty(), "a link that carries no logs");
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing crosses: the link does not carry logs"));
    let broken = copy.write("broken.json", &format!("{RECORDED}\n{{\n"));
    let output = run(&[broken.to_str().unwrap(), "--dev-keys"]);
    assert_eq!(ended(&output, 1).lines().count(), 1, "what can be read is answered for");
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 messages cannot be read"));
}

/// Guarantees: protobuf behind lengths comes out as protobuf behind lengths.
#[test]
fn seal_reads_and_writes_length_prefixed_protobuf() {
    let copy = Copy::example();
    // One resource with one scope with one span: trace id, span id, name.
    let span = [&[10_u8, 16][..], &[7; 16], &[18, 8], &[8; 8], &[42, 3], b"GET"].concat();
    let nested = |field: u8, body: &[u8]| [&[field, u8::try_from(body.len()).unwrap()][..], body].concat();
    let request = nested(10, &nested(18, &nested(18, &span)));
    let framed = [&u32::try_from(request.len()).unwrap().to_be_bytes()[..], &request].concat();
    let file = copy.path().join("spans.pb");
    fs::write(&file, [framed.clone(), framed].concat()).unwrap();
    let words = ["policy", "seal", "--from", "eu-west", "--to", "us-east", "--signal", "traces", "--on", "2026-12-01"];
    let output = tollgate(&[&words[..], &[file.to_str().unwrap()]].concat(), copy.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let length = usize::try_from(u32::from_be_bytes(output.stdout[..4].try_into().unwrap())).unwrap();
    assert_eq!(output.stdout.len(), 2 * (4 + length));
    assert_eq!(output.stdout[..4 + length], output.stdout[4 + length..]);
    assert!(output.stdout.windows(16).any(|bytes| bytes == [7; 16]));
}

/// Recordings in which nothing named after a canary may cross.
const METRICS: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}]},"scopeMetrics":[{"metrics":[{"name":"paid","description":"c4nary","unit":"1","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"2","asInt":"7","attributes":[{"key":"http.route","value":{"stringValue":"/pay"}},{"key":"acme.user","value":{"stringValue":"c4nary"}}],"exemplars":[{"timeUnixNano":"2","asInt":"7","filteredAttributes":[{"key":"http.route","value":{"stringValue":"/c4nary"}}]}]}]}},{"name":"c4nary@example.org","gauge":{}}]}]}]}"#;
const LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"2","severityNumber":17,"severityText":"c4nary","body":{"kvlistValue":{"values":[{"key":"c4nary","value":{"stringValue":"c4nary"}}]}},"attributes":[{"key":"http.route","value":{"stringValue":"/pay"}},{"key":"user.email","value":{"stringValue":"c4nary"}}],"eventName":"c4nary"}]}]}]}"#;

/// Guarantees: metrics and logs are sealed and explained as the link would, carrier by carrier, and no value is told.
#[test]
fn metrics_and_logs_are_sealed_and_explained_like_spans() {
    let closed = |signal: &str| format!("signal: {signal}, deny: [all]");
    let open = |signal: &str, more: &str| format!("signal: {signal}, {more}allow: {{op: raw}}");
    let copy = Copy::example()
        .edit("regions/federation.yaml", "signals: [traces]", "signals: [traces, metrics, logs]")
        .edit("policies/residency.yaml", &closed("logs"), &open("logs", ""))
        .edit("policies/residency.yaml", &closed("metrics"), &open("metrics", "require: {strip: [exemplars]}, "));
    let between = ["--from", "eu-west", "--to", "us-east", "--on", "2026-12-01"];
    for (signal, recorded, kept, summed) in [
        ("metrics", METRICS, r#""asInt":"7""#, "1 of 2 items would cross"),
        ("logs", LOGS, r#""severityNumber":17"#, "1 of 1 items would cross"),
    ] {
        let file = copy.write("items.json", &format!("{recorded}\n"));
        let file = file.to_str().unwrap();
        let seal = [&["policy", "seal", "--signal", signal][..], &between, &[file]].concat();
        let output = tollgate(&seal, copy.path());
        let said = ended(&output, 0);
        assert!(!said.contains("c4nary") && said.contains("checkout") && said.contains("/pay"), "{said}");
        assert!(said.contains(kept) && said.contains("tollgate.policy"), "{said}");
        assert!(!said.contains("exemplars"), "{said}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(summed) && !told.contains("c4nary"), "{told}");
        let explain = [&["policy", "explain", file, "--output", "json"][..], &between].concat();
        let told = ended(&tollgate(&explain, copy.path()), 0);
        assert!(!told.contains("c4nary"), "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        let form = |carrier: &str| {
            let values = told["values"].as_array().unwrap().iter();
            let all: Vec<_> = values.filter(|one| one["carrier"] == carrier).collect();
            all.first()
                .map(|one| (one["form"].as_str().unwrap().to_owned(), one["reason"].as_str().unwrap().to_owned()))
        };
        let expected = match signal {
            "metrics" => [("metric.name", "raw"), ("metric.description", "absent"), ("exemplar.value", "absent")],
            _ => [("log.severity_number", "raw"), ("log.body", "absent"), ("log.severity_text", "absent")],
        };
        for (carrier, crosses) in expected {
            assert_eq!(form(carrier).unwrap().0, crosses, "{carrier}");
        }
        if signal == "metrics" {
            assert!(form("exemplar.value").unwrap().1.contains("stripped"));
        }
    }
}

/// What identifies a device crosses to the UK, and what makes it one does not.
const DEVICES: &str = "\
regimes: {EEA: {law: GDPR}, UK: {law: UK-GDPR}, US: {law: 28-CFR-202}}
instruments:
  uk-adequacy: {from: EEA, to: UK, basis: GDPR-45, valid_until: 2031-12-27}
  dpf: {from: EEA, to: US, basis: GDPR-45, review_by: 2027-02-11}
  uk-us-extension: {from: UK, to: US, basis: UK-GDPR-45, review_by: 2027-02-11}
rules:
  - {id: eea-uk, origin: EEA, reaching: UK, signal: traces, allow: {op: raw, corr: raw, direct: raw, online: raw}}
  - {id: eea-us, origin: EEA, reaching: US, signal: traces, allow: {op: raw, corr: raw}}
  - {id: uk-us, origin: UK, reaching: US, signal: traces, allow: {op: raw, corr: raw}}
defaults: {unclassified: drop, on_error: drop, expired_instrument: deny_link, audit_unwritable: deny_link}
invariants:
  - never: {origin: EEA, class: [direct, online], form: raw, outside: [EEA, UK]}
";
const OF_A_DEVICE: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"app"}},{"key":"device.manufacturer","value":{"stringValue":"Apple"}},{"key":"host.name","value":{"stringValue":"c4nary-macbook"}},{"key":"server.address","value":{"stringValue":"c4nary.local"}}]},"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","startTimeUnixNano":"1"}]}]}]}"#;

/// Guarantees: what is proved of two links is what they do: a device stays one behind a link that withheld what made it one.
#[test]
fn what_a_device_sends_over_two_links_is_what_was_proved() {
    let to_us = "to: us-east/central, carries: [UK], signals: [traces], instruments: {UK: uk-us-extension}}";
    let on =
        "to: us-east/central, carries: [UK, EEA], signals: [traces], instruments: {UK: uk-us-extension, EEA: dpf}}";
    let copy = Copy::example().edit("regions/federation.yaml", to_us, on);
    copy.write("policies/residency.yaml", DEVICES);
    let seal = |from: &str, to: &str, recorded: &str| {
        let file = copy.write("spans.json", recorded);
        let words = ["policy", "seal", "--from", from, "--to", to, "--signal", "traces", "--origin", "EEA"];
        let output = tollgate(&[&words[..], &["--on", "2026-12-01", file.to_str().unwrap()]].concat(), copy.path());
        ended(&output, 0)
    };
    let between = seal("eu-west", "uk-south", &format!("{OF_A_DEVICE}\n"));
    assert!(between.contains("c4nary-macbook") && !between.contains("Apple"), "{between}");
    let arrived = seal("uk-south", "us-east", &between);
    assert!(arrived.contains("\"app\"") && !arrived.contains("c4nary"), "{arrived}");
    let checked = tollgate(&["check"], copy.path());
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
}
