//! Rules that are narrowed by claims hold for what resources say of themselves, then and now.

use super::*;

/// The example, where methods do not cross of one service.
fn without_methods_of(service: &str) -> (TempDir, Arc<Documents>) {
    let rule = format!(
        "rules:\n  - {{id: method, origin: EEA, reaching: US, signal: traces, where: {{service: {service}}}, deny: [{{attribute: \
         http.request.method}}]}}\n"
    );
    rig::edited(|name, text| match name {
        "policies/residency.yaml" => text.replacen("rules:\n", &rule, 1),
        _ => text,
    })
}

/// A request of one span of a service; of none, if its resource says nothing.
fn of_service(service: Option<&str>) -> Vec<u8> {
    let mut request = Vec::new();
    Writer::new(&mut request).message(1, |group| {
        group.message(1, |resource| {
            if let Some(service) = service {
                resource.key_string(1, "service.name", service);
            }
        });
        group.message(2, |scope| {
            scope.message(2, |span| {
                span.bytes(1, &rig::trace_id(1));
                span.bytes(2, &[1; 8]);
                span.key_string(9, "http.request.method", "GET");
            });
        });
    });
    request
}

/// Scenario: a reload moves a deny from one service to another while records of both wait. Guarantees: what waits is held back for
/// both, what arrives after it for the other alone, and what says nothing always; each parcel is within what it names.
#[test]
fn a_reload_that_moves_a_deny_to_another_service_holds_both_back_for_what_waits() {
    let ((_one, first), (_two, second)) = (without_methods_of("cart"), without_methods_of("till"));
    let bench = Bench::new(Arc::clone(&first));
    let mut seal = bench.seal(CENTRAL, Signal::Traces);
    let crosses = |seal: &mut Seal, arrived: &Documents| {
        let of = |service| {
            let record = record(of_service(service), arrived.federation.digest());
            let sealed = run(seal, &record, &["a"], &["a"]).remove(0).expect("the span itself crosses");
            (attribute(&sealed, "http.request.method").is_some(), [sealed.digest(), sealed.in_force()])
        };
        let told = [Some("cart"), Some("till"), Some("other"), None].map(of);
        let named = told[0].1;
        assert!(told.iter().all(|(_, names)| *names == named), "one parcel, one name");
        (told.map(|(crosses, _)| crosses), named)
    };
    let (before, [policy, in_force]) = crosses(&mut seal, &first);
    assert_eq!((before, policy), ([false, true, true, false], in_force));
    bench.adopt(&second);
    assert!(seal.renew() && !seal.renew());
    let (waiting, [met, now]) = crosses(&mut seal, &first);
    assert_eq!(waiting, [false, false, true, false]);
    let (after, names) = crosses(&mut seal, &second);
    assert_eq!((after, names), ([true, false, true, false], [now, now]));
    assert!(met != policy && met != now, "neither policy alone would have sealed so");
}
