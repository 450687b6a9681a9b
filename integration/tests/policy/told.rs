//! What `check` and `policy` say of documents, and by which code they end.

use super::*;

#[test]
fn both_examples_are_proved_and_pass_their_golden_cases() {
    for set in [Path::new(TOP).to_owned(), central_eea()] {
        let said = ended(&tollgate(&["check"], &set), 0);
        assert!(said.contains("proof: every invariant holds on all paths and places, on any day"), "{said}");
        assert!(said.contains("not expressed here: how many persons crossed"), "{said}");
        let said = ended(&tollgate(&["policy", "test"], &set), 0);
        assert!(said.ends_with(" passed, 0 failed\n") && !said.starts_with('0'), "{said}");
    }
}

#[test]
fn a_golden_case_that_fails_says_what_was_found_and_by_which_rule() {
    let copy = Copy::example().edit(
        "policies/residency.yaml",
        "direct: {only: {user.id: user-key}}",
        "direct: {only: {user.id: raw}}",
    );
    let said = ended(&tollgate(&["policy", "test"], copy.path()), 1);
    assert!(said.contains("expected keyed, found raw") && said.contains("cases/traces.yaml:8:"), "{said}");
    let told = json(&tollgate(&["policy", "test", "--output", "json"], copy.path()), 1);
    assert_eq!((told["failed"].as_u64(), told["cases"][1]["passed"].as_bool()), (Some(1), Some(false)));
    let wrong =
        Copy::example().edit("policies/cases/traces.yaml", "carrier: span.attributes", "carrier: span.atributes");
    let output = tollgate(&["policy", "test"], wrong.path());
    ended(&output, 78);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cases/traces.yaml:6:") && said.contains("did you mean \"span.attributes\"?"), "{said}");
}

/// Guarantees: whoever breaks an invariant is shown the path, the rules on it and their lines, in every format, and 78.
#[test]
fn a_broken_invariant_ends_with_78_and_a_witness() {
    let copy = Copy::example().edit(
        "policies/residency.yaml",
        "direct: {only: {user.id: user-key}}",
        "direct: {only: {user.id: raw}}",
    );
    let output = tollgate(&["check"], copy.path());
    let said = ended(&output, 78);
    assert!(said.contains("proof: FAILED, an invariant does not hold"), "{said}");
    let witness = "rule eea-us-traces breaks it: user.id (direct) of traces from EEA reaches US raw, by eu-west/gateway → us-east/central";
    assert!(said.contains(witness) && said.contains("rule eea-us-traces  policies/residency.yaml:37:32"), "{said}");
    assert!(String::from_utf8(output.stderr).unwrap().contains(witness));

    let told = json(&tollgate(&["check", "--output", "json"], copy.path()), 78);
    assert_eq!((told["valid"].as_bool(), told["faults"].as_array().map(Vec::len)), (Some(false), Some(0)));
    let broken = told["findings"].as_array().unwrap().iter().find(|one| one["kind"] == "broken-invariant").unwrap();
    assert_eq!(broken["path"], serde_json::json!(["eu-west/gateway", "us-east/central"]));
    assert_eq!((&broken["rules"][0]["id"], &broken["rules"][0]["line"]), (&"eea-us-traces".into(), &37.into()));

    let sarif = json(&tollgate(&["check", "--output", "sarif"], copy.path()), 78);
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let result = run["results"].as_array().unwrap().iter().find(|one| one["ruleId"] == "broken-invariant").unwrap();
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "policies/residency.yaml");
    assert!(place["region"]["startLine"].as_u64().unwrap() > 100);
    let ids: Vec<&Value> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert!(run["results"].as_array().unwrap().iter().all(|one| ids.contains(&&one["ruleId"])));
}

