//! Rules that are narrowed by clusters and by what data says of itself, through every command that tells of them.

use super::*;

/// Whether the country of a recorded span is in what `policy seal` lets through, with these words said of its sender.
fn country_crosses(copy: &Copy, more: &[&str]) -> bool {
    let country = r#"{"key":"geo.country.iso_code","value":{"stringValue":"DE"}},{"key":"odd""#;
    let file = copy.write("one.json", &RECORDED.replace(r#"{"key":"odd""#, country));
    let sealing =
        ["policy", "seal", "--from", "eu-west", "--to", "us-east", "--signal", "traces", "--on", "2026-12-01"];
    let words = [&sealing, more, &[file.to_str().unwrap()]].concat();
    ended(&tollgate(&words, copy.path()), 0).contains("geo.country.iso_code")
}

/// Guarantees: what crosses for one cluster is shown, explained, compared and sealed as that, and for nobody else.
#[test]
fn an_allow_for_one_cluster_is_told_as_such() {
    let allow = "  - {id: country, origin: EEA, reaching: US, signal: traces, where: {cluster: eu-west-a}, allow: {quasi: \
                 {only: {geo.country.iso_code: raw}}}}";
    let copy = Copy::example().edit("policies/residency.yaml", "quasi: {only: {geo.country.iso_code: raw}}", "").edit(
        "policies/residency.yaml",
        "rules:\n",
        &format!("rules:\n{allow}\n"),
    );
    let shown = ended(&tollgate(&["policy", "show"], copy.path()), 0);
    let head = "traces from EEA over eu-west → us-east/central (to Acme Inc, US), sent by ";
    let part = |sender: &str| {
        let (_, part) = shown.split_once(&format!("{head}{sender}, by dpf\n")).unwrap_or_else(|| panic!("{shown}"));
        part.split_once("\n\n").unwrap().0.to_owned()
    };
    assert!(part("cluster eu-west-a").contains("quasi         raw: geo.country.iso_code"));
    assert!([part("no proved cluster"), part("any other cluster")].iter().all(|part| part.contains("quasi         –")));
    let asked = ["policy", "explain", "--attribute", "geo.country.iso_code", "--from", "eu-west", "--to", "us-east"];
    let explain = |more: &[&str], code| ended(&tollgate(&[&asked, more].concat(), copy.path()), code);
    assert!(explain(&["--cluster", "eu-west-a", "--signal", "traces"], 0).contains("raw: allowed"));
    assert!(explain(&["--cluster", "eu-west-b", "--signal", "traces"], 0).contains("absent: "));
    assert!(explain(&["--signal", "traces"], 0).contains("nothing proves that this is of it"));
    explain(&["--cluster", "gone"], 1);
    let case = |(cluster, form): (&str, &str)| {
        format!(
            "  - name: {form}\n    given: {{origin: EEA, path: [eu-west, us-east], signal: traces, carrier: span.attributes, \
             attribute: geo.country.iso_code, {cluster}day: 2026-12-01}}\n    expect: {{form: {form}}}\n"
        )
    };
    let cases =
        [("cluster: eu-west-a, ", "raw"), ("cluster: eu-west-b, ", "absent"), ("", "absent")].map(case).concat();
    let file = copy.write("cases.yaml", &format!("cases:\n{cases}"));
    ended(&tollgate(&["policy", "test", file.to_str().unwrap()], copy.path()), 0);
    let unknown = copy.write("cases.yaml", &format!("cases:\n{}", case(("cluster: gone, ", "absent"))));
    let said = tollgate(&["policy", "test", unknown.to_str().unwrap()], copy.path());
    let said = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
    assert!(said.contains("eu-west has no cluster gone"), "{said}");
    let seal = |more: &[&str]| country_crosses(&copy, more);
    assert_eq!([seal(&["--cluster", "eu-west-a"]), seal(&["--cluster", "eu-west-b"]), seal(&[])], [true, false, false]);
    let wide = Copy::example();
    let words = ["policy", "diff", copy.path().to_str().unwrap(), wide.path().to_str().unwrap()];
    let said = ended(&tollgate(&words, Path::new(TOP)), 3);
    let newly = "newly crosses: traces from EEA over eu-west/gateway → us-east/central, sent by ";
    assert!(
        ["no proved cluster", "any other cluster"].iter().all(|one| said.contains(&format!("{newly}{one}"))),
        "{said}"
    );
}

/// Guarantees: what crosses for what came by one listener is shown, explained, compared, tested and sealed as that, and not
/// otherwise; where no listener is given none is known.
#[test]
fn an_allow_for_one_listener_is_told_as_such() {
    let allow = "  - {id: country, origin: EEA, reaching: US, signal: traces, where: {listener: otlp_grpc}, allow: {quasi: \
                 {only: {geo.country.iso_code: raw}}}}";
    let copy = Copy::example()
        .edit("policies/residency.yaml", "quasi: {only: {geo.country.iso_code: raw}}", "")
        .edit("policies/residency.yaml", "rules:\n", &format!("rules:\n{allow}\n"))
        .edit("regions/uk-south.yaml", ", otlp_http: 0.0.0.0:4318", "");
    let shown = ended(&tollgate(&["policy", "show"], copy.path()), 0);
    let head = "traces from EEA over eu-west → us-east/central (to Acme Inc, US), sent by ";
    for (sender, country) in [("listener otlp_grpc", "raw: geo.country.iso_code"), ("listener otlp_http", "–")] {
        let (_, part) = shown.split_once(&format!("{head}{sender}, by dpf\n")).unwrap_or_else(|| panic!("{shown}"));
        assert!(part.split_once("\n\n").unwrap().0.contains(&format!("quasi         {country}")), "{shown}");
    }
    let asked = ["policy", "explain", "--attribute", "geo.country.iso_code", "--from", "eu-west", "--to", "us-east"];
    let explain = |more: &[&str], code| ended(&tollgate(&[&asked, more].concat(), copy.path()), code);
    let traces = ["--signal", "traces"];
    assert!(explain(&[&traces[..], &["--listener", "otlp_grpc"]].concat(), 0).contains("raw: allowed"));
    assert!(
        explain(&[&traces[..], &["--cluster", "eu-west-b", "--listener", "otlp_grpc"]].concat(), 0).contains("raw: ")
    );
    assert!(explain(&[&traces[..], &["--listener", "otlp_http"]].concat(), 0).contains("absent: "));
    assert!(explain(&traces, 0).contains("nothing proves that this is of it"));
    explain(&["--listener", "grpc"], 64);
    let ours = ["policy", "explain", "--attribute", "tollgate.resource", "--carrier", "resource.attributes"];
    let said = ended(&tollgate(&ours, copy.path()), 0);
    assert!(said.contains("  resource.attributes tollgate.resource: absent: a key of ours, by which"), "{said}");
    let no_such = ["policy", "explain", "--attribute", "a", "--from", "uk-south", "--listener", "otlp_http"];
    ended(&tollgate(&no_such, copy.path()), 1);
    let case = |(listener, form): (&str, &str)| {
        format!(
            "  - name: {form}\n    given: {{origin: EEA, path: [eu-west, us-east], signal: traces, carrier: span.attributes, \
             attribute: geo.country.iso_code, {listener}day: 2026-12-01}}\n    expect: {{form: {form}}}\n"
        )
    };
    let cases = [
        ("listener: otlp_grpc, ", "raw"),
        ("cluster: eu-west-a, listener: otlp_grpc, ", "raw"),
        ("listener: otlp_http, ", "absent"),
        ("cluster: eu-west-a, ", "absent"),
    ];
    let file = copy.write("cases.yaml", &format!("cases:\n{}", cases.map(case).concat()));
    ended(&tollgate(&["policy", "test", file.to_str().unwrap()], copy.path()), 0);
    let seal = |more: &[&str]| country_crosses(&copy, more);
    let by = |listener| seal(&["--cluster", "eu-west-a", "--listener", listener]);
    assert_eq!([by("otlp_grpc"), by("otlp_http"), seal(&[])], [true, false, false]);
    let wide = Copy::example();
    let words = ["policy", "diff", copy.path().to_str().unwrap(), wide.path().to_str().unwrap()];
    let said = ended(&tollgate(&words, Path::new(TOP)), 3);
    assert!(said.contains("over eu-west/gateway → us-east/central, sent by listener otlp_http\n"), "{said}");
    assert!(!said.contains("sent by listener otlp_grpc"), "{said}");
    assert!(!ended(&tollgate(&["check"], copy.path()), 0).contains("listener, which"), "{said}");
}

/// Guarantees: what is held back for one service is explained, shown, compared, tested and sealed as that.
#[test]
fn a_deny_for_one_service_is_told_as_such() {
    let deny = "  - {id: method, origin: EEA, reaching: US, signal: traces, where: {service: cart}, deny: [{attribute: \
                http.request.method}]}";
    let copy = Copy::example().edit("policies/residency.yaml", "rules:\n", &format!("rules:\n{deny}\n"));
    let asked = ["policy", "explain", "--attribute", "http.request.method", "--from", "eu-west", "--to", "us-east"];
    let explain =
        |more: &[&str]| ended(&tollgate(&[&asked[..], &["--signal", "traces"], more].concat(), copy.path()), 0);
    assert!(explain(&["--service", "other"]).contains("raw: allowed"));
    for held_back in [&["--service", "cart"][..], &[]] {
        assert!(explain(held_back).contains("rule method  policies/residency.yaml:"));
    }
    let file = |service: &str| {
        let named = format!(
            r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}},"scopeSpans":[{{"spans":[{{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"GET","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{{"key":"http.request.method","value":{{"stringValue":"GET"}}}}]}}]}}]}}]}}"#
        );
        copy.write(&format!("{service}.json"), &named)
    };
    for (service, crosses) in [("cart", false), ("other", true)] {
        let file = file(service);
        let words =
            ["policy", "explain", file.to_str().unwrap(), "--from", "eu-west", "--to", "us-east", "--on", "2026-12-01"];
        let said = ended(&tollgate(&words, copy.path()), 0);
        assert_eq!(said.contains("rule method"), !crosses, "{said}");
        let words =
            ["policy", "seal", "--from", "eu-west", "--to", "us-east", "--signal", "traces", "--on", "2026-12-01"];
        let sealed = ended(&tollgate(&[&words[..], &[file.to_str().unwrap()]].concat(), copy.path()), 0);
        assert_eq!(sealed.contains("http.request.method"), crosses, "{sealed}");
    }
    let case = |(service, form): (&str, &str)| {
        format!(
            "  - name: {form}\n    given: {{origin: EEA, path: [eu-west, us-east], signal: traces, carrier: span.attributes, \
             attribute: http.request.method, {service}day: 2026-12-01}}\n    expect: {{form: {form}}}\n"
        )
    };
    let cases = [("service: cart, ", "absent"), ("service: other, ", "raw"), ("", "absent")].map(case).concat();
    let cases = copy.write("cases.yaml", &format!("cases:\n{cases}"));
    ended(&tollgate(&["policy", "test", cases.to_str().unwrap()], copy.path()), 0);
    let shown = ended(&tollgate(&["policy", "show"], copy.path()), 0);
    for kind in ["anything else", "service cart or no clear service"] {
        assert!(shown.contains(&format!("(to Acme Inc, US), for {kind}, by dpf")), "{shown}");
    }
    let wide = Copy::example();
    let words = ["policy", "diff", copy.path().to_str().unwrap(), wide.path().to_str().unwrap()];
    let said = ended(&tollgate(&words, Path::new(TOP)), 3);
    assert!(said.contains("us-east/central, for service cart or no clear service\n"), "{said}");
    let said = ended(&tollgate(&["check"], copy.path()), 0);
    assert!(said.contains("rule method is narrowed by service, which the sender chooses"), "{said}");
}