/// Guarantees: what of the sampling policy deserves a look is told to machines as what of the residency policy does.
#[test]
fn what_sampling_looks_for_in_vain_or_has_no_room_for_is_a_finding_in_every_format() {
    let more = "tail_sampling:\n  num_shards: 4\n  expected_new_traces_per_sec: 100000000";
    let copy = Copy::example().edit("policies/sampling.yaml", "tail_sampling:", more);
    let told = json(&tollgate(&["check", "--output", "json"], copy.path()), 0);
    let findings = told["findings"].as_array().unwrap().iter();
    let of_sampling: Vec<_> = findings.filter(|one| one["file"] == "policies/sampling.yaml").collect();
    let said: Vec<_> = of_sampling.iter().map(|one| (&one["kind"], &one["severity"])).collect();
    let (room, otherwise) = ("sampling-room".into(), "sampling-otherwise".into());
    assert_eq!(said, [(&room, &"warning".into()), (&otherwise, &"note".into())]);
    let sarif = json(&tollgate(&["check", "--output", "sarif"], copy.path()), 0);
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let note = results.iter().find(|one| one["ruleId"] == otherwise).unwrap();
    assert_eq!(note["locations"][0]["physicalLocation"]["region"]["startLine"], of_sampling[1]["line"]);
}

#[test]
fn documents_that_cannot_be_read_are_told_in_every_format() {
    let copy = Copy::example().edit("policies/residency.yaml", "signal: traces", "signal: trace");
    let told = json(&tollgate(&["check", "--output", "json"], copy.path()), 78);
    assert_eq!((told["valid"].as_bool(), told["findings"].as_array().map(Vec::len)), (Some(false), Some(0)));
    assert_eq!(told["faults"][0]["path"], "rules[0].signal");
    let sarif = json(&tollgate(&["check", "--output", "sarif"], copy.path()), 78);
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "invalid-document");
    let fine = json(&tollgate(&["check", "--output", "json"], Path::new(TOP)), 0);
    assert_eq!(fine["valid"], true);
}

#[test]
fn explain_names_rule_file_and_line() {
    let words = [
        "policy",
        "explain",
        "--attribute",
        "enduser.id",
        "--signal",
        "traces",
        "--from",
        "eu-west",
        "--to",
        "us-east",
    ];
    let said = ended(&tollgate(&words, Path::new(TOP)), 0);
    assert!(said.contains("span.attributes enduser.id: direct, keyed by user-key: allowed"), "{said}");
    assert!(said.contains("rule eea-us-traces  policies/residency.yaml:37:32"), "{said}");
    let told = json(&tollgate(&[&words[..], &["--output", "json", "--on", "2027-03-02"]].concat(), Path::new(TOP)), 0);
    assert_eq!((&told["values"][0]["form"], &told["values"][0]["origin"]), (&"absent".into(), &"EEA".into()));
    assert!(told["values"][0]["reason"].as_str().unwrap().contains("instrument dpf no longer holds"), "{told}");
    let denied = [
        "policy",
        "explain",
        "--carrier",
        "span.status.message",
        "--from",
        "eu-west",
        "--to",
        "uk-south",
        "--output",
        "json",
    ];
    let told = json(&tollgate(&denied, Path::new(TOP)), 0);
    assert_eq!(
        (&told["values"][0]["form"], &told["values"][0]["rules"][0]["id"]),
        (&"absent".into(), &"eea-uk-traces".into())
    );
    ended(&tollgate(&["policy", "explain", "--attribute", "a", "--from", "us-east"], Path::new(TOP)), 1);
    ended(&tollgate(&["policy", "explain"], Path::new(TOP)), 64);
    ended(&tollgate(&["policy", "explain", "--attribute", "a", "--on", "soon"], Path::new(TOP)), 64);
}

/// Guarantees: every value of a file is answered for, unknown fields too, and no value of it is printed.
#[test]
fn explain_answers_for_every_value_of_a_file_and_prints_none() {
    let copy = Copy::example();
    let request = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"c4nary"}},
        {"key":"browser.language","value":{"stringValue":"c4nary"}}]},"scopeSpans":[{"scope":{"name":"c4nary"},"spans":[{"name":"c4nary",
        "traceId":"0102030405060708090a0b0c0d0e0f10","attributes":[{"key":"user.id","value":{"stringValue":"c4nary"}},{"key":"odd.key","value":{"intValue":"4"}}],
        "events":[{"name":"exception","attributes":[{"key":"exception.message","value":{"stringValue":"c4nary"}}]}],
        "status":{"message":"c4nary"},"future":"c4nary"}]}]}]}"#.replace('\n', "");
    let file = copy.write("one.json", &format!("{request}\n{request}\n"));
    let words =
        ["policy", "explain", file.to_str().unwrap(), "--from", "eu-west", "--to", "us-east", "--output", "json"];
    let output = tollgate(&words, copy.path());
    let said = ended(&output, 0);
    assert!(!said.contains("c4nary"), "{said}");
    let told: Value = serde_json::from_str(&said).unwrap();
    let find = |carrier: &str, key: Option<&str>| {
        let values = told["values"].as_array().unwrap();
        let found = values.iter().find(|one| one["carrier"] == carrier && one["attribute"].as_str() == key);
        found.unwrap_or_else(|| panic!("{carrier} {key:?} is missing in {said}")).clone()
    };
    for (carrier, key, form) in [
        ("resource.attributes", Some("service.name"), "raw"),
        ("span.attributes", Some("user.id"), "keyed"),
        ("span.attributes", Some("odd.key"), "absent"),
        ("event.attributes", Some("exception.message"), "absent"),
        ("event.name", None, "raw"),
        ("span.status.message", None, "absent"),
        ("span.trace_id", None, "raw"),
        ("unknown", None, "absent"),
    ] {
        let one = find(carrier, key);
        assert_eq!((&one["form"], &one["count"]), (&form.into(), &2.into()), "{carrier} {key:?}");
        assert_eq!(one["resource"], "device", "browser.language tells that it is somebody's device");
    }
    assert_eq!(
        find("span.attributes", Some("user.id"))["first"],
        "line 1: resourceSpans[0].scopeSpans[0].spans[0].attributes[0]"
    );
    let broken = copy.write("two.json", "{\n");
    ended(&tollgate(&["policy", "explain", broken.to_str().unwrap()], copy.path()), 1);
}

#[test]
fn diff_ends_with_3_if_something_newly_crosses_and_with_0_if_not() {
    let narrow = Copy::example();
    let wide =
        Copy::example().edit("policies/residency.yaml", "quasi: {only: {geo.country.iso_code: raw}}", "quasi: raw");
    let diff = |old: &Path, new: &Path, more: &[&str]| {
        let words = [&["policy", "diff", old.to_str().unwrap(), new.to_str().unwrap()], more].concat();
        tollgate(&words, Path::new(TOP))
    };
    let said = ended(&diff(narrow.path(), wide.path(), &[]), 3);
    assert!(said.contains("newly crosses: traces from EEA over eu-west/gateway → us-east/central"), "{said}");
    assert!(said.contains("quasi, absent → raw: ") && said.contains("client.port"), "{said}");
    let told = json(&diff(wide.path(), narrow.path(), &["--output", "json"]), 0);
    assert_eq!(told["widens"], false);
    assert!(told["differences"].as_array().unwrap().iter().all(|one| one["change"] == "no longer crosses"));
    assert_eq!(ended(&diff(narrow.path(), narrow.path(), &[]), 0), "nothing crosses otherwise than before\n");
    let later = Copy::example().edit("policies/residency.yaml", "2027-02-11", "2028-02-11");
    let said = ended(&diff(narrow.path(), later.path(), &["--on", "2026-12-01"]), 0);
    assert!(
        said.ends_with("ends otherwise: instrument dpf, to be reviewed by 2027-02-11 → to be reviewed by 2028-02-11\n"),
        "{said}"
    );
    let after = ["--on", "2027-03-02"];
    assert!(ended(&diff(narrow.path(), later.path(), &after), 3).contains("newly crosses: traces from EEA"));
    // One document alone is compared within the other documents of the set.
    let (old, new) = (narrow.path().join("policies/residency.yaml"), wide.path().join("policies/residency.yaml"));
    ended(&diff(&old, &new, &[]), 3);
}

/// Guarantees: shapes of one region are no word about another one; counts beyond any number are no panic.
#[test]
fn shapes_say_nothing_of_regions_that_they_were_not_recorded_in() {
    let (old, new) = (Copy::example(), Copy::example());
    let residency = fs::read_to_string(new.path().join("policies/residency.yaml")).unwrap();
    let stricter = residency.replace("quasi: {only: {geo.country.iso_code: raw}}", "quasi: {only: {}}");
    fs::write(new.path().join("policies/residency.yaml"), stricter).unwrap();
    let shape = |kind: &str| {
        format!(
            r#"{{"signal": "traces", "carrier": "span.attributes", "attribute": "geo.country.iso_code", "class": "quasi", "type": "{kind}", "length": 16, "records": {}}}"#,
            u64::MAX
        )
    };
    let records = r#"{"traces": {"passed": 10, "looked_at": 10}}"#;
    let shapes = new.write(
        "shapes.json",
        &format!(
            r#"{{"version": 1, "region": "eu-west", "regime": "EEA", "from": 0, "to": 86400, "records": {records}, "left_out": 3, "shapes": [{}, {}]}}"#,
            shape("text"),
            shape("int")
        ),
    );
    let diff = |more: &[&str]| {
        let words =
            ["policy", "diff", old.path().to_str().unwrap(), new.path().to_str().unwrap(), "--on", "2026-12-01"];
        tollgate(&[&words[..], &["--shapes", shapes.to_str().unwrap()], more].concat(), Path::new(TOP))
    };
    let said = ended(&diff(&[]), 0);
    assert!(said.contains("eu-west/gateway → us-east/central no longer crosses: at most 10 records a day"), "{said}");
    assert!(!said.contains("no record had such an attribute"), "{said}");
    assert!(said.contains("the shapes say nothing of ") && said.contains("and 3 times there was no room"), "{said}");
    let told = json(&diff(&["--output", "json"]), 0);
    assert_eq!(told["shapes_left_out"], 3);
    let differences = told["differences"].as_array().unwrap();
    let uk = differences.iter().find(|one| one["from"] == "uk-south/gateway").unwrap();
    assert!(uk["records_a_day"].is_null(), "{uk}");
}

/// Guarantees: at most so many records a day are touched, however a change is called: on a device, by another name, in one
/// carrier, as a name of a span.
#[test]
fn records_are_counted_by_what_a_change_is_about_and_not_by_how_it_is_called() {
    let old = Copy::example();
    let new = Copy::example()
        .edit("policies/residency.yaml", "direct: {only: {user.id: user-key}}", "direct: user-key")
        .edit(
            "policies/residency.yaml",
            "quasi: {only: {geo.country.iso_code: raw}}",
            "quasi: {only: {user.roles: raw}}",
        )
        .edit("policies/catalogue.yaml", "    - \"{rpc.method}\"\n", "");
    let shape = |carrier: &str, key: &str, records: u64| {
        format!(
            r#"{{"signal": "traces", "carrier": "{carrier}", "attribute": "{key}", "class": "op", "type": "text", "length": 16, "records": {records}}}"#
        )
    };
    let shapes = [
        shape("resource.attributes", "service.instance.id", 900),
        shape("span.attributes", "user.roles", 70),
        shape("span.attributes", "geo.country.iso_code", 5),
    ];
    let records = r#"{"traces": {"passed": 1000, "looked_at": 1000}}"#;
    let text = format!(
        r#"{{"version": 1, "region": "eu-west", "regime": "EEA", "from": 0, "to": 86400, "records": {records}, "left_out": 0, "shapes": [{}]}}"#,
        shapes.join(", ")
    );
    let shapes = new.write("shapes.json", &text);
    let sides = [&old, &new].map(|copy| copy.path().to_str().unwrap());
    let words = ["policy", "diff", sides[0], sides[1], "--on", "2026-12-01", "--output", "json", "--shapes"];
    let told = json(&tollgate(&[&words[..], &[shapes.to_str().unwrap()]].concat(), Path::new(TOP)), 3);
    let touched = |item: &str| {
        let mut all = told["differences"].as_array().unwrap().iter().filter(|one| one["from"] == "eu-west/gateway");
        all.find(|one| one["item"] == item).unwrap_or_else(|| panic!("{item}: {told}"))["records_a_day"].clone()
    };
    assert_eq!(touched("service.instance.id on a device"), 900);
    assert_eq!(
        (touched("user.roles"), touched("enduser.role"), touched("geo.country.iso_code")),
        (70.into(), 70.into(), 5.into())
    );
    assert_eq!(touched(r#"span.name "{rpc.method}""#), 1000);
}

/// Guarantees: of a key that both sets list and that was not listed when shapes were recorded, no number is told that could be
/// too small: it may have gone by a template then, or have had no class.
#[test]
fn a_key_that_was_listed_only_later_is_not_counted_too_low() {
    let listed = "attributes:\n  shop.till: quasi\n  shop.x.inner: quasi\n";
    let old = Copy::example().edit("policies/catalogue.yaml", "attributes:\n", listed);
    let new = Copy::example().edit("policies/catalogue.yaml", "attributes:\n", listed).edit(
        "policies/residency.yaml",
        "quasi: {only: {geo.country.iso_code: raw}}",
        "quasi: raw",
    );
    let shape = |key: &str, records: u64| {
        format!(
            r#"{{"signal": "traces", "carrier": "span.attributes", "attribute": "{key}", "class": "quasi", "type": "text", "length": 16, "records": {records}}}"#
        )
    };
    let shapes = [shape("", 400), shape("shop.till", 3), shape("shop.x.*", 50), shape("user.roles", 70)].join(", ");
    let touched = |more: &str| {
        let text = format!(
            r#"{{"version": 1, "region": "eu-west", "regime": "EEA", "from": 0, "to": 86400, "records": {{"traces": {{"passed": 1000, "looked_at": 1000}}}}, "left_out": 0{more}, "shapes": [{shapes}]}}"#
        );
        let file = new.write("shapes.json", &text);
        let sides = [&old, &new].map(|copy| copy.path().to_str().unwrap());
        let words = ["policy", "diff", sides[0], sides[1], "--on", "2026-12-01", "--output", "json", "--shapes"];
        let told = json(&tollgate(&[&words[..], &[file.to_str().unwrap()]].concat(), Path::new(TOP)), 3);
        ["shop.till", "shop.x.inner", "user.roles"].map(|item| {
            let mut all = told["differences"].as_array().unwrap().iter().filter(|one| one["from"] == "eu-west/gateway");
            all.find(|one| one["item"] == item).unwrap_or_else(|| panic!("{item}: {told}"))["records_a_day"].as_u64()
        })
    };
    assert_eq!(touched(r#", "listed": ["shop.x.*", "user.roles"]"#), [None, Some(50), Some(70)]);
    assert_eq!(touched(r#", "listed": ["shop.till", "shop.x.inner", "user.roles"]"#), [Some(3), Some(0), Some(70)]);
}

/// Guarantees: where ids do not cross no span does, and every command says so of all that rules allow of it.
#[test]
fn without_ids_nothing_of_a_span_is_said_to_cross() {
    let without = Copy::example().edit("policies/residency.yaml", "      corr: raw\n", "");
    let (set, day) = (without.path(), ["--on", "2026-12-01"]);
    let between = ["--signal", "traces", "--from", "eu-west", "--to", "us-east"];
    let explain = [&["policy", "explain", "--attribute", "http.route"][..], &between, &day].concat();
    let said = ended(&tollgate(&explain, set), 0);
    assert!(said.contains("its span does not cross: span.trace_id") && said.contains("no rule allows it"), "{said}");
    let lost = "no span crosses without span.trace_id and span.span_id";
    let said = ended(&tollgate(&[&["policy", "show"][..], &day].concat(), set), 0);
    assert!(said.contains(&format!("nothing: {lost}")), "{said}");
    let said = ended(&tollgate(&["check"], set), 0);
    assert!(said.contains("nothing-crosses") && said.contains(lost), "{said}");
    let sides = [without.path().to_str().unwrap(), TOP];
    let told =
        json(&tollgate(&[&["policy", "diff", sides[0], sides[1], "--output", "json"][..], &day].concat(), set), 3);
    let newly = |item: &str| {
        let mut differences = told["differences"].as_array().unwrap().iter();
        differences.any(|one| one["item"] == item && one["change"] == "newly crosses")
    };
    assert!(["http.route", "user.id", "span.kind", "span.trace_id"].into_iter().all(newly), "{told}");
}

/// Guarantees: EEA → UK → US is seen when it is added, by `diff` and by `check`.
#[test]
fn a_way_onward_that_is_added_is_reported() {
    let direct = Copy::example();
    let onward = Copy::example().edit(
        "regions/federation.yaml",
        "carries: [UK], signals: [traces], instruments: {UK: uk-us-extension}",
        "carries: [UK, EEA], signals: [traces], instruments: {UK: uk-us-extension, EEA: dpf}",
    );
    let words = ["policy", "diff", direct.path().to_str().unwrap(), onward.path().to_str().unwrap()];
    let said = ended(&tollgate(&words, Path::new(TOP)), 3);
    assert!(said.contains("newly crosses: traces from EEA over uk-south/gateway → us-east/central"), "{said}");
    let said = ended(&tollgate(&["check"], onward.path()), 0);
    let way = "traces from EEA reach US onward, by eu-west/gateway → uk-south/gateway → us-east/central";
    assert!(said.contains(way), "{said}");
    let elsewhere = "the key of session.id, user.id lies in EEA, not in uk-south, so no value crosses";
    assert!(said.contains(elsewhere), "{said}");
}

#[test]
fn a_backend_abroad_is_a_crossing_that_the_proof_sees() {
    let vendor = "gateway: {nodes: {dns: gateway.eu-west.svc.cluster.local}, port: 4417}\nbackends: {vendor: {otlp_http: \
                  'https://otlp.vendor.example', signals: [traces], regime: US, entity: Acme Inc}}";
    let link = "links:\n  - {from: eu-west, to: eu-west/backend/vendor, carries: [EEA], signals: [traces], instruments: {EEA: dpf}}";
    let copy = Copy::example()
        .edit("regions/eu-west.yaml", "gateway: {nodes: {dns: gateway.eu-west.svc.cluster.local}, port: 4417}", vendor)
        .edit("regions/federation.yaml", "links:", link)
        .edit("policies/residency.yaml", "direct: {only: {user.id: user-key}}", "direct: {only: {user.id: raw}}");
    let said = ended(&tollgate(&["check"], copy.path()), 78);
    assert!(
        said.contains(
            "user.id (direct) of traces from EEA reaches US raw, by eu-west/gateway → eu-west/backend/vendor"
        ),
        "{said}"
    );
}

#[test]
fn what_if_says_what_becomes_illegal_and_what_goes_on() {
    let said = ended(&tollgate(&["policy", "what-if", "--without", "uk-adequacy"], Path::new(TOP)), 0);
    assert!(said.contains("traces from EEA over eu-west → uk-south/gateway: becomes illegal"), "{said}");
    let said = ended(&tollgate(&["policy", "what-if", "--without", "dpf"], Path::new(TOP)), 0);
    assert!(said.contains("goes on by scc") && said.contains("nothing crosses otherwise than before"), "{said}");
    let told = json(
        &tollgate(&["policy", "what-if", "--without", "dpf", "--without", "scc", "--output", "json"], Path::new(TOP)),
        0,
    );
    assert_eq!((&told["links"][0]["becomes"], &told["links"][0]["instrument"]), (&"illegal".into(), &"dpf".into()));
    let output = tollgate(&["policy", "what-if", "--without", "dfp"], Path::new(TOP));
    ended(&output, 78);
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean `dpf`?"));
}

/// Guarantees: what is in shadow changes nothing, and what it would change is told before it holds.
#[test]
fn what_is_in_shadow_is_told_by_check_and_what_if() {
    let shadow = "rules:\n  - {id: agents, origin: EEA, reaching: US, signal: traces, mode: shadow, allow: {online: raw}, deny: \
                  [{attribute: http.route}]}\n";
    let copy = Copy::example().edit("policies/residency.yaml", "rules:\n", shadow).edit(
        "policies/residency.yaml",
        "rules:\n",
        "rules:\n  - {id: bad, origin: EEA, reaching: US, signal: traces, mode: shadow, allow: {online: raw}}\n",
    );
    let said = ended(&tollgate(&["check"], copy.path()), 0);
    assert!(
        said.contains("latent-invariant")
            && said.contains("reaches US raw")
            && said.contains("if what is in shadow held"),
        "{said}"
    );
    let said = ended(&tollgate(&["policy", "what-if", "--unshadowed"], copy.path()), 0);
    assert!(
        said.contains("no longer crosses") && said.contains("http.route") && said.contains("newly crosses"),
        "{said}"
    );
    ended(&tollgate(&["policy", "what-if"], copy.path()), 64);
}

#[test]
fn show_prints_every_link_and_class() {
    let said = ended(&tollgate(&["policy", "show", "--on", "2026-12-01"], Path::new(TOP)), 0);
    assert!(said.contains("traces from EEA over eu-west → us-east/central (to Acme Inc, US), by dpf\n"), "{said}");
    assert!(said.contains("  online        keyed: session.id; generalised: client.address\n"), "{said}");
    assert!(said.contains("  secret        –\n"), "{said}");
    let told = json(&tollgate(&["policy", "show", "--on", "2028-01-01", "--output", "json"], Path::new(TOP)), 0);
    assert_eq!(told["rows"].as_array().unwrap().len(), 3);
    assert!(told["rows"][0]["closed"].as_str().unwrap().contains("dpf no longer holds"));
}

#[test]
fn keys_of_a_release_without_a_class_are_listed() {
    let copy = Copy::example();
    let keys = copy.write(
        "keys.json",
        r#"["user.id", "http.request.header.*", "http.request.header.x-any", "new.key", "another.new.*", "new.key"]"#,
    );
    let words = ["catalogue", "unclassified", keys.to_str().unwrap()];
    assert_eq!(ended(&tollgate(&words, copy.path()), 0), "another.new.*\nnew.key\n");
    copy.write("policies/catalogue-own.yaml", "attributes: {new.key: op}\n");
    let told = json(&tollgate(&[&words[..], &["--output", "json"]].concat(), copy.path()), 0);
    assert_eq!(told, serde_json::json!(["another.new.*"]));
    ended(&tollgate(&["check"], copy.path()), 0);
}

/// Guarantees: what editors are given beside the documents is what this release takes.
#[test]
fn schemas_are_printed_as_they_are_shipped_and_every_document_names_its_own() {
    for document in ["residency", "catalogue", "cases"] {
        let output = Command::new(binary()).args(["policy", "schema", document]).output().unwrap();
        let shipped = fs::read_to_string(Path::new(TOP).join(format!("policies/schema/{document}.json"))).unwrap();
        assert!(ended(&output, 0) == shipped, "print policies/schema/{document}.json anew");
    }
    for set in [Path::new(TOP).to_owned(), central_eea()] {
        for folder in ["policies", "policies/cases"] {
            for file in fs::read_dir(set.join(folder)).unwrap().map(|file| file.unwrap().path()) {
                // Sampling is the Collector's block, and editors have the Collector's own schema for it.
                if file.extension().is_none_or(|extension| extension != "yaml") || file.ends_with("sampling.yaml") {
                    continue;
                }
                // What a link names is relative to the file it is written in.
                let file = file.canonicalize().unwrap();
                let text = fs::read_to_string(&file).unwrap();
                let named = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
                let named = named.unwrap_or_else(|| panic!("{} names no schema", file.display()));
                assert!(file.parent().unwrap().join(named).is_file(), "{}", file.display());
            }
        }
    }
}
